// The books: one SQL database behind a seam that hides the engine. One thread writes and groups
// what waits into one transaction; a few connections read beside it. Nothing of an engine shows
// here.
//
//   db_open      migrates, then prepares every statement of every table of statements: a misspelt
//                column stops the start
//   db_write     runs work inside a transaction, answers once it is durable
//   db_read      runs work on a consistent view
//
// SQL is written once, in `static const Statement` tables in *_store.c files, in the portable
// subset: keyed select, insert, update, delete; `?` for values; no statement is ever put together
// from text. Columns are whole numbers, text, or bytes. Decimals are text and are never compared in
// SQL. Behind the values of an insert, {{ADD amount}} adds to that column of the row that has the
// key already, when there is one.
#pragma once

#include "base/error.h"
#include "base/vector.h"

typedef struct Db   Db;
typedef struct DbTx DbTx;

typedef struct Statement {
    const char *sql;
} Statement;

// The statements of one owner. `name` is told when one of them does not fit the schema.
typedef struct StatementTable {
    const char      *name;
    const Statement *rows;
    size_t           count;
} StatementTable;

typedef struct DbOptions {
    // Path of the database file, made when it is not there; or mysql://… (mariadb_address.h).
    Str                          place;
    Str                          migrations;  // db_migrations(), or a test's own
    const StatementTable *const *tables;      // ends with NULL
    size_t                       readers;     // connections for reading; 0: 2
    size_t                       group_max;   // items in a transaction; 0: 200
} DbOptions;

// Refuses STORE_FAILED: a migration that changed or is missing, a database newer than this binary,
// a statement that does not fit, a file that is no database. Refuses STORE_BUSY when another
// process writes.
Err *db_open(Arena *arena, const DbOptions *options, Db **db) MUST_CHECK;
void db_close(Db *db);  // finishes what waits; NULL is allowed

// NULL while writing works; else why it stopped (after a commit whose outcome is unknown).
Err *db_health(Db *db, Arena *arena);

// What is done in a transaction. Work may run again from its beginning after a rollback, so it
// keeps nothing of an earlier run; what it answers it takes from db_arena(tx).
typedef Err *(*DbWork)(DbTx *tx, void *context);

// Runs at the beginning of every transaction of db_write from now on, before the work: for a
// process that must write nothing more once another one has replaced it. What it refuses is the
// answer of all. NULL: nothing runs any more.
void db_guard(Db *db, DbWork guard, void *context);

typedef struct DbWrite {
    DbWork work;
    // May be NULL. Runs on the writer's thread, in the order of commits, before db_write returns:
    // for memory that mirrors the books.
    void (*committed)(void *context);
    void *context;
} DbWrite;

// Up to group_max waiting items share one transaction. When one of them refuses, all are rolled
// back and run again one by one, so that one bad item spoils nothing. NULL: committed and synced.
// OUTCOME_UNKNOWN: the commit itself failed; every later write refuses STORE_FAILED until the
// process restarts. The arena is used by the writer's thread while the caller waits.
Err *db_write(Db *db, Arena *arena, DbWrite write) MUST_CHECK;
Err *db_read(Db *db, Arena *arena, DbWork work, void *context) MUST_CHECK;

// For work that reads, thinks and then writes what must still fit: whether another was faster
// (STORE_BUSY), so that all of it is to be done again. Five times in all; *tries begins at 0.
bool db_goes_again(const Err *err, int *tries) MUST_CHECK;

// ---- inside work

Arena *db_arena(const DbTx *tx);  // the caller's
// The work ran before, perhaps because it met another process: what must be the newest row is to
// be read until it stays the same, because a look that waited for another process sees what was
// newest before that.
bool db_is_again(const DbTx *tx);
// What the work has read is no longer so: another process wrote meanwhile. On a server the work is
// run again, up to ten times; then, and in a file at once, this refusal is the answer.
Err *db_met(DbTx *tx, ErrCode code, const char *what) MUST_CHECK;

typedef enum DbKind { DB_NULL, DB_WHOLE, DB_TEXT, DB_BLOB } DbKind;

typedef struct DbValue {
    DbKind  kind;
    int64_t whole;
    Str     bytes;  // of text and blob
} DbValue;

static inline DbValue db_null(void)
{
    return (DbValue){ .kind = DB_NULL };
}

static inline DbValue db_whole(int64_t whole)
{
    return (DbValue){ .kind = DB_WHOLE, .whole = whole };
}

static inline DbValue db_text(Str text)  // STR_NONE is null
{
    return (DbValue){ .kind = text.at == NULL ? DB_NULL : DB_TEXT, .bytes = text };
}

static inline DbValue db_blob(const void *at, size_t count)
{
    return (DbValue){ .kind = DB_BLOB, .bytes = { at, count } };
}

typedef struct DbValues {
    const DbValue *at;
    size_t         count;
} DbValues;

// db_run(tx, &account_sql[ACCOUNT_RENAME], DB_VALUES(db_text(name), db_text(id)), &changed)
#define DB_VALUES(...) \
    ((DbValues){ .at = (const DbValue[]){ __VA_ARGS__ }, \
                 .count = sizeof((const DbValue[]){ __VA_ARGS__ }) / sizeof(DbValue) })

typedef struct DbRow {
    const DbValue *columns;
    size_t         count;
} DbRow;

typedef struct DbRows {
    DbRow *at;  // in db_arena(tx)
    size_t count;
} DbRows;

// Outside of work: one select, that needs no view of its own; a third of the exchanges of db_read.
Err *db_read_one(Db *db, Arena *arena, const Statement *statement, DbValues values,
                 DbRows *rows) MUST_CHECK;
// Every row, so a statement that may find many says `limit ?`.
Err *db_rows(DbTx *tx, const Statement *statement, DbValues values, DbRows *rows) MUST_CHECK;
// At most one row; row->columns is NULL when there is none.
Err *db_find(DbTx *tx, const Statement *statement, DbValues values, DbRow *row) MUST_CHECK;
// Insert, update, delete: how many rows matched. A broken constraint is STORE_FAILED.
Err *db_run(DbTx *tx, const Statement *statement, DbValues values, uint64_t *changed) MUST_CHECK;
// An insert, or an update of one row by its key, that nobody waits for: it is sent together with
// others of the same statement, before anything else of this work is asked of the books and at its
// end. Statements are then not in the order in which they were said, so they must not touch the
// same rows. When one of them changes no row, or meets its own key, the work refuses STORE_BUSY.
// The bytes of the values must live as long as the work.
Err *db_later(DbTx *tx, const Statement *statement, DbValues values) MUST_CHECK;

// Sets of values, one behind the other.
typedef struct DbSets {
    const DbValue *at;
    size_t         width;  // values of one set
    size_t         count;  // sets
} DbSets;

// The same statement once for each set, in their order, in as few exchanges with the engine as it
// allows; not for selects. All or none: when one meets its own key nothing of them is there, and
// `taken` is true (NULL: that is STORE_FAILED, and the transaction must end).
Err *db_run_many(DbTx *tx, const Statement *statement, DbSets sets, bool *taken) MUST_CHECK;
// An insert that may meet its own key: `added` is false then, and nothing changed.
Err *db_insert(DbTx *tx, const Statement *statement, DbValues values, bool *added) MUST_CHECK;

// A column of another kind than asked for is a broken promise; null text is STR_NONE.
int64_t row_whole(const DbRow *row, size_t column);
Str     row_text(const DbRow *row, size_t column);
Str     row_blob(const DbRow *row, size_t column);
bool    row_is_null(const DbRow *row, size_t column);

// The files of db/migrations, embedded in the binary, each behind a line `-- migration NNNN_name`.
Str db_migrations(void);
