// SPDX-License-Identifier: Apache-2.0
// The id filter: an id that was added is never answered "no"; others rarely "maybe".
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "store/id_filter.h"

enum { AT_ONCE = 1000 };

static const HashKey KEY = { { 1, 2, 3 } };

static Hash128 id_of(uint64_t number)
{
    return hash_keyed(&KEY, (Str){ (const char *)&number, sizeof number });
}

static void add(IdFilter *filter, uint64_t from, uint64_t end)
{
    Hash128 ids[AT_ONCE];
    for (size_t n = 0; from < end; from += n) {
        n = end - from < AT_ONCE ? (size_t)(end - from) : AT_ONCE;
        for (size_t i = 0; i < n; i++)
            ids[i] = id_of(from + i);
        id_filter_add(filter, ids, n);
    }
}

static uint64_t count_maybe(const IdFilter *filter, uint64_t from, uint64_t end)
{
    Hash128  ids[AT_ONCE];
    bool     maybe[AT_ONCE];
    uint64_t count = 0;
    for (size_t n = 0; from < end; from += n) {
        n = end - from < AT_ONCE ? (size_t)(end - from) : AT_ONCE;
        for (size_t i = 0; i < n; i++)
            ids[i] = id_of(from + i);
        id_filter_maybe(filter, ids, n, maybe);
        for (size_t i = 0; i < n; i++)
            count += maybe[i];
    }
    return count;
}

// 2^18 ids a first generation: 4 million ids fill four generations and begin a fifth.
static void never_a_false_no(void **state)
{
    (void)state;
    IdFilter *filter = id_filter_open(18);
    uint64_t  count = 4000000;
    add(filter, 0, count);
    assert_int_equal(id_filter_count(filter), count);
    assert_int_equal(count_maybe(filter, 0, count), count);
    id_filter_close(filter);
}

static void full_and_over_by_one(void **state)
{
    (void)state;
    IdFilter *filter = id_filter_open(10);
    for (uint64_t n = 0; n < 20000; n++) {
        Hash128 id = id_of(n);
        id_filter_add(filter, &id, 1);
        if (n % 997 == 0 || (n & (n + 1)) == 0 || (n & (n - 1)) == 0)
            assert_int_equal(count_maybe(filter, 0, n + 1), n + 1);
    }
    id_filter_close(filter);
}

// One full generation: 0.09 %, allowed up to 0.12 %.
static void few_false_maybes_at_full_load(void **state)
{
    (void)state;
    IdFilter *filter = id_filter_open(20);
    add(filter, 0, 1 << 20);
    uint64_t strangers = 2000000;
    uint64_t maybe = count_maybe(filter, 1ull << 32, (1ull << 32) + strangers);
    print_message("           %.4f %% false positives at full load\n",
                  100.0 * (double)maybe / (double)strangers);
    assert_true(maybe > 0 && maybe < strangers * 12 / 10000);
    assert_int_equal(id_filter_bytes(filter), 2u << 20);
    id_filter_close(filter);
}

static void an_empty_filter_says_no(void **state)
{
    (void)state;
    IdFilter *filter = id_filter_open(0);
    assert_int_equal(count_maybe(filter, 0, 100000), 0);
    id_filter_close(filter);
}

static Str file_name(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/toll-filter-%d", (int)getpid());
    return str_of(path);
}

static void comes_back_from_its_file(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    IdFilter *filter = id_filter_open(12), *loaded;
    uint64_t  mark = 0;
    add(filter, 0, 100000);
    assert_null(id_filter_save(filter, arena, file_name(), 77));
    id_filter_load(file_name(), &loaded, &mark);
    assert_non_null(loaded);
    assert_int_equal(mark, 77);
    assert_int_equal(id_filter_count(loaded), 100000);
    assert_int_equal(count_maybe(loaded, 0, 100000), 100000);
    assert_int_equal(count_maybe(loaded, 1 << 30, (1 << 30) + 100000),
                     count_maybe(filter, 1 << 30, (1 << 30) + 100000));
    add(loaded, 100000, 300000);
    assert_int_equal(count_maybe(loaded, 0, 300000), 300000);
    id_filter_close(loaded);
    id_filter_close(filter);
    unlink(file_name().at);
}

static void a_damaged_file_is_no_filter(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    IdFilter *filter = id_filter_open(10), *loaded;
    uint64_t  mark;
    log_threshold(LOG_ERROR);
    add(filter, 0, 3000);
    assert_null(id_filter_save(filter, arena, file_name(), 1));
    id_filter_close(filter);
    int   file = open(file_name().at, O_RDWR);
    off_t bytes = lseek(file, 0, SEEK_END);
    for (off_t at = 0; at < bytes; at += at < 40 ? 1 : 101) {
        unsigned char byte;
        assert_int_equal(pread(file, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
        id_filter_load(file_name(), &loaded, &mark);
        assert_null(loaded);
        byte ^= 0x10;
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
    }
    assert_int_equal(ftruncate(file, bytes - 1), 0);
    id_filter_load(file_name(), &loaded, &mark);
    assert_null(loaded);
    close(file);
    unlink(file_name().at);
    id_filter_load(file_name(), &loaded, &mark);
    assert_null(loaded);
}

// Readers beside a writer: whatever was added before a published number is seen.
typedef struct Shared {
    IdFilter        *filter;
    _Atomic uint64_t added;
    _Atomic bool     done;
    _Atomic uint64_t missing;
} Shared;

static void *read_beside(void *argument)
{
    Shared *shared = argument;
    while (!shared->done) {
        uint64_t added = shared->added;
        uint64_t from = added < 20000 ? 0 : added - 20000;
        shared->missing += added - from - count_maybe(shared->filter, from, added);
    }
    return NULL;
}

static void readers_see_what_was_added_before(void **state)
{
    (void)state;
    Shared shared = { .filter = id_filter_open(10) };
    Thread reader = { 0 };
    thread_start(&reader, "reader", read_beside, &shared);
    for (uint64_t n = 0; n < 300000; n += 500) {
        add(shared.filter, n, n + 500);
        shared.added = n + 500;
    }
    shared.done = true;
    thread_join(&reader);
    assert_int_equal(shared.missing, 0);
    id_filter_close(shared.filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_a_false_no),
        cmocka_unit_test(full_and_over_by_one),
        cmocka_unit_test(few_false_maybes_at_full_load),
        cmocka_unit_test(an_empty_filter_says_no),
        cmocka_unit_test(comes_back_from_its_file),
        cmocka_unit_test(a_damaged_file_is_no_filter),
        cmocka_unit_test(readers_see_what_was_added_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
