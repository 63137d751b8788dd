# SPDX-License-Identifier: Apache-2.0
"""When revenue is earned: usage by the day before its invoice, fees in advance by the day after it; and what
voids, credit notes, write-offs and late usage do to it. A test project, whose clock the tests advance."""
import datetime as dt
import itertools
import random
from decimal import Decimal

import pytest
from clock import advance, set_clock, test_project as project_folder
from test_runs import all_of, waited

JANUARY = "2026-01-01T00:00:00Z"
KEYS = itertools.count()


def key():
    return {"Idempotency-Key": f"revenue-{next(KEYS)}"}


def ledger(api, kind, owner="ada"):
    """The balance on its normal side."""
    total = sum(Decimal(row["balance"]) for row in all_of(api, "/v1/ledger/accounts", kind=kind, owner=owner))
    return -total if kind in ("deferred", "revenue", "customerBalance") else total


def revenue(api, prefix=""):
    return {row["owner"]: -Decimal(row["balance"]) for row in all_of(api, "/v1/ledger/accounts", kind="revenue")
            if row["owner"].startswith(prefix) and Decimal(row["balance"]) != 0}


def balanced(api):
    for total in api.get("/v1/ledger/trialBalance")["totals"]:
        assert abs(Decimal(total["debit"])) == abs(Decimal(total["credit"])), total


def run(api, kind, at=None):
    wanted = {"kind": kind, **({"at": at} if at else {})}
    done = waited(api, api.expect(202, "POST", "/v1/runs", wanted, headers=key()))
    assert (done["status"], done["failed"], done["error"]) == ("succeeded", 0, None), done
    balanced(api)
    return done


def accrue(api, day):
    """Time passes to that day, and the days before it are accrued."""
    advance(api, day)
    run(api, "accrual")


@pytest.fixture
def books(fresh, tmp_path):
    """A fee of 31.00 in advance and calls at 0.01, since January; the clock stands at its beginning."""
    api = fresh(data=project_folder(tmp_path))
    set_clock(api, JANUARY)
    api.meter("calls")
    api.publish("pro", {"currency": "USD", "charges": [
        {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"},
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}]})
    api.put("/v1/accounts/ada", {"currency": "USD"})
    api.subscribe("sub", "ada", "pro", JANUARY)
    return api


def used(api, id, value, ts, account="ada"):
    assert api.send([{"meter": "calls", "account": account, "uniqueId": id, "value": value, "ts": ts}])[
        "accepted"] == 1


def invoice(api):
    return api.post(f"/v1/invoices/{api.post('/v1/accounts/ada/invoices', None)['id']}/finalize", None)


def test_a_fee_in_advance_is_earned_by_the_day(books):
    assert invoice(books)["total"] == "31.00"
    assert (ledger(books, "deferred"), revenue(books)) == (31, {})
    accrue(books, "2026-01-01T23:59:59Z")  # no day has ended
    assert revenue(books) == {}
    accrue(books, "2026-01-02T00:00:00Z")
    assert (ledger(books, "deferred"), revenue(books)) == (30, {"pro/fee": 1})
    run(books, "accrual")
    assert revenue(books) == {"pro/fee": 1}
    accrue(books, "2026-01-11T12:00:00Z")  # days that were left out come with the next
    assert revenue(books) == {"pro/fee": 10}
    run(books, "accrual", at="2026-01-05T00:00:00Z")  # never back
    assert revenue(books) == {"pro/fee": 10}
    accrue(books, "2026-02-01T00:00:00Z")
    assert (ledger(books, "deferred"), revenue(books)) == (0, {"pro/fee": 31})


def test_usage_is_accrued_before_its_invoice(books):
    invoice(books)
    advance(books, "2026-01-01T10:00:00Z")
    used(books, "e1", 100, "2026-01-01T10:00:00Z")
    accrue(books, "2026-01-02T00:30:00Z")
    assert (ledger(books, "unbilled"), revenue(books)) == (1, {"pro/fee": 1, "pro/calls": 1})
    used(books, "e2", 300, "2026-01-02T00:10:00Z")  # of the day that runs
    run(books, "accrual")
    assert ledger(books, "unbilled") == 1
    used(books, "e3", 50, "2026-01-01T11:00:00Z")  # late, of a day that was accrued
    run(books, "accrual")
    assert ledger(books, "unbilled") == Decimal("1.50")
    accrue(books, "2026-01-31T00:00:00Z")
    assert ledger(books, "unbilled") == Decimal("4.50")
    books.post("/v1/measurements/void", {"uniqueIds": ["e2"]})
    run(books, "accrual")
    assert ledger(books, "unbilled") == Decimal("1.50")
    accrue(books, "2026-02-01T02:00:00Z")
    used(books, "e4", 7, "2026-01-31T23:00:00Z")  # after the accrual, before the invoice
    second = invoice(books)
    assert second["total"] == "32.57"
    assert (ledger(books, "unbilled"), revenue(books)) == (0, {"pro/fee": 31, "pro/calls": Decimal("1.57")})
    assert ledger(books, "deferred") == 31
    run(books, "accrual")
    assert (ledger(books, "unbilled"), revenue(books)) == (0, {"pro/fee": 31, "pro/calls": Decimal("1.57")})
