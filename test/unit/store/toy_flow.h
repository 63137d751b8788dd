// A toy flow for tests of the usage store: event number e belongs to account e % ACCOUNTS and adds
// e to its cell. What a store must hold after any number of seals and folds can be said in one
// line, so every test compares whole contents.
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/usage_store.h"

enum { TOY_ACCOUNTS = 7, TOY_EVENTS = 50 };  // events a seal

static const HashKey TOY_KEY = { { 9 } };

static inline Hash128 toy_id(uint64_t event)
{
    return hash_keyed(&TOY_KEY, (Str){ (const char *)&event, sizeof event });
}

static inline int toy_compare(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static inline Err *toy_put_ids(StoreWriter *writer, Arena *arena, uint64_t seal, uint64_t events)
{
    unsigned char(*ids)[24] = arena_take(arena, 24 * events);
    for (uint64_t i = 0; i < events; i++) {
        hash_write(toy_id(seal * events + i), ids[i]);
        bytes_put_u64_be(ids[i] + 16, seal * events + i);
    }
    qsort(ids, events, 24, toy_compare);
    for (uint64_t i = 0; i < events; i++)
        TRY(store_writer_put(writer, arena, STORE_IDS, (Str){ (char *)ids[i], 16 },
                             (Str){ (char *)ids[i] + 16, 8 }));
    return NULL;
}

static inline Err *toy_put_account(StoreWriter *writer, Arena *arena, uint64_t seal,
                                   uint64_t events, unsigned char account)
{
    Text     block = text_open(arena);
    uint64_t sum = 0;
    for (uint64_t e = seal * events; e < (seal + 1) * events; e++) {
        if (e % TOY_ACCOUNTS != account)
            continue;
        char number[8];
        bytes_put_u64_be(number, e);
        text_add_bytes(&block, number, 8);
        sum += e;
    }
    char cell[8];
    bytes_put_u64_be(cell, sum);
    Str suffix = { (char *)&account, 1 };
    TRY(store_writer_put(writer, arena, STORE_EVENTS, suffix, text_str(&block)));
    TRY(store_writer_put(writer, arena, STORE_CELLS, suffix, (Str){ cell, 8 }));
    return seal % 3 == 0 ? store_writer_put(writer, arena, STORE_CHANGES, suffix, STR("late"))
                         : NULL;
}

// The next seal of the store.
static inline Err *toy_seal_of(UsageStore *store, Arena *arena, uint64_t events)
{
    StoreView *view = usage_store_view(store);
    uint64_t   seal = store_view_sealed(view);
    store_view_release(view);
    StoreWriter *writer;
    TRY(store_writer_open(store, arena, store_range(0, seal), &writer));
    for (unsigned char account = 0; account < TOY_ACCOUNTS; account++)
        TRY(toy_put_account(writer, arena, seal, events, account));
    TRY(toy_put_ids(writer, arena, seal, events));
    char meta[8];
    bytes_put_u64_be(meta, events);
    return store_writer_commit(writer, arena, (Str){ meta, 8 }, NULL, 0);
}

static inline Err *toy_seal(UsageStore *store, Arena *arena)
{
    return toy_seal_of(store, arena, TOY_EVENTS);
}

// ---- hooks

typedef struct ToyMerge {
    bool     has;
    Text     suffix, value;
    uint64_t meta;
} ToyMerge;

static inline void *toy_begin(void *context, Arena *arena, StoreRange into)
{
    (void)context;
    (void)into;
    ToyMerge *merge = arena_new(arena, ToyMerge);
    merge->suffix = text_open_own();
    merge->value = text_open_own();
    return merge;
}

static inline void toy_close(void *state)
{
    ToyMerge *merge = state;
    text_close(&merge->suffix);
    text_close(&merge->value);
}

static inline Err *toy_flush(ToyMerge *merge, Arena *arena, StoreEmit *emit)
{
    if (!merge->has)
        return NULL;
    merge->has = false;
    return store_emit(emit, arena, text_str(&merge->suffix), text_str(&merge->value));
}

static inline void toy_join(ToyMerge *merge, StoreFamily family, Str value)
{
    if (family == STORE_CELLS) {
        bytes_put_u64_be(merge->value.at, bytes_u64_be(merge->value.at) + bytes_u64_be(value.at));
    } else {
        text_add(&merge->value, value);
    }
}

static inline Err *toy_row(void *state, Arena *arena, const StoreRow *row, StoreEmit *emit)
{
    ToyMerge *merge = state;
    if (row->family == STORE_META) {
        merge->meta += bytes_u64_be(row->value.at);
        return NULL;
    }
    if (merge->has && str_equal(text_str(&merge->suffix), row->suffix)) {
        toy_join(merge, row->family, row->value);
        return NULL;
    }
    TRY(toy_flush(merge, arena, emit));
    merge->has = true;
    text_clear(&merge->suffix);
    text_clear(&merge->value);
    text_add(&merge->suffix, row->suffix);
    text_add(&merge->value, row->value);
    return NULL;
}

static inline Err *toy_end(void *state, Arena *arena, StoreFamily family, StoreEmit *emit)
{
    ToyMerge *merge = state;
    if (family != STORE_META)
        return toy_flush(merge, arena, emit);
    char meta[8];
    bytes_put_u64_be(meta, merge->meta);
    return store_emit(emit, arena, STR(""), (Str){ meta, 8 });
}

static inline Err *toy_ids(void *context, Arena *arena, const StoreRow *row,
                           const StoreIdTake *ids)
{
    (void)context;
    (void)arena;
    for (size_t i = 0; i + 8 <= row->value.length; i += 8)
        ids->take(ids->taker, toy_id(bytes_u64_be(row->value.at + i)));
    return NULL;
}

static inline StoreHooks toy_hooks(void)
{
    return (StoreHooks){ .merge_begin = toy_begin, .merge_row = toy_row, .merge_end = toy_end,
                         .merge_close = toy_close, .ids_of_row = toy_ids };
}

static inline Err *toy_open(Arena *arena, const char *folder, StoreHooks hooks, UsageStore **store)
{
    UsageStoreOptions options = { .folder = str_of(folder), .hooks = hooks, .cache_bytes = 8 << 20,
                                  .filter_bits = 10, .threads = 1 };
    return usage_store_open(arena, &options, store);
}

static inline Err *toy_tend_all(UsageStore *store, Arena *arena)
{
    bool more = true;
    while (more)
        TRY(usage_store_tend(store, arena, &more));
    return NULL;
}

// ---- what the store holds

// Sums the view's cells and events by account and counts its changes and meta: they must be what
// `sealed` seals bring, however they are folded. Answers false when they are not.
typedef struct ToyTotals {
    uint64_t cells[TOY_ACCOUNTS], events[TOY_ACCOUNTS], event_count, changes, meta;
} ToyTotals;

static inline bool toy_add_row(ToyTotals *totals, StoreFamily family, Str suffix, Str value)
{
    unsigned char account = (unsigned char)suffix.at[0];
    if (suffix.length != 1 || account >= TOY_ACCOUNTS)
        return false;
    if (family == STORE_CELLS)
        totals->cells[account] += bytes_u64_be(value.at);
    if (family == STORE_CHANGES)
        totals->changes += value.length;
    for (size_t i = 0; family == STORE_EVENTS && i < value.length; i += 8) {
        totals->events[account] += bytes_u64_be(value.at + i);
        totals->event_count++;
    }
    return true;
}

static inline bool toy_read_range(StoreView *view, Arena *arena, StoreRange range,
                                  ToyTotals *totals)
{
    static const StoreFamily families[] = { STORE_EVENTS, STORE_CELLS, STORE_CHANGES };
    Str                      suffix, value, meta;
    bool good = usage_store_meta(view, arena, range, &meta) == NULL && meta.length == 8;
    totals->meta += good ? bytes_u64_be(meta.at) : 0;
    for (size_t i = 0; i < 3 && good; i++) {
        StoreCursor *cursor = store_cursor_open(view, families[i], STORE_SCAN_CACHED);
        store_cursor_seek(cursor, range, STR(""), STR_NONE);
        while (good && store_cursor_next(cursor, &suffix, &value))
            good = toy_add_row(totals, families[i], suffix, value);
        good = good && store_cursor_failure(cursor, arena) == NULL;
        store_cursor_close(cursor);
    }
    return good;
}

static inline bool toy_totals_right(const ToyTotals *totals, uint64_t sealed)
{
    uint64_t events[TOY_ACCOUNTS] = { 0 }, changes = 0;
    for (uint64_t e = 0; e < sealed * TOY_EVENTS; e++)
        events[e % TOY_ACCOUNTS] += e;
    for (uint64_t n = 0; n < sealed; n++)
        changes += n % 3 == 0 ? 4 * TOY_ACCOUNTS : 0;
    return memcmp(events, totals->events, sizeof events) == 0
           && memcmp(events, totals->cells, sizeof events) == 0
           && totals->event_count == sealed * TOY_EVENTS && totals->changes == changes
           && totals->meta == sealed * TOY_EVENTS;
}

static inline bool toy_view_right(StoreView *view)
{
    AUTO(Arena) arena = arena_open();
    ToyTotals   totals = { 0 };
    size_t      count;
    const StoreRange *ranges = store_view_ranges(view, &count);
    for (size_t i = 0; i < count; i++)
        if (!store_range_is_extra(ranges[i]) && !toy_read_range(view, arena, ranges[i], &totals))
            return false;
    return toy_totals_right(&totals, store_view_sealed(view));
}

// All ids of the seals [0, sealed) are found with their value, and no others.
static inline bool toy_ids_right(UsageStore *store, uint64_t sealed)
{
    AUTO(Arena) arena = arena_open();
    uint64_t    count = (sealed + 1) * TOY_EVENTS;
    unsigned char(*ids)[24] = arena_take(arena, 24 * count);
    for (uint64_t e = 0; e < count; e++) {
        hash_write(toy_id(e), ids[e]);
        bytes_put_u64_be(ids[e] + 16, e);
    }
    qsort(ids, count, 24, toy_compare);
    Hash128 *sorted = arena_array(arena, Hash128, count);
    Str     *values = arena_array(arena, Str, count);
    for (uint64_t i = 0; i < count; i++)
        sorted[i] = hash_read(ids[i]);
    if (usage_store_find_ids(store, arena, sorted, count, values) != NULL)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t e = bytes_u64_be(ids[i] + 16);
        bool there =
            values[i].at != NULL && values[i].length == 8 && bytes_u64_be(values[i].at) == e;
        if (there != (e < sealed * TOY_EVENTS))
            return false;
    }
    return true;
}

// The hash of all rows of the view in key order, keys with their range.
static inline uint64_t toy_hash(StoreView *view)
{
    static const StoreFamily families[] = { STORE_EVENTS, STORE_CELLS, STORE_CHANGES };
    AUTO(Arena) arena = arena_open();
    Text   all = text_open(arena);
    size_t count;
    Str    suffix, value, meta;
    const StoreRange *ranges = store_view_ranges(view, &count);
    for (size_t i = 0; i < count; i++) {
        text_print(&all, "range %d %llu ", ranges[i].level, (unsigned long long)ranges[i].index);
        assert_that(usage_store_meta(view, arena, ranges[i], &meta) == NULL);
        text_add_counted(&all, meta);
        for (size_t f = 0; f < 3; f++) {
            StoreCursor *cursor = store_cursor_open(view, families[f], STORE_SCAN_ONCE);
            store_cursor_seek(cursor, ranges[i], STR(""), STR_NONE);
            while (store_cursor_next(cursor, &suffix, &value)) {
                text_add_counted(&all, suffix);
                text_add_counted(&all, value);
            }
            assert_that(store_cursor_failure(cursor, arena) == NULL);
            store_cursor_close(cursor);
        }
    }
    return hash_fast(text_str(&all));
}

// ---- folders

static inline void toy_folder_remove(const char *path)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_that(strstr(path, "/toll-store-") != NULL && system(command) == 0);
}

// In memory when there is room: these tests stop processes, not machines, and syncs would be most
// of their time.
static inline const char *toy_folder(const char *name)
{
    static char    path[128];
    struct statvfs shm;
    bool roomy = statvfs("/dev/shm", &shm) == 0 && access("/dev/shm", W_OK) == 0
                 && (uint64_t)shm.f_bavail * shm.f_bsize > (uint64_t)1 << 30;
    snprintf(path, sizeof path, "%s/toll-store-%s-%d", roomy ? "/dev/shm" : "/tmp", name,
             (int)getpid());
    toy_folder_remove(path);
    return path;
}

static inline size_t toy_file_count(const char *folder, const char *ending)
{
    size_t count = 0;
    DIR   *at = opendir(folder);
    if (at == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(at)) != NULL;)
        count += strlen(entry->d_name) > strlen(ending)
                 && strcmp(entry->d_name + strlen(entry->d_name) - strlen(ending), ending) == 0;
    closedir(at);
    return count;
}
