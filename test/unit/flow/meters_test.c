// SPDX-License-Identifier: Apache-2.0
// Activations keep their numbers; the newest that counts is found; each counts the events between
// its own record and its removal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/aggregate/meters.h"

#define DEFINITION(id)                                                                   \
    STR("{\"id\":\"" id "\",\"event\":\"e\",\"aggregation\":\"sum\",\"property\":\"p\"}")

static void add(Meters *meters, uint32_t project, uint32_t event, Str definition,
                uint64_t sequence)
{
    AUTO(Arena) arena = arena_open();
    Activation wanted = { .number = meters_count(meters), .project = project, .event = event,
                          .definition = str_copy(arena, definition), .sequence = sequence,
                          .is_fresh = sequence == 1 };
    assert_null(meters_add(meters, arena, &wanted));
}

static void activations_keep_what_they_were_given(void **state)
{
    (void)state;
    Meters *meters = meters_open();
    assert_int_equal(meters_count(meters), 0);
    assert_null(meters_get(meters, 0));
    add(meters, 1, 2, DEFINITION("a"), 1);
    add(meters, 1, 0, DEFINITION("b"), 5);
    const Activation *first = meters_get(meters, 0);
    for (int i = 0; i < 100; i++)
        add(meters, 3, 7, DEFINITION("c"), 10);
    assert_ptr_equal(meters_get(meters, 0), first);
    assert_true(first->number == 0 && first->project == 1 && first->event == 2);
    assert_true(first->sequence == 1 && first->is_fresh && first->removed == 0);
    assert_true(str_equal(first->definition, DEFINITION("a")));
    assert_true(str_equal(first->meter->id, STR("a")));
    assert_int_equal(first->meter->aggregation, AGGREGATE_SUM);
    assert_false(meters_get(meters, 1)->is_fresh);
    assert_int_equal(meters_count(meters), 102);
    assert_null(meters_get(meters, 102));
    meters_close(meters);
    meters_close(NULL);
}

static void the_newest_that_is_not_removed_is_found(void **state)
{
    (void)state;
    Meters *meters = meters_open();
    add(meters, 1, 0, DEFINITION("a"), 1);
    add(meters, 2, 0, DEFINITION("a"), 2);
    add(meters, 1, 0, DEFINITION("a"), 3);
    assert_int_equal(meters_find(meters, 1, STR("a"))->number, 2);
    assert_int_equal(meters_find(meters, 2, STR("a"))->number, 1);
    assert_null(meters_find(meters, 3, STR("a")));
    assert_null(meters_find(meters, 1, STR("b")));
    meters_get(meters, 2)->removed = 9;
    assert_int_equal(meters_find(meters, 1, STR("a"))->number, 0);
    meters_get(meters, 0)->removed = 3;
    assert_null(meters_find(meters, 1, STR("a")));
    assert_true(meters_replaced(meters, meters_get(meters, 0)));
    assert_false(meters_replaced(meters, meters_get(meters, 2)));
    meters_close(meters);
}

static void an_event_has_its_own_list(void **state)
{
    (void)state;
    Meters *meters = meters_open();
    for (uint32_t i = 0; i < 40; i++)
        add(meters, 1, 4 * (i % 3), DEFINITION("a"), i + 1);
    meters_get(meters, 3)->removed = 50;
    for (uint32_t event = 0; event < 12; event++) {
        ActivationList list = meters_of_event(meters, event);
        size_t expected = event % 4 != 0 || event > 8 ? 0 : event == 0 ? 14 : 13;
        assert_int_equal(list.count, expected);
        for (size_t i = 0; i < list.count; i++)
            assert_ptr_equal(list.at[i], meters_get(meters, event / 4 + 3 * (uint32_t)i));
    }
    assert_int_equal(meters_of_event(meters, UINT32_MAX).count, 0);
    meters_close(meters);
}

static void it_counts_between_its_record_and_its_removal(void **state)
{
    (void)state;
    Activation activation = { .sequence = 10 };
    assert_false(activation_counts(&activation, 9) || activation_counts(&activation, 10));
    assert_true(activation_counts(&activation, 11) && activation_counts(&activation, UINT64_MAX));
    activation.removed = 12;
    assert_true(activation_counts(&activation, 11));
    assert_false(activation_counts(&activation, 12) || activation_counts(&activation, 13));
}

static void a_replay_leaves_what_is_there(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Meters *meters = meters_open();
    add(meters, 1, 0, DEFINITION("a"), 1);
    Activation again = { .number = 0, .project = 9, .definition = DEFINITION("b"), .sequence = 4 };
    assert_null(meters_add(meters, arena, &again));
    assert_int_equal(meters_count(meters), 1);
    assert_true(meters_get(meters, 0)->sequence == 1);
    meters_close(meters);
}

static void what_does_not_read_is_refused(void **state)
{
    (void)state;
    static const Str wrong[] = {
        STR_INIT(""), STR_INIT("{"), STR_INIT("[]"), STR_INIT("null"), STR_INIT("{}"),
        STR_INIT("{\"id\":\"a\",\"event\":\"e\"}"),
        STR_INIT("{\"id\":\"a\",\"event\":\"e\",\"aggregation\":\"median\",\"property\":\"p\"}"),
    };
    Meters *meters = meters_open();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        AUTO(Arena) arena = arena_open();
        Activation wanted = { .number = 0, .definition = wrong[i], .sequence = 1 };
        Err       *err = meters_add(meters, arena, &wanted);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_FAILED);
        assert_int_equal(meters_count(meters), 0);
        assert_int_equal(meters_of_event(meters, 0).count, 0);
    }
    meters_close(meters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_keep_what_they_were_given),
        cmocka_unit_test(the_newest_that_is_not_removed_is_found),
        cmocka_unit_test(an_event_has_its_own_list),
        cmocka_unit_test(it_counts_between_its_record_and_its_removal),
        cmocka_unit_test(a_replay_leaves_what_is_there),
        cmocka_unit_test(what_does_not_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
