# SPDX-License-Identifier: Apache-2.0
"""Random meters, plans and events, from a seed. What the documents leave open is not made here."""
import datetime as dt
import random
from decimal import Decimal
from fractions import Fraction

import calendars
import exact
import prices
import usage

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Auckland",
         "Pacific/Tongatapu", "Pacific/Kiritimati", "America/St_Johns"]
AGGREGATIONS = ["sum", "sum", "count", "min", "max", "average", "latest", "uniqueCount", "timeWeighted", "percentile"]
OVER_WINDOWS = ["count", "sum", "average", "min", "max", "latest", "percentile"]
PROPERTIES = {"region": ["eu-1", "us-1", "ap-1", "größe", "a\"b"], "tier": ["free", "pro", "max"],
              "size": [1, 2, Decimal("2.0"), Decimal("3.5"), "7"], "model": ["m1", "m2", "m3", "m4", "m5", "m6"],
              "operation": ["add", "add", "remove", "other", "", None],
              "tokens": [Decimal("10"), Decimal("0.125"), "12.5", Decimal("-3"), "many", "", None, Decimal("1e3")]}
DIMENSIONS = ["region", "tier", "size"]
FROM = exact.instant("2026-02-10T00:00:00Z")
UNTIL = exact.instant("2026-05-20T00:00:00Z")
HOUR = 3_600_000_000


def in_order(members, least, most):
    """Swaps the two when they are the wrong way round."""
    if least in members and most in members and exact.exact(members[least]) > exact.exact(members[most]):
        members[least], members[most] = members[most], members[least]


class World:
    def __init__(self, seed, prefix, streams=None):
        self.random = random.Random(seed)
        self.prefix = prefix
        self.zone = self.random.choice(ZONES)
        self.streams = streams or [f"{prefix}.s{i}" for i in range(self.random.randint(1, 3))]
        self.accounts = [f"{prefix}/ä {i}" if i == 0 else f"{prefix}-a{i}" for i in range(self.random.randint(1, 3))]
        self.made = 0
        # instants that matter: local month starts, to the microsecond around them
        self.edges = [edge for start, edge in calendars.windows("month", FROM, UNTIL, self.zone)]

    def some(self, values, least=0):
        count = self.random.randint(least, len(values))
        return self.random.sample(values, count)

    # ---- meters

    def meter(self, stream, plain=False):
        self.made += 1
        meter = {"id": f"{self.prefix}.m{self.made}", "event": stream, "aggregation": "sum"}
        if plain:
            return meter
        meter["aggregation"] = kind = self.random.choice(AGGREGATIONS)
        self.meter_options(meter)
        if kind == "uniqueCount":
            meter["property"] = self.random.choice(["model", "region", "size"])
        elif kind != "count" and self.random.random() < 0.4:
            meter["property"] = "tokens"
        if self.random.random() < 0.4:
            meter["filter"] = {key: self.texts(key) for key in self.some(["region", "tier"], 1)}
        if self.random.random() < 0.3:
            meter["exclude"] = [{key: self.texts(key)} for key in self.some(["region", "tier"], 1)]
        meter["dimensions"] = sorted(self.some(DIMENSIONS))
        return meter

    def meter_options(self, meter):
        """What only some aggregations have."""
        kind, chance = meter["aggregation"], self.random.random
        if kind == "timeWeighted":
            meter["input"] = self.random.choice(["level", "change"])
            meter["per"] = self.random.choice(["second", "hour", "day", "period"])
        if kind in ("sum", "uniqueCount") and chance() < 0.2:
            meter["carryOver"] = True
        if kind == "uniqueCount" and chance() < 0.3:
            meter["operationProperty"] = "operation"
        if chance() < 0.15:
            meter["window"] = {"unit": self.random.choice(["hour", "day", "week", "month"]),
                               "aggregation": self.random.choice(OVER_WINDOWS)}
        if "percentile" in (kind, meter.get("window", {}).get("aggregation")):
            meter["percentile"] = self.random.choice(["50", "95", "99.9", "0.5", "100"])

    def texts(self, key):
        return sorted({usage.property_of(value)[1] for value in self.some(PROPERTIES[key], 1)})

    # ---- events

    def instant(self):
        draw = self.random.random()
        if draw < 0.15:
            return self.random.choice(self.edges) + self.random.choice([-1, 0, 1])
        if draw < 0.3:  # ties
            return FROM + self.random.randrange(40) * 6 * HOUR
        return self.random.randrange(FROM, UNTIL)

    def value(self):
        draw = self.random.random()
        if draw < 0.5:
            return Decimal(self.random.randint(0, 5000))
        if draw < 0.9:
            return Decimal(self.random.randint(0, 10 ** 9)).scaleb(-self.random.randint(1, 9))
        if draw < 0.95:
            return Decimal(-self.random.randint(1, 50))
        return Decimal(self.random.randint(1, 10 ** 15 - 1)).scaleb(-self.random.choice([6, 12]))

    def event(self):
        self.made += 1
        made = {"meter": self.random.choice(self.streams), "account": self.random.choice(self.accounts),
                "value": self.value(), "ts": exact.print_instant(self.instant()),
                "uniqueId": f"{self.prefix}#{self.made}"}
        if self.random.random() < 0.05:
            del made["value"]
        properties = self.properties()
        if properties:
            made["properties"] = properties
        return made

    def properties(self):
        return {key: self.random.choice(PROPERTIES[key]) for key in self.some(list(PROPERTIES))}

    def again(self, sent):
        """The same event in other words."""
        made = dict(sent)
        if "value" in made and self.random.random() < 0.5:
            value = Decimal(made["value"])
            made["value"] = self.random.choice([format(value, "f"), value * Decimal("1.0")])
        if self.random.random() < 0.3:
            zone = dt.timezone(dt.timedelta(minutes=self.random.choice([-210, 60, 780])))
            moment = exact.EPOCH + dt.timedelta(microseconds=exact.instant(made["ts"]))
            made["ts"] = moment.astimezone(zone).isoformat()
        elif self.random.random() < 0.2:
            del made["ts"]
        if "properties" in made:
            keys = list(made["properties"])
            self.random.shuffle(keys)
            made["properties"] = {key: made["properties"][key] for key in keys}
        return made

    def other(self, sent):
        """The same id with another content."""
        made = dict(sent)
        change = self.random.choice(["value", "account", "ts", "properties", "meter"])
        if change == "value":
            made["value"] = Decimal(made.get("value", 1)) + 1
        elif change == "account":
            made["account"] += "x"
        elif change == "ts":
            made["ts"] = exact.print_instant(exact.instant(made["ts"]) + 1)
        elif change == "meter" and len(self.streams) > 1:
            made["meter"] = next(name for name in self.streams if name != sent["meter"])
        else:
            made["properties"] = {**made.get("properties", {}), "extra": "1"}
        return made

    def traffic(self, count, known):
        """Events with duplicates, conflicts and strangers among them, out of order. `known`: fresh ones,
        which it adds to."""
        made = []
        for _ in range(count):
            draw = self.random.random()
            if draw < 0.12 and known:
                made.append(self.again(self.random.choice(known)))
            elif draw < 0.16 and known:
                made.append(self.other(self.random.choice(known)))
            elif draw < 0.18:
                made.append({**self.event(), "meter": "nobody"})
            else:
                known.append(self.event())
                made.append(known[-1])
        return made

    def batches(self, events):
        at = 0
        while at < len(events):
            size = self.random.choice([1, 1, 2, 7, 30, 100, 500])
            yield events[at:at + size]
            at += size

    # ---- plans

    def decimal(self, most, places):
        return exact.show(Fraction(self.random.randint(1, most * 10 ** places), 10 ** places))

    def tiers(self, model):
        bounds = sorted({self.random.choice([1, 10, 99, 100, 1000, 5000, 20000, "0.5", "1234.5"])
                         for _ in range(self.random.randint(1, 3))}, key=exact.exact)
        tiers = [{"upTo": str(bound)} for bound in bounds] + [{}]
        for tier in tiers:
            if self.random.random() < 0.15:
                tier.update(packageSize=self.decimal(100, 0), packagePrice=self.decimal(5, 2))
            else:
                tier["unitPrice"] = self.decimal(1, 6)
            if self.random.random() < 0.3:
                tier["flatFee"] = self.decimal(20, 2)
            if self.random.random() < 0.15:
                tier["cap"] = self.decimal(50, 2)
        return tiers

    def share(self, meter):
        made = {"model": "percentage", "ratePercent": self.decimal(20, 2)}
        if self.random.random() < 0.4:
            made["freeAmount"] = self.decimal(3000, 1)
        if meter["aggregation"] == "sum" and not {"carryOver", "window"} & set(meter) and self.random.random() < 0.7:
            for name, value in (("perEventFee", self.decimal(2, 2)), ("freeEvents", self.random.randint(0, 5)),
                                ("eventMinimum", self.decimal(1, 2)), ("eventMaximum", self.decimal(90, 0))):
                if self.random.random() < 0.4:
                    made[name] = value
        return made

    def matrix(self, meter):
        dimensions = self.some(meter["dimensions"], 1)
        cells = [{"when": {dimensions[0]: text}, "unitPrice": self.decimal(1, 6)} for text in self.texts(dimensions[0])]
        if len(dimensions) > 1:  # within the first cell, and so more specific
            cells.append({"when": {**cells[0]["when"], dimensions[1]: self.texts(dimensions[1])},
                          "unitPrice": self.decimal(1, 6)})
        return {"model": "matrix", "dimensions": dimensions, "cells": cells, "defaultUnitPrice": self.decimal(1, 6)}

    def steps(self, model):
        bounds = sorted({self.random.choice([1, 50, 1000, "2500.5"]) for _ in range(2)}, key=exact.exact)
        tiers = [{"upTo": str(bound)} for bound in bounds] + [{}]
        for tier in tiers:
            if model == "graduatedPercentage":
                tier["ratePercent"] = self.decimal(9, 3)
            if model == "stairstep" or self.random.random() < 0.5:
                tier["flatFee"] = self.decimal(90, 2)
        return {"model": model, "tiers": tiers}

    def several(self, meters):
        """A charge over several meters, beside what other charges count of them."""
        named = {name: meter["id"] for name, meter in zip("abc", self.some(meters, 1)[:3])}
        names = list(named)
        if self.random.random() < 0.4:
            limits = [{meter: str(most * 500) for meter in named.values()} for most in (1, 20)]
            return {"model": "capacity", "alsoCounts": True,
                    "tiers": [{"limits": limits[0], "amount": self.decimal(90, 2)},
                              {"limits": limits[1], "amount": self.decimal(90, 2)}, {"amount": self.decimal(900, 2)}]}
        return {"model": "formula", "alsoCounts": True, "meters": named, "expression": self.expression(names, 3)}

    def expression(self, names, depth):
        draw = self.random.random()
        if depth == 0 or draw < 0.2:
            return self.random.choice([*names, *names, str(self.random.randint(0, 9)), self.decimal(3, 3)])
        one, two = self.expression(names, depth - 1), self.expression(names, depth - 1)
        if draw < 0.6:
            return f"({one} {self.random.choice('+-*/')} {two})"
        if draw < 0.7:
            return f"{self.random.choice(['ceil', 'floor', 'round'])}({one} / 7)"
        if draw < 0.85:
            return f"{self.random.choice(['min', 'max'])}({one}, {two}, 100)"
        sign = self.random.choice(["<", "<=", ">", ">=", "==", "!="])
        return f"if({one} {sign} {two}, {two}, -{one} + 1)"

    def price(self, meter):
        draw = self.random.random()
        if draw < 0.12:
            return self.share(meter)
        if draw < 0.2 and meter.get("dimensions"):
            return self.matrix(meter)
        if draw < 0.3:
            return self.steps(self.random.choice(["stairstep", "graduatedPercentage"]))
        if draw < 0.35:
            return {"model": "eventPrice", "property": "tokens"}
        model = self.random.choice(["perUnit", "graduated", "volume", "package"])
        made = {"model": model}
        if model == "perUnit":
            made["unitPrice"] = self.decimal(1, 7)
        elif model == "package":
            made.update(packageSize=self.decimal(500, 1), packagePrice=self.decimal(9, 2))
        else:
            made["tiers"] = self.tiers(model)
            if self.random.random() < 0.2:
                made["flatFeeAtZero"] = True
        return made

    def operators(self, charge):
        if charge["model"] in ("eventPrice", "perUnit", "percentage") and self.random.random() < 0.15:
            charge["allowNegative"] = True
        if charge["model"] == "eventPrice" or prices.by_event(charge):
            return
        if self.random.random() < 0.1:
            charge.update(pricingUnit="credit", conversionRate=self.random.choice(["0.5", "0.01", "3"]))
        if self.random.random() < 0.25:
            charge["included"] = self.decimal(2000, 0)
        if "groupBy" in charge and self.random.random() < 0.2:
            charge["includedPerGroup"] = self.decimal(300, 0)
        draw = self.random.random()
        if draw < 0.15:
            charge["divideBy"] = self.random.choice(["1000", "3", "7", "60"])
        elif draw < 0.3:
            charge["multiplyBy"] = self.random.choice(["2", "0.001", "1.5"])
        if self.random.random() < 0.25:
            charge["roundQuantity"] = {"mode": self.random.choice(["up", "down", "nearest"]),
                                       "places": self.random.choice([0, 1, 3])}

    @staticmethod
    def bill_events(charge):
        """A line is the same; each event is posted as it comes."""
        if charge["model"] in ("perUnit", "graduated", "package", "graduatedPercentage") and not (
                {"flatFeeAtZero", "groupBy"} & set(charge)):
            charge["bill"] = "event"

    def plan(self, meters):
        charges = []
        for meter in self.some(meters, 1):
            usable = [key for key in meter.get("dimensions", []) if key in ("region", "tier")]
            filters = [{}]
            if usable and self.random.random() < 0.6:  # a chain, each inside the one before
                key = self.random.choice(usable)
                filters.append({key: sorted(set(self.texts(key)))})
                rest = [other for other in usable if other != key]
                if rest and self.random.random() < 0.5:
                    filters.append({**filters[1], rest[0]: self.texts(rest[0])})
            for terms in filters[self.random.choice([0, 0, 0, len(filters) - 1]):]:
                charge = {"id": f"c{len(charges)}", "meter": meter["id"], **self.price(meter)}
                if terms:
                    charge["filter"] = terms
                rest = [key for key in meter.get("dimensions", []) if key not in charge.get("dimensions", [])]
                if rest and self.random.random() < 0.3:
                    charge["groupBy"] = sorted(self.some(rest, 1))
                self.operators(charge)
                if set(meter) <= {"id", "event", "aggregation"} and self.random.random() < 0.3:
                    self.bill_events(charge)
                charges.append(charge)
        if self.random.random() < 0.6:
            charges.append({"id": "base", "model": "flat", **self.timing(), "amount": self.decimal(500, 2),
                            "prorate": self.random.choice(["day", "second", "none"])})
            if self.random.random() < 0.3:
                charges[-1]["oneTime"] = True
        if self.random.random() < 0.3:
            charges.append({"id": "several", **self.several(meters)})
        if self.random.random() < 0.35:
            charges.append(self.seats())
        if self.random.random() < 0.25:
            named = [charge["id"] for charge in self.some(charges, 1)]
            charges.insert(self.random.randint(0, len(charges)),
                           {"id": "share", "model": "percentOf", "charges": named, "ratePercent": self.decimal(20, 2)})
        plan = {"currency": self.random.choice(["USD", "USD", "JPY", "KWD"]), "timeZone": self.zone,
                "rounding": self.random.choice(["halfUp", "halfUp", "halfEven", "up", "down"]),
                "period": self.period(), "charges": charges}
        self.adjust(plan)
        self.lengths(plan)
        return plan

    def period(self):
        """Mostly months; any unit and anchor that cut time."""
        if self.random.random() < 0.6:
            return {"every": 1, "unit": "month",
                    "anchor": self.random.choice(["calendar", "calendar", "subscription", 31, 15])}
        unit = self.random.choice(["day", "week", "month", "quarter", "year"])
        anchor = self.random.choice(["subscription", "subscriptionInstant", "2026-02-28", "2025-12-31"])
        lengths = {"day": [9, 28, 30], "week": [1, 2, 3], "month": [2, 3, 6], "quarter": [1, 2], "year": [1]}[unit]
        if unit in ("week", "month", "quarter", "year") and self.random.random() < 0.3:
            every = [2, 3, 6] if unit == "month" else [1]
            return {"every": self.random.choice(every), "unit": unit, "anchor": "calendar"}
        return {"every": self.random.choice(lengths), "unit": unit, "anchor": anchor}

    def lengths(self, plan):
        """Charges with a period of their own in the plan's, and a commitment over several periods."""
        rule = plan["period"]
        own = {("day", 9): [(3, "day")], ("day", 28): [(7, "day"), (2, "week")], ("day", 30): [(10, "day")],
               ("week", 1): [(1, "day")], ("week", 2): [(1, "week"), (7, "day")], ("week", 3): [(1, "week")],
               ("month", 2): [(1, "month")], ("month", 3): [(1, "month"), (1, "quarter")],
               ("month", 6): [(1, "quarter")],
               ("quarter", 1): [(1, "month")], ("quarter", 2): [(2, "month"), (1, "quarter")],
               ("year", 1): [(1, "month"), (1, "quarter"), (6, "month")]}.get((rule["unit"], rule["every"]), [])
        for charge in plan["charges"]:
            if own and "oneTime" not in charge and self.random.random() < 0.3:
                every, unit = self.random.choice(own)
                charge["period"] = {"every": every, "unit": unit}
        if "commitment" in plan and self.random.random() < 0.4:
            plan["commitment"]["term"] = {"every": rule["every"] * self.random.randint(1, 3), "unit": rule["unit"]}

    def timing(self):
        return {"timing": "advance"} if self.random.random() < 0.4 else {}

    def seats(self):
        """Something the subscription holds so many of."""
        model = self.random.choice(["perUnit", "perUnit", "graduated", "volume", "package", "stairstep"])
        charge = {"id": "seats", "quantity": "seats", "model": model, **self.timing(),
                  "prorate": self.random.choice(["day", "second", "none"])}
        if model == "perUnit":
            charge["unitPrice"] = self.decimal(30, 2)
        elif model == "package":
            charge.update(packageSize=self.decimal(5, 0), packagePrice=self.decimal(9, 2))
        else:
            charge["tiers"] = ([{"upTo": "3", "flatFee": self.decimal(20, 2)}, {"flatFee": self.decimal(50, 2)}]
                               if model == "stairstep" else self.tiers(model))
        if self.random.random() < 0.2:
            charge["included"] = str(self.random.randint(1, 4))
        if "timing" in charge and self.random.random() < 0.6:
            charge["onIncrease"] = self.random.choice(["now", "nextInvoice", "nextPeriod"])
            charge["onDecrease"] = self.random.choice(["credit", "nextPeriod"])
        return charge

    def bounds(self, charge, places):
        """Of a metered charge: least and most of the charge and of each group."""
        for member, most in (("minimum", 60), ("maximum", 300)):
            if self.random.random() < 0.12:
                charge[member] = self.decimal(most, places)
            if "groupBy" in charge and self.random.random() < 0.12:
                charge[member + "PerGroup"] = self.decimal(most // 3, places)
        for suffix in ("", "PerGroup"):
            in_order(charge, "minimum" + suffix, "maximum" + suffix)

    def adjust(self, plan):
        """What is taken off the lines, and what is added to them."""
        places = exact.PLACES[plan["currency"]]
        seats = any(charge.get("quantity") == "seats" for charge in plan["charges"])
        for charge in plan["charges"]:
            if "meter" in charge and charge.get("bill") != "event":
                self.bounds(charge, places)
                if seats and "included" in charge and self.random.random() < 0.3:
                    charge["included"] = {"perUnit": "seats", "amount": self.decimal(90, 0)}
        kind = self.random.choice(["none", "none", "discounts", "minimum", "maximum", "commitment", "credits",
                                   "discounts+minimum", "commitment+minimum", "discounts+credits",
                                   "discounts+maximum+commitment+minimum+credits"])
        if "discounts" in kind:
            plan["discounts"] = [{"id": f"d{i}", **self.discount(plan, places)}
                                 for i in range(self.random.randint(1, 3))]
        if "minimum" in kind:
            plan["minimum"] = {"amount": self.decimal(900, places)}
        if "maximum" in kind:
            plan["maximum"] = {"amount": self.decimal(300, places)}
        if "commitment" in kind:
            plan["commitment"] = {"amount": self.decimal(900, 0), "discountPercent": self.random.choice(["20", "50"])}
            if self.random.random() < 0.5:
                plan["commitment"]["overageFactor"] = self.random.choice(["1", "0.75", "1.5"])
            if self.random.random() < 0.3:
                plan["commitment"]["trueUp"] = False
        if "credits" in kind:
            plan["includedCredits"] = {"amount": self.decimal(60, places)}
        if "minimum" in plan and "maximum" in plan:
            bounds = {member: plan[member]["amount"] for member in ("minimum", "maximum")}
            in_order(bounds, "minimum", "maximum")
            for member, amount in bounds.items():
                plan[member]["amount"] = amount
        for member in ("minimum", "maximum", "commitment", "includedCredits"):
            if member in plan and self.random.random() < 0.4:
                plan[member]["prorate"] = self.random.choice(["day", "second", "none"])

    def discount(self, plan, places):
        made = ({"percent": self.decimal(60, 1)} if self.random.random() < 0.7
                else {"amount": self.decimal(40, places)})
        if self.random.random() < 0.4:
            made["charges"] = [charge["id"] for charge in self.some(plan["charges"], 1)]
        if self.random.random() < 0.4:
            made["periods"] = self.random.randint(1, 3)
        if self.random.random() < 0.2:
            made["startsAt"] = exact.print_instant(self.instant())
        return made
