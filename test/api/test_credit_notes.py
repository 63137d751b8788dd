# SPDX-License-Identifier: Apache-2.0
"""Credit notes: whole and in parts, with exactly the tax; where they go; what they refuse."""
from decimal import Decimal

import pytest
import test_late_usage as usage
from clock import into_closed_month, test_project as project_folder
from test_invoices import account, balanced, finalize, keyed, n, one_off, owed, pdf_text, rate, refused  # noqa: F401
from test_late_usage import late  # noqa: F401
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


# ---- what credit had paid

def granted(api, amount, account="a", **members):
    body = {"account": account, "amount": amount, "currency": "USD", "kind": "promotional", **members}
    return api.expect(201, "POST", "/v1/grants", body, **keyed(f"grant {account} {amount}"))


def wallet(api, account="a"):
    return sum(Decimal(row["posted"]) for row in api.get(f"/v1/accounts/{account}/wallet")["balances"])


def money(api):
    """What came in less what went back."""
    return owed(api, "cash", "external")


def reconciled(api):
    """Every account against the ledger."""
    balanced(api)
    run = waited(api, api.expect(202, "POST", "/v1/runs", {"kind": "reconcile"}, **keyed("reconcile")))
    assert (run["status"], run["accounts"]) == ("succeeded", 1), run


@pytest.fixture
def books(fresh, n):
    """A function that makes an invoice of an account "a" without tax."""
    api = fresh()
    api.put("/v1/accounts/a", {"currency": "USD"})

    def invoice(*amounts):
        return finalize(api, one_off(api, n, "a", [{"description": amount, "amount": amount} for amount in amounts]))
    return api, invoice


@pytest.mark.parametrize("apply", ["invoice", "balance", "refund"])
def test_promotional_credit_goes_back_to_the_wallet_and_is_no_money(books, apply):
    api, invoice = books
    granted(api, "30.00")
    done = invoice("30.00")
    assert (done["status"], wallet(api)) == ("paid", 0)
    note = credit(api, done, "all", apply=apply).json
    assert (note["total"], note["creditsRestored"]) == ("30.00", "30.00")
    assert (wallet(api), money(api), owed(api, "customerBalance", "a"), owed(api, "receivable", "a")) == (30, 0, 0, 0)
    assert api.get(f"/v1/creditNotes/{note['id']}") == note
    refused(api.call("POST", f"/v1/invoices/{done['id']}/void"), 409, "invoice_has_payments")
    reconciled(api)


def test_discounted_credit_goes_back_at_what_was_paid_for_it(books):
    api, invoice = books
    granted(api, "30.00", kind="paid", price="20.00")
    assert money(api) == 20
    done = invoice("30.00")
    for part, amount in enumerate(("7.00", "11.00", "12.00")):
        note = credit(api, done, str(part), [(1, amount)], apply="refund").json
        assert note["creditsRestored"] == amount
    assert (wallet(api), money(api), owed(api, "wallet", "a")) == (30, 20, -20)
    reconciled(api)


def test_a_refund_is_at_most_what_was_paid(books):
    api, invoice = books
    granted(api, "20.00")
    body = {"account": "a", "currency": "USD", "amount": "4.00", "target": "customerBalance", "reasonCode": "x"}
    api.post("/v1/adjustments", body, **keyed("adjust"))
    done = invoice("30.00")  # 20.00 by credit, 4.00 by the balance, 6.00 to be paid
    assert done["amountRemaining"] == "6.00"
    answer = credit(api, done, "early", [(1, "21.00")], apply="refund")
    refused(answer, 422, "field_invalid")
    assert answer.json["errors"][0]["pointer"] == "/apply" and "0.00 of what was paid" in answer.json["detail"]
    assert wallet(api) == 0  # nothing was done
    api.post(f"/v1/invoices/{done['id']}/pay", {}, **keyed("pay"))
    first = credit(api, done, "a", [(1, "22.00")], apply="refund").json
    assert (first["creditsRestored"], wallet(api), money(api)) == ("20.00", 20, 4)
    answer = credit(api, done, "b", [(1, "5.00")], apply="refund")
    assert answer.status == 422 and "4.00 of what was paid" in answer.json["detail"]
    second = credit(api, done, "c", [(1, "5.00")], apply="balance").json  # 4.00 of the balance's, 1.00 of the paid
    assert (second["creditsRestored"], owed(api, "customerBalance", "a")) == ("0.00", -5)
    answer = credit(api, done, "d", apply="refund")  # all of it was 3.00, and 3.00 of the paid is left
    assert (answer.json["total"], money(api), owed(api, "receivable", "a")) == ("3.00", 1, 0)
    reconciled(api)


def test_credit_goes_back_before_the_invoice_is_lowered(books):
    api, invoice = books
    granted(api, "10.00")
    done = invoice("30.00", "-2.00")
    answer = credit(api, done, "0", [(1, "28.01")])
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/apply"
    assert credit(api, done, "1", [(1, "4.00")]).json["creditsRestored"] == "4.00"
    assert api.get(f"/v1/invoices/{done['id']}")["amountRemaining"] == "18.00"
    rest = credit(api, done, "2").json
    after = api.get(f"/v1/invoices/{done['id']}")
    assert (rest["total"], rest["creditsRestored"], after["amountCredited"], after["status"]) == (
        "24.00", "6.00", "18.00", "paid")
    assert (wallet(api), owed(api, "receivable", "a"), owed(api, "customerBalance", "a")) == (10, 0, 0)
    assert done["document"] == after["document"]
    reconciled(api)


@pytest.mark.parametrize("timing", ["beforeTax", "afterTax"])
def test_all_of_an_invoice_with_tax_that_credit_paid_in_part(books, timing):
    api, invoice = books
    api.put("/v1/taxRates/vat", {"percent": "19"})
    api.put("/v1/accounts/a", {"currency": "USD", "taxRates": ["vat"]})
    granted(api, "6.66", creditTiming=timing)
    done = invoice("10.01", "3.33")
    api.post(f"/v1/invoices/{done['id']}/pay", {}, **keyed("pay"))
    paid = money(api)
    notes = [credit(api, done, str(number), [(line, amount)], apply="refund").json
             for number, (line, amount) in enumerate([(1, "5.00"), (2, "3.33"), (1, "5.01")])]
    assert sum(Decimal(note["tax"]) for note in notes) == sum(
        Decimal(line["tax"]) for line in done["document"]["lines"])
    assert sum(Decimal(note["creditsRestored"]) for note in notes) == Decimal("6.66") == wallet(api)
    assert paid > 0 and (money(api), owed(api, "receivable", "a")) == (0, 0)
    reconciled(api)


def test_the_amount_of_a_line_goes_the_lines_way(books):
    api, invoice = books
    done = invoice("10.00", "-4.00")
    for line, amount, way in ((1, "-1", "above"), (2, "1", "below")):
        fault, = credit(api, done, f"{line} {amount}", [(line, amount)]).json["errors"]
        assert (fault["pointer"], fault["detail"]) == (
            "/lines/0/amount", f"what of that line is credited must be {way} 0")
    fault, = credit(api, done, "more", [(1, "10.01")]).json["errors"]
    assert fault["detail"] == "10.00 is left of that line to be credited"


# ---- and usage that comes late

@pytest.fixture
def noted(late):
    """10.00 of January's calls, of which credit paid 6.00 and the customer 4.00; 5.00 of it credited."""
    usage.subscribe(late, usage.PER_CALL)
    usage.grant(late, "6.00")
    late.calls = usage.use(late, 1000, usage.MONTHS[0])
    late.february = usage.bill_month(late, 2)
    late.post(f"/v1/invoices/{late.february['id']}/pay", {}, **keyed("pay"))
    note = credit(late, late.february, "half", [(1, "5.00")], apply="balance").json
    assert (note["creditsRestored"], usage.wallet(late)) == ("5.00", 5)
    return late


def test_late_usage_gives_back_only_what_a_note_left(noted):
    noted.post("/v1/measurements/amend", [{"uniqueId": noted.calls, "value": 200}])
    march = usage.bill_month(noted, 3)
    for _ in range(2):
        document = march["document"]
        assert (document["subtotal"], document["creditsRestored"], document["toBalance"]) == ("-3.00", "1.00", "2.00")
        assert (usage.wallet(noted), usage.owed(noted, "customerBalance")) == (6, -2)
        noted.post(f"/v1/invoices/{march['id']}/void", None)
        assert (usage.wallet(noted), usage.owed(noted, "customerBalance")) == (5, 0)
        march = usage.bill(noted)
    assert usage.owed(noted, "receivable") == 0
    reconciled(noted)


def test_a_note_of_late_usage_gives_back_only_what_a_note_left(noted):
    usage.policy(noted, "creditNote")
    noted.post("/v1/measurements/amend", [{"uniqueId": noted.calls, "value": 200}])
    usage.nothing_due(noted)
    late_note, first = usage.notes(noted)
    assert (late_note["reasonCode"], late_note["total"], late_note["creditsRestored"], first["creditsRestored"]) == (
        "lateUsage", "3.00", "1.00", "5.00")
    assert (usage.wallet(noted), usage.owed(noted, "customerBalance"), usage.owed(noted, "receivable")) == (6, -2, 0)
    assert credit(noted, noted.february, "more", [(1, "2.01")], apply="refund").code == "field_invalid"
    reconciled(noted)
