// SPDX-License-Identifier: Apache-2.0
// The demo's usage is what it says: read by the code that reads requests, its first sendings add up
// to the totals to the last digit, and what it calls duplicate, conflict and rejected is that.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/map.h"
#include "cli/demo_usage.h"
#include "flow/ingest/batch.h"

// Of an identity: what was stored under it.
typedef struct Told {
    Map     *fingerprints;
    uint64_t outcomes[OUTCOME_COUNT];
    Decimal  sums[DEMO_ACCOUNTS][DEMO_METERS];
} Told;

static bool event_known(void *context, Str event)
{
    (void)context;
    for (size_t i = 0; i < DEMO_METERS; i++)
        if (str_equal(event, str_of(demo_meters[i].id)))
            return true;
    return false;
}

static size_t place_in(const char *const *names, size_t count, Str name)
{
    size_t i = 0;
    while (i < count && !str_equal(name, str_of(names[i])))
        i++;
    assert_true(i < count);
    return i;
}

static void accepted_add(Told *told, const Event *event)
{
    const char *const meters[] = { demo_meters[0].id, demo_meters[1].id, demo_meters[2].id };
    Decimal *sum = &told->sums[place_in(demo_accounts, DEMO_ACCOUNTS, event->account)]
                              [place_in(meters, DEMO_METERS, event->event)];
    assert_true(decimal_add(*sum, event->value, sum));
}

static Outcome outcome_of(Told *told, const Event *event)
{
    uint64_t stored;
    Str      id = { (const char *)&event->id, sizeof event->id };
    if (event->refusal != NULL)
        return OUTCOME_REJECTED;
    if (map_find(told->fingerprints, id, &stored))
        return stored == event->fingerprint ? OUTCOME_DUPLICATE : OUTCOME_CONFLICT;
    map_set(told->fingerprints, id, event->fingerprint);
    accepted_add(told, event);
    return OUTCOME_ACCEPTED;
}

static void every_line_becomes_what_is_said(void **state)
{
    (void)state;
    // June 2026
    Instant start = { INT64_C(1780272000000000) }, end = { INT64_C(1782864000000000) };
    AUTO(Arena) arena = arena_open();
    AUTO(DemoUsage) usage = demo_usage_open(start, end);
    JsonParser *parser = json_parser_open();
    Told        told = { .fingerprints = map_open() };
    IngestRules rules = { .project = STR("prj"), .now = end, .events_max = 1,
                          .event_known = event_known };
    Text   line = text_open_own();
    size_t late = 0;
    int64_t newest = 0;
    for (size_t i = 0; i < demo_usage_count(usage); i++) {
        text_clear(&line);
        Outcome expected = demo_usage_line(usage, i, &line);
        memset(text_reserve(&line, JSON_PADDING), 0, JSON_PADDING);
        BatchSource source = { parser, arena, BATCH_LINES, text_str(&line) };
        Batch batch;
        assert_null(batch_read(&source, &rules, &batch));
        assert_int_equal(batch.count, 1);
        Outcome outcome = outcome_of(&told, batch.events);
        assert_int_equal(outcome, expected);
        told.outcomes[outcome]++;
        if (outcome == OUTCOME_ACCEPTED) {
            assert_true(batch.events->ts.us >= start.us && batch.events->ts.us < end.us);
            late += batch.events->ts.us < newest;
            newest = batch.events->ts.us > newest ? batch.events->ts.us : newest;
        }
        arena_reset(arena);
    }
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        assert_true(told.outcomes[i] > 50);
    assert_true(late > 1000);
    assert_true(decimal_compare(told.sums[0][0], decimal_whole(38114200)) == 0);
    assert_true(decimal_compare(told.sums[0][1], decimal_whole(912448)) == 0);
    assert_true(decimal_compare(told.sums[0][2], decimal_whole(1204001)) == 0);
    assert_true(decimal_compare(told.sums[1][0], decimal_whole(19057100)) == 0);
    text_close(&line);
    map_close(told.fingerprints);
    json_parser_close(parser);
}

static void usage_is_the_same_every_time(void **state)
{
    (void)state;
    Instant start = { 0 }, end = { 28 * INSTANT_DAY_US };
    AUTO(Arena) arena = arena_open();
    AUTO(DemoUsage) first = demo_usage_open(start, end);
    AUTO(DemoUsage) second = demo_usage_open(start, end);
    Text a = text_open(arena), b = text_open(arena);
    assert_int_equal(demo_usage_count(first), demo_usage_count(second));
    for (size_t i = 0; i < demo_usage_count(first); i += 997) {
        demo_usage_line(first, i, &a);
        demo_usage_line(second, i, &b);
    }
    assert_true(str_equal(text_str(&a), text_str(&b)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_becomes_what_is_said),
        cmocka_unit_test(usage_is_the_same_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
