// SPDX-License-Identifier: Apache-2.0
// Keys come back, sort as their members count (days before 1970 first), and are refused at any
// other length.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/keys.h"

// Mostly extremes and neighbours, so that comparisons reach every member.
static uint32_t number_of(Seeded *seeded)
{
    static const uint32_t numbers[] = { 0, 1, 255, 256, 0x7fffffff, 0x80000000, UINT32_MAX };
    return numbers[seeded_below(seeded, 7)];
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_i32(int32_t a, int32_t b)
{
    return a < b ? -1 : a > b;
}

static int first_of(const int *orders, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (orders[i] != 0)
            return orders[i];
    return 0;
}

static int sign_of(int number)
{
    return (number > 0) - (number < 0);
}

static EventKey event_key_make(Seeded *seeded)
{
    return (EventKey){ number_of(seeded) & 1, number_of(seeded) & 1, number_of(seeded) & 1,
                       (int32_t)number_of(seeded),
                       seeded_below(seeded, 2) == 0 ? UINT64_MAX : number_of(seeded) };
}

static void event_keys_come_back_and_sort(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(41);
    for (int i = 0; i < 20000; i++) {
        EventKey a = event_key_make(&seeded), b = event_key_make(&seeded), back;
        char     one[EVENT_KEY_BYTES], two[EVENT_KEY_BYTES];
        Str      first = event_key_write(&a, one), second = event_key_write(&b, two);
        int orders[] = { compare_u64(a.project, b.project), compare_u64(a.event, b.event),
                         compare_u64(a.account, b.account), compare_i32(a.day, b.day),
                         compare_u64(a.sequence, b.sequence) };
        assert_int_equal(sign_of(str_compare(first, second)), first_of(orders, 5));
        assert_true(event_key_read(first, &back));
        assert_true(back.project == a.project && back.event == a.event);
        assert_true(back.account == a.account && back.day == a.day);
        assert_true(back.sequence == a.sequence);
    }
}

static void other_lengths_are_no_event_keys(void **state)
{
    (void)state;
    char     bytes[EVENT_KEY_BYTES + 8] = { 0 };
    EventKey key;
    for (size_t length = 0; length < sizeof bytes; length++)
        assert_int_equal(event_key_read((Str){ bytes, length }, &key), length == EVENT_KEY_BYTES);
}

static CellKey cell_key_make(Seeded *seeded)
{
    static const Str dimensions[] = { STR_INIT(""), STR_INIT("\0"), STR_INIT("\1\1a"),
                                      STR_INIT("\1\1b"), STR_INIT("\1\1b\xff") };
    return (CellKey){ number_of(seeded) & 1, number_of(seeded) & 1, number_of(seeded) & 1,
                      seeded_below(seeded, 2) == 0 ? CELL_HOUR : CELL_DAY,
                      (int32_t)number_of(seeded), dimensions[seeded_below(seeded, 5)] };
}

static void cell_keys_come_back_and_sort(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Seeded seeded = seeded_of(42);
    Text   one = text_open(arena), two = text_open(arena);
    for (int i = 0; i < 20000; i++) {
        CellKey a = cell_key_make(&seeded), b = cell_key_make(&seeded), back;
        cell_key_write(&a, &one);
        cell_key_write(&b, &two);
        int orders[] = { compare_u64(a.project, b.project), compare_u64(a.meter, b.meter),
                         compare_u64(a.account, b.account), (int)a.level - (int)b.level,
                         compare_i32(a.start, b.start), str_compare(a.dimensions, b.dimensions) };
        assert_int_equal(sign_of(str_compare(text_str(&one), text_str(&two))),
                         sign_of(first_of(orders, 6)));
        assert_true(cell_key_read(text_str(&one), &back));
        assert_true(back.project == a.project && back.meter == a.meter);
        assert_true(back.account == a.account && back.level == a.level && back.start == a.start);
        assert_true(str_equal(back.dimensions, a.dimensions));
    }
}

static void short_cell_keys_and_other_levels_are_refused(void **state)
{
    (void)state;
    char    bytes[CELL_KEY_HEAD + 4] = { 0 };
    CellKey key;
    for (size_t length = 0; length < sizeof bytes; length++)
        assert_int_equal(cell_key_read((Str){ bytes, length }, &key), length >= CELL_KEY_HEAD);
    for (int level = 0; level < 256; level++) {
        bytes[CELL_KEY_ACCOUNT] = (char)level;
        assert_int_equal(cell_key_read((Str){ bytes, sizeof bytes }, &key), level <= CELL_DAY);
    }
}

static void change_keys_sort(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(43);
    for (int i = 0; i < 20000; i++) {
        ChangeKey a = { number_of(&seeded), number_of(&seeded), number_of(&seeded),
                        (int32_t)number_of(&seeded) };
        ChangeKey b = { a.project, a.account, number_of(&seeded) & 1,
                        (int32_t)number_of(&seeded) };
        a.event &= 1;
        char one[CHANGE_KEY_BYTES], two[CHANGE_KEY_BYTES];
        Str  first = change_key_write(&a, one), second = change_key_write(&b, two);
        int  orders[] = { compare_u64(a.event, b.event), compare_i32(a.day, b.day) };
        assert_int_equal(first.length, CHANGE_KEY_BYTES);
        assert_int_equal(sign_of(str_compare(first, second)), first_of(orders, 2));
        assert_true(bytes_u32_be(one) == a.project && bytes_u32_be(one + 4) == a.account);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_keys_come_back_and_sort),
        cmocka_unit_test(other_lengths_are_no_event_keys),
        cmocka_unit_test(cell_keys_come_back_and_sort),
        cmocka_unit_test(short_cell_keys_and_other_levels_are_refused),
        cmocka_unit_test(change_keys_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
