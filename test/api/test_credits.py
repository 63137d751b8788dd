# SPDX-License-Identifier: Apache-2.0
"""Grants, packs, wallets, adjustments, top-ups, and the Idempotency-Key of what makes money state."""
import datetime as dt
import threading
from decimal import Decimal

import pytest
from clock import into_closed_month, test_project as project_folder


USD = {"currency": "USD"}


@pytest.fixture
def account(api, n):
    return api.put(f"/v1/accounts/{n('acct')}", {})["id"]


def keyed(n):
    return {"Idempotency-Key": n("key")}


def grant(api, n, account, amount, kind="paid", **members):
    return api.post("/v1/grants", {"account": account, "amount": amount, "kind": kind, **USD, **members},
                    headers=keyed(n))


def wallet(api, account, currency="USD"):
    read = api.get(f"/v1/accounts/{account}/wallet")
    found = [balance for balance in read["balances"] if balance["currency"] == currency]
    for balance in read["balances"]:  # what its document promises
        parts = [Decimal(balance[part]) for part in ("posted", "notInForce", "expectedDraw", "holds", "available")]
        assert parts[0] - parts[1] - parts[2] - parts[3] == parts[4]
        assert parts[4] >= 0
    return found[0] if found else None


def entries(api, account, currency="USD"):
    return api.get(f"/v1/accounts/{account}/wallet/entries", query={"currency": currency, "limit": 1000})["data"]


def refused(answer, status, code, pointer=None):
    assert (answer.status, answer.code) == (status, code), answer
    if pointer is not None:
        assert pointer in [error["pointer"] for error in answer.json["errors"]], answer


# ---- grants

def test_a_grant_comes_back_as_it_was_given(api, n, account):
    made = grant(api, n, account, "100.00", price="90", priority=5, effectiveAt="2026-01-01T00:00:00Z",
                 expiresAt="2036-01-01T00:00:00+13:00", appliesTo={"charges": ["fee"], "meters": ["calls"]},
                 creditTiming="beforeTax", description="welcome")
    assert made == {**made, "account": account, "currency": "USD", "kind": "paid", "state": "active",
                    "amount": "100.00", "price": "90.00", "remaining": "100.00", "priority": 5,
                    "effectiveAt": "2026-01-01T00:00:00Z", "expiresAt": "2035-12-31T11:00:00Z",
                    "appliesTo": {"charges": ["fee"], "meters": ["calls"]}, "creditTiming": "beforeTax",
                    "paidBy": "external", "origin": "grant", "description": "welcome"}
    assert api.get(f"/v1/grants/{made['id']}") == made
    assert api.get("/v1/grants", query={"account": account})["data"] == [made]
    entry, = entries(api, account)
    assert (entry["kind"], entry["amount"], entry["cost"]) == ("grant", "100.00", "90.00")


def test_what_is_absent_has_a_meaning(api, n, account):
    paid, promotional = grant(api, n, account, "10"), grant(api, n, account, "5", kind="promotional")
    assert (paid["price"], paid["creditTiming"], paid["expiresAt"]) == ("10.00", "afterTax", None)
    assert (promotional["price"], promotional["creditTiming"], promotional["paidBy"]) == ("0.00", "beforeTax", "nobody")
    assert wallet(api, account)["available"] == "15.00"


@pytest.mark.parametrize("change,status,code,pointer", [
    ({"amount": "0"}, 422, "field_invalid", "/amount"), ({"amount": "-1"}, 422, "field_invalid", "/amount"),
    ({"amount": "0.001"}, 422, "field_invalid", "/amount"), ({"amount": "1e18"}, 422, "field_invalid", "/amount"),
    ({"amount": "much"}, 422, "invalid_value", "/amount"), ({"amount": None}, 422, "field_required", "/amount"),
    ({"currency": "XXY"}, 422, "field_invalid", "/currency"), ({"kind": "gift"}, 422, "field_invalid", "/kind"),
    ({"price": "-0.000000000001"}, 422, "field_invalid", "/price"),
    ({"price": "0.005"}, 422, "field_invalid", "/price"),
    ({"kind": "promotional", "price": "1"}, 422, "field_invalid", "/price"),
    ({"effectiveAt": "soon"}, 422, "invalid_timestamp", "/effectiveAt"),
    ({"effectiveAt": "2030-01-01T00:00:00Z", "expiresAt": "2030-01-01T00:00:00Z"}, 422, "field_invalid", "/expiresAt"),
    ({"appliesTo": {"charges": []}}, 422, "field_invalid", "/appliesTo/charges"),
    ({"appliesTo": {"meters": [1]}}, 422, "field_invalid", "/appliesTo/meters"),
    ({"appliesTo": {"plans": ["x"]}}, 400, "unknown_member", None), ({"gift": 1}, 400, "unknown_member", "/gift"),
    ({"account": "nobody"}, 404, "account_not_found", None),
    ({"paidBy": "customerBalance"}, 402, "insufficient_balance", None)])
def test_grants_that_are_refused(api, n, account, change, status, code, pointer):
    body = {"account": account, "amount": "1", "currency": "USD", "kind": "paid", **change}
    refused(api.call("POST", "/v1/grants", {name: value for name, value in body.items() if value is not None},
                     headers=keyed(n)), status, code, pointer)
    assert entries(api, account) == []


def test_currencies_have_their_places(api, n, account):
    for currency, amount, wrong in (("JPY", "100", "0.5"), ("KWD", "1.005", "0.0001"), ("USD", "0.01", "0.001")):
        body = {"account": account, "amount": amount, "kind": "paid", "currency": currency}
        made = api.post("/v1/grants", body, headers=keyed(n))
        assert made["amount"] == amount
        refused(api.call("POST", "/v1/grants", {**body, "amount": wrong}, headers=keyed(n)), 422, "field_invalid")
    assert [b["currency"] for b in api.get(f"/v1/accounts/{account}/wallet")["balances"]] == ["JPY", "KWD", "USD"]


def test_grants_in_closed_months_are_refused(fresh, n, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    api.put("/v1/accounts/a", {})
    into_closed_month(api)
    body = {"account": "a", "amount": "1", "currency": "USD", "kind": "paid"}
    refused(api.call("POST", "/v1/grants", body, headers=keyed(n)), 409, "ledger_month_closed")


def test_what_is_not_in_force_is_not_available(api, n, account):
    grant(api, n, account, "3", effectiveAt="2999-01-01T00:00:00Z")
    grant(api, n, account, "5", effectiveAt="2020-01-01T00:00:00Z", expiresAt="2021-01-01T00:00:00Z")
    grant(api, n, account, "7")
    assert wallet(api, account) == {"currency": "USD", "posted": "15.00", "notInForce": "8.00", "expectedDraw": "0.00",
                                    "holds": "0.00", "available": "7.00"}


@pytest.mark.parametrize("mode,kind", [("forfeit", "breakage"), ("refund", "cash"), ("refundToBalance", None)])
def test_a_grant_is_revoked_once(api, n, account, mode, kind):
    made = grant(api, n, account, "10", price="9")
    api.post("/v1/charges", {"account": account, "amount": "2", **USD, "chargeKey": "k", "collect": "wallet"})
    ended = api.post(f"/v1/grants/{made['id']}/revoke", {"mode": mode})
    assert (ended["value"], ended["grant"]["state"], ended["grant"]["remaining"]) == ("7.20", "revoked", "0.00")
    refused(api.call("POST", f"/v1/grants/{made['id']}/revoke", {"mode": mode}), 409, "grant_ended")
    if mode == "refundToBalance":  # which then buys credit again
        again = grant(api, n, account, "8", price="7.20", paidBy="customerBalance")
        assert again["paidBy"] == "customerBalance"
        refused(api.call("POST", "/v1/grants", {"account": account, "amount": "1", **USD, "kind": "paid",
                                                "paidBy": "customerBalance"}, headers=keyed(n)),
                402, "insufficient_balance")


def test_grants_that_are_not_there(api):
    refused(api.call("GET", "/v1/grants/none"), 404, "grant_not_found")
    refused(api.call("POST", "/v1/grants/none/revoke", {"mode": "forfeit"}), 404, "grant_not_found")
    refused(api.call("GET", "/v1/grants", query={"cursor": "x"}), 400, "cursor_invalid")


# ---- packs

def test_a_pack_is_bought_as_it_is_then(api, n, account):
    pack = n("pack")
    body = {"name": "Starter", "currency": "USD", "amount": "100", "price": "90", "validDays": 30, "priority": 2,
            "appliesTo": {"meters": ["calls"]}}
    made = api.put(f"/v1/packs/{pack}", body)
    assert (made["amount"], made["price"], made["validDays"]) == ("100.00", "90.00", 30)
    assert api.put(f"/v1/packs/{pack}", {**body, "id": pack}) == made
    bought = api.post(f"/v1/packs/{pack}/buy", {"account": account}, headers=keyed(n))
    assert (bought["origin"], bought["price"], bought["priority"]) == (f"pack:{pack}", "90.00", 2)
    parse = dt.datetime.fromisoformat
    lasts = parse(bought["expiresAt"].replace("Z", "+00:00")) - parse(bought["effectiveAt"].replace("Z", "+00:00"))
    assert lasts == dt.timedelta(days=30)
    changed = api.put(f"/v1/packs/{pack}", {**body, "price": "80", "validDays": None, "appliesTo": None})
    assert (changed["price"], changed["validDays"], changed["appliesTo"]) == ("80.00", None, None)
    assert api.get(f"/v1/packs/{pack}") == changed
    assert changed in api.get("/v1/packs", query={"limit": 1000})["data"]
    assert api.get(f"/v1/grants/{bought['id']}") == bought


def test_a_free_pack_is_promotional(api, n, account):
    pack = n("pack")
    api.put(f"/v1/packs/{pack}", {"currency": "USD", "amount": "5", "price": "0"})
    bought = api.post(f"/v1/packs/{pack}/buy", {"account": account}, headers=keyed(n))
    assert (bought["kind"], bought["creditTiming"], bought["paidBy"]) == ("promotional", "beforeTax", "nobody")


def test_packs_that_are_refused(api, n, account):
    good = {"currency": "USD", "amount": "1", "price": "1"}
    for change, code in (({"amount": "0"}, "field_invalid"), ({"price": "-1"}, "field_invalid"),
                         ({"currency": "usd"}, "field_invalid"), ({"amount": "x"}, "invalid_value"),
                         ({"id": "other"}, "field_invalid"), ({"validDays": 0}, "field_invalid")):
        refused(api.call("PUT", f"/v1/packs/{n('pack')}", {**good, **change}), 422, code)
    refused(api.call("PUT", "/v1/packs/-", good), 422, "field_invalid")
    refused(api.call("PUT", f"/v1/packs/{n('pack')}", {**good, "x": 1}), 400, "unknown_member")
    refused(api.call("GET", "/v1/packs/none"), 404, "pack_not_found")
    refused(api.call("GET", "/v1/packs", query={"cursor": "x"}), 400, "cursor_invalid")
    buy = "/v1/packs/none/buy"
    refused(api.call("POST", buy, {"account": account}, headers=keyed(n)), 404, "pack_not_found")
    refused(api.call("POST", buy, {"account": "nobody"}, headers=keyed(n)), 404, "account_not_found")
    pack = n("pack")
    api.put(f"/v1/packs/{pack}", good)
    refused(api.call("POST", f"/v1/packs/{pack}/buy", {"account": account, "paidBy": "customerBalance"},
                     headers=keyed(n)), 402, "insufficient_balance")


# ---- adjustments

def adjust(api, n, account, amount, target, **members):
    return api.call("POST", "/v1/adjustments", {"account": account, "amount": amount, "target": target, **USD,
                                                "reasonCode": "goodwill", **members}, headers=keyed(n))


def test_adjustments_go_both_ways_and_never_below_nothing(api, n, account):
    for target in ("wallet", "customerBalance"):
        given = adjust(api, n, account, "10.00", target, note="sorry").json
        assert (given["amount"], given["reasonCode"], given["note"]) == ("10.00", "goodwill", "sorry")
        assert given["who"].startswith("key:")
        assert adjust(api, n, account, "-4", target).json["amount"] == "-4.00"
        refused(adjust(api, n, account, "-6.01", target), 402, "insufficient_balance")
        assert adjust(api, n, account, "-6", target).status == 201
    assert sum(Decimal(entry["amount"]) for entry in entries(api, account)) == 0
    listed = api.get("/v1/adjustments", query={"account": account})["data"]
    assert sorted(Decimal(one["amount"]) for one in listed) == [-6, -6, -4, -4, 10, 10]
    assert len(api.get("/v1/adjustments", query={"limit": 1000})["data"]) >= 6


def test_adjustments_that_are_refused(api, n, account):
    refused(adjust(api, n, account, "0", "wallet"), 422, "field_invalid")
    refused(adjust(api, n, account, "x", "wallet"), 422, "invalid_value")
    refused(adjust(api, n, account, "1", "purse"), 422, "field_invalid")
    refused(adjust(api, n, account, "1", "wallet", reasonCode=""), 422, "field_invalid")
    refused(adjust(api, n, account, "1", "wallet", currency="ABC"), 422, "field_invalid")
    refused(adjust(api, n, account, "1", "wallet", x=1), 400, "unknown_member")
    refused(adjust(api, n, "nobody", "1", "wallet"), 404, "account_not_found")
    refused(api.call("GET", "/v1/adjustments", query={"cursor": "x"}), 400, "cursor_invalid")


# ---- top-ups

def test_a_wallet_that_runs_low_asks_once_and_is_filled(api, n, account):
    rule = n("rule")
    body = {"account": account, **USD, "threshold": "5", "target": "20"}
    made = api.put(f"/v1/topUpRules/{rule}", body)
    assert (made["threshold"], made["amount"], made["target"], made["enabled"]) == ("5.00", None, "20.00", True)
    assert api.put(f"/v1/topUpRules/{rule}", {**body, "id": rule}) == made == api.get(f"/v1/topUpRules/{rule}")
    assert api.get("/v1/topUpRules", query={"account": account})["data"] == [made]
    grant(api, n, account, "10")
    for key, amount, asked in (("1", "5", 0), ("2", "1", 1), ("3", "1", 1)):
        api.post("/v1/charges", {"account": account, "amount": amount, **USD, "chargeKey": key, "collect": "wallet"})
        assert len(api.get("/v1/topUps", query={"account": account})["data"]) == asked
    pending, = api.get("/v1/topUps", query={"account": account})["data"]
    assert (pending["amount"], pending["available"], pending["state"]) == ("16.00", "4.00", "pending")
    filled = api.post(f"/v1/topUps/{pending['id']}/complete", None)
    assert (filled["amount"], filled["origin"]) == ("16.00", f"topUp:{pending['id']}")
    assert wallet(api, account)["available"] == "19.00"
    refused(api.call("POST", f"/v1/topUps/{pending['id']}/complete"), 409, "top_up_completed")
    assert api.get("/v1/topUps", query={"limit": 1000})["object"] == "list"
    # A fixed amount; and a rule that is off asks for nothing.
    fixed = api.put(f"/v1/topUpRules/{rule}", {**body, "target": None, "amount": "7", "enabled": False})
    assert (fixed["amount"], fixed["target"], fixed["enabled"]) == ("7.00", None, False)
    spend = {"account": account, **USD, "amount": "17", "chargeKey": "4", "collect": "wallet"}
    api.post("/v1/charges", spend)
    assert len(api.get("/v1/topUps", query={"account": account})["data"]) == 1


def test_rules_that_are_refused(api, n, account):
    good = {"account": account, **USD, "threshold": "5", "amount": "10"}
    rule = n("rule")
    api.put(f"/v1/topUpRules/{rule}", good)
    other = api.put(f"/v1/accounts/{n('acct')}", {})["id"]
    for change, code in (({"threshold": "0"}, "field_invalid"), ({"target": "20"}, "field_invalid"),
                         ({"amount": None}, "field_invalid"), ({"amount": "-1"}, "field_invalid"),
                         ({"amount": None, "target": "4"}, "field_invalid"), ({"currency": "EUR"}, "field_invalid"),
                         ({"account": other}, "field_invalid"), ({"id": "other"}, "field_invalid"),
                         ({"threshold": "x"}, "invalid_value")):
        refused(api.call("PUT", f"/v1/topUpRules/{rule}", {**good, **change}), 422, code)
    refused(api.call("PUT", f"/v1/topUpRules/{rule}", {**good, "x": 1}), 400, "unknown_member")
    refused(api.call("PUT", f"/v1/topUpRules/{rule}", {**good, "account": "nobody"}), 404, "account_not_found")
    refused(api.call("GET", "/v1/topUpRules/none"), 404, "top_up_rule_not_found")
    refused(api.call("POST", "/v1/topUps/none/complete"), 404, "top_up_not_found")
    for path in ("/v1/topUps", "/v1/topUpRules"):
        refused(api.call("GET", path, query={"cursor": "x"}), 400, "cursor_invalid")


# ---- wallets and open bills

@pytest.fixture
def calls(api, n):
    """A plan of one meter at 1.00 a call; (meter, plan)."""
    meter = api.meter(n("meter"))["id"]
    plan = n("plan")
    api.publish(plan, {"currency": "USD", "charges": [{"id": "calls", "meter": meter, "model": "perUnit",
                                                       "unitPrice": "1.00"}]})
    return meter, plan


def now(minutes=0):
    return (dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


# Peers polled usage into the balance late, so that a wallet could be spent twice.
def test_the_balance_knows_the_last_event(api, n, account, calls, event):
    meter, plan = calls
    api.subscribe(n("sub"), account, plan)
    grant(api, n, account, "10", effectiveAt="2020-01-01T00:00:00Z")
    for used in range(1, 13):
        api.send([event(meter, account, ts=now())])
        balance = wallet(api, account)
        assert Decimal(balance["available"]) == max(0, 10 - used), balance
        assert Decimal(balance["expectedDraw"]) == min(10, used)
    charge = {"account": account, "amount": "0.01", **USD, "chargeKey": "k", "collect": "wallet"}
    refused(api.call("POST", "/v1/charges", charge), 402, "insufficient_balance")
    assert wallet(api, account)["posted"] == "10.00"


def test_a_grant_pays_for_what_was_used_in_its_time(api, n, account, calls, event):
    meter, plan = calls
    api.subscribe(n("sub"), account, plan)
    api.send([event(meter, account, ts=now(-1))])
    grant(api, n, account, "10")  # from now on
    assert wallet(api, account)["expectedDraw"] == "0.00"
    api.send([event(meter, account, ts=now(1))])
    assert wallet(api, account)["expectedDraw"] == "1.00"


def test_credit_for_other_charges_does_not_pay(api, n, account, calls, event):
    meter, plan = calls
    api.subscribe(n("sub"), account, plan)
    api.send([event(meter, account, 4, ts=now())])
    early = {"effectiveAt": "2020-01-01T00:00:00Z"}
    grant(api, n, account, "10", appliesTo={"charges": ["fee"]}, **early)
    assert wallet(api, account)["expectedDraw"] == "0.00"
    grant(api, n, account, "10", appliesTo={"meters": [meter]}, **early)
    assert wallet(api, account)["expectedDraw"] == "4.00"


# Peers let credit expire at the server's midnight.
def test_credit_expires_at_its_instant_wherever_that_is_midnight(api, n, account, calls, event):
    meter, plan = calls
    api.subscribe(n("sub"), account, plan)
    soon = dt.datetime.now(dt.timezone(dt.timedelta(hours=13))) + dt.timedelta(minutes=2)
    grant(api, n, account, "10", effectiveAt="2020-01-01T00:00:00Z",
          expiresAt=soon.replace(microsecond=0).isoformat())
    api.send([event(meter, account, 1, ts=now()), event(meter, account, 5, ts=now(4))])
    assert wallet(api, account)["expectedDraw"] == "1.00"


# Peers show a balance that is not the sum of its transactions.
def test_a_wallet_is_the_sum_of_its_entries(api, n, account):
    first, second = grant(api, n, account, "10", price="9"), grant(api, n, account, "5", kind="promotional")
    for key, amount in (("1", "3.33"), ("2", "4.44"), ("3", "0.01")):
        api.post("/v1/charges", {"account": account, "amount": amount, **USD, "chargeKey": key, "collect": "wallet"})
    adjust(api, n, account, "-1", "wallet")
    api.post(f"/v1/grants/{first['id']}/revoke", {"mode": "forfeit"})
    every = entries(api, account)
    assert sum(Decimal(entry["amount"]) for entry in every) == Decimal(wallet(api, account)["posted"]) \
        if wallet(api, account) else sum(Decimal(entry["amount"]) for entry in every) == 0
    assert sum(Decimal(entry["cost"]) for entry in every) == 0
    page = api.get(f"/v1/accounts/{account}/wallet/entries", query={"currency": "USD", "limit": 2})
    more = api.get(f"/v1/accounts/{account}/wallet/entries",
                   query={"currency": "USD", "limit": 1000, "cursor": page["nextCursor"]})
    assert page["data"] + more["data"] == every and second


def test_wallets_that_are_not_there(api, n, account):
    assert api.get(f"/v1/accounts/{account}/wallet")["balances"] == []
    for path in ("/v1/accounts/nobody/wallet", "/v1/accounts/nobody/wallet/entries?currency=USD"):
        refused(api.call("GET", path), 404, "account_not_found")
    refused(api.call("GET", f"/v1/accounts/{account}/wallet/entries", query={"currency": "usd"}), 400,
            "parameter_invalid")
    refused(api.call("GET", f"/v1/accounts/{account}/wallet/entries", query={"currency": "USD", "cursor": "x"}), 400,
            "cursor_invalid")


# ---- wallets and invoices

def test_what_is_available_is_the_same_before_and_after_the_invoice(api, n, account, event):
    """Periods that ended and have no invoice yet count, and what was billed in advance counts once."""
    meter, plan = api.meter(n("meter"))["id"], n("plan")
    api.publish(plan, {"currency": "USD", "charges": [
        {"id": "fee", "model": "flat", "amount": "1.00", "timing": "advance"},
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1.00"}]})
    today = dt.datetime.now(dt.timezone.utc)
    first = (today.replace(day=1) - dt.timedelta(days=1)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    day = "%Y-%m-%dT%H:%M:%SZ"
    api.subscribe(n("sub"), account, plan, first.strftime(day))
    grant(api, n, account, "20", effectiveAt="2020-01-01T00:00:00Z")
    api.send([event(meter, account, 4, ts=(first + dt.timedelta(days=3)).strftime(day)),
              event(meter, account, 3, ts=now())])
    before = wallet(api, account)
    assert (before["expectedDraw"], before["available"]) == ("9.00", "11.00")
    left = []
    while True:
        draft = api.call("POST", f"/v1/accounts/{account}/invoices")
        if draft.status >= 400:
            break
        api.post(f"/v1/invoices/{draft.json['id']}/finalize", None)
        balance = wallet(api, account)
        assert balance["available"] == "11.00"
        left.append(balance["posted"])
    assert left == ["19.00", "14.00"]
    charge = {"account": account, "amount": "11.01", **USD, "chargeKey": "k", "collect": "wallet"}
    refused(api.call("POST", "/v1/charges", charge), 402, "insufficient_balance")
    assert api.call("POST", "/v1/charges", {**charge, "amount": "11.00"}).status == 201


def test_an_invoice_is_paid_by_what_was_in_force_when_it_was_used(api, n, account, calls, event):
    """By usage, not by days: 5 of 6 calls were made in the last hour that the grant was in force."""
    meter, plan = calls
    today = dt.datetime.now(dt.timezone.utc)
    first = (today.replace(day=1) - dt.timedelta(days=1)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    def at(**after):
        return (first + dt.timedelta(**after)).strftime("%Y-%m-%dT%H:%M:%SZ")
    api.subscribe(n("sub"), account, plan, at())
    grant(api, n, account, "20", effectiveAt="2020-01-01T00:00:00Z", expiresAt=at(days=1))
    api.send([event(meter, account, 5, ts=at(hours=23)), event(meter, account, 1, ts=at(hours=25))])
    draft = api.post(f"/v1/accounts/{account}/invoices", None)
    done = api.post(f"/v1/invoices/{draft['id']}/finalize", None)
    assert (done["total"], done["credits"]) == ("6.00", "-5.00"), done


# ---- Idempotency-Key

def test_a_key_is_needed_and_replays(api, n, account):
    body = {"account": account, "amount": "1", "currency": "USD", "kind": "paid"}
    refused(api.call("POST", "/v1/grants", body), 400, "idempotency_key_required")
    for key in ("", "x" * 256, b"\xff".decode("latin-1")):
        refused(api.call("POST", "/v1/grants", body, headers={"Idempotency-Key": key}), 400, "idempotency_key_invalid")
    key = keyed(n)
    first = api.call("POST", "/v1/grants", body, headers=key)
    spaced = '{ "account" : "%s", "amount":"1","currency":"USD", "kind":"paid"}' % account
    again = api.call("POST", "/v1/grants", spaced, headers=key)
    assert (first.status, first.headers.get("Idempotent-Replayed")) == (201, None)
    assert (again.status, again.headers.get("Idempotent-Replayed"), again.body) == (201, "true", first.body)
    assert len(entries(api, account)) == 1
    refused(api.call("POST", "/v1/grants", {**body, "amount": "2"}, headers=key), 422, "idempotency_key_reused")
    refused(api.call("POST", "/v1/adjustments", {"account": account, "amount": "1", **USD, "target": "wallet",
                                                 "reasonCode": "x"}, headers=key), 422, "idempotency_key_reused")


def test_a_refusal_does_not_use_up_a_key(api, n, account):
    body = {"account": account, "amount": "5", "currency": "USD", "kind": "paid", "paidBy": "customerBalance"}
    key = keyed(n)
    refused(api.call("POST", "/v1/grants", body, headers=key), 402, "insufficient_balance")
    assert adjust(api, n, account, "5", "customerBalance").status == 201
    assert api.call("POST", "/v1/grants", body, headers=key).status == 201


def test_a_key_where_it_is_optional(api, n, account):
    made, key = grant(api, n, account, "1"), keyed(n)
    first = api.call("POST", f"/v1/grants/{made['id']}/revoke", {"mode": "forfeit"}, headers=key)
    again = api.call("POST", f"/v1/grants/{made['id']}/revoke", {"mode": "forfeit"}, headers=key)
    assert (first.body, again.headers.get("Idempotent-Replayed")) == (again.body, "true")


def test_the_same_key_at_the_same_moment_does_it_once(api, n, account):
    body, key, answers = {"account": account, "amount": "1", **USD, "kind": "paid"}, keyed(n), []
    threads = [threading.Thread(target=lambda: answers.append(api.call("POST", "/v1/grants", body, headers=key)))
               for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {201, 409}
    assert {answer.code for answer in answers if answer.status == 409} <= {"idempotency_key_running"}
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert len(entries(api, account)) == 1
