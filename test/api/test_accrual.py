# SPDX-License-Identifier: Apache-2.0
"""Accrual where bills are not of one fee and one meter, and on books that fail: currencies, minimums, seats, what is
billed within a month, and what a change in the past takes back. The project's clock is a test one."""
from decimal import Decimal

import pytest
from client import Api
from clock import advance, set_clock, test_project as project_folder
from failing import FailingServer, meanwhile, refused_everywhere
from test_late_fail import run_in_spite
from test_revenue import accrue, balanced, ledger, revenue, run, used
from test_runs import all_of, waited

JANUARY = "2026-01-01T00:00:00Z"
USD = {"currency": "USD"}


def keyed(key):
    return {"Idempotency-Key": key}


@pytest.fixture
def server(tmp_path):
    with FailingServer(data=project_folder(tmp_path)) as server:
        yield server
        server.stop()
        server.verify()


CALLS = {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}


@pytest.fixture
def api(server):
    api = Api(server)
    set_clock(api, JANUARY)
    api.meter("calls")
    api.publish("pro", {**USD, "minimum": {"amount": "40"}, "charges": [
        {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"},
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "3.10"},
        {"id": "desks", "quantity": "seats", "model": "perUnit", "unitPrice": "6.20", "timing": "advance"},
        CALLS]}, effective=JANUARY)
    api.meter("mails")
    api.publish("east", {"currency": "EUR", "charges": [{**CALLS, "meter": "mails"}]}, effective=JANUARY)
    api.put("/v1/accounts/ada", USD)
    api.subscribe("sub", "ada", "pro", JANUARY, quantities={"seats": "2"})
    return api


def bill_all(api, account="ada"):
    while (made := api.call("POST", f"/v1/accounts/{account}/invoices")).code != "nothing_due":
        api.post(f"/v1/invoices/{made.json['id']}/finalize", None)


def of(api, kind, currency):
    return sum(Decimal(row["balance"]) for row in all_of(api, "/v1/ledger/accounts", kind=kind, owner="bob")
               if row["currency"] == currency)


def test_two_currencies_and_more_than_usage(api):
    api.put("/v1/accounts/bob", {"name": "Bob"})  # of no currency
    api.subscribe("dollars", "bob", "pro", JANUARY, quantities={"seats": "2"})
    api.subscribe("euros", "bob", "east", JANUARY)
    used(api, "usage", 300, "2026-01-01T00:00:00Z", "bob")
    api.send([{"meter": "mails", "account": "bob", "uniqueId": "mails", "value": 600, "ts": JANUARY}])
    accrue(api, "2026-01-02T00:00:00Z")
    assert (of(api, "unbilled", "EUR"), of(api, "unbilled", "USD")) == (6, 3)
    advance(api, "2026-01-10T12:00:00Z")
    api.put("/v1/accounts/bob", {"name": "Bob", "timeZone": "Asia/Tokyo"})
    used(api, "more", 100, "2026-01-04T00:00:00Z", "bob")
    run(api, "accrual", at="2026-01-05T00:00:00Z")  # in the zone of then
    assert (of(api, "unbilled", "EUR"), of(api, "unbilled", "USD")) == (6, 4)
    run(api, "reconcile")


def test_a_change_in_the_past_takes_back_what_was_accrued(api):
    api.publish("seatless", {**USD, "charges": [{**CALLS, "revenueAccount": "4000-calls"}]}, effective=JANUARY)
    used(api, "one", 300, "2026-01-01T00:00:00Z")
    accrue(api, "2026-01-02T00:00:00Z")
    assert (ledger(api, "unbilled"), revenue(api)) == (3, {"pro/calls": 3})
    api.post("/v1/subscriptions/sub/change", {"plan": "seatless", "effectiveAt": JANUARY}, headers=keyed("change"))
    accrue(api, "2026-01-03T00:00:00Z")
    assert (ledger(api, "unbilled"), revenue(api, "4000")) == (3, {"4000-calls": 3})
    assert revenue(api, "pro") == {}
    balanced(api)


def test_a_change_within_the_month(api):
    api.publish("west", {**USD, "charges": [{**CALLS, "unitPrice": "0.02"}]}, effective=JANUARY)
    used(api, "one", 300, JANUARY)
    api.post("/v1/subscriptions/sub/change", {"plan": "west", "effectiveAt": "2026-01-15T00:00:00Z"},
             headers=keyed("change"))
    accrue(api, "2026-01-03T00:00:00Z")
    assert revenue(api) == {"pro/calls": 3}
    advance(api, "2026-01-15T00:00:00Z")
    bill_all(api)  # the first of January, and the old plan's part of it
    assert ledger(api, "unbilled") == 0
    used(api, "two", 100, "2026-01-15T00:00:00Z")
    accrue(api, "2026-01-16T00:00:00Z")
    assert (ledger(api, "unbilled"), revenue(api, "west")) == (2, {"west/calls": 2})
    assert revenue(api, "pro/calls") == {"pro/calls": 3}
    balanced(api)


def test_an_end_in_the_past_ends_what_was_accrued(server, api):
    used(api, "one", 300, "2026-01-01T00:00:00Z")
    accrue(api, "2026-01-02T00:00:00Z")
    ends = {row[0] for row in server.rows("select service_end from revenue_item where side = 'accrued'")}
    assert len(ends) == 1
    api.post("/v1/subscriptions/sub/cancel", {"at": "2026-01-20T00:00:00Z"}, headers=keyed("cancel"))
    run(api, "accrual")
    after = {row[0] for row in server.rows("select service_end from revenue_item where side = 'accrued'")}
    assert len(after) == 1 and max(after) < min(ends)


def test_what_is_billed_within_the_month_is_accrued_no_more(server, api):
    api.put("/v1/settings", {"billing": "automatic", "closeBufferSeconds": 0})
    api.publish("team", {**USD, "invoiceThreshold": {"amount": "20"}, "charges": [CALLS]}, effective=JANUARY)
    api.put("/v1/accounts/bob", USD)
    api.subscribe("soon", "bob", "team", JANUARY)

    def go(to):
        for id in advance(api, to)["runs"]:
            assert waited(api, {"id": id, "status": "queued"})["failed"] == 0
    used(api, "a", 1500, JANUARY, "bob")
    go("2026-01-02T00:00:00Z")
    assert ledger(api, "unbilled", "bob") == 15
    used(api, "b", 900, "2026-01-02T00:00:00Z", "bob")
    go("2026-01-03T00:00:00Z")
    go("2026-01-04T00:00:00Z")
    [billed] = all_of(api, "/v1/invoices", account="bob")
    assert (billed["total"], ledger(api, "unbilled", "bob")) == ("24.00", 0)
    used(api, "c", 100, "2026-01-04T00:00:00Z", "bob")
    go("2026-01-05T00:00:00Z")
    assert (ledger(api, "unbilled", "bob"), revenue(api, "team")) == (1, {"team/calls": 25})
    balanced(api)
    # What it billed waits for another invoice again, with what was used since.
    void = refused_everywhere(server, lambda: Api(server).call("POST", f"/v1/invoices/{billed['id']}/void"), least=10)
    assert void.json["status"] == "void"
    assert (ledger(api, "unbilled", "bob"), revenue(api, "team")) == (25, {"team/calls": 25})
    assert server.rows("select amount from revenue_item where side = 'accrued' and account = 'bob'") == [(2500,)]
    balanced(api)
    run(api, "accrual")
    run(api, "reconcile")
    assert ledger(api, "unbilled", "bob") == 25


def test_what_is_used_no_more_is_accrued_no_more(server, api):
    api.publish("seats", {**USD, "charges": [
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "3.10"}]}, effective=JANUARY)
    used(api, "one", 300, JANUARY)
    accrue(api, "2026-01-02T00:00:00Z")
    assert (ledger(api, "unbilled"), revenue(api)) == (3, {"pro/calls": 3})
    api.post("/v1/subscriptions/sub/change", {"plan": "seats", "effectiveAt": JANUARY}, headers=keyed("change"))
    accrue(api, "2026-01-03T00:00:00Z")
    assert (ledger(api, "unbilled"), revenue(api)) == (0, {})
    assert server.rows("select count(*) from revenue_item where side = 'accrued'")[0][0] == 0


def test_groups_of_a_charge_are_accrued_together(server, api):
    api.meter("sent", dimensions=["region"])
    api.publish("sent", {**USD, "charges": [{**CALLS, "meter": "sent", "groupBy": ["region"]}]}, effective=JANUARY)
    api.put("/v1/accounts/bob", USD)
    api.subscribe("groups", "bob", "sent", JANUARY)
    api.send([{"meter": "sent", "account": "bob", "uniqueId": region, "value": value, "ts": JANUARY,
               "properties": {"region": region}}
              for region, value in (("eu", 300), ("us", 400), ("asia", 500), ("africa", 100))])
    accrue(api, "2026-01-02T00:00:00Z")
    assert (ledger(api, "unbilled", "bob"), revenue(api, "sent")) == (13, {"sent/calls": 13})
    assert server.rows("select count(*) from revenue_item where side = 'accrued'")[0][0] == 1
    advance(api, "2026-02-01T00:00:00Z")
    draft = api.post("/v1/accounts/bob/invoices", None)
    assert api.post(f"/v1/invoices/{draft['id']}/finalize", None)["total"] == "13.00"
    run(api, "accrual")
    assert (ledger(api, "unbilled", "bob"), revenue(api, "sent")) == (0, {"sent/calls": 13})


def test_usage_of_two_subscriptions_that_comes_to_too_much(api):
    """Of each it is less than 63 bits."""
    api.put("/v1/accounts/bob", USD)
    for meter in ("calls", "mails"):
        api.publish(meter, {**USD, "charges": [{**CALLS, "meter": meter, "unitPrice": "1000000"}]}, effective=JANUARY)
        api.subscribe(f"much {meter}".replace(" ", "."), "bob", meter, JANUARY)
        api.send([{"meter": meter, "account": "bob", "uniqueId": meter, "value": 5 * 10 ** 10, "ts": JANUARY}])
    advance(api, "2026-01-02T00:00:00Z")
    done = waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "accrual"}, headers=keyed("much")))
    failed = api.get(f"/v1/runs/{done['id']}/items", query={"status": "failed"})["data"]
    assert [(item["account"], item["error"]["code"]) for item in failed] == [("bob", "amount_too_large")]
    api.post("/v1/measurements/void", {"uniqueIds": ["mails"]})
    run(api, "accrual")
    assert of(api, "unbilled", "USD") == 5 * 10 ** 16


def test_an_account_that_is_billed_while_it_is_accrued(server, api):
    """The accrual has rated the month as an open one when its invoice is made: it is done again, of what is left."""
    used(api, "one", 300, JANUARY)
    advance(api, "2026-02-01T00:00:00Z")
    run(api, "reconcile")
    done = meanwhile(server, lambda: run(api, "accrual"), lambda: bill_all(Api(server)), writes=1, threads="operations")
    assert done["accounts"] == 1
    assert (ledger(api, "unbilled"), revenue(api, "pro/calls")) == (0, {"pro/calls": 3})
    run(api, "accrual")
    run(api, "reconcile")
    assert (ledger(api, "unbilled"), revenue(api, "pro/calls")) == (0, {"pro/calls": 3})


def test_months_that_were_left_out_on_books_that_fail(server, api):
    invoice = api.post("/v1/accounts/ada/invoices", None)
    api.post(f"/v1/invoices/{invoice['id']}/finalize", None)
    accrue(api, "2026-01-02T00:00:00Z")
    used(api, "one", 300, JANUARY)
    advance(api, "2026-03-02T00:00:00Z")
    run_in_spite(server, api, "accrual")
    assert revenue(api)["pro/calls"] == 3
    balanced(api)


def test_the_first_run_on_books_that_fail(server, api):
    used(api, "one", 300, JANUARY)
    advance(api, "2026-03-02T00:00:00Z")
    api.post("/v1/ledger/months/2026-01/close", None)
    with server.damaged("ledger_month", "month = 'x'"):
        done = waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "accrual"}, headers=keyed("damaged")))
        failed = api.get(f"/v1/runs/{done['id']}/items")["data"]
        assert [row["error"]["code"] for row in failed] == ["store_failed"]
    run_in_spite(server, api, "accrual")
    assert (revenue(api)["pro/calls"], ledger(api, "unbilled")) == (3, 3)
    balanced(api)


def begun(api):
    """A run that has a century of months to make up for, and is at the beginning: a post of the end is not there."""
    accrue(api, "2026-01-02T00:00:00Z")
    used(api, "one", 300, JANUARY)
    advance(api, "2126-01-02T00:00:00Z")
    used(api, "two", 500, "2120-01-01T00:00:00Z")
    run = api.expect(202, "POST", "/v1/runs", {"kind": "accrual"}, headers=keyed("long"))
    while not revenue(api).get("pro/calls"):
        assert api.get(f"/v1/runs/{run['id']}")["status"] in ("queued", "running")
    return run


def left(api, run):
    """Canceled, and left before its end; operations are one at a time."""
    api.expect(200, "POST", f"/v1/operations/{run['operation']}/cancel")
    other = api.expect(202, "POST", "/v1/runs", {"kind": "reconcile"}, headers=keyed("other"))
    assert waited(api, other)["status"] == "succeeded"
    assert api.get(f"/v1/runs/{run['id']}")["status"] == "canceled"
    assert revenue(api)["pro/calls"] == 3
    balanced(api)


def test_a_run_that_is_canceled_leaves_an_account_that_takes_long(api):
    left(api, begun(api))


def test_a_server_that_stops_leaves_an_account_that_takes_long(server, api):
    run = begun(api)
    server.stop()
    server.start()
    assert api.get(f"/v1/runs/{run['id']}")["status"] in ("queued", "running")
    left(api, run)
