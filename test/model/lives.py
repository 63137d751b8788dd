# SPDX-License-Identifier: Apache-2.0
"""Random lives of subscriptions: overrides, phases, trials, and a log of changes that the engine must take."""
import copy

import exact
from world import HOUR

DAY = 24 * HOUR


def priced_member(random, charge):
    """A patch of one charge that leaves it a charge."""
    if charge["model"] == "flat":
        return {"amount": str(random.randint(1, 400))}
    if charge["model"] == "perUnit":
        return {"unitPrice": f"0.{random.randint(1, 9999):04}"}
    if charge["model"] == "package":
        return {"packagePrice": str(random.randint(1, 9))}
    if charge["model"] in ("percentage", "percentOf"):
        return {"ratePercent": str(random.randint(1, 30))}
    if charge["model"] == "matrix":
        return {"defaultUnitPrice": f"0.{random.randint(1, 99):02}"}
    return {"name": f"renamed {random.randint(1, 9)}"}


class Life:
    """What happens to one subscription of `plan` between its start and its end."""

    def __init__(self, writer, plan, other):
        self.random, self.writer = writer.random, writer
        self.plan, self.other = plan, other
        self.at = writer.starts
        self.ids = writer.ids
        self.plan_now = self.ids[0]
        self.has_phases = False  # then charges neither come nor go: what patches them must find them

    def chance(self, share):
        return self.random.random() < share

    def instant(self, low=None):
        """Somewhere in its life; now and then the very same instant, or a local midnight."""
        low = self.writer.starts if low is None else min(low, self.writer.ends - 1)
        high = self.writer.ends
        edges = [edge for edge in self.writer.world.edges if low <= edge < high]
        if edges and self.chance(0.25):
            return self.random.choice(edges)
        return low if self.chance(0.05) else self.random.randrange(low, high)

    # ---- documents

    def patch(self, document):
        """An overrides object that leaves the document a plan."""
        made = {}
        named = {id for part in [*document.get("discounts", []), *document["charges"], document.get("commitment", {}),
                                 document.get("trial", {})] for id in part.get("charges", [])}
        for charge in self.random.sample(document["charges"], self.random.randint(1, len(document["charges"]))):
            free = not self.has_phases and charge["id"] not in named and len(document["charges"]) > len(made) + 1
            if free and "meter" not in charge and "quantity" not in charge and self.chance(0.15):
                made[charge["id"]] = None
            elif free and "meter" in charge and "filter" in charge and self.chance(0.3):
                made[charge["id"]] = None  # what it took goes to the less specific one
            else:
                made[charge["id"]] = priced_member(self.random, charge)
        patch = {"charges": made}
        if not self.has_phases and self.chance(0.15):
            patch["charges"]["extra"] = {"model": "flat", "amount": str(self.random.randint(1, 50))}
        if not self.has_phases and document.get("discounts") and self.chance(0.3):
            patch["discounts"] = {document["discounts"][0]["id"]: None}
        if "minimum" in document and self.chance(0.3):
            patch["minimum"] = None
        return patch

    def phases(self, document):
        made, until = [], self.writer.starts
        for _ in range(self.random.randint(1, 2)):
            until += self.random.randint(5, 40) * DAY
            end = {"until": exact.print_instant(until)} if self.chance(0.4) else {
                "periods": self.random.randint(1, 2)}
            made.append({**end, "overrides": self.patch(document)})
        if self.chance(0.3):
            made.append({"overrides": self.patch(document)})
        return made

    def trial(self, document):
        made = {"days": self.random.choice([1, 7, 14, 30])}
        if self.chance(0.5):
            made["charges"] = [charge["id"] for charge in document["charges"] if self.chance(0.6)]
        return made if made.get("charges", True) else {"days": made["days"]}

    # ---- changes

    def document_now(self):
        return self.plan if self.plan_now == self.ids[0] else self.other

    def changes(self, count):
        """Steps, in the order in which they become known. Plans, overrides and pauses in the order of their
        effect; quantities whenever."""
        steps = [self.quantities() if self.has_seats() and self.chance(0.5) else self.terms() for _ in range(count)]
        if self.chance(0.3):
            steps += self.pause()
        if self.chance(0.2):
            steps.append(self.cancel())
        return [step for step in steps if step is not None]

    def has_seats(self):
        return any(charge.get("quantity") == "seats" for charge in self.plan["charges"] + self.other["charges"])

    def quantities(self):
        return self.step("change", effectiveAt=exact.print_instant(self.instant()),
                         quantities={"seats": str(self.random.randint(0, 12))})

    def terms(self):
        self.at = self.instant(self.at)
        body = {"effectiveAt": exact.print_instant(self.at)}
        if self.chance(0.4):
            self.plan_now = next(id for id in self.ids if id != self.plan_now)
            body["plan"] = self.plan_now
        if "plan" not in body or self.chance(0.3):
            body["overrides"] = None if self.chance(0.2) else self.patch(self.document_now())
        return self.step("change", **body)

    def pause(self):
        begin = self.instant()
        made = [self.step("pause", at=exact.print_instant(begin), usage=self.random.choice(["billed", "free"]))]
        if self.chance(0.8):
            made.append(self.step("resume", at=exact.print_instant(self.instant(begin))))
        return made

    def migration(self):
        document = sibling(self.random, self.plan)
        document["period"] = self.plan["period"]
        return {"do": "version", "plan": self.ids[0], "document": document, "at": exact.print_instant(self.instant())}

    def cancel(self):
        return self.step("cancel", at=exact.print_instant(self.instant()),
                         credit=self.random.choice(["prorated", "none"]))

    def step(self, action, **body):
        return {"do": "change", "action": action, "body": body, "dry": self.chance(0.2)}


def sibling(random, plan):
    """Another plan with much in common: charges that are alike, and charges that are not."""
    made = copy.deepcopy(plan)
    for charge in made["charges"]:
        charge.pop("oneTime", None)  # whether it is due again on another plan is for the plans to say
        if random.random() < 0.5:
            charge.update(priced_member(random, charge))
    if random.random() < 0.3:
        for name in ("minimum", "maximum", "commitment", "includedCredits"):
            made.pop(name, None)
    if random.random() < 0.3:
        made["period"] = {"every": 1, "unit": "month", "anchor": random.choice([1, 10, "subscription"])}
        for part in [*made["charges"], made.get("commitment", {})]:
            part.pop("period", None)
            part.pop("term", None)
    return made
