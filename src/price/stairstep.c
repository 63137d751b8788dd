// SPDX-License-Identifier: Apache-2.0
// stairstep: the flatFee of the tier that holds q, and nothing else. It is the price of the whole
// quantity, so a quantity held for a part of the period shares it. 7 on 5 @ 100, 10 @ 150 = 150.
#include "price/model.h"

static void stair_read(Place place, Tier *tier)
{
    Place fee = place_member(place, "flatFee");
    if (place_required(fee))
        place_not_negative(fee, &tier->flat_fee);
}

void stairs_read(Place charge, const Charge *read, PriceTerms *terms)
{
    static const char *const members[] = { "upTo", "flatFee", NULL };
    (void)read;
    tiers_read_as(charge, terms, members, stair_read);
}

void stairstep_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    pricing->units = pricing->fees = rational_zero();
    int sign = rational_sign(quantity);
    if (sign < 0 || (sign == 0 && !terms->flat_fee_at_zero))
        return;
    const Tier *tier = tier_holding(terms, quantity);
    Step       *step = steps_add(pricing->steps, pricing->arena, STEP_STAIR);
    pricing->units = tier->flat_fee;
    if (!tier->open)
        step_set_rational(step, pricing->arena, "upTo", tier->up_to);
    step_set_quantity(step, pricing->arena, "quantity", quantity);
    step_set_rational(step, pricing->arena, "flatFee", tier->flat_fee);
    step_set_priced(step, pricing, pricing->units);
}
