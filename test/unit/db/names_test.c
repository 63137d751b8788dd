// SPDX-License-Identifier: Apache-2.0
#include "db/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "books.h"

static const char THINGS[] =
    "-- migration 0001_things\n"
    "create table thing (tenant {{KEY}} not null, project {{KEY}} not null,\n"
    " name {{KEY}} not null,\n"
    "  number {{BIGINT}} not null, primary key (tenant, project, name, number)) {{TABLE}};\n";

enum { THING_ADD, THINGS_OF, THING_STATEMENTS };
static const Statement thing_sql[THING_STATEMENTS] = {
    [THING_ADD] = { "insert into thing (tenant, project, name, number) values (?, ?, ?, ?)" },
    [THINGS_OF] = { "select name, number from thing where tenant = ? and project = ?"
                    " and name in " DB_NAMES " order by name, number" },
};
static const StatementTable        thing_table = { "things", thing_sql, THING_STATEMENTS };
static const StatementTable *const tables[] = { &thing_table, NULL };

enum { MOST = 3 * DB_NAMES_COUNT };

typedef struct Place {
    Arena *arena;
    char   folder[64];
    Str    path;
    Db    *db;
    Str    names[MOST];
    size_t count;  // asked for
    DbRows rows;
    bool  *found;
} Place;

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_names_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->path = books_make(place->arena, place->folder);
    DbOptions options = { .place = place->path, .migrations = str_of(THINGS), .tables = tables };
    assert_null(db_open(place->arena, &options, &place->db));
    for (size_t i = 0; i < MOST; i++)
        place->names[i] = str_print(place->arena, "n%03zu", i);
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    Place *place = *state;
    db_close(place->db);
    unlink(str_terminated(place->arena, str_print(place->arena, "%s/books.sqlite", place->folder)));
    rmdir(place->folder);
    books_end(place->arena, place->path);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

// Every third name is there, twice; and all of them in another project.
static Err *fill_work(DbTx *tx, void *context)
{
    const Place *place = context;
    for (size_t i = 0; i < MOST; i++) {
        DbValue name = db_text(place->names[i]), tenant = db_text(STR("t"));
        TRY(db_later(tx, &thing_sql[THING_ADD],
                     DB_VALUES(tenant, db_text(STR("q")), name, db_whole(9))));
        for (int64_t number = 1; number <= 2 && i % 3 == 0; number++)
            TRY(db_later(tx, &thing_sql[THING_ADD],
                         DB_VALUES(tenant, db_text(STR("p")), name, db_whole(number))));
    }
    return NULL;
}

static Err *look_work(DbTx *tx, void *context)
{
    Place  *place = context;
    DbNames names = { STR("t"), STR("p"), place->names, place->count };
    TRY(db_rows_of(tx, &thing_sql[THINGS_OF], names, &place->rows));
    return db_names_found(tx, &thing_sql[THINGS_OF], names, &place->found);
}

static void test_rows_of_any_number_of_names_are_found(void **state)
{
    static const size_t counts[] = { 0, 1, 2, DB_NAMES_COUNT - 1, DB_NAMES_COUNT,
                                     DB_NAMES_COUNT + 1, 2 * DB_NAMES_COUNT, MOST };
    Place *place = *state;
    assert_null(db_write(place->db, place->arena,
                         (DbWrite){ .work = fill_work, .context = place }));
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        place->count = counts[c];
        assert_null(db_read(place->db, place->arena, look_work, place));
        size_t there = (counts[c] + 2) / 3;
        assert_int_equal(place->rows.count, 2 * there);  // a name that fills a list brings no row
        for (size_t i = 0; i < place->rows.count; i++) {
            assert_true(str_equal(row_text(&place->rows.at[i], 0), place->names[i / 2 * 3]));
            assert_int_equal(row_whole(&place->rows.at[i], 1), 1 + i % 2);
        }
        for (size_t i = 0; i < counts[c]; i++)
            assert_int_equal(place->found[i], i % 3 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_of_any_number_of_names_are_found, place_open,
                                        place_close),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
