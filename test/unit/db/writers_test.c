// SPDX-License-Identifier: Apache-2.0
// Two processes' worth of writers on one server: they meet on rows, deadlock, and add to one chain,
// and nothing is lost, doubled or waited for for ever.
#include "db/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/thread.h"
#include "books.h"

static const char TABLES[] = "-- migration 0001_tables\n"
                             "create table item (id {{BIGINT}} not null primary key,\n"
                             "  amount {{BIGINT}} not null) {{TABLE}};\n"
                             "create table chain (number {{BIGINT}} not null primary key,\n"
                             "  who {{BIGINT}} not null) {{TABLE}};\n";

enum { ITEM_ADD, ITEM_GET, ITEM_SET, LINK_LAST, LINK_ADD, LINKS, SUM, STATEMENTS };
static const Statement sql[STATEMENTS] = {
    [ITEM_ADD] = { "insert into item (id, amount) values (?, 0)" },
    [ITEM_GET] = { "select amount from item where id = ?" },
    [ITEM_SET] = { "update item set amount = ? where id = ?" },
    [LINK_LAST] = { "select number from chain order by number desc limit 1" },
    [LINK_ADD] = { "insert into chain (number, who) values (?, ?)" },
    [LINKS] = { "select number from chain order by number" },
    [SUM] = { "select amount from item order by id" },
};
static const StatementTable        table = { "tables", sql, STATEMENTS };
static const StatementTable *const tables[] = { &table, NULL };

enum { DBS = 2, THREADS = 4, WRITES = 25, ITEMS = 3 };

typedef struct Writer {
    Thread thread;
    Db    *db;
    int    who, made;
} Writer;

static Err *items_work(DbTx *tx, void *context)
{
    (void)context;
    for (int64_t i = 0; i < ITEMS; i++)
        TRY(db_run(tx, &sql[ITEM_ADD], DB_VALUES(db_whole(i)), NULL));
    return NULL;
}

static Err *item_more(DbTx *tx, int64_t id)
{
    DbRow row;
    TRY(db_find(tx, &sql[ITEM_GET], DB_VALUES(db_whole(id)), &row));
    return db_run(tx, &sql[ITEM_SET], DB_VALUES(db_whole(row_whole(&row, 0) + 1), db_whole(id)),
                  NULL);
}

static Err *last_read(DbTx *tx, int64_t *last)
{
    DbRow row;
    TRY(db_find(tx, &sql[LINK_LAST], (DbValues){ 0 }, &row));
    *last = row.columns == NULL ? 0 : row_whole(&row, 0);
    return NULL;
}

// Items in an order that differs from writer to writer, so that they deadlock.
static Err *write_work(DbTx *tx, void *context)
{
    const Writer *writer = context;
    int64_t       last, before = -1;
    for (int i = 0; i < ITEMS; i++)
        TRY(item_more(tx, (writer->who % 2 == 0 ? i : ITEMS - 1 - i)));
    TRY(last_read(tx, &last));
    while (db_is_again(tx) && last != before) {
        before = last;
        TRY(last_read(tx, &last));
    }
    return db_run(tx, &sql[LINK_ADD], DB_VALUES(db_whole(last + 1), db_whole(writer->who)), NULL);
}

static void *writer_run(void *argument)
{
    Writer *writer = argument;
    while (writer->made < WRITES) {
        AUTO(Arena) arena = arena_open();
        Err *err = db_write(writer->db, arena,
                            (DbWrite){ .work = write_work, .context = writer });
        // After ten meetings it is told to come again.
        assert_that(err == NULL || err->code == ERR_STORE_BUSY || err->code == ERR_STORE_FAILED);
        writer->made += err == NULL;
    }
    return NULL;
}

static Err *check_work(DbTx *tx, void *context)
{
    DbRows  links, sums;
    int64_t total = DBS * THREADS * WRITES;
    (void)context;
    TRY(db_rows(tx, &sql[LINKS], (DbValues){ 0 }, &links));
    assert_int_equal(links.count, total);
    for (size_t i = 0; i < links.count; i++)
        assert_int_equal(row_whole(&links.at[i], 0), (int64_t)i + 1);
    TRY(db_rows(tx, &sql[SUM], (DbValues){ 0 }, &sums));
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(row_whole(&sums.at[i], 0), total);
    return NULL;
}

static void test_writers_that_meet_lose_nothing(void **state)
{
    (void)state;
    if (!books_are_served())
        skip();
    AUTO(Arena) arena = arena_open();
    Str       place = books_make(arena, "");
    DbOptions options = { .place = place, .migrations = str_of(TABLES), .tables = tables };
    Db       *dbs[DBS];
    Writer    writers[DBS * THREADS] = { 0 };
    for (size_t i = 0; i < DBS; i++)
        assert_null(db_open(arena, &options, &dbs[i]));
    assert_null(db_write(dbs[0], arena, (DbWrite){ .work = items_work }));
    for (int i = 0; i < DBS * THREADS; i++) {
        writers[i].db = dbs[i % DBS];
        writers[i].who = i;
        thread_start(&writers[i].thread, "writer", writer_run, &writers[i]);
    }
    for (size_t i = 0; i < DBS * THREADS; i++)
        thread_join(&writers[i].thread);
    assert_null(db_read(dbs[1], arena, check_work, NULL));
    for (size_t i = 0; i < DBS; i++)
        db_close(dbs[i]);
    books_end(arena, place);
}

typedef struct Meeting {
    int runs;
} Meeting;

static Err *meet_work(DbTx *tx, void *context)
{
    ((Meeting *)context)->runs++;
    return db_met(tx, ERR_EVENT_CONFLICT, "somebody else was first");
}

static void test_what_is_met_again_and_again_is_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    char      folder[] = "/tmp/toll_writers_test_XXXXXX";
    assert_non_null(mkdtemp(folder));
    Str       place = books_make(arena, folder);
    DbOptions options = { .place = place, .migrations = str_of(TABLES), .tables = tables };
    Meeting   meeting = { 0 };
    Db       *db;
    assert_null(db_open(arena, &options, &db));
    Err *err = db_write(db, arena, (DbWrite){ .work = meet_work, .context = &meeting });
    assert_int_equal(err->code, ERR_EVENT_CONFLICT);
    assert_int_equal(meeting.runs, books_are_served() ? 10 : 1);  // a file has one writer
    db_close(db);
    books_end(arena, place);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void test_work_that_others_overtake_is_done_five_times(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    const Err *busy = refuse(arena, ERR_STORE_BUSY, STR_NONE, "another was faster");
    const Err *failed = refuse(arena, ERR_STORE_FAILED, STR_NONE, "no disk");
    int        tries = 0, done = 0;
    do
        done++;
    while (db_goes_again(busy, &tries));
    assert_int_equal(done, 5);
    tries = 0;
    assert_false(db_goes_again(NULL, &tries));
    assert_false(db_goes_again(failed, &tries));
    assert_int_equal(tries, 0);
}

int main(void)
{
    log_threshold(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers_that_meet_lose_nothing),
        cmocka_unit_test(test_what_is_met_again_and_again_is_refused),
        cmocka_unit_test(test_work_that_others_overtake_is_done_five_times),
    };
    return cmocka_run_group_tests_name("writers", tests, NULL, NULL);
}
