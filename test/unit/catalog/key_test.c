// SPDX-License-Identifier: Apache-2.0
#include "catalog/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void test_a_made_key_is_wellformed(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    for (int i = 0; i < 200; i++) {
        Str live = key_make(arena, KEY_LIVE), test = key_make(arena, KEY_TEST);
        assert_int_equal(live.length, 46);
        assert_true(str_starts(live, STR("toll_live_")));
        assert_true(str_starts(test, STR("toll_test_")));
        assert_true(key_is_wellformed(live));
        assert_true(key_is_wellformed(test));
        assert_false(str_equal(live, key_make(arena, KEY_LIVE)));
    }
}

// CRC-32 of "toll_live_000000000000000000000000000000" is 0xcb6cec6a: computed with zlib in another
// language.
static void test_the_checksum_is_crc32_in_base_62(void **state)
{
    (void)state;
    assert_true(key_is_wellformed(STR("toll_live_0000000000000000000000000000003iyEe2")));
    assert_false(key_is_wellformed(STR("toll_test_0000000000000000000000000000003iyEe2")));
}

static void test_every_single_wrong_letter_is_seen(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Str  key = key_make(arena, KEY_LIVE);
    char copy[46];
    for (size_t i = 0; i < key.length; i++) {
        memcpy(copy, key.at, sizeof copy);
        copy[i] = copy[i] == 'x' ? 'y' : 'x';
        assert_false(key_is_wellformed((Str){ copy, sizeof copy }));
    }
    for (size_t length = 0; length < key.length; length++)
        assert_false(key_is_wellformed((Str){ key.at, length }));
    assert_false(key_is_wellformed(STR_NONE));
    assert_false(key_is_wellformed(str_print(arena, "%.*sx", STR_ARG(key))));
    memcpy(copy, key.at, sizeof copy);
    copy[20] = '_';
    assert_false(key_is_wellformed((Str){ copy, sizeof copy }));
}

static void test_the_hash_depends_on_secret_and_pepper(void **state)
{
    (void)state;
    Pepper  one = { { 1 } }, two = { { 2 } };
    KeyHash a = key_hash(STR("toll_live_a"), &one), again = key_hash(STR("toll_live_a"), &one),
            b = key_hash(STR("toll_live_b"), &one), c = key_hash(STR("toll_live_a"), &two);
    assert_memory_equal(a.bytes, again.bytes, sizeof a.bytes);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof a.bytes);
    assert_memory_not_equal(a.bytes, c.bytes, sizeof a.bytes);
}

static void test_scopes_are_printed_and_read_back(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    ScopeSet some = { 1u << SCOPE_USAGE_READ | 1u << SCOPE_BILLS_READ }, back;
    assert_true(str_equal(scopes_print(arena, some), STR("usage:read bills:read")));
    assert_true(scopes_parse(STR("bills:read usage:read"), &back));
    assert_int_equal(back.bits, some.bits);
    assert_true(scopes_parse(scopes_print(arena, SCOPES_ALL), &back));
    assert_int_equal(back.bits, SCOPES_ALL.bits);
    assert_true(scopes_parse(STR(""), &back));
    assert_int_equal(back.bits, 0);
    assert_true(str_equal(scopes_print(arena, back), STR("")));
    assert_false(scopes_parse(STR("usage:read everything"), &back));
    assert_true(scope_held(some, SCOPE_USAGE_READ));
    assert_false(scope_held(some, SCOPE_USAGE_WRITE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_made_key_is_wellformed),
        cmocka_unit_test(test_the_checksum_is_crc32_in_base_62),
        cmocka_unit_test(test_every_single_wrong_letter_is_seen),
        cmocka_unit_test(test_the_hash_depends_on_secret_and_pepper),
        cmocka_unit_test(test_scopes_are_printed_and_read_back),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
