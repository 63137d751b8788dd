# SPDX-License-Identifier: Apache-2.0
"""What the answers must be: slow, obvious, exact fractions, written from the design's sentences and
from nothing of the engine. Times are whole microseconds since 1970, quantities and money Fractions."""
import ast
import datetime as dt
import json
import math
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
PLACES = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}


# ---- numbers and times

def exact(text):
    """The Fraction of a decimal given as text, Decimal or int; None when it is no decimal."""
    if isinstance(text, bool) or text is None:
        return None
    try:
        number = Decimal(str(text)) if not isinstance(text, Decimal) else text
    except Exception:
        return None
    return Fraction(number) if number.is_finite() else None


def show(number):
    """Without trailing zeros, exponent or -0; p/q when it does not end."""
    number = Fraction(number)
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    places = 0
    while (number * 10 ** places).denominator != 1:
        places += 1
    digits = str(abs(number * 10 ** places).numerator).rjust(places + 1, "0")
    text = digits[:-places] + "." + digits[-places:] if places else digits
    return "-" + text if number < 0 else text


def nearest(number, mode):
    """A whole number: halfUp (half away from zero), halfEven, up (away from zero), down."""
    size = abs(number)
    floor = math.floor(size)
    rest = size - floor
    if mode == "down":
        whole = floor
    elif mode == "up":
        whole = floor + (rest > 0)
    elif mode == "halfEven":
        whole = floor + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1))
    else:
        whole = floor + (rest >= Fraction(1, 2))
    return whole if number >= 0 else -whole


def to_places(number, places, mode="halfUp"):
    return Fraction(nearest(Fraction(number) * 10 ** places, mode), 10 ** places)


def show_quantity(number):
    """Quantities that do not end print 12 places, half away from zero."""
    text = show(number)
    return show(to_places(number, 12)) if "/" in text else text


def money(number, currency):
    """As rounded amounts leave: always the currency's places."""
    places = PLACES[currency]
    units = number * 10 ** places
    assert units.denominator == 1, number
    digits = str(abs(units.numerator)).rjust(places + 1, "0")
    text = digits[:-places] + "." + digits[-places:] if places else digits
    return "-" + text if units < 0 else text


def instant(text):
    moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


def print_instant(us):
    moment = EPOCH + dt.timedelta(microseconds=us)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if moment.microsecond:
        text += (".%06d" % moment.microsecond).rstrip("0")
    return text + "Z"


def local(us, zone):
    return (EPOCH + dt.timedelta(microseconds=us)).astimezone(ZoneInfo(zone))


def midnight(date, zone):
    """The first instant of a local day: before a gap's offset, at the first of two midnights."""
    return to_us(dt.datetime(date.year, date.month, date.day, tzinfo=ZoneInfo(zone)))


def to_us(moment):
    return (moment.astimezone(dt.timezone.utc) - EPOCH) // dt.timedelta(microseconds=1)


def add_months(date, months, day=None):
    """Clamps to the month's last day and comes back."""
    index = date.year * 12 + date.month - 1 + months
    year, month = divmod(index, 12)
    last = (dt.date(year + (month == 11), (month + 1) % 12 + 1, 1) - dt.timedelta(days=1)).day
    return dt.date(year, month + 1, min(day or date.day, last))


def window_start(kind, us, zone):
    moment = local(us, zone)
    if kind == "hour":
        return us - ((moment.minute * 60 + moment.second) * 1_000_000 + moment.microsecond)
    date = moment.date()
    if kind == "week":
        date -= dt.timedelta(days=date.weekday())
    elif kind == "month":
        date = date.replace(day=1)
    return midnight(date, zone)


def window_next(kind, start, zone):
    if kind == "hour":
        return start + 3_600_000_000
    date = local(start, zone).date()
    steps = {"day": lambda: date + dt.timedelta(days=1), "week": lambda: date + dt.timedelta(days=7),
             "month": lambda: add_months(date, 1)}
    return midnight(steps[kind](), zone)


def windows(kind, start, end, zone="UTC"):
    """Gapless and clipped to [start, end)."""
    if kind == "total":
        return [(start, end)]
    made, at = [], window_start(kind, start, zone)
    while at < end:
        after = window_next(kind, at, zone)
        made.append((max(at, start), min(after, end)))
        at = after
    return made


# ---- events and verdicts

def property_of(value):
    """(kind, text) as identity has it, or the text that filters and groups go by."""
    if value is None:
        return ("null", "null")
    if isinstance(value, bool):
        return ("bool", "true" if value else "false")
    if isinstance(value, (int, float, Decimal)):
        return ("number", show(exact(value)))
    if isinstance(value, str):
        return ("string", value)
    return ("json", json.dumps(canonical(value), sort_keys=True))


def canonical(value):
    if isinstance(value, dict):
        return {key: canonical(part) for key, part in value.items()}
    if isinstance(value, list):
        return [canonical(part) for part in value]
    return list(property_of(value))


class Event:
    def __init__(self, sent, sequence, arrival=None):
        self.uid = sent["uniqueId"]
        self.event = sent["meter"]
        self.account = sent["account"]
        self.value = exact(sent.get("value", 1))
        self.ts_given = "ts" in sent
        self.ts = instant(sent["ts"]) if self.ts_given else arrival
        self.properties = {key: property_of(value) for key, value in sent.get("properties", {}).items()}
        self.sequence = sequence

    def content(self):
        return (self.event, self.account, self.value, tuple(sorted(self.properties.items())))

    def text(self, key):
        """What filters and groups see; None when absent."""
        found = self.properties.get(key)
        return None if found is None else found[1]


def matches(terms, event):
    """Every key present with one of its values; no terms match everything."""
    return all(event.text(key) in [str(value) for value in values] for key, values in (terms or {}).items())


def counts(meter, event):
    return (event.event == meter.get("event", meter["id"]) and matches(meter.get("filter"), event)
            and not any(matches(terms, event) for terms in meter.get("exclude", [])))


class Aggregate:
    """Of one window and group: value is a Fraction or None; events includes the ignored."""

    def __init__(self, meter, events):
        kind, key = meter["aggregation"], meter.get("property", "value")
        self.events = len(events)
        self.every = events
        taken = []
        for event in events:
            if kind == "count" or key == "value":
                taken.append((event, event.value))
                continue
            found = event.properties.get(key)
            if found is None or found[0] == "null" or found[1] == "":
                continue
            if kind == "uniqueCount":
                taken.append((event, found))
            elif found[0] in ("number", "string") and exact(found[1]) is not None:
                taken.append((event, exact(found[1])))
        self.taken = taken
        self.ignored = len(events) - len(taken)
        self.value = self.fold(kind, taken)
        self.rated = Fraction(0) if self.value is None else self.value

    def fold(self, kind, taken):
        values = [value for _, value in taken]
        if kind == "count":
            return Fraction(len(taken))
        if kind == "uniqueCount":
            return Fraction(len(set(values)))
        if kind == "sum":
            return sum(values, Fraction(0))
        if not taken:
            return None
        if kind == "min":
            return min(values)
        if kind == "max":
            return max(values)
        if kind == "average":
            return sum(values, Fraction(0)) / len(values)
        if kind == "latest":
            return max(taken, key=lambda pair: (pair[0].ts, pair[0].uid.encode()))[1]
        raise ValueError(kind)

    def shown(self, kind):
        if self.value is None:
            return None
        return show(to_places(self.value, 12, "halfEven") if kind == "average" else self.value)


def group_key(values):
    """Group-key order: null first, then by bytes."""
    return tuple((value is not None, (value or "").encode()) for value in values)


class Oracle:
    def __init__(self):
        self.ids = {}
        self.events = []
        self.meters = {}

    def known(self, name):
        return any(meter.get("event", id) == name for id, meter in self.meters.items())

    def take(self, sent, arrival=None):
        """The verdict of one event, and what it changes."""
        if not self.known(sent["meter"]):
            return "rejected"
        event = Event(sent, len(self.events) + 1, arrival)
        stored = self.ids.get(event.uid)
        if stored is None:
            self.ids[event.uid] = event
            self.events.append(event)
            return "accepted"
        same = stored.content() == event.content()
        if same and stored.ts_given and event.ts_given and stored.ts != event.ts:
            same = False
        return "duplicate" if same else "conflict"

    def select(self, meter, account, start, end, upto=None):
        return [event for event in self.events
                if counts(meter, event) and start <= event.ts < end
                and (account is None or event.account == account)
                and (upto is None or event.sequence <= upto)]

    def usage(self, meter_id, account, spans, group_by=(), upto=None):
        """[(start, end, group, Aggregate)] in the order of the answer."""
        meter, rows = self.meters[meter_id], []
        for start, end in spans:
            rows += [(start, end, group, aggregate) for group, aggregate in
                     self.groups(meter, self.select(meter, account, start, end, upto), group_by)]
        return rows

    def groups(self, meter, events, group_by):
        parts = {} if group_by else {(): []}
        for event in events:
            parts.setdefault(tuple(event.text(key) for key in group_by), []).append(event)
        return [(key, Aggregate(meter, parts[key])) for key in sorted(parts, key=group_key)]

    # ---- rating

    def rate_usage(self, plan, account, start, end, upto=None):
        """{charge id: [(group, Aggregate, {cell: quantity})]}: within a plan the charges on a meter share its
        events; of a charge over several meters {charge id: {meter: Aggregate}}."""
        made = {}
        for charge in plan["charges"]:
            if several(charge):
                made[charge["id"]] = {name: Aggregate(self.meters[name], self.select(self.meters[name], account,
                                                                                     start, end, upto))
                                      for name in several(charge)}
            if "meter" not in charge:
                continue
            meter = self.meters[charge["meter"]]
            rivals = [other for other in plan["charges"]
                      if other.get("meter") == charge["meter"] and other is not charge
                      and not other.get("alsoCounts") and not charge.get("alsoCounts")
                      and more_specific(other.get("filter") or {}, charge.get("filter") or {})]
            events = [event for event in self.select(meter, account, start, end, upto)
                      if matches(charge.get("filter"), event)
                      and not any(matches(other.get("filter"), event) for other in rivals)]
            made[charge["id"]] = [
                (group, aggregate, {cell: part.rated for cell, part in
                                    self.groups(meter, aggregate.every, sorted(charge.get("dimensions", ())))})
                for group, aggregate in self.groups(meter, events, charge.get("groupBy", ()))]
        return made


def more_specific(filter, than):
    """A strict subset: more keys, or fewer values of the same keys."""
    if not set(than) <= set(filter):
        return False
    return filter != than and all(set(filter[key]) <= set(than[key]) for key in than)


def several(charge):
    """The meters of a charge over several, in the order in which they are named."""
    if charge["model"] == "formula":
        return list(charge["meters"].values())
    if charge["model"] == "capacity":
        return list(dict.fromkeys(name for tier in charge["tiers"] for name in tier.get("limits", {})))
    return []


# ---- prices

def quantity_after(charge, usage, pool):
    """Takes what is free out of the pool: a list of one number."""
    q = usage
    if "included" in charge and q > 0:
        free = min(q, pool[0])
        q, pool[0] = q - free, pool[0] - free
    if "divideBy" in charge:
        q /= exact(charge["divideBy"])
    if "multiplyBy" in charge:
        q *= exact(charge["multiplyBy"])
    if "roundQuantity" in charge:
        rule = charge["roundQuantity"]
        mode = {"up": "up", "down": "down", "nearest": "halfUp"}[rule["mode"]]
        q = to_places(q, rule.get("places", 0), mode)
    return q


def tier_amount(tier, units):
    if "ratePercent" in tier:
        amount = units * exact(tier["ratePercent"]) / 100
    elif "packageSize" in tier:
        amount = math.ceil(units / exact(tier["packageSize"])) * exact(tier["packagePrice"])
    else:
        amount = units * exact(tier.get("unitPrice", 0))
    if "cap" in tier:
        amount = min(amount, exact(tier["cap"]))
    return amount + exact(tier.get("flatFee", 0))


def price(charge, q):
    """The exact amount of a quantity (after the operators)."""
    model = charge["model"]
    if model == "flat":
        return exact(charge["amount"])
    if model == "perUnit":
        return q * exact(charge["unitPrice"])
    if model == "percentage":
        return max_free(charge, q, [q]) * exact(charge["ratePercent"]) / 100
    if q == 0 and charge.get("flatFeeAtZero"):
        return exact(charge["tiers"][0].get("flatFee", 0))
    if q <= 0:
        return Fraction(0)
    if model == "package":
        return math.ceil(q / exact(charge["packageSize"])) * exact(charge["packagePrice"])
    below, amount = Fraction(0), Fraction(0)
    for tier in charge["tiers"]:
        upto = exact(tier["upTo"]) if tier.get("upTo") is not None else None
        holds = upto is None or q <= upto
        if model == "stairstep" and holds:
            return exact(tier["flatFee"])
        if model in ("graduated", "graduatedPercentage"):
            amount += tier_amount(tier, (q if holds else upto) - below)
        elif holds and model == "volume":
            return tier_amount(tier, q)
        if holds:
            return amount
        below = upto
    raise ValueError(model)


def max_free(charge, total, values):
    """What is left of the total: free is the smallest of the first freeEvents, freeAmount, the total."""
    if "freeEvents" not in charge and "freeAmount" not in charge:
        return total
    free = [total]
    if "freeEvents" in charge:
        free.append(sum(values[:charge["freeEvents"]], Fraction(0)))
    if "freeAmount" in charge:
        free.append(exact(charge["freeAmount"]))
    return total - max(Fraction(0), min(free))


def by_event(charge):
    return any(name in charge for name in ("perEventFee", "freeEvents", "eventMinimum", "eventMaximum"))


def in_order(pairs):
    return [value for _, value in sorted(pairs, key=lambda pair: (pair[0].ts, pair[0].uid.encode()))]


def price_events(charge, aggregate):
    """percentage event by event."""
    values = in_order(aggregate.taken)
    rate, fee = exact(charge["ratePercent"]) / 100, exact(charge.get("perEventFee", 0))
    if "eventMinimum" not in charge and "eventMaximum" not in charge:
        amount = max_free(charge, sum(values, Fraction(0)), values) * rate
        free_fees = len(values) if "freeEvents" in charge or "freeAmount" in charge else 0
        if "freeEvents" in charge:
            free_fees = min(free_fees, charge["freeEvents"])
        running, paid = Fraction(0), 0
        for i, value in enumerate(values):
            running += value
            below = "freeAmount" not in charge or running < exact(charge["freeAmount"])
            paid += not (i < free_fees and below)
        return amount + paid * fee
    events, free, amount = charge.get("freeEvents", 0), exact(charge.get("freeAmount", 0)), Fraction(0)
    for value in values:
        if events > 0:
            events -= 1
            continue
        if free > 0 and value >= 0:
            used = min(free, value)
            free, value = free - used, value - used
            if value == 0:
                continue
        part = value * rate + fee
        if "eventMinimum" in charge:
            part = max(part, exact(charge["eventMinimum"]))
        if "eventMaximum" in charge:
            part = min(part, exact(charge["eventMaximum"]))
        amount += part
    return amount


def carried_price(charge, aggregate):
    """eventPrice: the decimal in each event's property."""
    amount = Fraction(0)
    for event in aggregate.every:
        kind, text = event.properties.get(charge["property"], ("null", ""))
        if kind in ("number", "string") and exact(text) is not None:
            amount += exact(text)
    return amount


def cell_price(charge, cell):
    """Of the cells that hold the one that is within all the others."""
    where = dict(zip(sorted(charge["dimensions"]), cell))
    holding = [row for row in charge["cells"]
               if all(where[key] is not None and where[key] in wanted_of(value) for key, value in row["when"].items())]
    if not holding:
        return exact(charge["defaultUnitPrice"])
    best = min(holding, key=lambda row: sum(
        set(other["when"]) <= set(row["when"]) and all(set(wanted_of(row["when"][key])) <= set(wanted_of(value))
                                                       for key, value in other["when"].items())
        for other in holding) * -1)
    return exact(best["unitPrice"])


def wanted_of(value):
    return value if isinstance(value, list) else [value]


def formula(expression, values):
    """By Python's own grammar, with Fractions for its numbers."""
    def value_of(node):
        if isinstance(node, ast.Constant):
            return Fraction(Decimal(ast.get_source_segment(expression, node)))
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.UnaryOp):
            return -value_of(node.operand)
        if isinstance(node, ast.BinOp):
            a, b = value_of(node.left), value_of(node.right)
            if isinstance(node.op, ast.Div):
                return a / b if b else Fraction(0)
            return a + b if isinstance(node.op, ast.Add) else a - b if isinstance(node.op, ast.Sub) else a * b
        if isinstance(node, ast.Compare):
            a, b = value_of(node.left), value_of(node.comparators[0])
            holds = {ast.Eq: a == b, ast.NotEq: a != b, ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b}
            return Fraction(holds[type(node.ops[0])])
        parts, name = node.args, node.func.id
        if name == "choose":
            return value_of(parts[1] if value_of(parts[0]) else parts[2])
        parts = [value_of(part) for part in parts]
        made = {"min": min, "max": max, "ceil": lambda x: math.ceil(x[0]), "floor": lambda x: math.floor(x[0]),
                "round": lambda x: nearest(x[0], "halfUp")}[name](parts)
        return Fraction(made)
    expression = expression.replace("if(", "choose(")
    return value_of(ast.parse(expression, mode="eval").body)


def price_several(charge, usage):
    """formula and capacity: usage is {meter: Aggregate}."""
    if charge["model"] == "formula":
        return formula(charge["expression"], {name: usage[meter].rated for name, meter in charge["meters"].items()})
    for tier in charge["tiers"]:
        if all(usage[name].rated <= exact(most) for name, most in tier.get("limits", {}).items() if most is not None):
            return exact(tier["amount"])
    raise ValueError("the last tier is open")


def split(units, weights):
    """Whole units over weights by largest remainder, ties to the earlier."""
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    shares = [units * weight / total for weight in weights]
    parts = [math.floor(share) if units >= 0 else math.ceil(share) for share in shares]
    step = 1 if units >= 0 else -1
    order = sorted(range(len(weights)), key=lambda i: (-abs(shares[i] - parts[i]), i))
    for i in order[:abs(units - sum(parts))]:
        parts[i] += step
    return parts


class Line:
    def __init__(self, charge, group, usage, quantity, exact_amount, amount, kind, events=0):
        self.charge, self.group, self.kind, self.events = charge, group, kind, events
        self.usage, self.quantity, self.exact, self.amount = usage, quantity, exact_amount, amount
        self.discount = Fraction(0)

    @property
    def net(self):
        return self.amount + self.discount


class Bill:
    """Lines, then discounts as listed, then maximum, commitment, minimum, included credits.
    shares: active part / full period by way of prorating; index: which period of the subscription."""

    def __init__(self, plan, usage, shares=None, index=0):
        self.plan, self.usage, self.index = plan, usage, index
        self.shares = shares or {"day": Fraction(1), "second": Fraction(1), "none": Fraction(1)}
        self.currency = plan["currency"]
        self.places = PLACES[self.currency]
        self.mode = plan.get("rounding", "halfUp")
        self.lines = []
        for charge in plan["charges"]:
            self.charge_lines(charge)
        for line in self.lines:
            self.share_line(line)
        for discount in plan.get("discounts", []):
            self.discount(discount)
        if "maximum" in plan:
            self.cap(self.scaled(plan["maximum"]), self.lines)
        if "commitment" in plan:
            self.commitment(plan["commitment"])
        if "minimum" in plan:
            self.top_up("minimum", self.scaled(plan["minimum"]) - sum(line.net for line in self.lines))
        if "includedCredits" in plan:
            self.reduce(self.lines, self.round(self.scaled(plan["includedCredits"])))
        self.subtotal = sum((line.amount for line in self.lines), Fraction(0))
        self.discounts = sum((line.discount for line in self.lines), Fraction(0))
        self.total = self.subtotal + self.discounts

    def round(self, amount):
        return to_places(amount, self.places, self.mode)

    def scaled(self, member):
        return exact(member["amount"]) * self.shares[member.get("prorate", "day")]

    def charge_lines(self, charge):
        share = self.shares[charge.get("prorate", "day")]
        if charge["model"] == "flat":
            if charge.get("oneTime") and self.index:
                return
            amount = exact(charge["amount"]) * share
            if self.round(amount):
                self.lines.append(Line(charge["id"], (), None, None, amount, self.round(amount), "charge"))
            return
        if charge["model"] == "percentOf":  # its turn comes when the others are there
            self.lines.append(Line(charge["id"], (), None, None, Fraction(0), Fraction(0), "charge"))
            return
        if several(charge):
            amount = self.floored(charge, price_several(charge, self.usage[charge["id"]]))
            self.lines.append(Line(charge["id"], (), None, None, amount, self.round(amount), "charge"))
            return
        pool = [exact(charge.get("included", 0)) * share]
        for group, aggregate, cells in self.usage[charge["id"]]:
            quantity, amount = self.measured(charge, aggregate, cells, pool)
            measured = sum(cells.values(), Fraction(0)) if charge["model"] == "matrix" else aggregate.rated
            amount = self.floored(charge, amount * exact(charge.get("conversionRate", 1)))
            self.lines.append(Line(charge["id"], group, measured, quantity, amount,
                                   self.round(amount), "charge", aggregate.events))

    @staticmethod
    def floored(charge, amount):
        return amount if amount > 0 or charge.get("allowNegative") else Fraction(0)

    @staticmethod
    def measured(charge, aggregate, cells, pool):
        """(quantity, amount) of one group."""
        if charge["model"] == "matrix":
            quantities = {cell: quantity_after(charge, cells[cell], pool) for cell in sorted(cells, key=group_key)}
            return (sum(quantities.values(), Fraction(0)),
                    sum((q * cell_price(charge, cell) for cell, q in quantities.items()), Fraction(0)))
        if charge["model"] == "eventPrice":
            return aggregate.rated, carried_price(charge, aggregate)
        if charge["model"] == "percentage" and by_event(charge):
            return aggregate.rated, price_events(charge, aggregate)
        quantity = quantity_after(charge, aggregate.rated, pool)
        return quantity, price(charge, quantity)

    def share_line(self, line):
        charge = next((charge for charge in self.plan["charges"] if charge["id"] == line.charge), None)
        if charge["model"] == "percentOf":
            base = sum((other.amount for other in self.lines if other.charge in charge["charges"]), Fraction(0))
            line.exact = base * exact(charge["ratePercent"]) / 100
            line.amount = self.round(line.exact)

    def of(self, charges):
        return [line for line in self.lines if line.charge is not None and (charges is None or line.charge in charges)]

    def reduce(self, lines, amount):
        """A discount of at most what is left, split over its lines."""
        left = [max(line.net, Fraction(0)) for line in lines]
        amount = min(amount, sum(left, Fraction(0)))
        units = (amount * 10 ** self.places).numerator if amount else 0
        for line, part in zip(lines, split(units, left)):
            line.discount -= Fraction(part, 10 ** self.places)

    def discount(self, rule):
        if rule.get("periods") is not None and self.index >= rule["periods"]:
            return
        lines = self.of(rule.get("charges"))
        left = sum((max(line.net, Fraction(0)) for line in lines), Fraction(0))
        amount = left * exact(rule["percent"]) / 100 if "percent" in rule else exact(rule["amount"])
        self.reduce(lines, self.round(amount))

    def cap(self, most, lines):
        over = sum((line.net for line in lines), Fraction(0)) - self.round(most)
        if over > 0:
            self.reduce(lines, over)

    def top_up(self, kind, missing):
        missing = self.round(missing)
        if missing > 0:
            self.lines.append(Line(None, (), None, None, missing, missing, kind))

    def commitment(self, rule):
        metered = {charge["id"] for charge in self.plan["charges"] if "meter" in charge or several(charge)}
        lines = self.of(set(rule["charges"]) & metered if "charges" in rule else metered)
        amount, share = self.scaled(rule), exact(rule.get("discountPercent", 0)) / 100
        listed = sum((line.net for line in lines), Fraction(0))
        covered = amount / (1 - share)
        factor = exact(rule["overageFactor"]) if "overageFactor" in rule else 1 - share
        if "overageFactor" not in rule or listed <= covered:
            self.reduce(lines, self.round(listed * share))
        else:
            self.reduce(lines, self.round(covered * share))
            extra = self.round((listed - covered) * (factor - 1))
            if extra > 0:
                self.lines.append(Line(None, (), None, None, extra, extra, "overage"))
            elif extra < 0:
                self.reduce(lines, -extra)
        if rule.get("trueUp", True):
            self.top_up("trueUp", amount - sum((line.net for line in lines), Fraction(0)))


# ---- periods of a subscription

def period(rule, zone, starts, at):
    """(natural start, natural end) of the period that holds `at`; anchors calendar, subscription, day 1..31."""
    every = int(rule.get("every", 1)) * {"quarter": 3, "year": 12}.get(rule["unit"], 1)
    unit = "month" if rule["unit"] in ("quarter", "year") else rule["unit"]
    anchor, date = rule.get("anchor", "calendar"), local(at, zone).date()
    if unit in ("day", "week"):
        days = every * (7 if unit == "week" else 1)
        first = dt.date(1970, 1, 5) if anchor == "calendar" else local(starts, zone).date()
        start = first + dt.timedelta(days=(date - first).days // days * days)
        return midnight(start, zone), midnight(start + dt.timedelta(days=days), zone)
    if anchor == "calendar":
        first, day = dt.date(2000, 1, 1), 1
    elif anchor == "subscription":
        first = local(starts, zone).date()
        day = first.day
    else:
        first, day = add_months(dt.date(2000, 1, 1), 0, int(anchor)), int(anchor)
    base = dt.date(first.year, first.month, 1)
    months = (date.year - base.year) * 12 + date.month - base.month
    step = months // every
    while add_months(base, step * every, day) > date:
        step -= 1
    while add_months(base, (step + 1) * every, day) <= date:
        step += 1
    return (midnight(add_months(base, step * every, day), zone),
            midnight(add_months(base, (step + 1) * every, day), zone))


def shares(active, natural, zone):
    """active part / full period: `day` by local dates, `second` by instants."""
    def date(us):
        return local(us, zone).date()
    return {"day": Fraction((date(active[1]) - date(active[0])).days, (date(natural[1]) - date(natural[0])).days),
            "second": Fraction(active[1] - active[0], natural[1] - natural[0]), "none": Fraction(1)}


def period_index(rule, zone, starts, at):
    """0 for the period that holds the start."""
    index, moment = 0, starts
    while True:
        _, end = period(rule, zone, starts, moment)
        if at < end:
            return index
        index, moment = index + 1, end


def subscription_bill(oracle, plan, subscription, zone, at, upto=None):
    """(period start, period end, Bill) of the period that holds `at`, clipped to the subscription."""
    starts = instant(subscription["startsAt"])
    natural = period(plan.get("period", {"unit": "month"}), zone, starts, at)
    active = (max(natural[0], starts),
              min(natural[1], instant(subscription["endsAt"])) if "endsAt" in subscription else natural[1])
    usage = oracle.rate_usage(plan, subscription["account"], active[0], active[1], upto)
    index = period_index(plan.get("period", {"unit": "month"}), zone, starts, at)
    return active[0], active[1], Bill(plan, usage, shares(active, natural, zone), index)
