# SPDX-License-Identifier: Apache-2.0
"""Runs that start by themselves: what is due is billed when its time has come, once, whatever happens."""
import threading
import time
from decimal import Decimal

import pytest
from clock import advance, into_closed_month, set_clock, test_project as project_folder
from client import Api

ENDED = ("succeeded", "failed", "canceled")


def waited(api, run, seconds=120):
    end = time.monotonic() + seconds
    row = api.get(f"/v1/runs/{run}")
    while row["status"] not in ENDED:
        assert time.monotonic() < end, row
        time.sleep(0.02)
        row = api.get(f"/v1/runs/{run}")
    return row


def go(api, to):
    """Lets time pass up to there, and what became due be done: the runs that bill."""
    runs = [waited(api, run) for run in advance(api, to)["runs"]]
    assert all(run["status"] == "succeeded" for run in runs), runs
    return [run for run in runs if run["kind"] == "billing"]


def billing_runs(api):
    return [run for run in pages(api, "/v1/runs") if run["kind"] == "billing"]


def pages(api, path, **query):
    rows, cursor = [], None
    while True:
        page = api.get(path, query={**query, "limit": 200, **({"cursor": cursor} if cursor else {})})
        rows += page["data"]
        cursor = page["nextCursor"]
        if cursor is None:
            return rows


def automatic(api, **settings):
    assert api.put("/v1/settings", {"billing": "automatic", **settings})["billing"] == "automatic"


@pytest.fixture
def tested(fresh, tmp_path):
    return fresh(data=project_folder(tmp_path))


def plan(api, id="team", currency="USD", meter="calls", **members):
    api.publish(id, {"currency": currency, "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "50.00", "timing": "advance"},
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "0.01"}], **members})


def subscribe(api, id, account, starts, plan="team"):
    api.put(f"/v1/accounts/{account}", {"currency": "USD"})
    api.subscribe(id, account, plan, starts)


def boundaries(api, **query):
    return sorted(invoice["at"] for invoice in pages(api, "/v1/invoices", **query))


def test_settings_say_who_starts_runs(tested):
    assert tested.get("/v1/settings")["billing"] == "manual"
    automatic(tested, closeBufferSeconds=60)
    assert tested.get("/v1/settings")["billing"] == "automatic"
    assert tested.call("PUT", "/v1/settings", {"billing": "sometimes"}).code == "field_invalid"
    assert tested.put("/v1/settings", {})["billing"] == "manual"


def test_nothing_final_is_made_unless_it_was_switched_on(tested):
    set_clock(tested, "2031-01-15T00:00:00Z")
    tested.meter("calls")
    plan(tested)
    subscribe(tested, "sub", "acct", "2031-01-01T00:00:00Z")
    assert advance(tested, "2031-06-01T00:00:00Z")["runs"] == []
    time.sleep(1.5)  # the scheduler has looked
    assert pages(tested, "/v1/invoices") == [] and pages(tested, "/v1/runs") == []


def test_a_year_of_months(tested):
    set_clock(tested, "2031-01-01T00:00:00Z")
    automatic(tested)
    tested.meter("calls")
    plan(tested)
    tested.put("/v1/accounts/acct", {"currency": "USD", "timeZone": "America/New_York"})
    tested.subscribe("sub", "acct", "team", "2031-01-01T05:00:00Z")
    wanted = [f"2031-{month:02d}-01T{4 if 4 <= month <= 11 else 5:02d}:00:00Z" for month in range(1, 13)]
    for place, at in enumerate(wanted):
        hour = int(at[11:13])
        early = advance(tested, f"{at[:11]}{hour:02d}:59:59.999999Z")  # less than an hour behind the boundary
        assert all(waited(tested, run)["kind"] != "billing" for run in early["runs"])
        assert boundaries(tested) == wanted[:place]
        runs = go(tested, f"{at[:11]}{hour + 1:02d}:00:00Z")
        assert [(run["kind"], run["invoices"], run["failed"], run["at"]) for run in runs] == [("billing", 1, 0, at)]
        assert boundaries(tested) == wanted[:place + 1]
        tested.send([{"meter": "calls", "account": "acct", "uniqueId": f"evt{place}", "value": 100 * (place + 1)}])
    invoices = sorted(pages(tested, "/v1/invoices"), key=lambda invoice: invoice["at"])
    assert [Decimal(invoice["total"]) for invoice in invoices] == [50 + place for place in range(12)]
    assert [invoice["number"] for invoice in invoices] == [f"INV-{i + 1:06d}" for i in range(12)]
    assert all(run["status"] == "succeeded" for run in pages(tested, "/v1/runs"))
    assert len(billing_runs(tested)) == 12


def test_a_year_at_once(tested):
    """What was missed is made up for, in order."""
    set_clock(tested, "2031-01-01T00:00:00Z")
    automatic(tested)
    tested.meter("calls")
    plan(tested)
    subscribe(tested, "sub", "acct", "2031-01-01T00:00:00Z")
    [run] = go(tested, "2031-12-15T00:00:00Z")
    assert run["invoices"] == 12 and go(tested, "2031-12-20T00:00:00Z") == []
    assert boundaries(tested) == [f"2031-{month:02d}-01T00:00:00Z" for month in range(1, 13)]


def test_what_changes_is_looked_at_again(tested):
    set_clock(tested, "2031-01-01T00:00:00Z")
    automatic(tested, closeBufferSeconds=0)
    tested.meter("calls")
    plan(tested)
    tested.publish("extra", {"currency": "USD", "charges": [
        {"id": "fee", "name": "Extra", "model": "flat", "amount": "31.00", "timing": "advance"}]})
    subscribe(tested, "one", "acct", "2031-01-01T00:00:00Z")
    go(tested, "2031-01-10T00:00:00Z")
    subscribe(tested, "two", "acct", "2031-01-11T00:00:00Z", "extra")  # the account's time was in February
    assert go(tested, "2031-01-10T12:00:00Z") == []
    assert [run["invoices"] for run in go(tested, "2031-01-11T00:00:00Z")] == [1]
    tested.post("/v1/subscriptions/two/cancel", {"at": "2031-01-21T00:00:00Z"})
    assert go(tested, "2031-01-20T23:59:59Z") == []
    assert [run["invoices"] for run in go(tested, "2031-01-21T00:00:00Z")] == [1]
    assert boundaries(tested) == ["2031-01-01T00:00:00Z", "2031-01-11T00:00:00Z", "2031-01-21T00:00:00Z"]


def test_an_account_that_fails_is_tried_again_later(tested):
    """A closed month refuses its invoice; the others go on, and it is made when the month is open again."""
    into_closed_month(tested)
    automatic(tested, closeBufferSeconds=0)
    tested.meter("calls")
    plan(tested)
    for name in ("a", "b"):
        subscribe(tested, f"sub_{name}", name, "2026-01-01T00:00:00Z")
    [run] = go(tested, "2026-01-02T00:00:00Z")
    assert (run["invoices"], run["failed"]) == (0, 2)
    assert go(tested, "2026-01-02T00:00:59Z") == []
    assert [run["failed"] for run in go(tested, "2026-01-02T00:01:00Z")] == [2]
    assert go(tested, "2026-01-02T00:02:59Z") == []  # twice as long
    tested.expect(200, "POST", "/v1/ledger/months/2026-01/open", None)
    [run] = go(tested, "2026-01-02T00:03:00Z")
    assert (run["invoices"], run["failed"]) == (2, 0)


def test_it_looks_by_itself(tested):
    """Without an advance: what is due in real time is found by the thread that looks each second."""
    tested.meter("calls")
    plan(tested)
    subscribe(tested, "sub", "acct", "2026-01-01T00:00:00Z")
    automatic(tested)
    end = time.monotonic() + 60
    while not billing_runs(tested) or not pages(tested, "/v1/invoices"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "2026-01-01T00:00:00Z" in boundaries(tested)


def test_two_who_look_at_once_make_one_run(tested):
    set_clock(tested, "2031-01-01T00:00:00Z")
    automatic(tested)
    tested.meter("calls")
    plan(tested)
    for i in range(20):
        subscribe(tested, f"sub{i}", f"acct{i}", "2031-01-01T00:00:00Z")
    threads = [threading.Thread(target=lambda: Api(tested.server).call(
        "POST", "/v1/testClock/advance", {"to": "2031-01-05T00:00:00Z"})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in pages(tested, "/v1/runs"):
        waited(tested, run["id"])
    invoices = pages(tested, "/v1/invoices")
    assert len(invoices) == 20 and len({invoice["account"] for invoice in invoices}) == 20
    assert sum(run["invoices"] for run in pages(tested, "/v1/runs")) == 20


def test_killed_in_a_scheduled_run(tested):
    set_clock(tested, "2031-01-01T00:00:00Z")
    automatic(tested)
    tested.meter("calls")
    plan(tested)
    for i in range(60):
        subscribe(tested, f"sub{i}", f"acct{i}", "2031-01-01T00:00:00Z")
    for month in (1, 2, 3, 4):
        advance(tested, f"2031-{month:02d}-03T00:00:00Z")
        time.sleep(0.01 * month)
        tested.server.kill9()
        tested.server.start()
        tested.drop_connection()
        for run in tested.get("/v1/testClock")["runs"]:
            waited(tested, run)
    end = time.monotonic() + 60
    while len(pages(tested, "/v1/invoices")) < 240:
        assert time.monotonic() < end
        time.sleep(0.1)
    invoices = pages(tested, "/v1/invoices")
    assert len(invoices) == 240 and len({(row["account"], row["at"]) for row in invoices}) == 240
    assert sorted(row["number"] for row in invoices) == [f"INV-{i + 1:06d}" for i in range(240)]


def test_credit_and_revenue_follow_by_themselves(tested):
    set_clock(tested, "2031-01-01T00:00:00Z")
    automatic(tested)
    tested.meter("calls")
    plan(tested)
    subscribe(tested, "sub", "acct", "2031-01-01T00:00:00Z")
    grant = tested.expect(201, "POST", "/v1/grants", {
        "account": "acct", "amount": "200", "currency": "USD", "kind": "paid", "expiresAt": "2031-01-20T00:00:00Z"},
        headers={"Idempotency-Key": "grant"})
    go(tested, "2031-01-02T00:00:00Z")
    tested.send([{"meter": "calls", "account": "acct", "uniqueId": "a", "value": 300}])
    for day in (10, 19, 21, 30):
        go(tested, f"2031-01-{day}T12:00:00Z")
        assert tested.get(f"/v1/grants/{grant['id']}")["state"] == "active"
    unbilled = pages(tested, "/v1/ledger/accounts", kind="unbilled")
    assert [row["balance"] for row in unbilled] == ["3.00"]
    go(tested, "2031-02-02T00:00:00Z")  # January is billed, in the same step, before the grant ends
    assert tested.get(f"/v1/grants/{grant['id']}")["state"] == "expired"
    kinds = {run["kind"] for run in pages(tested, "/v1/runs")}
    assert kinds == {"billing", "expiry", "accrual"}


def test_charges_without_anything_else(tested):
    """Billed when the month in which they were made ends where the account is."""
    set_clock(tested, "2031-01-31T09:59:59Z")
    automatic(tested, closeBufferSeconds=0)
    tested.put("/v1/accounts/acct", {"currency": "USD", "timeZone": "Pacific/Tongatapu"})  # UTC+13

    def charge(key, amount, currency="USD"):
        tested.expect(201, "POST", "/v1/charges", {"account": "acct", "amount": amount, "currency": currency,
                                                   "chargeKey": key})
    charge("one", "4.00")
    charge("two", "500", "JPY")
    assert go(tested, "2031-01-31T10:59:59Z") == []
    charge("three", "6.00")
    [run] = go(tested, "2031-01-31T11:00:00Z")  # midnight in Tonga
    assert (run["invoices"], run["failed"]) == (2, 0)
    invoices = pages(tested, "/v1/invoices", account="acct")
    assert sorted((row["currency"], row["total"], row["at"]) for row in invoices) == [
        ("JPY", "500", "2031-01-31T11:00:00Z"), ("USD", "10.00", "2031-01-31T11:00:00Z")]
    charge("four", "1.00")
    assert go(tested, "2031-02-28T10:59:59Z") == []
    [run] = go(tested, "2031-02-28T11:00:00Z")
    assert run["invoices"] == 1
    dollars = next(row for row in invoices if row["currency"] == "USD")
    tested.post(f"/v1/invoices/{dollars['id']}/void", None)
    again = tested.expect(200, "POST", "/v1/accounts/acct/invoices")  # they wait again
    assert (again["total"], again["at"]) == ("10.00", "2031-01-31T11:00:00Z")


def test_one_currency_stops_no_other(tested):
    """A tax rate that did not exist at the one's boundary keeps its invoice back; the account's other goes on."""
    set_clock(tested, "2031-01-01T00:00:00Z")
    automatic(tested, closeBufferSeconds=0)
    tested.meter("calls")
    plan(tested)
    tested.publish("euros", {"currency": "EUR", "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "70.00", "timing": "advance"}]})
    tested.put("/v1/taxRates/vat", {"name": "VAT", "percent": "20", "effectiveFrom": "2031-01-02T00:00:00Z"})
    tested.put("/v1/accounts/acct", {"taxRates": ["vat"]})
    tested.subscribe("dollars", "acct", "team", "2031-01-03T00:00:00Z")
    tested.subscribe("euros", "acct", "euros", "2031-01-01T00:00:00Z")
    [run] = go(tested, "2031-01-03T00:00:00Z")
    assert (run["invoices"], run["failed"]) == (1, 1)
    [invoice] = pages(tested, "/v1/invoices")
    assert (invoice["currency"], invoice["at"]) == ("USD", "2031-01-03T00:00:00Z")
    [item] = pages(tested, f"/v1/runs/{run['id']}/items", status="failed")
    assert item["error"]["code"] == "tax_rate_not_found" and item["error"]["detail"].startswith("EUR: ")
    tested.put("/v1/taxRates/vat", {"name": "VAT", "percent": "20", "effectiveFrom": "2030-01-01T00:00:00Z"})
    [run] = go(tested, "2031-01-03T00:01:00Z")
    assert (run["invoices"], run["failed"]) == (1, 0)


def threshold_world(api, **members):
    set_clock(api, "2031-01-01T00:00:00Z")
    automatic(api, closeBufferSeconds=0)
    api.meter("calls")
    api.publish("team", {"currency": "USD", "invoiceThreshold": {"amount": "20"}, "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "50.00", "timing": "advance"},
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}], **members})
    subscribe(api, "sub", "acct", "2031-01-01T00:00:00Z")
    go(api, "2031-01-01T00:00:01Z")


def use(api, id, value):
    api.send([{"meter": "calls", "account": "acct", "uniqueId": id, "value": value}])


def totals(api):
    return [(row["at"], row["total"]) for row in sorted(pages(api, "/v1/invoices"), key=lambda row: row["number"])]


def test_an_invoice_as_soon_as_usage_comes_to_the_threshold(tested):
    threshold_world(tested)
    assert totals(tested) == [("2031-01-01T00:00:00Z", "50.00")]
    use(tested, "a", 1999)
    go(tested, "2031-01-05T00:00:00Z")
    assert len(totals(tested)) == 1
    use(tested, "b", 1)
    go(tested, "2031-01-06T00:00:00Z")
    assert totals(tested)[1:] == [("2031-01-06T00:00:00Z", "20.00")]
    go(tested, "2031-01-07T00:00:00Z")
    use(tested, "c", 5000)
    go(tested, "2031-01-08T00:00:00Z")
    use(tested, "d", 123)
    go(tested, "2031-01-20T00:00:00Z")
    assert totals(tested)[2:] == [("2031-01-08T00:00:00Z", "50.00")]
    go(tested, "2031-02-01T00:00:00Z")  # the rest, and the next month's fee
    assert totals(tested)[3:] == [("2031-02-01T00:00:00Z", "51.23")]
    lines = [line["net"] for row in pages(tested, "/v1/invoices")
             for line in tested.get(f"/v1/invoices/{row['id']}")["document"]["lines"] if line["charge"] == "calls"]
    assert sum(map(Decimal, lines)) == Decimal("71.23")
    assert tested.expect(202, "POST", "/v1/runs", {"kind": "reconcile"}, headers={"Idempotency-Key": "r"})


def test_a_threshold_and_a_change_in_mid_month(tested):
    """What was billed ahead is not given back by an invoice before the period's end."""
    threshold_world(tested)
    tested.publish("extra", {"currency": "USD", "charges": [
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"},
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "81.00", "timing": "advance"}]})
    use(tested, "a", 3000)
    go(tested, "2031-01-05T00:00:00Z")
    assert totals(tested)[1:] == [("2031-01-05T00:00:00Z", "30.00")]
    tested.post("/v1/subscriptions/sub/change", {"effectiveAt": "2031-01-17T00:00:00Z", "plan": "extra"})
    go(tested, "2031-01-17T00:00:00Z")
    use(tested, "b", 100)
    go(tested, "2031-02-01T00:00:00Z")
    calls = [line for row in pages(tested, "/v1/invoices")
             for line in tested.get(f"/v1/invoices/{row['id']}")["document"]["lines"] if line["charge"] == "calls"]
    assert sum(Decimal(line["net"]) for line in calls) == 31
    assert all(Decimal(line["net"]) > 0 for line in calls), calls


def test_a_threshold_leaves_volume_and_minimum_to_the_last_invoice(tested):
    threshold_world(tested, minimum={"amount": "200"}, charges=[
        {"id": "calls", "meter": "calls", "model": "volume", "tiers": [
            {"upTo": "1000", "unitPrice": "0.10"}, {"unitPrice": "0.01"}]}])
    use(tested, "a", 900)
    assert go(tested, "2031-01-05T00:00:00Z") != [] and totals(tested) == []
    use(tested, "b", 2100)
    go(tested, "2031-01-06T00:00:00Z")
    assert totals(tested) == []
    go(tested, "2031-02-01T00:00:00Z")
    assert totals(tested) == [("2031-02-01T00:00:00Z", "200.00")]


def test_a_threshold_is_reached_twice_at_one_instant(tested):
    """The rest waits for another instant: an invoice of it is there."""
    threshold_world(tested)
    use(tested, "a", 2500)
    go(tested, "2031-01-05T00:00:00Z")
    use(tested, "b", 3000)
    tested.post("/v1/charges", {"account": "acct", "amount": "1", "currency": "USD", "chargeKey": "looked at again"})
    assert go(tested, "2031-01-05T00:00:00Z") != []
    assert totals(tested)[1:] == [("2031-01-05T00:00:00Z", "25.00")]
    go(tested, "2031-01-06T00:00:00Z")
    assert totals(tested)[2:] == [("2031-01-06T00:00:00Z", "31.00")]


def test_usage_that_comes_to_too_much_reaches_no_threshold(tested):
    threshold_world(tested, charges=[
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "1000000"}])
    use(tested, "much", 10 ** 12)
    use(tested, "a", 1)
    [run] = go(tested, "2031-01-05T00:00:00Z")
    assert (run["invoices"], run["failed"]) == (0, 1)
    [item] = tested.get(f"/v1/runs/{run['id']}/items")["data"]
    assert item["error"]["code"] == "amount_too_large"
    tested.post("/v1/measurements/void", {"uniqueIds": ["much"]})
    go(tested, "2031-01-06T00:00:00Z")
    assert totals(tested) == [("2031-01-06T00:00:00Z", "1000000.00")]
