// SPDX-License-Identifier: Apache-2.0
// What the books say was billed: pure parts of issue_billed.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/issue_billed.c"

#define PERIOD                                                                    \
    "\"period\":{\"start\":\"2031-01-01T00:00:00Z\",\"end\":\"2031-02-01T00:00:00Z\"}"

static Currency currency_of(const char *code)
{
    Currency currency;
    assert_true(currency_find(str_of(code), &currency));
    return currency;
}

static IssueLineRow row_of(int64_t amount, int64_t discount, const char *content)
{
    return (IssueLineRow){ .amount = amount, .discount = discount, .content = str_of(content) };
}

static void test_lines_of_one_key_are_one(void **state)
{
    (void)state;
    AUTO(Arena)  arena = arena_open();
    DueLines    lines;
    const char *fee = "{\"kind\":\"fee\",\"charge\":\"fee\",\"description\":\"F\"," PERIOD "}";
    const char  *eu = "{\"kind\":\"usage\",\"charge\":\"calls\",\"group\":{\"region\":\"eu\","
                      "\"zone\":null}," PERIOD "}";
    const char  *none = "{\"kind\":\"usage\",\"charge\":\"calls\",\"group\":null," PERIOD "}";
    IssueLineRow rows[] = { row_of(5, -1, fee), row_of(3, 0, eu), row_of(2, 0, none),
                            row_of(7, -2, fee) };
    assert_null(billed_sum(arena, rows, 4, currency_of("USD"), &lines));
    assert_int_equal(lines.count, 3);
    int64_t all = 0, fees = 0;
    for (size_t i = 0; i < lines.count; i++) {
        all += line_net(&lines.at[i]).minor;
        if (str_equal(lines.at[i].charge->id, STR("fee")))
            fees = line_net(&lines.at[i]).minor;
    }
    assert_int_equal(all, 14);
    assert_int_equal(fees, 9);
}

static void test_lines_that_cannot_be_read(void **state)
{
    (void)state;
    AUTO(Arena)  arena = arena_open();
    DueLines lines;
    Currency usd = currency_of("USD");
    const char  *bad[] = { "{\"kind\":\"fee\"}", "{\"kind\":\"none\"," PERIOD "}", "[]", "{",
                           "{\"kind\":\"fee\",\"period\":{\"start\":1}}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        IssueLineRow row = row_of(1, 0, bad[i]);
        Err         *err = billed_sum(arena, &row, 1, usd, &lines);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_FAILED);
    }
    const char  *fee = "{\"kind\":\"fee\",\"charge\":\"fee\"," PERIOD "}";
    IssueLineRow amounts[] = { row_of(INT64_MAX, 0, fee), row_of(1, 0, fee) };
    IssueLineRow discounts[] = { row_of(0, INT64_MIN, fee), row_of(0, -1, fee) };
    assert_int_equal(billed_sum(arena, amounts, 2, usd, &lines)->code, ERR_STORE_FAILED);
    assert_int_equal(billed_sum(arena, discounts, 2, usd, &lines)->code, ERR_STORE_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_of_one_key_are_one),
        cmocka_unit_test(test_lines_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
