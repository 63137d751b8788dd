// SPDX-License-Identifier: Apache-2.0
// A partition under many threads: four submit overlapping ids at once, others read all the while,
// meters come, change and go, seals are tiny. Every id is accepted once and by one sender; whoever
// was answered sees his event in the next read; sums only rise and never pass what was submitted;
// at the end the totals are exact, also after closing and opening, and a recount is clean.
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "flow/aggregate/recount.h"
#include "flow/aggregate/usage.h"
#include "flow/submit.h"

enum { SENDERS = 4, READERS = 2, IDS = 6000, ACCOUNTS = 3, BATCH_MAX = 40, DAYS = 3 };

typedef struct World {
    Partition *partition;
    char       folder[64];
    uint32_t   seal_bits;
    uint64_t   seed;
    atomic_uint accepted[IDS];   // how often each id was
    atomic_uint submitted;       // events that were sent, or are being sent
    atomic_uint answered;        // accepted ones whose answer has come
    atomic_uint of_account[ACCOUNTS];  // the same by account
    atomic_bool done;
} World;

typedef struct Actor {
    Thread   thread;
    World   *world;
    uint64_t number;
} Actor;

// A failure in another thread than cmocka's ends the process, as a broken promise does.
static void must(Err *err)
{
    if (err != NULL)
        fprintf(stderr, "refused: %.*s\n", STR_ARG(err->detail));
    assert_that(err == NULL);
}

static void world_open(World *world)
{
    AUTO(Arena) arena = arena_open();
    PartitionOptions options = {
        .folder = str_of(world->folder),
        .key = { { 7 } },
        .seal_bits = world->seal_bits,
        .queue_bytes = 64 << 20,
        .cache_bytes = 1 << 20,
        .segment_bytes = 1 << 16,
    };
    must(partition_open(arena, &options, &world->partition));
}

// ---- sending

static void submit(World *world, Arena *arena, Submission *submission)
{
    must(submit_and_wait(world->partition, arena, submission, UINT_MAX));
}

// All there is to an event follows from its number, so whoever sends it sends the same.
static Event event_of(Arena *arena, uint64_t number)
{
    static const HashKey key = { { 7 } };
    Text properties = text_open(arena);
    text_add_varint(&properties, 1);
    text_add_counted(&properties, STR("region"));
    text_add_char(&properties, PROPERTY_STRING);
    text_add_counted(&properties, number % 2 == 0 ? STR("eu") : STR("us"));
    Event event = {
        .unique_id = str_print(arena, "e%llu", (unsigned long long)number),
        .event = STR("calls"),
        .account = str_print(arena, "a%llu", (unsigned long long)number % ACCOUNTS),
        .value = decimal_whole(1),
        .ts = { (int64_t)(number * 7919 % (DAYS * 86400)) * 1000000 },
        .ts_given = true,
        .properties = text_str(&properties),
    };
    event_identify(&event, STR("prj"), &key);
    return event;
}

static const Meter meter = {
    .id = STR_INIT("sum"), .event = STR_INIT("calls"), .aggregation = AGGREGATE_SUM,
    .property = STR_INIT("value"),
};

// Events of the account, or of all, up to *sequence; there comes back what the answer reaches to.
static uint64_t read_as_of(World *world, Str account, uint64_t *sequence)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    UsageAnswer  answer;
    UsageWindow  window = { { 0 }, { (int64_t)DAYS * 86400000000 } };
    UsageQuery   query = { .project = STR("prj"), .meter = meter.id, .account = account,
                           .windows = &window, .window_count = 1 };
    must(usage_moment_open(world->partition, arena, *sequence, &moment));
    must(usage_read(moment, arena, &query, &answer));
    *sequence = usage_moment_sequence(moment);
    usage_moment_close(moment);
    if (answer.count == 0)
        return 0;
    assert_that(answer.groups[0].events == answer.groups[0].counted);
    assert_that(decimal_compare(answer.groups[0].value,
                                decimal_whole((int64_t)answer.groups[0].events)) == 0);
    return answer.groups[0].events;
}

static uint64_t read_now(World *world, Str account)
{
    uint64_t sequence = SEQUENCE_NEWEST;
    return read_as_of(world, account, &sequence);
}

// Marks what was accepted. The next read of an account has at least what had been answered of it.
static void verdicts_take(World *world, const Submission *submission, const uint64_t *numbers)
{
    for (size_t i = 0; i < submission->count; i++) {
        Verdict verdict = submission->verdicts[i];
        assert_that(verdict.sequence > 0);
        if (verdict.outcome == OUTCOME_ACCEPTED) {
            assert_that(atomic_fetch_add(&world->accepted[numbers[i]], 1) == 0);
            atomic_fetch_add(&world->answered, 1);
            atomic_fetch_add(&world->of_account[numbers[i] % ACCOUNTS], 1);
        } else {
            assert_that(verdict.outcome == OUTCOME_DUPLICATE);
        }
    }
}

// The ids in a window that wanders over all of them, so that the senders meet again and again.
static void *sender_run(void *context)
{
    Actor *actor = context;
    World *world = actor->world;
    Seeded seeded = seeded_of(world->seed * 100 + actor->number);
    for (uint64_t at = 0; at < IDS;) {
        AUTO(Arena) arena = arena_open();
        uint64_t numbers[BATCH_MAX];
        size_t   count = 1 + (size_t)seeded_below(&seeded, BATCH_MAX);
        Event   *events = arena_array(arena, Event, count);
        for (size_t i = 0; i < count; i++) {
            bool is_old = seeded_below(&seeded, 4) == 0;
            numbers[i] = is_old ? seeded_below(&seeded, at + 1) : at < IDS ? at++ : IDS - 1;
            events[i] = event_of(arena, numbers[i]);
            events[i].index = (uint32_t)i;
        }
        Submission submission = {
            .project = STR("prj"), .events = events, .count = count, .received = { 1000 },
            .bytes = 100 * count, .verdicts = arena_array(arena, Verdict, count),
            .atomic = seeded_below(&seeded, 5) == 0,
        };
        atomic_fetch_add(&world->submitted, (unsigned)count);
        submit(world, arena, &submission);
        verdicts_take(world, &submission, numbers);
        uint64_t account = numbers[0] % ACCOUNTS;
        unsigned least = world->of_account[account];
        if (seeded_below(&seeded, 4) == 0)
            assert_that(read_now(world, events[0].account) >= least);
    }
    return NULL;
}

// ---- reading beside

static void *reader_run(void *context)
{
    Actor   *actor = context;
    World   *world = actor->world;
    uint64_t before = 0;
    while (!world->done) {
        Str      account = actor->number == 0 ? STR_NONE : STR("a1");
        uint64_t least = world->answered, sequence = SEQUENCE_NEWEST;
        uint64_t seen = read_as_of(world, account, &sequence);
        uint64_t most = world->submitted;
        assert_that(seen >= before && seen <= most);
        assert_that(actor->number != 0 || (seen >= least && seen <= IDS));
        assert_that(read_as_of(world, account, &sequence) == seen);
        before = seen;
    }
    return NULL;
}

// The definition that is read changes under the readers; another meter comes and goes.
static void *meters_run(void *context)
{
    static Str   dimensions[] = { STR_INIT("region") };
    const Actor *actor = context;
    World       *world = actor->world;
    for (unsigned turn = 0; !world->done; turn++) {
        AUTO(Arena) arena = arena_open();
        Meter sum = meter, other = meter;
        sum.dimensions = dimensions;
        sum.dimension_count = turn % 2;
        other.id = STR("other");
        must(partition_meter_put(world->partition, arena, STR("prj"), &sum));
        must(partition_meter_put(world->partition, arena, STR("prj"), &other));
        usleep(3000);
        must(partition_meter_remove(world->partition, arena, STR("prj"), other.id));
        usleep(3000);
    }
    return NULL;
}

// ---- the whole

static void tell_drift(void *context, Str text)
{
    (void)context;
    fail_msg("%.*s", STR_ARG(text));
}

static void check_totals(World *world)
{
    AUTO(Arena) arena = arena_open();
    Recount recount = { .tell = tell_drift };
    assert_int_equal(read_now(world, STR_NONE), IDS);
    uint64_t of_accounts = 0;
    for (unsigned i = 0; i < ACCOUNTS; i++)
        of_accounts += read_now(world, str_print(arena, "a%u", i));
    assert_int_equal(of_accounts, IDS);
    must(partition_recount(world->partition, arena, &recount));
    assert_int_equal(recount.drifts, 0);
}

static void actors_start(World *world, Actor *actors, size_t count, void *(*run)(void *))
{
    for (size_t i = 0; i < count; i++) {
        actors[i] = (Actor){ .world = world, .number = i };
        thread_start(&actors[i].thread, "actor", run, &actors[i]);
    }
}

static void actors_join(Actor *actors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        thread_join(&actors[i].thread);
}

static void run_world(uint32_t seal_bits, uint64_t seed)
{
    AUTO(Arena) arena = arena_open();
    Actor  senders[SENDERS], readers[READERS], meters[1];
    World *world = memory_take(sizeof(World));
    char   command[128];
    *world = (World){ .seal_bits = seal_bits, .seed = seed };
    snprintf(world->folder, sizeof world->folder, "/tmp/toll-threads-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    log_threshold(LOG_WARN);
    world_open(world);
    must(partition_meter_put(world->partition, arena, STR("prj"), &meter));
    actors_start(world, readers, READERS, reader_run);
    actors_start(world, meters, 1, meters_run);
    actors_start(world, senders, SENDERS, sender_run);
    actors_join(senders, SENDERS);
    world->done = true;
    actors_join(readers, READERS);
    actors_join(meters, 1);
    assert_int_equal(world->answered, IDS);
    check_totals(world);
    partition_close(world->partition);
    world_open(world);
    check_totals(world);
    partition_close(world->partition);
    snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
    assert_int_equal(system(command), 0);
    memory_release(world);
}

static void tiny_seals(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++)
        run_world(4 + 2 * (uint32_t)seed, seed);
}

static void one_generation(void **state)
{
    (void)state;
    run_world(16, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_seals),
        cmocka_unit_test(one_generation),
    };
    return cmocka_run_group_tests_name("partition_threads", tests, NULL, NULL);
}
