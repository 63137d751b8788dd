#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under load, against a client-side list of acknowledgements.

After each kill, on the restarted server: every acknowledged event is there exactly once, no refused
event is, an event whose answer was lost is absent or whole (an atomic batch: all or none), resending it
answers accepted or duplicate, totals and the bill agree, serving again within ten seconds. Voids, reverts
and amendments that were acknowledged hold; those whose answer was lost happened whole or not at all. The
state that the kill left, and the state after the last clean stop, pass `toll verify`.

    N=kills (200)   SEED=number replays the choices (not the timing)   KEEP=1 keeps the data directories
"""
import collections
import os
import random
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))
from client import Api, Server, quote  # noqa: E402

SERVE_WITHIN_S = 10.0  # promised, not a benchmark
CLIENTS = 4
KILLS_A_DIRECTORY = 40
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z", "window": "total"}
PRICE = "0.0025"


class Fault(AssertionError):
    pass


def must(truth, text):
    if not truth:
        raise Fault(text)


class Client:
    """One thread's load and what it knows about it. Ids are its own, so every verdict is foreseeable."""

    def __init__(self, name, api, seed):
        self.name, self.api, self.random = name, api, random.Random(seed)
        self.account = f"acct-{name}"
        self.made = 0
        self.stored = {}      # uniqueId -> event, acknowledged
        self.unknown = []     # (events, atomic) whose answer was lost
        self.refused = []     # ids that were refused and never stored
        self.wrong = []       # answers that should not have been
        self.round = []       # acknowledged since the last start
        self.busy = 0         # 503 answers: nothing stored, sent again later
        self.void = {}        # uniqueId -> the void that holds it, None when its answer was lost
        self.asked = None     # (what, ids, content) of a correction whose answer is not there yet
        self.corrections = 0  # acknowledged

    def event(self):
        self.made += 1
        return {"meter": "work", "account": self.account, "value": self.random.randint(1, 1000),
                "ts": f"2026-{self.random.randint(1, 2):02d}-{self.random.randint(1, 28):02d}T"
                      f"{self.random.randint(0, 23):02d}:{self.random.randint(0, 59):02d}:00Z",
                "uniqueId": f"{self.name}-{self.made}", "properties": {"kind": f"k{self.made % 3}"}}

    def batch(self):
        """[(event, the verdict it must get)]; no id twice in a batch."""
        made, used = [], set()
        for _ in range(self.random.choice([1, 1, 5, 50, 300])):
            draw = self.random.random()
            if draw < 0.06 and self.round:
                event, verdict = self.random.choice(self.round), "duplicate"
            elif draw < 0.09 and self.round:
                event = self.random.choice(self.round)
                event, verdict = {**event, "value": event["value"] + 1}, "conflict"
            elif draw < 0.12:
                event, verdict = {**self.event(), "meter": "nobody"}, "rejected"
            else:
                event, verdict = self.event(), "accepted"
            if event["uniqueId"] not in used:
                used.add(event["uniqueId"])
                made.append((event, verdict))
        return made

    # ---- corrections: of its own events, so it knows what each must do

    def choose(self):
        """Some events that count, and the body that voids exactly those."""
        if self.random.random() < 0.5:
            day = f"2026-{self.random.randint(1, 2):02d}-{self.random.randint(1, 28):02d}"
            kind = self.random.choice("012")
            ids = [id for id, event in self.stored.items() if event["ts"].startswith(day)
                   and event["properties"]["kind"] == "k" + kind and id not in self.void]
            return ids, {"filter": {"account": self.account, "event": "work", "from": day + "T00:00:00Z",
                                    "to": day + "T23:59:30Z", "properties": {"kind": "k" + kind}}}
        ids = [event["uniqueId"] for event in self.random.sample(self.round, min(9, len(self.round)))]
        ids = [id for id in dict.fromkeys(ids) if id not in self.void]
        return ids, {"uniqueIds": ids}

    def correct(self):
        if self.asked is not None:
            return
        draw = self.random.random()
        if draw < 0.5:
            self.send_void(*self.choose())
        elif draw < 0.7 and any(self.void.values()):
            id = self.random.choice([void for void in self.void.values() if void])
            self.send_revert(id, [event for event, void in self.void.items() if void == id])
        elif self.round:
            events = {event["uniqueId"]: event for event in self.random.sample(self.round, min(5, len(self.round)))}
            self.send_amend({id: {"value": event["value"] + 1000} for id, event in events.items()})

    def ask(self, what, ids, content, path, body):
        """The answer; None when it was busy. What is asked is remembered until the answer is there."""
        self.asked = (what, ids, content)
        answer = self.api.call("POST", path, body)
        if answer.status == 503:  # it may be there all the same: the restart tells
            self.busy += 1
            return None
        self.asked = None
        if answer.status != 200:
            self.wrong.append(f"{what} answered {answer!r}")
        else:
            self.corrections += 1
            return answer.json
        return None

    def send_void(self, ids, body):
        if not ids:
            return
        if self.random.random() < 0.3:
            dry = self.ask("dry run", [], None, "/v1/measurements/void", {**body, "dryRun": True})
            if dry is None:
                return
            body = {"token": dry["token"]}
        answer = self.ask("void", ids, None, "/v1/measurements/void", body)
        if answer is not None:
            if answer["count"] != len(ids):
                self.wrong.append(f"a void of {len(ids)} took {answer['count']}")
            self.void.update((id, answer["id"]) for id in ids)

    def send_revert(self, void, ids):
        if self.ask("revert", ids, None, f"/v1/voids/{void}/revert", None) is not None:
            for id in ids:
                del self.void[id]

    def send_amend(self, content):
        body = [{"uniqueId": id, **members} for id, members in content.items()]
        answer = self.ask("amend", list(content), content, "/v1/measurements/amend", body)
        if answer is not None:
            self.amended(content)

    def amended(self, content):
        for id, members in content.items():
            self.stored[id].update(members)  # the very event that `round` holds
            self.void.pop(id, None)

    def settle(self):
        """After a restart: did the correction whose answer was lost happen? Whole, or not at all."""
        what, ids, content = self.asked or (None, [], None)
        self.asked = None
        if not ids:
            return
        read = {id: self.api.get(f"/v1/measurements/{quote(id)}") for id in ids}
        if what == "amend":
            done = {read[id]["value"] == str(content[id]["value"]) for id in ids}
        else:
            done = {read[id]["voided"] == (what == "void") for id in ids}
        must(len(done) == 1, f"half of a {what} happened: {read}")
        if done == {True} and what == "amend":
            self.amended(content)
        elif done == {True} and what == "void":
            self.void.update((id, None) for id in ids)
        elif done == {True}:
            for id in ids:
                del self.void[id]

    def run(self):
        """Until the server is gone."""
        while True:
            if self.random.random() < 0.15:
                try:
                    self.correct()
                except (OSError, EOFError, ValueError, HTTPException):
                    return
            batch = self.batch()
            atomic = self.random.random() < 0.2
            if atomic:
                batch = [(event, verdict) for event, verdict in batch if verdict in ("accepted", "duplicate")]
                if not batch:
                    continue
            try:
                self.send(batch, atomic)
            except (OSError, EOFError, ValueError, HTTPException):
                lost = [event for event, verdict in batch if verdict == "accepted"]
                if lost:
                    self.unknown.append((lost, atomic))
                self.refused += [event["uniqueId"] for event, verdict in batch if verdict == "rejected"]
                return

    def send(self, batch, atomic):
        events = [event for event, _ in batch]
        single = len(events) == 1 and not atomic
        query = {"verbose": "true", **({"atomic": "true"} if atomic else {})} if not single else None
        answer = self.api.call("POST", "/v1/measurements", events[0] if single else events, query=query)
        if answer.status == 503:
            self.busy += 1
            time.sleep(0.02)
            return
        if single:
            body = answer.json
            got = [body["outcome"] if answer.status == 202 else {409: "conflict", 422: "rejected"}.get(answer.status)]
        else:
            if answer.status != 202:
                self.wrong.append(f"batch answered {answer!r}")
                return
            results = sorted(answer.json["results"], key=lambda result: result["index"])
            got = [result["outcome"] for result in results]
        for (event, wanted), outcome in zip(batch, got):
            if outcome != wanted:
                self.wrong.append(f"{event} got {outcome}, must be {wanted}")
            if outcome == "accepted":
                self.stored[event["uniqueId"]] = event
                self.round.append(event)
            if outcome == "rejected":
                self.refused.append(event["uniqueId"])
        if len(got) != len(batch):
            self.wrong.append(f"{len(got)} results for {len(batch)} events")


class Directory:
    """One data directory over many kills."""

    def __init__(self, rng, server=None, client=Client):
        self.random = rng
        self.server = server or Server(seal_bits=rng.choice([4, 5, 6, 8, 10]))
        self.api = Api(self.server)
        self.clients = [client(f"c{i}", Api(self.server), rng.random()) for i in range(CLIENTS)]
        self.kills = 0
        self.server.start()
        self.api.put("/v1/meters/work", {"aggregation": "sum", "dimensions": ["kind"]})
        self.api.put("/v1/meters/works", {"event": "work", "aggregation": "count"})
        self.api.put("/v1/meters/distinct", {"event": "work", "aggregation": "uniqueCount", "property": "kind"})
        self.api.publish("plan", {"currency": "USD", "charges": [
            {"id": "work", "meter": "work", "model": "perUnit", "unitPrice": PRICE}]})
        for client in self.clients:
            self.api.put(f"/v1/accounts/{client.account}", {})
            self.api.subscribe(client.account, client.account, "plan", "2026-01-01T00:00:00Z")

    def load_and_kill(self):
        threads = [threading.Thread(target=client.run, daemon=True) for client in self.clients]
        for thread in threads:
            thread.start()
        time.sleep(self.random.choice([0.01, 0.05, 0.2, 0.5]) * (0.2 + self.random.random()))
        self.server.kill9()
        self.kills += 1
        for thread in threads:
            thread.join(60)
            must(not thread.is_alive(), "a client got neither an answer nor the end of its connection in 60 s")
        for client in self.clients:
            must(not client.wrong, f"{client.name}: {client.wrong[:3]}")

    def come_back(self):
        """Seconds from start to serving; now and then killed again while it recovers."""
        if self.random.random() < 0.2:
            self.server.start(wait=False)
            time.sleep(self.random.random() * 0.1)
            self.server.kill9()
        seconds = self.server.start()
        must(seconds <= SERVE_WITHIN_S, f"serving again took {seconds:.1f} s")
        return seconds

    def counted(self):
        """(events, sum) of everything, as usage reads it."""
        count = self.api.usage("works", **SPAN)["data"][0]
        total = self.api.usage("work", **SPAN)["data"][0]
        must(count["events"] == total["events"] == int(count["value"]), f"meters disagree: {count} {total}")
        return int(count["value"]), int(total["value"])

    def known(self):
        events = [event for client in self.clients for id, event in client.stored.items() if id not in client.void]
        return len(events), sum(event["value"] for event in events)

    def check(self):
        for client in self.clients:
            client.settle()
        count, total = self.counted()
        self.check_acknowledged()
        found = self.resend_unknown()
        known, value = self.known()
        must(count == known - found["accepted"],
             f"{count} events are there, but {known - found['accepted']} were acknowledged or found again")
        must(self.counted() == (known, value), f"totals {self.counted()} are not {(known, value)}")
        self.check_refused()
        self.check_accounts()
        for client in self.clients:
            client.round = client.round[-2000:]
        return found

    def check_acknowledged(self):
        """Everything acknowledged since the last start (and now and then ever) answers duplicate."""
        for client in self.clients:
            events = list(client.stored.values()) if self.random.random() < 0.05 else client.round
            for at in range(0, len(events), 1000):
                answer = self.api.send(events[at:at + 1000])
                must(answer["duplicates"] == len(events[at:at + 1000]), f"an acknowledged event is gone: {answer}")
                void = {row["uniqueId"] for row in answer["results"] if row.get("voided")}
                must(void == {event["uniqueId"] for event in events[at:at + 1000]} & client.void.keys(),
                     f"void events: {void}")

    def resend_unknown(self):
        found = collections.Counter()
        for client in self.clients:
            for events, atomic in client.unknown:
                answer = self.api.send(events, query={"verbose": "true"})
                outcomes = [result["outcome"] for result in answer["results"]]
                must(len(outcomes) == len(events) and set(outcomes) <= {"accepted", "duplicate"},
                     f"a resend after a lost answer: {answer}")
                must(not atomic or len(set(outcomes)) == 1, f"half of an atomic batch was stored: {outcomes}")
                found.update(outcomes)
                client.stored.update((event["uniqueId"], event) for event in events)
                client.round += events
            client.unknown = []
        return found

    def check_refused(self):
        for client in self.clients:
            for id in self.random.sample(client.refused, min(5, len(client.refused))):
                answer = self.api.call("GET", f"/v1/measurements/{quote(id)}")
                must(answer.status == 404, f"a refused event is there: {answer!r}")
            client.refused = client.refused[-1000:]

    def counting(self, client):
        return [event for id, event in client.stored.items() if id not in client.void]

    def check_accounts(self):
        """Each account's sum by kind, one event read back, and its bill."""
        for client in self.clients:
            wanted = collections.Counter()
            for event in self.counting(client):
                wanted[event["properties"]["kind"]] += event["value"]
            rows = self.api.usage("work", account=client.account, groupBy="kind", **SPAN)["data"]
            got = {row["group"]["kind"]: int(row["value"]) for row in rows}
            must(got == dict(wanted), f"{client.account}: {got} is not {dict(wanted)}")
            if client.stored:
                event = client.stored[self.random.choice(client.round or list(client.stored.values()))["uniqueId"]]
                read = self.api.get(f"/v1/measurements/{quote(event['uniqueId'])}")
                must((read["account"], read["value"], read["ts"], read["properties"]) == (
                    event["account"], str(event["value"]), event["ts"], event["properties"]), f"{read} is not {event}")
                must(read["voided"] == (event["uniqueId"] in client.void), f"{read} is not void, or is")
            january = sum(event["value"] for event in self.counting(client) if event["ts"] < "2026-02")
            line = self.api.bill(client.account, at="2026-01-15T00:00:00Z")["lines"][0]
            must(line["usage"] == str(january), f"the bill says {line['usage']}, the events {january}")

    def finish(self):
        self.server.stop()
        self.server.verify()
        self.server.remove()


class Campaign:
    def __init__(self, kills, seed):
        self.kills, self.random = kills, random.Random(seed)
        self.seconds, self.lost, self.stored, self.verified, self.busy = [], collections.Counter(), 0, 0, 0
        self.corrections = 0

    def run(self):
        directory = None
        try:
            for number in range(1, self.kills + 1):
                if directory is None:
                    directory = Directory(self.random)
                self.one(directory)
                if sys.stderr.isatty() or number % 20 == 0:
                    print(f"crash: {number} of {self.kills} kills", file=sys.stderr)
                if directory.kills == KILLS_A_DIRECTORY or number == self.kills:
                    self.close(directory)
                    directory = None
        finally:
            if directory is not None:
                print(f"data directory: {directory.server.folder}\n{directory.server.log_tail()}", file=sys.stderr)
                directory.server.kill9()

    def one(self, directory):
        directory.load_and_kill()
        if directory.kills % 2:
            directory.server.verify()
            self.verified += 1
        self.seconds.append(directory.come_back())
        self.lost.update(directory.check())

    def close(self, directory):
        self.stored += directory.known()[0]
        self.busy += sum(client.busy for client in directory.clients)
        self.corrections += sum(client.corrections for client in directory.clients)
        directory.finish()
        self.verified += 1


def main():
    kills = int(os.environ.get("N") or 200)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 9))
    campaign = Campaign(kills, seed)
    try:
        campaign.run()
    except (AssertionError, OSError) as fault:
        print(f"crash: FAILED with SEED={seed}: {fault}")
        print(f"crash: {len(campaign.seconds)} passed, 1 failed")
        return 1
    worst, usual = max(campaign.seconds), sorted(campaign.seconds)[len(campaign.seconds) // 2]
    print(f"crash: {kills} kills, {campaign.stored} events acknowledged and there once; of lost answers "
          f"{campaign.lost['duplicate']} were stored, {campaign.lost['accepted']} were not; "
          f"{campaign.corrections} voids, reverts and amendments; "
          f"{campaign.busy} busy answers; verified {campaign.verified} times; "
          f"serving again after {usual:.2f} s, at worst {worst:.2f} s (SEED={seed})")
    print(f"crash: {kills} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
