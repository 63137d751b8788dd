// SPDX-License-Identifier: Apache-2.0
// A name has the number of its place among the names of its kind, under its own parent only, and
// keeps it and its text for good.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/thread.h"
#include "flow/aggregate/names.h"

enum { MANY = 5000, PARENTS = 3 };

static Str name_of(Arena *arena, uint32_t i)
{
    return str_print(arena, "account-%u", i / PARENTS);
}

static void numbers_count_up_by_kind(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Names *names = names_open();
    for (int kind = 0; kind < NAME_KINDS; kind++)
        for (uint32_t i = 0; i < MANY; i++) {
            Str name = name_of(arena, i);
            assert_int_equal(names_find(names, (NameKind)kind, i % PARENTS, name), NAME_NONE);
            assert_int_equal(names_add(names, (NameKind)kind, i % PARENTS, name), i);
            assert_int_equal(names_count(names, (NameKind)kind), i + 1);
        }
    for (int kind = 0; kind < NAME_KINDS; kind++)
        for (uint32_t i = 0; i < MANY; i++) {
            uint32_t parent = NAME_NONE;
            Str      name = name_of(arena, i);
            assert_int_equal(names_find(names, (NameKind)kind, i % PARENTS, name), i);
            assert_int_equal(names_find(names, (NameKind)kind, PARENTS, name), NAME_NONE);
            assert_true(str_equal(names_text(names, (NameKind)kind, i, &parent), name));
            assert_int_equal(parent, i % PARENTS);
        }
    names_close(names);
    names_close(NULL);
}

static void a_text_is_borrowed_for_good(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Names *names = names_open();
    char   bytes[] = "first";
    names_add(names, NAME_EVENT, 9, str_of(bytes));
    bytes[0] = 'X';
    Str first = names_text(names, NAME_EVENT, 0, NULL);
    for (uint32_t i = 0; i < MANY; i++)
        names_add(names, NAME_EVENT, i % PARENTS, name_of(arena, i));
    assert_true(str_equal(first, STR("first")));
    assert_ptr_equal(names_text(names, NAME_EVENT, 0, NULL).at, first.at);
    names_close(names);
}

static void the_longest_name_is_kept_and_a_longer_is_unknown(void **state)
{
    (void)state;
    char   bytes[300];
    Names *names = names_open();
    memset(bytes, 'n', sizeof bytes);
    Str longest = { bytes, 255 };
    assert_int_equal(names_add(names, NAME_ACCOUNT, UINT32_MAX, longest), 0);
    assert_int_equal(names_find(names, NAME_ACCOUNT, UINT32_MAX, longest), 0);
    for (size_t length = 0; length < sizeof bytes; length++)
        assert_int_equal(names_find(names, NAME_ACCOUNT, UINT32_MAX, (Str){ bytes, length }),
                         length == 255 ? 0 : NAME_NONE);
    assert_int_equal(names_find(names, NAME_ACCOUNT, UINT32_MAX, STR_NONE), NAME_NONE);
    names_close(names);
}

static void many_find_what_one_finds(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Names   *names = names_open();
    Seeded   seeded = seeded_of(71);
    char     longest[300];
    memset(longest, 'n', sizeof longest);
    for (uint32_t i = 0; i < MANY; i++)
        names_add(names, NAME_ACCOUNT, i % PARENTS, name_of(arena, i));
    for (size_t count = 0; count < 150; count++) {
        Str      list[150];
        uint32_t numbers[150], parent = (uint32_t)seeded_below(&seeded, PARENTS + 1);
        for (size_t i = 0; i < count; i++)
            list[i] = name_of(arena, (uint32_t)seeded_below(&seeded, 2 * MANY));
        if (count > 2) {
            list[0] = STR_NONE;
            list[1] = (Str){ longest, sizeof longest };
        }
        NameList wanted = { arena, list, count };
        names_hold(names);
        names_find_many_held(names, NAME_ACCOUNT, parent, &wanted, numbers);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(numbers[i],
                             names_find_held(names, NAME_ACCOUNT, parent, list[i]));
        names_let_go(names);
    }
    names_close(names);
}

typedef struct Watched {
    Names      *names;
    atomic_bool wrong;
} Watched;

static void *watch(void *argument)
{
    Watched *watched = argument;
    for (uint32_t i = 0; i < MANY;) {
        AUTO(Arena) arena = arena_open();
        Str      name = name_of(arena, i);
        uint32_t number = names_find(watched->names, NAME_ACCOUNT, i % PARENTS, name);
        if (number == NAME_NONE) {
            sched_yield();
            continue;
        }
        if (number != i || !str_equal(names_text(watched->names, NAME_ACCOUNT, i, NULL), name))
            watched->wrong = true;
        i++;
    }
    return NULL;
}

static void any_thread_may_look_up(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Watched watched = { .names = names_open() };
    Thread  threads[2] = { 0 };
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], "watch", watch, &watched);
    for (uint32_t i = 0; i < MANY; i++)
        names_add(watched.names, NAME_ACCOUNT, i % PARENTS, name_of(arena, i));
    for (int i = 0; i < 2; i++)
        thread_join(&threads[i]);
    assert_false(watched.wrong);
    names_close(watched.names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_count_up_by_kind),
        cmocka_unit_test(a_text_is_borrowed_for_good),
        cmocka_unit_test(the_longest_name_is_kept_and_a_longer_is_unknown),
        cmocka_unit_test(many_find_what_one_finds),
        cmocka_unit_test(any_thread_may_look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
