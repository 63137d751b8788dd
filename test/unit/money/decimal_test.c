// SPDX-License-Identifier: Apache-2.0
#include "money/decimal.h"

#include "base/random.h"
#include "in_arena.h"

static const char *printed(const char *text, int whole_digits)
{
    Decimal number;
    if (!decimal_parse(str_of(text), whole_digits, &number))
        return "refused";
    return str_terminated(arena, decimal_print(arena, number));
}

static void test_texts_of_one_number_are_one_number(void **state)
{
    (void)state;
    static const struct {
        const char *text, *number;
    } rows[] = {
        { "0", "0" },
        { "-0", "0" },
        { "0.000", "0" },
        { "-0e5", "0" },
        { "0e999999999999", "0" },
        { "1", "1" },
        { "1.0", "1" },
        { "1.00", "1" },
        { "10e-1", "1" },
        { "0.1E+1", "1" },
        { "100e-2", "1" },
        { "-1.50", "-1.5" },
        { "1e2", "100" },
        { "1.25e1", "12.5" },
        { "0.000000000001", "0.000000000001" },
        { "-0.000000000001", "-0.000000000001" },
        { "1e-12", "0.000000000001" },
        { "999999999999999.999999999999", "999999999999999.999999999999" },
        { "1000000000000000000000e-21", "1" },
        { "0.0000000000000000001e19", "1" },
        { "000000000000000000", "refused" },
        { "123456789012345", "123456789012345" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(printed(rows[i].text, DECIMAL_EVENT_DIGITS), rows[i].number);
}

static void test_what_is_not_a_decimal_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",   "-",  "+1",  ".5",  "1.",       "01",  "-01", "1e",    "1e+",   "1.e1",     " 1",
        "1 ", "1x", "0x1", "NaN", "Infinity", "1,5", "--1", "1.2.3", "1e1.5", "\xd9\xa1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(printed(texts[i], DECIMAL_WHOLE_DIGITS), "refused");
    assert_string_equal(printed("1", 1), "1");
}

static void test_what_is_too_large_is_a_number(void **state)
{
    (void)state;
    Decimal number;
    Str     large = STR("-12345678901234567890123456789012345678901234567890.5e99999999999");
    assert_false(decimal_parse(large, DECIMAL_WHOLE_DIGITS, &number));
    assert_true(decimal_is_number(large));
    assert_true(decimal_is_number(STR("1e-13")) && decimal_is_number(STR("0")));
    assert_false(decimal_is_number(STR("")) || decimal_is_number(STR("-")));
    assert_false(decimal_is_number(STR("1.")) || decimal_is_number(STR("01")));
    assert_false(decimal_is_number(STR("1 ")) || decimal_is_number(STR("ten")));
}

static void test_the_limits_are_15_and_12_digits(void **state)
{
    (void)state;
    assert_string_equal(printed("999999999999999", 15), "999999999999999");
    assert_string_equal(printed("1000000000000000", 15), "refused");
    assert_string_equal(printed("1e14", 15), "100000000000000");
    assert_string_equal(printed("1e15", 15), "refused");
    assert_string_equal(printed("0.0000000000001", 15), "refused");
    assert_string_equal(printed("0.0000000000010", 15), "0.000000000001");
    assert_string_equal(printed("1e-13", 15), "refused");
    assert_string_equal(printed("1e99999999999999999999", 15), "refused");
    assert_string_equal(printed("1e-99999999999999999999", 15), "refused");
    assert_string_equal(printed("999999999999999999999999.999999999999", 24),
                        "999999999999999999999999.999999999999");
    assert_string_equal(printed("1000000000000000000000000", 24), "refused");
    assert_string_equal(printed("1234567890123456789012345678901234567.5", 24), "refused");
    assert_string_equal(printed("1000000000000000000000000000000000000001", 24), "refused");
}

static void test_sums_and_differences_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    Decimal rest = decimal_whole(7), least = { (Int128)1 << 126 };
    least.e12 = -least.e12 - least.e12;
    assert_false(decimal_subtract(least, decimal_whole(1), &rest));
    assert_true(decimal_subtract(rest, decimal_whole(9), &rest));
    assert_text(decimal_print(arena, rest), "-2");
    assert_int_equal(decimal_sign(rest), -1);
    assert_true(decimal_add(rest, decimal_whole(3), &rest));
    assert_text(decimal_print(arena, rest), "1");
}

static void test_a_thousand_zeros_do_no_harm(void **state)
{
    (void)state;
    Text text = text_open(arena);
    text_add(&text, STR("1"));
    for (int i = 0; i < 1000; i++)
        text_add_char(&text, '0');
    text_add(&text, STR("e-1000"));
    Decimal number;
    assert_true(decimal_parse(text_str(&text), 15, &number));
    assert_int_equal(decimal_compare(number, decimal_whole(1)), 0);
}

static void test_sums_are_checked(void **state)
{
    (void)state;
    Decimal most = { (Int128)(~(Uint128)0 >> 1) }, sum = decimal_whole(7);
    assert_false(decimal_add(most, (Decimal){ 1 }, &sum));
    assert_false(decimal_subtract((Decimal){ -most.e12 - 1 }, (Decimal){ 1 }, &sum));
    assert_int_equal(decimal_compare(sum, decimal_whole(7)), 0);
    assert_true(decimal_subtract(decimal_whole(3), decimal_whole(5), &sum));
    assert_text(decimal_print(arena, sum), "-2");
    assert_int_equal(decimal_sign(sum), -1);
    assert_int_equal(decimal_sign((Decimal){ 0 }), 0);
    assert_text(decimal_print(arena, most), "170141183460469231731687303.715884105727");
}

static void test_an_average_is_half_even_at_the_twelfth_place(void **state)
{
    (void)state;
    assert_text(decimal_print(arena, decimal_average(decimal_whole(10), 3)), "3.333333333333");
    assert_text(decimal_print(arena, decimal_average(decimal_whole(-20), 3)), "-6.666666666667");
    assert_text(decimal_print(arena, decimal_average((Decimal){ 1 }, 2)), "0");
    assert_text(decimal_print(arena, decimal_average((Decimal){ 3 }, 2)), "0.000000000002");
    assert_text(decimal_print(arena, decimal_average((Decimal){ -3 }, 2)), "-0.000000000002");
    assert_text(decimal_print(arena, decimal_average(decimal_whole(5), UINT64_MAX)), "0");
}

static void test_print_and_parse_are_inverse(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(1);
    for (int i = 0; i < 20000; i++) {
        Int128  size = (Int128)seeded_next(&seeded) * (Int128)seeded_below(&seeded, 1000000000);
        Decimal number = { (size >> seeded_below(&seeded, 90)) * (i % 2 == 0 ? 1 : -1) }, again;
        assert_true(decimal_parse(decimal_print(arena, number), DECIMAL_WHOLE_DIGITS, &again));
        assert_true(again.e12 == number.e12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_texts_of_one_number_are_one_number),
        test_of(test_what_is_not_a_decimal_is_refused),
        test_of(test_what_is_too_large_is_a_number),
        test_of(test_the_limits_are_15_and_12_digits),
        test_of(test_sums_and_differences_that_do_not_fit_are_refused),
        test_of(test_a_thousand_zeros_do_no_harm),
        test_of(test_sums_are_checked),
        test_of(test_an_average_is_half_even_at_the_twelfth_place),
        test_of(test_print_and_parse_are_inverse),
    };
    return cmocka_run_group_tests_name("money/decimal", tests, NULL, NULL);
}
