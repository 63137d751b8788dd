// SPDX-License-Identifier: Apache-2.0
// SQLite behind the seam: one file, write-ahead log, every commit synced. The only place that knows
// it. Tables are STRICT, because elsewhere `x = x + ?` past 2^63 turns into a float without a word.
#include <sqlite3.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "db/driver.h"

enum { BUSY_TIMEOUT_MS = 10000 };

struct DbConnection {
    sqlite3 *handle;
};

// What went wrong, for the operator's log; callers are told no more than that it did.
static Err *refusal(sqlite3 *handle, Arena *arena, const char *doing)
{
    int code = sqlite3_extended_errcode(handle);
    log_line(LOG_ERROR, "books: %s: %s (sqlite %d)", doing, sqlite3_errmsg(handle), code);
    if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED)
        return refuse(arena, ERR_STORE_BUSY, STR_NONE, "the books are in use by another process");
    if (code == SQLITE_CONSTRAINT_DATATYPE)  // a sum that is no whole number of 64 bits any more
        return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                      "an amount of the books is beyond 63 bits");
    if ((code & 0xff) == SQLITE_FULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the books cannot grow: the disk is full");
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the books could not be %s", doing);
}

static Err *settings_apply(sqlite3 *handle, Arena *arena, DbMode mode)
{
    // Rows of up to 2 KB, as lines of invoices are, stay in a page of this size: one that takes
    // more than a quarter of its page, in an index or a table without rowid, has one to itself.
    static const char writes[] =
        "pragma page_size = 8192; pragma journal_mode = wal; pragma synchronous = full;"
        "pragma foreign_keys = on;"
        "pragma trusted_schema = off; pragma cache_size = -32768; pragma wal_autocheckpoint = 2000";
    static const char reads[] =
        "pragma query_only = on; pragma trusted_schema = off; pragma cache_size = -8192";
    if (sqlite3_exec(handle, mode == DB_WRITES ? writes : reads, NULL, NULL, NULL) != SQLITE_OK)
        return refusal(handle, arena, "opened");
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return NULL;
}

static void connection_close(DbConnection *connection)
{
    sqlite3_stmt *statement;
    while ((statement = sqlite3_next_stmt(connection->handle, NULL)) != NULL)
        sqlite3_finalize(statement);
    assert_that(sqlite3_close(connection->handle) == SQLITE_OK);
    memory_release(connection);
}

static Err *connection_open(Arena *arena, Str path, DbMode mode, DbConnection **connection)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (mode == DB_WRITES ? SQLITE_OPEN_CREATE : 0);
    sqlite3 *handle = NULL;
    Err     *err = NULL;
    // Each piece of memory would be counted under a lock of the process, which the writer and the
    // readers meet on. It works until the first file is opened, and is then refused.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_open_v2(str_terminated(arena, path), &handle, flags, NULL) != SQLITE_OK) {
        err = refusal(handle, arena, "opened");
    } else {
        sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
        err = settings_apply(handle, arena, mode);
    }
    if (err != NULL) {
        sqlite3_close(handle);
        return err;
    }
    *connection = memory_take(sizeof **connection);
    (*connection)->handle = handle;
    return NULL;
}

static const char *type_word(Str name)
{
    static const struct {
        const char *name, *type;
    } words[] = {
        { "BIGINT", "integer" },  // 64 bits, signed
        { "KEY", "text" },        // up to 255 characters, compared by bytes
        { "TEXT", "text" },       // any length
        { "BLOB", "blob" },      { "TABLE", "strict, without rowid" },  // behind the columns
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(str_of(words[i].name), name))
            return words[i].type;
    return NULL;
}

// Definitions are part of the transaction: what ran before is there whole, or not at all.
static Err *script_run(DbConnection *connection, Arena *arena, Str sql, bool again)
{
    (void)again;
    if (sqlite3_exec(connection->handle, str_terminated(arena, sql), NULL, NULL, NULL) == SQLITE_OK)
        return NULL;
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the books' schema refuses a statement: %s",
                  sqlite3_errmsg(connection->handle));
}

static Err *statement_prepare(DbConnection *connection, Arena *arena, const char *sql,
                              DbPrepared **prepared)
{
    sqlite3_stmt *statement = NULL;
    const char   *rest = NULL;
    const char   *own = str_terminated(
        arena, driver_sql(arena, sql, "on conflict do update set ? = ? + excluded.?"));
    if (sqlite3_prepare_v3(connection->handle, own, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                           &rest) != SQLITE_OK)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "%s in: %s",
                      sqlite3_errmsg(connection->handle), sql);
    assert_that(statement != NULL && *rest == 0);
    *prepared = (DbPrepared *)statement;
    return NULL;
}

static void values_bind(sqlite3_stmt *statement, DbValues values)
{
    assert_that(sqlite3_bind_parameter_count(statement) == (int)values.count);
    for (int i = 0; i < (int)values.count; i++) {
        const DbValue *value = &values.at[i];
        sqlite3_uint64 length = value->bytes.length;
        const char    *at = value->bytes.at == NULL ? "" : value->bytes.at;
        int            code = SQLITE_OK;
        switch (value->kind) {
        case DB_NULL: code = sqlite3_bind_null(statement, i + 1); break;
        case DB_WHOLE: code = sqlite3_bind_int64(statement, i + 1, value->whole); break;
        case DB_TEXT:
            code = sqlite3_bind_text64(statement, i + 1, at, length, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case DB_BLOB:
            code = sqlite3_bind_blob64(statement, i + 1, at, length, SQLITE_STATIC);
            break;
        }
        assert_that(code == SQLITE_OK);
    }
}

static DbValue column_value(sqlite3_stmt *statement, Arena *arena, int column)
{
    Str bytes = { NULL, 0 };
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return db_whole(sqlite3_column_int64(statement, column));
    case SQLITE_TEXT:
        bytes.at = (const char *)sqlite3_column_text(statement, column);
        bytes.length = (size_t)sqlite3_column_bytes(statement, column);
        return db_text(str_copy(arena, bytes));
    case SQLITE_BLOB:
        bytes.at = sqlite3_column_blob(statement, column);
        bytes.length = (size_t)sqlite3_column_bytes(statement, column);
        bytes = str_copy(arena, bytes);
        return db_blob(bytes.at, bytes.length);
    case SQLITE_NULL: return db_null();
    }
    assert_failed("a column is whole, text, blob or null", __FILE__, __LINE__);
}

static DbRow row_copy(sqlite3_stmt *statement, Arena *arena)
{
    int      count = sqlite3_column_count(statement);
    DbValue *columns = arena_array(arena, DbValue, count);
    for (int i = 0; i < count; i++)
        columns[i] = column_value(statement, arena, i);
    return (DbRow){ columns, (size_t)count };
}

static void rows_add(DbRows *rows, size_t *room, Arena *arena, DbRow row)
{
    if (rows->count == *room) {
        *room = *room == 0 ? 8 : 2 * *room;
        DbRow *more = arena_array(arena, DbRow, *room);
        for (size_t i = 0; i < rows->count; i++)
            more[i] = rows->at[i];
        rows->at = more;
    }
    rows->at[rows->count++] = row;
}

static Err *statement_run(DbPrepared *prepared, Arena *arena, DbValues values, DbResult *result)
{
    sqlite3_stmt *statement = (sqlite3_stmt *)prepared;
    sqlite3      *handle = sqlite3_db_handle(statement);
    DbResult      found = { 0 };
    size_t        room = 0;
    Err          *err = NULL;
    int           code;

    values_bind(statement, values);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        rows_add(&found.rows, &room, arena, row_copy(statement, arena));
    if (code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE ||
        code == SQLITE_CONSTRAINT_ROWID)
        found.key_taken = true;
    else if (code != SQLITE_DONE)
        err = refusal(handle, arena, "read or written");
    else if (!sqlite3_stmt_readonly(statement))
        found.changed = (uint64_t)sqlite3_changes64(handle);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (err == NULL)
        *result = found;
    return err;
}

static Err *many_run(DbPrepared *prepared, Arena *arena, DbSets sets, DbResult *result)
{
    uint64_t changed = 0;
    for (size_t i = 0; i < sets.count && !result->key_taken; i++) {
        DbValues values = { sets.at + i * sets.width, sets.width };
        TRY(statement_run(prepared, arena, values, result));
        changed += result->changed;
    }
    result->changed = changed;
    return NULL;
}

static Err *statement_run_many(DbPrepared *prepared, Arena *arena, DbSets sets, bool guarded,
                               DbResult *result)
{
    sqlite3 *handle = sqlite3_db_handle((sqlite3_stmt *)prepared);
    if (!guarded || sets.count == 1)
        return many_run(prepared, arena, sets, result);
    if (sqlite3_exec(handle, "savepoint many", NULL, NULL, NULL) != SQLITE_OK)
        return refusal(handle, arena, "read or written");
    TRY(many_run(prepared, arena, sets, result));
    const char *end = result->key_taken ? "rollback to many; release many" : "release many";
    if (sqlite3_exec(handle, end, NULL, NULL, NULL) != SQLITE_OK)
        return refusal(handle, arena, "read or written");
    return NULL;
}

static Err *transaction_begin(DbConnection *connection, Arena *arena, DbMode mode)
{
    const char *sql = mode == DB_WRITES ? "begin immediate" : "begin";
    if (sqlite3_exec(connection->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return refusal(connection->handle, arena, "opened for a transaction");
    return NULL;
}

// One process writes, and waits for its turn before a transaction begins.
static bool transaction_undone(DbConnection *connection)
{
    (void)connection;
    return false;
}

static void transaction_rollback(DbConnection *connection)
{
    // Some failures have rolled back already; a second rollback is then an error of no interest.
    if (sqlite3_get_autocommit(connection->handle) == 0)
        sqlite3_exec(connection->handle, "rollback", NULL, NULL, NULL);
    assert_that(sqlite3_get_autocommit(connection->handle) != 0);
}

// Busy and full are told before the commit frame is written; any other failure may come after it.
static DbCommit transaction_commit(DbConnection *connection)
{
    int code = sqlite3_exec(connection->handle, "commit", NULL, NULL, NULL) & 0xff;
    if (code == SQLITE_OK)
        return COMMIT_DONE;
    log_line(LOG_ERROR, "books: commit: %s (sqlite %d)", sqlite3_errmsg(connection->handle),
             sqlite3_extended_errcode(connection->handle));
    transaction_rollback(connection);
    return code == SQLITE_BUSY || code == SQLITE_FULL || code == SQLITE_CONSTRAINT ? COMMIT_REFUSED
                                                                                   : COMMIT_UNKNOWN;
}

const DbDriver sqlite_driver = {
    .name = "sqlite",
    .open = connection_open,
    .close = connection_close,
    .word = type_word,
    .script = script_run,
    .prepare = statement_prepare,
    .run = statement_run,
    .run_many = statement_run_many,
    .columns_sql =
        "select t.name, c.name, lower(c.type) from sqlite_schema t join pragma_table_info(t.name) c"
        " where t.type = 'table' and t.name not like 'sqlite_%' order by 1, 2",
    .begin = transaction_begin,
    .undone = transaction_undone,
    .commit = transaction_commit,
    .rollback = transaction_rollback,
};
