// SPDX-License-Identifier: Apache-2.0
// matrix: q x the price of its cell, summed over the groups of the matrix's dimensions. A cell may
// leave dimensions out; of several that hold the most specific one counts, and cells of which that
// is not decided are refused.
//   12 in eu-1 @ 2, 5 in us-1 @ 1, 1 elsewhere @ 3 = 24 + 5 + 3 = 32
#include "price/plan_inside.h"

static bool is_dimension(const PriceTerms *terms, Str key)
{
    for (size_t i = 0; i < terms->dimension_count; i++)
        if (str_equal(terms->dimensions[i], key))
            return true;
    return false;
}

static void cell_check(Place place, const PriceTerms *terms, const MatrixCell *cell)
{
    Place when = place_member(place, "when");
    for (size_t i = 0; i < cell->when.count; i++)
        if (!is_dimension(terms, cell->when.terms[i].key))
            place_fault(place_named(when, cell->when.terms[i].key), ERR_PLAN_INVALID,
                        "%.*s is not in dimensions", STR_ARG(cell->when.terms[i].key));
    for (const MatrixCell *other = terms->cells; other < cell; other++) {
        bool within = filter_within(&cell->when, &other->when);
        if (within != filter_within(&other->when, &cell->when) ||
            (!within && filter_apart(&cell->when, &other->when)))
            continue;
        place_fault(when, ERR_PLAN_INVALID,
                    "the cell overlaps cell %zu and neither is more specific",
                    (size_t)(other - terms->cells));
        return;
    }
}

static void cell_read(Place place, PriceTerms *terms, MatrixCell *cell)
{
    static const char *const members[] = { "when", "unitPrice", NULL };
    Place when = place_member(place, "when"), price = place_member(place, "unitPrice");
    cell->unit_price = rational_zero();
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    if (place_required(when))
        plan_when_read(when, &cell->when);
    if (place_required(price))
        place_not_negative(price, &cell->unit_price);
    cell_check(place, terms, cell);
}

void matrix_read(Place charge, const Charge *read, PriceTerms *terms)
{
    (void)read;
    Place  dimensions = place_member(charge, "dimensions"), cells = place_member(charge, "cells");
    Place  other = place_member(charge, "defaultUnitPrice");
    size_t index = 0;
    if (place_required(dimensions))
        plan_groups_read(dimensions, &terms->dimensions, &terms->dimension_count);
    if (place_required(other))
        place_not_negative(other, &terms->unit_price);
    if (!place_required(cells) || !place_array(cells, 1, PLAN_CELLS_MAX))
        return;
    terms->cells = arena_array(charge.faults->arena, MatrixCell, cells.json->count);
    terms->cell_count = cells.json->count;
    for (const Json *cell = cells.json->first; cell != NULL; cell = cell->next, index++)
        cell_read(place_element(cells, cell, index), terms, &terms->cells[index]);
}

// NULL: none holds.
static const MatrixCell *cell_of(const PriceTerms *terms, const NamedText *texts)
{
    const MatrixCell *found = NULL;
    for (size_t i = 0; i < terms->cell_count; i++) {
        const MatrixCell *cell = &terms->cells[i];
        if (filter_matches(&cell->when, texts, terms->dimension_count) &&
            (found == NULL || filter_within(&cell->when, &found->when)))
            found = cell;
    }
    return found;
}

// {"region":"eu-1"}: the group, with null for what is absent.
static Str cell_print(Arena *arena, const NamedText *texts, size_t count)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_object(&out);
    for (size_t i = 0; i < count; i++)
        if (texts[i].text.at != NULL)
            json_string_member(&out, str_terminated(arena, texts[i].name), texts[i].text);
    json_object_end(&out);
    return text_str(&text);
}

void matrix_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    Arena            *arena = pricing->arena;
    const MatrixCell *cell = cell_of(terms, pricing->cell);
    Rational          price = cell == NULL ? terms->unit_price : cell->unit_price;
    Step             *step = steps_add(pricing->steps, arena, STEP_CELL);
    pricing->units = rational_multiply(arena, quantity, price);
    pricing->fees = rational_zero();
    step_set(step, "cell", cell_print(arena, pricing->cell, terms->dimension_count));
    step_set_quantity(step, arena, "quantity", quantity);
    step_set_rational(step, arena, "unitPrice", price);
    step_set_priced(step, pricing, pricing->units);
}
