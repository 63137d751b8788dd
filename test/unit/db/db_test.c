// SPDX-License-Identifier: Apache-2.0
#include "db/db.h"
#include "db/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/thread.h"
#include "books.h"

static const char ITEMS[] =
    "-- migration 0001_items\n"
    "create table item (name {{KEY}} not null primary key,\n"
    "  amount {{BIGINT}} not null, note {{TEXT}}, raw {{BLOB}}) {{TABLE}};\n";

enum { ITEM_ADD, ITEM_GET, ITEM_COUNT, ITEM_MORE, ITEMS_ALL, ITEM_PUT, ITEM_STATEMENTS };
static const Statement item_sql[ITEM_STATEMENTS] = {
    [ITEM_ADD] = { "insert into item (name, amount, note, raw) values (?, ?, ?, ?)" },
    [ITEM_GET] = { "select amount, note, raw from item where name = ?" },
    [ITEM_COUNT] = { "select count(*) from item" },
    [ITEM_MORE] = { "update item set amount = amount + ? where name = ?" },
    [ITEM_PUT] = { "insert into item (name, amount) values (?, ?) {{ADD amount}}" },
    [ITEMS_ALL] = { "select name from item order by name limit ?" },
};
static const StatementTable        item_table = { "item", item_sql, ITEM_STATEMENTS };
static const StatementTable *const item_tables[] = { &item_table, NULL };

typedef struct Place {
    Arena *arena;
    char   folder[64];
    Str    path;
} Place;

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_db_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->path = books_make(place->arena, place->folder);
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    Place                   *place = *state;
    static const char *const files[] = { "books.sqlite", "books.sqlite-wal", "books.sqlite-shm" };
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", place->folder, files[i]);
        unlink(path);
    }
    rmdir(place->folder);
    books_end(place->arena, place->path);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

static Err *open_with(Place *place, const char *migrations, const StatementTable *const *tables,
                      Db **db)
{
    return db_open(
        place->arena,
        &(DbOptions){ .place = place->path, .migrations = str_of(migrations), .tables = tables },
        db);
}

static Db *items_open(Place *place)
{
    Db *db = NULL;
    assert_null(open_with(place, ITEMS, item_tables, &db));
    return db;
}

// ---- work

typedef struct Adding {
    const char *name;
    int64_t     amount;
    ErrCode     refusal;  // when `refuses`
    bool        refuses;
    int         runs;
    int         committed;
} Adding;

static Err *add_item(DbTx *tx, void *context)
{
    Adding *adding = context;
    adding->runs++;
    TRY(db_run(
        tx, &item_sql[ITEM_ADD],
        DB_VALUES(db_text(str_of(adding->name)), db_whole(adding->amount), db_null(), db_null()),
        NULL));
    if (adding->refuses)
        return refuse(db_arena(tx), adding->refusal, STR_NONE, "refused by the test");
    return NULL;
}

static void note_commit(void *context)
{
    ((Adding *)context)->committed++;
}

static Err *count_items(DbTx *tx, void *context)
{
    DbRow row;
    TRY(db_find(tx, &item_sql[ITEM_COUNT], (DbValues){ 0 }, &row));
    assert_non_null(row.columns);
    *(int64_t *)context = row_whole(&row, 0);
    return NULL;
}

static int64_t items_in(Db *db, Arena *arena)
{
    int64_t count = -1;
    assert_null(db_read(db, arena, count_items, &count));
    return count;
}

// ---- tests

static Err *write_all_kinds(DbTx *tx, void *context)
{
    (void)context;
    bool added;
    Str  raw = { "\0\xff\x01", 3 };
    TRY(db_insert(tx, &item_sql[ITEM_ADD],
                  DB_VALUES(db_text(STR("a")), db_whole(INT64_MIN), db_text(STR("")),
                            db_blob(raw.at, raw.length)),
                  &added));
    assert_true(added);
    TRY(db_insert(tx, &item_sql[ITEM_ADD],
                  DB_VALUES(db_text(STR("a")), db_whole(1), db_null(), db_null()), &added));
    assert_false(added);
    return NULL;
}

static Err *read_all_kinds(DbTx *tx, void *context)
{
    DbRow row;
    (void)context;
    TRY(db_find(tx, &item_sql[ITEM_GET], DB_VALUES(db_text(STR("a"))), &row));
    assert_non_null(row.columns);
    assert_true(row_whole(&row, 0) == INT64_MIN);
    assert_false(row_is_null(&row, 1));
    assert_int_equal(row_text(&row, 1).length, 0);
    assert_true(str_equal(row_blob(&row, 2), (Str){ "\0\xff\x01", 3 }));
    TRY(db_find(tx, &item_sql[ITEM_GET], DB_VALUES(db_text(STR("b"))), &row));
    assert_null(row.columns);
    return NULL;
}

static void test_values_come_back_as_they_went_in(void **state)
{
    Place *place = *state;
    Db    *db = items_open(place);
    assert_null(db_write(db, place->arena, (DbWrite){ .work = write_all_kinds }));
    assert_null(db_read(db, place->arena, read_all_kinds, NULL));
    db_close(db);
    db = items_open(place);
    assert_null(db_read(db, place->arena, read_all_kinds, NULL));
    db_close(db);
}

static Err *overflow(DbTx *tx, void *context)
{
    (void)context;
    bool     added;
    uint64_t changed;
    TRY(db_insert(tx, &item_sql[ITEM_ADD],
                  DB_VALUES(db_text(STR("big")), db_whole(INT64_MAX), db_null(), db_null()),
                  &added));
    return db_run(tx, &item_sql[ITEM_MORE], DB_VALUES(db_whole(1), db_text(STR("big"))), &changed);
}

// Without STRICT tables the sum would silently become a float.
static void test_a_sum_past_64_bits_is_refused(void **state)
{
    Place *place = *state;
    Db    *db = items_open(place);
    Err   *err = db_write(db, place->arena, (DbWrite){ .work = overflow });
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    assert_int_equal(items_in(db, place->arena), 0);
    db_close(db);
}

static void test_a_misspelt_column_stops_the_start(void **state)
{
    static const Statement             sql[] = { { "select amuont from item where name = ?" } };
    static const StatementTable        table = { "misspelt", sql, 1 };
    static const StatementTable *const tables[] = { &item_table, &table, NULL };
    Place                             *place = *state;
    Db                                *db = NULL;
    Err                               *err = open_with(place, ITEMS, tables, &db);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    assert_true(str_starts(err->detail, STR("statement 0 of misspelt: ")));
    assert_null(db);
}

static void test_changed_or_newer_migrations_are_refused(void **state)
{
    static const char changed[] =
        "-- migration 0001_items\n"
        "create table item (name {{KEY}} not null primary key) {{TABLE}};\n";
    static const char renamed[] =
        "-- migration 0001_things\n"
        "create table item (name {{KEY}} not null primary key,\n"
        "  amount {{BIGINT}} not null, note {{TEXT}}, raw {{BLOB}}) {{TABLE}};\n";
    Place *place = *state;
    db_close(items_open(place));
    db_close(items_open(place));  // the same again is fine
    Db  *db = NULL;
    Err *err = open_with(place, changed, item_tables, &db);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    assert_non_null(open_with(place, renamed, item_tables, &db));
    assert_non_null(open_with(place, "", item_tables, &db));  // a binary that knows less
    assert_null(db);
}

static void test_migrations_go_forward_and_a_failing_one_leaves_nothing(void **state)
{
    static const char broken[] =
        "-- migration 0001_items\n"
        "create table item (name {{KEY}} not null primary key,\n"
        "  amount {{BIGINT}} not null, note {{TEXT}}, raw {{BLOB}}) {{TABLE}};\n"
        "-- migration 0002_more\n"
        "create table other (id {{KEY}} not null primary key) {{TABLE}};\n"
        "create table item (id {{KEY}} not null primary key) {{TABLE}};\n";
    static const char whole[] =
        "-- migration 0001_items\n"
        "create table item (name {{KEY}} not null primary key,\n"
        "  amount {{BIGINT}} not null, note {{TEXT}}, raw {{BLOB}}) {{TABLE}};\n"
        "-- migration 0002_more\n"
        "create table other (id {{KEY}} not null primary key) {{TABLE}};\n";
    Place *place = *state;
    Db    *db = NULL;
    db_close(items_open(place));
    assert_non_null(open_with(place, broken, item_tables, &db));
    if (books_are_served()) {
        // Its definitions commit one by one: what was recorded is not told otherwise.
        assert_non_null(open_with(place, whole, item_tables, &db));
        return;
    }
    assert_null(open_with(place, whole, item_tables, &db));  // `other` was not left behind
    db_close(db);
}

static void test_badly_numbered_or_worded_migrations_are_refused(void **state)
{
    static const char *const bad[] = {
        "-- migration 0002_items\ncreate table item (name text primary key) strict;\n",
        "-- migration items\n",
        "-- migration 0001_\n",
        "-- migration 0001_items\ncreate table item (name {{WORD}} primary key) strict;\n",
        "-- migration 0001_items\ncreate table item (name {{KEY} primary key) strict;\n",
    };
    Place *place = *state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Db  *db = NULL;
        Err *err = open_with(place, bad[i], item_tables, &db);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_FAILED);
    }
}

static void test_a_file_that_is_no_database_is_refused(void **state)
{
    Place *place = *state;
    if (books_are_served())
        skip();
    FILE *file = fopen(str_terminated(place->arena, place->path), "w");
    for (int i = 0; i < 2000; i++)
        fputs("not a database\n", file);
    fclose(file);
    Db  *db = NULL;
    Err *err = open_with(place, ITEMS, item_tables, &db);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
}

// ---- groups

typedef struct Waiter {
    Thread thread;
    Db    *db;
    Arena *arena;
    Adding adding;
    Err   *answer;
} Waiter;

static void *waiter_run(void *argument)
{
    Waiter *waiter = argument;
    waiter->answer =
        db_write(waiter->db, waiter->arena, (DbWrite){ add_item, note_commit, &waiter->adding });
    return NULL;
}

// Holds the writer until the others wait, so that they form one group.
typedef struct Gate {
    Lock   lock;
    Signal changed;
    bool   open, entered;
} Gate;

static Err *wait_at_gate(DbTx *tx, void *context)
{
    Gate *gate = context;
    (void)tx;
    lock_take(&gate->lock);
    gate->entered = true;
    signal_all(&gate->changed);
    while (!gate->open)
        signal_wait(&gate->changed, &gate->lock);
    lock_release(&gate->lock);
    return NULL;
}

typedef struct Holder {
    Thread thread;
    Db    *db;
    Gate  *gate;
    Arena *arena;
} Holder;

static void *holder_run(void *argument)
{
    Holder *holder = argument;
    assert_that(
        db_write(holder->db, holder->arena, (DbWrite){ wait_at_gate, NULL, holder->gate }) == NULL);
    return NULL;
}

enum { WAITERS = 12, BAD = 5 };

static void test_one_bad_item_of_a_group_spoils_nothing(void **state)
{
    Place *place = *state;
    Db    *db = items_open(place);
    Gate   gate = { 0 };
    lock_open(&gate.lock);
    signal_open(&gate.changed);
    Holder holder = { .db = db, .gate = &gate, .arena = place->arena };
    thread_start(&holder.thread, "holder", holder_run, &holder);
    lock_take(&gate.lock);
    while (!gate.entered)
        signal_wait(&gate.changed, &gate.lock);
    lock_release(&gate.lock);

    static char names[WAITERS][16];
    Waiter      waiters[WAITERS] = { 0 };
    for (int i = 0; i < WAITERS; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        waiters[i] = (Waiter){ .db = db, .arena = arena_open() };
        waiters[i].adding = (Adding){
            .name = names[i], .amount = i, .refuses = i == BAD, .refusal = ERR_METER_IN_USE
        };
        thread_start(&waiters[i].thread, "waiter", waiter_run, &waiters[i]);
    }
    // Whether they form one group or several is up to the scheduler; what they get is not.
    lock_take(&gate.lock);
    gate.open = true;
    signal_all(&gate.changed);
    lock_release(&gate.lock);
    thread_join(&holder.thread);
    for (int i = 0; i < WAITERS; i++) {
        thread_join(&waiters[i].thread);
        assert_true(waiters[i].adding.runs >= 1);
        assert_int_equal(waiters[i].adding.committed, i == BAD ? 0 : 1);
        if (i == BAD)
            assert_int_equal(waiters[i].answer->code, ERR_METER_IN_USE);
        else
            assert_null(waiters[i].answer);
        arena_close(waiters[i].arena);
    }
    assert_int_equal(items_in(db, place->arena), WAITERS - 1);
    signal_close(&gate.changed);
    lock_close(&gate.lock);
    db_close(db);
}

static Err *read_only_write(DbTx *tx, void *context)
{
    DbRows rows;
    (void)context;
    return db_rows(tx, &item_sql[ITEM_ADD],
                   DB_VALUES(db_text(STR("x")), db_whole(1), db_null(), db_null()), &rows);
}

static void test_a_reader_cannot_write(void **state)
{
    Place *place = *state;
    Db    *db = items_open(place);
    Err   *err = db_read(db, place->arena, read_only_write, NULL);
    assert_non_null(err);
    assert_int_equal(items_in(db, place->arena), 0);
    db_close(db);
}

static Err *list_three(DbTx *tx, void *context)
{
    return db_rows(tx, &item_sql[ITEMS_ALL], DB_VALUES(db_whole(3)), context);
}

static void test_rows_come_in_order_and_as_many_as_asked(void **state)
{
    Place                   *place = *state;
    Db                      *db = items_open(place);
    static const char *const names[] = { "d", "a", "c", "b" };
    for (size_t i = 0; i < 4; i++) {
        Adding adding = { .name = names[i] };
        assert_null(db_write(db, place->arena, (DbWrite){ .work = add_item, .context = &adding }));
    }
    DbRows rows;
    assert_null(db_read(db, place->arena, list_three, &rows));
    assert_int_equal(rows.count, 3);
    assert_true(str_equal(row_text(&rows.at[0], 0), STR("a")));
    assert_true(str_equal(row_text(&rows.at[2], 0), STR("c")));
    assert_null(db_health(db, place->arena));
    db_close(db);
}

// ---- the group itself, and a commit that fails, with the writer's own parts

#include "db/db.c"

static bool commit_is_lost;

static DbCommit commit_or_lose(DbConnection *connection)
{
    const DbDriver *driver = books_are_served() ? &mariadb_driver : &sqlite_driver;
    if (!commit_is_lost)
        return driver->commit(connection);
    driver->rollback(connection);
    return COMMIT_UNKNOWN;
}

static DbDriver losing_driver;

static void test_a_group_is_one_transaction_until_one_refuses(void **state)
{
    Place *place = *state;
    Db    *db = items_open(place);
    Adding first = { .name = "first" },
           second = { .name = "second", .refuses = true, .refusal = ERR_METER_IN_USE },
           third = { .name = "third" };
    Item items[3] = {
        { .write = { add_item, note_commit, &first }, .arena = place->arena, .next = &items[1] },
        { .write = { add_item, note_commit, &second }, .arena = place->arena, .next = &items[2] },
        { .write = { add_item, note_commit, &third }, .arena = place->arena },
    };
    for (int i = 0; i < 3; i++)
        signal_open(&items[i].changed);
    int64_t commits = counter_get(METRIC_BOOKS_COMMITS);
    group_run(db, items);  // the writer thread waits meanwhile: nothing was queued
    assert_int_equal(first.runs, 2);
    assert_int_equal(second.runs, 2);
    assert_int_equal(third.runs, 1);
    assert_int_equal(first.committed + third.committed, 2);
    assert_int_equal(second.committed, 0);
    assert_int_equal(items[1].answer->code, ERR_METER_IN_USE);
    assert_int_equal(counter_get(METRIC_BOOKS_COMMITS) - commits, 2);

    Adding fourth = { .name = "fourth" }, fifth = { .name = "fifth" };
    items[0] = (Item){ .write = { add_item, note_commit, &fourth },
                       .arena = place->arena,
                       .next = &items[1],
                       .changed = items[0].changed };
    items[1] = (Item){ .write = { add_item, note_commit, &fifth },
                       .arena = place->arena,
                       .changed = items[1].changed };
    group_run(db, items);
    assert_int_equal(fourth.runs + fifth.runs, 2);
    assert_int_equal(counter_get(METRIC_BOOKS_COMMITS) - commits, 3);
    for (int i = 0; i < 3; i++)
        signal_close(&items[i].changed);
    assert_int_equal(items_in(db, place->arena), 4);
    db_close(db);
}

static void test_an_unknown_outcome_is_told_and_stops_writing(void **state)
{
    Place *place = *state;
    Db    *db = items_open(place);
    losing_driver = *db->driver;
    losing_driver.commit = commit_or_lose;
    db->driver = &losing_driver;
    commit_is_lost = true;
    Adding adding = { .name = "lost" };
    Err   *err = db_write(db, place->arena, (DbWrite){ add_item, note_commit, &adding });
    commit_is_lost = false;
    assert_non_null(err);
    assert_int_equal(err->code, ERR_OUTCOME_UNKNOWN);
    assert_int_equal(adding.committed, 0);
    assert_non_null(db_health(db, place->arena));
    err = db_write(db, place->arena, (DbWrite){ add_item, note_commit, &adding });
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    db_close(db);
}

// ---- schema

static void test_states_plan_and_differences_are_told(void **state)
{
    static const char two[] =
        "-- migration 0001_items\n"
        "create table item (name {{KEY}} not null primary key,\n"
        "  amount {{BIGINT}} not null, note {{TEXT}}, raw {{BLOB}}) {{TABLE}};\n"
        "-- migration 0002_more\n"
        "alter table item add column weight {{BIGINT}};\n"
        "create table other (id {{KEY}} not null primary key) {{TABLE}};\n";
    Place          *place = *state;
    Arena          *arena = place->arena;
    Text            text = text_open(arena);
    MigrationStates states;
    assert_null(migrate_states(arena, place->path, str_of(two), &states));
    assert_int_equal(states.count, 2);
    assert_int_equal(states.at[0].end, MIGRATION_WAITING);
    assert_null(migrate_place(arena, place->path, str_of(ITEMS)));

    assert_null(migrate_states(arena, place->path, str_of(two), &states));
    assert_int_equal(states.at[0].end, MIGRATION_DONE);
    assert_int_equal(states.at[1].end, MIGRATION_WAITING);
    assert_int_equal(states.at[1].statements, 2);
    assert_null(migrate_plan(arena, place->path, str_of(two), &text));
    const char *plan = str_terminated(arena, text_str(&text));
    assert_null(strstr(plan, "create table item"));
    assert_non_null(strstr(plan, "add column weight"));
    assert_null(strstr(plan, "{{"));

    text.length = 0;
    assert_null(migrate_verify(arena, place->path, str_of(two), &text));
    assert_true(str_equal(text_str(&text), STR("item.weight is missing\nother.id is missing\n")));
    assert_null(migrate_place(arena, place->path, str_of(two)));
    text.length = 0;
    assert_null(migrate_verify(arena, place->path, str_of(two), &text));
    assert_int_equal(text.length, 0);
    assert_null(migrate_verify(arena, place->path, str_of(ITEMS), &text));
    assert_true(str_equal(text_str(&text),
                          STR("item.weight is not of this Toll\nother.id is not of this Toll\n")));
}

// As a process leaves it that ends between a definition, which commits by itself, and its record.
static void test_a_migration_that_was_cut_short_goes_on(void **state)
{
    static const char whole[] =
        "-- migration 0001_items\n"
        "create table item (name {{KEY}} not null primary key,\n"
        "  amount {{BIGINT}} not null, note {{TEXT}}, raw {{BLOB}}) {{TABLE}};\n"
        "create index item_amount on item (amount);\n"
        "create table other (id {{KEY}} not null primary key) {{TABLE}};\n";
    static const Statement             sql[] = { { "update schema_migration set done = 1" } };
    static const StatementTable        table = { "cut", sql, 1 };
    static const StatementTable *const tables[] = { &item_table, &table, NULL };
    Place                             *place = *state;
    Db                                *db = NULL;
    MigrationStates                    states;
    if (!books_are_served())
        skip();
    assert_null(open_with(place, whole, tables, &db));
    DbTx tx = { .db = db, .seat = &db->writer, .arena = place->arena, .mode = DB_WRITES };
    books_tell_server(place->path, str_terminated(place->arena,
                                                  str_print(place->arena, "drop table %.*s.other",
                                                            STR_ARG(books_database(place->path)))));
    assert_null(db->driver->begin(db->writer.connection, place->arena, DB_WRITES));
    assert_null(db_run(&tx, &sql[0], (DbValues){ 0 }, NULL));
    assert_int_equal(db->driver->commit(db->writer.connection), COMMIT_DONE);
    db_close(db);
    assert_null(migrate_states(place->arena, place->path, str_of(whole), &states));
    assert_int_equal(states.at[0].end, MIGRATION_CUT_SHORT);
    assert_null(migrate_place(place->arena, place->path, str_of(whole)));
    assert_null(migrate_states(place->arena, place->path, str_of(whole), &states));
    assert_int_equal(states.at[0].end, MIGRATION_DONE);
    Text text = text_open(place->arena);
    assert_null(migrate_verify(place->arena, place->path, str_of(whole), &text));
    assert_int_equal(text.length, 0);
}

// ---- many at once

enum { MANY = 2500 };  // of several exchanges

typedef struct Manying {
    const Statement *statement;
    DbSets           sets;
    bool             taken;
    bool             allows;
    int64_t          first, last, count;
} Manying;

static Err *many_work(DbTx *tx, void *context)
{
    Manying *many = context;
    return db_run_many(tx, many->statement, many->sets, many->allows ? &many->taken : NULL);
}

static Err *many_look(DbTx *tx, void *context)
{
    Manying *many = context;
    DbRow    row;
    TRY(db_find(tx, &item_sql[ITEM_GET], DB_VALUES(db_text(STR("m0"))), &row));
    many->first = row.columns == NULL ? -1 : row_whole(&row, 0);
    if (row.columns != NULL && !row_is_null(&row, 2))
        assert_true(str_equal(row_blob(&row, 2), STR("a\0b")));
    TRY(db_find(tx, &item_sql[ITEM_GET], DB_VALUES(db_text(STR("m2499"))), &row));
    many->last = row.columns == NULL ? -1 : row_whole(&row, 0);
    assert_true(row.columns == NULL || row_is_null(&row, 1));
    return count_items(tx, &many->count);
}

// Of 4 columns, or the first 2 of them.
static DbSets many_sets(Arena *arena, size_t width, size_t count)
{
    DbValue *values = arena_array(arena, DbValue, width * count);
    for (size_t i = 0; i < count; i++) {
        DbValue *set = values + i * width;
        set[0] = db_text(str_print(arena, "m%zu", i));
        set[1] = db_whole((int64_t)i + 7);
        if (width == 2)
            continue;
        set[2] = i % 2 == 0 ? db_text(STR("")) : db_null();
        set[3] = i % 3 == 0 ? db_blob("a\0b", 3) : db_null();
    }
    return (DbSets){ values, width, count };
}

static Err *many_write(Place *place, Db *db, Manying *many)
{
    return db_write(db, place->arena, (DbWrite){ .work = many_work, .context = many });
}

static void test_many_sets_are_all_there_or_none(void **state)
{
    Place  *place = *state;
    Db     *db = items_open(place);
    Manying many = { .statement = &item_sql[ITEM_ADD], .allows = true };
    assert_null(many_write(place, db, &many));  // none is nothing
    many.sets = many_sets(place->arena, 4, 1);
    assert_null(many_write(place, db, &many));
    assert_false(many.taken);
    many.sets = many_sets(place->arena, 4, MANY);
    DbValue *values = (DbValue *)(uintptr_t)many.sets.at;
    for (int last = 0; last < 2; last++) {  // m0 is there already: as the first, and as the last
        assert_null(many_write(place, db, &many));
        assert_true(many.taken);
        assert_null(db_read(db, place->arena, many_look, &many));
        assert_int_equal(many.count, 1);
        DbValue name = values[0];
        values[0] = values[4 * (MANY - 1)];
        values[4 * (MANY - 1)] = name;
    }
    many.sets = (DbSets){ values + 4, 4, MANY - 1 };
    assert_null(many_write(place, db, &many));
    assert_false(many.taken);
    assert_null(db_read(db, place->arena, many_look, &many));
    assert_int_equal(many.first, 7);
    assert_int_equal(many.last, MANY - 1 + 7);
    assert_int_equal(many.count, MANY);
    many.allows = false;
    Err *err = many_write(place, db, &many);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    db_close(db);
}

static void test_an_insert_may_add_to_what_is_there(void **state)
{
    Place  *place = *state;
    Db     *db = items_open(place);
    Manying many = { .statement = &item_sql[ITEM_PUT], .sets = many_sets(place->arena, 2, MANY) };
    for (int64_t times = 1; times <= 3; times++) {
        assert_null(many_write(place, db, &many));
        assert_null(db_read(db, place->arena, many_look, &many));
        assert_int_equal(many.first, times * 7);
        assert_int_equal(many.last, times * (MANY - 1 + 7));
        assert_int_equal(many.count, MANY);
    }
    DbValue most[] = { db_text(STR("m0")), db_whole(INT64_MAX) };
    many.sets = (DbSets){ most, 2, 1 };
    assert_non_null(many_write(place, db, &many));  // a sum past 64 bits
    many.sets = many_sets(place->arena, 2, 2);
    ((DbValue *)(uintptr_t)many.sets.at)[3] = db_whole(INT64_MAX);
    assert_non_null(many_write(place, db, &many));
    assert_null(db_read(db, place->arena, many_look, &many));
    assert_int_equal(many.first, 21);
    db_close(db);
}

typedef struct Waiting {
    int64_t from, to;  // names that are added, each with its number; then each has one more
    Str     more;      // a name that nobody added; STR_NONE: none
    int64_t seen;      // rows that a select within the work finds
} Waiting;

static Err *later_work(DbTx *tx, void *context)
{
    Waiting *waiting = context;
    Arena   *arena = db_arena(tx);
    for (int64_t i = waiting->from; i < waiting->to; i++)
        TRY(db_later(tx, &item_sql[ITEM_ADD],
                     DB_VALUES(db_text(str_print(arena, "m%lld", (long long)i)), db_whole(i + 6),
                               i % 2 == 0 ? db_text(STR("")) : db_null(),
                               i % 3 == 0 ? db_blob("a\0b", 3) : db_null())));
    TRY(count_items(tx, &waiting->seen));  // what waits is sent before anything is read
    for (int64_t i = waiting->from; i < waiting->to; i++)
        TRY(db_later(tx, &item_sql[ITEM_MORE],
                     DB_VALUES(db_whole(1), db_text(str_print(arena, "m%lld", (long long)i)))));
    return waiting->more.at == NULL ? NULL
                                    : db_later(tx, &item_sql[ITEM_MORE],
                                               DB_VALUES(db_whole(1), db_text(waiting->more)));
}

static ErrCode later_write(Place *place, Db *db, Waiting *waiting)
{
    Err *err = db_write(db, place->arena, (DbWrite){ .work = later_work, .context = waiting });
    return err == NULL ? ERR_COUNT : err->code;
}

static void test_what_waits_is_sent_together_and_all_of_it_counts(void **state)
{
    Place  *place = *state;
    Db     *db = items_open(place);
    Manying many;
    Waiting waiting = { 0, MANY, STR_NONE, 0 };
    assert_int_equal(later_write(place, db, &waiting), ERR_COUNT);
    assert_int_equal(waiting.seen, MANY);
    assert_null(db_read(db, place->arena, many_look, &many));
    assert_int_equal(many.first, 7);
    assert_int_equal(many.last, MANY - 1 + 7);
    waiting = (Waiting){ MANY, MANY + 3, STR("nobody"), 0 };
    assert_int_equal(later_write(place, db, &waiting), ERR_STORE_BUSY);  // an update of no row
    waiting = (Waiting){ MANY - 2, MANY + 3, STR_NONE, 0 };
    assert_int_equal(later_write(place, db, &waiting), ERR_STORE_BUSY);  // a key that is taken
    assert_null(db_read(db, place->arena, many_look, &many));
    assert_int_equal(many.count, MANY);
    assert_int_equal(many.last, MANY - 1 + 7);
    db_close(db);
}

static void test_one_select_is_read_alone(void **state)
{
    Place  *place = *state;
    Db     *db = items_open(place);
    Waiting waiting = { 0, 3, STR_NONE, 0 };
    DbRows  rows;
    assert_int_equal(later_write(place, db, &waiting), ERR_COUNT);
    assert_null(db_read_one(db, place->arena, &item_sql[ITEMS_ALL], DB_VALUES(db_whole(2)), &rows));
    assert_int_equal(rows.count, 2);
    assert_true(str_equal(row_text(&rows.at[1], 0), STR("m1")));
    db_close(db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_values_come_back_as_they_went_in),
        TEST(test_a_sum_past_64_bits_is_refused),
        TEST(test_a_misspelt_column_stops_the_start),
        TEST(test_changed_or_newer_migrations_are_refused),
        TEST(test_migrations_go_forward_and_a_failing_one_leaves_nothing),
        TEST(test_badly_numbered_or_worded_migrations_are_refused),
        TEST(test_a_file_that_is_no_database_is_refused),
        TEST(test_one_bad_item_of_a_group_spoils_nothing),
        TEST(test_a_group_is_one_transaction_until_one_refuses),
        TEST(test_an_unknown_outcome_is_told_and_stops_writing),
        TEST(test_states_plan_and_differences_are_told),
        TEST(test_a_migration_that_was_cut_short_goes_on),
        TEST(test_a_reader_cannot_write),
        TEST(test_rows_come_in_order_and_as_many_as_asked),
        TEST(test_many_sets_are_all_there_or_none),
        TEST(test_an_insert_may_add_to_what_is_there),
        TEST(test_what_waits_is_sent_together_and_all_of_it_counts),
        TEST(test_one_select_is_read_alone),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
