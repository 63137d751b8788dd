// SPDX-License-Identifier: Apache-2.0
// Fractions of 64-bit numbers, with 128 bits in between: a sum of two products of such numbers
// stays below 2^127, so no step can wrap. What 64 bits do not hold goes to fraction.c. Terms are
// lowered before they are multiplied (Knuth, The Art of Computer Programming 2, 4.5.1), so only
// 64-bit divisors are ever looked for.
#include "money/rational.h"

#include "base/assert.h"
#include "base/digits.h"
#include "money/fraction.h"

static bool are_small(Rational a, Rational b)
{
    return a.big == NULL && b.big == NULL;
}

// The greatest common divisor of |number| and divisor > 0, by shifts and differences.
static int64_t divisor_of(int64_t number, int64_t divisor)
{
    uint64_t a = number < 0 ? -(uint64_t)number : (uint64_t)number, b = (uint64_t)divisor;
    if (a == 0 || b == 1)
        return divisor;
    int twos = __builtin_ctzll(a | b);
    a >>= __builtin_ctzll(a);
    while (b != 0) {
        b >>= __builtin_ctzll(b);
        if (a > b) {
            uint64_t larger = a;
            a = b;
            b = larger;
        }
        b -= a;
    }
    return (int64_t)(a << twos);
}

static int64_t rest_of(Int128 number, int64_t divisor)
{
    if (number >= INT64_MIN && number <= INT64_MAX)
        return (int64_t)number % divisor;
    return (int64_t)(number % divisor);
}

Rational fraction_lowest(Arena *arena, Int128 above, int64_t below)
{
    int64_t by = divisor_of(rest_of(above, below), below);
    return fraction_of(arena, above / by, below / by);
}

Rational rational_zero(void)
{
    return (Rational){ 0, 1, NULL };
}

Rational rational_one(void)
{
    return (Rational){ 1, 1, NULL };
}

Rational rational_whole(Arena *arena, int64_t number)
{
    return fraction_of(arena, number, 1);
}

Rational rational_ratio(Arena *arena, int64_t numerator, int64_t denominator)
{
    assert_that(denominator != 0);
    if (denominator == INT64_MIN)
        return rational_divide(arena, rational_whole(arena, numerator),
                               rational_whole(arena, denominator));
    return denominator > 0 ? fraction_lowest(arena, numerator, denominator)
                           : fraction_lowest(arena, -(Int128)numerator, -denominator);
}

Rational rational_of(Arena *arena, Decimal number)
{
    return fraction_lowest(arena, number.e12, digits_power(DECIMAL_PLACES));
}

Rational rational_copy(Arena *arena, Rational number)
{
    return number.big == NULL ? number : fraction_copy(arena, number);
}

bool rational_parse(Arena *arena, Str text, Rational *number)
{
    Decimal decimal;
    if (!decimal_parse(text, DECIMAL_WHOLE_DIGITS, &decimal))
        return fraction_parse(arena, text, number);
    *number = rational_of(arena, decimal);
    return true;
}

// a + b x sign
static Rational sum_of(Arena *arena, Rational a, Rational b, int sign)
{
    int64_t by = divisor_of(a.below, b.below), left = a.below / by, right = b.below / by;
    Int128  above = (Int128)a.above * right + (Int128)b.above * sign * left;
    int64_t again = divisor_of(rest_of(above, by), by);
    return fraction_of(arena, above / again, (Int128)left * (b.below / again));
}

Rational rational_add(Arena *arena, Rational a, Rational b)
{
    return are_small(a, b) ? sum_of(arena, a, b, 1) : fraction_add(arena, a, b);
}

Rational rational_subtract(Arena *arena, Rational a, Rational b)
{
    return are_small(a, b) ? sum_of(arena, a, b, -1) : fraction_subtract(arena, a, b);
}

static Rational product_of(Arena *arena, Rational a, Rational b)
{
    int64_t by = divisor_of(a.above, b.below), also = divisor_of(b.above, a.below);
    return fraction_of(arena, (Int128)(a.above / by) * (b.above / also),
                       (Int128)(a.below / also) * (b.below / by));
}

Rational rational_multiply(Arena *arena, Rational a, Rational b)
{
    return are_small(a, b) ? product_of(arena, a, b) : fraction_multiply(arena, a, b);
}

Rational rational_divide(Arena *arena, Rational a, Rational b)
{
    assert_that(rational_sign(b) != 0);
    if (!are_small(a, b))
        return fraction_divide(arena, a, b);
    Rational turned = b.above < 0 ? (Rational){ -b.below, -b.above, NULL }
                                  : (Rational){ b.below, b.above, NULL };
    return product_of(arena, a, turned);
}

Rational rational_negate(Arena *arena, Rational number)
{
    return rational_subtract(arena, rational_zero(), number);
}

Rational rational_floor(Arena *arena, Rational number)
{
    if (number.big != NULL)
        return fraction_floor(arena, number);
    bool below_zero = number.above % number.below < 0;
    return (Rational){ number.above / number.below - below_zero, 1, NULL };
}

Rational rational_ceiling(Arena *arena, Rational number)
{
    if (number.big != NULL)
        return fraction_ceiling(arena, number);
    bool above_zero = number.above % number.below > 0;
    return (Rational){ number.above / number.below + above_zero, 1, NULL };
}

int rational_compare(Rational a, Rational b)
{
    if (!are_small(a, b))
        return fraction_compare(a, b);
    Int128 left = (Int128)a.above * b.below, right = (Int128)b.above * a.below;
    return (left > right) - (left < right);
}

int rational_sign(Rational number)
{
    if (number.big != NULL)
        return fraction_sign(number);
    return (number.above > 0) - (number.above < 0);
}

Rational rational_least(Rational a, Rational b)
{
    return rational_compare(a, b) <= 0 ? a : b;
}

Rational rational_greatest(Rational a, Rational b)
{
    return rational_compare(a, b) >= 0 ? a : b;
}

// How many places the decimal has when it ends: the denominator is 2^a x 5^b, then max(a, b).
static bool places_needed(int64_t below, int *places)
{
    int twos = __builtin_ctzll((uint64_t)below), fives = 0;
    below >>= twos;
    for (; below % 5 == 0; below /= 5)
        fives++;
    *places = twos > fives ? twos : fives;
    return below == 1;
}

// number / 10^places
static Str point_print(Arena *arena, Int128 number, int places)
{
    char  room[80];
    char *end = room + sizeof room;
    char *at = digits_point_backwards(end, (Uint128)(number < 0 ? -number : number), places);
    if (number < 0)
        *--at = '-';
    return str_copy(arena, (Str){ at, (size_t)(end - at) });
}

Str rational_print(Arena *arena, Rational number)
{
    int places;
    if (number.big != NULL)
        return fraction_print(arena, number);
    if (!places_needed(number.below, &places))
        return str_print(arena, "%ld/%ld", number.above, number.below);
    if (places > DIGITS_POWER_MAX)
        return fraction_print(arena, number);
    return point_print(arena, (Int128)number.above * (digits_power(places) / number.below), places);
}

Str rational_print_quantity(Arena *arena, Rational number)
{
    int places;
    if (number.big != NULL)
        return fraction_print_quantity(arena, number);
    if (places_needed(number.below, &places))
        return rational_print(arena, number);
    // Half away from zero: |above| x 10^12 stays below 2^103.
    Int128 size = number.above < 0 ? -number.above : number.above, below = number.below;
    size = (2 * size * digits_power(DECIMAL_PLACES) + below) / (2 * below);
    return point_print(arena, number.above < 0 ? -size : size, DECIMAL_PLACES);
}
