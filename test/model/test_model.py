# SPDX-License-Identifier: Apache-2.0
"""Random histories against the oracle: every verdict, usage figure, line and total, to the last digit.

DEEP=histories (4)   SEED=number replays: the seed of history i is SEED + i, printed when one fails."""
import faulthandler
import json
import os
import random
import sys

import calendars
import pytest
import usage
from client import Api, Server, dump, quote, run_toll
from contract import Contract
from exact import instant, print_instant
from play import differences
from subscription import subscription_bill
from timeline import unchanged
from world import FROM, UNTIL, HOUR, World

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10 ** 9)))
N = int(os.environ.get("DEEP", 4))
faulthandler.dump_traceback_later(3600, exit=True)


@pytest.fixture(scope="module")
def contract():
    return Contract(json.loads(run_toll("print", "openapi").stdout))


@pytest.fixture(scope="module")
def server():
    # seals of 16 events, so that a history is sealed, merged and replayed many times over
    with Server(seal_bits=4) as made:
        yield made


@pytest.fixture(scope="module")
def api(server, contract):
    return Api(server, contract=contract)


def seats(plan):
    """The quantities that the plan prices."""
    return {"quantities": {"seats": "3"}} if any("quantity" in charge for charge in plan["charges"]) else {}


def compare(bill, wanted):
    got = {name: value for name, value in bill.items() if name not in ("sequence", "ratedAt")}
    assert got == wanted, "\n".join(differences(got, wanted))


class History:
    """One random world, told to the server and to the oracle alike."""

    def __init__(self, api, seed, prefix):
        self.api, self.seed = api, seed
        self.world = World(seed, prefix)
        self.oracle = usage.Journal()
        self.sent = []
        self.moments = []  # (opaque sequence, accepted so far)

    def declare(self, meter):
        self.api.put(f"/v1/meters/{quote(meter['id'])}", meter)
        self.oracle.declare(meter)

    def send(self, batch):
        wanted = [self.oracle.take(sent) for sent in batch]
        if len(batch) == 1 and self.world.random.random() < 0.5:
            self.send_single(batch[0], wanted[0])
            return
        lines = self.world.random.random() < 0.3
        body = "\n".join(map(dump, batch)) if lines else batch
        answer = self.api.call("POST", "/v1/measurements", body, query={"verbose": "true"},
                               type="application/x-ndjson" if lines else "application/json")
        assert answer.status == 202, answer
        got = answer.json
        outcomes = [result["outcome"] for result in sorted(got["results"], key=lambda result: result["index"])]
        assert outcomes == wanted, next((batch[i], outcomes[i], wanted[i]) for i in range(len(batch))
                                        if outcomes[i] != wanted[i])
        assert (got["accepted"], got["duplicates"], got["conflicts"], got["rejected"]) == tuple(
            wanted.count(name) for name in ("accepted", "duplicate", "conflict", "rejected"))

    def send_single(self, sent, wanted):
        answer = self.api.call("POST", "/v1/measurements", sent)
        assert answer.status == {"accepted": 202, "duplicate": 202, "conflict": 409, "rejected": 422}[wanted], answer
        if answer.status == 202:
            assert answer.json == {"outcome": wanted, "uniqueId": sent["uniqueId"]}

    def play(self, count):
        events = self.world.traffic(count, self.sent)
        for batch in self.world.batches(events):
            self.send(batch)
            if self.world.random.random() < 0.1:
                self.mark()

    def mark(self):
        meter = next(iter(self.oracle.meters))
        answer = self.api.usage(meter, **self.span(FROM, UNTIL), window="total")
        self.moments.append((answer["sequence"], len(self.oracle.events)))

    @staticmethod
    def span(start, end):
        return {"from": print_instant(start), "to": print_instant(end)}

    # ---- reads

    def check_usage(self, count):
        for _ in range(count):
            self.check_one_usage()

    def check_one_usage(self):
        rng = self.world.random
        meter = rng.choice(list(self.oracle.meters.values()))
        window = rng.choice(["hour", "day", "week", "month", "total"])
        zone = rng.choice([self.world.zone, "UTC"])
        start = rng.choice([FROM, self.world.instant()])
        end = rng.choice([UNTIL, self.world.instant(), start + rng.randint(1, 5 * HOUR)])
        if end <= start:
            start, end = end, start + 1
        if window == "hour":
            end = min(end, start + 40 * 24 * HOUR)
        group_by = rng.sample(meter.get("dimensions", []), rng.randint(0, len(meter.get("dimensions", []))))
        account = rng.choice([None, *self.world.accounts])
        query = {**self.span(start, end), "window": window, "timeZone": zone}
        if account is not None:
            query["account"] = account
        if group_by:
            query["groupBy"] = ",".join(group_by)
        upto = None
        if self.moments and rng.random() < 0.4:
            query["asOf"], upto = rng.choice(self.moments)
        answer = self.api.usage(meter["id"], **query)
        wanted = [{"start": print_instant(begin), "end": print_instant(finish),
                   "group": dict(zip(group_by, group)), "value": aggregate.shown(meter["aggregation"]),
                   "events": aggregate.events, "ignored": aggregate.ignored}
                  for begin, finish, group, aggregate in
                  self.oracle.usage(meter["id"], account, calendars.windows(window, start, end, zone), group_by, upto,
                                    zone)]
        got = [{**row, "group": row.get("group") or {}} for row in answer["data"]]
        key = lambda row: (row["start"], sorted((name, value or "") for name, value in row["group"].items()))
        assert sorted(got, key=key) == sorted(wanted, key=key), (meter, query)

    def check_event_list(self):
        account = self.world.random.choice(self.world.accounts)
        cursor, seen = None, []
        while True:
            query = {"account": account, "limit": 37, **({"cursor": cursor} if cursor else {})}
            page = self.api.get("/v1/measurements", query=query)
            seen += [row["uniqueId"] for row in page["data"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break
        wanted = sorted((event for event in self.oracle.events if event.account == account),
                        key=lambda event: (event.ts, event.uid.encode()), reverse=True)
        assert seen == [event.uid for event in wanted]

    # ---- bills

    def sell(self):
        self.subscriptions = []
        plan_id = f"{self.world.prefix}.plan"
        self.plan = self.world.plan(list(self.oracle.meters.values()))
        self.api.publish(plan_id, self.plan)
        for i, account in enumerate(self.world.accounts):
            self.api.put(f"/v1/accounts/{quote(account)}", {"currency": self.plan["currency"]})
            starts = self.world.random.choice([FROM - 40 * 24 * HOUR, self.world.instant()])
            made = {"account": account, "plan": plan_id, "startsAt": print_instant(starts), **seats(self.plan)}
            if self.world.random.random() < 0.3:
                made["endsAt"] = print_instant(starts + self.world.random.randint(10, 90) * 24 * HOUR)
            self.api.put(f"/v1/subscriptions/{quote(plan_id + str(i))}", made)
            self.subscriptions.append((plan_id + str(i), made))

    def check_bills(self, count):
        for _ in range(count):
            id, subscription = self.world.random.choice(self.subscriptions)
            starts = instant(subscription["startsAt"])
            ends = instant(subscription["endsAt"]) if "endsAt" in subscription else UNTIL
            at = self.world.random.randrange(starts, max(ends, starts + HOUR))
            query, upto = {"at": print_instant(at)}, None
            if self.moments and self.world.random.random() < 0.3:
                query["asOf"], upto = self.world.random.choice(self.moments)
            bill = self.api.bill(id, **query)
            timeline = unchanged(self.plan, subscription, self.world.zone)
            wanted = subscription_bill(self.oracle, timeline, at, upto, instant(bill["ratedAt"]))
            compare(bill, {"subscription": id, **wanted})


@pytest.mark.parametrize("i", range(N))
def test_history(api, server, i):
    seed = SEED + i
    print(f"replay with: SEED={seed} N=1")
    history = History(api, seed, f"h{seed}")
    world = history.world
    for stream in world.streams:
        history.declare(world.meter(stream, plain=True))
        history.declare(world.meter(stream))
    history.play(world.random.randint(50, 400))
    history.mark()
    history.check_usage(25)
    for stream in world.streams:  # meters made after the events see them
        history.declare(world.meter(stream))
        history.declare(world.meter(stream))
    history.check_usage(25)
    history.sell()
    history.check_bills(10)
    if world.random.random() < 0.5:
        server.kill9()
        server.start()
    else:
        server.restart()
    history.check_usage(25)
    history.check_bills(10)
    history.play(world.random.randint(20, 200))  # late ones, for bills already read
    history.check_usage(25)
    history.check_bills(15)
    history.check_event_list()


def test_the_books_and_the_store_verify_after_all_that(server):
    server.stop()
    print(server.verify(), file=sys.stderr)
    server.start()
