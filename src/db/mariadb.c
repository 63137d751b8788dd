// SPDX-License-Identifier: Apache-2.0
// MariaDB behind the seam; the only place that knows it. Writers read committed rows and lock what
// they read ("for update" behind every select), so that two servers on one database cannot lose an
// update; readers have a snapshot.
//
// A connection that is lost before a commit loses the transaction, which is then run again on a new
// one. One that is lost in a commit leaves open whether it happened: each transaction carries its
// number into the writer's own row of writer_commit, and the row tells. Asking for it locks it, so
// a transaction that is still on its way at the server has ended before there is an answer.
#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <mariadb/mysqld_error.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "db/driver.h"
#include "db/mariadb_address.h"

enum {
    CONNECT_SECONDS = 5,
    ANSWER_SECONDS = 60,         // a statement may take so long
    LOCK_SECONDS = 5,            // and wait so long for a row
    FIND_OUT_US = 30 * 1000000,  // for the outcome of a commit
    FIND_OUT_PAUSE_US = 200000,
    WRITER_BYTES = 16,
    SETS_MAX = 1000,        // in one exchange, and
    PIECE_BYTES = 4 << 20,  // so many bytes: far below max_allowed_packet, which is 16 MB
};

struct DbConnection {
    MYSQL         *handle;
    Arena         *arena;  // of the address
    MariadbAddress address;
    DbMode         mode;
    size_t         host;     // of the address: the one that answered last
    bool           left;     // its node has no say in the cluster: another one is asked next
    bool           clustered;
    bool           unsure;   // whether its node still has: a read that waited for the others failed
    uint64_t       session;  // counts connects: what was prepared in an earlier one is gone
    bool           undone;   // the engine ended the transaction: it is to be run again
    unsigned char  writer[WRITER_BYTES];
    int64_t        commits;
    DbPrepared    *prepared;  // all of them
};

struct DbPrepared {
    DbConnection *connection;
    const char   *sql;
    MYSQL_STMT   *statement;
    uint64_t      session;
    bool          reads;
    DbPrepared   *next;
};

// ---- refusals

static bool is_lost(unsigned code)
{
    return code == CR_SERVER_GONE_ERROR || code == CR_SERVER_LOST ||
           code == CR_SERVER_LOST_EXTENDED || code == ER_CONNECTION_KILLED ||
           code == ER_SERVER_SHUTDOWN || code == ER_NORMAL_SHUTDOWN;
}

// The transaction is gone, or must go, and may do what it did again. 1047: a node of a cluster that
// is not ready; 1020: the row changed since it was read.
static bool is_undone(unsigned code)
{
    return is_lost(code) || code == ER_LOCK_DEADLOCK || code == ER_LOCK_WAIT_TIMEOUT ||
           code == ER_CHECKREAD || code == ER_UNKNOWN_COM_ERROR;
}

static Err *refusal(DbConnection *connection, Arena *arena, unsigned code, const char *text,
                    const char *doing)
{
    log_line(is_undone(code) ? LOG_WARN : LOG_ERROR, "books: %s: %s (mariadb %u)", doing, text,
             code);
    connection->undone = connection->undone || is_undone(code);
    connection->left = connection->left || code == ER_UNKNOWN_COM_ERROR;
    connection->unsure =
        connection->unsure || (connection->clustered && code == ER_LOCK_WAIT_TIMEOUT);
    if (is_undone(code))
        return refuse(arena, ERR_STORE_BUSY, STR_NONE, "the books are busy or out of reach");
    if (code == ER_OPTION_PREVENTS_STATEMENT || code == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION ||
        code == ER_READ_ONLY_MODE)
        return refuse(arena, ERR_STORE_BUSY, STR_NONE, "the books' server takes no changes now");
    if (code == ER_DATA_OUT_OF_RANGE || code == ER_WARN_DATA_OUT_OF_RANGE)
        return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                      "an amount of the books is beyond 63 bits");
    if (code == ER_RECORD_FILE_FULL || code == ER_DISK_FULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the books cannot grow: the disk is full");
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the books could not be %s", doing);
}

static Err *handle_refusal(DbConnection *connection, Arena *arena, const char *doing)
{
    return refusal(connection, arena, mysql_errno(connection->handle),
                   mysql_error(connection->handle), doing);
}

// ---- a session

static Err *query(DbConnection *connection, Arena *arena, Str sql)
{
    if (mysql_real_query(connection->handle, sql.at, sql.length) != 0)
        return handle_refusal(connection, arena, "read or written");
    return NULL;
}

// One row of one text column; STR_NONE when there is none.
static Err *ask(DbConnection *connection, Arena *arena, Str sql, Str *answer)
{
    TRY(query(connection, arena, sql));
    MYSQL_RES *result = mysql_store_result(connection->handle);
    if (result == NULL)
        return handle_refusal(connection, arena, "read");
    MYSQL_ROW row = mysql_fetch_row(result);
    *answer = row == NULL || row[0] == NULL ? STR_NONE : str_copy(arena, str_of(row[0]));
    mysql_free_result(result);
    return NULL;
}

// What a server must promise before money is written to it.
static Err *server_check(DbConnection *connection, Arena *arena)
{
    static const struct {
        const char *sql, *wanted, *why;
    } promises[] = {
        { "select @@innodb_flush_log_at_trx_commit", "1",
          "innodb_flush_log_at_trx_commit must be 1: anything else loses commits in a crash" },
        { "select @@innodb_doublewrite", "1", "innodb_doublewrite must be on" },
        { "select @@character_set_connection", "utf8mb4", "the connection must speak utf8mb4" },
    };
    Str version;
    TRY(ask(connection, arena, STR("select version()"), &version));
    if (strstr(str_terminated(arena, version), "MariaDB") == NULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "the books' server is no MariaDB but %.*s", STR_ARG(version));
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        Str answer;
        TRY(ask(connection, arena, str_of(promises[i].sql), &answer));
        if (!str_equal(answer, str_of(promises[i].wanted)))
            return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the books' server: %s",
                          promises[i].why);
    }
    return NULL;
}

// In a cluster a read may not see what another node has committed already, unless it waits. A node
// that was cut off from the others answers still, and must not be asked.
static Err *cluster_set(DbConnection *connection, Arena *arena)
{
    Str ready;
    TRY(ask(connection, arena,
            STR("select variable_value from information_schema.global_status"
                " where variable_name = 'WSREP_READY'"),
            &ready));
    if (!str_equal(ready, STR("ON"))) {
        connection->undone = true;
        return refuse(arena, ERR_STORE_BUSY, STR_NONE,
                      "the books' server has no majority in its cluster");
    }
    return query(connection, arena, STR("set session wsrep_sync_wait = 15"));
}

static Err *session_set(DbConnection *connection, Arena *arena)
{
    static const char settings[] =
        "set session sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
        "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES',"
        " time_zone = '+00:00', autocommit = 1, sql_auto_is_null = 0, max_statement_time = 0";
    Str cluster;
    TRY(query(connection, arena, str_of(settings)));
    TRY(query(connection, arena,
              connection->mode == DB_WRITES
                  ? STR("set session transaction isolation level read committed")
                  : STR("set session transaction isolation level repeatable read")));
    TRY(query(connection, arena,
              str_print(arena, "set session innodb_lock_wait_timeout = %d", LOCK_SECONDS)));
    TRY(ask(connection, arena,
            STR("select count(*) from information_schema.global_variables"
                " where variable_name = 'WSREP_ON' and variable_value = 'ON'"),
            &cluster));
    connection->clustered = str_equal(cluster, STR("1"));
    return connection->clustered ? cluster_set(connection, arena) : NULL;
}

static void handle_options(MYSQL *handle, const MariadbAddress *address)
{
    unsigned connect = CONNECT_SECONDS, answer = ANSWER_SECONDS;
    my_bool  yes = 1, no = 0;
    mysql_optionsv(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
    mysql_optionsv(handle, MYSQL_OPT_READ_TIMEOUT, &answer);
    mysql_optionsv(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer);
    mysql_optionsv(handle, MYSQL_OPT_RECONNECT, &no);
    mysql_optionsv(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(handle, MYSQL_OPT_SSL_ENFORCE, address->tls ? &yes : &no);
    mysql_optionsv(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, address->tls ? &yes : &no);
    if (address->ca != NULL)
        mysql_optionsv(handle, MYSQL_OPT_SSL_CA, address->ca);
}

static Err *session_try(DbConnection *connection, Arena *arena)
{
    const MariadbAddress *to = &connection->address;
    const MariadbHost    *host = &to->hosts[connection->host];
    connection->left = connection->unsure = false;
    if (connection->handle != NULL)
        mysql_close(connection->handle);
    connection->handle = mysql_init(NULL);
    assert_that(connection->handle != NULL);
    connection->session++;
    handle_options(connection->handle, to);
    if (mysql_real_connect(connection->handle, host->name, to->user, to->password, to->database,
                           host->port, to->socket, CLIENT_FOUND_ROWS) == NULL) {
        log_line(LOG_ERROR, "books: connect to %s:%u: %s (mariadb %u)", host->name, host->port,
                 mysql_error(connection->handle), mysql_errno(connection->handle));
        connection->undone = true;
        bool answered = mysql_errno(connection->handle) < CR_MIN_ERROR;
        return refuse(arena, ERR_STORE_BUSY, STR_NONE, "the books' server %s: %s",
                      answered ? "does not let us in" : "is out of reach",
                      mysql_error(connection->handle));
    }
    return session_set(connection, arena);
}

// With the host that answered last, unless its node has no say any more; else the next that does.
static Err *session_open(DbConnection *connection, Arena *arena)
{
    size_t count = connection->address.host_count;
    Err   *err = NULL;
    if (connection->left)
        connection->host = (connection->host + 1) % count;
    for (size_t i = 0; i < count; i++) {
        err = session_try(connection, arena);
        if (err == NULL)
            return NULL;
        connection->host = (connection->host + 1) % count;
    }
    return err;
}

// ---- statements

static const char *type_word(Str name)
{
    static const struct {
        const char *name, *type;
    } words[] = {
        { "BIGINT", "bigint" },
        { "KEY", "varbinary(255)" },
        { "TEXT", "longtext character set utf8mb4 collate utf8mb4_nopad_bin" },
        { "BLOB", "longblob" },
        { "TABLE", "engine=InnoDB row_format=dynamic default character set utf8mb4"
                   " collate utf8mb4_nopad_bin" },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(str_of(words[i].name), name))
            return words[i].type;
    return NULL;
}

// A definition commits by itself, so the process may have ended between it and its record.
static Err *script_run(DbConnection *connection, Arena *arena, Str sql, bool again)
{
    if (mysql_real_query(connection->handle, sql.at, sql.length) == 0)
        return NULL;
    unsigned code = mysql_errno(connection->handle);
    bool     is_there = code == ER_TABLE_EXISTS_ERROR || code == ER_DUP_FIELDNAME ||
                    code == ER_DUP_KEYNAME;
    if (again && is_there)
        return NULL;
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the books' schema refuses a statement: %s",
                  mysql_error(connection->handle));
}

static void prepared_forget(DbPrepared *prepared)
{
    if (prepared->statement != NULL)
        mysql_stmt_close(prepared->statement);
    prepared->statement = NULL;
}

static Err *prepared_ready(DbPrepared *prepared, Arena *arena)
{
    DbConnection *connection = prepared->connection;
    if (prepared->statement != NULL && prepared->session == connection->session)
        return NULL;
    prepared_forget(prepared);
    prepared->statement = mysql_stmt_init(connection->handle);
    assert_that(prepared->statement != NULL);
    prepared->session = connection->session;
    bool locks = prepared->reads && connection->mode == DB_WRITES;
    Str  own = driver_sql(arena, prepared->sql, "on duplicate key update ? = ? + values(?)");
    Str  sql = str_print(arena, "%.*s%s", STR_ARG(own), locks ? " for update" : "");
    my_bool measures = 1;
    mysql_stmt_attr_set(prepared->statement, STMT_ATTR_UPDATE_MAX_LENGTH, &measures);
    if (mysql_stmt_prepare(prepared->statement, sql.at, sql.length) == 0)
        return NULL;
    Err *err = is_undone(mysql_stmt_errno(prepared->statement))
                   ? refusal(connection, arena, mysql_stmt_errno(prepared->statement),
                             mysql_stmt_error(prepared->statement), "prepared")
                   : refuse(arena, ERR_STORE_FAILED, STR_NONE, "%s in: %s",
                            mysql_stmt_error(prepared->statement), prepared->sql);
    prepared_forget(prepared);
    return err;
}

static Err *statement_prepare(DbConnection *connection, Arena *arena, const char *sql,
                              DbPrepared **prepared)
{
    DbPrepared *made = memory_take(sizeof *made);
    *made = (DbPrepared){ .connection = connection,
                          .sql = sql,
                          .reads = strncmp(sql, "select", 6) == 0,
                          .next = connection->prepared };
    connection->prepared = made;
    *prepared = made;
    return prepared_ready(made, arena);
}

static void values_bind(MYSQL_STMT *statement, Arena *arena, DbValues values)
{
    assert_that(mysql_stmt_param_count(statement) == values.count);
    MYSQL_BIND *binds = arena_array(arena, MYSQL_BIND, values.count);
    long long  *wholes = arena_array(arena, long long, values.count);
    for (size_t i = 0; i < values.count; i++) {
        const DbValue *value = &values.at[i];
        MYSQL_BIND    *bind = &binds[i];
        switch (value->kind) {
        case DB_NULL: bind->buffer_type = MYSQL_TYPE_NULL; continue;
        case DB_WHOLE:
            wholes[i] = value->whole;
            bind->buffer_type = MYSQL_TYPE_LONGLONG;
            bind->buffer = &wholes[i];
            continue;
        case DB_TEXT: bind->buffer_type = MYSQL_TYPE_STRING; break;
        case DB_BLOB: bind->buffer_type = MYSQL_TYPE_BLOB; break;
        }
        bind->buffer = arena_array(arena, char, value->bytes.length + 1);
        memcpy(bind->buffer, value->bytes.length == 0 ? "" : value->bytes.at, value->bytes.length);
        bind->buffer_length = value->bytes.length;
        bind->length_value = value->bytes.length;
    }
    assert_that(values.count == 0 || mysql_stmt_bind_param(statement, binds) == 0);
}

// Keys are varbinary and still text.
static DbKind column_kind(const MYSQL_FIELD *field)
{
    enum { CHARSET_BINARY = 63 };
    if (IS_NUM(field->type))
        return DB_WHOLE;
    return (field->flags & BLOB_FLAG) != 0 && field->charsetnr == CHARSET_BINARY ? DB_BLOB
                                                                                 : DB_TEXT;
}

typedef struct Column {
    DbKind        kind;
    long long     whole;
    unsigned long length;
    my_bool       is_null, is_cut;
} Column;

typedef struct Columns {
    Column     *at;
    MYSQL_BIND *binds;
    size_t      count;
} Columns;

static Columns columns_bind(MYSQL_STMT *statement, MYSQL_RES *shape, Arena *arena)
{
    size_t  count = mysql_num_fields(shape);
    Columns columns = { arena_array(arena, Column, count), arena_array(arena, MYSQL_BIND, count),
                        count };
    for (size_t i = 0; i < count; i++) {
        const MYSQL_FIELD *field = mysql_fetch_field_direct(shape, (unsigned)i);
        Column            *column = &columns.at[i];
        MYSQL_BIND        *bind = &columns.binds[i];
        column->kind = column_kind(field);
        bind->is_null = &column->is_null;
        bind->error = &column->is_cut;
        bind->length = &column->length;
        if (column->kind == DB_WHOLE) {
            bind->buffer_type = MYSQL_TYPE_LONGLONG;
            bind->buffer = &column->whole;
            continue;
        }
        bind->buffer_type = MYSQL_TYPE_BLOB;
        bind->buffer_length = field->max_length;
        bind->buffer = arena_array(arena, char, field->max_length + 1);
    }
    assert_that(mysql_stmt_bind_result(statement, columns.binds) == 0);
    return columns;
}

static DbRow row_copy(const Columns *columns, Arena *arena)
{
    DbValue *values = arena_array(arena, DbValue, columns->count);
    for (size_t i = 0; i < columns->count; i++) {
        const Column *column = &columns->at[i];
        assert_that(!column->is_cut);
        if (column->is_null)
            values[i] = db_null();
        else if (column->kind == DB_WHOLE)
            values[i] = db_whole(column->whole);
        else {
            Str bytes = str_copy(arena, (Str){ columns->binds[i].buffer, column->length });
            values[i] = column->kind == DB_TEXT ? db_text(bytes)
                                                : db_blob(bytes.at, bytes.length);
        }
    }
    return (DbRow){ values, columns->count };
}

static Err *statement_refusal(DbPrepared *prepared, Arena *arena, const char *doing)
{
    return refusal(prepared->connection, arena, mysql_stmt_errno(prepared->statement),
                   mysql_stmt_error(prepared->statement), doing);
}

// A select that the engine ends among its rows (a deadlock). The client library would wait for
// their end before it runs the statement again, and none comes: it is prepared anew.
static Err *rows_refusal(DbPrepared *prepared, MYSQL_RES *shape, Arena *arena)
{
    Err *err = statement_refusal(prepared, arena, "read");
    mysql_free_result(shape);
    prepared_forget(prepared);
    return err;
}

static Err *rows_read(DbPrepared *prepared, MYSQL_RES *shape, Arena *arena, DbRows *rows)
{
    MYSQL_STMT *statement = prepared->statement;
    if (mysql_stmt_store_result(statement) != 0)
        return rows_refusal(prepared, shape, arena);
    mysql_free_result(shape);
    shape = mysql_stmt_result_metadata(statement);  // with the lengths that were met
    assert_that(shape != NULL);
    Columns columns = columns_bind(statement, shape, arena);
    size_t  most = (size_t)mysql_stmt_num_rows(statement);
    rows->at = arena_array(arena, DbRow, most);
    int code;
    while ((code = mysql_stmt_fetch(statement)) == 0)
        rows->at[rows->count++] = row_copy(&columns, arena);
    mysql_free_result(shape);
    return code == MYSQL_NO_DATA ? NULL : statement_refusal(prepared, arena, "read");
}

static Err *statement_run(DbPrepared *prepared, Arena *arena, DbValues values, DbResult *result)
{
    DbResult found = { 0 };
    Err     *err = NULL;
    TRY(prepared_ready(prepared, arena));
    MYSQL_STMT *statement = prepared->statement;
    values_bind(statement, arena, values);
    if (mysql_stmt_execute(statement) != 0) {
        found.key_taken = mysql_stmt_errno(statement) == ER_DUP_ENTRY;
        if (!found.key_taken)
            return statement_refusal(prepared, arena, "read or written");
        *result = found;
        return NULL;
    }
    MYSQL_RES *shape = mysql_stmt_result_metadata(statement);
    if (shape != NULL)
        err = rows_read(prepared, shape, arena, &found.rows);
    else
        found.changed = mysql_stmt_affected_rows(statement);
    if (err != NULL)
        return err;
    mysql_stmt_free_result(statement);
    *result = found;
    return NULL;
}

// ---- many sets of values at once

// One column of all sets, as the client library takes it.
static void column_bind(MYSQL_BIND *bind, Arena *arena, DbSets sets, size_t column)
{
    const DbValue *first = sets.at + column;
    char          *null = arena_array(arena, char, sets.count);
    long long     *wholes = arena_array(arena, long long, sets.count);
    const char   **texts = arena_array(arena, const char *, sets.count);
    unsigned long *lengths = arena_array(arena, unsigned long, sets.count);
    DbKind         kind = DB_NULL;
    for (size_t i = 0; i < sets.count; i++) {
        const DbValue *value = first + i * sets.width;
        assert_that(value->kind == DB_NULL || kind == DB_NULL || kind == value->kind);
        kind = value->kind == DB_NULL ? kind : value->kind;
        null[i] = value->kind == DB_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
        wholes[i] = value->whole;
        texts[i] = value->bytes.length == 0 ? "" : value->bytes.at;
        lengths[i] = value->bytes.length;
    }
    bind->u.indicator = null;
    if (kind == DB_WHOLE) {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = wholes;
        return;
    }
    bind->buffer_type = kind == DB_BLOB ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
    bind->buffer = texts;
    bind->length = lengths;
}

static Err *piece_run(DbPrepared *prepared, Arena *arena, DbSets sets, DbResult *result)
{
    MYSQL_STMT *statement = prepared->statement;
    MYSQL_BIND *binds = arena_array(arena, MYSQL_BIND, sets.width);
    unsigned    rows = (unsigned)sets.count, none = 0;
    for (size_t i = 0; i < sets.width; i++)
        column_bind(&binds[i], arena, sets, i);
    mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &rows);
    assert_that(mysql_stmt_bind_param(statement, binds) == 0);
    bool failed = mysql_stmt_execute(statement) != 0;
    result->key_taken = failed && mysql_stmt_errno(statement) == ER_DUP_ENTRY;
    Err *err = failed && !result->key_taken
                   ? statement_refusal(prepared, arena, "read or written")
                   : NULL;
    if (!failed)
        result->changed += mysql_stmt_affected_rows(statement);
    mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &none);
    return err;
}

// The first sets, as many as go into one exchange; one of them at least.
static DbSets piece_cut(DbSets sets)
{
    size_t count = 0, bytes = 0;
    while (count < sets.count && count < SETS_MAX && bytes < PIECE_BYTES) {
        for (size_t i = 0; i < sets.width; i++)
            bytes += sets.at[count * sets.width + i].bytes.length;
        count++;
    }
    return (DbSets){ sets.at, sets.width, count };
}

static Err *pieces_run(DbPrepared *prepared, Arena *arena, DbSets sets, DbResult *result)
{
    while (sets.count > 0 && !result->key_taken) {
        DbSets piece = piece_cut(sets);
        TRY(piece_run(prepared, arena, piece, result));
        sets.at += piece.count * sets.width;
        sets.count -= piece.count;
    }
    return NULL;
}

static Err *statement_run_many(DbPrepared *prepared, Arena *arena, DbSets sets, bool guarded,
                               DbResult *result)
{
    DbConnection *connection = prepared->connection;
    if (sets.count == 1)
        return statement_run(prepared, arena, (DbValues){ sets.at, sets.width }, result);
    TRY(prepared_ready(prepared, arena));
    assert_that(mysql_stmt_param_count(prepared->statement) == sets.width);
    if (guarded)
        TRY(query(connection, arena, STR("savepoint many")));
    TRY(pieces_run(prepared, arena, sets, result));
    if (guarded && result->key_taken)
        TRY(query(connection, arena, STR("rollback to savepoint many")));
    return NULL;
}

// ---- transactions

static Err *begin_once(DbConnection *connection, Arena *arena)
{
    connection->undone = false;
    return query(connection, arena,
                 connection->mode == DB_WRITES
                     ? STR("start transaction")
                     : STR("start transaction with consistent snapshot, read only"));
}

// A connection that was lost while nobody used it is no reason to refuse.
static Err *transaction_begin(DbConnection *connection, Arena *arena, DbMode mode)
{
    assert_that(mode == connection->mode);
    bool stays = !connection->left && !connection->unsure;
    if (stays && begin_once(connection, arena) == NULL)
        return NULL;
    TRY(session_open(connection, arena));
    return begin_once(connection, arena);
}

static void transaction_rollback(DbConnection *connection)
{
    if (mysql_query(connection->handle, "rollback") != 0)
        connection->undone = connection->undone || is_undone(mysql_errno(connection->handle));
}

static bool transaction_undone(DbConnection *connection)
{
    return connection->undone;
}

// ---- commits

static Err *commit_number_find(DbConnection *connection, Arena *arena, bool *committed)
{
    Str number;
    Str writer = str_hex(arena, connection->writer, WRITER_BYTES);
    TRY(session_open(connection, arena));
    TRY(ask(connection, arena,
            str_print(arena,
                      "select 1 from writer_commit where writer = x'%.*s' and number = %lld"
                      " for update",
                      STR_ARG(writer), (long long)connection->commits),
            &number));
    *committed = number.at != NULL;
    return NULL;
}

static Err *commit_number_write(DbConnection *connection, Arena *arena)
{
    Str writer = str_hex(arena, connection->writer, WRITER_BYTES);
    connection->commits++;
    return query(connection, arena,
                 str_print(arena,
                           "insert into writer_commit (writer, number) values (x'%.*s', %lld)"
                           " on duplicate key update number = values(number)",
                           STR_ARG(writer), (long long)connection->commits));
}

static void commit_number_forget(DbConnection *connection)
{
    Str writer = str_hex(connection->arena, connection->writer, WRITER_BYTES);
    Str sql = str_print(connection->arena, "delete from writer_commit where writer = x'%.*s'",
                        STR_ARG(writer));
    if (mysql_real_query(connection->handle, sql.at, sql.length) != 0)
        log_line(LOG_WARN, "books: close: %s", mysql_error(connection->handle));
}

static DbCommit commit_find_out(DbConnection *connection, Arena *arena)
{
    int64_t give_up = clock_tick_us() + FIND_OUT_US;
    bool    committed;
    do {
        if (commit_number_find(connection, arena, &committed) == NULL) {
            log_line(LOG_WARN, "books: a commit whose connection was lost is %s",
                     committed ? "there" : "not there");
            connection->undone = !committed;
            return committed ? COMMIT_DONE : COMMIT_REFUSED;
        }
        usleep(FIND_OUT_PAUSE_US);
    } while (clock_tick_us() < give_up);
    connection->undone = false;
    return COMMIT_UNKNOWN;
}

static DbCommit transaction_commit(DbConnection *connection)
{
    Arena   *arena = arena_open();
    DbCommit outcome = COMMIT_DONE;
    Err     *err = commit_number_write(connection, arena);
    if (err != NULL) {
        transaction_rollback(connection);
        outcome = COMMIT_REFUSED;
    } else if (mysql_query(connection->handle, "commit") != 0) {
        unsigned code = mysql_errno(connection->handle);
        err = handle_refusal(connection, arena, "committed");
        if (is_lost(code) || !is_undone(code)) {
            outcome = commit_find_out(connection, arena);
        } else {
            transaction_rollback(connection);
            outcome = COMMIT_REFUSED;
        }
    }
    arena_close(arena);
    return outcome;
}

// ---- open and close

static void connection_close(DbConnection *connection)
{
    for (DbPrepared *prepared = connection->prepared, *next; prepared != NULL; prepared = next) {
        next = prepared->next;
        prepared_forget(prepared);
        memory_release(prepared);
    }
    if (connection->commits > 0)
        commit_number_forget(connection);
    mysql_close(connection->handle);
    arena_close(connection->arena);
    memory_release(connection);
}

static Err *connection_start(DbConnection *connection, Arena *arena, Str path)
{
    static const char table[] =
        "create table if not exists writer_commit (writer binary(16) not null primary key,"
        " number bigint not null) engine=InnoDB";
    TRY(mariadb_address_parse(connection->arena, path, &connection->address));
    TRY(session_open(connection, arena));
    TRY(server_check(connection, arena));
    return connection->mode == DB_WRITES ? query(connection, arena, str_of(table)) : NULL;
}

static Err *connection_open(Arena *arena, Str path, DbMode mode, DbConnection **opened)
{
    DbConnection *connection = memory_take(sizeof *connection);
    connection->arena = arena_open();
    connection->mode = mode;
    random_bytes(connection->writer, WRITER_BYTES);
    Err *err = connection_start(connection, arena, path);
    if (err != NULL) {
        connection_close(connection);
        return err;
    }
    *opened = connection;
    return NULL;
}

const DbDriver mariadb_driver = {
    .name = "mariadb",
    .is_shared = true,
    .open = connection_open,
    .close = connection_close,
    .word = type_word,
    .script = script_run,
    .prepare = statement_prepare,
    .run = statement_run,
    .run_many = statement_run_many,
    .columns_sql =
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_schema = database() and table_name <> 'writer_commit'"
        " order by binary table_name, binary column_name",
    .begin = transaction_begin,
    .undone = transaction_undone,
    .commit = transaction_commit,
    .rollback = transaction_rollback,
};
