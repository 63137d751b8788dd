// SPDX-License-Identifier: Apache-2.0
// A map holds every key it was given, in order, through all its growth; many look-ups at once
// answer what single ones do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/random.h"

enum { KEYS = 20000 };

// Key number i: different for each, of any bytes; 0 is the empty key.
static Str key_of(char bytes[24], size_t i)
{
    size_t length = 0;
    for (size_t rest = i; rest > 0; rest /= 251)
        bytes[length++] = (char)(rest % 251);
    while (i > 0 && length < 3 + i % 20)
        bytes[length++] = (char)i;
    return (Str){ bytes, i == 0 ? 0 : length };
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    Map     *map = map_open();
    uint64_t value = 7, values[2];
    Str      keys[2] = { STR_NONE, STR("a") };
    assert_int_equal(map_count(map), 0);
    assert_false(map_find(map, STR_NONE, &value));
    assert_false(map_find(map, STR("a"), &value));
    assert_true(value == 7);
    map_find_many(map, keys, 2, values);
    assert_true(values[0] == MAP_NONE && values[1] == MAP_NONE);
    map_find_many(map, keys, 0, values);
    map_close(map);
    map_close(NULL);
}

static void keys_stay_through_growth(void **state)
{
    (void)state;
    Map     *map = map_open();
    char     bytes[24];
    uint64_t value;
    for (size_t i = 0; i < KEYS; i++) {
        Str key = key_of(bytes, i);
        assert_false(map_find(map, key, &value));
        map_set(map, key, i * 3);
        memset(bytes, 'x', sizeof bytes);  // keys are copied in
        assert_int_equal(map_count(map), i + 1);
    }
    for (size_t i = 0; i < KEYS; i++) {
        Str key = key_of(bytes, i);
        assert_true(map_find(map, key, &value) && value == i * 3);
        assert_true(str_equal(map_key(map, i), key));
    }
    assert_false(map_find(map, key_of(bytes, KEYS), &value));
    map_close(map);
}

static void setting_again_replaces_in_place(void **state)
{
    (void)state;
    Map     *map = map_open();
    uint64_t value;
    map_set(map, STR("a"), 1);
    map_set(map, STR("b"), 2);
    Str first = map_key(map, 0);
    map_set(map, STR("a"), UINT64_MAX - 1);
    map_set(map, STR("a\0"), 0);
    assert_int_equal(map_count(map), 3);
    assert_true(map_find(map, STR("a"), &value) && value == UINT64_MAX - 1);
    assert_true(map_find(map, STR("a\0"), &value) && value == 0);
    assert_true(str_equal(map_key(map, 0), STR("a")) && str_equal(map_key(map, 1), STR("b")));
    for (size_t i = 0; i < KEYS; i++) {
        char bytes[24];
        map_set(map, key_of(bytes, i), i);
    }
    assert_ptr_equal(map_key(map, 0).at, first.at);  // borrowed until map_close
    map_close(map);
}

static void check_many(const Map *map, size_t count, Seeded *seeded)
{
    char     bytes[200][24];
    Str      keys[200] = { 0 };
    uint64_t values[200], value;
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(bytes[i], seeded_below(seeded, 2 * KEYS));
    map_find_many(map, keys, count, values);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == (map_find(map, keys[i], &value) ? value : MAP_NONE));
}

static void many_find_what_one_finds(void **state)
{
    (void)state;
    Map   *map = map_open();
    Seeded seeded = seeded_of(7);
    size_t counts[] = { 0, 1, 31, 32, 33, 64, 65, 199 };
    for (size_t i = 0; i < KEYS; i++) {
        char bytes[24];
        map_set(map, key_of(bytes, i), i);
        if ((i & (i - 1)) == 0)
            check_many(map, 199, &seeded);
    }
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            check_many(map, counts[i], &seeded);
    map_close(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(keys_stay_through_growth),
        cmocka_unit_test(setting_again_replaces_in_place),
        cmocka_unit_test(many_find_what_one_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
