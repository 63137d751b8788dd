// SPDX-License-Identifier: Apache-2.0
// A full generation becomes a range of the usage store: its events by account and day, its ids, its
// cells, its late changes, and the facts of its records, in one atomic step. A crash anywhere
// leaves nothing, and the next start seals the same rows again from the journal.
#include <stdlib.h>

#include "base/assert.h"
#include "base/counter.h"
#include "base/log.h"
#include "flow/aggregate/cell_rows.h"
#include "flow/aggregate/partition_inside.h"
#include "flow/aggregate/seal_meta.h"
#include "flow/ingest/event_block.h"

// Rows are met in the order of keys, so each is a miss unless it is called for some rows ahead.
enum { PREFETCH_ROWS = 16 };

// A row lies in one line and a half.
static void row_prefetch(const Row *row)
{
    __builtin_prefetch(row);
    __builtin_prefetch((const char *)row + sizeof(Row) - 1);
}

typedef struct StreamOrder {
    uint32_t      project;
    uint32_t      index;  // among the generation's streams
    const Stream *stream;
} StreamOrder;

typedef struct IdOrder {
    Hash128  id;
    uint32_t row;
} IdOrder;

typedef struct DayOrder {
    int32_t  day;
    uint32_t row;
} DayOrder;

// One seal under way.
typedef struct Seal {
    Partition        *partition;
    const Generation *generation;
    Arena            *arena;  // of the seal
    StoreWriter      *writer;
    const Activation **meters;  // by number; what a seal reads of them never changes
    VECTOR(DayOrder)  days;   // of the stream at hand
    VECTOR(BlockRow)  block;
    VECTOR(ChangeKey) changes;
    VECTOR(uint64_t)  change_counts;
} Seal;

static uint64_t sequence_of(const Seal *seal, uint32_t row)
{
    return generation_number(seal->generation) * generation_room(seal->generation) + row;
}

// ---- ids: a counting sort by the leading 16 bits leaves short runs to be sorted one by one

enum { ID_BUCKETS = 1 << 16 };

static void run_sort(IdOrder *run, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        IdOrder moving = run[i];
        size_t  at = i;
        for (; at > 0 && hash_compare(run[at - 1].id, moving.id) > 0; at--)
            run[at] = run[at - 1];
        run[at] = moving;
    }
}

// In a mapping of its own, for the caller to unmap.
static IdOrder *ids_sorted(const Seal *seal, size_t *count)
{
    uint32_t *ends = arena_array(seal->arena, uint32_t, ID_BUCKETS + 1);
    uint32_t  rows = generation_room(seal->generation);
    *count = 0;
    for (uint32_t row = 0; row < rows; row++) {
        const Row *at = generation_row(seal->generation, row);
        if (at->kind != ROW_EVENT)
            continue;
        ends[(at->id.high >> 48) + 1]++;
        (*count)++;
    }
    for (size_t i = 1; i <= ID_BUCKETS; i++)
        ends[i] += ends[i - 1];
    IdOrder  *ids = memory_map(*count * sizeof *ids);
    uint32_t *next = arena_copy(seal->arena, ends, ID_BUCKETS * sizeof *ends);
    for (uint32_t row = 0; row < rows; row++) {
        const Row *at = generation_row(seal->generation, row);
        if (at->kind == ROW_EVENT)
            ids[next[at->id.high >> 48]++] = (IdOrder){ at->id, row };
    }
    for (size_t i = 0; i < ID_BUCKETS; i++)
        run_sort(ids + ends[i], ends[i + 1] - ends[i]);
    return ids;
}

static Err *ids_put(Seal *seal, const IdOrder *ids, size_t count)
{
    Text value = text_open(seal->arena);
    for (size_t i = 0; i < count; i++) {
        Identity      identity;
        unsigned char key[16];
        if (i + 1 < count && hash_equal(ids[i].id, ids[i + 1].id))
            continue;  // amended within the generation: the last row is what the id holds
        if (i + PREFETCH_ROWS < count)
            row_prefetch(generation_row(seal->generation, ids[i + PREFETCH_ROWS].row));
        generation_identity(seal->generation, ids[i].row, &identity);
        hash_write(ids[i].id, key);
        text_clear(&value);
        identity_write(&identity, &value);
        TRY(store_writer_put(seal->writer, seal->arena, STORE_IDS,
                             (Str){ (const char *)key, sizeof key }, text_str(&value)));
    }
    return NULL;
}

static Err *ids_write(Seal *seal)
{
    size_t   count;
    IdOrder *ids = ids_sorted(seal, &count);
    Err     *err = ids_put(seal, ids, count);
    memory_unmap(ids, count * sizeof *ids);
    return err;
}

// ---- events

static Err *block_write(Seal *seal, const StreamOrder *order, int32_t day)
{
    char key[EVENT_KEY_BYTES];
    Text block = text_open_own();
    if (seal->block.count == 0)
        return NULL;
    EventKey head = {
        .project = order->project,
        .event = order->stream->event,
        .account = order->stream->account,
        .day = day,
        .sequence = seal->block.at[0].sequence,
    };
    event_block_encode(seal->block.at, seal->block.count, &block);
    seal->block.count = 0;
    Err *err = store_writer_put(seal->writer, seal->arena, STORE_EVENTS,
                                event_key_write(&head, key), text_str(&block));
    text_close(&block);
    return err;
}

static void change_note(Seal *seal, const StreamOrder *order, int32_t day, uint64_t late)
{
    ChangeKey change = { order->project, order->stream->account, order->stream->event, day };
    if (late == 0)
        return;
    vector_push(&seal->changes, change);
    vector_push(&seal->change_counts, late);
}

static int day_order(const void *a, const void *b)
{
    const DayOrder *left = a, *right = b;
    if (left->day != right->day)
        return left->day < right->day ? -1 : 1;
    return left->row < right->row ? -1 : left->row > right->row;
}

// The stream's rows by day and sequence; they come by sequence, so most often they are in order.
static void days_sort(Seal *seal, const uint32_t *rows, uint32_t count)
{
    bool sorted = true;
    seal->days.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i + PREFETCH_ROWS < count)
            row_prefetch(generation_row(seal->generation, rows[i + PREFETCH_ROWS]));
        const Row *row = generation_row(seal->generation, rows[i]);
        DayOrder   day = { (int32_t)instant_utc_day(row->ts), rows[i] };
        __builtin_prefetch(row->text);
        sorted = sorted && (i == 0 || seal->days.at[i - 1].day <= day.day);
        vector_push(&seal->days, day);
    }
    if (!sorted)
        qsort(seal->days.at, seal->days.count, sizeof(DayOrder), day_order);
}

static Err *stream_write(Seal *seal, const StreamOrder *order, const uint32_t *rows)
{
    uint64_t late = 0;
    days_sort(seal, rows, order->stream->rows);
    for (size_t i = 0; i < seal->days.count; i++) {
        const DayOrder *at = &seal->days.at[i];
        const Row      *row = generation_row(seal->generation, at->row);
        BlockRow        added = {
                   .sequence = sequence_of(seal, at->row),
                   .unique_id = row_unique_id(row),
                   .value = row->value,
                   .ts = row->ts,
                   .received = row->received,
                   .ts_given = row->ts_given,
                   .properties = row_properties(row),
        };
        vector_push(&seal->block, added);
        late += at->day < instant_utc_day(row->received);
        bool day_ends = i + 1 == seal->days.count || seal->days.at[i + 1].day != at->day;
        if (day_ends || seal->block.count == EVENT_BLOCK_ROWS)
            TRY(block_write(seal, order, at->day));
        if (day_ends) {
            change_note(seal, order, at->day, late);
            late = 0;
        }
    }
    return NULL;
}

static int stream_order(const void *a, const void *b)
{
    const StreamOrder *left = a, *right = b;
    const Stream      *one = left->stream, *two = right->stream;
    if (left->project != right->project)
        return left->project < right->project ? -1 : 1;
    if (one->event != two->event)
        return one->event < two->event ? -1 : 1;
    return one->account < two->account ? -1 : one->account > two->account;
}

// A counting sort of the rows by stream: `ends[i]` becomes where the rows of the i-th in order end.
static uint32_t *rows_by_stream(const Seal *seal, const StreamOrder *order, uint32_t count,
                                uint32_t *ends)
{
    uint32_t *rank = arena_array(seal->arena, uint32_t, count);
    uint32_t  total = 0;
    for (uint32_t i = 0; i < count; i++) {
        rank[order[i].index] = i;
        ends[i] = total;
        total += order[i].stream->rows;
    }
    uint32_t *rows = arena_array(seal->arena, uint32_t, total);
    for (uint32_t row = 0; row < generation_room(seal->generation); row++) {
        const Row *at = generation_row(seal->generation, row);
        if (at->kind == ROW_EVENT)
            rows[ends[rank[at->stream]]++] = row;
    }
    return rows;
}

static Err *events_write(Seal *seal)
{
    uint32_t      count;
    const Stream *streams = generation_streams(seal->generation, &count);
    StreamOrder  *order = arena_array(seal->arena, StreamOrder, count);
    uint32_t     *ends = arena_array(seal->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        order[i] = (StreamOrder){ 0, i, &streams[i] };
        names_text(seal->partition->names, NAME_EVENT, streams[i].event, &order[i].project);
    }
    qsort(order, count, sizeof *order, stream_order);
    uint32_t *rows = rows_by_stream(seal, order, count, ends);
    for (uint32_t i = 0; i < count; i++)
        TRY(stream_write(seal, &order[i], rows + ends[i] - order[i].stream->rows));
    return NULL;
}

// ---- changes

typedef struct ChangeOrder {
    char     key[CHANGE_KEY_BYTES];
    uint64_t count;
} ChangeOrder;

static int change_order(const void *a, const void *b)
{
    return memcmp(((const ChangeOrder *)a)->key, ((const ChangeOrder *)b)->key, CHANGE_KEY_BYTES);
}

static Err *changes_write(Seal *seal)
{
    ChangeOrder *order = arena_array(seal->arena, ChangeOrder, seal->changes.count);
    for (size_t i = 0; i < seal->changes.count; i++) {
        change_key_write(&seal->changes.at[i], order[i].key);
        order[i].count = seal->change_counts.at[i];
    }
    qsort(order, seal->changes.count, sizeof *order, change_order);
    for (size_t i = 0; i < seal->changes.count; i++) {
        char   value[VARINT_MAX];
        size_t length = bytes_put_varint(value, order[i].count);
        TRY(store_writer_put(seal->writer, seal->arena, STORE_CHANGES,
                             (Str){ order[i].key, CHANGE_KEY_BYTES }, (Str){ value, length }));
    }
    return NULL;
}

// ---- cells

typedef struct CellOrder {
    uint32_t project, meter, account, cell;
} CellOrder;

static int cell_order(const void *a, const void *b)
{
    const CellOrder *left = a, *right = b;
    if (left->project != right->project)
        return left->project < right->project ? -1 : 1;
    if (left->meter != right->meter)
        return left->meter < right->meter ? -1 : 1;
    return left->account < right->account ? -1 : left->account > right->account;
}

static Err *cell_put(void *context, Str suffix, Str value)
{
    Seal *seal = context;
    return store_writer_put(seal->writer, seal->arena, STORE_CELLS, suffix, value);
}

static Err *cells_of_account(Seal *seal, CellRows *rows, const CellOrder *order, size_t count)
{
    Aggregation aggregation = meter_kept(seal->meters[order->meter]->meter);
    cell_rows_begin(rows, order->project, order->meter, order->account);
    for (size_t i = 0; i < count; i++) {
        const HourCell *cell = generation_cell(seal->generation, order[i].cell);
        cell_rows_add(rows, aggregation, cell->hour, cell->dimensions, &cell->cell);
    }
    return cell_rows_finish(rows, aggregation, cell_put, seal);
}

static Err *cells_write(Seal *seal)
{
    size_t     count = generation_cell_count(seal->generation);
    CellOrder *order = arena_array(seal->arena, CellOrder, count);
    CellRows  *rows = cell_rows_open();
    Err       *err = NULL;
    for (size_t i = 0; i < count; i++) {
        const HourCell *cell = generation_cell(seal->generation, (uint32_t)i);
        uint32_t        project = seal->meters[cell->meter]->project;
        order[i] = (CellOrder){ project, cell->meter, cell->account, (uint32_t)i };
    }
    qsort(order, count, sizeof *order, cell_order);
    for (size_t from = 0, to; from < count && err == NULL; from = to) {
        for (to = from + 1; to < count && cell_order(&order[from], &order[to]) == 0;)
            to++;
        err = cells_of_account(seal, rows, &order[from], to - from);
    }
    cell_rows_close(rows);
    return err;
}

// ---- the seal's own bytes

static void names_write(Seal *seal, const Unsealed *unsealed, SealMeta *meta)
{
    Partition *partition = seal->partition;
    for (int kind = 0; kind < NAME_KINDS; kind++)
        for (uint32_t i = partition->sealed_names[kind]; i < unsealed->name_counts[kind]; i++) {
            RecordName name = { .kind = (NameKind)kind, .number = i };
            name.name = names_text(partition->names, name.kind, i, &name.parent);
            record_write_name(&meta->names, &name);
        }
}

static void meters_write(Seal *seal, SealMeta *meta)
{
    Partition *partition = seal->partition;
    uint64_t   number = generation_number(seal->generation);
    lock_take(&partition->state_lock);
    for (uint32_t i = 0; i < meters_count(partition->meters); i++) {
        const Activation *activation = meters_get(partition->meters, i);
        SealMeter         row = {
                    .sequence = activation->sequence,
                    .meter = { .project = activation->project,
                               .event = activation->event,
                               .number = activation->number,
                               .is_fresh = activation->is_fresh,
                               .definition = activation->definition },
        };
        if (partition_seal_of(partition, activation->sequence) == number)
            seal_meta_add_meter(meta, &row);
        row.sequence = activation->removed;
        row.meter.is_removal = true;
        if (activation->removed != 0 && partition_seal_of(partition, activation->removed) == number)
            seal_meta_add_meter(meta, &row);
    }
    lock_release(&partition->state_lock);
}

static Str meta_of(Seal *seal, const Unsealed *unsealed)
{
    SealMeta meta = seal_meta_open(seal->arena);
    Text     bytes = text_open(seal->arena);
    names_write(seal, unsealed, &meta);
    meters_write(seal, &meta);
    uint64_t first = sequence_of(seal, 0);
    voids_write(seal->partition->voids, first, first + generation_room(seal->generation),
                &meta.voids);
    outcomes_of(seal->partition->outcomes, generation_number(seal->generation), &meta.outcomes);
    seal_meta_write(&meta, &bytes);
    return text_str(&bytes);
}

// Taken once: ingest must not wait for the state lock while cells are gone through.
static void meters_take(Seal *seal)
{
    Partition *partition = seal->partition;
    lock_take(&partition->state_lock);
    uint32_t count = meters_count(partition->meters);
    seal->meters = arena_array(seal->arena, const Activation *, count);
    for (uint32_t i = 0; i < count; i++)
        seal->meters[i] = meters_get(partition->meters, i);
    lock_release(&partition->state_lock);
}

static Err *families_write(Seal *seal)
{
    meters_take(seal);
    TRY(events_write(seal));
    TRY(ids_write(seal));
    TRY(cells_write(seal));
    return changes_write(seal);
}

static Err *seal_write(Partition *partition, Arena *arena, const Unsealed *unsealed)
{
    const Generation *generation = unsealed->generation;
    Seal       seal = { .partition = partition, .generation = generation, .arena = arena };
    StoreRange range = store_range(0, generation_number(generation));
    TRY(store_writer_open(partition->store, arena, range, &seal.writer));
    Err *err = families_write(&seal);
    if (err == NULL)
        err = store_writer_commit(seal.writer, arena, meta_of(&seal, unsealed), NULL, 0);
    else
        store_writer_close(seal.writer);
    vector_release(&seal.days);
    vector_release(&seal.block);
    vector_release(&seal.changes);
    vector_release(&seal.change_counts);
    return err;
}

// Readers and verdicts now find the generation's rows in the store; its ids stay for one more seal,
// for probes that looked before.
static void seal_publish(Partition *partition)
{
    lock_take(&partition->state_lock);
    Unsealed sealed = partition->unsealed.at[0];
    for (size_t i = 1; i < partition->unsealed.count; i++)
        partition->unsealed.at[i - 1] = partition->unsealed.at[i];
    partition->unsealed.count--;
    partition->generations = partition->unsealed.count;
    if (partition->retired != NULL)
        vector_push(&partition->dropped, partition->retired);
    partition->retired = sealed.generation;
    for (int kind = 0; kind < NAME_KINDS; kind++)
        partition->sealed_names[kind] = sealed.name_counts[kind];
    partition_view_refresh(partition);
    partition->epoch++;
    counter_set(METRIC_UNSEALED_GENERATIONS, (int64_t)partition->unsealed.count);
    counter_set(METRIC_SEALED_SEALS, (int64_t)store_view_sealed(partition->view));
    uint64_t sealed_end = store_view_sealed(partition->view) << partition->options.seal_bits;
    signal_all(&partition->state_changed);
    lock_release(&partition->state_lock);
    journal_release(partition->journal, sealed_end);
}

// state_lock held.
static bool seal_is_due(const Partition *partition)
{
    return !partition->latched && partition->unsealed.count > 0 &&
           partition->unsealed.at[0].is_full;
}

static bool seal_next(Partition *partition, Unsealed *unsealed)
{
    lock_take(&partition->state_lock);
    while (!partition->seal_stopping && !seal_is_due(partition))
        signal_wait(&partition->state_changed, &partition->state_lock);
    bool stopping = partition->seal_stopping;
    if (!stopping)
        *unsealed = partition->unsealed.at[0];
    lock_release(&partition->state_lock);
    return !stopping;
}

// Takes an empty generation that nobody owns, or frees it when there is one already. NULL is
// allowed.
static void spare_keep(Partition *partition, Generation *empty)
{
    if (empty == NULL)
        return;
    lock_take(&partition->state_lock);
    bool is_kept = partition->spare == NULL;
    if (is_kept)
        partition->spare = empty;
    lock_release(&partition->state_lock);
    if (is_kept)
        return;
    generation_begin(empty, 0);
    generation_release(empty);
}

// A generation's memory is used again: touching new pages takes milliseconds that requests would
// wait for, and so does giving them back.
static void dropped_recycle(Partition *partition)
{
    Generation *dropped;
    do {
        dropped = NULL;
        lock_take(&partition->state_lock);
        if (partition->dropped.count > 0)
            dropped = partition->dropped.at[--partition->dropped.count];
        lock_release(&partition->state_lock);
        spare_keep(partition, generation_recycle(dropped));
    } while (dropped != NULL);
}

// Where seals happen at all, the next generation is made ready before it is needed.
static void spare_prepare(Partition *partition)
{
    dropped_recycle(partition);
    lock_take(&partition->state_lock);
    size_t            count = partition->unsealed.count;
    const Generation *newest =
        count == 0 ? partition->retired : partition->unsealed.at[count - 1].generation;
    Generation *made = partition->spare != NULL
                           ? NULL
                           : generation_open(0, partition->options.seal_bits, newest);
    lock_release(&partition->state_lock);
    if (made != NULL)
        generation_warm(made);
    spare_keep(partition, made);
}

void *sealer_run(void *context)
{
    Partition *partition = context;
    Unsealed   unsealed;
    while (seal_next(partition, &unsealed)) {
        AUTO(Arena) arena = arena_open();
        Err *err = seal_write(partition, arena, &unsealed);
        if (err != NULL)
            partition_latch(partition, err);
        else
            seal_publish(partition);
        spare_prepare(partition);
    }
    return NULL;
}
