# SPDX-License-Identifier: Apache-2.0
"""The judge is judged first: by numbers that others published, and by hand-worked ones."""
import json
from fractions import Fraction
from pathlib import Path

import oracle
import pytest

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
TIERS = {"up_to": "upTo", "unit_price": "unitPrice", "flat_fee": "flatFee", "tier_cap": "cap"}


def published(file, models):
    path = CASES / file
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"{path} is absent"))]
    return [pytest.param(case, id=case["id"]) for case in json.loads(path.read_text())
            if case["model"] in models and case["verified"]]


def charge_of(case):
    config = case["config"]
    charge = {"model": {"per_unit": "perUnit"}.get(case["model"], case["model"])}
    for theirs, ours in (("unit_price", "unitPrice"), ("package_size", "packageSize"),
                         ("package_price", "packagePrice"), ("free_units", "included")):
        if theirs in config:
            charge[ours] = config[theirs]
    if "tiers" in config:
        charge["tiers"] = [{TIERS[name]: value for name, value in tier.items() if value is not None}
                           for tier in config["tiers"]]
    if config.get("flat_fee_when_zero"):
        charge["flatFeeAtZero"] = True
    return charge


@pytest.mark.parametrize("case", published("pricing_models.json", ("per_unit", "graduated", "volume", "package")))
def test_prices_of_public_suites(case):
    if case["config"].get("rounding") == "down":
        pytest.skip("a package is always a started one")
    charge = charge_of(case)
    quantity = oracle.quantity_after(charge, oracle.exact(case["input"]["quantity"]), Fraction(1))
    amount = oracle.price(charge, quantity)
    wanted = oracle.exact(case["expected"]["amount"])
    places = case.get("decimals", case["config"].get("decimals", case.get("expected_decimals")))
    if places is None:
        places = case["expected"].get("decimals", 12)
    assert oracle.to_places(amount, places) == wanted or amount == wanted


@pytest.mark.parametrize("case", published("pricing_models.json", ("currency_rounding",)))
def test_rounding_of_public_suites(case):
    assert oracle.to_places(oracle.exact(case["input"]["amount"]), case["config"]["decimals"]) \
        == oracle.exact(case["expected"]["amount"])


def test_the_demo_lines():
    tiers = [{"upTo": "1000000", "unitPrice": "0.0009"}, {"upTo": "50000000", "unitPrice": "0.0006"},
             {"unitPrice": "0.0004"}]
    assert oracle.price({"model": "graduated", "tiers": tiers}, Fraction(38114200)) == Fraction("23168.52")
    assert oracle.to_places(Fraction("912448") * Fraction("0.0021"), 2) == Fraction("1916.14")
    assert oracle.to_places(Fraction("1204001") * Fraction("0.00009"), 2) == Fraction("108.36")


def test_a_split_sums_to_the_whole_and_ties_go_to_the_earlier():
    assert oracle.split(100, [1, 1, 1]) == [34, 33, 33]
    assert oracle.split(-100, [1, 1, 1]) == [-34, -33, -33]
    assert oracle.split(5, [Fraction(1, 2), Fraction(1, 2)]) == [3, 2]


def test_days_of_31_clamp_and_come_back():
    rule = {"unit": "month", "anchor": 31}
    starts, seen = oracle.instant("2026-01-31T00:00:00Z"), []
    at = starts
    for _ in range(4):
        start, at = oracle.period(rule, "UTC", starts, at)
        seen.append(oracle.print_instant(start)[:10])
    assert seen == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_days_of_a_clock_change_have_23_and_25_hours():
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        start = oracle.window_start("day", oracle.instant(day + "T12:00:00Z"), "Europe/Berlin")
        assert (oracle.window_next("day", start, "Europe/Berlin") - start) == hours * 3_600_000_000
