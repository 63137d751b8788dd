// SPDX-License-Identifier: Apache-2.0
// From rounded lines to what is due. Each step works on what the steps before left of the lines, in
// minor units; what it takes off is rounded once and split over its lines by largest remainder, so
// the equations of a bill hold to the minor unit after every step.
#include "price/price_inside.h"

#include "base/assert.h"
#include "money/split.h"

bool names_charge(const Str *ids, size_t count, const Charge *charge)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(ids[i], charge->id))
            return true;
    return false;
}

void pick_line(Rating *rating, Picked *picked, size_t index)
{
    Money net = line_net(&rating->lines[index]);
    picked->sum = money_sum(picked->sum, net);
    if (net.minor <= 0)
        return;
    picked->lines[picked->count] = index;
    picked->weights[picked->count++] = net;
    picked->left = money_sum(picked->left, net);
}

Picked picked_none(Rating *rating, size_t most)
{
    return (Picked){ .lines = arena_array(rating->arena, size_t, most),
                     .weights = arena_array(rating->arena, Money, most),
                     .left = money_zero(rating->plan->currency),
                     .sum = money_zero(rating->plan->currency) };
}

// Lines of the named charges; all when none is named.
static Picked pick_charges(Rating *rating, const Str *ids, size_t count)
{
    Picked picked = picked_none(rating, rating->count);
    for (size_t i = 0; i < rating->count; i++)
        if (count == 0 || names_charge(ids, count, rating->lines[i].charge))
            pick_line(rating, &picked, i);
    return picked;
}

static Picked pick_all(Rating *rating)
{
    return pick_charges(rating, NULL, 0);
}

void take_off(Rating *rating, const Picked *picked, Money off, const Step *told)
{
    Money *parts = arena_array(rating->arena, Money, picked->count);
    assert_that(off.minor >= 0 && off.minor <= picked->left.minor);
    split_by_weight(off, picked->weights, picked->count, parts);
    for (size_t i = 0; i < picked->count; i++) {
        if (parts[i].minor == 0)
            continue;
        Line *line = &rating->lines[picked->lines[i]];
        Step *step = steps_add(&line->steps, rating->arena, told->op);
        for (size_t k = 0; k < STEP_MEMBERS_MAX; k++)
            step->values[k] = told->values[k];
        step_set(step, "share", money_print(rating->arena, parts[i]));
        line->discount.minor -= parts[i].minor;
    }
}

// ---- discounts

// The period that holds t, its index counted from the one that holds the start.
static Period period_since_start(const Rating *rating, Instant t)
{
    const PriceInputs *inputs = rating->inputs;
    if (inputs->calendar == NULL)
        return period_at(&rating->plan->period, inputs->zone, inputs->start, t);
    Period period = calendar_period_at(inputs->calendar, t);
    period.index -= calendar_period_at(inputs->calendar, inputs->start).index;
    return period;
}

// Which period of the discount this one is: 0 for the first in which it counts, below 0 before it.
static int64_t discount_place(const Rating *rating, const Discount *discount)
{
    const PriceInputs *inputs = rating->inputs;
    if (!discount->has_start || discount->starts_at.us <= inputs->start.us)
        return inputs->index;
    if (discount->starts_at.us > inputs->service.start.us)
        return -1;
    Period  holding = period_since_start(rating, discount->starts_at);
    int64_t first = holding.index + (holding.service.start.us < discount->starts_at.us);
    return inputs->index - first;
}

static bool discount_counts(const Rating *rating, const Discount *discount)
{
    int64_t place = discount_place(rating, discount);
    return place >= 0 && (discount->periods == 0 || place < discount->periods);
}

Rational percent_of(Arena *arena, Rational amount, Rational percent)
{
    return rational_divide(arena, rational_multiply(arena, amount, percent),
                           rational_whole(arena, 100));
}

static void discount_apply(Rating *rating, const Discount *discount)
{
    Arena   *arena = rating->arena;
    Picked   picked = pick_charges(rating, discount->charges, discount->charge_count);
    Rational base = money_exact(arena, picked.left);
    Rational exact = discount->percent.given ? percent_of(arena, base, discount->percent.value)
                                             : rational_least(discount->amount.value, base);
    Money    off = rating_round_part(rating, exact);
    Step     told = { .op = STEP_DISCOUNT };
    step_set(&told, "id", discount->id);
    if (discount->percent.given)
        step_set_rational(&told, arena, "percent", discount->percent.value);
    else
        step_set_rational(&told, arena, "amount", discount->amount.value);
    step_set(&told, "base", money_print(arena, picked.left));
    step_set(&told, "discount", money_print(arena, off));
    take_off(rating, &picked, off, &told);
}

// ---- maximum and minimum

static void maximum_apply(Rating *rating, const Picked *picked, Rational maximum)
{
    Arena *arena = rating->arena;
    if (rational_compare(money_exact(arena, picked->sum), maximum) <= 0)
        return;
    Money most = rating_round_part(rating, maximum);
    Money off = { picked->sum.minor - most.minor, most.currency }; // most >= 0
    if (off.minor <= 0)
        return;
    Step told = { .op = STEP_MAXIMUM };
    step_set(&told, "maximum", money_print(arena, most));
    step_set(&told, "counted", money_print(arena, picked->sum));
    step_set(&told, "discount", money_print(arena, off));
    take_off(rating, picked, off, &told);
}

Err *missing_line(Rating *rating, StepOp op, const Line *like, Rational wanted, Money counted)
{
    Arena   *arena = rating->arena;
    Rational missing = rational_subtract(arena, wanted, money_exact(arena, counted));
    bool     is_minimum = op == STEP_MINIMUM;
    if (rational_sign(missing) <= 0)
        return NULL;
    Line *line = rating_line(rating, is_minimum ? LINE_MINIMUM : LINE_TRUE_UP, like->charge);
    line->description = like->description;
    line->group = like->group;
    line->provisional = is_running(rating);
    Step *step = steps_add(&line->steps, arena, op);
    step_set_rational(step, arena, is_minimum ? "minimum" : "commitment", wanted);
    step_set(step, "counted", money_print(arena, counted));
    step_set_rational(step, arena, "amount", missing);
    return line_finish(rating, line, missing);
}

static Rational prorated(Rating *rating, Rational amount, Prorate prorate)
{
    const ChargePart *part = rating->part;
    if (part->is_trial)
        return rational_zero();
    return rational_multiply(rating->arena, amount,
                             share_of(rating, prorate, part->full, part->service));
}

static Str minimum_of(Rating *rating, const Charge *charge)
{
    return str_print(rating->arena, "%.*s, minimum", STR_ARG(charge_description(charge)));
}

static Err *group_minimum(Rating *rating, const Line *line)
{
    const Charge *charge = line->charge;
    Line          like = { .charge = charge,
                           .group = line->group,
                           .description = minimum_of(rating, charge) };
    return missing_line(rating, STEP_MINIMUM, &like,
                        prorated(rating, charge->minimum_per_group.value, charge->prorate),
                        line_net(line));
}

// Maximum, then minimum, of each group's line. `from` has the lines of one charge.
static Err *group_bounds(Rating *rating, const Charge *charge, const Line *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t index = rating->count;
        *rating_line(rating, from[i].kind, charge) = from[i];
        Line copy = from[i];
        if (charge->maximum_per_group.given) {
            Picked picked = picked_none(rating, 1);
            pick_line(rating, &picked, index);
            maximum_apply(rating, &picked,
                          prorated(rating, charge->maximum_per_group.value, charge->prorate));
            copy = rating->lines[index];
        }
        if (charge->minimum_per_group.given)
            TRY(group_minimum(rating, &copy));
    }
    return NULL;
}

static Err *charge_bounds(Rating *rating, const Charge *charge, size_t first)
{
    Picked picked = picked_none(rating, rating->count - first);
    for (size_t i = first; i < rating->count; i++)
        pick_line(rating, &picked, i);
    if (charge->maximum.given)
        maximum_apply(rating, &picked, prorated(rating, charge->maximum.value, charge->prorate));
    if (!charge->minimum.given)
        return NULL;
    Line like = { .charge = charge, .description = minimum_of(rating, charge) };
    return missing_line(rating, STEP_MINIMUM, &like,
                        prorated(rating, charge->minimum.value, charge->prorate), picked.sum);
}

static bool has_group_bounds(const Charge *charge)
{
    return charge->minimum_per_group.given || charge->maximum_per_group.given;
}

// `lines` are those of the part at hand.
static Err *part_bounds(Rating *rating, const Charge *charge, const Line *lines, size_t count)
{
    size_t first = rating->count;
    if (has_group_bounds(charge))
        TRY(group_bounds(rating, charge, lines, count));
    else
        for (size_t i = 0; i < count; i++)
            *rating_line(rating, lines[i].kind, charge) = lines[i];
    bool has_bounds = charge->minimum.given || charge->maximum.given;
    return has_bounds ? charge_bounds(rating, charge, first) : NULL;
}

// The bounds of every charge, in each of its parts. The lines are laid out anew, so that a minimum
// stands behind the lines of its charge or group.
static Err *bounds_apply(Rating *rating)
{
    const Line *before = rating->lines;
    size_t      at = 0, count = rating->count;
    rating->lines = NULL;
    rating->count = rating->room = 0;
    for (size_t i = 0; i < rating->plan->charge_count; i++) {
        const Charge      *charge = &rating->plan->charges[i];
        const ChargeParts *parts = &rating->inputs->parts[i];
        for (size_t k = 0; k < parts->count; k++) {
            size_t end = at;
            rating->part = &parts->at[k];
            while (end < count && before[end].charge == charge && before[end].part == rating->part)
                end++;
            if (part_due(rating->inputs, charge, rating->part))
                TRY(part_bounds(rating, charge, before + at, end - at));
            at = end;
        }
    }
    rating->part = &rating->whole;
    return NULL;
}

// ---- the plan's own

Rational prorated_amount(Rating *rating, const PlanAmount *amount)
{
    return prorated(rating, amount->amount, amount->prorate);
}

static void plan_maximum(Rating *rating)
{
    Picked picked = pick_all(rating);
    maximum_apply(rating, &picked, prorated_amount(rating, &rating->plan->maximum));
}

// Behind the commitment: its true-up counts.
static Err *plan_minimum(Rating *rating)
{
    Picked picked = pick_all(rating);
    Line   like = { .description = STR("Minimum") };
    return missing_line(rating, STEP_MINIMUM, &like,
                        prorated_amount(rating, &rating->plan->minimum), picked.sum);
}

static void included_credits(Rating *rating)
{
    Discount credits = { .id = STR("includedCredits"),
                         .amount = { true,
                                     prorated_amount(rating, &rating->plan->included_credits) } };
    discount_apply(rating, &credits);
}

// What is missing to it is not due while the period runs.
bool plan_is_over(const Rating *rating)
{
    return !rating->inputs->due_only || !is_running(rating);
}

Err *algebra_apply(Rating *rating)
{
    const Plan *plan = rating->plan;
    for (size_t i = 0; i < plan->discount_count; i++)
        if (discount_counts(rating, &plan->discounts[i]))
            discount_apply(rating, &plan->discounts[i]);
    TRY(bounds_apply(rating));
    if (plan->maximum.given)
        plan_maximum(rating);
    if (plan->commitment.amount.given)
        TRY(commitment_apply(rating));
    if (plan->minimum.given && plan_is_over(rating))
        TRY(plan_minimum(rating));
    if (plan->included_credits.given)
        included_credits(rating);
    return NULL;
}
