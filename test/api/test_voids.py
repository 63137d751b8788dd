# SPDX-License-Identifier: Apache-2.0
"""Taking usage away, bringing it back, replacing it: what reads, bills, dedupe and earlier sequences say then."""
import re

import pytest
from books import Books, as_text
from client import Api, Server

ALWAYS = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}


@pytest.fixture
def meter(api, n):
    return api.meter(n("meter"), dimensions=["region"])["id"]


def total(api, meter, **query):
    row, = api.usage(meter, **ALWAYS, window="total", **query)["data"]
    return row["value"], row["events"]


def hour(number):
    return f"2026-03-{1 + number // 24:02d}T{number % 24:02d}:30:00Z"


@pytest.fixture
def events(api, meter, event):
    """Ten of them, an hour apart: values 1, 2, 4 .. 512, so that a sum says which count."""
    made = [{**event(meter), "account": "acct_" + meter, "value": 2 ** i, "ts": hour(i),
             "properties": {"region": "eu" if i % 2 == 0 else "us"}} for i in range(10)]
    assert api.send(made)["accepted"] == 10
    return made


def ids(events, *which):
    return [events[i]["uniqueId"] for i in which]


def void(api, **body):
    return api.post("/v1/measurements/void", body)


def refused(api, body, path="/v1/measurements/void"):
    answer = api.call("POST", path, body)
    return answer.status, answer.code, [(fault["pointer"], fault["code"]) for fault in answer.json.get("errors", [])]


# ---- by id

def test_void_events_do_not_count_but_earlier_sequences_keep_them(api, meter, events):
    before = api.usage(meter, **ALWAYS, window="total")["sequence"]
    made = void(api, uniqueIds=ids(events, 0, 3, 9), reason="sent twice by the old client")
    assert made["count"] == 3 and made["token"] is None and made["id"].startswith("void_")
    assert total(api, meter) == (str(1023 - 1 - 8 - 512), 7)
    assert total(api, meter, asOf=before) == ("1023", 10)
    assert total(api, meter, asOf=made["sequence"]) == ("502", 7)
    shown = api.get(f"/v1/measurements/{events[3]['uniqueId']}")
    assert shown["voided"] is True and shown["outcome"] == "accepted"
    listed = {row["uniqueId"]: row["voided"]
              for row in api.get("/v1/measurements", query={"meter": meter, "limit": 100})["data"]}
    assert listed == {made["uniqueId"]: i in (0, 3, 9) for i, made in enumerate(events)}


def test_voiding_again_takes_nothing_more_away(api, meter, events):
    first = void(api, uniqueIds=ids(events, 1, 2))
    again = void(api, uniqueIds=ids(events, 1, 2))
    assert first["count"] == 2 and (again["count"], again["id"], again["sequence"]) == (0, None, None)
    more = void(api, uniqueIds=ids(events, 1, 2, 4))
    assert more["count"] == 1
    assert total(api, meter)[1] == 7


def test_an_unknown_id_voids_nothing(api, meter, events):
    status, code, faults = refused(api, {"uniqueIds": [events[0]["uniqueId"], "never", events[1]["uniqueId"], "ever"]})
    assert (status, code) == (404, "event_not_found")
    assert faults == [("/uniqueIds/1", "event_not_found"), ("/uniqueIds/3", "event_not_found")]
    assert total(api, meter) == ("1023", 10)


def test_a_void_id_stays_taken(api, meter, events):
    void(api, uniqueIds=ids(events, 5))
    again = api.send([events[5], {**events[5], "value": 7}, events[6]])
    assert (again["accepted"], again["duplicates"], again["conflicts"]) == (0, 2, 1)
    assert [row.get("voided") for row in again["results"]] == [True, True, None]
    single = api.expect(202, "POST", "/v1/measurements", events[5])
    assert single == {"outcome": "duplicate", "uniqueId": events[5]["uniqueId"], "voided": True}
    conflict = api.call("POST", "/v1/measurements", {**events[5], "value": 7})
    assert (conflict.status, conflict.json["voided"]) == (409, True)
    assert total(api, meter) == ("991", 9)


# ---- by filter

def test_a_filter_takes_what_it_holds_for(api, meter, events):
    made = void(api, filter={"event": meter, "from": hour(2), "to": hour(7), "properties": {"region": "eu"}})
    assert made["count"] == 3  # 2, 4, 6
    assert total(api, meter) == (str(1023 - 4 - 16 - 64), 7)
    assert void(api, filter={"account": events[0]["account"], "properties": {"region": ["us", "ap"]}})["count"] == 5
    assert total(api, meter) == (str(1 + 256), 2)
    assert void(api, filter={"account": "nobody at all"})["count"] == 0


def test_numbers_and_truth_in_a_filter_go_by_their_text(api, meter, event):
    made = [{**event(meter), "value": 2 ** i, "properties": {"size": size, "hot": hot}}
            for i, (size, hot) in enumerate([(1, True), ("1", False), (2, True)])]
    api.send(made)
    assert void(api, filter={"event": meter, "properties": {"size": 1.0}}, dryRun=True)["count"] == 2
    assert void(api, filter={"event": meter, "properties": {"hot": True, "size": [1, 2]}})["count"] == 2
    assert total(api, meter) == ("2", 1)


def test_each_group_and_window_is_right_around_a_hole(api, meter, events):
    void(api, uniqueIds=ids(events, 4))
    rows = api.usage(meter, **{"from": hour(0)[:13] + ":00:00Z", "to": "2026-03-02T00:00:00Z"}, window="hour")["data"]
    assert [row["value"] for row in rows[:10]] == ["1", "2", "4", "8", "0", "32", "64", "128", "256", "512"]
    groups = {row["group"]["region"]: row["value"]
              for row in api.usage(meter, **ALWAYS, window="total", groupBy="region")["data"]}
    assert groups == {"eu": str(1 + 4 + 64 + 256), "us": str(2 + 8 + 32 + 128 + 512)}


@pytest.mark.parametrize("aggregation, before, after", [
    ("sum", "1023", "510"), ("count", "10", "8"), ("max", "512", "256"), ("min", "1", "2"),
    ("latest", "512", "256"), ("uniqueCount", "10", "8"), ("average", "102.3", "63.75"),
])
def test_every_aggregation_leaves_void_events_out(api, n, event, aggregation, before, after):
    meter = api.meter(n("m"), aggregation)["id"]
    made = [{**event(meter), "account": meter, "value": 2 ** i, "ts": hour(3 * i)} for i in range(10)]
    api.send(made)
    assert total(api, meter) == (before, 10)
    effect = void(api, uniqueIds=ids(made, 0, 9))
    assert total(api, meter) == (after, 8)
    api.post(f"/v1/voids/{effect['id']}/revert", None)
    assert total(api, meter) == (before, 10)


# ---- a dry run and its token

def test_a_dry_run_does_nothing_and_its_token_does_exactly_that(api, meter, events):
    chosen = {"event": meter, "from": hour(5)}
    dry = void(api, filter=chosen, dryRun=True)
    assert dry["count"] == 5 and dry["id"] is None and dry["token"]
    assert total(api, meter) == ("1023", 10)
    made = void(api, token=dry["token"], reason="as agreed")
    assert made["count"] == 5 and total(api, meter) == ("31", 5)
    assert void(api, token=dry["token"]) == made  # a retry: the same void, nothing more
    assert total(api, meter) == ("31", 5)
    assert api.get(f"/v1/voids/{made['id']}")["reason"] == "as agreed"


def test_a_token_is_stale_once_the_set_is_another(api, meter, events, event):
    dry = void(api, filter={"event": meter}, dryRun=True)
    api.send([{**event(meter), "account": events[0]["account"]}])
    assert refused(api, {"token": dry["token"]})[:2] == (409, "void_token_stale")
    dry = void(api, filter={"event": meter}, dryRun=True)
    void(api, uniqueIds=ids(events, 0))
    assert refused(api, {"token": dry["token"]})[:2] == (409, "void_token_stale")
    by_ids = void(api, uniqueIds=ids(events, 1, 2), dryRun=True)
    api.post("/v1/measurements/amend", [{"uniqueId": events[2]["uniqueId"], "value": 5}])
    assert refused(api, {"token": by_ids["token"]})[:2] == (409, "void_token_stale")
    assert total(api, meter) == (str(1023 - 1 - 4 + 5 + 1), 10)


def test_a_dry_run_says_what_it_does_to_which_bills(api, n, event):
    meter, account = api.meter(n("m"))["id"], n("acct")
    plan = n("plan")
    api.put(f"/v1/accounts/{account}", {"currency": "EUR"})
    api.publish(plan, {"currency": "EUR", "charges": [
        {"id": "calls", "meter": meter, "model": "perUnit", "unitPrice": "0.5"}]})
    api.subscribe(n("sub"), account, plan, starts="2026-01-01T00:00:00Z")
    made = [event(meter, account, value=10 * i, ts=f"2026-0{1 + i}-10T00:00:00Z") for i in range(3)]
    other = event(meter, n("nobody"), value=5)
    api.send([*made, other])
    dry = void(api, filter={"event": meter}, dryRun=True)
    assert [(row["period"]["start"][:7], row["before"], row["after"], row["currency"], row["account"])
            for row in dry["bills"]] == [("2026-02", "5.00", "0.00", "EUR", account),
                                         ("2026-03", "10.00", "0.00", "EUR", account)]
    assert dry["accountsLeftOut"] == 0
    done = void(api, token=dry["token"])
    assert done["bills"] == dry["bills"]
    assert void(api, token=dry["token"])["bills"] == dry["bills"]
    sub = dry["bills"][0]["subscription"]
    assert api.bill(sub, at="2026-02-15T00:00:00Z")["total"] == "0.00"
    assert api.bill(sub, at="2026-02-15T00:00:00Z", asOf=dry["uptoSequence"])["total"] == "5.00"
    api.post(f"/v1/voids/{done['id']}/revert", None)
    assert api.bill(sub, at="2026-02-15T00:00:00Z")["total"] == "5.00"


@pytest.mark.parametrize("meter, commitment, bills", [
    ({"aggregation": "sum", "carryOver": True}, None, [("7", "5.00", "0.00"), ("8", "5.00", "0.00")]),
    ({"aggregation": "timeWeighted", "per": "period"}, None, [("6", "3.33", "0.00"), ("7", "5.00", "0.00"),
                                                               ("8", "5.00", "0.00")]),
    ({"aggregation": "sum"}, {"amount": "7", "discountPercent": "0", "term": {"every": 3, "unit": "month"}},
     [("6", "5.00", "0.00"), ("8", "2.00", "7.00")])])
def test_bills_that_look_back_change_too(api, n, meter, commitment, bills):
    """An event of 11 June: a level, a sum that carries over, and what is left of a commitment are other ones later."""
    made, account, plan = api.meter(n("m"), **meter)["id"], n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {})
    charges = [{"id": "c", "meter": made, "model": "perUnit", "unitPrice": "0.5"}]
    api.publish(plan, {"currency": "USD", "charges": charges, **({"commitment": commitment} if commitment else {})})
    sub = api.subscribe(n("sub"), account, plan, starts="2026-06-01T00:00:00Z", endsAt="2026-09-01T00:00:00Z")["id"]
    event = {"meter": made, "account": account, "value": 10, "ts": "2026-06-11T00:00:00Z", "uniqueId": n("e")}
    api.send([event])

    def totals():
        return [api.bill(sub, at=f"2026-0{month}-15T00:00:00Z")["total"] for month in (6, 7, 8)]
    before, answer = totals(), void(api, uniqueIds=[event["uniqueId"]])
    told = [(row["period"]["start"][6], row["before"], row["after"]) for row in answer["bills"]]
    assert told == [row for row in zip("678", before, totals()) if row[1] != row[2]]
    assert set(bills) <= set(told)


# ---- bringing back

def test_a_revert_brings_events_back_from_its_own_sequence_on(api, meter, events):
    made = void(api, uniqueIds=ids(events, 0, 1))
    reverted = api.post(f"/v1/voids/{made['id']}/revert", None)
    assert reverted["reverted"] is True and reverted["revertedAt"]
    assert total(api, meter) == ("1023", 10)
    assert total(api, meter, asOf=made["sequence"]) == ("1020", 8)
    assert api.post(f"/v1/voids/{made['id']}/revert", None) == reverted
    assert api.get(f"/v1/voids/{made['id']}") == reverted
    assert api.get(f"/v1/measurements/{events[0]['uniqueId']}")["voided"] is False
    assert void(api, uniqueIds=ids(events, 0))["count"] == 1  # and may go again
    assert total(api, meter) == ("1022", 9)


def test_two_voids_and_one_revert(api, meter, events):
    first = void(api, uniqueIds=ids(events, 0, 1))
    second = void(api, uniqueIds=ids(events, 1, 2))
    assert (first["count"], second["count"]) == (2, 1)
    api.post(f"/v1/voids/{first['id']}/revert", None)
    assert total(api, meter) == (str(1023 - 4), 9)


def test_what_was_amended_does_not_come_back(api, meter, events):
    made = void(api, uniqueIds=ids(events, 0, 1))
    api.post("/v1/measurements/amend", [{"uniqueId": events[0]["uniqueId"], "value": 1000}])
    assert total(api, meter) == (str(1023 - 1 - 2 + 1000), 9)
    api.post(f"/v1/voids/{made['id']}/revert", None)
    assert total(api, meter) == (str(1023 - 1 + 1000), 10)


def test_voids_are_listed_newest_first(api, events):
    made = [void(api, uniqueIds=ids(events, i))["id"] for i in range(5)]
    seen, cursor = [], None
    while len(seen) < 5:
        page = api.get("/v1/voids", query={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [row["id"] for row in page["data"]]
        cursor = page["nextCursor"]
    assert seen[:5] == made[::-1]
    assert api.call("GET", "/v1/voids", query={"cursor": "00ff"}).code == "cursor_invalid"
    assert api.call("GET", "/v1/voids/void_never").code == "void_not_found"
    assert api.call("POST", "/v1/voids/void_never/revert").code == "void_not_found"


# ---- amending

def test_an_amendment_replaces_value_ts_or_properties(api, meter, events):
    before = api.usage(meter, **ALWAYS, window="total")["sequence"]
    done = api.post("/v1/measurements/amend", [
        {"uniqueId": events[0]["uniqueId"], "value": "2000.5"},
        {"uniqueId": events[1]["uniqueId"], "ts": "2026-04-01T02:00:00+02:00"},
        {"uniqueId": events[2]["uniqueId"], "properties": {"region": "us"}},
        {"uniqueId": events[3]["uniqueId"], "value": 8.0},
    ])
    assert (done["count"], done["unchanged"]) == (3, 1)
    assert total(api, meter) == ("3022.5", 10)
    assert total(api, meter, asOf=before) == ("1023", 10)
    march = api.usage(meter, **{"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}, window="total")
    assert march["data"][0]["value"] == "3020.5"
    shown = api.get(f"/v1/measurements/{events[1]['uniqueId']}")
    assert (shown["ts"], shown["value"], shown["voided"]) == ("2026-04-01T00:00:00Z", "2", False)
    listed = [row["uniqueId"] for row in api.get("/v1/measurements", query={"meter": meter, "limit": 100})["data"]]
    assert len(listed) == len(set(listed)) == 10
    assert api.get(f"/v1/measurements/{events[2]['uniqueId']}")["properties"] == {"region": "us"}


def test_an_amended_id_is_compared_with_what_it_says_now(api, meter, events):
    api.post("/v1/measurements/amend", [{"uniqueId": events[0]["uniqueId"], "value": 50}])
    again = api.send([{**events[0], "value": 50}, events[0]])
    assert (again["duplicates"], again["conflicts"]) == (1, 1)
    twice = api.post("/v1/measurements/amend", [{"uniqueId": events[0]["uniqueId"], "value": 60}])
    assert twice["count"] == 1 and total(api, meter) == (str(1022 + 60), 10)
    assert void(api, uniqueIds=ids(events, 0))["count"] == 1
    assert total(api, meter) == ("1022", 9)


def test_repeating_an_amendment_changes_nothing(api, meter, events):
    body = [{"uniqueId": events[i]["uniqueId"], "value": 3} for i in range(3)]
    assert api.post("/v1/measurements/amend", body)["count"] == 3
    assert api.post("/v1/measurements/amend", body)["unchanged"] == 3
    assert total(api, meter) == (str(1023 - 7 + 9), 10)


def test_amendments_are_all_or_nothing_with_a_fault_each(api, meter, events):
    body = [
        {"uniqueId": events[0]["uniqueId"], "value": 9},
        {"uniqueId": "never", "value": 9},
        {"uniqueId": events[1]["uniqueId"]},
        {"uniqueId": events[2]["uniqueId"], "value": "a lot", "colour": 1},
        {"uniqueId": events[3]["uniqueId"], "ts": "yesterday"},
        {"uniqueId": events[4]["uniqueId"], "ts": "2099-01-01T00:00:00Z"},
        {"uniqueId": events[5]["uniqueId"], "properties": {f"p{i}": 1 for i in range(65)}},
        {"uniqueId": events[0]["uniqueId"], "value": 8},
        {"value": 8}, 7, {"uniqueId": events[6]["uniqueId"], "properties": []},
    ]
    status, _, faults = refused(api, body, "/v1/measurements/amend")
    assert status in (400, 404, 422)
    assert set(faults) == {
        ("/1/uniqueId", "event_not_found"), ("/2/value", "field_required"), ("/3/value", "invalid_value"),
        ("/3/colour", "unknown_member"), ("/4/ts", "invalid_timestamp"), ("/5/ts", "timestamp_in_future"),
        ("/6/properties", "too_many_properties"), ("/7/uniqueId", "field_invalid"), ("/8/uniqueId", "field_required"),
        ("/9", "field_invalid"), ("/10/properties", "field_invalid")}
    assert total(api, meter) == ("1023", 10)


@pytest.mark.parametrize("item, code", [
    ({"value": "a lot"}, "invalid_value"), ({"ts": "yesterday"}, "invalid_timestamp"),
    ({"ts": "2099-01-01T00:00:00Z"}, "timestamp_in_future"), ({"properties": 1}, "field_invalid"),
    ({"properties": {f"p{i}": 1 for i in range(65)}}, "too_many_properties"), ({}, "field_required"),
    ({"value": None}, "invalid_value"), ({"value": 1, "meter": "x"}, "unknown_member"),
])
def test_each_fault_of_an_amendment_alone(api, events, item, code):
    answer = api.call("POST", "/v1/measurements/amend", [{"uniqueId": events[0]["uniqueId"], **item}])
    assert answer.code == code


def test_amendments_have_limits(api):
    many = [{"uniqueId": f"u{i}", "value": 1} for i in range(10001)]
    assert refused(api, many, "/v1/measurements/amend")[:2] == (413, "too_many_events")
    assert refused(api, [], "/v1/measurements/amend")[:2] == (422, "field_invalid")
    assert refused(api, [{"uniqueId": "never", "value": 1}], "/v1/measurements/amend")[:2] == (404, "event_not_found")


# ---- bodies that are refused

@pytest.mark.parametrize("body, status, pointer", [
    ({}, 422, ""), ({"uniqueIds": ["a"], "filter": {"account": "a"}}, 422, ""), ({"uniqueIds": []}, 422, "/uniqueIds"),
    ({"uniqueIds": ["a", 1, ""]}, 422, "/uniqueIds/1"), ({"filter": {}}, 422, "/filter"),
    ({"filter": {"account": "a", "colour": "red"}}, 400, "/filter/colour"), ({"filter": 1}, 422, "/filter"),
    ({"filter": {"account": "a", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}, 422, "/filter/to"),
    ({"filter": {"account": "a", "properties": {"region": {}}}}, 422, "/filter/properties/region"),
    ({"filter": {"account": "a", "properties": {"region": []}}}, 422, "/filter/properties/region"),
    ({"filter": {"account": "a", "properties": 1}}, 422, "/filter/properties"),
    ({"token": "00"}, 422, "/token"), ({"token": 1}, 422, "/token"),
    ({"uniqueIds": ["a"], "dryRun": "yes"}, 422, "/dryRun"),
    ({"uniqueIds": ["a"], "reason": "x" * 1025}, 422, "/reason"), ({"uniqueIds": ["a"], "why": "x"}, 400, "/why"),
])
def test_a_wrong_body_is_refused_with_its_place(api, body, status, pointer):
    answer = api.call("POST", "/v1/measurements/void", body)
    assert answer.status == status, answer
    faults = answer.json.get("errors") or [answer.json]
    assert pointer in [fault.get("pointer", "") for fault in faults], answer


# ---- across seals and restarts; limits

def test_corrections_survive_seals_and_restarts(contract, n):
    server = Server(seal_bits=4, config="limits.eventsPerVoid = 30\n")
    with server:
        api = Api(server, contract=contract)
        api.meter("m")
        made = [{"meter": "m", "account": f"a{i % 3}", "uniqueId": f"e{i}", "value": i, "ts": hour(i % 40)}
                for i in range(200)]
        api.send(made)
        first = void(api, uniqueIds=[f"e{i}" for i in range(0, 200, 10)])
        second = void(api, filter={"account": "a1", "from": hour(5), "to": hour(10)})
        api.post("/v1/measurements/amend", [{"uniqueId": f"e{i}", "value": 1000} for i in range(0, 200, 25)])
        api.post(f"/v1/voids/{first['id']}/revert", None)
        assert refused(api, {"filter": {"account": "a2"}})[:2] == (422, "void_too_large")
        api.send([{**row, "uniqueId": "x" + row["uniqueId"]} for row in made])
        before = [total(api, "m"), total(api, "m", account="a1"), api.get("/v1/voids"),
                  api.usage("m", **ALWAYS, window="total", asOf=second["sequence"])["data"]]
        for _ in range(2):
            server.stop()
            server.verify()
            server.start()
            api = Api(server, contract=contract)
            after = [total(api, "m"), total(api, "m", account="a1"), api.get("/v1/voids"),
                     api.usage("m", **ALWAYS, window="total", asOf=second["sequence"])["data"]]
            assert after == before
            assert api.get("/v1/measurements/e25")["value"] == "1000"


def counters(api):
    text = api.call("GET", "/metrics").body.decode()
    return {name: int(value) for name, value in
            re.findall(r"^toll_(events_voided|events_amended|voids_reverted)_total (\d+)$", text, re.M)}


def test_corrections_are_counted_and_audited(contract):
    server = Server(seal_bits=6)
    with server:
        api = Api(server, contract=contract)
        api.meter("m")
        api.send([{"meter": "m", "account": "a", "uniqueId": f"e{i}", "ts": hour(i)} for i in range(9)])
        assert counters(api) == {"events_voided": 0, "events_amended": 0, "voids_reverted": 0}
        made = void(api, uniqueIds=["e1", "e2", "e3"], reason="a load test")
        void(api, uniqueIds=["e1"])
        api.post("/v1/measurements/amend", [{"uniqueId": "e5", "value": 2}, {"uniqueId": "e6", "value": 1}])
        for _ in range(2):
            api.post(f"/v1/voids/{made['id']}/revert", None)
        assert counters(api) == {"events_voided": 3, "events_amended": 1, "voids_reverted": 1}
        server.stop()
        with Books(server) as books:
            cursor = books.base.cursor()
            cursor.execute("select action, object, reason, detail, who from audit_entry "
                           "where action like 'usage.%' order by number")
            rows = [[as_text(value) for value in row] for row in cursor.fetchall()]
        server.start()
    assert [row[:3] for row in rows] == [["usage.void", made["id"], "a load test"], ["usage.amend", "e5", None],
                                         ["usage.revert", made["id"], "a load test"]]
    assert '"count":3' in rows[0][3] and all(row[4].startswith("key:") for row in rows)
