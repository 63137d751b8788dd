# SPDX-License-Identifier: Apache-2.0
"""The open bill: exact at this moment, of any period, as of any earlier moment."""
import datetime as dt

import pytest

TIERS = [{"upTo": "10", "unitPrice": "1"}, {"unitPrice": "0.5"}]


@pytest.fixture
def sold(api, n):
    """sold(charges or document members…) -> (subscription, account, meter): a plan with a graduated charge."""
    def make(starts="2026-01-01T00:00:00Z", account=None, zone=None, **members):
        meter, plan, account = api.meter(n("meter"), dimensions=["region"])["id"], n("plan"), account or n("acct")
        document = {"currency": "USD", "charges": [
            {"id": "work", "name": "Work done", "meter": meter, "model": "graduated", "tiers": TIERS}], **members}
        for charge in document["charges"]:
            if charge.get("meter") == "m":
                charge["meter"] = meter
        api.put(f"/v1/accounts/{account}", {"currency": document["currency"], **({"timeZone": zone} if zone else {})})
        api.publish(plan, document)
        return api.subscribe(n("sub"), account, plan, starts)["id"], account, meter
    return make


def test_the_shape_of_a_bill(api, sold, event):
    sub, account, meter = sold()
    api.send([event(meter, account, value=4, ts="2026-03-05T00:00:00Z"),
              event(meter, account, value="8.5", ts="2026-03-06T00:00:00Z")])
    bill = api.bill(sub, at="2026-03-15T00:00:00Z")
    assert (bill["subscription"], bill["account"], bill["currency"]) == (sub, account, "USD")
    assert bill["period"] == {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z"}
    assert [bill[name] for name in ("subtotal", "discounts", "tax", "credits", "total", "accrued", "amountDue")] == \
        ["11.25", "0.00", "0.00", "0.00", "11.25", "11.25", "11.25"]
    line, = bill["lines"]
    assert (line["charge"], line["description"], line["usage"], line["quantity"], line["exactAmount"], line["amount"],
            line["discount"], line["net"], line["tax"], line["events"], line["planVersion"]) == \
        ("work", "Work done", "12.5", "12.5", "11.25", "11.25", "0.00", "11.25", "0.00", 2, 1)
    assert line["period"] == bill["period"] and line["kind"] == "usage"
    assert [step["op"] for step in line["steps"]] == ["tier", "tier", "round"]
    assert len(line["digest"]) == 64
    assert bill["sequence"] and bill["ratedAt"].endswith("Z")


def test_the_bill_is_exact_to_the_last_acknowledged_event(api, sold, event):
    sub, account, meter = sold()
    for i in range(1, 25):
        api.send([event(meter, account, ts="2026-03-05T00:00:00Z")])
        line, = api.bill(sub, at="2026-03-15T00:00:00Z")["lines"]
        assert (line["usage"], line["events"]) == (str(i), i)


def test_a_bill_as_of_an_earlier_sequence(api, sold, event):
    sub, account, meter = sold()
    seen = []
    for value in range(1, 12):
        api.send([event(meter, account, value=value, ts="2026-03-05T00:00:00Z")])
        bill = api.bill(sub, at="2026-03-15T00:00:00Z")
        seen.append((bill["sequence"], bill["lines"]))
    for sequence, lines in seen:
        assert api.bill(sub, at="2026-03-15T00:00:00Z", asOf=sequence)["lines"] == lines


def test_the_same_moment_gives_the_same_bytes(api, sold, event):
    sub, account, meter = sold()
    api.send([event(meter, account, ts="2026-03-05T00:00:00Z")])
    query = {"at": "2026-03-15T00:00:00Z", "ratedAt": "2026-06-01T00:00:00Z",
             "asOf": api.bill(sub)["sequence"]}
    first = api.call("GET", f"/v1/subscriptions/{sub}/bill", query=query).body
    api.send([event(meter, account, ts="2026-03-06T00:00:00Z")])
    assert api.call("GET", f"/v1/subscriptions/{sub}/bill", query=query).body == first


def test_the_digest_tells_whether_the_same_events_were_billed(api, sold, event, n):
    one, two = sold(), sold()
    digests = []
    for sub, account, meter in (one, two):
        api.send([event(meter, account, ts="2026-03-05T00:00:00Z")])
        digests.append(api.bill(sub, at="2026-03-15T00:00:00Z")["lines"][0]["digest"])
    assert digests[0] != digests[1]
    assert api.bill(one[0], at="2026-03-15T00:00:00Z")["lines"][0]["digest"] == digests[0]


def test_before_the_period_ends_fees_are_provisional_and_not_accrued(api, sold, event):
    sub, account, meter = sold(charges=[{"id": "work", "meter": "m", "model": "perUnit", "unitPrice": "1"},
                                        {"id": "base", "model": "flat", "amount": "30.00"}],
                               minimum={"amount": "100.00"})
    now = dt.datetime.now(dt.timezone.utc)
    api.send([event(meter, account, value=5, ts=now.isoformat())])
    bill = api.bill(sub)
    assert bill["total"] == "100.00" and bill["accrued"] == "5.00"
    assert {(line["kind"], line["amount"]): line.get("provisional", False) for line in bill["lines"]} == {
        ("usage", "5.00"): False, ("fee", "30.00"): True, ("minimum", "65.00"): True}
    later = (now + dt.timedelta(days=40)).isoformat()
    assert api.bill(sub, at=now.isoformat(), ratedAt=later)["accrued"] == "100.00"


def test_event_on_the_boundary_microsecond(api, sold, event):
    sub, account, meter = sold(charges=[{"id": "work", "meter": "m", "model": "perUnit", "unitPrice": "1"}])
    api.send([event(meter, account, value=1, ts="2026-03-31T23:59:59.999999Z"),
              event(meter, account, value=10, ts="2026-04-01T00:00:00Z"),
              event(meter, account, value=100, ts="2026-04-01T00:00:00.000001Z"),
              event(meter, account, value=1000, ts="2026-04-30T23:59:59.999999Z")])
    assert api.bill(sub, at="2026-03-15T00:00:00Z")["total"] == "1.00"
    assert api.bill(sub, at="2026-04-01T00:00:00Z")["total"] == "1110.00"
    assert api.bill(sub, at="2026-05-15T00:00:00Z")["total"] == "0.00"


@pytest.mark.parametrize("zone,start", [("Pacific/Tongatapu", "2026-02-28T11:00:00Z"),
                                        ("Pacific/Kiritimati", "2026-02-28T10:00:00Z"),
                                        ("America/New_York", "2026-03-01T05:00:00Z"),
                                        ("Asia/Kathmandu", "2026-02-28T18:15:00Z")])
def test_periods_begin_at_the_accounts_midnight(api, sold, event, zone, start):
    sub, account, meter = sold(zone=zone, charges=[{"id": "w", "meter": "m", "model": "perUnit", "unitPrice": "1"}])
    first = dt.datetime.fromisoformat(start.replace("Z", "+00:00"))
    api.send([event(meter, account, value=1, ts=(first - dt.timedelta(microseconds=1)).isoformat()),
              event(meter, account, value=10, ts=first.isoformat())])
    bill = api.bill(sub, at=start)
    assert bill["period"]["start"] == start and bill["total"] == "10.00"


def test_the_plans_zone_wins_over_the_accounts(api, sold):
    sub, _, _ = sold(zone="Pacific/Tongatapu", timeZone="UTC")
    assert api.bill(sub, at="2026-03-15T00:00:00Z")["period"]["start"] == "2026-03-01T00:00:00Z"


def test_a_period_is_clipped_to_the_subscription(api, sold, event):
    sub, account, meter = sold(starts="2026-03-10T12:00:00.5Z", charges=[
        {"id": "work", "meter": "m", "model": "perUnit", "unitPrice": "1"},
        {"id": "base", "model": "flat", "amount": "31.00"}])
    api.send([event(meter, account, value=1, ts="2026-03-10T12:00:00.499999Z"),
              event(meter, account, value=10, ts="2026-03-10T12:00:00.5Z")])
    bill = api.bill(sub, at="2026-03-15T00:00:00Z")
    assert bill["period"] == {"start": "2026-03-10T12:00:00.5Z", "end": "2026-04-01T00:00:00Z"}
    assert {line["charge"]: line["amount"] for line in bill["lines"]} == {"work": "10.00", "base": "22.00"}


def test_anniversaries_of_the_31st_clamp_and_come_back(api, sold):
    sub, _, _ = sold(starts="2026-01-31T00:00:00Z", period={"every": 1, "unit": "month", "anchor": "subscription"})
    starts = [api.bill(sub, at=at)["period"]["start"][:10] for at in
              ("2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z", "2026-05-01T00:00:00Z")]
    assert starts == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_outside_the_subscription_there_is_no_bill(api, sold):
    sub, _, _ = sold(starts="2026-03-10T00:00:00Z")
    answer = api.call("GET", f"/v1/subscriptions/{sub}/bill", query={"at": "2026-03-09T00:00:00Z"})
    assert (answer.status, answer.code) == (422, "outside_subscription")


def test_late_usage_shows_in_the_bill_of_its_own_period(api, sold, event):
    sub, account, meter = sold()
    api.send([event(meter, account, ts="2026-05-05T00:00:00Z")])
    before = api.bill(sub, at="2026-02-10T00:00:00Z")["total"]
    api.send([event(meter, account, value=7, ts="2026-02-05T00:00:00Z")])
    assert (before, api.bill(sub, at="2026-02-10T00:00:00Z")["total"]) == ("0.00", "7.00")


def test_groups_and_filters_of_charges(api, sold, event):
    sub, account, meter = sold(charges=[
        {"id": "all", "meter": "m", "model": "perUnit", "unitPrice": "1", "groupBy": ["region"]},
        {"id": "eu", "meter": "m", "model": "perUnit", "unitPrice": "100", "filter": {"region": ["eu"]}}])
    api.send([event(meter, account, value=value, ts="2026-03-05T00:00:00Z", **more) for value, more in
              ((1, {"region": "eu"}), (2, {"region": "us"}), (4, {"region": "ap"}), (8, {}))])
    bill = api.bill(sub, at="2026-03-15T00:00:00Z")
    assert [(line["group"], line["amount"]) for line in bill["lines"] if line["charge"] == "all"] == [
        ({"region": None}, "8.00"), ({"region": "ap"}, "4.00"), ({"region": "us"}, "2.00")]
    assert bill["total"] == "114.00"


def test_the_bills_of_an_account(api, n, event):
    account, subs = n("acct"), []
    api.put(f"/v1/accounts/{account}", {})
    for currency in ("USD", "USD", "EUR"):
        plan = n("plan")
        api.publish(plan, {"currency": currency, "charges": [{"id": "fee", "model": "flat", "amount": "10.00"}]})
        subs.append(api.subscribe(n("sub"), account, plan, "2026-01-01T00:00:00Z")["id"])
    bills = api.get(f"/v1/accounts/{account}/bill", query={"at": "2026-03-15T00:00:00Z"})
    assert [bill["subscription"] for bill in bills["data"]] == sorted(subs)
    assert bills["amountDue"] == {"EUR": "10.00", "USD": "20.00"}
    assert len({bill["sequence"] for bill in bills["data"]}) == 1


def test_bills_of_what_does_not_exist(api, n):
    assert api.call("GET", f"/v1/subscriptions/{n('x')}/bill").code == "subscription_not_found"
    assert api.call("GET", f"/v1/accounts/{n('x')}/bill").code == "account_not_found"


@pytest.mark.parametrize("query", [{"at": "now"}, {"asOf": "rubbish"}, {"ratedAt": "later"}], ids=str)
def test_bad_parameters_of_a_bill(api, sold, query):
    answer = api.call("GET", f"/v1/subscriptions/{sold()[0]}/bill", query=query)
    assert (answer.status, answer.code) == (400, "parameter_invalid")


def test_a_plan_published_later_leaves_the_pinned_bill_alone(api, n, event):
    account, plan, meter = n("acct"), n("plan"), api.meter(n("meter"))["id"]
    api.put(f"/v1/accounts/{account}", {})

    def document(price):
        return {"currency": "USD", "charges": [{"id": "w", "meter": meter, "model": "perUnit", "unitPrice": price}]}
    api.publish(plan, document("1"))
    sub = api.subscribe(n("sub"), account, plan, "2026-03-01T00:00:00Z")["id"]
    api.publish(plan, document("2"), "2026-03-10T00:00:00Z")
    api.send([event(meter, account, value=5, ts="2026-03-15T00:00:00Z")])
    assert api.bill(sub, at="2026-03-15T00:00:00Z")["total"] == "5.00"


def test_events_are_priced_one_by_one_where_they_add_up(api, n, event):
    account, plan = n("acct"), n("plan")
    counted, gauge = api.meter(n("counted"), "count")["id"], api.meter(n("gauge"), "max")["id"]

    def document(meter):
        return {"currency": "USD", "charges": [{"id": "calls", "meter": meter, "model": "percentage", "bill": "event",
                                                "ratePercent": "100", "perEventFee": "0.25", "freeEvents": 1}]}
    refused = api.call("PUT", f"/v1/plans/{plan}", document(gauge))
    if refused.status == 200:
        refused = api.call("POST", f"/v1/plans/{plan}/publish", {"effectiveFrom": "2026-01-01T00:00:00Z"})
    assert refused.code == "plan_invalid"
    api.put(f"/v1/accounts/{account}", {})
    api.publish(plan, document(counted))
    sub = api.subscribe(n("sub"), account, plan, "2026-03-01T00:00:00Z")["id"]
    api.send([event(counted, account, ts=f"2026-03-0{day}T00:00:00Z") for day in (2, 3, 4)])
    assert api.bill(sub, at="2026-03-15T00:00:00Z")["total"] == "2.50"  # 2 x 1 + 2 x 0.25


@pytest.mark.parametrize("planned", ["change", "phase"])
def test_a_zone_of_later_changes_nothing_that_was_seen(api, n, sold, planned):
    """Terms that are to come when the account moves are cut as they were known before it moved."""
    after = {"charges": {"work": {"tiers": [{"unitPrice": "2"}]}}}
    starts, soon = "2026-01-31T23:00:00Z", "2998-12-31T23:00:00Z"
    phases = {"phases": [{"until": soon, "overrides": {}}, {"overrides": after}]} if planned == "phase" else {}
    sub, account, _ = sold(starts=starts, zone="Europe/Berlin", **phases)
    if planned == "change":
        api.post(f"/v1/subscriptions/{sub}/change", {"overrides": after, "effectiveAt": soon})
    seen = api.bill(sub, at="2999-02-15T00:00:00Z")
    assert seen["period"] == {"start": "2999-01-31T23:00:00Z", "end": "2999-02-28T23:00:00Z"}
    api.put(f"/v1/accounts/{account}", {"timeZone": "Pacific/Kiritimati"})
    assert api.bill(sub, at="2999-02-15T00:00:00Z", asOf=seen["sequence"], ratedAt=seen["ratedAt"]) == seen
    assert api.bill(sub, at="2999-02-15T00:00:00Z")["period"]["end"] == "2999-02-28T10:00:00Z"
