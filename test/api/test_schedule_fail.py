# SPDX-License-Identifier: Apache-2.0
"""Runs that start by themselves while each call to the books fails in turn: what was not done is made up for, and
in the end nothing is billed twice and nothing is missing. The project's clock is a test one."""
import datetime as dt
import itertools

import pytest
from client import Api
from clock import advance, set_clock, test_project as project_folder
from failing import FailingServer
from test_scheduler import automatic, boundaries

USD = {"currency": "USD"}
WEEKS_MAX = 300
LAST_CALLS = 60  # of a run, which ask when its accounts are due again; test_runs_fail.py has those before
FIRST = dt.date(2031, 1, 6)  # a Monday


@pytest.fixture
def server(tmp_path):
    with FailingServer(data=project_folder(tmp_path)) as server:
        yield server
        server.stop()
        server.verify()


def monday(number):
    return str(FIRST + dt.timedelta(weeks=number))


def ended(api):
    return api.get("/v1/testClock")["runs"] == []


def retry_failed(api):
    """A run that failed itself is not begun again within a minute of real time."""
    while not ended(api):
        pass
    for run in api.get("/v1/runs", query={"limit": 2})["data"]:
        if run["status"] == "failed":
            api.expect(202, "POST", f"/v1/runs/{run['id']}/retry")
    while not ended(api):
        pass


@pytest.mark.parametrize("threads,every,least", [("worker", 1, 5), ("operations,run", 4, 10)])
def test_what_is_due_is_made_in_the_end(server, threads, every, least):
    """A fee each week in advance. Who advances the clock looks at what is due; others make it."""
    api = Api(server)
    set_clock(api, f"{monday(0)}T00:00:00Z")
    automatic(api, closeBufferSeconds=0)
    api.put("/v1/accounts/acct", USD)
    api.publish("weekly", {**USD, "period": {"every": 1, "unit": "week"}, "charges": [
        {"id": "fee", "model": "flat", "amount": "1.00", "timing": "advance"}]}, f"{monday(0)}T00:00:00Z")
    api.subscribe("sub", "acct", "weekly", f"{monday(0)}T00:00:00Z")
    for week in (1, 2):  # the second is like all that follow
        server.fail(0, threads)
        advance(api, f"{monday(week)}T02:00:00Z")
        call = server.counted
        retry_failed(api)
    if threads != "worker":
        call = server.counted
    call = max(1, call - LAST_CALLS)
    for week in itertools.count(3):
        assert week < WEEKS_MAX, "a week never comes to an end"
        server.fail(call, threads)
        answer = api.call("POST", "/v1/testClock/advance", {"to": f"{monday(week)}T02:00:00Z"})
        while threads != "worker" and server.left > 0 and not ended(api):
            pass
        was_refused = server.left == 0
        server.fail(0)
        assert answer.status == 200 or threads == "worker" and (answer.status, answer.code) == (500, "store_failed")
        retry_failed(api)
        if not was_refused and f"{monday(week)}T00:00:00Z" in boundaries(api):
            break
        call += every * was_refused
    assert week > least, "the books were hardly asked"
    for number in range(week + 1, week + 5):  # whoever failed is looked at again later
        advance(api, f"{monday(number)}T02:00:00Z")
        while not ended(api):
            pass
    assert boundaries(api) == [f"{monday(number)}T00:00:00Z" for number in range(week + 5)]
