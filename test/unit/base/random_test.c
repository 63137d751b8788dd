// SPDX-License-Identifier: Apache-2.0
// A seed gives the published numbers, limits hold, and made ids are unique, ordered by time and of
// their alphabet.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/random.h"

static void seeded_is_xoshiro(void **state)
{
    (void)state;
    // The numbers of the authors' C code for the state 1, 2, 3, 4 (prng.di.unimi.it).
    static const uint64_t expected[] = {
        11520, 0, 1509978240, UINT64_C(1215971899390074240), UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600), UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832), UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    Seeded seeded = { { 1, 2, 3, 4 } };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_true(seeded_next(&seeded) == expected[i]);
    // SplitMix64 of seed 0, by its author.
    seeded = seeded_of(0);
    assert_true(seeded.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(seeded.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(seeded.state[2] == UINT64_C(0x06c45d188009454f));
}

static void one_seed_gives_one_sequence(void **state)
{
    (void)state;
    Seeded one = seeded_of(42), same = seeded_of(42), other = seeded_of(43);
    int    differ = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t number = seeded_next(&one);
        assert_true(number == seeded_next(&same));
        differ += number != seeded_next(&other);
    }
    assert_true(differ > 990);
}

static void limits_hold_and_all_is_met(void **state)
{
    (void)state;
    Seeded   seeded = seeded_of(9);
    unsigned met[7] = { 0 };
    for (int i = 0; i < 7000; i++) {
        uint64_t number = seeded_below(&seeded, 7);
        assert_true(number < 7);
        met[number]++;
        assert_true(seeded_below(&seeded, 1) == 0);
        assert_true(seeded_below(&seeded, UINT64_MAX) < UINT64_MAX);
    }
    for (int i = 0; i < 7; i++)
        assert_true(met[i] > 800 && met[i] < 1200);
}

static void the_system_gives_bytes(void **state)
{
    (void)state;
    unsigned char one[33] = { 0 }, two[33] = { 0 };
    random_bytes(one, 32);
    random_bytes(two, 32);
    assert_memory_not_equal(one, two, 32);
    assert_int_equal(one[32], 0);
    random_bytes(one + 32, 0);
    assert_int_equal(one[32], 0);
}

// The milliseconds are the first ten of the 26 characters.
static int64_t id_ms(Str id, size_t prefix)
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    int64_t           ms = 0;
    for (size_t i = 0; i < 26; i++) {
        const char *letter = memchr(letters, id.at[prefix + i], 32);
        assert_non_null(letter);
        if (i < 10)
            ms = ms * 32 + (letter - letters);
    }
    return ms;
}

static void ids_are_unique_and_in_order_of_time(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Map    *seen = map_open();
    int64_t before = clock_now_us() / 1000;
    for (size_t i = 0; i < 5000; i++) {
        Str id = random_id(arena, "inv_");
        assert_int_equal(id.length, 4 + 26);
        assert_true(str_starts(id, STR("inv_")));
        assert_true(id.at[4] >= '0' && id.at[4] <= '7');
        int64_t ms = id_ms(id, 4);
        assert_true(ms >= before && ms <= clock_now_us() / 1000);
        before = ms;
        map_set(seen, id, i);
        assert_int_equal(map_count(seen), i + 1);
    }
    map_close(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeded_is_xoshiro),
        cmocka_unit_test(one_seed_gives_one_sequence),
        cmocka_unit_test(limits_hold_and_all_is_met),
        cmocka_unit_test(the_system_gives_bytes),
        cmocka_unit_test(ids_are_unique_and_in_order_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
