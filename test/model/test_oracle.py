# SPDX-License-Identifier: Apache-2.0
"""The judge is judged first: by numbers that others published, and by hand-worked ones."""
import json
from fractions import Fraction
from pathlib import Path

import calendars
import exact
import prices
import pytest
import usage

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
TIERS = {"up_to": "upTo", "unit_price": "unitPrice", "flat_fee": "flatFee", "tier_cap": "cap",
         "rate_percent": "ratePercent"}
MODELS = {"per_unit": "perUnit", "graduated_percentage": "graduatedPercentage",
          "percentage_single_event": "percentage"}


def published(file, models):
    path = CASES / file
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"{path} is absent"))]
    return [pytest.param(case, id=case["id"]) for case in json.loads(path.read_text())
            if case["model"] in models and case["verified"]]


def charge_of(case):
    config = case["config"]
    charge = {"model": MODELS.get(case["model"], case["model"])}
    for theirs, ours in (("unit_price", "unitPrice"), ("package_size", "packageSize"),
                         ("package_price", "packagePrice"), ("free_units", "included"),
                         ("rate_percent", "ratePercent"), ("fixed_fee_per_event", "perEventFee"),
                         ("free_events", "freeEvents"), ("free_amount", "freeAmount"),
                         ("min_per_event", "eventMinimum"), ("max_per_event", "eventMaximum")):
        if theirs in config:
            charge[ours] = config[theirs]
    if "tiers" in config:
        charge["tiers"] = [{TIERS[name]: value for name, value in tier.items() if value is not None}
                           for tier in config["tiers"]]
    if config.get("flat_fee_when_zero"):
        charge["flatFeeAtZero"] = True
    return charge


@pytest.mark.parametrize("case", published("pricing_models.json", ("per_unit", "graduated", "volume", "package",
                                                                "graduated_percentage")))
def test_prices_of_public_suites(case):
    if case["config"].get("rounding") == "down":
        pytest.skip("a package is always a started one")
    charge = charge_of(case)
    pool = [exact.exact(charge.get("included", 0))]
    quantity = prices.take_included(exact.exact(case["input"]["quantity"]), pool, [])
    quantity = prices.convert(charge, quantity, [])
    amount = prices.price(charge, quantity).amount
    wanted = exact.exact(case["expected"]["amount"])
    places = case.get("decimals", case["config"].get("decimals", case.get("expected_decimals")))
    if places is None:
        places = case["expected"].get("decimals", 12)
    assert exact.to_places(amount, places) == wanted or amount == wanted


@pytest.mark.parametrize("case", published("pricing_models.json", ("percentage", "percentage_single_event")))
def test_shares_of_public_suites(case):
    events = [usage.Event({"uniqueId": f"{i:04}", "meter": "m", "account": "a", "value": value,
                            "ts": "2026-06-01T00:00:00Z"}, i)
              for i, value in enumerate(case["input"]["event_amounts"])]
    aggregate = usage.Aggregate({"id": "m", "aggregation": "sum"}, events)
    charge = charge_of(case)
    assert prices.price_events(charge, aggregate.priced(charge)).amount == exact.exact(case["expected"]["amount"])


def test_formulas():
    values = {"a": Fraction(7), "b": Fraction(5, 2), "zero": Fraction(0)}
    for text, wanted in (("a + b * 2", 12), ("a / zero + 4", 4), ("if(a < b, 1, -a)", -7), ("round(b)", 3),
                         ("max(0, a - 0.1)", Fraction("6.9")), ("ceil(-b) + floor(-b)", -5), ("a != 7", 0)):
        assert prices.Formula(text, values).value == wanted, text


def test_the_most_specific_cell():
    charge = {"dimensions": ["size", "region"], "defaultUnitPrice": "9",
              "cells": [{"when": {"region": "eu"}, "unitPrice": "1"},
                        {"when": {"region": ["eu"], "size": ["l", "xl"]}, "unitPrice": "2"}]}
    for cell, wanted in ((("eu", "l"), 2), (("eu", "s"), 1), (("eu", None), 1), (("us", "l"), 9), ((None, "l"), 9)):
        assert prices.cell_price(charge, cell) == wanted


@pytest.mark.parametrize("case", published("pricing_models.json", ("currency_rounding",)))
def test_rounding_of_public_suites(case):
    assert exact.to_places(exact.exact(case["input"]["amount"]), case["config"]["decimals"]) \
        == exact.exact(case["expected"]["amount"])


def test_the_demo_lines():
    tiers = [{"upTo": "1000000", "unitPrice": "0.0009"}, {"upTo": "50000000", "unitPrice": "0.0006"},
             {"unitPrice": "0.0004"}]
    assert prices.price({"model": "graduated", "tiers": tiers}, Fraction(38114200)).amount == Fraction("23168.52")
    assert exact.to_places(Fraction("912448") * Fraction("0.0021"), 2) == Fraction("1916.14")
    assert exact.to_places(Fraction("1204001") * Fraction("0.00009"), 2) == Fraction("108.36")


def test_a_split_sums_to_the_whole_and_ties_go_to_the_earlier():
    assert prices.split(100, [1, 1, 1]) == [34, 33, 33]
    assert prices.split(5, [7, 7]) == [3, 2]


def test_days_of_31_clamp_and_come_back():
    rule = {"unit": "month", "anchor": 31}
    starts, seen = exact.instant("2026-01-31T00:00:00Z"), []
    at = starts
    for _ in range(4):
        start, at = calendars.period(rule, "UTC", starts, at)
        seen.append(exact.print_instant(start)[:10])
    assert seen == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_days_of_a_clock_change_have_23_and_25_hours():
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        start = calendars.window_start("day", exact.instant(day + "T12:00:00Z"), "Europe/Berlin")
        assert (calendars.window_next("day", start, "Europe/Berlin") - start) == hours * 3_600_000_000
