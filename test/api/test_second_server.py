# SPDX-License-Identifier: Apache-2.0
"""Two servers on the same books: one has the usage, the other asks it, and never answers for it."""
import concurrent.futures
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path

import pytest
from books import Books
from client import Api, Server, books_environment, free_port, quote, run_toll, toll_binary
from second import Peer

served = pytest.mark.skipif(not os.environ.get("TEST_BOOKS"), reason="two servers share books that are on a server")
PATIENCE_S = 60  # a watchdog
JUNE = "2026-06-01T00:00:00Z"


def until(ask, what):
    """Asks again until the answer is true: for what counts on another server within some seconds."""
    late = time.monotonic() + PATIENCE_S
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < late, f"never: {what}"
        time.sleep(0.05)


@pytest.fixture
def pair(fresh, contract):
    """(the server with the usage, one without), as Apis."""
    first = fresh()
    peer = Peer(first.server)
    try:
        peer.start()
        second = Api(peer, contract=contract)
        until(lambda: second.call("GET", "/v1/measurements/outcomes").status == 200, "it knows the owner")
        yield first, second
    finally:
        try:
            if peer.process is not None and peer.process.poll() is None:
                peer.stop()
        finally:
            peer.remove()


def key():
    return {"headers": {"Idempotency-Key": secrets.token_hex(8)}}


def operations():
    """(method, path, where it can be answered) of every route."""
    document = json.loads(run_toll("print", "openapi").stdout)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "operationId" in operation:
                yield method.upper(), path, operation["x-answeredAt"]


def sell(api, account="acct"):
    api.meter("calls")
    api.publish("plan", {"currency": "USD", "charges": [
        {"id": "calls", "model": "perUnit", "meter": "calls", "unitPrice": "0.5"}]})
    api.put(f"/v1/accounts/{account}", {"currency": "USD"})
    api.subscribe(f"s-{account}", account, "plan", JUNE)


def use(api, account="acct", count=10, stem="e"):
    api.send([{"uniqueId": f"{stem}{i}", "meter": "calls", "account": account, "value": 1,
               "ts": "2026-06-10T00:00:00Z"} for i in range(count)])


def test_what_was_forwarded_to_another_is_refused(api):
    """One server with the usage of its own: nobody forwards to it, and it never answers as somebody else."""
    answer = api.call("GET", "/v1/measurements/outcomes", headers={"Toll-Forwarded": "7"})
    assert (answer.status, answer.code) == (503, "usage_owner_unreachable")
    assert answer.headers["Retry-After"] and answer.headers["Toll-Owner"] != "7"


@served
def test_the_second_answers_as_the_first(pair):
    first, second = pair
    sell(second)
    use(second)
    for path in ["/v1/subscriptions/s-acct/bill?at=2026-06-20T00:00:00Z&ratedAt=2026-06-20T00:00:00Z",
                 "/v1/usage?meter=calls&from=2026-06-01T00:00:00Z&to=2026-07-01T00:00:00Z",
                 "/v1/measurements/e3", "/v1/meters", "/v1/plans/plan", "/v1/accounts/acct",
                 "/v1/measurements/none", "/v1/subscriptions/none/bill"]:
        mine, other = first.call("GET", path), second.call("GET", path)
        assert (mine.status, mine.type) == (other.status, other.type), path
        assert mine.headers["ETag"] == other.headers["ETag"], path
        if mine.status == 200:
            assert mine.body == other.body, path
        else:
            assert mine.code == other.code, path
    assert Decimal(first.bill("s-acct", at="2026-06-20T00:00:00Z")["total"]) == 5
    assert Decimal(second.bill("s-acct", at="2026-06-20T00:00:00Z")["total"]) == 5
    named = second.call("GET", "/v1/measurements/e3", headers={"X-Request-Id": "mine-1"})
    assert named.headers["Request-Id"] == "mine-1"
    assert second.call("POST", "/v1/measurements", "{", type="application/json").code == "json_invalid"
    assert second.call("GET", "/v1/measurements/e3", key="toll_test_none").code == "unauthenticated"
    head = second.exchange("HEAD", "/v1/measurements/e3", None, {"Authorization": f"Bearer {second.key}"})
    assert (head.status, head.body) == (200, b"")


@served
def test_whole_bodies_and_conditions_go_through(pair):
    first, second = pair
    made = second.call("PUT", "/v1/meters/m", {"aggregation": "sum"})
    assert made.status in (200, 201)
    assert second.call("PUT", "/v1/meters/m", {"aggregation": "max"},
                       headers={"If-Match": '"999"'}).code == "precondition_failed"
    events = [{"uniqueId": f"{i:06d}", "meter": "m", "account": "wide", "value": "1",
               "properties": {"filler": "x" * 500}} for i in range(5000)]
    answer = second.send(events)
    assert answer["accepted"] == 5000
    assert first.usage("m")["data"][0]["value"] == second.usage("m")["data"][0]["value"]
    lines = "\n".join(json.dumps(event) for event in events[:50]).encode()
    again = second.call("POST", "/v1/measurements", lines, type="application/x-ndjson")
    assert again.status == 202 and again.json["duplicates"] == 50
    assert second.call("DELETE", "/v1/meters/m").code == "meter_in_use"
    assert second.call("PUT", "/v1/meters/gone", {"aggregation": "sum"}).status in (200, 201)
    assert second.call("DELETE", "/v1/meters/gone").status == 204


@served
def test_without_the_owner_nothing_is_empty_and_nothing_is_free(pair):
    """Whatever needs usage says that it cannot be had; what does not goes on."""
    first, second = pair
    sell(second)
    use(second)
    second.put("/v1/accounts/other", {"currency": "USD"})
    first.server.kill9()
    for method, path, at in operations():
        path = path.replace("{id}", "acct").replace("{uniqueId}", "e1")
        if at == "owner":
            body = None if method in ("GET", "DELETE") else {}
            answer = second.call(method, path, body, **key())
            gone = answer.status == 503 and answer.code in ("usage_owner_unreachable", "outcome_unknown")
            assert gone or answer.status in (400, 422), (method, path, answer)
        elif method == "GET" and at == "anyServer" and "{" not in path:
            assert second.call(method, path).status != 503, path
    for method, path, at in operations():  # whatever a route says of itself, nothing breaks
        for id in ("acct", "s-acct", "calls") if method == "GET" else ("none",):
            answer = second.call(method, path.replace("{id}", id).replace("{number}", "1"),
                                 None if method in ("GET", "DELETE") else {}, **key())
            assert answer.status != 500, (method, path, answer)
            assert at != "anyServer" or answer.code != "usage_owner_unreachable", (method, path)
    assert second.server.process.poll() is None
    assert second.call("GET", "/v1/subscriptions/s-acct/bill").code == "usage_owner_unreachable"
    assert second.call("GET", "/v1/accounts/acct/wallet").status in (200, 503)
    use_one = [{"uniqueId": "late", "meter": "calls", "account": "acct", "value": 1}]
    assert second.call("POST", "/v1/measurements", use_one).status == 503
    assert second.call("POST", "/v1/accounts/acct/invoices").status == 503
    assert second.get("/v1/invoices")["data"] == []
    grant = {"account": "other", "amount": "10", "kind": "paid", "currency": "USD"}
    granted = second.call("POST", "/v1/grants", grant, **key())
    assert granted.status == 201, granted
    assert second.get("/v1/ledger/trialBalance")
    first.server.start()
    until(lambda: second.call("GET", "/v1/subscriptions/s-acct/bill").status == 200, "the owner is back")
    assert Decimal(second.bill("s-acct", at="2026-06-20T00:00:00Z")["total"]) == 5


@served
def test_a_name_is_taken_by_one_server_only(pair):
    """A copy of the data directory on the same books does not start while the usage is in use."""
    first, _ = pair
    copy = Path(tempfile.mkdtemp(prefix="toll-copy-"))
    try:
        shutil.copytree(first.server.data, copy / "data")
        done = subprocess.run([toll_binary(), "serve", "--data", str(copy / "data"), "--listen",
                               f"127.0.0.1:{free_port()}"], capture_output=True, timeout=60,
                              env=books_environment(first.server.books))
        assert done.returncode == 1 and b"another server has the usage" in done.stderr, done
    finally:
        shutil.rmtree(copy)


@served
def test_who_was_replaced_writes_nothing_more(pair):
    """As if the directory had been copied, and the copy had taken the lease while this server stood still."""
    first, second = pair
    with second_books(first) as books:
        books.base.cursor().execute("update lease set holder = 'another', fence = fence + 1 where name = 'usage'")
    with pytest.raises((OSError, HTTPException)):
        first.call("PUT", "/v1/accounts/late", {"name": "late"})
    assert first.server.process.wait(PATIENCE_S) == 3
    first.server.process = None
    assert second.call("GET", "/v1/accounts/late").code == "account_not_found"
    first.server.start()  # it waits for the end of a lease that nobody keeps
    until(lambda: second.call("GET", "/v1/measurements/outcomes").status == 200, "it has the usage again")


@served
def test_a_second_needs_its_settings(pair):
    first, second = pair
    peer = Peer(first.server)
    assert "books and keys are required" in peer.refused(books=False)
    assert "no data directory" in peer.refused("data = /tmp/nothing\n")
    peer.keys = peer.folder / "none"
    assert "cannot open" in peer.refused()
    peer.keys = peer.folder / "damaged"
    peer.keys.write_text("pepper 12\n")
    assert "damaged" in peer.refused()
    peer.keys.write_text("identity " + "00" * 32 + "\npepper " + "11" * 32 + "\n")
    said = peer.refused()
    assert "another data directory" in said or "damaged" in said, said
    peer.remove()


@served
def test_changes_of_one_count_on_the_other(pair):
    first, second = pair
    with second_books(first) as books:
        made = books.add_key({"catalog:read"})
    until(lambda: second.call("GET", "/v1/meters", key=made).status == 200, "a new key counts")
    until(lambda: first.call("GET", "/v1/meters", key=made).status == 200, "a new key counts")
    with second_books(first) as books:
        books.base.cursor().execute("update api_key set expires_at = 1 where name = 'test'")
    for api in pair:
        until(lambda: api.call("GET", "/v1/meters", key=made).code == "unauthenticated", "it has expired")
    with second_books(first) as books:
        other = books.add_key({"catalog:read"})
    until(lambda: second.call("GET", "/v1/meters", key=other).status == 200, "another key counts")
    with second_books(first) as books:
        books.base.cursor().execute("delete from api_key where name = 'test' and expires_at is null")
    for api in pair:
        until(lambda: api.call("GET", "/v1/meters", key=other).code == "unauthenticated", "it is gone")
    second.put("/v1/accounts/here", {"name": "Here", "currency": "EUR"})
    assert first.get("/v1/accounts/here")["name"] == "Here"
    first.put("/v1/accounts/here", {"name": "There", "currency": "EUR"})
    assert second.get("/v1/accounts/here")["name"] == "There"
    sell(first)
    assert second.get("/v1/plans/plan") == first.get("/v1/plans/plan")
    assert second.call("PUT", "/v1/subscriptions/s2", {"account": "here", "plan": "plan",
                                                       "startsAt": JUNE}).code == "currency_mismatch"


class second_books(Books):
    """Books of running servers: they look at them each second."""
    def __init__(self, api):
        server, process = api.server, api.server.process
        server.process = None
        try:
            super().__init__(server)
        finally:
            server.process = process


@served
def test_an_account_made_by_the_second_is_known_where_unknown_ones_are_refused(pair):
    first, second = pair
    with second_books(first) as books:
        books.add_project("strict", unknown_accounts="reject")
        made = books.add_key({"usage:write", "catalog:write", "catalog:read"}, project="strict")
    until(lambda: all(api.call("GET", "/v1/meters", key=made).status == 200 for api in pair), "the key counts")
    assert second.call("PUT", "/v1/meters/m", {"aggregation": "count"}, key=made).status in (200, 201)
    event = {"uniqueId": "1", "meter": "m", "account": "vip"}
    assert first.call("POST", "/v1/measurements", event, key=made).code == "unknown_account"
    assert second.call("PUT", "/v1/accounts/vip", {"name": "V"}, key=made).status in (200, 201)
    until(lambda: first.call("POST", "/v1/measurements", event, key=made).status == 202, "the account is known")


@served
def test_one_wallet_six_clients_two_servers(pair):
    """Each charge is paid whole or not at all, whoever asks where: the wallet ends at what is left."""
    first, second = pair
    first.put("/v1/accounts/rich", {"currency": "USD"})
    first.post("/v1/grants", {"account": "rich", "amount": "40", "kind": "paid", "currency": "USD"}, **key())

    def charge(number):
        api = pair[number % 2]
        body = {"account": "rich", "chargeKey": f"c{number // 2}", "amount": "1", "currency": "USD",
                "collect": "wallet"}
        while True:
            answer = api.call("POST", "/v1/charges", body)
            if answer.status != 503:
                return number // 2, answer
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(charge, range(120)))  # each of 60 charges once on each server
    paid = {name for name, answer in answers if answer.status in (200, 201)}
    refused = {name for name, answer in answers if answer.code == "insufficient_balance"}
    assert len(paid) == 40 and len(refused) == 20 and not paid & refused
    assert sum(answer.status == 201 for _, answer in answers) == 40
    for api in pair:
        balances = api.get("/v1/accounts/rich/wallet")["balances"]
        assert sum(Decimal(balance["posted"]) for balance in balances) == 0
    assert len(second.get("/v1/accounts/rich/charges", query={"limit": 1000})["data"]) == 40


@served
def test_the_same_key_on_both_servers_does_it_once(pair):
    first, second = pair
    first.put("/v1/accounts/twice", {"currency": "USD"})

    def grant(number):
        api = pair[number % 2]
        while True:
            body = {"account": "twice", "amount": "1", "kind": "paid", "currency": "USD"}
            answer = api.call("POST", "/v1/grants", body, headers={"Idempotency-Key": f"g{number // 4}"})
            if answer.status not in (409, 503):
                return answer.status, answer.json["id"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(grant, range(80)))
    assert {status for status, _ in answers} == {201}
    assert len({id for _, id in answers}) == 20
    balance, = second.get("/v1/accounts/twice/wallet")["balances"]
    assert Decimal(balance["posted"]) == 20


@served
def test_both_write_the_catalog_at_once(pair):
    """The audit trail is a chain: two writers of it wait for each other, and neither is refused."""
    first, second = pair

    def put(number):
        return pair[number % 2].call("PUT", f"/v1/accounts/both{number // 2}", {"name": f"n{number % 2}"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(160)))
    assert {answer.status for answer in answers} <= {200, 201}, [a for a in answers if a.status > 201][:3]
    second.server.stop()
    first.server.stop()
    first.server.verify()
    first.server.start()


@served
def test_the_second_goes_on_with_money_when_the_first_is_killed(pair):
    """Grants, charges, payments and the sealing of the ledger need no usage: nothing waits for the owner."""
    first, second = pair
    first.put("/v1/accounts/poor", {"currency": "USD"})
    first.server.kill9()
    second.post("/v1/grants", {"account": "poor", "amount": "5", "kind": "paid", "currency": "USD"}, **key())
    charged = second.call("POST", "/v1/charges", {"account": "poor", "chargeKey": "c", "amount": "2",
                                                  "currency": "USD", "collect": "wallet"})
    assert charged.status == 201, charged  # no subscription, so no usage that could draw before it
    run = second.call("POST", "/v1/runs", {"kind": "billing", "at": "2026-07-01T00:00:00Z"}, **key())
    assert run.status == 202, run
    books_run = second.call("POST", "/v1/runs", {"kind": "reconcile", "at": "2026-07-01T00:00:00Z"}, **key())
    assert books_run.status == 202, books_run
    path = f"/v1/runs/{books_run.json['id']}"
    until(lambda: second.get(path)["status"] == "succeeded", "a run over the books is done")
    until(lambda: second.get("/v1/ledger/verify")["unsealed"] == 0, "the ledger is sealed")
    assert second.get(f"/v1/runs/{run.json['id']}")["status"] == "queued"
    first.server.start()
    until(lambda: second.get(f"/v1/runs/{run.json['id']}")["status"] == "succeeded", "the owner does the run")
    second.server.stop()
    first.server.stop()
    first.server.verify()
    first.server.start()
