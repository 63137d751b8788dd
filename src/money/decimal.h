// Quantities and exact amounts: 128-bit fixed point with 12 decimal places. What does not fit is
// refused, never wrapped and never rounded.
#pragma once

#include "base/int128.h"
#include "base/text.h"

typedef struct Decimal {
    Int128 e12;  // the number times 10^12
} Decimal;

enum { DECIMAL_PLACES = 12 };

// What a client may send: a decimal in JSON number grammar (sign, digits, fraction, exponent), with
// at most `whole_digits` significant digits before the point and 12 after it. Trailing zeros do not
// count: "1.00", "1" and "10e-1" are one number. False: not a decimal, or beyond those limits.
bool decimal_parse(Str text, int whole_digits, Decimal *number);
// Whether it is one at all, whatever its size.
bool decimal_is_number(Str text);
enum { DECIMAL_EVENT_DIGITS = 15 };  // the limit of a measurement's value
enum { DECIMAL_WHOLE_DIGITS = 24 };  // what fits: prices, amounts, sums

Decimal decimal_whole(int64_t number);
bool    decimal_add(Decimal a, Decimal b, Decimal *sum) __attribute__((warn_unused_result));
bool    decimal_subtract(Decimal a, Decimal b, Decimal *rest) __attribute__((warn_unused_result));
int     decimal_compare(Decimal a, Decimal b);
int     decimal_sign(Decimal number);

// Without trailing zeros, exponent or "-0".
Str decimal_print(Arena *arena, Decimal number);

// sum / count with 12 places, half to even: what an average shows. count > 0.
Decimal decimal_average(Decimal sum, uint64_t count);
