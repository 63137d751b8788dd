// SPDX-License-Identifier: Apache-2.0
// Retractions lie in the order in which they came, so those of a seal are a run of them. Two ways
// in: by the event's sequence (open addressing; an event may have several), and by stream and UTC
// hour, each hour holding a chain.
#include "flow/aggregate/voids.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/thread.h"

#define CHAIN_END UINT32_MAX
#define OF_AMEND  UINT32_MAX

typedef struct Retraction {
    VoidTarget target;
    uint64_t   from;    // sequence from which the event does not count
    uint32_t   number;  // of the void; OF_AMEND: replaced by the event `from`
    uint32_t   older;   // of the same stream and hour; CHAIN_END: none
} Retraction;

typedef struct HourChain {
    int64_t  hour;
    uint32_t newest;
} HourChain;

typedef struct VoidStream {
    uint32_t          event, account;
    VECTOR(HourChain) hours;  // ascending
} VoidStream;

typedef struct HeadRow {
    VoidHead head;
    uint32_t first;  // its first retraction
} HeadRow;

struct Voids {
    Lock               lock;
    Arena             *arena;    // texts of heads
    VECTOR(Retraction) rows;     // ascending by from
    uint32_t          *slots;    // by target: row + 1; 0 is free
    size_t             slot_count;
    VECTOR(VoidStream) streams;
    Map               *stream_of;  // event and account -> index
    VECTOR(HeadRow)    heads;
    Map               *ids, *keys;  // -> number
    atomic_size_t      count;    // of rows
};

enum { FIRST_SLOTS = 64 };

Voids *voids_open(void)
{
    Voids *voids = memory_take(sizeof(Voids));
    lock_open(&voids->lock);
    voids->arena = arena_open();
    voids->slot_count = FIRST_SLOTS;
    voids->slots = memory_take(FIRST_SLOTS * sizeof *voids->slots);
    voids->stream_of = map_open();
    voids->ids = map_open();
    voids->keys = map_open();
    return voids;
}

void voids_close(Voids *voids)
{
    if (voids == NULL)
        return;
    for (size_t i = 0; i < voids->streams.count; i++)
        vector_release(&voids->streams.at[i].hours);
    vector_release(&voids->streams);
    vector_release(&voids->rows);
    vector_release(&voids->heads);
    memory_release(voids->slots);
    map_close(voids->stream_of);
    map_close(voids->ids);
    map_close(voids->keys);
    lock_close(&voids->lock);
    arena_close(voids->arena);
    memory_release(voids);
}

bool voids_are_none(const Voids *voids)
{
    return atomic_load_explicit(&voids->count, memory_order_acquire) == 0;
}

// ---- by target

static size_t slot_first(const Voids *voids, uint64_t sequence)
{
    uint64_t hash = sequence * UINT64_C(0x9e3779b97f4a7c15);
    return (hash ^ (hash >> 32)) & (voids->slot_count - 1);
}

static size_t slot_next(const Voids *voids, size_t slot)
{
    return (slot + 1) & (voids->slot_count - 1);
}

static void slot_put(Voids *voids, uint32_t row)
{
    size_t slot = slot_first(voids, voids->rows.at[row].target.sequence);
    while (voids->slots[slot] != 0)
        slot = slot_next(voids, slot);
    voids->slots[slot] = row + 1;
}

static void slots_fit(Voids *voids, size_t rows)
{
    if (2 * rows <= voids->slot_count)
        return;
    while (2 * rows > voids->slot_count)
        voids->slot_count *= 2;
    memory_release(voids->slots);
    voids->slots = memory_take(voids->slot_count * sizeof *voids->slots);
    for (uint32_t row = 0; row < voids->rows.count; row++)
        slot_put(voids, row);
}

// The next retraction of the event, in no order. Begin with *slot at slot_first.
static const Retraction *retraction_next(const Voids *voids, uint64_t sequence, size_t *slot)
{
    for (; voids->slots[*slot] != 0; *slot = slot_next(voids, *slot)) {
        const Retraction *row = &voids->rows.at[voids->slots[*slot] - 1];
        if (row->target.sequence == sequence) {
            *slot = slot_next(voids, *slot);
            return row;
        }
    }
    return NULL;
}

static bool holds(const Voids *voids, const Retraction *row, uint64_t as_of)
{
    if (row->from > as_of)
        return false;
    if (row->number == OF_AMEND)
        return true;
    uint64_t reverted = voids->heads.at[row->number].head.reverted;
    return reverted == 0 || reverted > as_of;
}

static VoidState state_of(const Voids *voids, uint64_t sequence, uint64_t as_of)
{
    VoidState         state = EVENT_COUNTS;
    size_t            slot = slot_first(voids, sequence);
    const Retraction *row;
    while ((row = retraction_next(voids, sequence, &slot)) != NULL) {
        if (!holds(voids, row, as_of))
            continue;
        if (row->number == OF_AMEND)
            return EVENT_IS_REPLACED;
        state = EVENT_IS_VOID;
    }
    return state;
}

VoidState voids_state(Voids *voids, uint64_t sequence, uint64_t as_of)
{
    if (voids_are_none(voids))
        return EVENT_COUNTS;
    lock_take(&voids->lock);
    VoidState state = state_of(voids, sequence, as_of);
    lock_release(&voids->lock);
    return state;
}

// The first row with from >= sequence.
static size_t row_from(const Voids *voids, uint64_t sequence)
{
    size_t low = 0, high = voids->rows.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (voids->rows.at[middle].from < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool voids_replaced(Voids *voids, uint64_t sequence, VoidTarget *target)
{
    if (voids_are_none(voids))
        return false;
    lock_take(&voids->lock);
    size_t row = row_from(voids, sequence);
    bool   found = row < voids->rows.count && voids->rows.at[row].from == sequence &&
                 voids->rows.at[row].number == OF_AMEND;
    if (found)
        *target = voids->rows.at[row].target;
    lock_release(&voids->lock);
    return found;
}

uint64_t voids_newest(Voids *voids, uint64_t sequence, uint64_t end)
{
    bool is_replaced = !voids_are_none(voids);
    lock_take(&voids->lock);
    while (is_replaced) {
        size_t            slot = slot_first(voids, sequence);
        const Retraction *row;
        is_replaced = false;
        while (!is_replaced && (row = retraction_next(voids, sequence, &slot)) != NULL)
            is_replaced = row->number == OF_AMEND && row->from < end;
        if (is_replaced)
            sequence = row->from;
    }
    lock_release(&voids->lock);
    return sequence;
}

// ---- by stream and hour

static VoidStream *stream_of(Voids *voids, uint32_t event, uint32_t account)
{
    char     bytes[8];
    Str      key = { bytes, sizeof bytes };
    uint64_t index;
    bytes_put_u32_be(bytes, event);
    bytes_put_u32_be(bytes + 4, account);
    if (!map_find(voids->stream_of, key, &index)) {
        VoidStream added = { .event = event, .account = account };
        index = voids->streams.count;
        map_set(voids->stream_of, key, index);
        vector_push(&voids->streams, added);
    }
    return &voids->streams.at[index];
}

static const VoidStream *stream_find(const Voids *voids, uint32_t event, uint32_t account)
{
    char     bytes[8];
    uint64_t index;
    bytes_put_u32_be(bytes, event);
    bytes_put_u32_be(bytes + 4, account);
    return map_find(voids->stream_of, (Str){ bytes, sizeof bytes }, &index)
               ? &voids->streams.at[index]
               : NULL;
}

// The first of the stream's hours that is not below this one.
static size_t hour_from(const VoidStream *stream, int64_t hour)
{
    size_t low = 0, high = stream->hours.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream->hours.at[middle].hour < hour)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static HourChain *chain_of(VoidStream *stream, int64_t hour)
{
    size_t at = hour_from(stream, hour);
    if (at < stream->hours.count && stream->hours.at[at].hour == hour)
        return &stream->hours.at[at];
    HourChain added = { hour, CHAIN_END };
    vector_push(&stream->hours, added);
    for (size_t i = stream->hours.count - 1; i > at; i--)
        stream->hours.at[i] = stream->hours.at[i - 1];
    stream->hours.at[at] = added;
    return &stream->hours.at[at];
}

// ---- applying

static void retraction_add(Voids *voids, const VoidTarget *target, uint64_t from, uint32_t number)
{
    VoidStream *stream = stream_of(voids, target->event, target->account);
    HourChain  *chain = chain_of(stream, instant_utc_hour(target->ts));
    uint32_t    row = (uint32_t)voids->rows.count;
    Retraction  added = { *target, from, number, chain->newest };
    slots_fit(voids, voids->rows.count + 1);
    vector_push(&voids->rows, added);
    slot_put(voids, row);
    chain->newest = row;
}

static Str key_bytes(Hash128 key, unsigned char bytes[16])
{
    hash_write(key, bytes);
    return (Str){ (const char *)bytes, 16 };
}

static bool void_apply(Voids *voids, const VoidFact *fact)
{
    unsigned char key[16];
    if (fact->number != voids->heads.count || fact->id.length == 0)
        return false;
    HeadRow row = {
        .head = { .number = fact->number, .project = fact->project, .sequence = fact->sequence,
                  .upto = fact->upto, .at = fact->at, .key = fact->key, .count = fact->count,
                  .id = str_copy(voids->arena, fact->id),
                  .reason = str_copy(voids->arena, fact->reason) },
        .first = (uint32_t)voids->rows.count,
    };
    vector_push(&voids->heads, row);
    map_set(voids->ids, fact->id, fact->number);
    if ((fact->key.high | fact->key.low) != 0)
        map_set(voids->keys, key_bytes(fact->key, key), fact->number);
    for (size_t i = 0; i < fact->count; i++)
        retraction_add(voids, &fact->targets[i], fact->sequence, fact->number);
    return true;
}

static bool revert_apply(Voids *voids, const VoidFact *fact)
{
    if (fact->number >= voids->heads.count)
        return false;
    VoidHead *head = &voids->heads.at[fact->number].head;
    if (head->reverted != 0 || fact->sequence <= head->sequence)
        return false;
    head->reverted = fact->sequence;
    head->reverted_at = fact->at;
    return true;
}

bool voids_apply(Voids *voids, const VoidFact *fact)
{
    bool fits = false;
    lock_take(&voids->lock);
    size_t   count = voids->rows.count;
    uint64_t last = count == 0 ? 0 : voids->rows.at[count - 1].from;
    switch (fact->kind) {
    case FACT_VOID: fits = fact->sequence > last && void_apply(voids, fact); break;
    case FACT_REVERT: fits = revert_apply(voids, fact); break;
    case FACT_AMEND:
        fits = fact->sequence > last && fact->count == 1;
        if (fits)
            retraction_add(voids, fact->targets, fact->sequence, OF_AMEND);
        break;
    }
    atomic_store_explicit(&voids->count, voids->rows.count, memory_order_release);
    lock_release(&voids->lock);
    return fits;
}

// ---- for reads

static void chain_collect(const Voids *voids, const VoidQuestion *question, const HourChain *chain,
                          Voided *voided)
{
    bool found = false;
    for (uint32_t at = chain->newest; at != CHAIN_END; at = voids->rows.at[at].older) {
        const Retraction *row = &voids->rows.at[at];
        if (!holds(voids, row, question->sequence))
            continue;
        vector_push(&voided->targets, row->target.sequence);
        found = true;
    }
    if (found)
        vector_push(&voided->hours, chain->hour);
}

static void stream_collect(const Voids *voids, const VoidQuestion *question,
                           const VoidStream *stream, Voided *voided)
{
    int64_t first = instant_utc_hour(question->from);
    for (size_t i = hour_from(stream, first); i < stream->hours.count; i++) {
        const HourChain *chain = &stream->hours.at[i];
        if (chain->hour * 3600 * INSTANT_SECOND_US >= question->to.us)
            return;
        chain_collect(voids, question, chain, voided);
    }
}

void voids_collect(Voids *voids, const VoidQuestion *question, Voided *voided)
{
    if (voids_are_none(voids))
        return;
    lock_take(&voids->lock);
    if (question->account != UINT32_MAX) {
        const VoidStream *stream = stream_find(voids, question->event, question->account);
        if (stream != NULL)
            stream_collect(voids, question, stream, voided);
    } else {
        for (size_t i = 0; i < voids->streams.count; i++)
            if (voids->streams.at[i].event == question->event)
                stream_collect(voids, question, &voids->streams.at[i], voided);
    }
    lock_release(&voids->lock);
}

static bool is_behind(const VoidQuestion *question, uint64_t sequence, uint64_t until)
{
    return sequence > question->sequence && sequence <= until;
}

static void chain_moved(const Voids *voids, const VoidQuestion *question, const HourChain *chain,
                        uint64_t until, VoidMoves *moves)
{
    for (uint32_t at = chain->newest; at != CHAIN_END; at = voids->rows.at[at].older) {
        const Retraction *row = &voids->rows.at[at];
        uint64_t reverted =
            row->number == OF_AMEND ? 0 : voids->heads.at[row->number].head.reverted;
        VoidMove taken = { row->target, row->from, false };
        VoidMove returned = { row->target, reverted, true };
        if (row->target.ts.us < question->from.us || row->target.ts.us >= question->to.us)
            continue;
        if (is_behind(question, row->from, until))
            vector_push(moves, taken);
        if (is_behind(question, reverted, until))
            vector_push(moves, returned);
    }
}

void voids_moved(Voids *voids, const VoidQuestion *question, uint64_t until, VoidMoves *moves)
{
    if (voids_are_none(voids))
        return;
    lock_take(&voids->lock);
    const VoidStream *stream = stream_find(voids, question->event, question->account);
    size_t first = stream == NULL ? 0 : hour_from(stream, instant_utc_hour(question->from));
    for (size_t i = first; stream != NULL && i < stream->hours.count &&
                           stream->hours.at[i].hour * 3600 * INSTANT_SECOND_US < question->to.us;
         i++)
        chain_moved(voids, question, &stream->hours.at[i], until, moves);
    lock_release(&voids->lock);
}

static int hour_order(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static int sequence_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

void voided_order(Voided *voided)
{
    size_t kept = 0;
    if (voided->hours.count == 0)
        return;
    qsort(voided->hours.at, voided->hours.count, sizeof(int64_t), hour_order);
    qsort(voided->targets.at, voided->targets.count, sizeof(uint64_t), sequence_order);
    for (size_t i = 0; i < voided->hours.count; i++)
        if (i == 0 || voided->hours.at[i] != voided->hours.at[i - 1])
            voided->hours.at[kept++] = voided->hours.at[i];
    voided->hours.count = kept;
}

bool voided_holds(const Voided *voided, uint64_t sequence)
{
    return voided->targets.count > 0 &&
           bsearch(&sequence, voided->targets.at, voided->targets.count, sizeof(uint64_t),
                   sequence_order) != NULL;
}

void voided_release(Voided *voided)
{
    vector_release(&voided->hours);
    vector_release(&voided->targets);
}

// ---- the voids themselves

uint32_t voids_count(Voids *voids)
{
    lock_take(&voids->lock);
    uint32_t count = (uint32_t)voids->heads.count;
    lock_release(&voids->lock);
    return count;
}

bool voids_get(Voids *voids, uint32_t number, VoidHead *head)
{
    lock_take(&voids->lock);
    bool found = number < voids->heads.count;
    if (found)
        *head = voids->heads.at[number].head;
    lock_release(&voids->lock);
    return found;
}

bool voids_find(Voids *voids, uint32_t project, Str id, VoidHead *head)
{
    uint64_t number;
    lock_take(&voids->lock);
    bool found = map_find(voids->ids, id, &number) &&
                 voids->heads.at[number].head.project == project;
    if (found)
        *head = voids->heads.at[number].head;
    lock_release(&voids->lock);
    return found;
}

bool voids_find_key(Voids *voids, Hash128 key, VoidHead *head)
{
    unsigned char bytes[16];
    uint64_t      number;
    lock_take(&voids->lock);
    bool found = (key.high | key.low) != 0 &&
                 map_find(voids->keys, key_bytes(key, bytes), &number);
    if (found)
        *head = voids->heads.at[number].head;
    lock_release(&voids->lock);
    return found;
}

size_t voids_targets(Voids *voids, uint32_t number, Arena *arena, VoidTarget **targets)
{
    lock_take(&voids->lock);
    const HeadRow *row = &voids->heads.at[number];
    *targets = arena_array(arena, VoidTarget, row->head.count);
    for (size_t i = 0; i < row->head.count; i++)
        (*targets)[i] = voids->rows.at[row->first + i].target;
    lock_release(&voids->lock);
    return row->head.count;
}

// ---- for seals and recounts

// The fact that a row begins; answers how many rows it has.
static size_t row_fact(const Voids *voids, size_t at, VoidFact *fact)
{
    const Retraction *row = &voids->rows.at[at];
    *fact = (VoidFact){ .kind = FACT_AMEND, .sequence = row->from, .count = 1 };
    if (row->number == OF_AMEND)
        return 1;
    const VoidHead *head = &voids->heads.at[row->number].head;
    *fact = (VoidFact){ .kind = FACT_VOID, .sequence = head->sequence, .number = head->number,
                        .project = head->project, .upto = head->upto, .at = head->at,
                        .id = head->id, .reason = head->reason, .key = head->key,
                        .count = head->count };
    return head->count;
}

static void rows_write(const Voids *voids, uint64_t first, uint64_t end, Text *facts)
{
    AUTO(Arena) arena = arena_open();
    for (size_t at = row_from(voids, first);
         at < voids->rows.count && voids->rows.at[at].from < end;) {
        VoidFact    fact;
        size_t      count = row_fact(voids, at, &fact);
        VoidTarget *targets = arena_array(arena, VoidTarget, count);
        for (size_t i = 0; i < count; i++)
            targets[i] = voids->rows.at[at + i].target;
        fact.targets = targets;
        void_fact_write(&fact, facts);
        arena_reset(arena);
        at += count;
    }
}

void voids_write(Voids *voids, uint64_t first, uint64_t end, Text *facts)
{
    lock_take(&voids->lock);
    rows_write(voids, first, end, facts);
    for (size_t i = 0; i < voids->heads.count; i++) {
        const VoidHead *head = &voids->heads.at[i].head;
        VoidFact        fact = { .kind = FACT_REVERT, .sequence = head->reverted,
                                 .number = head->number, .at = head->reverted_at };
        if (head->reverted != 0 && head->reverted >= first && head->reverted < end)
            void_fact_write(&fact, facts);
    }
    lock_release(&voids->lock);
}

size_t voids_sequences(Voids *voids, uint64_t first, uint64_t end)
{
    size_t count = 0;
    lock_take(&voids->lock);
    for (size_t i = 0; i < voids->heads.count; i++) {
        const VoidHead *head = &voids->heads.at[i].head;
        count += head->sequence >= first && head->sequence < end;
        count += head->reverted != 0 && head->reverted >= first && head->reverted < end;
    }
    lock_release(&voids->lock);
    return count;
}

size_t voids_of_event(Voids *voids, uint64_t sequence, VoidTarget *target)
{
    size_t            count = 0;
    const Retraction *row;
    if (voids_are_none(voids))
        return 0;
    lock_take(&voids->lock);
    size_t slot = slot_first(voids, sequence);
    while ((row = retraction_next(voids, sequence, &slot)) != NULL) {
        *target = row->target;
        count++;
    }
    lock_release(&voids->lock);
    return count;
}

size_t voids_of_events(Voids *voids, uint64_t first, uint64_t end)
{
    size_t count = 0;
    lock_take(&voids->lock);
    for (size_t i = 0; i < voids->rows.count; i++)
        count += voids->rows.at[i].target.sequence >= first &&
                 voids->rows.at[i].target.sequence < end;
    lock_release(&voids->lock);
    return count;
}
