// SPDX-License-Identifier: Apache-2.0
// Reading rows through a view. Rows never change under their key and the view keeps their files, so
// no snapshot is needed: whatever else is in the store is under other keys.
#include <string.h>

#include "base/assert.h"
#include "base/counter.h"
#include "store/usage_store_inside.h"

struct StoreCursor {
    StoreView   *view;
    RocksCursor *rocks;
    Text         bound;    // range prefix and suffix prefix: rows begin with it
    Text         start;
    bool         started;  // the row under the cursor was given already
};

StoreCursor *store_cursor_open(StoreView *view, StoreFamily family, StoreScan scan)
{
    assert_that(family == STORE_EVENTS || family == STORE_CELLS || family == STORE_CHANGES);
    StoreCursor *cursor = memory_take(sizeof(StoreCursor));
    cursor->view = store_view_keep(view);
    cursor->rocks = rocks_cursor_open(view->store->rocks, (int)family,
                                      scan == STORE_SCAN_ONCE ? ROCKS_ONCE : ROCKS_CACHED);
    cursor->bound = text_open_own();
    cursor->start = text_open_own();
    return cursor;
}

void store_cursor_close(StoreCursor *cursor)
{
    if (cursor == NULL)
        return;
    rocks_cursor_close(cursor->rocks);
    store_view_release(cursor->view);
    text_close(&cursor->bound);
    text_close(&cursor->start);
    memory_release(cursor);
}

void store_cursor_seek(StoreCursor *cursor, StoreRange range, Str prefix, Str from)
{
    char level_index[STORE_PREFIX];
    assert_that(store_view_holds(cursor->view, range.level, range.index));
    assert_that(from.at == NULL || str_compare(from, prefix) >= 0);
    store__prefix(range.level, range.index, level_index);
    text_clear(&cursor->bound);
    text_add_bytes(&cursor->bound, level_index, sizeof level_index);
    text_add(&cursor->bound, prefix);
    text_clear(&cursor->start);
    text_add_bytes(&cursor->start, level_index, sizeof level_index);
    text_add(&cursor->start, from.at == NULL ? prefix : from);
    rocks_cursor_seek(cursor->rocks, store__bytes(text_str(&cursor->start)));
    cursor->started = false;
}

bool store_cursor_next(StoreCursor *cursor, Str *suffix, Str *value)
{
    if (cursor->started && rocks_cursor_valid(cursor->rocks))
        rocks_cursor_next(cursor->rocks);
    cursor->started = true;
    if (!rocks_cursor_valid(cursor->rocks))
        return false;
    Str key = store__str(rocks_cursor_key(cursor->rocks));
    if (!str_starts(key, text_str(&cursor->bound)))
        return false;
    *suffix = (Str){ key.at + STORE_PREFIX, key.length - STORE_PREFIX };
    *value = store__str(rocks_cursor_value(cursor->rocks));
    return true;
}

Err *store_cursor_failure(StoreCursor *cursor, Arena *arena)
{
    char reason[ROCKS_REASON];
    return rocks_cursor_failed(cursor->rocks, reason) ? store__failed(arena, "reading rows", reason)
                                                      : NULL;
}

typedef struct Found {
    Arena        *arena;
    const size_t *places;  // of the keys that were asked for; NULL: as they are
    Str          *values;
} Found;

static void found_value(void *to, size_t index, RocksBytes value)
{
    Found *found = to;
    size_t place = found->places == NULL ? index : found->places[index];
    found->values[place] = (Str){ arena_copy(found->arena, value.at, value.length), value.length };
}

Err *usage_store_meta(StoreView *view, Arena *arena, StoreRange range, Str *meta)
{
    char  key[STORE_META_KEY], reason[ROCKS_REASON];
    Str   got = STR_NONE;
    Found found = { .arena = arena, .values = &got };
    assert_that(store_view_holds(view, range.level, range.index));
    store__meta_key(META_RANGE, range.level, range.index, key);
    RocksBytes  asked = { key, sizeof key };
    RocksLookup lookup = { STORE_META, &asked, 1, found_value, &found };
    if (!rocks_find(view->store->rocks, &lookup, reason))
        return store__failed(arena, "reading a range's own bytes", reason);
    if (got.at == NULL)
        return store__failed(arena, "reading a range's own bytes", "the row is missing");
    *meta = got;
    return NULL;
}

// Ids that the filter cannot rule out; all of them while it is not ready.
static size_t candidates(UsageStore *store, Arena *arena, const Hash128 *ids, size_t count,
                         size_t **places)
{
    bool *maybe = arena_take(arena, count);
    if (store->filter_ready)
        id_filter_maybe(store->filter, ids, count, maybe);
    else
        memset(maybe, 1, count);
    size_t found = 0;
    *places = arena_array(arena, size_t, count);
    for (size_t i = 0; i < count; i++)
        if (maybe[i])
            (*places)[found++] = i;
    return found;
}

Err *usage_store_find_ids(UsageStore *store, Arena *arena, const Hash128 *sorted_ids, size_t count,
                          Str *values)
{
    size_t *places;
    char    reason[ROCKS_REASON];
    memset(values, 0, count * sizeof *values);
    size_t asked = candidates(store, arena, sorted_ids, count, &places);
    if (asked == 0)
        return NULL;
    counter_add(METRIC_FILTER_MAYBE, (int64_t)asked);
    RocksBytes    *keys = arena_array(arena, RocksBytes, asked);
    unsigned char *bytes = arena_take(arena, 16 * asked);
    for (size_t i = 0; i < asked; i++) {
        hash_write(sorted_ids[places[i]], bytes + 16 * i);
        keys[i] = (RocksBytes){ (const char *)bytes + 16 * i, 16 };
    }
    Found found = { .arena = arena, .places = places, .values = values };
    RocksLookup lookup = { STORE_IDS, keys, asked, found_value, &found };
    if (!rocks_find(store->rocks, &lookup, reason))
        return store__failed(arena, "looking up ids", reason);
    return NULL;
}
