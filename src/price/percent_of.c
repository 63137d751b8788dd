// SPDX-License-Identifier: Apache-2.0
// percentOf: a share of what other charges come to, rounded, before discounts: 5 % of 499.00 +
// 23168.52 = 1183.376.
#include "price/plan_inside.h"

void percent_of_read(Place charge, const Charge *read, PriceTerms *terms)
{
    (void)read;
    Place charges = place_member(charge, "charges"), rate = place_member(charge, "ratePercent");
    if (place_required(charges))
        plan_charge_ids_read(charges, &terms->charges, &terms->charge_count);
    if (place_required(rate))
        place_not_negative(rate, &terms->rate_percent);
}

void percent_of_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    Arena *arena = pricing->arena;
    Step  *step = steps_add(pricing->steps, arena, STEP_PERCENT);
    pricing->units = rational_divide(arena, rational_multiply(arena, quantity, terms->rate_percent),
                                     rational_whole(arena, 100));
    pricing->fees = rational_zero();
    step_set_rational(step, arena, "base", quantity);
    step_set_rational(step, arena, "ratePercent", terms->rate_percent);
    step_set_priced(step, pricing, pricing->units);
}
