# SPDX-License-Identifier: Apache-2.0
"""Whether the books are what the oracle says: every new invoice to the cent, what the invoices of a period come to
together, balances of the ledger by kind, numbers without a gap."""
import json
from collections import Counter
from fractions import Fraction

import year_books
from calendars import DAY
from exact import instant, nearest, print_instant
from subscription import Rated
from timeline import Period
from year_books import DrawLine, units
from year_plans import TAX_RATES
from year_world import PLANS, Invoice


HORIZON_DAYS = 90  # and a period's own length behind its end


class Wrong(AssertionError):
    pass


def must(truth, text):
    if not truth:
        raise Wrong(text)


def key_of(line):
    """By this a line is known again."""
    return line["kind"], line["charge"], json.dumps(line["group"], sort_keys=True), line["period"]["start"]


# ---- what bills come to

def nets_of(rated):
    """{key: units} of a rated period."""
    nets = {}
    for term, bill in zip(rated.terms, rated.bills):
        for line in bill.lines:
            key = key_of(line.wire(bill.currency, term.version))
            nets[key] = nets.get(key, 0) + line.net
    return nets


def is_too_late(service, now):
    start, end = service
    return 2 * end - start <= now - HORIZON_DAYS * DAY


def last_bills(account, one, now):
    """{key: units} of every period that is over, and the instant up to which that is."""
    timeline = one.timeline(account.zone, now)
    for at in account.touched if account.policy != "reopen" else ():
        for service in [service for service in one.periods if service[0] <= at < service[1]]:
            del one.periods[service]
    at, nets, seen = timeline.starts, {}, set()
    while at < timeline.ends:
        period = timeline.period(at)
        if period.service[1] > now:
            break
        seen.add(period.service)
        if period.service not in one.periods:
            one.periods[period.service] = nets_of(Rated(account.journal, timeline, period, None, now))
            one.sequences[period.service] = account.journal.sequence
        found = one.periods[period.service]
        if is_too_late(period.service, now):
            found = one.settled.setdefault(period.service, found)
        elif one.is_invoiced:
            one.settled[period.service] = found
        nets.update(found)
        at = period.service[1]
    return nets, at


def noted(account, one, key):
    """Units of a line that notes gave back by hand: when it falls, so much does not go back again."""
    rows = [(invoice.parts[place], units) for invoice in account.invoices.values() if not invoice.is_void
            for place, id, other, units, _ in invoice.lines if (id, other) == (one.id, key)]
    return max(0, sum(nearest(Fraction(units * part.by_hand, part.net)) for part, units in rows if part.by_hand))


def check_billed(account, now):
    """The invoices of the periods that are over come to their last bills, line by line."""
    for one in account.subscriptions.values():
        nets, cut = last_bills(account, one, now)
        for key in {*nets, *one.billed}:
            billed, wanted = one.billed.get(key, 0), nets.get(key, 0)
            # what came late waits for the next invoice of the subscription
            is_right = wanted <= billed <= wanted + noted(account, one, key)
            must(instant(key[3]) >= cut or is_right or not one.is_invoiced,
                 f"{one.id}: invoices of {key} come to {billed}, its last bill to {wanted}; {describe(one)}; "
                 f"{history(account, one, key)}")
        one.is_invoiced = False
    account.touched.clear()


def history(account, one, key):
    """Of a line: the invoices that have it, and the usage of its time."""
    found = [(invoice.number, place + 1, invoice.row["at"], invoice.row["createdAt"], invoice.is_void, units, [
                (note["number"], note["reasonCode"], note["createdAt"], note["lines"]) for note in invoice.notes])
             for invoice in account.invoices.values() for place, id, other, units, _ in invoice.lines
             if (id, other) == (one.id, key)]
    events = [(print_instant(event.ts), event.event, str(event.value), event.uid, event.sequence, event.gone)
              for event in account.journal.events if instant(key[3]) <= event.ts < instant(key[3]) + 40 * DAY]
    return f"invoices {found}, usage {events}"


def describe(one):
    log = [(change.kind, print_instant(change.at), print_instant(change.recorded), change.body) for change in one.log]
    return f"{one.first}, then {log}"


# ---- one invoice

class Due(Rated):
    """Only what is due at T: fees in advance that have begun, everything else that has ended."""

    def all_parts(self):
        made = super().all_parts()
        for term, parts in zip(self.terms, made):
            for charge in term.document["charges"]:
                edge = 0 if charge.get("timing") == "advance" else 1
                parts[charge["id"]] = [part for part in parts.get(charge["id"], ())
                                       if part.service[edge] <= self.rated_at]
        return made


class Reading:
    """One line of an invoice, beside what the oracle knows of its subscription."""

    def __init__(self, account, line, boundary, now):
        self.account, self.line, self.boundary = account, line, boundary
        self.one = account.subscriptions[line["subscription"]] if line["subscription"] else None
        self.start, self.end = instant(line["period"]["start"]), instant(line["period"]["end"])
        self.net = units(line["amount"]) + units(line["discount"])
        self.timeline = self.one.timeline(account.zone, now) if self.one else None

    def is_active(self):
        return self.timeline.starts <= self.start < self.timeline.ends

    def net_until(self, t):
        """Of this line, had the period ended at t."""
        timeline = self.one.timeline(self.account.zone, self.boundary)  # as it was known then
        if not timeline.starts <= self.start < timeline.ends:
            return None
        period = timeline.period(self.start)
        if t is not None:
            period = Period((period.service[0], t), period.full, period.index, period.zone)
        rated = Due(self.account.journal, timeline, period, None, self.boundary)
        return nets_of(rated).get(key_of(self.line))

    def so_far(self, t):
        """A(t): when only a part of the line is due, that share of it."""
        if not self.is_active():
            return self.net * (t - self.start) // (self.end - self.start)
        part, whole = self.net_until(t) or 0, self.net_until(None)
        if whole is None:
            whole = self.net
        if whole in (0, self.net):
            return part
        share = Fraction(part * self.net, whole)
        return int(share)  # towards zero

    def draw_line(self):
        of = (self.line.get("of") or {}).get("invoice")
        return DrawLine(self.line["charge"], self.start, self.end, self.net, self.so_far, of)

    def category(self):
        """Of its charge, else of the plan in force where it begins."""
        if self.one is None:
            return None
        known = self.one.timeline(self.account.zone, self.boundary)
        terms = [term for term in known.terms if term.start <= self.start]
        document = terms[-1].document if terms else PLANS[self.one.first["plan"]]
        charges = [charge for charge in document["charges"] if charge["id"] == self.line["charge"]]
        if self.line["charge"] and not charges:  # of another term: the oracle takes its word
            return self.line["taxCategory"]
        wanted = (charges[0].get("taxCategory") if charges else None) or document.get("taxCategory")
        must(self.line["taxCategory"] == wanted, f"a category {self.line['taxCategory']} for {wanted}: {self.line}")
        return wanted


def rates_of(account):
    ids = account.rates if account.tax_status == "taxable" else []
    return [year_books.rate_of(id, TAX_RATES[id]) for id in ids]


def check_invoice(account, row, rounding, now):
    """To the cent, and into the account."""
    document, currency = row["document"], row["currency"]
    readings = [Reading(account, line, instant(row["at"]), now) for line in document["lines"]]
    grants = [grant for grant in account.grants.values() if grant.currency == currency and grant.left > 0]
    priced = year_books.price([one.draw_line() for one in readings], [one.category() for one in readings],
                              rates_of(account), rounding, grants, account.balance.get(currency, 0),
                              {id: sum(one.draws.values()) for id, one in account.invoices.items()})
    amounts = [units(line["amount"]) for line in document["lines"]]
    discounts = [units(line["discount"]) for line in document["lines"]]
    wanted = {"subtotal": sum(amounts), "discounts": sum(discounts), "tax": priced.tax,
              "taxIncluded": priced.included, "creditsRestored": sum(priced.restores.values()),
              "total": priced.total, "toBalance": priced.to_balance,
              "credits": -priced.credits, "balanceUsed": -priced.balance_used,
              "amountDue": priced.total - priced.credits - priced.balance_used}
    got = {name: units(document[name]) for name in wanted}
    context = f"invoice {row['number']} of {account.id}: {json.dumps(row)}; grants {grants}; {describe_all(account)}"
    must(got == wanted, f"the oracle says {wanted}, and not {got}: {context}")
    must([units(line["tax"]) for line in document["lines"]] == priced.taxes, f"taxes {priced.taxes}: {context}")
    sums = {tax["rate"]: [units(tax["net"]), units(tax["tax"])] for tax in document["taxes"]}
    must(sums == priced.rates, f"sums of taxes {priced.rates}: {context}")
    take(account, row, readings, priced)


def counts_from(account, row, line):
    """What corrects another line counts where that does."""
    of = line.get("of")
    if of is None:
        return row["at"]
    if of["line"] is None:
        return of["period"]["end"]
    return next(line[4] for line in account.invoices[of["invoice"]].lines if line[0] == of["line"] - 1)


def describe_all(account):
    return "; ".join(map(describe, account.subscriptions.values()))


def in_force(account, currency, at):
    """What is left of credit, without what open bills will draw."""
    return sum(grant.left for grant in account.grants.values()
               if grant.currency == currency and grant.effective <= at < grant.expires)


def take(account, row, readings, priced):
    """The invoice happened."""
    charges, lines = {}, []
    for place, one in enumerate(readings):
        if one.one is not None:
            key = key_of(one.line)
            one.one.billed[key] = one.one.billed.get(key, 0) + one.net
            one.one.is_invoiced = True
            one.one.until = max(one.one.until, instant(row["at"]))
            lines.append((place, one.one.id, key, one.net, counts_from(account, row, one.line)))
        elif one.line["kind"] == "charge":
            name = one.line["description"]
            must(account.charges.get(name, ())[:2] == (row["currency"], one.net), f"a charge that nobody made: "
                 f"{one.line}, {account.charges}")
            charges[name] = account.charges.pop(name)
    account.add(account.balance, row["currency"], priced.to_balance - priced.balance_used)
    if priced.credits > 0:
        account.low(row["currency"], in_force(account, row["currency"], instant(row["createdAt"])))
    restores = {id: account.restore(account.invoices[id], most) for id, most in priced.restores.items()}
    made = account.invoices[row["id"]] = Invoice(
        row["id"], row["number"], row, priced.draws, priced.total - priced.credits - priced.balance_used,
        priced.balance_used, priced.to_balance, priced.parts, lines, charges, restores,
        is_late=all("of" in one.line for one in readings if one.one is not None),
        since=min(one.end for one in readings))
    account.billed(made, 1)


# ---- late usage that is credited at once

def falls(account, one, closed):
    """{key: units} that closed periods of it come to less than was billed of them."""
    nets, _ = last_bills(account, one, closed)
    found = {key: units - nets.get(key, 0) - noted(account, one, key) for key, units in one.billed.items()
             if units > nets.get(key, 0) and is_closed(one, instant(key[3]))}
    return {key: fall for key, fall in found.items() if fall > 0}


def is_closed(one, at):
    return any(service[0] <= at < service[1] <= one.until for service in one.periods)


def takes(account, one, key, fall):
    """(invoice, place, net, units): the newest line first, as much as is left of each."""
    rows = sorted((boundary, invoice.id, place, units, invoice) for invoice in account.invoices.values()
                  if not invoice.is_void for place, id, other, units, boundary in invoice.lines
                  if (id, other) == (one.id, key))
    for _, _, place, units, invoice in reversed(rows):
        part = invoice.parts[place]
        if fall <= 0 or units <= 0 or part.net <= 0 or invoice.is_lost:
            continue
        most = min(fall, units)
        whole = nearest(Fraction(part.net * most, units))
        net = min(whole, part.left)
        if net > 0:
            amount = most if net == whole else nearest(Fraction(units * net, part.net))
            fall -= amount
            yield invoice, place, net, amount


def late_notes(account, closed):
    """{(subscription, invoice): {place: (net, units)}} of what is to be credited: usage of a closed period moved."""
    wanted = {}
    for one in account.subscriptions.values():
        found = falls(account, one, closed)
        if not any(is_closed(one, at) for at in account.touched):
            continue
        for key, fall in found.items():
            for invoice, place, net, amount in takes(account, one, key, fall):
                wanted.setdefault((one.id, invoice.id), {})[place] = key, net, amount
    return wanted


def check_late_notes(account, notes, closed):
    """notes: new ones of late usage, in the order of their numbers."""
    wanted = late_notes(account, closed) if closed is not None else {}
    for note in notes:
        invoice = account.invoices[note["invoice"]]
        places = {line["line"] - 1 for line in note["lines"]}
        ids = {id for place, id, *_ in invoice.lines if place in places}
        must(len(ids) == 1, f"lines of several subscriptions: {note}")
        lines = wanted.pop((*ids, invoice.id), {})
        nets = {place: net for place, (_, net, _) in lines.items()}
        got = {line["line"] - 1: units(line["amount"]) for line in note["lines"]}
        must(got == nets, f"late usage is {nets} by the oracle, of {describe_all(account)}: {note}")
        apply = "balance" if sum(invoice.draws.values()) > 0 or not invoice.takes(nets, "invoice") else "invoice"
        must(note["apply"] == apply, f"to {apply} by the oracle: {note} of {invoice}")
        account.credited(invoice, nets, apply, note)
        one = account.subscriptions[next(iter(ids))]
        for key, _, amount in lines.values():
            one.billed[key] -= amount
            for service, settled in one.settled.items():
                if service[0] <= instant(key[3]) < service[1] and key in settled:
                    one.settled[service] = {**settled, key: settled[key] - amount}
        account.done["credit note of late usage"] += 1
    must(not wanted, f"nobody credits {wanted} of {account.id}; {describe_all(account)}")


# ---- late usage that is left for an operator

def has_moved(account, one, service):
    """An event came, or was taken back, after its invoice was made."""
    return any(service[0] <= event.ts < service[1] and one.sequences[service] < max(
                   [event.sequence, *(sequence for pair in event.gone for sequence in pair if sequence)])
               for event in account.journal.events)


def check_open(accounts, rows, now):
    """What waits is listed, but for what is beyond the horizon."""
    wanted = {(one.id, print_instant(start)) for account in accounts.values() for one in account.subscriptions.values()
              for start, end in one.periods
              if not is_too_late((start, end), now) and end <= one.until and has_moved(account, one, (start, end))}
    got = {(row["subscription"], row["period"]["start"]) for row in rows}
    must(got == wanted, f"waiting by the oracle: {sorted(wanted - got)[:5]}, by the list: "
         f"{[row for row in rows if (row['subscription'], row['period']['start']) not in wanted][:3]}")


# ---- the whole

def check_numbers(rows, prefix):
    """Of all documents that have one."""
    numbers = sorted(row["number"] for row in rows if row["number"])
    wanted = [f"{prefix}-{i + 1:06d}" for i in range(len(numbers))]
    must(numbers == wanted, f"numbers: {sorted(set(wanted) ^ set(numbers))[:10]} are missing or twice")


def check_boundaries(account):
    """Nothing is invoiced twice: a second invoice of an instant has only what came late. Behind one that was voided
    the instants are gone through again, for what has changed since."""
    seen = {}
    void = {}
    for one in account.invoices.values():
        if one.is_void:
            void[one.row["currency"]] = min(one.row["at"], void.get(one.row["currency"], one.row["at"]))
    for one in account.invoices.values():
        key = one.row["currency"], one.row["at"]
        is_again = key in seen and key[1] >= void.get(key[0], "9")
        if not one.is_void and not one.is_late and not is_again:
            must(key not in seen, f"two invoices of {key} of {account.id}: {one.number} and {seen.get(key)}")
            seen[key] = one.number


def check_rows(accounts, rows):
    """What the list says of each invoice is what happened to it."""
    for row in rows:
        one = accounts[row["account"]].invoices.get(row["id"])
        must(one is not None, f"an invoice that no run told: {row}")
        wanted = one.remaining, one.paid, one.status()
        got = units(row["amountRemaining"]), units(row["amountPaid"]), row["status"]
        must(got == wanted, f"remaining, paid and status are {wanted} by the oracle: {row}")


def expire(account, now):
    """Grants whose time is over end, once all that they may pay for is billed."""
    for grant in account.grants.values():
        if grant.left > 0 and grant.expires <= now and not may_still_pay(account, grant, now):
            account.add(account.breakage, grant.currency, grant.price - grant.cost(grant.drawn))
            grant.drawn, grant.ends = grant.amount, grant.ends + 1


def may_still_pay(account, grant, now):
    """A period that began before its end runs on, or a charge from before waits."""
    for one in account.subscriptions.values():
        timeline = one.timeline(account.zone, now)
        last = min(grant.expires, timeline.ends) - 1
        if one.currency == grant.currency and timeline.starts <= last and timeline.period(last).service[1] > now:
            return True
    return any(currency == grant.currency and at < grant.expires
               for currency, _, at in account.charges.values())


def check_expired(accounts, items):
    """Those that the runs say are those of the oracle."""
    got = sorted((item["account"], item["currency"], item["at"]) for item in items)
    wanted = sorted((account.id, grant.currency, print_instant(grant.expires)) for account in accounts.values()
                    for grant in account.grants.values() for _ in range(grant.ends))
    must(got == wanted, f"expired by the oracle: {list((Counter(wanted) - Counter(got)))[:5]}, "
         f"by the runs: {list((Counter(got) - Counter(wanted)))[:5]}")


def check_top_ups(accounts, rows):
    """Those that wait are those that the oracle's rules ask for."""
    got = {(row["account"], row["rule"]): units(row["amount"]) for row in rows if row["state"] == "pending"}
    wanted = {(one.id, rule): units for one in accounts.values() for rule, units in one.top_ups.items()}
    must(got == wanted, f"top-ups: {sorted(set(got.items()) ^ set(wanted.items()))[:10]}")


def check_grants(accounts, rows):
    """What is left of each is what the oracle says."""
    for row in rows:
        grant = accounts[row["account"]].grants[row["id"]]
        must(units(row["remaining"]) == grant.left, f"{grant.left} is left of {grant}, and not so: {row}")


def check_ledger(accounts, trial, kinds):
    """kinds: {kind: rows}. By the sign: debits above zero."""
    for total in trial["totals"]:
        must(units(total["difference"]) == 0, f"the trial balance is not zero: {total}")
    wanted = {kind: {} for kind in ("receivable", "customerBalance", "wallet")}
    whole = {}
    for account in accounts.values():
        sums_of(account, wanted, whole)
    for kind, sums in wanted.items():
        got = {(row["owner"], row["currency"]): units(row["balance"]) for row in kinds[kind] if units(row["balance"])}
        sums = {key: value for key, value in sums.items() if value}
        must(got == sums, f"{kind}: {sorted(set(got.items()) ^ set(sums.items()))[:10]}")
    check_shared(trial, whole)


def sums_of(account, wanted, whole):
    """whole: {(kind, owner, currency): units} of accounts that all share."""
    def add(sums, key, value):
        sums[key] = sums.get(key, 0) + value
    for one in account.invoices.values():
        currency = one.row["currency"]
        if one.is_lost:
            add(whole, ("income", "", currency), one.remaining)
        elif not one.is_void:
            add(wanted["receivable"], (account.id, currency), one.remaining)
    for currency, value in account.balance.items():
        add(wanted["customerBalance"], (account.id, currency), -value)
    for grant in account.grants.values():
        add(wanted["wallet"], (account.id, grant.currency), grant.cost(grant.drawn) - grant.price)
    for currency, value in [*account.income.items()]:
        add(whole, ("income", "", currency), -value)
    for currency, value in account.extra.items():
        add(whole, ("income", "", currency), value)
    for currency, value in account.breakage.items():
        add(whole, ("breakage", "", currency), -value)
    for name, sums, sign in (("cash", account.cash, 1), ("tax", account.taxes, -1), ("reason", account.reasons, 1)):
        for (owner, currency), value in sums.items():
            add(whole, (name, owner, currency), sign * value)


INCOME = ("revenue", "deferred", "unbilled", "writeoff")  # earned, to be earned, earned before it is billed, lost


def check_shared(trial, whole):
    """Cash by its method, tax by its rate, adjustments by their reason; all that is earned together."""
    got, reasons = {}, {owner for name, owner, _ in whole if name == "reason"}
    for row in trial["data"]:
        kind, owner, currency = row["kind"], row.get("owner"), row["currency"]
        if kind == "revenue" and owner in reasons:
            key = "reason", owner, currency
        elif kind in INCOME or kind == "breakage":
            key = "income" if kind in INCOME else kind, "", currency
        elif kind in ("cash", "tax"):
            key = kind, owner, currency
        else:
            continue
        got[key] = got.get(key, 0) + units(row["balance"])
    for key in {*got, *whole}:
        must(got.get(key, 0) == whole.get(key, 0), f"{key}: the ledger has {got.get(key, 0)}, "
             f"the oracle {whole.get(key, 0)}")
