// SPDX-License-Identifier: Apache-2.0
// Which phase of a plan holds an instant, and where boundaries around one are looked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/bill/timeline.c"

static void test_periods_end_with_the_subscription(void **state)
{
    (void)state;
    Fold fold = { .made.active.end = { 5 } };
    assert_int_equal(periods_after(&fold, (Instant){ 5 }, 3).us, 5);
    assert_int_equal(periods_after(&fold, (Instant){ 4 }, 0).us, 4);
}

// A phase that ends before it begins is passed over, and takes nothing from the next one.
static void test_a_phase_that_is_over_before_it_begins(void **state)
{
    (void)state;
    SubscriptionPhase phases[] = { { .has_until = true, .until = { 20 } },
                                   { .has_until = true, .until = { 10 } },
                                   { .has_until = true, .until = { 30 } } };
    Fold fold = { .phases = { phases, 3 }, .made.active.end = { 100 } };
    const struct {
        int64_t                  at;
        const SubscriptionPhase *phase;
        int64_t                  end;
    } cases[] = { { 0, &phases[0], 20 }, { 19, &phases[0], 20 }, { 20, &phases[2], 30 },
                  { 30, NULL, INSTANT_END.us } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fold.at.us = cases[i].at;
        assert_ptr_equal(phase_find(&fold, (Instant){ 0 }), cases[i].phase);
        assert_int_equal(fold.phase_end.us, cases[i].end);
    }
    phases[2].has_until = false;  // for good
    fold.at.us = 99;
    assert_ptr_equal(phase_find(&fold, (Instant){ 0 }), &phases[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods_end_with_the_subscription),
        cmocka_unit_test(test_a_phase_that_is_over_before_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
