// SPDX-License-Identifier: Apache-2.0
// Writing a range: one or more sorted files a family, put beside the store, then taken in by one
// call together with the META row that makes the range count. Until that call nothing has happened.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "store/usage_store_inside.h"

enum { FILE_BYTES = 256 << 20 };

typedef struct WrittenFile {
    StoreFamily family;
    char       *path;
} WrittenFile;

struct StoreWriter {
    UsageStore *store;
    StoreRange  range;
    RocksFile  *open[STORE_FAMILIES];
    VECTOR(WrittenFile) files;
    VECTOR(Hash128) ids;
    Text key;
};

StoreWriter *store__writer_open(UsageStore *store, StoreRange range)
{
    StoreWriter *writer = memory_take(sizeof(StoreWriter));
    writer->store = store;
    writer->range = range;
    writer->key = text_open_own();
    return writer;
}

// An extra range's files must be gone before its name is used again.
static bool still_retired(UsageStore *store, StoreRange range)
{
    bool found = false;
    lock_take(&store->lock);
    for (size_t i = 0; i < store->retired.count && !found; i++) {
        const RetiredRanges *retired = &store->retired.at[i];
        found = retired->level == range.level && range.index >= retired->from
                && range.index < retired->end;
    }
    lock_release(&store->lock);
    return found;
}

Err *store_writer_open(UsageStore *store, Arena *arena, StoreRange range, StoreWriter **writer)
{
    StoreView *view = usage_store_view(store);
    bool       held = store_view_holds(view, range.level, range.index);
    bool       next = range.level == 0 && range.index == view->sealed;
    store_view_release(view);
    assert_that(next || (store_range_is_extra(range) && !held));
    if (!next) {
        TRY(store__sweep(store, arena));
        if (still_retired(store, range))
            return refuse(arena, ERR_STORE_BUSY, STR_NONE, "the range is still being read");
    }
    *writer = store__writer_open(store, range);
    return NULL;
}

static Err *family_begin(StoreWriter *writer, Arena *arena, StoreFamily family)
{
    UsageStore *store = writer->store;
    char        reason[ROCKS_REASON];
    size_t      room = strlen(store->folder) + 48;
    char       *path = memory_take(room);
    snprintf(path, room, "%s/incoming/%llu.sst", store->folder,
             (unsigned long long)store->next_file++);
    vector_push(&writer->files, ((WrittenFile){ family, path }));
    if (rocks_file_open(store->rocks, (int)family, path, &writer->open[family], reason))
        return NULL;
    return store__failed(arena, "making a file", reason);
}

static Err *family_end(StoreWriter *writer, Arena *arena, StoreFamily family)
{
    char reason[ROCKS_REASON];
    if (writer->open[family] == NULL)
        return NULL;
    bool done = rocks_file_finish(writer->open[family], reason);
    rocks_file_close(writer->open[family]);
    writer->open[family] = NULL;
    if (!done)
        return store__failed(arena, "finishing a file", reason);
    store__step(writer->store, "file");
    return NULL;
}

static Err *put(StoreWriter *writer, Arena *arena, StoreFamily family, Str key, Str value)
{
    char reason[ROCKS_REASON];
    if (writer->open[family] != NULL && rocks_file_bytes(writer->open[family]) >= FILE_BYTES)
        TRY(family_end(writer, arena, family));
    if (writer->open[family] == NULL)
        TRY(family_begin(writer, arena, family));
    if (rocks_file_put(writer->open[family], store__bytes(key), store__bytes(value), reason))
        return NULL;
    return store__failed(arena, "writing a row", reason);
}

Err *store_writer_put(StoreWriter *writer, Arena *arena, StoreFamily family, Str suffix, Str value)
{
    assert_that(family != STORE_META);
    if (family == STORE_IDS) {
        assert_that(suffix.length == 16 && writer->range.level == 0);
        vector_push(&writer->ids, hash_read((const unsigned char *)suffix.at));
        return put(writer, arena, family, suffix, value);
    }
    char prefix[STORE_PREFIX];
    store__prefix(writer->range.level, writer->range.index, prefix);
    text_clear(&writer->key);
    text_add_bytes(&writer->key, prefix, sizeof prefix);
    text_add(&writer->key, suffix);
    return put(writer, arena, family, text_str(&writer->key), value);
}

// Each META row is alone in its file, so that it overlaps nothing and can be dropped alone.
static Err *meta_put(StoreWriter *writer, Arena *arena, uint8_t kind, StoreRange range, Str value)
{
    char key[STORE_META_KEY];
    store__meta_key(kind, range.level, range.index, key);
    TRY(put(writer, arena, STORE_META, (Str){ key, sizeof key }, value));
    return family_end(writer, arena, STORE_META);
}

static Err *take_in(StoreWriter *writer, Arena *arena)
{
    char         reason[ROCKS_REASON];
    size_t       count = writer->files.count;
    RocksIngest *files = arena_array(arena, RocksIngest, count);
    for (size_t i = 0; i < count; i++)
        files[i] = (RocksIngest){ (int)writer->files.at[i].family, writer->files.at[i].path };
    store__step(writer->store, "before ingest");
    if (!rocks_ingest(writer->store->rocks, files, count, reason))
        return store__failed(arena, "taking in files", reason);
    store__step(writer->store, "after ingest");
    return NULL;
}

static Err *finish_files(StoreWriter *writer, Arena *arena, Str meta, const StoreRange *replaces,
                         size_t count)
{
    for (int family = 0; family < STORE_META; family++)
        TRY(family_end(writer, arena, (StoreFamily)family));
    TRY(meta_put(writer, arena, META_RANGE, writer->range, meta));
    for (size_t i = 0; i < count; i++)
        TRY(meta_put(writer, arena, META_REMOVED, replaces[i], STR("")));
    return NULL;
}

Err *store_writer_commit(StoreWriter *writer, Arena *arena, Str meta, const StoreRange *replaces,
                         size_t count)
{
    UsageStore *store = writer->store;
    Err        *err = finish_files(writer, arena, meta, replaces, count);
    lock_take(&store->publishing);
    if (err == NULL && store->filter != NULL)
        id_filter_add(store->filter, writer->ids.at, writer->ids.count);
    if (err == NULL)
        err = take_in(writer, arena);
    if (err == NULL)
        store__publish(store, &writer->range, replaces, count);
    lock_release(&store->publishing);
    store__runs_refresh(store);
    store_writer_close(writer);
    return err;
}

// Files that were taken in are no longer there under these names.
void store_writer_close(StoreWriter *writer)
{
    if (writer == NULL)
        return;
    for (int family = 0; family < STORE_FAMILIES; family++)
        rocks_file_close(writer->open[family]);
    for (size_t i = 0; i < writer->files.count; i++) {
        unlink(writer->files.at[i].path);
        memory_release(writer->files.at[i].path);
    }
    vector_release(&writer->files);
    vector_release(&writer->ids);
    text_close(&writer->key);
    memory_release(writer);
}

Err *store__mark_removed(UsageStore *store, Arena *arena, StoreRange range)
{
    StoreWriter *writer = store__writer_open(store, range);
    Err         *err = meta_put(writer, arena, META_REMOVED, range, STR(""));
    if (err == NULL)
        err = take_in(writer, arena);
    store_writer_close(writer);
    return err;
}
