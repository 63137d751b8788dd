# SPDX-License-Identifier: Apache-2.0
"""Changes of a subscription's life: what they come to before they are made is what is billed afterwards."""
import datetime as dt
import random
from decimal import Decimal

import pytest

JUNE, HALF, JULY = "2026-06-01T00:00:00Z", "2026-06-16T00:00:00Z", "2026-07-01T00:00:00Z"


@pytest.fixture
def sold(api, n):
    """sold(charges, …) -> (subscription, account): a plan of its own from 1 June on."""
    def make(charges, starts=JUNE, account=None, quantities=None, plan=None, plan_since="2020-01-01T00:00:00Z",
             **members):
        plan, account = plan or n("plan"), account or n("acct")
        api.put(f"/v1/accounts/{account}", {})
        api.publish(plan, {"currency": "USD", "charges": charges, **members}, plan_since)
        more = {"quantities": quantities} if quantities else {}
        return api.subscribe(n("sub"), account, plan, starts, **more)["id"], account
    return make


def flat(amount, id="platform", timing="advance", **members):
    return {"id": id, "model": "flat", "amount": amount, "timing": timing, **members}


def seats(price, timing="advance", **members):
    return {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": price, "timing": timing, **members}


def ask(api, sub, kind, rated=None, **body):
    query = {"ratedAt": rated} if rated else None
    return api.post(f"/v1/subscriptions/{sub}/{kind}", body, query=query)


def tried(api, sub, kind, rated=None, **body):
    return ask(api, sub, kind, rated, dryRun=True, **body)


def amounts(invoice):
    return [(line["charge"], line["amount"]) for line in invoice["lines"]]


# ---- worked by hand

def test_an_upgrade_credits_the_rest_and_bills_the_new_plan(api, n, sold):
    """30 days at 100.00, upgraded after 15: 50.00 back, 100.00 for the rest of 200.00."""
    sub, account = sold([flat("100")])
    big = n("plan")
    api.publish(big, {"currency": "USD", "charges": [flat("200")]})
    answer = tried(api, sub, "change", rated=HALF, plan=big, effectiveAt=HALF)
    invoice = answer["invoice"]
    assert invoice["at"] == HALF
    assert amounts(invoice) == [("platform", "-50.00"), ("platform", "100.00")]
    assert [line["steps"][-1] for line in invoice["lines"]][0] == {
        "op": "billed", "billed": "100.00", "amount": "-50.00"}
    assert (invoice["subtotal"], invoice["total"], invoice["toBalance"], invoice["amountDue"]) == (
        "50.00", "50.00", "0.00", "50.00")
    assert amounts(answer["upcomingInvoice"]) == [("platform", "200.00")]
    assert answer["upcomingInvoice"]["at"] == JULY
    assert answer["bill"]["total"] == "150.00"
    assert answer["change"]["plan"] == big and answer["change"]["planVersion"] == 1
    assert api.get(f"/v1/subscriptions/{sub}")["changes"] == []


def test_a_downgrade_goes_to_the_balance(api, n, sold):
    sub, account = sold([flat("200")])
    small = n("plan")
    api.publish(small, {"currency": "USD", "charges": [flat("100")]})
    invoice = tried(api, sub, "change", rated=HALF, plan=small, effectiveAt=HALF)["invoice"]
    assert amounts(invoice) == [("platform", "-100.00"), ("platform", "50.00")]
    assert (invoice["subtotal"], invoice["total"], invoice["toBalance"]) == ("-50.00", "0.00", "50.00")


def test_what_both_plans_define_alike_goes_on(api, n, sold, event):
    """Usage of a charge that did not change keeps its tiers over the change of plan."""
    meter = api.meter(n("meter"))["id"]
    calls = {"id": "calls", "meter": meter, "model": "graduated",
             "tiers": [{"upTo": "10", "unitPrice": "1"}, {"unitPrice": "0.5"}]}
    sub, account = sold([flat("100"), calls])
    big, other = n("plan"), n("plan")
    api.publish(big, {"currency": "USD", "charges": [flat("200"), calls]})
    api.publish(other, {"currency": "USD", "charges": [flat("200"), {**calls, "included": "0"}]})
    api.send([event(meter, account, value=8, ts="2026-06-10T00:00:00Z"),
              event(meter, account, value=8, ts="2026-06-20T00:00:00Z")])
    same = tried(api, sub, "change", rated=JULY, plan=big, effectiveAt=HALF)["bill"]
    assert [(line["usage"], line["amount"]) for line in same["lines"] if line["charge"] == "calls"] == [("16", "13.00")]
    cut = tried(api, sub, "change", rated=JULY, plan=other, effectiveAt=HALF)["bill"]
    assert [(line["usage"], line["amount"]) for line in cut["lines"] if line["charge"] == "calls"] == [
        ("8", "8.00"), ("8", "8.00")]


def test_a_share_of_charges_goes_on_with_them_or_not_at_all(api, sold):
    """percentOf 10 % comes on the 16th: of 100.00 it is 10 % of the half that it is there for."""
    sub, account = sold([flat("100", timing="arrears")])
    share = {"id": "share", "model": "percentOf", "charges": ["platform"], "ratePercent": "10"}
    bill = tried(api, sub, "change", rated=JULY, effectiveAt=HALF, overrides={"charges": {"share": share}})["bill"]
    assert [(line["charge"], line["amount"]) for line in bill["lines"]] == [
        ("platform", "50.00"), ("platform", "50.00"), ("share", "5.00")]


def test_a_rival_charge_that_goes_takes_no_event_with_it(api, n, sold, event):
    """Until the 16th the events of eu were another charge's; each is billed once."""
    meter = api.meter(n("meter"), dimensions=["region"])["id"]
    rest = {"id": "rest", "meter": meter, "model": "perUnit", "unitPrice": "1"}
    eu = {**rest, "id": "eu", "unitPrice": "2", "filter": {"region": ["eu"]}}
    sub, account = sold([rest, eu])
    api.send([event(meter, account, ts=f"2026-06-{day}T00:00:00Z", region=region)
              for day in (10, 20) for region in ("eu", "us")])
    bill = tried(api, sub, "change", rated=JULY, effectiveAt=HALF, overrides={"charges": {"eu": None}})["bill"]
    assert [(line["charge"], line["usage"]) for line in bill["lines"]] == [("rest", "1"), ("eu", "1"), ("rest", "2")]


def test_the_version_of_each_line(api, n, sold):
    plan = n("plan")
    sub, account = sold([flat("100"), flat("10", id="support")], plan=plan)
    api.publish(plan, {"currency": "USD", "charges": [flat("200"), flat("10", id="support")]}, "2026-06-05T00:00:00Z")
    bill = tried(api, sub, "change", rated=HALF, planVersion=2, effectiveAt=HALF)["bill"]
    assert [(line["charge"], line["planVersion"], line["amount"]) for line in bill["lines"]] == [
        ("platform", 1, "50.00"), ("platform", 2, "100.00"), ("support", 2, "10.00")]


def test_seats_rise_now_and_fall_with_the_next_period(api, sold):
    sub, account = sold([seats("10")], quantities={"seats": 5})
    up = tried(api, sub, "change", rated=HALF, quantities={"seats": 7}, effectiveAt=HALF)
    assert amounts(up["invoice"]) == [("seats", "10.00")]
    assert amounts(up["upcomingInvoice"]) == [("seats", "70.00")]
    down = tried(api, sub, "change", rated=HALF, quantities={"seats": 3}, effectiveAt=HALF)
    assert amounts(down["invoice"]) == []
    assert down["bill"]["total"] == "50.00"
    assert amounts(down["upcomingInvoice"]) == [("seats", "30.00")]


def test_seats_that_fall_with_a_credit(api, sold):
    sub, account = sold([seats("10", onDecrease="credit")], quantities={"seats": 5})
    down = tried(api, sub, "change", rated=HALF, quantities={"seats": 3}, effectiveAt=HALF)
    assert amounts(down["invoice"]) == [("seats", "-10.00")]
    assert down["bill"]["total"] == "40.00"


def test_an_increase_that_waits_for_the_next_invoice(api, sold):
    sub, account = sold([seats("10", onIncrease="nextInvoice"), flat("100")], quantities={"seats": 5})
    up = tried(api, sub, "change", rated=HALF, quantities={"seats": 7}, effectiveAt=HALF)
    assert amounts(up["invoice"]) == []
    assert amounts(up["upcomingInvoice"]) == [("seats", "10.00"), ("seats", "70.00"), ("platform", "100.00")]
    assert up["bill"]["total"] == "160.00"


def test_an_increase_that_counts_with_the_next_period(api, sold):
    sub, account = sold([seats("10", onIncrease="nextPeriod")], quantities={"seats": 5})
    up = tried(api, sub, "change", rated=HALF, quantities={"seats": 7}, effectiveAt=HALF)
    assert amounts(up["invoice"]) == []
    assert amounts(up["upcomingInvoice"]) == [("seats", "70.00")]
    assert up["bill"]["total"] == "50.00"


def test_cancel_with_and_without_credit(api, n, sold, event):
    meter = api.meter(n("meter"))["id"]
    sub, account = sold([flat("100"), {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}])
    api.send([event(meter, account, value=3, ts="2026-06-10T00:00:00Z"),
              event(meter, account, value=4, ts="2026-06-20T00:00:00Z")])
    prorated = tried(api, sub, "cancel", rated=HALF, at=HALF)
    assert amounts(prorated["invoice"]) == [("platform", "-50.00"), ("calls", "3.00")]
    assert (prorated["invoice"]["total"], prorated["invoice"]["toBalance"]) == ("0.00", "47.00")
    assert prorated["upcomingInvoice"] is None
    assert prorated["bill"]["total"] == "53.00"
    none = tried(api, sub, "cancel", rated=HALF, at=HALF, credit="none")
    assert amounts(none["invoice"]) == [("calls", "3.00")]
    assert none["bill"]["total"] == "103.00"
    assert none["bill"]["period"] == {"start": JUNE, "end": HALF}


def test_cancel_at_the_end_of_the_period(api, sold):
    sub, account = sold([flat("100"), flat("7", id="support", timing="arrears")])
    answer = tried(api, sub, "cancel", rated=HALF, at="periodEnd")
    assert answer["change"]["effectiveAt"] == answer["invoice"]["at"] == JULY
    assert amounts(answer["invoice"]) == [("support", "7.00")]
    assert answer["upcomingInvoice"] == answer["invoice"]


def test_cancel_as_it_began_gives_everything_back(api, sold):
    sub, account = sold([flat("100")])
    answer = tried(api, sub, "cancel", rated="2026-06-03T00:00:00Z", at=JUNE)
    assert amounts(answer["invoice"]) == [("platform", "-100.00")]
    assert answer["invoice"]["toBalance"] == "100.00"
    assert answer["bill"] is None and answer["upcomingInvoice"] is None


def test_a_pause_stops_fees_and_usage_as_it_says(api, n, sold, event):
    meter = api.meter(n("meter"))["id"]
    sub, account = sold([flat("30"), {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}])
    api.send([event(meter, account, value=3, ts="2026-06-10T00:00:00Z"),
              event(meter, account, value=4, ts="2026-06-20T00:00:00Z"),
              event(meter, account, value=5, ts="2026-06-28T00:00:00Z")])
    for usage, count in (("billed", "12"), ("free", "8")):
        sub, account = sold([flat("30"), {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}])
        api.send([event(meter, account, value=3, ts="2026-06-10T00:00:00Z"),
                  event(meter, account, value=4, ts="2026-06-20T00:00:00Z"),
                  event(meter, account, value=5, ts="2026-06-28T00:00:00Z")])
        paused = ask(api, sub, "pause", at=HALF, usage=usage)
        assert paused["subscription"]["status"] == "paused"
        ask(api, sub, "resume", at="2026-06-26T00:00:00Z")
        lines = {line["charge"]: line for line in api.bill(sub, at=HALF)["lines"]}
        assert lines["platform"]["amount"] == "20.00"
        assert lines["calls"]["usage"] == count
        assert api.bill(sub, at="2026-07-15T00:00:00Z")["total"] == "30.00"


def test_a_plan_of_another_period_begins_anew_at_the_change(api, n, sold):
    sub, account = sold([flat("31")])
    yearly = n("plan")
    api.publish(yearly, {"currency": "USD", "charges": [flat("365")],
                         "period": {"unit": "year", "anchor": "subscription"}})
    answer = tried(api, sub, "change", rated=HALF, plan=yearly, effectiveAt=HALF)
    assert amounts(answer["invoice"]) == [("platform", "-15.50"), ("platform", "365.00")]
    assert answer["bill"]["period"] == {"start": HALF, "end": "2027-06-16T00:00:00Z"}
    assert answer["upcomingInvoice"]["at"] == "2027-06-16T00:00:00Z"


def test_a_change_that_is_known_late_corrects_every_period_since(api, n, sold):
    """Invoices of June and July were made before anybody knew."""
    sub, account = sold([flat("100")])
    big = n("plan")
    api.publish(big, {"currency": "USD", "charges": [flat("200")]})
    answer = tried(api, sub, "change", rated="2026-07-10T00:00:00Z", plan=big, effectiveAt=HALF)
    assert [(line["period"]["start"], line["amount"]) for line in answer["invoice"]["lines"]] == [
        (JUNE, "-50.00"), (HALF, "100.00"), (JULY, "100.00")]
    assert answer["invoice"]["at"] == "2026-07-10T00:00:00Z"


def test_a_bill_knows_what_was_recorded_by_then(api, sold):
    sub, account = sold([flat("100")])
    ask(api, sub, "cancel", at=HALF)
    assert api.bill(sub, at="2026-06-20T00:00:00Z", ratedAt="2026-06-25T00:00:00Z")["total"] == "100.00"
    answer = api.call("GET", f"/v1/subscriptions/{sub}/bill", query={"at": "2026-06-20T00:00:00Z"})
    assert (answer.status, answer.code) == (422, "outside_subscription")


def test_a_charge_apart_from_what_is_the_subscriptions_own_counts_nothing(api, n, event):
    """Like a filter that no event matches: 0 for a sum, one empty window for a count of windows."""
    meter, windows = n("meter"), n("meter")
    api.meter(meter, dimensions=["region"])
    api.meter(windows, "count", event=meter, dimensions=["region"], window={"unit": "month", "aggregation": "count"})
    account, plan = n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {})
    us = {"model": "perUnit", "unitPrice": "1", "filter": {"region": ["us"]}}
    api.publish(plan, {"currency": "USD", "charges": [{"id": "sum", "meter": meter, **us},
                                                      {"id": "windows", "meter": windows, **us}]})
    api.send([event(meter, account, ts="2026-06-10T00:00:00Z", region=region) for region in ("eu", "us")])
    used = {}
    for region in ("eu", "ap", "us"):
        sub = api.subscribe(n("sub"), account, plan, JUNE, usageFilter={"region": [region]})["id"]
        used[region] = [line["usage"] for line in api.bill(sub, at=HALF)["lines"]]
    assert used == {"eu": ["0", "1"], "ap": ["0", "1"], "us": ["1", "1"]}


# ---- invoices

def test_the_upcoming_invoice_is_one_a_currency(api, n):
    account = n("acct")
    api.put(f"/v1/accounts/{account}", {})
    for currency, amount, unit in (("USD", "10", "month"), ("USD", "20", "month"), ("USD", "365", "year"),
                                   ("EUR", "5", "year")):
        plan = n("plan")
        api.publish(plan, {"currency": currency, "charges": [flat(amount)],
                           "period": {"unit": unit, "anchor": "calendar"}})
        api.subscribe(n("sub"), account, plan, "2026-01-01T00:00:00Z")
    data = api.get(f"/v1/accounts/{account}/upcomingInvoice", query={"ratedAt": HALF})["data"]
    assert [(invoice["currency"], invoice["at"], amounts(invoice)) for invoice in data] == [
        ("EUR", "2027-01-01T00:00:00Z", [("platform", "5.00")]),
        ("USD", JULY, [("platform", "10.00"), ("platform", "20.00")])]
    assert data[1]["total"] == data[1]["amountDue"] == "30.00"
    assert len({line["subscription"] for line in data[1]["lines"]}) == 2


def test_the_first_invoice_in_advance_is_due_at_the_start(api, sold):
    sub, account = sold([flat("100")])
    data = api.get(f"/v1/accounts/{account}/upcomingInvoice", query={"ratedAt": "2026-05-20T00:00:00Z"})["data"]
    assert [(invoice["at"], invoice["total"]) for invoice in data] == [(JUNE, "100.00")]


def test_a_charge_of_its_own_period_has_its_own_invoices(api, n, sold, event):
    meter = api.meter(n("meter"))["id"]
    sub, account = sold([flat("1200"), {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1",
                                        "period": {"every": 1, "unit": "month"}}],
                        starts="2026-01-01T00:00:00Z", period={"unit": "year"})
    api.send([event(meter, account, value=3, ts="2026-03-10T00:00:00Z")])
    data = api.get(f"/v1/accounts/{account}/upcomingInvoice", query={"ratedAt": "2026-03-15T00:00:00Z"})["data"]
    assert [(invoice["at"], amounts(invoice)) for invoice in data] == [("2026-04-01T00:00:00Z", [("calls", "3.00")])]


def test_the_term_of_a_commitment_is_settled_in_its_last_period(api, n, sold, event):
    """300.00 over June, July and August, at 50.00 of usage a month: what is missing is due with August."""
    meter = api.meter(n("meter"))["id"]
    calls = {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}
    sub, account = sold([calls], commitment={"amount": "300", "term": {"every": 3, "unit": "month"}})
    api.send([event(meter, account, value=50, ts=f"2026-0{month}-10T00:00:00Z") for month in (6, 7, 8, 9)])
    totals = [api.bill(sub, at=f"2026-0{month}-15T00:00:00Z")["total"] for month in (6, 7, 8, 9)]
    assert totals == ["50.00", "50.00", "200.00", "50.00"]
    ended = tried(api, sub, "cancel", rated="2026-07-17T00:00:00Z", at="2026-07-17T00:00:00Z")
    # 46 of 92 days: 150.00, of which 100.00 were used.
    assert [(line["kind"], line["amount"]) for line in ended["invoice"]["lines"]] == [
        ("usage", "50.00"), ("trueUp", "50.00")]


def test_a_new_price_within_the_term_of_a_commitment(api, n, sold, event):
    """Progress goes on under another version; the amount is that of the last one."""
    meter, plan = api.meter(n("meter"))["id"], n("plan")
    calls = {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}
    commitment = {"amount": "300", "term": {"every": 3, "unit": "month"}}
    sub, account = sold([calls], plan=plan, commitment=commitment)
    api.publish(plan, {"currency": "USD", "charges": [{**calls, "unitPrice": "2"}], "commitment": commitment},
                "2026-06-02T00:00:00Z")
    api.send([event(meter, account, value=50, ts=f"2026-0{month}-{day}T00:00:00Z")
              for month in (6, 7, 8) for day in (10, 20)])
    ask(api, sub, "change", planVersion=2, effectiveAt="2026-07-15T00:00:00Z")
    totals = [api.bill(sub, at=f"2026-0{month}-25T00:00:00Z")["total"] for month in (6, 7, 8)]
    assert totals == ["100.00", "150.00", "200.00"]  # 450 are more than 300: nothing is missing


def test_a_commitment_that_is_come_back_to_begins_a_new_term(api, n, sold, event):
    """June under the plan, July under another, August again: 300.00 from August on, and nothing of July counts."""
    meter, other, plan = api.meter(n("meter"))["id"], n("other"), n("plan")
    calls = {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}
    commitment = {"amount": "300", "term": {"every": 3, "unit": "month"}}
    sub, account = sold([calls], plan=plan, commitment=commitment)
    api.publish(other, {"currency": "USD", "charges": [calls]}, "2026-06-01T00:00:00Z")
    api.send([event(meter, account, value=50, ts=f"2026-{month:02}-10T00:00:00Z") for month in (6, 7, 8, 9, 10)])
    ask(api, sub, "change", plan=other, effectiveAt="2026-07-01T00:00:00Z")
    ask(api, sub, "change", plan=plan, effectiveAt="2026-08-01T00:00:00Z")
    totals = [api.bill(sub, at=f"2026-{month:02}-15T00:00:00Z")["total"] for month in (6, 7, 8, 9, 10)]
    # 30 of 92 days of the first term: 97.83, of which 50.00 were used.
    assert totals == ["97.83", "50.00", "50.00", "50.00", "200.00"]


def test_an_account_without_anything_to_bill(api, n):
    account = n("acct")
    api.put(f"/v1/accounts/{account}", {})
    assert api.get(f"/v1/accounts/{account}/upcomingInvoice")["data"] == []
    answer = api.call("GET", f"/v1/accounts/{n('none')}/upcomingInvoice")
    assert (answer.status, answer.code) == (404, "account_not_found")


def test_a_backdated_start_has_one_invoice_for_each_missed_period(api, sold):
    sub, account = sold([flat("100"), flat("7", id="support", timing="arrears")], starts="2026-03-10T00:00:00Z")
    at, seen = "2026-03-01T00:00:00Z", []
    while at < "2026-06-15":
        invoice, = api.get(f"/v1/accounts/{account}/upcomingInvoice", query={"ratedAt": at})["data"]
        at = invoice["at"]
        seen.append((at, amounts(invoice)))
    assert seen == [("2026-03-10T00:00:00Z", [("platform", "70.97")]),
                    ("2026-04-01T00:00:00Z", [("support", "4.97"), ("platform", "100.00")]),
                    ("2026-05-01T00:00:00Z", [("support", "7.00"), ("platform", "100.00")]),
                    ("2026-06-01T00:00:00Z", [("support", "7.00"), ("platform", "100.00")]),
                    ("2026-07-01T00:00:00Z", [("support", "7.00"), ("platform", "100.00")])]


# ---- asking

def test_a_change_id_makes_a_repetition_harmless(api, sold):
    sub, account = sold([seats("10")], quantities={"seats": 5})
    body = {"quantities": {"seats": 7}, "effectiveAt": HALF, "changeId": "c1"}
    first, again = ask(api, sub, "change", **body), ask(api, sub, "change", **body)
    assert first["change"] == again["change"] and len(api.get(f"/v1/subscriptions/{sub}")["changes"]) == 1
    assert amounts(first["invoice"]) == amounts(again["invoice"])
    answer = api.call("POST", f"/v1/subscriptions/{sub}/change", {**body, "quantities": {"seats": 8}})
    assert (answer.status, answer.code) == (409, "change_conflict")


def test_a_start_of_long_ago_is_billed_in_one_invoice(api, n, sold):
    """Every day since 1970: each has its line, and the work grows with their number, not its square."""
    sub, account = sold([flat("1")], starts="1970-01-02T00:00:00Z", plan_since="1970-01-01T00:00:00Z",
                        period={"every": 1, "unit": "day", "anchor": "subscription"})
    invoice = tried(api, sub, "cancel", rated="2026-06-01T12:00:00Z", at="1970-02-01T00:00:00Z")["invoice"]
    days = (dt.date(2026, 6, 1) - dt.date(1970, 2, 1)).days + 1
    assert len(invoice["lines"]) == days
    assert (invoice["subtotal"], invoice["toBalance"]) == (f"-{days}.00", f"{days}.00")
    answer = tried(api, sub, "cancel", rated="9999-12-01T00:00:00Z", at="1970-02-01T00:00:00Z")
    assert answer["invoice"] is None and answer["subscription"]["endsAt"] == "1970-02-01T00:00:00Z"


HUGE = {"seats": "999999999999999"}


def test_what_is_too_large_to_be_billed_is_not_stored(api, n, sold):
    sub, account = sold([seats("99999999")], quantities={"seats": 1})
    for more in ({"dryRun": True}, {}):
        answer = api.call("POST", f"/v1/subscriptions/{sub}/change", {"quantities": HUGE, "effectiveAt": HALF, **more})
        assert (answer.status, answer.code) == (422, "amount_too_large"), answer
    assert api.get(f"/v1/subscriptions/{sub}")["changes"] == []
    assert api.bill(sub, at=HALF)["total"] == "99999999.00"
    ask(api, sub, "pause", at=JUNE)
    ask(api, sub, "change", effectiveAt=HALF, quantities=HUGE)
    answer = api.call("POST", f"/v1/subscriptions/{sub}/resume", {"at": "2026-06-17T00:00:00Z"})
    assert (answer.status, answer.code) == (422, "amount_too_large"), answer
    assert [change["kind"] for change in api.get(f"/v1/subscriptions/{sub}")["changes"]] == ["pause", "terms"]


def test_who_is_too_large_to_be_billed_can_be_mended_and_holds_up_nobody(api, n, sold):
    plan = n("plan")
    cheap = [{"periods": 1, "overrides": {"charges": {"seats": {"unitPrice": "0.001"}}}}]  # May can be told
    sub, account = sold([seats("99999999")], plan=plan, quantities=HUGE, starts="2026-05-01T00:00:00Z", phases=cheap)
    other, _ = sold([seats("99999990")], plan=plan, quantities={"seats": 1}, plan_since="2026-02-01T00:00:00Z")
    assert api.call("GET", f"/v1/subscriptions/{sub}/bill", query={"at": HALF}).code == "amount_too_large"
    body = {"from": 1, "to": 2, "at": JUNE, "accounts": "all", "dryRun": True}
    moved = api.post(f"/v1/plans/{plan}/migrations", body)
    assert [(one["before"], one["after"]) for one in moved["data"] if one["subscription"] == sub] == [(None, None)]
    for more in ({"dryRun": True}, {}):
        answer = ask(api, sub, "change", effectiveAt=JUNE, quantities={"seats": 1}, **more)
        assert answer["invoice"] is None and answer["bill"]["total"] == "99999999.00"
    assert api.bill(sub, at=HALF)["total"] == "99999999.00"


@pytest.mark.parametrize("kind, body, status, code, pointer", [
    ("change", {}, 422, "field_required", ""),
    ("change", [], 422, "field_invalid", ""),
    ("change", {"quantities": {}}, 422, "field_required", ""),
    ("change", {"quantity": 1}, 400, "unknown_member", "/quantity"),
    ("change", {"quantities": {"seats": "-1"}}, 422, "invalid_value", "/quantities/seats"),
    ("change", {"quantities": {"seats": 1}, "effectiveAt": "soon"}, 422, "invalid_timestamp", "/effectiveAt"),
    ("change", {"quantities": {"seats": 1}, "effectiveAt": 5}, 422, "invalid_timestamp", "/effectiveAt"),
    ("change", {"quantities": {"seats": 1}, "dryRun": "yes"}, 422, "field_invalid", "/dryRun"),
    ("change", {"planVersion": 0}, 422, "field_invalid", "/planVersion"),
    ("change", {"plan": 5}, 422, "field_invalid", "/plan"),
    ("change", {"overrides": []}, 422, "field_invalid", "/overrides"),
    ("change", {"quantities": {"seats": 1}, "effectiveAt": "2020-01-01T00:00:00Z"}, 422, "outside_subscription",
     "/effectiveAt"),
    ("cancel", {"credit": "all"}, 422, "field_invalid", "/credit"),
    ("cancel", {"at": "2020-01-01T00:00:00Z"}, 422, "outside_subscription", "/at"),
    ("pause", {"usage": "some"}, 422, "field_invalid", "/usage"),
    ("pause", {"at": True}, 422, "invalid_timestamp", "/at"),
    ("resume", {"usage": "free"}, 400, "unknown_member", "/usage"),
    ("resume", {}, 409, "subscription_not_paused", None),
])
def test_what_is_asked_wrongly(api, sold, kind, body, status, code, pointer):
    sub, account = sold([seats("10")], quantities={"seats": 5})
    answer = api.call("POST", f"/v1/subscriptions/{sub}/{kind}", body)
    assert (answer.status, answer.code) == (status, code), answer
    if pointer is not None:
        assert answer.json["errors"][0]["pointer"] == pointer if "errors" in answer.json else True
    assert api.get(f"/v1/subscriptions/{sub}")["changes"] == []


@pytest.mark.parametrize("kind", ["change", "cancel", "pause", "resume"])
def test_what_every_change_refuses(api, n, sold, kind):
    sub, account = sold([seats("10")], quantities={"seats": 5})
    path, more = f"/v1/subscriptions/{sub}/{kind}", {"quantities": {"seats": 6}} if kind == "change" else {}
    when = "effectiveAt" if kind == "change" else "at"

    def refused(body, status, code, path=path, **headers):
        answer = api.call("POST", path, {**more, **body}, headers=headers)
        assert (answer.status, answer.code) == (status, code), answer
    refused({}, 404, "subscription_not_found", f"/v1/subscriptions/{n('none')}/{kind}")
    refused({}, 412, "precondition_failed", **{"If-Match": '"99"'})
    refused({when: "never"}, 422, "invalid_timestamp")
    refused({when: "2020-01-01T00:00:00Z"}, 422, "outside_subscription")
    ask(api, sub, "pause", at=HALF, changeId="one")
    if kind == "pause":
        refused({when: "2026-06-18T00:00:00Z"}, 409, "subscription_paused")
    refused({when: HALF, "changeId": "one", **({"usage": "free"} if kind == "pause" else {})}, 409, "change_conflict")
    ask(api, sub, "cancel", at=JULY)
    refused({when: "2026-07-02T00:00:00Z"}, 409, "subscription_canceled")


def test_what_a_change_of_plan_refuses(api, n, sold, event):
    meter = api.meter(n("meter"), dimensions=["region"])["id"]
    calls = {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "1"}
    sub, account = sold([flat("10")])
    sold([calls], account=account)
    later, euro, twice, draft = n("plan"), n("plan"), n("plan"), n("plan")
    api.publish(later, {"currency": "USD", "charges": [flat("1")]}, "2030-01-01T00:00:00Z")
    api.publish(euro, {"currency": "EUR", "charges": [flat("1")]})
    api.publish(twice, {"currency": "USD", "charges": [calls]})
    api.put(f"/v1/plans/{draft}", {"currency": "USD", "charges": []})
    for body, status, code in (({"plan": n("none")}, 404, "plan_not_found"),
                               ({"planVersion": 9}, 404, "plan_version_not_found"),
                               ({"plan": later}, 422, "plan_not_published"),
                               ({"plan": euro}, 422, "currency_mismatch"),
                               ({"plan": twice}, 409, "usage_claimed_twice"),
                               ({"overrides": {"charges": {"platform": {"model": "none"}}}}, 422, "plan_invalid")):
        answer = api.call("POST", f"/v1/subscriptions/{sub}/change", {**body, "effectiveAt": HALF})
        assert (answer.status, answer.code) == (status, code), answer


def test_amounts_that_do_not_fit(api, n):
    """Two lines of the largest amount there is."""
    account, plan = n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {})
    api.publish(plan, {"currency": "USD", "charges": [flat("92233720368547758"), flat("92233720368547758", id="b")]})
    api.subscribe(n("sub"), account, plan, JUNE)
    answer = api.call("GET", f"/v1/accounts/{account}/upcomingInvoice")
    assert (answer.status, answer.code) == (422, "amount_too_large")


def test_rated_at_is_for_dry_runs(api, sold):
    sub, account = sold([flat("10")])
    answer = api.call("POST", f"/v1/subscriptions/{sub}/cancel", {"at": HALF}, query={"ratedAt": HALF})
    assert (answer.status, answer.code) == (400, "parameter_invalid")


# ---- whatever happens

CHARGES = [
    lambda price: flat(str(price)),
    lambda price: flat(str(price), prorate="second"),
    lambda price: flat(str(price), prorate="none"),
    lambda price: flat(str(price), id="support", timing="arrears"),
    lambda price: seats(str(price)),
    lambda price: seats(str(price), prorate="second", onDecrease="credit"),
    lambda price: seats(str(price), onIncrease="nextInvoice"),
    lambda price: seats(str(price), onIncrease="nextPeriod"),
    lambda price: seats(str(price), prorate="none"),
    lambda price: seats(str(price), timing="arrears"),
]


def some_plan(chance, meter):
    charges, ids = [], set()
    for made in (chance.choice(CHARGES)(chance.randint(1, 300)) for _ in range(4)):
        if made["id"] not in ids:
            ids.add(made["id"])
            charges.append(made)
    charges.append({"id": "calls", "meter": meter, "model": "graduated", "tiers": [
        {"upTo": "5", "unitPrice": str(chance.randint(1, 3))}, {"unitPrice": "0.5"}]})
    document = {"currency": "USD", "charges": charges,
                "period": chance.choice([{"unit": "month"}, {"unit": "month", "anchor": "subscription"},
                                         {"unit": "week", "anchor": "subscription"}])}
    if chance.random() < 0.3:
        document["minimum"] = {"amount": str(chance.randint(1, 500))}
    if chance.random() < 0.3:
        document["commitment"] = {"amount": str(chance.randint(1, 20)), "discountPercent": "10"}
    if chance.random() < 0.3:
        document["discounts"] = [{"id": "off", "percent": "10", "periods": 2}]
    return document


def some_change(chance, plans, now):
    """(route, body) with an instant of its own, in the past or to come."""
    at = (now + dt.timedelta(days=chance.randint(-30, 40), hours=chance.choice([0, 0, 7]))).isoformat()[:19] + "Z"
    kind = chance.choice(["seats", "seats", "plan", "plan", "pause", "resume", "cancel"])
    if kind == "seats":
        return "change", {"quantities": {"seats": chance.randint(1, 9)}, "effectiveAt": at}
    if kind == "plan":
        seats_then = {"seats": chance.randint(1, 9)}
        return "change", {"plan": chance.choice(plans), "effectiveAt": at, "quantities": seats_then}
    if kind == "pause":
        return "pause", {"at": at, "usage": chance.choice(["billed", "free"])}
    if kind == "cancel":
        return "cancel", {"at": at, "credit": chance.choice(["prorated", "none"])}
    return "resume", {"at": at}


def without_times(answer):
    """What does not tell when it was asked. Of an instant that has passed the invoice is due now."""
    strip = ("ratedAt", "sequence", "recordedAt", "at")
    if isinstance(answer, dict):
        return {name: without_times(value) for name, value in answer.items() if name not in strip}
    return [without_times(value) for value in answer] if isinstance(answer, list) else answer


def invoices_until(api, account, at, end):
    """Every invoice after `at`, as each comes up."""
    found = []
    while True:
        data = api.get(f"/v1/accounts/{account}/upcomingInvoice", query={"ratedAt": at})["data"]
        if not data or data[0]["at"] >= end:
            return found
        found.append(data[0])
        at = data[0]["at"]


def moment(when):
    return when.isoformat()[:19] + "Z"


@pytest.mark.parametrize("seed", range(20))
def test_what_was_shown_is_what_is_billed(api, n, event, seed):
    """Dry runs equal what is done; the invoices of all periods sum to their bills, line by line; nothing is
    credited beyond what was charged."""
    chance = random.Random(seed)
    now = dt.datetime.now(dt.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = now - dt.timedelta(days=chance.randint(31, 60)), now + dt.timedelta(days=80)
    meter, account, plans = api.meter(n("meter"))["id"], n("acct"), [n("plan") for _ in range(3)]
    api.put(f"/v1/accounts/{account}", {})
    for plan in plans:
        document = some_plan(chance, meter)
        if not any(charge["id"] == "seats" for charge in document["charges"]):
            document["charges"].append(seats("2"))
        api.publish(plan, document)
    sub = api.subscribe(n("sub"), account, plans[0], moment(start), quantities={"seats": 4})["id"]
    days = [chance.randint(0, 30) for _ in range(20)]
    api.send([event(meter, account, value=chance.randint(1, 9), ts=moment(now - dt.timedelta(days=back)))
              for back in days])
    made = api.get(f"/v1/subscriptions/{sub}")["createdAt"]
    invoices = invoices_until(api, account, moment(start - dt.timedelta(days=1)), made)
    for _ in range(6):
        kind, body = some_change(chance, plans, now)
        path = f"/v1/subscriptions/{sub}/{kind}"
        dry = api.call("POST", path, {**body, "dryRun": True})
        done = api.call("POST", path, body)
        assert dry.status == done.status, (dry, done)
        if done.status != 200:
            assert dry.code == done.code
            continue
        assert without_times(dry.json) == without_times(done.json), (kind, body)
        if done.json["invoice"]["at"] == done.json["change"]["recordedAt"]:
            invoices.append(done.json["invoice"])
    known = api.get(f"/v1/subscriptions/{sub}")
    last = known["changes"][-1]["recordedAt"] if known["changes"] else made
    invoices += invoices_until(api, account, last, moment(end))
    net, last = {}, invoices[-1]["at"]
    for invoice in invoices:
        for line in invoice["lines"]:
            key = (line["charge"], line["kind"], line["period"]["start"])
            net[key] = net.get(key, 0) + Decimal(line["net"])
            assert net[key] >= 0, (invoice["at"], line)
    at, stop = start, min(moment(end), known["endsAt"] or moment(end))
    while moment(at) < stop:
        bill = api.bill(sub, at=moment(at), ratedAt=last)
        for line in bill["lines"]:
            invoiced = net.pop((line["charge"], line["kind"], line["period"]["start"]), 0)
            assert invoiced == Decimal(line["net"]) or line["period"]["end"] > last, line
        at = dt.datetime.fromisoformat(bill["period"]["end"].replace("Z", "+00:00"))
    assert not any(net.values()), net


def test_a_discount_counts_the_periods_that_there_were(api, n, sold):
    """A year, a month on another plan, and back: the discount from 13 February on has had one period by then."""
    plan, monthly = n("plan"), n("plan")
    year = {"unit": "year", "anchor": "subscription"}
    sub, account = sold([flat("365")], starts="2026-01-01T00:00:00Z", plan=plan, period=year, discounts=[
        {"id": "d", "percent": "10", "periods": 2, "startsAt": "2026-02-13T00:00:00Z"}])
    api.publish(monthly, {"currency": "USD", "charges": [flat("31", id="other")]})
    ask(api, sub, "change", plan=monthly, effectiveAt="2026-02-10T00:00:00Z")
    ask(api, sub, "change", plan=plan, effectiveAt="2026-03-11T00:00:00Z")
    bill = api.bill(sub, at="2026-03-12T00:00:00Z")
    assert bill["period"]["start"] == "2026-03-11T00:00:00Z"
    assert (bill["subtotal"], bill["discounts"]) == ("365.00", "-36.50")
