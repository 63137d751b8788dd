# SPDX-License-Identifier: Apache-2.0
"""POST /v1/rate and `toll rate`: the pricing core with nothing stored. Public numeric cases are
`make cases`; here stand the documented sentences and the figures that everybody can check by hand."""
import json
import re

import pytest
from client import ROOT, dump, run_toll

JUNE = {"start": "2026-06-01T00:00:00Z", "end": "2026-07-01T00:00:00Z"}
API_TIERS = [{"upTo": "1000000", "unitPrice": "0.0009"}, {"upTo": "50000000", "unitPrice": "0.0006"},
             {"unitPrice": "0.0004"}]
DEMO = {"id": "demo_2026", "currency": "USD", "charges": [
    {"id": "api", "name": "API requests", "meter": "api.requests", "model": "graduated", "tiers": API_TIERS},
    {"id": "gpu", "meter": "compute.gpu_seconds", "model": "perUnit", "unitPrice": "0.0021"},
    {"id": "storage", "meter": "storage.gb_hours", "model": "perUnit", "unitPrice": "0.00009"}]}


def plan(*charges, **members):
    return {"currency": "USD", "charges": [{"id": f"c{i}", **charge} for i, charge in enumerate(charges)], **members}


def rate(api, document, usage=None, period=JUNE, **more):
    return api.expect(200, "POST", "/v1/rate", {"plan": document, "period": period, "usage": usage or {}, **more})


def line(bill, charge="c0"):
    found, = [row for row in bill["lines"] if row.get("charge") == charge]
    return found


def test_the_demo_lines_with_their_steps(api):
    bill = rate(api, DEMO, {"api.requests": "38114200", "compute.gpu_seconds": "912448",
                            "storage.gb_hours": "1204001"})
    amounts = {row["charge"]: row["amount"] for row in bill["lines"]}
    assert amounts == {"api": "23168.52", "gpu": "1916.14", "storage": "108.36"}
    assert (bill["subtotal"], bill["total"], bill["amountDue"]) == ("25193.02",) * 3
    steps = line(bill, "api")["steps"]
    assert steps[0] == {"op": "tier", "upTo": "1000000", "quantity": "1000000", "unitPrice": "0.0009", "amount": "900"}
    assert steps[-1] == {"op": "round", "exact": "23168.52", "mode": "halfUp", "amount": "23168.52"}
    assert line(bill, "gpu")["exactAmount"] == "1916.1408"
    assert line(bill, "api")["description"] == "API requests"


def test_the_command_prints_the_same(api, tmp_path):
    usage = {"period": JUNE, "usage": {"api.requests": "38114200"}}
    (tmp_path / "plan.json").write_text(dump(DEMO))
    (tmp_path / "usage.json").write_text(dump(usage))
    printed = json.loads(run_toll("rate", "--plan", str(tmp_path / "plan.json"), "--usage",
                                  str(tmp_path / "usage.json")).stdout)
    assert printed["lines"] == rate(api, DEMO, usage["usage"])["lines"]
    bad = run_toll("rate", "--plan", "/nonexistent", "--usage", str(tmp_path / "usage.json"), check=False)
    assert bad.returncode == 1
    assert run_toll("rate", check=False).returncode == 2


UNIT = {"meter": "m", "model": "perUnit", "unitPrice": "1"}
VOLUME = {"meter": "m", "model": "volume", "tiers": [{"upTo": "100", "unitPrice": "2"}, {"unitPrice": "1"}]}
GRADUATED = {"meter": "m", "model": "graduated", "tiers": [
    {"upTo": "10", "unitPrice": "1", "flatFee": "5"}, {"upTo": "20", "unitPrice": "0.5", "flatFee": "3", "cap": "4"},
    {"packageSize": "5", "packagePrice": "2"}]}
PACKAGE = {"meter": "m", "model": "package", "packageSize": "100", "packagePrice": "7"}


@pytest.mark.parametrize("charge,quantity,amount", [
    (UNIT, "0", "0.00"), (UNIT, "0.004", "0.00"), (UNIT, "0.005", "0.01"),
    ({**UNIT, "unitPrice": "0.067"}, "55", "3.69"),
    (VOLUME, "0", "0.00"), (VOLUME, "100", "200.00"), (VOLUME, "100.0001", "100.00"), (VOLUME, "99.5", "199.00"),
    (VOLUME, "101", "101.00"),
    (GRADUATED, "0", "0.00"), (GRADUATED, "0.5", "5.50"), (GRADUATED, "10", "15.00"), (GRADUATED, "10.5", "18.25"),
    (GRADUATED, "20", "22.00"), (GRADUATED, "20.1", "24.00"), (GRADUATED, "26", "26.00"),
    ({**GRADUATED, "flatFeeAtZero": True}, "0", "5.00"),
    (PACKAGE, "0", "0.00"), (PACKAGE, "0.1", "7.00"), (PACKAGE, "100", "7.00"), (PACKAGE, "100.5", "14.00"),
    ({**UNIT, "included": "10"}, "8", "0.00"), ({**UNIT, "included": "10"}, "18.5", "8.50"),
    ({**UNIT, "divideBy": "3"}, "1", "0.33"),
    ({**UNIT, "divideBy": "1000", "roundQuantity": {"mode": "up"}}, "1001", "2.00"),
    ({**UNIT, "multiplyBy": "1.5", "roundQuantity": {"mode": "down", "places": 1}}, "1.5", "2.20"),
    ({**UNIT, "roundQuantity": {"mode": "nearest"}}, "2.5", "3.00"),
    ({**UNIT, "included": "1", "divideBy": "2", "roundQuantity": {"mode": "up"}}, "4", "2.00"),
    (UNIT, "-5", "0.00"), ({**UNIT, "allowNegative": True}, "-5.005", "-5.01")], ids=str)
def test_amounts(api, charge, quantity, amount):
    assert line(rate(api, plan(charge), {"m": quantity}))["amount"] == amount


@pytest.mark.parametrize("mode,amounts", [
    ("halfUp", ["0.13", "0.12", "-0.13"]), ("halfEven", ["0.12", "0.12", "-0.12"]), ("up", ["0.13", "0.13", "-0.13"]),
    ("down", ["0.12", "0.12", "-0.12"])])
def test_rounding_modes(api, mode, amounts):
    for quantity, amount in zip(("0.125", "0.1201", "-0.125"), amounts):
        document = plan({**UNIT, "allowNegative": True}, rounding=mode)
        assert line(rate(api, document, {"m": quantity}))["amount"] == amount


@pytest.mark.parametrize("currency,amount", [("JPY", "4"), ("KWD", "3.685"), ("USD", "3.69"), ("CLF", "3.6850")])
def test_currencies_have_their_places(api, currency, amount):
    document = {**plan({**UNIT, "unitPrice": "0.067"}), "currency": currency}
    assert line(rate(api, document, {"m": "55"}))["amount"] == amount


def test_what_does_not_end_stays_exact_and_prints_as_a_fraction(api):
    row = line(rate(api, plan({**UNIT, "divideBy": "3", "unitPrice": "10"}), {"m": "1"}))
    assert (row["usage"], row["quantity"], row["exactAmount"], row["amount"]) == ("1", "0.333333333333", "10/3", "3.33")
    assert line(rate(api, plan({**UNIT, "divideBy": "3", "unitPrice": "3"}), {"m": "1"}))["amount"] == "1.00"


def test_a_floor_at_zero_is_a_step(api):
    assert "floorAtZero" in [step["op"] for step in line(rate(api, plan(UNIT), {"m": "-5"}))["steps"]]


def test_charges_on_a_meter_share_its_usage_by_the_most_specific_filter(api):
    document = plan({**UNIT, "unitPrice": "1"}, {**UNIT, "unitPrice": "10", "filter": {"region": ["eu", "us"]}},
                    {**UNIT, "unitPrice": "100", "filter": {"region": ["eu"]}},
                    {**UNIT, "unitPrice": "1000", "alsoCounts": True})
    usage = {"m": [{"group": {"region": region}, "quantity": quantity}
                   for region, quantity in (("eu", "1"), ("us", "2"), ("ap", "4"), (None, "8"))]}
    bill = rate(api, document, usage)
    assert [line(bill, f"c{i}")["amount"] for i in range(4)] == ["12.00", "20.00", "100.00", "15000.00"]


def test_groups_have_their_own_lines_and_tiers(api):
    document = plan({**VOLUME, "groupBy": ["region"]})
    usage = {"m": [{"group": {"region": "us"}, "quantity": "100"}, {"group": {"region": "eu"}, "quantity": "101"},
                   {"group": {}, "quantity": "1"}]}
    rows = rate(api, document, usage)["lines"]
    assert [(row["group"], row["amount"]) for row in rows] == [
        ({"region": None}, "2.00"), ({"region": "eu"}, "101.00"), ({"region": "us"}, "200.00")]


def test_a_metered_charge_always_has_a_line_others_only_when_not_0(api):
    bill = rate(api, plan(UNIT, {"model": "flat", "amount": "0"}, {"model": "flat", "amount": "1"}))
    assert [row["charge"] for row in bill["lines"]] == ["c0", "c2"]


FLAT = {"model": "flat", "amount": "0.61"}


@pytest.mark.parametrize("prorate,more,amount", [
    ("day", {"activeFrom": "2026-02-15T00:00:00Z"}, "0.31"), ("none", {"activeFrom": "2026-02-15T00:00:00Z"}, "0.61"),
    ("day", {"activeFrom": "2026-02-15T18:00:00Z"}, "0.31"),
    ("second", {"activeFrom": "2026-02-15T18:00:00Z"}, "0.29"),
    ("day", {"activeTo": "2026-02-02T00:00:00Z"}, "0.02"), ("day", {}, "0.61")])
def test_flat_fees_are_prorated(api, prorate, more, amount):
    february = {"start": "2026-02-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
    assert line(rate(api, plan({**FLAT, "prorate": prorate}), period=february, **more))["amount"] == amount


def test_usage_and_tiers_are_never_prorated_but_included_is(api):
    half = {"activeFrom": "2026-06-16T00:00:00Z"}
    assert line(rate(api, plan(VOLUME), {"m": "100"}, **half))["amount"] == "200.00"
    assert line(rate(api, plan({**UNIT, "included": "100"}), {"m": "100"}, **half))["amount"] == "50.00"


# ---- the algebra of a bill

def totals(bill):
    return bill["subtotal"], bill["discounts"], bill["total"]


def equations(bill):
    def cents(text):
        return round(float(text) * 100)
    rows = bill["lines"]
    assert cents(bill["subtotal"]) == sum(cents(row["amount"]) for row in rows)
    assert cents(bill["discounts"]) == sum(cents(row["discount"]) for row in rows)
    assert all(cents(row["net"]) == cents(row["amount"]) + cents(row["discount"]) for row in rows)
    assert cents(bill["total"]) == cents(bill["subtotal"]) + cents(bill["discounts"]) + cents(bill["tax"])
    assert cents(bill["amountDue"]) == cents(bill["total"]) + cents(bill["credits"])


def test_discounts_in_turn_each_on_what_is_left(api):
    document = plan(UNIT, {**UNIT, "meter": "n"}, discounts=[
        {"id": "a", "percent": "10"}, {"id": "b", "amount": "5.00", "charges": ["c0"]}, {"id": "c", "percent": "50"}])
    bill = rate(api, document, {"m": "10.05", "n": "20"})
    equations(bill)
    # 30.05 - 3.01 (10 %) - 5.00 - half of 22.04
    assert totals(bill) == ("30.05", "-19.03", "11.02")


def test_a_discount_is_split_by_largest_remainder_ties_to_the_earlier(api):
    document = plan(*[{**FLAT, "amount": "1.00"}] * 3, discounts=[{"id": "d", "amount": "1.00"}])
    bill = rate(api, document)
    equations(bill)
    assert [row["discount"] for row in bill["lines"]] == ["-0.34", "-0.33", "-0.33"]


def test_a_discount_never_exceeds_its_lines(api):
    bill = rate(api, plan(UNIT, discounts=[{"id": "d", "amount": "100.00"}]), {"m": "3"})
    equations(bill)
    assert bill["total"] == "0.00"


def test_a_minimum_is_a_line_of_its_own(api):
    bill = rate(api, plan(UNIT, minimum={"amount": "100.00"}), {"m": "30"})
    equations(bill)
    assert [(row["kind"], row["amount"]) for row in bill["lines"]] == [("usage", "30.00"), ("minimum", "70.00")]
    assert rate(api, plan(UNIT, minimum={"amount": "100.00"}), {"m": "130"})["total"] == "130.00"


def test_a_maximum_is_a_discount(api):
    bill = rate(api, plan(UNIT, maximum={"amount": "100.00"}), {"m": "130"})
    equations(bill)
    assert totals(bill) == ("130.00", "-30.00", "100.00")


@pytest.mark.parametrize("used,more,total", [
    ("50", {}, "100.00"), ("125", {}, "100.00"), ("250", {}, "200.00"), ("50", {"trueUp": False}, "40.00"),
    ("225", {"overageFactor": "1.5"}, "250.00"), ("225", {"overageFactor": "1"}, "200.00")])
def test_a_commitment(api, used, more, total):
    document = plan(UNIT, commitment={"amount": "100.00", "discountPercent": "20", **more})
    bill = rate(api, document, {"m": used})
    equations(bill)
    assert bill["total"] == total


def test_a_true_up_counts_toward_the_minimum(api):
    document = plan(UNIT, commitment={"amount": "100.00"}, minimum={"amount": "120.00"})
    bill = rate(api, document, {"m": "10"})
    equations(bill)
    assert [(row["kind"], row["amount"]) for row in bill["lines"]] == [
        ("usage", "10.00"), ("trueUp", "90.00"), ("minimum", "20.00")]


def test_included_credits_are_a_discount(api):
    document = plan(UNIT, includedCredits={"amount": "50.00"})
    assert totals(rate(api, document, {"m": "130"})) == ("130.00", "-50.00", "80.00")
    assert rate(api, document, {"m": "30"})["total"] == "0.00"


def test_quantities_of_the_subscription(api):
    document = plan({"quantity": "seats", "model": "perUnit", "unitPrice": "20.00"})
    assert rate(api, document, quantities={"seats": [{"from": JUNE["start"], "value": "5"}]})["total"] == "100.00"


# ---- refusals

@pytest.mark.parametrize("change,pointer", [
    ({"plan": None}, "/plan"), ({"period": {"start": JUNE["end"], "end": JUNE["start"]}}, "/period"),
    ({"period": {"start": "x", "end": "y"}}, "/period/start"), ({"usage": {"m": "many"}}, "/usage/m"),
    ({"usage": {"m": [{"group": {"a": "b"}}]}}, "/usage/m/0"), ({"usage": 7}, "/usage"),
    ({"plan": {"currency": "USD", "charges": [{"id": "a", "model": "magic"}]}}, "/plan/charges/0/model"),
    ({"colour": "red"}, "/colour")], ids=str)
def test_a_bad_request_names_the_member(api, change, pointer):
    answer = api.call("POST", "/v1/rate", {"plan": plan(UNIT), "period": JUNE, "usage": {}, **change})
    assert answer.status in (400, 422), answer
    assert any(error["pointer"].startswith(pointer) for error in answer.json["errors"]), answer


def test_an_amount_beyond_what_can_be_kept_is_refused(api):
    answer = api.call("POST", "/v1/rate", {"plan": plan({**UNIT, "unitPrice": "1000000000000"}), "period": JUNE,
                                           "usage": {"m": "999999999999999"}})
    assert (answer.status, answer.code) == (422, "amount_too_large")


def test_every_row_of_the_guide_of_plans_comes_to_what_it_says(api):
    text = (ROOT / "docs" / "guide" / "plans.md").read_text()
    rows = re.findall(r"^\| `(\{.*?\})` \| `(\{.*?\})` \| ([0-9.]+) \|$", text, re.M)
    assert len(rows) == 12
    for charge, usage, amount in rows:
        charge = {"id": "c", **json.loads(charge)}
        bill = api.post("/v1/rate", {"plan": {"currency": "USD", "charges": [charge]}, "usage": json.loads(usage),
                                     "period": JUNE})
        assert bill["total"] == amount, (charge, bill)
    sample = json.loads(re.search(r"```json\n(.*?)```", text, re.S)[1])
    bill = api.post("/v1/rate", {"plan": sample, "usage": {"compute.gpu_seconds": "912448"}, "quantities": {"seats": 3},
                                 "period": JUNE})
    assert [line["amount"] for line in bill["lines"]] == ["99.00", "1914.04", "60.00"]


# ---- what depends on the life of a subscription

FEE = {"model": "flat", "amount": "30"}
SEATS = {"quantity": "seats", "model": "perUnit", "unitPrice": "30", "timing": "advance"}
PER_UNIT = {"meter": "m", "model": "perUnit", "unitPrice": "1"}


def june(day):
    return f"2026-06-{day:02}T00:00:00Z"


def test_a_pause_is_in_no_share(api):
    pauses = [{"start": june(11), "end": june(21)}]
    assert rate(api, plan(FEE, PER_UNIT), {"m": "5"}, pauses=pauses)["total"] == "25.00"


@pytest.mark.parametrize("rules,total", [({}, "330.00"), ({"onDecrease": "credit"}, "310.00"),
                                         ({"onIncrease": "nextPeriod"}, "300.00")])
def test_seats_up_and_down_in_advance(api, rules, total):
    held = [{"from": june(1), "value": "10"}, {"from": june(16), "value": "12"}, {"from": june(21), "value": "10"}]
    assert rate(api, plan({**SEATS, **rules}), quantities={"seats": held})["total"] == total


def test_a_trial_shows_what_it_would_have_cost(api):
    usage = {"m": [{"quantity": "7", "at": june(10)}, {"quantity": "5", "at": june(11)}]}
    bill = rate(api, plan(PER_UNIT, trial={"days": 10}), usage)
    first, second = bill["lines"]
    assert (first["amount"], second["amount"], bill["total"]) == ("0.00", "5.00", "5.00")
    assert {"op": "trial", "exact": "7", "amount": "0"} in first["steps"]


def test_phases_change_the_plan_for_a_while(api):
    ramp = plan(FEE, phases=[{"periods": 2, "overrides": {"charges": {"c0": {"amount": "10"}}}}])
    assert rate(api, ramp, activeFrom="2026-05-20T00:00:00Z")["total"] == "10.00"
    assert rate(api, ramp, activeFrom="2026-04-20T00:00:00Z")["total"] == "30.00"


def test_a_yearly_plan_with_usage_by_the_month(api):
    tiers = [{"upTo": "10", "unitPrice": "1"}, {"unitPrice": "2"}]
    document = plan({**FEE, "timing": "advance"}, {"meter": "m", "model": "graduated", "tiers": tiers,
                                                   "period": {"unit": "month"}}, period={"unit": "year"})
    usage = {"m": [{"quantity": "15", "at": "2026-01-31T23:59:59Z"}, {"quantity": "15", "at": "2026-02-01T00:00:00Z"}]}
    bill = rate(api, document, usage, {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"})
    assert [row["amount"] for row in bill["lines"]] == ["30.00", "20.00", "20.00"] + ["0.00"] * 10


def test_what_is_due_at_an_instant(api):
    document = plan({**FEE, "timing": "advance"}, FEE, PER_UNIT, minimum={"amount": "100"})
    assert rate(api, document, {"m": "5"}, dueOnly=True, at=june(10))["total"] == "30.00"
    assert rate(api, document, {"m": "5"}, dueOnly=True)["total"] == "100.00"


def test_a_term_of_a_commitment_is_settled_at_its_end(api):
    document = plan(PER_UNIT, commitment={"amount": "120", "discountPercent": "10",
                                          "term": {"every": 3, "unit": "month"}})
    bill = rate(api, document, {"m": "30"}, activeFrom="2026-04-01T00:00:00Z", committed={"list": "60", "net": "54"})
    usage, missing = bill["lines"]
    assert (usage["net"], missing["kind"], missing["amount"]) == ("27.00", "trueUp", "39.00")
    assert rate(api, document, {"m": "30"})["total"] == "27.00"


def test_events_are_posted_at_what_they_add(api):
    events = [{"ts": june(day), "uniqueId": str(day), "value": "1"} for day in (3, 1, 2)]
    charge = {"meter": "m", "model": "perUnit", "unitPrice": "0.335", "bill": "event"}
    row = line(rate(api, plan(charge), {"m": [{"events": events}]}))
    assert [(event["uniqueId"], event["amount"]) for event in row["posted"]] == [
        ("1", "0.34"), ("2", "0.33"), ("3", "0.34")]
    assert row["amount"] == "1.01"


def test_events_outside_the_period_count_nothing(api):
    """As in the bill of a subscription, whatever parts a charge has."""
    body = {"plan": {"currency": "USD", "charges": [{"id": "c", "meter": "m", "model": "perUnit", "unitPrice": "1"}]},
            "period": {"start": "2026-06-01T00:00:00Z", "end": "2026-07-01T00:00:00Z"},
            "usage": {"m": [{"events": [{"ts": "2026-06-30T23:59:59.999999Z", "value": "3"},
                                        {"ts": "2026-07-01T00:00:00Z", "value": "10"}]}]}}
    assert api.post("/v1/rate", body)["total"] == "3.00"
    body["plan"]["charges"][0]["period"] = {"every": 1, "unit": "month"}
    assert api.post("/v1/rate", body)["total"] == "3.00"
