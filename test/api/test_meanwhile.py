# SPDX-License-Identifier: Apache-2.0
"""What another request does between what a request reads and what it writes: nothing is done twice, and whoever
was slower does it again with what is so now."""
import pytest
from client import Api
from failing import FailingServer, meanwhile

USD = {"currency": "USD"}


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
