# SPDX-License-Identifier: Apache-2.0
"""Exact numbers and instants as they come and leave. Quantities and exact amounts are Fractions,
rounded money is a whole number of minor units, instants are whole microseconds since 1970."""
import datetime as dt
import functools
import math
from decimal import Decimal
from fractions import Fraction

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
PLACES = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
ZERO, ONE = Fraction(0), Fraction(1)


@functools.lru_cache(100_000)
def exact_text(text):
    try:
        number = Decimal(text)
    except ArithmeticError:
        return None
    return Fraction(number) if number.is_finite() else None


def exact(text):
    """The Fraction of a decimal given as text, Decimal, int or Fraction; None when it is no decimal."""
    if isinstance(text, Fraction):
        return text
    if isinstance(text, bool) or text is None:
        return None
    return exact_text(str(text))


def show(number):
    """Without trailing zeros, exponent or -0; p/q when it does not end."""
    if type(number) is not Fraction:
        number = Fraction(number)
    rest = number.denominator
    if rest == 1:
        return str(number.numerator)
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    return plain(number.numerator * 10 ** max(twos, fives) // number.denominator, max(twos, fives))


def plain(units, places):
    """units / 10^places with that many places."""
    if places == 0:
        return str(units)
    digits = str(abs(units)).rjust(places + 1, "0")
    return ("-" if units < 0 else "") + digits[:-places] + "." + digits[-places:]


def nearest(number, mode="halfUp"):
    """A whole number: halfUp (half away from zero), halfEven, up (away from zero), down."""
    size = abs(number)
    floor, rest = divmod(size.numerator, size.denominator)
    double = 2 * rest - size.denominator
    if mode == "up":
        floor += rest > 0
    elif mode == "halfEven":
        floor += double > 0 or (double == 0 and floor % 2 == 1)
    elif mode != "down":
        floor += double >= 0
    return floor if number >= 0 else -floor


def to_places(number, places, mode="halfUp"):
    return Fraction(nearest(number * 10 ** places, mode), 10 ** places)


def show_quantity(number):
    """Quantities that do not end print 12 places, half away from zero."""
    text = show(number)
    return show(to_places(number, 12)) if "/" in text else text


def money(units, currency):
    """Minor units as they leave: always the currency's places."""
    return plain(units, PLACES[currency])


def ceiling(number):
    return Fraction(math.ceil(number))


# ---- instants

@functools.lru_cache(100_000)
def instant(text):
    moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


@functools.lru_cache(100_000)
def print_instant(us):
    moment = EPOCH + dt.timedelta(microseconds=us)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if moment.microsecond:
        text += (".%06d" % moment.microsecond).rstrip("0")
    return text + "Z"


def print_span(start, end):
    return {"start": print_instant(start), "end": print_instant(end)}
