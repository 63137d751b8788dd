// SPDX-License-Identifier: Apache-2.0
// Open addressing over an array of entries kept in order of arrival. A slot holds entry index + 1
// and the upper half of the hash, so that a look-up meets the entry only when it is the one.
#include "base/map.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/vector.h"

typedef struct Entry {
    Str      key;
    uint64_t hash;
    uint64_t value;
} Entry;

typedef struct Slot {
    uint32_t index_after;
    uint32_t tag;
} Slot;

struct Map {
    Arena        *keys;
    VECTOR(Entry) entries;
    Slot         *slots;
    size_t        slot_count;  // a power of two, at least twice the entries
};

Map *map_open(void)
{
    Map *map = memory_take(sizeof(Map));
    map->keys = arena_open();
    map->slot_count = 16;
    map->slots = memory_take(map->slot_count * sizeof *map->slots);
    return map;
}

void map_close(Map *map)
{
    if (map == NULL)
        return;
    arena_close(map->keys);
    vector_release(&map->entries);
    memory_release(map->slots);
    memory_release(map);
}

size_t map_count(const Map *map)
{
    return map->entries.count;
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

// The slot that holds the key, or the free one where it belongs.
static Slot *slot_of(const Map *map, Str key, uint64_t hash)
{
    size_t slot = hash & (map->slot_count - 1);
    for (; map->slots[slot].index_after != 0; slot = (slot + 1) & (map->slot_count - 1)) {
        const Slot *at = &map->slots[slot];
        if (at->tag == tag_of(hash) && str_equal(map->entries.at[at->index_after - 1].key, key))
            break;
    }
    return &map->slots[slot];
}

bool map_find(const Map *map, Str key, uint64_t *value)
{
    const Slot *slot = slot_of(map, key, hash_fast(key));
    if (slot->index_after == 0)
        return false;
    *value = map->entries.at[slot->index_after - 1].value;
    return true;
}

enum { FIND_BLOCK = 32 };

// Slots first, then entries, then keys: by the time one is compared, all it needs is near.
static void block_find(const Map *map, const Str *keys, size_t count, uint64_t *values)
{
    uint64_t hashes[FIND_BLOCK];
    for (size_t i = 0; i < count; i++) {
        hashes[i] = hash_fast(keys[i]);
        __builtin_prefetch(&map->slots[hashes[i] & (map->slot_count - 1)]);
    }
    for (size_t i = 0; i < count; i++) {
        const Slot *slot = &map->slots[hashes[i] & (map->slot_count - 1)];
        if (slot->index_after != 0)
            __builtin_prefetch(&map->entries.at[slot->index_after - 1]);
    }
    for (size_t i = 0; i < count; i++) {
        const Slot *slot = &map->slots[hashes[i] & (map->slot_count - 1)];
        if (slot->index_after != 0)
            __builtin_prefetch(map->entries.at[slot->index_after - 1].key.at);
    }
    for (size_t i = 0; i < count; i++) {
        const Slot *slot = slot_of(map, keys[i], hashes[i]);
        values[i] = slot->index_after == 0 ? MAP_NONE
                                           : map->entries.at[slot->index_after - 1].value;
    }
}

void map_find_many(const Map *map, const Str *keys, size_t count, uint64_t *values)
{
    for (size_t i = 0; i < count; i += FIND_BLOCK)
        block_find(map, keys + i, count - i < FIND_BLOCK ? count - i : FIND_BLOCK, values + i);
}

static void slots_double(Map *map)
{
    memory_release(map->slots);
    map->slot_count *= 2;
    map->slots = memory_take(map->slot_count * sizeof *map->slots);
    for (size_t i = 0; i < map->entries.count; i++) {
        const Entry *entry = &map->entries.at[i];
        *slot_of(map, entry->key, entry->hash) = (Slot){ (uint32_t)(i + 1), tag_of(entry->hash) };
    }
}

void map_set(Map *map, Str key, uint64_t value)
{
    uint64_t hash = hash_fast(key);
    Slot    *slot = slot_of(map, key, hash);
    if (slot->index_after != 0) {
        map->entries.at[slot->index_after - 1].value = value;
        return;
    }
    assert_that(map->entries.count < UINT32_MAX - 1);
    vector_push(&map->entries, (Entry){ str_copy(map->keys, key), hash, value });
    *slot = (Slot){ (uint32_t)map->entries.count, tag_of(hash) };
    if (2 * map->entries.count > map->slot_count)
        slots_double(map);
}

Str map_key(const Map *map, size_t index)
{
    assert_that(index < map->entries.count);
    return map->entries.at[index].key;
}
