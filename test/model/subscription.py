# SPDX-License-Identifier: Apache-2.0
"""What a subscription is billed for a period: the bills of its terms, each for its part of the period. What
neighbouring terms define alike is priced once, over both, in the later."""
import calendars
import prices
import usage
from bill import Bill, Inputs, Part, TermProgress, totals
from exact import ZERO, print_span
from timeline import FOREVER


class Rated:
    """One period of a timeline with the events up to `upto`, at T."""

    def __init__(self, journal, timeline, period, upto=None, rated_at=FOREVER, before=None):
        self.journal, self.timeline, self.period = journal, timeline, period
        self.upto, self.rated_at = upto, rated_at
        start, end = period.service
        self.terms = [term for term in timeline.terms if max(term.start, start) < min(term.end, end)]
        self.spans = [(max(term.start, start), min(term.end, end)) for term in self.terms]
        self.pauses = [(begin, finish) for begin, finish, _ in timeline.pauses]
        self.holes = [(begin, finish) for begin, finish, is_free in timeline.pauses if is_free]
        self.parts = self.all_parts()
        self.bills = []
        for i, term in enumerate(self.terms):
            if i > 0:
                same = term.plan_id == self.terms[i - 1].plan_id
                before = self.bills[-1].counted if same else None
            self.bills.append(self.bill(i, before))

    # ---- parts

    def all_parts(self):
        """Of each term {charge id: [Part]}."""
        made = [{charge["id"]: self.cut(i, charge) for charge in term.document["charges"]}
                for i, term in enumerate(self.terms)]
        for i in range(1, len(made)):
            for id in alike(self.terms[i - 1].document, self.terms[i].document):
                made[i][id] = joined(made[i - 1].pop(id) + made[i][id])
        return made

    def index(self, term):
        """Counted from the first period under that plan id."""
        return self.period.index - self.timeline.calendar.period(term.since).index

    def cut(self, i, charge):
        """By the charge's own periods, and where a trial ends."""
        term, (start, end) = self.terms[i], self.spans[i]
        if charge.get("oneTime") and self.index(term):
            return []
        if end == self.timeline.ends and not self.timeline.credits and charge.get("timing") == "advance":
            end = self.own_period(charge, end - 1)[1]
        trial_end = self.trial_end(term, charge)
        parts = []
        while start < end:
            full = self.own_period(charge, start)
            until = min(end, full[1])
            for begin, finish in ((start, min(until, trial_end)), (max(start, trial_end), until)):
                if begin < finish:
                    parts.append(Part((begin, finish), full, is_trial=begin < trial_end))
            start = until
        return [part for part in parts if part.service[0] < self.timeline.ends]  # the rest had not begun

    def own_period(self, charge, at):
        """The natural period of a charge: the plan's, or its own in it."""
        if "period" not in charge:
            return self.period.full
        era = self.timeline.calendar.era_at(at)
        length = {"every": int(charge["period"].get("every", 1)), "unit": charge["period"]["unit"],
                  "anchor": era.rule["anchor"]}
        if length["unit"] in ("day", "week") and length["anchor"] == "calendar":
            length["anchor"] = calendars.local(self.period.full[0], era.zone).date().isoformat()
        boundaries = calendars.Boundaries(length, era.zone, era.anchor, era.anchor_zone)
        number, (start, end) = boundaries.holding(at), self.period.full
        if boundaries.at(boundaries.holding(start)) < start:  # the period after a change of zone
            first = boundaries.first_from(start)
            if at < first[1]:
                return first[0], min(first[1], end)
        return boundaries.at(number), boundaries.at(number + 1)

    def trial_end(self, term, charge=None):
        """Of a charge; of the plan's own amounts, which wait only for a trial of everything."""
        trial = term.document.get("trial")
        if trial is None or ("charges" in trial and (charge is None or charge["id"] not in trial["charges"])):
            return -FOREVER
        return calendars.days_later(term.since, int(trial["days"]), self.period.zone)

    # ---- usage

    def usage(self, document, charge, part):
        account, (start, end) = self.timeline.first["account"], part.service
        whole = part.full if "period" in charge else self.period.service
        length = min(whole[1], self.period.service[1]) - max(whole[0], self.period.service[0])
        window = usage.Window(start, end, self.rated_at, self.period.zone, length, self.holes)

        def select(meter, terms=None, others=()):
            def mine(event):
                # what was reached in a free pause is still there after it
                is_free = not usage.looks_back(meter) and any(
                    begin <= event.ts < finish for begin, finish in self.holes)
                return (not is_free and usage.matches(self.timeline.first.get("usageFilter"), event)
                        and usage.matches(terms, event) and not any(usage.matches(other, event) for other in others))
            inside = self.journal.select(meter, account, start, end, self.upto)
            return ([event for event in inside if mine(event)],
                    [event for event in self.journal.before(meter, account, start, self.upto) if mine(event)])
        meters = self.journal.meters
        if prices.several(charge):
            return {name: usage.Aggregate(meters[name], *selected(select(meters[name]), window))
                    for name in prices.several(charge)}
        meter = meters[charge["meter"]]
        inside, before = select(meter, charge.get("filter"), rivals(document, charge))
        return grouped(meter, charge, inside, before, window)

    # ---- bills

    def bill(self, i, before):
        term = self.terms[i]
        for charge in term.document["charges"]:
            for part in self.parts[i].get(charge["id"], ()):
                if "meter" in charge or prices.several(charge):
                    part.usage = self.usage(term.document, charge, part)
        return Bill(term.document, Inputs(
            self.spans[i], self.period.full, self.index(term), self.rated_at, term.since, self.period.zone,
            self.parts[i], self.timeline.quantities, self.pauses, self.progress(i, before),
            self.trial_end(term), lambda since: self.discount_place(term, since)))

    def discount_place(self, term, since):
        """How many periods ago a discount began to count: with the first that begins at or after it."""
        calendar = self.timeline.calendar
        if since <= term.since:
            return self.index(term)
        if since > self.period.service[0]:
            return -1
        held = calendar.period(since)
        return self.period.index - held.index - (held.service[0] < since)

    def progress(self, i, before):
        """Where in its commitment's term the period is."""
        term = self.terms[i]
        rule = term.document.get("commitment", {}).get("term")
        if rule is None:
            return None
        count = length_of(rule) // length_of(term.document.get("period", {"unit": "month"}))
        begin, end = self.stretch(term)
        place = (self.period.index - self.timeline.calendar.period(begin).index) % count
        first = last = self.timeline.calendar.period(self.period.service[0])  # whole, whenever it ends
        for _ in range(place):
            first = self.timeline.calendar.period(first.service[0] - 1)
        for _ in range(place + 1, count):
            last = self.timeline.calendar.period(last.service[1])
        service = max(first.service[0], begin), min(last.service[1], end)
        goes_on = i + 1 < len(self.terms) and self.terms[i + 1].plan_id == term.plan_id
        ends_here = (place == count - 1 or end <= self.period.service[1]) and not goes_on
        counted = (ZERO, ZERO)
        if before is not None:
            counted = before
        elif i == 0 and service[0] < self.period.service[0]:
            earlier = self.timeline.period(self.period.service[0] - 1)
            if earlier.index >= first.index:
                counted = Rated(self.journal, self.timeline, earlier, self.upto, self.rated_at).bills[-1].counted
        return TermProgress(service, (first.full[0], last.full[1]), *counted, ends_here)

    def stretch(self, term):
        """How long it is under its plan id without another in between: a commitment that is come back to is new."""
        terms, first = self.timeline.terms, self.timeline.terms.index(term)
        last = first
        while first > 0 and terms[first - 1].plan_id == term.plan_id:
            first -= 1
        while last + 1 < len(terms) and terms[last + 1].plan_id == term.plan_id:
            last += 1
        return terms[first].start, terms[last].end

    def wire(self):
        lines = [line for bill in self.bills for line in bill.lines]
        shown = [line.wire(bill.currency, term.version) for term, bill in zip(self.terms, self.bills)
                 for line in bill.lines]
        return {"account": self.timeline.first["account"], "currency": self.bills[0].currency,
                "period": print_span(*self.period.service), "lines": shown,
                **totals(lines, self.bills[0].currency)}


def selected(events, window):
    return events[0], window, events[1]


def alike(before, after):
    """The charges that take the same events at the same price. A share of other charges and what it is a share of
    go together: all of them, or each in its own term."""
    others = {charge["id"]: charge for charge in after["charges"]}
    same = {charge["id"] for charge in before["charges"] if charge["id"] in others
            and definition(charge) == definition(others[charge["id"]])
            and rivals(before, charge) == rivals(after, others[charge["id"]])}
    shares = [charge for charge in before["charges"] + after["charges"] if charge["model"] == "percentOf"]
    while True:
        apart = {id for share in shares for id in [share["id"], *share["charges"]]
                 if not {share["id"], *share["charges"]} <= same}
        if not same & apart:
            return [charge["id"] for charge in before["charges"] if charge["id"] in same]
        same -= apart


def definition(charge):
    return {name: value for name, value in charge.items() if name != "name"}


def rivals(document, charge):
    """The filters of charges that take some of its events: within a plan the charges on a meter share them."""
    if charge.get("alsoCounts") or "meter" not in charge:
        return []
    own = charge.get("filter", {})
    return [other.get("filter", {}) for other in document["charges"]
            if other.get("meter") == charge["meter"] and other["id"] != charge["id"] and not other.get("alsoCounts")
            and other.get("filter", {}) != own and prices.within(other.get("filter", {}), own)]


def joined(parts):
    """Parts that go on where another ends are one."""
    made = []
    for part in parts:
        last = made[-1] if made else None
        if last is not None and last.service[1] == part.service[0] and last.full == part.full \
                and last.is_trial == part.is_trial:
            last.service = (last.service[0], part.service[1])
        else:
            made.append(part)
    return made


def grouped(meter, charge, inside, before, window):
    """[(group, {cell: Aggregate})]"""
    group_by, cells = sorted(charge.get("groupBy", ())), sorted(charge.get("dimensions", ()))
    earlier, made = usage.split_by(before, group_by), []
    for group, aggregate in usage.groups(meter, inside, group_by, window, before):
        parts = {(): aggregate}
        if cells:
            parts = dict(usage.groups(meter, aggregate.every, cells, window, earlier.get(group, ())))
        made.append((group, parts))
    return made


def length_of(rule):
    """In months, or in days."""
    return int(rule.get("every", 1)) * {"day": 1, "week": 7, "month": 1, "quarter": 3, "year": 12}[rule["unit"]]


def subscription_bill(journal, timeline, at, upto=None, rated_at=FOREVER):
    """The bill of the period that holds `at`, as it goes over the wire; None when there is none."""
    if not timeline.starts <= at < timeline.ends:
        return None
    return Rated(journal, timeline, timeline.period(at), upto, rated_at).wire()
