// SPDX-License-Identifier: Apache-2.0
// The fold of a log, on random logs: stretches tile the time from start to end, each says what was
// last to count by then, and the order of recording matters only where two count from one instant.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "catalog/terms.h"

enum { LOGS = 3000, CHANGES_MAX = 12, DAYS = 60 };

typedef struct Dice {
    uint64_t state;
} Dice;

static uint64_t roll(Dice *dice, uint64_t sides)
{
    dice->state = dice->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (dice->state >> 33) % sides;
}

static Instant day(uint64_t number)
{
    return (Instant){ (int64_t)number * INSTANT_DAY_US };
}

static Str seats(Arena *arena, uint64_t number)
{
    return str_print(arena, "{\"seats\":\"%llu\"}", (unsigned long long)number);
}

static SubscriptionChange change_rolled(Arena *arena, Dice *dice)
{
    static const char *const plans[] = { "p", "q" };
    SubscriptionChange       change = { .effective_at = day(roll(dice, DAYS)) };
    switch (roll(dice, 8)) {
    case 0:
        change.kind = CHANGE_END;
        change.ends = roll(dice, 3) > 0;
        change.ends_at = day(1 + roll(dice, DAYS));
        break;
    case 1: change.kind = CHANGE_PAUSE; break;
    case 2:
        change.kind = CHANGE_MIGRATE;
        change.plan = STR("p");
        change.from_version = 1;
        change.plan_version = 2;
        break;
    case 3:
        change.plan = str_of(plans[roll(dice, 2)]);
        change.plan_version = (int64_t)(1 + roll(dice, 2));
        break;
    default: change.quantities = seats(arena, 1 + roll(dice, 100));
    }
    return change;
}

static Subscription first_rolled(Arena *arena, Dice *dice)
{
    Subscription first = { .plan = STR("p"),
                           .plan_version = 1,
                           .starts_at = day(0),
                           .quantities = seats(arena, 0),
                           .phases = STR("[]"),
                           .first_ends = roll(dice, 2) == 0 };
    first.first_ends_at = first.first_ends ? day(1 + roll(dice, DAYS)) : (Instant){ 0 };
    return first;
}

static SubscriptionHistory history_rolled(Arena *arena, Dice *dice)
{
    Subscription       *first = arena_new(arena, Subscription);
    SubscriptionChange *changes = arena_array(arena, SubscriptionChange, CHANGES_MAX);
    size_t              count = roll(dice, CHANGES_MAX + 1);
    *first = first_rolled(arena, dice);
    for (size_t i = 0; i < count; i++) {
        changes[i] = change_rolled(arena, dice);
        changes[i].number = (int64_t)i + 1;
        changes[i].recorded_at = day(i);
    }
    return (SubscriptionHistory){ first, changes, count };
}

// The slow way: what counts at one instant, asked of the whole log.
static SubscriptionTerms terms_asked(Arena *arena, const SubscriptionHistory *history, Instant at)
{
    SubscriptionTerms          now = subscription_first_terms(history->first);
    const SubscriptionChange **sorted = changes_by_effect(arena, history);
    for (size_t i = 0; i < history->count && sorted[i]->effective_at.us <= at.us; i++) {
        const SubscriptionChange *change = sorted[i];
        bool is_on = str_equal(now.plan, change->plan) && now.plan_version == change->from_version;
        if (change->kind == CHANGE_TERMS || (change->kind == CHANGE_MIGRATE && is_on)) {
            if (change->plan.at != NULL && !str_equal(change->plan, now.plan))
                now.phases = STR_NONE;
            now.plan = change->plan.at != NULL ? change->plan : now.plan;
            now.plan_version = change->plan.at != NULL ? change->plan_version : now.plan_version;
            now.quantities = change->quantities.at != NULL ? change->quantities : now.quantities;
        }
    }
    return now;
}

static void same_terms(const SubscriptionTerms *a, const SubscriptionTerms *b)
{
    assert_true(str_equal(a->plan, b->plan));
    assert_int_equal(a->plan_version, b->plan_version);
    assert_true(str_equal(a->quantities, b->quantities));
    assert_true(str_equal(a->phases, b->phases));
}

static void stretches_check(Arena *arena, const SubscriptionHistory *history)
{
    SubscriptionTerms *terms;
    Instant            end;
    bool               ends = subscription_end(history, &end);
    size_t             count = subscription_terms(arena, history, &terms);
    assert_true(count > 0);  // it ends a day after it starts at the earliest
    assert_int_equal(terms[0].start.us, 0);
    assert_int_equal(terms[count - 1].ends, ends);
    if (ends)
        assert_int_equal(terms[count - 1].end.us, end.us);
    for (size_t i = 0; i < count; i++) {
        SubscriptionTerms wanted = terms_asked(arena, history, terms[i].start);
        same_terms(&terms[i], &wanted);
        if (terms[i].ends) {
            Instant last = { terms[i].end.us - 1 };
            assert_true(terms[i].start.us < terms[i].end.us);
            wanted = terms_asked(arena, history, last);
            same_terms(&terms[i], &wanted);
            assert_ptr_equal(terms_at(terms, count, last), &terms[i]);
        }
        if (i + 1 < count)
            assert_true(terms[i].ends && terms[i].end.us == terms[i + 1].start.us);
        assert_ptr_equal(terms_at(terms, count, terms[i].start), &terms[i]);
    }
}

static void test_stretches_tile_the_time_and_say_what_counts(void **state)
{
    Dice dice = { 20260614 };
    (void)state;
    for (int i = 0; i < LOGS; i++) {
        AUTO(Arena) arena = arena_open();
        SubscriptionHistory history = history_rolled(arena, &dice);
        stretches_check(arena, &history);
    }
}

static bool share_an_instant(const SubscriptionHistory *history)
{
    for (size_t i = 0; i < history->count; i++)
        for (size_t k = 0; k < i; k++)
            if (history->changes[i].effective_at.us == history->changes[k].effective_at.us)
                return true;
    return false;
}

// The same changes told backwards; which end counts goes by recording, so there is none here.
static void test_the_order_of_recording_does_not_matter(void **state)
{
    Dice dice = { 19790731 };
    int  compared = 0;
    (void)state;
    for (int i = 0; i < LOGS; i++) {
        AUTO(Arena) arena = arena_open();
        SubscriptionHistory history = history_rolled(arena, &dice);
        SubscriptionChange *backwards = arena_array(arena, SubscriptionChange, history.count);
        bool                ends = history.first->first_ends;
        for (size_t k = 0; k < history.count; k++) {
            backwards[k] = history.changes[history.count - 1 - k];
            backwards[k].number = (int64_t)k + 1;
            ends |= backwards[k].kind == CHANGE_END;
        }
        if (ends || share_an_instant(&history))
            continue;
        SubscriptionHistory other = { history.first, backwards, history.count };
        SubscriptionTerms  *a, *b;
        size_t              count = subscription_terms(arena, &history, &a);
        assert_int_equal(subscription_terms(arena, &other, &b), count);
        for (size_t k = 0; k < count; k++) {
            same_terms(&a[k], &b[k]);
            assert_int_equal(a[k].start.us, b[k].start.us);
        }
        compared++;
    }
    assert_true(compared > LOGS / 20);
}

static void test_quantities_are_put_in_their_places(void **state)
{
    static const char *const merges[][3] = {
        { "{}", "{\"a\":\"1\"}", "{\"a\":\"1\"}" },
        { "{\"b\":\"1\"}", "{\"a\":\"2\",\"c\":\"3\"}", "{\"a\":\"2\",\"b\":\"1\",\"c\":\"3\"}" },
        { "{\"a\":\"1\",\"b\":\"2\"}", "{\"b\":\"0\"}", "{\"a\":\"1\",\"b\":\"0\"}" },
    };
    AUTO(Arena) arena = arena_open();
    (void)state;
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        Str got = quantities_merge(arena, str_of(merges[i][0]), str_of(merges[i][1]));
        assert_true(str_equal(got, str_of(merges[i][2])));
    }
    Str same = STR("{\"a\":\"1\"}");
    assert_ptr_equal(quantities_merge(arena, same, STR_NONE).at, same.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stretches_tile_the_time_and_say_what_counts),
        cmocka_unit_test(test_the_order_of_recording_does_not_matter),
        cmocka_unit_test(test_quantities_are_put_in_their_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
