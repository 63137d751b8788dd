// SPDX-License-Identifier: Apache-2.0
// perUnit: q x unitPrice. 912448 x 0.0021 = 1916.1408.
#include "price/model.h"

void per_unit_read(Place charge, const Charge *read, PriceTerms *terms)
{
    Place price = place_member(charge, "unitPrice");
    if (!place_required(price))
        return;
    if (read->allow_negative)
        place_decimal(price, &terms->unit_price);
    else
        place_not_negative(price, &terms->unit_price);
}

void per_unit_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    Arena *arena = pricing->arena;
    Step  *step = steps_add(pricing->steps, arena, STEP_UNIT);
    pricing->units = rational_multiply(arena, quantity, terms->unit_price);
    pricing->fees = rational_zero();
    step_set_quantity(step, arena, "quantity", quantity);
    step_set_rational(step, arena, "unitPrice", terms->unit_price);
    step_set_priced(step, pricing, pricing->units);
}
