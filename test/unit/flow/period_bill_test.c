// SPDX-License-Identifier: Apache-2.0
// How parts of charges and pauses join, and what of a charge is read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/bill/period_bill.c"

static void test_pauses_that_follow_each_other_are_one(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Pause       pauses[] = { { .span = { { 10 }, { 20 } }, .usage_free = true },
                             { .span = { { 20 }, { 30 } } },
                             { .span = { { 40 }, { 50 } }, .usage_free = true } };
    Timeline    timeline = { .pauses = pauses, .pause_count = 3 };
    PeriodBill  made = { .arena = arena, .timeline = &timeline };
    pauses_take(&made);
    assert_int_equal(made.pause_count, 2);
    assert_int_equal(made.pauses[0].start.us, 10);
    assert_int_equal(made.pauses[0].end.us, 30);
    assert_int_equal(made.pauses[1].start.us, 40);
    assert_int_equal(made.hole_count, 2);  // each by itself: the one between is billed
}

static void test_parts_that_go_on_are_one(void **state)
{
    (void)state;
    AUTO(Arena)      arena = arena_open();
    ChargeParts      parts = { 0 };
    const ChargePart added[] = {
        { .service = { { 0 }, { 10 } }, .full = { { 0 }, { 40 } } },
        { .service = { { 10 }, { 20 } }, .full = { { 0 }, { 40 } } },
        { .service = { { 20 }, { 30 } }, .full = { { 0 }, { 40 } }, .is_trial = true },
        { .service = { { 30 }, { 40 } }, .full = { { 1 }, { 40 } }, .is_trial = true },
        { .service = { { 40 }, { 50 } }, .full = { { 1 }, { 60 } }, .is_trial = true },
        { .service = { { 51 }, { 60 } }, .full = { { 1 }, { 60 } }, .is_trial = true },
    };
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        part_add(arena, &parts, added[i]);
    assert_int_equal(parts.count, 5);
    assert_int_equal(parts.at[0].service.end.us, 20);
    assert_int_equal(parts.at[4].service.start.us, 51);
}

static void test_what_is_not_due_is_not_read(void **state)
{
    (void)state;
    PeriodQuery query = { .lines = LINES_DUE, .at = { 15 } };
    ChargePart  part = { .service = { { 10 }, { 20 } } };
    Charge      charge = { .source = SOURCE_METER, .timing = TIMING_ADVANCE };
    assert_true(is_read(&query, &charge, &part));
    charge.timing = TIMING_ARREARS;
    assert_false(is_read(&query, &charge, &part));
    query.lines = LINES_ALL;
    assert_true(is_read(&query, &charge, &part));
    charge.source = SOURCE_METERS;
    assert_true(is_read(&query, &charge, &part));
    charge.source = SOURCE_NONE;
    assert_false(is_read(&query, &charge, &part));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses_that_follow_each_other_are_one),
        cmocka_unit_test(test_parts_that_go_on_are_one),
        cmocka_unit_test(test_what_is_not_due_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
