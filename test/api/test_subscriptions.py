# SPDX-License-Identifier: Apache-2.0
"""What a subscription says beside its plan: overrides, phases, a filter of its usage, quantities; and what
PUT makes of the same or of other terms."""
import pytest

SEATS = {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "20.00"}
FEE = {"id": "fee", "model": "flat", "amount": "10.00"}
START = "2026-02-01T00:00:00Z"


@pytest.fixture
def n(n):
    """One name for each kind of thing, however often it is asked for."""
    names = {}
    return lambda kind: names[kind] if kind in names else names.setdefault(kind, n(kind))


@pytest.fixture
def account(api, n):
    return api.put(f"/v1/accounts/{n('acct')}", {"currency": "USD"})["id"]


@pytest.fixture
def plan(api, n):
    """Sells seats and a fee."""
    api.publish(n("plan"), {"currency": "USD", "charges": [SEATS, FEE]})
    return n("plan")


@pytest.fixture
def calls(api, n):
    """A plan that prices a meter with the dimension region."""
    meter = api.meter(n("meter"), dimensions=["region"])["id"]
    api.publish(n("calls"), {"currency": "USD", "charges": [
        {"id": "c", "meter": meter, "model": "perUnit", "unitPrice": "1"}]})
    return n("calls")


def put(api, id, account, plan, **members):
    return api.call("PUT", f"/v1/subscriptions/{id}", {"account": account, "plan": plan, "startsAt": START, **members})


def refused(answer, status, code, pointer=None):
    assert (answer.status, answer.code) == (status, code), answer
    if pointer is not None:
        assert pointer in [error["pointer"] for error in answer.json["errors"]], answer


# ---- as it comes back

def test_a_subscription_comes_back_with_its_terms(api, n, plan, account):
    terms = {"quantities": {"seats": "5"}, "overrides": {"charges": {"seats": {"unitPrice": "15.00"}}},
             "phases": [{"periods": 3, "overrides": {"charges": {"fee": {"amount": "0"}}}},
                        {"until": "2027-01-01T00:00:00Z"}]}
    made = put(api, n("sub"), account, plan, **terms).json
    assert {name: made[name] for name in terms} == terms
    assert (made["plan"], made["planVersion"], made["status"]) == (plan, 1, "active")
    assert (made["changes"], made["usageFilter"], made["endsAt"]) == ([], None, None)
    assert made["terms"] == [{"start": START, "end": None, "plan": plan, "planVersion": 1, **terms}]
    assert api.get(f"/v1/subscriptions/{n('sub')}") == made
    listed, = api.get("/v1/subscriptions", query={"account": account})["data"]
    assert listed == made


@pytest.mark.parametrize("starts,ends,status", [
    ("2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z", "ended"), ("2020-02-01T00:00:00Z", None, "active"),
    ("2020-02-01T00:00:00Z", "2999-01-01T00:00:00Z", "active"), ("2999-02-01T00:00:00Z", None, "future")])
def test_a_subscription_says_whether_it_is_there_yet(api, n, plan, account, starts, ends, status):
    made = put(api, n("sub"), account, plan, startsAt=starts, endsAt=ends, quantities={"seats": 1})
    assert made.json["status"] == status, made


def test_what_is_canceled_before_it_begins_is_canceled(api, n, plan, account):
    starts = "2999-02-01T00:00:00Z"
    sub = put(api, n("sub"), account, plan, startsAt=starts, quantities={"seats": 1}).json["id"]
    answer = api.post(f"/v1/subscriptions/{sub}/cancel", {"at": starts})
    assert (answer["subscription"]["status"], answer["subscription"]["endsAt"]) == ("canceled", starts)
    assert answer["invoice"]["lines"] == [] and answer["upcomingInvoice"] is None


def test_the_same_terms_again_are_harmless_and_others_go_to_change(api, n, plan, account):
    terms = {"quantities": {"seats": 5}, "overrides": {"name": "Ours", "charges": {"fee": {"amount": "1"}}},
             "phases": [{"periods": 1, "overrides": {"charges": {"fee": {"amount": "2"}}}}]}
    made = put(api, n("sub"), account, plan, **terms)
    again = {"quantities": {"seats": "5.0"}, "phases": terms["phases"],
             "overrides": {"charges": {"fee": {"amount": "1"}}, "name": "Ours"}}
    assert put(api, n("sub"), account, plan, **again).json == made.json
    for other in ({"quantities": {"seats": 6}}, {"overrides": None}, {"phases": None},
                  {"startsAt": "2026-02-02T00:00:00Z"}):
        answer = put(api, n("sub"), account, plan, **{**terms, **other})
        refused(answer, 409, "subscription_immutable")
        assert "/change" in answer.json["detail"]


def test_the_end_moves_and_the_log_says_so(api, n, plan, account):
    put(api, n("sub"), account, plan, quantities={"seats": 1})
    ends = "2026-05-01T00:00:00Z"
    moved = put(api, n("sub"), account, plan, quantities={"seats": 1}, endsAt=ends).json
    assert moved["endsAt"] == ends
    entry, = moved["changes"]
    assert (entry["number"], entry["kind"], entry["effectiveAt"], entry["endsAt"]) == (1, "end", ends, ends)
    assert put(api, n("sub"), account, plan, quantities={"seats": 1}, endsAt=ends).json == moved
    back = put(api, n("sub"), account, plan, quantities={"seats": 1}).json
    assert back["endsAt"] is None
    assert [(change["effectiveAt"], change["endsAt"]) for change in back["changes"]] == [(ends, ends), (ends, None)]


def test_a_canceled_subscription_takes_no_other_end(api, n, plan, account):
    terms = {"quantities": {"seats": 1}}
    put(api, n("sub"), account, plan, **terms)
    canceled = api.post(f"/v1/subscriptions/{n('sub')}/cancel", {"at": "2026-04-01T00:00:00Z"})["subscription"]
    assert (canceled["status"], canceled["endsAt"]) == ("canceled", "2026-04-01T00:00:00Z")
    refused(put(api, n("sub"), account, plan, **terms, endsAt="2026-06-01T00:00:00Z"), 409, "subscription_canceled",
            "/endsAt")
    assert put(api, n("sub"), account, plan, **terms).json["endsAt"] == "2026-04-01T00:00:00Z"  # a late retry


def test_a_dry_run_of_a_change_that_was_made_adds_it_once(api, n, plan, account):
    put(api, n("sub"), account, plan, quantities={"seats": 1})
    pause = {"at": "2026-04-01T00:00:00Z", "changeId": "p1"}
    made = api.post(f"/v1/subscriptions/{n('sub')}/pause", pause)
    tried = api.post(f"/v1/subscriptions/{n('sub')}/pause", {**pause, "dryRun": True})
    assert tried["subscription"] == made["subscription"] and tried["change"] == made["change"]


# ---- what cannot be

def test_a_quantity_that_the_plan_prices_is_asked_for(api, n, plan, account):
    refused(put(api, n("sub"), account, plan), 422, "field_required", "/quantities/seats")
    assert put(api, n("sub"), account, plan, quantities={"seats": 0}).status == 200


def test_a_quantity_that_nothing_prices_is_a_slip(api, n, plan, account):
    refused(put(api, n("sub"), account, plan, quantities={"seats": 1, "saets": 2}), 422, "field_invalid",
            "/quantities/saets")


@pytest.mark.parametrize("overrides,code,pointer", [
    ({"charges": {"seats": {"unitPrice": "much"}}}, "field_invalid", "/overrides/charges/seats/unitPrice"),
    ({"charges": {"seats": {"model": "volume"}}}, "field_required", "/overrides/charges/seats/tiers"),
    ({"charges": {"fee": {"colour": "red"}}}, "unknown_member", "/overrides/charges/fee/colour"),
    ({"charges": {"more": {"meter": "nowhere", "model": "perUnit", "unitPrice": "1"}}}, "plan_invalid",
     "/overrides/charges/more/meter"),
    ({"charges": []}, "field_invalid", "/overrides/charges"),
    ({"charges": {"fee": 3}}, "field_invalid", "/overrides/charges/fee"),
    ({"rounding": "sideways"}, "field_invalid", "/overrides/rounding"),
    ([], "field_invalid", "/overrides"),
], ids=str)
def test_overrides_that_do_not_fit_name_the_member(api, n, plan, account, overrides, code, pointer):
    answer = put(api, n("sub"), account, plan, quantities={"seats": 1}, overrides=overrides)
    assert answer.status == (400 if code == "unknown_member" else 422), answer
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in answer.json["errors"]], answer
    assert api.call("GET", f"/v1/subscriptions/{n('sub')}").code == "subscription_not_found"


def test_overrides_do_not_change_the_currency(api, n, plan, account):
    answer = put(api, n("sub"), account, plan, quantities={"seats": 1}, overrides={"currency": "EUR"})
    refused(answer, 422, "currency_mismatch")


@pytest.mark.parametrize("phases,pointer", [
    ([], "/phases"), ({}, "/phases"), ([3], "/phases/0"), ([{"periods": 0}], "/phases/0/periods"),
    ([{}, {"periods": 1}], "/phases/0"), ([{"periods": 1, "until": START}], "/phases/0"),
    ([{"until": "2026-05-01T00:00:00Z"}, {"until": "2026-04-01T00:00:00Z"}], "/phases/1/until"),
    ([{"until": "soon"}], "/phases/0/until"),
    ([{"periods": 1, "overrides": {"charges": {"seats": {"unitPrice": "x"}}}}],
     "/phases/0/overrides/charges/seats/unitPrice")], ids=str)
def test_phases_that_cannot_be(api, n, plan, account, phases, pointer):
    answer = put(api, n("sub"), account, plan, quantities={"seats": 1}, phases=phases)
    refused(answer, 422, "field_invalid", pointer)


def test_a_phase_names_a_version_that_is_there(api, n, plan, account):
    answer = put(api, n("sub"), account, plan, quantities={"seats": 1}, phases=[{"periods": 1, "planVersion": 7}])
    refused(answer, 404, "plan_version_not_found")


# ---- usage of its own

def test_two_subscriptions_share_a_meter_by_filters(api, n, account, calls):
    put(api, n("eu"), account, calls, usageFilter={"region": ["eu-1", "eu-2"]})
    made = put(api, n("us"), account, calls, usageFilter={"region": "us-1"})
    assert made.json["usageFilter"] == {"region": ["us-1"]}
    answer = put(api, n("both"), account, calls, usageFilter={"region": ["eu-2", "asia"]})
    refused(answer, 409, "usage_claimed_twice")
    assert n("eu") in answer.json["detail"]
    refused(put(api, n("all"), account, calls), 409, "usage_claimed_twice")


def test_a_filter_goes_by_dimensions(api, n, account, calls):
    refused(put(api, n("sub"), account, calls, usageFilter={"colour": ["red"]}), 422, "field_invalid",
            "/usageFilter/colour")
    refused(put(api, n("sub"), account, calls, usageFilter={"region": []}), 422, "field_invalid",
            "/usageFilter/region")


def test_a_charge_that_an_override_adds_claims_usage_too(api, n, plan, account, calls):
    meter, = {charge["meter"] for charge in api.get(f"/v1/plans/{calls}")["document"]["charges"]}
    put(api, n("one"), account, calls)
    more = {"charges": {"extra": {"meter": meter, "model": "perUnit", "unitPrice": "1"}}}
    refused(put(api, n("two"), account, plan, quantities={"seats": 1}, overrides=more), 409, "usage_claimed_twice")
    less = {"charges": {"c": None, "fee": FEE}}
    assert put(api, n("three"), account, calls, overrides=less).status == 200


def test_what_an_override_prices_keeps_measuring(api, n, plan, account):
    meter = api.meter(n("meter"))["id"]
    more = {"charges": {"extra": {"meter": meter, "model": "perUnit", "unitPrice": "1"}}}
    put(api, n("sub"), account, plan, quantities={"seats": 1}, overrides=more)
    refused(api.call("PUT", f"/v1/meters/{meter}", {"aggregation": "max"}), 409, "meter_immutable")


# ---- what the bill makes of it

def total(api, id, at):
    return api.bill(id, at=at)["total"]


def test_phases_of_its_own_come_after_its_overrides(api, n, account):
    api.publish(n("fees"), {"currency": "USD", "charges": [FEE], "phases": [
        {"periods": 12, "overrides": {"charges": {"fee": {"amount": "1.00"}}}}]})
    put(api, n("sub"), account, n("fees"), overrides={"charges": {"fee": {"amount": "8.00"}}}, phases=[
        {"periods": 2, "overrides": {"charges": {"fee": {"amount": "4.00"}}}},
        {"until": "2026-06-01T00:00:00Z", "overrides": {"minimum": {"amount": "9.00"}}}])
    put(api, n("asis"), account, n("fees"))
    put(api, n("ours"), account, n("fees"), overrides={"charges": {"fee": {"name": "Ours"}}})
    bills = [total(api, n("sub"), f"2026-0{month}-15T00:00:00Z") for month in range(2, 8)]
    assert bills == ["4.00", "4.00", "9.00", "9.00", "8.00", "8.00"]
    assert total(api, n("asis"), "2026-02-15T00:00:00Z") == "1.00"
    assert total(api, n("asis"), "2027-02-15T00:00:00Z") == "10.00"
    assert total(api, n("ours"), "2026-02-15T00:00:00Z") == "1.00"  # the plan's phase stays


def test_a_version_of_a_phase_is_billed_by(api, n, account):
    api.publish(n("fees"), {"currency": "USD", "charges": [FEE]})
    api.publish(n("fees"), {"currency": "USD", "charges": [{**FEE, "amount": "3.00"}]}, "2020-02-01T00:00:00Z")
    put(api, n("sub"), account, n("fees"), phases=[{"periods": 1, "planVersion": 1}])
    assert [total(api, n("sub"), at) for at in ("2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z")] == ["10.00", "3.00"]
    assert [line["planVersion"] for line in api.bill(n("sub"), at="2026-02-15T00:00:00Z")["lines"]] == [1]


@pytest.mark.parametrize("charge", [
    {"model": "perUnit", "unitPrice": "1"}, {"model": "perUnit", "unitPrice": "1", "groupBy": ["region"]},
    {"model": "perUnit", "unitPrice": "1", "filter": {"tier": ["pro"]}},
    {"model": "percentage", "ratePercent": "100", "perEventFee": "0.00", "eventMinimum": "0.00"},
    {"model": "matrix", "dimensions": ["tier"], "cells": [{"when": {"tier": "pro"}, "unitPrice": "1"}],
     "defaultUnitPrice": "0"}], ids=str)
def test_each_subscription_bills_the_usage_of_its_filter(api, n, event, account, charge):
    meter = api.meter(n("meter"), dimensions=["region", "tier"])["id"]
    api.publish(n("calls"), {"currency": "USD", "charges": [{"id": "c", "meter": meter, **charge}]})
    put(api, n("eu"), account, n("calls"), usageFilter={"region": ["eu-1", "eu-2"]})
    put(api, n("us"), account, n("calls"), usageFilter={"region": ["us-1"]})
    regions = {1: {"region": "eu-1"}, 2: {"region": "eu-2"}, 4: {"region": "us-1"}, 8: {"region": "asia"}, 16: {}}
    sent = [event(meter, account, value, "2026-02-10T00:00:00Z", n(f"e{value}"), tier="pro", **region)
            for value, region in regions.items()]
    assert api.send(sent)["accepted"] == 5
    assert total(api, n("eu"), "2026-02-15T00:00:00Z") == "3.00"
    assert total(api, n("us"), "2026-02-15T00:00:00Z") == "4.00"


def test_a_change_keeps_the_filter(api, n, event, account):
    meter = api.meter(n("meter"), dimensions=["region"])["id"]
    for plan, price in (("low", "1"), ("high", "10")):
        api.publish(n(plan), {"currency": "USD", "charges": [
            {"id": "c", "meter": meter, "model": "perUnit", "unitPrice": price}]})
    put(api, n("eu"), account, n("low"), usageFilter={"region": ["eu-1"]})
    api.send([event(meter, account, 1, f"2026-02-{day}T00:00:00Z", n(f"e{day}{region}"), region=region)
              for day in (10, 20) for region in ("eu-1", "us-1")])
    api.post(f"/v1/subscriptions/{n('eu')}/change", {"plan": n("high"), "effectiveAt": "2026-02-15T00:00:00Z"})
    assert total(api, n("eu"), "2026-02-20T00:00:00Z") == "11.00"
    other = api.meter(n("other"))["id"]
    api.publish(n("flatter"), {"currency": "USD", "charges": [
        {"id": "c", "meter": other, "model": "perUnit", "unitPrice": "1"}]})
    answer = api.call("POST", f"/v1/subscriptions/{n('eu')}/change", {"plan": n("flatter")})
    refused(answer, 422, "field_invalid", "/usageFilter/region")


def test_an_override_is_billed_from_when_it_counts(api, n, account, plan):
    put(api, n("sub"), account, plan, quantities={"seats": 2})
    ours = {"charges": {"fee": None, "seats": {"unitPrice": "15.00"}}}
    path = f"/v1/subscriptions/{n('sub')}/change"
    answer = api.post(path, {"effectiveAt": "2026-03-01T00:00:00Z", "overrides": ours})
    assert answer["change"]["overrides"] == ours
    assert total(api, n("sub"), "2026-02-15T00:00:00Z") == "50.00"
    assert total(api, n("sub"), "2026-03-15T00:00:00Z") == "30.00"
    api.post(path, {"effectiveAt": "2026-04-01T00:00:00Z", "overrides": None})
    assert total(api, n("sub"), "2026-04-15T00:00:00Z") == "50.00"


def test_a_quantity_that_no_bill_can_hold_is_refused(api, n, account):
    plan, sub = n("plan"), n("sub")
    api.publish(plan, {"currency": "USD", "charges": [
        {"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": "1000000"}]})
    answer = put(api, sub, account, plan, quantities={"seats": "999999999999999"})
    assert (answer.status, answer.code) == (422, "amount_too_large")
    assert answer.json["errors"][0]["pointer"] == "/quantities" and "63 bits" in answer.json["detail"]
    assert api.call("GET", f"/v1/subscriptions/{sub}").status == 404
    assert put(api, sub, account, plan, quantities={"seats": "9"}).status == 200
