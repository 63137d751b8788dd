# SPDX-License-Identifier: Apache-2.0
"""Sequences of deeds that once left the books wrong, or said that they were."""
import pytest
from clock import advance, set_clock, test_project as project_folder
from test_revenue import key, run

USD = {"currency": "USD"}


@pytest.fixture
def tested(fresh, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    set_clock(api, "2031-01-01T00:00:00Z")
    api.put("/v1/accounts/ada", USD)
    return api


def one_off(api, *amounts, account="ada"):
    return api.expect(201, "POST", "/v1/invoices", {"account": account, **USD, "lines": [
        {"description": "x", "amount": amount} for amount in amounts]}, headers=key())


def test_a_draft_that_became_void_posted_nothing(tested):
    voided = tested.post(f"/v1/invoices/{one_off(tested, '12.00')['id']}/void", None)
    assert (voided["status"], voided["number"]) == ("void", None)
    run(tested, "reconcile")
