# SPDX-License-Identifier: Apache-2.0
"""Credit notes: whole and in parts, with exactly the tax; where they go; what they refuse."""
from decimal import Decimal

import pytest
from clock import into_closed_month, test_project as project_folder
from test_invoices import account, balanced, finalize, keyed, n, one_off, owed, pdf_text, rate, refused  # noqa: F401
from test_runs import waited


@pytest.fixture
def invoice(api, n, account):
    """10.00 at 3.3 % (0.33) and a deduction of 1.00."""
    api.put(f"/v1/taxRates/{n('odd')}", {"percent": "3.3"})
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxRates": [n("odd")]})
    return finalize(api, one_off(api, n, account, [{"description": "A", "amount": "10.00"},
                                                   {"description": "B", "amount": "-1.00"}]))


def credit(api, invoice, key, lines=None, **members):
    body = {"invoice": invoice["id"], "reasonCode": "duplicate", **members}
    if lines is not None:
        body["lines"] = [{"line": line, "amount": amount} for line, amount in lines]
    return api.call("POST", "/v1/creditNotes", body, **keyed(invoice["id"] + key))


def test_parts_give_back_exactly_the_tax(api, invoice, account):
    assert invoice["total"] == "9.30"  # 9.00 + 0.297
    notes = [credit(api, invoice, str(i), [(1, amount)], apply="balance").json
             for i, amount in enumerate(("3.33", "3.33", "3.34"))]
    tax = sum(Decimal(note["tax"]) for note in notes)
    assert tax == Decimal(invoice["document"]["lines"][0]["tax"])
    assert owed(api, "customerBalance", account) == -(10 + tax)
    assert credit(api, invoice, "x", [(1, "0.01")], apply="balance").code == "field_invalid"
    rest = credit(api, invoice, "y", apply="balance")
    assert rest.code == "field_invalid" and "above 0" not in rest.json["detail"]  # only the deduction is left
    balanced(api)


def test_all_of_it_leaves_nothing(api, invoice, account):
    note = credit(api, invoice, "all", memo="twice").json
    assert (note["net"], note["tax"], note["total"]) == ("9.00", "0.30", "9.30")
    after = api.get(f"/v1/invoices/{invoice['id']}")
    assert (after["status"], after["amountCredited"], after["amountRemaining"]) == ("paid", "9.30", "0.00")
    assert owed(api, "receivable", account) == 0
    refused(api.call("POST", f"/v1/invoices/{invoice['id']}/void"), 409, "invoice_has_payments")
    assert api.get(f"/v1/creditNotes/{note['id']}") == note
    assert api.get("/v1/creditNotes", query={"invoice": invoice["id"]})["data"] == [note]
    assert note["id"] in [row["id"] for row in api.get("/v1/creditNotes", query={"limit": 1000})["data"]]
    balanced(api)


def test_a_note_as_a_pdf(api, invoice):
    note = credit(api, invoice, "pdf", [(1, "5")], apply="balance", memo="twice").json
    drawn = api.call("GET", f"/v1/creditNotes/{note['id']}/pdf").body
    text = pdf_text(drawn)
    for told in ("Credit note", note["number"], invoice["number"], "duplicate", "A ", "5.00", "0.17", "Total USD",
                 "5.17", "twice"):
        assert told in text, (told, text)
    assert "Amount due" not in text
    assert api.call("GET", f"/v1/creditNotes/{note['id']}/pdf").body == drawn
    refused(api.call("GET", "/v1/creditNotes/cn_none/pdf"), 404, "credit_note_not_found")


def test_a_refund(api, invoice, account):
    api.post(f"/v1/invoices/{invoice['id']}/pay", {}, **keyed(invoice["id"]))
    assert credit(api, invoice, "a", [(1, "5")]).json["errors"][0]["pointer"] == "/apply"
    note = credit(api, invoice, "b", [(1, "5")], apply="refund", method="wire").json
    assert (note["total"], note["method"]) == ("5.17", "wire")  # 5.00 and 0.165 of it
    assert api.get(f"/v1/invoices/{invoice['id']}")["status"] == "paid"
    assert credit(api, invoice, "b", [(1, "5")], apply="refund", method="wire").json == note
    balanced(api)


def test_refusals(api, n, account, invoice):
    for body, status, code in (
            ({"reasonCode": "x"}, 422, "field_required"), ({"invoice": "inv_x"}, 422, "field_required"),
            ({"invoice": "inv_x", "reasonCode": "x"}, 404, "invoice_not_found"),
            ({"invoice": invoice["id"], "reasonCode": "x", "method": "wire"}, 422, "field_invalid"),
            ({"invoice": invoice["id"], "reasonCode": "x", "lines": [{"line": 9, "amount": "1"}]}, 404,
             "invoice_not_found"),
            ({"invoice": invoice["id"], "reasonCode": "x", "lines": [{"line": 1, "amount": "x"}]}, 422,
             "invalid_value"),
            ({"invoice": invoice["id"], "reasonCode": "x", "lines": [{"line": 1, "amount": "1"}] * 2}, 422,
             "field_invalid")):
        answer = api.call("POST", "/v1/creditNotes", body, **keyed(n("key")))
        refused(answer, status, code)
    body = {"invoice": invoice["id"], "reasonCode": "x", "lines": [{"line": 1, "amount": "1"}]}
    refused(api.call("POST", "/v1/creditNotes", body), 400, "idempotency_key_required")
    refused(api.call("POST", "/v1/creditNotes", body, **keyed("x" * 300)), 400, "idempotency_key_invalid")
    api.post("/v1/creditNotes", body, **keyed(n("same")))
    other = {**body, "reasonCode": "y"}
    refused(api.call("POST", "/v1/creditNotes", other, **keyed(n("same"))), 422, "idempotency_key_reused")
    draft = one_off(api, n, account, key="draft")
    refused(credit(api, draft, "d"), 409, "invoice_state")
    refused(api.call("GET", "/v1/creditNotes/cn_none"), 404, "credit_note_not_found")
    refused(api.call("GET", "/v1/creditNotes", query={"cursor": "x"}), 400, "cursor_invalid")


def test_a_closed_month_takes_no_note_and_numbers_have_no_gap(fresh, n, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    api.put("/v1/accounts/a", {"currency": "USD"})
    api.put("/v1/legalEntity", {"creditNotePrefix": "G-"})
    done = finalize(api, one_off(api, n, "a"))
    now = into_closed_month(api)
    refused(credit(api, done, "a"), 409, "ledger_month_closed")
    api.post(f"/v1/ledger/months/{now}/open", None)
    assert credit(api, done, "b").json["number"] == "G-000001"
