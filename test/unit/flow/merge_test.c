// SPDX-License-Identifier: Apache-2.0
// Folding ranges loses nothing and depends on nothing but the rows: cells and counts of one key add
// up, event blocks keep every row in order, and folding in two steps gives what one step gives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// The rows that a fold emits come to this test instead of a store.
#define store_emit emitted
#include "flow/aggregate/merge.c"

#include "base/random.h"

enum { RANGES = 16, KEYS = 12 };

typedef VECTOR(StoreRow) Rows;

struct StoreEmit {
    Arena *arena;
    Rows   rows;
    StoreFamily family;
};

Err *emitted(StoreEmit *emit, Arena *arena, Str suffix, Str value)
{
    (void)arena;
    if (emit->rows.count > 0) {
        const StoreRow *last = &emit->rows.at[emit->rows.count - 1];
        assert_true(last->family != emit->family || str_compare(last->suffix, suffix) < 0);
    }
    StoreRow row = { emit->family, str_copy(emit->arena, suffix), str_copy(emit->arena, value) };
    vector_push(&emit->rows, row);
    return NULL;
}

static int family_rank(StoreFamily family)
{
    return family == STORE_EVENTS ? 0 : family == STORE_CELLS ? 1 : family == STORE_CHANGES ? 2 : 3;
}

static bool comes_before(const StoreRow *a, const StoreRow *b)
{
    if (a->family != b->family)
        return family_rank(a->family) < family_rank(b->family);
    return str_compare(a->suffix, b->suffix) < 0;
}

// By family and suffix; rows of equal suffix stay in order, oldest range first.
static void rows_sort(Rows *rows)
{
    for (size_t i = 1; i < rows->count; i++) {
        StoreRow row = rows->at[i];
        size_t   at = i;
        for (; at > 0 && comes_before(&row, &rows->at[at - 1]); at--)
            rows->at[at] = rows->at[at - 1];
        rows->at[at] = row;
    }
}

// Folds the rows as the store does: the arena of a row is emptied behind it.
static Err *folded(const StoreHooks *hooks, Arena *arena, Rows *rows, StoreEmit *emit)
{
    static const StoreFamily families[] = { STORE_EVENTS, STORE_CELLS, STORE_CHANGES, STORE_META };
    AUTO(Arena) of_fold = arena_open();
    AUTO(Arena) of_row = arena_open();
    Err   *err = NULL;
    size_t at = 0;
    *emit = (StoreEmit){ .arena = arena };
    rows_sort(rows);
    void *state = hooks->merge_begin(hooks->context, of_fold, (StoreRange){ 1, 0, 0, 16 });
    for (size_t i = 0; i < 4 && err == NULL; i++) {
        emit->family = families[i];
        for (; at < rows->count && rows->at[at].family == families[i] && err == NULL; at++) {
            StoreRow row = rows->at[at];
            row.suffix = str_copy(of_row, row.suffix);
            row.value = str_copy(of_row, row.value);
            err = hooks->merge_row(state, of_row, &row, emit);
            if (err == NULL)
                arena_reset(of_row);
        }
        if (err == NULL)
            err = hooks->merge_end(state, of_row, families[i], emit);
    }
    if (err != NULL)
        err = refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    hooks->merge_close(state);
    return err;
}

static void row_add(Rows *rows, Arena *arena, StoreFamily family, Str suffix, const Text *value)
{
    StoreRow row = { family, str_copy(arena, suffix), text_str(value) };
    vector_push(rows, row);
}

static void cells_add(Rows *rows, Arena *arena, Seeded *seeded, uint64_t range)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        Text        value = text_open(arena), suffix = text_open(arena);
        Cell        cell = { 0 };
        Aggregation aggregation = (Aggregation)(i % AGGREGATION_COUNT);
        CellKey     key = { 1, i, 2, CELL_HOUR, (int32_t)i - 3, STR("\1\1a") };
        Measure     measure = {
                .counts = seeded_below(seeded, 3) > 0,
                .value.e12 = (int64_t)seeded_below(seeded, 9) - 4,
                .ts.us = (int64_t)seeded_below(seeded, 2),
                .unique_id = str_print(arena, "e%u", (unsigned)range),
                .sequence = range + 1,
                .digest.part = { seeded_next(seeded) },
        };
        if (seeded_below(seeded, 3) == 0)
            continue;
        cell_add(&cell, aggregation, &measure);
        cell_write(&cell, aggregation, &value);
        cell_key_write(&key, &suffix);
        row_add(rows, arena, STORE_CELLS, text_str(&suffix), &value);
    }
}

static void changes_add(Rows *rows, Arena *arena, Seeded *seeded)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        char      suffix[CHANGE_KEY_BYTES];
        ChangeKey key = { 1, i / 3, i % 3, (int32_t)i - 6 };
        Text      value = text_open(arena);
        if (seeded_below(seeded, 3) == 0)
            continue;
        text_add_varint(&value, 1 + seeded_below(seeded, 1000));
        row_add(rows, arena, STORE_CHANGES, change_key_write(&key, suffix), &value);
    }
}

static void meta_add(Rows *rows, Arena *arena, uint64_t range)
{
    SealMeta   meta = seal_meta_open(arena);
    Text       value = text_open(arena);
    RecordName name = { NAME_ACCOUNT, 0, (uint32_t)range, STR_NONE };
    name.name = str_print(arena, "a%u", (unsigned)range);
    record_write_name(&meta.names, &name);
    text_print(&meta.outcomes, "<%u>", (unsigned)range);
    seal_meta_write(&meta, &value);
    row_add(rows, arena, STORE_META, STR_NONE, &value);
}

// Blocks of few and of many rows, some so large that they are not joined.
static void events_add(Rows *rows, Arena *arena, Seeded *seeded, uint64_t range)
{
    for (uint32_t account = 0; account < 3; account++)
        for (int32_t day = -1; day < 1; day++) {
            BlockRow *block = arena_array(arena, BlockRow, EVENT_BLOCK_ROWS);
            size_t    most = account == 0 ? 40 : account == 1 ? 900 : BLOCK_IS_BIG + 100;
            size_t    count = seeded_below(seeded, most);
            char      suffix[EVENT_KEY_BYTES];
            Text      value = text_open(arena);
            for (size_t i = 0; i < count; i++)
                block[i] = (BlockRow){
                    .sequence = range * 100000 + i + 1,
                    .unique_id = str_print(arena, "%x-%x", (unsigned)range, (unsigned)i),
                    .value.e12 = (int64_t)seeded_below(seeded, 1000),
                    .ts.us = day * INSTANT_DAY_US + (int64_t)i,
                    .received.us = (int64_t)i,
                    .properties = i % 2 == 0 ? STR_NONE : STR("\1\1k\1\1v"),
                };
            if (count == 0)
                continue;
            event_block_encode(block, count, &value);
            EventKey key = { 0, 1, account, day, block[0].sequence };
            row_add(rows, arena, STORE_EVENTS, event_key_write(&key, suffix), &value);
        }
}

static void range_make(Rows *rows, Arena *arena, Seeded *seeded, uint64_t range)
{
    cells_add(rows, arena, seeded, range);
    changes_add(rows, arena, seeded);
    meta_add(rows, arena, range);
    events_add(rows, arena, seeded, range);
}

// Every event, one line each, in the order of the rows.
static Str events_listed(Arena *arena, const Rows *rows, size_t *blocks)
{
    Text text = text_open(arena);
    *blocks = 0;
    for (size_t i = 0; i < rows->count; i++) {
        BlockRow *block;
        size_t    count;
        EventKey  key;
        if (rows->at[i].family != STORE_EVENTS)
            continue;
        assert_true(event_key_read(rows->at[i].suffix, &key));
        assert_null(event_block_decode(arena, rows->at[i].value, &block, &count));
        assert_true(block[0].sequence == key.sequence);
        for (size_t k = 0; k < count; k++)
            text_print(&text, "%u %d %llu %.*s %lld %zu\n", key.account, key.day,
                       (unsigned long long)block[k].sequence, STR_ARG(block[k].unique_id),
                       (long long)block[k].value.e12, block[k].properties.length);
        *blocks += 1;
    }
    return text_str(&text);
}

// A block that is big already is among the rows as it was; answers how many are.
static size_t check_big_blocks(Arena *arena, const Rows *before, const Rows *after)
{
    size_t big = 0;
    for (size_t i = 0; i < before->count; i++) {
        BlockRow *block;
        size_t    count, found = 0;
        if (before->at[i].family != STORE_EVENTS)
            continue;
        assert_null(event_block_decode(arena, before->at[i].value, &block, &count));
        if (count < BLOCK_IS_BIG)
            continue;
        for (size_t k = 0; k < after->count; k++)
            found += str_equal(before->at[i].suffix, after->at[k].suffix) &&
                     str_equal(before->at[i].value, after->at[k].value);
        assert_int_equal(found, 1);
        big++;
    }
    return big;
}

static void assert_same_rows(const Rows *a, const Rows *b, StoreFamily family)
{
    size_t at = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (a->at[i].family != family)
            continue;
        while (at < b->count && b->at[at].family != family)
            at++;
        assert_true(at < b->count);
        assert_true(str_equal(a->at[i].suffix, b->at[at].suffix));
        assert_true(str_equal(a->at[i].value, b->at[at].value));
        at++;
    }
    for (; at < b->count; at++)
        assert_true(b->at[at].family != family);
}

// Cells and counts by key, added up by hand.
static void check_sums(Arena *arena, const Rows *before, const Rows *after)
{
    for (size_t i = 0; i < after->count; i++) {
        const StoreRow *row = &after->at[i];
        Cell            sum = { 0 }, cell;
        Aggregation     aggregation = AGGREGATE_SUM;
        uint64_t        changes = 0;
        Text            value = text_open(arena);
        if (row->family != STORE_CELLS && row->family != STORE_CHANGES)
            continue;
        for (size_t k = 0; k < before->count; k++) {
            if (before->at[k].family != row->family ||
                !str_equal(before->at[k].suffix, row->suffix))
                continue;
            Reader reader = reader_of(before->at[k].value);
            changes += reader_varint(&reader);
            if (row->family != STORE_CELLS)
                continue;
            assert_true(cell_read(before->at[k].value, &cell, &aggregation));
            cell_merge(&sum, aggregation, &cell);
        }
        if (row->family == STORE_CELLS)
            cell_write(&sum, aggregation, &value);
        else
            text_add_varint(&value, changes);
        assert_true(str_equal(text_str(&value), row->value));
    }
}

static void folding_in_steps_is_folding_at_once(void **state)
{
    (void)state;
    HashKey    key = { { 1 } };
    Names     *names = names_open();
    Merge     *merge = merge_open(&key, names);
    StoreHooks hooks = merge_hooks(merge);
    size_t     big = 0;
    for (uint64_t seed = 111; seed < 114; seed++) {
        AUTO(Arena) arena = arena_open();
        Seeded    seeded = seeded_of(seed);
        Rows      all = { 0 }, left = { 0 }, right = { 0 }, both = { 0 };
        StoreEmit at_once, of_left, of_right, of_both;
        size_t    before, after, ignored;
        for (uint64_t range = 0; range < RANGES; range++)
            range_make(&all, arena, &seeded, range);
        for (size_t i = 0, range = 0; i < all.count; i++) {
            vector_push(range < 5 ? &left : &right, all.at[i]);
            range += i + 1 < all.count && all.at[i + 1].family == STORE_CELLS &&
                     all.at[i].family == STORE_EVENTS;
        }
        assert_null(folded(&hooks, arena, &all, &at_once));
        assert_null(folded(&hooks, arena, &left, &of_left));
        assert_null(folded(&hooks, arena, &right, &of_right));
        for (size_t i = 0; i < of_left.rows.count; i++)
            vector_push(&both, of_left.rows.at[i]);
        for (size_t i = 0; i < of_right.rows.count; i++)
            vector_push(&both, of_right.rows.at[i]);
        assert_null(folded(&hooks, arena, &both, &of_both));
        check_sums(arena, &all, &at_once.rows);
        assert_same_rows(&at_once.rows, &of_both.rows, STORE_CELLS);
        assert_same_rows(&at_once.rows, &of_both.rows, STORE_CHANGES);
        assert_same_rows(&at_once.rows, &of_both.rows, STORE_META);
        Str events = events_listed(arena, &all, &before);
        assert_true(str_equal(events_listed(arena, &at_once.rows, &after), events));
        assert_true(after < before);
        big += check_big_blocks(arena, &all, &at_once.rows);
        assert_true(str_equal(events_listed(arena, &of_both.rows, &ignored), events));
        Rows *lists[] = { &all, &left, &right, &both, &at_once.rows, &of_left.rows,
                          &of_right.rows, &of_both.rows };
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
            vector_release(lists[i]);
    }
    assert_true(big > 0);
    merge_close(merge);
    names_close(names);
}

// One row of the family, cut short: the fold is refused, never the row lost.
static void assert_cut_is_refused(const StoreHooks *hooks, const StoreRow *row, bool cut_suffix)
{
    AUTO(Arena) arena = arena_open();
    size_t most = cut_suffix ? row->suffix.length : row->value.length;
    for (size_t cut = 0; cut < most; cut++) {
        StoreRow  damaged_row = *row;
        Rows      rows = { 0 };
        StoreEmit emit;
        if (cut_suffix)
            damaged_row.suffix.length = cut;
        else
            damaged_row.value.length = cut;
        vector_push(&rows, damaged_row);
        Err *err = folded(hooks, arena, &rows, &emit);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_FAILED);
        assert_int_equal(emit.rows.count, 0);
        vector_release(&rows);
        vector_release(&emit.rows);
    }
}

static void damaged_rows_are_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    HashKey    key = { { 1 } };
    Names     *names = names_open();
    Merge     *merge = merge_open(&key, names);
    StoreHooks hooks = merge_hooks(merge);
    BlockRow   event = { .sequence = 7, .unique_id = STR("id"), .value = { 5 } };
    EventKey   event_key = { 0, 0, 0, 0, 7 };
    ChangeKey  change_key = { 0 };
    Cell       cell = { .events = 300, .latest_id = STR("id") };
    SealMeta   meta = seal_meta_open(arena);
    char       event_suffix[EVENT_KEY_BYTES], change_suffix[CHANGE_KEY_BYTES];
    Text       texts[4] = { text_open(arena), text_open(arena), text_open(arena),
                            text_open(arena) };
    event_block_encode(&event, 1, &texts[0]);
    cell_write(&cell, AGGREGATE_LATEST, &texts[1]);
    text_add_varint(&texts[2], 300);
    seal_meta_write(&meta, &texts[3]);
    StoreRow events = { STORE_EVENTS, event_key_write(&event_key, event_suffix),
                        text_str(&texts[0]) };
    StoreRow changes = { STORE_CHANGES, change_key_write(&change_key, change_suffix),
                         text_str(&texts[2]) };
    assert_cut_is_refused(&hooks, &events, true);
    assert_cut_is_refused(&hooks, &events, false);
    assert_cut_is_refused(&hooks, &changes, true);
    assert_cut_is_refused(&hooks, &changes, false);
    assert_cut_is_refused(&hooks, &(StoreRow){ STORE_CELLS, STR("k"), text_str(&texts[1]) },
                          false);
    assert_cut_is_refused(&hooks, &(StoreRow){ STORE_META, STR_NONE, text_str(&texts[3]) }, false);
    merge_close(merge);
    names_close(names);
}

typedef struct Ids {
    Hash128 at[8];
    size_t  count;
} Ids;

static void id_take(void *taker, Hash128 id)
{
    Ids *ids = taker;
    assert_true(ids->count < 8);
    ids->at[ids->count++] = id;
}

static void ids_of_a_block_are_those_of_its_project(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    HashKey    key = { { 5 } };
    Names     *names = names_open();
    Merge     *merge = merge_open(&key, names);
    StoreHooks hooks = merge_hooks(merge);
    Ids        ids = { .count = 0 };
    StoreIdTake take = { id_take, &ids };
    BlockRow   block[2] = { { .sequence = 1, .unique_id = STR("a") },
                            { .sequence = 2, .unique_id = STR("b") } };
    EventKey   event_key = { .project = 1, .sequence = 1 };
    char       suffix[EVENT_KEY_BYTES];
    Text       value = text_open(arena);
    event_block_encode(block, 2, &value);
    StoreRow row = { STORE_EVENTS, event_key_write(&event_key, suffix), text_str(&value) };
    names_add(names, NAME_PROJECT, 0, STR("first"));
    merge_names_ready(merge);
    assert_non_null(hooks.ids_of_row(hooks.context, arena, &row, &take));
    names_add(names, NAME_PROJECT, 0, STR("second"));
    assert_null(hooks.ids_of_row(hooks.context, arena, &row, &take));
    assert_int_equal(ids.count, 2);
    assert_true(hash_equal(ids.at[0], event_id(STR("second"), STR("a"), &key)));
    assert_true(hash_equal(ids.at[1], event_id(STR("second"), STR("b"), &key)));
    row.suffix.length--;
    assert_non_null(hooks.ids_of_row(hooks.context, arena, &row, &take));
    merge_close(merge);
    names_close(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding_in_steps_is_folding_at_once),
        cmocka_unit_test(damaged_rows_are_refused),
        cmocka_unit_test(ids_of_a_block_are_those_of_its_project),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
