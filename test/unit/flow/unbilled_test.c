// SPDX-License-Identifier: Apache-2.0
// Why no bill counts an event: a charge whose meter came after the search began takes nothing, and
// what came behind a closed period's sequence is beyond it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/unbilled.c"

static void test_meters_are_found_by_id(void **state)
{
    (void)state;
    Meter  meters[] = { { .id = STR("a") }, { .id = STR("c") }, { .id = STR("e") } };
    Search search = { .meters = meters, .meter_count = 3 };
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(meter_find(&search, meters[i].id), &meters[i]);
    assert_null(meter_find(&search, STR("b")));
    assert_null(meter_find(&search, STR("f")));
    search.meter_count = 0;
    assert_null(meter_find(&search, STR("a")));
}

static void test_a_charge_whose_meter_is_not_known_takes_nothing(void **state)
{
    (void)state;
    Search search = { 0 };
    Charge charge = { .id = STR("calls"), .source = SOURCE_METER, .meter = STR("calls") };
    Event  event = { .event = STR("calls") };
    bool   is_billed = false;
    assert_int_equal(charge_meter_count(&charge), 1);
    assert_int_equal(charge_reason(&search, &charge, &event, &is_billed), UNBILLED_NO_CHARGE);
    assert_false(is_billed);
}

static void test_what_came_behind_a_closed_period(void **state)
{
    (void)state;
    ClosedPeriod  periods[] = { { .span = { { 10 }, { 20 } }, .sequence = 5 },
                                { .span = { { 20 }, { 30 } }, .sequence = 8 } };
    ClosedPeriod *closed[] = { periods };
    size_t        counts[] = { 2 };
    Looked        account = { .closed = closed, .closed_counts = counts, .count = 1 };
    const struct {
        int64_t  ts;
        uint64_t sequence;
        bool     is_beyond;
    } cases[] = { { 9, 9, false }, { 10, 5, false }, { 10, 6, true }, { 19, 6, true },
                  { 20, 8, false }, { 20, 9, true }, { 30, 9, false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        UsageEvent event = { .ts = { cases[i].ts }, .sequence = cases[i].sequence };
        assert_int_equal(is_beyond(&account, 0, &event), cases[i].is_beyond);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meters_are_found_by_id),
        cmocka_unit_test(test_a_charge_whose_meter_is_not_known_takes_nothing),
        cmocka_unit_test(test_what_came_behind_a_closed_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
