// SPDX-License-Identifier: Apache-2.0
// Verdicts are counted once: unseen before they are durable, the same after a replay of the bytes a
// record or a seal carried, and refusals are kept newest first, up to their limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/outcomes.h"

#define HOUR_US (INT64_C(3600) * INSTANT_SECOND_US)

static Instant in_hour(int64_t hour)
{
    return (Instant){ hour * HOUR_US + 5 };
}

static void add(Outcomes *outcomes, Str project, int64_t hour, size_t accepted, size_t rejected)
{
    size_t counts[OUTCOME_COUNT] = { [OUTCOME_ACCEPTED] = accepted,
                                     [OUTCOME_REJECTED] = rejected };
    outcomes_add(outcomes, project, in_hour(hour), counts);
}

static void refuse_one(Outcomes *outcomes, Arena *arena, Str project, size_t number)
{
    Refusal refusal = {
        .at = { (int64_t)number - 3 },
        .outcome = number % 2 == 0 ? OUTCOME_REJECTED : OUTCOME_CONFLICT,
        .code = number % 2 == 0 ? ERR_INVALID_VALUE : ERR_INTERNAL,
        .unique_id = number % 3 == 0 ? STR_NONE : str_print(arena, "id%zu", number),
        .detail = str_print(arena, "detail %zu", number),
    };
    outcomes_refuse(outcomes, project, &refusal);
}

static OutcomeHours hours_of(Outcomes *outcomes, Arena *arena, Str project)
{
    OutcomeQuery query = { project, INT32_MIN, INT32_MAX };
    return outcomes_hours(outcomes, arena, &query);
}

static void assert_hour(const OutcomeHours *hours, size_t at, int64_t hour, uint64_t accepted,
                        uint64_t rejected)
{
    assert_true(at < hours->count);
    assert_true(hours->at[at].hour == hour);
    assert_true(hours->at[at].counts[OUTCOME_ACCEPTED] == accepted);
    assert_true(hours->at[at].counts[OUTCOME_REJECTED] == rejected);
    assert_true(hours->at[at].counts[OUTCOME_DUPLICATE] == 0);
}

static void nothing_is_seen_before_it_is_durable(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Outcomes *outcomes = outcomes_open();
    assert_false(outcomes_are_pending(outcomes));
    add(outcomes, STR("p"), -1, 2, 1);
    assert_true(outcomes_are_pending(outcomes));
    assert_int_equal(hours_of(outcomes, arena, STR("p")).count, 0);
    outcomes_settle(outcomes);
    OutcomeHours hours = hours_of(outcomes, arena, STR("p"));
    assert_hour(&hours, 0, -1, 2, 1);
    add(outcomes, STR("p"), -1, 5, 0);
    add(outcomes, STR("p"), -7, 1, 0);
    hours = hours_of(outcomes, arena, STR("p"));
    assert_int_equal(hours.count, 1);
    assert_hour(&hours, 0, -1, 2, 1);
    Text bytes = text_open(arena);
    outcomes_record(outcomes, 3, &bytes);
    assert_false(outcomes_are_pending(outcomes));
    hours = hours_of(outcomes, arena, STR("p"));
    assert_hour(&hours, 0, -1, 2, 1);  // written, but not durable
    outcomes_settle(outcomes);
    hours = hours_of(outcomes, arena, STR("p"));
    assert_int_equal(hours.count, 2);
    assert_hour(&hours, 0, -7, 1, 0);
    assert_hour(&hours, 1, -1, 7, 1);
    outcomes_close(outcomes);
    outcomes_close(NULL);
}

static void a_query_is_one_project_and_half_open(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Outcomes *outcomes = outcomes_open();
    for (int64_t hour = 5; hour > -5; hour--) {
        add(outcomes, STR("p"), hour, 1, 0);
        add(outcomes, STR("q"), hour, 10, 0);
    }
    outcomes_settle(outcomes);
    OutcomeQuery query = { STR("p"), -2, 3 };
    OutcomeHours hours = outcomes_hours(outcomes, arena, &query);
    assert_int_equal(hours.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_hour(&hours, i, (int64_t)i - 2, 1, 0);
    assert_int_equal(hours_of(outcomes, arena, STR("r")).count, 0);
    assert_int_equal(hours_of(outcomes, arena, STR("q")).count, 10);
    outcomes_close(outcomes);
}

static void assert_same_refusals(Outcomes *a, Outcomes *b, Str project)
{
    AUTO(Arena) arena = arena_open();
    Refusals one = outcomes_refusals(a, arena, project, 5000);
    Refusals two = outcomes_refusals(b, arena, project, 5000);
    assert_int_equal(one.count, two.count);
    for (size_t i = 0; i < one.count; i++) {
        assert_true(one.at[i].at.us == two.at[i].at.us);
        assert_int_equal(one.at[i].outcome, two.at[i].outcome);
        assert_int_equal(one.at[i].code, two.at[i].code);
        assert_true(str_equal(one.at[i].unique_id, two.at[i].unique_id));
        assert_true(str_equal(one.at[i].detail, two.at[i].detail));
    }
}

static void assert_same(Outcomes *a, Outcomes *b, Str project)
{
    AUTO(Arena) arena = arena_open();
    OutcomeHours one = hours_of(a, arena, project), two = hours_of(b, arena, project);
    assert_int_equal(one.count, two.count);
    for (size_t i = 0; i < one.count; i++) {
        assert_true(one.at[i].hour == two.at[i].hour);
        assert_memory_equal(one.at[i].counts, two.at[i].counts, sizeof one.at[i].counts);
    }
    assert_same_refusals(a, b, project);
}

// A record of random verdicts of two projects; the bytes of each record follow.
static Str record_make(Outcomes *outcomes, Arena *arena, Seeded *seeded, uint64_t generation)
{
    Text bytes = text_open(arena);
    for (uint64_t left = seeded_below(seeded, 6); left > 0; left--) {
        Str project = seeded_below(seeded, 2) == 0 ? STR("p") : STR("a longer project");
        add(outcomes, project, (int64_t)seeded_below(seeded, 5) - 2, seeded_below(seeded, 300),
            1 + seeded_below(seeded, 3));
        refuse_one(outcomes, arena, project, seeded_below(seeded, 100));
    }
    outcomes_record(outcomes, generation, &bytes);
    outcomes_settle(outcomes);
    return text_str(&bytes);
}

// Once from the records, once from the seals of the generations, put together.
static void a_replay_gives_the_same(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(81);
    for (int round = 0; round < 50; round++) {
        AUTO(Arena) arena = arena_open();
        Outcomes *first = outcomes_open(), *replayed = outcomes_open(), *sealed = outcomes_open();
        Text      seals = text_open(arena);
        for (uint64_t record = 0; record < 8; record++)
            assert_true(outcomes_take(replayed, record / 3,
                                      record_make(first, arena, &seeded, record / 3)));
        for (uint64_t generation = 0; generation < 3; generation++)
            outcomes_of(first, generation, &seals);
        assert_true(outcomes_take(sealed, 0, text_str(&seals)));
        assert_same(first, replayed, STR("p"));
        assert_same(first, replayed, STR("a longer project"));
        assert_same(first, sealed, STR("p"));
        assert_same(first, sealed, STR("a longer project"));
        outcomes_close(first);
        outcomes_close(replayed);
        outcomes_close(sealed);
    }
}

static void cut_bytes_are_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Outcomes *outcomes = outcomes_open();
    Text      bytes = text_open(arena);
    for (int part = 0; part < 2; part++) {
        add(outcomes, STR("p"), part, 1000, 1);
        refuse_one(outcomes, arena, STR("p"), 4);
        outcomes_record(outcomes, (uint64_t)part, &bytes);
        size_t border = part == 0 ? bytes.length : 0;
        for (size_t cut = 0; border > 0 && cut <= border; cut++) {
            Outcomes *into = outcomes_open();
            bool      whole = cut == 0 || cut == border;
            assert_int_equal(outcomes_take(into, 0, (Str){ bytes.at, cut }), whole);
            outcomes_close(into);
        }
    }
    Outcomes *into = outcomes_open();
    assert_false(outcomes_take(into, 0, (Str){ bytes.at, bytes.length - 1 }));
    assert_true(outcomes_take(into, 0, text_str(&bytes)));
    assert_false(outcomes_take(into, 0, STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
    assert_false(outcomes_take(into, 0, STR("\0\1\1p\0\x04\0\0\0")));  // no such outcome
    outcomes_close(into);
    outcomes_close(outcomes);
}

static void a_reason_of_a_later_version_is_kept(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Outcomes *outcomes = outcomes_open();
    assert_true(outcomes_take(outcomes, 0, STR("\0\1\1p\0\3\6future\1X\2ok")));
    Refusals refusals = outcomes_refusals(outcomes, arena, STR("p"), 10);
    assert_int_equal(refusals.count, 1);
    assert_int_equal(refusals.at[0].code, ERR_INTERNAL);
    assert_true(str_equal(refusals.at[0].unique_id, STR("X")));
    assert_true(str_equal(refusals.at[0].detail, STR("ok")));
    outcomes_close(outcomes);
}

static void what_is_kept_is_its_own_copy(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Outcomes *outcomes = outcomes_open(), *into = outcomes_open();
    char      project[] = "p", id[] = "id", detail[] = "why";
    Text      bytes = text_open(arena);
    Refusal   refusal = { .outcome = OUTCOME_REJECTED, .code = ERR_INVALID_VALUE,
                          .unique_id = str_of(id), .detail = str_of(detail) };
    outcomes_refuse(outcomes, str_of(project), &refusal);
    add(outcomes, str_of(project), 0, 1, 0);
    project[0] = id[0] = detail[0] = 'X';
    outcomes_record(outcomes, 0, &bytes);
    outcomes_settle(outcomes);
    assert_true(outcomes_take(into, 0, text_str(&bytes)));
    memset(bytes.at, 'X', bytes.length);
    Outcomes *both[] = { outcomes, into };
    for (int i = 0; i < 2; i++) {
        Refusals refusals = outcomes_refusals(both[i], arena, STR("p"), 5);
        assert_int_equal(refusals.count, 1);
        assert_true(str_equal(refusals.at[0].unique_id, STR("id")));
        assert_true(str_equal(refusals.at[0].detail, STR("why")));
        OutcomeHours hours = hours_of(both[i], arena, STR("p"));
        assert_hour(&hours, 0, 0, 1, 0);
        outcomes_close(both[i]);
    }
}

static void refusals_are_newest_first_up_to_their_limits(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Outcomes *outcomes = outcomes_open(), *into = outcomes_open();
    refuse_one(outcomes, arena, STR("quiet"), 7);
    for (size_t i = 0; i < REFUSALS_KEPT + 50; i++)
        refuse_one(outcomes, arena, STR("p"), i);
    Refusals refusals = outcomes_refusals(outcomes, arena, STR("p"), 2 * REFUSALS_KEPT);
    assert_int_equal(refusals.count, REFUSALS_KEPT);
    for (size_t i = 0; i < refusals.count; i++)
        assert_true(refusals.at[i].at.us == (int64_t)(REFUSALS_KEPT + 49 - i) - 3);
    assert_int_equal(outcomes_refusals(outcomes, arena, STR("p"), 3).count, 3);
    assert_int_equal(outcomes_refusals(outcomes, arena, STR("p"), 0).count, 0);
    assert_int_equal(outcomes_refusals(outcomes, arena, STR("quiet"), 10).count, 1);
    Text bytes = text_open(arena);
    outcomes_record(outcomes, 0, &bytes);
    assert_true(outcomes_take(into, 0, text_str(&bytes)));
    refusals = outcomes_refusals(into, arena, STR("p"), 2 * REFUSALS_KEPT);
    assert_int_equal(refusals.count, REFUSALS_RECORDED);
    assert_true(refusals.at[0].at.us == REFUSALS_KEPT + 49 - 3);
    outcomes_close(outcomes);
    outcomes_close(into);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_seen_before_it_is_durable),
        cmocka_unit_test(a_query_is_one_project_and_half_open),
        cmocka_unit_test(a_replay_gives_the_same),
        cmocka_unit_test(cut_bytes_are_refused),
        cmocka_unit_test(a_reason_of_a_later_version_is_kept),
        cmocka_unit_test(what_is_kept_is_its_own_copy),
        cmocka_unit_test(refusals_are_newest_first_up_to_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
