# SPDX-License-Identifier: Apache-2.0
"""Invoices while the server is killed: what was answered is there, no number is missing or twice, nothing is
billed twice, and the books prove."""
import threading
import time
from decimal import Decimal

from client import Api

ACCOUNTS, KILLS, START = 12, 3, "2026-06-01T00:00:00Z"


def bill_all(api, account, answered, until):
    """Makes, finalizes and pays whatever is due, until nothing is or the server is gone."""
    while time.monotonic() < until:
        try:
            made = api.call("POST", f"/v1/accounts/{account}/invoices")
            if made.code == "nothing_due":
                return
            done = api.call("POST", f"/v1/invoices/{made.json['id']}/finalize")
            if done.status != 200:
                continue
            answered.append((done.json["id"], done.json["number"], done.json["total"]))
            key = {"headers": {"Idempotency-Key": done.json["id"]}}
            api.call("POST", f"/v1/invoices/{done.json['id']}/pay", {"amount": "1"}, **key)
        except Exception:  # the server is gone, in the middle of whatever it was
            return


def every_invoice(api):
    rows, cursor = [], None
    while True:
        page = api.get("/v1/invoices", query={"limit": 1000, **({"cursor": cursor} if cursor else {})})
        rows += page["data"]
        cursor = page["nextCursor"]
        if cursor is None:
            return rows


def test_numbers_and_bills_under_kill(fresh):
    api = fresh()
    server = api.server
    api.publish("plan", {"currency": "USD", "charges": [
        {"id": "fee", "model": "flat", "amount": "10.00", "timing": "advance"}]})
    accounts = [f"a{i}" for i in range(ACCOUNTS)]
    for account in accounts:
        api.put(f"/v1/accounts/{account}", {"currency": "USD"})
        api.subscribe(f"s-{account}", account, "plan", START)
    answered = []
    for kill in range(KILLS + 1):
        threads = [threading.Thread(target=bill_all, args=(Api(server), account, answered, time.monotonic() + 60))
                   for account in accounts]
        before = len(answered)
        for thread in threads:
            thread.start()
        if kill < KILLS:
            while len(answered) < before + ACCOUNTS and any(thread.is_alive() for thread in threads):
                time.sleep(0.005)  # in the middle of it
            server.kill9()
        for thread in threads:
            thread.join()
        if kill < KILLS:
            server.start()
    api = Api(server)
    rows = every_invoice(api)
    final = {row["id"]: row for row in rows if row["status"] != "draft"}
    assert len(final) == ACCOUNTS * 6, "a month each from June to November, once"
    assert len({(row["account"], row["at"]) for row in final.values()}) == len(final)
    assert sorted(row["number"] for row in final.values()) == [f"INV-{i:06}" for i in range(1, len(final) + 1)]
    for id, number, total in answered:
        assert (final[id]["number"], final[id]["total"]) == (number, total)
    owed = sum(Decimal(row["balance"]) for row in api.get(
        "/v1/ledger/accounts", query={"kind": "receivable", "limit": 1000})["data"])
    assert owed == sum(Decimal(row["amountRemaining"]) for row in final.values())
    assert api.get("/v1/ledger/verify")["clean"] is True
    server.stop()
    server.verify()
