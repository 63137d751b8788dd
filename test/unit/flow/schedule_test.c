// SPDX-License-Identifier: Apache-2.0
// When what failed is tried again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow/run/run_kinds.h"
#include "flow/run/schedule.h"

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
        cmocka_unit_test(test_every_kind_is_an_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
