// SPDX-License-Identifier: Apache-2.0
// The id filter of the store, brought up behind while the store already serves: loaded and brought
// up to date from newer seals, or built again from all ids. The invariant: `filter_ready` is set
// only when every id of every sealed seal is in it. A seal that is committed once the filter is in
// place adds its own ids first (under `publishing`), so only the seals of the view at that moment
// are to be read.
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/usage_store_inside.h"

enum { BATCH = 1024, SAVE_EVERY = 16 };

typedef struct Batch {
    IdFilter *filter;
    size_t    count;
    Hash128   ids[BATCH];
} Batch;

static void batch_flush(Batch *batch)
{
    id_filter_add(batch->filter, batch->ids, batch->count);
    batch->count = 0;
}

static void batch_take(void *taker, Hash128 id)
{
    Batch *batch = taker;
    batch->ids[batch->count++] = id;
    if (batch->count == BATCH)
        batch_flush(batch);
}

static Str filter_path(const UsageStore *store, Arena *arena)
{
    return str_print(arena, "%s/ids.filter", store->folder);
}

// Puts a filter in place; answers the view of the seals whose ids it may lack.
static StoreView *filter_install(UsageStore *store, IdFilter *filter)
{
    lock_take(&store->publishing);
    store->filter = filter;
    StoreView *view = usage_store_view(store);
    lock_release(&store->publishing);
    return view;
}

static Err *rows_take(UsageStore *store, Arena *arena, StoreView *view, StoreRange range,
                      Batch *batch)
{
    Str          suffix, value;
    Err         *err = NULL;
    StoreIdTake  ids = { batch_take, batch };
    AUTO(Arena)  row_arena = arena_open();
    StoreCursor *cursor = store_cursor_open(view, STORE_EVENTS, STORE_SCAN_ONCE);
    store_cursor_seek(cursor, range, STR(""), STR_NONE);
    while (err == NULL && !store->stopping && store_cursor_next(cursor, &suffix, &value)) {
        StoreRow row = { STORE_EVENTS, suffix, value };
        err = store->hooks.ids_of_row(store->hooks.context, row_arena, &row, &ids);
        if (err != NULL)
            err = refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
        arena_reset(row_arena);
    }
    if (err == NULL)
        err = store_cursor_failure(cursor, arena);
    store_cursor_close(cursor);
    return err;
}

// The ids of the seals [mark, sealed), out of the events rows.
static Err *filter_catch_up(UsageStore *store, Arena *arena, StoreView *view, uint64_t mark)
{
    Batch *batch = arena_new(arena, Batch);
    batch->filter = store->filter;
    for (size_t i = 0; i < view->count; i++)
        if (!store_range_is_extra(view->ranges[i]) && view->ranges[i].end_seal > mark)
            TRY(rows_take(store, arena, view, view->ranges[i], batch));
    batch_flush(batch);
    return NULL;
}

typedef struct Rebuild {
    UsageStore *store;
    Batch       batch;
} Rebuild;

static bool rebuild_take(void *to, RocksBytes key)
{
    Rebuild *rebuild = to;
    if (key.length == 16)
        batch_take(&rebuild->batch, hash_read((const unsigned char *)key.at));
    return !rebuild->store->stopping;
}

static Err *filter_rebuild(UsageStore *store, Arena *arena)
{
    char     reason[ROCKS_REASON];
    Rebuild *rebuild = arena_new(arena, Rebuild);
    rebuild->store = store;
    rebuild->batch.filter = store->filter;
    if (!rocks_each_key(store->rocks, STORE_IDS, rebuild_take, rebuild, reason))
        return store__failed(arena, "reading ids for the filter", reason);
    batch_flush(&rebuild->batch);
    return NULL;
}

// A saved filter that reaches past the store belongs to another history: it goes, for good.
static IdFilter *filter_load_fitting(UsageStore *store, Arena *arena, uint64_t *mark)
{
    IdFilter *filter;
    Str       path = filter_path(store, arena);
    id_filter_load(path, &filter, mark);
    StoreView *view = usage_store_view(store);
    bool fits =
        filter != NULL && *mark <= store_view_sealed(view) && store->hooks.ids_of_row != NULL;
    store_view_release(view);
    if (fits)
        return filter;
    id_filter_close(filter);
    unlink(str_terminated(arena, path));
    return NULL;
}

static void *filter_run(void *argument)
{
    UsageStore *store = argument;
    AUTO(Arena) arena = arena_open();
    int64_t     began = clock_tick_us();
    uint64_t    mark = 0;
    IdFilter   *loaded = filter_load_fitting(store, arena, &mark);
    StoreView *view =
        filter_install(store, loaded != NULL ? loaded : id_filter_open(store->filter_bits));
    Err        *err = NULL;
    if (loaded != NULL)
        err = filter_catch_up(store, arena, view, mark);
    if (loaded == NULL || err != NULL) {
        mark = 0;
        err = filter_rebuild(store, arena);
    }
    store_view_release(view);
    if (err != NULL || store->stopping)
        return NULL;
    store->filter_saved = mark;
    store->filter_ready = true;
    log_line(LOG_INFO, "the id filter is ready ids=%llu from_file=%d ms=%lld",
             (unsigned long long)id_filter_count(store->filter), loaded != NULL,
             (long long)((clock_tick_us() - began) / 1000));
    return NULL;
}

// A new store's filter is empty and ready at once.
void store__filter_start(UsageStore *store)
{
    if (store->newest->sealed > 0) {
        thread_start(&store->filter_thread, "id-filter", filter_run, store);
        return;
    }
    AUTO(Arena) arena = arena_open();
    unlink(str_terminated(arena, filter_path(store, arena)));
    store->filter = id_filter_open(store->filter_bits);
    store->filter_ready = true;
}

void store__filter_stop(UsageStore *store)
{
    store->stopping = true;
    thread_join(&store->filter_thread);
    id_filter_close(store->filter);
    store->filter = NULL;
}

// The seals of a view that was taken before are all in the filter.
Err *store__filter_save(UsageStore *store, Arena *arena)
{
    if (!store->filter_ready)
        return NULL;
    StoreView *view = usage_store_view(store);
    uint64_t   sealed = store_view_sealed(view);
    store_view_release(view);
    if (sealed / SAVE_EVERY <= store->filter_saved / SAVE_EVERY)
        return NULL;
    TRY(id_filter_save(store->filter, arena, filter_path(store, arena), sealed));
    store->filter_saved = sealed;
    store__step(store, "filter saved");
    return NULL;
}
