# SPDX-License-Identifier: Apache-2.0
"""Invoices in the books: made at boundaries or of single lines, finalized, paid, written off, voided; taxes;
numbers; what is posted of them."""
import hashlib
import subprocess
import threading
from decimal import Decimal

import pytest
from client import Api
from clock import into_closed_month, test_project as project_folder

START = "2026-08-01T00:00:00Z"


@pytest.fixture
def n(n):
    """One name for each kind of thing, however often it is asked for."""
    names = {}
    return lambda kind: names[kind] if kind in names else names.setdefault(kind, n(kind))


@pytest.fixture
def rate(api, n):
    api.put(f"/v1/taxRates/{n('vat')}", {"name": "VAT", "percent": "19", "jurisdiction": "DE"})
    return n("vat")


@pytest.fixture
def account(api, n, rate):
    return api.put(f"/v1/accounts/{n('acct')}", {
        "currency": "USD", "legalName": "Ada Lovelace Ltd", "taxRates": [rate], "taxIds": ["GB123"], "netDays": 14,
        "address": {"line1": "1 Engine Row", "city": "London", "country": "GB"}, "poNumber": "PO-7"})["id"]


@pytest.fixture
def subscribed(api, n, account):
    """A fee of 50.00 in advance and calls at 0.01 in arrears, since August: 1,000 calls in each month."""
    meter = api.meter(n("meter"))["id"]
    api.publish(n("plan"), {"currency": "USD", "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "50.00", "timing": "advance"},
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "0.01"}]})
    api.send([{"meter": meter, "account": account, "uniqueId": n("evt") + month, "value": 1000,
               "ts": f"2026-{month}-10T00:00:00Z"} for month in ("08", "09", "10")])
    api.subscribe(n("sub"), account, n("plan"), START)
    return n("sub")


def keyed(key):
    return {"headers": {"Idempotency-Key": key}}


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer


def make(api, account):
    return api.post(f"/v1/accounts/{account}/invoices", None)


def finalize(api, invoice):
    return api.post(f"/v1/invoices/{invoice['id']}/finalize", None)


def one_off(api, n, account, lines=None, key="one", **members):
    lines = lines or [{"description": "Setup", "amount": "100.00"}]
    return api.post("/v1/invoices", {"account": account, "currency": "USD", "lines": lines, **members},
                    **keyed(n(key) + str(len(lines))))


def document_bytes(api, id):
    body = api.call("GET", f"/v1/invoices/{id}").body
    return body[body.index(b'"document":') + len(b'"document":'):-1]


def balanced(api):
    for total in api.get("/v1/ledger/trialBalance")["totals"]:
        assert Decimal(total["debit"]) == -Decimal(total["credit"]) or Decimal(total["debit"]) == Decimal(
            total["credit"]), total


def owed(api, kind, account):
    rows = api.get("/v1/ledger/accounts", query={"kind": kind, "owner": account})["data"]
    return sum(Decimal(row["balance"]) for row in rows)


# ---- a life

def test_a_months_invoice_is_made_finalized_and_paid(api, subscribed, account):
    draft = make(api, account)
    assert (draft["status"], draft["number"], draft["at"], draft["total"]) == ("draft", None, START, "59.50")
    assert make(api, account)["id"] == draft["id"]
    first = finalize(api, draft)
    assert (first["status"], first["amountRemaining"]) == ("finalized", "59.50")
    assert finalize(api, draft) == first
    document = first["document"]
    assert (document["subtotal"], document["tax"], document["poNumber"]) == ("50.00", "9.50", "PO-7")
    assert document["buyer"] == {"name": "Ada Lovelace Ltd", "taxIds": ["GB123"],
                                 "address": {"line1": "1 Engine Row", "city": "London", "country": "GB"}}
    assert [(line["charge"], line["subscription"], line["tax"]) for line in document["lines"]] == [
        ("fee", subscribed, "9.50")]
    assert owed(api, "receivable", account) == Decimal("59.50")
    second = finalize(api, make(api, account))
    assert (second["at"], second["total"]) == ("2026-09-01T00:00:00Z", "71.40")  # 50 + 10, and 19 %
    part = api.post(f"/v1/invoices/{second['id']}/pay", {"amount": "71.00", "method": "wire", "reference": "r"},
                    **keyed(second["id"] + "a"))
    assert (part["status"], part["amountRemaining"], part["amountPaid"]) == ("finalized", "0.40", "71.00")
    paid = api.post(f"/v1/invoices/{second['id']}/pay", {}, **keyed(second["id"] + "b"))
    assert (paid["status"], paid["amountRemaining"]) == ("paid", "0.00")
    assert [(row["amount"], row["method"]) for row in paid["payments"]] == [("71.00", "wire"), ("0.40", "external")]
    assert owed(api, "receivable", account) == Decimal("59.50")
    balanced(api)


def test_invoices_sum_to_bills_and_then_nothing_is_due(api, subscribed, account):
    total = Decimal(0)
    for _ in range(4):  # August to November: in advance, and what was used in the month before
        total += Decimal(finalize(api, make(api, account))["document"]["subtotal"])
    refused(api.call("POST", f"/v1/accounts/{account}/invoices"), 409, "nothing_due")
    bills = [api.bill(subscribed, at=f"2026-{month}-05T00:00:00Z") for month in ("08", "09", "10", "11")]
    assert total == sum(Decimal(bill["subtotal"]) for bill in bills) == Decimal("230.00")


def test_what_an_invoice_says_stays_the_same_bytes(api, subscribed, account, rate):
    done = finalize(api, make(api, account))
    before = document_bytes(api, done["id"])
    assert hashlib.blake2b(before, digest_size=32).hexdigest() == done["digest"]
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "legalName": "Another"})
    api.put("/v1/legalEntity", {"legalName": "Seller two"})
    assert document_bytes(api, done["id"]) == before
    api.put("/v1/legalEntity", {})


def test_a_void_invoice_frees_its_period(api, subscribed, account):
    first = finalize(api, make(api, account))
    second = finalize(api, make(api, account))
    gone = api.post(f"/v1/invoices/{first['id']}/void", None)
    assert (gone["status"], gone["amountRemaining"], gone["number"]) == ("void", "0.00", first["number"])
    assert api.post(f"/v1/invoices/{first['id']}/void", None) == gone
    assert owed(api, "receivable", account) == Decimal(second["total"])
    again = finalize(api, make(api, account))
    assert (again["at"], again["total"]) == (first["at"], first["total"])
    assert again["number"] != first["number"]
    assert make(api, account)["at"] == "2026-10-01T00:00:00Z"  # the second is billed still
    balanced(api)


def test_usage_that_comes_before_the_draft_is_final_counts(api, n, subscribed, account):
    finalize(api, make(api, account))
    draft = make(api, account)
    api.send([{"meter": n("meter"), "account": account, "uniqueId": n("late"), "value": 500,
               "ts": "2026-08-11T00:00:00Z"}])
    assert draft["document"]["subtotal"] == "60.00"
    assert finalize(api, draft)["document"]["subtotal"] == "65.00"


def test_a_change_is_billed_as_a_difference(api, n, subscribed, account):
    for _ in range(4):
        finalize(api, make(api, account))
    api.publish(n("big"), {"currency": "USD", "charges": [
        {"id": "fee", "name": "Platform", "model": "flat", "amount": "90.00", "timing": "advance"}]})
    api.post(f"/v1/subscriptions/{subscribed}/change", {"plan": n("big"), "effectiveAt": "2026-11-16T00:00:00Z"})
    done = finalize(api, make(api, account))
    shown = [(line["charge"], line["amount"]) for line in done["document"]["lines"]]
    assert shown == [("fee", "-25.00"), ("calls", "0.00"), ("fee", "45.00")]  # half of 50 back, half of 90
    billed = [step for line in done["document"]["lines"] for step in line["steps"] if step["op"] == "billed"]
    assert [step["billed"] for step in billed] == ["50.00"]


# ---- states

def test_an_invoice_below_zero_becomes_balance_and_is_used_first(api, n, account):
    done = finalize(api, one_off(api, n, account, [{"description": "Goodwill", "amount": "-10.00"}]))
    assert (done["status"], done["total"], done["document"]["toBalance"]) == ("paid", "0.00", "11.90")
    assert owed(api, "customerBalance", account) == Decimal("-11.90")
    next_one = finalize(api, one_off(api, n, account, key="two"))
    assert (next_one["balanceUsed"], next_one["amountDue"]) == ("-11.90", "107.10")
    refused(api.call("POST", f"/v1/invoices/{done['id']}/void"), 409, "invoice_has_payments")  # it is used
    api.post(f"/v1/invoices/{next_one['id']}/void", None)
    assert owed(api, "customerBalance", account) == Decimal("-11.90")
    api.post(f"/v1/invoices/{done['id']}/void", None)
    assert owed(api, "customerBalance", account) == owed(api, "receivable", account) == 0
    balanced(api)


def test_a_line_has_sku_and_metadata_of_its_charge(api, n, account):
    """Also when it takes back what is gone."""
    def publish(id, *charges):
        api.publish(n(id), {"currency": "USD", "charges": list(charges)})

    def lines(document):
        return {line["charge"]: (line["sku"], line["metadata"], line["net"]) for line in document["lines"]}
    box = {"id": "box", "model": "flat", "amount": "30.00", "timing": "advance", "sku": "BOX-1",
           "metadata": {"warehouse": "Łódź 7", "erp": "4711"}}
    publish("old", box, {"id": "bare", "model": "flat", "amount": "1.00", "timing": "advance"})
    publish("new", {"id": "other", "model": "flat", "amount": "20.00", "timing": "advance", "sku": "O-1"})
    api.subscribe(n("sub"), account, n("old"), START)
    made = finalize(api, make(api, account))
    assert lines(made["document"]) == {"box": ("BOX-1", box["metadata"], "30.00"), "bare": (None, {}, "1.00")}
    assert lines(api.get(f"/v1/invoices/{made['id']}")["document"]) == lines(made["document"])
    dry = api.post(f"/v1/subscriptions/{n('sub')}/change", {"plan": n("new"), "effectiveAt": START, "dryRun": True})
    assert lines(dry["invoice"])["box"][:2] == ("BOX-1", box["metadata"])
    single = one_off(api, n, account)
    assert [(line["sku"], line["metadata"]) for line in single["document"]["lines"]] == [(None, {})]


def test_nothing_comes_behind_the_end(api, n, subscribed, account):
    """The cancellation is of the past: it is due now, at the instant of the last invoice."""
    api.post(f"/v1/subscriptions/{subscribed}/cancel", {"at": "2026-09-01T00:00:00Z"}, **keyed(n("cancel")))
    made = []
    while (draft := api.call("POST", f"/v1/accounts/{account}/invoices")).status == 200:
        made.append(finalize(api, draft.json))
    assert made[0]["at"] == START and sum(Decimal(row["document"]["subtotal"]) for row in made) == 60
    for _ in range(2):
        refused(api.call("POST", f"/v1/accounts/{account}/invoices"), 409, "nothing_due")


def test_a_buyer_is_called_what_it_is_called(api, n, account):
    bob = {"name": "Bob"}
    for members, name in (({}, account), (bob, "Bob"), ({**bob, "legalName": "Bob Ltd"}, "Bob Ltd")):
        api.put(f"/v1/accounts/{account}", {"currency": "USD", **members})
        done = finalize(api, one_off(api, n, account, key=name))
        assert done["document"]["buyer"]["name"] == name


def test_revenue_of_long_names_is_the_plans(api, n, account):
    """A plan and its charge have 128 bytes each; both together are no name of the ledger."""
    plan, charge = (n(kind).ljust(128, "x") for kind in ("plan", "charge"))
    api.publish(plan, {"currency": "USD", "charges": [{"id": charge, "model": "flat", "amount": "1.00",
                                                       "timing": "advance"}]})
    api.subscribe(n("sub"), account, plan, START)
    assert finalize(api, make(api, account))["document"]["subtotal"] == "1.00"
    assert owed(api, "revenue", plan) == -1


def test_what_is_paid_beyond_becomes_balance(api, n, account):
    done = finalize(api, one_off(api, n, account))
    paid = api.post(f"/v1/invoices/{done['id']}/pay", {"amount": "120"}, **keyed(done["id"]))
    assert (paid["status"], paid["amountPaid"]) == ("paid", "119.00")
    assert owed(api, "customerBalance", account) == Decimal("-1.00")


def test_written_off_and_paid_after_all(api, n, account):
    done = finalize(api, one_off(api, n, account))
    lost = api.post(f"/v1/invoices/{done['id']}/writeOff", None)
    assert (lost["status"], lost["amountRemaining"]) == ("uncollectible", "119.00")
    assert api.post(f"/v1/invoices/{done['id']}/writeOff", None) == lost
    assert owed(api, "receivable", account) == 0
    refused(api.call("POST", f"/v1/invoices/{done['id']}/void"), 409, "invoice_state")
    paid = api.post(f"/v1/invoices/{done['id']}/pay", {"amount": "100"}, **keyed(done["id"] + "a"))
    assert (paid["status"], paid["amountRemaining"]) == ("finalized", "19.00")
    api.post(f"/v1/invoices/{done['id']}/writeOff", None)
    assert api.post(f"/v1/invoices/{done['id']}/pay", {}, **keyed(done["id"] + "b"))["status"] == "paid"
    assert owed(api, "receivable", account) == 0
    balanced(api)


def test_a_state_allows_what_it_allows(api, n, account):
    draft = one_off(api, n, account)
    path = f"/v1/invoices/{draft['id']}"
    refused(api.call("POST", f"{path}/pay", {}, **keyed(draft["id"])), 409, "invoice_state")
    refused(api.call("POST", f"{path}/writeOff"), 409, "invoice_state")
    done = finalize(api, draft)
    api.post(f"{path}/pay", {"amount": "1"}, **keyed(done["id"] + "x"))
    refused(api.call("POST", f"{path}/void"), 409, "invoice_has_payments")
    other = one_off(api, n, account, key="other")
    assert api.post(f"/v1/invoices/{other['id']}/void", None)["number"] is None
    refused(api.call("POST", f"/v1/invoices/{other['id']}/finalize"), 409, "invoice_state")


def test_a_draft_that_is_not_next_any_more_is_stale(api, subscribed, account, n):
    for _ in range(3):
        finalize(api, make(api, account))
    draft = make(api, account)
    api.subscribe(n("sub2"), account, n("plan"), "2026-10-15T00:00:00Z", usageFilter=None,
                  overrides={"charges": {"calls": None}})
    refused(api.call("POST", f"/v1/invoices/{draft['id']}/finalize"), 409, "invoice_stale")
    again = make(api, account)
    assert (again["id"], again["at"]) == (draft["id"], "2026-10-15T00:00:00Z")
    finalize(api, again)


def test_a_closed_month_takes_no_invoice(fresh, n, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    api.put("/v1/accounts/a", {"currency": "USD"})
    drafts = [one_off(api, n, "a", key=str(i)) for i in range(4)]
    done = [finalize(api, draft) for draft in drafts[1:]]
    api.post(f"/v1/invoices/{done[0]['id']}/writeOff", None)
    now = into_closed_month(api)
    refused(api.call("POST", f"/v1/invoices/{drafts[0]['id']}/finalize"), 409, "ledger_month_closed")
    refused(api.call("POST", f"/v1/invoices/{done[1]['id']}/void"), 409, "ledger_month_closed")
    refused(api.call("POST", f"/v1/invoices/{done[1]['id']}/writeOff"), 409, "ledger_month_closed")
    refused(api.call("POST", f"/v1/invoices/{done[2]['id']}/pay", {}, **keyed("k")), 409, "ledger_month_closed")
    api.post(f"/v1/ledger/months/{now}/open", None)
    assert finalize(api, drafts[0])["number"] == "INV-000004"  # a refusal leaves no gap


# ---- taxes

def test_rates_are_dated_and_go_by_category(api, n, account, rate):
    api.put(f"/v1/taxRates/{n('book')}", {"percent": "7", "categories": ["books"]})
    api.put(f"/v1/taxRates/{rate}", {"name": "VAT", "percent": "20", "effectiveFrom": "2027-01-01T00:00:00Z"})
    refused(api.call("PUT", f"/v1/taxRates/{rate}", {"percent": "21", "effectiveFrom": "2027-01-01T00:00:00Z"}),
            409, "tax_rate_immutable")
    assert api.get(f"/v1/taxRates/{rate}")["percent"] == "19"
    assert api.get(f"/v1/taxRates/{rate}", query={"at": "2027-06-01T00:00:00Z"})["percent"] == "20"
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxRates": [n("book"), rate]})
    document = finalize(api, one_off(api, n, account, [
        {"description": "A book", "amount": "10.00", "taxCategory": "books"},
        {"description": "A pen", "amount": "1.00"}]))["document"]
    assert [(tax["rate"], tax["net"], tax["tax"]) for tax in document["taxes"]] == [
        (n("book"), "10.00", "0.70"), (rate, "11.00", "2.09")]
    refused(api.call("GET", "/v1/taxRates/none"), 404, "tax_rate_not_found")


def test_inclusive_and_exempt(api, n, account):
    api.put(f"/v1/taxRates/{n('incl')}", {"percent": "19", "inclusive": True})
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxRates": [n("incl")]})
    lines = [{"description": "All in", "amount": "119.00"}]
    document = finalize(api, one_off(api, n, account, lines))["document"]
    assert [document[name] for name in ("subtotal", "tax", "taxIncluded", "total")] == [
        "119.00", "19.00", "19.00", "119.00"]
    for status in ("exempt", "reverseCharge", "taxable"):
        api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxRates": [n("incl")], "taxStatus": status})
        document = finalize(api, one_off(api, n, account, lines, key=status))["document"]
        assert (document["tax"], document["total"], document["taxStatus"]) == (
            "19.00" if status == "taxable" else "0.00", "119.00", status)
        assert len(document["taxes"]) == (status == "taxable")


@pytest.mark.parametrize("rounding, taxes, tax", [
    ("rate", ["0.04", "0.03", "0.03"], "0.10"), ("line", ["0.03"] * 3, "0.09"),
    ("lineRate", ["0.03"] * 3, "0.09"), ("invoice", ["0.04", "0.03", "0.03"], "0.10")])
def test_rounding_is_the_legal_entitys(fresh, n, rounding, taxes, tax):
    api = fresh()
    assert api.get("/v1/legalEntity")["legalName"] is None
    api.put("/v1/taxRates/t", {"percent": "10"})
    entity = {"legalName": "Toll GmbH", "taxRounding": rounding, "taxRates": ["t"], "invoicePrefix": "R26-",
              "memo": "Thank you", "netDays": 30}
    assert {name: api.put("/v1/legalEntity", entity)[name] for name in entity} == entity
    api.put("/v1/accounts/a", {"currency": "USD"})
    done = finalize(api, one_off(api, n, "a", [{"description": str(i), "amount": "0.33"} for i in range(3)]))
    assert [line["tax"] for line in done["document"]["lines"]] == taxes
    assert (done["document"]["tax"], done["number"], done["document"]["memo"]) == (tax, "R26-000001", "Thank you")
    assert done["document"]["seller"]["name"] == "Toll GmbH"


def test_currencies_of_no_and_three_places(api, n, account):
    for currency, amount, wanted in (("JPY", "323", "384"), ("KWD", "1.234", "1.468")):
        done = finalize(api, api.post("/v1/invoices", {"account": account, "currency": currency, "lines": [
            {"description": "x", "amount": amount}]}, **keyed(n(currency))))
        assert done["total"] == wanted


# ---- lists, refusals

def test_lists(api, n, account):
    # Ids of one millisecond have no order of their own but that of their text.
    made = sorted(one_off(api, n, account, key=str(i))["id"] for i in range(3))
    finalize(api, {"id": made[1]})
    page = api.get("/v1/invoices", query={"account": account, "limit": 2})
    assert [row["id"] for row in page["data"]] == made[:0:-1] and "document" not in page["data"][0]
    rest = api.get("/v1/invoices", query={"account": account, "limit": 2, "cursor": page["nextCursor"]})
    assert [row["id"] for row in rest["data"]] == made[:1] and rest["nextCursor"] is None
    mine = api.get("/v1/invoices", query={"account": account, "status": "finalized"})["data"]
    every = api.get("/v1/invoices", query={"status": "finalized", "limit": 1000})["data"]
    assert [row["id"] for row in mine] == [made[1]] and made[1] in [row["id"] for row in every]
    refused(api.call("GET", "/v1/invoices", query={"cursor": page["nextCursor"]}), 400, "cursor_invalid")
    rates = api.get("/v1/taxRates", query={"limit": 1})
    assert rates["nextCursor"] is None or api.get("/v1/taxRates", query={"cursor": rates["nextCursor"]})["data"]
    refused(api.call("GET", "/v1/taxRates", query={"cursor": "x"}), 400, "cursor_invalid")


def test_refusals(api, n, account):
    for method, path, body, more in (
            ("GET", "/v1/invoices/inv_none", None, {}), ("POST", "/v1/invoices/inv_none/finalize", None, {}),
            ("POST", "/v1/invoices/inv_none/void", None, {}), ("POST", "/v1/invoices/inv_none/writeOff", None, {}),
            ("POST", "/v1/invoices/inv_none/pay", {}, keyed(n("k1")))):
        refused(api.call(method, path, body, **more), 404, "invoice_not_found")
    refused(api.call("POST", "/v1/accounts/none-such/invoices"), 404, "account_not_found")
    one = {"account": account, "currency": "USD", "lines": [{"description": "x", "amount": "1"}]}
    refused(api.call("POST", "/v1/invoices", one), 400, "idempotency_key_required")
    refused(api.call("POST", "/v1/invoices", one, **keyed("x" * 300)), 400, "idempotency_key_invalid")
    first = api.call("POST", "/v1/invoices", one, **keyed(n("same")))
    again = api.call("POST", "/v1/invoices", one, **keyed(n("same")))
    assert again.json == first.json and again.headers["Idempotent-Replayed"] == "true"
    other = api.call("POST", "/v1/invoices", {**one, "memo": "other"}, **keyed(n("same")))
    refused(other, 422, "idempotency_key_reused")
    other = api.call("POST", "/v1/invoices", {**one, "account": "none-such"}, **keyed(n("k2")))
    refused(other, 404, "account_not_found")
    for line, code in (({"amount": "1"}, "field_required"), ({"description": "x", "amount": "0"}, "field_invalid"),
                       ({"description": "x", "amount": "1.001"}, "field_invalid"),
                       ({"description": "x", "amount": "many"}, "invalid_value"),
                       ({"description": "x", "amount": "1", "price": 2}, "unknown_member")):
        answer = api.call("POST", "/v1/invoices", {**one, "lines": [line]}, **keyed(n("k3")))
        assert answer.code == code and answer.json["errors"][0]["pointer"].startswith("/lines/0"), answer
    pay = f"/v1/invoices/{first.json['id']}/pay"
    refused(api.call("POST", pay, {}), 400, "idempotency_key_required")
    refused(api.call("POST", pay, {}, **keyed("x" * 300)), 400, "idempotency_key_invalid")
    finalize(api, first.json)
    api.post(pay, {"amount": "0.10"}, **keyed(n("pay")))
    refused(api.call("POST", pay, {"amount": "0.20"}, **keyed(n("pay"))), 422, "idempotency_key_reused")
    refused(api.call("POST", pay, {"amount": "-1"}, **keyed(n("k4"))), 422, "field_invalid")
    refused(api.call("POST", pay, {"receivedAt": "soon"}, **keyed(n("k4"))), 422, "invalid_timestamp")
    refused(api.call("PUT", f"/v1/taxRates/{n('t')}", {"percent": "101"}), 422, "field_invalid")
    refused(api.call("PUT", f"/v1/taxRates/{n('t')}", {"percent": "1", "effectiveFrom": "x"}), 422, "invalid_timestamp")


def test_rates_that_are_not_there(api, n, account, subscribed):
    api.put(f"/v1/accounts/{account}", {"currency": "USD"})
    one = one_off(api, n, account)
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxRates": ["none-such"]})
    refused(api.call("POST", f"/v1/accounts/{account}/invoices"), 404, "tax_rate_not_found")
    refused(api.call("POST", f"/v1/invoices/{one['id']}/finalize"), 404, "tax_rate_not_found")
    refused(api.call("POST", "/v1/invoices", {"account": account, "lines": [{"description": "x", "amount": "1"}]},
                     **keyed(n("k"))), 404, "tax_rate_not_found")


def test_amounts_beyond_what_is_kept(api, n, account):
    huge = "90000000000000000"
    api.put(f"/v1/taxRates/{n('all')}", {"percent": "100"})
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxStatus": "exempt"})
    lines = [{"description": "x", "amount": "20000000000000000"}] * 4
    draft = one_off(api, n, account, lines)
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxRates": [n("all")]})
    refused(api.call("POST", f"/v1/invoices/{draft['id']}/finalize"), 422, "amount_too_large")
    refused(api.call("POST", "/v1/invoices", {"account": account, "lines": lines}, **keyed(n("k"))),
            422, "amount_too_large")
    doubled = [n(f"all.{number}") for number in range(5)]  # a single line, five times over
    for id in doubled:
        api.put(f"/v1/taxRates/{id}", {"percent": "100"})
    api.put(f"/v1/accounts/{account}", {"currency": "USD", "taxRates": doubled})
    refused(api.call("POST", "/v1/invoices", {"account": account, "lines": lines[:1]}, **keyed(n("k"))),
            422, "amount_too_large")
    refused(api.call("POST", "/v1/invoices", {"account": account, "lines": [{"description": "x", "amount": huge}]},
                     **keyed(n("k"))), 422, "field_invalid")
    api.publish(n("plan"), {"currency": "USD", "charges": [
        {"id": id, "model": "flat", "amount": huge, "timing": "advance"} for id in "ab"]})
    api.subscribe(n("sub"), account, n("plan"), START)
    refused(api.call("POST", f"/v1/accounts/{account}/invoices"), 422, "amount_too_large")


# ---- at once

def test_two_at_once_do_it_once(shared_server, api, n, subscribed, account):
    answers = []

    def act(path):
        answers.append(Api(shared_server).call("POST", path))

    def at_once(path, count=6):
        answers.clear()
        threads = [threading.Thread(target=act, args=(path,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers
    draft = make(api, account)
    numbers = {answer.json["number"] for answer in at_once(f"/v1/invoices/{draft['id']}/finalize")}
    assert len(numbers) == 1 and None not in numbers
    assert owed(api, "receivable", account) == Decimal("59.50")
    assert {answer.json["status"] for answer in at_once(f"/v1/invoices/{draft['id']}/void")} == {"void"}
    assert owed(api, "receivable", account) == 0
    at_once(f"/v1/accounts/{account}/invoices")
    assert len({answer.json["id"] for answer in answers if answer.status == 200}) == 1
    balanced(api)


def test_numbers_have_no_gaps(fresh, n):
    api = fresh()
    api.put("/v1/accounts/a", {"currency": "USD"})
    drafts = [one_off(api, n, "a", key=str(i))["id"] for i in range(12)]
    numbers = []

    def act(id):
        numbers.append(Api(api.server).post(f"/v1/invoices/{id}/finalize", None)["number"])
    threads = [threading.Thread(target=act, args=(id,)) for id in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [f"INV-{number:06}" for number in range(1, 13)]


# ---- credit and charges

def charge(api, n, account, amount, key="chg"):
    return api.post("/v1/charges", {"account": account, "amount": amount, "currency": "USD", "chargeKey": n(key),
                                    "description": "A repair"})


def test_charges_wait_for_the_next_invoice(api, n, subscribed, account):
    charge(api, n, account, "7.00")
    draft = make(api, account)
    assert draft["total"] == "67.83"  # 57.00 and 19 %
    done = finalize(api, draft)
    line = done["document"]["lines"][-1]
    assert (line["kind"], line["description"], line["amount"]) == ("charge", "A repair", "7.00")
    assert api.get(f"/v1/accounts/{account}/charges/{n('chg')}")["invoice"] == done["id"]
    assert finalize(api, make(api, account))["total"] == "71.40"  # without it
    api.post(f"/v1/invoices/{done['id']}/void", None)
    assert api.get(f"/v1/accounts/{account}/charges/{n('chg')}")["invoice"] is None
    assert finalize(api, make(api, account))["total"] == "67.83"
    balanced(api)


def test_charges_alone_make_an_invoice(api, n, account):
    refused(api.call("POST", f"/v1/accounts/{account}/invoices"), 409, "nothing_due")
    charge(api, n, account, "7.00")
    draft = make(api, account)
    other = make(api, account)
    assert other["id"] == draft["id"]
    assert finalize(api, draft)["total"] == "8.33"
    refused(api.call("POST", f"/v1/accounts/{account}/invoices"), 409, "nothing_due")


def test_a_wallet_pays_three_taxes_and_a_discount_to_zero(api, n):
    rates = [n("t1"), n("t2"), n("t3")]
    for rate, percent in zip(rates, ("10", "5.5", "2.25")):
        api.put(f"/v1/taxRates/{rate}", {"percent": percent})
    account = api.put(f"/v1/accounts/{n('acct')}", {"currency": "USD", "taxRates": rates})["id"]
    api.publish(n("plan"), {"currency": "USD", "discounts": [{"id": "coupon", "amount": "10.00"}], "charges": [
        {"id": id, "model": "flat", "amount": "33.33", "timing": "advance"} for id in "abc"]})
    api.subscribe(n("sub"), account, n("plan"), "2026-11-01T00:00:00Z")
    for kind, amount, timing in (("promotional", "20.00", "beforeTax"), ("paid", "500.00", "afterTax")):
        api.post("/v1/grants", {"account": account, "amount": amount, "currency": "USD", "kind": kind,
                                "creditTiming": timing, "effectiveAt": "2026-01-01T00:00:00Z"}, **keyed(n(kind)))
    done = finalize(api, make(api, account))
    document = done["document"]
    # 99.99 - 10.00 = 89.99, less 20.00 before tax: taxes of 69.99
    assert [tax["tax"] for tax in document["taxes"]] == ["7.00", "3.85", "1.57"]
    assert (done["total"], done["credits"], done["amountDue"], done["status"]) == ("102.41", "-102.41", "0.00", "paid")
    assert owed(api, "receivable", account) == 0
    assert owed(api, "wallet", account) == Decimal("-417.59")
    api.post(f"/v1/invoices/{done['id']}/void", None)
    assert owed(api, "wallet", account) == Decimal("-500.00")
    again = finalize(api, make(api, account))
    assert (again["credits"], again["status"]) == ("-102.41", "paid")
    balanced(api)


def test_a_draft_of_what_is_not_due_any_more(api, n, account):
    api.publish(n("plan"), {"currency": "USD", "charges": [
        {"id": "fee", "model": "flat", "amount": "50.00", "timing": "advance"}]})
    api.subscribe(n("sub"), account, n("plan"), START)
    draft = make(api, account)
    api.post(f"/v1/subscriptions/{n('sub')}/cancel", {"at": START})
    refused(api.call("POST", f"/v1/invoices/{draft['id']}/finalize"), 409, "nothing_due")


# ---- from a line to its events

def test_a_line_lists_exactly_the_events_that_it_counted(api, n, account):
    meter = api.meter(n("meter"), dimensions=["region"])["id"]
    api.publish(n("plan"), {"currency": "USD", "charges": [
        {"id": "eu", "meter": meter, "model": "perUnit", "unitPrice": "2", "filter": {"region": ["eu"]}},
        {"id": "rest", "meter": meter, "model": "perUnit", "unitPrice": "1", "groupBy": ["region"]}]})
    api.subscribe(n("sub"), account, n("plan"), START)
    sent = {}
    for i in range(60):
        region = ("eu", "us", None)[i % 3]
        day = f"2026-08-{1 + i % 28:02}T00:00:00Z"
        sent.setdefault(region, []).append((day, n("e") + str(i)))
        api.send([{"meter": meter, "account": account, "uniqueId": n("e") + str(i), "value": i, "ts": day,
                   "properties": {"region": region} if region else {}}])
    api.send([{"meter": meter, "account": account, "uniqueId": n("next"), "value": 1, "ts": "2026-09-01T00:00:00Z"}])
    done = finalize(api, make(api, account))
    assert done["at"] == "2026-09-01T00:00:00Z"
    api.send([{"meter": meter, "account": account, "uniqueId": n("late"), "value": 1, "ts": "2026-08-05T00:00:00Z"}])
    seen = {}
    for line in done["document"]["lines"]:
        path, cursor, events = f"/v1/invoices/{done['id']}/lines/{line['number']}/events", {}, []
        while cursor is not None:
            page = api.get(path, query={"limit": 7, **cursor})
            events += page["data"]
            cursor = page["nextCursor"] and {"cursor": page["nextCursor"]}
        assert len(events) == line["events"] and all(event["counted"] for event in events)
        assert sum(Decimal(event["value"]) for event in events) == Decimal(line["usage"])
        seen["eu" if line["charge"] == "eu" else line["group"]["region"]] = [
            (event["ts"], event["uniqueId"]) for event in events]
    assert seen == {region: sorted(events) for region, events in sent.items()}
    first = f"/v1/invoices/{done['id']}/lines/1/events"
    refused(api.call("GET", first, query={"cursor": "x"}), 400, "cursor_invalid")
    for number in ("0", "99", "x"):
        refused(api.call("GET", f"/v1/invoices/{done['id']}/lines/{number}/events"), 404, "invoice_not_found")
    other = finalize(api, one_off(api, n, account))
    assert api.get(f"/v1/invoices/{other['id']}/lines/1/events")["data"] == []


# ---- as a PDF

def pdf_text(bytes):
    return subprocess.run(["pdftotext", "-layout", "-", "-"], input=bytes, stdout=subprocess.PIPE).stdout.decode()


def test_a_pdf_tells_local_dates_and_what_was_multiplied(api, n):
    """May in Berlin begins on April 30th, 22:00 UTC, and ends with the 31st."""
    account, meter, plan = n("acct"), n("meter"), n("plan")
    api.meter(meter)
    api.put(f"/v1/accounts/{account}", {"currency": "EUR", "timeZone": "Europe/Berlin"})
    api.publish(plan, {"currency": "EUR", "charges": [
        {"id": "calls", "name": "API calls", "meter": meter, "model": "graduated",
         "tiers": [{"upTo": "1000", "unitPrice": "0"}, {"unitPrice": "0.01", "flatFee": "5"}]},
        {"id": "seats", "name": "Seats", "quantity": "seats", "model": "perUnit", "unitPrice": "12.5"}]},
                "2026-01-01T00:00:00Z")
    api.subscribe(n("sub"), account, plan, "2026-04-30T22:00:00Z", quantities={"seats": "3"})
    api.send([{"meter": meter, "account": account, "uniqueId": n("e"), "value": 3500, "ts": "2026-05-31T21:59:59Z"}])
    invoice = finalize(api, make(api, account))
    assert invoice["document"]["timeZone"] == "Europe/Berlin"
    assert {line["timeZone"] for line in invoice["document"]["lines"]} == {"Europe/Berlin"}
    text = pdf_text(api.call("GET", f"/v1/invoices/{invoice['id']}/pdf").body)
    for told in (" 30.00", "2026-05-01 to 2026-05-31", "1000 x 0", "2500 x 0.01 + 5", "3 x 12.5", " 37.50"):
        assert told in text, (told, text)


def test_a_pdf_of_a_void_invoice_says_so(api, n, account):
    draft = one_off(api, n, account, [{"description": "Work", "amount": "123456789012345.67"}])
    path = f"/v1/invoices/{draft['id']}/pdf"
    assert "Draft" in pdf_text(api.call("GET", path).body)
    finalize(api, draft)
    text = pdf_text(api.call("GET", path).body)
    assert "Void" not in text and "123456789012345.67" in text
    api.post(f"/v1/invoices/{draft['id']}/void", None)
    assert "Void invoice" in pdf_text(api.call("GET", path).body)


def test_a_pdf_of_many_scripts_and_pages(api, n, rate):
    account = api.put(f"/v1/accounts/{n('acct')}", {
        "currency": "EUR", "legalName": "شركة الحوسبة 計算株式会社 Υπολογιστική", "taxRates": [rate],
        "address": {"line1": "12 Κηφισίας", "city": "北京市", "country": "الإمارات"}, "taxIds": ["EL 123456789"]})["id"]
    lines = [{"description": f"Line {i}: " + "a long description that does not fit on one line, " * (i % 3),
              "amount": "-3.50" if i % 7 == 0 else "1234.56"} for i in range(1, 90)]
    draft = api.post("/v1/invoices", {"account": account, "lines": lines, "memo": "Vielen Dank."}, **keyed(n("k")))
    path = f"/v1/invoices/{draft['id']}/pdf"
    assert api.call("GET", path).body.startswith(b"%PDF-")
    finalize(api, draft)
    first = api.call("GET", path)
    assert first.headers["Content-Type"] == "application/pdf" and first.body.rstrip().endswith(b"%%EOF")
    api.put(f"/v1/accounts/{account}", {"currency": "EUR", "legalName": "Another"})
    assert api.call("GET", path).body == first.body  # the same bytes, whatever happens to the account
    assert first.body.count(b"/Type /Page\n") >= 3 or b"/Count" in first.body
    refused(api.call("GET", "/v1/invoices/inv_none/pdf"), 404, "invoice_not_found")
