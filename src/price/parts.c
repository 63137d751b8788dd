// SPDX-License-Identifier: Apache-2.0
// The parts of a period that a charge is billed in, and bills of parts of a period as one bill.
#include "price/price.h"

ChargeParts *price_parts_whole(Arena *arena, const Plan *plan, const ChargeUsage *usage,
                               Span service, Span full)
{
    ChargeParts *all = arena_array(arena, ChargeParts, plan->charge_count);
    ChargePart  *parts = arena_array(arena, ChargePart, plan->charge_count);
    for (size_t i = 0; i < plan->charge_count; i++) {
        parts[i] = (ChargePart){ .service = service, .full = full, .usage = usage[i] };
        all[i] = (ChargeParts){ &parts[i], 1 };
    }
    return all;
}

Instant price_trial_end(const Plan *plan, Instant start, const Zone *zone)
{
    if (plan->trial.days == 0)
        return start;
    Local local = zone_local(zone, start);
    local.date = date_of_days(date_days(local.date) + plan->trial.days);
    return zone_instant(zone, local);
}

static bool in_trial(const Plan *plan, const Charge *charge)
{
    for (size_t i = 0; i < plan->trial.charge_count; i++)
        if (str_equal(plan->trial.charges[i], charge->id))
            return true;
    return plan->trial.charge_count == 0;
}

// The parts of a charge in the making.
typedef struct Cutting {
    Arena      *arena;
    ChargeParts parts;
    size_t      room;
    Instant     trial_end;
} Cutting;

static void part_push(Cutting *cutting, ChargePart part)
{
    if (cutting->parts.count == cutting->room) {
        size_t      room = cutting->room == 0 ? 2 : 4 * cutting->room;
        ChargePart *at = arena_array(cutting->arena, ChargePart, room);
        for (size_t i = 0; i < cutting->parts.count; i++)
            at[i] = cutting->parts.at[i];
        cutting->parts.at = at;
        cutting->room = room;
    }
    cutting->parts.at[cutting->parts.count++] = part;
}

// Cut once more where the trial ends in it.
static void part_add(Cutting *cutting, ChargePart part)
{
    Instant end = part.service.end;
    part.is_trial = part.service.start.us < cutting->trial_end.us;
    if (part.is_trial && cutting->trial_end.us < end.us) {
        part.service.end = cutting->trial_end;
        part_push(cutting, part);
        part.service = (Span){ cutting->trial_end, end };
        part.is_trial = false;
    }
    part_push(cutting, part);
}

ChargeParts price_parts_cut(Arena *arena, const Plan *plan, const Charge *charge,
                            const Calendar *calendar, const PriceInputs *inputs)
{
    Cutting cutting = { .arena = arena, .trial_end = inputs->start };
    Span    left = inputs->service;
    if (charge->one_time && inputs->index != 0)
        return cutting.parts;
    if (in_trial(plan, charge))
        cutting.trial_end = price_trial_end(plan, inputs->start, inputs->zone);
    if (charge->period.every == 0) {
        part_add(&cutting, (ChargePart){ .service = left, .full = inputs->full });
        return cutting.parts;
    }
    while (left.start.us < left.end.us) {
        Period     own = calendar_own_period_at(calendar, charge->period, left.start);
        ChargePart part = { .service = left, .full = own.full };
        if (own.service.end.us < left.end.us)
            part.service.end = own.service.end;
        part_add(&cutting, part);
        left.start = part.service.end;
    }
    return cutting.parts;
}

// ---- terms of a commitment

static int64_t periods_of(const Plan *plan)
{
    static const int64_t months[PERIOD_UNIT_COUNT] = {
        [PERIOD_MONTH] = 1, [PERIOD_QUARTER] = 3, [PERIOD_YEAR] = 12
    };
    static const int64_t days[PERIOD_UNIT_COUNT] = { [PERIOD_DAY] = 1, [PERIOD_WEEK] = 7 };
    const PeriodLength  *term = &plan->commitment.term;
    const int64_t       *sizes = months[term->unit] > 0 ? months : days;
    return term->every * sizes[term->unit] / (plan->period.every * sizes[plan->period.unit]);
}

TermProgress price_term_at(const Plan *plan, const Calendar *calendar, const Period *period,
                           Span active)
{
    int64_t count = periods_of(plan), place = period->index % count;
    Period  first = *period, last = *period;
    for (int64_t i = place; i > 0; i--)
        first = calendar_period_at(calendar, (Instant){ first.service.start.us - 1 });
    for (int64_t i = place + 1; i < count; i++)
        last = calendar_period_at(calendar, last.service.end);
    TermProgress term = { .full = { first.full.start, last.full.end },
                          .service = { first.service.start, last.service.end },
                          .before = commitment_count_none(plan->currency) };
    if (active.start.us > term.service.start.us)
        term.service.start = active.start;
    if (active.end.us < term.service.end.us)
        term.service.end = active.end;
    term.ends_here = place == count - 1 || active.end.us <= period->service.end.us;
    return term;
}

// ---- several bills as one

static Err *totals_add(Arena *arena, Bill *sum, const Bill *bill)
{
    Money *const sums[] = { &sum->subtotal, &sum->discounts, &sum->tax,       &sum->total,
                            &sum->credits,  &sum->accrued,   &sum->amount_due };
    const Money  adds[] = { bill->subtotal, bill->discounts, bill->tax,       bill->total,
                            bill->credits,  bill->accrued,   bill->amount_due };
    for (size_t i = 0; i < sizeof adds / sizeof *adds; i++)
        if (!money_add(*sums[i], adds[i], sums[i]))
            return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "the amount of the bill is beyond 63 bits of minor units");
    return NULL;
}

Err *bills_join(Arena *arena, const Bill *bills, size_t count, Bill *joined)
{
    Bill   sum = bills[0];
    size_t lines = 0;
    for (size_t i = 0; i < count; i++)
        lines += bills[i].count;
    sum.lines = arena_array(arena, Line, lines);
    sum.count = 0;
    sum.period.end = bills[count - 1].period.end;
    sum.commitment = bills[count - 1].commitment;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            TRY(totals_add(arena, &sum, &bills[i]));
        for (size_t k = 0; k < bills[i].count; k++)
            sum.lines[sum.count++] = bills[i].lines[k];
    }
    *joined = sum;
    return NULL;
}
