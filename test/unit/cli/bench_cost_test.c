// SPDX-License-Identifier: Apache-2.0
// Readings of this very process and of a folder made here.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "cli/bench_cost.c"

static _Atomic bool told_to_end;

// Uses 60 ms of CPU, then lives on so that it can be counted.
static void *burn(void *argument)
{
    int64_t start_us = clock_cpu_us();
    while (clock_cpu_us() - start_us < 60000)
        continue;
    while (!told_to_end)
        poll(NULL, 0, 1);
    return argument;
}

static void threads_are_summed_under_their_name(void **state)
{
    (void)state;
    Thread threads[2] = { 0 };
    Cost   before, after, used;
    assert_true(cost_read(getpid(), &before));
    thread_start(&threads[0], "burner-0", burn, NULL);
    thread_start(&threads[1], "burner-1", burn, NULL);
    const CostStage *burner;
    do {
        assert_true(cost_read(getpid(), &after));
        used = cost_between(&before, &after);
        burner = stage_find(&used, "burner");
    } while (burner == NULL || burner->cpu_ns < 110000000);
    told_to_end = true;
    thread_join(&threads[0]);
    thread_join(&threads[1]);
    assert_int_equal(burner->threads, 2);
    for (size_t i = 1; i < used.stage_count; i++)
        assert_true(used.stages[i - 1].cpu_ns >= used.stages[i].cpu_ns);
}

static void an_ended_process_has_no_cost(void **state)
{
    (void)state;
    Cost       cost;
    CostMemory memory;
    assert_false(cost_read(0x3fffffff, &cost));
    assert_false(cost_memory(0x3fffffff, &memory));
    assert_int_equal(cost_settle(0x3fffffff, 1), 0);
}

static void memory_of_this_process_is_known(void **state)
{
    (void)state;
    CostMemory memory;
    assert_true(cost_memory(getpid(), &memory));
    assert_true(memory.resident_bytes > 0);
    assert_true(memory.peak_bytes >= memory.resident_bytes);
    assert_true(memory.anonymous_bytes <= memory.resident_bytes);
}

static void make_file(const char *folder, const char *name, size_t bytes)
{
    AUTO(Arena) arena = arena_open();
    char *path = str_terminated(arena, str_print(arena, "%s/%s", folder, name));
    int   fd = open(path, O_WRONLY | O_CREAT, 0600);
    char *zeros = arena_take(arena, bytes);
    memset(zeros, 1, bytes);
    assert_int_equal(write(fd, zeros, bytes), bytes);
    fsync(fd);
    close(fd);
}

static void make_folder(const char *folder, const char *name)
{
    AUTO(Arena) arena = arena_open();
    char *path = str_terminated(arena, str_print(arena, "%s/%s", folder, name));
    assert_int_equal(mkdir(path, 0700), 0);
}

static void disk_is_told_apart_by_what_it_holds(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    char folder[] = "/tmp/toll-cost-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *folders[] = { "usage", "usage/journal" };
    for (size_t i = 0; i < 2; i++)
        make_folder(folder, folders[i]);
    make_file(folder, "usage/000012.sst", 100000);
    make_file(folder, "usage/journal/1.segment", 300000);
    make_file(folder, "books.sqlite", 50000);
    CostDisk disk = cost_disk(str_of(folder));
    assert_in_range(disk.journal_bytes, 300000, 320000);
    assert_in_range(disk.store_bytes, 100000, 120000);
    assert_in_range(disk.books_bytes, 50000, 60000);
    const char *made[] = { "usage/000012.sst", "usage/journal/1.segment", "books.sqlite",
                           "usage/journal", "usage" };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        remove(str_terminated(arena, str_print(arena, "%s/%s", folder, made[i])));
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_summed_under_their_name),
        cmocka_unit_test(an_ended_process_has_no_cost),
        cmocka_unit_test(memory_of_this_process_is_known),
        cmocka_unit_test(disk_is_told_apart_by_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
