// SPDX-License-Identifier: Apache-2.0
#include "base/digits.h"

#include "in_arena.h"

static void test_digits_of_any_128_bits(void **state)
{
    (void)state;
    static const struct {
        Uint128     number;
        int         places;
        const char *text;
    } rows[] = {
        { 0, 0, "0" },
        { 0, 12, "0" },
        { 10, 3, "0.01" },
        { 100, 1, "10" },
        { 15, 1, "1.5" },
        { UINT64_MAX, 0, "18446744073709551615" },
        { (Uint128)UINT64_MAX + 1, 20, "0.18446744073709551616" },
        { ~(Uint128)0, 0, "340282366920938463463374607431768211455" },
        { ~(Uint128)0, 38, "3.40282366920938463463374607431768211455" },
        { (Uint128)1000000000000000000 * 1000000000000000000, 0,
          "1000000000000000000000000000000000000" },
        { (Uint128)1000000000000000000 * 1000000000000000000, 36, "1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char  room[80];
        char *end = room + sizeof room;
        char *at = digits_point_backwards(end, rows[i].number, rows[i].places);
        assert_text(((Str){ at, (size_t)(end - at) }), rows[i].text);
    }
}

static void test_digits_with_leading_zeros(void **state)
{
    (void)state;
    char  room[8];
    char *end = room + sizeof room;
    char *at = digits_fixed_backwards(end, 1042, 3);
    assert_text(((Str){ at, (size_t)(end - at) }), "042");
    assert_ptr_equal(digits_fixed_backwards(end, 7, 0), end);
}

static void test_powers_of_ten(void **state)
{
    (void)state;
    int64_t power = 1;
    for (int i = 0; i <= DIGITS_POWER_MAX; i++, power *= i <= DIGITS_POWER_MAX ? 10 : 1)
        assert_int_equal(digits_power(i), power);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_digits_of_any_128_bits),
        test_of(test_digits_with_leading_zeros),
        test_of(test_powers_of_ten),
    };
    return cmocka_run_group_tests_name("base/digits", tests, NULL, NULL);
}
