// The billing periods of one subscription over its whole life: eras, each a rule in a zone, that
// follow each other without gap or overlap. A calendar is a value: a change makes new eras in the
// arena and leaves those that another copy names.
//
// A change of zone lets the running period end where it ends; the next begins there and lasts until
// the first boundary of the new zone that is more than half a period later: when the natural period
// there has half of its length or less left, the one after it is joined to it. The anchor keeps its
// local date and time (the 15th stays the 15th). A change of rule ends the running period at once,
// and the new rule begins there, anchored there.
#pragma once

#include "time/period.h"

typedef struct CalendarEra {
    PeriodRule  rule;
    const Zone *zone;
    Local       anchor;   // the start that the rule counts from, by the wall clock of its zone
    Instant     from;     // the era counts from here, a boundary, to the next era's
    Span        first;    // its first period in full
    int64_t     index;    // of its first period
    bool        goes_on;  // the rule and anchor of the era before, in another zone
} CalendarEra;

typedef struct Calendar {
    const CalendarEra *eras;  // ascending; at least one
    size_t             count;
} Calendar;

// The rule has no fault.
Calendar calendar_begin(Arena *arena, const PeriodRule *rule, const Zone *zone, Instant start);

// Changes come in the order of their instants. Of several changes of zone in one period the last
// counts, and the way back before it ends is no change. At the instant at which the calendar or a
// rule begins, or before the calendar does, a zone counts from there.
void calendar_change_zone(Arena *arena, Calendar *calendar, Instant at, const Zone *zone);

// at >= the calendar's start. The same rule again is no change. A zone that was to begin at the end
// of the running period begins now.
void calendar_change_rule(Arena *arena, Calendar *calendar, Instant at, const PeriodRule *rule);

// The period that holds t (t >= the calendar's start). `full` is the natural period, also of one
// that a change of rule cuts off; a period joined after a change of zone is full itself. The index
// goes on by one from period to period over all eras.
Period calendar_period_at(const Calendar *calendar, Instant t);

// The first boundary after t: the end of the period that holds it, or the calendar's start.
Instant calendar_next_boundary(const Calendar *calendar, Instant t);

// The era that t lies in; t >= the calendar's start.
const CalendarEra *calendar_era_at(const Calendar *calendar, Instant t);

// The period of a charge's own that holds t: of that length, on the same anchor, cut to the plan's
// period (period_divides holds). The index counts within the plan's period. Those of one period:
// for (Instant t = of.start; t.us < of.end.us; t = own.service.end)
//     own = calendar_own_period_at(&calendar, length, t);
Period calendar_own_period_at(const Calendar *calendar, PeriodLength length, Instant t);
