# SPDX-License-Identifier: Apache-2.0
"""A test project's clock: what business time is, in which it never goes back."""
import datetime as dt

import pytest
from clock import advance, set_clock, test_project as project_folder

NOW = "2031-03-01T09:00:00Z"


@pytest.fixture
def tested(fresh, tmp_path):
    api = fresh(data=project_folder(tmp_path))
    assert api.key.startswith("toll_test_")
    return api


def test_a_live_project_has_none(api):
    for method, path, body in (("GET", "/v1/testClock", None), ("POST", "/v1/testClock", {"now": NOW}),
                               ("POST", "/v1/testClock/advance", {"to": NOW})):
        assert api.call(method, path, body).code == "project_is_live"


def test_it_is_real_until_it_is_set_then_it_stands(tested):
    before = tested.get("/v1/testClock")
    assert before["stands"] is False
    real = dt.datetime.fromisoformat(before["now"].replace("Z", "+00:00"))
    assert abs(real - dt.datetime.now(dt.timezone.utc)) < dt.timedelta(days=1)
    stands = {"now": NOW, "stands": True, "runs": []}
    assert set_clock(tested, NOW) == stands
    assert tested.get("/v1/testClock") == stands
    tested.server.kill9()
    tested.server.start()
    tested.drop_connection()
    assert tested.get("/v1/testClock") == stands


def test_it_never_goes_back(tested):
    assert set_clock(tested, "2020-02-29T00:00:00Z")["now"] == "2020-02-29T00:00:00Z"  # the first time: to any
    assert set_clock(tested, "2020-02-29T00:00:00Z")["now"] == "2020-02-29T00:00:00Z"
    assert advance(tested, NOW)["now"] == NOW
    for path, body in (("", {"now": "2031-03-01T08:59:59.999999Z"}), ("/advance", {"to": "2020-03-01T00:00:00Z"})):
        assert tested.call("POST", "/v1/testClock" + path, body).code == "clock_goes_back"
    moved = tested.expect(200, "POST", "/v1/testClock/advance", {"bySeconds": 86400})
    assert moved["now"] == "2031-03-02T09:00:00Z"
    assert tested.get("/v1/testClock")["now"] == "2031-03-02T09:00:00Z"


def test_bodies_that_are_wrong(tested):
    for path, body, code in (("", {}, "field_required"), ("", {"now": "soon"}, "invalid_timestamp"),
                             ("", {"now": 5}, "invalid_timestamp"), ("", {"at": NOW}, "unknown_member"),
                             ("", [], "field_invalid"),
                             ("/advance", {}, "field_required"),
                             ("/advance", {"to": NOW, "bySeconds": 5}, "field_required"),
                             ("/advance", {"bySeconds": 0}, "field_invalid"),
                             ("/advance", {"bySeconds": 2**31}, "field_invalid"),
                             ("/advance", {"by": 5}, "unknown_member"), ("/advance", {"to": "x"}, "invalid_timestamp")):
        assert tested.call("POST", "/v1/testClock" + path, body).code == code, (path, body)
    set_clock(tested, "9999-12-31T23:59:59Z")
    assert tested.call("POST", "/v1/testClock/advance", {"bySeconds": 1}).code == "field_invalid"


def test_business_happens_at_that_time(tested):
    """Everything that the project does is dated by its clock; nothing by the machine's."""
    set_clock(tested, NOW)
    tested.meter("calls")
    event = {"meter": "calls", "account": "acct", "uniqueId": "late", "value": 3, "ts": "2031-03-01T10:00:01Z"}
    refused = tested.call("POST", "/v1/measurements", [event]).json
    assert "timestamp_in_future" in str(refused)
    advance(tested, "2031-03-01T09:55:02Z")
    tested.send([event, {"meter": "calls", "account": "acct", "uniqueId": "undated", "value": 4}])
    stored = tested.get("/v1/measurements/undated")
    assert (stored["ts"], stored["receivedAt"]) == ("2031-03-01T09:55:02Z", "2031-03-01T09:55:02Z")
    assert tested.usage("calls", account="acct")["data"][0]["value"] == "7"
    tested.put("/v1/accounts/acct", {"currency": "USD"})
    grant = tested.expect(201, "POST", "/v1/grants",
                          {"account": "acct", "amount": "10", "currency": "USD", "kind": "paid"},
                          headers={"Idempotency-Key": "grant"})
    assert (grant["effectiveAt"], grant["createdAt"]) == ("2031-03-01T09:55:02Z",) * 2
    charge = tested.expect(201, "POST", "/v1/charges",
                           {"account": "acct", "amount": "4", "currency": "USD", "chargeKey": "one"})
    assert charge["at"] == "2031-03-01T09:55:02Z"
    transactions = tested.get("/v1/ledger/transactions")["data"]
    assert len(transactions) == 1 and {row["at"] for row in transactions} == {"2031-03-01T09:55:02Z"}


def test_a_month_is_billed_when_its_time_has_come(tested):
    set_clock(tested, "2031-01-31T12:00:00Z")
    tested.meter("calls")
    tested.publish("team", {"currency": "USD", "charges": [
        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": "0.01"}]}, effective="2031-01-01T00:00:00Z")
    tested.put("/v1/accounts/acct", {"currency": "USD"})
    tested.subscribe("sub", "acct", "team", "2031-01-31T00:00:00Z")
    tested.send([{"meter": "calls", "account": "acct", "uniqueId": "a", "value": 250}])
    assert tested.call("POST", "/v1/accounts/acct/invoices").code == "nothing_due"
    advance(tested, "2031-02-01T00:00:00Z")
    draft = tested.expect(200, "POST", "/v1/accounts/acct/invoices")
    assert (draft["total"], draft["at"]) == ("2.50", "2031-02-01T00:00:00Z")
    final = tested.post(f"/v1/invoices/{draft['id']}/finalize", None)
    assert (final["createdAt"], final["issuedAt"]) == ("2031-02-01T00:00:00Z",) * 2
