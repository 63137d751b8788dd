// SPDX-License-Identifier: Apache-2.0
// Every (line, rate) is a cell with an exact amount. Cells that are rounded together form a group;
// a group's rounded sum is split over its cells, so each sum holds to the minor unit.
#include "price/tax.h"

#include <stdlib.h>

#include "base/assert.h"
#include "money/rounding.h"

const char *const tax_rounding_names[] = { "rate", "line", "lineRate", "invoice", NULL };

bool tax_rounding_find(Str name, TaxRounding *rounding)
{
    for (int i = 0; i < TAX_ROUNDING_COUNT; i++)
        if (str_equal(name, str_of(tax_rounding_names[i]))) {
            *rounding = (TaxRounding)i;
            return true;
        }
    return false;
}

// Minor units of one rate of one line, before and after rounding.
typedef struct Cell {
    size_t   line, place;  // taxes[place] of that line
    size_t   rate;
    size_t   group;
    size_t   number;  // in the order of lines
    Rational exact;
    Rational rest;  // what the floor took
    int64_t  minor;
} Cell;

typedef struct Cells {
    Cell  *at;
    size_t count;
} Cells;

static Err *too_large(Arena *arena)
{
    return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "the taxes come to more than 63 bits of minor units");
}

// ---- exact amounts

// The line without its inclusive taxes, exactly, in minor units.
static Rational base_of(Arena *arena, const TaxQuery *query, const TaxLine *line)
{
    Rational hundred = rational_whole(arena, 100), percent = hundred;
    Rational amount = rational_whole(arena, line->amount.minor);
    for (size_t i = 0; i < line->rate_count; i++)
        if (query->rates[line->rates[i]].inclusive)
            percent = rational_add(arena, percent, query->rates[line->rates[i]].percent);
    return rational_divide(arena, rational_multiply(arena, amount, hundred), percent);
}

static size_t group_of(const TaxQuery *query, const Cell *cell)
{
    switch (query->rounding) {
    case TAX_BY_RATE:
        return cell->rate;
    case TAX_BY_LINE:
        return cell->line;
    case TAX_BY_LINE_RATE:
        return cell->number;
    case TAX_BY_INVOICE:
    case TAX_ROUNDING_COUNT:
        break;
    }
    return 0;
}

static Cells cells_make(Arena *arena, const TaxQuery *query, const TaxLine *lines, size_t count)
{
    Rational hundred = rational_whole(arena, 100);
    Cells    cells = { 0 };
    for (size_t i = 0; i < count; i++)
        cells.count += lines[i].rate_count;
    cells.at = arena_array(arena, Cell, cells.count);
    cells.count = 0;
    for (size_t i = 0; i < count; i++) {
        Rational base = base_of(arena, query, &lines[i]);
        for (size_t k = 0; k < lines[i].rate_count; k++) {
            Cell    *cell = &cells.at[cells.count];
            Rational percent = query->rates[lines[i].rates[k]].percent;
            *cell = (Cell){ .line = i, .place = k, .rate = lines[i].rates[k] };
            cell->number = cells.count++;
            cell->group = group_of(query, cell);
            cell->exact =
                rational_divide(arena, rational_multiply(arena, base, percent), hundred);
        }
    }
    return cells;
}

// ---- rounding

static int by_number(const Cell *left, const Cell *right)
{
    return (left->number > right->number) - (left->number < right->number);
}

static int by_group(const void *a, const void *b)
{
    const Cell *left = a, *right = b;
    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    return by_number(left, right);
}

static int by_rest(const void *a, const void *b)
{
    const Cell *left = a, *right = b;
    int         order = rational_compare(right->rest, left->rest);
    return order != 0 ? order : by_number(left, right);
}

// A whole number of minor units. A currency without places rounds to it.
static bool whole_of(Rational exact, Rounding rounding, int64_t *minor)
{
    Currency units = { .places = 0 };
    Money    amount;
    if (!rounding_money(exact, units, rounding, &amount) || amount.minor == INT64_MIN)
        return false;
    *minor = amount.minor;
    return true;
}

// The cells of one group: floors, and the units that are left to the largest remainders. There are
// never more of those than cells that the floor took something of.
static bool group_round(Arena *arena, Cell *cells, size_t count)
{
    Rational sum = rational_zero();
    int64_t  left;
    for (size_t i = 0; i < count; i++)
        sum = rational_add(arena, sum, cells[i].exact);
    if (!whole_of(sum, ROUND_HALF_UP, &left))
        return false;
    for (size_t i = 0; i < count; i++) {
        Rational floor = rational_floor(arena, cells[i].exact);
        cells[i].rest = rational_subtract(arena, cells[i].exact, floor);
        if (!whole_of(floor, ROUND_DOWN, &cells[i].minor) ||
            __builtin_sub_overflow(left, cells[i].minor, &left))
            return false;
    }
    assert_that(left >= 0 && (uint64_t)left <= count);
    qsort(cells, count, sizeof *cells, by_rest);
    for (int64_t i = 0; i < left; i++)
        cells[i].minor++;
    return true;
}

static bool cells_round(Arena *arena, Cells *cells)
{
    bool fits = true;
    if (cells->count == 0)
        return true;
    qsort(cells->at, cells->count, sizeof *cells->at, by_group);
    for (size_t start = 0, end; start < cells->count && fits; start = end) {
        for (end = start; end < cells->count && cells->at[end].group == cells->at[start].group;)
            end++;
        fits = group_round(arena, cells->at + start, end - start);
    }
    return fits;
}

// ---- sums

static bool line_sum(const TaxQuery *query, TaxLine *line, TaxSum *sums)
{
    line->net = line->amount.minor;
    line->tax = 0;
    for (size_t i = 0; i < line->rate_count; i++) {
        if (__builtin_add_overflow(line->tax, line->taxes[i], &line->tax))
            return false;
        if (query->rates[line->rates[i]].inclusive)
            line->net -= line->taxes[i];  // a part of it
    }
    for (size_t i = 0; i < line->rate_count; i++) {
        TaxSum *sum = &sums[line->rates[i]];
        if (__builtin_add_overflow(sum->tax, line->taxes[i], &sum->tax) ||
            __builtin_add_overflow(sum->net, line->net, &sum->net))
            return false;
    }
    return true;
}

Err *tax_of(Arena *arena, const TaxQuery *query, TaxLine *lines, size_t count, TaxSum *sums)
{
    Cells cells = cells_make(arena, query, lines, count);
    if (!cells_round(arena, &cells))
        return too_large(arena);
    for (size_t i = 0; i < cells.count; i++)
        lines[cells.at[i].line].taxes[cells.at[i].place] = cells.at[i].minor;
    for (size_t i = 0; i < query->rate_count; i++)
        sums[i] = (TaxSum){ 0 };
    for (size_t i = 0; i < count; i++)
        if (!line_sum(query, &lines[i], sums))
            return too_large(arena);
    return NULL;
}
