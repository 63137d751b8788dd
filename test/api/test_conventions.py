# SPDX-License-Identifier: Apache-2.0
"""What holds for every route. (Every answer of every test is also checked against the OpenAPI document.)"""
import re

import pytest
from client import quote


def test_every_answer_has_a_request_id_and_the_callers_own_is_kept(api):
    first = api.call("GET", "/v1/meters").headers["Request-Id"]
    assert first and first != api.call("GET", "/v1/meters").headers["Request-Id"]
    assert api.call("GET", "/v1/meters", headers={"X-Request-Id": "abc.1-2_3"}).headers["Request-Id"] == "abc.1-2_3"
    for bad in ("a b", "x" * 129, "é"):
        answer = api.call("GET", "/v1/meters", headers={"X-Request-Id": bad.encode()})
        assert answer.headers["Request-Id"] != bad


def test_problems_are_rfc_9457_and_explain_themselves(api, n):
    answer = api.call("GET", f"/v1/meters/{n('nobody')}")
    assert answer.type == "application/problem+json"
    problem = answer.json
    assert problem["status"] == answer.status == 404
    assert problem["code"] == "meter_not_found"
    page = api.get(re.sub("^https?://[^/]*", "", problem["type"]), key="")
    assert page["code"] == problem["code"] and page["status"] == 404 and page["title"] == problem["title"]


def test_every_code_has_its_page(api):
    from client import run_toll
    import json
    errors = json.loads(run_toll("print", "errors", "--json").stdout)
    errors = errors.get("errors", errors) if isinstance(errors, dict) else errors
    assert len(errors) > 40
    for error in errors:
        assert api.get(f"/problems/{error['code']}", key="")["code"] == error["code"]
    assert api.call("GET", "/problems/no_such_code", key="").code == "problem_not_found"


def test_several_faults_are_told_at_once_with_pointers(api, n):
    answer = api.call("PUT", f"/v1/meters/{n('meter')}", {"aggregation": "median", "unit": 7, "dimensions": "region"})
    assert answer.status == 422
    pointers = {error["pointer"] for error in answer.json["errors"]}
    assert {"/aggregation", "/unit", "/dimensions"} <= pointers


@pytest.mark.parametrize("method,path,body", [
    ("PUT", "/v1/meters/{}", {"aggregation": "sum", "colour": "red"}),
    ("PUT", "/v1/accounts/{}", {"nickname": "x"}),
    ("PUT", "/v1/plans/{}", {"currency": "USD", "charges": [], "colour": "red"}),
    ("PUT", "/v1/subscriptions/{}", {"account": "a", "plan": "p", "startsAt": "2026-01-01T00:00:00Z", "seats": 5})])
def test_unknown_members_are_400(api, n, method, path, body):
    answer = api.call(method, path.format(n("x")), body)
    assert (answer.status, answer.code) == (400, "unknown_member"), answer


@pytest.mark.parametrize("path", ["/v1/meters", "/v1/usage", "/v1/measurements", "/v1/accounts", "/livez"])
def test_unknown_query_parameters_are_400(api, path):
    answer = api.call("GET", path, query={"colour": "red"})
    assert (answer.status, answer.code) == (400, "unknown_parameter"), answer


def test_a_parameter_twice_is_refused(api):
    answer = api.call("GET", "/v1/meters?limit=1&limit=2")
    assert (answer.status, answer.code) == (400, "parameter_invalid")


@pytest.mark.parametrize("id", ["-dash", "with space", "é", "a/b", "m" * 129, ".hidden"])
def test_names_of_meters_and_plans_are_limited(api, id):
    for path in ("/v1/meters/", "/v1/plans/"):
        answer = api.call("PUT", path + quote(id), {"aggregation": "sum"} if "meters" in path else
                          {"currency": "USD", "charges": []})
        assert answer.status in (400, 422) and answer.type == "application/problem+json", answer


@pytest.mark.parametrize("id", ["plain", "with space", "ünïcode ☃", "a/b?c#d", "%25", "é" * 60])
def test_ids_of_accounts_are_free_text(api, n, id):
    id = n("a") + id
    made = api.put(f"/v1/accounts/{quote(id)}", {"name": "Someone"})
    assert made["id"] == id
    assert api.get(f"/v1/accounts/{quote(id)}") == made


@pytest.mark.parametrize("path", ["/v1/accounts/a%00b", "/v1/accounts/a%0Ab", "/v1/accounts/%ff%fe",
                                  "/v1/accounts/a%zz", "/v1/accounts/" + "x" * 256])
def test_ids_that_are_no_text_are_refused(api, path):
    answer = api.call("PUT", path, {})
    assert answer.status in (400, 422), answer


def test_entity_tags_guard_changes(api, n):
    path = f"/v1/accounts/{n('acct')}"
    made = api.call("PUT", path, {"name": "one"})
    tag = made.headers["ETag"]
    assert api.call("GET", path).headers["ETag"] == tag
    changed = api.call("PUT", path, {"name": "two"}, headers={"If-Match": tag})
    assert changed.status == 200 and changed.headers["ETag"] != tag
    stale = api.call("PUT", path, {"name": "three"}, headers={"If-Match": tag})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert api.get(path)["name"] == "two"


def test_the_same_content_again_changes_nothing(api, n):
    path = f"/v1/accounts/{n('acct')}"
    first = api.call("PUT", path, {"name": "one"})
    again = api.call("PUT", path, {"name": "one"})
    assert again.headers["ETag"] == first.headers["ETag"] and again.json == first.json


@pytest.mark.parametrize("what", ["meters", "accounts", "plans", "subscriptions"])
def test_lists_page_over_everything_once(api, n, what):
    base = n(what)
    api.meter(base + "m")
    api.put(f"/v1/accounts/{base}a", {})
    api.publish(base + "p", {"currency": "USD", "charges": [{"id": "c", "model": "flat", "amount": "1"}]})
    for i in range(5):
        if what == "meters":
            api.meter(f"{base}{i}")
        elif what == "accounts":
            api.put(f"/v1/accounts/{base}{i}", {})
        elif what == "plans":
            api.put(f"/v1/plans/{base}{i}", {"currency": "USD", "charges": []})
        else:
            api.subscribe(f"{base}{i}", base + "a", base + "p")
    seen, cursor = [], None
    while True:
        page = api.get(f"/v1/{what}", query={"limit": 3, **({"cursor": cursor} if cursor else {})})
        assert page["object"] == "list" and len(page["data"]) <= 3
        seen += [row["id"] for row in page["data"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert {f"{base}{i}" for i in range(5)} <= set(seen)
    assert api.call("GET", f"/v1/{what}", query={"cursor": "rubbish"}).code == "cursor_invalid"


def test_decimals_leave_as_strings_and_times_in_utc(api, n, event):
    meter = api.meter(n("meter"))["id"]
    made = event(meter, value=12.5, ts="2026-06-10T14:00:00.120+02:00")
    api.send([made])
    stored = api.get(f"/v1/measurements/{made['uniqueId']}")
    assert stored["value"] == "12.5" and stored["ts"] == "2026-06-10T12:00:00.12Z"


def test_methods_that_a_route_does_not_take(api):
    answer = api.call("DELETE", "/v1/usage")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_a_route_that_is_not_there(api):
    assert api.call("GET", "/v1/nonsense").code == "route_not_found"
    assert api.call("GET", "/v1/meters/a/b").code == "route_not_found"


def test_head_is_get_without_the_body(api):
    answer = api.call("HEAD", "/livez")
    assert answer.status == 200 and answer.body == b""
