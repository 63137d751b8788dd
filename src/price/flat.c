// SPDX-License-Identifier: Apache-2.0
// flat: the amount, whatever was used.
#include "price/model.h"

void flat_read(Place charge, const Charge *read, PriceTerms *terms)
{
    (void)read;
    Place amount = place_member(charge, "amount");
    if (place_required(amount))
        place_not_negative(amount, &terms->amount);
}

void flat_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    (void)quantity;
    Step *step = steps_add(pricing->steps, pricing->arena, STEP_FLAT);
    step_set_priced(step, pricing, terms->amount);
    pricing->units = terms->amount;
    pricing->fees = rational_zero();
}
