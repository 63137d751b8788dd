// A table from text to a number, on its own memory. Keys are copied in. Nothing is ever removed.
#pragma once

#include "base/text.h"

typedef struct Map Map;

Map     *map_open(void);
void     map_close(Map *map);
size_t   map_count(const Map *map);
bool     map_find(const Map *map, Str key, uint64_t *value);
// Many at once, each look-up's misses hidden behind the others': values[i], or MAP_NONE.
#define MAP_NONE UINT64_MAX
void     map_find_many(const Map *map, const Str *keys, size_t count, uint64_t *values);
void     map_set(Map *map, Str key, uint64_t value);
// The keys in the order they were first set; index below map_count. Borrowed until map_close.
Str      map_key(const Map *map, size_t index);
