# SPDX-License-Identifier: Apache-2.0
"""What a subscription is billed for a period: its terms, the parts of every charge, their usage."""
import calendars
import prices
import usage
from bill import Bill, Inputs, Part
from exact import exact, instant, print_span


def part_usage(journal, plan, charge, account, span, upto, until, zone):
    """What a metered charge counts in a stretch of time: within a plan the charges on a meter share its events."""
    def window():
        return usage.Window(*span, until, zone)

    def one(meter):
        return usage.Aggregate(meter, journal.select(meter, account, *span, upto), window(),
                               journal.before(meter, account, span[0], upto))
    if prices.several(charge):
        return {name: one(journal.meters[name]) for name in prices.several(charge)}
    meter = journal.meters[charge["meter"]]
    rivals = [other.get("filter", {}) for other in plan["charges"]
              if other.get("meter") == charge["meter"] and other is not charge
              and not other.get("alsoCounts") and not charge.get("alsoCounts")
              and other.get("filter", {}) != charge.get("filter", {})
              and prices.within(other.get("filter", {}), charge.get("filter", {}))]

    def mine(events):
        return [event for event in events if usage.matches(charge.get("filter"), event)
                and not any(usage.matches(terms, event) for terms in rivals)]
    inside = mine(journal.select(meter, account, *span, upto))
    before = mine(journal.before(meter, account, span[0], upto))
    cells = sorted(charge.get("dimensions", ()))
    earlier = usage.split_by(before, sorted(charge.get("groupBy", ())))
    made = []
    for group, aggregate in usage.groups(meter, inside, sorted(charge.get("groupBy", ())), window(), before):
        parts = {(): aggregate}
        if cells:
            parts = dict(usage.groups(meter, aggregate.every, cells, window(), earlier.get(group, ())))
        made.append((group, parts))
    return made


def subscription_bill(journal, plan, subscription, zone, at, upto=None, rated_at=None):
    """The bill of the period that holds `at`, clipped to the subscription, as it goes over the wire."""
    starts, rule = instant(subscription["startsAt"]), plan.get("period", {"unit": "month"})
    full = calendars.period(rule, zone, starts, at)
    service = (max(full[0], starts),
               min(full[1], instant(subscription["endsAt"])) if "endsAt" in subscription else full[1])
    until = full[1] if rated_at is None else rated_at
    index = calendars.period_index(rule, zone, starts, at)
    parts = {}
    for charge in plan["charges"]:
        part = Part(service, full)
        if "meter" in charge or prices.several(charge):
            part.usage = part_usage(journal, plan, charge, subscription["account"], service, upto, until, zone)
        parts[charge["id"]] = [] if charge.get("oneTime") and index else [part]
    quantities = {name: [(starts, exact(value))] for name, value in subscription.get("quantities", {}).items()}

    def place(text):
        """How many periods ago a discount began to count: with the first that begins at or after it."""
        since = instant(text)
        if since <= starts:
            return index
        if since > service[0]:
            return -1
        held = calendars.period_index(rule, zone, starts, since)
        return index - held - (calendars.period(rule, zone, starts, since)[0] < since)
    inputs = Inputs(service, full, index, until, starts, zone, parts, quantities, discount_place=place)
    made = Bill(plan, inputs)
    return {"account": subscription["account"], **made.wire(subscription.get("planVersion", 1)),
            "period": print_span(*service)}
