// SPDX-License-Identifier: Apache-2.0
// The four ways to a whole number, in one place. Ties are decided on the exact fraction, so 3.685
// is a tie and never 3.68499999.
#include "money/rounding.h"

#include "base/assert.h"
#include "base/digits.h"
#include "money/fraction.h"

static const char *const names[ROUNDING_COUNT] = {
    [ROUND_HALF_UP] = "halfUp",
    [ROUND_HALF_EVEN] = "halfEven",
    [ROUND_UP] = "up",
    [ROUND_DOWN] = "down",
};

const char *rounding_name(Rounding rounding)
{
    assert_that(rounding < ROUNDING_COUNT);
    return names[rounding];
}

bool rounding_find(Str name, Rounding *rounding)
{
    for (int i = 0; i < ROUNDING_COUNT; i++)
        if (str_equal(name, str_of(names[i]))) {
            *rounding = (Rounding)i;
            return true;
        }
    return false;
}

// Whether what was cut off toward zero, something, calls for one more: its order to a half.
static bool goes_away(Rounding rounding, int to_half, bool odd)
{
    switch (rounding) {
    case ROUND_HALF_UP:
        return to_half >= 0;
    case ROUND_HALF_EVEN:
        return to_half > 0 || (to_half == 0 && odd);
    case ROUND_UP:
        return true;
    case ROUND_DOWN:
    case ROUNDING_COUNT:
        break;
    }
    return false;
}

static Int128 whole_of(Int128 numerator, Int128 denominator, Rounding rounding)
{
    Int128 whole = numerator / denominator, rest = numerator % denominator;
    if (rest == 0)
        return whole;
    Int128 size = rest < 0 ? -rest : rest, to_one = size - (denominator - size);
    int    order = (to_one > 0) - (to_one < 0);
    if (!goes_away(rounding, order, (whole & 1) != 0))
        return whole;
    return numerator < 0 ? whole - 1 : whole + 1;
}

// The same of any size, into `numerator`.
static void big_whole_of(mpz_t numerator, mpz_srcptr denominator, Rounding rounding)
{
    mpz_t rest;
    mpz_init(rest);
    int sign = mpz_sgn(numerator);
    mpz_tdiv_qr(numerator, rest, numerator, denominator);
    bool has_rest = mpz_sgn(rest) != 0;
    mpz_mul_2exp(rest, rest, 1);
    if (has_rest && goes_away(rounding, mpz_cmpabs(rest, denominator), mpz_odd_p(numerator) != 0)) {
        if (sign > 0)
            mpz_add_ui(numerator, numerator, 1);
        else
            mpz_sub_ui(numerator, numerator, 1);
    }
    mpz_clear(rest);
}

// exact x 10^places as a whole number: 64 bits times 10^18 stay within 128.
static Int128 scaled_whole(Rational exact, Rounding rounding, int places)
{
    Int128 power = digits_power(places < 0 ? -places : places);
    return places < 0 ? whole_of(exact.above, exact.below * power, rounding)
                      : whole_of(exact.above * power, exact.below, rounding);
}

static void big_scaled_whole(mpz_t whole, Rational exact, Rounding rounding, int places)
{
    FractionView room;
    mpq_srcptr   ratio = fraction_view(&exact, &room);
    mpz_t        power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, (unsigned long)(places < 0 ? -places : places));
    if (places >= 0) {
        mpz_mul(whole, mpq_numref(ratio), power);
        mpz_set(power, mpq_denref(ratio));
    } else {
        mpz_set(whole, mpq_numref(ratio));
        mpz_mul(power, power, mpq_denref(ratio));
    }
    big_whole_of(whole, power, rounding);
    mpz_clear(power);
}

static Rational big_places(Arena *arena, Rational exact, Rounding rounding, int places)
{
    mpq_t rounded;
    mpz_t power;
    mpq_init(rounded);
    mpz_init(power);
    big_scaled_whole(mpq_numref(rounded), exact, rounding, places);
    mpz_ui_pow_ui(power, 10, (unsigned long)(places < 0 ? -places : places));
    if (places >= 0)
        mpz_set(mpq_denref(rounded), power);
    else
        mpz_mul(mpq_numref(rounded), mpq_numref(rounded), power);
    mpq_canonicalize(rounded);
    mpz_clear(power);
    return fraction_keep(arena, rounded);
}

Rational rounding_places(Arena *arena, Rational exact, Rounding rounding, int places)
{
    assert_that(places >= -DIGITS_POWER_MAX && places <= DIGITS_POWER_MAX);
    if (exact.big != NULL)
        return big_places(arena, exact, rounding, places);
    Int128 whole = scaled_whole(exact, rounding, places);
    return places < 0 ? fraction_of(arena, whole * digits_power(-places), 1)
                      : fraction_lowest(arena, whole, digits_power(places));
}

static bool big_money(Rational exact, Currency currency, Rounding rounding, int64_t *minor)
{
    mpz_t whole;
    mpz_init(whole);
    big_scaled_whole(whole, exact, rounding, currency.places);
    bool fits = mpz_fits_slong_p(whole) != 0;
    if (fits)
        *minor = mpz_get_si(whole);
    mpz_clear(whole);
    return fits;
}

bool rounding_money(Rational exact, Currency currency, Rounding rounding, Money *amount)
{
    int64_t minor;
    if (exact.big != NULL) {
        if (!big_money(exact, currency, rounding, &minor))
            return false;
    } else {
        Int128 whole = scaled_whole(exact, rounding, currency.places);
        minor = (int64_t)whole;
        if (minor != whole)
            return false;
    }
    *amount = (Money){ minor, currency };
    return true;
}
