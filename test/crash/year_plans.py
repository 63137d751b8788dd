# SPDX-License-Identifier: Apache-2.0
"""What the simulated year sells: meters, plans in three currencies, packs and taxes."""
from fractions import Fraction

from exact import PLACES, money, show

METERS = [
    {"id": "calls", "aggregation": "sum", "dimensions": ["region", "unit"]},
    {"id": "jobs", "aggregation": "count", "dimensions": ["unit"]},
    {"id": "people", "event": "logins", "aggregation": "uniqueCount", "property": "user", "dimensions": ["unit"]},
    {"id": "largest", "event": "jobs", "aggregation": "max", "dimensions": ["unit"]},
    {"id": "volume", "event": "payments", "aggregation": "sum", "dimensions": ["unit"]},
]
REGIONS = ["eu", "us", "ap"]
WORTH = {"USD": Fraction(1), "JPY": Fraction(100), "KWD": Fraction(3, 10)}

TAX_RATES = {
    "vat": {"name": "VAT", "percent": "19"},
    "gst": {"name": "GST", "percent": "10", "inclusive": True},
    "city": {"name": "City", "percent": "2.5", "categories": ["services"]},
    "luxury": {"name": "Luxury", "percent": "7.7", "inclusive": True, "categories": ["goods"]},
}
RATES_OF_ACCOUNTS = [["vat"], ["vat"], ["gst"], ["vat", "city"], ["luxury", "city"], []]


class Prices:
    """Amounts in one currency: prices have every digit, money its currency's places."""

    def __init__(self, currency):
        self.currency = currency

    def price(self, text):
        return show(Fraction(text) * WORTH[self.currency])

    def money(self, text):
        return show(Fraction(self.units(text), 10 ** PLACES[self.currency]))

    def units(self, text):
        return round(Fraction(text) * WORTH[self.currency] * 10 ** PLACES[self.currency])

    def pack(self, amount, price, **members):
        return {"currency": self.currency, "amount": money(self.units(amount), self.currency),
                "price": money(self.units(price), self.currency), **members}


def fee(of, amount, **members):
    return {"id": "fee", "model": "flat", "amount": of.money(amount), "timing": "advance", **members}


def starter(of):
    return {"charges": [fee(of, "29.00", taxCategory="services"),
                        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": of.price("0.0371"),
                         "included": "100"}]}


def scale(of):
    return {"charges": [fee(of, "99.90"),
                        {"id": "calls", "meter": "calls", "model": "graduated", "groupBy": ["region"], "tiers": [
                            {"upTo": "500", "unitPrice": of.price("0.05")},
                            {"upTo": "2000", "unitPrice": of.price("0.031"), "flatFee": of.price("3")},
                            {"unitPrice": of.price("0.0127")}]}],
            "discounts": [{"id": "launch", "percent": "12.5", "periods": 3, "charges": ["calls"]}],
            "rounding": "halfEven"}


def bulk(of):
    return {"taxCategory": "goods",
            "charges": [{"id": "calls", "meter": "calls", "model": "volume", "minimum": of.money("15"), "tiers": [
                {"upTo": "1000", "unitPrice": of.price("0.04")}, {"unitPrice": of.price("0.021")}]},
                        {"id": "jobs", "meter": "jobs", "model": "package", "packageSize": "5",
                         "packagePrice": of.price("2.49")}]}


def team(of):
    return {"charges": [{"id": "seats", "quantity": "seats", "model": "perUnit", "unitPrice": of.price("12.50"),
                         "timing": "advance", "onDecrease": "credit"},
                        {"id": "people", "meter": "people", "model": "stairstep", "taxCategory": "services", "tiers": [
                            {"upTo": "2", "flatFee": of.price("0")}, {"upTo": "5", "flatFee": of.price("9.99")},
                            {"flatFee": of.price("19.99")}]}]}


def promise(of):
    return {"charges": [{"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": of.price("0.045")},
                        {"id": "volume", "meter": "volume", "model": "percentage", "ratePercent": "2.9",
                         "alsoCounts": True, "perEventFee": of.price("0.30")}],
            "commitment": {"amount": of.money("80"), "discountPercent": "20", "overageFactor": "0.75"}}


def weekly(of):
    return {"period": {"every": 1, "unit": "week"},
            "charges": [fee(of, "7.77"),
                        {"id": "jobs", "meter": "jobs", "model": "perUnit", "unitPrice": of.price("0.333")}]}


def yearly(of):
    return {"period": {"every": 1, "unit": "year", "anchor": "subscription"},
            "charges": [fee(of, "480.00", name="A year"),
                        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": of.price("0.0199"),
                         "period": {"every": 1, "unit": "month"}}]}


def quarter(of):
    return {"period": {"every": 1, "unit": "quarter", "anchor": "subscription"},
            "charges": [fee(of, "60.00", timing="arrears", prorate="second"),
                        {"id": "share", "model": "percentOf", "charges": ["volume"], "ratePercent": "5"},
                        {"id": "volume", "meter": "volume", "model": "percentage", "ratePercent": "1.4"}],
            "minimum": {"amount": of.money("75")}}


def tried(of):
    return {"trial": {"days": 14}, "phases": [{"periods": 2, "overrides": {"charges": {"fee": {
                "amount": of.money("9.00")}}}}],
            "charges": [fee(of, "39.00", taxCategory="services"),
                        {"id": "largest", "meter": "largest", "model": "perUnit", "unitPrice": of.price("0.0105")}]}


def capped(of):
    return {"period": {"every": 1, "unit": "month", "anchor": 15}, "maximum": {"amount": of.money("150")},
            "charges": [fee(of, "25.00", prorate="none"),
                        {"id": "calls", "meter": "calls", "model": "perUnit", "unitPrice": of.price("0.11")}],
            "discounts": [{"id": "off", "amount": of.money("5")}]}


MAKERS = {maker.__name__: maker for maker in (starter, scale, bulk, team, promise, weekly, yearly, quarter, tried,
                                              capped)}


def plans():
    """{id: document}"""
    return {f"{name}-{currency.lower()}": {"currency": currency, "name": name, **maker(Prices(currency))}
            for currency in WORTH for name, maker in MAKERS.items()}


def packs():
    """{id: body}"""
    made = {}
    for currency in WORTH:
        of, name = Prices(currency), currency.lower()
        made |= {f"small-{name}": of.pack("25", "20", validDays=45), f"big-{name}": of.pack("120", "100", priority=1),
                 f"free-{name}": of.pack("5", "0", validDays=20),
                 f"calls-{name}": of.pack("40", "33.33", priority=-1, appliesTo={"charges": ["calls"]})}
    return made


PACKS = packs()
