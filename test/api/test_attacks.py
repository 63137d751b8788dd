# SPDX-License-Identifier: Apache-2.0
"""Sequences of deeds that once left the books wrong, or said that they were."""
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from clock import advance, set_clock, test_project as project_folder
from test_revenue import key, ledger, revenue, run

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


def grant(api, amount, account="ada", **members):
    wanted = {"account": account, "amount": amount, **USD, "kind": "paid", "effectiveAt": "2030-01-01T00:00:00Z"}
    return api.expect(201, "POST", "/v1/grants", wanted | members, headers=key())["id"]


def final(api, *amounts, account="ada"):
    return api.post(f"/v1/invoices/{one_off(api, *amounts, account=account)['id']}/finalize", None)["id"]


@pytest.mark.parametrize("end", ["revoke", "expiry"])
def test_a_grant_ends_twice_at_one_instant(tested, end):
    expires = {"expiresAt": "2031-01-15T00:00:00Z"} if end == "expiry" else {}
    given = grant(tested, "10.00", price="9.00", **expires)
    invoices = [final(tested, "4.00") for _ in range(2)]
    advance(tested, "2031-02-01T00:00:00Z")  # and the clock stands
    for invoice in [None, *invoices]:
        if invoice:
            tested.post(f"/v1/invoices/{invoice}/void", None)
            assert tested.get(f"/v1/grants/{given}")["remaining"] == "4.00"
        if end == "expiry":
            run(tested, "expiry")
        else:
            tested.post(f"/v1/grants/{given}/revoke", {"mode": "refund"}, headers=key())
        assert tested.get(f"/v1/grants/{given}")["remaining"] == "0.00"
        run(tested, "reconcile")


FEE = {"id": "fee", "model": "flat", "amount": "31.00", "timing": "advance"}


def subscribed(api, *charges):
    api.publish("plan", {**USD, "charges": list(charges)}, effective="2030-01-01T00:00:00Z")
    api.subscribe("sub", "ada", "plan", "2031-01-01T00:00:00Z")


def bill(api, account="ada"):
    return api.post(f"/v1/invoices/{api.post(f'/v1/accounts/{account}/invoices', None)['id']}/finalize", None)


def nothing_due(api, account="ada"):
    answer = api.call("POST", f"/v1/accounts/{account}/invoices")
    assert (answer.status, answer.code) == (409, "nothing_due"), answer


def test_a_cancellation_at_the_instant_of_the_last_invoice_is_credited(tested):
    """The clock of a test project stands while the invoice is made and the subscription ends."""
    subscribed(tested, FEE)
    assert bill(tested)["total"] == "31.00"
    tested.post("/v1/subscriptions/sub/cancel", {})
    advance(tested, "2031-01-02T00:00:00Z")
    credit = bill(tested)["document"]
    assert (credit["toBalance"], [line["amount"] for line in credit["lines"]]) == ("31.00", ["-31.00"])
    nothing_due(tested)
    run(tested, "accrual")
    run(tested, "reconcile")
    assert (ledger(tested, "deferred"), ledger(tested, "customerBalance"), revenue(tested)) == (0, 31, {})


@pytest.mark.parametrize("clock", [True, False])
def test_what_ended_at_its_last_invoice_is_not_billed_again(fresh, tmp_path, clock):
    api = fresh(data=project_folder(tmp_path)) if clock else fresh()
    if clock:
        set_clock(api, "2031-01-01T00:00:00Z")
    api.put("/v1/accounts/ada", USD)
    api.publish("plan", {**USD, "charges": [{"id": "late", "model": "flat", "amount": "31.00"}]})
    api.subscribe("sub", "ada", "plan", "2026-01-01T00:00:00Z")
    api.post("/v1/subscriptions/sub/cancel", {})
    while api.call("POST", "/v1/accounts/ada/invoices").status == 200:
        bill(api)
    nothing_due(api)
    run(api, "billing")
    run(api, "reconcile")


@pytest.mark.parametrize("text", ["\uffff", "\ufdd0", "a\U0001fffeb", "\U0010ffff"])
def test_a_text_that_is_no_character_is_drawn(tested, text):
    made = tested.expect(201, "POST", "/v1/invoices", {"account": "ada", **USD, "memo": text, "lines": [
        {"description": text, "amount": "1.00"}]}, headers=key())
    assert tested.post(f"/v1/invoices/{made['id']}/finalize", None)["document"]["memo"] == text
    drawn = tested.call("GET", f"/v1/invoices/{made['id']}/pdf")
    assert (drawn.status, drawn.body[:5]) == (200, b"%PDF-"), drawn


CALLS = {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}


def test_an_invoice_whose_credit_went_back_with_a_later_one(tested):
    """Voiding it gave back what was drawn less what had gone back: receivable was short of that for ever."""
    tested.meter("calls")
    subscribed(tested, CALLS)
    given = grant(tested, "10.00", kind="promotional")
    for id, value in (("kept", 500), ("gone", 300)):
        tested.send([{"meter": "calls", "account": "ada", "uniqueId": id, "value": value}])
    advance(tested, "2031-02-01T00:00:00Z")
    january = bill(tested)
    assert (january["total"], january["credits"]) == ("8.00", "-8.00")
    tested.post("/v1/measurements/void", {"uniqueIds": ["gone"]})
    tested.send([{"meter": "calls", "account": "ada", "uniqueId": "more", "value": 400}])
    advance(tested, "2031-03-01T00:00:00Z")
    february = bill(tested)
    assert (february["document"]["creditsRestored"], february["total"]) == ("3.00", "4.00")
    refused = tested.call("POST", f"/v1/invoices/{january['id']}/void")
    assert (refused.status, refused.code) == (409, "invoice_has_payments"), refused
    run(tested, "reconcile")
    for invoice in (february, january):
        tested.post(f"/v1/invoices/{invoice['id']}/void", None)
        run(tested, "reconcile")
    assert ledger(tested, "receivable") == 0 and tested.get(f"/v1/grants/{given}")["remaining"] == "10.00"


def test_a_change_of_long_ago_at_the_instant_of_an_invoice(tested):
    """It was on no invoice: the one at the instant was there already, and the next looked at its own periods."""
    seats = {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "31.00", "timing": "advance"}
    tested.publish("plan", {**USD, "charges": [seats]}, effective="2030-01-01T00:00:00Z")
    tested.subscribe("sub", "ada", "plan", "2031-01-01T00:00:00Z", quantities={"seats": 1})
    bill(tested)
    for month in ("02", "03"):
        advance(tested, f"2031-{month}-01T00:00:00Z")
        bill(tested)
    tested.post("/v1/subscriptions/sub/change", {"quantities": {"seats": 2}, "effectiveAt": "2031-01-11T00:00:00Z"})
    [foreseen] = tested.get("/v1/accounts/ada/upcomingInvoice")["data"]
    advance(tested, "2031-04-01T00:00:00Z")
    april = bill(tested)
    assert april["total"] == foreseen["total"] == "145.00"  # 21.00 of January, 31.00, 31.00, and 62.00 of April
    billed = [tested.bill("sub", at=f"2031-0{month}-15T00:00:00Z")["total"] for month in (1, 2, 3, 4)]
    assert ledger(tested, "receivable") == sum(map(Decimal, billed))


@pytest.mark.parametrize("percents", [("19", "25"), ("19", "25", "19", "7")])
def test_a_correction_bears_the_tax_of_its_line_whatever_rates_came_since(tested, percents):
    """A version with an earlier effectiveFrom came behind the invoice: what fell was given back at its percent."""
    tested.meter("calls")
    tested.put("/v1/taxRates/vat", {"percent": percents[0]})
    tested.put("/v1/accounts/ada", USD | {"taxRates": ["vat"]})
    subscribed(tested, CALLS)
    tested.send([{"meter": "calls", "account": "ada", "uniqueId": "gone", "value": 1000}])
    advance(tested, "2031-02-01T00:00:00Z")
    assert bill(tested)["total"] == "11.90"
    for day, percent in enumerate(percents[1:], 10):
        tested.put("/v1/taxRates/vat", {"percent": percent, "effectiveFrom": f"2031-01-{day}T00:00:00Z"})
    tested.post("/v1/measurements/void", {"uniqueIds": ["gone"]})
    tested.send([{"meter": "calls", "account": "ada", "uniqueId": "more", "value": 1000}])
    advance(tested, "2031-03-01T00:00:00Z")
    march = bill(tested)["document"]
    assert sorted((line["amount"], line["tax"]) for line in march["lines"]) == [
        ("-10.00", "-1.90"), ("10.00", f"{Decimal(percents[-1]) / 10:.2f}")]
    run(tested, "reconcile")


@pytest.mark.parametrize("change", ["rate", "exempt"])
def test_a_fee_that_comes_back_brings_the_tax_that_was_asked_for_it(tested, change):
    tested.put("/v1/taxRates/vat", {"percent": "19"})
    tested.put("/v1/accounts/ada", USD | {"taxRates": ["vat"]})
    subscribed(tested, FEE)
    assert bill(tested)["total"] == "36.89"
    if change == "rate":
        tested.put("/v1/taxRates/vat", {"percent": "25", "effectiveFrom": "2031-01-05T00:00:00Z"})
    else:
        tested.put("/v1/accounts/ada", USD | {"taxRates": ["vat"], "taxStatus": "exempt"})
    advance(tested, "2031-01-11T00:00:00Z")
    canceled = tested.post("/v1/subscriptions/sub/cancel", {})["invoice"]
    credit = bill(tested)["document"]
    assert [(line["amount"], line["tax"], line.get("of")) for line in credit["lines"]] == [("-21.00", "-3.99", None)]
    assert credit["toBalance"] == canceled["toBalance"] == "24.99"
    run(tested, "reconcile")


@pytest.mark.parametrize("by_run", [False, True])
def test_a_wallet_that_an_invoice_empties_asks_for_more(tested, by_run):
    """Only charges asked, so who pays for usage with credit was never asked to top it up."""
    subscribed(tested, dict(FEE, amount="6.00"))
    grant(tested, "10.00")
    grant(tested, "9.00", expiresAt="2031-01-01T00:00:00Z")  # of no use any more
    tested.put("/v1/topUpRules/rule", {"account": "ada", **USD, "threshold": "5", "target": "20"})
    run(tested, "billing") if by_run else bill(tested)
    [asked] = tested.get("/v1/topUps")["data"]
    assert (asked["available"], asked["amount"], asked["state"]) == ("4.00", "16.00", "pending")
    final(tested, "1.00")
    assert len(tested.get("/v1/topUps")["data"]) == 1  # one at a time
    run(tested, "reconcile")


def test_a_charge_that_is_refused_says_what_there_is_for_it(tested):
    grant(tested, "10.00", appliesTo={"charges": ["calls"]})
    grant(tested, "3.00")
    refused = tested.call("POST", "/v1/charges", {"account": "ada", **USD, "amount": "4", "collect": "wallet",
                                                  "chargeKey": "one"})
    assert (refused.status, refused.code) == (402, "insufficient_balance")
    assert refused.json["detail"] == "3.00 USD is available for one-off charges"


def test_a_change_to_come_and_an_end_at_the_instant_of_an_invoice(tested):
    """The change to come made an invoice after the end, which looked at nothing that had ended."""
    seats = {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "10.00", "timing": "advance",
             "period": {"every": 1, "unit": "month"}}
    year = dict(FEE, amount="365.00")
    tested.publish("plan", {**USD, "charges": [year, seats], "period": {"every": 1, "unit": "year"}},
                   effective="2030-01-01T00:00:00Z")
    tested.subscribe("sub", "ada", "plan", "2031-01-01T00:00:00Z", quantities={"seats": 1})
    bill(tested)
    advance(tested, "2031-02-01T00:00:00Z")
    bill(tested)
    tested.post("/v1/subscriptions/sub/change", {"quantities": {"seats": 3}, "effectiveAt": "2031-02-02T00:00:00Z"})
    tested.post("/v1/subscriptions/sub/cancel", {})
    advance(tested, "2031-02-05T00:00:00Z")
    run(tested, "billing")
    assert ledger(tested, "receivable") - ledger(tested, "customerBalance") == 31 + 10  # January's
    nothing_due(tested)


@pytest.mark.parametrize("policy", ["nextInvoice", "creditNote"])
@pytest.mark.parametrize("inclusive", [False, True])
def test_what_a_note_gave_back_is_not_given_back_again(tested, policy, inclusive):
    tested.put("/v1/settings", {"lateUsage": policy})
    tested.put("/v1/taxRates/vat", {"percent": "25", "inclusive": inclusive})
    tested.put("/v1/accounts/ada", USD | {"taxRates": ["vat"]})
    tested.meter("calls")
    subscribed(tested, CALLS, FEE)
    for id in ("gone", "going", "kept"):
        tested.send([{"meter": "calls", "account": "ada", "uniqueId": id, "value": 400}])
    bill(tested)
    advance(tested, "2031-02-01T00:00:00Z")
    january = bill(tested)
    tested.post(f"/v1/invoices/{january['id']}/pay", {}, headers=key())
    number, = [line["number"] for line in january["document"]["lines"] if line["charge"] == "calls"]
    note = tested.expect(201, "POST", "/v1/creditNotes", {
        "invoice": january["id"], "reasonCode": "goodwill", "apply": "refund",
        "lines": [{"line": number, "amount": "4.80" if inclusive else "6.00"}]}, headers=key())  # 6.00 of the 12.00
    assert note["total"] == ("6.00" if inclusive else "7.50")
    given = []
    for day, id in enumerate(("gone", "going"), 1):
        tested.post("/v1/measurements/void", {"uniqueIds": [id]})
        advance(tested, f"2031-0{2 + day}-01T00:00:00Z")
        if policy == "creditNote":
            run(tested, "billing")
            given += [line["amount"] for row in tested.get("/v1/creditNotes")["data"] for line in row["lines"]
                      if row["reasonCode"] == "lateUsage"][:1]
        else:
            given += [line["amount"] for line in bill(tested)["document"]["lines"] if line.get("of")]
        run(tested, "reconcile")
    # 4.00 had gone back with the note, and so had 2.00 of the other 4.00.
    assert given == [("1.60" if inclusive else "2.00") if policy == "creditNote" else "-2.00"]


def test_what_an_invoice_took_back_no_note_gives_back_again(tested):
    tested.put("/v1/settings", {"lateUsage": "nextInvoice"})
    tested.meter("calls")
    subscribed(tested, CALLS, FEE)
    for id in ("gone", "going", "kept"):
        tested.send([{"meter": "calls", "account": "ada", "uniqueId": id, "value": 400}])
    bill(tested)
    advance(tested, "2031-02-01T00:00:00Z")
    january = bill(tested)
    tested.post(f"/v1/invoices/{january['id']}/pay", {}, headers=key())
    number, = [line["number"] for line in january["document"]["lines"] if line["charge"] == "calls"]
    tested.post("/v1/measurements/void", {"uniqueIds": ["gone"]})
    advance(tested, "2031-03-01T00:00:00Z")
    february = bill(tested)
    assert [line["amount"] for line in february["document"]["lines"] if line.get("of")] == ["-4.00"]

    def credit(wanted):
        return tested.call("POST", "/v1/creditNotes", {"invoice": january["id"], "reasonCode": "x", "apply": "refund",
                                                       **wanted}, headers=key())
    refused = credit({"lines": [{"line": number, "amount": "8.01"}]})
    assert (refused.status, refused.code) == (422, "field_invalid"), refused
    assert "8.00 is left of that line" in str(refused.json)
    given = credit({}).json
    assert {line["line"]: line["amount"] for line in given["lines"]}[number] == "8.00"
    refused = credit({"lines": [{"line": number, "amount": "0.01"}]})
    assert "0.00 is left of that line" in str(refused.json)
    tested.post("/v1/measurements/void", {"uniqueIds": ["going"]})
    advance(tested, "2031-04-01T00:00:00Z")
    assert not [line for line in bill(tested)["document"]["lines"] if line.get("of")]
    run(tested, "reconcile")


def test_a_fee_that_a_note_gave_back_does_not_come_back_again(tested):
    subscribed(tested, FEE)
    invoice = bill(tested)
    tested.expect(201, "POST", "/v1/creditNotes", {"invoice": invoice["id"], "reasonCode": "x"}, headers=key())
    advance(tested, "2031-01-11T00:00:00Z")
    canceled = tested.post("/v1/subscriptions/sub/cancel", {})["invoice"]
    assert canceled["toBalance"] == "0.00"
    run(tested, "billing")
    run(tested, "accrual")
    run(tested, "reconcile")
    assert (ledger(tested, "receivable"), ledger(tested, "customerBalance"), ledger(tested, "deferred")) == (0, 0, 0)
    nothing_due(tested)


def test_a_discount_of_what_was_billed_comes_back_whole(tested):
    subscribed(tested, FEE)
    bill(tested)
    advance(tested, "2031-01-02T00:00:00Z")
    tested.post("/v1/subscriptions/sub/change", {"overrides": {"discounts": {"x": {"percent": "10"}}},
                                                 "effectiveAt": "2031-01-01T00:00:00Z"})
    given = bill(tested)["document"]
    assert [(line["amount"], line["discount"]) for line in given["lines"]] == [("0.00", "-3.10")]
    assert given["toBalance"] == "3.10"
    run(tested, "reconcile")


def invoice(api):
    draft = api.post("/v1/accounts/ada/invoices", None)
    return api.post(f"/v1/invoices/{draft['id']}/finalize", None)


def test_what_comes_late_behind_a_change_is_a_correction(fresh):
    """Of real time: a change's invoice is of the instant at which it was recorded."""
    api = fresh()
    api.meter("calls")
    api.put("/v1/accounts/ada", USD)
    now = datetime.now(timezone.utc)
    start, used = ((now - timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z") for days in (10, 5))
    for id, charges, months in (("first", [FEE, CALLS], 1), ("second", [FEE], 3)):
        api.publish(id, {"currency": "USD", "charges": charges, "period": {
            "every": months, "unit": "month", "anchor": "subscription"}}, effective=start)
    api.subscribe("sub", "ada", "first", start)
    invoice(api)
    api.send([{"meter": "calls", "account": "ada", "uniqueId": "first", "value": 100, "ts": used}])
    api.post("/v1/subscriptions/sub/change", {"plan": "second", "effectiveAt": "now"})
    changed = invoice(api)
    assert ("calls", "1.00") in [(line["charge"], line["amount"]) for line in changed["document"]["lines"]]
    api.send([{"meter": "calls", "account": "ada", "uniqueId": "late", "value": 200, "ts": used}])
    [upcoming] = api.get("/v1/accounts/ada/upcomingInvoice")["data"]
    [line] = [line for line in upcoming["lines"] if line["charge"] == "calls"]
    assert (line["amount"], line["of"]["invoice"]) == ("2.00", changed["id"])
