// SPDX-License-Identifier: Apache-2.0
// The four ways to a whole number, in one place. Ties are decided on the exact fraction, so 3.685
// is a tie and never 3.68499999.
#include "money/rounding.h"

#include "base/assert.h"

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

// Whether what was cut off toward zero calls for one more. rest2 = twice the rest, compared with
// one.
static bool goes_away(Rounding rounding, int rest2_to_one, bool rest, bool odd)
{
    switch (rounding) {
    case ROUND_HALF_UP:
        return rest2_to_one >= 0;
    case ROUND_HALF_EVEN:
        return rest2_to_one > 0 || (rest2_to_one == 0 && odd);
    case ROUND_UP:
        return rest;
    case ROUND_DOWN:
    case ROUNDING_COUNT:
        return false;
    }
    return false;
}

// numerator / denominator as a whole number, into `numerator`.
static void to_whole(mpz_t numerator, mpz_srcptr denominator, Rounding rounding)
{
    mpz_t rest;
    mpz_init(rest);
    int sign = mpz_sgn(numerator);
    mpz_tdiv_qr(numerator, rest, numerator, denominator);
    bool has_rest = mpz_sgn(rest) != 0;
    mpz_mul_2exp(rest, rest, 1);
    if (has_rest &&
        goes_away(rounding, mpz_cmpabs(rest, denominator), has_rest, mpz_odd_p(numerator))) {
        if (sign > 0)
            mpz_add_ui(numerator, numerator, 1);
        else
            mpz_sub_ui(numerator, numerator, 1);
    }
    mpz_clear(rest);
}

// exact x 10^places as a whole number.
static void scaled_whole(mpz_t whole, Rational exact, Rounding rounding, int places)
{
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, (unsigned long)(places < 0 ? -places : places));
    if (places >= 0) {
        mpz_mul(whole, mpq_numref(&exact.fraction), power);
        mpz_set(power, mpq_denref(&exact.fraction));
    } else {
        mpz_set(whole, mpq_numref(&exact.fraction));
        mpz_mul(power, power, mpq_denref(&exact.fraction));
    }
    to_whole(whole, power, rounding);
    mpz_clear(power);
}

Rational rounding_places(Arena *arena, Rational exact, Rounding rounding, int places)
{
    assert_that(places >= -18 && places <= 18);
    mpq_t rounded;
    mpz_t power;
    mpq_init(rounded);
    mpz_init(power);
    scaled_whole(mpq_numref(rounded), exact, rounding, places);
    mpz_ui_pow_ui(power, 10, (unsigned long)(places < 0 ? -places : places));
    if (places >= 0)
        mpz_set(mpq_denref(rounded), power);
    else
        mpz_mul(mpq_numref(rounded), mpq_numref(rounded), power);
    mpq_canonicalize(rounded);
    Rational kept = rational_copy(arena, (Rational){ *rounded });
    mpz_clear(power);
    mpq_clear(rounded);
    return kept;
}

bool rounding_money(Rational exact, Currency currency, Rounding rounding, Money *amount)
{
    mpz_t minor;
    mpz_init(minor);
    scaled_whole(minor, exact, rounding, currency.places);
    bool fits = mpz_fits_slong_p(minor);
    if (fits)
        *amount = (Money){ mpz_get_si(minor), currency };
    mpz_clear(minor);
    return fits;
}
