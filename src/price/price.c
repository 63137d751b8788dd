// SPDX-License-Identifier: Apache-2.0
#include "price/price.h"

#include "price/price_inside.h"

// A metered charge without groups always has a line; others when there is something on them.
static bool is_kept(const Line *line)
{
    if (line->kind == LINE_USAGE && line->charge->group_count == 0)
        return true;
    return line->amount.minor != 0;  // what is taken off is at most that
}

static void total_up(Bill *bill)
{
    Money provisional = money_zero(bill->currency);
    for (size_t i = 0; i < bill->count; i++) {
        const Line *line = &bill->lines[i];
        bill->subtotal = money_sum(bill->subtotal, line->amount);
        bill->discounts = money_sum(bill->discounts, line->discount);
        if (line->provisional)
            provisional = money_sum(provisional, line_net(line));
    }
    bill->total = money_sum(bill->subtotal, bill->discounts);
    bill->amount_due = bill->total;
    provisional.minor = -provisional.minor;
    bill->accrued = money_sum(bill->total, provisional);
}

// The period, without a trial of every charge: no plan amount runs in that.
static ChargePart whole_of(const Plan *plan, const PriceInputs *inputs)
{
    ChargePart whole = { .service = inputs->service, .full = inputs->full };
    if (plan->trial.charge_count > 0)
        return whole;
    Instant end = price_trial_end(plan, inputs->start, inputs->zone);
    if (end.us > whole.service.start.us)
        whole.service.start = end.us < whole.service.end.us ? end : whole.service.end;
    return whole;
}

Err *price_bill(Arena *arena, const Plan *plan, const PriceInputs *inputs, Bill *bill)
{
    Rating rating = { .arena = arena,
                      .plan = plan,
                      .inputs = inputs,
                      .lines = arena_array(arena, Line, LINES_FIRST),
                      .room = LINES_FIRST,
                      .whole = whole_of(plan, inputs),
                      .size = money_zero(plan->currency),
                      .commitment = commitment_count_none(plan->currency) };
    Money  zero = money_zero(plan->currency);
    Bill   made = { .currency = plan->currency,
                    .period = inputs->service,
                    .subtotal = zero,
                    .discounts = zero,
                    .tax = zero,
                    .total = zero,
                    .credits = zero,
                    .accrued = zero,
                    .amount_due = zero };
    TRY(lines_make(&rating));
    TRY(algebra_apply(&rating));
    made.commitment = rating.commitment;

    made.lines = rating.lines;
    for (size_t i = 0; i < rating.count; i++)
        if (is_kept(&rating.lines[i]))
            made.lines[made.count++] = rating.lines[i];
    total_up(&made);
    *bill = made;
    return NULL;
}
