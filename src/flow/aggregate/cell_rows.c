// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/cell_rows.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/vector.h"

enum { COMPACT_AT = 4096 };

typedef struct Entry {
    int32_t start;
    Str     dimensions;
    Cell    cell;
} Entry;

struct CellRows {
    Arena        *arena;    // of texts since begin
    VECTOR(Entry) entries;
    size_t        compact_at;
    uint32_t      project, meter, account;
    Text          suffix, value;
};

CellRows *cell_rows_open(void)
{
    CellRows *rows = memory_take(sizeof(CellRows));
    rows->arena = arena_open();
    rows->suffix = text_open_own();
    rows->value = text_open_own();
    return rows;
}

void cell_rows_close(CellRows *rows)
{
    if (rows == NULL)
        return;
    vector_release(&rows->entries);
    text_close(&rows->suffix);
    text_close(&rows->value);
    arena_close(rows->arena);
    memory_release(rows);
}

void cell_rows_begin(CellRows *rows, uint32_t project, uint32_t meter, uint32_t account)
{
    arena_reset(rows->arena);
    rows->entries.count = 0;
    rows->compact_at = COMPACT_AT;
    rows->project = project;
    rows->meter = meter;
    rows->account = account;
}

static int entry_order(const void *a, const void *b)
{
    const Entry *left = a, *right = b;
    if (left->start != right->start)
        return left->start < right->start ? -1 : 1;
    return str_compare(left->dimensions, right->dimensions);
}

// Sorts, and makes one of entries with the same key.
static void compact(CellRows *rows, Aggregation aggregation)
{
    size_t kept = 0;
    if (rows->entries.count == 0)
        return;
    qsort(rows->entries.at, rows->entries.count, sizeof(Entry), entry_order);
    for (size_t i = 1; i < rows->entries.count; i++) {
        Entry *into = &rows->entries.at[kept], *entry = &rows->entries.at[i];
        if (entry_order(into, entry) == 0)
            cell_merge(&into->cell, aggregation, &entry->cell);
        else
            rows->entries.at[++kept] = *entry;
    }
    rows->entries.count = kept + 1;
}

void cell_rows_add(CellRows *rows, Aggregation aggregation, int64_t hour, Str dimensions,
                   const Cell *cell)
{
    assert_that(hour >= INT32_MIN && hour <= INT32_MAX);
    Entry entry = { (int32_t)hour, STR_NONE, *cell };
    entry.dimensions = str_copy(rows->arena, dimensions);
    if (aggregation == AGGREGATE_LATEST)
        entry.cell.latest_id = str_copy(rows->arena, cell->latest_id);
    vector_push(&rows->entries, entry);
    if (rows->entries.count >= rows->compact_at) {
        compact(rows, aggregation);
        rows->compact_at = 2 * rows->entries.count + COMPACT_AT;
    }
}

static Err *level_write(CellRows *rows, Aggregation aggregation, CellLevel level, CellRowTake *take,
                        void *context)
{
    for (size_t i = 0; i < rows->entries.count; i++) {
        const Entry *entry = &rows->entries.at[i];
        CellKey key = { rows->project, rows->meter, rows->account, level, entry->start,
                        entry->dimensions };
        cell_key_write(&key, &rows->suffix);
        text_clear(&rows->value);
        cell_write(&entry->cell, aggregation, &rows->value);
        TRY(take(context, text_str(&rows->suffix), text_str(&rows->value)));
    }
    return NULL;
}

static int32_t day_of(int32_t hour)
{
    return hour >= 0 ? hour / 24 : (hour + 1) / 24 - 1;
}

Err *cell_rows_finish(CellRows *rows, Aggregation aggregation, CellRowTake *take, void *context)
{
    compact(rows, aggregation);
    TRY(level_write(rows, aggregation, CELL_HOUR, take, context));
    for (size_t i = 0; i < rows->entries.count; i++)
        rows->entries.at[i].start = day_of(rows->entries.at[i].start);
    compact(rows, aggregation);
    return level_write(rows, aggregation, CELL_DAY, take, context);
}
