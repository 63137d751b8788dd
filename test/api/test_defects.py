# SPDX-License-Identifier: Apache-2.0
"""What users of the peers complain about, one test each: public defects that must not happen here.
Those about wallets, invoices, taxes and runs come with these parts."""
import random
import threading
import time
from decimal import Decimal

import pytest
from client import Api, dump

SPAN = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "window": "total"}


@pytest.fixture
def meter(api, n):
    return api.meter(n("meter"))["id"]


def events_of(api, meter, **query):
    row, = api.usage(meter, **{**SPAN, **query})["data"]
    return row["events"]


def sold(api, n, meter, account, *, zone=None, **charge):
    plan = n("plan")
    api.put(f"/v1/accounts/{account}", {"timeZone": zone} if zone else {})
    price = charge if "model" in charge else {"model": "perUnit", "unitPrice": "1", **charge}
    api.publish(plan, {"currency": "USD", "charges": [{"id": "c", "meter": meter, **price}]})
    return api.subscribe(n("sub"), account, plan, "2026-01-01T00:00:00Z")["id"]


def test_retry_after_crash_is_counted_once(fresh, n, event):
    """The id was claimed before the write: after a failure the retry got success and billed zero."""
    api = fresh(seal_bits=4)
    meter = api.meter(n("meter"))["id"]
    stored, answered = [event(meter, uid=f"e{i}") for i in range(500)], 0

    def send():
        nonlocal answered
        try:
            for made in stored:
                Api(api.server).call("POST", "/v1/measurements", made)
                answered += 1
        except Exception:
            pass
    thread = threading.Thread(target=send)
    thread.start()
    while answered < 100:
        time.sleep(0.005)
    api.server.kill9()
    thread.join()
    api.server.start()
    found = events_of(api, meter)
    assert found >= answered
    answer = api.send(stored)
    assert answer["accepted"] + answer["duplicates"] == 500 and answer["duplicates"] == found
    assert events_of(api, meter) == 500


def test_a_client_that_hangs_up_before_the_answer_is_counted_once(api, meter, event):
    import socket
    made = [event(meter) for _ in range(30)]
    for one in made:
        body = dump(one).encode()
        with socket.create_connection(("127.0.0.1", api.server.port)) as sock:
            sock.sendall((f"POST /v1/measurements HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
                          f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
    answer = api.send(made)
    assert answer["accepted"] + answer["duplicates"] == 30
    assert events_of(api, meter) == 30


def test_concurrent_sends_of_one_id_count_once_and_all_are_answered(api, meter, event):
    """Concurrent inserts that clashed answered 200 with nothing stored."""
    made, outcomes = event(meter), []

    def send():
        outcomes.append(Api(api.server).expect(202, "POST", "/v1/measurements", made)["outcome"])
    threads = [threading.Thread(target=send) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted"] + ["duplicate"] * 31
    assert events_of(api, meter) == 1


def test_concurrent_conflicts_have_one_winner(api, meter, event):
    made, statuses = event(meter), []

    def send(value):
        answer = Api(api.server).call("POST", "/v1/measurements", {**made, "value": value})
        statuses.append((answer.status, value))
    threads = [threading.Thread(target=send, args=(value,)) for value in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner, = [value for status, value in statuses if status == 202]
    assert [status for status, _ in statuses].count(409) == 15
    assert api.get(f"/v1/measurements/{made['uniqueId']}")["value"] == str(winner)


def test_same_id_with_other_content_is_never_silently_first_wins(api, meter, event):
    made = event(meter, value=1)
    api.send([made])
    assert api.send([{**made, "value": 2}])["conflicts"] == 1
    row, = [row for row in api.get("/v1/measurements/rejections", query={"limit": 50})["data"]
            if row["uniqueId"] == made["uniqueId"]]
    assert row["outcome"] == "conflict"


def test_retry_across_a_period_boundary_is_billed_once(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account)
    made = event(meter, account, ts="2026-03-31T23:59:59.9Z")
    api.send([made])
    retry = {name: value for name, value in made.items() if name != "ts"}  # sent again in April, without a time
    assert api.send([retry])["duplicates"] == 1
    assert api.send([{**made, "ts": "2026-04-01T00:00:00.1Z"}])["conflicts"] == 1
    totals = [api.bill(sub, at=at)["total"] for at in ("2026-03-15T00:00:00Z", "2026-04-15T00:00:00Z")]
    assert totals == ["1.00", "0.00"]
    assert api.bill(sub)["total"] == "0.00"


def test_the_same_id_a_year_later_is_a_duplicate(api, meter, event):
    """Peers forget ids after 24 hours, 32 or 34 days."""
    made = event(meter, ts="2020-01-01T00:00:00Z")
    api.send([made])
    api.send([event(meter) for _ in range(300)])  # many seals later
    assert api.send([made])["duplicates"] == 1


def test_61_cents_for_14_of_28_days_is_31_cents(api, n):
    account = n("acct")
    plan = n("plan")
    api.put(f"/v1/accounts/{account}", {})
    api.publish(plan, {"currency": "USD", "charges": [{"id": "c", "model": "flat", "amount": "0.61"}]})
    sub = api.subscribe(n("sub"), account, plan, "2026-02-15T00:00:00Z")["id"]
    assert api.bill(sub, at="2026-02-20T00:00:00Z")["total"] == "0.31"


def test_55_times_0_067_is_3_69_and_parks_nobody(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account, unitPrice="0.067")
    api.send([event(meter, account, value=55, ts="2026-03-05T00:00:00Z")])
    line, = api.bill(sub, at="2026-03-15T00:00:00Z")["lines"]
    assert (line["exactAmount"], line["amount"]) == ("3.685", "3.69")


def test_volume_99_5_units(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account, model="volume", tiers=[{"upTo": "100", "unitPrice": "2"}, {"unitPrice": "1"}])
    bills = []
    for value in ("99.5", "0.5", "0.5"):
        api.send([event(meter, account, value=value, ts="2026-03-05T00:00:00Z")])
        bills.append(api.bill(sub, at="2026-03-15T00:00:00Z")["total"])
    assert bills == ["199.00", "200.00", "100.50"]
    # a plan member that perUnit had is of no use to volume: it is refused, not ignored
    assert api.call("PUT", f"/v1/plans/{n('plan')}", {"currency": "USD", "charges": [
        {"id": "c", "meter": meter, "model": "volume", "unitPrice": "1", "tiers": [{"unitPrice": "1"}]}]}).status == 422


def test_boundary_microsecond(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account)
    api.send([event(meter, account, value=1, ts="2026-03-31T23:59:59.999999Z"),
              event(meter, account, value=2, ts="2026-04-01T00:00:00.000000Z")])
    assert api.bill(sub, at="2026-03-31T23:59:59.999999Z")["total"] == "1.00"
    assert api.bill(sub, at="2026-04-01T00:00:00Z")["total"] == "2.00"


def test_utc_plus_13_midnight(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account, zone="Pacific/Tongatapu")
    api.send([event(meter, account, value=1, ts="2026-03-31T10:59:59.999999Z"),
              event(meter, account, value=2, ts="2026-03-31T11:00:00Z")])
    march, april = (api.bill(sub, at=at) for at in ("2026-03-31T10:00:00Z", "2026-03-31T12:00:00Z"))
    assert (march["total"], april["total"]) == ("1.00", "2.00")
    assert march["period"]["end"] == april["period"]["start"] == "2026-03-31T11:00:00Z"


def test_overlapping_filters_bill_an_event_once(api, n, event):
    meter, account, plan = api.meter(n("meter"), dimensions=["region", "tier"])["id"], n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {})
    base = {"meter": meter, "model": "perUnit", "unitPrice": "1"}
    api.publish(plan, {"currency": "USD", "charges": [
        {"id": "all", **base}, {"id": "eu", **base, "filter": {"region": ["eu"]}},
        {"id": "eu-pro", **base, "filter": {"region": ["eu"], "tier": ["pro"]}}]})
    sub = api.subscribe(n("sub"), account, plan)["id"]
    api.send([event(meter, account, ts="2026-03-05T00:00:00Z", region=region, tier=tier)
              for region in ("eu", "us") for tier in ("pro", "free")])
    bill = api.bill(sub, at="2026-03-15T00:00:00Z")
    assert {line["charge"]: line["usage"] for line in bill["lines"]} == {"all": "2", "eu": "1", "eu-pro": "1"}
    assert bill["total"] == "4.00"


def test_two_events_in_the_same_instant(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account)
    api.send([event(meter, account, ts="2026-03-05T00:00:00.123456Z") for _ in range(5)])
    assert api.bill(sub, at="2026-03-15T00:00:00Z")["total"] == "5.00"


def test_milliseconds_and_microseconds_are_kept(api, meter, event):
    made = event(meter, ts="2026-03-05T00:00:00.123Z")
    api.send([made])
    assert api.send([{**made, "ts": "2026-03-05T00:00:00.123000Z"}])["duplicates"] == 1
    assert api.send([{**made, "ts": "2026-03-05T00:00:00.123001Z"}])["conflicts"] == 1


def test_negative_usage_is_not_zeroed(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account)
    api.send([event(meter, account, value=10, ts="2026-03-05T00:00:00Z"),
              event(meter, account, value=-4, ts="2026-03-06T00:00:00Z")])
    assert api.bill(sub, at="2026-03-15T00:00:00Z")["total"] == "6.00"


def test_multipliers_keep_all_their_digits(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account, unitPrice="0.000000123456")
    api.send([event(meter, account, value="100000000", ts="2026-03-05T00:00:00Z")])
    assert api.bill(sub, at="2026-03-15T00:00:00Z")["lines"][0]["exactAmount"] == "12.3456"


def test_usage_and_bill_never_disagree_while_events_arrive(api, n, meter, event):
    account = n("acct")
    sub = sold(api, n, meter, account)
    stop = threading.Event()

    def load():
        mine = Api(api.server)
        while not stop.is_set():
            mine.send([event(meter, account, ts="2026-03-05T00:00:00Z") for _ in range(20)])
    thread = threading.Thread(target=load)
    thread.start()
    try:
        last = 0
        for _ in range(60):
            bill = api.bill(sub, at="2026-03-15T00:00:00Z")
            line, = bill["lines"]
            row, = api.usage(meter, account=account, asOf=bill["sequence"], **SPAN)["data"]
            assert line["usage"] == row["value"] == str(line["events"])
            assert line["events"] >= last
            last = line["events"]
    finally:
        stop.set()
        thread.join()


def test_an_account_named_by_two_spellings_is_two_accounts(api, meter, event, n):
    base = n("acct")
    api.send([event(meter, base + "a"), event(meter, base + "A"), event(meter, base + "a ")])
    assert [events_of(api, meter, account=base + tail) for tail in ("a", "A", "a ")] == [1, 1, 1]


def test_a_duplicate_is_found_while_its_seal_ends(fresh, n):
    """Seals of 16 events end in the middle of every batch: what is sealed meanwhile stays known."""
    api, chance, known = fresh(seal_bits=4), random.Random(1), []
    meter = api.meter(n("meter"))["id"]
    for batch in range(25):
        events, wanted = [], []
        for i in range(500):
            again = known and chance.random() < 0.5
            id = chance.choice(known) if again else f"{batch}-{i}"
            wanted.append("duplicate" if again else "accepted")
            known += [] if again else [id]
            events.append({"meter": meter, "account": "a", "uniqueId": id, "ts": "2026-06-01T00:00:00Z"})
        results = api.send(events, query={"verbose": "true"})["results"]
        assert [result["outcome"] for result in results] == wanted
    assert events_of(api, meter) == len(known)
    api.server.stop()
    api.server.verify()


# ---- changes of subscriptions

def flat(amount):
    return {"currency": "USD", "charges": [{"id": "fee", "model": "flat", "amount": amount, "timing": "advance"}]}


def on_plan(api, n, amount, starts, **account):
    """(subscription, account) on a plan with one fee in advance."""
    plan, name = n("plan"), n("acct")
    api.put(f"/v1/accounts/{name}", account)
    api.publish(plan, flat(amount))
    return api.subscribe(n("sub"), name, plan, starts)["id"], name


def nets(invoice):
    return [line["net"] for line in invoice["lines"]]


def test_terminated_after_an_upgrade_is_not_overcharged(api, n):
    """A peer divided by the days since the upgrade instead of the month's: 5 of 30 days at 300, then 5 at 600."""
    sub, account = on_plan(api, n, "300", "2026-06-11T00:00:00Z")
    big = n("plan")
    api.publish(big, flat("600"))
    api.post(f"/v1/subscriptions/{sub}/change", {"plan": big, "effectiveAt": "2026-06-16T00:00:00Z"})
    ended = api.post(f"/v1/subscriptions/{sub}/cancel", {"at": "2026-06-21T00:00:00Z"})
    assert ended["bill"]["total"] == "150.00"
    assert [line["amount"] for line in ended["bill"]["lines"]] == ["50.00", "100.00"]


def test_upgraded_then_cancelled_the_same_day_costs_nothing_of_the_new_plan(api, n):
    sub, account = on_plan(api, n, "300", "2026-06-01T00:00:00Z")
    big = n("plan")
    api.publish(big, flat("600"))
    api.post(f"/v1/subscriptions/{sub}/change", {"plan": big, "effectiveAt": "2026-06-16T08:00:00Z"})
    ended = api.post(f"/v1/subscriptions/{sub}/cancel", {"at": "2026-06-16T17:00:00Z"})
    assert ended["bill"]["total"] == "150.00"


def test_an_immediate_downgrade_is_taken_and_credited(api, n):
    """A peer refuses it, another loses the credit."""
    sub, account = on_plan(api, n, "600", "2026-06-01T00:00:00Z")
    small = n("plan")
    api.publish(small, flat("300"))
    body = {"plan": small, "effectiveAt": "2026-06-16T00:00:00Z", "dryRun": True}
    invoice = api.post(f"/v1/subscriptions/{sub}/change", body, query={"ratedAt": "2026-06-16T00:00:00Z"})["invoice"]
    assert nets(invoice) == ["-300.00", "150.00"]
    assert (invoice["total"], invoice["toBalance"]) == ("0.00", "150.00")


def test_a_credit_is_never_more_than_was_charged(api, n):
    """Made free again and again, from further back each time: June's fee comes back once."""
    sub, account = on_plan(api, n, "300", "2026-06-01T00:00:00Z")
    credits = []
    for at in ("2026-06-25T00:00:00Z", "2026-06-11T00:00:00Z", "2026-06-01T00:00:00Z"):
        free = {"overrides": {"charges": {"fee": {"amount": "0"}}}, "effectiveAt": at}
        invoice = api.post(f"/v1/subscriptions/{sub}/change", free)["invoice"]
        credits += [Decimal(line["net"]) for line in invoice["lines"] if line["period"]["start"] < "2026-07"]
    assert credits == [-60, -140, -100] and sum(credits) == -300


def test_a_zone_ahead_of_utc_bills_every_period_once(api, n):
    """A peer billed a day twice where midnight comes before UTC's."""
    sub, account = on_plan(api, n, "31", "2026-01-31T10:59:59.999999Z", timeZone="Pacific/Auckland")
    at, periods = "2026-01-31T00:00:00Z", []
    while at < "2027-02":
        invoice, = api.get(f"/v1/accounts/{account}/upcomingInvoice", query={"ratedAt": at})["data"]
        line, = invoice["lines"]
        assert invoice["at"] == line["period"]["start"]
        periods.append(line["period"])
        at = invoice["at"]
    assert len(periods) == 15  # the last microsecond of January there, and the months since
    assert [period["end"] for period in periods[:-1]] == [period["start"] for period in periods[1:]]
