# SPDX-License-Identifier: Apache-2.0
"""One-off charges: known for ever by account and key, paid whole from the wallet or not at all."""
import threading
import time
from decimal import Decimal

import pytest

USD = {"currency": "USD"}


@pytest.fixture
def account(api, n):
    return api.put(f"/v1/accounts/{n('acct')}", {})["id"]


@pytest.fixture
def funded(api, n, account):
    """An account with 10.00 of credit."""
    api.post("/v1/grants", {"account": account, "amount": "10", "kind": "paid", **USD},
             headers={"Idempotency-Key": n("key")})
    return account


def charge(api, account, key, amount="1.00", **members):
    return api.call("POST", "/v1/charges", {"account": account, "amount": amount, **USD, "chargeKey": key, **members})


def refused(answer, status, code, pointer=None):
    assert (answer.status, answer.code) == (status, code), answer
    if pointer is not None:
        assert pointer in [error["pointer"] for error in answer.json["errors"]], answer


def available(api, account):
    return Decimal(api.get(f"/v1/accounts/{account}/wallet")["balances"][0]["available"])


def test_a_charge_is_made_once(api, account):
    first = charge(api, account, "k", description="setup")
    assert first.status == 201
    assert first.json == {**first.json, "account": account, "chargeKey": "k", "amount": "1.00", "currency": "USD",
                          "description": "setup", "collect": "invoice", "invoice": None}
    again = charge(api, account, "k", "1.0", description="setup", collect="invoice")
    assert (again.status, again.json) == (200, first.json)
    assert api.get(f"/v1/accounts/{account}/charges/k") == first.json
    assert api.get(f"/v1/accounts/{account}/charges")["data"] == [first.json]


@pytest.mark.parametrize("change", [{"amount": "1.01"}, {"currency": "EUR"}, {"description": None},
                                    {"description": "other"}, {"collect": "wallet"}])
def test_other_content_under_a_key_is_a_conflict(api, funded, change):
    assert charge(api, funded, "k", description="setup").status == 201
    refused(charge(api, funded, "k", **{"description": "setup", **change}), 409, "charge_conflict", "/chargeKey")
    assert available(api, funded) == 9  # what waits for an invoice is set aside


def test_keys_are_of_an_account(api, n, account):
    other = api.put(f"/v1/accounts/{n('acct')}", {})["id"]
    assert charge(api, account, "k").json["id"] != charge(api, other, "k").json["id"]


def test_the_wallet_pays_all_or_nothing(api, funded):
    refused(charge(api, funded, "k", "10.01", collect="wallet"), 402, "insufficient_balance", "/amount")
    refused(api.call("GET", f"/v1/accounts/{funded}/charges/k"), 404, "charge_not_found")
    assert charge(api, funded, "k", "10.00", collect="wallet").status == 201
    assert charge(api, funded, "k", "10.00", collect="wallet").status == 200
    assert available(api, funded) == 0 if api.get(f"/v1/accounts/{funded}/wallet")["balances"] else True
    refused(charge(api, funded, "l", "0.01", collect="wallet"), 402, "insufficient_balance")


# Peers drained a wallet in one currency for a charge in another.
def test_the_wallet_pays_in_its_own_currency(api, funded):
    refused(charge(api, funded, "k", "1", currency="EUR", collect="wallet"), 402, "insufficient_balance")
    assert available(api, funded) == 10


# Peers left a cent due though the wallet was full.
def test_what_covers_everything_leaves_no_cent(api, n, account):
    for amount, price in (("3.33", "1.11"), ("3.33", "3.33"), ("3.34", None)):
        api.post("/v1/grants", {"account": account, "amount": amount, **USD,
                                **({"kind": "paid", "price": price} if price else {"kind": "promotional"})},
                 headers={"Idempotency-Key": n("key")})
    for number, amount in enumerate(("0.01", "3.33", "6.65", "0.01")):
        assert charge(api, account, f"k{number}", amount, collect="wallet").status == 201
    assert api.get(f"/v1/accounts/{account}/wallet")["balances"] == []
    name = f"/v1/ledger/accounts/wallet/{account}/statement"
    assert Decimal(api.get(name, query={"currency": "USD"})["closing"]) == 0


def test_the_older_words(api, funded):
    body = {"tenantId": funded, "amount": "1.00", "currency": "USD", "description": "x", "idempotency_key": "k"}
    first = api.call("POST", "/ingest/charge", body)
    assert (first.status, first.json["chargeKey"]) == (201, "k")
    assert api.call("POST", "/ingest/charge", body).status == 200
    assert charge(api, funded, "k", description="x").status == 200
    header = {"account": funded, "amount": "2", "currency": "USD", "collect": "wallet"}
    assert api.call("POST", "/ingest/charge", header, headers={"Idempotency-Key": "h"}).json["chargeKey"] == "h"
    assert available(api, funded) == 7  # 1.00 waits for an invoice
    refused(api.call("POST", "/ingest/charge", {**body, "amount": "9"}), 409, "charge_conflict")
    refused(api.call("POST", "/ingest/charge", {**body, "account": "other"}), 422, "field_invalid", "/tenantId")
    refused(api.call("POST", "/ingest/charge", {**body, "tenantId": "nobody"}), 404, "account_not_found")
    refused(api.call("POST", "/ingest/charge", {**body, "amount": "x"}), 422, "invalid_value")
    refused(api.call("POST", "/ingest/charge", {**body, "x": 1}), 400, "unknown_member")
    refused(api.call("POST", "/ingest/charge", {"amount": "1", "currency": "USD"}), 422, "field_required",
            "/idempotency_key")
    refused(api.call("POST", "/ingest/charge", {"account": funded, "amount": "1", "currency": "USD"},
                     headers={"Idempotency-Key": "x" * 256}), 422, "field_invalid", "/idempotency_key")
    refused(api.call("POST", "/ingest/charge", {**body, "idempotency_key": "big", "amount": "99", "collect": "wallet"}),
            402, "insufficient_balance")


@pytest.mark.parametrize("change,status,code,pointer", [
    ({"amount": "0"}, 422, "field_invalid", "/amount"), ({"amount": "-1"}, 422, "field_invalid", "/amount"),
    ({"amount": "0.001"}, 422, "field_invalid", "/amount"), ({"amount": "one"}, 422, "invalid_value", "/amount"),
    ({"currency": "ZZZ"}, 422, "field_invalid", "/currency"), ({"chargeKey": ""}, 422, "field_invalid", "/chargeKey"),
    ({"chargeKey": None}, 422, "field_required", "/chargeKey"), ({"collect": "card"}, 422, "field_invalid", "/collect"),
    ({"x": 1}, 400, "unknown_member", "/x"), ({"account": "nobody"}, 404, "account_not_found", None)])
def test_charges_that_are_refused(api, account, change, status, code, pointer):
    body = {"account": account, "amount": "1", **USD, "chargeKey": "k", **change}
    refused(api.call("POST", "/v1/charges", {name: value for name, value in body.items() if value is not None}),
            status, code, pointer)
    assert api.get(f"/v1/accounts/{account}/charges")["data"] == []


def test_charges_that_are_not_there(api, account):
    refused(api.call("GET", "/v1/accounts/nobody/charges"), 404, "account_not_found")
    refused(api.call("GET", "/v1/accounts/nobody/charges/k"), 404, "account_not_found")
    refused(api.call("GET", f"/v1/accounts/{account}/charges", query={"cursor": "x"}), 400, "cursor_invalid")


def test_an_account_that_usage_made_can_be_charged(api, n, event):
    meter = api.meter(n("meter"))["id"]
    account = n("acct")
    api.send([event(meter, account)])
    assert charge(api, account, "k").status == 201


def test_many_at_once_on_one_wallet(api, funded):
    answers = []

    def run(number):
        for i in range(20):
            answers.append(charge(api, funded, f"{number}-{i}", "0.25", collect="wallet").status)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers.count(201), answers.count(402)) == (40, 80)
    assert len(api.get(f"/v1/accounts/{funded}/charges", query={"limit": 1000})["data"]) == 40


def test_killed_among_charges(fresh, n):
    """What was acknowledged is there, once; what was not may be sent again."""
    api = fresh()
    api.put("/v1/accounts/a", {})
    api.post("/v1/grants", {"account": "a", "amount": "1000", "kind": "paid", "price": "500", **USD},
             headers={"Idempotency-Key": "g"})
    acknowledged, stop = [], threading.Event()

    def run(number):
        for i in range(10_000):
            try:
                if charge(api, "a", f"{number}-{i}", "0.01", collect="wallet").status in (200, 201):
                    acknowledged.append(f"{number}-{i}")
            except OSError:
                return
            except Exception as problem:  # the connection, in http.client's words
                assert not isinstance(problem, AssertionError), problem
                return
            if stop.is_set():
                return
    for round in range(3):
        threads = [threading.Thread(target=run, args=(f"{round}.{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 100 * (round + 1):
            time.sleep(0.002)
        api.server.kill9()
        for thread in threads:
            thread.join()
        api.server.start()
    stored = {}
    cursor = None
    while True:
        page = api.get("/v1/accounts/a/charges", query={"limit": 1000, **({"cursor": cursor} if cursor else {})})
        for one in page["data"]:
            assert stored.setdefault(one["chargeKey"], one) is one
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert set(acknowledged) <= set(stored)
    assert available(api, "a") == 1000 - Decimal("0.01") * len(stored)
    key = acknowledged[0]
    assert charge(api, "a", key, "0.01", collect="wallet").json["id"] == stored[key]["id"]
    api.server.stop()
    api.server.verify()
    api.server.start()
