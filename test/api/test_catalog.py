# SPDX-License-Identifier: Apache-2.0
"""Meters, accounts, plans: declared by PUT under the caller's id."""
import pytest

FEE = {"id": "fee", "model": "flat", "amount": "10.00"}
FLAT = {"currency": "USD", "charges": [FEE]}


# ---- meters

def test_a_meter_comes_back_as_declared(api, n):
    body = {"event": n("stream"), "aggregation": "sum", "property": "tokens", "filter": {"model": ["a", "b"]},
            "exclude": [{"tier": ["free"]}], "dimensions": ["region"], "unit": "token"}
    id = n("meter")
    made = api.put(f"/v1/meters/{id}", body)
    assert {name: made[name] for name in body} == body and made["id"] == id
    assert api.get(f"/v1/meters/{id}") == made


def test_a_meter_counts_its_own_name_by_default(api, n):
    id = n("meter")
    assert api.meter(id, "count")["event"] == id


@pytest.mark.parametrize("body,pointer", [
    ({}, "/aggregation"), ({"aggregation": "median"}, "/aggregation"),
    ({"aggregation": "sum", "event": "-x"}, "/event"),
    ({"aggregation": "sum", "filter": {"a": "b"}}, "/filter/a"), ({"aggregation": "sum", "filter": []}, "/filter"),
    ({"aggregation": "sum", "filter": {"a": []}}, "/filter/a"),
    ({"aggregation": "sum", "dimensions": ["a", "a"]}, "/dimensions"),
    ({"aggregation": "sum", "dimensions": [f"d{i}" for i in range(17)]}, "/dimensions"),
    ({"aggregation": "sum", "id": "another"}, "/id")], ids=str)
def test_a_bad_meter_is_refused_with_the_member_named(api, n, body, pointer):
    id = n("meter")
    answer = api.call("PUT", f"/v1/meters/{id}", body)
    assert answer.status == 422, answer
    assert any(error["pointer"].startswith(pointer) for error in answer.json["errors"]), answer
    assert api.call("GET", f"/v1/meters/{id}").code == "meter_not_found"


def test_a_meter_that_counted_nothing_can_be_deleted(api, n):
    id = api.meter(n("meter"))["id"]
    assert api.call("DELETE", f"/v1/meters/{id}").status == 204
    assert api.call("GET", f"/v1/meters/{id}").code == "meter_not_found"
    assert api.call("DELETE", f"/v1/meters/{id}").code == "meter_not_found"


def test_a_meter_that_is_used_cannot_be_deleted(api, n, event):
    id = api.meter(n("meter"))["id"]
    api.send([event(id)])
    answer = api.call("DELETE", f"/v1/meters/{id}")
    assert (answer.status, answer.code) == (409, "meter_in_use")
    priced = api.meter(n("meter"))["id"]
    api.publish(n("plan"), {"currency": "USD", "charges": [
        {"id": "c", "meter": priced, "model": "perUnit", "unitPrice": "1"}]})
    assert api.call("DELETE", f"/v1/meters/{priced}").code == "meter_in_use"


def test_what_a_priced_meter_measures_cannot_change(api, n):
    id = api.meter(n("meter"))["id"]
    api.meter(id, "count")  # not priced yet
    api.publish(n("plan"), {"currency": "USD", "charges": [{"id": "c", "meter": id, "model": "perUnit",
                                                            "unitPrice": "1"}]})
    for body in ({"aggregation": "sum"}, {"aggregation": "count", "filter": {"a": ["b"]}}):
        answer = api.call("PUT", f"/v1/meters/{id}", body)
        assert (answer.status, answer.code) == (409, "meter_immutable"), answer
    assert api.meter(id, "count", dimensions=["region"], unit="call")["dimensions"] == ["region"]


# ---- accounts

def test_an_account(api, n):
    id = n("acct")
    body = {"name": "Meridian", "timeZone": "Europe/Berlin", "currency": "EUR", "email": "a@b.example",
            "metadata": {"crm": "42"}}
    made = api.put(f"/v1/accounts/{id}", body)
    assert {name: made[name] for name in body} == body
    assert api.get(f"/v1/accounts/{id}") == made
    assert api.call("GET", f"/v1/accounts/{n('nobody')}").code == "account_not_found"


@pytest.mark.parametrize("body,pointer", [
    ({"timeZone": "Mars/Olympus"}, "/timeZone"), ({"currency": "usd"}, "/currency"),
    ({"currency": "XXY"}, "/currency"),
    ({"metadata": {"a": 1}}, "/metadata"), ({"metadata": {f"k{i}": "v" for i in range(51)}}, "/metadata"),
    ({"name": 7}, "/name"), ({"name": None, "email": []}, "/email")], ids=lambda part: str(part)[:40])
def test_a_bad_account_is_refused(api, n, body, pointer):
    answer = api.call("PUT", f"/v1/accounts/{n('acct')}", body)
    assert answer.status == 422, answer
    assert any(error["pointer"].startswith(pointer) for error in answer.json["errors"]), answer


# ---- plans

def test_a_plan_is_drafted_published_and_then_fixed(api, n):
    id = n("plan")
    draft = api.put(f"/v1/plans/{id}", FLAT)
    assert draft["published"] is False
    api.put(f"/v1/plans/{id}", {**FLAT, "name": "Better"})
    first = api.post(f"/v1/plans/{id}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert (first["number"], first["published"], first["effectiveFrom"]) == (1, True, "2026-01-01T00:00:00Z")
    assert first["document"]["name"] == "Better"
    api.put(f"/v1/plans/{id}", {**FLAT, "name": "Next"})
    second = api.post(f"/v1/plans/{id}/publish", {"effectiveFrom": "2026-02-01T00:00:00Z"})
    assert second["number"] == 2
    assert api.get(f"/v1/plans/{id}/versions/1") == first
    numbers = [row["number"] for row in api.get(f"/v1/plans/{id}/versions")["data"]]
    assert sorted(numbers) == [1, 2]


def test_publishing_refuses_what_it_cannot(api, n):
    id = n("plan")
    unknown = api.call("POST", f"/v1/plans/{id}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert unknown.code == "plan_not_found"
    api.publish(id, FLAT, "2026-01-01T00:00:00Z")
    nothing = api.call("POST", f"/v1/plans/{id}/publish", {"effectiveFrom": "2026-03-01T00:00:00Z"})
    assert (nothing.status, nothing.code) == (409, "plan_no_draft")
    api.put(f"/v1/plans/{id}", {**FLAT, "name": "other"})
    taken = api.call("POST", f"/v1/plans/{id}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert (taken.status, taken.code) == (409, "effective_from_taken")
    assert api.call("GET", f"/v1/plans/{id}/versions/9").code == "plan_version_not_found"
    assert api.call("GET", f"/v1/plans/{n('nobody')}").code == "plan_not_found"


def test_publishing_again_in_a_retry_makes_no_second_version(api, n):
    id = n("plan")
    first = api.publish(id, FLAT, "2026-01-01T00:00:00Z")
    api.put(f"/v1/plans/{id}", FLAT)
    again = api.post(f"/v1/plans/{id}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert again["number"] == first["number"] == 1


def unit(**members):
    return {"id": "c", "meter": "m", "model": "perUnit", "unitPrice": "1", **members}


def graduated(*tiers):
    return {"id": "c", "meter": "m", "model": "graduated", "tiers": list(tiers)}


BAD_PLANS = {
    "no currency": ({"charges": []}, "/currency"),
    "no such currency": ({"currency": "ZZZ", "charges": []}, "/currency"),
    "charge twice": ({"charges": [unit(), unit(meter="n")]}, "/charges/1"),
    "unknown model": ({"charges": [unit(model="magic")]}, "/charges/0/model"),
    "price missing": ({"charges": [{"id": "c", "meter": "m", "model": "perUnit"}]}, "/charges/0"),
    "price is no number": ({"charges": [unit(unitPrice="cheap")]}, "/charges/0/unitPrice"),
    "member of another model": ({"charges": [unit(packageSize="10")]}, "/charges/0/packageSize"),
    "no tiers": ({"charges": [graduated()]}, "/charges/0/tiers"),
    "tiers not ascending": ({"charges": [graduated({"upTo": "10", "unitPrice": "1"}, {"upTo": "10", "unitPrice": "2"},
                                                   {"unitPrice": "3"})]}, "/charges/0/tiers/1"),
    "last tier closed": ({"charges": [graduated({"upTo": "10", "unitPrice": "1"})]}, "/charges/0/tiers"),
    "open tier in the middle": ({"charges": [graduated({"unitPrice": "1"}, {"unitPrice": "2"})]}, "/charges/0/tiers"),
    "package of nothing": ({"charges": [{"id": "c", "meter": "m", "model": "package", "packageSize": "0",
                                         "packagePrice": "1"}]}, "/charges/0/packageSize"),
    "divide by zero": ({"charges": [unit(divideBy="0")]}, "/charges/0/divideBy"),
    "divide and multiply": ({"charges": [unit(divideBy="2", multiplyBy="2")]}, "/charges/0"),
    "negative included": ({"charges": [unit(included="-1")]}, "/charges/0/included"),
    "unknown rounding": ({"rounding": "upwards", "charges": []}, "/rounding"),
    "zone": ({"timeZone": "Mars/Olympus", "charges": []}, "/timeZone"),
    "5 months by the calendar": ({"period": {"every": 5, "unit": "month", "anchor": "calendar"}, "charges": []},
                                 "/period"),
    "anchor 32": ({"period": {"every": 1, "unit": "month", "anchor": 32}, "charges": []}, "/period/anchor"),
    "discount on nothing": ({"charges": [unit()], "discounts": [{"id": "d", "percent": "5", "charges": ["x"]}]},
                            "/discounts/0/charges"),
    "discount over 100": ({"charges": [unit()], "discounts": [{"id": "d", "percent": "101"}]}, "/discounts/0/percent"),
    "undecided filters": ({"charges": [unit(id="a", filter={"region": ["eu"]}),
                                       unit(id="b", filter={"tier": ["pro"]})]}, "/charges"),
    "same filter twice": ({"charges": [unit(id="a"), unit(id="b")]}, "/charges"),
}


@pytest.mark.parametrize("name", BAD_PLANS)
def test_a_plan_that_cannot_be_priced_is_refused(api, n, name):
    document, pointer = BAD_PLANS[name]
    meter, id = api.meter(n("meter"), dimensions=["region", "tier"])["id"], n("plan")
    document = {**({} if "currency" in name else {"currency": "USD"}), **document}
    for charge in document["charges"]:
        if charge.get("meter") == "m":
            charge["meter"] = meter
    answer = api.call("PUT", f"/v1/plans/{id}", document)
    assert answer.status in (400, 422), answer
    assert any(error["pointer"].startswith(pointer) for error in answer.json["errors"]), answer
    assert api.call("GET", f"/v1/plans/{id}").code == "plan_not_found"


@pytest.mark.parametrize("charge,pointer", [
    ({"meter": "nobody.knows"}, "/charges/0/meter"), ({"filter": {"colour": ["red"]}}, "/charges/0/filter"),
    ({"groupBy": ["colour"]}, "/charges/0/groupBy")], ids=str)
def test_publishing_checks_meters_and_dimensions(api, n, charge, pointer):
    id, meter = n("plan"), api.meter(n("meter"), dimensions=["region"])["id"]
    document = {"currency": "USD", "charges": [unit(**{"meter": meter, **charge})]}
    answer = api.call("PUT", f"/v1/plans/{id}", document)
    if answer.status == 200 or answer.status == 201:
        answer = api.call("POST", f"/v1/plans/{id}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert (answer.status, answer.code) == (422, "plan_invalid"), answer
    assert any(error["pointer"].startswith(pointer) for error in answer.json["errors"]), answer


# ---- subscriptions

@pytest.fixture
def plan(api, n):
    id = n("plan")
    api.publish(id, FLAT, "2026-01-01T00:00:00Z")
    return id


@pytest.fixture
def account(api, n):
    id = n("acct")
    api.put(f"/v1/accounts/{id}", {"currency": "USD"})
    return id


def test_a_subscription_is_pinned_to_the_version_in_force(api, n, plan, account):
    api.put(f"/v1/plans/{plan}", {**FLAT, "name": "two"})
    api.post(f"/v1/plans/{plan}/publish", {"effectiveFrom": "2026-03-01T00:00:00Z"})
    early = api.subscribe(n("sub"), account, plan, "2026-02-15T00:00:00Z")
    late = api.subscribe(n("sub"), account, plan, "2026-03-01T00:00:00Z")
    named = api.subscribe(n("sub"), account, plan, "2026-03-01T00:00:00Z", planVersion=1)
    assert [made["planVersion"] for made in (early, late, named)] == [1, 2, 1]
    assert api.get(f"/v1/subscriptions/{early['id']}") == early


def test_a_retry_makes_no_second_one_and_other_terms_are_refused(api, n, plan, account):
    id = n("sub")
    made = api.subscribe(id, account, plan, "2026-02-01T00:00:00Z")
    assert api.subscribe(id, account, plan, "2026-02-01T01:00:00+01:00") == made
    answer = api.call("PUT", f"/v1/subscriptions/{id}", {"account": account, "plan": plan,
                                                         "startsAt": "2026-02-02T00:00:00Z"})
    assert (answer.status, answer.code) == (409, "subscription_immutable")


def test_subscriptions_of_one_account(api, n, plan, account):
    ids = []
    for _ in range(2):
        ids.append(api.subscribe(n("sub"), account, plan, "2026-02-01T00:00:00Z")["id"])
    rows = api.get("/v1/subscriptions", query={"account": account})["data"]
    assert sorted(row["id"] for row in rows) == sorted(ids)


@pytest.mark.parametrize("change,status,code", [
    ({"plan": "nobody.sells"}, 404, "plan_not_found"), ({"planVersion": 99}, 404, "plan_version_not_found"),
    ({"startsAt": "2025-12-31T23:59:59Z"}, 422, "plan_not_published"),
    ({"account": "nobody at all"}, 404, "account_not_found"),
    ({"startsAt": "soon"}, 422, "invalid_timestamp"), ({"endsAt": "2026-01-01T00:00:00Z"}, 422, "field_invalid"),
    ({"quantities": {"seats": "-1"}}, 422, None), ({"quantities": {"seats": "many"}}, 422, None)], ids=str)
def test_a_subscription_that_cannot_be(api, n, plan, account, change, status, code):
    id = n("sub")
    answer = api.call("PUT", f"/v1/subscriptions/{id}", {"account": account, "plan": plan,
                                                         "startsAt": "2026-02-01T00:00:00Z", **change})
    assert answer.status == status and code in (None, answer.code), answer
    assert api.call("GET", f"/v1/subscriptions/{id}").code == "subscription_not_found"


def test_a_plan_of_another_currency_is_refused(api, n, plan):
    account = n("acct")
    api.put(f"/v1/accounts/{account}", {"currency": "EUR"})
    answer = api.call("PUT", f"/v1/subscriptions/{n('sub')}", {"account": account, "plan": plan,
                                                               "startsAt": "2026-02-01T00:00:00Z"})
    assert (answer.status, answer.code) == (422, "currency_mismatch")


def test_usage_that_two_charges_claim_is_refused(api, n, account):
    meter = api.meter(n("meter"))["id"]
    document = {"currency": "USD", "charges": [{"id": "c", "meter": meter, "model": "perUnit", "unitPrice": "1"}]}
    one, two, both = n("plan"), n("plan"), n("plan")
    api.publish(one, document)
    api.publish(two, document)
    api.publish(both, {"currency": "USD", "charges": [{**document["charges"][0], "alsoCounts": True}]})
    api.subscribe(n("sub"), account, one, "2026-02-01T00:00:00Z", endsAt="2026-03-01T00:00:00Z")
    answer = api.call("PUT", f"/v1/subscriptions/{n('sub')}", {"account": account, "plan": two,
                                                               "startsAt": "2026-02-15T00:00:00Z"})
    assert (answer.status, answer.code) == (409, "usage_claimed_twice")
    api.subscribe(n("sub"), account, two, "2026-03-01T00:00:00Z")   # not at the same time
    api.subscribe(n("sub"), account, both, "2026-02-15T00:00:00Z")  # says alsoCounts


# ---- what versions differ in

@pytest.fixture
def two_versions(api, n):
    id = n("plan")
    api.publish(id, {"currency": "USD", "charges": [FEE, {"id": "old", "model": "flat", "amount": "1"}]})
    api.publish(id, {"currency": "USD", "name": "New", "charges": [
        {**FEE, "amount": "12.00"}, {"id": "new", "model": "flat", "amount": "2"}]}, "2021-01-01T00:00:00Z")
    return id


def test_what_a_version_changed(api, two_versions):
    answer = api.get(f"/v1/plans/{two_versions}/versions/2/diff")
    assert (answer["plan"], answer["number"], answer["against"]) == (two_versions, 2, 1)
    assert answer["diff"]["charges"] == {"added": ["new"], "removed": ["old"], "changed": ["fee"]}
    assert {"pointer": "/charges/fee/amount", "before": "10.00", "after": "12.00"} in answer["diff"]["changes"]
    assert {"pointer": "/name", "after": "New"} in answer["diff"]["changes"]
    back = api.get(f"/v1/plans/{two_versions}/versions/1/diff", query={"against": 2})
    assert back["diff"]["charges"] == {"added": ["old"], "removed": ["new"], "changed": ["fee"]}
    same = api.get(f"/v1/plans/{two_versions}/versions/2/diff", query={"against": 2})
    assert same["diff"]["changes"] == []


def test_a_draft_is_told_apart_from_what_is_published(api, two_versions):
    path = f"/v1/plans/{two_versions}/versions/2/diff"
    assert api.call("GET", path, query={"against": "draft"}).code == "plan_version_not_found"
    api.put(f"/v1/plans/{two_versions}", {"currency": "USD", "charges": [{**FEE, "amount": "13.00"}]})
    answer = api.get(path, query={"against": "draft"})
    assert answer["against"] is None
    assert {"pointer": "/charges/fee/amount", "before": "13.00", "after": "12.00"} in answer["diff"]["changes"]


def test_versions_that_are_not_there_have_no_difference(api, two_versions):
    path = f"/v1/plans/{two_versions}/versions"
    assert api.call("GET", f"{path}/9/diff").code == "plan_version_not_found"
    assert api.call("GET", f"{path}/2/diff", query={"against": 9}).code == "plan_version_not_found"
    assert api.call("GET", f"{path}/1/diff").code == "parameter_invalid"
    assert api.call("GET", f"{path}/0/diff").code == "parameter_invalid"
    assert api.call("GET", f"{path}/2/diff", query={"against": "x"}).code == "parameter_invalid"
    assert api.call("GET", "/v1/plans/nowhere/versions/2/diff").code == "plan_not_found"


# ---- phases and trials of a plan

def test_a_plan_with_a_ramp_and_a_trial_is_published(api, n):
    id = n("plan")
    document = {"currency": "USD", "charges": [FEE], "trial": {"days": 14, "charges": ["fee"]},
                "phases": [{"periods": 3, "overrides": {"charges": {"fee": {"amount": "5.00"}}}}]}
    assert api.publish(id, document)["document"] == document


def test_a_ramp_cannot_change_what_is_not_there(api, n):
    id = n("plan")
    for phase, pointer in (
            ({"periods": 1, "planVersion": 7}, "/phases/0/planVersion"),
            ({"periods": 1, "overrides": {"charges": {
                "m": {"meter": "nowhere", "model": "perUnit", "unitPrice": "1"}}}},
             "/phases/0/overrides/charges/m/meter")):
        api.put(f"/v1/plans/{id}", {"currency": "USD", "charges": [FEE], "phases": [phase]})
        answer = api.call("POST", f"/v1/plans/{id}/publish", {})
        assert (answer.status, answer.code) == (422, "plan_invalid"), answer
        assert pointer in [error["pointer"] for error in answer.json["errors"]], answer


def test_what_a_ramp_prices_keeps_measuring(api, n):
    meter = api.meter(n("meter"))["id"]
    api.publish(n("plan"), {"currency": "USD", "charges": [FEE], "phases": [
        {"periods": 1, "overrides": {"charges": {"m": {"meter": meter, "model": "perUnit", "unitPrice": "1"}}}}]})
    assert api.call("PUT", f"/v1/meters/{meter}", {"aggregation": "max"}).code == "meter_immutable"


def test_an_unknown_model_is_answered_with_the_models(api, n):
    document = {"currency": "USD", "charges": [{"id": "c", "model": "tiered"}]}
    answer = api.call("PUT", f"/v1/plans/{n('plan')}", document)
    assert answer.status == 422 and "graduated, volume" in answer.json["errors"][0]["detail"], answer
