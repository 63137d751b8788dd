// SPDX-License-Identifier: Apache-2.0
#include "flow/invoice/issue_threshold.h"

#include "flow/invoice/issue_inside.h"
#include "price/model.h"

// The plan of the instant, when it has a threshold. NULL: the subscription is not active then, or
// the plan has none.
static const Plan *plan_find(const Timeline *timeline, Instant at)
{
    if (!timeline_active(timeline, at))
        return NULL;
    const Term *term = timeline->terms;
    while (term->span.end.us <= at.us)
        term++;
    return term->plan->invoice_threshold.given ? term->plan : NULL;
}

Err *issue_has_threshold(Arena *arena, const TimelineFacts *facts, bool *has)
{
    Timeline timeline;
    TRY(timeline_fold(arena, facts, &timeline));
    *has = plan_find(&timeline, facts->known_at) != NULL;
    return NULL;
}

// Its price never goes back, and its service has begun.
static bool may_be_billed(const Line *line, Instant at)
{
    return line->kind == LINE_USAGE && line->charge->model->by_event != EVENTS_NOT &&
           line->period.start.us <= at.us && line->amount.minor > 0;
}

static DueLines lines_pick(Arena *arena, const Bill *bill, Instant at)
{
    DueLines picked = { arena_array(arena, Line, bill->count), 0 };
    for (size_t i = 0; i < bill->count; i++)
        if (may_be_billed(&bill->lines[i], at))
            picked.at[picked.count++] = bill->lines[i];
    return picked;
}

static bool is_reached(Arena *arena, const DueLines *lines, Rational threshold)
{
    int64_t sum = 0, unit = 1;
    if (lines->count == 0)
        return false;
    for (uint8_t i = 0; i < lines->at[0].amount.currency.places; i++)
        unit *= 10;
    for (size_t i = 0; i < lines->count; i++)
        if (__builtin_add_overflow(sum, line_net(&lines->at[i]).minor, &sum))
            return true;
    return rational_compare(rational_whole(arena, sum),
                            rational_multiply(arena, threshold, rational_whole(arena, unit))) >= 0;
}

static Err *lines_so_far(Arena *arena, Db *books, const DueQuery *query,
                         const PeriodQuery *rated, DueLines *lines)
{
    Period       period = timeline_period(rated->timeline, rated->at);
    IssueBilled  wanted = { .project = query->project,
                            .subscription = query->facts->history.first->id,
                            .from = period.service.start,
                            .until = rated->at };
    DueLines billed;
    Currency currency;
    Bill     bill;
    TRY(period_bill(arena, rated, &period, &bill));
    TRY(due_currency(arena, query->facts, &currency));
    TRY(issue_billed_lines(arena, books, &wanted, currency, &billed));
    DueLines due = lines_pick(arena, &bill, rated->at);
    return due_lines_above(arena, &due, &billed, lines);
}

Err *issue_threshold(Arena *arena, Db *books, const DueQuery *query, DueLines *lines,
                     Instant *since)
{
    Timeline timeline;
    Instant  at = query->facts->known_at;
    *lines = (DueLines){ 0 };
    TRY(timeline_fold(arena, query->facts, &timeline));
    const Plan *plan = plan_find(&timeline, at);
    if (plan == NULL)
        return NULL;
    PeriodQuery rated = { .catalog = query->catalog,
                          .moment = query->moment,
                          .project = query->project,
                          .timeline = &timeline,
                          .at = at,
                          .lines = LINES_ALL };
    *since = timeline_period(&timeline, at).service.start;
    TRY(lines_so_far(arena, books, query, &rated, lines));
    if (!is_reached(arena, lines, plan->invoice_threshold.value))
        lines->count = 0;
    return NULL;
}
