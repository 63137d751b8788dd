# SPDX-License-Identifier: Apache-2.0
"""What is started by itself, on books that fail at each call in turn: nothing is started twice, and the next look
starts what is left. The project's clock is a test one."""
import contextlib
import itertools
import time

import pytest
from client import Api
from clock import set_clock, test_project as project_folder
from failing import FailingServer
from test_runs import ENDED, all_of, items, waited

USD = {"currency": "USD"}
START = "2031-01-01T00:00:00Z"
DAY = 86400
CALLS_MAX = 300


def keyed(key):
    return {"Idempotency-Key": key}


@pytest.fixture
def server(tmp_path):
    with FailingServer(data=project_folder(tmp_path)) as server:
        yield server
        server.stop()
        server.verify()


@pytest.fixture
def api(server):
    api = Api(server)
    set_clock(api, START)
    api.meter("calls")
    api.publish("team", {**USD, "charges": [
        {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"}]}, effective=START)
    api.put("/v1/accounts/ada", USD)
    api.subscribe("sub", "ada", "team", START)
    return api


def charge(api, account, key):
    api.expect(201, "POST", "/v1/charges", {"account": account, "amount": "0.01", **USD, "chargeKey": f"charge {key}"})


def all_ended(api):
    end = time.monotonic() + 60
    while any(run["status"] not in ENDED for run in all_of(api, "/v1/runs")):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("busy", [0, 1])
def test_what_is_started_by_itself(server, api, busy):
    api.put("/v1/settings", {"billing": "automatic"})
    bare, refused, was_refused = Api(server), [], []
    for call in itertools.count(1):
        assert call < CALLS_MAX
        charge(api, "ada", call)  # the account is to be looked at again
        all_ended(api)
        server.fail(call, busy=busy)
        answer = bare.call("POST", "/v1/testClock/advance", {"bySeconds": DAY})
        was_refused.append(server.left == 0)
        server.fail(0)
        if not any(was_refused[-3:]):  # another looks each second, and may have started what is due
            break
        if answer.status != 200:
            assert (answer.status, answer.code) in ((500, "store_failed"), (503, "store_busy")), answer
            refused.append(call)
    assert answer.status == 200 and len(refused) > 10
    all_ended(api)
    runs = all_of(api, "/v1/runs")
    assert {run["status"] for run in runs} == {"succeeded"} and {"accrual", "billing"} <= {run["kind"] for run in runs}
    invoices = [invoice["at"] for invoice in all_of(api, "/v1/invoices")]
    assert len(set(invoices)) == len(invoices) >= call // 31


def test_more_accounts_are_marked_than_are_read_at_once(server, api):
    for number in range(500):
        api.put(f"/v1/accounts/acct{number}", USD)
    charge(api, "ada", "one")
    [(marked,)] = server.rows("select due_at from account_due where account = 'ada'")
    base = server.connect()
    base.cursor().execute("insert into account_due select tenant, project, id, %d, 0, 1 from account"
                          " where id <> 'ada'" % marked)
    base.close()
    api.put("/v1/settings", {"billing": "automatic"})
    api.expect(200, "POST", "/v1/testClock/advance", {"bySeconds": DAY})
    all_ended(api)
    [(left,)] = server.rows(f"select count(*) from account_due where due_at = {marked}")
    [(rows,)] = server.rows("select count(*) from account_due")
    assert (left, rows) == (0, 501)
    assert [invoice["account"] for invoice in all_of(api, "/v1/invoices")] == ["ada"]


def test_an_account_that_is_not_there_stops_no_other(server, api):
    api.put("/v1/accounts/bob", USD)
    api.subscribe("other", "bob", "team", START)
    base = server.connect()
    base.cursor().execute("insert into account_due select tenant, project, 'nobody', due_at, 0, 1 from account_due"
                          " where account = 'ada'")
    base.close()
    api.put("/v1/settings", {"billing": "automatic"})
    api.expect(200, "POST", "/v1/testClock/advance", {"bySeconds": DAY})
    all_ended(api)
    api.expect(200, "POST", "/v1/testClock/advance", {"bySeconds": DAY})
    all_ended(api)
    assert {invoice["account"] for invoice in all_of(api, "/v1/invoices")} == {"ada", "bob"}


def test_a_charge_of_no_currency_is_not_billed(server, api):
    api.put("/v1/accounts/lone", USD)
    charge(api, "lone", "one")
    with server.damaged("charge", "currency = 'XXL'"):
        answer = api.call("POST", "/v1/accounts/lone/invoices")
        assert (answer.status, answer.code) == (500, "store_failed"), answer


@contextlib.contextmanager
def zone_of_project(server, zone):
    """Other rows point to the project's: it is changed and changed back."""
    def put(name):
        base = server.connect()
        base.cursor().execute(f"update project set time_zone = '{name}'")
        base.close()
    [(before,)] = server.rows("select time_zone from project")
    put(zone)
    yield
    put(before.decode() if isinstance(before, bytes) else before)


def test_a_zone_that_nobody_knows(server, api):
    api.put("/v1/accounts/bob", USD)
    api.subscribe("other", "bob", "team", START)
    api.send([{"meter": "calls", "account": "bob", "uniqueId": "one", "value": 3}])
    server.stop()
    with zone_of_project(server, "Mars/Olympus"):
        server.start()
        api.drop_connection()
        api.expect(200, "POST", "/v1/testClock/advance", {"bySeconds": DAY})
        run = waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "accrual"}, headers=keyed("run")))
        failed = items(api, run, status="failed")
        assert {item["account"] for item in failed} == {"ada", "bob"}
        assert {item["error"]["code"] for item in failed} == {"store_failed"}
        api.put("/v1/settings", {"billing": "automatic"})
        for _ in range(2):
            api.expect(200, "POST", "/v1/testClock/advance", {"bySeconds": DAY})
            all_ended(api)
        assert "billing" in {run["kind"] for run in all_of(api, "/v1/runs")}
        server.stop()
    server.start()
