// SPDX-License-Identifier: Apache-2.0
// Eras are made when changes are told, each with its first period already cut, so that finding a
// period is finding its era and then a place in one rule's row of boundaries.
#include "time/calendar.h"

#include "base/assert.h"

static PeriodRow era_row(const CalendarEra *era)
{
    return period_row(&era->rule, era->zone, era->anchor);
}

// The natural period that holds t.
static Span place_span(const PeriodRow *row, Instant t)
{
    int64_t place = period_place(row, t);
    return (Span){ period_boundary(row, place), period_boundary(row, place + 1) };
}

// The first boundary after `from` that is more than half of the natural period there away.
static Instant joined_end(const PeriodRow *row, Instant from)
{
    Span there = place_span(row, from);
    bool is_enough = 2 * (there.end.us - from.us) > there.end.us - there.start.us;
    return is_enough ? there.end : place_span(row, there.end).end;
}

static CalendarEra era_anew(const PeriodRule *rule, const Zone *zone, Instant from, int64_t index)
{
    CalendarEra era = {
        .rule = *rule, .zone = zone, .anchor = zone_local(zone, from), .from = from, .index = index
    };
    PeriodRow row = era_row(&era);
    era.first = place_span(&row, from);
    return era;
}

static CalendarEra era_going_on(const CalendarEra *before, const Zone *zone, const Period *last)
{
    CalendarEra era = *before;
    era.zone = zone;
    era.from = last->service.end;
    era.index = last->index + 1;
    era.goes_on = true;
    PeriodRow row = era_row(&era);
    era.first = (Span){ era.from, joined_end(&row, era.from) };
    return era;
}

// The first `kept` eras and that one.
static void eras_set(Arena *arena, Calendar *calendar, size_t kept, CalendarEra era)
{
    CalendarEra *eras = arena_array(arena, CalendarEra, kept + 1);
    for (size_t i = 0; i < kept; i++)
        eras[i] = calendar->eras[i];
    eras[kept] = era;
    *calendar = (Calendar){ eras, kept + 1 };
}

static const CalendarEra *last_era(const Calendar *calendar)
{
    return &calendar->eras[calendar->count - 1];
}

static size_t era_place(const Calendar *calendar, Instant t)
{
    assert_that(calendar->count > 0 && calendar->eras[0].from.us <= t.us);
    size_t place = calendar->count - 1;
    while (calendar->eras[place].from.us > t.us)
        place--;
    return place;
}

static Span clipped(Span span, Span to)
{
    return (Span){ span.start.us < to.start.us ? to.start : span.start,
                   span.end.us > to.end.us ? to.end : span.end };
}

Calendar calendar_begin(Arena *arena, const PeriodRule *rule, const Zone *zone, Instant start)
{
    Calendar calendar = { 0 };
    eras_set(arena, &calendar, 0, era_anew(rule, zone, start, 0));
    return calendar;
}

void calendar_change_zone(Arena *arena, Calendar *calendar, Instant at, const Zone *zone)
{
    const CalendarEra *last = last_era(calendar);
    if (at.us <= last->from.us && !last->goes_on) {
        assert_that(calendar->count == 1 || at.us == last->from.us);
        eras_set(arena, calendar, calendar->count - 1,
                 era_anew(&last->rule, zone, last->from, last->index));
        return;
    }
    if (at.us < last->from.us)  // a change in the same period came before: this one counts
        last = &calendar->eras[--calendar->count - 1];
    if (zone == last->zone)
        return;
    Period running = calendar_period_at(calendar, at);
    eras_set(arena, calendar, calendar->count, era_going_on(last, zone, &running));
}

void calendar_change_rule(Arena *arena, Calendar *calendar, Instant at, const PeriodRule *rule)
{
    const CalendarEra *last = last_era(calendar);
    if (period_rule_same(&last->rule, rule))
        return;
    size_t  kept = era_place(calendar, at) + 1;
    int64_t index = calendar_period_at(calendar, at).index;
    if (calendar_period_at(calendar, at).service.start.us < at.us)
        index++;
    if (calendar->eras[kept - 1].from.us == at.us)
        kept--;
    eras_set(arena, calendar, kept, era_anew(rule, last->zone, at, index));
}

const CalendarEra *calendar_era_at(const Calendar *calendar, Instant t)
{
    return &calendar->eras[era_place(calendar, t)];
}

Period calendar_period_at(const Calendar *calendar, Instant t)
{
    const CalendarEra *era = calendar_era_at(calendar, t);
    Period             period = { .full = era->first, .index = era->index };
    if (t.us >= era->first.end.us) {
        PeriodRow row = era_row(era);
        period.full = place_span(&row, t);
        period.index += 1 + period_steps(&row, era->first.end, t);
    }
    Instant ends = era == last_era(calendar) ? period.full.end : era[1].from;
    period.service = clipped(period.full, (Span){ era->from, ends });
    return period;
}

Instant calendar_next_boundary(const Calendar *calendar, Instant t)
{
    Instant start = calendar->eras[0].from;
    return t.us < start.us ? start : calendar_period_at(calendar, t).service.end;
}

Period calendar_own_period_at(const Calendar *calendar, PeriodLength length, Instant t)
{
    const CalendarEra *era = calendar_era_at(calendar, t);
    Period             whole = calendar_period_at(calendar, t);
    assert_that(period_divides(&era->rule, length));
    PeriodRow row = period_row_by(era_row(era), length);
    Period    own = { .full = place_span(&row, t),
                      .index = period_steps(&row, whole.service.start, t) };
    if (era->goes_on && whole.full.start.us == era->from.us) {
        Instant joined = joined_end(&row, era->from);
        if (t.us < joined.us)
            own = (Period){ .full = { era->from, joined } };
        else
            own.index = 1 + period_steps(&row, joined, t);
    }
    own.service = clipped(own.full, whole.service);
    return own;
}
