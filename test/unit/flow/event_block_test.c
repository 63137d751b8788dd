// SPDX-License-Identifier: Apache-2.0
// A block gives back what went in, takes little room, and a damaged one is refused, never read
// wild.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/random.h"
#include "flow/ingest/event_block.h"

#define DAY_START INT64_C(1781049600000000)  // 2026-06-10T00:00:00Z

static Str encoded(Arena *arena, const BlockRow *rows, size_t count)
{
    Text out = text_open(arena);
    event_block_encode(rows, count, &out);
    return text_str(&out);
}

static void assert_same_rows(const BlockRow *a, const BlockRow *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(a[i].sequence == b[i].sequence);
        assert_true(str_equal(a[i].unique_id, b[i].unique_id));
        assert_true(a[i].value.e12 == b[i].value.e12);
        assert_true(a[i].ts.us == b[i].ts.us);
        assert_true(a[i].received.us == b[i].received.us);
        assert_true(a[i].ts_given == b[i].ts_given);
        assert_true(str_equal(a[i].properties, b[i].properties));
    }
}

static void assert_comes_back(const BlockRow *rows, size_t count)
{
    AUTO(Arena) arena = arena_open();
    Str       block = encoded(arena, rows, count);
    BlockRow *back = NULL;
    size_t    back_count = 0;
    assert_null(event_block_decode(arena, block, &back, &back_count));
    assert_int_equal(back_count, count);
    assert_same_rows(rows, back, count);
    Str again = encoded(arena, back, count);
    assert_true(str_equal(block, again));
}

static BlockRow usual_row(void)
{
    return (BlockRow){ .sequence = 123456789, .unique_id = STR("evt_8f3a"),
                       .value = decimal_whole(4815), .ts = { DAY_START + 50531000000 },
                       .received = { DAY_START + 50531234567 }, .ts_given = true };
}

static void single_event_is_small(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    BlockRow row = usual_row();
    assert_comes_back(&row, 1);
    assert_true(encoded(arena, &row, 1).length <= 30 + row.unique_id.length);
}

static void ids_of_every_form_come_back(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "a", "f", "abc", "abcd", "evt_8f3a", "evt_8f3b", "evt_8f3b0", "evt_8F3B", "evt_",
        "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440001",
        "650e8400-e29b-41d4-a716-446655440001", "550E8400-e29b-41d4-a716-446655440000",
        "550e8400-e29b-41d4-a716-44665544000", "550e8400-e29b-41d4-a716-4466554400000",
        "550e8400ae29b-41d4-a716-446655440000", "0123456789abcdef0123456789abcde",
        "\xc3\xa9v\xc3\xa9nement 7", "evt_8f3a",
    };
    enum { COUNT = sizeof ids / sizeof *ids };
    BlockRow rows[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        rows[i] = usual_row();
        rows[i].unique_id = str_of(ids[i]);
        assert_comes_back(&rows[i], 1);
    }
    assert_comes_back(rows, COUNT);
    char longest[255];
    memset(longest, 'e', sizeof longest);
    rows[0].unique_id = (Str){ longest, sizeof longest };
    rows[1].unique_id = (Str){ longest, sizeof longest };
    rows[2].unique_id = (Str){ longest, sizeof longest - 1 };
    assert_comes_back(rows, 3);
}

static void values_of_every_size_come_back(void **state)
{
    (void)state;
    Int128 large = (Int128)999999999999999 * 1000000000000 + 999999999999;
    Int128 values[] = { 0, 1, -1, 1000000000000, -1000000000000, large, -large, 10,
        4815000000000000,
                        (Int128)1 << 126, -((Int128)1 << 126),
                            (Int128)1000000000000 * 1000000000000 };
    enum { COUNT = sizeof values / sizeof *values };
    BlockRow rows[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        rows[i] = usual_row();
        rows[i].value.e12 = values[i];
        assert_comes_back(&rows[i], 1);
    }
    assert_comes_back(rows, COUNT);
    assert_comes_back(rows, 1);
}

static void times_of_every_kind_come_back(void **state)
{
    (void)state;
    int64_t  times[] = { DAY_START, DAY_START + 1, DAY_START + INSTANT_DAY_US - 1, DAY_START + 1000,
                         -1, -INSTANT_DAY_US, INT64_C(-62135596800000000),
                             INT64_C(253402300799999999) };
    enum { COUNT = sizeof times / sizeof *times };
    BlockRow rows[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        rows[i] = usual_row();
        rows[i].ts.us = times[i];
        rows[i].ts_given = i % 3 != 0;
        rows[i].received.us = times[COUNT - 1 - i];
        rows[i].sequence = i % 2 == 0 ? UINT64_MAX - i : i;
        assert_comes_back(&rows[i], 1);
    }
    assert_comes_back(rows, COUNT);
}

// What a random block is made of depends on the seed, so that columns are sometimes uniform.
static void random_rows(Seeded *seeded, Arena *arena, BlockRow *rows, size_t count)
{
    uint64_t kinds = seeded_next(seeded);
    for (size_t i = 0; i < count; i++) {
        rows[i] = usual_row();
        rows[i].sequence += 17 * i;
        if ((kinds & 1) != 0)
            rows[i].ts.us = DAY_START + (int64_t)seeded_below(seeded, (uint64_t)INSTANT_DAY_US);
        if ((kinds & 2) != 0)
            rows[i].ts_given = seeded_below(seeded, 2) == 0;
        if ((kinds & 4) != 0)
            rows[i].received.us += (int64_t)seeded_below(seeded, 1000000000);
        if ((kinds & 8) != 0)
            rows[i].value.e12 = (Int128)seeded_next(seeded) * (int64_t)seeded_below(seeded, 1000);
        rows[i].unique_id = (kinds & 16) != 0
            ? str_print(arena, "evt_%016llx", (unsigned long long)seeded_next(seeded))
            : str_print(arena, "order %zu line", i);
        if ((kinds & 32) != 0 && seeded_below(seeded, 4) != 0)
            rows[i].properties = str_print(arena, "p%llu",
                                           (unsigned long long)seeded_below(seeded,
                                               kinds >> 56 | 1));
    }
}

static void blocks_of_every_count_come_back(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(7);
    for (size_t round = 0; round < 200; round++) {
        AUTO(Arena) arena = arena_open();
        size_t    count = round % 20 == 0 ? EVENT_BLOCK_ROWS : 1 + seeded_below(&seeded, 300);
        BlockRow *rows = arena_array(arena, BlockRow, count);
        random_rows(&seeded, arena, rows, count);
        assert_comes_back(rows, count);
    }
}

static void run_of_usual_events_is_small(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    BlockRow rows[100];
    size_t   id_bytes = 0;
    for (size_t i = 0; i < 100; i++) {
        rows[i] = usual_row();
        rows[i].sequence += 3 * i;
        rows[i].ts.us += (int64_t)i * INSTANT_SECOND_US;
        rows[i].received.us += (int64_t)i * 997001;
        rows[i].unique_id = str_print(arena, "evt_%zu", 100000 + i);
        rows[i].properties = STR("\x01\x06region\x01\x04" "eu-1");
        id_bytes += rows[i].unique_id.length;
    }
    assert_comes_back(rows, 100);
    assert_true(encoded(arena, rows, 100).length <= 100 * 12 + 60);
    assert_true(id_bytes == 1000);
}

// Every cut and every changed byte either is refused or gives rows within the limits; the
// sanitizers watch what is read.
static void damage_never_reads_outside(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(11);
    for (size_t round = 0; round < 40; round++) {
        AUTO(Arena) arena = arena_open();
        size_t    count = 1 + seeded_below(&seeded, 40);
        BlockRow *rows = arena_array(arena, BlockRow, count);
        random_rows(&seeded, arena, rows, count);
        Str block = encoded(arena, rows, count);
        for (size_t cut = 0; cut < block.length; cut++) {
            char     *exact = memory_take(cut);
            BlockRow *back;
            size_t    back_count;
            if (cut > 0)
                memcpy(exact, block.at, cut);
            Err *err = event_block_decode(arena, (Str){ exact, cut }, &back, &back_count);
            assert_non_null(err);
            assert_int_equal(err->code, ERR_STORE_FAILED);
            memory_release(exact);
        }
        for (size_t k = 0; k < 300; k++) {
            char *changed = memory_take(block.length);
            memcpy(changed, block.at, block.length);
            changed[seeded_below(&seeded, block.length)] = (char)seeded_next(&seeded);
            BlockRow *back = NULL;
            size_t    back_count = 0;
            if (event_block_decode(arena, (Str){ changed, block.length }, &back,
                &back_count) == NULL)
                for (size_t i = 0; i < back_count; i++)
                    assert_in_range(back[i].unique_id.length, 1, 255);
            memory_release(changed);
        }
    }
}

static void strange_blocks_are_refused(void **state)
{
    (void)state;
    static const Str blocks[] = {
        { "", 0 }, { "\x02\x01", 2 }, { "\x01\x00\x00", 3 }, { "\x01\x81\x20\x00", 4 },
        { "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, { "\x01\x01\xc0", 3 },
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        AUTO(Arena) arena = arena_open();
        BlockRow *rows;
        size_t    count;
        assert_non_null(event_block_decode(arena, blocks[i], &rows, &count));
    }
    AUTO(Arena) arena = arena_open();
    BlockRow  row = usual_row();
    BlockRow *rows;
    size_t    count;
    Text      longer = text_open(arena);
    event_block_encode(&row, 1, &longer);
    text_add_char(&longer, 0);
    assert_non_null(event_block_decode(arena, text_str(&longer), &rows, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_event_is_small),
        cmocka_unit_test(ids_of_every_form_come_back),
        cmocka_unit_test(values_of_every_size_come_back),
        cmocka_unit_test(times_of_every_kind_come_back),
        cmocka_unit_test(blocks_of_every_count_come_back),
        cmocka_unit_test(run_of_usual_events_is_small),
        cmocka_unit_test(damage_never_reads_outside),
        cmocka_unit_test(strange_blocks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
