# SPDX-License-Identifier: Apache-2.0
"""Reading events back: the list, one event, outcomes over time, refusals with their reasons."""
import datetime as dt

import pytest
from client import quote


@pytest.fixture
def meter(api, n):
    return api.meter(n("meter"))["id"]


def pages(api, path, limit, **query):
    cursor, made = None, []
    while True:
        page = api.get(path, query={**query, "limit": limit, **({"cursor": cursor} if cursor else {})})
        assert page["object"] == "list" and len(page["data"]) <= limit
        made.append(page["data"])
        cursor = page["nextCursor"]
        if cursor is None:
            return made


def test_an_acknowledged_event_is_in_the_next_read(api, meter, event, n):
    account = n("acct")
    for i in range(1, 30):
        api.send([event(meter, account, value=i)])
        row, = api.usage(meter, account=account, **{"from": "2026-06-01T00:00:00Z", "to": "2026-07-01T00:00:00Z",
                                                    "window": "total"})["data"]
        assert (row["value"], row["events"]) == (str(i * (i + 1) // 2), i)


def test_one_event(api, meter, event):
    made = event(meter, value="12.50", region="eu-1", size=3)
    api.send([made])
    stored = api.get(f"/v1/measurements/{quote(made['uniqueId'])}")
    assert {name: stored[name] for name in ("meter", "account", "value", "ts", "uniqueId", "properties")} == \
        {**made, "value": "12.5"}
    assert stored["outcome"] == "accepted" and stored["voided"] is False and stored["sequence"]
    assert stored["receivedAt"].endswith("Z")


def test_an_event_that_does_not_exist(api, n):
    answer = api.call("GET", f"/v1/measurements/{n('evt')}")
    assert (answer.status, answer.code) == (404, "event_not_found")


@pytest.mark.parametrize("length", [255, 256, 1000, 5000, 20_000])
def test_an_id_longer_than_any_is_refused_and_hurts_nobody(api, length):
    """A length that only a path can have once ended the process."""
    for path in ("/v1/measurements/", "/v1/accounts/", "/v1/meters/", "/v1/plans/", "/v1/subscriptions/"):
        answer = api.call("GET", path + "x" * length)
        assert answer.status in (400, 404, 414, 422, 431), answer
    for query in ("/v1/measurements?account=", "/v1/measurements?meter=", "/v1/usage?meter=",
                  "/v1/usage?meter=m&account=", "/v1/usage?meter=m&groupBy=", "/v1/measurements?account=a&cursor="):
        answer = api.call("GET", query + "x" * length)
        assert answer.status in (200, 400, 404, 414, 422, 431), answer


@pytest.mark.parametrize("uid", ["a/b?c=d&e#f", "with space", "ünïcode ☃", "%41", "..", "a+b"])
def test_ids_are_percent_encoded_in_paths(api, meter, event, n, uid):
    made = event(meter, uid=n("u") + uid)
    api.send([made])
    assert api.get(f"/v1/measurements/{quote(made['uniqueId'])}")["uniqueId"] == made["uniqueId"]


def test_the_list_is_newest_first_and_pages_cover_it_once(api, meter, event, n):
    account = n("acct")
    sent = [event(meter, account, ts=f"2026-06-{day:02d}T0{hour}:00:00Z") for day in range(1, 11) for hour in range(5)]
    api.send(sent)
    rows = [row for page in pages(api, "/v1/measurements", 7, account=account) for row in page]
    wanted = sorted(sent, key=lambda made: (made["ts"], made["uniqueId"]), reverse=True)
    assert [row["uniqueId"] for row in rows] == [made["uniqueId"] for made in wanted]


def test_events_that_arrive_between_pages_do_not_disturb_them(api, meter, event, n):
    account = n("acct")
    sent = [event(meter, account, ts=f"2026-06-10T00:00:{second:02d}Z") for second in range(20)]
    api.send(sent)
    first = api.get("/v1/measurements", query={"account": account, "limit": 5})
    api.send([event(meter, account, ts="2026-06-11T00:00:00Z")])
    second = api.get("/v1/measurements", query={"account": account, "limit": 5, "cursor": first["nextCursor"]})
    assert [row["ts"] for row in first["data"] + second["data"]] == [made["ts"] for made in reversed(sent)][:10]


def test_the_list_by_meter_and_time(api, meter, event, n):
    account, other = n("acct"), api.meter(n("meter"))["id"]
    api.send([event(meter, account, ts="2026-06-01T00:00:00Z"), event(meter, account, ts="2026-06-02T00:00:00Z"),
              event(other, account, ts="2026-06-02T00:00:00Z"), event(meter, account, ts="2026-06-03T00:00:00Z")])
    rows = api.get("/v1/measurements", query={"account": account, "meter": meter, "from": "2026-06-02T00:00:00Z",
                                              "to": "2026-06-03T00:00:00Z"})["data"]
    assert [(row["meter"], row["ts"]) for row in rows] == [(meter, "2026-06-02T00:00:00Z")]


def test_a_cursor_of_another_list_is_refused(api, meter, event, n):
    account = n("acct")
    api.send([event(meter, account) for _ in range(3)])
    cursor = api.get("/v1/measurements", query={"account": account, "limit": 1})["nextCursor"]
    for query in ({"account": "other", "cursor": cursor}, {"account": account, "cursor": "rubbish"},
                  {"account": account, "cursor": cursor[:-2]}):
        answer = api.call("GET", "/v1/measurements", query=query)
        assert (answer.status, answer.code) == (400, "cursor_invalid"), answer


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1.5", "", "99999999999999999999"])
def test_a_limit_outside_1_to_1000_is_refused(api, limit):
    answer = api.call("GET", "/v1/measurements", query={"account": "a", "limit": limit})
    assert (answer.status, answer.code) == (400, "parameter_invalid")


def test_outcomes_count_every_verdict(api, meter, event):
    def totals():
        now = dt.datetime.now(dt.timezone.utc)
        answer = api.get("/v1/measurements/outcomes", query={
            "from": (now - dt.timedelta(hours=2)).isoformat(), "to": (now + dt.timedelta(hours=2)).isoformat(),
            "window": "hour"})
        sums = dict.fromkeys(("accepted", "duplicates", "conflicts", "rejected"), 0)
        for row in answer["data"]:
            for name in sums:
                sums[name] += row[name]
        return sums
    before, made = totals(), [event(meter) for _ in range(3)]
    api.send(made)
    api.send([made[0], {**made[1], "value": 9}, {**made[2], "value": "x"}, made[2]])
    after = totals()
    assert {name: after[name] - before[name] for name in after} == \
        {"accepted": 3, "duplicates": 2, "conflicts": 1, "rejected": 1}


def test_refusals_stay_visible_with_their_reasons(api, meter, event):
    made, bad = event(meter), event(meter, value="lots")
    api.send([made])
    api.send([{**made, "value": 3}, bad])
    rows = {row["uniqueId"]: row for row in api.get("/v1/measurements/rejections", query={"limit": 100})["data"]}
    assert rows[made["uniqueId"]]["outcome"] == "conflict"
    assert (rows[bad["uniqueId"]]["outcome"], rows[bad["uniqueId"]]["code"]) == ("rejected", "invalid_value")
    assert "value" in rows[bad["uniqueId"]]["detail"]
