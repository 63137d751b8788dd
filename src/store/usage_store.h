// Sealed usage: sorted rows in RocksDB that never change once written. It knows bytes; the flow
// says what rows are and how they are folded (StoreHooks).
//
// Keys of events, cells and changes are range-major: [level u8][range index u64 BE][suffix of the
// flow]. Seal n is the range (0, n); the range (k, i) covers the seals [i*16^k, (i+1)*16^k), k <=
// 3. So the rows of a seal or of a fold are one piece of the key space that overlaps no other: they
// go straight to the last level, and leave by dropping whole files. See
// docs/decisions/0002-range-major-keys.md.
//
// A view says which ranges hold the truth up to a sealed position. It is immutable; files of ranges
// that were folded away stay until no view names them.
//
// Threads: one writes seals; one folds (usage_store_tend; may be another thread or the same); one
// at a time writes extra ranges; any number read.
#pragma once

#include "base/error.h"
#include "base/hash.h"

typedef struct UsageStore  UsageStore;
typedef struct StoreView   StoreView;
typedef struct StoreWriter StoreWriter;
typedef struct StoreCursor StoreCursor;
typedef struct StoreEmit   StoreEmit;

typedef enum StoreFamily {
    STORE_EVENTS, STORE_IDS, STORE_CELLS, STORE_CHANGES, STORE_META, STORE_FAMILIES
} StoreFamily;

enum {
    STORE_FOLD = 16,          // ranges of one level that become one of the next
    STORE_LEVELS = 4,         // 1, 16, 256, 4,096 seals
    STORE_EXTRA_LEVEL = 0xF0  // from here up: ranges outside of time, for backfills
};

typedef struct StoreRange {
    uint8_t  level;
    uint64_t index;
    uint64_t first_seal, end_seal;  // [first, end); both 0 for an extra range
} StoreRange;

StoreRange store_range(uint8_t level, uint64_t index);
bool       store_range_is_extra(StoreRange range);

typedef struct StoreRow {
    StoreFamily family;
    Str         suffix, value;
} StoreRow;

typedef struct StoreIdTake {
    void (*take)(void *taker, Hash128 id);
    void  *taker;
} StoreIdTake;

// What the flow knows about the rows.
typedef struct StoreHooks {
    void *context;
    // Folding 16 ranges into one, family by family: EVENTS, CELLS, CHANGES, then META. begin
    // answers a state (from the arena, which lives until the fold ends). row is called for every
    // row in suffix order, rows of equal suffix oldest range first; it emits finished rows, in
    // ascending order of suffix. end is called after the last row of each family and emits what is
    // left. For META the rows are the 16 ranges' own bytes, suffix empty, and one row may be
    // emitted. suffix and value are borrowed until the call returns, and row's arena is emptied
    // after it; what must stay goes into the arena of begin. All must be pure: a fold that is done
    // again gives the same rows. NULL hooks: rows pass as they are (equal suffixes: STORE_FAILED),
    // the newest meta stays.
    void *(*merge_begin)(void *context, Arena *arena, StoreRange into);
    Err  *(*merge_row)(void *state, Arena *arena, const StoreRow *row, StoreEmit *emit);
    Err  *(*merge_end)(void *state, Arena *arena, StoreFamily family, StoreEmit *emit);
    // Always called once after merge_begin, also when the fold failed or was interrupted; or NULL.
    void  (*merge_close)(void *state);
    // The ids in one row of events, to bring the filter up to date. NULL: it is built from all ids.
    Err  *(*ids_of_row)(void *context, Arena *arena, const StoreRow *row, const StoreIdTake *ids);
    // For tests, which stop the process here; or NULL.
    void (*step)(void *context, const char *name);
} StoreHooks;

// One finished row of the fold, for merge_row and merge_end.
Err *store_emit(StoreEmit *emit, Arena *arena, Str suffix, Str value) MUST_CHECK;

typedef struct UsageStoreOptions {
    Str        folder;        // made when absent
    StoreHooks hooks;
    size_t     cache_bytes;   // 0: 256 MiB
    unsigned   filter_bits;   // of the first generation; 0: ID_FILTER_FIRST_BITS
    int        threads;       // of compaction; 0: 2
} UsageStoreOptions;

// Opens, removes what a crash left, loads or rebuilds the filter behind. STORE_FAILED.
Err *usage_store_open(Arena *arena, const UsageStoreOptions *options,
                      UsageStore **store) MUST_CHECK;
void usage_store_close(UsageStore *store);  // every view released, every cursor and writer closed

// ---- views

StoreView *usage_store_view(UsageStore *store);    // the newest; release it
StoreView *store_view_keep(StoreView *view);       // one more reference
void       store_view_release(StoreView *view);    // NULL is allowed; cheap: no I/O
uint64_t   store_view_sealed(const StoreView *view);  // seals [0, sealed) are in it
// Oldest first, together exactly [0, sealed); then the extra ranges by (level, index). `count`
// holds both.
const StoreRange *store_view_ranges(const StoreView *view, size_t *count);
bool       store_view_holds(const StoreView *view, uint8_t level, uint64_t index);

// ---- writing

// range: (0, sealed) for the next seal, or an extra range that no view holds (STORE_BUSY while an
// older view still holds one of that name).
Err *store_writer_open(UsageStore *store, Arena *arena, StoreRange range,
                       StoreWriter **writer) MUST_CHECK;
// Any order of families; ascending suffix within one, none twice. EVENTS, CELLS, CHANGES: the
// suffix. IDS: 16 bytes of hash_write, seals only; the filter learns them here.
Err *store_writer_put(StoreWriter *writer, Arena *arena, StoreFamily family, Str suffix,
                      Str value) MUST_CHECK;
// All or nothing, durable when it returns NULL; closes the writer either way. `meta` is the range's
// own bytes. `replaces`: extra ranges that leave in the same step.
Err *store_writer_commit(StoreWriter *writer, Arena *arena, Str meta,
                         const StoreRange *replaces, size_t count) MUST_CHECK;
void store_writer_close(StoreWriter *writer);  // instead of commit: nothing was written

// Durable when it returns NULL; views that hold it keep reading it.
Err *usage_store_remove_extra(UsageStore *store, Arena *arena, StoreRange range) MUST_CHECK;

// ---- reading

// The range's own bytes. STORE_FAILED when the view does not hold it.
Err *usage_store_meta(StoreView *view, Arena *arena, StoreRange range, Str *meta) MUST_CHECK;

// A cursor belongs to one thread and one family (EVENTS, CELLS, CHANGES); it keeps the view. Seek
// it as often as wanted: from >= prefix, to the first row of the range whose suffix begins with
// `prefix` and is not below `from` (STR_NONE: the first of the prefix).
typedef enum StoreScan {
    STORE_SCAN_CACHED,
    STORE_SCAN_ONCE
} StoreScan;  // ONCE: reads ahead, spares the cache
StoreCursor *store_cursor_open(StoreView *view, StoreFamily family, StoreScan scan);
void         store_cursor_close(StoreCursor *cursor);  // NULL is allowed
void         store_cursor_seek(StoreCursor *cursor, StoreRange range, Str prefix, Str from);
// False at the end or after a failure (ask store_cursor_failure once after the loop). Borrowed
// until the next call.
bool store_cursor_next(StoreCursor *cursor, Str *suffix, Str *value);
Err *store_cursor_failure(StoreCursor *cursor, Arena *arena) MUST_CHECK;

// values[i] = the row of sorted_ids[i], in the arena; .at == NULL when the id is in no seal.
// Ascending ids, equal ones allowed. Ids of seals at or past the view's position may be found too:
// look at the sequence in the value.
Err *usage_store_find_ids(UsageStore *store, Arena *arena, const Hash128 *sorted_ids, size_t count,
                          Str *values) MUST_CHECK;

// ---- housekeeping

// One piece of background work, and whether more is waiting: folds 16 complete ranges into one;
// drops files that no view needs; saves the filter every 16 seals. Call it after every seal and
// while *more.
Err *usage_store_tend(UsageStore *store, Arena *arena, bool *more) MUST_CHECK;
void usage_store_interrupt(UsageStore *store);  // a fold under way is given up soon; for stopping

unsigned usage_store_runs(UsageStore *store);   // sorted runs of ids; refuse ingest beyond 256
bool     usage_store_filter_ready(UsageStore *store);
uint64_t usage_store_bytes(UsageStore *store);  // of files

// Hard links of a consistent state into a new folder on the same file system; the filter is not in
// it.
Err *usage_store_checkpoint(UsageStore *store, Arena *arena, Str folder) MUST_CHECK;
