# SPDX-License-Identifier: Apache-2.0
"""Refusing bad input: every refusal is a problem document, names what is wrong, and nothing is half done.
Each test sends its rubbish around a good event of its own and then finds nothing stored."""
import gzip
import json
import socket
import zlib

import pytest
import zstandard
from client import dump

LIMIT = 16 * 1024 * 1024


@pytest.fixture
def meter(api, n):
    return api.meter(n("meter"))["id"]


@pytest.fixture
def nothing(api, meter):
    """Checks afterwards that the meter counted nothing, and that the server still answers."""
    yield
    row, = api.usage(meter, **{"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "window": "total"})["data"]
    assert row["events"] == 0, "something of a refused request was stored"


def refused(api, body, status, code, type="application/json", **headers):
    answer = api.call("POST", "/v1/measurements", body, type=type,
                      headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.json["detail"]
    return answer


MALFORMED = ["", " ", "{", "[", '{"a":1,}', "[1,]", "{'a':1}", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "[-]", "[0x1]",
             "[NaN]", "[Infinity]", "[-Infinity]", "nul", "[truth]", '["a\tb"]', '["\\x"]', '["\\ud800"]',
             '["\\udc00\\ud800"]', "[1 2]", "[1]]", "{}{}", "[] []", "// c\n[]",
             '{"a" 1}', '{1:2}', "\ufeff[]", "[\x00]"]


@pytest.mark.parametrize("rest", MALFORMED, ids=repr)
def test_malformed_json(api, meter, event, nothing, rest):
    refused(api, rest, 400, "json_invalid")


@pytest.mark.parametrize("tail", [",", ",{", "]]", "] x", "", ',{"meter":', ",nul]", ",[01]]"], ids=repr)
def test_json_that_breaks_off_after_a_good_event(api, meter, event, nothing, tail):
    refused(api, "[" + dump(event(meter)) + tail, 400, "json_invalid")


@pytest.mark.parametrize("depth", [17, 100, 100_000])
def test_deep_nesting(api, meter, event, nothing, depth):
    made = dump(event(meter))[:-1] + ',"properties":{"a":' + "[" * depth + "]" * depth + "}}"
    refused(api, "[" + made + "]", 400, "json_too_deep")


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe2\x28\xa1"],
                         ids=lambda raw: raw.hex())
def test_invalid_utf8(api, meter, event, nothing, bad):
    body = dump([event(meter, uid="XYZ")]).encode().replace(b"XYZ", b"a" + bad)
    refused(api, body, 400, "json_invalid")


@pytest.mark.parametrize("twice", ['"value":1,"value":2', '"value":1,"v\\u0061lue":2', '"properties":{"a":1,"a":1}',
                                   '"properties":{"a":{"b":1,"b":2}}'], ids=repr)
def test_duplicate_members(api, meter, event, nothing, twice):
    made = event(meter, value=None)
    refused(api, "[" + dump(made)[:-1] + "," + twice + "}]", 400, "json_duplicate_member")


@pytest.mark.parametrize("value", ["1" * 400, "1e400", "-1e-400", "1" + "0" * 5000, "0." + "3" * 5000, "1e99999999999",
                                   "1E+99999999999999999999", "9" * 100_000], ids=lambda text: text[:12])
def test_huge_numbers_are_refused_not_rounded(api, meter, event, nothing, value):
    body = "[" + dump(event(meter, value=None))[:-1] + ',"value":' + value + "}]"
    answer = api.expect(202, "POST", "/v1/measurements", body)
    assert answer["results"][0]["code"] == "invalid_value"


@pytest.mark.parametrize("value", ['"NaN"', '"nan"', '"Infinity"', '"1e"', '""', '"١"', '"1_000"', '"1 "', "null",
                                   "true", "{}", "[]"])
def test_what_is_no_number(api, meter, event, nothing, value):
    body = "[" + dump(event(meter, value=None))[:-1] + ',"value":' + value + "}]"
    answer = api.expect(202, "POST", "/v1/measurements", body)
    assert answer["results"][0]["code"] == "invalid_value"


def test_nan_as_json_is_malformed(api, meter, event, nothing):
    refused(api, "[" + dump(event(meter, value=None))[:-1] + ',"value":NaN}]', 400, "json_invalid")


def test_a_body_over_the_limit(api, meter, event, nothing):
    body = "[" + dump(event(meter)) + " " * LIMIT + "]"
    refused(api, body, 413, "body_too_large")


def test_a_body_over_the_limit_after_decompression(api, meter, event, nothing):
    body = ("[" + dump(event(meter)) + " " * LIMIT + "]").encode()
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)):
        refused(api, pack(body), 413, "body_too_large", Content_Encoding=encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_decompression_bombs(api, meter, nothing, encoding):
    size = 1 << 30
    if encoding == "gzip":
        packer, parts = zlib.compressobj(9, wbits=31), []
        for _ in range(size >> 20):
            parts.append(packer.compress(b" " * (1 << 20)))
        bomb = b"".join(parts) + packer.flush()
    else:
        packer = zstandard.ZstdCompressor(level=3).compressobj()
        bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(size >> 20)) + packer.flush()
    assert len(bomb) < 2 * 1024 * 1024
    refused(api, bomb, 413, "body_too_large", Content_Encoding=encoding)


def test_many_gzip_members_are_one_bomb(api, meter, nothing):
    bomb = gzip.compress(b" " * (1 << 20)) * 64
    answer = api.call("POST", "/v1/measurements", bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.code) in ((413, "body_too_large"), (400, "body_not_decodable")), answer


@pytest.mark.parametrize("encoding,spoil", [
    ("gzip", lambda raw: raw[:-9]), ("gzip", lambda raw: raw + b"rest"), ("gzip", lambda raw: b"no gzip" + raw),
    ("gzip", lambda raw: raw[:-8] + b"\0\0\0\0" + raw[-4:]), ("zstd", lambda raw: raw[:-3]),
    ("zstd", lambda raw: raw + b"rest"), ("zstd", lambda raw: b"")], ids=lambda part: str(part)[:6])
def test_bodies_that_do_not_decode(api, meter, event, nothing, encoding, spoil):
    body = dump([event(meter)]).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.ZstdCompressor(write_checksum=True).compress(body)
    refused(api, spoil(packed), 400, "body_not_decodable", Content_Encoding=encoding)


def test_a_zstd_window_above_8_mib(api, meter, event, nothing):
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = dump([event(meter)]).encode()
    refused(api, packer.compress(body) + packer.flush(), 400, "body_not_decodable", Content_Encoding="zstd")


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip, zstd", "gzip, gzip", "rot13"])
def test_encodings_that_are_not_taken(api, meter, event, nothing, encoding):
    answer = refused(api, gzip.compress(dump([event(meter)]).encode()), 415, "unsupported_encoding",
                     Content_Encoding=encoding)
    assert {"gzip", "zstd"} <= {name.strip() for name in answer.headers["Accept-Encoding"].split(",")}


@pytest.mark.parametrize("type", ["text/plain", "application/xml", "multipart/form-data", "application/jsonx", "json",
                                  "application/x-www-form-urlencoded"])
def test_wrong_content_types(api, meter, event, nothing, type):
    refused(api, dump([event(meter)]), 415, "unsupported_media_type", type=type)


def test_too_many_events(api, meter, event, nothing):
    one = dump(event(meter))
    refused(api, "[" + ",".join([one] * 10_001) + "]", 413, "too_many_events")
    refused(api, "\n".join([one] * 10_001), 413, "too_many_events", type="application/x-ndjson")


def test_ten_thousand_events_are_taken(api, meter, event):
    answer = api.send([event(meter) for _ in range(10_000)])
    assert answer["accepted"] == 10_000


@pytest.mark.parametrize("type,body", [("application/cloudevents-batch+json", {"a": 1}),
                                       ("application/cloudevents+json", []), ("application/json", 7),
                                       ("application/json", "text"), ("application/json", None)], ids=str)
def test_a_form_that_needs_another_shape(api, meter, nothing, type, body):
    answer = api.call("POST", "/v1/measurements", json.dumps(body), type=type)
    assert answer.status in (400, 422) and answer.type == "application/problem+json", answer


def test_a_far_future_and_a_far_past(api, meter, event, nothing):
    answer = api.send([event(meter, ts="9999-12-31T23:59:59Z"), event(meter, ts="2099-01-01T00:00:00+14:00"),
                       event(meter, ts="0000-01-01T00:00:00Z"), event(meter, ts="-0001-01-01T00:00:00Z"),
                       event(meter, ts="10000-01-01T00:00:00Z")])
    assert [row["code"] for row in answer["results"]] == ["timestamp_in_future"] * 2 + ["invalid_timestamp"] * 3


def test_clock_skew_of_less_than_five_minutes_is_forgiven(api, meter, event):
    import datetime as dt
    now = dt.datetime.now(dt.timezone.utc)
    answer = api.send([event(meter, ts=(now + dt.timedelta(minutes=4)).isoformat()),
                       event(meter, ts=(now + dt.timedelta(minutes=7)).isoformat())])
    assert (answer["accepted"], answer["results"][0]["code"]) == (1, "timestamp_in_future")


def test_negative_where_it_makes_no_sense(api, n):
    meter = api.meter(n("meter"))["id"]
    base = {"id": "c", "meter": meter}
    for charge in ({**base, "model": "package", "packageSize": "-1", "packagePrice": "1"},
                   {**base, "model": "perUnit", "unitPrice": "1", "included": "-1"},
                   {**base, "model": "perUnit", "unitPrice": "1", "divideBy": "-2"},
                   {**base, "model": "graduated", "tiers": [{"upTo": "-5", "unitPrice": "1"}, {"unitPrice": "1"}]}):
        answer = api.call("PUT", f"/v1/plans/{n('plan')}", {"currency": "USD", "charges": [charge]})
        assert answer.status == 422 and answer.json["errors"][0]["pointer"].startswith("/charges/0/"), answer
    for plan in ({"minimum": {"amount": "-1"}}, {"discounts": [{"id": "d", "percent": "-5"}]},
                 {"discounts": [{"id": "d", "percent": "5", "periods": -1}]}, {"includedCredits": {"amount": "-1"}}):
        answer = api.call("PUT", f"/v1/plans/{n('plan')}", {"currency": "USD", "charges": [], **plan})
        assert answer.status == 422, answer


# ---- below HTTP's niceties: bytes on a socket

def talk(api, raw, seconds=20):
    """Everything that comes back until the connection ends or falls silent."""
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=seconds) as sock:
        got = b""
        try:
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut off in the middle: what was answered may still be read
        while True:
            try:
                part = sock.recv(65536)
            except OSError:
                return got
            if not part:
                return got
            got += part


def head(api, *lines, method="POST", path="/v1/measurements"):
    fixed = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {api.key}",
             "Content-Type: application/json", *lines]
    return ("\r\n".join(fixed) + "\r\n\r\n").encode()


def statuses(got):
    return [int(part[:3]) for part in got.split(b"HTTP/1.1 ")[1:]]


def test_smuggling_is_refused(api, meter, event, nothing):
    body = dump([event(meter)]).encode()
    hidden = b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    for lines, sent in (
            (("Content-Length: 5", "Transfer-Encoding: chunked"), hidden),
            ((f"Content-Length: {len(body)}", f"Content-Length: {len(body) + 1}"), body),
            (("Content-Length: -1",), body), (("Content-Length: 1e3",), body), (("Content-Length: +5",), body),
            (("Content-Length: 99999999999999999999999",), body), (("Transfer-Encoding: gzip, chunked",), hidden)):
        got = talk(api, head(api, *lines) + sent)
        assert [status for status in statuses(got) if status < 400] == [], (lines, got)


def test_two_credentials_are_none(api, meter, event, nothing):
    """A proxy that looks at the first and a server that takes the last would see two different clients."""
    body = dump([event(meter)]).encode()
    for other in (f"Authorization: Bearer {api.key}", "authorization: Bearer toll_sk_other", "AUTHORIZATION:"):
        got = talk(api, head(api, f"Content-Length: {len(body)}", other) + body)
        assert statuses(got) == [400] and b'"request_malformed"' in got, (other, got)


def test_a_chunked_body_is_taken_and_a_broken_one_is_not(api, meter, event, n):
    body = dump([event(meter)]).encode()
    good = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    assert statuses(talk(api, head(api, "Transfer-Encoding: chunked", "Connection: close") + good)) == [202]
    broken = b"zz\r\n" + body + b"\r\n0\r\n\r\n"
    assert 202 not in statuses(talk(api, head(api, "Transfer-Encoding: chunked") + broken))


def test_a_body_that_breaks_off_stores_nothing(api, meter, event, nothing):
    body = dump([event(meter)]).encode()
    got = talk(api, head(api, f"Content-Length: {len(body) + 100}") + body, seconds=5)
    assert 202 not in statuses(got)


def test_large_headers(api):
    got = talk(api, head(api, "X-Long: " + "a" * 100_000, method="GET", path="/livez"))
    assert statuses(got)[:1] in ([431], [400], []), got[:200]
    assert api.call("GET", "/livez").status == 200


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"G" * 70_000, b"GET / HTTP/9.9\r\n\r\n",
                                 b"GET /livez HTTP/1.1\r\nNo colon here\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"\r\n" * 1000],
                         ids=lambda raw: repr(raw[:12]))
def test_what_is_not_http(api, raw):
    talk(api, raw, seconds=5)
    assert api.call("GET", "/livez").status == 200


def test_expect_100_continue(api, meter, event):
    body = dump([event(meter)]).encode()
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=20) as sock:
        sock.sendall(head(api, f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close"))
        assert sock.recv(100).startswith(b"HTTP/1.1 100")
        sock.sendall(body)
        got = b""
        while part := sock.recv(65536):
            got += part
    assert statuses(got) == [202]


def test_a_refused_upload_does_not_cut_the_connection(api, meter, event):
    """The answer is readable after the whole body was sent, and the connection goes on."""
    connection = api.connection()
    for _ in range(3):
        refused(api, b"x" * 3_000_000, 415, "unsupported_media_type", type="text/plain")
        assert api.connection() is connection


def test_pipelined_requests_are_answered_in_order(api, meter, event):
    made = [event(meter) for _ in range(5)]
    raw = b"".join(head(api, f"Content-Length: {len(dump(one).encode())}") + dump(one).encode() for one in made)
    got = talk(api, raw + head(api, "Connection: close", method="GET", path="/livez"))
    assert statuses(got) == [202] * 5 + [200]
    positions = [got.find(one["uniqueId"].encode()) for one in made]
    assert positions == sorted(positions) and -1 not in positions


def test_slow_clients_are_told_and_hinder_nobody(fresh):
    api = fresh(config="http.requestSeconds = 1\n")
    socks = []
    for _ in range(50):
        sock = socket.create_connection(("127.0.0.1", api.server.port), timeout=30)
        sock.sendall(head(api, "Content-Length: 1000") + b"[")
        socks.append(sock)
    for _ in range(20):
        assert api.call("GET", "/livez").status == 200
    for sock in socks:
        got = sock.recv(65536)
        assert got == b"" or statuses(got) == [408], got
        sock.close()


def test_an_idle_connection_hinders_nobody(api):
    socks = [socket.create_connection(("127.0.0.1", api.server.port), timeout=10) for _ in range(200)]
    for sock in socks[::2]:
        sock.sendall(b"GET /livez HT")
    for _ in range(20):
        assert api.call("GET", "/livez").status == 200
    for sock in socks:
        sock.close()


# ---- what would have been right

def test_a_refusal_says_what_may_stand_there(api, n):
    account = n("acct")
    api.put(f"/v1/accounts/{account}", {"currency": "USD"})

    def told(method, path, body):
        answer = api.call(method, path, body)
        assert answer.status in (400, 422), answer
        return answer.json["detail"]
    charge = {"account": account, "amount": "1", "currency": "USD", "chargeKey": "k"}
    path = "/v1/charges"
    assert "collect must be one of invoice, wallet" in told("POST", path, {**charge, "collect": "cash"})
    assert "amount is too large" in told("POST", path, {**charge, "amount": "9" * 26})
    assert "must be a decimal number" in told("POST", path, {**charge, "amount": "much"})
    assert "it may have legalName, " in told("PUT", "/v1/legalEntity", {"name": "Toll Ltd"})
    assert "taxRounding must be one of " in told("PUT", "/v1/legalEntity", {"taxRounding": "up"})
    assert "it may have kind, at" in api.call("POST", "/v1/runs", {"what": "billing"},
                                                headers={"Idempotency-Key": n("run")}).json["detail"]
