# SPDX-License-Identifier: Apache-2.0
"""Who lives through the simulated year, and what they do in it. Every account is its own oracle: its events, the
logs of its subscriptions, its credit and its balance, as far as they were answered."""
import copy
import random
from collections import Counter
from dataclasses import dataclass, field

import usage
import year_books
from calendars import DAY, HOUR, add_months, local, midnight
from exact import PLACES, exact, instant, money, print_instant
from timeline import FOREVER, Change, Timeline
from year_books import Grant
from year_plans import METERS, RATES_OF_ACCOUNTS, REGIONS, WORTH, plans

YEAR = 2027
ZONES = ["UTC", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]
MINUTE = HOUR // 60
UNITS = ["north", "south"]
PLANS = plans()
VERSIONS = {(id, 1): document for id, document in PLANS.items()}


def month_start(number):
    """Of the year, from 0, in UTC."""
    return instant(f"{YEAR + number // 12}-{number % 12 + 1:02d}-01T00:00:00Z")


@dataclass
class Subscription:
    id: str
    first: dict
    log: list = field(default_factory=list)
    plan: str = ""
    at: int = 0            # of its last change of terms: the next comes later
    is_paused: bool = False
    is_over: bool = False
    is_invoiced: bool = False  # since the oracle looked last
    until: int = -FOREVER  # the boundary of its last invoice
    settled: dict = field(default_factory=dict)  # of them, what invoices have: what is too late stays so
    sequences: dict = field(default_factory=dict)  # {service: up to where its usage is billed}
    billed: dict = field(default_factory=dict)   # {key of a line: units} on invoices that count
    periods: dict = field(default_factory=dict)  # what the oracle has found: {service: {key: units}}

    @property
    def currency(self):
        return PLANS[self.first["plan"]]["currency"]

    def timeline(self, zone, now):
        return Timeline(self.first, self.log, VERSIONS, [(-FOREVER, zone)], now)


@dataclass
class Invoice:
    id: str
    number: str
    row: dict
    draws: dict
    remaining: int
    balance_used: int
    to_balance: int
    parts: list           # what it says of each line, for credit notes
    lines: list           # [(place, subscription, key, units, boundary)]; boundary: from when it counts
    charges: dict
    restores: dict        # {invoice: {grant: units}} of what it gave back to the wallet
    is_late: bool         # it has only what was billed before and changed
    since: int            # the earliest end of what its lines are for
    is_void: bool = False
    is_lost: bool = False     # written off
    is_touched: bool = False  # paid or credited, wholly or in part
    notes: list = field(default_factory=list)
    paid: int = 0
    refunded: int = 0
    balanced: int = 0         # what credit notes gave to the customer's balance

    def status(self):
        if self.is_void or self.is_lost:
            return "void" if self.is_void else "uncollectible"
        return "finalized" if self.remaining > 0 else "paid"

    def may_be_void(self):
        return not (self.is_touched or self.is_lost or self.is_void)

    def comes_to(self, wanted):
        """wanted: {place: units}, of a credit note. Its total, and what of that goes to the wallet."""
        total = sum(units + sum(self.parts[place].taxes_of(units).values()) for place, units in wanted.items())
        return total, min(total, sum(self.draws.values()))

    def takes(self, wanted, apply):
        """What does not go to the wallet is no more than remains of it, or than was paid and did not go back; the
        balance first gets what it had paid itself."""
        total, restored = self.comes_to(wanted)
        left = max(0, self.paid - self.refunded - max(0, self.balanced - self.balance_used))
        most = {"invoice": self.remaining, "refund": left, "balance": total}[apply]
        return total > 0 and total - restored <= most


@dataclass
class Rule:
    """When a wallet wants more."""
    currency: str
    threshold: int
    amount: int   # or 0
    target: int   # or 0
    enabled: bool


class Account:
    def __init__(self, seed, index):
        self.index, self.id = index, f"acct_{index:05d}"
        self.random = random.Random(f"{seed}/{index}")
        self.zone = self.random.choice(ZONES)
        self.currency = self.random.choice(["USD", "USD", "USD", "JPY", "KWD"])
        self.is_double = self.random.random() < 0.15
        self.is_mixed = self.is_double and self.random.random() < 0.5  # in whatever currencies
        self.rates = self.random.choice(RATES_OF_ACCOUNTS)
        self.tax_status = self.random.choice(["taxable"] * 8 + ["exempt", "reverseCharge"])
        self.journal = usage.Journal()
        for meter in METERS:
            self.journal.declare(meter)
        self.subscriptions, self.invoices = {}, {}
        self.grants = {}
        self.balance = {}       # {currency: units to the customer's credit}
        self.charges = {}       # {chargeKey: (currency, units, at)} that wait for an invoice
        self.rules, self.top_ups = {}, {}  # {rule: Rule}, {rule: units} that wait to be paid
        self.cash = {}          # {(method, currency): units} that came in, less what went out
        self.extra = {}         # revenue beyond invoices: charges from wallets
        self.reasons = {}       # {(reason, currency): units} of adjustments, to the customer above zero
        self.income, self.taxes = {}, {}  # {currency: units}, {(rate, currency): units} of invoices and credit notes
        self.breakage = {}      # what was paid for credit that nobody used
        self.touched = []       # instants of usage since the oracle looked last
        self.policy = "nextInvoice"  # of late usage
        self.made = 0
        self.done = Counter()   # what happened how often
        self.events = []        # of the last rounds, for repetitions and corrections
        self.voided = set()

    def chance(self, share):
        return self.random.random() < share

    def some_currency(self):
        return self.random.choice([one.currency for one in self.subscriptions.values()] or [self.currency])

    def part_of(self, units):
        """All of it or less, never nothing."""
        return units if self.chance(0.4) else self.random.randint(*sorted((units // abs(units), units)))

    def name(self, kind):
        self.made += 1
        return f"{kind}-{self.index}-{self.made}"

    def amount(self, currency, low, high):
        """Text of an amount worth so many dollars."""
        worth = WORTH[currency] * 10 ** PLACES[currency]
        return money(self.random.randint(int(low * worth) + 1, int(high * worth)), currency)

    def add(self, sums, currency, units):
        sums[currency] = sums.get(currency, 0) + units

    def body(self):
        return {**({} if self.is_mixed else {"currency": self.currency}), "timeZone": self.zone, "taxRates": self.rates,
                "taxStatus": self.tax_status, "netDays": self.random.choice([0, 14, 30])}

    # ---- usage

    def event(self, start, end):
        name = self.random.choice(["calls", "calls", "jobs", "logins", "payments"])
        made = {"meter": name, "account": self.id, "uniqueId": self.name("e"),
                "ts": print_instant(self.random.randrange(start, end) // 1000 * 1000)}
        made["properties"] = {"unit": self.random.choice(UNITS)}
        if name == "calls":
            made["value"] = self.random.randint(1, 700)
            made["properties"]["region"] = self.random.choice(REGIONS)
        elif name == "payments":
            made["value"] = money(self.random.randint(100, 90000), "USD")
        elif name == "jobs":
            made["value"] = self.random.randint(1, 5000)
        else:
            made["properties"]["user"] = f"u{self.random.randint(1, 7)}"
        return made

    def usage(self, start, end, late_from=None):
        """Events of that time, some of before, some that were sent already."""
        made = [self.event(start, end) for _ in range(self.random.randint(0, 6))]
        if late_from is not None and late_from < start and self.chance(0.15):
            made.append(self.event(late_from, start))
        if self.events and self.chance(0.2):
            made.append(self.random.choice(self.events))
        return made

    def took(self, sent):
        self.journal.take(sent)
        if sent not in self.events:
            self.events = (self.events + [sent])[-25:]
            self.touched.append(instant(sent["ts"]))

    def correctable(self, since):
        """Events that count, of after an instant."""
        return [sent for sent in self.events if instant(sent["ts"]) >= since
                and self.journal.ids[sent["uniqueId"]].counts_at(None)]

    # ---- subscriptions

    def first_subscriptions(self, now):
        for number in range(1 + self.is_double):
            currency = self.random.choice(list(WORTH)) if self.is_mixed else self.currency
            plan = self.random.choice([id for id, plan in PLANS.items() if plan["currency"] == currency])
            starts = now - 30 * MINUTE if self.chance(0.6) else now + self.random.randrange(70 * DAY)
            body = {"account": self.id, "plan": plan, "startsAt": print_instant(starts // MINUTE * MINUTE)}
            if self.is_double:  # each bills a part of the account's usage
                body["usageFilter"] = {"unit": [UNITS[number]]}
            if plan.startswith("team"):
                body["quantities"] = {"seats": str(self.random.randint(1, 9))}
            yield f"sub_{self.index:05d}_{number}", body

    def subscribed(self, id, body):
        self.subscriptions[id] = Subscription(id, {"planVersion": 1, **body}, plan=body["plan"],
                                              at=instant(body["startsAt"]))

    def some_instant(self, subscription, now):
        """Of a change: now, some days ago, soon, or at the next month. Where late usage is credited, or left alone, a
        change from before would hide which of the two an invoice corrects."""
        before = now - self.random.randrange(9 * DAY)
        at = self.random.choice([now, now, before if self.policy == "nextInvoice" else now,
                                 now + self.random.randrange(9 * DAY),
                                 midnight(add_months(local(now, self.zone).date().replace(day=1), 1), self.zone)])
        return max(at, subscription.at + HOUR) // 1000 * 1000

    def change(self, now):
        """(subscription, action, body) of what happens to one of them; None: nothing."""
        running = [one for one in self.subscriptions.values() if not one.is_over
                   and instant(one.first["startsAt"]) < now - DAY]
        if not running:
            return None
        one = self.random.choice(running)
        at = self.some_instant(one, now)
        draw = self.random.random()
        if draw < 0.08:
            return one, "cancel", {"at": print_instant(at), "credit": self.random.choice(["prorated", "none"])}
        if draw < 0.2 or (one.is_paused and draw < 0.7):
            action = "resume" if one.is_paused else "pause"
            usage = {} if one.is_paused else {"usage": self.random.choice(["billed", "free"])}
            return one, action, {"at": print_instant(at), **usage}
        body = {"effectiveAt": print_instant(at)}
        if one.plan.startswith("team") and draw < 0.6:
            body["quantities"] = {"seats": str(self.random.randint(0, 15))}
        elif draw < 0.8:
            other = [id for id, plan in PLANS.items() if plan["currency"] == one.currency and id != one.plan]
            body["plan"] = self.random.choice(other)
            if body["plan"].startswith("team"):
                body["quantities"] = {"seats": str(self.random.randint(1, 9))}
        else:
            charge = self.random.choice(PLANS[one.plan]["charges"])
            body["overrides"] = {"charges": {charge["id"]: {"name": self.name("renamed")}}}
            if "amount" in charge:
                body["overrides"]["charges"][charge["id"]]["amount"] = self.amount(one.currency, 5, 90)
        return one, "change", body

    def changed(self, one, action, body, recorded):
        body = copy.deepcopy(body)
        at = instant(body.pop("effectiveAt", None) or body.pop("at"))
        if "plan" in body:
            body["planVersion"], one.plan = 1, body["plan"]
        one.log.append(Change("terms" if action == "change" else action, at, recorded, body))
        one.at = max(one.at, at)
        one.is_paused = {"pause": True, "resume": False}.get(action, one.is_paused)
        one.is_over |= action == "cancel"
        if self.policy != "reopen":
            one.periods.clear()

    def is_changed_within(self, start, end):
        """Usage that comes while the run is under way would be counted, or not."""
        return any(start <= change.at <= end for one in self.subscriptions.values() for change in one.log)

    def shares_fees(self):
        """A discount or maximum over fees and usage: usage that comes while the run is under way has a part in what
        credit pays of a fee in advance."""
        return any(plan.startswith("capped") for one in self.subscriptions.values()
                   for plan in [one.first["plan"], *(change.body.get("plan", "") for change in one.log)])

    # ---- credit

    def grant(self, now):
        currency = self.some_currency()
        month = local(now, "UTC").date().replace(day=1)
        body = {"account": self.id, "currency": currency, "amount": self.amount(currency, 5, 120),
                "kind": self.random.choice(["paid", "promotional", "promotional"]),
                "priority": self.random.randint(0, 3)}
        draw = self.random.random()
        if draw < 0.5:
            body["effectiveAt"] = print_instant(midnight(month, "UTC"))
        elif draw < 0.75:
            body["effectiveAt"] = print_instant(now - self.random.randrange(20 * DAY))
        if self.chance(0.6):
            body["expiresAt"] = print_instant(
                midnight(add_months(month, self.random.randint(1, 4)), self.zone) if self.chance(0.6)
                else now + self.random.randint(3, 80) * DAY)
        if self.chance(0.25):
            body["appliesTo"] = {"charges": [self.random.choice(["fee", "calls", "seats", "jobs"])]}
        if self.chance(0.3):
            body["creditTiming"] = self.random.choice(["beforeTax", "afterTax"])
        return body

    def granted(self, answer):
        """What the answer says that it is."""
        units = year_books.units
        grant = self.grants[answer["id"]] = Grant(
            answer["id"], answer["currency"], answer["kind"], units(answer["amount"]), units(answer["price"]),
            answer["priority"], instant(answer["effectiveAt"]),
            instant(answer["expiresAt"]) if answer["expiresAt"] else year_books.FOREVER,
            answer["creditTiming"] == "beforeTax", tuple((answer["appliesTo"] or {}).get("charges") or ()))
        return grant

    def low(self, currency, available):
        """Each rule asks for more when there is too little, once."""
        for id, rule in self.rules.items():
            if rule.currency == currency and rule.enabled and available < rule.threshold:
                self.top_ups.setdefault(id, rule.amount or rule.target - available)

    # ---- invoices

    def unpaid(self):
        return [one for one in self.invoices.values() if one.remaining > 0 and not one.is_void]

    def restore(self, invoice, most):
        """Of what grants paid of an invoice, those that pay last first."""
        made = {}
        for id in sorted(invoice.draws, key=lambda id: self.grants[id].order(), reverse=True):
            units = made[id] = min(most, invoice.draws[id])
            self.move(invoice, id, -units)
            most -= units
        return made

    def left_of(self, invoice, place):
        """Of a line, for a credit note: what was not credited, and was not taken back by later invoices."""
        left = invoice.parts[place].left
        keys = [(id, key) for other, id, key, _, _ in invoice.lines if other == place]
        if left <= 0 or not keys:
            return left
        charged = sum(one.parts[other].left for one in self.invoices.values() if not one.is_void
                      for other, id, key, _, _ in one.lines if (id, key) == keys[0])
        return max(0, min(left, charged))

    def rest_of(self, invoice):
        """{place: units}"""
        rest = {place: self.left_of(invoice, place) for place in range(len(invoice.parts))}
        return {place: left for place, left in rest.items() if left}

    def credited(self, invoice, wanted, apply, note):
        """A credit note is what the oracle says."""
        units, currency = year_books.units, invoice.row["currency"]
        total, restored = invoice.comes_to(wanted)
        lines = [(place + 1, wanted[place], sum(invoice.parts[place].taxes_of(wanted[place]).values()))
                 for place in sorted(wanted)]
        got = [(line["line"], units(line["amount"]), units(line["tax"])) for line in note["lines"]]
        assert (got, units(note["total"]), units(note["creditsRestored"])) == (lines, total, restored), \
            f"lines {lines}, total {total}, of it {restored} to the wallet by the oracle, of {invoice}: {note}"
        invoice.notes.append(note)
        self.restore(invoice, restored)
        for place, net in wanted.items():
            part = invoice.parts[place]
            for rate, tax in part.taxes_of(net).items():
                self.add(self.taxes, (rate, currency), -tax)
            self.add(self.income, currency, -net)
            part.credited += net
            part.by_hand += net if note["reasonCode"] != "lateUsage" else 0
        invoice.is_touched = True
        if apply == "invoice":
            invoice.remaining -= total - restored
        elif apply == "balance":
            invoice.balanced += total - restored
            self.add(self.balance, currency, total - restored)
        else:
            invoice.refunded += total - restored
            self.add(self.cash, (note["method"], currency), restored - total)

    def move(self, invoice, grant, units):
        invoice.draws[grant] += units
        self.grants[grant].drawn += units

    def freed(self, invoice):
        """It is void: what it drew and used is back, and what it billed is not billed."""
        currency = invoice.row["currency"]
        for grant, units in invoice.draws.items():
            self.grants[grant].drawn -= units
        self.add(self.balance, currency, invoice.balance_used - invoice.to_balance)
        for id, grants in invoice.restores.items():
            for grant, units in grants.items():
                self.move(self.invoices[id], grant, units)
        for _, id, key, units, boundary in invoice.lines:
            one = self.subscriptions[id]
            one.billed[key] -= units
            if boundary != invoice.row["at"]:  # what it corrected is open again
                self.touched.append(instant(key[3]))
            one.until = min(one.until, instant(invoice.row["at"]) - 1)
            for service in [service for service in one.periods if service[1] >= instant(invoice.row["at"])]:
                del one.periods[service]  # it is made again with what is known then
                one.settled.pop(service, None)
        self.charges.update(invoice.charges)
        self.billed(invoice, -1)
        invoice.is_void, invoice.remaining = True, 0

    def billed(self, invoice, sign):
        """Its revenue and its taxes."""
        currency = invoice.row["currency"]
        for part in invoice.parts:
            self.add(self.income, currency, sign * part.net)
            for rate, tax in part.taxes.items():
                self.add(self.taxes, (rate, currency), sign * tax)
