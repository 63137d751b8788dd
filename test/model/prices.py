# SPDX-License-Identifier: Apache-2.0
"""The price functions and the operators before them, each with the steps that prove it.

A step of a price ends with `amount`; with `price` when the steps after it take a share of it."""
import ast
import functools
import json
import math
from decimal import Decimal
from fractions import Fraction

from exact import ZERO, ceiling, exact, nearest, print_instant, show, show_quantity, to_places

EVENT_STEPS = 100  # the steps of so many events are told, the others together


class Priced:
    """units: what quantities cost; fees: what is due once, for tiers reached."""
    __slots__ = ("units", "fees", "steps")

    def __init__(self, units=ZERO, fees=ZERO, steps=()):
        self.units, self.fees, self.steps = units, fees, list(steps)

    @property
    def amount(self):
        return self.units + self.fees


# ---- quantity operators

def take_included(quantity, pool, steps):
    """What is free comes out of the pool: a list of one number."""
    free = min(pool[0], max(quantity, ZERO))
    steps.append({"op": "included", "quantity": show_quantity(quantity), "included": show_quantity(free),
                  "result": show_quantity(quantity - free)})
    pool[0] -= free
    return quantity - free


def convert(charge, quantity, steps):
    """divideBy, multiplyBy, roundQuantity."""
    for member, op, name in (("divideBy", "divide", "divisor"), ("multiplyBy", "multiply", "factor")):
        if member in charge:
            factor = exact(charge[member])
            result = quantity / factor if op == "divide" else quantity * factor
            steps.append({"op": op, "quantity": show_quantity(quantity), name: show(factor),
                          "result": show_quantity(result)})
            quantity = result
    if "roundQuantity" not in charge:
        return quantity
    rule = charge["roundQuantity"]
    mode, places = rule["mode"], rule.get("places", 0)
    result = to_places(quantity, places, {"nearest": "halfUp"}.get(mode, mode))
    steps.append({"op": "roundQuantity", "quantity": show_quantity(quantity), "mode": mode, "places": str(places),
                  "result": show_quantity(result)})
    return result


# ---- tiers

def tier_step(tier, units, word, shows_fee, reached=True):
    """(units' price, fee, step) of the units that one tier prices."""
    step = {"op": "tier"}
    if "packageSize" in tier:
        packages = ceiling(units / exact(tier["packageSize"]))
        amount = packages * exact(tier["packagePrice"])
        step.update(packageSize=show(exact(tier["packageSize"])), packages=show(packages),
                    packagePrice=show(exact(tier["packagePrice"])))
    elif "ratePercent" in tier:
        amount = units * exact(tier["ratePercent"]) / 100
        step["ratePercent"] = show(exact(tier["ratePercent"]))
    else:
        amount = units * exact(tier.get("unitPrice", 0))
        step["unitPrice"] = show(exact(tier.get("unitPrice", 0)))
    if "cap" in tier:
        amount = min(amount, exact(tier["cap"]))
        step["cap"] = show(exact(tier["cap"]))
    fee = exact(tier.get("flatFee", 0)) if reached else ZERO
    shown = amount
    if shows_fee and fee:
        step["flatFee"] = show(fee)
        shown = amount + fee
    if "upTo" in tier:
        step["upTo"] = show(exact(tier["upTo"]))
    step.update(quantity=show_quantity(units), **{word: show(shown)})
    return amount, fee, step


def tiered(charge, q, word, shows_fees):
    """graduated, graduatedPercentage: each tier its own units; volume: the one that holds q all of them."""
    tiers, made, below = charge["tiers"], Priced(), ZERO
    if q == 0 and not charge.get("flatFeeAtZero"):
        return made
    if q <= 0:  # below 0 the units are the first tier's, and the charge ends at 0
        chosen = [(tiers[0], q, q == 0)]
    elif charge["model"] == "volume":
        chosen = [(holding(tiers, q), q, True)]
    else:
        chosen = []
        for tier in tiers:
            top = min(q, exact(tier["upTo"])) if "upTo" in tier else q
            if top > below:
                chosen.append((tier, top - below, True))
            below = top
    for tier, units, reached in chosen:
        amount, fee, step = tier_step(tier, units, word, shows_fees, reached)
        made.units, made.fees = made.units + amount, made.fees + fee
        made.steps.append(step)
    return made


def holding(tiers, q):
    return next(tier for tier in tiers if "upTo" not in tier or q <= exact(tier["upTo"]))


def stairstep(charge, q, word):
    if q < 0 or (q == 0 and not charge.get("flatFeeAtZero")):
        return Priced()
    tier = holding(charge["tiers"], q)
    fee = exact(tier["flatFee"])
    step = {"op": "stair", "quantity": show_quantity(q), "flatFee": show(fee), word: show(fee)}
    if "upTo" in tier:
        step["upTo"] = show(exact(tier["upTo"]))
    return Priced(fee, steps=[step])


# ---- one number in, one amount out

def price(charge, q, word="amount", shows_fees=True):
    """What a quantity (after the operators) costs."""
    model = charge["model"]
    if model == "flat":
        amount = exact(charge["amount"])
        return Priced(amount, steps=[{"op": "flat", word: show(amount)}])
    if model == "perUnit":
        unit = exact(charge["unitPrice"])
        return Priced(q * unit, steps=[{"op": "unit", "quantity": show_quantity(q), "unitPrice": show(unit),
                                        word: show(q * unit)}])
    if model == "package":
        packages = ceiling(q / exact(charge["packageSize"]))
        amount = packages * exact(charge["packagePrice"])
        return Priced(amount, steps=[{"op": "package", "quantity": show_quantity(q), "packages": show(packages),
                                      "packageSize": show(exact(charge["packageSize"])),
                                      "packagePrice": show(exact(charge["packagePrice"])), word: show(amount)}])
    if model == "percentage":
        return percentage(charge, q, max(ZERO, min(q, exact(charge["freeAmount"]))) if "freeAmount" in charge
                          else ZERO, word)
    if model == "stairstep":
        return stairstep(charge, q, word)
    return tiered(charge, q, word, shows_fees)


def percentage(charge, total, free, word):
    rate = exact(charge["ratePercent"])
    amount = (total - free) * rate / 100
    step = {"op": "percent", "quantity": show_quantity(total), "ratePercent": show(rate), word: show(amount)}
    if free:
        step["free"] = show_quantity(free)
    return Priced(amount, steps=[step])


# ---- event by event: pairs (event, value) by time, then id

def by_event(charge):
    return any(name in charge for name in ("perEventFee", "freeEvents", "eventMinimum", "eventMaximum"))


def price_events(charge, pairs, word="amount"):
    if charge["model"] == "eventPrice":
        return told([({"op": "event", "ts": print_instant(event.ts), "uniqueId": event.uid,
                       "value": show_quantity(value)}, cost) for event, value, cost in pairs], word)
    if "eventMinimum" in charge or "eventMaximum" in charge:
        return told(list(bounded_events(charge, pairs)), word)
    values = [value for _, value in pairs]
    made = percentage(charge, sum(values, ZERO), free_value(charge, values), word)
    fee = exact(charge.get("perEventFee", 0))
    if fee:
        due = fees_due(charge, values)
        made.units += due * fee
        made.steps.append({"op": "event", "events": str(len(values)), "due": show(due), "perEventFee": show(fee),
                           word: show(due * fee)})
    return made


def told(events, word):
    """Steps and their amounts, those beyond the first 100 as one."""
    made = Priced(sum((amount for _, amount in events), ZERO))
    made.steps = [{**step, word: show(amount)} for step, amount in events[:EVENT_STEPS]]
    if len(events) > EVENT_STEPS:
        rest = sum((amount for _, amount in events[EVENT_STEPS:]), ZERO)
        made.steps.append({"op": "event", "events": str(len(events) - EVENT_STEPS), word: show(rest)})
    return made


def free_value(charge, values):
    """The smallest of the first freeEvents, freeAmount and the total."""
    if "freeEvents" not in charge and "freeAmount" not in charge:
        return ZERO
    free = [sum(values, ZERO)]
    if "freeEvents" in charge:
        free.append(sum(values[:int(charge["freeEvents"])], ZERO))
    if "freeAmount" in charge:
        free.append(exact(charge["freeAmount"]))
    return max(ZERO, min(free))


def fees_due(charge, values):
    """Events that are not free: among the first freeEvents, while the running total is below freeAmount."""
    due, running = 0, ZERO
    for i, value in enumerate(values):
        running += value
        first = "freeEvents" not in charge or i < int(charge["freeEvents"])
        below = "freeAmount" not in charge or running < exact(charge["freeAmount"])
        due += not (first and below and ("freeEvents" in charge or "freeAmount" in charge))
    return due


def bounded_events(charge, pairs):
    """Each event's share and fee, held between a least and a most; free ones cost nothing."""
    events, left = int(charge.get("freeEvents", 0)), exact(charge.get("freeAmount", 0))
    rate, fee = exact(charge["ratePercent"]), exact(charge.get("perEventFee", 0))
    for event, value in pairs:
        step = {"op": "event", "ts": print_instant(event.ts), "uniqueId": event.uid, "value": show_quantity(value),
                "ratePercent": show(rate)}
        for member, name in (("perEventFee", "perEventFee"), ("eventMinimum", "minimum"), ("eventMaximum", "maximum")):
            if member in charge and (member != "perEventFee" or fee):
                step[name] = show(exact(charge[member]))
        if events > 0:
            events, free, is_free = events - 1, value, True
        elif left > 0 and value >= 0:
            free, is_free = min(left, value), value <= left
            left -= free
        else:
            free, is_free = ZERO, False
        if free:
            step["free"] = show_quantity(free)
        amount = ZERO
        if not is_free:
            amount = (value - free) * rate / 100 + fee
            amount = max(amount, exact(charge["eventMinimum"])) if "eventMinimum" in charge else amount
            amount = min(amount, exact(charge["eventMaximum"])) if "eventMaximum" in charge else amount
        yield step, amount


# ---- several meters, cells

def wanted_of(value):
    return value if isinstance(value, list) else [value]


def within(inner, outer):
    """Every key of outer is one of inner, with values that outer has."""
    return set(outer) <= set(inner) and all(set(wanted_of(inner[key])) <= set(wanted_of(value))
                                            for key, value in outer.items())


def cell_price(charge, cell):
    """Of the cells that hold the one that is within all the others. cell: values by ascending dimension."""
    where = dict(zip(sorted(charge["dimensions"]), cell))
    holding_cells = [row for row in charge["cells"] if all(where[key] in wanted_of(value)
                                                           for key, value in row["when"].items())]
    best = [row for row in holding_cells if all(within(row["when"], other["when"]) for other in holding_cells)]
    return exact(best[0]["unitPrice"] if best else charge["defaultUnitPrice"])


def price_cell(charge, cell, q, word):
    unit = cell_price(charge, cell)
    names = {key: text for key, text in zip(sorted(charge["dimensions"]), cell) if text is not None}
    step = {"op": "cell", "cell": json.dumps(names, ensure_ascii=False, separators=(",", ":")),
            "quantity": show_quantity(q), "unitPrice": show(unit), word: show(q * unit)}
    return Priced(q * unit, steps=[step])


def capacity(charge, quantities):
    """quantities: {meter: Fraction}, in the order in which the tiers name them."""
    for i, tier in enumerate(charge["tiers"]):
        limits = {name: exact(most) for name, most in tier.get("limits", {}).items() if most is not None}
        if all(quantities[name] <= most for name, most in limits.items()):
            break
    steps = []
    for name, quantity in quantities.items():
        steps.append({"op": "capacity", "tier": str(i), "meter": name, "quantity": show_quantity(quantity)})
        if name in limits:
            steps[-1]["limit"] = show(limits[name])
    amount = exact(tier["amount"])
    return Priced(amount, steps=steps + [{"op": "flat", "amount": show(amount)}])


@functools.lru_cache(4096)
def parsed(expression):
    return ast.parse(expression.replace("if(", "choose("), mode="eval").body


class Formula:
    """By Python's own grammar, with Fractions for its numbers."""

    def __init__(self, expression, values):
        self.text, self.values, self.by_zero = expression.replace("if(", "choose("), values, 0
        self.value = self.of(parsed(expression))

    def of(self, node):
        if isinstance(node, ast.Constant):
            return Fraction(Decimal(ast.get_source_segment(self.text, node)))
        if isinstance(node, ast.Name):
            return self.values[node.id]
        if isinstance(node, ast.UnaryOp):
            return -self.of(node.operand)
        if isinstance(node, ast.BinOp):
            return self.operation(node.op, self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare):
            return self.comparison(node.ops[0], self.of(node.left), self.of(node.comparators[0]))
        return self.function(node.func.id, node.args)

    def operation(self, op, a, b):
        if isinstance(op, ast.Div) and b == 0:
            self.by_zero += 1
            return ZERO
        return {ast.Add: lambda: a + b, ast.Sub: lambda: a - b, ast.Mult: lambda: a * b,
                ast.Div: lambda: a / b}[type(op)]()

    @staticmethod
    def comparison(op, a, b):
        return Fraction({ast.Eq: a == b, ast.NotEq: a != b, ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b,
                         ast.GtE: a >= b}[type(op)])

    def function(self, name, parts):
        if name == "choose":
            return self.of(parts[1] if self.of(parts[0]) else parts[2])
        values = [self.of(part) for part in parts]
        return Fraction({"min": lambda: min(values), "max": lambda: max(values),
                         "ceil": lambda: math.ceil(values[0]), "floor": lambda: math.floor(values[0]),
                         "round": lambda: nearest(values[0])}[name]())


def formula(charge, quantities):
    """quantities: {meter: Fraction}."""
    names = charge["meters"]
    made = Formula(charge["expression"], {name: quantities[meter] for name, meter in names.items()})
    steps = [{"op": "formula", "name": name, "meter": meter, "quantity": show_quantity(quantities[meter])}
             for name, meter in names.items()]
    if made.by_zero:
        steps.append({"op": "formula", "divisionsByZero": str(made.by_zero)})
    steps.append({"op": "formula", "expression": charge["expression"], "amount": show(made.value)})
    return Priced(made.value, steps=steps)


def several(charge):
    """The meters of a charge over several, in the order in which they are named."""
    if charge["model"] == "formula":
        return list(charge["meters"].values())
    if charge["model"] == "capacity":
        return list(dict.fromkeys(name for tier in charge["tiers"] for name in tier.get("limits", {})))
    return []


def split(units, weights):
    """Whole units over whole weights by largest remainder, ties to the earlier."""
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    parts = [units * weight // total for weight in weights]
    rests = [units * weight % total for weight in weights]
    for i in sorted(range(len(weights)), key=lambda i: (-rests[i], i))[:units - sum(parts)]:
        parts[i] += 1
    return parts
