// SPDX-License-Identifier: Apache-2.0
// Open addressing over an array of entries kept in order of arrival; slots hold entry index + 1.
#include "base/map.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/vector.h"

typedef struct Entry {
    Str      key;
    uint64_t hash;
    uint64_t value;
} Entry;

struct Map {
    Arena        *keys;
    VECTOR(Entry) entries;
    uint32_t     *slots;
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

// The slot that holds the key, or the free one where it belongs.
static size_t slot_of(const Map *map, Str key, uint64_t hash)
{
    size_t slot = hash & (map->slot_count - 1);
    while (map->slots[slot] != 0) {
        const Entry *entry = &map->entries.at[map->slots[slot] - 1];
        if (entry->hash == hash && str_equal(entry->key, key))
            break;
        slot = (slot + 1) & (map->slot_count - 1);
    }
    return slot;
}

bool map_find(const Map *map, Str key, uint64_t *value)
{
    size_t slot = slot_of(map, key, hash_fast(key));
    if (map->slots[slot] == 0)
        return false;
    *value = map->entries.at[map->slots[slot] - 1].value;
    return true;
}

static void slots_double(Map *map)
{
    memory_release(map->slots);
    map->slot_count *= 2;
    map->slots = memory_take(map->slot_count * sizeof *map->slots);
    for (size_t i = 0; i < map->entries.count; i++) {
        const Entry *entry = &map->entries.at[i];
        map->slots[slot_of(map, entry->key, entry->hash)] = (uint32_t)(i + 1);
    }
}

void map_set(Map *map, Str key, uint64_t value)
{
    uint64_t hash = hash_fast(key);
    size_t   slot = slot_of(map, key, hash);
    if (map->slots[slot] != 0) {
        map->entries.at[map->slots[slot] - 1].value = value;
        return;
    }
    assert_that(map->entries.count < UINT32_MAX - 1);
    vector_push(&map->entries, (Entry){ str_copy(map->keys, key), hash, value });
    map->slots[slot] = (uint32_t)map->entries.count;
    if (2 * map->entries.count > map->slot_count)
        slots_double(map);
}

Str map_key(const Map *map, size_t index)
{
    assert_that(index < map->entries.count);
    return map->entries.at[index].key;
}

uint64_t map_value(const Map *map, size_t index)
{
    assert_that(index < map->entries.count);
    return map->entries.at[index].value;
}
