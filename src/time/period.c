// SPDX-License-Identifier: Apache-2.0
// Every rule is a row of boundaries B(k), k any whole number, that never goes down; a period is
// [B(k), B(k + 1)). What differs between anchors is only where B(0) lies and whether k counts days
// or months.
#include "time/period.h"

#include "base/assert.h"

static const struct {
    const char *name;
    uint8_t     days;  // of one unit, or
    uint8_t     months;
} units[PERIOD_UNIT_COUNT] = {
    [PERIOD_DAY] = { "day", 1, 0 },     [PERIOD_WEEK] = { "week", 7, 0 },
    [PERIOD_MONTH] = { "month", 0, 1 }, [PERIOD_QUARTER] = { "quarter", 0, 3 },
    [PERIOD_YEAR] = { "year", 0, 12 },
};

bool period_unit_find(Str name, PeriodUnit *unit)
{
    for (int i = 0; i < PERIOD_UNIT_COUNT; i++)
        if (str_equal(name, str_of(units[i].name))) {
            *unit = (PeriodUnit)i;
            return true;
        }
    return false;
}

static const char *calendar_fault(const PeriodRule *rule)
{
    if (rule->unit == PERIOD_DAY)
        return "calendar periods are weeks, months, quarters or years";
    if (rule->unit == PERIOD_MONTH)
        return 12 % rule->every == 0 ? NULL : "calendar months go by a number that divides 12";
    return rule->every == 1 ? NULL : "calendar weeks, quarters and years go one by one";
}

const char *period_rule_fault(const PeriodRule *rule)
{
    if (rule->every < 1 || rule->every > PERIOD_EVERY_MAX)
        return "every must be between 1 and 1000";
    if (rule->anchor == ANCHOR_CALENDAR)
        return calendar_fault(rule);
    if (rule->anchor == ANCHOR_DAY_OF_MONTH) {
        if (units[rule->unit].months == 0)
            return "a day of the month anchors months, quarters or years";
        if (rule->day < 1 || rule->day > 31)
            return "a day of the month is 1 to 31";
    }
    return NULL;
}

bool period_rule_same(const PeriodRule *a, const PeriodRule *b)
{
    return a->every == b->every && a->unit == b->unit && a->anchor == b->anchor &&
           (a->anchor != ANCHOR_DATE || date_days(a->date) == date_days(b->date)) &&
           (a->anchor != ANCHOR_DAY_OF_MONTH || a->day == b->day);
}

bool period_divides(const PeriodRule *rule, PeriodLength length)
{
    int64_t whole_days = (int64_t)rule->every * units[rule->unit].days,
            whole_months = (int64_t)rule->every * units[rule->unit].months,
            days = (int64_t)length.every * units[length.unit].days,
            months = (int64_t)length.every * units[length.unit].months;
    return (days > 0 && whole_days > 0 && whole_days % days == 0) ||
           (months > 0 && whole_months > 0 && whole_months % months == 0);
}

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

static void row_begin_at(PeriodRow *row, Date date)
{
    row->days = date_days(date);
    row->months = date_months(date);
    row->day = date.day;
}

// January of a year and 1970-01-05, a Monday, are boundaries of every calendar rule.
static void row_begin_calendar(PeriodRow *row)
{
    row_begin_at(row, (Date){ 1970, 1, 5 });
    row->day = 1;
}

// That day in the month of the start, and on from there in steps: a start behind it lies in a
// period that began before.
static void row_begin_day_of_month(PeriodRow *row, int day, Date start)
{
    row_begin_at(row, start);
    row->day = day;
}

PeriodRow period_row(const PeriodRule *rule, const Zone *zone, Local anchor)
{
    PeriodRow row = { .zone = zone,
                      .day_step = (int64_t)rule->every * units[rule->unit].days,
                      .month_step = (int64_t)rule->every * units[rule->unit].months };
    switch (rule->anchor) {
    case ANCHOR_CALENDAR:
        row_begin_calendar(&row);
        break;
    case ANCHOR_SUBSCRIPTION:
        row_begin_at(&row, anchor.date);
        break;
    case ANCHOR_SUBSCRIPTION_INSTANT:
        row_begin_at(&row, anchor.date);
        row.us = anchor.us;
        break;
    case ANCHOR_DATE:
        row_begin_at(&row, rule->date);
        break;
    case ANCHOR_DAY_OF_MONTH:
        row_begin_day_of_month(&row, rule->day, anchor.date);
        break;
    }
    return row;
}

PeriodRow period_row_by(PeriodRow row, PeriodLength length)
{
    row.day_step = (int64_t)length.every * units[length.unit].days;
    row.month_step = (int64_t)length.every * units[length.unit].months;
    return row;
}

Instant period_boundary(const PeriodRow *row, int64_t place)
{
    Date date = row->month_step > 0
                    ? date_in_month(row->months + place * row->month_step, row->day)
                    : date_of_days(row->days + place * row->day_step);
    return zone_instant(row->zone, (Local){ date, row->us });
}

// From an estimate by dates.
int64_t period_place(const PeriodRow *row, Instant t)
{
    t = instant_within(t);
    Date    date = zone_local(row->zone, t).date;
    int64_t k = row->month_step > 0 ? floor_divide(date_months(date) - row->months, row->month_step)
                                    : floor_divide(date_days(date) - row->days, row->day_step);
    while (period_boundary(row, k).us > t.us)
        k--;
    while (period_boundary(row, k + 1).us <= t.us)
        k++;
    return k;
}

// Only days can be without time, and only where clocks jump over one: B(k - 1) = B(k) there.
static int64_t steps_without_time(const PeriodRow *row, Instant from, Instant to)
{
    int64_t count = 0;
    Instant skip = from;
    while (zone_skip_after(row->zone, skip, &skip) && skip.us <= to.us)
        for (int64_t k = period_place(row, skip);
             period_boundary(row, k - 1).us == period_boundary(row, k).us; k--)
            count++;
    return count;
}

int64_t period_steps(const PeriodRow *row, Instant from, Instant to)
{
    int64_t steps = period_place(row, to) - period_place(row, from);
    return row->day_step == 1 ? steps - steps_without_time(row, from, to) : steps;
}

Period period_at(const PeriodRule *rule, const Zone *zone, Instant start, Instant t)
{
    assert_that(period_rule_fault(rule) == NULL && start.us <= t.us);
    PeriodRow row = period_row(rule, zone, zone_local(zone, start));
    int64_t   place = period_place(&row, t);
    Period    period = { .full = { period_boundary(&row, place), period_boundary(&row, place + 1) },
                         .index = period_steps(&row, start, t) };
    period.service = period.full;
    if (period.service.start.us < start.us)
        period.service.start = start;
    return period;
}
