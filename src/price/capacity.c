// SPDX-License-Identifier: Apache-2.0
// capacity: the amount of the first tier in which every meter fits; the last tier has no limits.
//   (unit1 100, unit2 1000) 10, (200, 2000) 20, rest 30: 100 and 1001 -> 20
#include "price/plan_inside.h"

static size_t meter_place(const PriceTerms *terms, Str meter)
{
    size_t i = 0;
    while (i < terms->meter_count && !str_equal(terms->meters[i], meter))
        i++;
    return i;
}

// The meters that the tiers name, in the order in which they do.
static void meters_read(Place tiers, PriceTerms *terms)
{
    size_t index = 0;
    terms->meters = arena_array(tiers.faults->arena, Str, PLAN_METERS_MAX);
    for (const Json *tier = tiers.json->first; tier != NULL; tier = tier->next, index++) {
        Place limits = place_member(place_element(tiers, tier, index), "limits");
        if (tier->kind != JSON_OBJECT || limits.json == NULL || limits.json->kind != JSON_OBJECT)
            continue;
        for (const Json *limit = limits.json->first; limit != NULL; limit = limit->next) {
            Place place = place_named(limits, limit->name);
            if (meter_place(terms, limit->name) < terms->meter_count ||
                !place_name_is_id(place, limit->name))
                continue;
            if (terms->meter_count == PLAN_METERS_MAX) {
                place_fault(place, ERR_FIELD_INVALID, "a capacity has at most %d meters",
                            PLAN_METERS_MAX);
                return;
            }
            terms->meters[terms->meter_count++] = limit->name;
        }
    }
}

static void tier_read(Place place, const PriceTerms *terms, bool is_last, CapacityTier *tier)
{
    static const char *const members[] = { "limits", "amount", NULL };
    Place limits = place_member(place, "limits"), amount = place_member(place, "amount");
    bool  has_limit = false;
    tier->limits = arena_array(place.faults->arena, Optional, terms->meter_count + 1);
    tier->amount = rational_zero();
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    if (place_required(amount))
        place_not_negative(amount, &tier->amount);
    if (limits.json != NULL && !place_object(limits))
        return;
    for (size_t i = 0; limits.json != NULL && i < terms->meter_count; i++) {
        Place limit = place_named(limits, terms->meters[i]);
        tier->limits[i].given = place_not_negative(limit, &tier->limits[i].value);
        has_limit |= limit.json != NULL;
    }
    if (has_limit == is_last)
        place_fault(limits, ERR_PLAN_INVALID, "%s",
                    is_last ? "the last tier is open: it has no limits"
                            : "every tier but the last has a limit");
}

void capacity_read(Place charge, const Charge *read, PriceTerms *terms)
{
    (void)read;
    Place  tiers = place_member(charge, "tiers");
    size_t index = 0;
    if (!place_required(tiers) || !place_array(tiers, 2, PLAN_TIERS_MAX))
        return;
    meters_read(tiers, terms);
    terms->capacity_count = tiers.json->count;
    terms->capacity = arena_array(charge.faults->arena, CapacityTier, terms->capacity_count);
    for (const Json *tier = tiers.json->first; tier != NULL; tier = tier->next, index++)
        tier_read(place_element(tiers, tier, index), terms, tier->next == NULL,
                  &terms->capacity[index]);
}

static bool fits(const PriceTerms *terms, const CapacityTier *tier, const Rational *quantities)
{
    for (size_t i = 0; i < terms->meter_count; i++)
        if (tier->limits[i].given && rational_compare(quantities[i], tier->limits[i].value) > 0)
            return false;
    return true;
}

void capacity_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    (void)quantity;
    Arena              *arena = pricing->arena;
    const CapacityTier *tier = terms->capacity;
    while (!fits(terms, tier, pricing->quantities))
        tier++;
    for (size_t i = 0; i < terms->meter_count; i++) {
        Step *step = steps_add(pricing->steps, arena, STEP_CAPACITY);
        step_set(step, "tier", str_print(arena, "%zu", (size_t)(tier - terms->capacity)));
        step_set(step, "meter", terms->meters[i]);
        step_set_quantity(step, arena, "quantity", pricing->quantities[i]);
        if (tier->limits[i].given)
            step_set_rational(step, arena, "limit", tier->limits[i].value);
    }
    step_set_rational(steps_add(pricing->steps, arena, STEP_FLAT), arena, "amount", tier->amount);
    pricing->units = tier->amount;
    pricing->fees = rational_zero();
}
