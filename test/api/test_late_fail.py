# SPDX-License-Identifier: Apache-2.0
"""Late usage, accrual, expiry and proofs with books that fail at each of their calls in turn: in the end it is
as if none had failed. The project's clock is a test one."""
import itertools
from decimal import Decimal

import pytest
from client import Api
from clock import advance, set_clock, test_project as project_folder
from failing import FailingServer, meanwhile, refused_everywhere
from test_late_usage import ACCOUNT, MONTHS, balanced, bill_month, lines, sums_hold, use
from test_runs import ENDED, waited

USD = {"currency": "USD"}
THREADS = "operations,run"
CALLS_MAX = 600


@pytest.fixture
def server(tmp_path):
    with FailingServer(data=project_folder(tmp_path)) as server:
        yield server
        server.stop()
        server.verify()


@pytest.fixture
def api(server):
    """A fee of 31.00 in advance and calls at 0.01, with 19 % tax; the clock stands at the first month's beginning."""
    api = Api(server)
    set_clock(api, MONTHS[0])
    api.meter("calls")
    api.put("/v1/taxRates/vat", {"percent": "19"})
    api.put(f"/v1/accounts/{ACCOUNT}", {**USD, "taxRates": ["vat"]})
    api.publish("plan", {**USD, "charges": [
        {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"},
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}]}, effective=MONTHS[0])
    api.subscribe("sub", ACCOUNT, "plan", MONTHS[0])
    return api


@pytest.fixture
def everywhere(server, api):
    def do(method, path, body=None, transactions=1, ends=None, **more):
        return refused_everywhere(server, lambda: api.call(method, path, body, **more), transactions, 0, ends).json
    return do


def owed(api, kind, owner):
    rows = api.get("/v1/ledger/accounts", query={"kind": kind, "limit": 1000})["data"]
    return sum(Decimal(row["balance"]) for row in rows if row["owner"].startswith(owner))


def run_in_spite(server, api, kind):
    """Runs of that kind, the first with its first call failing and so on, until none fails. Answers the last."""
    first = {"kind": "reconcile"}  # what is done once in a while is done
    waited(api, api.expect(202, "POST", "/v1/runs", first, headers={"Idempotency-Key": f"before {kind}"}))
    for call in itertools.count(1):
        assert call < CALLS_MAX, "it never comes to an end"
        server.fail(call, THREADS)
        run = api.expect(202, "POST", "/v1/runs", {"kind": kind}, headers={"Idempotency-Key": f"{kind} {call}"})
        while server.left > 0 and run["status"] not in ENDED:
            run = api.get(f"/v1/runs/{run['id']}")
        was_refused = server.left == 0
        server.fail(0)
        run = waited(api, run)  # calls are counted of one run alone
        if not was_refused:
            assert (run["status"], run["failed"]) == ("succeeded", 0), run
            assert call > 10, "the books were hardly asked"
            return run


def test_what_came_late_is_billed(server, api, everywhere):
    api.post("/v1/grants", {"account": ACCOUNT, "amount": "20", "kind": "promotional", **USD},
             headers={"Idempotency-Key": "grant"})
    api.post(f"/v1/invoices/{api.post(f'/v1/accounts/{ACCOUNT}/invoices', None)['id']}/finalize", None)
    first = use(api, 1000, MONTHS[0])
    bill_month(api, 2)
    use(api, 500, MONTHS[0], "late")
    waits, = everywhere("GET", "/v1/reconciliation?state=open", transactions=0)["data"]
    assert waits["events"] == 1
    advance(api, MONTHS[2])
    everywhere("GET", f"/v1/accounts/{ACCOUNT}/upcomingInvoice", transactions=0)
    draft = everywhere("POST", f"/v1/accounts/{ACCOUNT}/invoices", transactions=9)
    march = everywhere("POST", f"/v1/invoices/{draft['id']}/finalize")
    assert lines(march) == [("calls", "5.00", 1), ("fee", "31.00", None)]
    settled, = everywhere("GET", "/v1/reconciliation", transactions=0)["data"]
    assert (settled["document"], settled["amount"]) == (march["id"], "5.00")
    line, = settled["lines"]
    everywhere("GET", f"/v1/invoices/{march['id']}/lines/{line}/events", transactions=0)
    everywhere("POST", f"/v1/invoices/{march['id']}/void")
    draft = api.post(f"/v1/accounts/{ACCOUNT}/invoices", None)
    again = everywhere("POST", f"/v1/invoices/{draft['id']}/finalize")
    assert lines(again) == lines(march)
    everywhere("POST", "/v1/measurements/void", {"uniqueIds": [first], "reason": "test", "dryRun": True},
               transactions=0)
    api.post("/v1/measurements/void", {"uniqueIds": [first], "reason": "test"})
    advance(api, MONTHS[3])
    draft = everywhere("POST", f"/v1/accounts/{ACCOUNT}/invoices", transactions=9)
    april = everywhere("POST", f"/v1/invoices/{draft['id']}/finalize")
    assert ("calls", "-10.00", 1) in lines(april)
    sums_hold(api, 1, 2, 3)
    balanced(api)


def test_a_level_from_before_the_subscription(server, api, everywhere):
    """Whether its plan looks back is asked of the catalog, wherever what moved is looked for."""
    api.meter("level", "timeWeighted", per="day")
    api.publish("level", {**USD, "charges": [
        {"id": "level", "meter": "level", "model": "perUnit", "unitPrice": "0.10"}]}, effective=MONTHS[0])
    api.put("/v1/accounts/other", USD)
    api.subscribe("level", "other", "level", "2031-01-22T00:00:00Z")
    advance(api, MONTHS[1])
    draft = api.post("/v1/accounts/other/invoices", None)
    api.post(f"/v1/invoices/{draft['id']}/finalize", None)
    api.send([{"meter": "level", "account": "other", "uniqueId": "level", "value": 10, "ts": MONTHS[0]}])
    advance(api, MONTHS[2])
    draft = everywhere("POST", "/v1/accounts/other/invoices", transactions=9)
    assert sorted(line["amount"] for line in draft["document"]["lines"]) == ["10.00", "28.00"]


def test_credit_that_had_paid_comes_back_and_goes_again(server, api, everywhere):
    api.put(f"/v1/accounts/{ACCOUNT}", USD)
    made = api.post("/v1/grants", {"account": ACCOUNT, "amount": "6", "kind": "promotional", **USD,
                                   "appliesTo": {"charges": ["calls"]}}, headers={"Idempotency-Key": "grant"})

    def left():
        return api.get(f"/v1/grants/{made['id']}")["remaining"]
    first = use(api, 1000, MONTHS[0])
    bill_month(api, 1)
    assert bill_month(api, 2)["credits"] == "-6.00" and left() == "0.00"
    api.post("/v1/measurements/amend", [{"uniqueId": first, "value": 200}])  # 8.00 less, of which credit paid 6.00
    advance(api, MONTHS[2])
    draft = api.post(f"/v1/accounts/{ACCOUNT}/invoices", None)
    march = everywhere("POST", f"/v1/invoices/{draft['id']}/finalize")
    assert (march["document"]["creditsRestored"], left()) == ("6.00", "6.00")
    everywhere("POST", f"/v1/invoices/{march['id']}/void")
    assert left() == "0.00"
    again = api.post(f"/v1/accounts/{ACCOUNT}/invoices", None)
    api.post(f"/v1/invoices/{again['id']}/finalize", None)
    assert left() == "6.00"
    for change in ("state = 'used', drawn = amount", "id = 'other'"):  # it was used since, or is not there
        with server.damaged("credit_grant", change):
            assert api.call("POST", f"/v1/invoices/{again['id']}/void").code == "invoice_has_payments"
    balanced(api)


def test_what_falls_is_credited(server, api, everywhere):
    usual = {"closeBufferSeconds": 0, "lateUsage": "creditNote", "recomputeHorizonDays": 90}
    assert everywhere("PUT", "/v1/settings", usual).items() >= usual.items()
    assert everywhere("GET", "/v1/settings", transactions=0).items() >= usual.items()
    first = use(api, 1000, MONTHS[0])
    bill_month(api, 1)
    february = bill_month(api, 2)
    api.post("/v1/measurements/amend", [{"uniqueId": first, "value": 400}])
    everywhere("POST", f"/v1/accounts/{ACCOUNT}/invoices", transactions=2, ends="nothing_due")
    note, = api.get("/v1/creditNotes")["data"]
    assert (note["invoice"], note["total"], note["reasonCode"]) == (february["id"], "7.14", "lateUsage")
    record, = everywhere("GET", f"/v1/reconciliation?account={ACCOUNT}", transactions=0)["data"]
    assert (record["document"], record["amount"]) == (note["id"], "-6.00")
    sums_hold(api, 1)
    balanced(api)


@pytest.mark.parametrize("rule", ["nextInvoice", "creditNote"])
def test_what_comes_to_nothing_behind_the_end(server, api, everywhere, rule):
    """It waits no more; whoever finds the books busy leaves it to the next look."""
    api.put("/v1/settings", {"lateUsage": rule})
    use(api, 1000, MONTHS[0])
    bill_month(api, 1)
    api.post("/v1/subscriptions/sub/cancel", {"at": MONTHS[1]})
    bill_month(api, 2)
    advance(api, MONTHS[2])
    make = "POST", f"/v1/accounts/{ACCOUNT}/invoices"

    def waits():
        return [record["events"] for record in api.get("/v1/reconciliation", query={"state": "open"})["data"]]
    for number in range(2):
        for value in (300, -300):
            use(api, value, MONTHS[0], f"{value} {number}")
        assert waits() == [2]
        if number == 0:
            everywhere(*make, ends="nothing_due")
        else:
            left = 0
            for call in itertools.count(1):
                server.fail(call, busy=1)
                code = api.call(*make).code
                was_refused = server.left == 0
                server.fail(0)
                assert code in ("nothing_due", "store_busy")
                if not was_refused:
                    break
                left += code == "nothing_due" and waits() == [2]
            assert left > 0 or rule == "creditNote"  # which tries again by itself
        assert waits() == []


def test_what_would_be_is_asked_for(server, api, everywhere):
    advance(api, MONTHS[1])
    use(api, 700, MONTHS[0])
    api.publish("big", {**USD, "charges": [{"id": "fee", "model": "flat", "amount": "62.00", "timing": "advance"}]},
                effective=MONTHS[0])
    for kind, body in (("change", {"plan": "big", "effectiveAt": "2031-02-15T00:00:00Z"}),
                       ("cancel", {"at": "2031-03-01T00:00:00Z"})):
        shown = everywhere("POST", f"/v1/subscriptions/sub/{kind}", {**body, "dryRun": True}, transactions=0)
        assert shown["change"] is not None
    following = everywhere("GET", f"/v1/accounts/{ACCOUNT}/upcomingInvoice", transactions=0)
    assert following["data"]
    # Where no invoice is made, the log says what is due then.
    api.publish("seats", {**USD, "charges": [
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "3.10"}]}, effective=MONTHS[0])
    api.subscribe("seats", ACCOUNT, "seats", MONTHS[0], quantities={"seats": "1"})
    shown = everywhere("POST", "/v1/subscriptions/seats/change", {
        "quantities": {"seats": "5"}, "effectiveAt": "2031-02-15T00:00:00Z", "dryRun": True}, transactions=0)
    assert shown["invoice"]["lines"] == []


def test_revenue_is_accrued(server, api):
    waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "billing"}, headers={"Idempotency-Key": "billing"}))
    use(api, 300, MONTHS[0])
    advance(api, "2031-01-10T05:00:00Z")
    run_in_spite(server, api, "accrual")
    assert owed(api, "unbilled", ACCOUNT) == 3
    assert owed(api, "deferred", ACCOUNT) == -22  # 9 of 31 days are earned
    balanced(api)


def test_credit_expires(server, api):
    api.put("/v1/accounts/other", USD)
    made = api.post("/v1/grants", {"account": "other", "amount": "7", "price": "6", "kind": "paid", **USD,
                                   "expiresAt": "2031-01-20T00:00:00Z"}, headers={"Idempotency-Key": "grant"})
    billed = api.post("/v1/grants", {"account": ACCOUNT, "amount": "50", "kind": "paid", **USD,
                                     "expiresAt": "2031-01-20T00:00:00Z"}, headers={"Idempotency-Key": "billed"})
    use(api, 100, MONTHS[0])
    advance(api, MONTHS[1])
    waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "billing"}, headers={"Idempotency-Key": "billing"}))
    run_in_spite(server, api, "expiry")
    for grant in (made, billed):
        assert api.get(f"/v1/grants/{grant['id']}")["state"] == "expired"
        assert api.call("POST", f"/v1/grants/{grant['id']}/revoke", {"mode": "forfeit"}).code == "grant_ended"
    assert owed(api, "wallet", "other") == owed(api, "wallet", ACCOUNT) == 0
    assert owed(api, "breakage", "") == -6 - Decimal("26.20")  # 19 of the fee's 31 days, and 1.00, both with tax
    balanced(api)


def test_credit_that_somebody_takes_back_while_it_expires(server, api):
    api.put("/v1/accounts/other", USD)
    made = api.post("/v1/grants", {"account": "other", "amount": "7", "price": "6", "kind": "paid", **USD,
                                   "expiresAt": "2031-01-20T00:00:00Z"}, headers={"Idempotency-Key": "grant"})
    advance(api, MONTHS[1])

    def expire():
        return waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "expiry"}, headers={"Idempotency-Key": "run"}))

    def revoke():
        Api(server).post(f"/v1/grants/{made['id']}/revoke", {"mode": "refund"})
    done = meanwhile(server, expire, revoke, writes=1, threads="operations")
    assert (done["status"], done["failed"]) == ("succeeded", 0)
    assert api.get(f"/v1/runs/{done['id']}/items")["data"] == []
    assert api.get(f"/v1/grants/{made['id']}")["state"] == "revoked"
    assert owed(api, "wallet", "other") == owed(api, "breakage", "") == 0
    balanced(api)


@pytest.mark.parametrize("kind", ["reconcile", "sweep"])
def test_books_are_proved(server, api, kind):
    use(api, 300, MONTHS[0])
    advance(api, MONTHS[1])
    api.post("/v1/grants", {"account": ACCOUNT, "amount": "5", "kind": "paid", **USD},
             headers={"Idempotency-Key": "grant"})
    waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "billing"}, headers={"Idempotency-Key": "billing"}))
    run_in_spite(server, api, kind)


def test_late_rows_that_cannot_be_read(server, api):
    bill_month(api, 1)
    use(api, 1000, MONTHS[0])
    bill_month(api, 2)
    use(api, 500, MONTHS[0], "late")
    advance(api, MONTHS[2])
    api.put("/v1/settings", {"lateUsage": "nextInvoice"})
    with server.damaged("project_settings", "late_usage = 'whenever'"):
        for method, path in (("GET", f"/v1/accounts/{ACCOUNT}/upcomingInvoice"),
                             ("POST", f"/v1/accounts/{ACCOUNT}/invoices")):
            answer = api.call(method, path)
            assert (answer.status, answer.code) == (500, "store_failed"), answer
    draft = api.post(f"/v1/accounts/{ACCOUNT}/invoices", None)
    march = api.post(f"/v1/invoices/{draft['id']}/finalize", None)
    with server.damaged("reconciliation", "currency = 'XXL'"):
        for path in ("/v1/reconciliation", f"/v1/reconciliation?account={ACCOUNT}"):
            answer = api.call("GET", path)
            assert (answer.status, answer.code) == (500, "store_failed"), answer
    [settled] = api.get("/v1/reconciliation")["data"]
    assert (settled["document"], settled["amount"]) == (march["id"], "5.00")
    balanced(api)


@pytest.mark.parametrize("rule", ["nextInvoice", "creditNote"])
def test_three_late_periods(api, rule):
    """What falls in each is settled once, by a line of the next invoice or on the invoice that charged it."""
    api.put("/v1/settings", {"lateUsage": rule})
    events = []
    for number in range(3):
        bill_month(api, number + 1)
        events.append(use(api, 1000, MONTHS[number], f"e{number}"))
    bill_month(api, 4)
    api.post("/v1/measurements/amend", [{"uniqueId": event, "value": 400} for event in events])
    advance(api, MONTHS[4])
    draft = api.post(f"/v1/accounts/{ACCOUNT}/invoices", None)
    api.post(f"/v1/invoices/{draft['id']}/finalize", None)
    records = api.get("/v1/reconciliation")["data"]
    assert sorted(record["amount"] for record in records) == ["-6.00"] * len(records) and len(records) == 3
    notes = api.get("/v1/creditNotes")["data"]
    assert len(notes) == (len(records) if rule == "creditNote" else 0)
    assert {note["total"] for note in notes} <= {"7.14"}
    balanced(api)
