# SPDX-License-Identifier: Apache-2.0
"""Servers whose project is a test one: time passes when a test says so."""
import json

from client import new_books, run_toll


def test_project(folder):
    """The folder with data and its init.json in it, for Server(data=…)."""
    books = new_books()
    made = json.loads(run_toll("init", "--test", "--data", str(folder / "data"), "--json", "--seal-bits", "6",
                               books=books).stdout)
    (folder / "init.json").write_text(json.dumps(dict(made, books=books)))
    return folder


def set_clock(api, now):
    return api.expect(200, "POST", "/v1/testClock", {"now": now})


def into_closed_month(api, month="2026-01"):
    """Closes a month that is over in real time, and puts the clock of the project, set for the first time, into it."""
    api.expect(200, "POST", f"/v1/ledger/months/{month}/close")
    set_clock(api, f"{month}-01T00:00:00Z")
    return month


def advance(api, to):
    return api.expect(200, "POST", "/v1/testClock/advance", {"to": to})
