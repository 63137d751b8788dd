# SPDX-License-Identifier: Apache-2.0
"""From a script in which the server and the oracle differ to the smallest part of it in which they still do."""
import copy
import itertools

import script as scripts
from play import Player, Stage
from wire import Wire, encode

ATTEMPTS = 600
KEPT = {"id", "meter", "model", "currency", "charges", "tiers", "unitPrice", "amount", "packageSize", "packagePrice",
        "ratePercent", "property", "dimensions", "cells", "defaultUnitPrice", "expression", "meters", "quantity"}


def without(parts, at, size):
    return parts[:at] + parts[at + size:]


def fewer(parts):
    """A list with chunks of it left out, the largest first."""
    size = max(1, len(parts) // 2)
    while parts:
        for at in range(0, len(parts), size):
            yield without(parts, at, size)
        if size == 1:
            return
        size //= 2


def smaller(script):
    """Scripts with something left out."""
    def put(change):
        made = copy.copy(script)
        made.update(change)
        return made
    for steps in fewer(script["steps"]):
        yield put({"steps": steps})
    for i, step in enumerate(script["steps"]):
        for events in fewer(step.get("events", [])):
            if events:
                yield put({"steps": script["steps"][:i] + [{**step, "events": events}] + script["steps"][i + 1:]})
        for j, event in enumerate(step.get("events", [])):
            if "properties" in event:
                bare = {name: value for name, value in event.items() if name != "properties"}
                events = step["events"][:j] + [bare] + step["events"][j + 1:]
                yield put({"steps": script["steps"][:i] + [{**step, "events": events}] + script["steps"][i + 1:]})
    for id, plan in script["plans"].items():
        for made in smaller_plans(plan):
            yield put({"plans": {**script["plans"], id: made}})
    for name in script["subscription"]:
        if name not in ("account", "plan", "startsAt", "quantities"):
            yield put({"subscription": {key: value for key, value in script["subscription"].items() if key != name}})


def smaller_plans(plan):
    for charges in fewer(plan["charges"]):
        if charges:
            yield {**plan, "charges": charges}
    for name in plan:
        if name not in KEPT and name != "period":
            yield {key: value for key, value in plan.items() if key != name}
    for discounts in fewer(plan.get("discounts", [])):
        yield {**plan, "discounts": discounts}
    for i, charge in enumerate(plan["charges"]):
        for name in charge:
            if name not in KEPT:
                less = {key: value for key, value in charge.items() if key != name}
                yield {**plan, "charges": plan["charges"][:i] + [less] + plan["charges"][i + 1:]}


class Shrinking:
    def __init__(self, server, seed):
        self.server, self.seed = server, seed
        self.numbers = itertools.count()

    def difference(self, script):
        """What differs when it is played under fresh names; None when nothing does, or when it cannot be played."""
        prefix = f"shrunk{self.seed}.{next(self.numbers)}"
        player = Player(scripts.renamed(script, "@", prefix))
        wire = Wire(self.server)
        stage = Stage(wire, [player], self.seed)
        stage.declare()
        failure = stage.play().get(0)
        wire.close()
        unplayable = failure is not None and any(word in failure for word in ("answered 4", "KeyError", "Traceback"))
        return None if unplayable else failure

    def shrink(self, script):
        """(script, what differs); None when it does not differ alone."""
        failure, left = self.difference(script), ATTEMPTS
        if failure is None:
            return None
        found = True
        while found and left > 0:
            found = False
            for candidate in smaller(script):
                left -= 1
                differs = self.difference(candidate)
                if differs is not None:
                    script, failure, found = candidate, differs, True
                    break
                if left == 0:
                    break
        used = encode([script["plans"], [step.get("events") for step in script["steps"]]]).decode()
        meters = [meter for meter in script["meters"] if f'"{meter["id"]}"' in used or f'"{meter["event"]}"' in used]
        return {**script, "meters": meters}, failure
