// SPDX-License-Identifier: Apache-2.0
// From usage to lines: everything is exact until a line's amount is rounded, once.
// Worked: 1,204,001 x 0.00009 = 108.36009 -> 108.36.
#include "price/price_inside.h"

Line *rating_line(Rating *rating, LineKind kind, const Charge *charge)
{
    if (rating->count == rating->room) {
        size_t room = rating->room == 0 ? 16 : 2 * rating->room;
        Line  *lines = arena_array(rating->arena, Line, room);
        for (size_t i = 0; i < rating->count; i++)
            lines[i] = rating->lines[i];
        rating->lines = lines;
        rating->room = room;
    }
    Line *line = &rating->lines[rating->count++];
    Money zero = money_zero(rating->plan->currency);
    *line = (Line){ .kind = kind,
                    .charge = charge,
                    .period = rating->inputs->service,
                    .usage = rational_zero(),
                    .quantity = rational_zero(),
                    .exact = rational_zero(),
                    .amount = zero,
                    .discount = zero,
                    .tax = zero };
    if (charge != NULL)
        line->description = charge_description(charge);
    return line;
}

Err *rating_too_large(Rating *rating, Str what)
{
    return refuse(rating->arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "the amount of %.*s is beyond 63 bits of minor units", STR_ARG(what));
}

Err *rating_round(Rating *rating, Rational exact, Str what, Money *amount)
{
    Money rounded;
    if (!rounding_money(exact, rating->plan->currency, rating->plan->rounding, &rounded) ||
        rounded.minor == INT64_MIN)
        return rating_too_large(rating, what);
    *amount = rounded;
    return NULL;
}

Err *line_finish(Rating *rating, Line *line, Rational exact)
{
    Arena *arena = rating->arena;
    bool   may_be_negative = line->charge != NULL && line->charge->allow_negative;
    if (rational_sign(exact) < 0 && !may_be_negative) {
        Step *floor = steps_add(&line->steps, arena, STEP_FLOOR_AT_ZERO);
        step_set_rational(floor, arena, "exact", exact);
        step_set(floor, "amount", STR("0"));
        exact = rational_zero();
    }
    line->exact = exact;
    TRY(rating_round(rating, exact, line->description, &line->amount));
    Step *round = steps_add(&line->steps, arena, STEP_ROUND);
    step_set_rational(round, arena, "exact", exact);
    step_set(round, "mode", str_of(rounding_name(rating->plan->rounding)));
    step_set(round, "amount", money_print(arena, line->amount));
    return NULL;
}

// How many units are free in this period.
static Err *included_pool(Rating *rating, const Charge *charge, const Included *included,
                          Rational *pool)
{
    Arena *arena = rating->arena;
    if (included->per_unit.at == NULL) {
        *pool = rational_multiply(arena, included->amount,
                                  share_of(rating, charge->prorate, rating->inputs->service));
        return NULL;
    }
    Segments held;
    Rational units = rational_zero();
    TRY(price__segments_of(rating, included->per_unit, charge->prorate, SEGMENTS_AS_HELD, &held));
    for (size_t i = 0; i < held.count; i++)
        units = rational_add(arena, units,
                             rational_multiply(arena, held.at[i].quantity, held.at[i].share));
    *pool = rational_multiply(arena, included->amount, units);
    return NULL;
}

static Err *usage_line(Rating *rating, const Charge *charge, const GroupUsage *usage,
                       Rational *pool)
{
    Line    *line = rating_line(rating, LINE_USAGE, charge);
    Rational quantity = usage->usage;
    line->measured = true;
    line->usage = usage->usage;
    line->group = charge->group_count > 0 ? usage->values : NULL;
    line->events = usage->events;
    line->digest = usage->digest;
    if (charge->included_per_group.given) {
        Rational own;
        TRY(included_pool(rating, charge, &charge->included_per_group, &own));
        quantity = quantity_included(rating, &line->steps, quantity, &own);
    }
    if (charge->included.given)
        quantity = quantity_included(rating, &line->steps, quantity, pool);
    line->quantity = quantity_convert(rating, &line->steps, charge, quantity);

    Pricing pricing = { .arena = rating->arena, .steps = &line->steps, .shows_fees = true };
    charge->model->price(&pricing, &charge->terms, line->quantity);
    return line_finish(rating, line, rational_add(rating->arena, pricing.units, pricing.fees));
}

static Err *usage_lines(Rating *rating, const Charge *charge, const ChargeUsage *usage)
{
    Rational   pool = rational_zero();
    GroupUsage nothing = { .usage = rational_zero() };
    if (charge->included.given)
        TRY(included_pool(rating, charge, &charge->included, &pool));
    if (usage->count == 0 && charge->group_count == 0)
        return usage_line(rating, charge, &nothing, &pool);
    for (size_t i = 0; i < usage->count; i++)
        TRY(usage_line(rating, charge, &usage->groups[i], &pool));
    return NULL;
}

// price x share, told only when it is not all of it.
static Rational shared(Rating *rating, Steps *steps, const Segment *segment, Rational price)
{
    Arena   *arena = rating->arena;
    Rational amount = rational_multiply(arena, price, segment->share);
    Step    *step = steps_add(steps, arena, STEP_SEGMENT);
    step_set(step, "from", instant_print(arena, segment->span.start));
    step_set(step, "to", instant_print(arena, segment->span.end));
    step_set_rational(step, arena, "price", price);
    step_set_rational(step, arena, "share", segment->share);
    step_set_rational(step, arena, "amount", amount);
    return amount;
}

static bool is_whole(const Segment *segment)
{
    return rational_compare(segment->share, rational_one()) == 0;
}

static bool is_running(const Rating *rating, const Charge *charge)
{
    return charge->timing == TIMING_ARREARS &&
           rating->inputs->at.us < rating->inputs->service.end.us;
}

static Err *fee_line(Rating *rating, const Charge *charge)
{
    if (charge->one_time && rating->inputs->index != 0)
        return NULL;
    Line   *line = rating_line(rating, LINE_FEE, charge);
    Segment all = { .span = rating->inputs->service,
                    .share = share_of(rating, charge->prorate, rating->inputs->service) };
    Pricing pricing = { .arena = rating->arena,
                        .steps = &line->steps,
                        .shows_fees = true,
                        .is_shared = !is_whole(&all) };
    line->provisional = is_running(rating, charge);
    charge->model->price(&pricing, &charge->terms, rational_one());
    Rational exact = is_whole(&all) ? pricing.units
                                    : shared(rating, &line->steps, &all, pricing.units);
    return line_finish(rating, line, exact);
}

// A segment's own quantity after the operators; what is free is free at every moment, so it is not
// shared.
static Rational segment_quantity(Rating *rating, Steps *steps, const Charge *charge,
                                 Rational quantity, Rational pool)
{
    if (charge->included.given)
        quantity = quantity_included(rating, steps, quantity, &pool);
    return quantity_convert(rating, steps, charge, quantity);
}

// What is due once, for the highest tier that any segment reached.
static Rational highest_fees(Rating *rating, const Charge *charge, Rational quantity)
{
    Steps   unseen = { 0 };
    Pricing pricing = { .arena = rating->arena, .steps = &unseen };
    charge->model->price(&pricing, &charge->terms, quantity);
    return pricing.fees;
}

static Rational segments_price(Rating *rating, Line *line, const Segments *segments, Rational pool)
{
    Arena        *arena = rating->arena;
    const Charge *charge = line->charge;
    Rational      sum = rational_zero(), highest = rational_zero();
    bool          is_simple = segments->count == 1 && is_whole(segments->at);
    for (size_t i = 0; i < segments->count; i++) {
        Pricing pricing = {
            .arena = arena, .steps = &line->steps, .shows_fees = is_simple, .is_shared = !is_simple
        };
        line->usage = segments->at[i].quantity;
        line->quantity = segment_quantity(rating, &line->steps, charge, line->usage, pool);
        charge->model->price(&pricing, &charge->terms, line->quantity);
        if (is_simple)
            return rational_add(arena, pricing.units, pricing.fees);
        sum =
            rational_add(arena, sum, shared(rating, &line->steps, &segments->at[i], pricing.units));
        highest = rational_greatest(highest, line->quantity);
    }
    Rational fees = highest_fees(rating, charge, highest);
    if (rational_sign(fees) != 0)
        step_set_rational(steps_add(&line->steps, arena, STEP_FLAT), arena, "amount", fees);
    return rational_add(arena, sum, fees);
}

static Err *quantity_line(Rating *rating, const Charge *charge)
{
    Segments    segments;
    Rational    pool = charge->included.given ? charge->included.amount : rational_zero();
    SegmentRule rule = charge->timing == TIMING_ADVANCE ? SEGMENTS_RISE_ONLY : SEGMENTS_AS_HELD;
    TRY(price__segments_of(rating, charge->quantity, charge->prorate, rule, &segments));
    Line *line = rating_line(rating, LINE_QUANTITY, charge);
    line->measured = true;
    line->provisional = is_running(rating, charge);
    return line_finish(rating, line, segments_price(rating, line, &segments, pool));
}

Err *lines_make(Rating *rating)
{
    for (size_t i = 0; i < rating->plan->charge_count; i++) {
        const Charge *charge = &rating->plan->charges[i];
        switch (charge->source) {
        case SOURCE_METER:
            TRY(usage_lines(rating, charge, &rating->inputs->usage[i]));
            break;
        case SOURCE_QUANTITY:
            TRY(quantity_line(rating, charge));
            break;
        case SOURCE_NONE:
            TRY(fee_line(rating, charge));
            break;
        }
    }
    return NULL;
}
