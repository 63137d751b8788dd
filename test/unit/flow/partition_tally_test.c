// SPDX-License-Identifier: Apache-2.0
// A whole partition against a list in memory, for meters whose value is made of events in order:
// random late events and voids, meters put before and after them, tiny seals, opening levels from
// cells or from events, any windows with gaps between them, holes, T, groups, as of any sequence.
// The list goes through one tally a group, event by event; cells are never met there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/random.h"
#include "base/vector.h"
#include "flow/aggregate/cell.h"
#include "flow/aggregate/corrections.h"
#include "flow/aggregate/recount.h"
#include "flow/aggregate/tally.h"
#include "flow/canonical.h"
#include "flow/submit.h"

#define HOUR_US (INT64_C(3600) * INSTANT_SECOND_US)

enum { ACCOUNTS = 3, HOURS = 24 * 12, WINDOWS = 4, HOLES = 2 };

typedef struct Known {
    Event    event;
    uint64_t sequence, voided;  // 0: it is not void
} Known;

typedef struct World {
    Partition    *partition;
    Arena        *arena;  // of what is known
    char          folder[64];
    Seeded        seeded;
    VECTOR(Known) known;
} World;

static const char *const definitions[] = {
    "\"aggregation\":\"timeWeighted\",\"per\":\"hour\"",
    "\"aggregation\":\"timeWeighted\",\"per\":\"period\",\"input\":\"change\"",
    "\"aggregation\":\"timeWeighted\",\"property\":\"value\","
    "\"filter\":{\"region\":[\"eu\",\"us\"]}",
    "\"aggregation\":\"percentile\",\"percentile\":\"62.5\"",
    "\"aggregation\":\"sum\",\"carryOver\":true",
    "\"aggregation\":\"uniqueCount\",\"carryOver\":true,\"operationProperty\":\"op\"",
    "\"aggregation\":\"uniqueCount\",\"operationProperty\":\"op\"",
    "\"aggregation\":\"sum\",\"window\":{\"unit\":\"hour\",\"aggregation\":\"max\"}",
    "\"aggregation\":\"max\",\"window\":{\"unit\":\"day\",\"aggregation\":\"average\"}",
    "\"aggregation\":\"sum\",\"carryOver\":true,"
    "\"window\":{\"unit\":\"day\",\"aggregation\":\"sum\"}",
    "\"aggregation\":\"timeWeighted\",\"window\":{\"unit\":\"day\",\"aggregation\":\"percentile\"},"
    "\"percentile\":50",
    // Answered from cells, with holes cut out of them.
    "\"aggregation\":\"sum\"",
    "\"aggregation\":\"count\"",
    "\"aggregation\":\"average\"",
    "\"aggregation\":\"latest\"",
    "\"aggregation\":\"min\"",
    "\"aggregation\":\"uniqueCount\"",
};
enum { METERS = sizeof definitions / sizeof *definitions };

static uint64_t below(World *world, uint64_t limit)
{
    return seeded_below(&world->seeded, limit);
}

static void world_open(World *world)
{
    AUTO(Arena) arena = arena_open();
    PartitionOptions options = {
        .folder = str_of(world->folder),
        .key = { { 7 } },
        .seal_bits = 5,
        .queue_bytes = 64 << 20,
        .cache_bytes = 1 << 20,
        .segment_bytes = 1 << 20,
    };
    assert_null(partition_open(arena, &options, &world->partition));
}

static void world_close(World *world)
{
    char command[128];
    partition_close(world->partition);
    snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
    assert_int_equal(system(command), 0);
    vector_release(&world->known);
    arena_close(world->arena);
}

static Meter *meter_of(Arena *arena, size_t which)
{
    Json  *body;
    Faults faults = { .arena = arena };
    Text   text = text_open(arena);
    text_print(&text, "{\"event\":\"calls\",\"dimensions\":[\"region\"],%s%s}", definitions[which],
               strstr(definitions[which], "property\":\"value") == NULL ? ",\"property\":\"amount\""
                                                                      : "");
    assert_null(json_parse_copy(arena, text_str(&text), &body));
    Meter *meter = meter_from_json(body, str_print(arena, "m%zu", which), &faults);
    if (faults.first != NULL)
        fail_msg("%s: %.*s", definitions[which], STR_ARG(faults.first->detail));
    return meter;
}

static void meters_put(World *world, size_t first, size_t end)
{
    AUTO(Arena) arena = arena_open();
    for (size_t i = first; i < end; i++)
        assert_null(
            partition_meter_put(world->partition, arena, STR("prj"), meter_of(arena, i)));
}

// ---- what happens

static Str properties_at_random(World *world)
{
    static const char *const regions[] = { "eu", "us", "ap" };
    static const char *const operations[] = { "add", "remove", "turn" };
    Property properties[3];
    size_t   count = 0;
    if (below(world, 8) > 0)
        properties[count++] = (Property){ STR("amount"), PROPERTY_NUMBER,
                                          str_print(world->arena, "%d",
                                                    (int)below(world, 12) - 3) };
    if (below(world, 3) > 0)
        properties[count++] = (Property){ STR("op"), PROPERTY_STRING,
                                          str_of(operations[below(world, 9) / 4]) };
    if (below(world, 5) > 0)
        properties[count++] =
            (Property){ STR("region"), PROPERTY_STRING, str_of(regions[below(world, 3)]) };
    return canonical_of(world->arena, properties, count);
}

// Many instants are whole hours, and some are met twice.
static int64_t instant_at_random(World *world)
{
    int64_t hour = (int64_t)below(world, HOURS) * HOUR_US;
    return below(world, 3) == 0 ? hour : hour + (int64_t)below(world, (uint64_t)HOUR_US);
}

static void send(World *world, size_t count)
{
    AUTO(Arena) arena = arena_open();
    static const HashKey key = { { 7 } };
    Event               *events = arena_array(world->arena, Event, count);
    Submission           submission = {
                  .project = STR("prj"),
                  .events = events,
                  .count = count,
                  .bytes = 100 * count,
                  .verdicts = arena_array(arena, Verdict, count),
    };
    for (size_t i = 0; i < count; i++) {
        events[i] = (Event){
            .index = (uint32_t)i,
            // Ids whose order is not that of arrival.
            .unique_id = str_print(world->arena, "%02u-%zu", (unsigned)below(world, 100),
                                   world->known.count + i),
            .event = STR("calls"),
            .account = str_print(world->arena, "a%u", (unsigned)below(world, ACCOUNTS)),
            .value = decimal_whole((int64_t)below(world, 50)),
            .ts = { instant_at_random(world) },
            .ts_given = true,
            .properties = properties_at_random(world),
        };
        event_identify(&events[i], STR("prj"), &key);
    }
    assert_null(submit_and_wait(world->partition, arena, &submission, 1000));
    for (size_t i = 0; i < count; i++) {
        Known known = { events[i], submission.verdicts[i].sequence, 0 };
        assert_int_equal(submission.verdicts[i].outcome, OUTCOME_ACCEPTED);
        vector_push(&world->known, known);
    }
}

static void void_one(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    VoidSet     *set;
    Void        *made;
    Known       *known = &world->known.at[below(world, world->known.count)];
    VoidIds      ids = { STR("prj"), &known->event.unique_id, 1 };
    assert_null(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    assert_null(usage_choose_ids(moment, arena, &ids, &set));
    usage_moment_close(moment);
    assert_null(partition_void(world->partition, arena, &(VoidOrder){ .set = set }, &made));
    assert_int_equal(made == NULL, known->voided != 0);
    if (made != NULL)
        known->voided = made->sequence;
}

// ---- the same from the list

typedef struct Wanted {
    const Meter      *meter;
    const UsageQuery *query;
    uint64_t          as_of;
    Str               account;  // of a level; STR_NONE: all
    bool              grouped;
    Str               region;   // of the group; STR_NONE: absent
} Wanted;

static bool is_in_hole(const UsageQuery *query, Instant ts)
{
    for (size_t i = 0; i < query->hole_count; i++)
        if (ts.us >= query->holes[i].start.us && ts.us < query->holes[i].end.us)
            return true;
    return false;
}

static bool is_wanted(const Known *known, const Wanted *wanted, Measure *measure)
{
    Property region = { .text = STR_NONE };
    bool     has_region = properties_find(known->event.properties, STR("region"), &region);
    if (known->sequence > wanted->as_of || (known->voided != 0 && known->voided <= wanted->as_of) ||
        (wanted->account.at != NULL && !str_equal(known->event.account, wanted->account)) ||
        (wanted->grouped && has_region != (wanted->region.at != NULL)) ||
        (wanted->grouped && has_region && !str_equal(region.text, wanted->region)) ||
        (!meter_looks_back(wanted->meter) && is_in_hole(wanted->query, known->event.ts)))
        return false;
    return measure_of(wanted->meter, &known->event, measure);
}

// Events of a stretch of time, those that count in order.
typedef struct Cut {
    Counted *at;
    size_t   count;
    uint64_t events, ignored;
} Cut;

static Cut list_cut(Arena *arena, const World *world, const Wanted *wanted, UsageWindow span)
{
    Cut cut = { .at = arena_array(arena, Counted, world->known.count) };
    for (size_t i = 0; i < world->known.count; i++) {
        const Known *known = &world->known.at[i];
        Measure      measure;
        if (known->event.ts.us < span.start.us || known->event.ts.us >= span.end.us ||
            !is_wanted(known, wanted, &measure))
            continue;
        cut.events++;
        cut.ignored += !measure.counts;
        if (!measure.counts)
            continue;
        Counted *counted = &cut.at[cut.count++];
        *counted = (Counted){ .ts = known->event.ts,
                              .unique_id = known->event.unique_id,
                              .value = measure.value,
                              .removes = measure.removes };
        if (wanted->meter->aggregation == AGGREGATE_UNIQUE_COUNT)
            counted->text = measure_text(wanted->meter, &known->event, arena);
    }
    counted_sort(cut.at, cut.count);
    return cut;
}

// One account's, or all.
static TallyValue list_value(Arena *arena, const World *world, const Wanted *wanted, size_t window,
                             Cut *cut)
{
    TallyValue  value;
    TallyRange  range = { .window = wanted->query->windows[window], .query = wanted->query };
    Tally      *tally = tally_open(arena, wanted->meter);
    UsageWindow before = { INSTANT_FIRST, range.window.start };
    *cut = list_cut(arena, world, wanted, before);
    if (meter_looks_back(wanted->meter))
        assert_null(tally_pass(tally, cut->at, cut->count));
    if (wanted->meter->has_window)
        assert_null(tally_windows(arena, wanted->meter, range.window.start, &range));
    *cut = list_cut(arena, world, wanted, range.window);
    assert_null(tally_window(tally, &range, cut->at, cut->count, &value));
    tally_close(tally);
    return value;
}

static void group_check(const World *world, Wanted *wanted, size_t window, const UsageGroup *group)
{
    AUTO(Arena) arena = arena_open();
    Cut        cut, all = { 0 };
    TallyValue value, sum = { false, rational_zero() };
    bool       by_account = wanted->query->account.at == NULL &&
                      wanted->meter->aggregation == AGGREGATE_TIME_WEIGHTED &&
                      wanted->meter->input == INPUT_LEVEL;
    for (unsigned i = 0; i < (by_account ? ACCOUNTS : 1); i++) {
        wanted->account =
            by_account ? str_print(arena, "a%u", i) : wanted->query->account;
        value = list_value(arena, world, wanted, window, &cut);
        sum.exact = rational_add(arena, sum.exact, value.exact);
        sum.has_value = sum.has_value || value.has_value;
        all.events += cut.events;
        all.ignored += cut.ignored;
    }
    if (rational_compare(group->exact, sum.exact) != 0)
        fail_msg("%.*s: %.*s is not %.*s", STR_ARG(wanted->meter->id),
                 STR_ARG(rational_print(arena, group->exact)),
                 STR_ARG(rational_print(arena, sum.exact)));
    assert_int_equal(group->has_value, sum.has_value);
    assert_int_equal(group->events, all.events);
    assert_int_equal(group->ignored, all.ignored);
}

// ---- questions at random

typedef struct Question {
    UsageWindow windows[WINDOWS], holes[HOLES];
    UsageQuery  query;
} Question;

static void spans_at_random(World *world, UsageWindow *spans, size_t count)
{
    int64_t edges[2 * WINDOWS];
    for (size_t i = 0; i < 2 * count; i++) {
        size_t  at = i;
        int64_t edge = instant_at_random(world) + (below(world, 20) == 0 ? 5 * HOUR_US : 0);
        for (; at > 0 && edges[at - 1] > edge; at--)
            edges[at] = edges[at - 1];
        edges[at] = edge;
    }
    for (size_t i = 0; i < count; i++)
        spans[i] = (UsageWindow){ { edges[2 * i] }, { edges[2 * i + 1] } };
}

static void question_at_random(World *world, const Meter *meter, Question *question)
{
    static const Str         region = STR_INIT("region");
    static const char *const accounts[] = { "a0", "a1", "a2", "nobody", NULL, NULL };
    spans_at_random(world, question->windows, WINDOWS);
    spans_at_random(world, question->holes, HOLES);
    for (size_t i = 1; i < WINDOWS; i++)  // half of them without a gap
        if (below(world, 2) == 0)
            question->windows[i].start = question->windows[i - 1].end;
    question->query = (UsageQuery){
        .project = STR("prj"),
        .meter = meter->id,
        .account = str_of(accounts[below(world, 6)]),
        .group_by = &region,
        .group_count = below(world, 2),
        .windows = question->windows,
        .window_count = WINDOWS,
        .holes = question->holes,
        .hole_count = below(world, HOLES + 1),
        .until = { below(world, 2) == 0 ? 0 : instant_at_random(world) },
        .zone = below(world, 2) == 0 ? NULL : zone_find(STR("Pacific/Apia")),
        .period_us = below(world, 2) == 0 ? 0 : 30 * INSTANT_DAY_US,
    };
}

static void check_read(World *world)
{
    AUTO(Arena) arena = arena_open();
    Question     question;
    UsageAnswer  answers[WINDOWS];
    UsageMoment *moment;
    Meter       *meter = meter_of(arena, below(world, METERS));
    uint64_t     newest = partition_sequence(world->partition);
    Wanted       wanted = { .meter = meter, .query = &question.query };
    wanted.as_of = below(world, 2) == 0 ? SEQUENCE_NEWEST : below(world, newest + 1);
    question_at_random(world, meter, &question);
    wanted.grouped = question.query.group_count > 0;
    assert_null(usage_moment_open(world->partition, arena, wanted.as_of, &moment));
    Err *err = usage_read(moment, arena, &question.query, answers);
    if (err != NULL)
        fail_msg("%.*s", STR_ARG(err->detail));
    usage_moment_close(moment);
    for (size_t i = 0; i < WINDOWS; i++) {
        uint64_t events = 0;
        assert_true(wanted.grouped || answers[i].count == 1);
        for (size_t k = 0; k < answers[i].count; k++) {
            if (wanted.grouped)
                wanted.region = answers[i].groups[k].values[0];
            group_check(world, &wanted, i, &answers[i].groups[k]);
            events += answers[i].groups[k].events;
        }
        Wanted all = { .meter = meter, .query = &question.query, .as_of = wanted.as_of,
                       .account = question.query.account };
        Cut    cut = list_cut(arena, world, &all, question.windows[i]);
        assert_int_equal(events, cut.events);  // no group is missing
    }
}

static void tell_drift(void *context, Str text)
{
    (void)context;
    fail_msg("%.*s", STR_ARG(text));
}

static void run_history(uint64_t seed)
{
    World   world = { .arena = arena_open(), .seeded = seeded_of(seed) };
    AUTO(Arena) arena = arena_open();
    Recount recount = { .tell = tell_drift };
    snprintf(world.folder, sizeof world.folder, "/tmp/toll-tally-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    log_threshold(LOG_WARN);
    world_open(&world);
    meters_put(&world, 0, METERS / 2);
    for (int turn = 0; turn < 24; turn++) {
        send(&world, 1 + below(&world, 25));
        if (turn == 8)
            meters_put(&world, METERS / 2, METERS);
        if (below(&world, 2) == 0)
            void_one(&world);
        if (below(&world, 8) == 0) {
            partition_close(world.partition);
            world_open(&world);
        }
        for (int i = 0; turn >= 8 && i < 25; i++)
            check_read(&world);
    }
    assert_null(partition_recount(world.partition, arena, &recount));
    assert_int_equal(recount.drifts, 0);
    world_close(&world);
}

static void reads_are_what_the_list_tallies(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        run_history(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_are_what_the_list_tallies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
