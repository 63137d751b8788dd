# SPDX-License-Identifier: Apache-2.0
"""The printed OpenAPI document as a judge of every answer."""
import json
import re
import threading

import jsonschema

# What one session of tests shares: its contract, and whether all of test/api runs in it.
STATE = {"contract": None, "whole": False}

METHODS = ("get", "put", "post", "delete", "patch", "head")
PROBLEM = "application/problem+json"
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "requestId", "errors",
                   # of a refused measurement, and of a refused batch
                   "outcome", "uniqueId", "voided", "accepted", "duplicates", "conflicts", "rejected", "results"}


def closed(schema):
    """The same schema with every object closed, so that a member nobody documented is a fault."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made and "allOf" not in made:
        made["additionalProperties"] = False
    return made


class Contract:
    def __init__(self, document):
        self.document = document
        self.closed = closed(document)
        self.resolver = jsonschema.RefResolver("", self.closed)
        self.validators = {}
        self.lock = threading.Lock()
        self.reached = set()     # (method, template, status, code or None)
        self.exchanges = 0
        self.routes = []
        for template, item in document["paths"].items():
            pattern = re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", re.sub(r"([.$])", r"\\\1", template)) + "$")
            for method in METHODS:
                if method in item:
                    self.routes.append((method.upper(), template, pattern, item[method]))
        # a literal segment wins over a parameter
        self.routes.sort(key=lambda route: route[1].count("{"))

    def resolve(self, part):
        while isinstance(part, dict) and "$ref" in part:
            found = self.document
            for step in part["$ref"].lstrip("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            part = found
        return part

    def find(self, method, path):
        for route in self.routes:
            if route[0] == ("GET" if method == "HEAD" else method) and route[2].match(path.split("?")[0]):
                return route
        return None

    def validator(self, key, schema):
        with self.lock:
            if key not in self.validators:
                self.validators[key] = jsonschema.Draft202012Validator(
                    closed(schema), resolver=self.resolver,
                    format_checker=jsonschema.FormatChecker(formats=()))
            return self.validators[key]

    def codes(self, response):
        """The error codes that one response declares, wherever its schema or extensions name them."""
        response = self.resolve(response)
        named = set(response.get("x-codes", []))
        for media in response.get("content", {}).values():
            self.collect_codes(media.get("schema", {}), named)
        return named

    def collect_codes(self, schema, named):
        schema = self.resolve(schema)
        code = schema.get("properties", {}).get("code", {})
        named.update(code.get("enum", []))
        if "const" in code:
            named.add(code["const"])
        for part in schema.get("allOf", []) + schema.get("oneOf", []) + schema.get("anyOf", []):
            self.collect_codes(part, named)

    def declared(self):
        """Every (method, template, status, code): code None for what is no problem document."""
        every = set()
        for method, template, _, operation in self.routes:
            for status, response in operation["responses"].items():
                if status == "default":
                    continue
                codes = self.codes(response) if int(status) >= 400 else {None}
                every.update((method, template, int(status), code) for code in codes or {None})
        return every

    def check(self, method, path, answer, sent=None):
        self.exchanges += 1
        where = f"{method} {path} -> {answer!r}"
        assert answer.headers.get("Request-Id"), f"no Request-Id: {where}"
        route = self.find(method, path)
        if answer.type == PROBLEM:
            self.check_problem(answer, where)
        if route is None:
            assert answer.status in (404, 405), f"answered, but no route in OpenAPI: {where}"
            assert answer.type == PROBLEM, where
            self.reached.add((method, None, answer.status, answer.code))
            return
        _, template, _, operation = route
        responses = operation["responses"]
        assert str(answer.status) in responses, f"status not declared by {method} {template}: {where}"
        response = self.resolve(responses[str(answer.status)])
        code = answer.code
        with self.lock:
            self.reached.add((method, template, answer.status, code))
        content = response.get("content", {})
        if method == "HEAD" or (not content and not answer.body):
            return
        assert answer.type in content, f"content type not declared (has {list(content)}): {where}"
        if answer.type.endswith("json"):
            schema = content[answer.type].get("schema")
            assert schema is not None, f"no schema for {method} {template} {answer.status}"
            errors = list(self.validator((method, template, answer.status, answer.type), schema)
                          .iter_errors(answer.json))
            assert not errors, f"{where}\nagainst OpenAPI: " + "; ".join(
                f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors[:5])
        if code is not None:
            declared = self.codes(response)
            assert not declared or code in declared, f"code {code} not declared (has {sorted(declared)}): {where}"
        if answer.status < 300 and sent:
            self.check_request(route, sent, where)

    def check_request(self, route, sent, where):
        """What was taken must be what the document says is taken."""
        method, template, _, operation = route
        body = self.resolve(operation.get("requestBody", {}))
        schema = body.get("content", {}).get("application/json", {}).get("schema")
        assert schema is not None, f"a body was taken that OpenAPI does not name: {where}"
        if template in ("/v1/measurements", "/ingest/usage/batch"):
            return  # a batch may hold rejected events; its members have their own tests
        errors = list(self.validator((method, template, "request"), schema).iter_errors(json.loads(sent)))
        assert not errors, f"accepted, but not as OpenAPI says: {errors[0].message}: {sent[:500]!r} {where}"

    def check_problem(self, answer, where):
        problem = answer.json
        assert {"type", "title", "status", "detail", "code", "requestId"} <= set(problem), where
        assert set(problem) <= PROBLEM_MEMBERS, f"unknown member in a problem: {where}"
        assert problem["status"] == answer.status, where
        assert problem["requestId"] == answer.headers["Request-Id"], where
        assert problem["type"].endswith("/problems/" + problem["code"]), where
        for error in problem.get("errors", []):
            assert {"pointer", "code", "detail"} <= set(error), where
        if answer.status == 401:
            assert answer.headers.get("WWW-Authenticate", "").startswith("Bearer"), where
        if answer.status == 503:
            assert answer.headers.get("Retry-After", "").isdigit(), where
        if answer.status == 405:
            assert answer.headers.get("Allow"), where
