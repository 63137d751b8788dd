# SPDX-License-Identifier: Apache-2.0
"""Plays scripts against a server and the oracle at once: many at a time, each step by step. A player yields
what it wants sent and is given the answers; events of all players travel in common batches."""
import json
import random
import time
import traceback

import exact
import invoices
import usage
from invoices import Differs, TooLarge
from calendars import DAY
from subscription import subscription_bill
from timeline import FOREVER, Change, Timeline
from wire import Request, quote


RECORDED = exact.instant("2026-11-01T00:00:00Z")  # of what does not say it: after every ratedAt that is asked for


class Events:
    """Wanted: these events, in this order. The answer: their verdicts."""

    def __init__(self, events):
        self.events = events


class Player:
    """One script. `run` is a generator of lists of Requests and of Events."""

    def __init__(self, script):
        self.script = script
        self.journal = usage.Journal()
        for meter in script["meters"]:
            self.journal.declare(meter)
        self.marks = []
        self.sequence = None  # the newest that an answer showed
        self.bills = 0
        self.subscription = {"planVersion": 1, **script["subscription"]}
        self.versions = {(id, 1): plan for id, plan in script["plans"].items()}
        self.zones = [(-FOREVER, script["zone"])]
        self.log = []
        self.voids = []
        self.id = script["subscription"]["plan"] + ".s"
        self.invoiced = []  # lines of invoices that changes brought
        self.documents, self.billed = {}, []  # lines of final invoices: by id, and all

    def run(self):
        yield from self.set_up()
        for step in self.script["steps"]:
            yield from getattr(self, "do_" + step["do"])(step)

    def set_up(self):
        script = self.script
        yield from self.expect(Request("PUT", f"/v1/accounts/{quote(script['account'])}", script["accountBody"]))
        for id, plan in script["plans"].items():
            yield from self.expect(Request("PUT", f"/v1/plans/{quote(id)}", plan))
            yield from self.expect(Request("POST", f"/v1/plans/{quote(id)}/publish",
                                           {"effectiveFrom": "2020-01-01T00:00:00Z"}))
        yield from self.expect(Request("PUT", f"/v1/subscriptions/{quote(self.id)}", script["subscription"]))

    def expect(self, request):
        """The answer to what must succeed."""
        (status, answer), = yield [request]
        if status == 422 and answer["code"] == "amount_too_large":
            raise TooLarge
        if status >= 300:
            raise Differs(f"{request.method} {request.target} answered {status}: {answer}\nsent: "
                          f"{request.body.decode()}")
        return answer

    def do_send(self, step):
        wanted = [self.journal.take(sent) for sent in step["events"]]
        got = yield Events(step["events"])
        if got != wanted:
            raise Differs(next(f"{sent}: the server says {is_}, the oracle {should}"
                               for sent, is_, should in zip(step["events"], got, wanted) if is_ != should))

    def do_change(self, step):
        """One more entry of the subscription's log; a dry run before it says what comes."""
        def request(body):
            return Request("POST", f"/v1/subscriptions/{quote(self.id)}/{step['action']}", body)
        dry = None
        if step.get("dry"):
            dry = yield from self.expect(request({**step["body"], "dryRun": True}))
        got = yield from self.expect(request(step["body"]))
        body = dict(step["body"])
        at = exact.instant(body.pop("effectiveAt", None) or body.pop("at"))
        if "plan" in body:
            body["planVersion"] = 1
        kind = "terms" if step["action"] == "change" else step["action"]
        recorded = exact.instant(got["change"]["recordedAt"])
        self.log.append(Change(kind, at, recorded, body))
        self.check_change(got, dry, at, recorded)

    def check_change(self, got, dry, at, recorded):
        """The bill that the answer shows; what a dry run said is what happened."""
        if got["bill"] is not None:
            wanted = self.wanted_bill(min(at, exact.instant(got["bill"]["period"]["end"]) - 1), None, recorded)
            self.compare(got["bill"], wanted, f"the bill after {self.log[-1]}")
        if got["invoice"] is not None:
            self.invoiced.append(invoices.totals_hold(got["invoice"])["lines"])
        if dry is not None and (got["bill"] is None or exact.instant(got["bill"]["period"]["end"]) < recorded):
            said, done = timeless(dry), timeless(got)
            if said != done:
                raise Differs("a dry run said something else\n" + "\n".join(differences(done, said)))

    def do_zone(self, step):
        """The account moves: from the end of the running period on its calendar is another."""
        self.script["accountBody"] = {**self.script["accountBody"], "timeZone": step["zone"]}
        got = yield from self.expect(Request("PUT", f"/v1/accounts/{quote(self.script['account'])}",
                                             self.script["accountBody"]))
        self.zones.append((exact.instant(got["updatedAt"]), step["zone"]))

    def do_version(self, step):
        """Another version of the plan, for those who come later; everybody of the old one moves."""
        id, document = step["plan"], step["document"]
        yield from self.expect(Request("PUT", f"/v1/plans/{quote(id)}", document))
        yield from self.expect(Request("POST", f"/v1/plans/{quote(id)}/publish",
                                       {"effectiveFrom": "2999-01-01T00:00:00Z"}))
        self.versions[id, 2] = document
        got = yield from self.expect(Request("POST", f"/v1/plans/{quote(id)}/migrations",
                                             {"from": 1, "to": 2, "at": step["at"],
                                              "accounts": [self.script["account"]]}))
        if got["moved"]:
            self.log.append(Change("migrate", exact.instant(step["at"]), RECORDED,
                                   {"plan": id, "from": 1, "planVersion": 2}))

    def do_invoices(self, _):
        yield from invoices.check(self)

    def do_close(self, _):
        yield from invoices.close(self)

    def do_settle(self, _):
        yield from invoices.settle(self)

    def starts(self):
        return exact.instant(self.subscription["startsAt"])

    def do_void(self, step):
        ids = step.get("ids")
        if ids is None:
            ids = self.journal.chosen(self.script["account"], step["filter"])
        body = {"uniqueIds": step["ids"]} if "ids" in step else {"filter": step["filter"]}
        if step["dry"]:
            dry = yield from self.expect(Request("POST", "/v1/measurements/void", {**body, "dryRun": True}))
            body = {"token": dry["token"]}
        void = self.journal.void(ids)
        got = yield from self.expect(Request("POST", "/v1/measurements/void", body))
        if got["count"] != len(void.events) or (step["dry"] and dry["count"] != got["count"]):
            raise Differs(f"void {step}: the server took {got['count']} away, the oracle {len(void.events)}")
        self.voids.append((got["id"], void))

    def do_revert(self, step):
        id, void = self.voids[step["of"] % len(self.voids)] if self.voids else (None, None)
        if id is not None:
            self.journal.revert(void)
            yield from self.expect(Request("POST", f"/v1/voids/{id}/revert"))

    def do_amend(self, step):
        """Of events that count."""
        events = [sent for sent in step["events"] if self.journal.ids[sent["uniqueId"]].counts_at(None)]
        if events:
            for sent in events:
                self.journal.amend(sent)
            yield from self.expect(Request("POST", "/v1/measurements/amend", events))

    def do_mark(self, _):
        """What is counted now, to ask for later."""
        meter, account = self.script["meters"][0]["id"], self.script["account"]
        usage = yield from self.expect(Request(
            "GET", f"/v1/usage?meter={quote(meter)}&account={quote(account)}&window=total"
            "&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"))
        self.marks.append((usage["sequence"], self.journal.sequence))

    def bill_request(self, query):
        asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        return Request("GET", f"/v1/subscriptions/{quote(self.id)}/bill?{asked}")

    def do_bill(self, step):
        query, upto = {"at": step.get("at") or exact.print_instant(self.today() + step["in"] * DAY)}, None
        if "ratedAt" in step:
            query["ratedAt"] = step["ratedAt"]
        if "asOf" in step:
            query["asOf"], upto = self.marks[step["asOf"]]
        (status, got), = yield [self.bill_request(query)]
        rated_at = exact.instant(got.get("ratedAt") or step.get("ratedAt", "9999-01-01T00:00:00Z"))
        wanted = self.wanted_bill(exact.instant(query["at"]), upto, rated_at)
        if wanted is None:
            wanted, got = {"code": "outside_subscription"}, {"code": got.get("code")}
        elif got.get("code") == "amount_too_large":
            raise TooLarge
        elif status != 200:
            raise Differs(f"bill {query} answered {status}: {got}")
        self.compare(got, wanted, f"bill {query}")

    def wanted_bill(self, at, upto, rated_at):
        timeline = Timeline(self.subscription, self.log, self.versions, self.zones, rated_at)
        bill = subscription_bill(self.journal, timeline, at, upto, rated_at)
        return None if bill is None else {"subscription": self.id, **bill}

    @staticmethod
    def today():
        return time.time_ns() // 1000

    def compare(self, got, wanted, what):
        got = {name: value for name, value in got.items() if name not in ("sequence", "ratedAt")}
        self.bills += 1
        if got != wanted:
            raise Differs(f"{what}\n" + "\n".join(differences(got, wanted)))


def timeless(answer):
    """An answer without the moment at which it was given."""
    made = json.loads(json.dumps(answer).replace(answer["change"]["recordedAt"], "now"))
    for name in ("bill", "invoice", "upcomingInvoice"):
        (made[name] or {}).pop("sequence", None)
    return made


def differences(got, wanted, path=""):
    """Where two answers differ, one line each."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        for name in sorted(set(got) | set(wanted)):
            if name not in got or name not in wanted:
                yield f"{path}/{name}: " + ("only the server: %s" % got[name] if name in got else
                                            "only the oracle: %s" % wanted[name])
            else:
                yield from differences(got[name], wanted[name], f"{path}/{name}")
    elif isinstance(got, list) and isinstance(wanted, list):
        for i in range(max(len(got), len(wanted))):
            if i >= len(got) or i >= len(wanted):
                yield f"{path}/{i}: " + ("only the server: %s" % got[i] if i < len(got) else
                                         "only the oracle: %s" % wanted[i])
            else:
                yield from differences(got[i], wanted[i], f"{path}/{i}")
    elif got != wanted:
        yield f"{path}: the server says {got}, the oracle {wanted}"


class Stage:
    """Plays many scripts over one wire; failures are {index: what differed}."""

    def __init__(self, wire, players, seed):
        self.wire, self.players = wire, players
        self.random = random.Random(seed)
        self.failures, self.too_large = {}, 0
        self.wants = {}
        self.restart = None  # two calls that end the server and begin it again, for once in between
        self.runs = {index: player.run() for index, player in enumerate(players)}

    def declare(self):
        """The meters of all scripts, each once."""
        meters = {meter["id"]: meter for player in self.players for meter in player.script["meters"]}
        for status, answer in self.wire.exchange([Request("PUT", f"/v1/meters/{quote(id)}", meter)
                                                  for id, meter in meters.items()]):
            if status >= 300:
                raise Differs(f"a meter was answered {status}: {answer}")

    def play(self):
        for index in list(self.runs):
            self.step(index, None)
        rounds, pause = 0, self.random.randint(1, 6)
        while self.runs:
            self.send_requests()
            rounds += 1
            if self.restart is not None and rounds == pause:
                self.wire.close()
                for call in self.restart:
                    call()
            self.send_events()
        return self.failures

    def step(self, index, answer):
        try:
            self.wants[index] = self.runs[index].send(answer)
        except StopIteration:
            self.end(index)
        except TooLarge:  # a formula beyond what money is kept in: it ends here
            self.too_large += 1
            self.end(index)
        except Differs as error:
            self.failures[index] = str(error)
            self.end(index)
        except Exception:  # of the oracle itself; the other scripts go on
            self.failures[index] = traceback.format_exc(limit=-3)
            self.end(index)

    def end(self, index):
        self.wants.pop(index, None)
        self.runs.pop(index)

    def send_requests(self):
        while wanting := [index for index, want in self.wants.items() if isinstance(want, list)]:
            requests = [request for index in wanting for request in self.wants[index]]
            answers = iter(self.wire.exchange(requests))
            for index in wanting:
                self.step(index, [next(answers) for _ in self.wants[index]])

    def send_events(self):
        """All players' events in common batches; each player's keep their order."""
        wanting = {index: iter(want.events) for index, want in self.wants.items() if isinstance(want, Events)}
        order = [index for index in wanting for _ in self.wants[index].events]
        self.random.shuffle(order)
        sent = [(index, next(wanting[index])) for index in order]
        verdicts = {index: [] for index in wanting}
        for at in self.cuts(len(sent)):
            self.send_batch(sent[at[0]:at[1]], verdicts)
        for index in wanting:
            self.step(index, verdicts[index])

    def cuts(self, count):
        at = 0
        while at < count:
            size = self.random.choice([1, 5, 30, 200, 500])
            yield at, min(count, at + size)
            at += size

    def send_batch(self, batch, verdicts):
        (status, answer), = self.wire.exchange([Request("POST", "/v1/measurements", [sent for _, sent in batch])])
        if status != 202:
            raise Differs(f"a batch was answered {status}: {answer}")
        others = {result["index"]: result["outcome"] for result in answer["results"]}
        for place, (index, _) in enumerate(batch):
            verdicts[index].append(others.get(place, "accepted"))
