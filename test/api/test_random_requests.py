# SPDX-License-Identifier: Apache-2.0
"""Requests that are nearly right: valid bodies with one or more members spoilt, odd queries, odd paths.
Each must be answered as OpenAPI says, never with a 5xx, and the server must outlive all of them.
SEED=number replays, REQUESTS=n lengthens."""
import copy
import os
import random
from decimal import Decimal

from client import dump, quote

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10 ** 9)))
REQUESTS = int(os.environ.get("REQUESTS", 3000))

TIERS = [{"upTo": "10", "unitPrice": "1", "flatFee": "2"}, {"upTo": "100", "packageSize": "5", "packagePrice": "2"},
         {"unitPrice": "0.5", "cap": "9"}]
PLAN = {"id": "p", "name": "Plan", "currency": "USD", "rounding": "halfUp", "timeZone": "Europe/Berlin",
        "period": {"every": 1, "unit": "month", "anchor": "calendar"},
        "charges": [{"id": "a", "name": "A", "meter": "m", "model": "graduated", "tiers": TIERS, "filter": {"r": ["x"]},
                     "groupBy": ["r"], "flatFeeAtZero": True},
                    {"id": "b", "meter": "m", "model": "perUnit", "unitPrice": "0.1", "included": "5", "divideBy": "3",
                     "roundQuantity": {"mode": "up", "places": 2}, "allowNegative": True},
                    {"id": "c", "model": "flat", "amount": "10", "timing": "advance", "prorate": "second",
                     "oneTime": True},
                    {"id": "d", "meter": "n", "model": "package", "packageSize": "10", "packagePrice": "1"}],
        "minimum": {"amount": "5"}, "maximum": {"amount": "500"},
        "commitment": {"amount": "20", "discountPercent": "10", "overageFactor": "1.5", "charges": ["b"]},
        "discounts": [{"id": "x", "percent": "5", "charges": ["a"], "periods": 3}, {"id": "y", "amount": "1"}],
        "includedCredits": {"amount": "2"}}
EVENT = {"meter": "m", "account": "a", "value": 1, "ts": "2026-06-10T12:00:00Z", "uniqueId": "u",
         "properties": {"r": "x", "n": 1}}
JUNE = {"start": "2026-06-01T00:00:00Z", "end": "2026-07-01T00:00:00Z"}
BODIES = [
    ("PUT", "/v1/meters/{}", {"event": "m", "aggregation": "sum", "property": "n", "filter": {"r": ["x"]},
                              "exclude": [{"q": ["y"]}], "dimensions": ["r"], "unit": "u"}),
    ("PUT", "/v1/accounts/{}", {"name": "N", "timeZone": "UTC", "currency": "USD", "email": "a@b.c",
                                "metadata": {"k": "v"}}),
    ("PUT", "/v1/plans/{}", PLAN), ("POST", "/v1/plans/{}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"}),
    ("PUT", "/v1/subscriptions/{}", {"account": "a", "plan": "p", "planVersion": 1, "startsAt": "2026-01-01T00:00:00Z",
                                     "endsAt": "2027-01-01T00:00:00Z", "quantities": {"seats": "5"}}),
    ("POST", "/v1/rate", {"plan": PLAN, "period": JUNE, "usage": {
        "m": [{"group": {"r": "x"}, "quantity": "5"}, {"quantity": "7"}], "n": "12"},
        "quantities": {"seats": [{"from": JUNE["start"], "value": "5"}]}, "activeFrom": "2026-06-03T00:00:00Z"}),
    ("POST", "/v1/measurements", EVENT), ("POST", "/v1/measurements", [EVENT, EVENT]),
    ("POST", "/ingest/usage", {"meter": "m", "tenantId": "a", "quantity": "1", "idempotency_key": "k"}),
    ("POST", "/ingest/usage/batch", [{"meter": "m", "account": "a", "value": 1, "uniqueId": "k"}])]
READS = ["/v1/meters", "/v1/meters/{}", "/v1/accounts", "/v1/accounts/{}", "/v1/plans", "/v1/plans/{}",
         "/v1/plans/{}/versions", "/v1/plans/{}/versions/{}", "/v1/subscriptions", "/v1/subscriptions/{}",
         "/v1/subscriptions/{}/bill", "/v1/accounts/{}/bill", "/v1/measurements", "/v1/measurements/{}", "/v1/usage",
         "/v1/measurements/outcomes", "/v1/measurements/rejections", "/metrics", "/problems/{}"]
NAMES = ["meter", "account", "from", "to", "window", "groupBy", "timeZone", "asOf", "limit", "cursor", "at", "ratedAt",
         "verbose", "atomic", "colour"]
ODD = ["", " ", "x", "-1", "0", "1", "1.5", "1e3", "1e400", "NaN", "null", "true", "day", "month", "total", "hour", "r",
       "r,r", "UTC", "Europe/Berlin", "Mars/Olympus", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
       "2026-06-10T12:00:00Z", "2026-02-30T00:00:00Z", "2026-06-10T12:00:00+14:00", "p0.0", "p0.1", "p0.999999999999",
       "p1.1", "m", "a", "p", "ü", "\u0000", "%00", "x" * 300, "../..", "'; drop table meter; --", "USD", "usd", "XXX"]
VALUES = [None, True, False, 0, -1, 1, 31, 32, 999999999999, Decimal("1e30"), Decimal("1e-30"), Decimal("0.1"),
          Decimal("-0"), [], {}, [[]], [{}], {"a": {}}, ["a", "a"], [None], *ODD]


class Spoiler:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def id(self):
        return self.random.choice(["m", "n", "a", "p", "s", "u", self.random.choice(ODD) or "x"])

    def path(self, template):
        while "{}" in template:
            template = template.replace("{}", quote(self.id()), 1)
        return template

    def spoil(self, value, depth=0):
        """A copy with some member replaced, removed, added or moved."""
        if self.random.random() < 0.15 or not isinstance(value, (dict, list)) or not value:
            return copy.deepcopy(self.random.choice(VALUES))
        made = copy.deepcopy(value)
        if isinstance(made, list):
            at = self.random.randrange(len(made))
            if self.random.random() < 0.2:
                made.append(copy.deepcopy(made[at]))
            else:
                made[at] = self.spoil(made[at], depth + 1)
            return made
        name = self.random.choice(list(made))
        draw = self.random.random()
        if draw < 0.15:
            del made[name]
        elif draw < 0.22:
            made[self.random.choice(["colour", name + "x", "", "id"])] = 1
        else:
            made[name] = self.spoil(made[name], depth + 1)
        return made

    def query(self):
        return {name: self.random.choice(ODD) for name in self.random.sample(NAMES, self.random.randint(0, 4))}


def seeded(api):
    api.meter("m", dimensions=["r"])
    api.meter("n", event="m")
    api.put("/v1/accounts/a", {"currency": "USD"})
    api.send([{**EVENT, "uniqueId": f"u{i}"} for i in range(50)])
    plan = {**PLAN, "id": "p"}
    api.publish("p", plan, "2026-01-01T00:00:00Z")
    api.subscribe("s", "a", "p", "2026-01-10T00:00:00Z")


def test_nearly_right_requests(fresh):
    api, spoiler = fresh(seal_bits=4), Spoiler(SEED)
    print(f"replay with SEED={SEED}")
    seeded(api)
    statuses = {}
    for number in range(REQUESTS):
        if spoiler.random.random() < 0.4:
            method, path, body = "GET", spoiler.path(spoiler.random.choice(READS)), None
        else:
            method, template, body = spoiler.random.choice(BODIES)
            path = spoiler.path(template)
            for _ in range(spoiler.random.choice([0, 1, 1, 1, 2, 3])):
                body = spoiler.spoil(body)
        query = spoiler.query() if spoiler.random.random() < 0.5 else None
        try:
            answer = api.call(method, path, None if body is None else dump(body), query=query)
        except OSError as fault:
            raise AssertionError(f"no answer to {method} {path} {query} {body}: {fault}\n"
                                 + api.server.log_tail()) from fault
        assert answer.status < 500, (method, path, query, body, answer)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
    assert api.call("GET", "/livez", key="").status == 200
    assert statuses.get(200, 0) > REQUESTS / 50 and statuses.get(422, 0) > REQUESTS / 50, statuses
    api.server.restart()  # and what was stored can be read again
    api.bill("s", at="2026-06-15T00:00:00Z")
    api.server.stop()
    api.server.verify()
    api.server.start()
