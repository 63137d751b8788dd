# SPDX-License-Identifier: Apache-2.0
"""What an invoice comes to, from its lines: credit, tax, the customer's balance. An oracle of its own in exact
fractions, from the text of the design; it shares nothing with the engine."""
from dataclasses import dataclass, field
from fractions import Fraction

from exact import exact, nearest

FOREVER = 1 << 62


def split(units, weights):
    """By largest remainder, ties to the earlier; all to the first when nothing weighs."""
    whole = sum(weights)
    if whole == 0:
        return [units] + [0] * (len(weights) - 1)
    parts = [units * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(units * weights[i] % whole), i))
    for i in order[:units - sum(parts)]:
        parts[i] += 1
    return parts


# ---- tax

@dataclass
class Rate:
    id: str
    percent: Fraction
    inclusive: bool = False
    categories: tuple = ()   # none: of all

    def is_for(self, category):
        return not self.categories or category in self.categories


@dataclass
class Cell:
    """One rate of one line."""
    line: int
    rate: Rate
    exact: Fraction
    units: int = 0


GROUPS = {"rate": lambda cell, _: cell.rate.id, "line": lambda cell, _: cell.line,
          "lineRate": lambda _, number: number, "invoice": lambda *_: 0}


def taxes(amounts, rates, rounding):
    """amounts: [(units, category)], rates in their order -> [Cell]. What is rounded together is split back by the
    largest part that the floor took, ties to the earlier."""
    cells = []
    for i, (units, category) in enumerate(amounts):
        mine = [rate for rate in rates if rate.is_for(category)]
        base = Fraction(units) * 100 / (100 + sum(rate.percent for rate in mine if rate.inclusive))
        cells += [Cell(i, rate, base * rate.percent / 100) for rate in mine]
    groups = {}
    for number, cell in enumerate(cells):
        groups.setdefault(GROUPS[rounding](cell, number), []).append(cell)
    for group in groups.values():
        left = nearest(sum(cell.exact for cell in group))
        for cell in group:
            cell.units = cell.exact.numerator // cell.exact.denominator
            left -= cell.units
        for cell in sorted(group, key=lambda cell: cell.units - cell.exact)[:left]:
            cell.units += 1
    return cells


# ---- credit

@dataclass
class Grant:
    id: str
    currency: str
    kind: str
    amount: int
    price: int
    priority: int = 0
    effective: int = 0
    expires: int = FOREVER
    before_tax: bool = False
    charges: tuple = ()
    drawn: int = 0
    ends: int = 0         # how often what was left of it expired: credit that returns expires again

    @property
    def left(self):
        return self.amount - self.drawn

    def order(self):
        return self.priority, self.expires, self.kind == "paid", self.effective, self.id.encode()

    def applies(self, line):
        return not self.charges or line.charge in self.charges

    def covers(self, start, end):
        return self.effective <= start and end <= self.expires and start < self.expires

    def cost(self, drawn):
        """What was paid for the first so many units of it."""
        return nearest(Fraction(self.price * drawn, self.amount))


@dataclass
class Segment:
    start: int
    end: int
    net: int
    tax: int = 0


@dataclass
class DrawLine:
    charge: str           # None: nobody's
    start: int
    end: int
    net: int
    so_far: object        # t -> units of the line over [start, t)
    of: str = None        # the invoice that it corrects
    segments: list = field(default_factory=list)

    def __post_init__(self):
        self.whole = self.net

    def cut(self, grants):
        """Where a grant begins or ends."""
        marks = {at for grant in grants if grant.applies(self) for at in (grant.effective, grant.expires)
                 if self.start < at < self.end}
        at, before = self.start, 0
        for mark in sorted(marks) + [self.end]:
            net = self.net if mark == self.end else self.so_far(mark)
            self.segments.append(Segment(at, mark, net - before))
            at, before = mark, net

    def pay(self, grant, member):
        """Out of the segments in which the grant is in force, never more than is left of the line."""
        covered = [part for part in self.segments if grant.covers(part.start, part.end)]
        most = min(sum(getattr(part, member) for part in covered),
                   sum(getattr(part, member) for part in self.segments), grant.left)
        rest = most = max(0, most)
        for part in covered:
            taken = min(rest, max(0, getattr(part, member)))
            setattr(part, member, getattr(part, member) - taken)
            rest -= taken
        grant.drawn += most
        return most

    def spread(self, tax):
        """By what is left of the nets, cumulatively rounded down."""
        weights = [max(0, part.net) for part in self.segments]
        before = running = 0
        for part, weight in zip(self.segments, weights):
            running += weight
            part.tax = tax * running // sum(weights) - before if sum(weights) else 0
            before += part.tax


def offset(amounts):
    """What is below zero comes off what is above, in proportion; None when nothing is left."""
    below = -sum(amount for amount in amounts if amount < 0)
    above = [max(0, amount) for amount in amounts]
    if sum(above) <= below:
        return None
    off = split(below, above) if below else [0] * len(above)
    return [amount - part for amount, part in zip(above, off)]


class Drawing:
    """What grants pay of an invoice. It draws from the grants that it is given."""

    def __init__(self, lines, grants):
        """lines: [DrawLine]; their nets are what is owed of each."""
        self.lines, self.grants = lines, sorted(grants, key=Grant.order)
        self.begun = {grant.id: grant.drawn for grant in grants}
        self.of_line = [0] * len(lines)
        nets = offset([line.net for line in lines])
        self.is_owed = nets is not None
        for line, net in zip(lines, nets or ()):
            line.net = net
            if net > 0:
                line.cut(self.grants)

    def draw(self, before_tax):
        if not self.is_owed:
            return
        for grant in self.grants:
            if grant.before_tax != before_tax:
                continue
            for i, line in enumerate(self.lines):
                if grant.left and grant.applies(line):
                    self.of_line[i] += line.pay(grant, "net") + line.pay(grant, "tax")

    def tax(self, amounts):
        owed = offset(amounts) if amounts else None
        for line, tax in zip(self.lines, owed or ()):
            if tax > 0 and line.segments:
                line.spread(tax)

    def by_grant(self):
        """{grant: units}"""
        return {grant.id: grant.drawn - self.begun[grant.id] for grant in self.grants
                if grant.drawn != self.begun[grant.id]}


# ---- an invoice

@dataclass
class Part:
    """A line of a final invoice, and how much of it was taken back."""
    net: int
    taxes: dict          # rate -> units
    credited: int = 0
    by_hand: int = 0     # of that, by notes that are not of late usage

    @property
    def left(self):
        return self.net - self.credited

    def taxes_of(self, units):
        """Of so much more: the tax of all that was credited, less what was credited of it. {rate: units}"""
        def so_far(tax, credited):
            return nearest(Fraction(tax * credited, self.net))
        return {rate: so_far(tax, self.credited + units) - so_far(tax, self.credited)
                for rate, tax in self.taxes.items()}


@dataclass
class Priced:
    parts: list          # [Part] of each line
    taxes: list          # units of each line
    tax: int
    included: int
    total: int
    to_balance: int
    credits: int
    balance_used: int
    draws: dict
    rates: dict          # id -> [net, tax]
    restores: dict       # invoice that is corrected -> units that go back to the wallet


def restored(lines, added, drawn):
    """What falls of an invoice that credit had paid goes back to the wallet first. drawn: {invoice: units that credit
    paid of it and that are not back yet}."""
    fallen = {}
    for line, tax in zip(lines, added):
        if line.of is not None:
            fallen[line.of] = fallen.get(line.of, 0) - line.whole - tax
    return {id: min(units, drawn[id]) for id, units in fallen.items() if min(units, drawn[id]) > 0}


def price(lines, categories, rates, rounding, grants, balance, drawn):
    """lines: [DrawLine] with what each comes to after discounts; rates: those of the account, none when it bears
    no tax; balance: what the customer has to its credit. Draws from the grants."""
    nets = [line.net for line in lines]
    drawing = Drawing(lines, grants)
    drawing.draw(True)
    after = [net - off for net, off in zip(nets, drawing.of_line)]
    cells = taxes(list(zip(after, categories)), rates, rounding)
    of_line, included = [0] * len(lines), [0] * len(lines)
    sums = {rate.id: [0, 0] for rate in rates}
    for cell in cells:
        of_line[cell.line] += cell.units
        included[cell.line] += cell.units if cell.rate.inclusive else 0
    for cell in cells:
        sums[cell.rate.id][0] += after[cell.line] - included[cell.line]
        sums[cell.rate.id][1] += cell.units
    added = [tax - inside for tax, inside in zip(of_line, included)]
    parts = [Part(net - inside, {cell.rate.id: cell.units for cell in cells if cell.line == i})
             for i, (net, inside) in enumerate(zip(nets, included))]
    back = restored(lines, added, drawn)
    owed = sum(nets) + sum(added) + sum(back.values())
    total, to_balance = max(0, owed), max(0, -owed)
    drawing.tax(added)
    drawing.draw(False)
    credits = sum(drawing.of_line)
    if credits > total:
        total, to_balance = credits, to_balance + credits - total
    used = max(0, min(balance, total - credits))
    return Priced(parts, of_line, sum(of_line), sum(included), total, to_balance, credits, used, drawing.by_grant(),
                  sums, back)


def units(text):
    """Minor units of an amount on the wire, which always has its currency's places."""
    return int(text.replace(".", ""))


def rate_of(id, body):
    return Rate(id, exact(body["percent"]), body.get("inclusive", False), tuple(body.get("categories", ())))
