// SPDX-License-Identifier: Apache-2.0
// Cells add up: whatever way events are split over cells and in whatever order those are merged,
// the cell is the one a slow fold gives. A cell comes back from its stored form; a damaged one not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/random.h"
#include "flow/aggregate/cell.h"
#include "flow/canonical.h"
#include "flow/cells.h"

enum { EVENTS = 60, PARTS = 7 };

// Few instants, so that the latest is often a tie, and ids of which one begins another.
static void measures_make(Arena *arena, Seeded *seeded, Measure *measures)
{
    for (size_t i = 0; i < EVENTS; i++) {
        Str id = str_print(arena, "e%zu", i);
        measures[i] = (Measure){
            .counts = seeded_below(seeded, 4) > 0,
            .value.e12 = (Int128)seeded_next(seeded) * ((int64_t)seeded_below(seeded, 2001) - 1000),
            .ts.us = (int64_t)seeded_below(seeded, 3) - 1,
            .unique_id = id,
            .sequence = 1 + (i * 37) % EVENTS,
            .digest = digest_of(id),
        };
    }
}

static bool is_later(const Measure *a, const Measure *b)
{
    return a->ts.us != b->ts.us ? a->ts.us > b->ts.us
                                : str_compare(a->unique_id, b->unique_id) > 0;
}

// What the header says, event by event.
static Cell expected_of(const Measure *measures, size_t count, Aggregation aggregation)
{
    Cell           cell = { 0 };
    Int128         sum = 0;
    const Measure *least = NULL, *most = NULL, *latest = NULL;
    for (size_t i = 0; i < count; i++) {
        const Measure *one = &measures[i];
        cell.events++;
        cell.last_sequence = one->sequence > cell.last_sequence ? one->sequence
                                                                : cell.last_sequence;
        digest_add(&cell.digest, &one->digest);
        if (!one->counts) {
            cell.ignored++;
            continue;
        }
        sum += one->value.e12;
        least = least == NULL || one->value.e12 < least->value.e12 ? one : least;
        most = most == NULL || one->value.e12 > most->value.e12 ? one : most;
        latest = latest == NULL || is_later(one, latest) ? one : latest;
    }
    if (aggregation == AGGREGATE_SUM || aggregation == AGGREGATE_AVERAGE)
        cell.value.e12 = sum;
    if (aggregation == AGGREGATE_MIN && least != NULL)
        cell.value = least->value;
    if (aggregation == AGGREGATE_MAX && most != NULL)
        cell.value = most->value;
    if (aggregation == AGGREGATE_LATEST && latest != NULL) {
        cell.value = latest->value;
        cell.latest_ts = latest->ts;
        cell.latest_id = latest->unique_id;
    }
    return cell;
}

// Events over parts, then parts into one another, both at random.
static Cell split_and_merged(const Measure *measures, size_t count, Aggregation aggregation,
                             Seeded *seeded)
{
    Cell   parts[PARTS] = { 0 };
    size_t order[EVENTS];
    for (size_t i = 0; i < count; i++) {
        size_t at = seeded_below(seeded, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < count; i++)
        cell_add(&parts[seeded_below(seeded, PARTS)], aggregation, &measures[order[i]]);
    for (size_t left = PARTS; left > 1; left--) {
        size_t into = seeded_below(seeded, left - 1);
        cell_merge(&parts[into], aggregation, &parts[left - 1]);
    }
    return parts[0];
}

static void cells_add_up_in_any_order(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(21);
    for (int round = 0; round < 300; round++) {
        AUTO(Arena) arena = arena_open();
        Measure measures[EVENTS];
        size_t  count = seeded_below(&seeded, EVENTS + 1);
        measures_make(arena, &seeded, measures);
        for (int code = 0; code < AGGREGATION_COUNT; code++) {
            Aggregation aggregation = (Aggregation)code;
            Cell expected = expected_of(measures, count, aggregation);
            Cell cell = split_and_merged(measures, count, aggregation, &seeded);
            assert_true(cell_equal(&cell, &expected, aggregation));
        }
    }
}

static void a_latest_tie_goes_to_the_greater_id(void **state)
{
    (void)state;
    static const char *const ids[] = { "a", "aa", "b", "B", "" };
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++) {
            Cell    cell = { 0 };
            Measure one = { .counts = true, .value = { 1 }, .unique_id = str_of(ids[i]) };
            Measure two = { .counts = true, .value = { 2 }, .unique_id = str_of(ids[k]) };
            cell_add(&cell, AGGREGATE_LATEST, &one);
            cell_add(&cell, AGGREGATE_LATEST, &two);
            bool second = strcmp(ids[k], ids[i]) > 0;
            assert_true(cell.value.e12 == (second ? 2 : 1));
            assert_true(str_equal(cell.latest_id, str_of(second ? ids[k] : ids[i])));
        }
}

static void a_sum_beyond_its_limit_says_so_for_good(void **state)
{
    (void)state;
    Cell    cell = { 0 }, whole = { 0 };
    Measure large = { .counts = true, .value.e12 = (Int128)1 << 126 };
    Measure negative = { .counts = true, .value.e12 = -((Int128)1 << 126) };
    cell_add(&cell, AGGREGATE_SUM, &large);
    assert_false(cell.overflow);
    cell_add(&cell, AGGREGATE_SUM, &large);
    assert_true(cell.overflow);
    cell_add(&cell, AGGREGATE_SUM, &negative);
    assert_true(cell.overflow);
    cell_merge(&whole, AGGREGATE_SUM, &cell);
    assert_true(whole.overflow);
    AUTO(Arena) arena = arena_open();
    Text        text = text_open(arena);
    Cell        back;
    Aggregation aggregation;
    cell_write(&whole, AGGREGATE_SUM, &text);
    assert_true(cell_read(text_str(&text), &back, &aggregation) && back.overflow);
}

static void differences_are_seen(void **state)
{
    (void)state;
    Measure one = { .counts = true, .value = { 5 }, .unique_id = STR("a"), .sequence = 3,
                    .digest = { { 1 } } };
    Cell cell = { 0 };
    cell_add(&cell, AGGREGATE_LATEST, &one);
    Cell others[] = { cell, cell, cell, cell, cell, cell, cell, cell };
    others[0].events++;
    others[1].ignored++;
    others[2].last_sequence++;
    others[3].digest.part[3]++;
    others[4].overflow = true;
    others[5].value.e12++;
    others[6].latest_ts.us++;
    others[7].latest_id = STR("b");
    assert_true(cell_equal(&cell, &cell, AGGREGATE_LATEST));
    for (size_t i = 0; i < 8; i++)
        assert_false(cell_equal(&cell, &others[i], AGGREGATE_LATEST));
    assert_true(cell_equal(&cell, &others[7], AGGREGATE_MAX));
}

static void assert_comes_back(const Cell *cell, Aggregation wanted)
{
    AUTO(Arena) arena = arena_open();
    Text        text = text_open(arena);
    Cell        back;
    Aggregation aggregation;
    cell_write(cell, wanted, &text);
    Str bytes = text_str(&text);
    assert_true(cell_read(bytes, &back, &aggregation));
    assert_int_equal(aggregation, wanted);
    assert_true(cell_equal(cell, &back, wanted));
    for (size_t cut = 0; cut < bytes.length; cut++)
        assert_false(cell_read((Str){ bytes.at, cut }, &back, &aggregation));
    text_add_char(&text, 0);
    assert_false(cell_read(text_str(&text), &back, &aggregation));
}

static void stored_cells_come_back_whole_or_not_at_all(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(22);
    for (int round = 0; round < 40; round++) {
        AUTO(Arena) arena = arena_open();
        Measure measures[EVENTS];
        measures_make(arena, &seeded, measures);
        size_t count = seeded_below(&seeded, EVENTS + 1);
        for (int code = 0; code < AGGREGATION_COUNT; code++) {
            Cell cell = expected_of(measures, count, (Aggregation)code);
            assert_comes_back(&cell, (Aggregation)code);
            cell.events = cell.last_sequence = UINT64_MAX;
            cell.ignored = UINT64_MAX - 1;
            cell.latest_ts.us = INT64_MIN;
            assert_comes_back(&cell, (Aggregation)code);
        }
    }
}

static void unknown_forms_are_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Cell        cell = { .events = 1 }, back;
    Aggregation aggregation;
    for (int form = 0; form < 256; form++)
        for (int code = 0; code < 256; code++) {
            Text text = text_open(arena);
            cell_write(&cell, AGGREGATE_SUM, &text);
            text.at[0] = (char)form;
            text.at[1] = (char)code;
            bool known = form == 1 && code < AGGREGATION_COUNT;
            if (!known)
                assert_false(cell_read(text_str(&text), &back, &aggregation));
        }
}

// The property p of an event, as it is met by a meter of that aggregation.
static Measure measured(Aggregation aggregation, PropertyKind kind, Str value)
{
    AUTO(Arena) arena = arena_open();
    Property property = { STR("p"), kind, value };
    Meter    meter = { .aggregation = aggregation, .property = STR("p") };
    Event    event = { .properties = canonical_of(arena, &property, 1) };
    Measure  measure;
    assert_true(measure_of(&meter, &event, &measure));
    return measure;
}

static void a_property_counts_when_it_is_what_is_needed(void **state)
{
    (void)state;
    assert_true(measured(AGGREGATE_SUM, PROPERTY_NUMBER, STR("-1.5")).value.e12 ==
                -INT64_C(1500000000000));
    assert_true(measured(AGGREGATE_MAX, PROPERTY_STRING, STR("2")).counts);
    assert_false(measured(AGGREGATE_SUM, PROPERTY_STRING, STR("two")).counts);
    assert_false(measured(AGGREGATE_SUM, PROPERTY_STRING, STR("")).counts);
    assert_false(measured(AGGREGATE_SUM, PROPERTY_NULL, STR("null")).counts);
    assert_false(measured(AGGREGATE_SUM, PROPERTY_BOOL, STR("true")).counts);
    assert_false(measured(AGGREGATE_SUM, PROPERTY_JSON, STR("[1]")).counts);
    assert_false(measured(AGGREGATE_SUM, PROPERTY_NUMBER, STR("1e15")).counts);
    assert_true(measured(AGGREGATE_UNIQUE_COUNT, PROPERTY_BOOL, STR("true")).counts);
    assert_true(measured(AGGREGATE_UNIQUE_COUNT, PROPERTY_STRING, STR("two")).counts);
    assert_false(measured(AGGREGATE_UNIQUE_COUNT, PROPERTY_STRING, STR("")).counts);
    assert_false(measured(AGGREGATE_UNIQUE_COUNT, PROPERTY_NULL, STR("null")).counts);
    assert_true(measured(AGGREGATE_COUNT, PROPERTY_NULL, STR("null")).counts);
    Meter   meter = { .aggregation = AGGREGATE_SUM, .property = STR("value") };
    Event   event = { .value = { 7 }, .unique_id = STR("u"), .ts = { -1 }, .digest = { { 9 } } };
    Measure measure;
    assert_true(measure_of(&meter, &event, &measure));
    assert_true(measure.counts && measure.value.e12 == 7 && measure.ts.us == -1);
    assert_true(str_equal(measure.unique_id, STR("u")) && measure.digest.part[0] == 9);
    meter.property = STR("absent");
    assert_true(measure_of(&meter, &event, &measure));
    assert_false(measure.counts);
}

static void filters_and_excludes_leave_out(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Str        eu[] = { STR("asia"), STR("eu") }, free_plan[] = { STR("free") };
    FilterTerm region = { STR("region"), eu, 2 }, plan = { STR("plan"), free_plan, 1 };
    Filter     excluded = { &plan, 1 };
    Meter      meter = { .aggregation = AGGREGATE_COUNT, .filter = { &region, 1 },
                         .excludes = &excluded, .exclude_count = 1 };
    static const struct { const char *plan, *region; bool counts; } rows[] = {
        { "free", "eu", false }, { "paid", "eu", true }, { "paid", "asia", true },
        { "paid", "us", false }, { "paid", "", false }, { "", "eu", true }, { "free", "us", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Property properties[2] = { { STR("plan"), PROPERTY_STRING, str_of(rows[i].plan) },
                                   { STR("region"), PROPERTY_STRING, str_of(rows[i].region) } };
        Event    event = { .properties = canonical_of(arena, properties, 2) };
        Measure  measure;
        assert_int_equal(measure_of(&meter, &event, &measure), rows[i].counts);
    }
    Event   bare = { 0 };
    Measure measure;
    assert_false(measure_of(&meter, &bare, &measure));
}

static void dimensions_tell_absent_from_empty(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Str      names[] = { STR("a"), STR("b"), STR("c") };
    Meter    meter = { .dimensions = names, .dimension_count = 3 };
    Property properties[2] = { { STR("a"), PROPERTY_STRING, STR("") },
                               { STR("c"), PROPERTY_NUMBER, STR("10") } };
    Text     text = text_open(arena);
    cell_dimensions(&meter, canonical_of(arena, properties, 2), &text);
    assert_true(str_equal(text_str(&text), STR("\x01\x00\x00\x01\x02" "10")));
    text_clear(&text);
    cell_dimensions(&meter, STR_NONE, &text);
    assert_true(str_equal(text_str(&text), STR("\0\0\0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_add_up_in_any_order),
        cmocka_unit_test(a_latest_tie_goes_to_the_greater_id),
        cmocka_unit_test(a_sum_beyond_its_limit_says_so_for_good),
        cmocka_unit_test(differences_are_seen),
        cmocka_unit_test(stored_cells_come_back_whole_or_not_at_all),
        cmocka_unit_test(unknown_forms_are_refused),
        cmocka_unit_test(a_property_counts_when_it_is_what_is_needed),
        cmocka_unit_test(filters_and_excludes_leave_out),
        cmocka_unit_test(dimensions_tell_absent_from_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
