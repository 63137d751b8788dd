# SPDX-License-Identifier: Apache-2.0
"""The same usage in another order, in other batches, twice over, with bills read all the time, with seals of 16
events or none, with a kill -9 in between: byte for byte the same bills. No oracle is asked."""
import json
import os
import random

import histories
import usage
from client import Server
from exact import instant, print_instant
from play import Player, Stage
from wire import Request, Wire, quote
from world import FROM, UNTIL

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10 ** 9)))
HISTORIES = 40
LATER = "2200-01-01T00:00:00Z"  # T, when all of it is over


class Told:
    """What histories say, without the order in which they say it: setup, events, then corrections and changes."""

    def __init__(self, seed):
        self.scripts = list(histories.flock(seed, range(HISTORIES), f"t{seed}.").values())
        self.events = []
        for script in self.scripts:
            journal = usage.Journal()
            for meter in script["meters"]:
                journal.declare(meter)
            sent = [event for step in script["steps"] for event in step.get("events", []) if step["do"] == "send"]
            self.events += [event for event in sent if journal.take(event) == "accepted" or (
                "ts" in event and journal.take(event) == "duplicate")]

    def set_up(self, server):
        """Meters, accounts, plans, subscriptions."""
        wire = Wire(server)
        stage = Stage(wire, [Player({**script, "steps": []}) for script in self.scripts], SEED)
        stage.declare()
        assert stage.play() == {}
        wire.close()

    def correct(self, server):
        """Voids, amendments and changes of subscriptions, in their order; whether each was taken."""
        wire, taken = Wire(server), []
        for script in self.scripts:
            voids = []
            for step in script["steps"]:
                for request in requests_of(script, step, voids):
                    (status, answer), = wire.exchange([request])
                    taken.append(status)
                    if step["do"] == "void" and answer.get("id"):
                        voids.append(answer["id"])
        wire.close()
        return taken

    def bills(self, server):
        """[what the server says of every subscription, at some instants]"""
        wire, requests = Wire(server), []
        for script in self.scripts:
            id, start = script["subscription"]["plan"] + ".s", instant(script["subscription"]["startsAt"])
            for at in (start, max(start, (FROM + UNTIL) // 2), max(start, UNTIL - 1)):
                requests.append(Request("GET", f"/v1/subscriptions/{quote(id)}/bill?at={print_instant(at)}"
                                               f"&ratedAt={LATER}"))
        answers = wire.exchange(requests)
        wire.close()
        for _, answer in answers:
            for name in ("sequence", "requestId"):
                answer.pop(name, None)
        return [json.dumps(answer) for _, answer in answers]


def requests_of(script, step, voids):
    """What a correction or a change is over the wire; what only reads is nothing."""
    subscription = f"/v1/subscriptions/{quote(script['subscription']['plan'] + '.s')}"
    if step["do"] == "change":
        yield Request("POST", f"{subscription}/{step['action']}", step["body"])
    elif step["do"] == "void":
        yield Request("POST", "/v1/measurements/void",
                      {"uniqueIds": step["ids"]} if "ids" in step else {"filter": step["filter"]})
    elif step["do"] == "revert" and voids:
        yield Request("POST", f"/v1/voids/{voids[step['of'] % len(voids)]}/revert")
    elif step["do"] == "amend":
        yield Request("POST", "/v1/measurements/amend", step["events"])


def send(server, batches):
    wire = Wire(server)
    for status, answer in wire.exchange([Request("POST", "/v1/measurements", batch) for batch in batches]):
        assert status == 202 and answer["conflicts"] == answer["rejected"] == 0, answer
    wire.close()


def bills_of(told, seal_bits, batches, between=None):
    """The bills after the events came in these batches; `between` happens after each of a few."""
    with Server(seal_bits=seal_bits) as server:
        told.set_up(server)
        part = max(1, len(batches) // 4)
        for at in range(0, len(batches), part):
            send(server, batches[at:at + part])
            if between is not None:
                between(server)
        bills = told.correct(server) + told.bills(server)
        server.stop()
        server.verify()
        return bills


def test_the_same_usage_otherwise_gives_the_same_bytes():
    print(f"replay with: SEED={SEED}")
    told, rng = Told(SEED), random.Random(SEED)
    twice = told.events + told.events
    rng.shuffle(twice)

    def read_and_kill(server):
        told.bills(server)
        server.kill9()
        server.start()
    as_it_came = bills_of(told, 20, [told.events])
    assert len([bill for bill in as_it_came if '"lines"' in str(bill)]) > HISTORIES
    assert bills_of(told, 4, [twice[at:at + 17] for at in range(0, len(twice), 17)], told.bills) == as_it_came
    assert bills_of(told, 8, [[event] for event in reversed(told.events)], read_and_kill) == as_it_came
