// SPDX-License-Identifier: Apache-2.0
// Two ways to compute with fractions, in 64 bits and in any size, must agree on every value: random
// ones, those around the limits of 64 and 128 bits, and where they change over.
#include "money/fraction.h"

#include <string.h>

#include "base/digits.h"
#include "base/random.h"
#include "in_arena.h"
#include "money/rounding.h"

static const int64_t edges[] = {
    0,
    1,
    2,
    3,
    5,
    10,
    97,
    INT32_MAX,
    UINT32_MAX,
    INT64_C(1) << 32,
    INT64_C(3037000500),  // its square is just above int64
    INT64_C(1000000000000),
    INT64_C(1000000000000000000),
    INT64_C(1) << 62,
    INT64_MAX / 2,
    INT64_MAX - 1,
    INT64_MAX,
};

// Of every size, and often at an edge.
static int64_t any_size(Seeded *seeded)
{
    if (seeded_below(seeded, 3) == 0)
        return edges[seeded_below(seeded, sizeof edges / sizeof *edges)];
    return (int64_t)(seeded_below(seeded, INT64_MAX) >> seeded_below(seeded, 63));
}

static Rational any(Seeded *seeded)
{
    int64_t  sign = seeded_below(seeded, 2) == 0 ? 1 : -1, below = any_size(seeded);
    Rational number = rational_ratio(arena, sign * any_size(seeded), below == 0 ? 1 : below);
    if (seeded_below(seeded, 8) == 0)  // one that 64 bits do not hold
        number = fraction_multiply(arena, number, rational_ratio(arena, INT64_MAX, 3));
    return number;
}

// One value has one form: the same two numbers, or the same digits.
static void assert_same(Rational a, Rational b)
{
    assert_true((a.big == NULL) == (b.big == NULL));
    if (a.big == NULL) {
        assert_int_equal(a.above, b.above);
        assert_int_equal(a.below, b.below);
    } else
        assert_true(mpq_equal(&a.big->ratio, &b.big->ratio));
}

static void assert_lowest(Rational number)
{
    FractionView room;
    mpq_t        again;
    mpq_init(again);
    mpq_set(again, fraction_view(&number, &room));
    mpq_canonicalize(again);
    assert_true(mpq_equal(again, fraction_view(&number, &room)));
    assert_true(mpz_sgn(mpq_denref(again)) > 0);
    mpq_clear(again);
}

static void test_both_ways_agree_on_arithmetic(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(21);
    for (int round = 0; round < 60000; round++) {
        Rational a = any(&seeded), b = any(&seeded);
        Rational sum = rational_add(arena, a, b);
        assert_same(sum, fraction_add(arena, a, b));
        assert_lowest(sum);
        assert_same(rational_subtract(arena, a, b), fraction_subtract(arena, a, b));
        assert_same(rational_multiply(arena, a, b), fraction_multiply(arena, a, b));
        if (rational_sign(b) != 0)
            assert_same(rational_divide(arena, a, b), fraction_divide(arena, a, b));
        assert_same(rational_negate(arena, a), fraction_subtract(arena, rational_zero(), a));
        assert_same(rational_copy(arena, a), fraction_copy(arena, a));
        if (round % 1000 == 0)
            arena_reset(arena);
    }
}

static void test_both_ways_agree_on_order_and_whole_numbers(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(22);
    for (int round = 0; round < 60000; round++) {
        Rational a = any(&seeded), b = seeded_below(&seeded, 5) == 0 ? a : any(&seeded);
        assert_int_equal(rational_compare(a, b), fraction_compare(a, b));
        assert_int_equal(rational_sign(a), fraction_sign(a));
        assert_same(rational_floor(arena, a), fraction_floor(arena, a));
        assert_same(rational_ceiling(arena, a), fraction_ceiling(arena, a));
        if (round % 1000 == 0)
            arena_reset(arena);
    }
}

static void assert_texts(Str a, Str b)
{
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.at, b.at, a.length);
}

static void test_both_ways_print_the_same_and_read_it_back(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(23);
    for (int round = 0; round < 30000; round++) {
        Rational a = any(&seeded), again;
        if (seeded_below(&seeded, 2) == 0)  // decimals that end, of every length
            a = rational_ratio(arena, any_size(&seeded),
                               digits_power((int)seeded_below(&seeded, DIGITS_POWER_MAX + 1)));
        Str text = rational_print(arena, a);
        assert_texts(text, fraction_print(arena, a));
        assert_texts(rational_print_quantity(arena, a), fraction_print_quantity(arena, a));
        if (rational_parse(arena, text, &again))  // decimals beyond its limits are not read
            assert_same(a, again);
        else
            assert_null(memchr(text.at, '/', text.length));
        if (round % 1000 == 0)
            arena_reset(arena);
    }
}

// Thousandths, when int64 holds them.
static void check_money(Rational a, Currency dinar, Rounding rounding)
{
    Money    money;
    Rational rounded = rounding_places(arena, a, rounding, 3);
    Rational minor = rational_multiply(arena, rounded, rational_whole(arena, 1000));
    bool     is_least = rational_compare(minor, rational_whole(arena, INT64_MIN)) == 0;
    assert_true(rounding_money(a, dinar, rounding, &money) == (minor.big == NULL || is_least));
    if (minor.big == NULL)
        assert_same(money_exact(arena, money), rounded);
}

// x + big - big goes the other way and must come back to the same value, rounded the same.
static void test_rounding_is_the_same_at_any_size(void **state)
{
    (void)state;
    Seeded   seeded = seeded_of(24);
    Rational ten_to_40 = rational_one();
    Currency currency;
    assert_true(currency_find(STR("KWD"), &currency));
    for (int i = 0; i < 40; i++)
        ten_to_40 = rational_multiply(arena, ten_to_40, rational_whole(arena, 10));
    ten_to_40 = rational_multiply(arena, ten_to_40, rational_whole(arena, 2));
    for (int round = 0; round < 30000; round++) {
        Rational a = any(&seeded);
        if (seeded_below(&seeded, 3) == 0)  // halves
            a = rational_ratio(arena, 2 * (int64_t)seeded_below(&seeded, 99999) - 99999, 2000);
        Rounding rounding = (Rounding)seeded_below(&seeded, ROUNDING_COUNT);
        int      places = (int)seeded_below(&seeded, 37) - 18;
        bool     negative = rational_sign(a) < 0;
        Rational far = negative ? rational_subtract(arena, a, ten_to_40)
                                : rational_add(arena, a, ten_to_40);
        assert_non_null(far.big);
        Rational near = rounding_places(arena, a, rounding, places),
                 back = rounding_places(arena, far, rounding, places);
        back = negative ? rational_add(arena, back, ten_to_40)
                        : rational_subtract(arena, back, ten_to_40);
        assert_same(near, back);
        check_money(a, currency, rounding);
    }
}

static void test_a_view_of_the_least_and_the_most(void **state)
{
    (void)state;
    Rational least = rational_whole(arena, INT64_MIN);
    assert_non_null(least.big);
    assert_text(rational_print(arena, least), "-9223372036854775808");
    assert_text(rational_print(arena, rational_ratio(arena, 3, INT64_MIN)),
                "-0.000000000000000000325260651745651330202235840260982513427734375");
    assert_same(rational_ratio(arena, INT64_MIN, INT64_MIN), rational_one());
    assert_text(rational_print(arena, rational_ratio(arena, INT64_MIN, -1)),
                "9223372036854775808");
    Rational most = rational_whole(arena, INT64_MAX);
    assert_null(most.big);
    assert_null(rational_negate(arena, most).big);
    assert_same(rational_subtract(arena, least, rational_one()),
                rational_multiply(arena, rational_add(arena, most, rational_whole(arena, 2)),
                                  rational_whole(arena, -1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_both_ways_agree_on_arithmetic),
        test_of(test_both_ways_agree_on_order_and_whole_numbers),
        test_of(test_both_ways_print_the_same_and_read_it_back),
        test_of(test_rounding_is_the_same_at_any_size),
        test_of(test_a_view_of_the_least_and_the_most),
    };
    return cmocka_run_group_tests_name("money/fraction", tests, NULL, NULL);
}
