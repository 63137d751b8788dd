// SPDX-License-Identifier: Apache-2.0
// Figures of the store's parts, one line each. They are printed, never judged.
//   store_bench [folder]      default: a new folder under /tmp
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/id_filter.h"
#include "store/journal.h"
#include "store/usage_store.h"

enum { SEAL = 1 << 20, RUNS_FEW = 20, RUNS_MANY = 64, LOOKUPS = 1 << 17, BATCH = 1000 };

static const HashKey KEY = { { 4 } };

static Hash128 id_of(uint64_t number)
{
    return hash_keyed(&KEY, (Str){ (const char *)&number, sizeof number });
}

static int compare_ids(const void *a, const void *b)
{
    const Hash128 *x = a, *y = b;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return x->low < y->low ? -1 : x->low > y->low;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void must(Err *err)
{
    if (err == NULL)
        return;
    fprintf(stderr, "%s: %.*s\n", err_name(err->code), STR_ARG(err->detail));
    exit(1);
}

static Err *skip(void *context, const JournalRecord *record)
{
    (void)context;
    (void)record;
    return NULL;
}

static void bench_journal(Arena *arena, const char *folder, size_t bytes, int rounds)
{
    JournalOptions options = { .folder = str_print(arena, "%s/journal-%zu", folder, bytes) };
    Journal       *journal;
    int64_t       *took = arena_array(arena, int64_t, rounds);
    Str            payload = { arena_take(arena, bytes), bytes };
    must(journal_open(arena, &options, &journal));
    must(journal_replay(journal, arena, 0, skip, NULL));
    sleep(1);  // the spares are made behind
    int64_t began = clock_tick_us();
    for (int i = 0; i < rounds; i++) {
        int64_t start = clock_tick_us();
        JournalEntry entry = { (uint64_t)i, (uint64_t)i + 1, &payload, 1 };
        must(journal_append(journal, arena, &entry));
        journal_release(journal, (uint64_t)i);
        took[i] = clock_tick_us() - start;
    }
    int64_t all = clock_tick_us() - began;
    qsort(took, (size_t)rounds, sizeof *took, compare_numbers);
    printf("journal append + sync, %7zu bytes: p50 %" PRId64 " us, p99 %" PRId64 " us, max %" PRId64
           " us, %.0f MB/s\n", bytes, took[rounds / 2], took[rounds * 99 / 100], took[rounds - 1],
           (double)bytes * rounds / (double)all);
    journal_close(journal);
}

static void bench_filter(void)
{
    enum { IDS = 1 << 22 };
    IdFilter *filter = id_filter_open(22);
    Hash128  *ids = memory_take(IDS * sizeof *ids);
    bool     *maybe = memory_take(IDS);
    for (uint64_t i = 0; i < IDS; i++)
        ids[i] = id_of(i);
    int64_t began = clock_tick_us();
    for (size_t i = 0; i < IDS; i += BATCH)
        id_filter_add(filter, ids + i, IDS - i < BATCH ? IDS - i : BATCH);
    int64_t added = clock_tick_us();
    for (size_t i = 0; i < IDS; i += BATCH)
        id_filter_maybe(filter, ids + i, IDS - i < BATCH ? IDS - i : BATCH, maybe + i);
    int64_t asked = clock_tick_us();
    for (uint64_t i = 0; i < IDS; i++)
        ids[i] = id_of(i + (1ull << 40));
    id_filter_maybe(filter, ids, IDS, maybe);
    size_t wrong = 0;
    for (size_t i = 0; i < IDS; i++)
        wrong += maybe[i];
    printf("filter, 4.2 M ids: add %.1f ns, ask %.1f ns an id; %.4f %% false positives\n",
           1e3 * (double)(added - began) / IDS, 1e3 * (double)(asked - added) / IDS,
           100.0 * (double)wrong / IDS);
    memory_release(ids);
    memory_release(maybe);
    id_filter_close(filter);
}

// A seal as the flow makes them: 2^20 ids with 24-byte values, event blocks of 100 events, 50,000
// cells.
static void put_seal(UsageStore *store, uint64_t seal, int64_t *put_us, int64_t *commit_us)
{
    AUTO(Arena)  arena = arena_open();
    Hash128     *ids = memory_take(SEAL * sizeof *ids);
    StoreWriter *writer;
    for (uint64_t i = 0; i < SEAL; i++)
        ids[i] = id_of(seal * SEAL + i);
    qsort(ids, SEAL, sizeof *ids, compare_ids);
    int64_t began = clock_tick_us();
    must(store_writer_open(store, arena, store_range(0, seal), &writer));
    char key[32] = { 0 }, value[2400];
    for (uint64_t i = 0; i < SEAL; i++) {
        hash_write(ids[i], (unsigned char *)key);
        memcpy(value, &ids[i], 16);
        bytes_put_u64_be(value + 16, seal * SEAL + i);
        must(store_writer_put(writer, arena, STORE_IDS, (Str){ key, 16 }, (Str){ value, 24 }));
    }
    Seeded seeded = seeded_of(seal + 1);
    for (uint64_t i = 0; i < SEAL / 100; i++) {
        for (size_t k = 0; k < sizeof value; k += 8)
            bytes_put_u64_be(value + k, k % 24 == 0 ? seeded_next(&seeded) : i);
        bytes_put_u64_be(key, i);
        must(store_writer_put(writer, arena, STORE_EVENTS, (Str){ key, 24 },
                              (Str){ value, sizeof value }));
    }
    for (uint64_t i = 0; i < 50000; i++) {
        bytes_put_u64_be(key, i);
        must(store_writer_put(writer, arena, STORE_CELLS, (Str){ key, 32 }, (Str){ value, 90 }));
    }
    int64_t put = clock_tick_us();
    must(store_writer_commit(writer, arena, STR("meta"), NULL, 0));
    *commit_us += clock_tick_us() - put;
    *put_us += put - began;
    memory_release(ids);
}

static void bench_find(UsageStore *store, uint64_t sealed, const char *what, uint64_t from,
                       uint64_t among)
{
    Seeded  seeded = seeded_of(sealed + from);
    int64_t spent = 0, cpu = 0;
    for (size_t done = 0; done < LOOKUPS; done += BATCH) {
        AUTO(Arena) arena = arena_open();
        Hash128     ids[BATCH];
        Str         values[BATCH];
        for (size_t i = 0; i < BATCH; i++)
            ids[i] = id_of(from + seeded_below(&seeded, among));
        int64_t began = clock_tick_us(), cpu_began = clock_cpu_us();
        qsort(ids, BATCH, sizeof *ids, compare_ids);
        must(usage_store_find_ids(store, arena, ids, BATCH, values));
        spent += clock_tick_us() - began;
        cpu += clock_cpu_us() - cpu_began;
    }
    printf("find %s ids, %u runs, %" PRIu64 " M ids: %.2f M/s, %.2f us CPU an id\n", what,
           usage_store_runs(store), sealed, (double)LOOKUPS / (double)spent, (double)cpu / LOOKUPS);
}

static Err *join_row(void *state, Arena *arena, const StoreRow *row, StoreEmit *emit)
{
    Text *last = state;
    if (row->family == STORE_META || (last->length > 0 && str_equal(text_str(last), row->suffix)))
        return NULL;  // the bench keeps the first of equal rows: what is measured is the merge
    text_clear(last);
    text_add(last, row->suffix);
    return store_emit(emit, arena, row->suffix, row->value);
}

static void *join_begin(void *context, Arena *arena, StoreRange into)
{
    (void)context;
    (void)into;
    Text *last = arena_new(arena, Text);
    *last = text_open_own();
    return last;
}

static Err *join_end(void *state, Arena *arena, StoreFamily family, StoreEmit *emit)
{
    text_clear(state);
    return family == STORE_META ? store_emit(emit, arena, STR(""), STR("meta")) : NULL;
}

static void join_close(void *state)
{
    text_close(state);
}

static void bench_store(Arena *arena, const char *folder)
{
    UsageStoreOptions options = { .folder = str_print(arena, "%s/store", folder),
                                  .hooks = { .merge_begin = join_begin, .merge_row = join_row,
                                             .merge_end = join_end, .merge_close = join_close } };
    UsageStore *store;
    int64_t     put_us = 0, commit_us = 0;
    bool        more;
    must(usage_store_open(arena, &options, &store));
    for (uint64_t seal = 0; seal < RUNS_MANY - 1; seal++) {
        put_seal(store, seal, &put_us, &commit_us);
        if (seal + 1 == RUNS_FEW || seal + 2 == RUNS_MANY) {
            bench_find(store, seal + 1, "new", 1ull << 41, 1ull << 40);
            bench_find(store, seal + 1, "old", 0, (seal + 1) * SEAL);
        }
    }
    printf("seal of 2^20 ids, 10 k event rows, 50 k cells: %.0f ms writing, %.0f ms commit; %.1f "
           "bytes an event\n",
           (double)put_us / 1000 / (RUNS_MANY - 1), (double)commit_us / 1000 / (RUNS_MANY - 1),
           (double)usage_store_bytes(store) / ((RUNS_MANY - 1) * (double)SEAL));
    int64_t began = clock_tick_us();
    must(usage_store_tend(store, arena, &more));
    printf("fold of 16 seals and a filter snapshot: %.0f ms\n",
           (double)(clock_tick_us() - began) / 1000);
    usage_store_close(store);
    began = clock_tick_us();
    must(usage_store_open(arena, &options, &store));
    int64_t opened = clock_tick_us();
    while (!usage_store_filter_ready(store))
        usleep(1000);
    printf("open: %.0f ms; filter of %u M ids rebuilt behind in %.0f ms\n",
           (double)(opened - began) / 1000, (unsigned)(RUNS_MANY - 1),
           (double)(clock_tick_us() - opened) / 1000);
    usage_store_close(store);
}

int main(int argc, char **argv)
{
    AUTO(Arena) arena = arena_open();
    char        made[] = "/tmp/toll-store-bench-XXXXXX";
    const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
    assert_that(folder != NULL);
    log_threshold(LOG_WARN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_journal(arena, folder, 4096 - 96, 4000);
    bench_journal(arena, folder, 700 << 10, 600);
    bench_filter();
    bench_store(arena, folder);
    if (argc == 1) {
        char command[64];
        snprintf(command, sizeof command, "rm -rf '%s'", folder);
        return system(command) == 0 ? 0 : 1;
    }
    return 0;
}
