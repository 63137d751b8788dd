# SPDX-License-Identifier: Apache-2.0
"""Figures that everybody can check by hand and that peers got wrong: each from events over HTTP to the bill
of a subscription, and each bill again by POST /v1/rate from nothing but its own plan and usage."""
import datetime as dt
from decimal import Decimal

import pytest

UNIT = {"model": "perUnit", "unitPrice": "1"}
MONTH_31 = {"every": 1, "unit": "month", "anchor": 31}
DAILY = {"every": 1, "unit": "day", "anchor": "subscription"}


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Sale:
    """A meter, a plan of these charges on it, an account with a subscription."""

    def __init__(self, api, n, event, charges, *, zone=None, starts="2026-01-01T00:00:00Z", dimensions=(), **members):
        self.api, self.event, self.account = api, event, n("acct")
        self.meter = api.meter(n("meter"), dimensions=list(dimensions))["id"]
        self.document = {"currency": "USD", **members, "charges": [
            {"id": f"c{i}", **({} if charge["model"] == "flat" else {"meter": self.meter}), **charge}
            for i, charge in enumerate(charges)]}
        api.put(f"/v1/accounts/{self.account}", {"timeZone": zone} if zone else {})
        plan = n("plan")
        api.publish(plan, self.document)
        self.subscription = api.subscribe(n("sub"), self.account, plan, starts)["id"]
        if zone:
            self.document["timeZone"] = zone

    def used(self, *events, **properties):
        self.api.send([self.event(self.meter, self.account, value=value, ts=ts, **properties) for ts, value in events])
        return self

    def bill(self, at):
        return self.api.bill(self.subscription, at=at)

    def total(self, at):
        """Of the period of that instant; the same of the pricing core alone when the period is whole."""
        bill = self.bill(at)
        usage = [row for row in bill["lines"] if row.get("meter") == self.meter]
        if len(usage) == 1 and "group" not in usage[0]:
            rated = self.api.expect(200, "POST", "/v1/rate", {
                "plan": self.document, "period": bill["period"], "usage": {self.meter: usage[0]["usage"]}})
            assert rated["total"] == bill["total"]
        return bill["total"]


@pytest.fixture
def sale(api, n, event):
    return lambda *charges, **options: Sale(api, n, event, charges, **options)


def test_61_cents_for_14_of_28_days_are_31_cents(sale):
    """0.305: lost half a cent where the share was cut to two places first."""
    fee = {"model": "flat", "amount": "0.61"}
    for prorate in ("day", "second"):
        assert sale({**fee, "prorate": prorate}, starts="2026-02-15T00:00:00Z").total("2026-02-20T00:00:00Z") == "0.31"
    assert sale({**fee, "prorate": "none"}, starts="2026-02-15T00:00:00Z").total("2026-02-20T00:00:00Z") == "0.61"


@pytest.mark.parametrize("days,amount", [(1, "0.03"), (10, "0.33"), (20, "0.67"), (29, "0.97")])
def test_a_share_is_a_fraction_and_not_a_decimal(sale, days, amount):
    """1.00 x days / 30 of April: a denominator cut to whole hours or a share of two places gives other cents."""
    start = instant("2026-05-01T00:00:00Z") - dt.timedelta(days=days)
    assert sale({"model": "flat", "amount": "1.00"}, starts=start.isoformat()).total("2026-04-30T12:00:00Z") == amount


def test_99_5_units_of_a_tier_of_100_are_in_it(sale):
    volume = {"model": "volume", "tiers": [{"upTo": "100", "unitPrice": "2"}, {"unitPrice": "1"}]}
    sold = sale(volume).used(("2026-03-05T00:00:00Z", "99.5"))
    assert sold.total("2026-03-15T00:00:00Z") == "199.00"
    assert sold.used(("2026-03-05T00:00:00Z", "0.500000000001")).total("2026-03-15T00:00:00Z") == "100.00"


def test_55_times_0_067_are_3_685_and_round_to_3_69(sale):
    sold = sale({**UNIT, "unitPrice": "0.067"}).used(*[("2026-03-05T00:00:00Z", 1)] * 55)
    assert sold.total("2026-03-15T00:00:00Z") == "3.69"
    assert sold.bill("2026-03-15T00:00:00Z")["lines"][0]["exactAmount"] == "3.685"


def test_a_sum_of_many_tenths_is_what_it_says(sale):
    """0.1 ten times is 1 to the last digit, so it is in the tier up to 1 (a park over -0.24e-14)."""
    tiers = {"model": "volume", "tiers": [{"upTo": "1", "unitPrice": "10"}, {"unitPrice": "1"}]}
    sold = sale(tiers).used(*[("2026-03-05T00:00:00Z", "0.1")] * 10)
    assert sold.total("2026-03-15T00:00:00Z") == "10.00"


def test_filters_in_any_order_bill_an_event_once(sale):
    """The order of charges and of a filter's values decides nothing."""
    charges = [{**UNIT, "unitPrice": "1"}, {**UNIT, "unitPrice": "10", "filter": {"region": ["us", "eu"]}},
               {**UNIT, "unitPrice": "100", "filter": {"region": ["eu"]}}]
    totals = set()
    for order in (charges, charges[::-1], [charges[1], charges[2], charges[0]]):
        sold = sale(*order, dimensions=["region"])
        for region in ("us", "eu", "ap"):
            sold.used(("2026-03-05T00:00:00Z", 1), region=region)
        sold.used(("2026-03-05T00:00:00Z", 1))
        totals.add(sold.total("2026-03-15T00:00:00Z"))
    assert totals == {"112.00"}


def test_filters_that_overlap_undecided_are_refused(api, n):
    meter = api.meter(n("meter"), dimensions=["region", "tier"])["id"]
    charges = [{"id": "eu", "meter": meter, **UNIT, "filter": {"region": ["eu", "us"]}},
               {"id": "pro", "meter": meter, **UNIT, "filter": {"region": ["us", "ap"]}}]
    for order in (charges, charges[::-1]):
        answer = api.call("PUT", f"/v1/plans/{n('plan')}", {"currency": "USD", "charges": order})
        assert answer.status == 422, answer


def test_day_31_across_february_and_april(sale):
    sold = sale(UNIT, period=MONTH_31, starts="2026-01-31T00:00:00Z")
    at, days = "2026-01-31T00:00:00Z", []
    for month in range(6):
        period = sold.bill(at)["period"]
        assert period["start"] == at
        days.append(at[5:10])
        sold.used((at, 10 ** month))
        at = period["end"]
    assert days == ["01-31", "02-28", "03-31", "04-30", "05-31", "06-30"]
    assert [sold.total(f"2026-{day}T12:00:00Z") for day in days] == [f"{10 ** month}.00" for month in range(6)]


def test_day_30_of_february_in_a_leap_year(sale):
    sold = sale(UNIT, period={**MONTH_31, "anchor": 30}, starts="2027-12-30T00:00:00Z")
    assert sold.bill("2028-02-28T23:59:59Z")["period"]["end"] == "2028-02-29T00:00:00Z"
    assert sold.bill("2028-02-29T00:00:00Z")["period"]["end"] == "2028-03-30T00:00:00Z"


ZONES = [("Pacific/Tongatapu", "2026-03-31T11:00:00Z"), ("Pacific/Auckland", "2026-03-31T11:00:00Z"),
         ("Pacific/Kiritimati", "2026-03-31T10:00:00Z"), ("Asia/Kolkata", "2026-03-31T18:30:00Z"),
         ("America/Los_Angeles", "2026-04-01T07:00:00Z"), ("Pacific/Pago_Pago", "2026-04-01T11:00:00Z")]


@pytest.mark.parametrize("zone,boundary", ZONES, ids=lambda value: value.replace("/", "-"))
def test_an_event_around_midnight_is_in_one_period_of_any_zone(sale, zone, boundary):
    """Double billing away from UTC: each microsecond around local midnight belongs to one month."""
    sold = sale(UNIT, zone=zone)
    for i, us in enumerate((-1, 0, 1)):
        sold.used(((instant(boundary) + dt.timedelta(microseconds=us)).isoformat(), 10 ** i))
    march, april = sold.bill("2026-03-15T00:00:00Z"), sold.bill("2026-04-15T00:00:00Z")
    assert march["period"]["end"] == april["period"]["start"] == boundary
    assert sold.total("2026-03-15T00:00:00Z") == "1.00" and sold.total("2026-04-15T00:00:00Z") == "110.00"


@pytest.mark.parametrize("noon,hours,amount", [("2026-03-29T10:00:00Z", 23, "12.00"),
                                               ("2026-10-25T11:00:00Z", 25, "11.04"),
                                               ("2026-06-10T10:00:00Z", 24, "11.50")])
def test_half_a_day_of_23_24_and_25_hours(sale, noon, hours, amount):
    """23.00 a day in Berlin from noon on: 12 hours of 23, 24 and 25."""
    fee = {"model": "flat", "amount": "23.00", "prorate": "second"}
    sold = sale(fee, period=DAILY, starts=noon, zone="Europe/Berlin")
    assert sold.total(noon) == amount
    # The next whole day costs the whole fee, however long the one before was.
    assert sold.total((instant(noon) + dt.timedelta(days=1)).isoformat()) == "23.00"
    period = sold.bill(noon)["period"]
    midnight = instant(period["end"])
    assert midnight - instant(noon) == dt.timedelta(hours=12)
    assert midnight - dt.timedelta(hours=hours) < instant(noon)


def test_an_event_at_the_microsecond_of_the_start(sale):
    sold = sale(UNIT, starts="2026-03-10T12:00:00.000001Z")
    sold.used(("2026-03-10T12:00:00Z", 1), ("2026-03-10T12:00:00.000001Z", 10), ("2026-03-10T12:00:00.000002Z", 100))
    bill = sold.bill("2026-03-15T00:00:00Z")
    assert (bill["period"]["start"], bill["total"]) == ("2026-03-10T12:00:00.000001Z", "110.00")


def test_volume_reprices_15_units_at_the_16th(sale):
    """15 x 10 = 150, 16 x 5 = 80: the bill goes down, and nothing of the 150 stays."""
    sold = sale({"model": "volume", "tiers": [{"upTo": "15", "unitPrice": "10"}, {"unitPrice": "5"}]})
    sold.used(*[("2026-03-05T00:00:00Z", 1)] * 15)
    assert sold.total("2026-03-15T00:00:00Z") == "150.00"
    sold.used(("2026-03-06T00:00:00Z", 1))
    assert sold.total("2026-03-15T00:00:00Z") == "80.00"
    sold.used(("2026-03-04T00:00:00Z", -1))
    assert sold.total("2026-03-15T00:00:00Z") == "150.00"


def test_late_negative_usage_goes_to_its_own_period(sale):
    sold = sale(UNIT).used(("2026-03-05T00:00:00Z", 10), ("2026-04-05T00:00:00Z", 7))
    assert [sold.total(f"2026-{month}-15T00:00:00Z") for month in ("03", "04")] == ["10.00", "7.00"]
    sold.used(("2026-03-31T23:59:59.999999Z", -4))
    assert [sold.total(f"2026-{month}-15T00:00:00Z") for month in ("03", "04")] == ["6.00", "7.00"]
    sold.used(("2026-03-06T00:00:00Z", -20))  # below nothing: 0, and April is not touched
    assert [sold.total(f"2026-{month}-15T00:00:00Z") for month in ("03", "04")] == ["0.00", "7.00"]
    sold.used(("2026-03-07T00:00:00Z", 15))
    assert sold.total("2026-03-15T00:00:00Z") == "1.00"


@pytest.mark.parametrize("currency,amount", [("JPY", "323"), ("KWD", "322.581"), ("USD", "322.58"), ("CLF", "322.5806"),
                                             ("ISK", "323"), ("IQD", "322.581")])
def test_currencies_round_to_their_own_minor_unit(sale, currency, amount):
    """1000 x 10 / 31 days."""
    sold = sale({"model": "flat", "amount": "1000"}, currency=currency, starts="2026-03-22T00:00:00Z")
    assert sold.total("2026-03-25T00:00:00Z") == amount


def test_unique_counts_are_counted_in_their_period_and_not_by_the_day(api, n, event):
    """Counted anew each day and added up, a user of three days was three."""
    meter, account, plan = api.meter(n("meter"), "uniqueCount", property="user")["id"], n("acct"), n("plan")
    api.put(f"/v1/accounts/{account}", {})
    api.publish(plan, {"currency": "USD", "charges": [{"id": "c", "meter": meter, **UNIT}]})
    sub = api.subscribe(n("sub"), account, plan, "2026-03-20T00:00:00Z")["id"]
    api.send([event(meter, account, value=None, ts=f"2026-03-{day}T00:00:00Z", user=user)
              for day in (10, 21, 22, 23) for user in ("ada", "bob")])
    api.send([event(meter, account, value=None, ts="2026-04-01T00:00:00Z", user="ada")])
    march, april = (api.bill(sub, at=at)["total"] for at in ("2026-03-25T00:00:00Z", "2026-04-15T00:00:00Z"))
    assert (march, april) == ("2.00", "1.00")


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "America/St_Johns", "Europe/Berlin"])
def test_periods_of_a_year_bill_each_event_once(sale, zone):
    """Own cycles and zones: 28-day periods over a year; the bills' usage sums to what was sent."""
    rule = {"every": 28, "unit": "day", "anchor": "subscription"}
    sold = sale(UNIT, zone=zone, period=rule, starts="2025-01-05T03:30:00Z")
    first = instant("2025-01-05T03:30:00Z")
    hours = range(0, 365 * 24, 61)
    sold.used(*[((first + dt.timedelta(hours=hour)).isoformat(), 1) for hour in hours])
    at, total = first.isoformat(), Decimal(0)
    while instant(at) < first + dt.timedelta(days=365):
        bill = sold.bill(at)
        assert instant(bill["period"]["start"]) == instant(at)
        total += Decimal(bill["total"])
        at = bill["period"]["end"]
    assert total == len(hours)


def test_the_last_period_of_all_has_an_end_that_can_be_read(sale):
    sold = sale(UNIT, starts="9999-12-01T00:00:00Z")
    period = sold.bill("9999-12-31T23:00:00Z")["period"]
    assert period == {"start": "9999-12-01T00:00:00Z", "end": "9999-12-31T23:59:59.999999Z"}


@pytest.mark.parametrize("prorate,total", [("day", "30.00"), ("second", "31.67")])
def test_upgraded_and_cancelled_on_one_day(api, n, sale, prorate, total):
    """Nine days of June (9.5 by the second) at 100.00 a month; nothing of the upgrade, nothing credited twice."""
    fee = {"model": "flat", "amount": "100.00", "timing": "advance", "prorate": prorate}
    sold, bigger = sale(fee, starts="2026-06-01T00:00:00Z"), n("plan")
    api.publish(bigger, {"currency": "USD", "charges": [{"id": "c0", **fee, "amount": "3000.00"}]})
    path = f"/v1/subscriptions/{sold.subscription}"
    noon = "2026-06-10T12:00:00Z"
    api.post(f"{path}/change", {"plan": bigger, "effectiveAt": noon})
    # At the same instant: the bigger plan was never in force for any time.
    answer = api.post(f"{path}/cancel", {"at": noon, "credit": "prorated"})
    assert answer["bill"]["total"] == total == sold.bill("2026-06-05T00:00:00Z")["total"]


@pytest.mark.parametrize("prorate", ["day", "second"])
def test_termination_after_an_upgrade_charges_the_days_served(api, n, sale, prorate):
    """10 days of 30 at 100.00 and 10 at 200.00: overcharged where the plan's days were divided by those since the
    upgrade. Terminated again at the same instant, nothing more comes back."""
    fee = {"model": "flat", "amount": "100.00", "timing": "advance", "prorate": prorate}
    sold, bigger = sale(fee, starts="2026-06-01T00:00:00Z"), n("plan")
    api.publish(bigger, {"currency": "USD", "charges": [{"id": "c0", **fee, "amount": "200.00"}]})
    path = f"/v1/subscriptions/{sold.subscription}"
    api.post(f"{path}/change", {"plan": bigger, "effectiveAt": "2026-06-11T00:00:00Z"})
    assert sold.bill("2026-06-05T00:00:00Z")["total"] == "166.66"  # 33.33 + 133.33, each line rounded once
    end = {"at": "2026-06-21T00:00:00Z", "credit": "prorated"}
    tried = api.post(f"{path}/cancel", {**end, "dryRun": True})
    made = api.post(f"{path}/cancel", end)
    assert tried["bill"]["total"] == made["bill"]["total"] == "100.00"  # 33.33 + 66.67
    assert sold.bill("2026-06-15T00:00:00Z")["total"] == "100.00"


def test_a_new_zone_begins_with_the_next_period(api, sale):
    """The running month ends where it did; the next ends at the new zone's month, seven hours after UTC's, and
    usage around both ends is in one period."""
    sold = sale(UNIT, zone="Asia/Tokyo")
    now = dt.datetime.now(dt.timezone.utc)
    running = sold.bill(now.isoformat())["period"]
    api.put(f"/v1/accounts/{sold.account}", {"timeZone": "America/Phoenix"})
    assert sold.bill(now.isoformat())["period"] == running
    joined = sold.bill(running["end"])["period"]
    assert joined["start"] == running["end"] and running["end"].endswith("T15:00:00Z")
    # Phoenix's first of the month is 16 hours after Tokyo's: it is passed over.
    assert joined["end"].endswith("-01T07:00:00Z")
    assert dt.timedelta(days=28) < instant(joined["end"]) - instant(joined["start"]) < dt.timedelta(days=33)
    assert sold.bill(joined["end"])["period"]["start"] == joined["end"]
