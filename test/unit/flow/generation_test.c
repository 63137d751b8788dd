// SPDX-License-Identifier: Apache-2.0
// A generation holds every row under its id and in its stream's chain, and the cells folded from
// the rows are those of a slow fold, however many there are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/generation.h"
#include "flow/canonical.h"
#include "flow/cells.h"

enum { NUMBER = 3, BITS = 9, ROOM = 1 << BITS, EVENT_NAMES = 3, ACCOUNTS = 20 };
static const HashKey key = { { 1 } };

// The rows of one generation, and the meters that count them.
typedef struct World {
    Arena      *arena;
    Generation *generation;
    Event       events[ROOM];
    Row         numbers[ROOM];
    bool        is_event[ROOM];
    Str         dimensions[1];
    Meter       meters[EVENT_NAMES];
    Activation  activations[EVENT_NAMES];
} World;

static uint64_t sequence_of(size_t row)
{
    return (uint64_t)NUMBER * ROOM + row;
}

static Str properties_at_random(World *world, Seeded *seeded)
{
    static const char *const regions[] = { "", "eu", "us" };
    uint64_t choice = seeded_below(seeded, 4);
    Property region = { STR("region"), PROPERTY_STRING, str_of(regions[choice % 3]) };
    return choice == 3 ? STR_NONE : canonical_of(world->arena, &region, 1);
}

static void row_make(World *world, Seeded *seeded, uint32_t i)
{
    Event *event = &world->events[i];
    world->is_event[i] = seeded_below(seeded, 10) > 0;
    world->numbers[i] = (Row){ .event = (uint32_t)seeded_below(seeded, EVENT_NAMES),
                               .account = (uint32_t)seeded_below(seeded, ACCOUNTS),
                               .received = { (int64_t)i } };
    *event = (Event){
        .unique_id = str_print(world->arena, "id-%u", i),
        .value.e12 = (int64_t)seeded_below(seeded, 100) - 50,
        .ts.us = (int64_t)seeded_below(seeded, 20) * 1800 * INSTANT_SECOND_US -
                 18000 * INSTANT_SECOND_US,
        .ts_given = seeded_below(seeded, 2) == 0,
        .properties = properties_at_random(world, seeded),
    };
    event_identify(event, STR("p"), &key);
}

// Event 0 counts from the start, 1 from the middle on, 2 until the middle.
static void world_open(World *world, Arena *arena, uint64_t seed)
{
    static const Aggregation aggregations[] = { AGGREGATE_SUM, AGGREGATE_LATEST, AGGREGATE_MAX };
    Seeded seeded = seeded_of(seed);
    world->arena = arena;
    world->generation = generation_open(NUMBER, BITS, NULL);
    world->dimensions[0] = STR("region");
    for (uint32_t i = 0; i < EVENT_NAMES; i++) {
        world->meters[i] = (Meter){ .aggregation = aggregations[i], .property = STR("value"),
                                    .dimensions = world->dimensions,
                                    .dimension_count = i == 2 ? 0 : 1 };
        world->activations[i] = (Activation){
            .number = i,
            .event = i,
            .meter = &world->meters[i],
            .sequence = i == 1 ? sequence_of(ROOM / 2) : 1,
            .removed = i == 2 ? sequence_of(ROOM / 2) : 0,
        };
    }
    for (uint32_t i = 0; i < ROOM; i++)
        row_make(world, &seeded, i);
}

static void put(World *world, uint32_t i)
{
    if (world->is_event[i])
        generation_put_event(world->generation, i, &world->events[i], &world->numbers[i]);
    else
        generation_put_other(world->generation, i, i % 2 == 0 ? ROW_NONE : ROW_METER);
}

static void fold(World *world, uint32_t i)
{
    Activation    *activation = &world->activations[world->numbers[i].event];
    ActivationList list = { &activation, 1 };
    for (int step = PREFETCH_SLOT; step <= PREFETCH_CELL; step++)
        generation_prefetch_fold(world->generation, i, (PrefetchStep)step);
    generation_fold(world->generation, i, &world->events[i].digest, list);
}

static void check_row(const World *world, uint32_t i)
{
    const Event *event = &world->events[i];
    const Row   *row = generation_row(world->generation, i);
    Identity     identity;
    assert_true(str_equal(row_unique_id(row), event->unique_id));
    assert_true(str_equal(row_properties(row), event->properties));
    assert_true(row->value.e12 == event->value.e12 && row->ts.us == event->ts.us);
    assert_true(row->received.us == i);
    assert_int_equal(generation_find(world->generation, event->id), i);
    generation_identity(world->generation, i, &identity);
    assert_true(identity.sequence == sequence_of(i));
    assert_true(identity.fingerprint == event->fingerprint);
    assert_true(identity.ts.us == event->ts.us && identity.ts_given == event->ts_given);
    assert_true(identity.event == world->numbers[i].event);
    assert_true(identity.account == world->numbers[i].account);
}

static void rows_are_found_by_id_before_they_are_folded(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    World *world = arena_new(arena, World);
    world_open(world, arena, 91);
    for (uint32_t i = 0; i < ROOM; i++) {
        generation_prefetch(world->generation, world->events[i].id);
        assert_int_equal(generation_find(world->generation, world->events[i].id), ROW_END);
        put(world, i);
    }
    for (uint32_t i = 0; i < ROOM; i++) {
        if (world->is_event[i])
            check_row(world, i);
        else
            assert_int_equal(generation_find(world->generation, world->events[i].id), ROW_END);
    }
    assert_int_equal(generation_number(world->generation), NUMBER);
    assert_int_equal(generation_room(world->generation), ROOM);
    assert_int_equal(generation_folded(world->generation), 0);
    assert_null(generation_stream(world->generation, 0, 0));
    generation_retain(world->generation);
    generation_release(world->generation);
    check_row(world, world->is_event[0] ? 0 : 1);
    generation_release(world->generation);
    generation_release(NULL);
}

// The chain holds the stream's rows below `folded`, newest first, and no others.
static void check_stream(const World *world, const Stream *stream, uint32_t folded)
{
    uint32_t at = stream->newest_row, count = 0;
    for (uint32_t i = folded; i > 0; i--) {
        if (!world->is_event[i - 1] || world->numbers[i - 1].event != stream->event ||
            world->numbers[i - 1].account != stream->account)
            continue;
        assert_int_equal(at, i - 1);
        at = generation_row(world->generation, at)->previous;
        count++;
    }
    assert_int_equal(at, ROW_END);
    assert_int_equal(stream->rows, count);
}

static void check_streams(const World *world, uint32_t folded)
{
    uint32_t      count, rows = 0;
    const Stream *streams = generation_streams(world->generation, &count);
    uint32_t      events = 0;
    for (uint32_t i = 0; i < folded; i++)
        events += world->is_event[i];
    for (uint32_t i = 0; i < count; i++) {
        check_stream(world, &streams[i], folded);
        assert_ptr_equal(generation_stream(world->generation, streams[i].event,
                                           streams[i].account), &streams[i]);
        assert_int_equal(generation_row(world->generation, streams[i].newest_row)->stream, i);
        rows += streams[i].rows;
    }
    assert_int_equal(rows, events);
    assert_null(generation_stream(world->generation, EVENT_NAMES, 0));
}

static bool is_of_cell(const World *world, uint32_t i, const HourCell *cell)
{
    const Activation *activation = &world->activations[cell->meter];
    return world->is_event[i] && world->numbers[i].event == activation->event &&
           world->numbers[i].account == cell->account &&
           activation_counts(activation, sequence_of(i)) &&
           instant_utc_hour(world->events[i].ts) == cell->hour;
}

// What the rows below `folded` give for that cell, the slow way.
static Cell expected_of(const World *world, const HourCell *wanted, uint32_t folded)
{
    AUTO(Arena) arena = arena_open();
    Cell         cell = { 0 };
    Text         dimensions = text_open(arena);
    const Meter *meter = &world->meters[wanted->meter];
    for (uint32_t i = 0; i < folded; i++) {
        Measure measure;
        if (!is_of_cell(world, i, wanted))
            continue;
        text_clear(&dimensions);
        cell_dimensions(meter, world->events[i].properties, &dimensions);
        if (!str_equal(text_str(&dimensions), wanted->dimensions))
            continue;
        assert_true(measure_of(meter, &world->events[i], &measure));
        measure.sequence = sequence_of(i);
        cell_add(&cell, meter->aggregation, &measure);
    }
    return cell;
}

static void check_cells(const World *world, uint32_t folded)
{
    uint64_t events = 0, counted = 0;
    for (uint32_t i = 0; i < folded; i++)
        counted += world->is_event[i] &&
                   activation_counts(&world->activations[world->numbers[i].event],
                                     sequence_of(i));
    for (uint32_t i = 0; i < generation_cell_count(world->generation); i++) {
        const HourCell *cell = generation_cell(world->generation, i);
        Aggregation     aggregation = world->meters[cell->meter].aggregation;
        Cell            expected = expected_of(world, cell, folded);
        assert_true(cell->cell.events > 0);
        assert_true(cell_equal(&cell->cell, &expected, aggregation));
        events += cell->cell.events;
    }
    assert_true(events == counted);
}

// Every cell is in the chain of its stream, once.
static void check_chains(const World *world)
{
    uint32_t      count, cells = 0;
    const Stream *streams = generation_streams(world->generation, &count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t at = streams[i].newest_cell; at != ROW_END;) {
            const HourCell *cell = generation_cell(world->generation, at);
            assert_int_equal(cell->account, streams[i].account);
            assert_int_equal(world->activations[cell->meter].event, streams[i].event);
            at = cell->next;
            cells++;
        }
    assert_int_equal(cells, generation_cell_count(world->generation));
}

static void folded_rows_are_in_chains_and_cells(void **state)
{
    (void)state;
    for (uint64_t seed = 92; seed < 95; seed++) {
        AUTO(Arena) arena = arena_open();
        World *world = arena_new(arena, World);
        world_open(world, arena, seed);
        for (uint32_t i = 0; i < ROOM; i++)
            put(world, i);
        for (uint32_t i = 0; i < ROOM; i++) {
            fold(world, i);
            assert_int_equal(generation_folded(world->generation), i + 1);
            if (i % 100 == 7 || i + 1 == ROOM) {
                check_streams(world, i + 1);
                check_cells(world, i + 1);
                check_chains(world);
            }
        }
        generation_release(world->generation);
    }
}

// More streams and cells than any table or block holds at first, or as many as the one before had.
static Generation *filled(uint64_t number, const Generation *before)
{
    enum { MANY_BITS = 14, MANY = 1 << MANY_BITS };
    Meter       meter = { .aggregation = AGGREGATE_COUNT };
    Activation  activation = { .meter = &meter };
    Activation *list[] = { &activation };
    Generation *generation = generation_open(number, MANY_BITS, before);
    Digest      digest = { { 1 } };
    for (uint32_t i = 0; i < MANY; i++) {
        Event event = { .unique_id = STR("x"), .id = { number, i }, .value = { 1 } };
        Row   numbers = { .account = i };
        generation_put_event(generation, i, &event, &numbers);
        generation_fold(generation, i, &digest, (ActivationList){ list, 1 });
    }
    assert_int_equal(generation_cell_count(generation), MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        const Stream *stream = generation_stream(generation, 0, i);
        assert_true(stream != NULL && stream->newest_row == i && stream->rows == 1);
        assert_true(generation_cell(generation, stream->newest_cell)->account == i);
        assert_true(generation_find(generation, (Hash128){ number, i }) == i);
    }
    return generation;
}

static void tables_grow(void **state)
{
    (void)state;
    Generation *first = filled(1, NULL), *second = filled(2, first);
    assert_int_equal(generation_find(second, (Hash128){ 1, 0 }), ROW_END);
    generation_release(first);
    generation_release(second);
}

// All rows through the generation, with everything checked.
static void run_through(World *world)
{
    for (uint32_t i = 0; i < ROOM; i++) {
        assert_int_equal(generation_find(world->generation, world->events[i].id), ROW_END);
        put(world, i);
        fold(world, i);
    }
    check_streams(world, ROOM);
    check_cells(world, ROOM);
    check_chains(world);
}

static void a_recycled_generation_is_as_good_as_new(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    World *first = arena_new(arena, World), *second = arena_new(arena, World);
    world_open(first, arena, 95);
    world_open(second, arena, 96);
    generation_release(second->generation);
    run_through(first);
    generation_retain(first->generation);
    assert_null(generation_recycle(first->generation));  // another still reads it
    check_cells(first, ROOM);
    second->generation = generation_recycle(first->generation);
    assert_ptr_equal(second->generation, first->generation);
    generation_begin(second->generation, NUMBER);
    assert_int_equal(generation_folded(second->generation), 0);
    assert_int_equal(generation_cell_count(second->generation), 0);
    run_through(second);
    generation_release(second->generation);
    assert_null(generation_recycle(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_id_before_they_are_folded),
        cmocka_unit_test(folded_rows_are_in_chains_and_cells),
        cmocka_unit_test(tables_grow),
        cmocka_unit_test(a_recycled_generation_is_as_good_as_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
