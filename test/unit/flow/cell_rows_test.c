// SPDX-License-Identifier: Apache-2.0
// Hours that come in in any order go out as sorted rows, hours first, then the days made from them,
// each the sum of its parts, and the same rows whatever the order was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/vector.h"
#include "flow/aggregate/cell_rows.h"
#include "flow/cells.h"

enum { PROJECT = 3, METER = 4, ACCOUNT = 5, HOURS = 80, TUPLES = 3, PIECES = 6000 };

static const Str tuples[TUPLES] = { STR_INIT("\0"), STR_INIT("\1\1a"), STR_INIT("\1\2ab") };

// One hour of one tuple on its way in.
typedef struct Piece {
    int64_t hour;
    size_t  tuple;
    Cell    cell;
} Piece;

static void pieces_make(Arena *arena, Seeded *seeded, Aggregation aggregation, Piece *pieces)
{
    for (size_t i = 0; i < PIECES; i++) {
        Measure measure = {
            .counts = seeded_below(seeded, 5) > 0,
            .value.e12 = (int64_t)seeded_below(seeded, 2001) - 1000,
            .unique_id = str_print(arena, "e%zu", i),
            .sequence = i + 1,
            .digest.part = { seeded_next(seeded) },
        };
        int64_t hour = (int64_t)seeded_below(seeded, HOURS) - HOURS / 2;
        measure.ts.us = hour * 3600 * INSTANT_SECOND_US;
        pieces[i] = (Piece){ .hour = hour, .tuple = seeded_below(seeded, TUPLES) };
        cell_add(&pieces[i].cell, aggregation, &measure);
    }
}

typedef struct Taken {
    Arena *arena;
    VECTOR(Str) suffixes;
    VECTOR(Str) values;
    size_t room;
} Taken;

static Err *take(void *context, Str suffix, Str value)
{
    Taken *taken = context;
    if (taken->suffixes.count == taken->room)
        return refuse(taken->arena, ERR_STORE_FAILED, STR_NONE, "full");
    vector_push(&taken->suffixes, str_copy(taken->arena, suffix));
    vector_push(&taken->values, str_copy(taken->arena, value));
    return NULL;
}

static Taken taken_open(Arena *arena)
{
    return (Taken){ .arena = arena, .room = SIZE_MAX };
}

static void taken_close(Taken *taken)
{
    vector_release(&taken->suffixes);
    vector_release(&taken->values);
}

static Taken rows_of(CellRows *rows, Arena *arena, Aggregation aggregation, const Piece *pieces)
{
    Taken taken = taken_open(arena);
    cell_rows_begin(rows, PROJECT, METER, ACCOUNT);
    for (size_t i = 0; i < PIECES; i++) {
        // What is added is copied: these go before the rows come out.
        AUTO(Arena) moment = arena_open();
        Cell cell = pieces[i].cell;
        cell.latest_id = str_copy(moment, cell.latest_id);
        Str dimensions = str_copy(moment, tuples[pieces[i].tuple]);
        cell_rows_add(rows, aggregation, pieces[i].hour, dimensions, &cell);
    }
    assert_null(cell_rows_finish(rows, aggregation, take, &taken));
    return taken;
}

static int64_t day_of(int64_t hour)
{
    return (hour + 240) / 24 - 10;
}

// Adds up what belongs under the key, the slow way.
static Cell expected_of(const Piece *pieces, Aggregation aggregation, const CellKey *key)
{
    Cell cell = { 0 };
    for (size_t i = 0; i < PIECES; i++) {
        int64_t start = key->level == CELL_HOUR ? pieces[i].hour : day_of(pieces[i].hour);
        if (start == key->start && str_equal(tuples[pieces[i].tuple], key->dimensions))
            cell_merge(&cell, aggregation, &pieces[i].cell);
    }
    return cell;
}

static void check_rows(const Taken *taken, const Piece *pieces, Aggregation wanted)
{
    uint64_t events[2] = { 0 };
    for (size_t i = 0; i < taken->suffixes.count; i++) {
        CellKey     key;
        Cell        cell;
        Aggregation aggregation;
        if (i > 0)
            assert_true(str_compare(taken->suffixes.at[i - 1], taken->suffixes.at[i]) < 0);
        assert_true(cell_key_read(taken->suffixes.at[i], &key));
        assert_true(key.project == PROJECT && key.meter == METER && key.account == ACCOUNT);
        assert_true(cell_read(taken->values.at[i], &cell, &aggregation));
        assert_int_equal(aggregation, wanted);
        Cell expected = expected_of(pieces, wanted, &key);
        assert_true(cell_equal(&cell, &expected, wanted));
        events[key.level] += cell.events;
    }
    assert_int_equal(events[CELL_HOUR], PIECES);
    assert_int_equal(events[CELL_DAY], PIECES);
}

static void rows_are_sorted_sums_in_any_order(void **state)
{
    (void)state;
    Seeded    seeded = seeded_of(51);
    CellRows *rows = cell_rows_open();
    Aggregation all[] = { AGGREGATE_SUM, AGGREGATE_LATEST };
    for (int i = 0; i < 2; i++) {
        AUTO(Arena) arena = arena_open();
        Piece *pieces = arena_array(arena, Piece, PIECES);
        pieces_make(arena, &seeded, all[i], pieces);
        Taken taken = rows_of(rows, arena, all[i], pieces);
        check_rows(&taken, pieces, all[i]);
        for (size_t k = 1; k < PIECES; k++) {
            size_t at = seeded_below(&seeded, k + 1);
            Piece  other = pieces[at];
            pieces[at] = pieces[k];
            pieces[k] = other;
        }
        Taken again = rows_of(rows, arena, all[i], pieces);
        assert_int_equal(again.suffixes.count, taken.suffixes.count);
        for (size_t k = 0; k < taken.suffixes.count; k++) {
            assert_true(str_equal(taken.suffixes.at[k], again.suffixes.at[k]));
            assert_true(str_equal(taken.values.at[k], again.values.at[k]));
        }
        taken_close(&taken);
        taken_close(&again);
    }
    cell_rows_close(rows);
    cell_rows_close(NULL);
}

static void days_before_1970_begin_at_midnight(void **state)
{
    (void)state;
    static const struct { int64_t hour; int32_t day; } rows_[] = {
        { -49, -3 }, { -48, -2 }, { -25, -2 }, { -24, -1 }, { -1, -1 }, { 0, 0 }, { 23, 0 },
        { 24, 1 }, { INT64_C(2147483647), 89478485 }, { -INT64_C(2147483647), -89478486 },
    };
    CellRows *rows = cell_rows_open();
    for (size_t i = 0; i < sizeof rows_ / sizeof *rows_; i++) {
        AUTO(Arena) arena = arena_open();
        Taken taken = taken_open(arena);
        Cell  cell = { .events = 1 };
        cell_rows_begin(rows, 0, 0, 0);
        cell_rows_add(rows, AGGREGATE_COUNT, rows_[i].hour, STR_NONE, &cell);
        assert_null(cell_rows_finish(rows, AGGREGATE_COUNT, take, &taken));
        assert_int_equal(taken.suffixes.count, 2);
        CellKey hour, day;
        assert_true(cell_key_read(taken.suffixes.at[0], &hour));
        assert_true(cell_key_read(taken.suffixes.at[1], &day));
        assert_true(hour.level == CELL_HOUR && hour.start == rows_[i].hour);
        assert_true(day.level == CELL_DAY && day.start == rows_[i].day);
        taken_close(&taken);
    }
    cell_rows_close(rows);
}

static void a_refusal_ends_the_writing(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    CellRows *rows = cell_rows_open();
    for (size_t room = 0; room < 4; room++) {
        Taken taken = taken_open(arena);
        Cell  cell = { .events = 1 };
        taken.room = room;
        cell_rows_begin(rows, 0, 0, 0);
        for (int64_t hour = 0; hour < 3; hour++)
            cell_rows_add(rows, AGGREGATE_COUNT, hour, STR_NONE, &cell);
        Err *err = cell_rows_finish(rows, AGGREGATE_COUNT, take, &taken);
        assert_non_null(err);
        assert_int_equal(taken.suffixes.count, room);
        taken_close(&taken);
    }
    Taken taken = taken_open(arena);
    cell_rows_begin(rows, 0, 0, 0);
    assert_null(cell_rows_finish(rows, AGGREGATE_COUNT, take, &taken));
    assert_int_equal(taken.suffixes.count, 0);
    cell_rows_close(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_sums_in_any_order),
        cmocka_unit_test(days_before_1970_begin_at_midnight),
        cmocka_unit_test(a_refusal_ends_the_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
