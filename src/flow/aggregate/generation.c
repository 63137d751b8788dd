// SPDX-License-Identifier: Apache-2.0
// Rows lie in one mapping and cells in blocks, so neither ever moves; the tables of streams and
// cells are open addressing and double, which only happens under the state lock.
#include "flow/aggregate/generation.h"

#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/vector.h"

enum { BLOCK_BITS = 13, BLOCK = 1 << BLOCK_BITS, FIRST_SLOTS = 64, CELLS_TRIED = 4 };

typedef struct Streams {
    VECTOR(Stream) list;   // by first use
    uint32_t      *slots;  // index in the list + 1; 0 is free
    size_t         slot_count;
} Streams;

typedef struct CellSlots {
    uint32_t *at;  // cell index + 1
    size_t    slots;
} CellSlots;

struct Generation {
    uint64_t    number;
    uint32_t    room;
    atomic_uint owners;
    uint32_t    folded;
    IdTable    *ids;
    Arena      *text;         // the sequencer's: unique ids and properties
    Arena      *dimensions;   // the committer's
    Row        *rows;
    HourCell  **cells;        // blocks
    uint32_t    cell_count;
    size_t      cell_blocks;
    Streams     streams;
    CellSlots   cell_slots;
    Text        scratch;      // dimensions of the event being folded
};

Generation *generation_open(uint64_t number, uint32_t seal_bits, const Generation *before)
{
    assert_that(seal_bits >= 4 && seal_bits <= 24);
    Generation *generation = memory_take(sizeof(Generation));
    generation->number = number;
    generation->room = 1U << seal_bits;
    generation->owners = 1;
    generation->ids = id_table_open(generation->room);
    generation->text = arena_open();
    generation->dimensions = arena_open();
    generation->rows = memory_map(generation->room * sizeof(Row));
    generation->streams.slot_count = before == NULL ? FIRST_SLOTS : before->streams.slot_count;
    generation->streams.slots = memory_take(generation->streams.slot_count * sizeof(uint32_t));
    generation->cell_slots.slots = before == NULL ? FIRST_SLOTS : before->cell_slots.slots;
    generation->cell_slots.at = memory_take(generation->cell_slots.slots * sizeof(uint32_t));
    generation->scratch = text_open_own();
    if (before != NULL)
        vector_reserve(&generation->streams.list, before->streams.list.count);
    return generation;
}

void generation_retain(Generation *generation)
{
    atomic_fetch_add(&generation->owners, 1);
}

static bool is_last_owner(Generation *generation)
{
    return atomic_fetch_sub(&generation->owners, 1) == 1;
}

void generation_release(Generation *generation)
{
    if (generation == NULL || !is_last_owner(generation))
        return;
    id_table_close(generation->ids);
    arena_close(generation->text);
    arena_close(generation->dimensions);
    for (size_t i = 0; i < generation->cell_blocks; i++)
        memory_unmap(generation->cells[i], BLOCK * sizeof(HourCell));
    memory_unmap(generation->rows, generation->room * sizeof(Row));
    memory_release(generation->cells);
    memory_release(generation->streams.slots);
    vector_release(&generation->streams.list);
    memory_release(generation->cell_slots.at);
    text_close(&generation->scratch);
    memory_release(generation);
}

// Rows and cells are written whole when they are used again, so only what is looked up is cleared.
Generation *generation_recycle(Generation *generation)
{
    if (generation == NULL || !is_last_owner(generation))
        return NULL;
    id_table_clear(generation->ids);
    arena_reset(generation->text);
    arena_reset(generation->dimensions);
    generation->folded = generation->cell_count = 0;
    generation->streams.list.count = 0;
    memset(generation->streams.slots, 0, generation->streams.slot_count * sizeof(uint32_t));
    memset(generation->cell_slots.at, 0, generation->cell_slots.slots * sizeof(uint32_t));
    return generation;
}

void generation_warm(Generation *generation)
{
    id_table_clear(generation->ids);
    memset(generation->rows, 0, generation->room * sizeof(Row));
}

void generation_begin(Generation *generation, uint64_t number)
{
    generation->number = number;
    atomic_store(&generation->owners, 1);
}

uint64_t generation_number(const Generation *generation)
{
    return generation->number;
}

uint32_t generation_room(const Generation *generation)
{
    return generation->room;
}

uint32_t generation_folded(const Generation *generation)
{
    return generation->folded;
}

static Row *row_at(const Generation *generation, uint32_t index)
{
    return &generation->rows[index];
}

const Row *generation_row(const Generation *generation, uint32_t index)
{
    assert_slow(index < generation->room);
    return row_at(generation, index);
}

static HourCell *cell_at(const Generation *generation, uint32_t index)
{
    return &generation->cells[index >> BLOCK_BITS][index & (BLOCK - 1)];
}

const HourCell *generation_cell(const Generation *generation, uint32_t index)
{
    assert_slow(index < generation->cell_count);
    return cell_at(generation, index);
}

uint32_t generation_cell_count(const Generation *generation)
{
    return generation->cell_count;
}

void generation_prefetch(const Generation *generation, Hash128 id)
{
    id_table_prefetch(generation->ids, id);
}

uint32_t generation_find(const Generation *generation, Hash128 id)
{
    return id_table_find(generation->ids, id);
}

void generation_identity(const Generation *generation, uint32_t index, Identity *identity)
{
    const Row *row = row_at(generation, index);
    *identity = (Identity){
        .sequence = generation->number * generation->room + index,
        .fingerprint = row->fingerprint,
        .ts = row->ts,
        .ts_given = row->ts_given,
        .event = row->event,
        .account = row->account,
    };
}

static Row *row_new(Generation *generation, uint32_t index)
{
    assert_that(index < generation->room);
    return row_at(generation, index);
}

void generation_put_other(Generation *generation, uint32_t index, RowKind kind)
{
    row_new(generation, index)->kind = (uint8_t)kind;
}

static void event_put(Generation *generation, uint32_t index, const Event *event,
                      const Row *numbers)
{
    Row *row = row_new(generation, index);
    *row = (Row){
        .kind = ROW_EVENT,
        .ts_given = event->ts_given,
        .unique_id_length = (uint8_t)event->unique_id.length,
        .properties_length = (uint32_t)event->properties.length,
        .event = numbers->event,
        .account = numbers->account,
        .previous = ROW_END,
        .id = event->id,
        .fingerprint = event->fingerprint,
        .value = event->value,
        .ts = event->ts,
        .received = numbers->received,
    };
    size_t bytes = event->unique_id.length + event->properties.length;
    char  *text = arena_take(generation->text, bytes);
    memcpy(text, event->unique_id.at, event->unique_id.length);
    if (event->properties.length > 0)
        memcpy(text + event->unique_id.length, event->properties.at, event->properties.length);
    row->text = text;
}

void generation_put_event(Generation *generation, uint32_t index, const Event *event,
                          const Row *numbers)
{
    event_put(generation, index, event, numbers);
    id_table_add(generation->ids, event->id, index);
}

void generation_put_amended(Generation *generation, uint32_t index, const Event *event,
                            const Row *numbers)
{
    event_put(generation, index, event, numbers);
    id_table_put(generation->ids, event->id, index);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 32);
}

static uint32_t *stream_slot(const Streams *streams, uint32_t event, uint32_t account)
{
    size_t slot = mix(event, account) & (streams->slot_count - 1);
    for (; streams->slots[slot] != 0; slot = (slot + 1) & (streams->slot_count - 1)) {
        const Stream *stream = &streams->list.at[streams->slots[slot] - 1];
        if (stream->account == account && stream->event == event)
            break;
    }
    return &streams->slots[slot];
}

const Stream *generation_stream(const Generation *generation, uint32_t event, uint32_t account)
{
    uint32_t index_after = *stream_slot(&generation->streams, event, account);
    return index_after == 0 ? NULL : &generation->streams.list.at[index_after - 1];
}

const Stream *generation_streams(const Generation *generation, uint32_t *count)
{
    *count = (uint32_t)generation->streams.list.count;
    return generation->streams.list.at;
}

static void streams_double(Streams *streams)
{
    memory_release(streams->slots);
    streams->slot_count *= 2;
    streams->slots = memory_take(streams->slot_count * sizeof(uint32_t));
    for (size_t i = 0; i < streams->list.count; i++) {
        const Stream *stream = &streams->list.at[i];
        *stream_slot(streams, stream->event, stream->account) = (uint32_t)i + 1;
    }
}

static uint32_t stream_of(Streams *streams, uint32_t event, uint32_t account)
{
    if (2 * (streams->list.count + 1) > streams->slot_count)
        streams_double(streams);
    uint32_t *slot = stream_slot(streams, event, account);
    if (*slot == 0) {
        Stream added = { event, account, ROW_END, ROW_END, 0 };
        vector_push(&streams->list, added);
        *slot = (uint32_t)streams->list.count;
    }
    return *slot - 1;
}

static bool cell_matches(const HourCell *cell, const HourCell *wanted)
{
    return cell->hash == wanted->hash && cell->meter == wanted->meter &&
           cell->account == wanted->account && cell->hour == wanted->hour &&
           str_equal(cell->dimensions, wanted->dimensions);
}

static uint32_t *cell_slot(const Generation *generation, const HourCell *wanted)
{
    const CellSlots *slots = &generation->cell_slots;
    size_t           slot = wanted->hash & (slots->slots - 1);
    while (slots->at[slot] != 0 && !cell_matches(cell_at(generation, slots->at[slot] - 1), wanted))
        slot = (slot + 1) & (slots->slots - 1);
    return &slots->at[slot];
}

static void cell_slots_double(Generation *generation)
{
    CellSlots *slots = &generation->cell_slots;
    memory_release(slots->at);
    slots->slots *= 2;
    slots->at = memory_take(slots->slots * sizeof *slots->at);
    for (uint32_t i = 0; i < generation->cell_count; i++) {
        size_t slot = cell_at(generation, i)->hash & (slots->slots - 1);
        while (slots->at[slot] != 0)
            slot = (slot + 1) & (slots->slots - 1);
        slots->at[slot] = i + 1;
    }
}

static HourCell *cell_new(Generation *generation, Stream *stream, const HourCell *wanted)
{
    uint32_t index = generation->cell_count++;
    size_t   block = index >> BLOCK_BITS;
    if (block == generation->cell_blocks) {
        generation->cell_blocks++;
        generation->cells =
            memory_resize(generation->cells, generation->cell_blocks * sizeof(HourCell *));
        generation->cells[block] = memory_map(BLOCK * sizeof(HourCell));
    }
    HourCell *cell = cell_at(generation, index);
    *cell = *wanted;
    cell->dimensions = str_copy(generation->dimensions, wanted->dimensions);
    cell->next = stream->newest_cell;
    stream->newest_cell = index;
    return cell;
}

// Most events meet the cell that their stream used last, so a few of those are tried first.
static HourCell *cell_of(Generation *generation, Stream *stream, const HourCell *wanted)
{
    uint32_t index = stream->newest_cell;
    for (int tried = 0; tried < CELLS_TRIED && index != ROW_END; tried++) {
        HourCell *cell = cell_at(generation, index);
        if (cell_matches(cell, wanted))
            return cell;
        index = cell->next;
    }
    if (2 * ((size_t)generation->cell_count + 1) > generation->cell_slots.slots)
        cell_slots_double(generation);
    uint32_t *slot = cell_slot(generation, wanted);
    if (*slot != 0)
        return cell_at(generation, *slot - 1);
    *slot = generation->cell_count + 1;
    return cell_new(generation, stream, wanted);
}

static void fold_meter(Generation *generation, Stream *stream, const Activation *activation,
                       const Event *event, Measure *measure)
{
    HourCell wanted = {
        .meter = activation->number,
        .account = stream->account,
        .hour = instant_utc_hour(event->ts),
    };
    text_clear(&generation->scratch);
    cell_dimensions(activation->meter, event->properties, &generation->scratch);
    wanted.dimensions = text_str(&generation->scratch);
    wanted.hash = mix(mix(wanted.meter, wanted.account), (uint64_t)wanted.hour);
    if (wanted.dimensions.length > 0)
        wanted.hash = mix(wanted.hash, hash_fast(wanted.dimensions));
    HourCell *cell = cell_of(generation, stream, &wanted);
    cell_add(&cell->cell, meter_kept(activation->meter), measure);
}

static void cell_prefetch(const Generation *generation, uint32_t index)
{
    enum { LINE = 64 };
    const char *cell = (const char *)cell_at(generation, index);
    for (size_t offset = 0; offset < sizeof(HourCell); offset += LINE)
        __builtin_prefetch(cell + offset);
}

void generation_prefetch_fold(const Generation *generation, uint32_t index, PrefetchStep step)
{
    const Row      *row = row_at(generation, index);
    const Streams  *streams = &generation->streams;
    size_t          slot = mix(row->event, row->account) & (streams->slot_count - 1);
    const uint32_t *at = &streams->slots[slot];
    if (step == PREFETCH_SLOT)
        __builtin_prefetch(at);
    else if (*at != 0 && step == PREFETCH_STREAM)
        __builtin_prefetch(&streams->list.at[*at - 1]);
    else if (*at != 0 && streams->list.at[*at - 1].newest_cell != ROW_END)
        cell_prefetch(generation, streams->list.at[*at - 1].newest_cell);
}

void generation_fold(Generation *generation, uint32_t index, const Digest *digest,
                     ActivationList meters)
{
    assert_that(index == generation->folded);
    generation->folded++;
    Row *row = row_at(generation, index);
    if (row->kind != ROW_EVENT)
        return;
    row->stream = stream_of(&generation->streams, row->event, row->account);
    Stream *stream = &generation->streams.list.at[row->stream];
    row->previous = stream->newest_row;
    stream->newest_row = index;
    stream->rows++;
    Event event = {
        .unique_id = row_unique_id(row),
        .value = row->value,
        .ts = row->ts,
        .properties = row_properties(row),
        .digest = *digest,
    };
    uint64_t sequence = generation->number * generation->room + index;
    for (size_t i = 0; i < meters.count; i++) {
        Measure measure;
        if (!activation_counts(meters.at[i], sequence) ||
            !measure_of(meters.at[i]->meter, &event, &measure))
            continue;
        measure.sequence = sequence;
        fold_meter(generation, stream, meters.at[i], &event, &measure);
    }
}
