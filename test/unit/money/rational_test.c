// SPDX-License-Identifier: Apache-2.0
#include "money/rational.h"

#include <string.h>

#include "in_arena.h"

static Rational number(const char *text)
{
    Rational parsed;
    assert_true(rational_parse(arena, str_of(text), &parsed));
    return parsed;
}

static void test_prints_a_decimal_when_it_ends_and_a_fraction_when_not(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed, *quantity;
    } rows[] = {
        { "0", "0", "0" },
        { "-0", "0", "0" },
        { "2.500", "2.5", "2.5" },
        { "1/2", "0.5", "0.5" },
        { "6/4", "1.5", "1.5" },
        { "-1/8", "-0.125", "-0.125" },
        { "1/3", "1/3", "0.333333333333" },
        { "-2/3", "-2/3", "-0.666666666667" },
        { "10/3", "10/3", "3.333333333333" },
        { "4/6", "2/3", "0.666666666667" },
        { "1/1024", "0.0009765625", "0.0009765625" },
        { "1/1099511627776", "0.0000000000009094947017729282379150390625",
          "0.0000000000009094947017729282379150390625" },
        { "100/1", "100", "100" },
        { "1/30000000000000", "1/30000000000000", "0" },
        { "1/1500000000000", "1/1500000000000", "0.000000000001" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_text(rational_print(arena, number(rows[i].text)), rows[i].printed);
        assert_text(rational_print_quantity(arena, number(rows[i].text)), rows[i].quantity);
    }
}

static void test_what_it_prints_it_reads(void **state)
{
    (void)state;
    static const char *const texts[] = { "1/3", "-22/7", "0.000000000001", "123456789.5", "0" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_text(rational_print(arena, number(texts[i])), texts[i]);
    Rational                 refused;
    static const char *const wrong[] = { "",    "1/0",   "1/-3", "/3",   "1/",
                                         "a/b", "1/3/4", "+1/3", "1 /3", "1.5/2" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(rational_parse(arena, str_of(wrong[i]), &refused));
    char digits[203] = "1/";
    memset(digits + 2, '7', 200);
    assert_true(rational_parse(arena, (Str){ digits, 202 }, &refused));
    assert_text(rational_print(arena, rational_divide(arena, rational_one(), refused)),
                str_terminated(arena, (Str){ digits + 2, 200 }));
    digits[202] = '7';
    assert_false(rational_parse(arena, (Str){ digits, 203 }, &refused));
}

static void test_arithmetic_is_exact(void **state)
{
    (void)state;
    Rational third = number("1/3"), tenth = number("0.1"), sum = rational_zero();
    for (int i = 0; i < 10; i++)
        sum = rational_add(arena, sum, tenth);
    assert_int_equal(rational_compare(sum, rational_one()), 0);
    assert_text(rational_print(arena, rational_multiply(arena, third, number("3"))), "1");
    assert_text(rational_print(arena, rational_subtract(arena, third, number("0.5"))), "-1/6");
    assert_text(rational_print(arena, rational_divide(arena, third, number("-0.25"))), "-4/3");
    assert_text(rational_print(arena, rational_negate(arena, third)), "-1/3");
    assert_text(rational_print(arena, rational_ratio(arena, 14, -28)), "-0.5");
    assert_text(rational_print(arena, rational_of(arena, (Decimal){ -1 })), "-0.000000000001");
}

static void test_floor_and_ceiling_go_by_the_number_line(void **state)
{
    (void)state;
    assert_text(rational_print(arena, rational_ceiling(arena, number("1/3"))), "1");
    assert_text(rational_print(arena, rational_ceiling(arena, number("-1/3"))), "0");
    assert_text(rational_print(arena, rational_floor(arena, number("1/3"))), "0");
    assert_text(rational_print(arena, rational_floor(arena, number("-1/3"))), "-1");
    assert_text(rational_print(arena, rational_ceiling(arena, number("7"))), "7");
}

static void test_order_and_sign(void **state)
{
    (void)state;
    Rational less = number("1/3"), more = number("0.333333333334");
    assert_int_equal(rational_compare(less, more), -1);
    assert_int_equal(rational_compare(more, less), 1);
    assert_int_equal(rational_compare(rational_least(more, less), less), 0);
    assert_int_equal(rational_compare(rational_least(less, more), less), 0);
    assert_int_equal(rational_compare(rational_greatest(more, less), more), 0);
    assert_int_equal(rational_compare(rational_greatest(less, more), more), 0);
    assert_int_equal(rational_sign(number("-1/3")), -1);
    assert_int_equal(rational_sign(rational_zero()), 0);
}

static void test_a_value_outlives_what_it_was_made_of(void **state)
{
    (void)state;
    Arena   *other = arena_open();
    Rational made = rational_multiply(other, number("123456789012345678901234"), number("1/7"));
    Rational kept = rational_copy(arena, made);
    arena_close(other);
    assert_text(rational_print(arena, kept), "123456789012345678901234/7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_prints_a_decimal_when_it_ends_and_a_fraction_when_not),
        test_of(test_what_it_prints_it_reads),
        test_of(test_arithmetic_is_exact),
        test_of(test_floor_and_ceiling_go_by_the_number_line),
        test_of(test_order_and_sign),
        test_of(test_a_value_outlives_what_it_was_made_of),
    };
    return cmocka_run_group_tests_name("money/rational", tests, NULL, NULL);
}
