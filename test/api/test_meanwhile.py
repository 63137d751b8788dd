# SPDX-License-Identifier: Apache-2.0
"""What another request does between what a request reads and what it writes: nothing is done twice, and whoever
was slower does it again with what is so now."""
import itertools

import pytest
from client import Api
from failing import FailingServer, meanwhile
from test_runs import ENDED, all_of, waited

USD = {"currency": "USD"}
RUNNERS = "operations,run"


def keyed(key):
    return {"Idempotency-Key": key}


@pytest.fixture(scope="module")
def server():
    with FailingServer(seal_bits=6) as server:
        yield server
        server.stop()
        server.verify()


@pytest.fixture
def api(server, contract):
    return Api(server, contract=contract)


@pytest.fixture
def other(server):
    return Api(server)


def one_off(api, account):
    api.put(f"/v1/accounts/{account}", USD)
    return api.post("/v1/invoices", {"account": account, **USD, "lines": [{"description": "Visit", "amount": "10"}]},
                    headers=keyed(account))


def test_an_invoice_is_finalized_twice_at_once(server, api, other):
    draft = one_off(api, "twice")
    path = f"/v1/invoices/{draft['id']}/finalize"
    answer = meanwhile(server, lambda: other.post(path, None), lambda: api.post(path, None), writes=1)
    assert answer == api.get(f"/v1/invoices/{draft['id']}")
    assert (answer["status"], answer["number"]) == ("finalized", "INV-000001")


# ---- runs

WRITES_MAX = 20  # of one run
EDGE = 15  # calls with which one begins, and ends


def month(number):
    return f"{1971 + number // 12}-{number % 12 + 1:02}-01T00:00:00Z"


def invoices_of(api, account):
    return sorted((row["at"], row["total"]) for row in all_of(api, "/v1/invoices", account=account)
                  if row["status"] not in ("draft", "void"))


@pytest.fixture
def sold():
    """Two accounts, with a fee of 10.00 in advance each month since 1971."""
    with FailingServer(seal_bits=6, config="http.workers = 2\n") as server:
        api = Api(server)
        api.publish("team", {**USD, "charges": [
            {"id": "fee", "name": "Platform", "model": "flat", "amount": "10.00", "timing": "advance"}]}, month(0))
        for name in ("one", "two"):
            api.put(f"/v1/accounts/{name}", USD)
            api.subscribe(f"sub_{name}", name, "team", month(0))
        yield server
        server.stop()
        server.verify()


def run(api, number):
    return api.expect(202, "POST", "/v1/runs", {"kind": "billing", "at": month(number)}, headers=keyed(f"run {number}"))


def is_each_billed_once(api, months):
    for name in ("one", "two"):
        assert invoices_of(api, name) == [(month(number), "10.00") for number in range(months)]


def test_an_account_is_billed_while_a_run_bills_it(sold):
    api = Api(sold)
    waited(api, run(api, 0))
    for write in itertools.count(1):
        assert write < WRITES_MAX, "a run never comes to an end"
        sold.wait(writes=write, threads=RUNNERS)
        started = run(api, write)
        while not sold.waits and started["status"] not in ENDED:
            started = api.get(f"/v1/runs/{started['id']}")
        did_wait = sold.waits
        draft = api.post("/v1/accounts/two/invoices", None)
        if draft["at"] == month(write):  # else the run has billed it
            api.post(f"/v1/invoices/{draft['id']}/finalize", None)
        sold.go()
        done = waited(api, started)
        assert (done["status"], done["failed"]) == ("succeeded", 0), done
        is_each_billed_once(api, write + 1)
        if not did_wait:
            break
    assert write > 1


def test_a_run_whose_outcome_is_lost(sold):
    """Each of its transactions in turn is written, and nobody knows."""
    api = Api(sold)
    waited(api, run(api, 0))
    for write in itertools.count(1):
        assert write < WRITES_MAX, "a run never comes to an end"
        sold.lose(write, RUNNERS)
        done = waited(api, run(api, write))
        was_lost = sold.is_lost
        sold.lose(0)
        if done["status"] == "failed":
            assert done["error"]["code"] == "outcome_unknown", done
            done = waited(api, api.expect(202, "POST", f"/v1/runs/{done['id']}/retry"))
        assert (done["status"], done["failed"]) == ("succeeded", 0), done
        is_each_billed_once(api, write + 1)
        if not was_lost:
            break
    assert write > 1


def test_a_run_whose_books_are_busy(sold):
    """Three calls in a row, but for those with which a run begins and ends: they are made again after a while."""
    api = Api(sold)
    waited(api, run(api, 0))
    sold.fail(0, RUNNERS)
    waited(api, run(api, 1))
    asked = sold.counted
    assert asked > 50
    for number, call in enumerate(range(EDGE, asked - EDGE, 3), 2):
        sold.fail(call, RUNNERS, busy=3)
        done = waited(api, run(api, number))
        assert sold.left <= 0
        sold.fail(0)
        if done["status"] == "failed":
            assert done["error"]["code"] == "store_busy", done
            done = waited(api, api.expect(202, "POST", f"/v1/runs/{done['id']}/retry"))
        assert (done["status"], done["failed"]) == ("succeeded", 0), done
        is_each_billed_once(api, number + 1)
