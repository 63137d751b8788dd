# SPDX-License-Identifier: Apache-2.0
"""One plan document over one stretch of time: lines with steps, then discounts as listed, bounds of
groups and charges, maximum, commitment, minimum and included credits of the plan; as it goes over the wire."""
from dataclasses import dataclass, field
from fractions import Fraction

import calendars
import prices
from exact import ONE, PLACES, ZERO, exact, instant, money, nearest, print_instant, print_span, show, show_quantity
from prices import several


@dataclass
class Part:
    """A stretch of service of one charge. usage: of a meter [(group values, {cell: Aggregate})], over several
    meters {meter: Aggregate}."""
    service: tuple
    full: tuple
    usage: object = None
    is_trial: bool = False


@dataclass
class TermProgress:
    """Where in the term of its commitment a period stands."""
    service: tuple
    full: tuple
    listed: object = ZERO   # counted in the term's earlier periods, at list prices
    net: object = ZERO      # and as billed
    ends_here: bool = True


@dataclass
class Inputs:
    service: tuple
    full: tuple
    index: int
    at: int            # T
    start: int         # of the subscription
    zone: str
    parts: dict        # charge id -> [Part]
    quantities: dict = field(default_factory=dict)  # name -> [(from, value)]
    pauses: list = field(default_factory=list)
    term: TermProgress = None
    trial_end: int = -1 << 62  # of a trial of all charges
    discount_place: object = None  # startsAt -> how many periods ago it began to count; below 0: not yet


class Line:
    def __init__(self, kind, charge=None, service=None, description=None):
        self.kind, self.charge, self.service = kind, charge, service
        self.description = description or charge.get("name", charge["id"])
        self.group = None
        self.usage = self.quantity = None
        self.exact, self.amount, self.discount = ZERO, 0, 0
        self.provisional, self.events, self.digest = False, 0, 0
        self.steps = []

    @property
    def net(self):
        return self.amount + self.discount

    @property
    def id(self):
        return None if self.charge is None else self.charge["id"]

    def wire(self, currency, version):
        measured = self.usage is not None
        group = None
        if self.group is not None:
            group = dict(zip(sorted(self.charge["groupBy"]), self.group))
        return {"charge": self.id, "description": self.description, "kind": self.kind, "group": group,
                "planVersion": version, "period": print_span(*self.service),
                "usage": show_quantity(self.usage) if measured else None,
                "quantity": show_quantity(self.quantity) if measured else None,
                "exactAmount": show(self.exact), "amount": money(self.amount, currency),
                "discount": money(self.discount, currency), "net": money(self.net, currency),
                "tax": money(0, currency), "provisional": self.provisional, "events": self.events,
                "digest": f"{self.digest:064x}" if self.kind == "usage" else None, "steps": self.steps}


class Bill:
    def __init__(self, plan, inputs):
        self.plan, self.inputs = plan, inputs
        self.currency = plan["currency"]
        self.places = PLACES[self.currency]
        self.mode = plan.get("rounding", "halfUp")
        self.lines = []
        self.service = (min(max(inputs.service[0], inputs.trial_end), inputs.service[1]), inputs.service[1])
        self.counted = (ZERO, ZERO)  # of the commitment's term up to here: at list prices, as billed
        for charge in plan["charges"]:
            for part in inputs.parts.get(charge["id"], ()):
                self.charge_lines(charge, part)
        self.finish_shares()
        for discount in plan.get("discounts", ()):
            self.discount(discount)
        self.bounds()
        if "maximum" in plan:
            self.cap(self.prorated(plan["maximum"]), self.lines)
        if "commitment" in plan:
            self.commitment(plan["commitment"])
        if "minimum" in plan:
            least = self.prorated(plan["minimum"])
            self.top_up("minimum", least, sum(line.net for line in self.lines))
        if "includedCredits" in plan:
            self.discount({"id": "includedCredits", "amount": self.prorated(plan["includedCredits"])})
        self.lines = [line for line in self.lines if line.amount or line.discount or (
            line.kind == "usage" and "groupBy" not in line.charge)]

    # ---- amounts

    def round(self, amount):
        return nearest(amount * 10 ** self.places, self.mode)

    def exactly(self, units):
        return Fraction(units, 10 ** self.places)

    def money(self, units):
        return money(units, self.currency)

    def share(self, prorate, part, full):
        """Active part / full period: what a pause takes is not active."""
        paused = [(max(start, part[0]), min(end, part[1])) for start, end in self.inputs.pauses]
        paused = [(start, end) for start, end in paused if start < end]
        if prorate == "none":
            return ONE if sum(end - start for start, end in paused) < part[1] - part[0] else ZERO
        return calendars.share(prorate, part, full, self.inputs.zone) - sum(
            (calendars.share(prorate, pause, full, self.inputs.zone) for pause in paused), ZERO)

    def prorated(self, member):
        """Of the plan: nothing of it runs while all charges are on trial."""
        if self.service[0] >= self.service[1]:
            return ZERO
        return exact(member["amount"]) * self.share(member.get("prorate", "day"), self.service, self.inputs.full)

    def finish(self, line, amount, part=None):
        """Floored at zero, nothing on trial, then rounded, once."""
        if amount < 0 and not (line.charge or {}).get("allowNegative"):
            line.steps.append({"op": "floorAtZero", "exact": show(amount), "amount": "0"})
            amount = ZERO
        if part is not None and part.is_trial and amount:
            line.steps.append({"op": "trial", "exact": show(amount), "amount": "0"})
            amount = ZERO
        line.exact, line.amount = amount, self.round(amount)
        line.steps.append({"op": "round", "exact": show(amount), "mode": self.mode, "amount": self.money(line.amount)})

    # ---- lines

    def charge_lines(self, charge, part):
        if "meter" in charge:
            self.usage_lines(charge, part)
        elif several(charge):
            self.meters_line(charge, part)
        elif "quantity" in charge:
            self.quantity_line(charge, part)
        elif charge["model"] == "percentOf":  # its turn comes when the others are there
            self.lines.append(Line("fee", charge, part.service))
            self.lines[-1].part = part
        else:
            self.fee_line(charge, part)

    def usage_lines(self, charge, part):
        pool = [self.free(charge, charge["included"], part)] if "included" in charge else None
        for group, cells in part.usage:
            line = Line("usage", charge, part.service)
            line.group = group if "groupBy" in charge else None
            line.usage = line.quantity = ZERO
            own = [self.free(charge, charge["includedPerGroup"], part)] if "includedPerGroup" in charge else None
            amount = sum((self.cell_amount(charge, line, cell, aggregate, (own, pool))
                          for cell, aggregate in cells.items()), ZERO)
            if "pricingUnit" in charge:
                rate = exact(charge["conversionRate"])
                line.steps.append({"op": "convert", "price": show(amount), "pricingUnit": charge["pricingUnit"],
                                   "conversionRate": show(rate), "amount": show(amount * rate)})
                amount *= rate
            self.finish(line, amount, part)
            self.lines.append(line)

    def cell_amount(self, charge, line, cell, aggregate, pools):
        word = "price" if "pricingUnit" in charge else "amount"
        quantity = aggregate.rated
        line.usage += quantity
        line.events += aggregate.events
        line.digest = (line.digest + aggregate.digest()) % 2 ** 256
        for pool in pools:
            if pool is not None:
                quantity = prices.take_included(quantity, pool, line.steps)
        quantity = prices.convert(charge, quantity, line.steps)
        line.quantity += quantity
        if charge["model"] == "matrix":
            made = prices.price_cell(charge, cell, quantity, word)
        elif charge["model"] == "eventPrice" or prices.by_event(charge):
            made = prices.price_events(charge, aggregate.priced(charge), word)
        else:
            made = prices.price(charge, quantity, word)
        line.steps += made.steps
        return made.amount

    def free(self, charge, included, part):
        """Units that are free in this part."""
        prorate = prorate_of(charge)
        if not isinstance(included, dict):
            return exact(included) * self.share(prorate, part.service, part.full)
        held = self.segments(included["perUnit"], prorate, part)
        return exact(included["amount"]) * sum((value * share for _, value, share in held), ZERO)

    def meters_line(self, charge, part):
        line = Line("usage", charge, part.service)
        quantities = {name: aggregate.rated for name, aggregate in part.usage.items()}
        made = prices.formula(charge, quantities) if charge["model"] == "formula" else prices.capacity(
            charge, quantities)
        line.steps += made.steps
        line.events = sum(aggregate.events for aggregate in part.usage.values())
        line.digest = sum(aggregate.digest() for aggregate in part.usage.values()) % 2 ** 256
        self.finish(line, made.amount, part)
        self.lines.append(line)

    def is_running(self, charge, part):
        return charge.get("timing", "arrears") == "arrears" and self.inputs.at < part.service[1]

    def fee_line(self, charge, part):
        line = Line("fee", charge, part.service)
        line.provisional = self.is_running(charge, part)
        share = self.share(prorate_of(charge), part.service, part.full)
        made = prices.price(charge, ONE, "amount" if share == 1 else "price")
        line.steps += made.steps
        amount = made.amount if share == 1 else self.segment(line, part.service, made.units, share)
        self.finish(line, amount, part)
        self.lines.append(line)

    @staticmethod
    def segment(line, span, price, share):
        line.steps.append({"op": "segment", "from": print_instant(span[0]), "to": print_instant(span[1]),
                           "price": show(price), "share": show(share), "amount": show(price * share)})
        return price * share

    def finish_shares(self):
        for line in self.lines:
            if line.charge["model"] != "percentOf":
                continue
            others = [other for other in self.lines if other.id in line.charge["charges"]
                      and self.is_beside(other, line)]
            base = self.exactly(sum(other.amount for other in others))
            rate = exact(line.charge["ratePercent"])
            amount = base * rate / 100
            line.provisional = any(other.provisional for other in others)
            line.steps.append({"op": "percent", "base": show(base), "ratePercent": show(rate), "amount": show(amount)})
            self.finish(line, amount, line.part)

    def is_beside(self, other, line):
        """A line belongs to the share in whose stretch it begins, to the first when it began before."""
        first = self.inputs.parts[line.id][0].service[0]
        start = -1 << 62 if line.service[0] == first else line.service[0]
        return start <= other.service[0] < line.service[1]

    # ---- quantities of the subscription

    def quantity_line(self, charge, part):
        line = Line("quantity", charge, part.service)
        line.provisional = self.is_running(charge, part)
        segments = self.segments(charge["quantity"], prorate_of(charge), part, waiting(charge))
        is_simple = len(segments) == 1 and segments[0][2] == 1
        amount, highest = ZERO, ZERO
        for span, value, share in segments:
            line.usage, quantity = value, value
            if "included" in charge:
                quantity = prices.take_included(quantity, [exact(charge["included"])], line.steps)
            line.quantity = quantity = prices.convert(charge, quantity, line.steps)
            made = prices.price(charge, quantity, "amount" if is_simple else "price", is_simple)
            line.steps += made.steps
            amount += made.amount if is_simple else self.segment(line, span, made.units, share)
            highest = max(highest, quantity)
        if not is_simple:
            fees = prices.price(charge, highest).fees
            if fees:
                line.steps.append({"op": "flat", "amount": show(fees)})
            amount += fees
        self.finish(line, amount, part)
        self.lines.append(line)

    def segments(self, name, prorate, part, waits=()):
        """[(span, value, share)]. Of several values in one day the last counts; a rise or fall that waits does
        not count in this period."""
        history = self.inputs.quantities[name]
        start, end = part.service
        cuts = [start] + [at for at, _ in history if start < at < end]
        held = []
        for at, after in zip(cuts, cuts[1:] + [end]):
            value = next((value for begun, value in reversed(history) if begun <= at), ZERO)
            held.append([(at, after), value])
        if prorate == "none":
            following(held, waits)
            return [(part.service, max(value for _, value in held), self.share("none", part.service, part.full))]
        held = self.joined(held, prorate, part.full)
        following(held, waits)
        held = self.joined(held, prorate, part.full)
        return [(span, value, self.share(prorate, span, part.full)) for span, value in held]

    def joined(self, held, prorate, full):
        """What was held for no part of the period goes, and what follows begins where it began."""
        kept = []
        for (start, end), value in held:
            if kept and self.share(prorate, kept[-1][0], full) == 0:
                start = kept.pop()[0][0]
            if kept and kept[-1][1] == value:
                start = kept.pop()[0][0]
            kept.append([(start, end), value])
        return kept

    # ---- what comes off, and what comes on top

    def take_off(self, lines, units, told):
        """Split over what is left of the lines."""
        lines = [line for line in lines if line.net > 0]
        for line, part in zip(lines, prices.split(units, [line.net for line in lines])):
            if part:
                line.discount -= part
                line.steps.append({**told, "share": self.money(part)})

    @staticmethod
    def left(lines):
        return sum(max(line.net, 0) for line in lines)

    def of(self, ids):
        return [line for line in self.lines if ids is None or line.id in ids]

    def discount(self, rule):
        if not self.discount_counts(rule):
            return
        lines = self.of(rule.get("charges"))
        left = self.left(lines)
        base = self.exactly(left)
        amount = base * exact(rule["percent"]) / 100 if "percent" in rule else min(base, exact(rule["amount"]))
        off = min(self.round(amount), left)
        member = "percent" if "percent" in rule else "amount"
        self.take_off(lines, off, {"op": "discount", "id": rule["id"], member: show(exact(rule[member])),
                                   "base": self.money(left), "discount": self.money(off)})

    def discount_counts(self, rule):
        place = self.inputs.index
        if "startsAt" in rule:
            place = self.inputs.discount_place(instant(rule["startsAt"]))
        return place >= 0 and ("periods" not in rule or place < rule["periods"])

    def cap(self, most, lines):
        counted, most = sum(line.net for line in lines), self.round(most)
        if counted > most:
            off = min(counted - most, self.left(lines))
            self.take_off(lines, off, {"op": "maximum", "maximum": self.money(most), "counted": self.money(counted),
                                       "discount": self.money(off)})

    def top_up(self, kind, wanted, counted, like=None):
        """A line of its own for what is missing."""
        missing = wanted - self.exactly(counted)
        if missing <= 0:
            return None
        names = {"minimum": "Minimum", "trueUp": "Commitment, true-up"}
        line = Line(kind, None, self.service, names[kind])
        line.provisional = self.inputs.at < self.service[1]
        if like is not None:
            line.charge, line.group, line.service = like.charge, like.group, like.service
            line.description = like.description + ", minimum"
            line.provisional = self.inputs.at < like.service[1]
        line.steps.append({"op": kind, "minimum" if kind == "minimum" else "commitment": show(wanted),
                           "counted": self.money(counted), "amount": show(missing)})
        self.finish(line, missing)
        self.lines.append(line)
        return line

    def bounds(self):
        """Of each group and charge: maximum, then minimum, behind the lines they are for."""
        before, self.lines = self.lines, []
        for charge in self.plan["charges"]:
            for part in self.inputs.parts.get(charge["id"], ()):
                lines = [line for line in before if line.charge is charge and line.service == part.service]
                self.part_bounds(charge, part, lines)

    def part_bounds(self, charge, part, lines):
        share = ZERO if part.is_trial else self.share(prorate_of(charge), part.service, part.full)
        first = len(self.lines)
        for line in lines:
            self.lines.append(line)
            if "maximumPerGroup" in charge:
                self.cap(exact(charge["maximumPerGroup"]) * share, [line])
            if "minimumPerGroup" in charge:
                self.top_up("minimum", exact(charge["minimumPerGroup"]) * share, line.net, line)
        own = self.lines[first:]
        counted = sum(line.net for line in own)
        if "maximum" in charge:
            self.cap(exact(charge["maximum"]) * share, own)
        if "minimum" in charge:
            like = Line("minimum", charge, part.service)
            self.top_up("minimum", exact(charge["minimum"]) * share, counted, like)

    # ---- commitment

    def metered(self):
        ids = self.plan["commitment"].get("charges")
        return [line for line in self.lines if line.kind == "usage" and (ids is None or line.id in ids)]

    def commitment(self, rule):
        """With a term the earlier periods of the term count too, and what is missing is due at its end."""
        lines, percent, term = self.metered(), exact(rule.get("discountPercent", 0)), self.inputs.term
        amount = self.prorated(rule)
        if term is not None:
            amount = exact(rule["amount"]) * self.share(rule.get("prorate", "day"), term.service, term.full)
        before, billed = (term.listed, term.net) if term is not None else (ZERO, ZERO)
        listed = max(ZERO, self.exactly(sum(line.net for line in lines)))
        covered = max(ZERO, amount / (1 - percent / 100) - before)
        overage = max(ZERO, listed - covered) if "overageFactor" in rule else ZERO
        off = self.round((listed - overage) * percent / 100)
        told = {"op": "commitment", "commitment": show(amount), "list": show(listed),
                "discountPercent": show(percent), "discount": self.money(off)}
        if overage:
            told["overage"] = show(overage)
        if before > 0:
            told["before"] = show(before)
        self.take_off(lines, off, told)
        if overage:
            self.overage(overage, exact(rule["overageFactor"]))
        counted = sum(line.net for line in self.metered())
        self.counted = (before + listed, billed + self.exactly(counted))
        if rule.get("trueUp", True) and (term is None or term.ends_here):
            self.top_up("trueUp", amount, counted + self.round(billed))

    def overage(self, overage, factor):
        """Its list price is in the lines: a factor below 1 takes off them, one above 1 is a line of its own."""
        told = {"op": "overage", "overage": show(overage), "overageFactor": show(factor)}
        more = overage * (factor - 1)
        if more > 0:
            line = Line("overage", None, self.service, "Overage")
            line.steps.append({**told, "amount": show(more)})
            self.finish(line, more)
            self.lines.append(line)
            return
        lines = self.metered()
        off = min(self.round(-more), self.left(lines))
        self.take_off(lines, off, {**told, "discount": self.money(off)})

    # ---- over the wire

    def wire(self, version=None):
        return {"currency": self.currency, "period": print_span(*self.inputs.service),
                "lines": [line.wire(self.currency, version) for line in self.lines], **self.totals()}

    def totals(self):
        return totals(self.lines, self.currency)


def prorate_of(charge):
    """By the day; a one-time fee is for no length of time."""
    return charge.get("prorate", "none" if charge.get("oneTime") else "day")


def waiting(charge):
    """What of a quantity in advance does not count before the next period."""
    if charge.get("timing") != "advance":
        return ()
    return [name for name, rule in (("rise", charge.get("onIncrease", "now")),
                                    ("fall", charge.get("onDecrease", "nextPeriod"))) if rule == "nextPeriod"]


def following(held, waits):
    for i in range(1, len(held)):
        change = held[i][1] - held[i - 1][1]
        if (change > 0 and "rise" in waits) or (change < 0 and "fall" in waits):
            held[i][1] = held[i - 1][1]


def totals(lines, currency):
    subtotal, discounts = sum(line.amount for line in lines), sum(line.discount for line in lines)
    total = subtotal + discounts
    accrued = total - sum(line.net for line in lines if line.provisional)
    figures = {"subtotal": subtotal, "discounts": discounts, "tax": 0, "credits": 0, "total": total,
               "accrued": accrued, "amountDue": total}
    return {name: money(units, currency) for name, units in figures.items()}
