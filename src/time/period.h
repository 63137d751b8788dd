// Billing periods: how a rule {every, unit, anchor} cuts time, from the start of a subscription on.
// Boundaries are local midnights of the zone (subscriptionInstant: the start's wall time). A day
// past the end of a month is its last day, and comes back: 31 Jan, 28 Feb, 31 Mar.
#pragma once

#include "time/window.h"

typedef enum PeriodUnit {
    PERIOD_DAY,
    PERIOD_WEEK,
    PERIOD_MONTH,
    PERIOD_QUARTER,
    PERIOD_YEAR,
    PERIOD_UNIT_COUNT
} PeriodUnit;

typedef enum PeriodAnchor {
    ANCHOR_CALENDAR,      // Monday; first of the month, quarter, year; months aligned to January
    ANCHOR_SUBSCRIPTION,  // local midnight of the start's date
    ANCHOR_SUBSCRIPTION_INSTANT,  // the start's local wall time
    ANCHOR_DATE,                  // that date, and every so many units before and after it
    ANCHOR_DAY_OF_MONTH           // that day; of the month of the start, and on from there
} PeriodAnchor;

typedef struct PeriodRule {
    uint32_t     every;  // 1..1000
    PeriodUnit   unit;
    PeriodAnchor anchor;
    Date         date;  // of ANCHOR_DATE
    uint8_t      day;   // of ANCHOR_DAY_OF_MONTH, 1..31
} PeriodRule;

enum { PERIOD_EVERY_MAX = 1000 };

bool        period_unit_find(Str name, PeriodUnit *unit);

// NULL: the rule cuts time. Else why it does not: "calendar periods of days are not defined".
const char *period_rule_fault(const PeriodRule *rule);

typedef struct Period {
    Span    service;  // what is billed together: begins at the start when that lies inside
    Span    full;     // the natural period, never the stub: what shares of a period relate to
    int64_t index;    // 0 for the period that holds the start
} Period;

// The period that holds t. t >= start; the rule has no fault.
Period period_at(const PeriodRule *rule, const Zone *zone, Instant start, Instant t);

bool period_rule_same(const PeriodRule *a, const PeriodRule *b);

// A length without an anchor: of a charge's own period, of a term.
typedef struct PeriodLength {
    uint32_t   every;
    PeriodUnit unit;
} PeriodLength;

// The rule's period is a whole number of such lengths: a year of months, two weeks of days.
bool period_divides(const PeriodRule *rule, PeriodLength length);

// A rule brought to the ground: boundaries B(k) for every whole k, that never go down. B(k) is the
// midnight (or time) of days + k x day_step, or of day `day` of months + k x month_step.
typedef struct PeriodRow {
    const Zone *zone;
    int64_t     days, day_step;
    int64_t     months, month_step;  // month_step 0: by days
    int         day;                 // of the month, 1..31
    int64_t     us;                  // time of day
} PeriodRow;

// The anchor: the start's local date and time.
PeriodRow period_row(const PeriodRule *rule, const Zone *zone, Local anchor);
// The same boundaries and those of the length between them; period_divides holds of the rule.
PeriodRow period_row_by(PeriodRow row, PeriodLength length);

Instant   period_boundary(const PeriodRow *row, int64_t place);
// The largest k with B(k) <= t; behind all time, the last that begins before its end.
int64_t   period_place(const PeriodRow *row, Instant t);
// How many periods begin after `from`, up to and with `to`. One without time is none: the day that
// a zone skips when it moves over the date line.
int64_t   period_steps(const PeriodRow *row, Instant from, Instant to);
