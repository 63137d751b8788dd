// SPDX-License-Identifier: Apache-2.0
// Opening the store and its views. Which ranges are live is nowhere written as a list: it follows
// from the META rows that exist. A range is live when its row is there, no row of a range that
// covers it is, and no mark says it was removed. So one ingest that brings a row changes the truth
// at once, and files of folded ranges may go at any time later.
#include "store/usage_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "store/usage_store_inside.h"

enum { CACHE_BYTES = 256 << 20, COMPACTION_THREADS = 2, RUNS_FRESH_US = 100000 };

static const RocksFamily FAMILIES[ROCKS_FAMILIES] = {
    [STORE_EVENTS] = { "events", ROCKS_SCANNED },
    [STORE_IDS] = { "ids", ROCKS_PROBED },
    [STORE_CELLS] = { "cells", ROCKS_SCANNED },
    [STORE_CHANGES] = { "changes", ROCKS_SCANNED },
    [STORE_META] = { "meta", ROCKS_SCANNED },
};
_Static_assert((int)STORE_FAMILIES == (int)ROCKS_FAMILIES, "families");

// ---- ranges and keys

StoreRange store_range(uint8_t level, uint64_t index)
{
    StoreRange range = { .level = level, .index = index };
    if (level < STORE_LEVELS) {
        range.first_seal = index << (4 * level);
        range.end_seal = (index + 1) << (4 * level);
    }
    assert_that(level < STORE_LEVELS || level >= STORE_EXTRA_LEVEL);
    return range;
}

bool store_range_is_extra(StoreRange range)
{
    return range.level >= STORE_EXTRA_LEVEL;
}

void store__prefix(uint8_t level, uint64_t index, char out[STORE_PREFIX])
{
    out[0] = (char)level;
    bytes_put_u64_be(out + 1, index);
}

void store__meta_key(uint8_t kind, uint8_t level, uint64_t index, char out[STORE_META_KEY])
{
    out[0] = (char)kind;
    store__prefix(level, index, out + 1);
}

void store__step(const UsageStore *store, const char *name)
{
    if (store->hooks.step != NULL)
        store->hooks.step(store->hooks.context, name);
}

Err *store__failed(Arena *arena, const char *doing, const char *reason)
{
    log_line(LOG_ERROR, "usage store: %s failed why=\"%s\"", doing, reason);
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the usage store failed at %s", doing);
}

// Time first, oldest first; then the extra ranges by level and index.
static bool range_before(StoreRange a, StoreRange b)
{
    bool a_extra = store_range_is_extra(a), b_extra = store_range_is_extra(b);
    if (a_extra != b_extra)
        return b_extra;
    if (!a_extra)
        return a.first_seal < b.first_seal;
    return a.level != b.level ? a.level < b.level : a.index < b.index;
}

static bool range_equal(StoreRange a, StoreRange b)
{
    return a.level == b.level && a.index == b.index;
}

static bool range_covers(StoreRange whole, StoreRange part)
{
    return !store_range_is_extra(whole) && !store_range_is_extra(part) && part.level < whole.level
           && part.first_seal >= whole.first_seal && part.end_seal <= whole.end_seal;
}

// ---- views

StoreView *usage_store_view(UsageStore *store)
{
    lock_take(&store->lock);
    StoreView *view = store->newest;
    view->users++;
    lock_release(&store->lock);
    return view;
}

StoreView *store_view_keep(StoreView *view)
{
    lock_take(&view->store->lock);
    assert_that(view->users > 0);
    view->users++;
    lock_release(&view->store->lock);
    return view;
}

static void view_unlink(UsageStore *store, StoreView *view)
{
    if (view->older != NULL)
        view->older->newer = view->newer;
    else
        store->oldest = view->newer;
    if (view->newer != NULL)
        view->newer->older = view->older;
    else
        store->newest = view->older;
}

static void view_leave(UsageStore *store, StoreView *view)
{
    assert_that(view->users > 0);
    if (--view->users == 0) {
        view_unlink(store, view);
        memory_release(view);
    }
}

void store_view_release(StoreView *view)
{
    if (view == NULL)
        return;
    UsageStore *store = view->store;
    lock_take(&store->lock);
    view_leave(store, view);
    lock_release(&store->lock);
}

uint64_t store_view_sealed(const StoreView *view)
{
    return view->sealed;
}

const StoreRange *store_view_ranges(const StoreView *view, size_t *count)
{
    *count = view->count;
    return view->ranges;
}

bool store_view_holds(const StoreView *view, uint8_t level, uint64_t index)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->ranges[i].level == level && view->ranges[i].index == index)
            return true;
    return false;
}

// ---- publishing

static StoreView *view_make(UsageStore *store, size_t room)
{
    StoreView *view = memory_take(sizeof(StoreView) + room * sizeof(StoreRange));
    view->store = store;
    view->users = 1;
    return view;
}

static void view_add(StoreView *view, StoreRange range)
{
    size_t at = view->count++;
    for (; at > 0 && range_before(range, view->ranges[at - 1]); at--)
        view->ranges[at] = view->ranges[at - 1];
    view->ranges[at] = range;
    if (!store_range_is_extra(range) && range.end_seal > view->sealed)
        view->sealed = range.end_seal;
}

// The ranges of time cover [0, sealed) without a gap or an overlap.
static bool view_whole(const StoreView *view)
{
    uint64_t reached = 0;
    for (size_t i = 0; i < view->count && !store_range_is_extra(view->ranges[i]); i++) {
        if (view->ranges[i].first_seal != reached)
            return false;
        reached = view->ranges[i].end_seal;
    }
    return reached == view->sealed;
}

static void retire(UsageStore *store, StoreRange range, uint64_t version)
{
    RetiredRanges *last =
        store->retired.count == 0 ? NULL : &store->retired.at[store->retired.count - 1];
    bool joins = last != NULL && last->level == range.level && last->end == range.index
                 && last->version == version;
    if (joins)
        last->end++;
    else
        vector_push(&store->retired,
                    ((RetiredRanges){ range.level, range.index, range.index + 1, version }));
}

static bool goes(StoreRange old, const StoreRange *came, const StoreRange *gone, size_t gone_count)
{
    if (came != NULL && range_covers(*came, old))
        return true;
    for (size_t i = 0; i < gone_count; i++)
        if (range_equal(gone[i], old))
            return true;
    return false;
}

void store__publish(UsageStore *store, const StoreRange *range, const StoreRange *gone,
                    size_t gone_count)
{
    lock_take(&store->lock);
    StoreView *before = store->newest;
    StoreView *after = view_make(store, before->count + 1);
    after->version = before->version + 1;
    for (size_t i = 0; i < before->count; i++) {
        if (goes(before->ranges[i], range, gone, gone_count))
            retire(store, before->ranges[i], after->version);
        else
            view_add(after, before->ranges[i]);
    }
    if (range != NULL)
        view_add(after, *range);
    assert_that(view_whole(after) && after->sealed >= before->sealed);
    after->older = before;
    before->newer = after;
    store->newest = after;
    view_leave(store, before);
    counter_set(METRIC_SEALED_SEALS, (int64_t)after->sealed);
    lock_release(&store->lock);
}

// ---- opening

// A folder of our own, emptied of the files that a crash left in it.
static Err *incoming_clear(UsageStore *store, Arena *arena)
{
    char *path = str_terminated(arena, str_print(arena, "%s/incoming", store->folder));
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return store__failed(arena, "making its folder", strerror(errno));
    DIR *folder = opendir(path);
    if (folder == NULL)
        return store__failed(arena, "reading its folder", strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    return NULL;
}

typedef struct MetaRows {
    VECTOR(StoreRange) ranges;
    VECTOR(StoreRange) removed;
} MetaRows;

static Err *meta_rows_read(UsageStore *store, Arena *arena, MetaRows *rows)
{
    char         reason[ROCKS_REASON] = "a key of no known form";
    RocksCursor *cursor = rocks_cursor_open(store->rocks, STORE_META, ROCKS_ONCE);
    bool         good = true;
    rocks_cursor_seek(cursor, (RocksBytes){ "", 0 });
    for (; good && rocks_cursor_valid(cursor); rocks_cursor_next(cursor)) {
        RocksBytes key = rocks_cursor_key(cursor);
        uint8_t    level = key.length == STORE_META_KEY ? (uint8_t)key.at[1] : STORE_LEVELS;
        good = level < STORE_LEVELS || level >= STORE_EXTRA_LEVEL;
        if (good && key.at[0] == META_RANGE)
            vector_push(&rows->ranges, store_range(level, bytes_u64_be(key.at + 2)));
        else if (good)
            vector_push(&rows->removed, store_range(level, bytes_u64_be(key.at + 2)));
    }
    bool failed = rocks_cursor_failed(cursor, reason) || !good;
    rocks_cursor_close(cursor);
    return failed ? store__failed(arena, "reading what is in it", reason) : NULL;
}

static bool row_is_live(const MetaRows *rows, StoreRange range)
{
    for (size_t i = 0; i < rows->ranges.count; i++)
        if (range_covers(rows->ranges.at[i], range))
            return false;
    for (size_t i = 0; i < rows->removed.count; i++)
        if (range_equal(rows->removed.at[i], range))
            return false;
    return true;
}

static Err *first_view_make(UsageStore *store, Arena *arena, const MetaRows *rows)
{
    StoreView *view = view_make(store, rows->ranges.count);
    view->version = 1;
    store->oldest = store->newest = view;
    for (size_t i = 0; i < rows->ranges.count; i++) {
        if (row_is_live(rows, rows->ranges.at[i]))
            view_add(view, rows->ranges.at[i]);
        else
            retire(store, rows->ranges.at[i], 1);
    }
    for (size_t i = 0; i < rows->removed.count; i++)
        retire(store, rows->removed.at[i], 1);
    counter_set(METRIC_SEALED_SEALS, (int64_t)view->sealed);
    return view_whole(view) ? NULL
                            : store__failed(arena, "opening", "ranges are missing or overlap");
}

static Err *rows_open(UsageStore *store, Arena *arena)
{
    MetaRows rows = { 0 };
    Err     *err = meta_rows_read(store, arena, &rows);
    if (err == NULL)
        err = first_view_make(store, arena, &rows);
    vector_release(&rows.ranges);
    vector_release(&rows.removed);
    return err;
}

static Err *store_begin(UsageStore *store, Arena *arena, const UsageStoreOptions *options)
{
    char reason[ROCKS_REASON];
    if (mkdir(store->folder, 0700) != 0 && errno != EEXIST)
        return store__failed(arena, "making its folder", strerror(errno));
    TRY(incoming_clear(store, arena));
    char *folder = str_terminated(arena, str_print(arena, "%s/rocks", store->folder));
    RocksOptions rocks = { .folder = folder,
                           .families = FAMILIES,
                           .cache_bytes =
                               options->cache_bytes == 0 ? CACHE_BYTES : options->cache_bytes,
                           .threads =
                               options->threads == 0 ? COMPACTION_THREADS : options->threads };
    if (!rocks_open(&rocks, &store->rocks, reason))
        return store__failed(arena, "opening", reason);
    TRY(rows_open(store, arena));
    TRY(store__sweep(store, arena));
    store__runs_refresh(store);
    store__filter_start(store);
    return NULL;
}

static void store_release(UsageStore *store)
{
    store__filter_stop(store);
    while (store->newest != NULL)
        view_leave(store, store->newest);
    rocks_close(store->rocks);
    vector_release(&store->retired);
    lock_close(&store->publishing);
    lock_close(&store->lock);
    memory_release(store->folder);
    memory_release(store);
}

Err *usage_store_open(Arena *arena, const UsageStoreOptions *options, UsageStore **store)
{
    UsageStore *made = memory_take(sizeof(UsageStore));
    made->folder = memory_take(options->folder.length + 1);
    memcpy(made->folder, options->folder.at, options->folder.length);
    made->hooks = options->hooks;
    made->filter_bits = options->filter_bits;
    lock_open(&made->lock);
    lock_open(&made->publishing);
    Err *err = store_begin(made, arena, options);
    if (err != NULL) {
        store_release(made);
        return err;
    }
    *store = made;
    return NULL;
}

void usage_store_close(UsageStore *store)
{
    if (store == NULL)
        return;
    store__filter_stop(store);  // it holds a view while it works
    assert_that(store->oldest == store->newest && store->newest->users == 1);
    store_release(store);
}

// ---- extra ranges, figures

Err *usage_store_remove_extra(UsageStore *store, Arena *arena, StoreRange range)
{
    assert_that(store_range_is_extra(range));
    lock_take(&store->publishing);
    Err *err = NULL;
    if (store_view_holds(store->newest, range.level, range.index)) {
        err = store__mark_removed(store, arena, range);
        if (err == NULL)
            store__publish(store, NULL, &range, 1);
    }
    lock_release(&store->publishing);
    return err;
}

void store__runs_refresh(UsageStore *store)
{
    store->runs = rocks_runs(store->rocks, STORE_IDS);
    store->runs_at_us = clock_tick_us();
}

unsigned usage_store_runs(UsageStore *store)
{
    if (clock_tick_us() - store->runs_at_us > RUNS_FRESH_US)
        store__runs_refresh(store);
    return store->runs;
}

bool usage_store_filter_ready(UsageStore *store)
{
    return store->filter_ready;
}

uint64_t usage_store_bytes(UsageStore *store)
{
    return rocks_bytes(store->rocks);
}

void usage_store_interrupt(UsageStore *store)
{
    store->interrupted = true;
}

Err *usage_store_checkpoint(UsageStore *store, Arena *arena, Str folder)
{
    char  reason[ROCKS_REASON];
    char *path = str_terminated(arena, folder);
    char *rocks = str_terminated(arena, str_print(arena, "%s/rocks", path));
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return store__failed(arena, "making the checkpoint's folder", strerror(errno));
    lock_take(&store->publishing);
    bool done = rocks_checkpoint(store->rocks, rocks, reason);
    lock_release(&store->publishing);
    return done ? NULL : store__failed(arena, "making a checkpoint", reason);
}
