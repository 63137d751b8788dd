# SPDX-License-Identifier: Apache-2.0
"""An invoice is a difference of bills: what invoices contained of the periods that are over sums to their last
bills, line by line, and nothing is credited beyond what was charged."""
import time

import exact
from subscription import Rated
from timeline import Change, Timeline
from wire import Request, quote


class TooLarge(Exception):
    """An amount is beyond 63 bits of minor units."""


class Differs(Exception):
    """The server says something else than the oracle."""


def units(text):
    return int(text.replace(".", ""))


def key_of(line):
    """By this a line is known again in later invoices."""
    return line["kind"], line["charge"], str(line["group"]), line["period"]["start"]


def totals_hold(invoice):
    """They are those of the lines, and the total is never below 0."""
    subtotal = sum(units(line["amount"]) for line in invoice["lines"])
    discounts = sum(units(line["discount"]) for line in invoice["lines"])
    total = max(0, subtotal + discounts)
    wanted = {"subtotal": subtotal, "discounts": discounts, "total": total, "toBalance": total - subtotal - discounts}
    if {name: units(invoice[name]) for name in wanted} != wanted:
        raise Differs(f"the totals of an invoice are not those of its lines: {invoice}")
    return invoice


def upcoming(player, query=""):
    """The next invoice; None when there is none."""
    target = f"/v1/accounts/{quote(player.script['account'])}/upcomingInvoice{query}"
    answer = yield from player.expect(Request("GET", target))
    return totals_hold(answer["data"][0]) if answer["data"] else None


def of_boundaries(player, until):
    """Lines of all invoices due up to an instant, as they were known then: each asked for from the one before."""
    lines, at = [], player.starts() - 1
    while True:
        invoice = yield from upcoming(player, f"?ratedAt={exact.print_instant(at)}")
        if invoice is None or exact.instant(invoice["at"]) > until:
            return lines
        lines.append(invoice["lines"])
        at = exact.instant(invoice["at"])


def last_bills(player, timeline, until):
    """{key: net} of every period that is over, and the instant up to which that is."""
    nets, at = {}, timeline.starts
    while at < timeline.ends:
        period = timeline.period(at)
        if period.service[1] > until:
            break
        rated = Rated(player.journal, timeline, period, None, until)
        for bill in rated.bills:
            for line in bill.lines:
                shown = line.wire(bill.currency, None)
                nets[key_of(shown)] = nets.get(key_of(shown), 0) + line.net
        at = period.service[1]
    return nets, at


def check(player):
    now = time.time_ns() // 1000
    first = min([change.recorded for change in player.log], default=now)
    invoices = yield from of_boundaries(player, first)
    following = yield from upcoming(player)  # with increases that wait for it
    sums, negative = {}, may_be_negative(player)
    for lines in [*invoices, *player.invoiced, following["lines"] if following else []]:
        for line in lines:
            key = key_of(line)
            sums[key] = sums.get(key, 0) + units(line["amount"]) + units(line["discount"])
            if sums[key] < 0 and line["charge"] not in negative:
                raise Differs(f"credited {-sums[key]} more than was charged: {line}")
    timeline = Timeline(player.subscription, player.log, player.versions, player.zones, now)
    nets, cut = last_bills(player, timeline, now)
    for key in sorted({*sums, *nets}, key=str):
        if exact.instant(key[3]) < cut and sums.get(key, 0) != nets.get(key, 0):
            raise Differs(f"invoices of {key} come to {sums.get(key, 0)}, its last bill to {nets.get(key, 0)}")


# ---- in the books, with usage that comes late

STEPS_MAX = 2000


def made(player):
    """Lines of the invoices that the account is due, made final one after the other; `of` must name what is known."""
    lines = []
    for _ in range(STEPS_MAX):
        (status, draft), = yield [Request("POST", f"/v1/accounts/{quote(player.script['account'])}/invoices")]
        if status == 409 and draft["code"] == "nothing_due":
            return lines
        if status == 422 and draft["code"] == "amount_too_large":
            raise TooLarge
        if status >= 300:
            raise Differs(f"a draft answered {status}: {draft}")
        final = yield from player.expect(Request("POST", f"/v1/invoices/{draft['id']}/finalize"))
        for line in final["document"]["lines"]:
            if line.get("of") and line["of"]["line"] is not None:
                of = player.documents[line["of"]["invoice"]][line["of"]["line"] - 1]
                if key_of(of) != key_of(line):
                    raise Differs(f"{line} corrects {of}")
        player.documents[final["id"]] = final["document"]["lines"]
        lines += final["document"]["lines"]
    raise Differs(f"more than {STEPS_MAX} invoices are due")


def close(player):
    """Everything that is due is billed: what comes now for it is late."""
    yield from player.expect(Request("PUT", "/v1/settings", {"recomputeHorizonDays": 3660}))
    player.billed += yield from made(player)


def settle(player):
    """The subscription ends; what all invoices say of it sums to its last bills, line by line."""
    body = {"at": exact.print_instant(player.today()), "credit": "prorated"}
    (status, got), = yield [Request("POST", f"/v1/subscriptions/{quote(player.id)}/cancel", body)]
    if status == 200:
        player.log.append(Change("cancel", exact.instant(body.pop("at")),
                                 exact.instant(got["change"]["recordedAt"]), body))
    elif status not in (409, 422):  # it has ended already
        raise Differs(f"a cancel answered {status}: {got}")
    player.billed += yield from made(player)
    now = player.today()
    timeline = Timeline(player.subscription, player.log, player.versions, player.zones, now)
    nets, cut = last_bills(player, timeline, now)
    sums = {}
    for line in player.billed:
        sums[key_of(line)] = sums.get(key_of(line), 0) + units(line["amount"]) + units(line["discount"])
    for key in sorted({*sums, *nets}, key=str):
        if exact.instant(key[3]) < cut and sums.get(key, 0) != nets.get(key, 0):
            raise Differs(f"the books of {key} come to {sums.get(key, 0)}, its last bill to {nets.get(key, 0)}")


def may_be_negative(player):
    """Charges that say so, and those that are a share of others."""
    return {charge["id"] for plan in player.versions.values() for charge in plan["charges"]
            if charge.get("allowNegative") or charge["model"] == "percentOf"}
