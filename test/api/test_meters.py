# SPDX-License-Identifier: Apache-2.0
"""Meters whose value is made of events in order: gauges, percentiles, what carries over, local windows."""
import datetime as dt
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DAY = {"from": "2026-06-10T00:00:00Z", "to": "2026-06-11T00:00:00Z"}
JUNE = {"from": "2026-06-01T00:00:00Z", "to": "2026-07-01T00:00:00Z"}


def at(hour):
    return f"2026-06-10T{hour:02d}:00:00Z"


def rows(api, meter, span=DAY, **query):
    return api.usage(meter, **{**span, "window": "total", **query})["data"]


def value(api, meter, span=DAY, **query):
    row, = rows(api, meter, span, **query)
    return row["value"]


@pytest.fixture
def told(api, n, event):
    """A meter and its first events: told(members, (hour, value), …); more with told.more."""
    def make(members, *events):
        make.meter = api.meter(n("meter"), **members)["id"]
        make.more(*events)
        return make.meter

    def more(*events):
        api.send([event(make.meter, value=value, ts=ts if isinstance(ts, str) else at(ts), **rest)
                  for ts, value, *one in events for rest in (one[0] if one else {},)])
    make.more = more
    return make


def gauge(**members):
    return {"aggregation": "timeWeighted", **members}


# ---- gauges

def test_gb_hours_from_levels(api, told):
    meter = told(gauge(per="hour"), (6, 10), (18, 4))
    assert value(api, meter) == "144"  # 10 x 12 + 4 x 6
    assert [row["value"] for row in rows(api, meter, window="hour")] == ["0"] * 6 + ["10"] * 12 + ["4"] * 6
    assert value(api, meter, {"from": at(0), "to": at(7)}) == "10"
    assert value(api, meter, {"from": "2026-06-20T00:00:00Z", "to": "2026-06-21T00:00:00Z"}) == "96"


@pytest.mark.parametrize("per,wanted", [(None, "518400"), ("second", "518400"), ("hour", "144"), ("day", "6"),
                                        ("period", "6")])
def test_what_level_and_time_are_divided_by(api, told, per, wanted):
    meter = told(gauge(**({"per": per} if per else {})), (6, 10), (18, 4))
    assert value(api, meter) == wanted
    assert api.get(f"/v1/meters/{meter}")["per"] == (per or "second")


def test_a_level_that_does_not_end_has_12_places(api, told):
    assert value(api, told(gauge(per="day"), (16, 1))) == "0.333333333333"


def test_a_level_that_ends_is_exact(api, told):
    meter = told(gauge(per="second"), ("2026-06-10T23:59:59.999999Z", "0.000000000001"))
    assert value(api, meter) == "0.000000000000000001"


def test_changes_are_a_level_too(api, told):
    meter = told(gauge(per="hour", input="change"), ("2026-05-01T00:00:00Z", 9), ("2026-06-09T00:00:00Z", -4),
                 (6, 3), (12, -6))
    assert value(api, meter) == "102"  # 5 x 6 + 8 x 6 + 2 x 12


def test_late_levels_count_where_they_belong(api, told):
    meter = told(gauge(per="hour"), (0, 10), (20, 0))
    assert value(api, meter) == "200"
    told.more((5, 20), (6, 10))
    assert value(api, meter) == "210"
    told.more(("2026-06-09T23:59:59.999999Z", 99))  # the level at the begin is told anew within it
    assert value(api, meter) == "210"


def test_a_void_level_never_was(api, told, event, n):
    meter = told(gauge(per="hour"), (0, 10))
    wrong = event(meter, value=1000, ts=at(1), uid=n("wrong"))
    api.send([wrong])
    assert value(api, meter) == "23010"
    before = api.usage(meter, **DAY, window="total")["sequence"]
    made = api.post("/v1/measurements/void", {"uniqueIds": [wrong["uniqueId"]]})
    assert value(api, meter) == "240"
    assert value(api, meter, asOf=before) == "23010"
    assert value(api, meter, {"from": at(12), "to": at(13)}) == "10"  # also as an opening level
    api.post(f"/v1/voids/{made['id']}/revert", None)
    assert value(api, meter, {"from": at(12), "to": at(13)}) == "1000"


def test_an_amended_level_is_the_amended_one(api, told, event, n):
    meter = told(gauge(per="hour"))
    sent = event(meter, value=10, ts=at(0), uid=n("level"))
    api.send([sent])
    api.post("/v1/measurements/amend", [{"uniqueId": sent["uniqueId"], "value": 20, "ts": at(12)}])
    assert value(api, meter) == "240"


def test_levels_of_groups_and_of_accounts_are_apart(api, told):
    meter = told(gauge(per="hour", dimensions=["disk"]), (0, 1, {"disk": "a"}), (6, 2, {"disk": "b"}),
                 (12, 3, {"disk": "a"}))
    assert [(row["group"]["disk"], row["value"]) for row in rows(api, meter, groupBy="disk")] == [
        ("a", "48"), ("b", "36")]  # 1 x 12 + 3 x 12; 2 x 18
    assert value(api, meter) == "54"  # as one gauge: 1 x 6 + 2 x 6 + 3 x 12
    later = {"from": "2026-06-11T00:00:00Z", "to": "2026-06-12T00:00:00Z"}
    assert [row["value"] for row in rows(api, meter, later, groupBy="disk")] == ["72", "48"]
    told.more((0, 5, {"account": "x"}), (12, 7, {"account": "y"}))
    assert value(api, meter, account="x") == "120"
    assert value(api, meter) == "258"  # 54 + 120 + 84


def test_a_running_gauge_runs_to_now(api, told):
    now = dt.datetime.now(dt.timezone.utc)
    begin = (now - dt.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    end = (now + dt.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    meter = told(gauge(), (begin, 1))
    first, second = (Fraction(value(api, meter, {"from": begin, "to": end})) for _ in range(2))
    assert 7200 <= first <= second < 86400


def test_a_gauge_of_nothing_is_0(api, told):
    row, = rows(api, told(gauge()))
    assert (row["value"], row["events"]) == ("0", 0)


# ---- percentiles

def test_percentiles_are_events(api, told):
    meter = told({"aggregation": "percentile", "percentile": "95"}, *[(i % 24, i) for i in range(1, 41)])
    assert value(api, meter) == "38"  # rank 38 of 40
    assert api.get(f"/v1/meters/{meter}")["percentile"] == "95"
    assert value(api, meter, JUNE) == "38"
    assert value(api, meter, {"from": "2026-06-12T00:00:00Z", "to": "2026-06-13T00:00:00Z"}) is None
    told.more((3, 41), (4, 42))
    assert value(api, meter) == "40"  # rank 39.9


# ---- what carries over

def test_seats_that_were_taken_and_given_back(api, told, n, event):
    meter = api.meter(n("seats"), "uniqueCount", property="user", carryOver=True, operationProperty="op")["id"]
    for ts, user, op in (("2026-05-01T00:00:00Z", "ada", None), ("2026-05-02T00:00:00Z", "bob", "add"),
                         ("2026-06-05T00:00:00Z", "ada", "add"), ("2026-06-10T08:00:00Z", "bob", "remove"),
                         ("2026-06-10T09:00:00Z", "cy", "add"), ("2026-06-10T10:00:00Z", "di", "perhaps")):
        api.send([event(meter, ts=ts, user=user, **({"op": op} if op else {}))])
    assert value(api, meter, {"from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}) == "2"
    row, = rows(api, meter, JUNE)
    assert (row["value"], row["events"], row["ignored"]) == ("2", 4, 1)
    days = rows(api, meter, {"from": "2026-06-09T00:00:00Z", "to": "2026-06-12T00:00:00Z"}, window="day")
    assert [row["value"] for row in days] == ["2", "2", "2"]
    hours = rows(api, meter, {"from": at(7), "to": at(11)}, window="hour")
    assert [row["value"] for row in hours] == ["2", "1", "2", "2"]


def test_sums_that_carry_over(api, told):
    meter = told({"aggregation": "sum", "carryOver": True}, ("2026-04-01T00:00:00Z", "2.5"), (3, 1), (5, -2))
    assert value(api, meter) == "1.5"
    assert [row["value"] for row in rows(api, meter, window="hour")][2:6] == ["2.5", "3.5", "3.5", "1.5"]
    assert value(api, meter, {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}) == "0"


# ---- local windows

@pytest.mark.parametrize("inner,outer,wanted", [
    ("sum", "max", "7"), ("sum", "percentile", "2"), ("count", "average", "0.125"), ("max", "sum", "6"),
    ("max", "count", "2"), ("uniqueCount", "latest", "0"), ("latest", "latest", "2")])
def test_windows_first(api, told, inner, outer, wanted):
    window = {"unit": "hour", "aggregation": outer}
    meter = told({"aggregation": inner, "window": window, **({"percentile": "95"} if outer == "percentile" else {})},
                 ("2026-06-10T01:10:00Z", 4), ("2026-06-10T01:20:00Z", 3), ("2026-06-10T05:00:00Z", 2))
    assert value(api, meter) == wanted
    assert api.get(f"/v1/meters/{meter}")["window"] == window


def test_windows_are_those_of_the_zone(api, told):
    meter = told({"aggregation": "sum", "window": {"unit": "day", "aggregation": "max"}},
                 ("2026-06-10T09:00:00Z", 1), ("2026-06-10T11:00:00Z", 2), ("2026-06-10T12:00:00Z", 4))
    assert value(api, meter, JUNE) == "7"
    assert value(api, meter, JUNE, timeZone="Pacific/Auckland") == "4"  # UTC+12: a new day at 12:00
    assert value(api, meter, JUNE, timeZone="Pacific/Honolulu") == "6"  # UTC-10: one at 10:00


def test_windows_begin_with_the_first_event_when_the_range_does_not_begin(api, told):
    meter = told({"aggregation": "count", "window": {"unit": "day", "aggregation": "average"}}, (0, 1), (1, 1))
    row, = api.usage(meter, to="2026-06-12T00:00:00Z")["data"]
    assert row["value"] == "1"  # 2 and 0


def test_a_range_of_too_many_windows_is_refused(api, told):
    meter = told({"aggregation": "count", "window": {"unit": "hour", "aggregation": "max"}})
    answer = api.call("GET", "/v1/usage", query={"meter": meter, "from": "1990-01-01T00:00:00Z",
                                                "to": "2026-01-01T00:00:00Z"})
    assert (answer.status, answer.code) == (400, "parameter_invalid")
    assert api.call("DELETE", f"/v1/meters/{meter}").status == 204


# ---- billed

def subscribed(api, n, meter, **charge):
    plan, subscription = n("plan"), n("sub")
    api.publish(plan, {"currency": "USD", "charges": [
        {"id": "c", "meter": meter, "model": "perUnit", "unitPrice": "1", **charge}]})
    api.subscribe(subscription, "acct", plan, "2026-06-01T00:00:00Z")
    return subscription


def test_a_gauge_is_priced_exactly(api, told, n):
    meter = told(gauge(per="period"), ("2026-06-21T00:00:00Z", 1, {"account": "acct"}))
    subscription = subscribed(api, n, meter, unitPrice="0.03")  # a third of June: 1/3 x 0.03
    line, = api.bill(subscription, at="2026-06-15T00:00:00Z")["lines"]
    assert (line["usage"], line["exactAmount"], line["amount"]) == ("0.333333333333", "0.01", "0.01")
    line, = api.bill(subscription, at="2026-07-15T00:00:00Z")["lines"]
    assert (line["usage"], line["amount"]) == ("1", "0.03")  # nothing was told in July


def test_a_bill_counts_a_gauge_to_the_moment_it_is_rated_at(api, told, n):
    meter = told(gauge(per="day"), ("2026-06-01T00:00:00Z", 2, {"account": "acct"}))
    subscription = subscribed(api, n, meter)
    bill = api.bill(subscription, at="2026-06-15T00:00:00Z", ratedAt="2026-06-11T00:00:00Z")
    assert bill["lines"][0]["usage"] == "20"


# ---- declared

@pytest.mark.parametrize("body,pointer", [
    ({"aggregation": "percentile"}, "/percentile"), ({"aggregation": "percentile", "percentile": 0}, "/percentile"),
    ({"aggregation": "percentile", "percentile": "100.1"}, "/percentile"),
    ({"aggregation": "sum", "percentile": "95"}, "/percentile"),
    ({"aggregation": "sum", "input": "level"}, "/input"), ({"aggregation": "max", "per": "hour"}, "/per"),
    ({"aggregation": "timeWeighted", "input": "sum"}, "/input"),
    ({"aggregation": "timeWeighted", "per": "minute"}, "/per"),
    ({"aggregation": "count", "carryOver": True}, "/carryOver"),
    ({"aggregation": "sum", "carryOver": "yes"}, "/carryOver"),
    ({"aggregation": "sum", "operationProperty": "op"}, "/operationProperty"),
    ({"aggregation": "sum", "window": "hour"}, "/window"),
    ({"aggregation": "sum", "window": {"unit": "hour"}}, "/window/aggregation"),
    ({"aggregation": "sum", "window": {"unit": "minute", "aggregation": "max"}}, "/window/unit"),
    ({"aggregation": "sum", "window": {"unit": "day", "aggregation": "uniqueCount"}}, "/window/aggregation"),
    ({"aggregation": "sum", "window": {"unit": "day", "aggregation": "max", "size": 5}}, "/window/size"),
    ({"aggregation": "sum", "window": {"unit": "day", "aggregation": "percentile"}}, "/percentile")], ids=str)
def test_members_that_do_not_fit_are_named(api, n, body, pointer):
    answer = api.call("PUT", f"/v1/meters/{n('meter')}", body)
    assert answer.status in (400, 422), answer
    assert [error["pointer"] for error in answer.json.get("errors", [answer.json])] == [pointer], answer


@pytest.mark.parametrize("change", [
    {"per": "day"}, {"input": "change"}, {"window": {"unit": "day", "aggregation": "max"}}], ids=str)
def test_members_of_a_priced_meter_cannot_change(api, told, n, change):
    meter = told(gauge(per="hour"))
    subscribed(api, n, meter)
    answer = api.call("PUT", f"/v1/meters/{meter}", {**gauge(per="hour"), **change})
    assert (answer.status, answer.code) == (409, "meter_immutable")
    assert api.call("PUT", f"/v1/meters/{meter}", {**gauge(per="hour"), "input": "level", "unit": "GB"}).status == 200


def test_shares_event_by_event_need_what_the_events_brought(api, n):
    for members in ({"carryOver": True}, {"window": {"unit": "day", "aggregation": "max"}}):
        meter = api.meter(n("meter"), "sum", **members)["id"]
        plan = n("plan")
        api.put(f"/v1/plans/{plan}", {"currency": "USD", "charges": [
            {"id": "c", "meter": meter, "model": "percentage", "ratePercent": "1", "perEventFee": "0.10"}]})
        answer = api.call("POST", f"/v1/plans/{plan}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
        assert (answer.status, answer.code) == (422, "plan_invalid"), answer


def test_meters_that_look_back_survive_a_restart(api, told):
    gauge_meter = told(gauge(per="hour"), ("2026-05-01T00:00:00Z", 3))
    carried = told({"aggregation": "sum", "carryOver": True}, ("2026-05-01T00:00:00Z", 4))
    api.server.restart()
    assert (value(api, gauge_meter), value(api, carried)) == ("72", "4")


# ---- the guide

def guide():
    """The rows of docs/guide/meters.md: (members, [(ts, value)], what the day comes to)."""
    text = (ROOT / "docs" / "guide" / "meters.md").read_text()
    for members, events, wanted in re.findall(r"^\| `({.*})` \| (.+) \| (\S+) \|$", text, re.MULTILINE):
        said = [part.split(" ") for part in events.split(", ")]
        yield json.loads(members), [((ts if "T" in ts else f"2026-06-10T{ts}") + ":00Z", value)
                                    for ts, value in said], wanted


@pytest.mark.parametrize("members,events,wanted", guide(), ids=str)
def test_the_guide_is_right(api, told, members, events, wanted):
    assert value(api, told(members, *events)) == wanted


def test_the_guide_shows_every_aggregation():
    shown = {members["aggregation"] for members, _, _ in guide()}
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    body = document["components"]["schemas"]["MeterBody"]["properties"]
    assert shown == set(body["aggregation"]["enum"])
