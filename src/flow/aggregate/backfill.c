// SPDX-License-Identifier: Apache-2.0
// A merge of the sealed ranges' events by account, from which come the cells that the ranges would
// hold had the meter been there from the beginning.
#include "flow/aggregate/backfill.h"

#include "flow/aggregate/stored.h"

typedef struct Source {
    StoreCursor *cursor;
    StoreRange   range;
    bool         has_row;
    EventKey     key;
    Str          block;  // copied
} Source;

typedef struct Backfill {
    Partition        *partition;
    const Activation *activation;
    Arena            *arena;
    CellRowTake      *take;
    void             *context;
    StoreView        *view;
    VECTOR(Source)    sources;
    CellRows         *rows;
} Backfill;

static Err *source_next(Backfill *backfill, Source *source)
{
    Str suffix, value;
    memory_release((void *)(uintptr_t)source->block.at);
    source->block = STR_NONE;
    source->has_row = store_cursor_next(source->cursor, &suffix, &value);
    if (!source->has_row)
        return store_cursor_failure(source->cursor, backfill->arena);
    if (!event_key_read(suffix, &source->key))
        return refuse(backfill->arena, ERR_STORE_FAILED, STR_NONE, "a stored event key is damaged");
    char *copy = memory_take(value.length);
    memcpy(copy, value.at, value.length);
    source->block = (Str){ copy, value.length };
    return NULL;
}

static Err *sources_open(Backfill *backfill)
{
    char              prefix[8];
    size_t            count;
    const StoreRange *ranges = store_view_ranges(backfill->view, &count);
    bytes_put_u32_be(prefix, backfill->activation->project);
    bytes_put_u32_be(prefix + 4, backfill->activation->event);
    for (size_t i = 0; i < count; i++) {
        Source source = { .range = ranges[i] };
        if (store_range_is_extra(ranges[i]) ||
            ranges[i].first_seal << backfill->partition->options.seal_bits >
                backfill->activation->sequence)
            continue;
        source.cursor = store_cursor_open(backfill->view, STORE_EVENTS, STORE_SCAN_ONCE);
        store_cursor_seek(source.cursor, ranges[i], (Str){ prefix, sizeof prefix }, STR_NONE);
        vector_push(&backfill->sources, source);
        TRY(source_next(backfill, &backfill->sources.at[backfill->sources.count - 1]));
    }
    return NULL;
}

static void sources_close(Backfill *backfill)
{
    for (size_t i = 0; i < backfill->sources.count; i++) {
        memory_release((void *)(uintptr_t)backfill->sources.at[i].block.at);
        store_cursor_close(backfill->sources.at[i].cursor);
    }
    vector_release(&backfill->sources);
}

static Err *block_fold(Backfill *backfill, const Source *source)
{
    AUTO(Arena) arena = arena_open();
    const Activation *activation = backfill->activation;
    StoredEvents      stored;
    Event             event;
    TRY(stored_events_open(backfill->partition, arena, &source->key, source->block, &stored));
    while (stored_events_next(&stored, &event)) {
        Measure measure;
        Cell    cell = { 0 };
        Text    dimensions = text_open(arena);
        if (stored.sequence >= activation->sequence ||
            !measure_of(activation->meter, &event, &measure))
            continue;
        measure.sequence = stored.sequence;
        cell_add(&cell, meter_kept(activation->meter), &measure);
        cell_dimensions(activation->meter, event.properties, &dimensions);
        cell_rows_add(backfill->rows, meter_kept(activation->meter), instant_utc_hour(event.ts),
                      text_str(&dimensions), &cell);
    }
    return NULL;
}

static bool least_account(const Backfill *backfill, uint32_t *account)
{
    bool found = false;
    *account = 0;
    for (size_t i = 0; i < backfill->sources.count; i++) {
        const Source *source = &backfill->sources.at[i];
        if (source->has_row && (!found || source->key.account < *account))
            *account = source->key.account;
        found = found || source->has_row;
    }
    return found;
}

static Err *accounts_fold(Backfill *backfill)
{
    const Activation *activation = backfill->activation;
    uint32_t          account;
    while (least_account(backfill, &account)) {
        if (backfill->partition->seal_stopping)
            return refuse(backfill->arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
        cell_rows_begin(backfill->rows, activation->project, activation->number, account);
        for (size_t i = 0; i < backfill->sources.count; i++) {
            Source *source = &backfill->sources.at[i];
            while (source->has_row && source->key.account == account) {
                TRY(block_fold(backfill, source));
                TRY(source_next(backfill, source));
            }
        }
        TRY(cell_rows_finish(backfill->rows, meter_kept(activation->meter), backfill->take,
                             backfill->context));
    }
    return NULL;
}

Err *backfill_rows(Partition *partition, Arena *arena, const Activation *activation,
                   CellRowTake *take, void *context)
{
    Backfill backfill = {
        .partition = partition, .activation = activation, .arena = arena,
        .take = take, .context = context,
    };
    lock_take(&partition->state_lock);
    backfill.view = store_view_keep(partition->view);
    lock_release(&partition->state_lock);
    backfill.rows = cell_rows_open();
    Err *err = sources_open(&backfill);
    if (err == NULL)
        err = accounts_fold(&backfill);
    sources_close(&backfill);
    cell_rows_close(backfill.rows);
    store_view_release(backfill.view);
    return err;
}
