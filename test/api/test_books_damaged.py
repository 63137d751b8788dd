# SPDX-License-Identifier: Apache-2.0
"""Books whose rows were changed behind the server's back: the proof tells, and nothing is built on them."""
import pytest
from client import Api, run_toll
from failing import FailingServer

USD = {"currency": "USD"}
MANY = 501  # wallets: one more than are proved at once


def keyed(key):
    return {"Idempotency-Key": key}


@pytest.fixture(scope="module")
def server():
    """Two grants of ada, one of them drawn on by an invoice; many wallets beside."""
    with FailingServer(seal_bits=6) as server:
        api = Api(server)
        for name in ["ada", *(f"acct{number:03}" for number in range(MANY))]:
            api.put(f"/v1/accounts/{name}", USD)
            api.post("/v1/grants", {"account": name, "amount": "5", "price": "4", "kind": "paid", **USD},
                     headers=keyed(name))
        api.post("/v1/grants", {"account": "ada", "amount": "5", "price": "4", "kind": "paid", **USD},
                 headers=keyed("second"))
        draft = api.post("/v1/invoices", {"account": "ada", **USD, "lines": [
            {"description": "Setup", "amount": "7.00"}]}, headers=keyed("one"))
        server.drawn = api.post(f"/v1/invoices/{draft['id']}/finalize", None)
        assert server.drawn["credits"] == "-7.00"
        server.sealed()
        yield server


@pytest.fixture(scope="module")
def stopped(server):
    server.stop()
    yield server
    assert proof(server)[0] == 0  # all of it was mended
    server.start()


def proof(server):
    done = run_toll("verify", "--data", str(server.data), check=False, timeout=300, books=server.books)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_credit_of_a_grant_that_is_not_there_is_not_given_back(server):
    api = Api(server)
    with server.damaged("credit_entry", "credit_grant = 'zzz' where account = 'ada' and amount = -200"):
        answer = api.call("POST", f"/v1/invoices/{server.drawn['id']}/void")
        assert (answer.status, answer.code) == (500, "store_failed"), answer
    assert api.get(f"/v1/invoices/{server.drawn['id']}")["status"] == "paid"


@pytest.mark.parametrize("table,change", [
    ("credit_grant", "drawn = drawn - 1 where account = 'ada'"),
    ("credit_entry", "amount = amount + 1 where account = 'ada'"),
    ("credit_entry", "cost = cost + 1 where account = 'ada'"),
    ("credit_entry", "credit_grant = 'zzz' where account = 'ada' and amount = -200"),
    ("credit_entry", "credit_grant = ' ' where account = 'ada' and amount = -200"),
    ("credit_entry", "credit_grant = 'zzz' where account = 'ada' and amount in (500, -500)"),
    ("credit_entry", "account = 'nobody' where account = 'ada'"),
    ("ledger_balance", "amount = amount + 1 where kind = 'wallet' and owner = 'ada'"),
])
def test_the_proof_tells_of_a_changed_row(stopped, table, change):
    with stopped.damaged(table, change):
        code, told = proof(stopped)
        assert code == 1 and any(
            words in told for words in ("wallet of ada", "its entries sum to", "its entries differ")), told


@pytest.mark.parametrize("change", ["currency = 'XXL'", "kind = 'x'"])
def test_a_wallet_that_cannot_be_read_cannot_be_proved(stopped, change):
    with stopped.damaged("credit_grant", f"{change} where account = 'ada'"):
        assert proof(stopped)[0] == 1
