// SPDX-License-Identifier: Apache-2.0
// Formulas: what they come to, exactly, and which are refused and where.
#include "asking.h"
#include "price/formula.h"

static const Str names[] = { { "a", 1 }, { "b", 1 }, { "long_name2", 10 } };

static Formula *parse(Str text, FormulaFault *fault)
{
    return formula_parse(arena, text, names, 3, fault);
}

// a = 7, b = 2.5, long_name2 = 0
static Str value_of(const char *text, size_t *by_zero)
{
    FormulaFault fault;
    Rational values[] = { rational_whole(arena, 7), rational_ratio(arena, 5, 2), rational_zero() };
    Formula *formula = parse(str_of(text), &fault);
    if (formula == NULL)
        fail_msg("%s at %zu: %.*s", text, fault.at, STR_ARG(fault.what));
    return rational_print(arena, formula_value(arena, formula, values, by_zero));
}

static void test_what_formulas_come_to(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } rows[] = {
        { "1", "1" },
        { " 0.1 + 0.2 ", "0.3" },
        { "0.5 + 1.0", "1.5" },
        { "a + b * 2", "12" },
        { "(a + b) * 2", "19" },
        { "a - b - 1", "3.5" },
        { "a / b / 2", "1.4" },
        { "10 / 3", "10/3" },
        { "10 / 3 * 3", "10" },
        { "-a + 1", "-6" },
        { "--a", "7" },
        { "2 * -b", "-5" },
        { "min(a, b, 3)", "2.5" },
        { "max(a, b, 3)", "7" },
        { "max(b)", "2.5" },
        { "ceil(b)", "3" },
        { "floor(b)", "2" },
        { "round(b)", "3" },
        { "round(-b)", "-3" },
        { "ceil(-b)", "-2" },
        { "floor(-b)", "-3" },
        { "if(a > b, 1, 2)", "1" },
        { "if(a < b, 1, 2)", "2" },
        { "if(long_name2, 1, 2)", "2" },
        { "if(-1, 1, 2)", "1" },
        { "a >= 7", "1" },
        { "a <= 6.9", "0" },
        { "a == 7", "1" },
        { "a != 7", "0" },
        { "a > 7", "0" },
        { "a < 7", "0" },
        { "(a > 1) * (b > 2) * 5", "5" },
        { "1 + 1 == 2", "1" },
        { "999999999999999999999999 * 999999999999999999999999",
          "999999999999999999999998000000000000000000000001" },
        { "long_name2", "0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t by_zero;
        assert_string_equal(str_terminated(arena, value_of(rows[i].text, &by_zero)), rows[i].value);
        assert_int_equal(by_zero, 0);
    }
}

static void test_a_division_by_zero_gives_0_and_counts(void **state)
{
    (void)state;
    size_t by_zero;
    assert_true(str_equal(value_of("a / long_name2 + 4", &by_zero), STR("4")));
    assert_int_equal(by_zero, 1);
    assert_true(str_equal(value_of("1/0 + 2/(a-7)", &by_zero), STR("0")));
    assert_int_equal(by_zero, 2);
    assert_true(str_equal(value_of("if(long_name2 == 0, 3, 1 / long_name2)", &by_zero), STR("3")));
    assert_int_equal(by_zero, 0);
}

static void test_formulas_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t      at;
    } rows[] = {
        { "", 0 },
        { "   ", 3 },
        { "a +", 3 },
        { "a b", 2 },
        { "c", 0 },
        { "1 + ab", 4 },
        { "(a", 2 },
        { "a)", 1 },
        { "min()", 4 },
        { "min a", 4 },
        { "min(a", 5 },
        { "ceil(a, b)", 9 },
        { "if(a, b)", 7 },
        { "1..2", 0 },
        { ".5", 0 },
        { "01", 0 },
        { "1e5", 1 },
        { "a < b < 1", 6 },
        { "a = b", 2 },
        { "$", 0 },
        { "1234567890123456789012345", 0 },
        { "0.1234567890123", 0 },
        { "a * / b", 4 },
        { "if", 2 },
        { "max(1,)", 6 },
        { "(a < )", 5 },
        { "a\tb", 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FormulaFault fault;
        if (parse(str_of(rows[i].text), &fault) != NULL)
            fail_msg("%s is taken", rows[i].text);
        if (fault.at != rows[i].at)
            fail_msg("%s: at %zu, not %zu: %.*s", rows[i].text, fault.at, rows[i].at,
                     STR_ARG(fault.what));
        assert_true(fault.what.length > 0);
    }
}

static Str repeated(const char *part, size_t count, const char *middle, const char *end)
{
    Text text = text_open(arena);
    for (size_t i = 0; i < count; i++)
        text_add(&text, str_of(part));
    text_add(&text, str_of(middle));
    for (size_t i = 0; i < count; i++)
        text_add(&text, str_of(end));
    return text_str(&text);
}

static void test_length_depth_and_parts_are_bounded(void **state)
{
    (void)state;
    FormulaFault fault;
    size_t       by_zero;
    assert_non_null(parse(repeated("(", FORMULA_DEPTH_MAX - 1, "a", ")"), &fault));
    assert_null(parse(repeated("(", FORMULA_DEPTH_MAX, "a", ")"), &fault));
    Str most = repeated("a,", FORMULA_PARTS_MAX - 1, "a)", "");
    assert_non_null(parse(str_print(arena, "min(%.*s", STR_ARG(most)), &fault));
    assert_null(parse(str_print(arena, "min(a,%.*s", STR_ARG(most)), &fault));
    Str longest = repeated("1+", 499, "10", "");
    assert_int_equal(longest.length, FORMULA_BYTES_MAX);
    assert_true(str_equal(value_of(str_terminated(arena, longest), &by_zero), STR("509")));
    assert_null(parse(repeated("1+", 500, "1", ""), &fault));
    assert_non_null(parse(repeated("-", 999, "a", ""), &fault));
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "Z9", "in_put", "iff" };
    static const char *const bad[] = { "", "9a", "_a", "a-b", "if", "min", "a b" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(formula_takes_name(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(formula_takes_name(str_of(bad[i])));
    assert_true(formula_takes_name(repeated("a", 63, "a", "")));
    assert_false(formula_takes_name(repeated("a", 64, "a", "")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_what_formulas_come_to),
        test_of(test_a_division_by_zero_gives_0_and_counts),
        test_of(test_formulas_that_are_refused),
        test_of(test_length_depth_and_parts_are_bounded),
        test_of(test_names),
    };
    return cmocka_run_group_tests_name("price/formula", tests, NULL, NULL);
}
