# SPDX-License-Identifier: Apache-2.0
"""Usage that changes when its period was billed: what it comes to, where it stands, and that all documents of a
period sum to its last bill. The project's clock is a test one: the months are those of 2031."""
import subprocess
import threading
import time
from decimal import Decimal

import pytest
from client import Api
from clock import advance, set_clock, test_project as project_folder

MONTHS = [f"2031-{month:02}-01T00:00:00Z" for month in range(1, 13)]
ACCOUNT = "acct"


@pytest.fixture
def late(fresh, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    set_clock(api, MONTHS[0])
    api.meter("calls")
    api.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD"})
    return api


def plan(api, *charges, id="plan", **members):
    api.publish(id, {"currency": "USD", "charges": list(charges), **members}, effective=MONTHS[0])
    return id


PER_CALL = {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}
FEE = {"id": "fee", "model": "flat", "amount": "50.00", "timing": "advance"}


def subscribe(api, *charges, id="sub", **members):
    api.subscribe(id, ACCOUNT, plan(api, *charges, **members), MONTHS[0])
    return id


def use(api, value, ts, id=None, **members):
    id = id or f"{ts}/{value}"
    api.send([{"meter": "calls", "account": ACCOUNT, "uniqueId": id, "value": value, "ts": ts, **members}])
    return id


def bill(api):
    draft = api.post(f"/v1/accounts/{ACCOUNT}/invoices", None)
    return api.post(f"/v1/invoices/{draft['id']}/finalize", None)


def bill_month(api, month):
    """The invoice at the beginning of a month (1 to 12)."""
    advance(api, MONTHS[month - 1])
    return bill(api)


def lines(invoice):
    return sorted([(line["charge"] or line["kind"], line["amount"], line.get("of") and line["of"]["line"])
                   for line in invoice["document"]["lines"] if Decimal(line["amount"])], key=str)


def corrections(invoice):
    return [line for line in invoice["document"]["lines"] if line.get("of")]


def nothing_due(api):
    answer = api.call("POST", f"/v1/accounts/{ACCOUNT}/invoices")
    assert (answer.status, answer.code) == (409, "nothing_due"), answer


def invoiced(api, period, subscription="sub"):
    """What all documents say of a period, without tax."""
    total = Decimal(0)
    for row in api.get("/v1/invoices", query={"account": ACCOUNT, "limit": 1000})["data"]:
        if row["status"] in ("draft", "void"):
            continue
        for line in api.get(f"/v1/invoices/{row['id']}")["document"]["lines"]:
            of = (line.get("of") or {}).get("period") or line["period"]
            if line["subscription"] == subscription and of["start"][:7] == period[:7]:
                total += Decimal(line["amount"]) + Decimal(line["discount"])
    for note in api.get("/v1/creditNotes", query={"limit": 1000})["data"]:
        for line in note["lines"]:
            read = api.get(f"/v1/invoices/{note['invoice']}")["document"]["lines"][line["line"] - 1]
            of = (read.get("of") or {}).get("period") or read["period"]
            if of["start"][:7] == period[:7]:
                total -= Decimal(line["amount"])
    return total


def sums_hold(api, *months):
    for month in months:
        billed = api.bill("sub", at=MONTHS[month - 1][:8] + "15T00:00:00Z")
        assert invoiced(api, MONTHS[month - 1]) == Decimal(billed["subtotal"]) + Decimal(billed["discounts"]), month


def balanced(api):
    for total in api.get("/v1/ledger/trialBalance")["totals"]:
        assert Decimal(total["debit"]) == abs(Decimal(total["credit"])), total


# ---- on the next invoice

def test_what_came_late_stands_on_the_next_invoice(late):
    subscribe(late, FEE, PER_CALL)
    assert lines(bill(late)) == [("fee", "50.00", None)]
    use(late, 1000, "2031-01-01T00:00:00Z")
    advance(late, "2031-01-20T00:00:00Z")
    use(late, 1000, "2031-01-20T00:00:00Z")
    february = bill_month(late, 2)
    assert lines(february) == [("calls", "20.00", None), ("fee", "50.00", None)]
    nothing_due(late)
    use(late, 500, "2031-01-31T23:59:59.999999Z", "late")
    use(late, 100, "2031-02-01T00:00:00Z", "in time")
    nothing_due(late)  # it waits for the boundary
    march = bill_month(late, 3)
    assert lines(march) == [("calls", "1.00", None), ("calls", "5.00", 1), ("fee", "50.00", None)]
    [line] = corrections(march)
    assert line["of"] == {"invoice": february["id"], "line": 1,
                          "period": {"start": MONTHS[0], "end": MONTHS[1]}}
    assert line["period"] == {"start": MONTHS[0], "end": MONTHS[1]}
    nothing_due(late)
    assert lines(bill_month(late, 4)) == [("fee", "50.00", None)]
    sums_hold(late, 1, 2, 3)
    balanced(late)


def test_what_is_taken_away_comes_back_and_is_replaced(late):
    subscribe(late, FEE, PER_CALL)
    bill(late)
    first = use(late, 1000, MONTHS[0])
    second = use(late, 2000, MONTHS[0])
    bill_month(late, 2)
    void = late.post("/v1/measurements/void", {"uniqueIds": [first], "reason": "test"})
    march = bill_month(late, 3)
    assert [line["amount"] for line in corrections(march)] == ["-10.00"]
    late.post(f"/v1/voids/{void['void']['id'] if 'void' in void else void['id']}/revert", None)
    late.post("/v1/measurements/amend", [{"uniqueId": second, "value": 2500}])
    april = bill_month(late, 4)
    assert [line["amount"] for line in corrections(april)] == ["15.00"]
    sums_hold(late, 1, 2, 3)
    assert corrections(bill_month(late, 5)) == []
    balanced(late)


def test_tiers_minimum_and_commitment_come_out_right(late):
    subscribe(late, {"id": "calls", "meter": "calls", "model": "volume", "tiers": [
        {"upTo": "100", "unitPrice": "1.00"}, {"upTo": None, "unitPrice": "0.50"}]}, minimum={"amount": "80.00"})
    use(late, 90, MONTHS[0])
    assert bill_month(late, 2)["document"]["subtotal"] == "90.00"
    use(late, 20, MONTHS[0])  # 110 at 0.50 are 55, and 25 to the minimum
    use(late, 200, MONTHS[1])
    march = bill_month(late, 3)
    assert sorted(line["amount"] for line in corrections(march)) == ["-35.00", "25.00"]
    assert march["document"]["subtotal"] == "90.00"  # 200 at 0.50, less 10.00; no minimum of its own is left over
    use(late, 90, MONTHS[0], "again")
    assert sorted(line["amount"] for line in corrections(bill_month(late, 4))) == ["-25.00", "45.00"]
    sums_hold(late, 1, 2, 3)
    balanced(late)


def test_when_no_invoice_comes_any_more_it_makes_one(late):
    subscribe(late, FEE, PER_CALL)
    bill(late)
    use(late, 1000, MONTHS[0])
    late.post("/v1/subscriptions/sub/cancel", {"at": MONTHS[1]})
    bill_month(late, 2)
    advance(late, MONTHS[2])
    nothing_due(late)
    use(late, 300, MONTHS[0], "late")
    last = bill(late)
    assert (lines(last), last["total"]) == ([("calls", "3.00", 1)], "3.00")
    nothing_due(late)
    late.post("/v1/measurements/void", {"uniqueIds": ["late"], "reason": "test"})
    back = bill(late)
    assert (lines(back), back["total"], back["document"]["toBalance"]) == ([("calls", "-3.00", 1)], "0.00", "3.00")
    nothing_due(late)
    sums_hold(late, 1)
    balanced(late)


def ended(api):
    """January is billed with 10.00 of calls, and the subscription is over; what changes later is on no boundary."""
    subscribe(api, FEE, PER_CALL)
    bill(api)
    use(api, 1000, MONTHS[0])
    api.post("/v1/subscriptions/sub/cancel", {"at": MONTHS[1]})
    bill_month(api, 2)
    advance(api, MONTHS[2])


def looked(api, key):
    """A run that makes nothing."""
    run = api.expect(202, "POST", "/v1/runs", {"kind": "billing"}, headers={"Idempotency-Key": key})
    until(lambda: api.get(f"/v1/runs/{run['id']}")["status"] not in ("queued", "running"))
    done = api.get(f"/v1/runs/{run['id']}")
    assert (done["status"], done["failed"], done["invoices"]) == ("succeeded", 0, 0)


@pytest.mark.parametrize("rule", ["nextInvoice", "creditNote"])
def test_what_comes_to_nothing_behind_the_end_waits_no_more(late, rule):
    policy(late, rule)
    ended(late)
    use(late, 300, MONTHS[0], "more")
    use(late, -300, MONTHS[0], "less")
    assert [record["events"] for record in records(late, state="open")] == [2]
    looked(late, "one")
    assert records(late, state="open") == [] and records(late) == [] and notes(late) == []
    looked(late, "two")
    use(late, 200, MONTHS[0], "due")  # what comes then is due as ever
    assert [record["events"] for record in records(late, state="open")] == [1]
    last = bill(late)
    assert (lines(last), last["total"]) == ([("calls", "2.00", 1)], "2.00")
    assert records(late, state="open") == []
    sums_hold(late, 1)
    balanced(late)


def test_two_that_are_over_wait_no_more(late):
    """What changed behind the end of either comes to nothing: one look settles both."""
    late.meter("mails")
    late.publish("mails", {"currency": "USD", "charges": [{**PER_CALL, "meter": "mails"}]}, effective=MONTHS[0])
    late.subscribe("other", ACCOUNT, "mails", MONTHS[0])
    policy(late, "nextInvoice")
    late.send([{"meter": "mails", "account": ACCOUNT, "uniqueId": "mail", "value": 100, "ts": MONTHS[0]}])
    late.post("/v1/subscriptions/other/cancel", {"at": MONTHS[1]})
    ended(late)
    for value in (300, -300):
        use(late, value, MONTHS[0])
        late.send([{"meter": "mails", "account": ACCOUNT, "uniqueId": f"mail{value}", "value": value,
                    "ts": MONTHS[0]}])
    assert [record["events"] for record in records(late, state="open")] == [4, 4]  # of the account
    looked(late, "one")
    assert records(late, state="open") == [] and records(late) == []


def test_under_reopen_what_comes_to_nothing_is_listed(late):
    policy(late, "reopen")
    ended(late)
    use(late, 300, MONTHS[0], "more")
    use(late, -300, MONTHS[0], "less")
    looked(late, "one")
    assert [record["events"] for record in records(late, state="open")] == [2]


def test_a_void_of_the_carrying_invoice_puts_it_back(late):
    subscribe(late, FEE, PER_CALL)
    bill(late)
    use(late, 1000, MONTHS[0])
    bill_month(late, 2)
    use(late, 500, MONTHS[0], "late")
    march = bill_month(late, 3)
    assert [line["amount"] for line in corrections(march)] == ["5.00"]
    late.post(f"/v1/invoices/{march['id']}/void", None)
    again = bill(late)
    assert [line["amount"] for line in corrections(again)] == ["5.00"]
    assert again["total"] == march["total"]
    nothing_due(late)
    sums_hold(late, 1, 2)
    balanced(late)


# ---- credit and tax

def grant(api, amount, **members):
    return api.expect(201, "POST", "/v1/grants", {"account": ACCOUNT, "amount": amount, "currency": "USD",
                                                  "kind": "promotional", **members},
                      headers={"Idempotency-Key": f"grant{amount}"})


def wallet(api):
    return sum(Decimal(row["posted"]) for row in api.get(f"/v1/accounts/{ACCOUNT}/wallet")["balances"])


def owed(api, kind):
    rows = api.get("/v1/ledger/accounts", query={"kind": kind, "owner": ACCOUNT})["data"]
    return sum(Decimal(row["balance"]) for row in rows)


def test_credit_that_had_paid_is_restored_first(late):
    subscribe(late, PER_CALL)
    grant(late, "6.00", expiresAt=MONTHS[1])
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    assert (february["total"], february["document"]["credits"], wallet(late)) == ("10.00", "-6.00", 0)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 600}])
    use(late, 2000, MONTHS[1])
    march = bill_month(late, 3)
    document = march["document"]
    assert (document["subtotal"], document["creditsRestored"], document["total"], march["amountRemaining"]) == (
        "16.00", "4.00", "20.00", "20.00")
    assert wallet(late) == Decimal("4.00")
    assert owed(late, "receivable") == Decimal("24.00")
    balanced(late)
    late.post(f"/v1/invoices/{march['id']}/void", None)
    assert (wallet(late), owed(late, "receivable")) == (0, Decimal("4.00"))
    again = bill(late)
    assert {name: again["document"][name] for name in ("creditsRestored", "total")} == {
        "creditsRestored": "4.00", "total": "20.00"}
    assert wallet(late) == Decimal("4.00")
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 100}])  # 2.00 is left of what credit had paid
    april = bill_month(late, 4)["document"]
    assert (april["subtotal"], april["creditsRestored"], april["total"], april["toBalance"]) == (
        "-5.00", "2.00", "0.00", "3.00")
    assert wallet(late) == Decimal("6.00")
    sums_hold(late, 1, 2)
    balanced(late)


def test_restored_credit_that_was_used_keeps_the_invoice(late):
    subscribe(late, PER_CALL)
    grant(late, "6.00")
    first = use(late, 1000, MONTHS[0])
    bill_month(late, 2)
    late.post("/v1/measurements/void", {"uniqueIds": [first], "reason": "test"})
    use(late, 700, MONTHS[1])
    march = bill_month(late, 3)
    assert march["document"]["creditsRestored"] == "6.00"
    late.expect(201, "POST", "/v1/charges", {"account": ACCOUNT, "amount": "1", "currency": "USD", "chargeKey": "one",
                                              "collect": "wallet"})
    answer = late.call("POST", f"/v1/invoices/{march['id']}/void", None)
    assert (answer.status, answer.code) == (409, "invoice_has_payments")
    balanced(late)


@pytest.mark.parametrize("inclusive", [False, True])
def test_the_tax_is_that_of_the_invoice_it_corrects(late, inclusive):
    late.put("/v1/taxRates/vat", {"name": "VAT", "percent": "20", "inclusive": inclusive})
    late.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD", "taxRates": ["vat"]})
    subscribe(late, PER_CALL)
    use(late, 1200, MONTHS[0])
    february = bill_month(late, 2)
    assert february["document"]["tax"] == ("2.00" if inclusive else "2.40")
    late.put("/v1/taxRates/vat", {"name": "VAT", "percent": "10", "inclusive": inclusive,
                                  "effectiveFrom": "2031-02-15T00:00:00Z"})
    use(late, 1200, MONTHS[0], "late")
    use(late, 1100, MONTHS[1])
    march = bill_month(late, 3)["document"]
    taxes = {line["of"] and line["of"]["line"] if line.get("of") else None: (line["tax"], line["taxes"][0]["percent"])
             for line in march["lines"]}
    assert taxes == {None: ("1.00" if inclusive else "1.10", "10"), 1: ("2.00" if inclusive else "2.40", "20")}
    assert [(tax["rate"], tax["percent"]) for tax in march["taxes"]] == [("vat", "10"), ("vat", "20")]
    balanced(late)


# ---- the other policies

def policy(api, rule, **members):
    assert api.put("/v1/settings", {"lateUsage": rule, **members})["lateUsage"] == rule


def notes(api):
    return api.get("/v1/creditNotes", query={"limit": 1000})["data"]


def test_credit_notes_for_what_falls_and_lines_for_what_rises(late):
    policy(late, "creditNote")
    subscribe(late, FEE, PER_CALL, {"id": "more", "model": "percentOf", "charges": ["calls"], "ratePercent": "10"})
    bill(late)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 400}])
    nothing_due(late)  # but what fell is credited
    [note] = notes(late)
    assert (note["invoice"], note["reasonCode"], note["total"], note["apply"]) == (
        february["id"], "lateUsage", "6.60", "invoice")
    assert late.get(f"/v1/invoices/{february['id']}")["amountRemaining"] == "54.40"
    nothing_due(late)
    sums_hold(late, 1)
    use(late, 1100, MONTHS[0], "rises")
    nothing_due(late)
    assert len(notes(late)) == 1
    march = bill_month(late, 3)
    assert sorted(line["amount"] for line in corrections(march)) == ["1.10", "11.00"]
    late.post("/v1/measurements/void", {"uniqueIds": ["rises"], "reason": "test"})
    nothing_due(late)
    sums_hold(late, 1)  # taken off the line that stands on the March invoice
    assert {note["invoice"] for note in notes(late)} == {february["id"], march["id"]}
    assert corrections(bill_month(late, 4)) == []
    sums_hold(late, 1, 2, 3)
    balanced(late)


def test_a_credit_note_restores_credit_first(late):
    policy(late, "creditNote")
    subscribe(late, PER_CALL)
    grant(late, "6.00")
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    late.post(f"/v1/invoices/{february['id']}/pay", {}, headers={"Idempotency-Key": "pay"})
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 200}])
    nothing_due(late)
    [note] = notes(late)
    assert (note["total"], note["apply"]) == ("8.00", "balance")
    assert (wallet(late), owed(late, "customerBalance")) == (Decimal("6.00"), Decimal("-2.00"))
    assert owed(late, "receivable") == 0
    nothing_due(late)
    sums_hold(late, 1)
    balanced(late)


def test_an_inclusive_tax_falls_with_its_line(late):
    policy(late, "creditNote")
    late.put("/v1/taxRates/vat", {"name": "VAT", "percent": "20", "inclusive": True})
    late.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD", "taxRates": ["vat"]})
    subscribe(late, PER_CALL)
    first = use(late, 1200, MONTHS[0])
    bill_month(late, 2)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 600}])
    nothing_due(late)
    late.post("/v1/measurements/void", {"uniqueIds": [first], "reason": "test"})
    nothing_due(late)
    assert [(note["net"], note["tax"], note["total"]) for note in notes(late)] == [("5.00", "1.00", "6.00")] * 2
    assert owed(late, "receivable") == 0
    balanced(late)


def test_a_line_that_rises_after_its_credit_note_corrects_the_invoice(late):
    policy(late, "creditNote")
    late.put("/v1/taxRates/vat", {"name": "VAT", "percent": "20"})
    late.put(f"/v1/accounts/{ACCOUNT}", {"currency": "USD", "taxRates": ["vat"]})
    subscribe(late, PER_CALL)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 400}])
    nothing_due(late)
    assert [note["total"] for note in notes(late)] == ["7.20"]
    use(late, 300, MONTHS[0], "again")
    [line] = corrections(bill_month(late, 3))
    assert (line["of"]["invoice"], line["of"]["line"]) == (february["id"], 1)
    assert (line["amount"], line["tax"]) == ("3.00", "0.60")
    sums_hold(late, 1)
    balanced(late)


def test_what_falls_on_an_invoice_that_is_written_off_waits(late):
    policy(late, "creditNote")
    subscribe(late, FEE, PER_CALL)
    bill(late)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    late.post(f"/v1/invoices/{february['id']}/writeOff", None)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 400}])
    nothing_due(late)
    assert notes(late) == [] and [record["events"] for record in records(late, state="open")] == [2]
    assert [(line["of"]["invoice"], line["amount"]) for line in corrections(bill_month(late, 3))] == [
        (february["id"], "-6.00")]
    sums_hold(late, 1, 2)
    balanced(late)


def test_what_falls_is_taken_from_the_newest_line_first(late):
    policy(late, "creditNote")
    subscribe(late, PER_CALL)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    use(late, 500, MONTHS[0], "late")
    march = bill_month(late, 3)
    assert [line["amount"] for line in corrections(march)] == ["5.00"]
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 300}])
    nothing_due(late)
    assert {(note["invoice"], note["total"]) for note in notes(late)} == {
        (march["id"], "5.00"), (february["id"], "2.00")}
    sums_hold(late, 1)
    balanced(late)


def test_what_falls_again_is_not_taken_from_a_correction(late):
    """The first fall stands on an invoice, below 0: it has nothing to give."""
    policy(late, "nextInvoice")
    subscribe(late, FEE, PER_CALL)
    bill(late)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 600}])
    assert [line["amount"] for line in corrections(bill_month(late, 3))] == ["-4.00"]
    policy(late, "creditNote")
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 400}])
    nothing_due(late)
    assert [(note["invoice"], note["total"]) for note in notes(late)] == [(february["id"], "2.00")]
    sums_hold(late, 1, 2)
    balanced(late)


@pytest.mark.parametrize("paid", ["10.00", "7.00"])
def test_what_falls_on_an_invoice_that_was_paid_goes_to_the_balance(late, paid):
    """At once when more falls than remains to be paid."""
    policy(late, "creditNote")
    subscribe(late, PER_CALL)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    late.post(f"/v1/invoices/{february['id']}/pay", {"amount": paid}, headers={"Idempotency-Key": "paid"})
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 600}])
    nothing_due(late)
    note, = notes(late)
    assert (note["invoice"], note["apply"], note["total"]) == (february["id"], "balance", "4.00")
    assert owed(late, "customerBalance") == Decimal("-4.00")
    sums_hold(late, 1)
    balanced(late)


def test_reopen_does_nothing_by_itself(late):
    policy(late, "reopen")
    subscribe(late, FEE, PER_CALL)
    bill(late)
    use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    use(late, 500, MONTHS[0], "late")
    march = bill_month(late, 3)
    assert corrections(march) == [] and march["total"] == "50.00"
    late.post(f"/v1/invoices/{february['id']}/void", None)
    again = bill(late)
    assert (lines(again), again["at"]) == ([("calls", "15.00", None), ("fee", "50.00", None)], MONTHS[1])
    nothing_due(late)
    sums_hold(late, 1, 2)
    balanced(late)


# ---- what is told of it

def records(api, **query):
    return api.get("/v1/reconciliation", query={"limit": 1000, **query})["data"]


def test_each_document_leaves_a_record(late):
    subscribe(late, FEE, PER_CALL)
    bill(late)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    assert records(late) == [] and records(late, state="open") == []
    use(late, 500, MONTHS[0], "late")
    void = late.post("/v1/measurements/void", {"uniqueIds": [first], "reason": "test"})
    late.post(f"/v1/voids/{void['id']}/revert", None)
    [waits] = records(late, state="open", account=ACCOUNT)
    assert records(late, state="open") == [waits]
    assert (waits["state"], waits["document"], waits["amount"], waits["events"], waits["id"]) == (
        "open", february["id"], None, 3, None)
    assert [(change["uniqueId"], change["change"]) for change in waits["first"]] == [
        ("late", "added"), (first, "taken"), (first, "returned")]
    march = bill_month(late, 3)
    assert records(late, state="open") == []
    [settled] = records(late)
    assert {name: settled[name] for name in ("account", "subscription", "period", "state", "document", "amount",
                                             "events", "first", "from", "currency")} == {
        "account": ACCOUNT, "subscription": "sub", "period": {"start": MONTHS[0], "end": MONTHS[1]},
        "state": "settled", "document": march["id"], "amount": "5.00", "events": 3, "first": waits["first"],
        "from": waits["from"], "currency": "USD"}
    [line] = settled["lines"]
    assert march["document"]["lines"][line - 1]["of"]["invoice"] == february["id"]
    events = late.get(f"/v1/invoices/{march['id']}/lines/{line}/events", query={"limit": 10})["data"]
    assert {event["uniqueId"] for event in events} == {first, "late"}
    late.post(f"/v1/invoices/{march['id']}/void", None)
    assert [(record["state"], record["document"]) for record in records(late, document=march["id"])] == [
        ("void", march["id"])]
    assert [record["events"] for record in records(late, state="open")] == [3]
    again = bill(late)
    assert [(record["state"], record["document"]) for record in records(late, account=ACCOUNT)] == [
        ("settled", again["id"]), ("void", march["id"])]


def test_a_pdf_tells_what_a_line_corrects(late):
    subscribe(late, PER_CALL)
    use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    use(late, 500, MONTHS[0], "late")
    march = bill_month(late, 3)
    text = subprocess.run(["pdftotext", "-layout", "-", "-"], stdout=subprocess.PIPE,
                          input=late.call("GET", f"/v1/invoices/{march['id']}/pdf").body).stdout.decode()
    for told in (f"Corrects {february['number']}, line 1", "1500 x 0.01", "less 10.00 billed before"):
        assert told in text, (told, text)


def test_a_credit_note_leaves_a_record(late):
    policy(late, "creditNote")
    subscribe(late, PER_CALL)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    late.post("/v1/measurements/void", {"uniqueIds": [first], "reason": "test"})
    nothing_due(late)
    [record], [note] = records(late), notes(late)
    assert (record["document"], record["amount"], record["lines"]) == (note["id"], "-10.00", [1])
    assert note["invoice"] == february["id"] and records(late, state="open") == []


def test_pages_of_records(late):
    subscribe(late, PER_CALL)
    use(late, 100, MONTHS[0])
    for month in range(2, 7):
        bill_month(late, month)
        use(late, 100, MONTHS[0], f"late{month}")
        use(late, 100, MONTHS[month - 1])
    every = records(late)
    assert len(every) == 4  # on the invoices of March to June: a month and 90 days after its end
    page = late.get("/v1/reconciliation", query={"limit": 2})
    rest = late.get("/v1/reconciliation", query={"limit": 2, "cursor": page["nextCursor"]})
    assert page["data"] + rest["data"] == every and rest["nextCursor"] is None
    for number in range(3):
        late.put(f"/v1/accounts/other{number}", {"currency": "USD"})
    page = late.get("/v1/reconciliation", query={"limit": 2, "state": "open"})
    assert page["nextCursor"] is not None
    late.get("/v1/reconciliation", query={"limit": 2, "state": "open", "cursor": page["nextCursor"]})


def test_questions_that_are_wrong(late):
    assert late.call("GET", "/v1/reconciliation", query={"state": "settled"}).code == "parameter_invalid"
    assert late.call("GET", "/v1/reconciliation", query={"cursor": "x"}).code == "cursor_invalid"
    assert late.call("GET", "/v1/reconciliation", query={"cursor": "x", "state": "open"}).code == "cursor_invalid"
    assert late.call("GET", "/v1/reconciliation", query={"account": "nobody", "state": "open"}).code == \
        "account_not_found"
    assert late.call("PUT", "/v1/settings", {"lateUsage": "never"}).code in ("field_invalid", "invalid_value")
    assert late.call("PUT", "/v1/settings", {"closeBuffer": 5}).code == "unknown_member"


def test_settings_are_put_as_a_whole(late):
    usual = {"closeBufferSeconds": 3600, "lateUsage": "nextInvoice", "recomputeHorizonDays": 90}
    other = {"closeBufferSeconds": 0, "lateUsage": "reopen", "recomputeHorizonDays": 30}
    assert late.get("/v1/settings").items() >= usual.items()
    put = late.put("/v1/settings", other)
    assert put.items() >= other.items() and put == late.get("/v1/settings")
    assert late.put("/v1/settings", {"closeBufferSeconds": 60}).items() >= dict(usual, closeBufferSeconds=60).items()


def test_the_next_invoice_corrects_a_period_that_is_longer_than_the_horizon(late):
    policy(late, "nextInvoice", recomputeHorizonDays=30)
    subscribe(late, PER_CALL, period={"every": 3, "unit": "month"})
    use(late, 100, MONTHS[0])
    bill_month(late, 4)
    use(late, 200, MONTHS[2], "late")
    use(late, 1, MONTHS[4])
    assert [(line["of"]["period"]["start"], line["amount"]) for line in corrections(bill_month(late, 7))] == [
        (MONTHS[0], "2.00")]


def test_what_is_too_late_is_listed(late):
    subscribe(late, PER_CALL)
    use(late, 100, MONTHS[0], "in time")
    for month in range(2, 7):
        bill_month(late, month)
        use(late, 100, MONTHS[month - 1])
    use(late, 100, MONTHS[0], "too late")
    use(late, 100, MONTHS[3], "late")
    assert [line["of"]["period"]["start"] for line in corrections(bill_month(late, 7))] == [MONTHS[3]]
    [row] = late.get("/v1/usage/unbilled")["data"]
    assert (row["reason"], row["events"], row["accounts"]) == ("beyond_horizon", 1, [ACCOUNT])
    assert [example["uniqueId"] for example in row["examples"]] == ["too late"]
    policy(late, "nextInvoice", recomputeHorizonDays=365)
    assert late.get("/v1/usage/unbilled")["data"] == []
    use(late, 1, MONTHS[6], "some")
    assert [line["amount"] for line in corrections(bill_month(late, 8))] == ["1.00"]
    sums_hold(late, 1, 2, 3, 4, 5, 6, 7)


# ---- what reaches beyond its period

def test_a_level_that_changes_changes_the_periods_behind_it(late):
    late.meter("level", "timeWeighted", per="day")
    subscribe(late, {"id": "level", "meter": "level", "model": "perUnit", "unitPrice": "0.10"})
    late.send([{"meter": "level", "account": ACCOUNT, "uniqueId": "first", "value": 10, "ts": MONTHS[0]}])
    bill_month(late, 2)
    bill_month(late, 3)
    late.send([{"meter": "level", "account": ACCOUNT, "uniqueId": "late", "value": 20, "ts": "2031-01-22T00:00:00Z"}])
    april = bill_month(late, 4)
    assert [(line["of"]["period"]["start"], line["amount"]) for line in corrections(april)] == [
        (MONTHS[0], "10.00"), (MONTHS[1], "28.00")]  # 10 days and 28 of 10 more
    nothing_due(late)
    sums_hold(late, 1, 2, 3)
    assert [record["period"]["start"] for record in records(late)] == [MONTHS[0]]


def test_a_commitment_is_rated_over_its_term(late):
    subscribe(late, PER_CALL, commitment={"amount": "30.00", "term": {"every": 3, "unit": "month"}})
    use(late, 1000, MONTHS[0])
    for month in (2, 3):
        bill_month(late, month)
    use(late, 500, MONTHS[0], "late")
    bill_month(late, 4)
    sums_hold(late, 1, 2, 3)
    use(late, 5000, MONTHS[1], "more")
    bill_month(late, 5)
    sums_hold(late, 1, 2, 3, 4)
    balanced(late)


def test_two_who_settle_at_once_credit_once(late):
    policy(late, "creditNote")
    subscribe(late, PER_CALL)
    first = use(late, 1000, MONTHS[0])
    bill_month(late, 2)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 400}])
    apis = [Api(late.server) for _ in range(6)]
    threads = [threading.Thread(target=api.call, args=("POST", f"/v1/accounts/{ACCOUNT}/invoices")) for api in apis]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [note["total"] for note in notes(late)] == ["6.00"]
    assert [record["amount"] for record in records(late)] == ["-6.00"]
    sums_hold(late, 1)


def test_a_run_carries_it_too(late):
    policy(late, "nextInvoice", closeBufferSeconds=0)
    subscribe(late, FEE, PER_CALL)
    use(late, 1000, MONTHS[0])
    runs = []
    for month in (2, 3):
        advance(late, MONTHS[month - 1])
        run = late.expect(202, "POST", "/v1/runs", {"kind": "billing", "at": MONTHS[month - 1]},
                          headers={"Idempotency-Key": f"run{month}"})
        until(lambda: late.get(f"/v1/runs/{run['id']}")["status"] not in ("queued", "running"))
        runs.append(run["id"])
        use(late, 100, MONTHS[0], f"late{month}")
    assert [record["amount"] for record in records(late)] == ["1.00"]
    sums_hold(late, 2)
    assert [record["events"] for record in records(late, state="open")] == [1]


def run_at(api, month):
    advance(api, MONTHS[month - 1])
    run = api.expect(202, "POST", "/v1/runs", {"kind": "billing", "at": MONTHS[month - 1]},
                     headers={"Idempotency-Key": f"run{month}"})
    until(lambda: api.get(f"/v1/runs/{run['id']}")["status"] not in ("queued", "running"))


def test_a_run_over_many_accounts_credits_late_usage_once(late):
    policy(late, "creditNote", closeBufferSeconds=0)
    subscribe(late, FEE, PER_CALL)
    late.put("/v1/accounts/other", {"currency": "USD"})  # billed last in January: lines are read ahead since then
    late.subscribe("others", "other", plan(late, FEE, id="quarter", period={"every": 3, "unit": "month"}), MONTHS[0])
    run_at(late, 1)
    first = use(late, 1000, MONTHS[0])
    run_at(late, 2)
    late.post("/v1/measurements/amend", [{"uniqueId": first, "value": 400}])
    use(late, 100, MONTHS[1])
    run_at(late, 3)
    assert [note["total"] for note in notes(late)] == ["6.00"]
    invoices = late.get("/v1/invoices", query={"account": ACCOUNT, "limit": 1000})["data"]
    assert sorted(row["total"] for row in invoices) == ["50.00", "51.00", "60.00"]
    sums_hold(late, 1, 2)
    balanced(late)


def until(holds, seconds=60):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.parametrize("rule", ["nextInvoice", "creditNote"])
def test_an_invoice_that_is_made_again_knows_what_was_corrected_since(late, rule):
    policy(late, rule)
    subscribe(late, FEE, PER_CALL)
    bill(late)
    first = use(late, 1000, MONTHS[0])
    february = bill_month(late, 2)
    use(late, 500, MONTHS[0], "late")
    bill_month(late, 3)
    sums_hold(late, 1, 2)
    if rule == "creditNote":
        late.post("/v1/measurements/amend", [{"uniqueId": "late", "value": 300}])
        nothing_due(late)
        sums_hold(late, 1)
    late.post(f"/v1/invoices/{february['id']}/void", None)
    again = bill(late)
    assert again["at"] == MONTHS[1]
    sums_hold(late, 1, 2)
    nothing_due(late)
    late.post("/v1/measurements/void", {"uniqueIds": [first], "reason": "test"})
    bill_month(late, 4)
    if rule == "nextInvoice":
        bill(late)  # the correction stood alone at the boundary that was freed
    nothing_due(late)
    sums_hold(late, 1, 2, 3)
    balanced(late)


def test_a_level_from_before_the_subscription_counts_too(late):
    late.meter("level", "timeWeighted", per="day")
    api_plan = plan(late, {"id": "level", "meter": "level", "model": "perUnit", "unitPrice": "0.10"}, FEE)
    late.subscribe("sub", ACCOUNT, api_plan, "2031-01-22T00:00:00Z")
    late.subscribe("calls", ACCOUNT, plan(late, PER_CALL, id="other"), "2031-01-22T00:00:00Z")
    advance(late, MONTHS[1])
    for _ in range(2):
        bill(late)
    use(late, 100, MONTHS[0])  # of no subscription: it changes nothing
    late.send([{"meter": "level", "account": ACCOUNT, "uniqueId": "level", "value": 10, "ts": MONTHS[0]}])
    assert [record["subscription"] for record in records(late, state="open")] == ["sub"]
    march = bill_month(late, 3)
    assert [(line["of"]["period"]["start"], line["amount"]) for line in corrections(march)] == [
        ("2031-01-22T00:00:00Z", "10.00")]
    nothing_due(late)
