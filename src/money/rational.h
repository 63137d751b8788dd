// Exact fractions, of any size. Everything between a quantity and a rounded amount is one. A
// Rational is an immutable value, copied freely and never given back by hand: always in lowest
// terms; in two 64-bit numbers when they hold it, else in digits that live in the arena it was made
// in. Which of the two depends on the value alone. Only money looks inside.
#pragma once

#include "money/decimal.h"

typedef struct Rational {
    int64_t                above, below;  // above / below; below > 0, |above| <= INT64_MAX
    const struct Fraction *big;           // not NULL: this one instead
} Rational;

Rational rational_zero(void);
Rational rational_one(void);
Rational rational_whole(Arena *arena, int64_t number);
Rational rational_ratio(Arena *arena, int64_t numerator, int64_t denominator);  // denominator != 0
Rational rational_of(Arena *arena, Decimal number);
Rational rational_copy(Arena *arena, Rational number);  // into another lifetime

// A decimal as decimal_parse reads it (DECIMAL_WHOLE_DIGITS), or "p/q" of two whole numbers of at
// most 200 digits as rational_print writes it. False: neither.
bool rational_parse(Arena *arena, Str text, Rational *number);

Rational rational_add(Arena *arena, Rational a, Rational b);
Rational rational_subtract(Arena *arena, Rational a, Rational b);
Rational rational_multiply(Arena *arena, Rational a, Rational b);
Rational rational_divide(Arena *arena, Rational a, Rational b);  // b != 0
Rational rational_negate(Arena *arena, Rational number);
Rational rational_floor(Arena *arena, Rational number);    // toward minus infinity
Rational rational_ceiling(Arena *arena, Rational number);  // toward plus infinity

int      rational_compare(Rational a, Rational b);
int      rational_sign(Rational number);
Rational rational_least(Rational a, Rational b);
Rational rational_greatest(Rational a, Rational b);

// Exact: a decimal without trailing zeros, exponent or "-0" when it ends, else "p/q" in lowest
// terms.
Str rational_print(Arena *arena, Rational number);

// For quantities: exact when the decimal ends, else 12 places, half away from zero.
Str rational_print_quantity(Arena *arena, Rational number);
