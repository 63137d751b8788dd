// SPDX-License-Identifier: Apache-2.0
// Range by range and account by account: the events are read once, in key order, and the cells they
// make are held against the stored ones, row by row.
#include "flow/aggregate/recount.h"

#include <stdlib.h>

#include "base/assert.h"
#include "flow/aggregate/backfill.h"
#include "flow/aggregate/stored.h"

typedef struct Run {
    Partition   *partition;
    Arena       *arena;
    Recount     *recount;
    StoreView   *view;
    StoreRange   range;
    StoreCursor *events, *cells, *stored_cells;
    uint64_t     range_events, range_cells;
    uint64_t     first, end;   // sequences of the range
    uint64_t     voided;       // retractions whose event was met
    unsigned char *seen;       // a bit for each of them
    EventKey     stream;       // project, event, account at hand
    CellRows   **rows;         // one for each activation of the stream's event
    ActivationList activations;
    bool         cells_differ; // of the meter and account at hand
} Run;

static void drift(Run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void drift(Run *run, const char *format, ...)
{
    AUTO(Arena) arena = arena_open();
    va_list arguments;
    va_start(arguments, format);
    Str text = str_print_list(arena, format, arguments);
    va_end(arguments);
    if (run->recount->drifts++ < RECOUNT_TOLD)
        run->recount->tell(run->recount->context, text);
}

// ---- cells

static Err *cell_expect(void *context, Str suffix, Str value)
{
    Run *run = context;
    Str  stored_suffix, stored_value;
    run->range_cells++;
    bool has = store_cursor_next(run->stored_cells, &stored_suffix, &stored_value);
    if (has && str_equal(suffix, stored_suffix) && str_equal(value, stored_value))
        return NULL;
    run->cells_differ = true;
    return store_cursor_failure(run->stored_cells, run->arena);
}

static Err *meter_compare(Run *run, const Activation *activation, CellRows *rows)
{
    char prefix[CELL_KEY_ACCOUNT];
    Str  suffix, value;
    bytes_put_u32_be(prefix, activation->project);
    bytes_put_u32_be(prefix + 4, activation->number);
    bytes_put_u32_be(prefix + CELL_KEY_METER, run->stream.account);
    store_cursor_seek(run->stored_cells, run->range, (Str){ prefix, sizeof prefix }, STR_NONE);
    run->cells_differ = false;
    TRY(cell_rows_finish(rows, meter_kept(activation->meter), cell_expect, run));
    if (run->cells_differ || store_cursor_next(run->stored_cells, &suffix, &value))
        drift(run, "cells of meter \"%.*s\" and account \"%.*s\" are not what their events give",
              STR_ARG(activation->meter->id),
              STR_ARG(names_text(run->partition->names, NAME_ACCOUNT, run->stream.account, NULL)));
    return store_cursor_failure(run->stored_cells, run->arena);
}

static Err *stream_finish(Run *run)
{
    for (size_t i = 0; i < run->activations.count; i++) {
        Err *err = meter_compare(run, run->activations.at[i], run->rows[i]);
        cell_rows_close(run->rows[i]);
        if (err != NULL)
            return err;
    }
    run->activations.count = 0;
    return NULL;
}

static void stream_begin(Run *run, const EventKey *key)
{
    run->stream = *key;
    lock_take(&run->partition->state_lock);
    run->activations = meters_of_event(run->partition->meters, key->event);
    lock_release(&run->partition->state_lock);
    run->rows = arena_array(run->arena, CellRows *, run->activations.count);
    for (size_t i = 0; i < run->activations.count; i++) {
        run->rows[i] = cell_rows_open();
        cell_rows_begin(run->rows[i], key->project, run->activations.at[i]->number, key->account);
    }
}

static void event_fold(Run *run, Arena *arena, const Event *event, uint64_t sequence)
{
    for (size_t i = 0; i < run->activations.count; i++) {
        const Activation *activation = run->activations.at[i];
        Aggregation       aggregation = meter_kept(activation->meter);
        Measure           measure;
        Cell              cell = { 0 };
        Text              dimensions = text_open(arena);
        if (!activation_counts(activation, sequence) ||
            !measure_of(activation->meter, event, &measure))
            continue;
        measure.sequence = sequence;
        cell_add(&cell, aggregation, &measure);
        cell_dimensions(activation->meter, event->properties, &dimensions);
        cell_rows_add(run->rows[i], aggregation, instant_utc_hour(event->ts), text_str(&dimensions),
                      &cell);
    }
}

// ---- ids

typedef struct Expected {
    Hash128  id;
    Identity identity;
} Expected;

static int expected_order(const void *a, const void *b)
{
    return hash_compare(((const Expected *)a)->id, ((const Expected *)b)->id);
}

// The id of an amended event answers the newest of its chain that is sealed, of the same stream. A
// seal may have come since the view was taken.
static bool is_amended(const Run *run, const Expected *expected, Str value)
{
    Partition *partition = run->partition;
    uint64_t   sealed = store_view_sealed(run->view) << partition->options.seal_bits;
    uint64_t   sequence = expected->identity.sequence;
    Identity   stored;
    return identity_read(value, &stored) && stored.sequence > sequence &&
           stored.sequence >= voids_newest(partition->voids, sequence, sealed) &&
           stored.sequence == voids_newest(partition->voids, sequence, stored.sequence + 1) &&
           stored.event == expected->identity.event &&
           stored.account == expected->identity.account;
}

static Err *ids_compare(Run *run, Arena *arena, Expected *expected, size_t count)
{
    Hash128 *ids = arena_array(arena, Hash128, count);
    Str     *values = arena_array(arena, Str, count);
    Text     value = text_open(arena);
    qsort(expected, count, sizeof *expected, expected_order);
    for (size_t i = 0; i < count; i++)
        ids[i] = expected[i].id;
    TRY(usage_store_find_ids(run->partition->store, arena, ids, count, values));
    for (size_t i = 0; i < count; i++) {
        text_clear(&value);
        identity_write(&expected[i].identity, &value);
        run->recount->ids++;
        bool is_stored = values[i].at != NULL && (str_equal(values[i], text_str(&value)) ||
                                                  is_amended(run, &expected[i], values[i]));
        if (!is_stored)
            drift(run, "the id of event %llu is not stored as it should be",
                  (unsigned long long)expected[i].identity.sequence);
    }
    return NULL;
}

// ---- events

static void sequence_mark(Run *run, uint64_t sequence)
{
    if (sequence < run->first || sequence >= run->end) {
        drift(run, "event %llu lies outside of its seal", (unsigned long long)sequence);
        return;
    }
    uint64_t      bit = sequence - run->first;
    unsigned char mask = (unsigned char)(1U << (bit & 7));
    if ((run->seen[bit >> 3] & mask) != 0)
        drift(run, "event %llu is stored twice", (unsigned long long)sequence);
    run->seen[bit >> 3] |= mask;
}

// What the voids say of an event must be what it is: reads find it, and its hour, by that.
static void event_check(Run *run, const VoidTarget *place)
{
    VoidTarget said;
    size_t     retractions = voids_of_event(run->partition->voids, place->sequence, &said);
    run->voided += retractions;
    if (retractions > 0 && (said.ts.us != place->ts.us || said.event != place->event ||
                            said.account != place->account))
        drift(run, "a retraction does not say where event %llu lies",
              (unsigned long long)place->sequence);
}

static Err *block_recount(Run *run, const EventKey *key, Str block)
{
    AUTO(Arena) arena = arena_open();
    StoredEvents stored;
    Event        event;
    size_t       count = 0;
    TRY(stored_events_open(run->partition, arena, key, block, &stored));
    Expected *expected = arena_array(arena, Expected, stored.count);
    while (stored_events_next(&stored, &event)) {
        Identity identity = { stored.sequence, event.fingerprint, event.ts, event.ts_given,
                              key->event, key->account };
        expected[count++] = (Expected){ event.id, identity };
        VoidTarget place = { stored.sequence, event.ts, key->event, key->account };
        event_check(run, &place);
        sequence_mark(run, stored.sequence);
        if (instant_utc_day(event.ts) != key->day)
            drift(run, "event %llu lies under another day", (unsigned long long)stored.sequence);
        event_fold(run, arena, &event, stored.sequence);
    }
    run->range_events += count;
    return ids_compare(run, arena, expected, count);
}

static Err *events_recount(Run *run)
{
    Str  suffix, value;
    bool has_stream = false;
    store_cursor_seek(run->events, run->range, STR_NONE, STR_NONE);
    while (store_cursor_next(run->events, &suffix, &value)) {
        EventKey key;
        if (!event_key_read(suffix, &key))
            return refuse(run->arena, ERR_STORE_FAILED, STR_NONE, "a stored event key is damaged");
        bool same = has_stream && key.event == run->stream.event &&
                    key.account == run->stream.account;
        if (!same) {
            TRY(stream_finish(run));
            stream_begin(run, &key);
        }
        has_stream = true;
        TRY(block_recount(run, &key, value));
    }
    TRY(stream_finish(run));
    return store_cursor_failure(run->events, run->arena);
}

static const char *seals_name(const Run *run)
{
    Str name = str_print(run->arena, "seals %llu to %llu",
                         (unsigned long long)run->range.first_seal,
                         (unsigned long long)run->range.end_seal - 1);
    return str_terminated(run->arena, name);
}

static Err *cells_count(Run *run)
{
    Str      suffix, value;
    uint64_t stored = 0;
    store_cursor_seek(run->cells, run->range, STR_NONE, STR_NONE);
    while (store_cursor_next(run->cells, &suffix, &value))
        stored++;
    if (stored != run->range_cells)
        drift(run, "%s hold %llu cells, their events give %llu", seals_name(run),
              (unsigned long long)stored, (unsigned long long)run->range_cells);
    run->recount->cells += stored;
    return store_cursor_failure(run->cells, run->arena);
}

// Every sequence of the range is an event, a change of meters, a void, a revert, or the partition's
// first.
static void sequences_check(Run *run)
{
    uint64_t others = (run->first == 0 ? 1 : 0) +
                      voids_sequences(run->partition->voids, run->first, run->end);
    lock_take(&run->partition->state_lock);
    for (uint32_t i = 0; i < meters_count(run->partition->meters); i++) {
        const Activation *activation = meters_get(run->partition->meters, i);
        others += activation->sequence >= run->first && activation->sequence < run->end;
        others += activation->removed >= run->first && activation->removed < run->end &&
                  activation->removed != 0 && !meters_replaced(run->partition->meters, activation);
    }
    lock_release(&run->partition->state_lock);
    if (run->range_events + others != run->end - run->first)
        drift(run, "%s hold %llu events and %llu others, not %llu", seals_name(run),
              (unsigned long long)run->range_events, (unsigned long long)others,
              (unsigned long long)(run->end - run->first));
}

static Err *range_recount(Run *run)
{
    unsigned bits = run->partition->options.seal_bits;
    run->range_events = run->range_cells = run->voided = 0;
    run->first = run->range.first_seal << bits;
    run->end = run->range.end_seal << bits;
    run->seen = memory_take((run->end - run->first) / 8 + 1);
    Err *err = events_recount(run);
    memory_release(run->seen);
    if (err != NULL)
        return err;
    sequences_check(run);
    if (run->voided != voids_of_events(run->partition->voids, run->first, run->end))
        drift(run, "%s lack events that voids take away", seals_name(run));
    run->recount->events += run->range_events;
    run->recount->ranges++;
    return cells_count(run);
}

// A range of its own: the earlier events of one meter.
static Err *extra_recount(Run *run)
{
    lock_take(&run->partition->state_lock);
    Activation *activation = meters_get(run->partition->meters, (uint32_t)run->range.index);
    lock_release(&run->partition->state_lock);
    run->range_cells = 0;
    run->cells_differ = false;
    if (activation == NULL) {
        drift(run, "a range of cells belongs to no meter");
        return NULL;
    }
    store_cursor_seek(run->stored_cells, run->range, STR_NONE, STR_NONE);
    TRY(backfill_rows(run->partition, run->arena, activation, cell_expect, run));
    if (run->cells_differ)
        drift(run, "the earlier cells of meter \"%.*s\" are not what its events give",
              STR_ARG(activation->meter->id));
    run->recount->ranges++;
    return cells_count(run);
}

static Err *ranges_recount(Run *run)
{
    size_t            count;
    const StoreRange *ranges = store_view_ranges(run->view, &count);
    for (size_t i = 0; i < count; i++) {
        AUTO(Arena) arena = arena_open();
        Arena *outer = run->arena;
        run->arena = arena;
        run->range = ranges[i];
        Err *err = store_range_is_extra(ranges[i]) ? extra_recount(run) : range_recount(run);
        run->arena = outer;
        if (err != NULL)
            return refuse(outer, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    }
    return NULL;
}

// The journal's tail: events in memory, and the facts that concern them.
static void tail_recount(Run *run)
{
    Partition *partition = run->partition;
    lock_take(&partition->state_lock);
    size_t   count = partition->unsealed.count;
    uint64_t first = count == 0 ? 0 : generation_number(partition->unsealed.at[0].generation)
                                          << partition->options.seal_bits;
    run->voided = 0;
    for (uint64_t sequence = first; count > 0 && sequence < partition->folded; sequence++) {
        const Generation *generation =
            partition_generation(partition, partition_seal_of(partition, sequence));
        const Row *row = generation_row(generation, partition_row_of(partition, sequence));
        VoidTarget place = { sequence, row->ts, row->event, row->account };
        if (row->kind == ROW_EVENT)
            event_check(run, &place);
    }
    if (count > 0 && run->voided != voids_of_events(partition->voids, first, UINT64_MAX))
        drift(run, "the journal lacks events that voids take away");
    lock_release(&partition->state_lock);
}

Err *partition_recount(Partition *partition, Arena *arena, Recount *recount)
{
    Run run = { .partition = partition, .arena = arena, .recount = recount };
    lock_take(&partition->state_lock);
    run.view = store_view_keep(partition->view);
    lock_release(&partition->state_lock);
    run.events = store_cursor_open(run.view, STORE_EVENTS, STORE_SCAN_ONCE);
    run.cells = store_cursor_open(run.view, STORE_CELLS, STORE_SCAN_ONCE);
    run.stored_cells = store_cursor_open(run.view, STORE_CELLS, STORE_SCAN_CACHED);
    Err *err = ranges_recount(&run);
    if (err == NULL)
        tail_recount(&run);
    store_cursor_close(run.events);
    store_cursor_close(run.cells);
    store_cursor_close(run.stored_cells);
    store_view_release(run.view);
    return err;
}
