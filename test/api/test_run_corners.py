# SPDX-License-Identifier: Apache-2.0
"""Runs over accounts that are not alike: balances, voids, currencies, ends in the middle, and an account that is
not there. The project's clock is a test one."""
import datetime as dt
import itertools
from decimal import Decimal

import pytest
from client import Api
from clock import advance, set_clock, test_project as project_folder
from failing import FailingServer
from test_late_usage import ended
from test_run_kinds import grant, run
from test_runs import all_of, items, waited

USD = {"currency": "USD"}
JANUARY, FEBRUARY, MARCH = (f"2031-0{month}-01T00:00:00Z" for month in (1, 2, 3))
FEE = {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"}
CALLS = {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}
EDGE = 7  # calls with which a run begins, and ends


def keyed(key):
    return {"headers": {"Idempotency-Key": key}}


def shop(api):
    set_clock(api, JANUARY)
    api.meter("calls")
    api.publish("team", {**USD, "charges": [FEE, CALLS]}, effective=JANUARY)
    return api


@pytest.fixture
def tested(fresh, tmp_path):
    return shop(fresh(data=project_folder(tmp_path)))


@pytest.fixture
def late(fresh, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    set_clock(api, JANUARY)
    api.meter("calls")
    api.put("/v1/accounts/acct", USD)
    return api


def subscribed(api, *accounts, plan="team", starts=JANUARY):
    for account in accounts:
        api.put(f"/v1/accounts/{account}", USD)
        api.subscribe(f"sub_{account}", account, plan, starts)


def billed(api, key, **members):
    return run(api, "billing", key, **members)["invoices"]


def invoices(api, account):
    return sorted((row["at"], row["currency"], row["total"], row["balanceUsed"])
                  for row in all_of(api, "/v1/invoices", account=account) if row["status"] not in ("draft", "void"))


def balanced(api):
    for total in api.get("/v1/ledger/trialBalance")["totals"]:
        assert Decimal(total["debit"]) + Decimal(total["credit"]) == 0


def test_balances_of_accounts_that_are_billed_together(tested):
    subscribed(tested, "back", "zed")
    assert billed(tested, "january") == 2
    advance(tested, "2031-01-11T00:00:00Z")
    tested.post("/v1/subscriptions/sub_back/cancel", {"at": "now"})
    subscribed(tested, "new", starts="2031-01-11T00:00:00Z")
    assert billed(tested, "the 11th") == 2
    assert invoices(tested, "back")[1:] == [("2031-01-11T00:00:00Z", "USD", "0.00", "0.00")]
    assert tested.get("/v1/invoices", query={"account": "back"})["data"][0]["amountRemaining"] == "0.00"
    # 21.00 of January came back. Of what is charged then the balance pays that, and zed's what zed owes.
    tested.post("/v1/charges", {"account": "back", "amount": "30.00", **USD, "chargeKey": "visit"})
    tested.post("/v1/adjustments", {"account": "zed", "amount": "5.00", **USD, "target": "customerBalance",
                                    "reasonCode": "goodwill"}, **keyed("zed"))
    advance(tested, FEBRUARY)
    assert billed(tested, "february") == 3
    assert invoices(tested, "back")[2:] == [(FEBRUARY, "USD", "30.00", "-21.00")]
    assert invoices(tested, "new")[1:] == [(FEBRUARY, "USD", "31.00", "0.00")]
    assert invoices(tested, "zed")[1:] == [(FEBRUARY, "USD", "31.00", "-5.00")]
    balanced(tested)


def test_an_invoice_that_was_voided_while_a_later_one_stands(tested):
    tested.publish("plain", {**USD, "charges": [FEE]}, effective=JANUARY)
    tested.publish("quarter", {**USD, "period": {"every": 3, "unit": "month"}, "charges": [FEE]}, effective=JANUARY)
    subscribed(tested, "one", "two", plan="plain")
    subscribed(tested, "long", plan="quarter")  # so that lines since January are read for all of them
    for key, month, made in (("january", JANUARY, 3), ("february", FEBRUARY, 2), ("march", MARCH, 2)):
        advance(tested, month)
        assert billed(tested, key) == made
    before = invoices(tested, "one")
    february, = [row for row in all_of(tested, "/v1/invoices", account="one") if row["at"] == FEBRUARY]
    tested.post(f"/v1/invoices/{february['id']}/void", None)
    assert billed(tested, "again") == 1
    assert invoices(tested, "one") == before
    balanced(tested)


def test_late_usage_waits_for_a_run_that_goes_so_far(late):
    """The subscription is over and billed up to February: a run up to the middle of January makes nothing."""
    ended(late)
    late.send([{"meter": "calls", "account": "acct", "uniqueId": "late", "value": 300, "ts": JANUARY}])
    assert billed(late, "early", at="2031-01-15T00:00:00Z") == 0
    assert billed(late, "now") == 1
    assert invoices(late, "acct")[-1] == (FEBRUARY, "USD", "3.00", "0.00")


def test_of_charges_that_wait_the_oldest_month_comes_first(tested):
    """EUR is before USD in the books, but charged a month later."""
    tested.put("/v1/accounts/lone", USD)
    tested.post("/v1/charges", {"account": "lone", "amount": "7.00", **USD, "chargeKey": "usd"})
    advance(tested, FEBRUARY)
    tested.post("/v1/charges", {"account": "lone", "amount": "8.00", "currency": "EUR", "chargeKey": "eur"})
    advance(tested, "2031-02-10T00:00:00Z")
    assert billed(tested, "february") == 1
    assert invoices(tested, "lone") == [(FEBRUARY, "USD", "7.00", "0.00")]
    advance(tested, MARCH)
    assert billed(tested, "march") == 1
    assert invoices(tested, "lone")[1:] == [(MARCH, "EUR", "8.00", "0.00")]


def test_credit_waits_only_for_what_it_may_pay(tested):
    """In another currency, ended before, begun behind the credit's end: none of it keeps credit. A period that
    runs does, whichever subscription's it is."""
    tested.publish("euro", {"currency": "EUR", "charges": [{**FEE, "timing": "arrears"}]}, effective=JANUARY)
    tested.publish("plain", {**USD, "charges": [{**FEE, "timing": "arrears"}]}, effective=JANUARY)
    for account in ("done", "runs"):
        tested.put(f"/v1/accounts/{account}", {})
        tested.subscribe(f"{account}_euro", account, "euro", JANUARY)
        tested.subscribe(f"{account}_over", account, "plain", JANUARY)
        tested.post(f"/v1/subscriptions/{account}_over/cancel", {"at": "2031-01-10T00:00:00Z"})
        tested.subscribe(f"{account}_next", account, "plain", "2031-01-25T00:00:00Z")
        grant(tested, account, "50.00", "2031-01-20T00:00:00Z")
    for number in range(2):
        tested.subscribe(f"runs_{number}", "runs", "plain", JANUARY)
    advance(tested, "2031-01-22T00:00:00Z")
    assert items(tested, run(tested, "expiry", "not billed")) == []
    assert billed(tested, "the 22nd") == 2  # what was over
    assert [item["account"] for item in items(tested, run(tested, "expiry", "billed"))] == ["done"]
    advance(tested, FEBRUARY)
    billed(tested, "february")
    assert [item["account"] for item in items(tested, run(tested, "expiry", "all billed"))] == ["runs"]
    balanced(tested)


@pytest.fixture
def damaged(tmp_path):
    with FailingServer(data=project_folder(tmp_path)) as server:
        yield server
        server.stop()
        server.verify()


def test_an_account_that_is_not_there_stops_no_other(damaged):
    api = shop(Api(damaged))
    api.put("/v1/settings", {"billing": "automatic", "closeBufferSeconds": 0})
    subscribed(api, "one", "two", "zed")
    advance(api, "2031-01-02T00:00:00Z")
    wait_for_runs(api)
    assert [len(invoices(api, name)) for name in ("one", "two", "zed")] == [1, 1, 1]
    with damaged.damaged("account_due", "account = 'ghost' where account = 'two'"):
        advance(api, FEBRUARY)
        wait_for_runs(api)
        assert [len(invoices(api, name)) for name in ("one", "two", "zed")] == [2, 1, 2]
        failed = [item for row in all_of(api, "/v1/runs") for item in items(api, row, status="failed")]
        assert {(item["account"], item["error"]["code"]) for item in failed} == {("ghost", "account_not_found")}
    advance(api, "2031-02-02T00:00:00Z")
    wait_for_runs(api)
    assert len(invoices(api, "two")) == 2


def wait_for_runs(api):
    while api.get("/v1/testClock")["runs"]:
        pass


def test_credit_that_runs_out_while_books_fail(damaged):
    """Each call of a run in turn: the credit is kept by a period that runs."""
    api = shop(Api(damaged))
    subscribed(api, "one")
    made = grant(api, "one", "50.00", "2031-01-20T00:00:00Z")
    assert billed(api, "january") == 1
    advance(api, "2031-01-22T00:00:00Z")
    state = lambda: api.get(f"/v1/grants/{made['id']}")["state"]  # noqa: E731
    run(api, "expiry", "whole")
    damaged.fail(0, "operations,run")
    run(api, "expiry", "counted")
    asked = damaged.counted
    assert asked > 20
    outcomes = []
    for call in range(EDGE, asked - EDGE):
        damaged.fail(call, "operations,run")
        started = api.expect(202, "POST", "/v1/runs", {"kind": "expiry"}, **keyed(f"expiry {call}"))
        done = waited(api, started)
        damaged.fail(0)
        outcomes.append((done["status"], done["failed"]))
        assert state() == "active"
    assert set(outcomes) <= {("succeeded", 1), ("failed", 0)} and outcomes.count(("succeeded", 1)) > 5, outcomes
    advance(api, FEBRUARY)
    assert billed(api, "february") == 1
    run(api, "expiry", "all billed")
    assert state() == "expired"


@pytest.mark.parametrize("of", ["timeline_fold", "due_currency", "period_bill", "from invoice_line"])
def test_a_threshold_while_books_fail(damaged, of):
    """Each call of that kind in turn, while usage is a cent below the threshold: nothing is billed. Then it is."""
    api = shop(Api(damaged))
    api.put("/v1/settings", {"billing": "automatic", "closeBufferSeconds": 0})
    api.publish("year", {**USD, "period": {"unit": "year"}, "invoiceThreshold": {"amount": "20"}, "charges": [CALLS]},
                effective=JANUARY)
    subscribed(api, "one", plan="year")
    api.send([{"meter": "calls", "account": "one", "uniqueId": "a", "value": 1999}])
    day, failed = dt.date(2031, 1, 2), 0
    for number in itertools.count(1):
        assert number < 50, "a run never comes to an end"
        damaged.fail_of(of, "operations,run", number)
        advance(api, f"{day}T00:00:00Z")
        wait_for_runs(api)
        has_failed, day = damaged.has_failed, day + dt.timedelta(days=1)
        failed += any(row["failed"] for row in all_of(api, "/v1/runs"))
        assert invoices(api, "one") == []
        if not has_failed:
            break
    assert failed > 0
    damaged.fail_of("", number=0)
    api.send([{"meter": "calls", "account": "one", "uniqueId": "b", "value": 1}])
    advance(api, f"{day}T00:00:00Z")
    wait_for_runs(api)
    assert invoices(api, "one") == [(f"{day}T00:00:00Z", "USD", "20.00", "0.00")]


# ---- what is read of invoices

def test_events_of_lines_before_and_behind_a_change_of_plan(tested):
    """Each line's are those that the plan of its own period counted."""
    for plan, unit in (("next", "0.02"), ("last", "0.03")):
        tested.publish(plan, {**USD, "charges": [{**CALLS, "unitPrice": unit}]}, effective=JANUARY)
    subscribed(tested, "one")
    months = [f"2031-0{month}" for month in (1, 2, 3)]
    for number, (month, plan) in enumerate(zip(months, ("next", "last", None))):
        tested.send([{"meter": "calls", "account": "one", "uniqueId": month, "value": 100}])
        if plan:
            tested.post("/v1/subscriptions/sub_one/change", {"plan": plan,
                                                             "effectiveAt": f"2031-0{number + 2}-01T00:00:00Z"})
        advance(tested, f"2031-0{number + 2}-01T00:00:00Z")
    assert billed(tested, "all") == 4
    found = {}
    for row in all_of(tested, "/v1/invoices", account="one"):
        for line in tested.get(f"/v1/invoices/{row['id']}")["document"]["lines"]:
            if line["charge"] == "calls":
                events = tested.get(f"/v1/invoices/{row['id']}/lines/{line['number']}/events")["data"]
                found[row["at"]] = (line["net"], [event["uniqueId"] for event in events])
    assert found == {f"2031-0{number + 2}-01T00:00:00Z": (f"{number + 1}.00", [month])
                     for number, month in enumerate(months)}


def test_a_write_off_that_the_ledger_does_not_know_is_not_taken_back(damaged):
    api = shop(Api(damaged))
    api.put("/v1/accounts/one", USD)
    draft = api.post("/v1/invoices", {"account": "one", **USD, "lines": [{"description": "Visit", "amount": "10"}]},
                     **keyed("one"))
    path = f"/v1/invoices/{draft['id']}"
    api.post(f"{path}/finalize", None)
    api.post(f"{path}/writeOff", None)
    damaged.sealed()
    with damaged.damaged("ledger_transaction", "source = 'x' where source like '%writeOff%'"):
        answer = api.call("POST", f"{path}/pay", {}, **keyed("pay"))
        assert (answer.status, answer.code) == (500, "store_failed"), answer
    assert api.get(path)["status"] == "uncollectible"
    assert api.post(f"{path}/pay", {}, **keyed("paid"))["status"] == "paid"
