# SPDX-License-Identifier: Apache-2.0
"""Books that fail: whichever of its calls to the books a request makes fails, it is refused, nothing of it
is left behind, and the same request then succeeds."""
import pytest
from client import Api
from failing import FailingServer, refused_everywhere

START = "2026-08-01T00:00:00Z"


@pytest.fixture(scope="module")
def server():
    with FailingServer(seal_bits=6) as server:
        api = Api(server)
        account(api, "first")  # with the first keyed answer old ones are swept, which may fail
        api.post("/v1/adjustments", {"account": "first", "amount": "1", "currency": "USD", "target": "wallet",
                                     "reasonCode": "goodwill"}, headers=keyed("first"))
        yield server


@pytest.fixture
def api(server, contract):
    return Api(server, contract=contract)


@pytest.fixture
def everywhere(server):
    """everywhere(method, path, body): the answer in the end. Failures of the books are on no route's list."""
    bare = Api(server)

    def do(method, path, body=None, transactions=1, least=2, **more):
        return refused_everywhere(server, lambda: bare.call(method, path, body, **more), transactions, least).json
    return do


def keyed(key):
    return {"Idempotency-Key": key}


def account(api, id):
    api.put("/v1/taxRates/vat", {"name": "VAT", "percent": "19"})
    return api.put(f"/v1/accounts/{id}", {"currency": "USD", "taxRates": ["vat"]})["id"]


def test_a_one_off_invoice(api, everywhere):
    account(api, "one")
    draft = everywhere("POST", "/v1/invoices", {
        "account": "one", "currency": "USD", "lines": [{"description": "Setup", "amount": "100.00"}]},
        headers=keyed("one"))
    path = f"/v1/invoices/{draft['id']}"
    done = everywhere("POST", f"{path}/finalize")
    assert (done["number"], done["total"], done["status"]) == ("INV-000001", "119.00", "finalized")
    assert everywhere("GET", path)["document"]["tax"] == "19.00"
    part = everywhere("POST", f"{path}/pay", {"amount": "19"}, headers=keyed("pay"))
    assert (part["amountPaid"], part["amountRemaining"]) == ("19.00", "100.00")
    lost = everywhere("POST", f"{path}/writeOff")
    assert (lost["status"], lost["amountRemaining"]) == ("uncollectible", "100.00")
    paid = everywhere("POST", f"{path}/pay", {"amount": "120"}, headers=keyed("rest"))
    assert (paid["status"], paid["amountPaid"]) == ("paid", "119.00")
