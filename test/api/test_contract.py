# SPDX-License-Identifier: Apache-2.0
"""The judge of answers is judged: what it must notice, on a document made for it."""
import json

import pytest
from client import Answer
from contract import Contract

THING = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "size": {"type": "integer"}}}
PROBLEM = {"type": "object", "properties": {name: {} for name in
                                            ("type", "title", "status", "detail", "code", "requestId", "errors")}}
DOCUMENT = {"openapi": "3.1.0", "components": {"schemas": {"Thing": THING, "Problem": PROBLEM}}, "paths": {
    "/things/{id}": {"put": {
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
        "responses": {
            "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
            "404": {"x-codes": ["thing_not_found"],
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}}}}}}


def answer(status=200, body=None, type="application/json", **headers):
    text = json.dumps({"id": "a"} if body is None else body).encode()
    return Answer(status, {"Content-Type": type, "Request-Id": "r", **headers}, text)


def problem(**change):
    body = {"type": "/problems/thing_not_found", "title": "t", "status": 404, "detail": "d",
            "code": "thing_not_found", "requestId": "r", **change}
    return answer(404, body, "application/problem+json")


def check(given, path="/things/x", sent=None):
    contract = Contract(DOCUMENT)
    contract.check("PUT", path, given, sent)
    return contract


def test_what_is_as_documented_passes_and_is_remembered():
    assert check(answer(), sent=b'{"id":"a"}').reached == {("PUT", "/things/{id}", 200, None)}
    contract = check(problem())
    assert contract.declared() - contract.reached == {("PUT", "/things/{id}", 200, None)}


@pytest.mark.parametrize("given", [
    answer(body={"id": 7}), answer(body={}), answer(body={"id": "a", "colour": "red"}), answer(status=201),
    answer(type="text/plain"), answer(**{"Request-Id": ""}), problem(code="gone"), problem(status=400),
    problem(requestId="other"), problem(extra=1), problem(type="/problems/x"), problem(errors=[{"code": "x"}])],
    ids=lambda given: repr(given)[:70])
def test_what_is_not_as_documented_is_noticed(given):
    with pytest.raises(AssertionError):
        check(given)


def test_a_route_that_is_not_documented_is_noticed():
    with pytest.raises(AssertionError):
        check(answer(), path="/others")


def test_a_body_that_is_taken_but_not_documented_is_noticed():
    with pytest.raises(AssertionError):
        check(answer(), sent=b'{"id":"a","colour":"red"}')
