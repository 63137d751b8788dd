# SPDX-License-Identifier: Apache-2.0
"""Runs whose books fail, at each call in turn: whatever becomes of a run, no boundary is billed twice and no
number is missing, and the next run makes what is left. And the proof on books that fail."""
import itertools
import os
import subprocess
from decimal import Decimal

import pytest
from client import Api
from failing import FailingServer, failing_binary, refused_everywhere
from test_runs import ENDED, all_of, waited

THREADS = "operations,run"
CALLS_MAX = 650  # of one run


def month(number):
    return f"{1971 + number // 12}-{number % 12 + 1:02}-01T00:00:00Z"


def world(api, accounts):
    """A fee of 10.00 in advance, each month since 1971."""
    api.publish("team", {"currency": "USD", "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "10.00", "timing": "advance"}]}, month(0))
    names = [f"acct_{i}" for i in range(accounts)]
    for name in names:
        api.put(f"/v1/accounts/{name}", {"currency": "USD"})
        api.subscribe(f"sub_{name}", name, "team", month(0))
    return names


@pytest.fixture
def server():
    with FailingServer(seal_bits=6, config="http.workers = 2\n") as server:
        yield server


def start(api, number):
    return api.expect(202, "POST", "/v1/runs", {"kind": "billing", "at": month(number)},
                      headers={"Idempotency-Key": f"run {number}"})


def books_are_right(api, names, months):
    invoices = all_of(api, "/v1/invoices")
    keys = [(invoice["account"], invoice["at"]) for invoice in invoices]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {(name, month(number)) for name in names for number in range(months)}
    assert sorted(invoice["number"] for invoice in invoices) == [f"INV-{i + 1:06d}" for i in range(len(invoices))]
    for total in api.get("/v1/ledger/trialBalance")["totals"]:
        assert abs(Decimal(total["debit"])) == abs(Decimal(total["credit"])), total


def test_a_run_that_fails_anywhere(server):
    api = Api(server)
    names = world(api, 2)
    api.post("/v1/adjustments", {"account": names[-1], "amount": "99999", "currency": "USD", "reasonCode": "goodwill",
                                 "target": "customerBalance"}, headers={"Idempotency-Key": "balance"})
    for number, call in enumerate(itertools.count(1)):
        server.fail(call, THREADS)
        run = start(api, number)
        while server.left > 0 and run["status"] not in ENDED:
            run = api.get(f"/v1/runs/{run['id']}")
        was_refused = server.left == 0
        server.fail(0)
        run = waited(api, run)  # calls are counted of one run alone
        if not was_refused:
            break
        assert call < CALLS_MAX
    assert (run["status"], run["failed"]) == ("succeeded", 0)
    assert number > 20, "the books were asked for less than that"
    books_are_right(api, names, number + 1)
    assert {(invoice["status"], invoice["balanceUsed"]) for invoice in all_of(api, "/v1/invoices", account=names[-1])
            } == {("paid", "-10.00")}
    server.stop()
    server.verify()
    server.start()


def test_a_run_of_accounts_that_have_more_than_a_fee(server):
    """Drafts, credit, taxes of their own; one began in the middle of a month."""
    api = Api(server)
    world(api, 1)
    for number in range(5):
        api.put(f"/v1/taxRates/tax{number}", {"percent": str(number + 1)})
    for name, rates in (("acct_0", (0, 1, 2)), ("middle", (0, 3, 4))):
        api.put(f"/v1/accounts/{name}", {"currency": "USD", "taxRates": [f"tax{number}" for number in rates]})
    api.subscribe("sub_middle", "middle", "team", "1971-01-15T00:00:00Z")
    grant = api.post("/v1/grants", {"account": "middle", "amount": "5000", "kind": "paid", "currency": "USD",
                                    "effectiveAt": month(0)}, headers={"Idempotency-Key": "grant"})["id"]
    for number, call in enumerate(itertools.count(1, 8)):
        assert call < CALLS_MAX
        api.call("POST", "/v1/accounts/acct_0/invoices")  # unless the last one could not be billed
        server.fail(call, THREADS)
        run = start(api, number)
        while server.left > 0 and run["status"] not in ENDED:
            run = api.get(f"/v1/runs/{run['id']}")
        was_refused = server.left == 0
        server.fail(0)
        run = waited(api, run)
        if not was_refused:
            break
    assert (run["status"], run["failed"]) == ("succeeded", 0)
    assert number > 10, "the books were asked for less than that"
    billed = all_of(api, "/v1/invoices", account="middle", status="paid")
    assert {invoice["total"] for invoice in billed} == {"6.02", "11.00"}
    assert Decimal(api.get(f"/v1/grants/{grant}")["remaining"]) == 5000 - sum(
        Decimal(invoice["total"]) for invoice in billed)
    assert {invoice["total"] for invoice in all_of(api, "/v1/invoices", account="acct_0", status="finalized")} == {
        "10.60"}
    server.stop()
    server.verify()
    server.start()


@pytest.mark.parametrize("kind", ["billing", "accrual"])
def test_a_server_that_stops_in_the_middle_of_a_run(server, kind):
    api = Api(server)
    names = world(api, 150)
    run = api.expect(202, "POST", "/v1/runs", {"kind": kind, "at": month(0)}, headers={"Idempotency-Key": kind})
    while run["status"] == "queued":
        run = api.get(f"/v1/runs/{run['id']}")
    server.stop()
    server.start()
    api.drop_connection()
    run = waited(api, run)
    assert (run["status"], run["accounts"], run["failed"]) == ("succeeded", 150, 0)
    if kind == "billing":
        books_are_right(api, names, 1)


def test_runs_are_read_and_asked_for(server):
    api, bare = Api(server), Api(server)
    world(api, 2)
    asked = {"kind": "billing", "at": month(0)}

    def everywhere(method, path, body=None, transactions=1, **more):
        return refused_everywhere(server, lambda: bare.call(method, path, body, **more), transactions, 0).json
    run = waited(api, api.expect(202, "POST", "/v1/runs", asked, headers={"Idempotency-Key": "first"}))
    for path in ("/v1/runs", f"/v1/runs/{run['id']}", f"/v1/runs/{run['id']}/items",
                 f"/v1/runs/{run['id']}/items?status=failed"):
        everywhere("GET", path, transactions=0)
    # What is asked for is done at once, by others: only the asking is looked at.
    for deed in (lambda: bare.call("POST", "/v1/runs", asked, headers={"Idempotency-Key": "second"}),
                 lambda: bare.call("POST", f"/v1/runs/{run['id']}/retry")):
        for call in itertools.count(1):
            server.fail(call)
            answer = deed()
            was_refused = server.left == 0
            server.fail(0)
            if not was_refused:
                break
            assert (answer.status, answer.code) == (500, "store_failed"), answer
        assert answer.status == 202 and call > 3
        waited(api, answer.json)
    assert len(api.get("/v1/runs")["data"]) == 2


def test_the_proof_on_books_that_fail(server):
    api = Api(server)
    names = world(api, 2)
    for name in names:
        api.post("/v1/grants", {"account": name, "amount": "5", "price": "4", "kind": "paid", "currency": "USD"},
                 headers={"Idempotency-Key": name})
    waited(api, start(api, 1))
    server.sealed()
    server.stop()
    for call in itertools.count(1):
        server.fail(call, "failing_books")
        done = subprocess.run([failing_binary(), "verify", "--data", str(server.data)], capture_output=True,
                              timeout=120, env={**os.environ, "TOLL_BOOK_FAULTS": str(server.folder / "faults"),
                                                **({"TOLL_BOOKS": server.books} if server.books else {})})
        if server.left > 0:
            break
        assert done.returncode == 1, done
    assert done.returncode == 0, done
    assert call > 10
    server.fail(0)
    server.start()


@pytest.mark.parametrize("statement", [
    "select subscription, issued_until from invoice_progress",
    "from invoice_line where tenant = ? and project = ? and subscription in ",
    "select distinct account from credit_grant",
    "select slot from invoice",
    "select distinct account from revenue_item",
    "from closed_period",
    "from legal_entity",
    "document_series",
    "insert into ledger_transaction",
    "and slot = ?",
    "select currency, min(at) from charge",
])
def test_what_is_asked_for_many_accounts_together(server, statement):
    """It fails once: the accounts are billed all the same, each by itself."""
    api = Api(server)
    names = world(api, 3)
    waited(api, start(api, 1))
    api.post("/v1/accounts/acct_0/invoices", None)  # a draft, and a charge: what only some have is asked for, too
    api.post("/v1/charges", {"account": "acct_1", "amount": "1", "currency": "USD", "chargeKey": "one"})
    server.fail_of(statement, THREADS)
    run = waited(api, start(api, 2))
    assert server.has_failed
    assert (run["status"], run["failed"], run["invoices"]) == ("succeeded", 0, 3)
    books_are_right(api, names, 3)
