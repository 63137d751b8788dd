# SPDX-License-Identifier: Apache-2.0
"""When revenue is earned: usage by the day before its invoice, fees in advance by the day after it; and what
voids, credit notes, write-offs and late usage do to it. A test project, whose clock the tests advance."""
import datetime as dt
import itertools
import random
import sqlite3
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
    run(api, "reconcile")
    run(api, "accrual")
    run(api, "reconcile")


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
    sent = api.send([{"meter": "calls", "account": account, "uniqueId": id, "value": value, "ts": ts}])
    assert sent["accepted"] == 1, sent


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


def test_units_that_are_free_in_the_month_are_free_on_its_first_day(books):
    books.publish("free", {"currency": "USD", "charges": [
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01", "included": "300"}]})
    books.put("/v1/accounts/bob", {"currency": "USD"})
    books.subscribe("other", "bob", "free", JANUARY)
    advance(books, "2026-01-01T10:00:00Z")
    used(books, "f1", 290, "2026-01-01T10:00:00Z", account="bob")
    accrue(books, "2026-01-02T00:00:00Z")
    assert ledger(books, "unbilled", "bob") == 0
    advance(books, "2026-01-02T10:00:00Z")
    used(books, "f2", 30, "2026-01-02T10:00:00Z", account="bob")
    accrue(books, "2026-01-03T00:00:00Z")
    assert (ledger(books, "unbilled", "bob"), revenue(books)) == (Decimal("0.20"), {"free/calls": Decimal("0.20")})


def test_a_void_invoice_gives_back_what_it_took(books):
    first = invoice(books)
    advance(books, "2026-01-10T10:00:00Z")
    used(books, "e1", 500, "2026-01-10T09:00:00Z")
    accrue(books, "2026-02-01T02:00:00Z")
    second = invoice(books)
    accrue(books, "2026-02-03T00:00:00Z")
    fee = 31 + Decimal("2.21")  # 2 of 28 days of 31.00
    assert revenue(books) == {"pro/fee": fee, "pro/calls": 5}
    books.post(f"/v1/invoices/{second['id']}/void", None)
    balanced(books)
    # the usage waits for another invoice, the days that were earned of the fee are not
    assert (ledger(books, "unbilled"), ledger(books, "deferred")) == (5, 0)
    assert (ledger(books, "receivable"), revenue(books)) == (31, {"pro/fee": 31, "pro/calls": 5})
    run(books, "accrual")
    assert revenue(books) == {"pro/fee": 31, "pro/calls": 5}
    third = invoice(books)
    assert third["total"] == second["total"] == "36.00"
    assert (ledger(books, "unbilled"), ledger(books, "deferred")) == (0, 31)
    run(books, "accrual")
    assert (revenue(books), ledger(books, "deferred")) == ({"pro/fee": fee, "pro/calls": 5}, 62 - fee)
    books.post(f"/v1/invoices/{third['id']}/void", None)
    books.post(f"/v1/invoices/{first['id']}/void", None)
    balanced(books)
    assert (revenue(books), ledger(books, "unbilled"), ledger(books, "receivable")) == ({"pro/calls": 5}, 5, 0)


def test_a_cancellation_takes_back_what_was_not_earned(books):
    invoice(books)
    accrue(books, "2026-01-11T00:00:00Z")
    books.post("/v1/subscriptions/sub/cancel", {"at": "2026-01-21T00:00:00Z", "credit": "prorated"}, headers=key())
    accrue(books, "2026-01-16T00:00:00Z")
    assert (revenue(books), ledger(books, "deferred")) == ({"pro/fee": 15}, 16)
    advance(books, "2026-01-21T00:00:00Z")
    cut = invoice(books)
    assert (cut["document"]["subtotal"], cut["total"]) == ("-11.00", "0.00")
    assert (revenue(books), ledger(books, "deferred"), ledger(books, "customerBalance")) == ({"pro/fee": 15}, 5, 11)
    run(books, "accrual")
    assert (revenue(books), ledger(books, "deferred")) == ({"pro/fee": 20}, 0)
    books.post(f"/v1/invoices/{cut['id']}/void", None)  # until it is made again, the fee goes on
    balanced(books)
    assert (revenue(books), ledger(books, "deferred")) == ({"pro/fee": 20}, 11)
    assert invoice(books)["total"] == "0.00"
    assert (revenue(books), ledger(books, "deferred"), ledger(books, "customerBalance")) == ({"pro/fee": 20}, 0, 11)


def test_a_credit_note_takes_what_was_not_earned_first(books):
    first = invoice(books)
    accrue(books, "2026-01-11T00:00:00Z")
    note = {"invoice": first["id"], "reasonCode": "goodwill", "apply": "balance"}
    books.post("/v1/creditNotes", {**note, "lines": [{"line": 1, "amount": "10.50"}]}, headers=key())
    balanced(books)
    assert (revenue(books), ledger(books, "deferred")) == ({"pro/fee": 10}, Decimal("10.50"))
    accrue(books, "2026-01-13T00:00:00Z")
    assert (revenue(books), ledger(books, "deferred")) == ({"pro/fee": 11}, Decimal("9.50"))
    books.post("/v1/creditNotes", note, headers=key())
    balanced(books)
    assert (revenue(books), ledger(books, "deferred"), ledger(books, "customerBalance")) == ({}, 0, 31)
    accrue(books, "2026-02-01T00:00:00Z")
    assert (revenue(books), ledger(books, "deferred")) == ({}, 0)


def test_what_nobody_pays_is_not_earned(books):
    first = invoice(books)
    books.post(f"/v1/invoices/{first['id']}/pay", {"amount": "6.00"}, headers=key())
    accrue(books, "2026-01-11T00:00:00Z")
    books.post(f"/v1/invoices/{first['id']}/writeOff", None)
    balanced(books)
    assert (ledger(books, "writeoff", "invoices"), ledger(books, "deferred"), revenue(books)) == (4, 0, {"pro/fee": 10})
    accrue(books, "2026-01-21T00:00:00Z")
    assert revenue(books) == {"pro/fee": 10}
    books.post(f"/v1/invoices/{first['id']}/pay", {}, headers=key())  # after all
    balanced(books)
    assert (ledger(books, "writeoff", "invoices"), ledger(books, "deferred")) == (0, 21)
    accrue(books, "2026-01-31T12:00:00Z")
    assert ledger(books, "deferred") == Decimal("1.91")  # 21.00 by eleven days
    accrue(books, "2026-02-02T00:00:00Z")
    assert (revenue(books), ledger(books, "deferred")) == ({"pro/fee": 31}, 0)


def test_what_was_written_off_is_paid_when_the_service_is_over(books):
    first = invoice(books)
    books.post(f"/v1/invoices/{first['id']}/writeOff", None)
    assert (ledger(books, "writeoff", "invoices"), ledger(books, "deferred"), revenue(books)) == (0, 0, {})
    accrue(books, "2026-03-01T00:00:00Z")
    books.post(f"/v1/invoices/{first['id']}/pay", {}, headers=key())
    balanced(books)
    assert (revenue(books), ledger(books, "deferred"), ledger(books, "receivable")) == ({"pro/fee": 31}, 0, 0)


def finalized(api, account="ada"):
    """All that is due, as invoices."""
    made = []
    while (draft := api.call("POST", f"/v1/accounts/{account}/invoices")).code != "nothing_due":
        made.append(api.post(f"/v1/invoices/{draft.json['id']}/finalize", None))
    return made


def test_an_invoice_takes_out_what_it_bills_and_nothing_else(books):
    """Two subscriptions that are billed on other days, and a charge."""
    books.meter("mails")
    books.publish("mails", {"currency": "USD", "period": {"unit": "month", "anchor": "subscription"}, "charges": [
        {"id": "mails", "meter": "mails", "model": "perUnit", "unitPrice": "0.01"}]})
    books.subscribe("later", "ada", "mails", "2026-01-10T00:00:00Z")
    finalized(books)
    advance(books, "2026-01-12T00:00:00Z")
    used(books, "e1", 400, "2026-01-11T00:00:00Z")
    books.send([{"meter": "mails", "account": "ada", "uniqueId": "m1", "value": 300, "ts": "2026-01-11T00:00:00Z"}])
    accrue(books, "2026-01-20T00:00:00Z")
    assert ledger(books, "unbilled") == 7
    books.post("/v1/charges", {"account": "ada", "amount": "5", "currency": "USD", "chargeKey": "visit"})
    advance(books, "2026-02-01T00:00:00Z")
    made, = finalized(books)
    assert (made["total"], ledger(books, "unbilled")) == ("40.00", 3)
    assert {line["kind"] for line in made["document"]["lines"]} >= {"usage", "charge"}
    run(books, "accrual")
    run(books, "reconcile")
    assert ledger(books, "unbilled") == 3
    advance(books, "2026-03-12T00:00:00Z")
    assert run(books, "billing")["invoices"] == 3
    assert [row["at"][:10] for row in all_of(books, "/v1/invoices")][:3] == ["2026-03-10", "2026-03-01", "2026-02-10"]
    assert (ledger(books, "unbilled"), revenue(books, "mails")) == (0, {"mails/mails": 3})


def test_a_void_credit_of_more_than_one_fee_and_month(books):
    """A cancellation in the past takes two fees of two months back; void, they go on being earned."""
    books.publish("two", {"currency": "USD", "charges": [
        {"id": name, "model": "flat", "amount": amount, "timing": "advance"}
        for name, amount in (("fee", "31.00"), ("line", "62.00"))]})
    books.put("/v1/accounts/bob", {"currency": "USD"})
    books.subscribe("both", "bob", "two", JANUARY)
    advance(books, "2026-02-08T00:00:00Z")
    assert len(finalized(books, "bob")) == 2
    run(books, "accrual")
    earned, left = revenue(books, "two"), ledger(books, "deferred", "bob")
    assert (earned, left) == ({"two/fee": Decimal("38.75"), "two/line": Decimal("77.50")}, Decimal("69.75"))
    books.post("/v1/subscriptions/both/cancel", {"at": "2026-01-17T00:00:00Z", "credit": "prorated"}, headers=key())
    cut, = finalized(books, "bob")
    assert sorted(line["net"] for line in cut["document"]["lines"]) == ["-15.00", "-30.00", "-31.00", "-62.00"]
    assert ledger(books, "deferred", "bob") == 0
    books.post(f"/v1/invoices/{cut['id']}/void", None)
    balanced(books)
    assert (sum(revenue(books, "two").values()) + ledger(books, "deferred", "bob")) == 186
    run(books, "reconcile")
    accrue(books, "2026-03-01T00:00:00Z")
    assert (revenue(books, "two"), ledger(books, "deferred", "bob")) == ({"two/fee": 62, "two/line": 124}, 0)


def test_an_invoice_of_more_than_fees_is_lost_and_paid(books):
    """Usage that was taken back, seats that came late, a charge and a fee; no day was accrued before."""
    books.publish("all", {"currency": "USD", "charges": [
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"},
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "2.80", "timing": "advance"},
        {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"}]})
    books.put("/v1/settings", {"lateUsage": "nextInvoice"})
    books.put("/v1/accounts/bob", {"currency": "USD"})
    books.subscribe("all", "bob", "all", JANUARY, quantities={"seats": "1"})
    finalized(books, "bob")
    advance(books, "2026-01-11T00:00:00Z")
    used(books, "e1", 700, "2026-01-11T00:00:00Z", "bob")
    advance(books, "2026-02-01T00:00:00Z")
    finalized(books, "bob")
    books.post("/v1/measurements/void", {"uniqueIds": ["e1"]})
    books.post("/v1/subscriptions/all/change", {"quantities": {"seats": "3"}, "effectiveAt": "2026-02-01T00:00:00Z"},
               headers=key())
    books.post("/v1/charges", {"account": "bob", "amount": "5", "currency": "USD", "chargeKey": "visit"})
    advance(books, "2026-03-01T00:00:00Z")
    made, = finalized(books, "bob")
    assert [(line["charge"], line["net"]) for line in made["document"]["lines"]] == [
        ("calls", "-7.00"), ("calls", "0.00"), ("seats", "5.60"), ("seats", "8.40"), ("fee", "31.00"), (None, "5.00")]
    before = revenue(books), ledger(books, "deferred", "bob")
    assert before == ({"charge": 5}, Decimal("112.60"))  # the charge alone is earned
    books.post(f"/v1/invoices/{made['id']}/writeOff", None)
    balanced(books)
    assert (ledger(books, "writeoff", "invoices"), ledger(books, "deferred", "bob")) == (0, Decimal("69.60"))
    run(books, "reconcile")
    books.post(f"/v1/invoices/{made['id']}/pay", {}, headers=key())
    balanced(books)
    assert (revenue(books), ledger(books, "deferred", "bob")) == before
    run(books, "reconcile")
    accrue(books, "2026-03-11T00:00:00Z")
    books.post("/v1/creditNotes", {"invoice": made["id"], "reasonCode": "goodwill", "apply": "balance"}, headers=key())
    balanced(books)
    run(books, "reconcile")
    assert (sum(revenue(books).values()), ledger(books, "deferred", "bob")) == (Decimal("74.60"), 0)  # two months
    accrue(books, "2026-04-01T00:00:00Z")
    assert ledger(books, "deferred", "bob") == 0


def test_tax_is_nobodys_revenue(books):
    books.put("/v1/taxRates/vat", {"name": "VAT", "percent": "25", "inclusive": True})
    books.put("/v1/accounts/ada", {"currency": "USD", "taxRates": ["vat"]})
    assert invoice(books)["total"] == "31.00"
    assert ledger(books, "deferred") == Decimal("24.80")
    advance(books, "2026-01-10T10:00:00Z")
    used(books, "e1", 1000, "2026-01-10T09:00:00Z")
    accrue(books, "2026-02-01T00:00:00Z")
    assert (ledger(books, "unbilled"), revenue(books)) == (8, {"pro/fee": Decimal("24.80"), "pro/calls": 8})
    assert invoice(books)["total"] == "41.00"
    assert (ledger(books, "unbilled"), revenue(books)) == (0, {"pro/fee": Decimal("24.80"), "pro/calls": 8})


def test_a_day_is_one_of_the_accounts_zone_and_revenue_has_the_name_it_is_given(books):
    books.publish("east", {"currency": "USD", "charges": [
        {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance", "revenueAccount": "4000-fees",
         "sku": "F-1", "metadata": {"team": "7"}}]})
    books.put("/v1/accounts/bob", {"currency": "USD", "timeZone": "Asia/Tokyo"})
    books.subscribe("other", "bob", "east", "2025-12-31T15:00:00Z")
    made = books.post("/v1/accounts/bob/invoices", None)
    books.post(f"/v1/invoices/{made['id']}/finalize", None)
    accrue(books, "2026-01-01T14:59:59Z")
    assert revenue(books, "4000") == {}
    accrue(books, "2026-01-01T15:00:00Z")
    assert revenue(books, "4000") == {"4000-fees": 1}
    posted = [row for row in books.get("/v1/ledger/transactions")["data"] if row["posting"] == "earning"]
    assert [(row["memo"], row["effectiveAt"]) for row in posted] == [("2026-01-01", "2026-01-01T14:59:59.999999Z")]


def test_months_that_were_left_out_are_posted_month_by_month(books):
    invoice(books)
    accrue(books, "2026-01-02T00:00:00Z")
    used(books, "e1", 100, "2026-01-01T11:00:00Z")
    advance(books, "2026-02-20T00:00:00Z")
    used(books, "e2", 200, "2026-02-03T11:00:00Z")
    accrue(books, "2026-03-05T00:00:00Z")
    assert posted_days(books) == [("accrual", "2026-01-31", "-1.00"), ("accrual", "2026-02-28", "-2.00"),
                                  ("earning", "2026-01-01", "1.00"), ("earning", "2026-01-31", "30.00")]
    assert (ledger(books, "unbilled"), revenue(books)) == (3, {"pro/fee": 31, "pro/calls": 3})


def posted_days(api):
    return sorted((row["posting"], row["memo"], row["entries"][0]["amount"])
                  for row in all_of(api, "/v1/ledger/transactions") if row["posting"] in ("accrual", "earning"))


def test_months_before_the_first_run_are_posted_month_by_month(books):
    invoice(books)
    used(books, "e1", 100, "2026-01-01T00:00:00Z")
    books.publish("late", {"currency": "USD", "charges": [{"id": "help", "model": "flat", "amount": "9.00"}]})
    books.subscribe("later", "ada", "late", "2026-02-10T00:00:00Z")
    books.put("/v1/accounts/idle", {"currency": "USD"})
    books.subscribe("idle", "idle", "pro", JANUARY)
    advance(books, "2026-02-20T00:00:00Z")
    used(books, "e2", 200, "2026-02-03T11:00:00Z")
    accrue(books, "2026-03-05T00:00:00Z")
    assert posted_days(books) == [("accrual", "2026-01-31", "-1.00"), ("accrual", "2026-02-28", "-2.00"),
                                  ("earning", "2026-01-31", "31.00")]
    before = len(all_of(books, "/v1/ledger/transactions"))
    run(books, "accrual")
    assert len(all_of(books, "/v1/ledger/transactions")) == before


def test_months_that_were_closed_before_the_first_run_take_nothing(books):
    invoice(books)
    used(books, "e1", 100, "2026-01-01T00:00:00Z")
    advance(books, "2026-03-05T00:00:00Z")
    books.post("/v1/ledger/months/2026-01/close", None)
    accrue(books, "2026-03-05T00:00:00Z")
    assert posted_days(books) == [("accrual", "2026-02-28", "-1.00"), ("earning", "2026-02-28", "31.00")]


def test_a_closed_month_takes_no_day(books):
    invoice(books)
    advance(books, "2026-02-01T00:00:00Z")
    books.post("/v1/ledger/months/2026-01/close", None)
    done = waited(books, books.expect(202, "POST", "/v1/runs", {"kind": "accrual"}, headers=key()))
    assert done["failed"] == 1
    failed = books.get(f"/v1/runs/{done['id']}/items")["data"]
    assert [row["error"]["code"] for row in failed] == ["ledger_month_closed"]
    books.post("/v1/ledger/months/2026-01/open", None)
    again = waited(books, books.expect(202, "POST", f"/v1/runs/{done['id']}/retry", None, headers=key()))
    assert again["failed"] == 0
    assert revenue(books) == {"pro/fee": 31}


def instant(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Year:
    """Random days of one account: usage that comes in time, late or is void, invoices that are made late or
    become void, accruals that are left out."""

    def __init__(self, api, seed):
        self.api, self.rng = api, random.Random(seed)
        self.now = dt.datetime(2026, 1, 1)
        self.events, self.invoices = {}, []

    def use(self):
        at = self.now - dt.timedelta(minutes=self.rng.randrange(1, 60 * 24 * self.rng.choice((1, 1, 3, 40))))
        if at < dt.datetime(2026, 1, 1):
            return
        name, value = f"e{next(KEYS)}", self.rng.randrange(1, 400)
        used(self.api, name, value, instant(at))
        self.events[name] = (at, value)

    def take_back(self):
        if self.events:
            name = self.rng.choice(sorted(self.events))
            self.api.post("/v1/measurements/void", {"uniqueIds": [name]})
            del self.events[name]

    def bill(self):
        made = self.api.call("POST", "/v1/accounts/ada/invoices")
        if made.status == 200:
            self.invoices.append(self.api.post(f"/v1/invoices/{made.json['id']}/finalize", None))
        else:
            assert made.code == "nothing_due", made
        return made.status == 200

    def void_last(self):
        if self.invoices:
            done = self.api.call("POST", f"/v1/invoices/{self.invoices[-1]['id']}/void")
            if done.status == 200:
                self.invoices.pop()
            else:
                assert done.code == "invoice_has_payments", done

    def pass_time(self):
        self.now += dt.timedelta(hours=self.rng.choice((5, 24, 24, 30, 80, 200)))
        advance(self.api, instant(self.now))

    def nets(self):
        sums = {}
        for made in self.invoices:
            for line in made["document"]["lines"]:
                sums[line["charge"]] = sums.get(line["charge"], 0) + Decimal(line["net"])
        return {f"pro/{charge}": net for charge, net in sums.items() if net}

    def unbilled(self):
        """What was used on days that ended, in months that no invoice has."""
        last = max((made["at"] for made in self.invoices), default=JANUARY)
        day = instant(self.now.replace(hour=0, minute=0, second=0))
        return sum(value for at, value in self.events.values() if last <= instant(at) < day) / Decimal(100)


@pytest.mark.parametrize("seed", range(3))
def test_random_days_come_to_what_was_invoiced(books, seed):
    year = Year(books, seed)
    deeds = [year.use] * 5 + [year.take_back, year.bill, year.bill, year.void_last] + [year.pass_time] * 3
    for _ in range(60):
        year.rng.choice(deeds)()
        balanced(books)
        if year.rng.random() < 0.3:
            run(books, "accrual")
            assert ledger(books, "unbilled") == year.unbilled()
            run(books, "reconcile")
    year.now = max(year.now, dt.datetime(2026, 3, 1)).replace(day=1, hour=0, minute=0) + dt.timedelta(days=32)
    year.now = year.now.replace(day=1)
    advance(books, instant(year.now))
    while year.bill():
        pass
    run(books, "accrual")
    earned, nets = revenue(books), year.nets()
    assert (ledger(books, "unbilled"), ledger(books, "deferred")) == (0, 31)  # the month that begins now
    assert earned == {name: net - 31 if name == "pro/fee" else net for name, net in nets.items()}
    assert nets["pro/fee"] % 31 == 0


def test_reconcile_holds_it_against_the_ledger(books):
    invoice(books)
    advance(books, "2026-01-05T00:00:00Z")
    used(books, "e1", 200, "2026-01-04T11:00:00Z")
    accrue(books, "2026-01-05T00:00:00Z")
    if books.server.books:
        pytest.skip("changes books that are a file")
    books.server.stop()
    with sqlite3.connect(books.server.data / "books.sqlite") as file:
        file.execute("update revenue_item set earned = earned + 100 where side = 'deferred'")
        file.execute("update revenue_item set amount = 900 where side = 'accrued'")
    books.server.start()
    books.drop_connection()
    done = waited(books, books.expect(202, "POST", "/v1/runs", {"kind": "reconcile"}, headers=key()))
    [failed] = books.get(f"/v1/runs/{done['id']}/items")["data"]
    assert "unbilled is 200 USD in the ledger, by what is accrued it is 900" in failed["error"]["detail"]
    assert "deferred is -2700 USD in the ledger, by what is not earned it is -2600" in failed["error"]["detail"]


class Seats(Year):
    """Random changes of what is paid in advance, and credit notes on it."""

    def __init__(self, api, seed):
        super().__init__(api, seed)
        self.noted = Decimal(0)

    def change(self):
        self.api.post("/v1/subscriptions/seats/change", {"quantities": {"seats": str(self.rng.randrange(0, 20))}},
                      headers=key())

    def note(self):
        if self.invoices:
            made = self.rng.choice(self.invoices)
            lines = [line for line in made["document"]["lines"] if Decimal(line["net"]) > 0]
            if lines:
                line = self.rng.choice(lines)
                amount = Decimal(self.rng.randrange(1, int(100 * Decimal(line["net"])) + 1)) / 100
                done = self.api.call("POST", "/v1/creditNotes", {
                    "invoice": made["id"], "reasonCode": "goodwill", "apply": "balance",
                    "lines": [{"line": line["number"], "amount": str(amount)}]}, headers=key())
                self.noted += amount if done.status in (200, 201) else 0


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_of_what_is_paid_in_advance(books, seed):
    books.publish("seats", {"currency": "USD", "charges": [
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "7.77", "timing": "advance",
         "onDecrease": "credit"}]})
    books.post("/v1/subscriptions/sub/cancel", {"at": JANUARY}, headers=key())
    books.subscribe("seats", "ada", "seats", JANUARY, quantities={"seats": "5"})
    year = Seats(books, seed)
    deeds = [year.change] * 3 + [year.bill] * 4 + [year.void_last, year.note] + [year.pass_time] * 3
    for _ in range(60):
        year.rng.choice(deeds)()
        balanced(books)
        if year.rng.random() < 0.3:
            run(books, "accrual")
        if year.rng.random() < 0.2:
            run(books, "reconcile")
    books.post("/v1/subscriptions/seats/cancel", {"at": instant(year.now + dt.timedelta(days=9))}, headers=key())
    year.now += dt.timedelta(days=70)
    advance(books, instant(year.now))
    while year.bill():
        pass
    run(books, "accrual")
    run(books, "reconcile")
    assert (ledger(books, "deferred"), ledger(books, "unbilled")) == (0, 0)
    assert sum(revenue(books).values()) == sum(year.nets().values()) - year.noted
