// SPDX-License-Identifier: Apache-2.0
// A recount that finds nothing proves something only if it finds what is wrong. Each test makes one
// thing differ from what the sealed events say, and the recount must tell it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "flow/aggregate/corrections.h"
#include "flow/aggregate/partition_inside.h"
#include "flow/aggregate/recount.h"
#include "flow/submit.h"

enum { SEAL_BITS = 4, EVENTS = 100 };
#define HOUR INT64_C(3600000000)

typedef struct Place {
    char       folder[64];
    Arena     *arena;
    Partition *partition;
} Place;

static void open_with(Place *place, unsigned char key, bool read_only)
{
    PartitionOptions options = {
        .folder = str_of(place->folder), .key = { { key } },         .seal_bits = SEAL_BITS,
        .queue_bytes = 1 << 20,          .cache_bytes = 1 << 20,     .segment_bytes = 1 << 16,
        .read_only = read_only,
    };
    assert_null(partition_open(place->arena, &options, &place->partition));
}

static void send_all(Place *place, const char *prefix)
{
    static const HashKey key = { { 7 } };
    Event      *events = arena_array(place->arena, Event, EVENTS);
    Submission  submission = {
         .project = STR("prj"), .events = events, .count = EVENTS, .bytes = 1,
         .verdicts = arena_array(place->arena, Verdict, EVENTS),
    };
    for (int64_t i = 0; i < EVENTS; i++) {
        events[i] = (Event){
            .index = (uint32_t)i,
            .unique_id = str_print(place->arena, "%s%d", prefix, (int)i),
            .event = STR("calls"),
            .account = i % 2 == 0 ? STR("even") : STR("odd"),
            .value = decimal_whole(i),
            .ts = { i * HOUR },
            .ts_given = true,
        };
        event_identify(&events[i], STR("prj"), &key);
    }
    assert_null(submit_and_wait(place->partition, place->arena, &submission, 1000));
    assert_int_equal(submission.counts[OUTCOME_ACCEPTED], EVENTS);
}

// Two events are void, one is amended, one void is reverted.
static void correct_some(Place *place)
{
    static const HashKey key = { { 7 } };
    Str          ids[] = { STR("e4"), STR("e5") };
    VoidIds      both = { STR("prj"), ids, 2 }, first = { STR("prj"), ids, 1 };
    UsageMoment *moment;
    VoidSet     *set;
    Void        *made;
    UsageEvent  *of;
    for (int i = 0; i < 2; i++) {
        assert_null(usage_moment_open(place->partition, place->arena, SEQUENCE_NEWEST, &moment));
        assert_null(usage_choose_ids(moment, place->arena, i == 0 ? &first : &both, &set));
        assert_null(partition_void(place->partition, place->arena, &(VoidOrder){ .set = set },
                                   &made));
        usage_moment_close(moment);
    }
    assert_null(partition_void_revert(place->partition, place->arena, STR("prj"), made->id, &made));
    assert_null(usage_moment_open(place->partition, place->arena, SEQUENCE_NEWEST, &moment));
    assert_null(usage_event_find(moment, place->arena, STR("prj"), STR("e6"), &of));
    Amendment  change = { .of = of, .event = { .unique_id = of->unique_id, .event = of->event,
                                               .account = of->account, .ts = of->ts,
                                               .value = decimal_whole(1000) } };
    Amendments amendments = { .project = STR("prj"), .at = &change, .count = 1 };
    event_identify(&change.event, STR("prj"), &key);
    assert_null(partition_amend(place->partition, place->arena, &amendments));
    usage_moment_close(moment);
}

// A partition whose whole seals are in the store, opened again for reading with the key given.
static Place *place_new(unsigned char key_of_reading)
{
    Place *place = memory_take(sizeof(Place));
    Meter  meter = { .id = STR("sum"), .event = STR("calls"), .aggregation = AGGREGATE_SUM,
                     .property = STR("value") };
    log_threshold(LOG_WARN);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll-recount-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    open_with(place, 7, false);
    assert_null(partition_meter_put(place->partition, place->arena, STR("prj"), &meter));
    send_all(place, "e");
    correct_some(place);
    send_all(place, "f");
    uint64_t whole = partition_sequence(place->partition) >> SEAL_BITS;
    for (int i = 0; i < 10000; i++) {
        StoreView *view = usage_store_view(place->partition->store);
        uint64_t   sealed = store_view_sealed(view);
        store_view_release(view);
        if (sealed == whole)
            break;
        usleep(1000);
    }
    partition_close(place->partition);
    open_with(place, key_of_reading, true);
    return place;
}

static void place_close(Place *place)
{
    char command[128];
    partition_close(place->partition);
    snprintf(command, sizeof command, "rm -rf '%s'", place->folder);
    assert_int_equal(system(command), 0);
    arena_close(place->arena);
    memory_release(place);
}

typedef struct Told {
    const char *wanted;
    bool        found;
} Told;

static void tell(void *context, Str drift)
{
    Told *told = context;
    told->found = told->found ||
                  memmem(drift.at, drift.length, told->wanted, strlen(told->wanted)) != NULL;
}

static uint64_t drifts_of(Place *place, const char *wanted)
{
    Told    told = { .wanted = wanted };
    Recount recount = { .tell = tell, .context = &told };
    assert_null(partition_recount(place->partition, place->arena, &recount));
    assert_true(recount.events >= (EVENTS >> SEAL_BITS) << SEAL_BITS >> 1);
    assert_int_equal(told.found, recount.drifts > 0);
    return recount.drifts;
}

static void what_is_whole_has_no_drift(void **state)
{
    (void)state;
    Place *place = place_new(7);
    assert_int_equal(drifts_of(place, ""), 0);
    place_close(place);
}

static void cells_of_another_definition_are_told(void **state)
{
    (void)state;
    Place *place = place_new(7);
    meters_get(place->partition->meters, 0)->meter->property = STR("amount");
    assert_true(drifts_of(place, "cells of meter \"sum\"") > 0);
    place_close(place);
}

static void cells_of_a_meter_that_nobody_declared_are_told(void **state)
{
    (void)state;
    Place *place = place_new(7);
    meters_get(place->partition->meters, 0)->removed = 1;
    assert_true(drifts_of(place, "cells") > 0);
    place_close(place);
}

static void ids_that_are_not_those_of_the_events_are_told(void **state)
{
    (void)state;
    Place *place = place_new(8);
    assert_true(drifts_of(place, "the id of event") > 0);
    place_close(place);
}

static void a_sequence_without_an_event_is_told(void **state)
{
    (void)state;
    Place *place = place_new(7);
    meters_get(place->partition->meters, 0)->sequence = 1 << 20;  // its own row has no reason now
    assert_true(drifts_of(place, "events and") > 0);
    place_close(place);
}

static void retractions_that_are_missing_are_told(void **state)
{
    (void)state;
    Place *place = place_new(7);
    voids_close(place->partition->voids);
    place->partition->voids = voids_open();
    assert_true(drifts_of(place, "events and") > 0);
    place_close(place);
}

// One more fact than there is, behind all of them.
static uint64_t drifts_with(Place *place, VoidTarget target, const char *wanted)
{
    static uint64_t sequence = UINT32_MAX;
    VoidFact fact = { .kind = FACT_AMEND, .sequence = ++sequence, .targets = &target, .count = 1 };
    assert_true(voids_apply(place->partition->voids, &fact));
    return drifts_of(place, wanted);
}

static void a_retraction_that_fits_no_event_is_told(void **state)
{
    enum { METER = 1, FIRST = 2, TAIL = 202 };  // sequences; the tail is not sealed
    (void)state;
    Place *place = place_new(7);
    assert_int_equal(drifts_with(place, (VoidTarget){ FIRST, { 0 }, 0, 0 }, ""), 0);
    assert_int_equal(drifts_with(place, (VoidTarget){ 4, { 1 }, 0, 0 }, "where event 4 lies"), 1);
    assert_int_equal(drifts_with(place, (VoidTarget){ 3, { HOUR }, 0, 0 }, "event 3 lies"), 2);
    assert_int_equal(drifts_with(place, (VoidTarget){ 6, { 4 * HOUR }, 1, 0 }, "event 6 lies"), 3);
    assert_int_equal(drifts_with(place, (VoidTarget){ TAIL, { 0 }, 0, 0 }, "event 202 lies"), 4);
    assert_int_equal(drifts_with(place, (VoidTarget){ METER, { 0 }, 0, 0 }, "seals 0 to 0 lack"),
                     5);
    assert_int_equal(drifts_with(place, (VoidTarget){ 1 << 20, { 0 }, 0, 0 }, "the journal lacks"),
                     6);
    place_close(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_whole_has_no_drift),
        cmocka_unit_test(cells_of_another_definition_are_told),
        cmocka_unit_test(cells_of_a_meter_that_nobody_declared_are_told),
        cmocka_unit_test(ids_that_are_not_those_of_the_events_are_told),
        cmocka_unit_test(a_sequence_without_an_event_is_told),
        cmocka_unit_test(retractions_that_are_missing_are_told),
        cmocka_unit_test(a_retraction_that_fits_no_event_is_told),
    };
    return cmocka_run_group_tests_name("recount", tests, NULL, NULL);
}
