// SPDX-License-Identifier: Apache-2.0
// Corrections under many threads: two send events, two void, revert and amend what they sent
// themselves, two read all the while. A moment is one state: its total is the same from cells and
// holes as from its events one by one, now and a moment later. At the end the totals are exact,
// also after closing and opening, and a recount is clean.
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
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "flow/aggregate/corrections.h"
#include "flow/aggregate/recount.h"
#include "flow/submit.h"

enum { ACTORS = 6, SENDERS = 2, CORRECTORS = 2, TURNS = 60, BATCH = 25, OWN = 40 };
#define HOUR INT64_C(3600000000)

static const HashKey key = { { 7 } };

typedef struct World {
    Partition  *partition;
    char        folder[64];
    atomic_bool done;
    atomic_int  sum, events;  // of what counts, as the actors know it
} World;

typedef struct Actor {
    Thread   thread;
    World   *world;
    int      number;
    Seeded   seeded;
    int      value[OWN];      // of a corrector's own events
    bool     is_void[OWN];
} Actor;

// A failure in another thread than cmocka's ends the process, as a broken promise does.
static void must(const Err *err)
{
    if (err != NULL)
        fprintf(stderr, "refused: %.*s\n", STR_ARG(err->detail));
    assert_that(err == NULL);
}

static void world_open(World *world)
{
    AUTO(Arena) arena = arena_open();
    PartitionOptions options = {
        .folder = str_of(world->folder), .key = key, .seal_bits = 5, .queue_bytes = 1 << 24,
        .cache_bytes = 1 << 20, .segment_bytes = 1 << 18,
    };
    must(partition_open(arena, &options, &world->partition));
}

static Event event_of(Arena *arena, const Actor *actor, int id, int value)
{
    Event event = {
        .unique_id = str_print(arena, "%d-%d", actor->number, id),
        .event = STR("calls"),
        .account = str_print(arena, "a%d", id % 3),
        .value = decimal_whole(value),
        .ts = { (id * 7 % 50) * HOUR + id },
        .ts_given = true,
    };
    event_identify(&event, STR("prj"), &key);
    return event;
}

static void send(const Actor *actor, int first, int count)
{
    AUTO(Arena) arena = arena_open();
    Event     *events = arena_array(arena, Event, count);
    Submission submission = {
        .project = STR("prj"), .events = events, .count = (size_t)count, .bytes = 1,
        .verdicts = arena_array(arena, Verdict, count),
    };
    for (int i = 0; i < count; i++)
        events[i] = event_of(arena, actor, first + i, 1);
    must(submit_and_wait(actor->world->partition, arena, &submission, 10000));
    assert_that(submission.counts[OUTCOME_ACCEPTED] == (size_t)count);
    actor->world->sum += count;
    actor->world->events += count;
}

static void *sender_run(void *context)
{
    const Actor *actor = context;
    for (int turn = 0; turn < TURNS; turn++)
        send(actor, turn * BATCH, BATCH);
    return NULL;
}

// ---- correcting

static void void_some(Actor *actor)
{
    AUTO(Arena) arena = arena_open();
    Partition   *partition = actor->world->partition;
    UsageMoment *moment;
    VoidSet     *set;
    Void        *made, *reverted;
    Str          ids[4];
    int          chosen[4], sum = 0;
    size_t       count = 0;
    for (int i = (int)seeded_below(&actor->seeded, OWN); i < OWN && count < 4; i++)
        if (!actor->is_void[i]) {
            chosen[count] = i;
            sum += actor->value[i];
            ids[count++] = str_print(arena, "%d-%d", actor->number, i);
        }
    must(usage_moment_open(partition, arena, SEQUENCE_NEWEST, &moment));
    must(usage_choose_ids(moment, arena, &(VoidIds){ STR("prj"), ids, count }, &set));
    assert_that(void_set_count(set) == count);
    must(partition_void(partition, arena, &(VoidOrder){ .set = set, .is_exact = true }, &made));
    usage_moment_close(moment);
    assert_that((made == NULL) == (count == 0));
    if (made != NULL && seeded_below(&actor->seeded, 3) > 0) {
        must(partition_void_revert(partition, arena, STR("prj"), made->id, &reverted));
        return;
    }
    for (size_t i = 0; i < count; i++)
        actor->is_void[chosen[i]] = true;
    actor->world->sum -= sum;
    actor->world->events -= (int)count;
}

static void amend_one(Actor *actor)
{
    AUTO(Arena) arena = arena_open();
    int          id = (int)seeded_below(&actor->seeded, OWN), value = actor->value[id] + 1;
    UsageMoment *moment;
    UsageEvent  *of;
    Event        event = event_of(arena, actor, id, value);
    must(usage_moment_open(actor->world->partition, arena, SEQUENCE_NEWEST, &moment));
    must(usage_event_find(moment, arena, STR("prj"), event.unique_id, &of));
    assert_that(of != NULL && of->voided == actor->is_void[id]);
    Amendment  change = { event, of };
    Amendments amendments = { .project = STR("prj"), .at = &change, .count = 1 };
    must(partition_amend(actor->world->partition, arena, &amendments));
    usage_moment_close(moment);
    actor->world->sum += actor->is_void[id] ? value : 1;
    actor->world->events += actor->is_void[id];
    actor->value[id] = value;
    actor->is_void[id] = false;
}

static void *corrector_run(void *context)
{
    Actor *actor = context;
    send(actor, 0, OWN);
    for (int i = 0; i < OWN; i++)
        actor->value[i] = 1;
    for (int turn = 0; turn < TURNS; turn++)
        if (seeded_below(&actor->seeded, 2) == 0)
            void_some(actor);
        else
            amend_one(actor);
    return NULL;
}

// ---- reading

static void measure_add(void *context, const UsageMeasure *measure)
{
    Decimal *sum = context;
    bool     fits = decimal_add(*sum, measure->value, sum);
    assert_that(fits);
}

// Of one account or of all, the same in every way; answers how many events.
static int64_t moment_check(UsageMoment *moment, Arena *arena, Str account, Decimal *sum)
{
    UsageWindow all = { { -1 }, { 60 * HOUR } };
    UsageQuery  query = { .project = STR("prj"), .meter = STR("sum"), .account = account,
                          .windows = &all, .window_count = 1 };
    UsageAnswer read, again;
    Decimal     scanned = decimal_whole(0);
    must(usage_read(moment, arena, &query, &read));
    must(usage_scan(moment, arena, &query, (UsageTake){ measure_add, &scanned }));
    usleep(1000);
    must(usage_read(moment, arena, &query, &again));
    assert_that(decimal_compare(read.groups[0].value, scanned) == 0);
    assert_that(decimal_compare(read.groups[0].value, again.groups[0].value) == 0);
    assert_that(digest_equal(&read.groups[0].digest, &again.groups[0].digest));
    *sum = read.groups[0].value;
    return (int64_t)read.groups[0].events;
}

static void *reader_run(void *context)
{
    Actor *actor = context;
    while (!actor->world->done) {
        AUTO(Arena) arena = arena_open();
        Partition   *partition = actor->world->partition;
        uint64_t     newest = partition_sequence(partition);
        uint64_t     as_of = seeded_below(&actor->seeded, 2) == 0
                                 ? SEQUENCE_NEWEST
                                 : seeded_below(&actor->seeded, newest + 1);
        UsageMoment *moment;
        Decimal      sum;
        must(usage_moment_open(partition, arena, as_of, &moment));
        moment_check(moment, arena, seeded_below(&actor->seeded, 2) == 0 ? STR_NONE : STR("a1"),
                     &sum);
        usage_moment_close(moment);
    }
    return NULL;
}

// ---- the whole

static void check_end(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    Decimal      sum;
    must(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    assert_int_equal(moment_check(moment, arena, STR_NONE, &sum), world->events);
    assert_true(decimal_compare(sum, decimal_whole(world->sum)) == 0);
    usage_moment_close(moment);
}

static void tell_drift(void *context, Str text)
{
    (void)context;
    fail_msg("%.*s", STR_ARG(text));
}

static void run(uint64_t seed)
{
    AUTO(Arena) arena = arena_open();
    World   *world = arena_new(arena, World);
    Actor   *actors = arena_array(arena, Actor, ACTORS);
    Recount  recount = { .tell = tell_drift };
    char     command[128];
    Meter    meter = { .id = STR("sum"), .event = STR("calls"), .aggregation = AGGREGATE_SUM,
                       .property = STR("value") };
    snprintf(world->folder, sizeof world->folder, "/tmp/toll-corrections-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world_open(world);
    must(partition_meter_put(world->partition, arena, STR("prj"), &meter));
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = (Actor){ .world = world, .number = i,
                             .seeded = seeded_of(seed * ACTORS + (uint64_t)i) };
        thread_start(&actors[i].thread, "actor",
                     i < SENDERS                ? sender_run
                     : i < SENDERS + CORRECTORS ? corrector_run
                                                : reader_run,
                     &actors[i]);
    }
    for (int i = 0; i < ACTORS; i++) {
        if (i == SENDERS + CORRECTORS)
            world->done = true;
        thread_join(&actors[i].thread);
    }
    check_end(world);
    partition_close(world->partition);
    world_open(world);
    check_end(world);
    must(partition_recount(world->partition, arena, &recount));
    partition_close(world->partition);
    snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
    assert_int_equal(system(command), 0);
}

static void a_moment_is_one_state_while_it_is_corrected(void **state)
{
    (void)state;
    log_threshold(LOG_WARN);
    for (uint64_t seed = 1; seed <= 2; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_one_state_while_it_is_corrected),
    };
    return cmocka_run_group_tests_name("corrections_threads", tests, NULL, NULL);
}
