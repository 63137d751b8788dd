// SPDX-License-Identifier: Apache-2.0
// The usage store with a toy flow: seals, folds, views, extra ranges, ids, the filter.
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>

#include "base/thread.h"
#include "toy_flow.h"

#include "store/usage_store_inside.h"

typedef struct Bench {
    Arena      *arena;
    const char *folder;
    UsageStore *store;
} Bench;

static Bench bench_open(const char *name)
{
    Bench bench = { .arena = arena_open(), .folder = toy_folder(name) };
    log_threshold(LOG_ERROR + 1);
    assert_null(toy_open(bench.arena, bench.folder, toy_hooks(), &bench.store));
    return bench;
}

static void reopen(Bench *bench)
{
    usage_store_close(bench->store);
    bench->store = NULL;
    assert_null(toy_open(bench->arena, bench->folder, toy_hooks(), &bench->store));
}

static void bench_close(Bench *bench)
{
    usage_store_close(bench->store);
    toy_folder_remove(bench->folder);
    arena_close(bench->arena);
}

static void seal(Bench *bench, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_null(toy_seal(bench->store, bench->arena));
}

static void assert_right(Bench *bench, uint64_t sealed)
{
    StoreView *view = usage_store_view(bench->store);
    assert_int_equal(store_view_sealed(view), sealed);
    assert_true(toy_view_right(view));
    assert_true(toy_ids_right(bench->store, sealed));
    store_view_release(view);
}

static size_t ranges_count(Bench *bench)
{
    size_t     count;
    StoreView *view = usage_store_view(bench->store);
    store_view_ranges(view, &count);
    store_view_release(view);
    return count;
}

static void ranges_are_powers_of_16(void **state)
{
    (void)state;
    StoreRange seal_7 = store_range(0, 7), third = store_range(3, 2), extra = store_range(0xF0, 12);
    assert_int_equal(seal_7.first_seal, 7);
    assert_int_equal(seal_7.end_seal, 8);
    assert_int_equal(third.first_seal, 2 * 4096);
    assert_int_equal(third.end_seal, 3 * 4096);
    assert_true(store_range_is_extra(extra) && !store_range_is_extra(third));
    assert_int_equal(extra.end_seal, 0);
}

static void a_new_store_is_empty(void **state)
{
    (void)state;
    Bench bench = bench_open("new");
    assert_right(&bench, 0);
    assert_true(usage_store_filter_ready(bench.store));
    assert_int_equal(usage_store_runs(bench.store), 0);
    reopen(&bench);
    assert_right(&bench, 0);
    bench_close(&bench);
}

static void seals_come_back(void **state)
{
    (void)state;
    Bench bench = bench_open("seals");
    seal(&bench, 5);
    assert_right(&bench, 5);
    assert_int_equal(ranges_count(&bench), 5);
    assert_int_equal(usage_store_runs(bench.store), rocks_runs(bench.store->rocks, STORE_IDS));
    reopen(&bench);
    assert_right(&bench, 5);
    seal(&bench, 3);
    assert_right(&bench, 8);
    assert_int_equal(toy_file_count(bench.folder, "sst"), 0);
    bench_close(&bench);
}

static void a_seal_without_rows_counts(void **state)
{
    (void)state;
    Bench        bench = bench_open("empty");
    StoreWriter *writer;
    Str          meta;
    assert_null(store_writer_open(bench.store, bench.arena, store_range(0, 0), &writer));
    assert_null(store_writer_commit(writer, bench.arena, STR("nothing"), NULL, 0));
    reopen(&bench);
    StoreView *view = usage_store_view(bench.store);
    assert_int_equal(store_view_sealed(view), 1);
    assert_null(usage_store_meta(view, bench.arena, store_range(0, 0), &meta));
    assert_true(str_equal(meta, STR("nothing")));
    store_view_release(view);
    bench_close(&bench);
}

static void a_writer_that_is_closed_leaves_nothing(void **state)
{
    (void)state;
    Bench        bench = bench_open("closed");
    StoreWriter *writer;
    seal(&bench, 1);
    assert_null(store_writer_open(bench.store, bench.arena, store_range(0, 1), &writer));
    assert_null(store_writer_put(writer, bench.arena, STORE_CELLS, STR("x"), STR("y")));
    store_writer_close(writer);
    assert_right(&bench, 1);
    seal(&bench, 1);
    assert_right(&bench, 2);
    bench_close(&bench);
}

static void rows_out_of_order_are_refused(void **state)
{
    (void)state;
    Bench        bench = bench_open("order");
    StoreWriter *writer;
    assert_null(store_writer_open(bench.store, bench.arena, store_range(0, 0), &writer));
    assert_null(store_writer_put(writer, bench.arena, STORE_CELLS, STR("b"), STR("1")));
    assert_int_equal(store_writer_put(writer, bench.arena, STORE_CELLS, STR("a"), STR("1"))->code,
                     ERR_STORE_FAILED);
    store_writer_close(writer);
    bench_close(&bench);
}

// ---- folds

static void sixteen_seals_become_one_range(void **state)
{
    (void)state;
    Bench bench = bench_open("fold");
    seal(&bench, 15);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_int_equal(ranges_count(&bench), 15);
    seal(&bench, 1);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_int_equal(ranges_count(&bench), 1);
    assert_right(&bench, 16);
    assert_int_equal(rocks_files(bench.store->rocks, STORE_EVENTS), 1);
    assert_int_equal(rocks_files(bench.store->rocks, STORE_CELLS), 1);
    assert_int_equal(rocks_files(bench.store->rocks, STORE_META), 1);
    seal(&bench, 20);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_int_equal(ranges_count(&bench), 2 + 4);
    assert_right(&bench, 36);
    reopen(&bench);
    assert_right(&bench, 36);
    assert_int_equal(ranges_count(&bench), 6);
    bench_close(&bench);
}

static void folds_fold_again(void **state)
{
    (void)state;
    Bench bench = bench_open("levels");
    for (int i = 0; i < 300; i++) {
        seal(&bench, 1);
        assert_null(toy_tend_all(bench.store, bench.arena));
    }
    StoreView *view = usage_store_view(bench.store);
    assert_true(store_view_holds(view, 2, 0));
    store_view_release(view);
    assert_int_equal(ranges_count(&bench), 1 + 2 + 12);
    assert_right(&bench, 300);
    reopen(&bench);
    assert_right(&bench, 300);
    bench_close(&bench);
}

// Folded late, all at once: the same rows as folded in time.
static void when_folds_are_done_does_not_matter(void **state)
{
    (void)state;
    uint64_t hashes[2];
    for (int late = 0; late < 2; late++) {
        Bench bench = bench_open(late ? "late" : "early");
        for (int i = 0; i < 40; i++) {
            seal(&bench, 1);
            if (!late)
                assert_null(toy_tend_all(bench.store, bench.arena));
        }
        assert_null(toy_tend_all(bench.store, bench.arena));
        StoreView *view = usage_store_view(bench.store);
        hashes[late] = toy_hash(view);
        store_view_release(view);
        bench_close(&bench);
    }
    assert_int_equal(hashes[0], hashes[1]);
}

static void without_hooks_rows_pass(void **state)
{
    (void)state;
    AUTO(Arena)  arena = arena_open();
    const char  *folder = toy_folder("plain");
    UsageStore  *store;
    StoreHooks   none = { 0 };
    assert_null(toy_open(arena, folder, none, &store));
    for (uint64_t n = 0; n < 16; n++) {
        StoreWriter *writer;
        char         suffix[8];
        bytes_put_u64_be(suffix, 100 - n);
        assert_null(store_writer_open(store, arena, store_range(0, n), &writer));
        assert_null(store_writer_put(writer, arena, STORE_CELLS, (Str){ suffix, 8 }, STR("v")));
        assert_null(store_writer_commit(writer, arena, (Str){ suffix, 8 }, NULL, 0));
    }
    assert_null(toy_tend_all(store, arena));
    StoreView *view = usage_store_view(store);
    Str        suffix, value, meta;
    assert_null(usage_store_meta(view, arena, store_range(1, 0), &meta));
    assert_int_equal(bytes_u64_be(meta.at), 85);
    StoreCursor *cursor = store_cursor_open(view, STORE_CELLS, STORE_SCAN_CACHED);
    store_cursor_seek(cursor, store_range(1, 0), STR(""), STR_NONE);
    for (uint64_t n = 85; n <= 100; n++) {
        assert_true(store_cursor_next(cursor, &suffix, &value));
        assert_int_equal(bytes_u64_be(suffix.at), n);
    }
    assert_false(store_cursor_next(cursor, &suffix, &value));
    store_cursor_close(cursor);
    store_view_release(view);
    usage_store_close(store);
    toy_folder_remove(folder);
}

// ---- views

static void a_view_stays_while_all_changes(void **state)
{
    (void)state;
    Bench bench = bench_open("views");
    seal(&bench, 16);
    StoreView *old = usage_store_view(bench.store);
    uint64_t   hash = toy_hash(old);
    seal(&bench, 40);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_int_equal(store_view_sealed(old), 16);
    assert_int_equal(toy_hash(old), hash);
    assert_true(toy_view_right(old));
    // Its files are there until it goes, and then they go too.
    assert_true(rocks_files(bench.store->rocks, STORE_CELLS) > 16 + 3 + 8);
    store_view_release(old);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_int_equal(rocks_files(bench.store->rocks, STORE_CELLS), 3 + 8);
    assert_int_equal(rocks_files(bench.store->rocks, STORE_META), 3 + 8);
    assert_right(&bench, 56);
    bench_close(&bench);
}

static void a_cursor_keeps_its_view(void **state)
{
    (void)state;
    Bench bench = bench_open("cursor");
    Str   suffix, value;
    seal(&bench, 16);
    StoreView   *view = usage_store_view(bench.store);
    StoreCursor *cursor = store_cursor_open(view, STORE_CELLS, STORE_SCAN_CACHED);
    store_view_release(view);
    assert_null(toy_tend_all(bench.store, bench.arena));
    store_cursor_seek(cursor, store_range(0, 3), STR(""), STR_NONE);
    for (int i = 0; i < TOY_ACCOUNTS; i++)
        assert_true(store_cursor_next(cursor, &suffix, &value));
    assert_false(store_cursor_next(cursor, &suffix, &value));
    store_cursor_close(cursor);
    bench_close(&bench);
}

static void cursors_seek_prefixes_and_places(void **state)
{
    (void)state;
    static const char *const keys[] = { "a", "aa", "ab", "ab1", "ab3", "ac", "b" };
    Bench        bench = bench_open("prefix");
    StoreWriter *writer;
    Str          suffix, value;
    assert_null(store_writer_open(bench.store, bench.arena, store_range(0, 0), &writer));
    for (size_t i = 0; i < 7; i++)
        assert_null(
            store_writer_put(writer, bench.arena, STORE_CELLS, str_of(keys[i]), str_of(keys[i])));
    assert_null(store_writer_commit(writer, bench.arena, STR(""), NULL, 0));
    seal(&bench, 1);
    StoreView   *view = usage_store_view(bench.store);
    StoreCursor *cursor = store_cursor_open(view, STORE_CELLS, STORE_SCAN_CACHED);
    store_cursor_seek(cursor, store_range(0, 0), STR("ab"), STR_NONE);
    for (size_t i = 2; i < 5; i++) {
        assert_true(store_cursor_next(cursor, &suffix, &value));
        assert_true(str_equal(suffix, str_of(keys[i])) && str_equal(value, suffix));
    }
    assert_false(store_cursor_next(cursor, &suffix, &value));
    store_cursor_seek(cursor, store_range(0, 0), STR("ab"), STR("ab2"));
    assert_true(store_cursor_next(cursor, &suffix, &value));
    assert_true(str_equal(suffix, STR("ab3")));
    store_cursor_seek(cursor, store_range(0, 0), STR("z"), STR_NONE);
    assert_false(store_cursor_next(cursor, &suffix, &value));
    store_cursor_close(cursor);
    store_view_release(view);
    bench_close(&bench);
}

typedef struct Beside {
    UsageStore      *store;
    _Atomic bool     done;
    _Atomic uint64_t wrong, reads;
} Beside;

static void *read_beside(void *argument)
{
    Beside  *beside = argument;
    uint64_t last = 0;
    while (!beside->done) {
        StoreView *view = usage_store_view(beside->store);
        uint64_t   sealed = store_view_sealed(view);
        beside->wrong += sealed < last || !toy_view_right(view);
        last = sealed;
        store_view_release(view);
        beside->reads++;
    }
    return NULL;
}

static void *tend_beside(void *argument)
{
    Beside *beside = argument;
    bool    more;
    AUTO(Arena) arena = arena_open();
    while (!beside->done) {
        beside->wrong += usage_store_tend(beside->store, arena, &more) != NULL;
        sched_yield();
    }
    return NULL;
}

static void readers_agree_while_seals_and_folds_run(void **state)
{
    (void)state;
    Bench  bench = bench_open("beside");
    Beside beside = { .store = bench.store };
    Thread reader = { 0 }, tender = { 0 };
    thread_start(&reader, "reader", read_beside, &beside);
    thread_start(&tender, "tender", tend_beside, &beside);
    seal(&bench, 80);
    while (beside.reads < 3)
        sched_yield();
    beside.done = true;
    thread_join(&reader);
    thread_join(&tender);
    assert_int_equal(beside.wrong, 0);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_right(&bench, 80);
    bench_close(&bench);
}

static void an_interrupted_fold_leaves_all_as_it_was(void **state)
{
    (void)state;
    Bench bench = bench_open("interrupt");
    bool  more;
    seal(&bench, 16);
    usage_store_interrupt(bench.store);
    assert_null(usage_store_tend(bench.store, bench.arena, &more));
    assert_false(more);
    assert_int_equal(ranges_count(&bench), 16);
    reopen(&bench);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_int_equal(ranges_count(&bench), 1);
    assert_right(&bench, 16);
    bench_close(&bench);
}

// ---- extra ranges

static Err *extra_write(Bench *bench, uint64_t index, Str row, const StoreRange *replaces,
                        size_t count)
{
    StoreWriter *writer;
    TRY(store_writer_open(bench->store, bench->arena, store_range(0xF0, index), &writer));
    Err *err = store_writer_put(writer, bench->arena, STORE_CELLS, STR("k"), row);
    if (err != NULL) {
        store_writer_close(writer);
        return err;
    }
    return store_writer_commit(writer, bench->arena, row, replaces, count);
}

static bool extra_is(StoreView *view, Arena *arena, uint64_t index, Str row)
{
    Str suffix, value, meta;
    if (!store_view_holds(view, 0xF0, index))
        return false;
    StoreCursor *cursor = store_cursor_open(view, STORE_CELLS, STORE_SCAN_CACHED);
    store_cursor_seek(cursor, store_range(0xF0, index), STR("k"), STR_NONE);
    bool same = store_cursor_next(cursor, &suffix, &value) && str_equal(value, row);
    store_cursor_close(cursor);
    assert_null(usage_store_meta(view, arena, store_range(0xF0, index), &meta));
    return same && str_equal(meta, row);
}

static void extra_ranges_come_and_go(void **state)
{
    (void)state;
    Bench bench = bench_open("extra");
    seal(&bench, 3);
    assert_null(extra_write(&bench, 7, STR("one"), NULL, 0));
    assert_null(extra_write(&bench, 1ull << 40, STR("two"), NULL, 0));
    seal(&bench, 13);
    assert_null(toy_tend_all(bench.store, bench.arena));
    reopen(&bench);
    StoreView *view = usage_store_view(bench.store);
    assert_true(extra_is(view, bench.arena, 7, STR("one")));
    assert_true(extra_is(view, bench.arena, 1ull << 40, STR("two")));
    assert_int_equal(ranges_count(&bench), 3);

    assert_null(usage_store_remove_extra(bench.store, bench.arena, store_range(0xF0, 7)));
    assert_true(extra_is(view, bench.arena, 7, STR("one")));
    assert_int_equal(ranges_count(&bench), 2);
    assert_int_equal(extra_write(&bench, 7, STR("three"), NULL, 0)->code, ERR_STORE_BUSY);
    store_view_release(view);
    assert_null(extra_write(&bench, 7, STR("three"), NULL, 0));
    reopen(&bench);
    view = usage_store_view(bench.store);
    assert_true(extra_is(view, bench.arena, 7, STR("three")));
    store_view_release(view);
    assert_right(&bench, 16);
    bench_close(&bench);
}

static void an_extra_range_replaces_others_in_one_step(void **state)
{
    (void)state;
    Bench      bench = bench_open("replace");
    StoreRange gone[2] = { store_range(0xF0, 1), store_range(0xF0, 2) };
    assert_null(extra_write(&bench, 1, STR("one"), NULL, 0));
    assert_null(extra_write(&bench, 2, STR("two"), NULL, 0));
    assert_null(extra_write(&bench, 3, STR("both"), gone, 2));
    assert_int_equal(ranges_count(&bench), 1);
    usage_store_close(bench.store);
    assert_null(toy_open(bench.arena, bench.folder, toy_hooks(), &bench.store));
    assert_int_equal(ranges_count(&bench), 1);
    assert_int_equal(rocks_files(bench.store->rocks, STORE_META), 1);
    assert_int_equal(rocks_files(bench.store->rocks, STORE_CELLS), 1);
    bench_close(&bench);
}

// ---- the filter

static void wait_for_filter(Bench *bench)
{
    while (!usage_store_filter_ready(bench->store))
        usleep(1000);
}

static void the_filter_is_loaded_and_brought_up_to_date(void **state)
{
    (void)state;
    Bench bench = bench_open("filter");
    seal(&bench, 16);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_int_equal(toy_file_count(bench.folder, ".filter"), 1);
    seal(&bench, 21);
    reopen(&bench);
    seal(&bench, 2);  // while it loads, perhaps
    assert_right(&bench, 39);
    wait_for_filter(&bench);
    assert_right(&bench, 39);
    // 16 from the file, 21 or more out of events: nothing was read twice but what came meanwhile.
    assert_in_range(id_filter_count(bench.store->filter), 39 * TOY_EVENTS, 41 * TOY_EVENTS);
    bench_close(&bench);
}

static void a_missing_or_damaged_filter_is_built_again(void **state)
{
    (void)state;
    Bench bench = bench_open("rebuild");
    char  path[160];
    seal(&bench, 18);
    assert_null(toy_tend_all(bench.store, bench.arena));
    snprintf(path, sizeof path, "%s/ids.filter", bench.folder);
    for (int damage = 0; damage < 2; damage++) {
        if (damage == 0)
            assert_int_equal(unlink(path), 0);
        else
            assert_int_equal(truncate(path, 100), 0);
        reopen(&bench);
        assert_true(toy_ids_right(bench.store, 18));
        wait_for_filter(&bench);
        assert_right(&bench, 18);
        assert_int_equal(id_filter_count(bench.store->filter), 18 * TOY_EVENTS);
        assert_null(toy_tend_all(bench.store, bench.arena));
        assert_int_equal(access(path, F_OK), 0);
    }
    bench_close(&bench);
}

// A filter file of a longer history than the store's must not rule ids out later.
static void a_filter_of_another_history_is_dropped(void **state)
{
    (void)state;
    Bench long_one = bench_open("long");
    char  from[200], to[200], folder[160];
    snprintf(folder, sizeof folder, "%s", long_one.folder);
    long_one.folder = folder;
    seal(&long_one, 32);
    assert_null(toy_tend_all(long_one.store, long_one.arena));
    Bench bench = bench_open("short");
    seal(&bench, 3);
    usage_store_close(bench.store);
    snprintf(from, sizeof from, "%s/ids.filter", folder);
    snprintf(to, sizeof to, "%s/ids.filter", bench.folder);
    assert_int_equal(rename(from, to), 0);
    assert_null(toy_open(bench.arena, bench.folder, toy_hooks(), &bench.store));
    wait_for_filter(&bench);
    assert_int_equal(id_filter_count(bench.store->filter), 3 * TOY_EVENTS);
    assert_int_not_equal(access(to, F_OK), 0);
    assert_right(&bench, 3);
    bench_close(&bench);
    bench_close(&long_one);
}

// ---- housekeeping

static void runs_of_ids_are_compacted(void **state)
{
    (void)state;
    Bench bench = bench_open("runs");
    seal(&bench, 150);
    for (int i = 0; i < 2000 && rocks_runs(bench.store->rocks, STORE_IDS) > 64; i++)
        usleep(5000);
    assert_true(usage_store_runs(bench.store) <= 150);
    assert_true(rocks_runs(bench.store->rocks, STORE_IDS) <= 90);
    assert_right(&bench, 150);
    bench_close(&bench);
}

static void a_checkpoint_is_a_store(void **state)
{
    (void)state;
    Bench bench = bench_open("from");
    char  folder[160];
    snprintf(folder, sizeof folder, "%s-copy", bench.folder);
    seal(&bench, 20);
    assert_null(toy_tend_all(bench.store, bench.arena));
    assert_null(usage_store_checkpoint(bench.store, bench.arena, str_of(folder)));
    seal(&bench, 2);
    Bench copy = { .arena = arena_open(), .folder = folder };
    assert_null(toy_open(copy.arena, folder, toy_hooks(), &copy.store));
    assert_right(&copy, 20);
    seal(&copy, 5);
    assert_right(&copy, 25);
    bench_close(&copy);
    assert_right(&bench, 22);
    bench_close(&bench);
}

static void a_damaged_file_is_said(void **state)
{
    (void)state;
    Bench bench = bench_open("damage");
    char  command[400];
    seal(&bench, 4);
    usage_store_close(bench.store);
    // The tail of every table but its footer's place: flips bits in data and index blocks.
    snprintf(command, sizeof command,
             "for f in %s/rocks/*.sst; do printf '\\125\\252\\125' | dd of=$f bs=1 seek=20 "
             "conv=notrunc 2>/dev/null; done",
             bench.folder);
    assert_int_equal(system(command), 0);
    Err *err = toy_open(bench.arena, bench.folder, toy_hooks(), &bench.store);
    if (err == NULL) {
        StoreView *view = usage_store_view(bench.store);
        assert_false(toy_view_right(view));
        store_view_release(view);
        usage_store_close(bench.store);
    }
    toy_folder_remove(bench.folder);
    arena_close(bench.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_powers_of_16),
        cmocka_unit_test(a_new_store_is_empty),
        cmocka_unit_test(seals_come_back),
        cmocka_unit_test(a_seal_without_rows_counts),
        cmocka_unit_test(a_writer_that_is_closed_leaves_nothing),
        cmocka_unit_test(rows_out_of_order_are_refused),
        cmocka_unit_test(sixteen_seals_become_one_range),
        cmocka_unit_test(folds_fold_again),
        cmocka_unit_test(when_folds_are_done_does_not_matter),
        cmocka_unit_test(without_hooks_rows_pass),
        cmocka_unit_test(a_view_stays_while_all_changes),
        cmocka_unit_test(a_cursor_keeps_its_view),
        cmocka_unit_test(cursors_seek_prefixes_and_places),
        cmocka_unit_test(readers_agree_while_seals_and_folds_run),
        cmocka_unit_test(an_interrupted_fold_leaves_all_as_it_was),
        cmocka_unit_test(extra_ranges_come_and_go),
        cmocka_unit_test(an_extra_range_replaces_others_in_one_step),
        cmocka_unit_test(the_filter_is_loaded_and_brought_up_to_date),
        cmocka_unit_test(a_missing_or_damaged_filter_is_built_again),
        cmocka_unit_test(a_filter_of_another_history_is_dropped),
        cmocka_unit_test(runs_of_ids_are_compacted),
        cmocka_unit_test(a_checkpoint_is_a_store),
        cmocka_unit_test(a_damaged_file_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
