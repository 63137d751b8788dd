// SPDX-License-Identifier: Apache-2.0
// percentage: a share of the summed amounts. What is free:
//   without eventMinimum and eventMaximum the smallest of (the sum of the first freeEvents,
//   freeAmount, the total), and the fees of min(freeEvents, events whose running total is below
//   freeAmount);
//   with one of them event by event: a free event is used up first, then free amount; what is left
//   of an event is priced with its fee and held between the two.
// 10, 80, 10000 at 2.99 %, at least 1.75 and at most 12 each, 30 free: 0 + 1.794 + 12 = 13.794.
#include "price/model.h"

// Steps for so many events; the others together are one.
enum { EVENT_STEPS_MAX = 100, FREE_EVENTS_MAX = 1000000000 };

static void event_members_read(Place charge, PriceTerms *terms)
{
    Place    fee = place_member(charge, "perEventFee"), free = place_member(charge, "freeEvents");
    Place    least = place_member(charge, "eventMinimum");
    Place    most = place_member(charge, "eventMaximum");
    uint64_t count;
    terms->needs_events =
        fee.json != NULL || free.json != NULL || least.json != NULL || most.json != NULL;
    place_not_negative(fee, &terms->per_event_fee);
    if (place_whole(free, 0, FREE_EVENTS_MAX, &count))
        terms->free_events =
            (Optional){ true, rational_whole(charge.faults->arena, (int64_t)count) };
    terms->event_minimum.given = place_not_negative(least, &terms->event_minimum.value);
    terms->event_maximum.given = place_not_negative(most, &terms->event_maximum.value);
    if (terms->event_minimum.given && terms->event_maximum.given &&
        rational_compare(terms->event_minimum.value, terms->event_maximum.value) > 0)
        place_fault(least, ERR_PLAN_INVALID, "eventMinimum is above eventMaximum");
}

void percentage_read(Place charge, const Charge *read, PriceTerms *terms)
{
    Place rate = place_member(charge, "ratePercent");
    if (place_required(rate)) {
        if (read->allow_negative)
            place_decimal(rate, &terms->rate_percent);
        else
            place_not_negative(rate, &terms->rate_percent);
    }
    event_members_read(charge, terms);
    terms->free_amount.given =
        place_not_negative(place_member(charge, "freeAmount"), &terms->free_amount.value);
}

static Rational share_of_value(Arena *arena, const PriceTerms *terms, Rational value)
{
    return rational_divide(arena, rational_multiply(arena, value, terms->rate_percent),
                           rational_whole(arena, 100));
}

// ---- of the sum

// What the events so far come to.
typedef struct Running {
    Rational total;
    Rational seen;
    Rational first;    // of the first freeEvents
    Rational fees_due; // events whose fee is due
} Running;

static void running_add(Arena *arena, const PriceTerms *terms, Running *running, Rational value)
{
    running->total = rational_add(arena, running->total, value);
    bool is_first =
        terms->free_events.given && rational_compare(running->seen, terms->free_events.value) < 0;
    bool is_below =
        terms->free_amount.given && rational_compare(running->total, terms->free_amount.value) < 0;
    bool is_free = (is_first || !terms->free_events.given) &&
                   (is_below || !terms->free_amount.given) &&
                   (terms->free_events.given || terms->free_amount.given);
    if (is_first)
        running->first = running->total;
    if (!is_free)
        running->fees_due = rational_add(arena, running->fees_due, rational_one());
    running->seen = rational_add(arena, running->seen, rational_one());
}

static Rational free_value(const PriceTerms *terms, Rational first, Rational total)
{
    Rational free = total;
    if (!terms->free_events.given && !terms->free_amount.given)
        return rational_zero();
    if (terms->free_events.given)
        free = rational_least(free, first);
    if (terms->free_amount.given)
        free = rational_least(free, terms->free_amount.value);
    return rational_greatest(free, rational_zero());
}

static Rational running_price(Arena *arena, const PriceTerms *terms, const Running *running)
{
    Rational free = free_value(terms, running->first, running->total);
    Rational share = share_of_value(arena, terms, rational_subtract(arena, running->total, free));
    return rational_add(arena, share,
                        rational_multiply(arena, running->fees_due, terms->per_event_fee));
}

static Running run(const Pricing *pricing, const PriceTerms *terms)
{
    Running running = { rational_zero(), rational_zero(), rational_zero(), rational_zero() };
    for (size_t i = 0; i < pricing->event_count; i++) {
        running_add(pricing->arena, terms, &running, pricing->events[i].value);
        if (pricing->after != NULL)
            pricing->after[i] = running_price(pricing->arena, terms, &running);
    }
    return running;
}

static void value_add(Pricing *pricing, const PriceTerms *terms, Rational total, Rational free)
{
    Arena   *arena = pricing->arena;
    Rational amount = share_of_value(arena, terms, rational_subtract(arena, total, free));
    Step    *step = steps_add(pricing->steps, arena, STEP_PERCENT);
    step_set_quantity(step, arena, "quantity", total);
    if (rational_sign(free) != 0)
        step_set_quantity(step, arena, "free", free);
    step_set_rational(step, arena, "ratePercent", terms->rate_percent);
    step_set_priced(step, pricing, amount);
    pricing->units = rational_add(arena, pricing->units, amount);
}

static void fees_add(Pricing *pricing, const PriceTerms *terms, Rational due)
{
    Arena   *arena = pricing->arena;
    Rational amount = rational_multiply(arena, due, terms->per_event_fee);
    if (rational_sign(terms->per_event_fee) == 0)
        return;
    Step *step = steps_add(pricing->steps, arena, STEP_EVENT);
    step_set(step, "events", str_print(arena, "%zu", pricing->event_count));
    step_set_rational(step, arena, "due", due);
    step_set_rational(step, arena, "perEventFee", terms->per_event_fee);
    step_set_priced(step, pricing, amount);
    pricing->units = rational_add(arena, pricing->units, amount);
}

// ---- event by event

typedef struct Allowance {
    Rational events, amount; // left
} Allowance;

// What of an event is free. True: all of it, its fee too.
static bool allowance_use(Arena *arena, Allowance *left, Rational value, Rational *free)
{
    *free = value;
    if (rational_sign(left->events) > 0) {
        left->events = rational_subtract(arena, left->events, rational_one());
        return true;
    }
    if (rational_sign(left->amount) <= 0 || rational_sign(value) < 0) {
        *free = rational_zero();
        return false;
    }
    bool is_whole = rational_compare(value, left->amount) <= 0;
    *free = rational_least(value, left->amount);
    left->amount = rational_subtract(arena, left->amount, *free);
    return is_whole;
}

static Rational event_amount(Arena *arena, const PriceTerms *terms, Rational value)
{
    Rational amount =
        rational_add(arena, share_of_value(arena, terms, value), terms->per_event_fee);
    if (terms->event_minimum.given)
        amount = rational_greatest(amount, terms->event_minimum.value);
    if (terms->event_maximum.given)
        amount = rational_least(amount, terms->event_maximum.value);
    return amount;
}

static Step *event_step(Pricing *pricing, const PriceTerms *terms, const EventUsage *event)
{
    Arena *arena = pricing->arena;
    Step  *step = steps_add(pricing->steps, arena, STEP_EVENT);
    step_set(step, "ts", instant_print(arena, event->ts));
    if (event->unique_id.at != NULL)
        step_set(step, "uniqueId", str_copy(arena, event->unique_id));
    step_set_quantity(step, arena, "value", event->value);
    step_set_rational(step, arena, "ratePercent", terms->rate_percent);
    if (rational_sign(terms->per_event_fee) != 0)
        step_set_rational(step, arena, "perEventFee", terms->per_event_fee);
    if (terms->event_minimum.given)
        step_set_rational(step, arena, "minimum", terms->event_minimum.value);
    if (terms->event_maximum.given)
        step_set_rational(step, arena, "maximum", terms->event_maximum.value);
    return step;
}

static void others_add(Pricing *pricing, Rational amount)
{
    if (pricing->event_count <= EVENT_STEPS_MAX)
        return;
    Step *step = steps_add(pricing->steps, pricing->arena, STEP_EVENT);
    step_set(step, "events",
             str_print(pricing->arena, "%zu", pricing->event_count - EVENT_STEPS_MAX));
    step_set_priced(step, pricing, amount);
}

static void bounded_price(Pricing *pricing, const PriceTerms *terms)
{
    Arena    *arena = pricing->arena;
    Rational  others = rational_zero();
    Allowance left = { terms->free_events.given ? terms->free_events.value : rational_zero(),
                       terms->free_amount.given ? terms->free_amount.value : rational_zero() };
    for (size_t i = 0; i < pricing->event_count; i++) {
        const EventUsage *event = &pricing->events[i];
        Rational          free, amount = rational_zero();
        if (!allowance_use(arena, &left, event->value, &free))
            amount = event_amount(arena, terms, rational_subtract(arena, event->value, free));
        pricing->units = rational_add(arena, pricing->units, amount);
        if (pricing->after != NULL)
            pricing->after[i] = pricing->units;
        if (i >= EVENT_STEPS_MAX) {
            others = rational_add(arena, others, amount);
            continue;
        }
        Step *step = event_step(pricing, terms, event);
        if (rational_sign(free) != 0)
            step_set_quantity(step, arena, "free", free);
        step_set_priced(step, pricing, amount);
    }
    others_add(pricing, others);
}

void percentage_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    pricing->units = pricing->fees = rational_zero();
    if (terms->event_minimum.given || terms->event_maximum.given) {
        bounded_price(pricing, terms);
        return;
    }
    if (!terms->needs_events) {
        value_add(pricing, terms, quantity, free_value(terms, quantity, quantity));
        return;
    }
    Running running = run(pricing, terms);
    value_add(pricing, terms, running.total, free_value(terms, running.first, running.total));
    fees_add(pricing, terms, running.fees_due);
}
