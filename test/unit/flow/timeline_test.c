// SPDX-License-Identifier: Apache-2.0
// Timelines worked by hand.
#include "flow/bill/timeline.c"

#include <stdio.h>

#include "lives.h"

#define MONTHLY "{\"currency\":\"USD\",\"charges\":[]}"
#define OTHER "{\"currency\":\"USD\",\"charges\":[{\"id\":\"f\",\"model\":\"flat\",\"amount\":1}]}"

static Life life;

static int begin(void **state)
{
    (void)state;
    life_begin(&life, "2026-06-10", MONTHLY);
    return 0;
}

static int end(void **state)
{
    (void)state;
    life_end(&life);
    return 0;
}

// "p/1 2026-06-10..2026-06-16, q/2 2026-06-16..end"
static const char *terms_told(const Timeline *timeline)
{
    Text text = text_open(life.arena);
    for (size_t i = 0; i < timeline->term_count; i++)
        text_print(&text, "%s%.*s/%lld %s", i > 0 ? ", " : "", STR_ARG(timeline->terms[i].plan_id),
                   (long long)timeline->terms[i].version,
                   life_span(&life, timeline->terms[i].span));
    return str_terminated(life.arena, text_str(&text));
}

static const char *period_told(const Timeline *timeline, const char *at)
{
    return life_span(&life, timeline_period(timeline, life_at(at)).service);
}

static void change_plan(const char *at, const char *plan, int64_t version)
{
    SubscriptionChange *change = life_change(&life, CHANGE_TERMS, at);
    change->plan = str_of(plan);
    change->plan_version = version;
}

static void test_a_life_without_changes(void **state)
{
    (void)state;
    life.first.quantities = STR("{\"seats\":\"5\"}");
    Timeline timeline = life_fold(&life);
    assert_string_equal(terms_told(&timeline), "p/1 2026-06-10..end");
    assert_string_equal(period_told(&timeline, "2026-06-10"), "2026-06-10..2026-07-01");
    assert_string_equal(period_told(&timeline, "2026-07-31"), "2026-07-01..2026-08-01");
    assert_int_equal(timeline.quantity_count, 1);
    assert_int_equal(timeline.quantities[0].count, 1);
    assert_true(timeline.credits);
    assert_false(timeline_active(&timeline, life_at("2026-06-09T23:59:59.999999Z")));
    assert_true(timeline_active(&timeline, life_at("2026-06-10")));
}

static void test_what_is_stored_and_no_quantity(void **state)
{
    static const char *const wrong[] = { "{\"seats\":\"many\"}", "{" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        Timeline timeline;
        life.first.quantities = str_of(wrong[i]);
        Err *err = timeline_fold(life.arena, &life.facts, &timeline);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_FAILED);
    }
}

static void test_the_end_is_the_one_recorded_last(void **state)
{
    (void)state;
    life.first.first_ends = true;
    life.first.first_ends_at = life_at("2026-12-01");
    Timeline timeline = life_fold(&life);
    assert_string_equal(life_span(&life, timeline.active), "2026-06-10..2026-12-01");
    SubscriptionChange *moved = life_change(&life, CHANGE_END, "2026-09-01");
    moved->ends = true;
    moved->ends_at = life_at("2026-09-01");
    moved->recorded_at = life_at("2026-07-01");
    SubscriptionChange *canceled = life_change(&life, CHANGE_CANCEL, "2026-08-15");
    canceled->recorded_at = life_at("2026-07-02");
    timeline = life_fold(&life);
    assert_string_equal(life_span(&life, timeline.active), "2026-06-10..2026-08-15");
    assert_false(timeline.credits);
    assert_string_equal(period_told(&timeline, "2026-08-14"), "2026-08-01..2026-08-15");
    life.facts.known_at = life_at("2026-07-01");
    timeline = life_fold(&life);
    assert_string_equal(life_span(&life, timeline.active), "2026-06-10..2026-09-01");
    assert_true(timeline.credits);
    life.facts.known_at = life_at("2026-06-30");
    timeline = life_fold(&life);
    assert_string_equal(life_span(&life, timeline.active), "2026-06-10..2026-12-01");
}

static void test_a_life_that_ends_as_it_begins(void **state)
{
    (void)state;
    life_change(&life, CHANGE_CANCEL, "2026-06-10");
    Timeline timeline = life_fold(&life);
    assert_int_equal(timeline.term_count, 0);
    assert_false(timeline_active(&timeline, life_at("2026-06-10")));
}

static void test_quantities_over_time(void **state)
{
    (void)state;
    life.first.quantities = STR("{\"seats\":\"5\"}");
    life_change(&life, CHANGE_TERMS, "2026-07-10")->quantities = STR("{\"seats\":\"9\"}");
    SubscriptionChange *late = life_change(&life, CHANGE_TERMS, "2026-06-20");
    late->quantities = STR("{\"rooms\":\"2\",\"seats\":\"7\"}");
    late->recorded_at = life_at("2026-07-20");
    life_change(&life, CHANGE_TERMS, "2026-07-25")->quantities = STR("{\"rooms\":\"2\"}");
    Timeline timeline = life_fold(&life);
    assert_int_equal(timeline.quantity_count, 2);
    const QuantityHistory *rooms = &timeline.quantities[0], *seats = &timeline.quantities[1];
    assert_true(str_equal(rooms->name, STR("rooms")));
    assert_int_equal(rooms->count, 1);  // told twice, changed once
    assert_string_equal(life_print(&life, rooms->changes[0].from), "2026-06-20");
    assert_int_equal(seats->count, 3);
    assert_string_equal(life_print(&life, seats->changes[1].from), "2026-06-20");
    assert_true(str_equal(rational_print(life.arena, seats->changes[1].value), STR("7")));
    assert_true(str_equal(rational_print(life.arena, seats->changes[2].value), STR("9")));
    assert_int_equal(timeline.term_count, 1);
}

static void test_pauses(void **state)
{
    (void)state;
    life_change(&life, CHANGE_RESUME, "2026-06-12");
    life_change(&life, CHANGE_PAUSE, "2026-06-15")->usage_free = true;
    life_change(&life, CHANGE_PAUSE, "2026-06-16");
    life_change(&life, CHANGE_RESUME, "2026-06-20");
    life_change(&life, CHANGE_PAUSE, "2026-06-20");
    life_change(&life, CHANGE_RESUME, "2026-06-20");
    life_change(&life, CHANGE_PAUSE, "2026-06-25");
    life_change(&life, CHANGE_CANCEL, "2026-07-15");
    life_change(&life, CHANGE_PAUSE, "2026-07-20");
    Timeline timeline = life_fold(&life);
    assert_int_equal(timeline.pause_count, 2);
    assert_string_equal(life_span(&life, timeline.pauses[0].span), "2026-06-15..2026-06-20");
    assert_true(timeline.pauses[0].usage_free);
    assert_string_equal(life_span(&life, timeline.pauses[1].span), "2026-06-25..2026-07-15");
    assert_false(timeline.pauses[1].usage_free);
}

static void test_a_plan_of_the_same_rule_keeps_the_calendar(void **state)
{
    (void)state;
    life_plan(&life, "q/2", OTHER);
    change_plan("2026-06-16", "q", 2);
    change_plan("2026-08-05", "p", 1);
    Timeline timeline = life_fold(&life);
    assert_string_equal(terms_told(&timeline), "p/1 2026-06-10..2026-06-16, q/2 "
                                               "2026-06-16..2026-08-05, p/1 2026-08-05..end");
    assert_string_equal(period_told(&timeline, "2026-06-16"), "2026-06-10..2026-07-01");
    assert_string_equal(life_print(&life, timeline.terms[1].since), "2026-06-16");
    // What counts from the first period under a plan counts from the first time.
    assert_string_equal(life_print(&life, timeline.terms[2].since), "2026-06-10");
    assert_int_equal(timeline_period(&timeline, life_at("2026-08-05")).index, 2);
}

static void test_a_plan_of_another_rule_begins_anew(void **state)
{
    (void)state;
    life_plan(&life, "y/1", "{\"currency\":\"USD\",\"period\":{\"unit\":\"year\",\"anchor\":"
                            "\"subscription\"},\"charges\":[]}");
    change_plan("2026-06-16", "y", 1);
    Timeline timeline = life_fold(&life);
    assert_string_equal(period_told(&timeline, "2026-06-15"), "2026-06-10..2026-06-16");
    assert_string_equal(period_told(&timeline, "2026-06-16"), "2026-06-16..2027-06-16");
    assert_string_equal(
        life_span(&life, timeline_period(&timeline, life_at("2026-06-15")).full),
        "2026-06-01..2026-07-01");
}

static void test_overrides_are_a_term_of_their_own(void **state)
{
    (void)state;
    SubscriptionChange *change = life_change(&life, CHANGE_TERMS, "2026-06-16");
    change->has_overrides = true;
    change->overrides = STR("{\"minimum\":{\"amount\":\"5\"}}");
    life_change(&life, CHANGE_TERMS, "2026-06-20")->quantities = STR("{\"seats\":\"1\"}");
    Timeline timeline = life_fold(&life);
    assert_string_equal(terms_told(&timeline), "p/1 2026-06-10..2026-06-16, p/1 2026-06-16..end");
    assert_false(timeline.terms[0].plan->minimum.given);
    assert_true(timeline.terms[1].plan->minimum.given);
}

static void test_a_migration_moves_who_is_on_that_version(void **state)
{
    (void)state;
    life_plan(&life, "p/2", OTHER);
    life_plan(&life, "p/3", MONTHLY);
    for (int64_t version = 2; version <= 3; version++) {
        SubscriptionChange *change = life_change(&life, CHANGE_MIGRATE, "2026-07-01");
        change->plan = STR("p");
        change->plan_version = version;
        change->from_version = 1;
    }
    Timeline timeline = life_fold(&life);
    assert_string_equal(terms_told(&timeline), "p/1 2026-06-10..2026-07-01, p/2 2026-07-01..end");
    assert_string_equal(life_print(&life, timeline.terms[1].since), "2026-06-10");
}

static void test_the_zones_of_a_calendar(void **state)
{
    (void)state;
    life.facts.project_zone = STR("Asia/Kolkata");
    Timeline timeline = life_fold(&life);
    assert_string_equal(period_told(&timeline, "2026-07-15"),
                        "2026-06-30T18:30:00Z..2026-07-31T18:30:00Z");
    life_zone(&life, "2026-07-10", "America/New_York");
    timeline = life_fold(&life);
    assert_string_equal(period_told(&timeline, "2026-07-15"),
                        "2026-06-30T18:30:00Z..2026-07-31T18:30:00Z");
    assert_string_equal(period_told(&timeline, "2026-08-15"),
                        "2026-07-31T18:30:00Z..2026-09-01T04:00:00Z");
    life.facts.known_at = life_at("2026-07-09");
    timeline = life_fold(&life);
    assert_string_equal(period_told(&timeline, "2026-08-15"),
                        "2026-07-31T18:30:00Z..2026-08-31T18:30:00Z");
    assert_int_equal(timeline.term_count, 1);
}

static void test_a_zone_that_is_not_known(void **state)
{
    (void)state;
    Timeline timeline;
    life.facts.project_zone = STR("Nowhere/Land");
    Err *err = timeline_fold(life.arena, &life.facts, &timeline);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
}

// Two periods free of a minimum, then one at 5, then as the plan says.
#define RAMP \
    "{\"currency\":\"USD\",\"minimum\":{\"amount\":\"9\"},\"charges\":[],\"phases\":[" \
    "{\"periods\":2,\"overrides\":{\"minimum\":null}}," \
    "{\"periods\":1,\"overrides\":{\"minimum\":{\"amount\":\"5\"}}}]}"

static const char *minimums_told(const Timeline *timeline)
{
    Text text = text_open(life.arena);
    for (size_t i = 0; i < timeline->term_count; i++) {
        const PlanAmount *minimum = &timeline->terms[i].plan->minimum;
        Str amount = minimum->given ? rational_print(life.arena, minimum->amount) : STR("-");
        text_print(&text, "%s%.*s from %s", i > 0 ? ", " : "", STR_ARG(amount),
                   life_print(&life, timeline->terms[i].span.start));
    }
    return str_terminated(life.arena, text_str(&text));
}

static void test_phases_of_a_plan(void **state)
{
    (void)state;
    life_end(&life);
    life_begin(&life, "2026-06-10", RAMP);
    Timeline timeline = life_fold(&life);
    assert_string_equal(minimums_told(&timeline),
                        "- from 2026-06-10, 5 from 2026-08-01, 9 from 2026-09-01");
    SubscriptionChange *change = life_change(&life, CHANGE_TERMS, "2026-07-15");
    change->has_overrides = true;
    change->overrides = STR("{\"minimum\":{\"amount\":\"7\"}}");
    timeline = life_fold(&life);  // overrides come after the phase
    assert_string_equal(minimums_told(&timeline), "- from 2026-06-10, 7 from 2026-07-15, 7 from "
                                                  "2026-08-01, 7 from 2026-09-01");
}

static void test_phases_of_a_subscription(void **state)
{
    (void)state;
    life_end(&life);
    life_begin(&life, "2026-06-10", RAMP);
    life_plan(&life, "p/2",
              "{\"currency\":\"USD\",\"minimum\":{\"amount\":\"2\"},\"charges\":[]}");
    life.first.overrides = STR("{\"minimum\":{\"amount\":\"7\"}}");
    life.first.phases = STR("[{\"until\":\"2026-06-20T00:00:00Z\",\"overrides\":{\"minimum\":{"
                            "\"amount\":\"1\"}}},{\"periods\":2,\"planVersion\":2}]");
    Timeline timeline = life_fold(&life);
    assert_string_equal(minimums_told(&timeline),
                        "1 from 2026-06-10, 7 from 2026-06-20, 7 from 2026-08-01");
    assert_string_equal(terms_told(&timeline), "p/1 2026-06-10..2026-06-20, p/2 "
                                               "2026-06-20..2026-08-01, p/1 2026-08-01..end");
}

static void test_which_events_are_its_own(void **state)
{
    (void)state;
    life.first.usage_filter = STR("{\"region\":[\"de\",\"eu\"]}");
    Timeline timeline = life_fold(&life);
    assert_int_equal(timeline.usage_filter.count, 1);
    assert_int_equal(timeline.usage_filter.terms[0].count, 2);
}

static void test_what_the_source_refuses(void **state)
{
    (void)state;
    Timeline timeline;
    change_plan("2026-06-16", "q", 9);
    Err *err = timeline_fold(life.arena, &life.facts, &timeline);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_PLAN_VERSION_NOT_FOUND);
}

static void test_a_phase_of_a_version_that_is_not_there(void **state)
{
    (void)state;
    Timeline timeline;
    life.first.phases = STR("[{\"periods\":1,\"planVersion\":9}]");
    Err *err = timeline_fold(life.arena, &life.facts, &timeline);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_PLAN_VERSION_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_life_without_changes),
        TEST(test_what_is_stored_and_no_quantity),
        TEST(test_the_end_is_the_one_recorded_last),
        TEST(test_a_life_that_ends_as_it_begins),
        TEST(test_quantities_over_time),
        TEST(test_pauses),
        TEST(test_a_plan_of_the_same_rule_keeps_the_calendar),
        TEST(test_a_plan_of_another_rule_begins_anew),
        TEST(test_overrides_are_a_term_of_their_own),
        TEST(test_a_migration_moves_who_is_on_that_version),
        TEST(test_the_zones_of_a_calendar),
        TEST(test_a_zone_that_is_not_known),
        TEST(test_phases_of_a_plan),
        TEST(test_phases_of_a_subscription),
        TEST(test_which_events_are_its_own),
        TEST(test_what_the_source_refuses),
        TEST(test_a_phase_of_a_version_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
