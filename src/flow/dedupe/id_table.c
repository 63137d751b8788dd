// SPDX-License-Identifier: Apache-2.0
// Open addressing at half load. The ids are keyed hashes already, so their low bits are the slot.
// A slot is written id first, then row with release order: a reader that sees the row sees the id.
#include "flow/dedupe/id_table.h"

#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"

typedef struct Slot {
    uint64_t         high, low;
    _Atomic uint32_t row_after;  // row + 1; 0 is free
} Slot;

struct IdTable {
    size_t mask;
    size_t count, room;
    Slot  *slots;
};

IdTable *id_table_open(size_t rows)
{
    size_t slots = 16;
    while (slots < 2 * rows)
        slots *= 2;
    IdTable *table = memory_take(sizeof(IdTable));
    table->slots = memory_map(slots * sizeof(Slot));
    table->mask = slots - 1;
    table->room = rows;
    return table;
}

void id_table_close(IdTable *table)
{
    if (table != NULL)
        memory_unmap(table->slots, (table->mask + 1) * sizeof(Slot));
    memory_release(table);
}

void id_table_clear(IdTable *table)
{
    memset(table->slots, 0, (table->mask + 1) * sizeof(Slot));
    table->count = 0;
}

void id_table_prefetch(const IdTable *table, Hash128 id)
{
    __builtin_prefetch(&table->slots[id.low & table->mask]);
}

uint32_t id_table_find(const IdTable *table, Hash128 id)
{
    for (size_t slot = id.low & table->mask;; slot = (slot + 1) & table->mask) {
        const Slot *at = &table->slots[slot];
        uint32_t    row_after = atomic_load_explicit(&at->row_after, memory_order_acquire);
        if (row_after == 0)
            return ID_TABLE_NONE;
        if (at->high == id.high && at->low == id.low)
            return row_after - 1;
    }
}

static Slot *slot_find(const IdTable *table, Hash128 id)
{
    for (size_t slot = id.low & table->mask;; slot = (slot + 1) & table->mask) {
        Slot *at = &table->slots[slot];
        if (atomic_load_explicit(&at->row_after, memory_order_relaxed) == 0)
            return NULL;
        if (at->high == id.high && at->low == id.low)
            return at;
    }
}

void id_table_add(IdTable *table, Hash128 id, uint32_t row)
{
    assert_that(table->count < table->room);
    size_t slot = id.low & table->mask;
    while (atomic_load_explicit(&table->slots[slot].row_after, memory_order_relaxed) != 0)
        slot = (slot + 1) & table->mask;
    table->slots[slot].high = id.high;
    table->slots[slot].low = id.low;
    atomic_store_explicit(&table->slots[slot].row_after, row + 1, memory_order_release);
    table->count++;
}

void id_table_put(IdTable *table, Hash128 id, uint32_t row)
{
    Slot *slot = slot_find(table, id);
    if (slot == NULL)
        id_table_add(table, id, row);
    else
        atomic_store_explicit(&slot->row_after, row + 1, memory_order_release);
}
