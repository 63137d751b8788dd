// SPDX-License-Identifier: Apache-2.0
// When what failed is tried again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow/run/run_kinds.h"
#include "flow/run/schedule.c"

// When an account is due next, by its name.
static Err *test_next_boundary(Arena *arena, const IssueQuery *query, Str account, Instant after,
                               Instant *at)
{
    (void)query;
    *at = (Instant){ after.us + INSTANT_DAY_US };
    return !str_equal(account, STR("unreadable"))
               ? NULL
               : refuse(arena, ERR_STORE_FAILED, STR_NONE, "refused by the test");
}

#define issue_next_boundary test_next_boundary
#include "flow/run/run_due.c"

static int64_t seconds_after(int64_t tries)
{
    Instant failed = { INT64_C(1900000000) * INSTANT_SECOND_US };
    return (schedule_again(failed, tries).us - failed.us) / INSTANT_SECOND_US;
}

static void test_later_and_later(void **state)
{
    (void)state;
    static const int64_t wanted[] = { 60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600 };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_int_equal(seconds_after((int64_t)i + 1), wanted[i]);
    assert_int_equal(seconds_after(INT64_MAX), 21600);
    Instant end = schedule_again((Instant){ INSTANT_END.us - 1 }, 1);
    assert_true(end.us <= INSTANT_END.us);
}

// Whether one that was begun last leaves no room for the next, one second after it ended.
static bool holds(OperationStatus status, int64_t asked_s)
{
    BillingRun   last = { .status = status, .at = { 0 }, .ended_at = { 0 } };
    ScheduleLook look = { .real = { INSTANT_SECOND_US } };
    Wanted       wanted = { .look = &look, .entry = &timetable[2],
                            .at = { asked_s * INSTANT_SECOND_US } };
    assert_int_equal(wanted.entry->kind, RUN_EXPIRY);  // once in an hour
    return has_time(&last, &wanted);
}

static void test_one_run_of_a_kind_at_a_time(void **state)
{
    (void)state;
    assert_true(holds(OPERATION_QUEUED, 7200));
    assert_true(holds(OPERATION_RUNNING, 7200));
    assert_true(holds(OPERATION_SUCCEEDED, 3599));
    assert_false(holds(OPERATION_SUCCEEDED, 3600));
    // What was not done is begun again after a minute, whatever the kind's hours.
    static const OperationStatus undone[] = { OPERATION_FAILED, OPERATION_CANCELED };
    for (size_t i = 0; i < 2; i++) {
        BillingRun   last = { .status = undone[i], .at = { 0 }, .ended_at = { 0 } };
        ScheduleLook early = { .real = { 59 * INSTANT_SECOND_US } };
        ScheduleLook late = { .real = { 60 * INSTANT_SECOND_US } };
        Wanted       first = { .look = &early, .entry = &timetable[2] };
        Wanted       second = { .look = &late, .entry = &timetable[2] };
        assert_true(has_time(&last, &first));
        assert_false(has_time(&last, &second));
    }
}

static void test_when_an_account_is_looked_at_again(void **state)
{
    (void)state;
    BillingRun run = { .at = { INT64_C(1900000000) * INSTANT_SECOND_US } };
    AccountDue dues[] = { { .account = STR("done"), .tries = 3 },
                          { .account = STR("failed"), .tries = 3 },
                          { .account = STR("unreadable") } };
    bool       has_failed[] = { false, true, false };
    run_dues_next(NULL, &run, &(RunDues){ dues, has_failed, 3 });
    assert_int_equal(dues[0].at.us - run.at.us, INSTANT_DAY_US);
    assert_int_equal(dues[0].tries, 0);
    assert_int_equal(dues[1].at.us - run.at.us, 480 * INSTANT_SECOND_US);
    assert_int_equal(dues[1].tries, 4);
    assert_int_equal(dues[2].at.us - run.at.us, 60 * INSTANT_SECOND_US);
    assert_int_equal(dues[2].tries, 1);
}

static void test_every_kind_is_an_operation(void **state)
{
    (void)state;
    RunParts parts = { 0 };
    for (int kind = 0; kind < RUN_KIND_COUNT; kind++) {
        Str  name = run_operation_kind((RunKind)kind);
        bool reads = run_kind_row((RunKind)kind)->needs_usage;
        assert_non_null(run_kind_names[kind]);
        assert_true(str_equal(name, str_of(reads ? run_kind(&parts).name
                                                 : run_book_kind(&parts).name)));
        assert_int_equal(run_kind_row((RunKind)kind)->account == NULL, kind == RUN_BILLING);
    }
    assert_null(run_kind_names[RUN_KIND_COUNT]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_and_later),
        cmocka_unit_test(test_one_run_of_a_kind_at_a_time),
        cmocka_unit_test(test_when_an_account_is_looked_at_again),
        cmocka_unit_test(test_every_kind_is_an_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
