// SPDX-License-Identifier: Apache-2.0
// The usage store stopped dead at every step of a seal, a fold, a removal and a start. Whatever the
// step, the next start finds the state before or after, never between, and doing the work again
// gives the same rows in key order. Every life of the store is a process of its own: this one never
// opens it, so that its children begin without RocksDB's threads.
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "toy_flow.h"

enum { STOPPED = 77, WRONG = 66, STEPS_MAX = 500 };

typedef struct Life {
    const char *folder;
    uint64_t    stop_at;  // step; 0: lives to its end
    uint64_t    target;   // seals
    uint64_t    steps;
    uint64_t   *hash;     // shared with the test: of the rows at the end
    uint64_t   *sealed;
} Life;

static void count_step(void *context, const char *name)
{
    Life *life = context;
    (void)name;
    if (++life->steps == life->stop_at)
        kill(getpid(), SIGKILL);
}

static void must(bool fact)
{
    if (!fact)
        _exit(WRONG);
}

static UsageStore *life_open(Life *life, Arena *arena)
{
    UsageStore *store;
    StoreHooks  hooks = toy_hooks();
    log_threshold(LOG_ERROR);
    hooks.context = life;
    hooks.step = count_step;
    must(toy_open(arena, life->folder, hooks, &store) == NULL);
    return store;
}

static void life_end(Life *life, UsageStore *store)
{
    StoreView *view = usage_store_view(store);
    must(toy_view_right(view));
    must(toy_ids_right(store, store_view_sealed(view)));
    *life->hash = toy_hash(view);
    *life->sealed = store_view_sealed(view);
    store_view_release(view);
    usage_store_close(store);
    must(toy_file_count(life->folder, ".sst") == 0);
}

static uint64_t sealed_now(UsageStore *store)
{
    StoreView *view = usage_store_view(store);
    uint64_t   sealed = store_view_sealed(view);
    store_view_release(view);
    return sealed;
}

// What there was must be right at once; then the work goes on to the target, all folded.
static void live(Life *life)
{
    AUTO(Arena) arena = arena_open();
    UsageStore *store = life_open(life, arena);
    StoreView  *view = usage_store_view(store);
    must(toy_view_right(view));
    store_view_release(view);
    must(toy_ids_right(store, sealed_now(store)));
    while (sealed_now(store) < life->target) {
        must(toy_seal(store, arena) == NULL);
        must(toy_tend_all(store, arena) == NULL);
    }
    must(toy_tend_all(store, arena) == NULL);
    life_end(life, store);
}

static Err *extra_write(UsageStore *store, Arena *arena, uint64_t index, const StoreRange *gone,
                        size_t count)
{
    StoreWriter *writer;
    TRY(store_writer_open(store, arena, store_range(0xF1, index), &writer));
    TRY(store_writer_put(writer, arena, STORE_CELLS, STR("\1"), STR("12345678")));
    return store_writer_commit(writer, arena, STR("extra678"), gone, count);
}

static bool holds(UsageStore *store, uint64_t index)
{
    StoreView *view = usage_store_view(store);
    bool       found = store_view_holds(view, 0xF1, index);
    store_view_release(view);
    return found;
}

// Extra 1 and 2, then 3 in place of both, then 3 goes. `sealed` tells how far an earlier life came.
static void live_extras(Life *life)
{
    AUTO(Arena) arena = arena_open();
    UsageStore *store = life_open(life, arena);
    StoreRange  gone[2] = { store_range(0xF1, 1), store_range(0xF1, 2) };
    must(holds(store, 3) != (holds(store, 1) && holds(store, 2)) || !holds(store, 3));
    must(!holds(store, 3) || (!holds(store, 1) && !holds(store, 2)));
    bool begun = sealed_now(store) > 0;
    if (!begun && !holds(store, 3)) {
        if (!holds(store, 1))
            must(extra_write(store, arena, 1, NULL, 0) == NULL);
        if (!holds(store, 2))
            must(extra_write(store, arena, 2, NULL, 0) == NULL);
        must(extra_write(store, arena, 3, gone, 2) == NULL);
    }
    if (!begun)
        must(toy_seal(store, arena) == NULL);
    must(usage_store_remove_extra(store, arena, store_range(0xF1, 3)) == NULL);
    must(toy_tend_all(store, arena) == NULL);
    must(!holds(store, 1) && !holds(store, 2) && !holds(store, 3));
    must(toy_file_count(life->folder, ".sst") == 0);
    life_end(life, store);
}

typedef struct Shared {
    uint64_t hash, sealed;
} Shared;

static int run(void (*lives)(Life *life), Life *life)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        lives(life);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return STOPPED;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// For every n: a life that stops at its n-th step, one more that stops at its n-th step too (in the
// middle of the repair, often), and one that lives.
static void stop_everywhere(void (*lives)(Life *life), const char *name, uint64_t from)
{
    const char *folder = toy_folder(name);
    char        command[1000], base[200];
    Shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    Life life = {
        .folder = folder, .hash = &shared->hash, .sealed = &shared->sealed, .target = from
    };
    assert_int_equal(run(live, &life), 0);  // what all lives begin with
    snprintf(base, sizeof base, "%s-0", folder);
    snprintf(command, sizeof command, "rm -rf %s && mv %s %s && cp -r %s %s", base, folder, base,
             base, folder);
    assert_int_equal(system(command), 0);
    life.target = from + 5;
    assert_int_equal(run(lives, &life), 0);
    Shared   whole = *shared;
    uint64_t stops = 0;
    bool     stopped = true;
    snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s", folder, base, folder);
    for (uint64_t n = 1; stopped; n++) {
        assert_true(n < STEPS_MAX);
        assert_int_equal(system(command), 0);
        life.stop_at = n;
        int first = run(lives, &life), second = run(lives, &life);
        assert_true(first == STOPPED || first == 0);
        assert_true(second == STOPPED || second == 0);
        stopped = first == STOPPED;
        stops += stopped;
        life.stop_at = 0;
        assert_int_equal(run(lives, &life), 0);
        assert_int_equal(shared->sealed, whole.sealed);
        assert_int_equal(shared->hash, whole.hash);
    }
    print_message("           %llu places to stop\n", (unsigned long long)stops);
    assert_true(stops > 10);
    munmap(shared, sizeof *shared);
    toy_folder_remove(folder);
    toy_folder_remove(base);
}

static void a_seal_or_fold_stopped_anywhere_is_done_again(void **state)
{
    (void)state;
    stop_everywhere(live, "crash", 29);
}

static void an_extra_range_stopped_anywhere_is_whole_or_absent(void **state)
{
    (void)state;
    stop_everywhere(live_extras, "crash-extra", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seal_or_fold_stopped_anywhere_is_done_again),
        cmocka_unit_test(an_extra_range_stopped_anywhere_is_whole_or_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
