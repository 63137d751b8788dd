// SPDX-License-Identifier: Apache-2.0
// Days and longer begin at the first instant of their local date. Hours are counted from the wall
// clock too, but a change of offset ends one and begins another, so that a repeated hour is two
// windows.
#include "time/window.h"

#include "base/assert.h"

static const char *const names[WINDOW_UNIT_COUNT] = {
    [WINDOW_HOUR] = "hour",
    [WINDOW_DAY] = "day",
    [WINDOW_WEEK] = "week",
    [WINDOW_MONTH] = "month",
};

bool window_unit_find(Str name, WindowUnit *unit)
{
    for (int i = 0; i < WINDOW_UNIT_COUNT; i++)
        if (str_equal(name, str_of(names[i]))) {
            *unit = (WindowUnit)i;
            return true;
        }
    return false;
}

static Span hour_at(const Zone *zone, Instant instant)
{
    static const int64_t hour_us = 3600 * INSTANT_SECOND_US;
    Span                 span = { { instant.us - zone_local(zone, instant).us % hour_us }, { 0 } };
    Instant              change;
    span.end.us = span.start.us + hour_us;
    if (span.end.us > INSTANT_END.us)
        span.end = INSTANT_END;
    if (zone_change_before(zone, instant, &change) && change.us > span.start.us)
        span.start = change;
    if (zone_change_after(zone, instant, &change) && change.us < span.end.us)
        span.end = change;
    return span;
}

// The first date of the window that is `steps` after the one that holds the date.
static Date first_date(WindowUnit unit, Date date, int64_t steps)
{
    int64_t days = date_days(date);
    if (unit == WINDOW_MONTH)
        return date_in_month(date_months(date) + steps, 1);
    if (unit == WINDOW_DAY)
        return date_of_days(days + steps);
    int64_t since_monday = ((days + 3) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
    return date_of_days(days - since_monday + 7 * steps);
}

Span window_at(WindowUnit unit, const Zone *zone, Instant instant)
{
    assert_that(unit < WINDOW_UNIT_COUNT);
    instant = instant_within(instant);
    if (unit == WINDOW_HOUR)
        return hour_at(zone, instant);

    Date date = zone_local(zone, instant).date;
    Span span = { zone_midnight(zone, first_date(unit, date, 0)),
                  zone_midnight(zone, first_date(unit, date, 1)) };
    assert_that(span.start.us <= instant.us);
    // Clocks that go back over midnight show the date before once more, behind its end.
    for (int64_t step = 2; span.end.us <= instant.us; step++)
        span = (Span){ span.end, zone_midnight(zone, first_date(unit, date, step)) };
    return span;
}
