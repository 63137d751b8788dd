# SPDX-License-Identifier: Apache-2.0
"""Runs: the invoices of all accounts at once, what fails on the way, retries, and a kill in the middle."""
import itertools
import random
import time
from decimal import Decimal

import pytest

STARTS = "2026-08-01T00:00:00Z"
AT = "2026-09-15T00:00:00Z"  # boundaries on 1 August and 1 September: the fee in advance, usage behind it
ENDED = ("succeeded", "failed", "canceled")


def waited(api, run, seconds=120):
    end = time.monotonic() + seconds
    while run["status"] not in ENDED:
        assert time.monotonic() < end, run
        time.sleep(0.05)
        run = api.get(f"/v1/runs/{run['id']}")
    return run


def start(api, key, at=AT):
    return api.expect(202, "POST", "/v1/runs", {"kind": "billing", "at": at}, headers={"Idempotency-Key": key})


def billed(api, key, at=AT):
    run = waited(api, start(api, key, at))
    assert (run["status"], run["isWalked"], run["error"]) == ("succeeded", True, None), run
    return run


def all_of(api, path, **query):
    rows, cursor = [], None
    while True:
        page = api.get(path, query={**query, "limit": 200, **({"cursor": cursor} if cursor else {})})
        rows += page["data"]
        cursor = page["nextCursor"]
        if cursor is None:
            return rows


def items(api, run, **query):
    return all_of(api, f"/v1/runs/{run['id']}/items", **query)


def world(api, accounts, plan="team"):
    meter = api.meter("calls")["id"]
    api.publish(plan, {"currency": "USD", "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "50.00", "timing": "advance"},
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "0.01"}]})
    names = [f"acct_{i:04d}" for i in range(accounts)]
    for name in names:
        api.put(f"/v1/accounts/{name}", {"currency": "USD"})
        api.subscribe(f"sub_{name}", name, plan, STARTS)
    api.send([{"meter": meter, "account": name, "uniqueId": f"evt_{name}", "value": 100 + i,
               "ts": "2026-08-10T00:00:00Z"} for i, name in enumerate(names)])
    return names


def books_are_right(api, names):
    """Each boundary once, numbers without a gap, and every post balanced."""
    invoices = all_of(api, "/v1/invoices")
    keys = [(invoice["account"], invoice["currency"], invoice["at"]) for invoice in invoices]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {(name, "USD", at) for name in names for at in (STARTS, "2026-09-01T00:00:00Z")}
    assert sorted(invoice["number"] for invoice in invoices) == [f"INV-{i + 1:06d}" for i in range(len(invoices))]
    first = sum(Decimal(invoice["total"]) for invoice in invoices if invoice["at"] == STARTS)
    assert first == 50 * len(names)
    second = sum(Decimal(invoice["total"]) for invoice in invoices if invoice["at"] != STARTS)
    assert second == sum(50 + Decimal(100 + i) / 100 for i in range(len(names)))
    for total in api.get("/v1/ledger/trialBalance")["totals"]:
        assert abs(Decimal(total["debit"])) == abs(Decimal(total["credit"])), total
    owed = all_of(api, "/v1/ledger/accounts", kind="receivable")
    assert sum(Decimal(row["balance"]) for row in owed) == first + second
    return invoices


def test_a_run_bills_every_account_once(fresh):
    api = fresh(seal_bits=6)
    names = world(api, 30)
    run = billed(api, "first")
    assert (run["accounts"], run["invoices"], run["failed"], run["attempt"]) == (30, 60, 0, 1)
    invoices = books_are_right(api, names)
    made = items(api, run)
    assert [item["number"] for item in made] == list(range(1, 61))
    assert {item["status"] for item in made} == {"finalized"}
    assert {(item["account"], item["currency"], item["at"], item["invoice"]) for item in made} == {
        (row["account"], row["currency"], row["at"], row["id"]) for row in invoices}
    operation = api.get(f"/v1/operations/{run['operation']}")
    assert (operation["kind"], operation["status"], operation["progress"]) == (
        "run", "succeeded", {"done": 30, "total": 30})
    again = billed(api, "second")
    assert (again["accounts"], again["invoices"], again["failed"]) == (30, 0, 0)
    assert items(api, again) == []
    books_are_right(api, names)
    assert [row["id"] for row in all_of(api, "/v1/runs")] == [again["id"], run["id"]]
    page = api.get("/v1/runs", query={"limit": 1})
    assert api.get("/v1/runs", query={"limit": 1, "cursor": page["nextCursor"]})["data"] == [run]


def test_boundaries_behind_at_wait(fresh):
    api = fresh(seal_bits=6)
    names = world(api, 3)
    assert billed(api, "a", "2026-07-31T00:00:00Z")["invoices"] == 0
    assert billed(api, "b", STARTS)["invoices"] == 3
    assert billed(api, "c", AT)["invoices"] == 3
    books_are_right(api, names)


def test_a_draft_becomes_the_invoice(fresh):
    api = fresh(seal_bits=6)
    names = world(api, 2)
    draft = api.post(f"/v1/accounts/{names[0]}/invoices", None)
    run = billed(api, "a")
    assert draft["id"] in [item["invoice"] for item in items(api, run)]
    books_are_right(api, names)


def test_an_account_that_fails_stops_nobody_and_is_retried(fresh):
    api = fresh(seal_bits=6)
    names = world(api, 5)
    api.publish("wild", {"currency": "USD", "charges": [
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "1000000"}]})
    api.put("/v1/accounts/acct_bad", {"currency": "USD"})
    api.subscribe("sub_bad", "acct_bad", "wild", STARTS)
    api.send([{"meter": "calls", "account": "acct_bad", "uniqueId": "evt_bad", "value": 10**12,
               "ts": "2026-08-10T00:00:00Z"}])
    run = billed(api, "a")
    assert (run["accounts"], run["invoices"], run["failed"]) == (6, 10, 1)
    books_are_right(api, names)
    failed, = items(api, run, status="failed")
    assert (failed["account"], failed["currency"], failed["at"], failed["invoice"]) == ("acct_bad", None, None, None)
    assert (failed["error"]["code"], failed["attempt"]) == ("amount_too_large", 1)

    retried = waited(api, api.expect(202, "POST", f"/v1/runs/{run['id']}/retry"))
    assert (retried["attempt"], retried["failed"], retried["invoices"]) == (2, 1, 10)
    assert [item["attempt"] for item in items(api, run, status="failed")] == [2]

    api.post("/v1/measurements/amend", [{"uniqueId": "evt_bad", "value": 7}])
    done = waited(api, api.expect(202, "POST", f"/v1/runs/{run['id']}/retry"))
    assert (done["status"], done["attempt"], done["failed"], done["invoices"]) == ("succeeded", 3, 0, 11)
    made, = [item for item in items(api, run) if item["account"] == "acct_bad"]
    assert (made["number"], made["status"], made["error"], made["attempt"]) == (failed["number"], "finalized", None, 3)
    assert api.get(f"/v1/invoices/{made['invoice']}")["total"] == "7000000.00"


def test_a_retry_finds_that_nothing_is_left(fresh):
    api = fresh(seal_bits=6)
    meter = api.meter("calls")["id"]
    api.publish("wild", {"currency": "USD", "charges": [
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1000000"}]})
    api.put("/v1/accounts/acct_bad", {"currency": "USD"})
    api.subscribe("sub_bad", "acct_bad", "wild", STARTS)
    api.send([{"meter": meter, "account": "acct_bad", "uniqueId": "evt_bad", "value": 10**12,
               "ts": "2026-08-10T00:00:00Z"}])
    run = billed(api, "a")
    assert run["failed"] == 1
    api.post("/v1/measurements/amend", [{"uniqueId": "evt_bad", "value": 7}])
    by_hand = api.post("/v1/accounts/acct_bad/invoices", None)
    api.post(f"/v1/invoices/{by_hand['id']}/finalize", None)
    done = waited(api, api.expect(202, "POST", f"/v1/runs/{run['id']}/retry"))
    assert (done["failed"], done["invoices"]) == (0, 0)
    assert [(item["status"], item["error"]) for item in items(api, run)] == [("nothingDue", None)]


def test_keys_and_refusals(api, n):
    missing = api.call("POST", "/v1/runs", {"kind": "billing"})
    assert (missing.status, missing.code) == (400, "idempotency_key_required")
    key = {"headers": {"Idempotency-Key": n("key")}}
    early = {"kind": "billing", "at": "2001-01-01T00:00:00Z"}
    run = api.expect(202, "POST", "/v1/runs", early, **key)
    replay = api.call("POST", "/v1/runs", early, **key)
    assert replay.json["id"] == run["id"] and replay.headers["Idempotent-Replayed"] == "true"
    other = api.call("POST", "/v1/runs", {"kind": "billing", "at": "2002-01-01T00:00:00Z"}, **key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    waited(api, run)
    for body, code in (({}, "field_required"), ({"kind": "seal"}, "field_invalid"),
                       ({"kind": "billing", "at": "2999-01-01T00:00:00Z"}, "field_invalid"),
                       ({"kind": "billing", "at": "then"}, "invalid_timestamp"),
                       ({"kind": "billing", "x": 1}, "unknown_member")):
        answer = api.call("POST", "/v1/runs", body, headers={"Idempotency-Key": n("bad")})
        assert answer.status in (400, 422) and answer.code == code, (body, answer)
    for method, path in (("GET", "/v1/runs/run_x"), ("GET", "/v1/runs/run_x/items"), ("POST", "/v1/runs/run_x/retry")):
        answer = api.call(method, path)
        assert (answer.status, answer.code) == (404, "run_not_found"), (path, answer)
    for path in ("/v1/runs", f"/v1/runs/{run['id']}/items"):
        answer = api.call("GET", path, query={"cursor": "x"})
        assert (answer.status, answer.code) == (400, "cursor_invalid"), path


def test_a_run_that_runs_is_not_retried_and_one_that_was_canceled_goes_on(fresh):
    api = fresh(seal_bits=6)
    names = world(api, 120)
    run = start(api, "a")
    refused = api.call("POST", f"/v1/runs/{run['id']}/retry")
    assert (refused.status, refused.code) == (409, "run_running")
    canceled = api.call("POST", f"/v1/operations/{run['operation']}/cancel")
    run = waited(api, run)
    if canceled.status == 200:
        assert run["status"] == "canceled"
        run = waited(api, api.expect(202, "POST", f"/v1/runs/{run['id']}/retry"))
    assert (run["status"], run["isWalked"], run["invoices"]) == ("succeeded", True, 240)
    books_are_right(api, names)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_in_the_middle_nothing_is_made_twice_and_no_number_is_missing(fresh, seed):
    dice = random.Random(seed)
    api = fresh(seal_bits=6)
    server = api.server
    names = world(api, 200)
    run = start(api, "a")
    kills = 0
    for kill in itertools.count(1):
        seen = run["invoices"]
        target = seen + dice.randrange(5, 70)
        while run["status"] not in ENDED and run["invoices"] < target:
            time.sleep(0.005)
            run = api.get(f"/v1/runs/{run['id']}")
        if run["status"] in ENDED or kill > 3:
            break
        server.kill9()
        kills += 1
        server.start()
        api.drop_connection()
    run = waited(api, run)
    assert kills > 0, "the run ended before anybody could kill it"
    assert (run["status"], run["invoices"], run["failed"]) == ("succeeded", 400, 0)
    books_are_right(api, names)
    assert len({item["invoice"] for item in items(api, run)}) == 400
    assert billed(api, "b")["invoices"] == 0
    late = time.monotonic() + 60
    while (proof := api.get("/v1/ledger/verify"))["unsealed"] > 0:
        assert time.monotonic() < late, proof
        time.sleep(0.1)
    assert proof["clean"] is True and proof["transactions"] >= 400, proof
    server.stop()
    server.verify()
