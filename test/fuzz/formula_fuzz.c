// SPDX-License-Identifier: Apache-2.0
// Any bytes as a formula: never a wild read or a deep fall, a fault always stands within the text,
// and what is taken has one value that is what it is again in brackets.
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "price/formula.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static const Str names[] = { { "a", 1 }, { "b", 1 }, { "zero", 4 } };

// False: it was refused.
static bool value_of(Arena *arena, Str text, Rational *value)
{
    FormulaFault fault = { 0 };
    size_t       by_zero;
    Rational values[] = { rational_whole(arena, 7), rational_ratio(arena, -5, 3), rational_zero() };
    Formula *formula = formula_parse(arena, text, names, 3, &fault);
    assert_that(formula != NULL || (fault.what.length > 0 && fault.at <= text.length));
    if (formula != NULL)
        *value = formula_value(arena, formula, values, &by_zero);
    return formula != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    AUTO(Arena) arena = arena_open();
    Str      text = str_copy(arena, (Str){ (const char *)input, size });
    Rational value, again;
    if (!value_of(arena, text, &value))
        return 0;
    Str around = str_print(arena, "0+( %.*s )", STR_ARG(text));
    if (value_of(arena, around, &again))
        assert_that(rational_compare(value, again) == 0);
    return 0;
}
