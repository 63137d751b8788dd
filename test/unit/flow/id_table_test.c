// SPDX-License-Identifier: Apache-2.0
// Every id that was added is found with its row, no other is, also while the one writer adds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/thread.h"
#include "flow/dedupe/id_table.h"

enum { ROWS = 20000 };

// Id number i. Spread, or all but meeting in one slot, or with one half in common.
typedef Hash128 IdForm(uint32_t i);

static Hash128 spread(uint32_t i)
{
    Seeded seeded = seeded_of(i);
    return (Hash128){ seeded_next(&seeded), seeded_next(&seeded) };
}

static Hash128 in_one_slot(uint32_t i)
{
    return (Hash128){ i, (uint64_t)(i % 500) << 32 };
}

static Hash128 ascending(uint32_t i)
{
    return (Hash128){ 0, i };
}

static void check_form(IdForm *form, uint32_t rows)
{
    IdTable *table = id_table_open(rows);
    for (uint32_t i = 0; i < rows; i++) {
        assert_int_equal(id_table_find(table, form(i)), ID_TABLE_NONE);
        id_table_prefetch(table, form(i));
        id_table_add(table, form(i), rows - 1 - i);
        assert_int_equal(id_table_find(table, form(i)), rows - 1 - i);
    }
    for (uint32_t i = 0; i < rows; i++)
        assert_int_equal(id_table_find(table, form(i)), rows - 1 - i);
    for (uint32_t i = rows; i < rows + 100; i++)
        assert_int_equal(id_table_find(table, form(i)), ID_TABLE_NONE);
    id_table_close(table);
}

static void a_full_table_finds_all_and_nothing_else(void **state)
{
    (void)state;
    check_form(spread, ROWS);
    check_form(spread, 1);
    check_form(ascending, 17);
    check_form(ascending, ROWS);
    check_form(in_one_slot, 1000);
    id_table_close(NULL);
}

static void a_row_can_take_the_place_of_another(void **state)
{
    (void)state;
    IdTable *table = id_table_open(ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        id_table_put(table, spread(i), i);
    for (uint32_t i = 0; i < ROWS; i += 3)
        id_table_put(table, spread(i), ROWS + i);
    for (uint32_t i = 0; i < ROWS; i++)
        assert_int_equal(id_table_find(table, spread(i)), i % 3 == 0 ? ROWS + i : i);
    id_table_close(table);
}

static void a_cleared_table_is_as_good_as_new(void **state)
{
    (void)state;
    IdTable *table = id_table_open(100);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 100; i++)
            id_table_add(table, spread(100 * round + i), i);
        for (uint32_t i = 0; i < 300; i++)
            assert_int_equal(id_table_find(table, spread(i)),
                             i / 100 == round ? i % 100 : ID_TABLE_NONE);
        id_table_clear(table);
        assert_int_equal(id_table_find(table, spread(100 * round)), ID_TABLE_NONE);
    }
    id_table_close(table);
}

typedef struct Watched {
    IdTable    *table;
    atomic_uint added;
    atomic_bool wrong;
} Watched;

static void *watch(void *argument)
{
    Watched *watched = argument;
    uint32_t added = 0;
    Seeded   seeded = seeded_of(1);
    while (added < ROWS) {
        added = watched->added;
        uint32_t i = (uint32_t)seeded_below(&seeded, ROWS);
        uint32_t row = id_table_find(watched->table, spread(i));
        if (row != i && (row != ID_TABLE_NONE || i < added))
            watched->wrong = true;
    }
    return NULL;
}

static void readers_meet_whole_entries(void **state)
{
    (void)state;
    Watched watched = { .table = id_table_open(ROWS) };
    Thread  threads[2] = { 0 };
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], "watch", watch, &watched);
    for (uint32_t i = 0; i < ROWS; i++) {
        id_table_add(watched.table, spread(i), i);
        watched.added = i + 1;
    }
    for (int i = 0; i < 2; i++)
        thread_join(&threads[i]);
    assert_false(watched.wrong);
    id_table_close(watched.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_table_finds_all_and_nothing_else),
        cmocka_unit_test(a_row_can_take_the_place_of_another),
        cmocka_unit_test(a_cleared_table_is_as_good_as_new),
        cmocka_unit_test(readers_meet_whole_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
