// SPDX-License-Identifier: Apache-2.0
// From usage to lines: everything is exact until a line's amount is rounded, once.
// Worked: 1,204,001 x 0.00009 = 108.36009 -> 108.36.
#include <stdlib.h>

#include "base/assert.h"
#include "price/price_inside.h"

Line *rating_line(Rating *rating, LineKind kind, const Charge *charge)
{
    if (rating->count == rating->room) {
        size_t room = rating->room == 0 ? LINES_FIRST : 2 * rating->room;
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
                    .part = rating->part,
                    .period = rating->part->service,
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

Money rating_round_part(Rating *rating, Rational exact)
{
    Money rounded = money_zero(rating->plan->currency);
    bool  fits = rounding_money(exact, rating->plan->currency, rating->plan->rounding, &rounded);
    assert_that(fits);
    return rounded;
}

Money money_sum(Money a, Money b)
{
    Money sum;
    bool  fits = money_add(a, b, &sum);
    assert_that(fits);
    return sum;
}

static Err *size_add(Rating *rating, const Line *line)
{
    Money size = line->amount;
    if (size.minor < 0)
        size.minor = -size.minor;
    if (!money_add(rating->size, size, &rating->size))
        return rating_too_large(rating, STR("the bill"));
    return NULL;
}

// Nothing, whatever the steps before came to.
static Rational trial_price(Line *line, Arena *arena, Rational exact)
{
    if (rational_sign(exact) == 0)
        return exact;
    Step *trial = steps_add(&line->steps, arena, STEP_TRIAL);
    step_set_rational(trial, arena, "exact", exact);
    step_set(trial, "amount", STR("0"));
    return rational_zero();
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
    if (rating->part->is_trial)
        exact = trial_price(line, arena, exact);
    line->exact = exact;
    TRY(rating_round(rating, exact, line->description, &line->amount));
    Step *round = steps_add(&line->steps, arena, STEP_ROUND);
    step_set_rational(round, arena, "exact", exact);
    step_set(round, "mode", str_of(rounding_name(rating->plan->rounding)));
    step_set(round, "amount", money_print(arena, line->amount));
    return size_add(rating, line);
}

// The part's share of a number of units that are free.
static Rational included_share(Rating *rating, const Charge *charge, const Included *included)
{
    const ChargePart *part = rating->part;
    return rational_multiply(rating->arena, included->amount,
                             share_of(rating, charge->prorate, part->full, part->service));
}

// How many units are free in this part.
static Err *included_pool(Rating *rating, const Charge *charge, const Included *included,
                          Rational *pool)
{
    Arena            *arena = rating->arena;
    const ChargePart *part = rating->part;
    if (included->per_unit.at == NULL) {
        *pool = included_share(rating, charge, included);
        return NULL;
    }
    Segments    held;
    SegmentRule rule = { .prorate = charge->prorate, .known = INSTANT_END };
    Rational    units = rational_zero();
    TRY(price__segments_of(rating, included->per_unit, part, &rule, &held));
    for (size_t i = 0; i < held.count; i++)
        units = rational_add(arena, units,
                             rational_multiply(arena, held.at[i].quantity, held.at[i].share));
    *pool = rational_multiply(arena, included->amount, units);
    return NULL;
}

// By time, then id, never by arrival.
static int events_compare(const void *left, const void *right)
{
    const EventUsage *a = left, *b = right;
    if (a->ts.us != b->ts.us)
        return a->ts.us < b->ts.us ? -1 : 1;
    int order = str_compare(a->unique_id, b->unique_id);
    if (order == 0) // ids that nobody told
        order = rational_compare(a->value, b->value);
    return order == 0 ? rational_compare(a->price, b->price) : order;
}

static size_t name_place(const Str *names, Str name)
{
    size_t i = 0;
    while (!str_equal(names[i], name))
        i++;
    return i;
}

// Values of the named dimensions out of a group's.
static const Str *values_of(Rating *rating, const Charge *charge, const GroupUsage *usage,
                            const Str *names, size_t count)
{
    Str *values = arena_array(rating->arena, Str, count);
    for (size_t i = 0; i < count; i++)
        values[i] = usage->values[name_place(charge->read_by, names[i])];
    return values;
}

static const NamedText *cell_of(Rating *rating, const Charge *charge, const GroupUsage *usage)
{
    const PriceTerms *terms = &charge->terms;
    NamedText        *cell = arena_array(rating->arena, NamedText, terms->dimension_count);
    const Str *values = values_of(rating, charge, usage, terms->dimensions, terms->dimension_count);
    for (size_t i = 0; i < terms->dimension_count; i++)
        cell[i] = (NamedText){ terms->dimensions[i], values[i] };
    return cell;
}

// The pools of what is free: of the line's group, and of the whole charge.
typedef struct Pools {
    Rational group, charge;
} Pools;

// Adds what one group comes to, to its line.
static void group_price(Rating *rating, Line *line, const GroupUsage *usage, Pools *pools)
{
    Arena        *arena = rating->arena;
    const Charge *charge = line->charge;
    Rational      quantity = usage->usage;
    line->usage = rational_add(arena, line->usage, usage->usage);
    line->events += usage->events;
    digest_add(&line->digest, &usage->digest);
    if (charge->included_per_group.given)
        quantity = quantity_included(rating, &line->steps, quantity, &pools->group);
    if (charge->included.given)
        quantity = quantity_included(rating, &line->steps, quantity, &pools->charge);
    quantity = quantity_convert(rating, &line->steps, charge, quantity);
    line->quantity = rational_add(arena, line->quantity, quantity);

    Pricing pricing = { .arena = arena,
                        .steps = &line->steps,
                        .shows_fees = true,
                        .is_shared = charge->pricing_unit.at != NULL,
                        .events = usage->each,
                        .event_count = usage->each_count,
                        .after = rating->after };
    if (usage->each_count > 1)
        qsort(usage->each, usage->each_count, sizeof *usage->each, events_compare);
    if (charge->terms.dimension_count > 0)
        pricing.cell = cell_of(rating, charge, usage);
    charge->model->price(&pricing, &charge->terms, quantity);
    line->exact =
        rational_add(arena, line->exact, rational_add(arena, pricing.units, pricing.fees));
}

// From the charge's own unit into the plan's currency.
static Rational converted(Rating *rating, Line *line, Rational price)
{
    const Charge *charge = line->charge;
    if (charge->pricing_unit.at == NULL)
        return price;
    Rational amount = rational_multiply(rating->arena, price, charge->conversion_rate);
    Step    *step = steps_add(&line->steps, rating->arena, STEP_CONVERT);
    step_set_rational(step, rating->arena, "price", price);
    step_set(step, "pricingUnit", charge->pricing_unit);
    step_set_rational(step, rating->arena, "conversionRate", charge->conversion_rate);
    step_set_rational(step, rating->arena, "amount", amount);
    return amount;
}

// A line over groups: one, or those of a matrix that have the same values of group_by.
static Err *usage_line(Rating *rating, const Charge *charge, const GroupUsage *const *groups,
                       size_t count, Rational *pool)
{
    Line *line = rating_line(rating, LINE_USAGE, charge);
    Pools pools = { rational_zero(), *pool };
    line->measured = true;
    if (charge->group_count > 0)
        line->group = values_of(rating, charge, groups[0], charge->group_by, charge->group_count);
    if (charge->included_per_group.given)
        TRY(included_pool(rating, charge, &charge->included_per_group, &pools.group));
    for (size_t i = 0; i < count; i++)
        group_price(rating, line, groups[i], &pools);
    *pool = pools.charge;
    if (charge->by_event)
        line->counted = arena_copy(rating->arena, groups[0], sizeof *groups[0]);
    return line_finish(rating, line, converted(rating, line, line->exact));
}

Rational group_line(Rating *rating, Line *line, const GroupUsage *usage)
{
    const Charge *charge = line->charge;
    Pools         pools = { rational_zero(), rational_zero() };
    if (charge->included_per_group.given)
        pools.group = included_share(rating, charge, &charge->included_per_group);
    if (charge->included.given)
        pools.charge = included_share(rating, charge, &charge->included);
    group_price(rating, line, usage, &pools);
    return converted(rating, line, line->exact);
}

int group_values_compare(const Str *a, const Str *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((a[i].at == NULL) != (b[i].at == NULL))
            return a[i].at == NULL ? -1 : 1;
        int order = str_compare(a[i], b[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

// A group's values with those of group_by in front, and the group.
typedef struct Ordered {
    const Str        *values;
    const GroupUsage *group;
} Ordered;

static int ordered_compare(const void *left, const void *right, void *count)
{
    const Ordered *a = left, *b = right;
    return group_values_compare(a->values, b->values, *(const size_t *)count);
}

// The groups of a matrix, those of one line together.
static Err *matrix_lines(Rating *rating, const Charge *charge, const ChargeUsage *usage,
                         Rational *pool)
{
    Arena             *arena = rating->arena;
    const PriceTerms  *terms = &charge->terms;
    Ordered           *ordered = arena_array(arena, Ordered, usage->count);
    const GroupUsage **groups = arena_array(arena, const GroupUsage *, usage->count);
    size_t             keys = charge->read_count;
    Str               *names = arena_array(arena, Str, keys);
    for (size_t i = 0; i < keys; i++)
        names[i] = i < charge->group_count ? charge->group_by[i]
                                           : terms->dimensions[i - charge->group_count];
    for (size_t i = 0; i < usage->count; i++)
        ordered[i] = (Ordered){ values_of(rating, charge, &usage->groups[i], names, keys),
                                &usage->groups[i] };
    if (usage->count > 1)
        qsort_r(ordered, usage->count, sizeof *ordered, ordered_compare, &keys);
    for (size_t i = 0; i < usage->count; i++)
        groups[i] = ordered[i].group;
    for (size_t first = 0, end; first < usage->count; first = end) {
        for (end = first + 1; end < usage->count; end++)
            if (group_values_compare(ordered[first].values, ordered[end].values,
                                     charge->group_count) != 0)
                break;
        TRY(usage_line(rating, charge, groups + first, end - first, pool));
    }
    return NULL;
}

static Err *usage_lines(Rating *rating, const Charge *charge, const ChargeUsage *usage)
{
    Rational          pool = rational_zero();
    const GroupUsage  nothing = { .usage = rational_zero() };
    const GroupUsage *only = &nothing;
    if (charge->included.given)
        TRY(included_pool(rating, charge, &charge->included, &pool));
    if (usage->count == 0 && charge->group_count == 0)
        return usage_line(rating, charge, &only, charge->terms.dimension_count == 0, &pool);
    if (charge->terms.dimension_count > 0)
        return matrix_lines(rating, charge, usage, &pool);
    for (size_t i = 0; i < usage->count; i++) {
        only = &usage->groups[i];
        TRY(usage_line(rating, charge, &only, 1, &pool));
    }
    return NULL;
}

// One line over all meters of the charge.
static Err *meters_line(Rating *rating, const Charge *charge, const ChargeUsage *usage)
{
    Arena    *arena = rating->arena;
    size_t    count = charge->terms.meter_count;
    Line     *line = rating_line(rating, LINE_USAGE, charge);
    Rational *quantities = arena_array(arena, Rational, count);
    Pricing   pricing = {
          .arena = arena, .steps = &line->steps, .shows_fees = true, .quantities = quantities
    };
    for (size_t i = 0; i < count; i++)
        quantities[i] = rational_zero();
    for (size_t i = 0; i < usage->count; i++) {
        quantities[i] = usage->groups[i].usage;
        line->events += usage->groups[i].events;
        digest_add(&line->digest, &usage->groups[i].digest);
    }
    charge->model->price(&pricing, &charge->terms, rational_zero());
    return line_finish(rating, line, pricing.units);
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

bool is_running(const Rating *rating)
{
    return rating->inputs->at.us < rating->part->service.end.us;
}

static bool may_change(const Rating *rating, const Charge *charge)
{
    return charge->timing == TIMING_ARREARS && is_running(rating);
}

static Err *fee_line(Rating *rating, const Charge *charge)
{
    if (charge->one_time && rating->inputs->index != 0)
        return NULL;
    Line   *line = rating_line(rating, LINE_FEE, charge);
    Segment all = { .span = rating->part->service,
                    .share = share_of(rating, charge->prorate, rating->part->full,
                                      rating->part->service) };
    Pricing pricing = { .arena = rating->arena,
                        .steps = &line->steps,
                        .shows_fees = true,
                        .is_shared = !is_whole(&all) };
    line->provisional = may_change(rating, charge);
    charge->model->price(&pricing, &charge->terms, rational_one());
    Rational exact =
        is_whole(&all) ? pricing.units : shared(rating, &line->steps, &all, pricing.units);
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
    bool        in_advance = charge->timing == TIMING_ADVANCE;
    SegmentRule rule = { .prorate = charge->prorate,
                         .rises_later = in_advance && charge->on_increase == COUNTS_NEXT_PERIOD,
                         .falls_later = in_advance && charge->on_decrease == COUNTS_NEXT_PERIOD,
                         .known = in_advance && rating->inputs->due_only ? rating->inputs->at
                                                                         : INSTANT_END };
    TRY(price__segments_of(rating, charge->quantity, rating->part, &rule, &segments));
    Line *line = rating_line(rating, LINE_QUANTITY, charge);
    line->measured = true;
    line->provisional = may_change(rating, charge);
    Rational exact = segments_price(rating, line, &segments, pool);
    return line_finish(rating, line, exact);
}

// What the named charges come to in the part at hand, once their lines are made. *provisional: one
// of them is.
static Money base_of(Rating *rating, const PriceTerms *terms, bool *provisional)
{
    Span  span = rating->part->service;
    Money base = money_zero(rating->plan->currency);
    for (size_t i = 0; i < rating->count; i++) {
        const Line *line = &rating->lines[i];
        if (!names_charge(terms->charges, terms->charge_count, line->charge) ||
            line->period.start.us < span.start.us || line->period.start.us >= span.end.us)
            continue;
        *provisional |= line->provisional;
        base = money_sum(base, line->amount);
    }
    return base;
}

// The lines that are a share of others, which stand in their places already.
static Err *shares_finish(Rating *rating)
{
    for (size_t i = 0; i < rating->count; i++) {
        Line *line = &rating->lines[i];
        if (line->charge->model->source != TAKES_CHARGES)
            continue;
        Pricing pricing = { .arena = rating->arena, .steps = &line->steps, .shows_fees = true };
        rating->part = line->part;
        Money base = base_of(rating, &line->charge->terms, &line->provisional);
        line->charge->model->price(&pricing, &line->charge->terms,
                                   money_exact(rating->arena, base));
        TRY(line_finish(rating, line, pricing.units));
    }
    return NULL;
}

// Of the part at hand.
static Err *part_lines(Rating *rating, const Charge *charge)
{
    switch (charge->source) {
    case SOURCE_METER:
        return usage_lines(rating, charge, &rating->part->usage);
    case SOURCE_METERS:
        return meters_line(rating, charge, &rating->part->usage);
    case SOURCE_QUANTITY:
        return quantity_line(rating, charge);
    case SOURCE_NONE:
        break;
    }
    if (charge->model->source != TAKES_CHARGES)
        return fee_line(rating, charge);
    rating_line(rating, LINE_FEE, charge);
    return NULL;
}

bool part_due(const PriceInputs *inputs, const Charge *charge, const ChargePart *part)
{
    Instant due = charge->timing == TIMING_ADVANCE ? part->service.start : part->service.end;
    return !inputs->due_only || due.us <= inputs->at.us;
}

Err *lines_make(Rating *rating)
{
    for (size_t i = 0; i < rating->plan->charge_count; i++) {
        const Charge      *charge = &rating->plan->charges[i];
        const ChargeParts *parts = &rating->inputs->parts[i];
        for (size_t k = 0; k < parts->count; k++) {
            rating->part = &parts->at[k];
            if (part_due(rating->inputs, charge, rating->part))
                TRY(part_lines(rating, charge));
        }
    }
    return shares_finish(rating);
}
