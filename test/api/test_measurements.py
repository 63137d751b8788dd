# SPDX-License-Identifier: Apache-2.0
"""POST /v1/measurements: the forms, the verdicts, what equals what, and what the answer says."""
import gzip
import json
from decimal import Decimal

import pytest
import zstandard
from client import dump


@pytest.fixture
def meter(api, n):
    return api.meter(n("meter"))["id"]


def count(api, meter):
    row, = api.usage(meter, **{"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "window": "total"})["data"]
    return row["events"]


# ---- forms

def test_one_object_answers_for_itself(api, meter, event):
    made = event(meter)
    assert api.expect(202, "POST", "/v1/measurements", made) == {"outcome": "accepted", "uniqueId": made["uniqueId"]}
    assert api.expect(202, "POST", "/v1/measurements", made) == {"outcome": "duplicate", "uniqueId": made["uniqueId"]}
    conflict = api.call("POST", "/v1/measurements", {**made, "value": 2})
    assert (conflict.status, conflict.code) == (409, "event_conflict")
    assert count(api, meter) == 1


def test_one_rejected_object_is_422_with_its_reason(api, n, event):
    answer = api.call("POST", "/v1/measurements", event(n("nobody")))
    assert (answer.status, answer.code) == (422, "unknown_meter")


def test_an_array_lists_only_what_was_not_accepted(api, meter, event):
    good, again, bad = event(meter), event(meter), {**event(meter), "colour": "red"}
    api.send([again])
    answer = api.send([good, again, {**good, "value": 9}, bad])
    assert [answer[name] for name in ("accepted", "duplicates", "conflicts", "rejected")] == [1, 1, 1, 1]
    rows = {row["index"]: row for row in answer["results"]}
    assert {index: row["outcome"] for index, row in rows.items()} == {1: "duplicate", 2: "conflict", 3: "rejected"}
    assert rows[3]["code"] == "unknown_member" and "colour" in rows[3]["detail"]
    assert rows[1]["uniqueId"] == again["uniqueId"]


def test_verbose_lists_all(api, meter, event):
    events = [event(meter) for _ in range(3)]
    answer = api.send(events, query={"verbose": "true"})
    assert [(row["index"], row["uniqueId"], row["outcome"]) for row in answer["results"]] == \
        [(i, made["uniqueId"], "accepted") for i, made in enumerate(events)]


def test_an_empty_array_is_taken(api):
    assert api.send([]) == {"accepted": 0, "duplicates": 0, "conflicts": 0, "rejected": 0, "results": []}


def test_ndjson_a_bad_line_is_rejected_alone(api, meter, event):
    lines = [dump(event(meter)), "{not json", "", dump(event(meter)), "[]", "7"]
    answer = api.expect(202, "POST", "/v1/measurements", "\n".join(lines) + "\n", type="application/x-ndjson")
    assert (answer["accepted"], answer["rejected"]) == (2, 3)
    assert [row["outcome"] for row in answer["results"]] == ["rejected"] * 3


def cloud(meter, id, **members):
    return {"specversion": "1.0", "type": meter, "source": "//host/a b|c", "id": id, "subject": "acct ☁",
            "time": "2026-06-10T12:00:00Z", "data": {"value": "2.5", "region": "eu-1"}, **members}


def test_a_cloudevent_is_a_measurement(api, meter, n):
    id = n("ce")
    answer = api.expect(202, "POST", "/v1/measurements", cloud(meter, id, extension="ignored", number=7),
                        type="application/cloudevents+json")
    unique = f"%2F%2Fhost%2Fa%20b%7Cc|{id}"
    assert answer == {"outcome": "accepted", "uniqueId": unique}
    from client import quote
    stored = api.get(f"/v1/measurements/{quote(unique)}")
    assert (stored["meter"], stored["account"], stored["value"], stored["properties"]) == \
        (meter, "acct ☁", "2.5", {"region": "eu-1"})


def test_a_batch_of_cloudevents(api, meter, n):
    ids = [n("ce"), n("ce")]
    body = [cloud(meter, ids[0]), cloud(meter, ids[1]), cloud(meter, ids[0])]
    answer = api.expect(202, "POST", "/v1/measurements", body, type="application/cloudevents-batch+json")
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    assert api.expect(202, "POST", "/v1/measurements", [], type="application/cloudevents-batch+json")["accepted"] == 0


def test_a_cloudevent_of_another_version_or_without_source_is_rejected(api, meter, n):
    body = [cloud(meter, n("ce"), specversion="0.3"), {**cloud(meter, n("ce")), "source": ""}]
    del body[0]["time"]
    answer = api.expect(202, "POST", "/v1/measurements", body, type="application/cloudevents-batch+json")
    assert answer["rejected"] == 2


@pytest.mark.parametrize("encoding,pack", [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)])
@pytest.mark.parametrize("type", ["application/json", "application/x-ndjson", "application/cloudevents-batch+json"])
def test_compressed_bodies(api, meter, event, n, encoding, pack, type):
    events = [event(meter) for _ in range(50)]
    if "cloud" in type:
        events = [cloud(meter, n("ce")) for _ in range(50)]
    text = "\n".join(map(dump, events)) if "ndjson" in type else dump(events)
    answer = api.expect(202, "POST", "/v1/measurements", pack(text.encode()), type=type,
                        headers={"Content-Encoding": encoding})
    assert answer["accepted"] == 50


def test_a_media_type_may_carry_parameters(api, meter, event):
    assert api.send([event(meter)], type="application/json; charset=utf-8")["accepted"] == 1


# ---- verdicts

def test_equal_by_meaning_is_a_duplicate(api, meter, event):
    made = event(meter, value=1, a=1, b="x")
    api.send([made])
    same = [{**made, "value": Decimal("1.0")}, {**made, "value": "1.00"}, {**made, "value": Decimal("10e-1")},
            {**made, "ts": "2026-06-10T14:00:00+02:00"}, {**made, "ts": "2026-06-10T12:00:00.000Z"},
            {**made, "properties": {"b": "x", "a": Decimal("1.0")}},
            {name: value for name, value in made.items() if name != "value"}]
    answer = api.send(same)
    assert answer["duplicates"] == len(same), answer
    assert count(api, meter) == 1


@pytest.mark.parametrize("change", [
    {"value": 2}, {"account": "other"}, {"ts": "2026-06-10T12:00:00.000001Z"}, {"properties": {"a": 2, "b": "x"}},
    {"properties": {"a": "1", "b": "x"}}, {"properties": {"a": 1}}, {"properties": {"a": 1, "b": "x", "c": None}}],
    ids=lambda change: json.dumps(change))
def test_any_other_content_is_a_conflict_and_changes_nothing(api, meter, event, change):
    made = event(meter, value=1, a=1, b="x")
    api.send([made])
    answer = api.send([{**made, **change}])
    assert (answer["conflicts"], answer["results"][0]["outcome"]) == (1, "conflict")
    stored = api.get(f"/v1/measurements/{made['uniqueId']}")
    assert (stored["value"], stored["account"], stored["ts"], stored["properties"]["b"]) == \
        ("1", made["account"], made["ts"], "x")


def test_another_stream_is_a_conflict(api, meter, event, n):
    other = api.meter(n("meter"))["id"]
    made = event(meter)
    api.send([made])
    assert api.send([{**made, "meter": other}])["conflicts"] == 1


def test_the_first_of_a_batch_claims_the_id(api, meter, event):
    made = event(meter)
    answer = api.send([made, made, {**made, "value": 2}], query={"verbose": "true"})
    assert [row["outcome"] for row in answer["results"]] == ["accepted", "duplicate", "conflict"]


def test_a_retry_without_ts_is_free_and_the_stored_ts_stays(api, meter, event):
    made = event(meter)
    api.send([made])
    bare = {name: value for name, value in made.items() if name != "ts"}
    assert api.send([bare])["duplicates"] == 1
    assert api.get(f"/v1/measurements/{made['uniqueId']}")["ts"] == made["ts"]
    late = event(meter, ts=None)
    api.send([late])
    assert api.send([{**late, "ts": "2026-01-01T00:00:00Z"}])["duplicates"] == 1
    assert api.get(f"/v1/measurements/{late['uniqueId']}")["ts"] > "2026-01-02"


def test_a_rejected_event_does_not_use_up_its_id(api, meter, event):
    made = event(meter)
    assert api.send([{**made, "value": "NaN"}])["rejected"] == 1
    assert api.call("GET", f"/v1/measurements/{made['uniqueId']}").status == 404
    assert api.send([made])["accepted"] == 1


def test_an_account_that_nobody_declared_is_created(api, meter, event, n):
    account = n("acct")
    api.send([event(meter, account)])
    assert api.get(f"/v1/accounts/{account}")["id"] == account


def test_value_defaults_to_one_and_ts_to_arrival(api, meter, event):
    made = event(meter, value=None, ts=None)
    api.send([made])
    stored = api.get(f"/v1/measurements/{made['uniqueId']}")
    assert stored["value"] == "1" and stored["ts"] == stored["receivedAt"]


# ---- atomic

def test_atomic_all_or_nothing(api, meter, event):
    good, bad = [event(meter), event(meter)], event(meter, value="many")
    refused = api.call("POST", "/v1/measurements", good + [bad], query={"atomic": "true"})
    assert (refused.status, refused.code) == (422, "atomic_refused")
    assert count(api, meter) == 0
    api.send(good, query={"atomic": "true"})
    conflict = api.call("POST", "/v1/measurements", [event(meter), {**good[0], "value": 5}], query={"atomic": "true"})
    assert conflict.status == 422
    assert count(api, meter) == 2
    answer = api.send(good + [event(meter)], query={"atomic": "true"})
    assert (answer["accepted"], answer["duplicates"]) == (1, 2)
    assert count(api, meter) == 3


def test_atomic_sees_conflicts_within_the_batch(api, meter, event):
    made = event(meter)
    assert api.call("POST", "/v1/measurements", [made, {**made, "value": 7}], query={"atomic": "true"}).status == 422
    assert count(api, meter) == 0


# ---- limits of one event

REJECTED = [
    ("value", None, "invalid_value"), ("value", "", "invalid_value"), ("value", "NaN", "invalid_value"),
    ("value", "Infinity", "invalid_value"), ("value", "1,5", "invalid_value"), ("value", "0x10", "invalid_value"),
    ("value", " 1", "invalid_value"), ("value", True, "invalid_value"), ("value", [1], "invalid_value"),
    ("value", "1" * 16, "invalid_value"), ("value", "0." + "1" * 13, "invalid_value"),
    ("value", Decimal("1e15"), "invalid_value"), ("value", Decimal("1e-13"), "invalid_value"),
    ("value", Decimal("1e999999999"), "invalid_value"), ("value", "many", "invalid_value"),
    ("ts", "yesterday", "invalid_timestamp"), ("ts", "2026-06-10", "invalid_timestamp"),
    ("ts", "2026-06-10T12:00:00", "invalid_timestamp"), ("ts", "2026-02-30T00:00:00Z", "invalid_timestamp"),
    ("ts", "2026-06-10T24:00:00Z", "invalid_timestamp"), ("ts", 1781092800, "invalid_timestamp"),
    ("ts", "2026-06-10T12:00:00+25:00", "invalid_timestamp"), ("ts", "2099-01-01T00:00:00Z", "timestamp_in_future"),
    ("uniqueId", "", "field_invalid"), ("uniqueId", "x" * 256, "field_invalid"),
    ("uniqueId", "a\u0007b", "field_invalid"), ("uniqueId", 7, "field_invalid"),
    ("account", "", "field_invalid"), ("account", "y" * 256, "field_invalid"), ("account", "a\nb", "field_invalid"),
    ("meter", "-starts.wrong", "field_invalid"), ("meter", "m" * 129, "field_invalid"),
    ("properties", "text", "field_invalid"), ("properties", {"k" * 129: 1}, "field_invalid"),
    ("properties", {"k": "v" * 1025}, "field_invalid"),
    ("properties", {f"k{i}": 1 for i in range(65)}, "too_many_properties"),
    ("surprise", 1, "unknown_member")]


@pytest.mark.parametrize("member,value,code", REJECTED, ids=lambda part: str(part)[:24])
def test_a_bad_member_rejects_that_event_alone_and_names_it(api, meter, event, member, value, code):
    bad, good = {**event(meter), member: value}, event(meter)
    answer = api.send([bad, good])
    assert (answer["accepted"], answer["rejected"]) == (1, 1), answer
    row, = answer["results"]
    assert (row["index"], row["code"]) == (0, code), row
    assert member in row["detail"] or member in json.dumps(row), row
    assert count(api, meter) == 1


@pytest.mark.parametrize("member", ["uniqueId", "account", "meter"])
def test_a_missing_member_rejects_that_event_alone(api, meter, event, member):
    bad = event(meter)
    del bad[member]
    answer = api.send([bad, event(meter)])
    assert (answer["accepted"], answer["results"][0]["code"]) == (1, "field_required")


@pytest.mark.parametrize("thing", [7, "text", None, True, [], [[]]], ids=repr)
def test_something_that_is_no_object_rejects_that_event_alone(api, meter, event, thing):
    answer = api.send([thing, event(meter)])
    assert (answer["accepted"], answer["rejected"]) == (1, 1)


@pytest.mark.parametrize("value,shown", [
    ("999999999999999.999999999999", "999999999999999.999999999999"), ("-0", "0"), ("-1.50", "-1.5"),
    (Decimal("1e14"), "1" + "0" * 14), (Decimal("1E-12"), "0.000000000001"), ("0.1", "0.1"),
    (Decimal("0.1"), "0.1"), ("0000", None), ("1e3", "1000")], ids=str)
def test_values_keep_their_exact_text(api, meter, event, value, shown):
    made = event(meter, value=value)
    answer = api.send([made])
    if shown is None:  # not a number in JSON's grammar
        assert answer["results"][0]["code"] == "invalid_value"
    else:
        assert answer["accepted"] == 1, answer
        assert api.get(f"/v1/measurements/{made['uniqueId']}")["value"] == shown


def test_limits_are_inclusive(api, meter, event):
    made = event(meter, account="é" * 127, uid="ü" * 127 + "x", **{f"k{i:0126}": "v" * 1024 for i in range(10)})
    made["properties"].update({f"p{i}": i for i in range(54)})
    assert api.send([made])["accepted"] == 1


def test_properties_never_reject_an_event(api, meter, event):
    made = event(meter)
    made["properties"] = {"a": None, "b": True, "c": [1, {"d": "e"}], "f": {"g": []}, "h": "", "i": Decimal("1e400"),
                          "j": "not a number", "": "empty key"}
    answer = api.send([made])
    assert answer["accepted"] == 1, answer


def test_an_event_of_any_age_is_taken(api, meter, event):
    assert api.send([event(meter, ts="1970-01-01T00:00:00Z"), event(meter, ts="0001-01-02T00:00:00Z")])["accepted"] == 2


# ---- the aliases

def alias(meter, n, **members):
    return {"meter": meter, "tenantId": "acct", "quantity": "3", "ts": "2026-06-10T12:00:00Z",
            "idempotency_key": n("key"), **members}


def test_ingest_usage_is_the_same_with_other_words(api, meter, n):
    made = alias(meter, n)
    answer = api.expect(202, "POST", "/ingest/usage", made)
    assert answer == {"outcome": "accepted", "uniqueId": made["idempotency_key"]}
    stored = api.get(f"/v1/measurements/{made['idempotency_key']}")
    assert (stored["account"], stored["value"]) == ("acct", "3")
    same = {"meter": meter, "account": "acct", "value": 3, "ts": made["ts"], "uniqueId": made["idempotency_key"]}
    assert api.send([same])["duplicates"] == 1


def test_ingest_usage_takes_the_header_as_id(api, meter, n):
    made = alias(meter, n)
    key = made.pop("idempotency_key")
    for outcome in ("accepted", "duplicate"):
        answer = api.expect(202, "POST", "/ingest/usage", made, headers={"Idempotency-Key": key})
        assert answer == {"outcome": outcome, "uniqueId": key}
    conflict = api.call("POST", "/ingest/usage", {**made, "quantity": 4}, headers={"Idempotency-Key": key})
    assert (conflict.status, conflict.code) == (409, "event_conflict")


def test_ingest_usage_without_any_id_is_refused(api, meter, n):
    made = alias(meter, n)
    del made["idempotency_key"]
    answer = api.call("POST", "/ingest/usage", made)
    assert (answer.status, answer.code) == (422, "field_required")


def test_ingest_usage_batch(api, meter, n):
    one, two = alias(meter, n), alias(meter, n, account="acct")
    del two["tenantId"]
    answer = api.expect(202, "POST", "/ingest/usage/batch", [one, two, one, alias("nobody." + meter, n)])
    assert [answer[name] for name in ("accepted", "duplicates", "conflicts", "rejected")] == [2, 1, 0, 1]


def test_the_idempotency_key_header_is_ignored_on_measurements(api, meter, event):
    header = {"Idempotency-Key": "the-same"}
    assert api.send([event(meter)], headers=header)["accepted"] == 1
    assert api.send([event(meter)], headers=header)["accepted"] == 1
