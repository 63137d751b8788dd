// SPDX-License-Identifier: Apache-2.0
// What may be billed before a period ends, and when it has come to the threshold: pure parts of
// issue_threshold.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/issue_threshold.c"

static Currency currency_of(const char *code)
{
    Currency currency;
    assert_true(currency_find(str_of(code), &currency));
    return currency;
}

static void test_the_plan_of_an_instant(void **state)
{
    (void)state;
    Plan     bare = { 0 }, early = { .invoice_threshold = { .given = true } }, late = early;
    Term     terms[] = { { .span = { { 0 }, { 10 } }, .plan = &early },
                         { .span = { { 10 }, { 20 } }, .plan = &bare },
                         { .span = { { 20 }, { 30 } }, .plan = &late } };
    Timeline timeline = { .active = { { 0 }, { 30 } }, .terms = terms, .term_count = 3 };
    assert_ptr_equal(plan_find(&timeline, (Instant){ 9 }), &early);
    assert_null(plan_find(&timeline, (Instant){ 10 }));
    assert_ptr_equal(plan_find(&timeline, (Instant){ 20 }), &late);
    assert_null(plan_find(&timeline, (Instant){ -1 }));
    assert_null(plan_find(&timeline, (Instant){ 30 }));
}

// Not a fee, not what may fall again, not what has not begun, and nothing that comes to nothing.
static void test_lines_that_may_be_billed(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Charge   unit = { .id = STR("unit"), .model = model_find(STR("perUnit")) };
    Charge   volume = { .id = STR("volume"), .model = model_find(STR("volume")) };
    Currency usd = currency_of("USD");
    Money    some = { 100, usd };
    Line     lines[] = {
        { .kind = LINE_FEE, .charge = &unit, .amount = some },
        { .kind = LINE_USAGE, .charge = &unit, .amount = some, .period = { { 0 }, { 10 } } },
        { .kind = LINE_USAGE, .charge = &volume, .amount = some, .period = { { 0 }, { 10 } } },
        { .kind = LINE_USAGE, .charge = &unit, .amount = some, .period = { { 6 }, { 10 } } },
        { .kind = LINE_USAGE, .charge = &unit, .amount = { 0, usd }, .period = { { 0 }, { 10 } } },
        { .kind = LINE_USAGE, .charge = &unit, .amount = { 7, usd }, .period = { { 5 }, { 10 } } },
    };
    Bill     bill = { .lines = lines, .count = sizeof lines / sizeof *lines };
    DueLines picked = lines_pick(arena, &bill, (Instant){ 5 });
    assert_int_equal(picked.count, 2);
    assert_int_equal(picked.at[0].amount.minor, 100);
    assert_int_equal(picked.at[1].amount.minor, 7);
}

static void test_when_it_is_reached(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Currency usd = currency_of("USD");
    Line     lines[] = { { .amount = { 1500, usd }, .discount = { -1, usd } },
                         { .amount = { 500, usd }, .discount = { 0, usd } } };
    DueLines all = { lines, 2 }, none = { lines, 0 };
    Rational twenty = rational_whole(arena, 20);
    assert_false(is_reached(arena, &none, twenty));
    assert_false(is_reached(arena, &all, twenty));  // 19.99
    lines[1].amount.minor++;
    assert_true(is_reached(arena, &all, twenty));
    lines[0].amount.minor = INT64_MAX;  // more than any amount
    lines[1].amount.minor = INT64_MAX;
    assert_true(is_reached(arena, &all, twenty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_plan_of_an_instant),
        cmocka_unit_test(test_lines_that_may_be_billed),
        cmocka_unit_test(test_when_it_is_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
