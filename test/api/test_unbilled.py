# SPDX-License-Identifier: Apache-2.0
"""Events that no bill counts, each with its reason. A server of its own: the answer is of the whole project."""
import pytest


@pytest.fixture
def world(fresh):
    """Two meters, of which the plan prices one; ada is subscribed in June."""
    api = fresh()
    api.meter("calls", dimensions=["region"])
    api.meter("size", property="bytes", dimensions=["region"])
    api.meter("idle")
    api.put("/v1/accounts/ada", {})
    api.publish("plan", {"currency": "USD", "charges": [
        {"id": "eu", "meter": "calls", "model": "perUnit", "unitPrice": "1", "filter": {"region": ["eu"]}},
        {"id": "size", "meter": "size", "model": "perUnit", "unitPrice": "1"}]})
    api.subscribe("sub", "ada", "plan", "2026-06-01T00:00:00Z", endsAt="2026-07-01T00:00:00Z")
    return api


def send(api, uid, meter, ts="2026-06-10T00:00:00Z", account="ada", **properties):
    api.send([{"meter": meter, "account": account, "uniqueId": uid, "ts": ts,
               **({"properties": properties} if properties else {})}])


def unbilled(api, **query):
    return {row["reason"]: row for row in api.get("/v1/usage/unbilled", query=query)["data"]}


def examples(row):
    return [example["uniqueId"] for example in row["examples"]]


def test_each_reason(world):
    send(world, "billed", "calls", region="eu")
    send(world, "sized", "size", bytes=5)
    assert unbilled(world) == {}
    send(world, "stranger", "calls", account="eve", region="eu")
    send(world, "early", "calls", "2026-05-31T23:59:59.999999Z", region="eu")
    send(world, "late", "calls", "2026-07-01T00:00:00Z", region="eu")
    send(world, "elsewhere", "calls", region="us")
    send(world, "unpriced", "idle")
    send(world, "shapeless", "size", bytes="big")
    rows = unbilled(world)
    assert {reason: sorted(examples(row)) for reason, row in rows.items()} == {
        "no_subscription": ["stranger"], "outside_subscription": ["early", "late"],
        "no_charge": ["elsewhere", "unpriced"], "ignored": ["shapeless"]}
    assert {reason: row["events"] for reason, row in rows.items()} == {
        "no_subscription": 1, "outside_subscription": 2, "no_charge": 2, "ignored": 1}
    assert rows["no_charge"]["meters"] == ["idle", "calls"] and rows["no_charge"]["accounts"] == ["ada"]
    assert rows["no_subscription"]["examples"] == [
        {"uniqueId": "stranger", "account": "eve", "meter": "calls", "ts": "2026-06-10T00:00:00Z"}]
    assert rows["no_subscription"]["accountCount"] == 1


def test_only_events_of_the_time_asked_for(world):
    for day in (9, 10, 11):
        send(world, f"day{day}", "idle", f"2026-06-{day:02}T00:00:00Z")
    span = {"from": "2026-06-10T00:00:00Z", "to": "2026-06-11T00:00:00Z"}
    assert examples(unbilled(world, **span)["no_charge"]) == ["day10"]


def test_what_is_free_in_a_pause(world):
    send(world, "paused", "calls", region="eu")
    assert unbilled(world) == {}
    world.post("/v1/subscriptions/sub/pause", {"at": "2026-06-05T00:00:00Z", "usage": "free"})
    assert examples(unbilled(world)["outside_subscription"]) == ["paused"]


def test_a_subscription_takes_only_what_is_its_own(world):
    world.put("/v1/accounts/bob", {})
    world.subscribe("bobs", "bob", "plan", "2026-06-01T00:00:00Z", usageFilter={"region": ["eu"]})
    send(world, "own", "calls", account="bob", region="eu")
    send(world, "other", "calls", account="bob", region="us")
    assert examples(unbilled(world)["no_charge"]) == ["other"]


def test_what_was_void_is_not_missing(world):
    send(world, "mistake", "idle")
    world.post("/v1/measurements/void", {"uniqueIds": ["mistake"]})
    assert unbilled(world) == {}


def test_pages_of_accounts(world):
    for name in "fghij":
        send(world, f"of-{name}", "calls", account=name)
    found, cursor = [], None
    for _ in range(10):
        page = world.get("/v1/usage/unbilled", query={"limit": 2, **({"cursor": cursor} if cursor else {})})
        found += [example["account"] for row in page["data"] for example in row["examples"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert found == list("fghij")
    assert page["unfinished"] == []


def test_what_is_asked_wrongly(world):
    for query, code in (({"limit": 0}, "parameter_invalid"), ({"cursor": "x"}, "cursor_invalid"),
                        ({"from": "2026-07-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}, "parameter_invalid")):
        answer = world.call("GET", "/v1/usage/unbilled", query=query)
        assert (answer.status, answer.code) == (400, code)
