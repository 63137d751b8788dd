// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/merge.h"

#include "base/assert.h"
#include "base/thread.h"
#include "base/vector.h"
#include "flow/aggregate/cell.h"
#include "flow/aggregate/keys.h"
#include "flow/aggregate/seal_meta.h"
#include "flow/ingest/event_block.h"

// A block of at least this many rows is left as it is: joining it would gain nothing.
enum { BLOCK_IS_BIG = EVENT_BLOCK_ROWS / 2 };

struct Merge {
    HashKey key;
    Names  *names;
    Lock    lock;  // of are_ready
    Signal  ready;
    bool    are_ready;
};

// One fold under way. Of each family one row is held back, because the next may join it.
typedef struct Fold {
    Arena  *arena;   // of the fold
    Arena  *held;    // of what is held back; reset when it goes out
    char    suffix[EVENT_KEY_BYTES];
    VECTOR(BlockRow) rows;
    bool    has_cell;
    Text    cell_suffix;
    Cell    cell;
    Aggregation aggregation;
    bool     has_change;
    char     change_suffix[CHANGE_KEY_BYTES];
    uint64_t change_count;
    bool     has_meta;
    SealMeta meta;
} Fold;

static Err *damaged(Arena *arena, const char *what)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored %s is damaged", what);
}

// ---- events

static Err *events_flush(Fold *fold, Arena *arena, StoreEmit *emit)
{
    if (fold->rows.count == 0)
        return NULL;
    Text block = text_open(fold->held);
    event_block_encode(fold->rows.at, fold->rows.count, &block);
    Str  suffix = { fold->suffix, sizeof fold->suffix };
    Err *err = store_emit(emit, arena, suffix, text_str(&block));
    fold->rows.count = 0;
    arena_reset(fold->held);
    return err;
}

static Err *events_row(Fold *fold, Arena *arena, Str suffix, Str value, StoreEmit *emit)
{
    BlockRow *rows;
    size_t    count;
    if (suffix.length != EVENT_KEY_BYTES)
        return damaged(arena, "event key");
    bool joins = fold->rows.count > 0 && memcmp(fold->suffix, suffix.at, EVENT_KEY_DAY) == 0;
    if (!joins)
        TRY(events_flush(fold, arena, emit));
    Str copy = str_copy(fold->held, value);  // rows borrow from the block
    TRY(event_block_decode(fold->held, copy, &rows, &count));
    if (fold->rows.count + count > EVENT_BLOCK_ROWS || count >= BLOCK_IS_BIG) {
        copy = str_copy(arena, value);
        TRY(events_flush(fold, arena, emit));
        if (count >= BLOCK_IS_BIG)
            return store_emit(emit, arena, suffix, copy);
        copy = str_copy(fold->held, copy);
        TRY(event_block_decode(fold->held, copy, &rows, &count));
    }
    if (fold->rows.count == 0)
        memcpy(fold->suffix, suffix.at, sizeof fold->suffix);
    for (size_t i = 0; i < count; i++)
        vector_push(&fold->rows, rows[i]);
    return NULL;
}

// ---- cells

static Err *cells_flush(Fold *fold, Arena *arena, StoreEmit *emit)
{
    if (!fold->has_cell)
        return NULL;
    Text value = text_open(fold->held);
    cell_write(&fold->cell, fold->aggregation, &value);
    Err *err = store_emit(emit, arena, text_str(&fold->cell_suffix), text_str(&value));
    fold->has_cell = false;
    arena_reset(fold->held);
    return err;
}

static Err *cells_row(Fold *fold, Arena *arena, Str suffix, Str value, StoreEmit *emit)
{
    Cell        cell;
    Aggregation aggregation;
    if (fold->has_cell && !str_equal(text_str(&fold->cell_suffix), suffix))
        TRY(cells_flush(fold, arena, emit));
    if (!cell_read(value, &cell, &aggregation))
        return damaged(arena, "cell");
    cell.latest_id = str_copy(fold->held, cell.latest_id);
    if (fold->has_cell) {
        cell_merge(&fold->cell, aggregation, &cell);
        return NULL;
    }
    fold->has_cell = true;
    fold->cell = cell;
    fold->aggregation = aggregation;
    text_clear(&fold->cell_suffix);
    text_add(&fold->cell_suffix, suffix);
    return NULL;
}

// ---- changes

static Err *changes_flush(Fold *fold, Arena *arena, StoreEmit *emit)
{
    char value[VARINT_MAX];
    if (!fold->has_change)
        return NULL;
    fold->has_change = false;
    size_t length = bytes_put_varint(value, fold->change_count);
    return store_emit(emit, arena, (Str){ fold->change_suffix, CHANGE_KEY_BYTES },
                      (Str){ value, length });
}

static Err *changes_row(Fold *fold, Arena *arena, Str suffix, Str value, StoreEmit *emit)
{
    Reader   reader = reader_of(value);
    uint64_t count = reader_varint(&reader);
    if (suffix.length != CHANGE_KEY_BYTES || !reader_done(&reader))
        return damaged(arena, "change");
    if (fold->has_change && memcmp(fold->change_suffix, suffix.at, CHANGE_KEY_BYTES) == 0) {
        fold->change_count += count;
        return NULL;
    }
    TRY(changes_flush(fold, arena, emit));
    fold->has_change = true;
    fold->change_count = count;
    memcpy(fold->change_suffix, suffix.at, CHANGE_KEY_BYTES);
    return NULL;
}

// ---- the ranges' own bytes

static Err *meta_row(Fold *fold, Arena *arena, Str value)
{
    if (!fold->has_meta)
        fold->meta = seal_meta_open(fold->arena);
    fold->has_meta = true;
    return seal_meta_append(&fold->meta, value) ? NULL : damaged(arena, "seal");
}

static Err *meta_flush(Fold *fold, Arena *arena, StoreEmit *emit)
{
    if (!fold->has_meta)
        return NULL;
    Text bytes = text_open(fold->arena);
    seal_meta_write(&fold->meta, &bytes);
    return store_emit(emit, arena, STR_NONE, text_str(&bytes));
}

// ---- the hooks

static void *fold_begin(void *context, Arena *arena, StoreRange into)
{
    (void)context;
    (void)into;
    Fold *fold = arena_new(arena, Fold);
    fold->arena = arena;
    fold->held = arena_open();
    fold->cell_suffix = text_open(arena);
    return fold;
}

static Err *fold_row(void *state, Arena *arena, const StoreRow *row, StoreEmit *emit)
{
    Fold *fold = state;
    switch (row->family) {
    case STORE_EVENTS: return events_row(fold, arena, row->suffix, row->value, emit);
    case STORE_CELLS: return cells_row(fold, arena, row->suffix, row->value, emit);
    case STORE_CHANGES: return changes_row(fold, arena, row->suffix, row->value, emit);
    case STORE_META: return meta_row(fold, arena, row->value);
    case STORE_IDS:
    case STORE_FAMILIES: break;
    }
    assert_that(row->family != STORE_IDS && row->family != STORE_FAMILIES);
    return NULL;
}

static Err *fold_end(void *state, Arena *arena, StoreFamily family, StoreEmit *emit)
{
    Fold *fold = state;
    switch (family) {
    case STORE_EVENTS: return events_flush(fold, arena, emit);
    case STORE_CELLS: return cells_flush(fold, arena, emit);
    case STORE_CHANGES: return changes_flush(fold, arena, emit);
    case STORE_META: return meta_flush(fold, arena, emit);
    case STORE_IDS:
    case STORE_FAMILIES: break;
    }
    return NULL;
}

static void fold_close(void *state)
{
    Fold *fold = state;
    vector_release(&fold->rows);
    arena_close(fold->held);
}

// The filter catches up on a thread of its own, which may begin before the names are recovered.
static Err *ids_of_row(void *context, Arena *arena, const StoreRow *row, const StoreIdTake *ids)
{
    Merge    *merge = context;
    EventKey  key;
    BlockRow *rows;
    size_t    count;
    lock_take(&merge->lock);
    while (!merge->are_ready)
        signal_wait(&merge->ready, &merge->lock);
    lock_release(&merge->lock);
    if (!event_key_read(row->suffix, &key) ||
        key.project >= names_count(merge->names, NAME_PROJECT))
        return damaged(arena, "event key");
    TRY(event_block_decode(arena, row->value, &rows, &count));
    Str project = names_text(merge->names, NAME_PROJECT, key.project, NULL);
    for (size_t i = 0; i < count; i++)
        ids->take(ids->taker, event_id(project, rows[i].unique_id, &merge->key));
    return NULL;
}

Merge *merge_open(const HashKey *key, Names *names)
{
    Merge *merge = memory_take(sizeof(Merge));
    merge->key = *key;
    merge->names = names;
    lock_open(&merge->lock);
    signal_open(&merge->ready);
    return merge;
}

void merge_names_ready(Merge *merge)
{
    lock_take(&merge->lock);
    merge->are_ready = true;
    signal_all(&merge->ready);
    lock_release(&merge->lock);
}

void merge_close(Merge *merge)
{
    signal_close(&merge->ready);
    lock_close(&merge->lock);
    memory_release(merge);
}

StoreHooks merge_hooks(Merge *merge)
{
    return (StoreHooks){
        .context = merge,
        .merge_begin = fold_begin,
        .merge_row = fold_row,
        .merge_end = fold_end,
        .merge_close = fold_close,
        .ids_of_row = ids_of_row,
    };
}
