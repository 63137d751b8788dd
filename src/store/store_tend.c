// SPDX-License-Identifier: Apache-2.0
// Work behind the seals: folding 16 ranges into one, and dropping the files of folded ones. A fold
// reads fixed ranges and hands rows to pure hooks, so doing it again gives the same rows; its one
// ingest replaces the 16 at once.
#include <string.h>

#include "base/assert.h"
#include "store/usage_store_inside.h"

typedef struct Source {
    StoreCursor *cursor;
    bool         has;
    Str          suffix, value;
} Source;

struct StoreEmit {
    StoreWriter *writer;
    StoreFamily  family;
    bool         has_meta;
    Text         meta;
};

typedef struct Fold {
    UsageStore *store;
    StoreView  *view;
    StoreRange  into;
    Arena      *arena;  // of the hooks' state
    Arena      *row_arena;
    void       *state;
    StoreEmit   emit;
} Fold;

static const StoreFamily FOLDED[] = { STORE_EVENTS, STORE_CELLS, STORE_CHANGES };

Err *store_emit(StoreEmit *emit, Arena *arena, Str suffix, Str value)
{
    if (emit->family != STORE_META)
        return store_writer_put(emit->writer, arena, emit->family, suffix, value);
    assert_that(!emit->has_meta && suffix.length == 0);
    emit->has_meta = true;
    text_add(&emit->meta, value);
    return NULL;
}

// The err of a row is in an arena that does not live on.
static Err *err_move(Arena *arena, const Err *err)
{
    return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
}

static Err *row_give(Fold *fold, StoreFamily family, Str suffix, Str value)
{
    const StoreHooks *hooks = &fold->store->hooks;
    if (hooks->merge_row == NULL)
        return family == STORE_META ? NULL : store_emit(&fold->emit, fold->arena, suffix, value);
    StoreRow row = { family, suffix, value };
    Err     *err = hooks->merge_row(fold->state, fold->row_arena, &row, &fold->emit);
    if (err != NULL)
        return err_move(fold->arena, err);
    arena_reset(fold->row_arena);
    return NULL;
}

static Err *family_over(Fold *fold, StoreFamily family)
{
    const StoreHooks *hooks = &fold->store->hooks;
    return hooks->merge_end == NULL
               ? NULL
               : hooks->merge_end(fold->state, fold->arena, family, &fold->emit);
}

// The source with the lowest suffix; of equal ones the oldest range.
static Source *lowest(Source *sources)
{
    Source *best = NULL;
    for (size_t i = 0; i < STORE_FOLD; i++)
        if (sources[i].has && (best == NULL || str_compare(sources[i].suffix, best->suffix) < 0))
            best = &sources[i];
    return best;
}

static Err *sources_fold(Fold *fold, StoreFamily family, Source *sources)
{
    for (Source *source; (source = lowest(sources)) != NULL && !fold->store->interrupted;) {
        TRY(row_give(fold, family, source->suffix, source->value));
        source->has = store_cursor_next(source->cursor, &source->suffix, &source->value);
    }
    for (size_t i = 0; i < STORE_FOLD; i++)
        TRY(store_cursor_failure(sources[i].cursor, fold->arena));
    return fold->store->interrupted ? NULL : family_over(fold, family);
}

static StoreRange part_of(const Fold *fold, size_t i)
{
    return store_range((uint8_t)(fold->into.level - 1), fold->into.index * STORE_FOLD + i);
}

static Err *family_fold(Fold *fold, StoreFamily family)
{
    Source sources[STORE_FOLD] = { 0 };
    fold->emit.family = family;
    for (size_t i = 0; i < STORE_FOLD; i++) {
        Source *source = &sources[i];
        source->cursor = store_cursor_open(fold->view, family, STORE_SCAN_ONCE);
        store_cursor_seek(source->cursor, part_of(fold, i), STR(""), STR_NONE);
        source->has = store_cursor_next(source->cursor, &source->suffix, &source->value);
    }
    Err *err = sources_fold(fold, family, sources);
    for (size_t i = 0; i < STORE_FOLD; i++)
        store_cursor_close(sources[i].cursor);
    return err;
}

static Err *meta_fold(Fold *fold)
{
    Str meta = STR("");
    fold->emit.family = STORE_META;
    for (size_t i = 0; i < STORE_FOLD; i++) {
        TRY(usage_store_meta(fold->view, fold->arena, part_of(fold, i), &meta));
        TRY(row_give(fold, STORE_META, STR(""), meta));
    }
    if (fold->store->hooks.merge_row == NULL)
        return store_emit(&fold->emit, fold->arena, STR(""), meta);
    return family_over(fold, STORE_META);
}

static Err *families_fold(Fold *fold)
{
    for (size_t i = 0; i < sizeof FOLDED / sizeof *FOLDED; i++)
        TRY(family_fold(fold, FOLDED[i]));
    return meta_fold(fold);
}

static Err *fold_run(Fold *fold, Arena *arena)
{
    const StoreHooks *hooks = &fold->store->hooks;
    if (hooks->merge_begin != NULL)
        fold->state = hooks->merge_begin(hooks->context, fold->arena, fold->into);
    fold->emit = (StoreEmit){ .writer = store__writer_open(fold->store, fold->into),
                              .meta = text_open_own() };
    Err *err = families_fold(fold);
    if (hooks->merge_close != NULL)
        hooks->merge_close(fold->state);
    bool commits = err == NULL && !fold->store->interrupted;
    if (err != NULL)
        err = err_move(arena, err);
    if (commits)
        err = store_writer_commit(fold->emit.writer, arena, text_str(&fold->emit.meta), NULL, 0);
    else
        store_writer_close(fold->emit.writer);
    text_close(&fold->emit.meta);
    return err;
}

static Err *fold_into(UsageStore *store, Arena *arena, StoreRange into)
{
    AUTO(Arena) state_arena = arena_open();
    AUTO(Arena) row_arena = arena_open();
    Fold fold = { .store = store, .into = into, .arena = state_arena, .row_arena = row_arena };
    fold.view = usage_store_view(store);
    Err *err = fold_run(&fold, arena);
    store_view_release(fold.view);
    return err;
}

// The range that 16 complete ones can become: the lowest level first, because it is the cheapest.
static bool fold_due(const StoreView *view, StoreRange *into)
{
    bool found = false;
    for (size_t i = 0; i + STORE_FOLD <= view->count; i++) {
        StoreRange first = view->ranges[i], last = view->ranges[i + STORE_FOLD - 1];
        bool due = first.level + 1 < STORE_LEVELS && first.index % STORE_FOLD == 0
                   && last.level == first.level && last.index == first.index + STORE_FOLD - 1;
        if (due && (!found || first.level + 1 < into->level)) {
            *into = store_range((uint8_t)(first.level + 1), first.index / STORE_FOLD);
            found = true;
        }
    }
    return found;
}

// ---- dropping

// Takes one entry off that no living view can name.
static bool retired_take(UsageStore *store, RetiredRanges *retired)
{
    bool found = false;
    lock_take(&store->lock);
    for (size_t i = 0; i < store->retired.count && !found; i++) {
        if (store->retired.at[i].version > store->oldest->version)
            continue;
        *retired = store->retired.at[i];
        memmove(&store->retired.at[i], &store->retired.at[i + 1],
                (--store->retired.count - i) * sizeof(RetiredRanges));
        found = true;
    }
    lock_release(&store->lock);
    return found;
}

static bool drop_meta(UsageStore *store, uint8_t kind, const RetiredRanges *retired, char *reason)
{
    char from[STORE_META_KEY], to[STORE_META_KEY];
    store__meta_key(kind, retired->level, retired->from, from);
    store__meta_key(kind, retired->level, retired->end, to);
    return rocks_drop(store->rocks, STORE_META, (RocksBytes){ from, sizeof from },
                      (RocksBytes){ to, sizeof to }, reason);
}

// Rows first, then the META row, then the mark of removal: whatever a crash leaves is found again.
static Err *drop(UsageStore *store, Arena *arena, const RetiredRanges *retired)
{
    char from[STORE_PREFIX], to[STORE_PREFIX], reason[ROCKS_REASON];
    store__prefix(retired->level, retired->from, from);
    store__prefix(retired->level, retired->end, to);
    bool done = true;
    for (size_t i = 0; i < sizeof FOLDED / sizeof *FOLDED && done; i++) {
        store__step(store, "before drop");
        done = rocks_drop(store->rocks, (int)FOLDED[i], (RocksBytes){ from, sizeof from },
                          (RocksBytes){ to, sizeof to }, reason);
    }
    store__step(store, "before drop");
    done = done && drop_meta(store, META_RANGE, retired, reason);
    store__step(store, "before drop");
    if (retired->level >= STORE_EXTRA_LEVEL)
        done = done && drop_meta(store, META_REMOVED, retired, reason);
    return done ? NULL : store__failed(arena, "dropping files", reason);
}

Err *store__sweep(UsageStore *store, Arena *arena)
{
    RetiredRanges retired;
    while (retired_take(store, &retired))
        TRY(drop(store, arena, &retired));
    return NULL;
}

Err *usage_store_tend(UsageStore *store, Arena *arena, bool *more)
{
    StoreView *view = usage_store_view(store);
    StoreRange into;
    bool       due = fold_due(view, &into) && !store->interrupted;
    store_view_release(view);
    if (due)
        TRY(fold_into(store, arena, into));
    TRY(store__sweep(store, arena));
    TRY(store__filter_save(store, arena));
    view = usage_store_view(store);
    *more = fold_due(view, &into) && !store->interrupted;
    store_view_release(view);
    return NULL;
}
