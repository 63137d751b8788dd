// SPDX-License-Identifier: Apache-2.0
// One writer thread that turns whatever waits into one transaction, and a pool of readers. Every
// seat (a connection with its prepared statements) is used by one thread at a time.
#include "db/db.h"

#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "db/mariadb_address.h"
#include "db/migrate.h"

enum {
    READERS_USUAL = 2,
    GROUP_USUAL = 200,
    ATTEMPTS = 10,  // of a transaction that the engine undoes
    TRIES_MAX = 5,  // of work that others overtake
    GROUP_ATTEMPTS = 2,  // before its items go alone
    LATER_STATEMENTS = 16,  // that may wait at once
    PAUSE_LEAST_US = 5000,
    PAUSE_STEP_US = 20000
};

typedef struct Seat {
    DbConnection *connection;
    DbPrepared  **prepared;  // of all tables of statements, one after the other
    struct Seat  *next;      // of the free readers
} Seat;

// Somebody who waits in db_write.
typedef struct Item {
    DbWrite      write;
    Arena       *arena;
    Err         *answer;
    bool         answered;
    Signal       changed;
    struct Item *next;
} Item;

struct Db {
    const DbDriver              *driver;
    const StatementTable *const *tables;
    size_t                       group_max;
    Seat                         writer;
    Seat                        *readers;
    size_t                       reader_count;
    bool                         met;       // the writer's: a row that another process wrote
    bool                         is_again;  // the writer's: the work ran before
    DbWork                       guard;     // the writer's copies of `guards` and `guarded`
    void                        *guard_context;

    Lock   lock;  // guards all below
    Signal arrived;
    Item  *first, *last;
    bool   closing;
    DbWork guards;  // before the work of each transaction; may be NULL
    void  *guarded;
    bool   latched;  // a commit's outcome is unknown: what memory mirrors may be wrong
    Seat  *free;
    Signal freed;
    Thread thread;
};

// Sets of values of one statement that wait to be sent together.
typedef struct Later {
    DbPrepared *prepared;
    DbValue    *values;  // in the transaction's arena
    size_t      width, count, room;
} Later;

struct DbTx {
    Db    *db;
    Seat  *seat;
    Arena *arena;
    DbMode mode;
    bool   is_again;
    Later  later[LATER_STATEMENTS];
    size_t later_count;
};

// ---- seats

static Err *seat_prepare(Db *db, Arena *arena, Seat *seat)
{
    size_t total = 0;
    for (size_t t = 0; db->tables[t] != NULL; t++)
        total += db->tables[t]->count;
    seat->prepared = memory_take(total * sizeof *seat->prepared);
    size_t place = 0;
    for (size_t t = 0; db->tables[t] != NULL; t++)
        for (size_t i = 0; i < db->tables[t]->count; i++) {
            Err *err = db->driver->prepare(seat->connection, arena, db->tables[t]->rows[i].sql,
                                           &seat->prepared[place++]);
            if (err != NULL)
                return refuse(arena, err->code, STR_NONE, "statement %zu of %s: %.*s", i,
                              db->tables[t]->name, STR_ARG(err->detail));
        }
    return NULL;
}

static void seat_close(Db *db, Seat *seat)
{
    if (seat->connection != NULL)
        db->driver->close(seat->connection);
    memory_release(seat->prepared);
}

static DbPrepared *prepared_of(const DbTx *tx, const Statement *statement)
{
    size_t before = 0;
    for (size_t t = 0; tx->db->tables[t] != NULL; t++) {
        const StatementTable *table = tx->db->tables[t];
        if (statement >= table->rows && statement < table->rows + table->count)
            return tx->seat->prepared[before + (size_t)(statement - table->rows)];
        before += table->count;
    }
    assert_failed("the statement is in a table given to db_open", __FILE__, __LINE__);
}

// ---- the writer

static Err *latched_refusal(Arena *arena)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                  "a commit of the books failed and its outcome is unknown; restart the server");
}

static Err *busy_refusal(Arena *arena)
{
    return refuse(arena, ERR_STORE_BUSY, STR_NONE,
                  "the books could not commit; nothing was changed");
}

static Err *commit(Db *db, Arena *arena)
{
    switch (db->driver->commit(db->writer.connection)) {
    case COMMIT_DONE: counter_add(METRIC_BOOKS_COMMITS, 1); return NULL;
    case COMMIT_REFUSED: return busy_refusal(arena);
    case COMMIT_UNKNOWN: break;
    }
    lock_take(&db->lock);
    db->latched = true;
    lock_release(&db->lock);
    log_line(LOG_ERROR, "books: the outcome of a commit is unknown; writing stops until a restart");
    return refuse(arena, ERR_OUTCOME_UNKNOWN, STR_NONE,
                  "the commit failed; repeat with the same key after the server was restarted");
}

Err *db_met(DbTx *tx, ErrCode code, const char *what)
{
    tx->db->met = true;
    return refuse(tx->arena, code, STR_NONE, "%s", what);
}

static Err *later_send(DbTx *tx, const Later *later)
{
    DbSets   sets = { later->values, later->width, later->count };
    DbResult result = { 0 };
    TRY(tx->db->driver->run_many(later->prepared, tx->arena, sets, false, &result));
    return !result.key_taken && result.changed == later->count
               ? NULL
               : db_met(tx, ERR_STORE_BUSY,
                        "another request changed the same rows of the books");
}

static Err *later_send_all(DbTx *tx)
{
    size_t count = tx->later_count;
    tx->later_count = 0;
    for (size_t i = 0; i < count; i++)
        TRY(later_send(tx, &tx->later[i]));
    return NULL;
}

static Err *item_work(Db *db, Item *item)
{
    DbTx tx = { .db = db, .seat = &db->writer, .arena = item->arena, .mode = DB_WRITES,
                .is_again = db->is_again };
    TRY(item->write.work(&tx, item->write.context));
    return later_send_all(&tx);
}

static void answer(Db *db, Item *item, Err *err)
{
    if (err == NULL && item->write.committed != NULL)
        item->write.committed(item->write.context);
    lock_take(&db->lock);
    item->answer = err;
    item->answered = true;
    signal_one(&item->changed);
    lock_release(&db->lock);
}

// Before a transaction is run again: a little longer each time, and never at the pace of the other.
static void pause_before(unsigned attempt)
{
    uint32_t random;
    random_bytes(&random, sizeof random);
    usleep(PAUSE_LEAST_US + random % (PAUSE_STEP_US * attempt));
}

static bool undone(Db *db)
{
    return db->driver->undone(db->writer.connection);
}

static bool again(Db *db)
{
    return undone(db) || (db->met && db->driver->is_shared);
}

static Err *begin(Db *db, Arena *arena)
{
    TRY(db->driver->begin(db->writer.connection, arena, DB_WRITES));
    if (db->guard == NULL)
        return NULL;
    DbTx tx = { .db = db, .seat = &db->writer, .arena = arena, .mode = DB_WRITES };
    Err *err = db->guard(&tx, db->guard_context);
    if (err != NULL)
        db->driver->rollback(db->writer.connection);
    return err;
}

// One item in a transaction of its own: what it refuses is its answer.
static Err *alone_once(Db *db, Item *item)
{
    if (db->latched)
        return latched_refusal(item->arena);
    db->met = false;
    TRY(begin(db, item->arena));
    Err *err = item_work(db, item);
    if (err == NULL)
        return commit(db, item->arena);
    db->driver->rollback(db->writer.connection);
    return err;
}

static void item_alone(Db *db, Item *item)
{
    Err *err = alone_once(db, item);
    for (unsigned attempt = 1; err != NULL && again(db) && attempt < ATTEMPTS; attempt++) {
        pause_before(attempt);
        db->is_again = true;
        err = alone_once(db, item);
    }
    answer(db, item, err);
}

typedef enum GroupEnd { GROUP_DONE, GROUP_REFUSED, GROUP_UNDONE } GroupEnd;

static void group_answer(Db *db, Item *group, const Err *err)
{
    for (Item *item = group, *next; item != NULL; item = next) {
        next = item->next;  // the item is its waiter's again once it is answered
        answer(db, item,
               err == NULL
                   ? NULL
                   : refuse(item->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail)));
    }
}

// REFUSED and UNDONE: nothing of the group is there, and nobody is answered.
static GroupEnd group_together(Db *db, Item *group)
{
    if (db->latched)
        return GROUP_REFUSED;
    if (begin(db, group->arena) != NULL)
        return undone(db) ? GROUP_UNDONE : GROUP_REFUSED;
    for (Item *item = group; item != NULL; item = item->next)
        if (item_work(db, item) != NULL) {
            db->driver->rollback(db->writer.connection);
            return undone(db) ? GROUP_UNDONE : GROUP_REFUSED;
        }
    Err *err = commit(db, group->arena);
    if (err != NULL && undone(db))
        return GROUP_UNDONE;
    group_answer(db, group, err);
    return GROUP_DONE;
}

// A group holds many rows at once, and one that meets another server's again and again may never
// get all of them; its items may, one by one.
static bool may_be_alone(Db *db, Arena *arena)
{
    if (db->driver->begin(db->writer.connection, arena, DB_WRITES) != NULL)
        return false;  // the connection is what fails
    db->driver->rollback(db->writer.connection);
    return true;
}

static void group_run(Db *db, Item *group)
{
    bool is_one = group->next == NULL;
    db->is_again = false;
    GroupEnd end = is_one ? GROUP_REFUSED : group_together(db, group);
    for (unsigned attempt = 1; end == GROUP_UNDONE && attempt < ATTEMPTS; attempt++) {
        pause_before(attempt);
        db->is_again = true;
        end = attempt >= GROUP_ATTEMPTS && may_be_alone(db, group->arena)
                  ? GROUP_REFUSED
                  : group_together(db, group);
    }
    if (end == GROUP_UNDONE)
        group_answer(db, group, busy_refusal(group->arena));
    for (Item *item = end == GROUP_REFUSED ? group : NULL, *next; item != NULL; item = next) {
        next = item->next;
        db->is_again = !is_one;
        item_alone(db, item);
    }
}

// Waits for work and cuts at most group_max items off the front; NULL when closing and empty.
static Item *group_take(Db *db)
{
    lock_take(&db->lock);
    while (db->first == NULL && !db->closing)
        signal_wait(&db->arrived, &db->lock);
    Item *group = db->first;
    db->guard = db->guards;
    db->guard_context = db->guarded;
    if (group != NULL) {
        Item *end = group;
        for (size_t i = 1; i < db->group_max && end->next != NULL; i++)
            end = end->next;
        db->first = end->next;
        end->next = NULL;
    }
    lock_release(&db->lock);
    return group;
}

static void *writer_run(void *argument)
{
    Db *db = argument;
    for (Item *group; (group = group_take(db)) != NULL;)
        group_run(db, group);
    return NULL;
}

// ---- opening

Str driver_sql(Arena *arena, const char *sql, const char *add)
{
    static const char begin[] = "{{ADD ", end[] = "}}";
    const char       *word = strstr(sql, begin);
    if (word == NULL)
        return str_of(sql);
    const char *column = word + sizeof begin - 1, *rest = strstr(column, end);
    assert_that(rest != NULL);
    Text text = text_open(arena);
    text_add_bytes(&text, sql, (size_t)(word - sql));
    for (const char *at = add; *at != 0; at++)
        if (*at == '?')
            text_add_bytes(&text, column, (size_t)(rest - column));
        else
            text_add_char(&text, *at);
    text_add(&text, str_of(rest + sizeof end - 1));
    return text_str(&text);
}

const DbDriver *driver_of(Str place)
{
    return mariadb_is_address(place) ? &mariadb_driver : &sqlite_driver;
}

static Err *readers_open(Db *db, Arena *arena, Str place)
{
    for (size_t i = 0; i < db->reader_count; i++) {
        Seat *seat = &db->readers[i];
        TRY(db->driver->open(arena, place, DB_READS, &seat->connection));
        TRY(seat_prepare(db, arena, seat));
        seat->next = db->free;
        db->free = seat;
    }
    return NULL;
}

static Err *seats_open(Db *db, Arena *arena, const DbOptions *options)
{
    TRY(db->driver->open(arena, options->place, DB_WRITES, &db->writer.connection));
    TRY(migrate_up(arena, db->driver, db->writer.connection, options->migrations));
    TRY(seat_prepare(db, arena, &db->writer));
    return readers_open(db, arena, options->place);
}

Err *db_open(Arena *arena, const DbOptions *options, Db **opened)
{
    Db *db = memory_take(sizeof *db);
    db->driver = driver_of(options->place);
    db->tables = options->tables;
    db->group_max = options->group_max == 0 ? GROUP_USUAL : options->group_max;
    db->reader_count = options->readers == 0 ? READERS_USUAL : options->readers;
    db->readers = memory_take(db->reader_count * sizeof *db->readers);
    lock_open(&db->lock);
    signal_open(&db->arrived);
    signal_open(&db->freed);

    Err *err = seats_open(db, arena, options);
    if (err != NULL) {
        db_close(db);
        return err;
    }
    thread_start(&db->thread, "books", writer_run, db);
    *opened = db;
    return NULL;
}

void db_close(Db *db)
{
    if (db == NULL)
        return;
    lock_take(&db->lock);
    db->closing = true;
    signal_all(&db->arrived);
    lock_release(&db->lock);
    thread_join(&db->thread);
    for (size_t i = 0; i < db->reader_count; i++)
        seat_close(db, &db->readers[i]);
    seat_close(db, &db->writer);  // last, so that it folds the write-ahead log back
    memory_release(db->readers);
    signal_close(&db->arrived);
    signal_close(&db->freed);
    lock_close(&db->lock);
    memory_release(db);
}

void db_guard(Db *db, DbWork guard, void *context)
{
    lock_take(&db->lock);
    db->guards = guard;
    db->guarded = context;
    lock_release(&db->lock);
}

Err *db_health(Db *db, Arena *arena)
{
    lock_take(&db->lock);
    bool latched = db->latched;
    lock_release(&db->lock);
    return latched ? latched_refusal(arena) : NULL;
}

// ---- transactions

Err *db_write(Db *db, Arena *arena, DbWrite write)
{
    assert_that(!pthread_equal(pthread_self(), db->thread.id));  // it would wait for itself
    Item item = { .write = write, .arena = arena };
    signal_open(&item.changed);
    lock_take(&db->lock);
    assert_that(!db->closing);
    if (db->first == NULL)
        db->first = &item;
    else
        db->last->next = &item;
    db->last = &item;
    signal_one(&db->arrived);
    while (!item.answered)
        signal_wait(&item.changed, &db->lock);
    lock_release(&db->lock);
    signal_close(&item.changed);
    return item.answer;
}

static Seat *reader_take(Db *db)
{
    lock_take(&db->lock);
    while (db->free == NULL)
        signal_wait(&db->freed, &db->lock);
    Seat *seat = db->free;
    db->free = seat->next;
    lock_release(&db->lock);
    return seat;
}

static void reader_give(Db *db, Seat *seat)
{
    lock_take(&db->lock);
    seat->next = db->free;
    db->free = seat;
    signal_one(&db->freed);
    lock_release(&db->lock);
}

Err *db_read(Db *db, Arena *arena, DbWork work, void *context)
{
    Seat *seat = reader_take(db);
    DbTx  tx = { .db = db, .seat = seat, .arena = arena, .mode = DB_READS };
    Err  *err = db->driver->begin(seat->connection, arena, DB_READS);
    if (err == NULL) {
        err = work(&tx, context);
        db->driver->rollback(seat->connection);
    }
    reader_give(db, seat);
    return err;
}

bool db_goes_again(const Err *err, int *tries)
{
    return err != NULL && err->code == ERR_STORE_BUSY && ++*tries < TRIES_MAX;
}

Err *db_read_one(Db *db, Arena *arena, const Statement *statement, DbValues values, DbRows *rows)
{
    Seat    *seat = reader_take(db);
    DbTx     tx = { .db = db, .seat = seat, .arena = arena, .mode = DB_READS };
    DbResult result;
    DbPrepared *prepared = prepared_of(&tx, statement);
    Err *err = db->driver->run(prepared, arena, values, &result);
    if (err != NULL && db->driver->undone(seat->connection)) {
        err = db->driver->begin(seat->connection, arena, DB_READS);  // connects anew
        if (err == NULL) {
            err = db->driver->run(prepared, arena, values, &result);
            db->driver->rollback(seat->connection);
        }
    }
    reader_give(db, seat);
    if (err == NULL)
        *rows = result.rows;
    return err;
}

// ---- statements

bool db_is_again(const DbTx *tx)
{
    return tx->is_again;
}

Arena *db_arena(const DbTx *tx)
{
    return tx->arena;
}

static Err *run(DbTx *tx, const Statement *statement, DbValues values, DbResult *result)
{
    TRY(later_send_all(tx));
    return tx->db->driver->run(prepared_of(tx, statement), tx->arena, values, result);
}

Err *db_rows(DbTx *tx, const Statement *statement, DbValues values, DbRows *rows)
{
    DbResult result;
    TRY(run(tx, statement, values, &result));
    *rows = result.rows;
    return NULL;
}

Err *db_find(DbTx *tx, const Statement *statement, DbValues values, DbRow *row)
{
    DbResult result;
    TRY(run(tx, statement, values, &result));
    assert_that(result.rows.count <= 1);
    *row = result.rows.count == 1 ? result.rows.at[0] : (DbRow){ 0 };
    return NULL;
}

Err *db_run(DbTx *tx, const Statement *statement, DbValues values, uint64_t *changed)
{
    DbResult result;
    assert_that(tx->mode == DB_WRITES);
    TRY(run(tx, statement, values, &result));
    if (result.key_taken)
        return db_met(tx, ERR_STORE_FAILED, "a row of the books is there already");
    if (changed != NULL)
        *changed = result.changed;
    return NULL;
}

Err *db_run_many(DbTx *tx, const Statement *statement, DbSets sets, bool *taken)
{
    DbResult result = { 0 };
    assert_that(tx->mode == DB_WRITES);
    TRY(later_send_all(tx));
    if (sets.count > 0)
        TRY(tx->db->driver->run_many(prepared_of(tx, statement), tx->arena, sets, taken != NULL,
                                     &result));
    if (taken != NULL)
        *taken = result.key_taken;
    else if (result.key_taken)
        return db_met(tx, ERR_STORE_FAILED, "a row of the books is there already");
    return NULL;
}

// Where sets of the statement wait; one more place is taken when there is none.
static Later *later_of(DbTx *tx, DbPrepared *prepared, size_t width)
{
    size_t i = 0;
    while (i < tx->later_count && tx->later[i].prepared != prepared)
        i++;
    if (i == tx->later_count)
        tx->later[tx->later_count++] = (Later){ .prepared = prepared, .width = width };
    assert_that(tx->later[i].width == width);
    return &tx->later[i];
}

Err *db_later(DbTx *tx, const Statement *statement, DbValues values)
{
    enum { ROOM_LEAST = 16 };
    assert_that(tx->mode == DB_WRITES);
    if (tx->later_count == LATER_STATEMENTS)
        TRY(later_send_all(tx));
    Later *later = later_of(tx, prepared_of(tx, statement), values.count);
    if (later->count == later->room) {
        later->room = later->room == 0 ? ROOM_LEAST : 2 * later->room;
        DbValue *more = arena_array(tx->arena, DbValue, later->room * later->width);
        if (later->count > 0)
            memcpy(more, later->values, later->count * later->width * sizeof *more);
        later->values = more;
    }
    memcpy(later->values + later->count++ * later->width, values.at,
           values.count * sizeof *values.at);
    return NULL;
}

Err *db_insert(DbTx *tx, const Statement *statement, DbValues values, bool *added)
{
    DbResult result;
    assert_that(tx->mode == DB_WRITES);
    TRY(run(tx, statement, values, &result));
    *added = !result.key_taken;
    return NULL;
}

// ---- rows

static const DbValue *column_of(const DbRow *row, size_t column, DbKind kind)
{
    assert_that(column < row->count);
    assert_that(row->columns[column].kind == kind || row->columns[column].kind == DB_NULL);
    return &row->columns[column];
}

int64_t row_whole(const DbRow *row, size_t column)
{
    const DbValue *value = column_of(row, column, DB_WHOLE);
    assert_that(value->kind == DB_WHOLE);
    return value->whole;
}

Str row_text(const DbRow *row, size_t column)
{
    return column_of(row, column, DB_TEXT)->bytes;
}

Str row_blob(const DbRow *row, size_t column)
{
    return column_of(row, column, DB_BLOB)->bytes;
}

bool row_is_null(const DbRow *row, size_t column)
{
    assert_that(column < row->count);
    return row->columns[column].kind == DB_NULL;
}
