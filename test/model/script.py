# SPDX-License-Identifier: Apache-2.0
"""A history as a script: meters, plans, a subscription, and what happens, step by step, as plain JSON. All its
names begin with its prefix, `@` where it is shown, so that a script can be played again beside itself."""
import json
from decimal import Decimal

import exact
import prices
from lives import DAY, Life, sibling
from wire import encode
from world import FROM, HOUR, UNTIL, ZONES, World


def renamed(script, before, after):
    """The script again, its names with another prefix."""
    return json.loads(encode(script).decode().replace(before, after), parse_float=Decimal)


class Writer:
    """Writes one random script: world.random decides everything."""

    def __init__(self, seed, prefix, meters, streams):
        self.world = world = World(seed, prefix, streams=streams)
        self.random = world.random
        self.meters = meters
        self.known = []   # events that were sent, each once
        self.steps = []
        plan = world.plan(meters)
        other = sibling(self.random, plan)
        self.choose_life()
        self.ids = [f"{prefix}plan", f"{prefix}other"]
        self.life = Life(self, plan, other)
        if self.random.random() < 0.15:
            plan["trial"] = self.life.trial(plan)
        has_own = self.random.random() < 0.1
        has_phases = self.random.random() < 0.1
        self.life.has_phases = has_own or has_phases
        for document in (plan, other):
            if self.random.random() < 0.3:
                del document["timeZone"]
        if has_phases:
            plan["phases"] = self.life.phases(plan)
        self.script = {"meters": meters, "account": world.accounts[0], "zone": world.zone,
                       "accountBody": {"currency": plan["currency"], "timeZone": world.zone},
                       "plans": dict(zip(self.ids, (plan, other))), "subscription": self.subscription(plan, has_own),
                       "steps": self.steps}

    def choose_life(self):
        self.starts = self.random.choice([FROM - 40 * DAY, self.world.instant()])
        self.ends, self.has_end = max(UNTIL, self.starts + 40 * DAY), self.random.random() < 0.3
        if self.has_end:
            self.ends = self.starts + self.random.randint(10, 90) * DAY

    def subscription(self, plan, has_own_phases):
        made = {"account": self.world.accounts[0], "plan": self.ids[0], "startsAt": exact.print_instant(self.starts)}
        if self.has_end:
            made["endsAt"] = exact.print_instant(self.ends)
        if self.life.has_seats():
            made["quantities"] = {"seats": str(self.random.randint(0, 12))}
        for key, texts in (("region", ["eu-1", "us-1", "größe"]), ("tier", ["free", "pro", "max"])):
            if self.random.random() < 0.4 and self.all_have(key, plan):
                made["usageFilter"] = {key: texts[:self.random.randint(1, 3)]}
        if self.random.random() < 0.2:
            made["overrides"] = self.life.patch(plan)
        if has_own_phases:
            made["phases"] = self.life.phases(plan)
        return made

    def all_have(self, dimension, plan):
        """Every meter that the plan reads keeps it apart."""
        read = {id for charge in plan["charges"] for id in [charge.get("meter"), *prices.several(charge)]}
        return all(dimension in meter.get("dimensions", ()) for meter in self.meters if meter["id"] in read)

    def add(self, do, **members):
        self.steps.append({"do": do, **members})

    def send(self, count):
        events = self.world.traffic(count, self.known)
        for batch in self.world.batches(events):
            self.add("send", events=batch)

    def bills(self, count, marks):
        for _ in range(count):
            at = self.random.randrange(self.starts, max(self.ends, self.starts + HOUR))
            step = {"at": exact.print_instant(at)}
            if marks and self.random.random() < 0.25:
                step["asOf"] = self.random.randrange(marks)
            if self.random.random() < 0.3:
                step["ratedAt"] = exact.print_instant(at + self.random.randint(-5, 40) * DAY)
            self.add("bill", **step)

    def moves(self):
        """The account gets another zone; bills from then on."""
        self.add("zone", zone=self.random.choice(ZONES))
        for _ in range(3):
            self.add("bill", **{"in": self.random.choice([0, 1, 30, 31, 45, 60, 90, 400])})

    def correct(self):
        """Voids by id and by filter, one of them reverted; an amendment."""
        ids = [event["uniqueId"] for event in self.random.sample(self.known, min(len(self.known), 3))]
        draw, account = self.random.random(), self.world.accounts[0]
        if not ids:
            return
        if draw < 0.3:
            self.add("amend", events=[self.amendment(id) for id in dict.fromkeys(ids)])
        elif draw < 0.7:
            self.add("void", ids=ids, dry=self.random.random() < 0.3)
        else:
            self.add("void", filter=self.filter(account), dry=self.random.random() < 0.3)
        if self.random.random() < 0.3:
            self.add("revert", of=self.random.randrange(9))

    def amendment(self, id):
        made = {"uniqueId": id}
        if self.random.random() < 0.7:
            made["value"] = self.world.value()
        if self.random.random() < 0.4:
            made["ts"] = exact.print_instant(self.world.instant())
        if len(made) == 1 or self.random.random() < 0.3:
            made["properties"] = self.world.properties()
        return made

    def filter(self, account):
        made = {"account": account}
        if self.random.random() < 0.5:
            made["event"] = self.random.choice(self.world.streams)
        if self.random.random() < 0.7:
            instants = sorted([self.world.instant(), self.world.instant()])
            made["from"], made["to"] = exact.print_instant(instants[0]), exact.print_instant(instants[1] + 1)
        if self.random.random() < 0.5:
            made["properties"] = {key: self.random.choice(values)
                                  for key, values in (("region", ["eu-1", "us-1"]), ("tier", ["free", "pro"]))}
        return made

    def books(self):
        """All that is due is billed; usage changes behind that, and is billed too."""
        self.add("close")
        self.send(self.random.randint(3, 15))
        for _ in range(self.random.choice([0, 1, 2])):
            self.correct()
        self.add("settle")

    def write(self):
        self.send(self.random.randint(5, 25))
        self.add("mark")
        self.bills(2, 1)
        if self.random.random() < 0.7:
            self.steps += self.life.changes(self.random.randint(1, 4))
        if self.random.random() < 0.15:
            self.add("invoices")
        if self.random.random() < 0.1:
            self.steps.append(self.life.migration())
        if self.random.random() < 0.1:
            self.moves()
        for _ in range(self.random.choice([0, 0, 1, 2])):
            self.correct()
        self.add("mark")
        self.send(self.random.randint(3, 15))  # late ones, for bills already read
        if self.random.random() < 0.3:
            self.correct()
        self.bills(3, 2)
        if self.random.random() < 0.2:
            self.books()
        if not any(step.get("body", {}).get("plan") for step in self.steps):
            del self.script["plans"][self.ids[1]]
        return self.script


def write(seed, prefix, meters, streams):
    return Writer(seed, prefix, meters, streams).write()
