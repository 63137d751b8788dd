// SPDX-License-Identifier: Apache-2.0
// Reading for many accounts at once answers what reading one after the other does: random events,
// meters of all kinds, meters that come late, retracted events, tiny seals and their folds, random
// windows (whole months, local ones, ragged ones), as of random sequences.
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "flow/aggregate/corrections.h"
#include "flow/aggregate/read_accounts.h"
#include "flow/submit.h"

enum { ACCOUNTS = 23, DAYS = 40, METERS = 8 };

typedef struct World {
    Partition *partition;
    char       folder[64];
    Seeded     seeded;
    uint64_t   events;
} World;

static const HashKey key = { { 7 } };

static const char *const definitions[METERS] = {
    "{\"id\":\"sum\",\"event\":\"calls\",\"aggregation\":\"sum\"}",
    "{\"id\":\"count\",\"event\":\"calls\",\"aggregation\":\"count\"}",
    "{\"id\":\"latest\",\"event\":\"calls\",\"aggregation\":\"latest\"}",
    "{\"id\":\"most\",\"event\":\"calls\",\"aggregation\":\"max\"}",
    "{\"id\":\"by\",\"event\":\"calls\",\"aggregation\":\"sum\",\"dimensions\":[\"region\"]}",
    ("{\"id\":\"unique\",\"event\":\"calls\",\"aggregation\":\"uniqueCount\","
     "\"property\":\"region\"}"),
    "{\"id\":\"gauge\",\"event\":\"calls\",\"aggregation\":\"timeWeighted\"}",
    "{\"id\":\"late\",\"event\":\"calls\",\"aggregation\":\"sum\"}",
};

static uint64_t below(World *world, uint64_t limit)
{
    return seeded_below(&world->seeded, limit);
}

static Str account_name(Arena *arena, uint64_t number)
{
    return str_print(arena, "account %llu", (unsigned long long)number);
}

static void meter_put(World *world, const char *definition)
{
    AUTO(Arena) arena = arena_open();
    Faults faults = { .arena = arena };
    Json  *body;
    assert_null(json_parse_copy(arena, str_of(definition), &body));
    Meter *meter = meter_from_json(body, STR_NONE, &faults);
    assert_non_null(meter);
    assert_null(partition_meter_put(world->partition, arena, STR("prj"), meter));
}

static Str properties_of(Arena *arena, uint64_t number)
{
    Text properties = text_open(arena);
    if (number % 5 == 0)
        return STR("");
    text_add_varint(&properties, 1);
    text_add_counted(&properties, STR("region"));
    text_add_char(&properties, PROPERTY_STRING);
    text_add_counted(&properties, number % 2 == 0 ? STR("eu") : STR("us"));
    return text_str(&properties);
}

static void send(World *world, size_t count)
{
    AUTO(Arena) arena = arena_open();
    Event *events = arena_array(arena, Event, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = world->events++;
        events[i] = (Event){
            .index = (uint32_t)i,
            .unique_id = str_print(arena, "e%llu", (unsigned long long)number),
            .event = STR("calls"),
            .account = account_name(arena, below(world, ACCOUNTS)),
            .value = decimal_whole((int64_t)below(world, 100)),
            .ts = { (int64_t)below(world, DAYS * 86400) * INSTANT_SECOND_US },
            .ts_given = true,
            .properties = properties_of(arena, below(world, 1000)),
        };
        event_identify(&events[i], STR("prj"), &key);
    }
    Submission submission = { .project = STR("prj"), .events = events, .count = count,
                              .bytes = 100, .verdicts = arena_array(arena, Verdict, count) };
    assert_null(submit_and_wait(world->partition, arena, &submission, UINT_MAX));
}

static void void_some(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    VoidSet     *set;
    Void        *made;
    Str          id = str_print(arena, "e%llu", (unsigned long long)below(world, world->events));
    VoidIds      ids = { STR("prj"), &id, 1 };
    assert_null(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    assert_null(usage_choose_ids(moment, arena, &ids, &set));
    VoidOrder order = { .set = set };
    assert_null(partition_void(world->partition, arena, &order, &made));
    usage_moment_close(moment);
}

static void world_start(World *world)
{
    AUTO(Arena) arena = arena_open();
    PartitionOptions options = { .folder = str_of(world->folder), .key = key, .seal_bits = 5,
                                 .queue_bytes = 1 << 20, .cache_bytes = 1 << 20,
                                 .segment_bytes = 1 << 16 };
    assert_null(partition_open(arena, &options, &world->partition));
}

// ---- comparing

static void groups_equal(const UsageGroup *a, const UsageGroup *b, size_t values)
{
    for (size_t i = 0; i < values; i++)
        assert_true(str_equal(a->values[i], b->values[i]));
    assert_int_equal(a->has_value, b->has_value);
    assert_int_equal(rational_compare(a->exact, b->exact), 0);
    assert_int_equal(decimal_compare(a->value, b->value), 0);
    assert_int_equal(decimal_compare(a->sum, b->sum), 0);
    assert_int_equal(a->counted, b->counted);
    assert_int_equal(a->ignored, b->ignored);
    assert_int_equal(a->events, b->events);
    assert_true(digest_equal(&a->digest, &b->digest));
}

static uint64_t answers_equal(const UsageQuery *query, const UsageAnswer *a, const UsageAnswer *b)
{
    uint64_t events = 0;
    for (size_t i = 0; i < query->window_count; i++) {
        assert_int_equal(a[i].count, b[i].count);
        for (size_t k = 0; k < a[i].count; k++) {
            groups_equal(&a[i].groups[k], &b[i].groups[k], query->group_count);
            events += a[i].groups[k].events;
        }
    }
    return events;
}

static Instant random_instant(World *world)
{
    int64_t unit = (int64_t[]){ 86400, 86400, 3600, 1800, 1 }[below(world, 5)];
    return (Instant){ (int64_t)below(world, DAYS * 86400) / unit * unit * INSTANT_SECOND_US };
}

static UsageWindow random_window(World *world)
{
    Instant a = random_instant(world), b = random_instant(world);
    return a.us < b.us ? (UsageWindow){ a, b } : (UsageWindow){ b, a };
}

static const Str region[] = { STR_INIT("region") };

// Reads on a moment that has read ahead, and on one that has not.
static uint64_t account_check(UsageMoment *with, UsageMoment *without, Arena *arena,
                              const UsageQuery *wanted)
{
    uint64_t events = 0;
    for (size_t i = 0; i < METERS; i++) {
        UsageAnswer a[2], b[2];
        UsageQuery  query = *wanted;
        Json       *body;
        assert_null(json_parse_copy(arena, str_of(definitions[i]), &body));
        query.meter = json_find(body, STR("id"))->text;
        query.group_by = region;
        query.group_count = str_equal(query.meter, STR("by")) ? 1 : 0;
        Err *first = usage_read(with, arena, &query, a);
        Err *second = usage_read(without, arena, &query, b);
        assert_int_equal(first == NULL, second == NULL);
        if (first == NULL)
            events += answers_equal(&query, a, b);
        else
            assert_int_equal(first->code, ERR_METER_NOT_FOUND);  // the late one
    }
    return events;
}

static uint64_t check(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *with, *without;
    uint64_t     newest = partition_sequence(world->partition), events = 0;
    uint64_t     as_of = below(world, 2) == 0 ? newest : below(world, newest + 1);
    UsageWindow  windows[] = { random_window(world), random_window(world) };
    Str          names[ACCOUNTS + 1];
    size_t       count = 0;
    for (uint64_t i = 0; i <= ACCOUNTS; i++)  // the last has no usage
        if (i % (1 + below(world, 3)) == 0)
            names[count++] = account_name(arena, i);
    if (windows[1].start.us < windows[0].end.us)
        windows[1] = windows[0];
    UsageAheadQuery ahead = { .project = STR("prj"), .accounts = names, .account_count = count,
                              .windows = windows, .window_count = 1 + below(world, 2) };
    assert_null(usage_moment_open(world->partition, arena, as_of, &with));
    assert_null(usage_moment_open(world->partition, arena, as_of, &without));
    UsageAhead *read = usage_ahead_open(with, &ahead);
    for (uint64_t i = 0; i <= ACCOUNTS; i++) {
        UsageQuery query = { .project = STR("prj"), .account = account_name(arena, i),
                             .windows = &windows[below(world, 2)], .window_count = 1 };
        events += account_check(with, without, arena, &query);
    }
    usage_ahead_close(read);
    usage_moment_close(with);
    usage_moment_close(without);
    return events;
}

static void history(uint64_t seed)
{
    World world = { .seeded = seeded_of(seed) };
    snprintf(world.folder, sizeof world.folder, "/tmp/toll_accounts_test_XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    world_start(&world);
    for (size_t i = 0; i < METERS - 1; i++)
        meter_put(&world, definitions[i]);
    uint64_t events = 0;
    for (int turn = 0; turn < 28; turn++) {
        send(&world, 1 + below(&world, 120));
        if (turn == 17)
            meter_put(&world, definitions[METERS - 1]);
        if (turn % 3 == 2 && turn > 10)
            void_some(&world);
        if (turn % 13 == 12) {
            partition_close(world.partition);
            world_start(&world);
        }
        events += check(&world);
    }
    assert_true(events > 1000);
    partition_close(world.partition);
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", world.folder);
    assert_int_equal(system(command), 0);
}

static void many_accounts_at_once_read_like_one_by_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++)
        history(seed);
}

int main(void)
{
    log_threshold(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_accounts_at_once_read_like_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
