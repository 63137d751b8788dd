// SPDX-License-Identifier: Apache-2.0
// How parts of charges and pauses join, and what of a charge is read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/bill/period_bill.c"

#include "lives.h"

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

// ---- a commitment's term

static const char committed[] =
    "{\"currency\":\"USD\","
    "\"commitment\":{\"amount\":100,\"term\":{\"every\":1,\"unit\":\"year\"}},"
    "\"charges\":[{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":1}]}";

static Err *billed(Life *life, const char *at, Bill *bill)
{
    Timeline    timeline = life_fold(life);
    PeriodQuery query = { .timeline = &timeline, .at = life_at("2026-12-01") };
    Period      period = timeline_period(&timeline, life_at(at));
    return period_bill(life->arena, &query, &period, bill);
}

// A period that comes to more than fits cannot be counted in the term, so no later bill of it is
// made.
static void test_a_term_that_cannot_be_counted(void **state)
{
    (void)state;
    Life life;
    Bill bill;
    life_begin(&life, "2026-06-01", committed);
    life.first.quantities = STR("{\"seats\":\"7\"}");
    life_change(&life, CHANGE_TERMS, "2026-07-01")->quantities =
        STR("{\"seats\":\"1000000000000000000\"}");
    life_change(&life, CHANGE_TERMS, "2026-08-01")->quantities = STR("{\"seats\":\"8\"}");
    assert_null(billed(&life, "2026-06-10", &bill));
    assert_int_equal(bill.total.minor, 700);
    Err *err = billed(&life, "2026-08-10", &bill);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    life_end(&life);
}

// Another plan in the period ends the term there, another version of the plan does not.
static void test_a_term_ends_with_its_plan(void **state)
{
    (void)state;
    for (int64_t version = 1; version <= 2; version++) {
        Life life;
        Bill bill;
        life_begin(&life, "2026-06-01", committed);
        life_plan(&life, "p/2", committed);
        life_plan(&life, "q/1", "{\"currency\":\"USD\",\"charges\":[]}");
        life.first.quantities = STR("{\"seats\":\"7\"}");
        SubscriptionChange *change = life_change(&life, CHANGE_TERMS, "2026-06-16");
        change->plan = version == 1 ? STR("q") : STR("p");
        change->plan_version = version;
        assert_null(billed(&life, "2026-06-10", &bill));
        // 15 of 30 days of 7.00, and 15 of 365 days of 100.00
        assert_int_equal(bill.total.minor, version == 1 ? 350 + 411 : 700);
        life_end(&life);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses_that_follow_each_other_are_one),
        cmocka_unit_test(test_parts_that_go_on_are_one),
        cmocka_unit_test(test_what_is_not_due_is_not_read),
        cmocka_unit_test(test_a_term_that_cannot_be_counted),
        cmocka_unit_test(test_a_term_ends_with_its_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
