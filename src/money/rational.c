// SPDX-License-Identifier: Apache-2.0
// GMP's fractions as immutable values. A result is computed in GMP's own memory, which base gives
// and takes back, and its digits are copied into the arena; so no value has an owner to forget.
#include "money/rational.h"

#include <string.h>

#include "base/assert.h"

static void *limbs_resize(void *at, size_t before, size_t bytes)
{
    (void)before;
    return memory_resize(at, bytes);
}

static void limbs_release(void *at, size_t bytes)
{
    (void)bytes;
    memory_release(at);
}

__attribute__((constructor)) static void limbs_from_base(void)
{
    mp_set_memory_functions(memory_take, limbs_resize, limbs_release);
}

static __mpz_struct whole_keep(Arena *arena, mpz_srcptr number)
{
    size_t       limbs = mpz_size(number);
    __mpz_struct kept = *number;
    kept._mp_alloc = 0;
    kept._mp_d = arena_copy(arena, number->_mp_d, limbs * sizeof(mp_limb_t));
    return kept;
}

// The result of a computation leaves GMP's memory: kept in the arena, the temporary cleared.
static Rational keep(Arena *arena, mpq_t computed)
{
    Rational kept = { { whole_keep(arena, mpq_numref(computed)),
                        whole_keep(arena, mpq_denref(computed)) } };
    mpq_clear(computed);
    return kept;
}

static mp_limb_t one_limb[1] = { 1 };

Rational rational_zero(void)
{
    return (Rational){ { { 0, 0, one_limb }, { 0, 1, one_limb } } };
}

Rational rational_one(void)
{
    return (Rational){ { { 0, 1, one_limb }, { 0, 1, one_limb } } };
}

Rational rational_whole(Arena *arena, int64_t number)
{
    return rational_ratio(arena, number, 1);
}

Rational rational_ratio(Arena *arena, int64_t numerator, int64_t denominator)
{
    assert_that(denominator != 0);
    mpq_t ratio;
    mpq_init(ratio);
    mpz_set_si(mpq_numref(ratio), numerator);
    mpz_set_si(mpq_denref(ratio), denominator);
    mpq_canonicalize(ratio);
    return keep(arena, ratio);
}

Rational rational_of(Arena *arena, Decimal number)
{
    Uint128  size = number.e12 < 0 ? -(Uint128)number.e12 : (Uint128)number.e12;
    uint64_t halves[2] = { (uint64_t)size, (uint64_t)(size >> 64) };
    mpq_t    fraction;
    mpq_init(fraction);
    mpz_import(mpq_numref(fraction), 2, -1, sizeof *halves, 0, 0, halves);
    if (number.e12 < 0)
        mpz_neg(mpq_numref(fraction), mpq_numref(fraction));
    mpz_ui_pow_ui(mpq_denref(fraction), 10, DECIMAL_PLACES);
    mpq_canonicalize(fraction);
    return keep(arena, fraction);
}

Rational rational_copy(Arena *arena, Rational number)
{
    mpq_t copy;
    mpq_init(copy);
    mpq_set(copy, &number.fraction);
    return keep(arena, copy);
}

enum { RATIO_DIGITS_MAX = 200 };

// Whole numbers in plain digits, as rational_print writes them.
static bool whole_parse(Arena *arena, Str text, mpz_t number)
{
    Str digits = text;
    if (digits.length > 0 && digits.at[0] == '-')
        digits = (Str){ digits.at + 1, digits.length - 1 };
    if (digits.length == 0 || digits.length > RATIO_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.length; i++)
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
    return mpz_set_str(number, str_terminated(arena, text), 10) == 0;
}

bool rational_parse(Arena *arena, Str text, Rational *number)
{
    Decimal decimal;
    if (decimal_parse(text, DECIMAL_WHOLE_DIGITS, &decimal)) {
        *number = rational_of(arena, decimal);
        return true;
    }

    mpq_t ratio;
    Str   below = text;
    Str   above = str_cut(&below, '/');
    mpq_init(ratio);
    if (below.at == NULL || !whole_parse(arena, above, mpq_numref(ratio)) ||
        !whole_parse(arena, below, mpq_denref(ratio)) || mpz_sgn(mpq_denref(ratio)) <= 0) {
        mpq_clear(ratio);
        return false;
    }
    mpq_canonicalize(ratio);
    *number = keep(arena, ratio);
    return true;
}

Rational rational_add(Arena *arena, Rational a, Rational b)
{
    mpq_t sum;
    mpq_init(sum);
    mpq_add(sum, &a.fraction, &b.fraction);
    return keep(arena, sum);
}

Rational rational_subtract(Arena *arena, Rational a, Rational b)
{
    mpq_t rest;
    mpq_init(rest);
    mpq_sub(rest, &a.fraction, &b.fraction);
    return keep(arena, rest);
}

Rational rational_multiply(Arena *arena, Rational a, Rational b)
{
    mpq_t product;
    mpq_init(product);
    mpq_mul(product, &a.fraction, &b.fraction);
    return keep(arena, product);
}

Rational rational_divide(Arena *arena, Rational a, Rational b)
{
    assert_that(rational_sign(b) != 0);
    mpq_t quotient;
    mpq_init(quotient);
    mpq_div(quotient, &a.fraction, &b.fraction);
    return keep(arena, quotient);
}

Rational rational_negate(Arena *arena, Rational number)
{
    return rational_subtract(arena, rational_zero(), number);
}

Rational rational_floor(Arena *arena, Rational number)
{
    mpq_t whole;
    mpq_init(whole);
    mpz_fdiv_q(mpq_numref(whole), mpq_numref(&number.fraction), mpq_denref(&number.fraction));
    return keep(arena, whole);
}

Rational rational_ceiling(Arena *arena, Rational number)
{
    mpq_t whole;
    mpq_init(whole);
    mpz_cdiv_q(mpq_numref(whole), mpq_numref(&number.fraction), mpq_denref(&number.fraction));
    return keep(arena, whole);
}

int rational_compare(Rational a, Rational b)
{
    int order = mpq_cmp(&a.fraction, &b.fraction);
    return (order > 0) - (order < 0);
}

int rational_sign(Rational number)
{
    return mpq_sgn(&number.fraction);
}

Rational rational_least(Rational a, Rational b)
{
    return rational_compare(a, b) <= 0 ? a : b;
}

Rational rational_greatest(Rational a, Rational b)
{
    return rational_compare(a, b) >= 0 ? a : b;
}

static Str whole_print(Arena *arena, mpz_srcptr number)
{
    char *at = arena_take(arena, mpz_sizeinbase(number, 10) + 2);
    mpz_get_str(at, 10, number);
    return str_of(at);
}

// How many places the decimal has when it ends: the denominator is 2^a x 5^b, then max(a, b).
static bool places_needed(mpq_srcptr fraction, unsigned long *places)
{
    mpz_t rest, prime;
    mpz_init(rest);
    mpz_init_set_ui(prime, 2);
    unsigned long twos = mpz_remove(rest, mpq_denref(fraction), prime);
    mpz_set_ui(prime, 5);
    unsigned long fives = mpz_remove(rest, rest, prime);
    bool          ends = mpz_cmp_ui(rest, 1) == 0;
    mpz_clear(rest);
    mpz_clear(prime);
    *places = twos > fives ? twos : fives;
    return ends;
}

// scaled / 10^places as text. `scaled` has no trailing zero unless places is 0.
static Str point_print(Arena *arena, mpz_srcptr scaled, unsigned long places)
{
    Str  digits = whole_print(arena, scaled);
    bool negative = digits.at[0] == '-';
    Text text = text_open(arena);
    if (places == 0)
        return digits;
    if (negative) {
        text_add_char(&text, '-');
        digits = (Str){ digits.at + 1, digits.length - 1 };
    }
    if (digits.length <= places) {
        text_add(&text, STR("0."));
        for (unsigned long i = digits.length; i < places; i++)
            text_add_char(&text, '0');
        text_add(&text, digits);
        return text_str(&text);
    }
    size_t whole = digits.length - places;
    text_add_bytes(&text, digits.at, whole);
    text_add_char(&text, '.');
    text_add_bytes(&text, digits.at + whole, places);
    return text_str(&text);
}

Str rational_print(Arena *arena, Rational number)
{
    unsigned long places;
    if (!places_needed(&number.fraction, &places)) {
        Str above = whole_print(arena, mpq_numref(&number.fraction));
        Str below = whole_print(arena, mpq_denref(&number.fraction));
        return str_print(arena, "%.*s/%.*s", STR_ARG(above), STR_ARG(below));
    }
    mpz_t scaled;
    mpz_init(scaled);
    mpz_ui_pow_ui(scaled, 10, places);
    mpz_mul(scaled, scaled, mpq_numref(&number.fraction));
    mpz_divexact(scaled, scaled, mpq_denref(&number.fraction));
    Str text = point_print(arena, scaled, places);
    mpz_clear(scaled);
    return text;
}

// round(|x| * 10^12) half up, with the sign of x.
static Rational twelve_places(Arena *arena, Rational number)
{
    mpq_t rounded;
    mpz_t divisor;
    mpq_init(rounded);
    mpz_init(divisor);
    mpz_ui_pow_ui(mpq_numref(rounded), 10, DECIMAL_PLACES);
    mpz_mul(mpq_numref(rounded), mpq_numref(rounded), mpq_numref(&number.fraction));
    mpz_abs(mpq_numref(rounded), mpq_numref(rounded));
    mpz_mul_2exp(mpq_numref(rounded), mpq_numref(rounded), 1);
    mpz_add(mpq_numref(rounded), mpq_numref(rounded), mpq_denref(&number.fraction));
    mpz_mul_2exp(divisor, mpq_denref(&number.fraction), 1);
    mpz_fdiv_q(mpq_numref(rounded), mpq_numref(rounded), divisor);
    if (rational_sign(number) < 0)
        mpz_neg(mpq_numref(rounded), mpq_numref(rounded));
    mpz_ui_pow_ui(mpq_denref(rounded), 10, DECIMAL_PLACES);
    mpz_clear(divisor);
    mpq_canonicalize(rounded);
    return keep(arena, rounded);
}

Str rational_print_quantity(Arena *arena, Rational number)
{
    unsigned long places;
    if (places_needed(&number.fraction, &places))
        return rational_print(arena, number);
    return rational_print(arena, twelve_places(arena, number));
}
