// SPDX-License-Identifier: Apache-2.0
// formula: exact arithmetic over what several meters counted.
//   "max(0, a - 10 * b) * 0.02" with a = 1250, b = 100: 250 x 0.02 = 5
#include "price/formula.h"
#include "price/plan_inside.h"

static void meters_read(Place meters, PriceTerms *terms)
{
    if (!place_required(meters) || !place_object(meters))
        return;
    size_t count = meters.json->count;
    if (count == 0 || count > PLAN_METERS_MAX) {
        place_fault(meters, ERR_FIELD_INVALID, "a formula has 1 to %d meters", PLAN_METERS_MAX);
        return;
    }
    terms->meters = arena_array(meters.faults->arena, Str, count);
    terms->names = arena_array(meters.faults->arena, Str, count);
    for (const Json *member = meters.json->first; member != NULL; member = member->next) {
        Place place = place_named(meters, member->name);
        Str   meter;
        if (!formula_takes_name(member->name))
            place_fault(place, ERR_FIELD_INVALID,
                        "a name begins with a letter, has up to 64 letters, digits and _, and is "
                        "no function");
        if (!place_required(place) || !place_id(place, &meter))
            continue;
        for (size_t i = 0; i < terms->meter_count; i++)
            if (str_equal(terms->meters[i], meter))
                place_fault(place, ERR_PLAN_INVALID, "meter %.*s is named twice", STR_ARG(meter));
        terms->names[terms->meter_count] = member->name;
        terms->meters[terms->meter_count++] = meter;
    }
}

void formula_read(Place charge, const Charge *read, PriceTerms *terms)
{
    Place        expression = place_member(charge, "expression");
    FormulaFault fault;
    (void)read;
    meters_read(place_member(charge, "meters"), terms);
    if (!place_required(expression))
        return;
    if (expression.json->kind != JSON_STRING) {
        place_fault(expression, ERR_FIELD_INVALID, "expression must be a text");
        return;
    }
    terms->expression = expression.json->text;
    terms->formula = formula_parse(charge.faults->arena, terms->expression, terms->names,
                                   terms->meter_count, &fault);
    if (terms->formula == NULL)
        place_fault(expression, ERR_PLAN_INVALID, "at byte %zu of the expression: %.*s", fault.at,
                    STR_ARG(fault.what));
}

void formula_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    Arena *arena = pricing->arena;
    size_t by_zero;
    (void)quantity;
    pricing->units = formula_value(arena, terms->formula, pricing->quantities, &by_zero);
    pricing->fees = rational_zero();
    for (size_t i = 0; i < terms->meter_count; i++) {
        Step *step = steps_add(pricing->steps, arena, STEP_FORMULA);
        step_set(step, "name", terms->names[i]);
        step_set(step, "meter", terms->meters[i]);
        step_set_quantity(step, arena, "quantity", pricing->quantities[i]);
    }
    if (by_zero > 0)
        step_set(steps_add(pricing->steps, arena, STEP_FORMULA), "divisionsByZero",
                 str_print(arena, "%zu", by_zero));
    Step *step = steps_add(pricing->steps, arena, STEP_FORMULA);
    step_set(step, "expression", terms->expression);
    step_set_rational(step, arena, "amount", pricing->units);
}
