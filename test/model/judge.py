# SPDX-License-Identifier: Apache-2.0
"""A bill of the server beside a bill of the oracle: every figure equal, to the last digit."""
from fractions import Fraction

import oracle


PRICED = ("tier", "unit", "package", "flat", "stair", "percent", "event", "cell", "formula")


def compare(bill, start, end, wanted, account):
    """Every figure of the bill against the oracle's."""
    show = lambda amount: oracle.money(amount, wanted.currency)
    assert bill["account"] == account and bill["currency"] == wanted.currency
    assert bill["period"] == {"start": oracle.print_instant(start), "end": oracle.print_instant(end)}
    got = {}
    for line in bill["lines"]:
        if line.get("charge") is None or line["kind"] in ("minimum", "trueUp", "overage"):
            continue
        key = (line["charge"], tuple(sorted((line.get("group") or {}).items(), key=str)))
        assert key not in got, f"two lines for {key}"
        got[key] = line
    for line in wanted.lines:
        if line.charge is None:
            continue
        charge = next(charge for charge in wanted.plan["charges"] if charge["id"] == line.charge)
        key = (line.charge, tuple(sorted(zip(charge.get("groupBy", ()), line.group), key=str)))
        shown = got.pop(key, None)
        if shown is None:
            may_lack = charge.get("groupBy") or charge["model"] in ("flat", "percentOf")
            assert line.amount == 0 and may_lack, f"no line for {key}"
            continue
        facts = {"exactAmount": oracle.show(line.exact), "amount": show(line.amount),
                 "discount": show(line.discount), "net": show(line.net)}
        if line.usage is not None:
            facts.update(usage=oracle.show_quantity(line.usage), quantity=oracle.show_quantity(line.quantity),
                         events=line.events)
        assert {name: shown[name] for name in facts} == facts, (charge, shown)
        check_steps(shown)
    assert not got, f"lines nobody expects: {got}"
    assert (bill["subtotal"], bill["discounts"], bill["total"]) == (
        show(wanted.subtotal), show(wanted.discounts), show(wanted.total)), (wanted.plan, bill)
    assert bill["amountDue"] == bill["total"]


def check_steps(line):
    """The parts sum to the exact amount, and the last round step is the line's amount."""
    rounds = [step for step in line["steps"] if step["op"] == "round"]
    assert rounds and rounds[-1]["exact"] == line["exactAmount"] and rounds[-1]["amount"] == line["amount"], line
    segments = [step for step in line["steps"] if step["op"] == "segment"]  # what prorating made of the price
    converted = [step for step in line["steps"] if step["op"] == "convert"]
    priced = segments or converted or [step for step in line["steps"] if step["op"] in PRICED and "amount" in step]
    if priced and not any(step["op"] == "floorAtZero" for step in line["steps"]):
        total = sum(Fraction(step["amount"]) for step in priced)
        assert oracle.show(total) == line["exactAmount"], line["steps"]
