# SPDX-License-Identifier: Apache-2.0
"""GET /v1/usage: aggregations, windows in any zone, groups, as-of, and what counts as ignored.
Random coverage is test/model's; here stand the documented sentences, one by one."""
import pytest

SPAN = {"from": "2026-06-01T00:00:00Z", "to": "2026-07-01T00:00:00Z"}


def rows(api, meter, **query):
    return api.usage(meter, **{**SPAN, "window": "total", **query})["data"]


def value(api, meter, **query):
    row, = rows(api, meter, **query)
    return row["value"]


@pytest.fixture
def stream(api, n):
    """A stream with a meter of each aggregation on it: stream("sum") is that meter's id."""
    name = n("stream")
    made = {}

    def meter(aggregation, **members):
        key = (aggregation, str(members))
        if key not in made:
            made[key] = api.meter(n("meter"), aggregation, event=name, **members)["id"]
        return made[key]
    meter.event = name
    return meter


@pytest.mark.parametrize("aggregation,wanted", [
    ("sum", "4.5"), ("count", "4"), ("min", "-1.5"), ("max", "4"), ("average", "1.125"), ("latest", "2")])
def test_aggregations_of_the_value(api, stream, event, aggregation, wanted):
    meter = stream(aggregation)
    api.send([event(stream.event, value=4, ts="2026-06-03T00:00:00Z"),
              event(stream.event, value="-1.5", ts="2026-06-02T00:00:00Z"),
              event(stream.event, value=0, ts="2026-06-04T00:00:00Z"),
              event(stream.event, value=2, ts="2026-06-05T00:00:00Z")])
    assert value(api, meter) == wanted


@pytest.mark.parametrize("aggregation,wanted", [
    ("sum", "0"), ("count", "0"), ("uniqueCount", "0"), ("min", None), ("max", None), ("average", None),
    ("latest", None)])
def test_empty_windows(api, stream, event, aggregation, wanted):
    meter = stream(aggregation, **({"property": "p"} if aggregation == "uniqueCount" else {}))
    assert rows(api, meter) == [{"start": SPAN["from"], "end": SPAN["to"], "group": {}, "value": wanted,
                                 "events": 0, "ignored": 0}]


def test_unique_count(api, stream, event):
    meter = stream("uniqueCount", property="model")
    api.send([event(stream.event, model=model) for model in ("a", "b", "a", "A", 1, 2)])
    assert value(api, meter) == "5"


def test_average_has_12_places_half_even(api, stream, event):
    meter = stream("average")
    api.send([event(stream.event, value=part) for part in (1, 1, 0)])
    assert value(api, meter) == "0.666666666667"
    even = stream("average", filter={"k": ["even"]})
    api.send([event(stream.event, value="0.000000000001", k="even"), event(stream.event, value=0, k="even")])
    assert value(api, even) == "0"


def test_latest_ties_go_by_id_not_by_arrival(api, stream, event, n):
    meter, base = stream("latest"), n("tie")
    api.send([event(stream.event, value=2, uid=base + "b")])
    api.send([event(stream.event, value=1, uid=base + "a")])
    assert value(api, meter) == "2"


def test_every_meter_on_a_stream_counts_it(api, stream, event):
    meters = [stream("sum"), stream("count"), stream("max")]
    api.send([event(stream.event, value=3), event(stream.event, value=4)])
    assert [value(api, meter) for meter in meters] == ["7", "2", "4"]


def test_a_meter_made_after_the_events_sees_them(api, stream, event):
    stream("sum")
    api.send([event(stream.event, value=i, region="eu" if i % 2 else "us") for i in range(200)])
    late = stream("sum", filter={"region": ["eu"]}, dimensions=["region"])
    assert value(api, late) == "10000"
    api.send([event(stream.event, value=1, region="eu")])
    assert value(api, late) == "10001"


def test_filters_and_exclusions(api, stream, event):
    some = stream("count", filter={"region": ["eu", "us"], "tier": ["pro"]})
    none = stream("count", exclude=[{"region": ["eu"]}, {"tier": ["free"], "region": ["us"]}])
    api.send([event(stream.event, region=region, tier=tier) for region in ("eu", "us", "ap")
              for tier in ("free", "pro")] + [event(stream.event)])
    assert (value(api, some), value(api, none)) == ("2", "4")


def test_filters_go_by_the_text_of_numbers(api, stream, event):
    meter = stream("count", filter={"size": ["1"]})
    api.send([event(stream.event, size=1), event(stream.event, size="1"), event(stream.event, size=1.0),
              event(stream.event, size="1.0")])
    assert value(api, meter) == "3"


def test_what_counts_nothing_shows_as_ignored(api, stream, event):
    total, many, kinds = (stream("sum", property="tokens"), stream("count"), stream("uniqueCount", property="tokens"))
    api.send([event(stream.event, tokens=part) for part in (5, "2.5", "many", "", None, True)] + [event(stream.event)])
    row, = rows(api, total)
    assert (row["value"], row["events"], row["ignored"]) == ("7.5", 7, 5)
    row, = rows(api, many)
    assert (row["value"], row["events"], row["ignored"]) == ("7", 7, 0)
    row, = rows(api, kinds)
    assert (row["value"], row["events"], row["ignored"]) == ("4", 7, 3)


def test_groups_in_order_with_null_for_absent(api, stream, event):
    meter = stream("sum", dimensions=["region", "tier"])
    api.send([event(stream.event, value=1, region="us"), event(stream.event, value=2, region="eu", tier="pro"),
              event(stream.event, value=4), event(stream.event, value=8, region="eu")])
    assert [(row["group"], row["value"]) for row in rows(api, meter, groupBy="region")] == [
        ({"region": None}, "4"), ({"region": "eu"}, "10"), ({"region": "us"}, "1")]
    assert [(row["group"], row["value"]) for row in rows(api, meter, groupBy="region,tier")] == [
        ({"region": None, "tier": None}, "4"), ({"region": "eu", "tier": None}, "8"),
        ({"region": "eu", "tier": "pro"}, "2"), ({"region": "us", "tier": None}, "1")]


def test_grouping_by_what_is_no_dimension_is_refused(api, stream):
    answer = api.call("GET", "/v1/usage", query={**SPAN, "meter": stream("sum"), "groupBy": "region"})
    assert (answer.status, answer.code) == (400, "parameter_invalid")


def test_added_dimensions_fold_history_again(api, n, event):
    meter = api.meter(n("meter"))["id"]
    api.send([event(meter, value=i, region=f"r{i % 3}") for i in range(100)])
    api.meter(meter, dimensions=["region"])
    assert [row["value"] for row in rows(api, meter, groupBy="region")] == ["1683", "1617", "1650"]


def test_windows_are_gapless_and_clipped(api, stream, event):
    meter = stream("sum")
    api.send([event(stream.event, value=1, ts="2026-06-10T10:30:00Z"),
              event(stream.event, value=2, ts="2026-06-10T12:15:00Z")])
    got = rows(api, meter, window="hour", **{"from": "2026-06-10T10:15:00Z", "to": "2026-06-10T12:15:00.000001Z"})
    assert [(row["start"][11:-1], row["end"][11:-1], row["value"]) for row in got] == [
        ("10:15:00", "11:00:00", "1"), ("11:00:00", "12:00:00", "0"), ("12:00:00", "12:15:00.000001", "2")]


@pytest.mark.parametrize("zone,day,hours", [
    ("Europe/Berlin", "2026-03-29", 23), ("Europe/Berlin", "2026-10-25", 25), ("America/New_York", "2026-03-08", 23),
    ("Pacific/Auckland", "2026-04-05", 25), ("Asia/Kathmandu", "2026-03-29", 24)])
def test_days_of_clock_changes(api, stream, zone, day, hours):
    import datetime as dt
    from zoneinfo import ZoneInfo
    start = dt.datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = start + dt.timedelta(days=1)  # wall time
    query = {"from": start.isoformat(), "to": end.isoformat(), "timeZone": zone}
    assert len(rows(api, stream("sum"), window="day", **query)) == 1
    assert len(rows(api, stream("sum"), window="hour", **query)) == hours


def test_weeks_begin_on_monday(api, stream):
    got = rows(api, stream("sum"), window="week", **{"from": "2026-06-03T00:00:00Z", "to": "2026-06-16T00:00:00Z"})
    assert [row["start"][:10] for row in got] == ["2026-06-03", "2026-06-08", "2026-06-15"]


def test_as_of_an_earlier_sequence(api, stream, event):
    meter, kinds = stream("sum"), stream("uniqueCount", property="k")
    seen = []
    for i in range(1, 40):
        api.send([event(stream.event, value=i, k=f"k{i % 7}") for _ in range(3)])
        answer = api.usage(meter, **SPAN, window="total")
        seen.append((answer["sequence"], answer["data"], rows(api, kinds)))
        assert isinstance(answer["sequence"], str)
    for sequence, data, uniques in seen:
        assert rows(api, meter, asOf=sequence) == data
        assert rows(api, kinds, asOf=sequence) == uniques


@pytest.mark.parametrize("query", [
    {"window": "minute"}, {"timeZone": "Mars/Olympus"}, {"from": "June"}, {"from": SPAN["to"], "to": SPAN["from"]},
    {"asOf": "rubbish"}, {"groupBy": ""}], ids=str)
def test_bad_parameters(api, stream, query):
    answer = api.call("GET", "/v1/usage", query={"meter": stream("sum"), **SPAN, **query})
    assert (answer.status, answer.code) == (400, "parameter_invalid"), answer


def test_an_unknown_meter(api, n):
    answer = api.call("GET", "/v1/usage", query={"meter": n("nobody"), **SPAN})
    assert (answer.status, answer.code) == (404, "meter_not_found")


def test_all_accounts_together(api, stream, event):
    meter = stream("sum")
    api.send([event(stream.event, account=f"a{i}", value=i) for i in range(10)])
    assert value(api, meter) == "45"
    assert value(api, meter, account="a7") == "7"
    assert value(api, meter, account="nobody") == "0"


def test_a_sum_that_cannot_be_kept_exactly_is_refused_not_wrapped(api, stream, event):
    meter = stream("sum")
    # 128 bits at 12 places hold 1.7e26; no amount of events in a test reaches it, but the edges add up exactly
    api.send([event(stream.event, value="999999999999999.999999999999") for _ in range(1000)])
    assert value(api, meter) == "999999999999999999.999999999"
