# SPDX-License-Identifier: Apache-2.0
"""One run bills all that is due up to its instant: charges in other currencies than the account's boundary too."""
from decimal import Decimal

import pytest
from clock import advance, set_clock, test_project as project_folder
from test_runs import all_of, billed
from test_scheduler import automatic, go

JANUARY, FEBRUARY = "2031-01-01T00:00:00Z", "2031-02-01T00:00:00Z"
USD = {"currency": "USD"}


@pytest.fixture
def tested(fresh, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    set_clock(api, JANUARY)
    api.publish("team", {**USD, "charges": [{"id": "fee", "model": "flat", "amount": "50.00", "timing": "advance"}]},
                effective=JANUARY)
    return api


def world(api, accounts):
    for name in accounts:
        api.put(f"/v1/accounts/{name}", USD)
        api.subscribe(f"sub_{name}", name, "team", JANUARY)


def charge(api, account, currency, amount):
    api.expect(201, "POST", "/v1/charges", {"account": account, "currency": currency, "amount": amount,
                                            "chargeKey": f"{currency}{amount}"})


def totals(api, account):
    return sorted((invoice["currency"], invoice["at"], Decimal(invoice["total"]))
                  for invoice in all_of(api, "/v1/invoices", account=account))


def waiting(api, account):
    return [row["chargeKey"] for row in all_of(api, f"/v1/accounts/{account}/charges") if row["invoice"] is None]


FIRST = ("USD", JANUARY, Decimal(50))
ALL = [("EUR", FEBRUARY, Decimal(7)), ("GBP", FEBRUARY, Decimal(9)), FIRST, ("USD", FEBRUARY, Decimal(52))]


@pytest.mark.parametrize("others", [[], ["bob", "eve"]])  # alone, and in a transaction with others
def test_one_run_bills_every_currency(tested, others):
    world(tested, ["ada", *others])
    assert billed(tested, "first", JANUARY)["invoices"] == 1 + len(others)
    for currency, amount in (("EUR", "7.00"), ("GBP", "9.00"), ("USD", "2.00")):
        charge(tested, "ada", currency, amount)
    advance(tested, FEBRUARY)
    run = billed(tested, "second", FEBRUARY)
    assert (run["invoices"], run["failed"]) == (4 - 1 + len(others), 0)
    assert totals(tested, "ada") == ALL and waiting(tested, "ada") == []
    for other in others:
        assert totals(tested, other) == [FIRST, ("USD", FEBRUARY, Decimal(50))]
    assert billed(tested, "again", FEBRUARY)["invoices"] == 0


def test_a_charge_waits_until_its_month_is_over(tested):
    world(tested, ["ada"])
    charge(tested, "ada", "EUR", "7.00")
    assert billed(tested, "first", JANUARY)["invoices"] == 1
    assert waiting(tested, "ada") == ["EUR7.00"]
    advance(tested, FEBRUARY)
    assert billed(tested, "second", FEBRUARY)["invoices"] == 2
    assert waiting(tested, "ada") == []


def test_a_run_that_starts_by_itself_bills_every_currency(tested):
    automatic(tested)
    world(tested, ["ada"])
    go(tested, "2031-01-02T00:00:00Z")
    for currency, amount in (("EUR", "7.00"), ("GBP", "9.00"), ("USD", "2.00")):
        charge(tested, "ada", currency, amount)
    runs = go(tested, "2031-02-01T01:00:00Z")
    assert [(run["invoices"], run["failed"], run["at"]) for run in runs] == [(3, 0, FEBRUARY)]
    assert totals(tested, "ada") == ALL and waiting(tested, "ada") == []


def test_charges_are_billed_beside_a_currency_that_fails(tested):
    tested.meter("calls")
    tested.publish("wild", {**USD, "charges": [
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "1000000"}]}, effective=JANUARY)
    tested.put("/v1/accounts/ada", USD)
    tested.subscribe("sub_ada", "ada", "wild", JANUARY)
    tested.send([{"meter": "calls", "account": "ada", "uniqueId": "evt", "value": 10**12, "ts": JANUARY}])
    for currency, amount in (("EUR", "7.00"), ("GBP", "9.00")):
        charge(tested, "ada", currency, amount)
    advance(tested, FEBRUARY)
    run = billed(tested, "run", FEBRUARY)
    assert (run["invoices"], run["failed"]) == (2, 1)
    assert totals(tested, "ada") == ALL[:2] and waiting(tested, "ada") == []
