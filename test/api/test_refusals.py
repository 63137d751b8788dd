# SPDX-License-Identifier: Apache-2.0
"""Refusals that a route declares and no other test provokes there."""
import pytest
from client import dump

FLAT = {"currency": "USD", "charges": [{"id": "fee", "model": "flat", "amount": "10.00"}]}


@pytest.fixture
def meter(api, n):
    return api.meter(n("meter"))["id"]


SINGLE = [({"value": "many"}, "invalid_value"), ({"ts": "soon"}, "invalid_timestamp"),
          ({"ts": "2099-01-01T00:00:00Z"}, "timestamp_in_future"), ({"meter": "nobody.counts"}, "unknown_meter"),
          ({"properties": {f"k{i}": 1 for i in range(65)}}, "too_many_properties"), ({"account": ""}, "field_invalid")]


@pytest.mark.parametrize("path,id", [("/v1/measurements", "uniqueId"), ("/ingest/usage", "idempotency_key")])
@pytest.mark.parametrize("change,code", SINGLE, ids=lambda part: str(part)[:30])
def test_one_bad_event_answers_with_its_reason(api, meter, event, path, id, change, code):
    made = {**event(meter), **change}
    made[id] = made.pop("uniqueId")
    answer = api.call("POST", path, made)
    assert (answer.status, answer.code) == (422, code), answer
    assert answer.json["errors"][0]["pointer"].startswith("/" + next(iter(change)))


def test_an_alias_batch_is_limited_and_may_be_atomic(api, meter, event):
    def alias(**change):
        made = {**event(meter), **change}
        made["idempotency_key"] = made.pop("uniqueId")
        return made
    many = "[" + ",".join([dump(alias())] * 10_001) + "]"
    assert api.call("POST", "/ingest/usage/batch", many).code == "too_many_events"
    refused = api.call("POST", "/ingest/usage/batch", [alias(), alias(value="x")], query={"atomic": "true"})
    assert (refused.status, refused.code) == (422, "atomic_refused")
    assert "invalid_value" in refused.body.decode(), "an atomic refusal says what was wrong"


@pytest.mark.parametrize("what", ["meters", "plans", "subscriptions", "accounts"])
def test_a_stale_entity_tag_is_refused(api, n, what):
    id, account, plan = n("x"), n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {})
    api.publish(plan, FLAT)
    body = {"meters": {"aggregation": "sum"}, "plans": FLAT, "accounts": {"name": "a"},
            "subscriptions": {"account": account, "plan": plan, "startsAt": "2026-01-01T00:00:00Z"}}[what]
    path = f"/v1/{what}/{id}"
    tag = api.call("PUT", path, body).headers["ETag"]
    assert api.call("PUT", path, body, headers={"If-Match": tag}).status == 200
    stale = api.call("PUT", path, body, headers={"If-Match": '"999"'})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    if what == "plans":
        stale = api.call("POST", path + "/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"},
                         headers={"If-Match": '"999"'})
        assert (stale.status, stale.code) == (412, "precondition_failed")
    if what == "meters":
        assert api.call("DELETE", path, headers={"If-Match": '"999"'}).code == "precondition_failed"
        assert api.call("DELETE", path, headers={"If-Match": tag}).status == 204


def test_if_match_on_what_is_not_there(api, n):
    answer = api.call("PUT", f"/v1/accounts/{n('acct')}", {}, headers={"If-Match": '"1"'})
    assert (answer.status, answer.code) == (412, "precondition_failed")


def test_publishing_at_no_time(api, n):
    id = n("plan")
    api.put(f"/v1/plans/{id}", FLAT)
    for body, code in (({"effectiveFrom": "soon"}, "invalid_timestamp"), ({"effectiveFrom": 7}, None), ([], None),
                       ({"effectiveFrom": "2026-01-01T00:00:00Z", "x": 1}, "unknown_member")):
        answer = api.call("POST", f"/v1/plans/{id}/publish", body)
        assert answer.status in (400, 422) and code in (None, answer.code), answer
    assert api.get(f"/v1/plans/{id}")["published"] is False


def test_the_currency_of_an_account_that_is_subscribed_stays(api, n):
    account, plan = n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {"currency": "USD"})
    api.publish(plan, FLAT)
    api.subscribe(n("sub"), account, plan)
    answer = api.call("PUT", f"/v1/accounts/{account}", {"currency": "EUR"})
    assert (answer.status, answer.code) == (422, "currency_mismatch")


def test_a_cursor_of_no_list_of_versions(api, n):
    id = n("plan")
    api.publish(id, FLAT)
    assert api.call("GET", f"/v1/plans/{id}/versions", query={"cursor": "x"}).code == "cursor_invalid"


def test_a_bill_beyond_what_can_be_kept_is_refused_not_wrapped(api, n, meter, event):
    account, plan = n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {})
    api.publish(plan, {"currency": "USD", "charges": [
        {"id": "c", "meter": meter, "model": "perUnit", "unitPrice": "1000000"}]})
    sub = api.subscribe(n("sub"), account, plan)["id"]
    api.send([event(meter, account, value="999999999999999", ts="2026-03-05T00:00:00Z")])
    for path in (f"/v1/subscriptions/{sub}/bill", f"/v1/accounts/{account}/bill"):
        answer = api.call("GET", path, query={"at": "2026-03-15T00:00:00Z"})
        assert (answer.status, answer.code) == (422, "amount_too_large"), answer
