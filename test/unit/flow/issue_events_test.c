// SPDX-License-Identifier: Apache-2.0
// The events of a line: which are of its group, and that the first ones are kept in order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/issue_events.c"

enum { LIMIT = 3, ROOM = 5, EVENTS = 40 };

// What was in a pause that bills usage is among the events.
static void test_only_free_pauses_are_holes(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Wanted   wanted = { 0 };
    Pause    pauses[] = { { { { 1 }, { 2 } }, false }, { { { 3 }, { 4 } }, true } };
    Timeline timeline = { .pauses = pauses, .pause_count = 2 };
    holes_take(arena, &timeline, &wanted);
    assert_int_equal(wanted.hole_count, 1);
    assert_int_equal(wanted.holes[0].start.us, 3);
    assert_int_equal(wanted.holes[0].end.us, 4);
}

static void test_events_are_of_a_group(void **state)
{
    (void)state;
    AUTO(Arena)  arena = arena_open();
    Json        *group, *text;
    Str          names[] = { STR("region"), STR("zone") };
    Charge       charge = { .read_by = names, .read_count = 2 };
    Str          eu[] = { STR("eu"), STR_NONE }, us[] = { STR("us"), STR_NONE },
        zoned[] = { STR("eu"), STR("1") };
    UsageMeasure measure = { .group = eu };
    Wanted       wanted = { .charge = &charge };
    assert_true(is_of_group(&wanted, &measure));  // a line without groups
    assert_null(json_parse_copy(arena, STR("null"), &text));
    wanted.group = text;
    assert_true(is_of_group(&wanted, &measure));
    assert_null(json_parse_copy(arena, STR("{\"region\":\"eu\",\"zone\":null}"), &group));
    wanted.group = group;
    assert_true(is_of_group(&wanted, &measure));
    measure.group = us;
    assert_false(is_of_group(&wanted, &measure));
    measure.group = zoned;
    assert_false(is_of_group(&wanted, &measure));
}

// A minimum, a fee of the plan, a charge by itself: they measure nothing.
static void test_a_line_without_a_charge_measures_nothing(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Wanted   wanted;
    LineRead line = { .subscription = STR("sub") };
    assert_null(json_parse_copy(arena, STR("{\"charge\":null}"), &line.content));
    assert_null(wanted_read(arena, NULL, &line, &wanted));
    assert_null(wanted.charge);
    line.subscription = STR("");
    assert_null(json_parse_copy(arena, STR("{\"charge\":\"calls\"}"), &line.content));
    assert_null(wanted_read(arena, NULL, &line, &wanted));
    assert_null(wanted.charge);
}

// Events come in any order; some are of one instant, some of one id: the first of them are kept.
static void test_the_first_events_are_kept(void **state)
{
    (void)state;
    AUTO(Arena)     arena = arena_open();
    LineEventsQuery query = { .limit = LIMIT };
    Wanted          wanted = { 0 };
    LineEvents      events = { .at = arena_array(arena, LineEvent, ROOM) };
    Take            take = { arena, &query, &wanted, &events, ROOM };
    for (size_t i = 0; i < EVENTS; i++) {
        size_t       place = i * 27 % EVENTS;  // each once
        Event        event = { .ts = { (int64_t)(place / 4) },
                               .unique_id = str_print(arena, "%zu", place / 2) };
        UsageMeasure measure = { .event = &event, .sequence = place };
        event_take(&take, &measure);
    }
    events_cut(&take);
    assert_true(events.has_more);
    assert_int_equal(events.count, LIMIT);
    for (size_t i = 0; i < LIMIT; i++)
        assert_int_equal(events.at[i].sequence, i);
    // The next page begins behind the last of them.
    Event same = { .unique_id = STR("1") }, next = { .unique_id = STR("2") },
          before = { .ts = { -1 }, .unique_id = STR("9") }, behind = { .ts = { 1 } };
    query.has_after = true;
    query.after_unique_id = STR("1");
    assert_false(is_behind(&query, &same));
    assert_false(is_behind(&query, &before));
    assert_true(is_behind(&query, &next));
    assert_true(is_behind(&query, &behind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_free_pauses_are_holes),
        cmocka_unit_test(test_events_are_of_a_group),
        cmocka_unit_test(test_a_line_without_a_charge_measures_nothing),
        cmocka_unit_test(test_the_first_events_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
