// SPDX-License-Identifier: Apache-2.0
// graduated: each tier prices its own units. volume: the one tier that holds q prices all of q.
// A tier holds (upTo before it, upTo]: a fraction just above upTo is in the next, so no quantity
// falls between two tiers. Worked: 38,114,200 on 1000000 @ 0.0009, 50000000 @ 0.0006, rest @ 0.0004
// = 900 + 37,114,200 x 0.0006 = 23168.52.
// graduatedPercentage: each tier takes its share of its own units. 5 on 2 @ 10 % + 10, rest @ 20 %
// + 20 = 0.2 + 10 + 0.6 + 20 = 30.8.
#include "price/model.h"

// unitPrice, or packageSize with packagePrice, or flatFee alone.
static void tier_price_read(Place place, Tier *tier)
{
    Place size = place_member(place, "packageSize"), package = place_member(place, "packagePrice");
    Place unit = place_member(place, "unitPrice"), fee = place_member(place, "flatFee");
    tier->package_size.given = place_positive(size, &tier->package_size.value);
    place_not_negative(package, &tier->package_price);
    place_not_negative(unit, &tier->unit_price);
    place_not_negative(fee, &tier->flat_fee);
    tier->cap.given = place_not_negative(place_member(place, "cap"), &tier->cap.value);
    if ((size.json == NULL) != (package.json == NULL))
        place_fault(place, ERR_PLAN_INVALID, "packageSize and packagePrice go together");
    if (size.json != NULL && unit.json != NULL)
        place_fault(place, ERR_PLAN_INVALID, "a tier has unitPrice or packages, not both");
    if (size.json == NULL && unit.json == NULL && fee.json == NULL)
        place_fault(place, ERR_PLAN_INVALID,
                    "a tier needs unitPrice, packageSize with packagePrice, or flatFee");
}

// ratePercent, flatFee or both.
static void share_read(Place place, Tier *tier)
{
    Place rate = place_member(place, "ratePercent"), fee = place_member(place, "flatFee");
    tier->rate_percent.given = place_not_negative(rate, &tier->rate_percent.value);
    if (tier->rate_percent.given)
        tier->unit_price = rational_divide(place.faults->arena, tier->rate_percent.value,
                                           rational_whole(place.faults->arena, 100));
    place_not_negative(fee, &tier->flat_fee);
    if (rate.json == NULL && fee.json == NULL)
        place_fault(place, ERR_PLAN_INVALID, "a tier needs ratePercent or flatFee");
}

static void bound_read(Place place, const Tier *before, bool is_last, Tier *tier)
{
    Place up_to = place_member(place, "upTo");
    tier->open = up_to.json == NULL;
    if (tier->open != is_last) {
        place_fault(up_to, ERR_PLAN_INVALID, "%s",
                    is_last ? "the last tier is open: it has no upTo"
                            : "every tier but the last has upTo");
        return;
    }
    if (!place_positive(up_to, &tier->up_to) || before == NULL)
        return;
    if (rational_compare(tier->up_to, before->up_to) <= 0)
        place_fault(up_to, ERR_PLAN_INVALID, "upTo must be above that of the tier before");
}

void tiers_read_as(Place charge, PriceTerms *terms, const char *const *members,
                   TierPriceRead *price_read)
{
    Place tiers = place_member(charge, "tiers");
    place_bool(place_member(charge, "flatFeeAtZero"), &terms->flat_fee_at_zero);
    if (!place_required(tiers) || !place_array(tiers, 1, PLAN_TIERS_MAX))
        return;
    size_t index = 0;
    terms->tier_count = tiers.json->count;
    terms->tiers = arena_array(charge.faults->arena, Tier, terms->tier_count);
    for (const Json *json = tiers.json->first; json != NULL; json = json->next, index++) {
        Place place = place_element(tiers, json, index);
        Tier *tier = &terms->tiers[index];
        *tier = (Tier){ .unit_price = rational_zero(),
                        .package_price = rational_zero(),
                        .flat_fee = rational_zero(),
                        .up_to = rational_zero() };
        if (!place_object(place))
            continue;
        place_members(place, members, NULL);
        price_read(place, tier);
        bound_read(place, index == 0 ? NULL : tier - 1, json->next == NULL, tier);
    }
}

void tiers_read(Place charge, const Charge *read, PriceTerms *terms)
{
    static const char *const members[] = { "upTo",        "unitPrice",    "flatFee", "cap",
                                           "packageSize", "packagePrice", NULL };
    (void)read;
    tiers_read_as(charge, terms, members, tier_price_read);
}

void percent_tiers_read(Place charge, const Charge *read, PriceTerms *terms)
{
    static const char *const members[] = { "upTo", "ratePercent", "flatFee", NULL };
    (void)read;
    tiers_read_as(charge, terms, members, share_read);
}

// What the tier's own units cost, up to its cap.
static Rational tier_units(Arena *arena, const Tier *tier, Rational units, Step *step)
{
    Rational amount;
    if (tier->package_size.given) {
        Rational packages =
            rational_ceiling(arena, rational_divide(arena, units, tier->package_size.value));
        amount = rational_multiply(arena, packages, tier->package_price);
        step_set_rational(step, arena, "packageSize", tier->package_size.value);
        step_set_rational(step, arena, "packages", packages);
        step_set_rational(step, arena, "packagePrice", tier->package_price);
    } else {
        amount = rational_multiply(arena, units, tier->unit_price);
        if (tier->rate_percent.given)
            step_set_rational(step, arena, "ratePercent", tier->rate_percent.value);
        else
            step_set_rational(step, arena, "unitPrice", tier->unit_price);
    }
    if (!tier->cap.given)
        return amount;
    step_set_rational(step, arena, "cap", tier->cap.value);
    return rational_least(amount, tier->cap.value);
}

static void tier_add(Pricing *pricing, const Tier *tier, Rational units, bool reached)
{
    Arena   *arena = pricing->arena;
    Step    *step = steps_add(pricing->steps, arena, STEP_TIER);
    Rational amount = tier_units(arena, tier, units, step);
    Rational fee = reached ? tier->flat_fee : rational_zero();
    pricing->units = rational_add(arena, pricing->units, amount);
    pricing->fees = rational_add(arena, pricing->fees, fee);
    if (pricing->shows_fees && rational_sign(fee) != 0) {
        step_set_rational(step, arena, "flatFee", fee);
        amount = rational_add(arena, amount, fee);
    }
    if (!tier->open)
        step_set_rational(step, arena, "upTo", tier->up_to);
    step_set_quantity(step, arena, "quantity", units);
    step_set_priced(step, pricing, amount);
}

// At 0 no tier is reached, unless the plan says that the first tier's fee is due even then. Below 0
// the units are the first tier's, and the charge ends at 0.
static bool ended_at_zero(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    pricing->units = pricing->fees = rational_zero();
    if (rational_sign(quantity) > 0)
        return false;
    if (rational_sign(quantity) < 0 || terms->flat_fee_at_zero)
        tier_add(pricing, &terms->tiers[0], quantity, rational_sign(quantity) == 0);
    return true;
}

void graduated_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    Rational below = rational_zero();
    if (ended_at_zero(pricing, terms, quantity))
        return;
    for (size_t i = 0; i < terms->tier_count && rational_compare(quantity, below) > 0; i++) {
        const Tier *tier = &terms->tiers[i];
        Rational    top = tier->open ? quantity : rational_least(quantity, tier->up_to);
        tier_add(pricing, tier, rational_subtract(pricing->arena, top, below), true);
        below = top;
    }
}

const Tier *tier_holding(const PriceTerms *terms, Rational quantity)
{
    const Tier *tier = terms->tiers;
    while (!tier->open && rational_compare(quantity, tier->up_to) > 0)
        tier++;
    return tier;
}

void volume_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    if (!ended_at_zero(pricing, terms, quantity))
        tier_add(pricing, tier_holding(terms, quantity), quantity, true);
}
