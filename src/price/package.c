// SPDX-License-Identifier: Apache-2.0
// package: ceil(q / packageSize) x packagePrice. A started package counts: 121 in tens are 13.
#include "price/model.h"

void package_read(Place charge, const Charge *read, PriceTerms *terms)
{
    (void)read;
    Place size = place_member(charge, "packageSize");
    Place price = place_member(charge, "packagePrice");
    if (place_required(size))
        place_positive(size, &terms->package_size);
    if (place_required(price))
        place_not_negative(price, &terms->package_price);
}

void package_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    Arena   *arena = pricing->arena;
    Rational packages =
        rational_ceiling(arena, rational_divide(arena, quantity, terms->package_size));
    Step *step = steps_add(pricing->steps, arena, STEP_PACKAGE);
    pricing->units = rational_multiply(arena, packages, terms->package_price);
    pricing->fees = rational_zero();
    step_set_quantity(step, arena, "quantity", quantity);
    step_set_rational(step, arena, "packageSize", terms->package_size);
    step_set_rational(step, arena, "packages", packages);
    step_set_rational(step, arena, "packagePrice", terms->package_price);
    step_set_priced(step, pricing, pricing->units);
}
