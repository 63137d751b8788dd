// What the files of the usage store share. Two locks: `lock` for a moment, around the views;
// `publishing` around each change of the set of ranges (filter, ingest, new view), taken first.
#pragma once

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "base/vector.h"
#include "store/id_filter.h"
#include "store/rocks.h"
#include "store/usage_store.h"

// Keys of META: a kind, then level and index as in the other families.
enum { META_RANGE = 1, META_REMOVED = 2, STORE_PREFIX = 9, STORE_META_KEY = 10 };

struct StoreView {
    UsageStore *store;
    StoreView  *older, *newer;
    uint64_t    version;
    size_t      users;   // under the lock; the newest has one more, the store itself
    uint64_t    sealed;
    size_t      count;
    StoreRange  ranges[];
};

// Ranges (level, [from, end)) that no view from `version` on names; their files go when older views
// have.
typedef struct RetiredRanges {
    uint8_t  level;
    uint64_t from, end;
    uint64_t version;
} RetiredRanges;

struct UsageStore {
    char      *folder;
    Rocks     *rocks;
    StoreHooks hooks;
    unsigned   filter_bits;

    Lock       lock;
    StoreView *oldest, *newest;
    VECTOR(RetiredRanges) retired;

    Lock             publishing;
    _Atomic uint64_t next_file;
    _Atomic bool     interrupted;

    IdFilter    *filter;        // NULL until loaded or begun; set under `publishing`
    _Atomic bool filter_ready;  // it knows every sealed id
    uint64_t     filter_saved;  // seals in the file; of the tending thread once ready
    Thread       filter_thread;
    _Atomic bool stopping;

    _Atomic unsigned runs;
    _Atomic int64_t  runs_at_us;
};

static inline RocksBytes store__bytes(Str from)
{
    return (RocksBytes){ from.at, from.length };
}

static inline Str store__str(RocksBytes from)
{
    return (Str){ from.at, from.length };
}

void store__prefix(uint8_t level, uint64_t index, char out[STORE_PREFIX]);
void store__meta_key(uint8_t kind, uint8_t level, uint64_t index, char out[STORE_META_KEY]);
void store__step(const UsageStore *store, const char *name);
Err *store__failed(Arena *arena, const char *doing, const char *reason);

// Makes and publishes the view after `range` came and `gone` went; both under `publishing`. A range
// of a level above 0 replaces what it covers. `gone` must be extra ranges; they and the covered are
// retired.
void store__publish(UsageStore *store, const StoreRange *range, const StoreRange *gone,
                    size_t gone_count);

// Drops the files of retired ranges that no view needs.
Err *store__sweep(UsageStore *store, Arena *arena);

// A writer for any range, also of a fold.
StoreWriter *store__writer_open(UsageStore *store, StoreRange range);

// Writes a file of one META row and takes it in. For removals.
Err *store__mark_removed(UsageStore *store, Arena *arena, StoreRange range);

void store__runs_refresh(UsageStore *store);

// Loads or rebuilds the filter on its own thread; saves it when due.
void store__filter_start(UsageStore *store);
void store__filter_stop(UsageStore *store);
Err *store__filter_save(UsageStore *store, Arena *arena);
