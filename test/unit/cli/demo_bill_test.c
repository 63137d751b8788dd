// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli/demo_bill.h"

static void digits_are_grouped(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "", "" },         { "0", "0" },           { "999", "999" },
        { "1000", "1,000" }, { "-1000.12345", "-1,000.12345" }, { "38114200", "38,114,200" },
        { "-123", "-123" }, { "1/3", "1/3" },       { "23168.52", "23,168.52" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        Str grouped = digits_grouped(arena, str_of(rows[i][0]));
        assert_string_equal(str_terminated(arena, grouped), rows[i][1]);
    }
}

static void bill_shows_lines_steps_and_totals(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Json *bill = NULL;
    assert_null(json_parse_copy(arena, STR(
        "{\"account\":\"acct_meridian\",\"currency\":\"USD\","
        "\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"},"
        "\"lines\":[{\"charge\":\"api\",\"description\":\"API\",\"usage\":\"38114200\","
        "\"events\":40000,"
        "\"digest\":\"0123456789abcdef0123456789abcdef\",\"amount\":\"23168.52\",\"steps\":["
        "{\"op\":\"tier\",\"upTo\":\"1000000\",\"quantity\":\"1000000\",\"unitPrice\":\"0.0009\","
        "\"amount\":\"900\"},"
        "{\"op\":\"tier\",\"quantity\":\"5\",\"unitPrice\":\"0.0004\",\"amount\":\"0.002\"},"
        "{\"op\":\"floorAtZero\",\"exact\":\"-1\"},"
        "{\"op\":\"round\",\"exact\":\"23168.52\",\"mode\":\"halfUp\",\"amount\":\"23168.52\"}]}],"
        "\"total\":\"23168.52\"}"), &bill));
    Text out = text_open(arena);
    demo_bill_print(bill, &out);
    text_add_char(&out, 0);
    assert_non_null(strstr(out.at, "Bill of acct_meridian, 2026-06-01T00:00:00Z to"));
    assert_non_null(strstr(out.at, "38,114,200"));
    assert_non_null(strstr(out.at, "23,168.52 USD"));
    assert_non_null(strstr(out.at, "up to 1,000,000"));
    assert_non_null(strstr(out.at, "the rest"));
    assert_non_null(strstr(out.at, "floorAtZero  exact -1"));
    assert_non_null(strstr(out.at, "of 40,000 events, digest 0123456789abcdef..."));
    assert_non_null(demo_bill_line(bill, STR("api")));
    assert_null(demo_bill_line(bill, STR("gpu")));
    assert_int_equal(demo_bill_text(NULL, "amount").length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_grouped),
        cmocka_unit_test(bill_shows_lines_steps_and_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
