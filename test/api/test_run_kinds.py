# SPDX-License-Identifier: Apache-2.0
"""Runs that make no invoices: credit expires, revenue is accrued, the books are held against each other."""
import sqlite3
from decimal import Decimal

import pytest
from clock import advance, set_clock, test_project as project_folder
from test_runs import all_of, items, waited

USD = {"currency": "USD"}


@pytest.fixture
def tested(fresh, tmp_path):
    return fresh(data=project_folder(tmp_path))


def run(api, kind, key, **members):
    started = api.expect(202, "POST", "/v1/runs", {"kind": kind, **members}, headers={"Idempotency-Key": key})
    assert started["kind"] == kind
    done = waited(api, started)
    assert done["status"] == "succeeded" and done["isWalked"], done
    return done


def grant(api, account, amount, expires, **members):
    return api.expect(201, "POST", "/v1/grants", {"account": account, "amount": amount, **USD, "kind": "paid",
                                                  "expiresAt": expires, **members},
                      headers={"Idempotency-Key": f"{account}{amount}{expires}"})


def balance(api, kind, owner):
    rows = [row for row in all_of(api, "/v1/ledger/accounts", kind=kind) if row["owner"] == owner]
    return sum(Decimal(row["balance"]) for row in rows)


def world(api):
    set_clock(api, "2031-01-01T00:00:00Z")
    api.meter("calls")
    api.publish("team", {**USD, "charges": [
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}]})
    api.put("/v1/accounts/acct", USD)
    api.subscribe("sub", "acct", "team", "2031-01-01T00:00:00Z")


def test_credit_expires_when_all_it_may_pay_is_billed(tested):
    world(tested)
    made = grant(tested, "acct", "10.00", "2031-01-20T00:00:00Z")
    other = tested.put("/v1/accounts/other", USD)["id"]
    grant(tested, other, "7.00", "2031-01-20T00:00:00Z", kind="promotional")
    tested.send([{"meter": "calls", "account": "acct", "uniqueId": "a", "value": 300}])  # 3.00, in force
    state = lambda: tested.get(f"/v1/grants/{made['id']}")["state"]  # noqa: E731
    advance(tested, "2031-01-19T23:59:59Z")
    assert items(tested, run(tested, "expiry", "early")) == []
    advance(tested, "2031-01-20T00:00:00Z")
    done = run(tested, "expiry", "at once")  # nobody else has anything to pay with it: it is gone at once
    assert [(item["account"], item["status"], item["at"]) for item in items(tested, done)] == [
        ("other", "done", "2031-01-20T00:00:00Z")]
    assert state() == "active"  # January is not billed: it pays for what was used up to the 20th
    advance(tested, "2031-02-01T00:00:00Z")
    assert items(tested, run(tested, "expiry", "not billed")) == [] and state() == "active"
    assert run(tested, "billing", "january")["invoices"] == 1
    [invoice] = all_of(tested, "/v1/invoices")
    assert invoice["total"] == "3.00" and invoice["status"] == "paid"
    done = run(tested, "expiry", "billed")
    assert [(item["account"], item["currency"], item["status"]) for item in items(tested, done)] == [
        ("acct", "USD", "done")]
    assert state() == "expired"
    broken = [Decimal(row["balance"]) for row in all_of(tested, "/v1/ledger/accounts", kind="breakage")]
    assert broken == [-7] and balance(tested, "wallet", "acct") == 0
    assert items(tested, run(tested, "expiry", "again")) == []
    assert run(tested, "reconcile", "reconciled")["failed"] == 0
    assert run(tested, "sweep", "swept")["failed"] == 0


def test_a_charge_that_waits_keeps_credit_too(tested):
    world(tested)
    lone = tested.put("/v1/accounts/lone", USD)["id"]
    made = grant(tested, lone, "10.00", "2031-01-20T00:00:00Z")
    tested.expect(201, "POST", "/v1/charges", {"account": lone, "amount": "4", **USD, "chargeKey": "one"})
    advance(tested, "2031-01-25T00:00:00Z")
    assert items(tested, run(tested, "expiry", "one")) == []
    assert tested.get(f"/v1/grants/{made['id']}")["state"] == "active"


def test_only_what_was_used_by_then_keeps_credit(tested):
    world(tested)
    lone = tested.put("/v1/accounts/lone", USD)["id"]
    over = [grant(tested, lone, amount, "2031-01-20T00:00:00Z")["id"] for amount in ("10.00", "4.00")]
    stays = grant(tested, lone, "3.00", "2031-03-01T00:00:00Z")["id"]
    advance(tested, "2031-01-25T00:00:00Z")
    tested.expect(201, "POST", "/v1/charges", {"account": lone, "amount": "4", **USD, "chargeKey": "later"})
    done = items(tested, run(tested, "expiry", "one"))
    assert [(item["account"], item["status"]) for item in done] == [("lone", "done")] * 2
    assert [tested.get(f"/v1/grants/{id}")["state"] for id in (*over, stays)] == ["expired", "expired", "active"]
    assert balance(tested, "wallet", "lone") == -3


def test_accrual(tested):
    world(tested)
    tested.send([{"meter": "calls", "account": "acct", "uniqueId": "a", "value": 300}])
    advance(tested, "2031-01-10T05:00:00Z")
    assert run(tested, "accrual", "one")["failed"] == 0
    assert balance(tested, "unbilled", "acct") == 3
    assert run(tested, "accrual", "two")["failed"] == 0
    assert balance(tested, "unbilled", "acct") == 3


def test_reconcile_says_what_differs(tested):
    world(tested)
    for name in ("b", "c"):
        tested.put(f"/v1/accounts/{name}", USD)
        made = tested.expect(201, "POST", "/v1/invoices", {"account": name, **USD, "lines": [
            {"description": "x", "amount": "12.00"}]}, headers={"Idempotency-Key": name})
        tested.post(f"/v1/invoices/{made['id']}/finalize", None)
        tested.expect(200, "POST", f"/v1/invoices/{made['id']}/pay", {"amount": "5", "method": "wire"},
                      headers={"Idempotency-Key": "pay" + name})
        grant(tested, name, "3.00", "2032-01-20T00:00:00Z")
    assert run(tested, "reconcile", "clean")["failed"] == 0
    if tested.server.books:
        pytest.skip("changes books that are a file")
    tested.server.stop()
    [path] = [p for p in tested.server.data.rglob("*") if p.is_file() and p.read_bytes()[:15] == b"SQLite format 3"]
    with sqlite3.connect(path) as books:
        books.execute("update invoice set paid = paid - 100, total = total + 1 where account = 'b'")
        books.execute("update credit_grant set drawn = 50 where account = 'c'")
    tested.server.start()
    tested.drop_connection()
    done = run(tested, "reconcile", "wrong")
    found = {item["account"]: item["error"] for item in items(tested, done, status="failed")}
    assert set(found) == {"b", "c"} and {error["code"] for error in found.values()} == {"books_differ"}
    assert "comes to 1201 and posted 1200" in found["b"]["detail"]
    assert "receivable is 700 USD in the ledger, by invoices it is 801" in found["b"]["detail"]
    assert "wallet is -300 USD in the ledger, by grants it is -250" in found["c"]["detail"]
    swept = run(tested, "sweep", "swept")
    [item] = items(tested, swept, status="failed")
    assert item["account"] is None and item["error"]["code"] == "books_differ"


def test_kinds_that_are_none(tested):
    refused = tested.call("POST", "/v1/runs", {"kind": "seal"}, headers={"Idempotency-Key": "x"})
    assert (refused.status, refused.code) == (422, "field_invalid")
