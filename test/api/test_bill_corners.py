# SPDX-License-Identifier: Apache-2.0
"""Bills and invoices of unusual shapes: credit that begins and ends within a period, groups, several currencies,
lines below zero, what comes to nothing or to too much, and accounts that have very many of something."""
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from books import Books
from client import Api, Server
from test_invoices import balanced, finalize, keyed, make, n, one_off, owed, refused  # noqa: F401

START = "2026-08-01T00:00:00Z"
USD = {"currency": "USD"}
MOST = "23058430092136939.51"  # a quarter of 2^63 cents


@pytest.fixture
def account(api, n):
    return api.put(f"/v1/accounts/{n('acct')}", USD)["id"]


def grant(api, account, amount, key, kind="promotional", **members):
    members = {"effectiveAt": "2020-01-01T00:00:00Z", **USD, **members}
    return api.post("/v1/grants", {"account": account, "amount": amount, "kind": kind, **members},
                    headers={"Idempotency-Key": key})


def subtotals(api, account):
    """Of all that is due, invoice by invoice."""
    found = []
    while (answer := api.call("POST", f"/v1/accounts/{account}/invoices")).status == 200:
        found.append(finalize(api, answer.json))
    refused(answer, 409, "nothing_due")
    return found


def send(api, meter, account, *events):
    api.send([{"meter": meter, "account": account, "uniqueId": f"{account}.{id}", "ts": ts, "value": value,
               "properties": properties} for id, ts, value, properties in events])


# ---- credit within a period

@pytest.fixture
def grouped(api, n, account):
    """Calls at 1.00 by region; 8 August eu 3, 12 us 4, 16 without 5, 20 eu 6."""
    meter = api.meter(n("meter"), dimensions=["region"])["id"]
    api.publish(n("plan"), {**USD, "charges": [
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1", "groupBy": ["region"]}]})
    send(api, meter, account, ("a", "2026-08-08T00:00:00Z", 3, {"region": "eu"}),
         ("b", "2026-08-12T00:00:00Z", 4, {"region": "us"}), ("c", "2026-08-16T00:00:00Z", 5, {}),
         ("d", "2026-08-20T00:00:00Z", 6, {"region": "eu"}))
    api.subscribe(n("sub"), account, n("plan"), START)
    return account


def day(number):
    return f"2026-08-{number:02}T00:00:00Z"


def test_each_grant_pays_for_its_own_days_of_each_group(api, n, grouped):
    """Days 7 to 13 hold eu 3 and us 4; 15 to 18 hold 5 without a region; from 19 on eu 6."""
    for key, amount, start, end in (("a", "100", 7, 13), ("b", "4", 15, 18), ("c", "2", 19, 25), ("d", "1", 5, 6),
                                    ("e", "1", 21, 27)):
        grant(api, grouped, amount, n("grant") + key, effectiveAt=day(start), expiresAt=day(end))
    assert subtotals(api, grouped)[0]["credits"] == "-13.00"  # 3 + 4, 4 of 5, 2 of 6, and two that hold nothing
    balanced(api)


def test_lines_of_groups_are_known_again(api, n, grouped):
    first = make(api, grouped)
    lines = {line["group"]["region"]: line["amount"] for line in first["document"]["lines"]}
    assert lines == {None: "5.00", "eu": "9.00", "us": "4.00"}
    finalize(api, first)
    send(api, n("meter"), grouped, ("e", "2026-08-21T00:00:00Z", 2, {"region": "us"}))
    shown = [line for invoice in subtotals(api, grouped) for line in invoice["document"]["lines"]]
    late = [(line["group"]["region"], line["amount"]) for line in shown if line["period"]["start"] == START]
    assert set(late) <= {("us", "2.00")}  # nothing of the others is billed again
    wallet = api.get(f"/v1/accounts/{grouped}/wallet")
    assert wallet["balances"] == []


def test_a_line_that_is_gone_gives_its_credit_back(api, n, account):
    """A fee in advance that credit of the month's first half pays for in part, then another plan from its middle."""
    for plan, amount in (("plan", "60.00"), ("other", "0.00")):
        api.publish(n(plan), {**USD, "charges": [
            {"id": n(plan), "model": "flat", "amount": amount, "timing": "advance"}]})
    api.subscribe(n("sub"), account, n("plan"), "2026-09-01T00:00:00Z")
    grant(api, account, "20", n("grant"), effectiveAt="2026-09-05T00:00:00Z", expiresAt="2026-09-10T00:00:00Z")
    first = finalize(api, make(api, account))
    assert (first["document"]["subtotal"], first["credits"]) == ("60.00", "-10.00")  # 5 of 30 days
    api.post(f"/v1/subscriptions/{n('sub')}/change", {"plan": n("other"), "effectiveAt": "2026-09-16T00:00:00Z"})
    assert sum(Decimal(done["document"]["subtotal"]) for done in [first, *subtotals(api, account)]) == 30
    balanced(api)


# ---- several currencies, several instants

def test_bills_and_what_comes_next_in_three_currencies(api, n):
    account = api.put(f"/v1/accounts/{n('acct')}", {})["id"]
    for place, currency in enumerate(("USD", "EUR", "JPY")):
        for number in range(2):
            plan = f"{n('plan')}{currency}{number}"
            api.publish(plan, {"currency": currency, "charges": [
                {"id": "fee", "model": "flat", "amount": str(10 * (place + 1)), "timing": "advance"}]})
            api.subscribe(f"{n('sub')}{currency}{number}", account, plan, f"2026-08-{1 + place + number:02}T00:00:00Z")
            grant(api, account, "15", f"{n('grant')}{currency}{number}", currency=currency)
    bill = api.get(f"/v1/accounts/{account}/bill", query={"at": "2026-08-20T00:00:00Z"})
    assert list(bill["amountDue"].items()) == [("EUR", "38.06"), ("JPY", "55"), ("USD", "19.68")]
    wallet = {one["currency"]: one for one in api.get(f"/v1/accounts/{account}/wallet")["balances"]}
    assert list(wallet) == ["EUR", "JPY", "USD"]
    assert all(Decimal(one["available"]) == 0 for one in wallet.values()), wallet
    following = api.get(f"/v1/accounts/{account}/upcomingInvoice")["data"]
    assert [one["currency"] for one in following] == ["EUR", "JPY", "USD"]
    balanced(api)


# ---- below zero, nothing, too much

def test_a_deduction_takes_part_of_what_credit_pays(api, n, account):
    grant(api, account, "100", n("grant"))
    done = finalize(api, one_off(api, n, account, [{"description": "A", "amount": "10.00"},
                                                   {"description": "B", "amount": "6.00"},
                                                   {"description": "C", "amount": "-4.00"}]))
    assert (done["credits"], done["amountDue"], done["status"]) == ("-12.00", "0.00", "paid")
    assert owed(api, "receivable", account) == 0
    balanced(api)


def test_what_comes_to_nothing_is_voided_too(api, n, account):
    done = finalize(api, one_off(api, n, account, [{"description": "A", "amount": "10.00"},
                                                   {"description": "B", "amount": "-10.00"}]))
    assert (done["total"], done["status"]) == ("0.00", "paid")
    assert api.post(f"/v1/invoices/{done['id']}/void", None)["status"] == "void"
    balanced(api)


@pytest.mark.parametrize("rate,lines", [
    (None, [MOST] * 5), (None, ["-" + MOST] * 5), ("100", [MOST] * 3), ("100", ["-" + MOST] * 3),
    (None, [MOST] * 5 + ["-" + MOST] * 5)])
def test_an_invoice_that_comes_to_too_much(api, n, account, rate, lines):
    if rate is not None:
        api.put(f"/v1/taxRates/{n('rate')}", {"percent": rate})
        api.put(f"/v1/accounts/{account}", {**USD, "taxRates": [n("rate")]})
    answer = api.call("POST", "/v1/invoices", {"account": account, **USD, "lines": [
        {"description": "Much", "amount": amount} for amount in lines]}, **keyed(n("key") + str(len(lines))))
    refused(answer, 422, "amount_too_large")
    assert api.get("/v1/invoices", query={"account": account})["data"] == []


def test_a_void_of_what_could_not_be_billed(api, n, account):
    meter = api.meter(n("meter"))["id"]
    api.publish(n("plan"), {**USD, "charges": [
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1000000"}]})
    api.subscribe(n("sub"), account, n("plan"), START, endsAt="2026-09-01T00:00:00Z")
    send(api, meter, account, ("big", day(10), 10**12, {}), ("small", day(11), 1, {}),
         ("before", "2026-07-01T00:00:00Z", 1, {}))

    def bills(*ids):
        told = api.post("/v1/measurements/void", {"uniqueIds": [f"{account}.{id}" for id in ids], "dryRun": True})
        return [(row["before"], row["after"]) for row in told["bills"]]
    assert bills("big") == [(None, "1000000.00")]
    assert bills("small") == bills("before") == []
    send(api, meter, account, ("less", day(12), -10**12, {}))
    assert bills("less") == [("1000000.00", None)]
    assert bills("big", "less") == []
    api.post("/v1/measurements/void", {"uniqueIds": [f"{account}.big", f"{account}.less"]})
    assert bills("small") == [("1000000.00", "0.00")]


def test_a_level_that_is_still_to_come_changes_nothing(api, n, account):
    """Two plans after one another; a formula of a level and of calls."""
    level, calls = api.meter(n("level"), "timeWeighted", unit="hour")["id"], api.meter(n("calls"))["id"]
    for plan, expression, meters in (("both", "l + m", {"l": level, "m": calls}), ("level", "l", {"l": level})):
        api.publish(n(plan), {**USD, "charges": [{"id": "all", "model": "formula", "meters": meters,
                                                  "expression": expression}]})
    api.subscribe(n("sub"), account, n("both"), START)
    api.post(f"/v1/subscriptions/{n('sub')}/change", {"plan": n("level"), "effectiveAt": "2999-01-01T00:00:00Z"})
    ahead = (datetime.now(timezone.utc) + timedelta(minutes=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    send(api, level, account, ("set", day(10), 2, {}), ("ahead", ahead, 5, {}))

    def bills(*ids):
        return api.post("/v1/measurements/void", {"uniqueIds": [f"{account}.{id}" for id in ids],
                                                  "dryRun": True})["bills"]
    assert bills("ahead") == []
    assert {row["subscription"] for row in bills("set", "ahead")} == {n("sub")}


def test_bills_that_add_up_to_too_much(api, n, account):
    api.publish(n("plan"), {**USD, "charges": [
        {"id": "fee", "model": "flat", "amount": str(3 * Decimal(MOST)), "timing": "advance"}]})
    api.subscribe(n("sub") + "1", account, n("plan"), START)
    assert api.get(f"/v1/accounts/{account}/bill")["amountDue"] == {"USD": str(3 * Decimal(MOST))}
    api.subscribe(n("sub") + "2", account, n("plan"), START)
    refused(api.call("GET", f"/v1/accounts/{account}/bill"), 422, "amount_too_large")


# ---- changes

def test_the_period_of_a_subscription_that_has_not_begun_has_no_end(api, n, account):
    api.publish(n("plan"), {**USD, "charges": [{"id": "fee", "model": "flat", "amount": "9"}]})
    api.subscribe(n("sub"), account, n("plan"), "2999-01-01T00:00:00Z")
    refused(api.call("POST", f"/v1/subscriptions/{n('sub')}/cancel", {"at": "periodEnd"}), 422,
            "outside_subscription")


def test_what_comes_to_too_much_already_may_be_changed(api, n, account):
    meter = api.meter(n("meter"))["id"]
    for plan, price in (("plan", "1000000"), ("other", "2000000"), ("mended", "0.01")):
        api.publish(n(plan), {**USD, "charges": [
            {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": price}]})
    api.subscribe(n("sub"), account, n("plan"), START)
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    send(api, meter, account, ("big", now, 10**12, {}))
    refused(api.call("GET", f"/v1/subscriptions/{n('sub')}/bill"), 422, "amount_too_large")
    for plan in ("other", "mended"):  # neither worse nor better is refused
        changed = api.post(f"/v1/subscriptions/{n('sub')}/change", {"plan": n(plan)})
        assert changed["subscription"]["plan"] == n(plan)


# ---- from a line to its events

def test_events_of_a_line_around_a_pause(api, n, grouped):
    sub = n("sub")
    api.post(f"/v1/subscriptions/{sub}/pause", {"at": "2026-08-10T00:00:00Z", "usage": "free"})
    api.post(f"/v1/subscriptions/{sub}/resume", {"at": "2026-08-14T00:00:00Z"})
    send(api, n("meter"), grouped, ("z", "2026-08-08T00:00:00Z", 1, {"region": "eu"}),
         ("f", "2026-08-11T00:00:00Z", 9, {"region": "eu"}))
    done = subtotals(api, grouped)[0]
    told = {line["group"]["region"]: [event["uniqueId"].rpartition(".")[2] for event in api.get(
        f"/v1/invoices/{done['id']}/lines/{line['number']}/events")["data"] if event["counted"]]
        for line in done["document"]["lines"]}
    assert told == {None: ["c"], "eu": ["a", "z", "d"], "us": []}, told  # one instant: by ids; none of the pause


def test_events_of_a_line_of_two_groups(api, n, account):
    meter = api.meter(n("meter"), dimensions=["region", "zone"])["id"]
    api.publish(n("plan"), {**USD, "charges": [
        {"id": "fee", "model": "flat", "amount": "1", "timing": "advance"},
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1", "groupBy": ["region", "zone"]}]})
    send(api, meter, account, *((f"e{number:03}", day(1 + number % 9), 1, {"region": "eu", "zone": str(number % 2)})
                                for number in range(200)), ("other", day(3), 1, {"region": "us", "zone": "0"}))
    api.subscribe(n("sub"), account, n("plan"), START)
    seen = set()
    for done in subtotals(api, account):
        for line in done["document"]["lines"]:
            path, cursor = f"/v1/invoices/{done['id']}/lines/{line['number']}/events", {}
            if line["charge"] == "fee":
                assert api.get(path)["data"] == []
                continue
            found = []
            while cursor is not None:
                page = api.get(path, query={"limit": 7, **cursor})
                found += [(event["ts"], event["uniqueId"]) for event in page["data"]]
                cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else None
            assert found == sorted(found) and len(found) == len(set(found)) == int(line["usage"])
            seen |= {id for _, id in found}
    assert len(seen) == 201


def test_a_line_of_nobodys_usage_has_no_events(api, n, account):
    done = finalize(api, one_off(api, n, account))
    assert api.get(f"/v1/invoices/{done['id']}/lines/1/events")["data"] == []
    refused(api.call("GET", f"/v1/invoices/{done['id']}/lines/2/events"), 404, "invoice_not_found")


# ---- credit notes

@pytest.mark.parametrize("lines,code", [
    ([(1, "10.01")], "field_invalid"), ([(1, "-1")], "field_invalid"), ([(2, "1")], "field_invalid"),
    ([(2, "-4.01")], "field_invalid"), ([(1, "0")], "field_invalid"), ([(0, "1")], None), ([(3, "1")], None),
    ([(1, "1"), (1, "1")], "field_invalid"), ([(1, "10.00"), (2, "-4.00")], "made"), ([(1, "5"), (2, "-1")], "made")])
def test_what_a_credit_note_may_take_back(api, n, account, lines, code):
    done = finalize(api, one_off(api, n, account, [{"description": "A", "amount": "10.00"},
                                                   {"description": "B", "amount": "-4.00"}]))
    answer = api.call("POST", "/v1/creditNotes", {
        "invoice": done["id"], "reasonCode": "x",
        "lines": [{"line": line, "amount": amount} for line, amount in lines]}, **keyed(n("note")))
    if code == "made":
        assert Decimal(answer.json["net"]) == sum(Decimal(amount) for _, amount in lines)
    else:
        assert answer.status in (404, 422) and code in (None, answer.code), answer
        assert api.get("/v1/creditNotes", query={"invoice": done["id"]})["data"] == []
    balanced(api)


def test_what_went_to_the_balance_is_not_refunded(api, n, account):
    done = finalize(api, one_off(api, n, account, [{"description": "A", "amount": "10.00"}]))

    def note(apply, amount, key):
        return api.call("POST", "/v1/creditNotes", {"invoice": done["id"], "reasonCode": "x", "apply": apply,
                                                    "lines": [{"line": 1, "amount": amount}]}, **keyed(n(key)))
    assert note("balance", "4.00", "one").status == 201
    answer = note("refund", "1.00", "two")  # nothing of it was paid, and less than nothing is left of that
    refused(answer, 422, "field_invalid")
    assert answer.json["detail"].startswith("0.00 of what was paid"), answer.json
    api.post(f"/v1/invoices/{done['id']}/pay", {}, headers={"Idempotency-Key": n("paid")})
    refused(note("refund", "6.01", "three"), 422, "field_invalid")
    assert note("refund", "6.00", "four").status == 201
    balanced(api)


# ---- wallets and lists

def test_a_wallet_of_bills_with_a_minimum(api, n, account):
    """Its line is of no charge; what is not due before the period ends draws nothing yet."""
    now = datetime.now(timezone.utc).replace(day=1, hour=0, minute=0, second=0)
    this, last = [at.strftime("%Y-%m-%dT00:00:00Z") for at in (now, (now - timedelta(days=1)).replace(day=1))]
    meter = api.meter(n("meter"))["id"]
    api.publish(n("plan"), {**USD, "minimum": {"amount": "40.00"}, "charges": [
        {"id": "fee", "model": "flat", "amount": "5.00"},
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}]})
    api.publish(n("fee"), {**USD, "charges": [{"id": "fee", "model": "flat", "amount": "31.00", "prorate": "none"}]})
    api.subscribe(n("sub"), account, n("plan"), last)
    api.subscribe(n("over"), account, n("fee"), last, endsAt=last[:8] + "16T00:00:00Z")
    send(api, meter, account, ("one", this, 3, {}))
    grant(api, account, "1000", n("grant"), effectiveAt=last)
    balance, = api.get(f"/v1/accounts/{account}/wallet")["balances"]
    assert balance["expectedDraw"] == "74.00"  # 40.00 and 31.00 that are due, and 3 calls
    bill = api.bill(n("sub"), at=this)
    assert (bill["total"], [line["amount"] for line in bill["lines"] if line["provisional"]]) == (
        "40.00", ["5.00", "32.00"])


def test_a_wallet_beside_subscriptions_that_are_over_or_to_come(api, n, account):
    api.publish(n("plan"), {**USD, "charges": [{"id": "fee", "model": "flat", "amount": "9", "timing": "advance"}]})
    api.subscribe(n("over"), account, n("plan"), "2026-01-01T00:00:00Z", endsAt="2026-02-01T00:00:00Z")
    api.subscribe(n("to come"), account, n("plan"), "2999-01-01T00:00:00Z")
    grant(api, account, "100", n("grant"), effectiveAt="2026-06-01T00:00:00Z")
    balance, = api.get(f"/v1/accounts/{account}/wallet")["balances"]
    assert (balance["posted"], balance["expectedDraw"], balance["available"]) == ("100.00", "0.00", "100.00")


def test_two_subscriptions_on_one_invoice_are_voided_together(api, n, account):
    api.publish(n("plan"), {**USD, "charges": [{"id": "fee", "model": "flat", "amount": "9", "timing": "advance"}]})
    for number in "12":
        api.subscribe(n("sub") + number, account, n("plan"), START)
    first = finalize(api, make(api, account))
    assert first["total"] == "18.00"
    api.post(f"/v1/invoices/{first['id']}/void", None)
    again = finalize(api, make(api, account))
    assert (again["at"], again["total"]) == (first["at"], "18.00")
    balanced(api)


def test_credit_to_come_pays_for_no_charge(api, n, account):
    grant(api, account, "9", n("grant") + "a", effectiveAt="2999-01-01T00:00:00Z")
    grant(api, account, "5", n("grant") + "b")
    wanted = {"account": account, **USD, "chargeKey": "k", "collect": "wallet"}
    refused(api.call("POST", "/v1/charges", {**wanted, "amount": "6"}), 402, "insufficient_balance")
    assert api.call("POST", "/v1/charges", {**wanted, "amount": "5"}).status == 201


def test_a_wallet_of_more_than_63_bits(api, n, account):
    for number in range(5):
        grant(api, account, MOST, n("grant") + str(number))
    answer = api.call("POST", "/v1/charges", {"account": account, **USD, "amount": MOST, "chargeKey": "k",
                                              "collect": "wallet"})
    assert answer.status == 201, answer
    entries = api.get(f"/v1/accounts/{account}/wallet/entries", query={**USD, "limit": 100})["data"]
    assert sum(Decimal(entry["amount"]) for entry in entries) == 4 * Decimal(MOST)


def test_paid_credit_of_more_than_63_bits(fresh):
    api = fresh()
    api.put("/v1/accounts/a", USD)
    for number in range(4):
        grant(api, "a", MOST, str(number), "paid")
    answer = api.call("POST", "/v1/grants", {"account": "a", "amount": MOST, "kind": "paid", **USD}, **keyed("4"))
    refused(answer, 422, "amount_too_large")
    balance, = api.get("/v1/accounts/a/wallet")["balances"]
    assert Decimal(balance["posted"]) == 4 * Decimal(MOST)
    balanced(api)


def test_lists_in_pages_of_one(api, n, account):
    grant(api, account, "100", n("grant"))
    for number in range(3):
        key = n("key") + str(number)
        grant(api, account, "1", n("grant") + str(number), kind="paid")
        api.post("/v1/adjustments", {"account": account, "amount": "1", "target": "wallet", "reasonCode": "goodwill",
                                     **USD}, headers={"Idempotency-Key": key + "a"})
        api.post("/v1/charges", {"account": account, "amount": "1", **USD, "chargeKey": key, "collect": "wallet"})
        api.put(f"/v1/packs/{n('pack')}{number}", {**USD, "amount": "1", "price": "1"})
        api.put(f"/v1/topUpRules/{n('rule')}{number}", {"account": account, **USD, "threshold": "90", "amount": "1"})
        done = finalize(api, one_off(api, n, account, key=key))
        api.post("/v1/creditNotes", {"invoice": done["id"], "reasonCode": "x", "apply": "balance"},
                 headers={"Idempotency-Key": key + "n"})
    of = {"account": account}
    for path, query in (("/v1/adjustments", of), ("/v1/adjustments", {}), (f"/v1/accounts/{account}/charges", {}),
                        ("/v1/packs", {}), ("/v1/topUpRules", of), ("/v1/topUpRules", {}), ("/v1/topUps", {}),
                        ("/v1/topUps", of), ("/v1/grants", of), ("/v1/grants", {}), ("/v1/creditNotes", {}),
                        ("/v1/invoices", of), (f"/v1/accounts/{account}/wallet/entries", USD), ("/v1/taxRates", {})):
        whole = api.get(path, query={**query, "limit": 1000})["data"]
        paged, cursor = [], {}
        while cursor is not None and len(paged) < 4:
            page = api.get(path, query={**query, **cursor, "limit": 1})
            paged += page["data"]
            cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else None
        assert paged == whole[:len(paged)] and len(paged) == min(4, len(whole)), path


# ---- packs and rules that change in one member

@pytest.mark.parametrize("change", [
    {"name": "Other"}, {"name": None}, {"currency": "EUR"}, {"amount": "6"}, {"price": "4"}, {"priority": 1},
    {"validDays": 31}, {"appliesTo": {"charges": ["x"]}}, {}])
def test_a_pack_changes_in_one_member(api, n, change):
    body = {"name": "Five", **USD, "amount": "5", "price": "5", "validDays": 30}
    made = api.put(f"/v1/packs/{n('pack')}", body)
    wanted = {name: value for name, value in {**body, **change}.items() if value is not None}
    again = api.put(f"/v1/packs/{n('pack')}", wanted)
    assert (again == made) == (change == {})
    assert api.get(f"/v1/packs/{n('pack')}") == again


@pytest.mark.parametrize("change", [{"threshold": "6"}, {"amount": "11"}, {"amount": None, "target": "20"},
                                    {"enabled": False}, {}])
def test_a_rule_changes_in_one_member(api, n, account, change):
    body = {"account": account, **USD, "threshold": "5", "amount": "10"}
    made = api.put(f"/v1/topUpRules/{n('rule')}", body)
    again = api.put(f"/v1/topUpRules/{n('rule')}",
                    {name: value for name, value in {**body, **change}.items() if value is not None})
    assert (again == made) == (change == {})


# ---- very many

MANY = 1001  # one more than are read at once


def test_a_void_that_reaches_more_periods_than_are_rated(fresh):
    """A level that was set in 2004 and never again, billed by the week: each week since changes."""
    api = fresh(seal_bits=6)
    api.meter("disk", "timeWeighted", unit="hour")
    api.publish("weekly", {**USD, "period": {"every": 1, "unit": "week"}, "charges": [
        {"id": "disk", "meter": "disk", "model": "perUnit", "unitPrice": "1"}]}, "2004-01-01T00:00:00Z")
    for account in ("a", "b"):
        api.put(f"/v1/accounts/{account}", USD)
        api.subscribe(f"sub {account}", account, "weekly", "2004-01-05T00:00:00Z", endsAt="2026-01-01T00:00:00Z")
        api.send([{"meter": "disk", "account": account, "uniqueId": account, "value": 1,
                   "ts": "2004-01-01T00:00:00Z"}])
    told = api.post("/v1/measurements/void", {"uniqueIds": ["a", "b"], "dryRun": True})
    assert len(told["bills"]) == 1000 and {bill["account"] for bill in told["bills"]} == {"a"}
    assert told["accountsLeftOut"] == 2


def test_a_void_that_reaches_more_periods_than_are_rated_of_one_subscription_of_two(fresh):
    api = fresh(seal_bits=6)
    api.put("/v1/accounts/a", USD)
    for number in "12":
        disk = api.meter("disk" + number, "timeWeighted", unit="hour")["id"]
        api.publish("weekly" + number, {**USD, "period": {"every": 1, "unit": "week"}, "charges": [
            {"id": "disk", "meter": disk, "model": "perUnit", "unitPrice": "1"}]}, "2004-01-01T00:00:00Z")
        api.subscribe(f"sub {number}", "a", "weekly" + number, "2004-01-05T00:00:00Z", endsAt="2026-01-01T00:00:00Z")
    api.send([{"meter": "disk1", "account": "a", "uniqueId": "a", "value": 1, "ts": "2004-01-01T00:00:00Z"}])
    told = api.post("/v1/measurements/void", {"uniqueIds": ["a"], "dryRun": True})
    assert len(told["bills"]) == 1000 and {bill["subscription"] for bill in told["bills"]} == {"sub 1"}
    assert told["accountsLeftOut"] == 1


def test_more_meters_than_are_read_at_once(fresh):
    api = fresh(seal_bits=6)
    if api.server.books:
        pytest.skip("the pages are the same, and a file makes so many meters sooner")
    for number in range(MANY):
        api.meter(f"meter{number:04}")
    api.publish("plan", {**USD, "charges": [
        {"id": "all", "meter": "meter0000", "model": "perUnit", "unitPrice": "1"},
        {"id": "last", "meter": f"meter{MANY - 1:04}", "model": "perUnit", "unitPrice": "1"}]})
    api.put("/v1/accounts/a", USD)
    api.subscribe("sub", "a", "plan", START)
    send(api, "meter0000", "a", ("first", day(10), 1, {}))
    send(api, f"meter{MANY - 1:04}", "a", ("last", day(10), 1, {}))
    send(api, "meter0500", "a", ("middle", day(10), 1, {}))
    row, = api.get("/v1/usage/unbilled")["data"]
    assert (row["reason"], row["events"], row["meters"]) == ("no_charge", 1, ["meter0500"])


def test_what_no_bill_counts_of_a_changing_subscription(fresh):
    """Rivals on a meter, two plans after one another, two pauses, and more names than are told."""
    api = fresh(seal_bits=6)
    api.meter("calls", dimensions=["region"])
    charge = {"meter": "calls", "model": "perUnit", "unitPrice": "1"}
    api.publish("one", {**USD, "charges": [{"id": "all", **charge},
                                           {"id": "eu", **charge, "filter": {"region": ["eu"]}}]})
    api.publish("two", {**USD, "charges": [{"id": "us", **charge, "filter": {"region": ["us"]}}]})
    for number in range(25):
        account = f"a{number:02}"
        api.put(f"/v1/accounts/{account}", USD)
        api.subscribe(f"sub {account}", account, "one", START)
        api.post(f"/v1/subscriptions/sub%20{account}/change", {"plan": "two", "effectiveAt": day(20)})
        for first, last, usage in ((3, 5, "free"), (7, 9, "free"), (11, 13, "billed")):
            api.post(f"/v1/subscriptions/sub%20{account}/pause", {"at": day(first), "usage": usage})
            api.post(f"/v1/subscriptions/sub%20{account}/resume", {"at": day(last)})
        send(api, "calls", account, *((f"{number}", day(number), 1, {"region": "eu" if number % 2 else "us"})
                                      for number in range(1, 30)))
    rows = {row["reason"]: row for row in api.get("/v1/usage/unbilled")["data"]}
    assert {reason: row["events"] for reason, row in rows.items()} == {
        "outside_subscription": 25 * 4, "no_charge": 25 * 5}  # 3, 4, 7, 8; and eu on 21, 23, …, 29
    assert rows["no_charge"]["accountCount"] == 25 and len(rows["no_charge"]["accounts"]) == 20


def test_no_account_has_nothing_that_no_bill_counts(fresh):
    api = fresh(seal_bits=6)
    empty = api.get("/v1/usage/unbilled")
    assert (empty["data"], empty["nextCursor"]) == ([], None)
    api.meter("eu", filter={"region": ["eu"]}, dimensions=["region"])
    api.meter("calls")
    api.put("/v1/accounts/a", USD)
    api.publish("plan", {**USD, "charges": [{"id": "eu", "meter": "eu", "model": "perUnit", "unitPrice": "1"}]})
    api.subscribe("sub", "a", "plan", START)
    send(api, "eu", "a", ("eu", day(1), 1, {"region": "eu"}), ("us", day(1), 1, {"region": "us"}))
    row, = api.get("/v1/usage/unbilled")["data"]
    assert (row["reason"], [one["uniqueId"] for one in row["examples"]]) == ("no_charge", ["a.us"])


def test_what_was_refused_as_too_old_is_told(contract):
    server = Server(seal_bits=6)
    with Books(server) as books:
        books.add_project("strict", horizon_us=30 * 86_400_000_000)
        key = books.add_key(["usage:write", "usage:read", "catalog:write", "bills:read"], project="strict")
    with server:
        api = Api(server, key=key, contract=contract)
        api.meter("calls")
        api.put("/v1/accounts/a", {})
        for number in range(12):
            answer = api.send([{"meter": "calls", "account": "a", "uniqueId": f"old{number}", "value": 1,
                                "ts": f"2020-01-{number + 1:02}T00:00:00Z"}])
            assert answer["results"][0]["code"] == "timestamp_too_old"
        api.send([{"meter": "calls", "account": "a", "uniqueId": "ahead", "value": 1, "ts": "2999-01-01T00:00:00Z"}])
        row, = api.get("/v1/usage/unbilled")["data"]
        assert (row["reason"], row["events"], len(row["examples"])) == ("beyond_horizon", 12, 10)
        span = {"from": "2020-01-03T00:00:00Z", "to": "2020-01-05T00:00:00Z"}
        assert api.get("/v1/usage/unbilled", query=span)["data"] == []  # they are known by their arrival
        assert api.get("/v1/usage/unbilled", query={"from": "2998-01-01T00:00:00Z"})["data"] == []


def test_an_account_with_very_many_subscriptions(fresh):
    api = fresh(seal_bits=6)
    if api.server.books:
        pytest.skip("the pages are the same, and a file makes so many subscriptions sooner")
    api.put("/v1/accounts/a", USD)
    api.meter("calls")
    fee = {"id": "fee", "model": "flat", "amount": "1.00", "timing": "advance"}
    api.publish("plan", {**USD, "charges": [fee]})
    api.publish("used", {**USD, "charges": [fee, {"id": "calls", "meter": "calls", "model": "perUnit",
                                                  "unitPrice": "0"}]})
    api.subscribe("used", "a", "used", START)
    for number in range(MANY - 1):
        api.subscribe(f"sub{number:04}", "a", "plan", START)
    api.send([{"meter": "calls", "account": "a", "uniqueId": "one", "value": 1, "ts": day(10)}])
    bill = api.get("/v1/accounts/a/bill", query={"at": day(20)})
    assert bill["amountDue"] == {"USD": f"{MANY}.00"}
    following, = api.get("/v1/accounts/a/upcomingInvoice")["data"]
    assert (len(following["lines"]), following["total"]) == (MANY + 1, f"{MANY}.00")  # calls as well
    grant(api, "a", "1500", "grant", effectiveAt="2026-08-01T00:00:00Z")
    wallet, = api.get("/v1/accounts/a/wallet")["balances"]
    assert wallet["available"] == "0.00"
    assert api.get("/v1/usage/unbilled")["data"] == []
    gone = api.post("/v1/measurements/void", {"uniqueIds": ["one"], "dryRun": True})
    assert (gone["count"], gone["bills"]) == (1, [])  # a price of 0
    done = finalize(api, make(api, "a"))
    assert (done["total"], done["credits"]) == (f"{MANY}.00", f"-{MANY}.00")
    balanced(api)


def test_more_events_that_no_bill_counts_than_one_answer_looks_at(fresh):
    api = fresh()
    api.meter("idle")
    for account in ("a", "b", "c"):
        api.put(f"/v1/accounts/{account}", {})
    for account, count in (("a", 100_001), ("b", 100_001), ("c", 1)):
        events = [{"meter": "idle", "account": account, "uniqueId": f"{account}{i}", "ts": day(10), "value": 1}
                  for i in range(count)]
        for first in range(0, count, 10_000):
            api.send(events[first:first + 10_000])
    page = api.get("/v1/usage/unbilled")
    assert {row["reason"] for row in page["data"]} == {"no_subscription"}
    rest = api.get("/v1/usage/unbilled", query={"cursor": page["nextCursor"]})
    row, = rest["data"]
    assert (row["events"], row["accounts"]) == (1, ["c"])
