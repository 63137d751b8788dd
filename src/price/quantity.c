// SPDX-License-Identifier: Apache-2.0
// The quantity operators, in the order in which they apply. None of them makes a quantity negative;
// a quantity that was measured below 0 passes through.
#include "price/price_inside.h"

static Step *step_on(Rating *rating, Steps *steps, StepOp op, Rational quantity)
{
    Step *step = steps_add(steps, rating->arena, op);
    step_set_quantity(step, rating->arena, "quantity", quantity);
    return step;
}

Rational quantity_included(Rating *rating, Steps *steps, Rational quantity, Rational *pool)
{
    Arena   *arena = rating->arena;
    Rational free = rational_least(*pool, rational_greatest(quantity, rational_zero()));
    Rational rest = rational_subtract(arena, quantity, free);
    Step    *step = step_on(rating, steps, STEP_INCLUDED, quantity);
    step_set_quantity(step, arena, "included", free);
    step_set_quantity(step, arena, "result", rest);
    *pool = rational_subtract(arena, *pool, free);
    return rest;
}

static Rational convert(Rating *rating, Steps *steps, const Charge *charge, Rational quantity)
{
    Arena   *arena = rating->arena;
    bool     divides = charge->conversion == CONVERT_DIVIDE;
    Rational result = divides ? rational_divide(arena, quantity, charge->factor)
                              : rational_multiply(arena, quantity, charge->factor);
    Step    *step = step_on(rating, steps, divides ? STEP_DIVIDE : STEP_MULTIPLY, quantity);
    step_set_rational(step, arena, divides ? "divisor" : "factor", charge->factor);
    step_set_quantity(step, arena, "result", result);
    return result;
}

static const char *mode_name(Rounding rounding)
{
    return rounding == ROUND_UP ? "up" : rounding == ROUND_DOWN ? "down" : "nearest";
}

Rational quantity_convert(Rating *rating, Steps *steps, const Charge *charge, Rational quantity)
{
    if (charge->conversion != CONVERT_NOT)
        quantity = convert(rating, steps, charge, quantity);
    if (!charge->rounds_quantity)
        return quantity;
    Rational result = rounding_places(rating->arena, quantity, charge->quantity_rounding,
                                      charge->quantity_places);
    Step    *step = step_on(rating, steps, STEP_ROUND_QUANTITY, quantity);
    step_set(step, "mode", str_of(mode_name(charge->quantity_rounding)));
    step_set(step, "places", str_print(rating->arena, "%d", charge->quantity_places));
    step_set_quantity(step, rating->arena, "result", result);
    return result;
}
