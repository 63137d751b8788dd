// SPDX-License-Identifier: Apache-2.0
// Each term of the period is cut into parts of its charges; what two neighbours define alike moves
// into the later; then usage is read for the parts that are left, and each term is priced.
#include "flow/bill/period_bill.h"

#include "base/assert.h"
#include "flow/bill/alike.h"

// A term's part of the period.
typedef struct TermBill {
    const Term  *term;
    Span         service;
    ChargeParts *parts;  // one for each charge of the plan
} TermBill;

typedef struct PeriodBill {
    Arena             *arena;
    const PeriodQuery *query;
    const Timeline    *timeline;
    Period             period;
    const Zone        *zone;
    TermBill          *terms;
    size_t             term_count;
    Span              *pauses;
    size_t             pause_count;
    UsageWindow       *holes;
    size_t             hole_count;
} PeriodBill;

static Instant earlier(Instant a, Instant b)
{
    return a.us < b.us ? a : b;
}

static Instant later(Instant a, Instant b)
{
    return a.us > b.us ? a : b;
}

// ---- what lies in the period

static void terms_take(PeriodBill *made)
{
    const Timeline *timeline = made->timeline;
    Span            service = made->period.service;
    made->terms = arena_array(made->arena, TermBill, timeline->term_count);
    for (size_t i = 0; i < timeline->term_count; i++) {
        const Term *term = &timeline->terms[i];
        Span        part = { later(term->span.start, service.start),
                             earlier(term->span.end, service.end) };
        if (part.start.us < part.end.us)
            made->terms[made->term_count++] = (TermBill){ .term = term, .service = part };
    }
    assert_that(made->term_count > 0);
}

// Pauses that follow each other at once are one.
static void pauses_take(PeriodBill *made)
{
    const Timeline *timeline = made->timeline;
    made->pauses = arena_array(made->arena, Span, timeline->pause_count);
    made->holes = arena_array(made->arena, UsageWindow, timeline->pause_count);
    for (size_t i = 0; i < timeline->pause_count; i++) {
        const Pause *pause = &timeline->pauses[i];
        Span        *last = made->pause_count > 0 ? &made->pauses[made->pause_count - 1] : NULL;
        if (last != NULL && last->end.us == pause->span.start.us)
            last->end = pause->span.end;
        else
            made->pauses[made->pause_count++] = pause->span;
        if (pause->usage_free)
            made->holes[made->hole_count++] =
                (UsageWindow){ pause->span.start, pause->span.end };
    }
}

// ---- parts

static int64_t index_under_plan(const PeriodBill *made, const Term *term)
{
    const Calendar *calendar = &made->timeline->calendar;
    return made->period.index - calendar_period_at(calendar, term->since).index;
}

static bool parts_touch(const ChargePart *first, const ChargePart *second)
{
    return first->service.end.us == second->service.start.us &&
           first->is_trial == second->is_trial && first->full.start.us == second->full.start.us &&
           first->full.end.us == second->full.end.us;
}

// Parts come ascending; a part that goes on where the last one ends makes it longer.
static void part_add(Arena *arena, ChargeParts *parts, ChargePart part)
{
    if (parts->count > 0 && parts_touch(&parts->at[parts->count - 1], &part)) {
        parts->at[parts->count - 1].service.end = part.service.end;
        return;
    }
    if ((parts->count & (parts->count - 1)) == 0) {  // 1, 2, 4, … are full
        ChargePart *more = arena_array(arena, ChargePart, parts->count == 0 ? 1 : 2 * parts->count);
        for (size_t i = 0; i < parts->count; i++)
            more[i] = parts->at[i];
        parts->at = more;
    }
    parts->at[parts->count++] = part;
}

// What a term's charges and amounts are a share of.
static PriceInputs inputs_of(const PeriodBill *made, const TermBill *bill)
{
    const Timeline *timeline = made->timeline;
    return (PriceInputs){ .service = bill->service,
                          .full = made->period.full,
                          .index = index_under_plan(made, bill->term),
                          .at = made->query->at,
                          .start = bill->term->since,
                          .zone = made->zone,
                          .calendar = &timeline->calendar,
                          .parts = bill->parts,
                          .quantities = timeline->quantities,
                          .quantity_count = timeline->quantity_count,
                          .pauses = made->pauses,
                          .pause_count = made->pause_count,
                          .due_only = made->query->lines == LINES_DUE };
}

// When a cancellation credits nothing, what was begun in advance is due whole.
static Instant service_end(const PeriodBill *made, const TermBill *bill, const Charge *charge)
{
    const Timeline *timeline = made->timeline;
    Instant         end = bill->service.end, last = { end.us - 1 };
    bool            is_last = end.us == timeline->active.end.us;
    if (!is_last || timeline->credits || charge->timing != TIMING_ADVANCE)
        return end;
    if (charge->period.every > 0)
        return calendar_own_period_at(&timeline->calendar, charge->period, last).service.end;
    return calendar_period_at(&timeline->calendar, last).service.end;
}

static ChargeParts parts_cut(const PeriodBill *made, const TermBill *bill, const Charge *charge)
{
    PriceInputs inputs = inputs_of(made, bill);
    inputs.service.end = service_end(made, bill, charge);
    ChargeParts parts = price_parts_cut(made->arena, bill->term->plan, charge,
                                        &made->timeline->calendar, &inputs);
    while (parts.count > 0 &&
           parts.at[parts.count - 1].service.start.us >= bill->service.end.us)
        parts.count--;  // not begun: a trial would have ended later
    return parts;
}

// What the next term defines alike is priced there, over both.
static void parts_hand_on(Arena *arena, TermBill *from, TermBill *to)
{
    const Plan *plan = from->term->plan, *next = to->term->plan;
    bool       *alike = arena_array(arena, bool, plan->charge_count);
    charges_alike(plan, next, alike);
    for (size_t i = 0; i < plan->charge_count; i++) {
        if (!alike[i])
            continue;
        const Charge *same = plan_charge(next, plan->charges[i].id);
        ChargeParts *parts = &to->parts[same - next->charges], joined = { 0 };
        for (size_t k = 0; k < from->parts[i].count; k++)
            part_add(arena, &joined, from->parts[i].at[k]);
        for (size_t k = 0; k < parts->count; k++)
            part_add(arena, &joined, parts->at[k]);
        *parts = joined;
        from->parts[i] = (ChargeParts){ 0 };
    }
}

static void parts_make(PeriodBill *made)
{
    for (size_t i = 0; i < made->term_count; i++) {
        TermBill   *bill = &made->terms[i];
        const Plan *plan = bill->term->plan;
        bill->parts = arena_array(made->arena, ChargeParts, plan->charge_count);
        for (size_t k = 0; k < plan->charge_count; k++)
            bill->parts[k] = parts_cut(made, bill, &plan->charges[k]);
        if (i > 0)
            parts_hand_on(made->arena, &made->terms[i - 1], bill);
    }
}

// ---- usage

// What is not due yet is not priced either.
static bool is_read(const PeriodQuery *query, const Charge *charge, const ChargePart *part)
{
    if (charge->source != SOURCE_METER && charge->source != SOURCE_METERS)
        return false;
    Instant due = charge->timing == TIMING_ADVANCE ? part->service.start : part->service.end;
    return query->lines == LINES_ALL || due.us <= query->at.us;
}

// As if no usage came after a moment, where somebody asks for that.
static Span read_of(const PeriodQuery *query, Span service)
{
    bool is_cut = service.start.us < query->usage_until.us;
    return is_cut ? (Span){ service.start, earlier(service.end, query->usage_until) } : service;
}

static Err *usage_take(const PeriodBill *made, const TermBill *bill)
{
    const PeriodQuery *query = made->query;
    const Timeline    *timeline = made->timeline;
    Span               service = made->period.service;
    RateQuery          wanted = { .catalog = query->catalog,
                                  .moment = query->moment,
                                  .project = query->project,
                                  .account = timeline->subscription->account,
                                  .own = timeline->usage_filter,
                                  .holes = made->holes,
                                  .hole_count = made->hole_count,
                                  .until = query->at,
                                  .zone = made->zone };
    for (size_t i = 0; i < bill->term->plan->charge_count; i++) {
        const Charge *charge = &bill->term->plan->charges[i];
        for (size_t k = 0; k < bill->parts[i].count; k++) {
            ChargePart *part = &bill->parts[i].at[k];
            if (!is_read(query, charge, part))
                continue;
            // A gauge per period is an average over the period, however it is cut.
            Span whole = charge->period.every == 0 ? service : part->full;
            wanted.period_us = earlier(whole.end, service.end).us -
                               later(whole.start, service.start).us;
            TRY(rate_charge(made->arena, &wanted, charge, read_of(query, part->service),
                            &part->usage));
        }
    }
    return NULL;
}

// ---- terms of a commitment

static bool has_term(const Plan *plan)
{
    return plan->commitment.amount.given && plan->commitment.term.every > 0;
}

// What holds the term without another plan in between: what is come back to begins anew.
static Span stretch_of(const Timeline *timeline, const Term *term)
{
    const Term *first = term, *last = term;
    while (first > timeline->terms && str_equal(first[-1].plan_id, term->plan_id))
        first--;
    while (last + 1 < timeline->terms + timeline->term_count &&
           str_equal(last[1].plan_id, term->plan_id))
        last++;
    return (Span){ first->span.start, last->span.end };
}

static TermProgress progress_of(const PeriodBill *made, const TermBill *bill)
{
    const Timeline *timeline = made->timeline;
    const TermBill *next = bill + 1;
    Span   active = stretch_of(timeline, bill->term);
    Period period = calendar_period_at(&timeline->calendar, made->period.service.start);
    period.index -= calendar_period_at(&timeline->calendar, active.start).index;
    TermProgress progress =
        price_term_at(bill->term->plan, &timeline->calendar, &period, active);
    // Another version of the plan in this period goes on with it.
    if (next < made->terms + made->term_count &&
        str_equal(next->term->plan_id, bill->term->plan_id))
        progress.ends_here = false;
    return progress;
}

// ---- pricing

static Err *term_price(const PeriodBill *made, const TermBill *bill, const CommitmentCount *before,
                       Bill *priced)
{
    PriceInputs inputs = inputs_of(made, bill);
    if (has_term(bill->term->plan)) {
        inputs.term = progress_of(made, bill);
        inputs.term.before = *before;
    }
    TRY(usage_take(made, bill));
    TRY(price_bill(made->arena, bill->term->plan, &inputs, priced));
    for (size_t i = 0; i < priced->count; i++)
        priced->lines[i].plan_version = bill->term->version;
    return NULL;
}

static void bill_begin(Arena *arena, const PeriodQuery *query, const Period *period,
                       PeriodBill *made)
{
    const Timeline *timeline = query->timeline;
    const CalendarEra *era = calendar_era_at(&timeline->calendar, period->service.start);
    *made = (PeriodBill){ .arena = arena,
                          .query = query,
                          .timeline = timeline,
                          .period = *period,
                          .zone = era->zone };
    terms_take(made);
}

// `before`: what the term of the first plan's commitment counted in earlier periods.
static Err *bill_make(Arena *arena, const PeriodQuery *query, const Period *period,
                      const CommitmentCount *before, Bill *bill)
{
    PeriodBill made;
    bill_begin(arena, query, period, &made);
    pauses_take(&made);
    parts_make(&made);
    Bill *bills = arena_array(arena, Bill, made.term_count);
    for (size_t i = 0; i < made.term_count; i++) {
        const Term     *term = made.terms[i].term;
        CommitmentCount counted = commitment_count_none(term->plan->currency);
        if (i == 0)
            counted = *before;
        else if (str_equal(term->plan_id, made.terms[i - 1].term->plan_id))
            counted = bills[i - 1].commitment;
        TRY(term_price(&made, &made.terms[i], &counted, &bills[i]));
    }
    return bills_join(arena, bills, made.term_count, bill);
}

// The earlier periods of the commitment's term are rated in their order, each from what the one
// before it counted.
static Err *commitment_before(Arena *arena, const PeriodQuery *query, const Period *period,
                              CommitmentCount *before)
{
    PeriodBill made;
    bill_begin(arena, query, period, &made);
    const Plan *plan = made.terms[0].term->plan;
    *before = commitment_count_none(plan->currency);
    if (!has_term(plan))
        return NULL;
    Instant at = progress_of(&made, &made.terms[0]).service.start;
    while (at.us < period->service.start.us) {
        Bill   bill;
        Period rated = timeline_period(query->timeline, at);
        TRY(bill_make(arena, query, &rated, before, &bill));
        *before = bill.commitment;
        at = rated.service.end;
    }
    return NULL;
}

Err *period_bill(Arena *arena, const PeriodQuery *query, const Period *period, Bill *bill)
{
    CommitmentCount before;
    TRY(commitment_before(arena, query, period, &before));
    return bill_make(arena, query, period, &before, bill);
}

Instant period_bill_since(Arena *arena, const Timeline *timeline, Instant at)
{
    PeriodBill  made;
    PeriodQuery query = { .timeline = timeline };
    if (!timeline_active(timeline, at))
        return at;
    Period  period = timeline_period(timeline, at);
    Instant since = earlier(at, period.service.start);
    bill_begin(arena, &query, &period, &made);
    for (size_t i = 0; i < made.term_count; i++)
        if (has_term(made.terms[i].term->plan))
            since = earlier(since, progress_of(&made, &made.terms[i]).service.start);
    return since;
}
