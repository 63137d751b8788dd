# SPDX-License-Identifier: Apache-2.0
"""Local time: windows, billing periods and what share of a period a part of it is."""
import datetime as dt
import functools
from fractions import Fraction
from zoneinfo import ZoneInfo

from exact import EPOCH, ONE

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


@functools.lru_cache(100_000)
def local(us, zone):
    return (EPOCH + dt.timedelta(microseconds=us)).astimezone(ZoneInfo(zone))


def to_us(moment):
    """The first instant at which the wall clock shows that time or a later one: of a time that clocks jump
    over, the moment of the change."""
    us = (moment.astimezone(dt.timezone.utc) - EPOCH) // dt.timedelta(microseconds=1)
    wall = moment.replace(tzinfo=None)
    if moment.tzinfo is dt.timezone.utc or local(us, moment.tzinfo.key).replace(tzinfo=None) == wall:
        return us
    before = us - DAY  # the change lies in (before, us]
    while us - before > 1:
        middle = (before + us) // 2
        if local(middle, moment.tzinfo.key).replace(tzinfo=None) < wall:
            before = middle
        else:
            us = middle
    return us


@functools.lru_cache(100_000)
def midnight(date, zone):
    """The first instant of a local day: before a gap's offset, at the first of two midnights."""
    return to_us(dt.datetime(date.year, date.month, date.day, tzinfo=ZoneInfo(zone)))


def add_months(date, months, day=None):
    """Clamps to the month's last day and comes back."""
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    last = (dt.date(year + (month == 11), (month + 1) % 12 + 1, 1) - dt.timedelta(days=1)).day
    return dt.date(year, month + 1, min(day or date.day, last))


def days_later(us, days, zone):
    """So many local days later, at the same time by the clock."""
    moment = local(us, zone)
    return to_us(dt.datetime.combine(moment.date() + dt.timedelta(days=days), moment.time(), ZoneInfo(zone)))


# ---- windows of usage

def window_start(kind, us, zone):
    moment = local(us, zone)
    if kind == "hour":
        return us - ((moment.minute * 60 + moment.second) * SECOND + moment.microsecond)
    date = moment.date()
    if kind == "week":
        date -= dt.timedelta(days=date.weekday())
    elif kind == "month":
        date = date.replace(day=1)
    return midnight(date, zone)


def window_next(kind, start, zone):
    if kind == "hour":
        return start + HOUR
    date = local(start, zone).date()
    if kind == "month":
        return midnight(add_months(date, 1), zone)
    return midnight(date + dt.timedelta(days=7 if kind == "week" else 1), zone)


def windows(kind, start, end, zone="UTC"):
    """Gapless and clipped to [start, end)."""
    if kind == "total":
        return [(start, end)]
    made, at = [], window_start(kind, start, zone)
    while at < end:
        after = window_next(kind, at, zone)
        made.append((max(at, start), min(after, end)))
        at = after
    return made


# ---- billing periods

def months_of(rule):
    return int(rule.get("every", 1)) * {"month": 1, "quarter": 3, "year": 12}[rule["unit"]]


class Boundaries:
    """The boundaries of a rule, by number: ascending instants, local midnights but for
    subscriptionInstant. Number 0 is somewhere near the start."""

    def __init__(self, rule, zone, starts, start_zone=None):
        """The start is read by the wall clock of start_zone: an account that moves keeps its 15th."""
        self.rule, self.zone = rule, zone
        self.unit = rule.get("unit", "month")
        self.moment = local(starts, start_zone or zone)
        anchor = rule.get("anchor", "calendar")
        self.is_days = self.unit in ("day", "week")
        self.time = self.moment.time() if anchor == "subscriptionInstant" else None
        if self.is_days:
            self.step = int(rule.get("every", 1)) * (7 if self.unit == "week" else 1)
            self.first = self.first_day(anchor)
        else:
            self.step = months_of(rule)
            self.first, self.day = self.first_month(anchor)

    def first_day(self, anchor):
        if anchor == "calendar":
            return dt.date(1970, 1, 5)  # a Monday
        if anchor in ("subscription", "subscriptionInstant"):
            return self.moment.date()
        return dt.date.fromisoformat(anchor)

    def first_month(self, anchor):
        if anchor == "calendar":
            return dt.date(2000, 1, 1), 1
        if anchor in ("subscription", "subscriptionInstant"):
            return self.moment.date(), self.moment.day
        if isinstance(anchor, int) or anchor.isdigit():
            return self.moment.date().replace(day=1), int(anchor)
        date = dt.date.fromisoformat(anchor)
        return date, date.day

    def date(self, number):
        if self.is_days:
            return self.first + dt.timedelta(days=number * self.step)
        return add_months(self.first.replace(day=1), number * self.step, self.day)

    def at(self, number):
        if self.time is None:
            return midnight(self.date(number), self.zone)
        return to_us(dt.datetime.combine(self.date(number), self.time, ZoneInfo(self.zone)))

    def first_from(self, start):
        """From somewhere between two boundaries to the first one that is more than half a period later."""
        number = self.holding(start)
        before, after = self.at(number), self.at(number + 1)
        return start, after if 2 * (after - start) > after - before else self.at(number + 2)

    def holding(self, us):
        """The number of the last boundary at or before us."""
        date = local(us, self.zone).date()
        if self.is_days:
            number = (date - self.first).days // self.step
        else:
            number = ((date.year - self.first.year) * 12 + date.month - self.first.month) // self.step
        while self.at(number) > us:
            number -= 1
        while self.at(number + 1) <= us:
            number += 1
        return number


def period(rule, zone, starts, at):
    """(natural start, natural end) of the period that holds `at`."""
    boundaries = Boundaries(rule, zone, starts)
    number = boundaries.holding(at)
    return boundaries.at(number), boundaries.at(number + 1)


def local_days(span, zone):
    return (local(span[1], zone).date() - local(span[0], zone).date()).days


def share(prorate, part, full, zone):
    """part / full: `day` by local dates, `second` by instants, `none` is all of it."""
    if prorate == "none":
        return ONE
    if prorate == "day" and local_days(full, zone) > 0:
        return Fraction(local_days(part, zone), local_days(full, zone))
    return Fraction(part[1] - part[0], full[1] - full[0])
