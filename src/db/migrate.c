// SPDX-License-Identifier: Apache-2.0
// Runs what has not run, in order, each in its own transaction with the row that records it. A text
// that changed after it ran is refused: two installations of one version must have one schema.
#include "db/migrate.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

static const Str MARKER = { "-- migration ", 13 };

static const char TABLE_SQL[] =
    "create table if not exists schema_migration ("
    " number {{BIGINT}} not null primary key, name {{TEXT}} not null, checksum {{BLOB}} not null,"
    " applied_at {{BIGINT}} not null) {{TABLE}};\n";
static const char KNOWN_SQL[] =
    "select number, name, checksum from schema_migration order by number";
static const char RECORD_SQL[] =
    "insert into schema_migration (number, name, checksum, applied_at) values (?, ?, ?, ?)";

typedef struct Target {
    const DbDriver *driver;
    DbConnection   *connection;
    Arena          *arena;
} Target;

static Err *named(Arena *arena, Str name, size_t place, Migration *migration)
{
    Str      rest = name;
    uint64_t number = 0;
    if (!str_whole(str_cut(&rest, '_'), MIGRATIONS_MAX, &number) || rest.length == 0)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "migration name %.*s is not NNNN_name",
                      STR_ARG(name));
    if (number != place)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "migration %.*s stands at place %zu",
                      STR_ARG(name), place);
    *migration = (Migration){ .number = (int64_t)number, .name = name };
    return NULL;
}

Err *migrate_list(Arena *arena, Str text, Migration **migrations, size_t *count)
{
    Migration *list = arena_array(arena, Migration, MIGRATIONS_MAX);
    size_t     found = 0;
    for (Str rest = text; rest.length > 0;) {
        Str line = str_cut(&rest, '\n');
        if (str_starts(line, MARKER)) {
            if (found == MIGRATIONS_MAX)
                return refuse(arena, ERR_STORE_FAILED, STR_NONE, "too many migrations");
            Str name = { line.at + MARKER.length, line.length - MARKER.length };
            TRY(named(arena, name, found + 1, &list[found]));
            list[found++].sql = (Str){ rest.at, 0 };
        } else if (found > 0) {
            Migration *last = &list[found - 1];
            last->sql.length = (size_t)(line.at + line.length - last->sql.at);
        }
    }
    *migrations = list;
    *count = found;
    return NULL;
}

// {{BIGINT}} -> integer.
static Err *words_replace(Target target, Str sql, Text *out)
{
    for (size_t i = 0; i < sql.length; i++) {
        if (sql.at[i] != '{' || i + 1 == sql.length || sql.at[i + 1] != '{') {
            text_add_char(out, sql.at[i]);
            continue;
        }
        Str         rest = { sql.at + i + 2, sql.length - i - 2 };
        Str         word = str_cut(&rest, '}');
        const char *type = target.driver->word(word);
        if (type == NULL || rest.length == 0 || rest.at[0] != '}')
            return refuse(target.arena, ERR_STORE_FAILED, STR_NONE,
                          "the migrations use an unknown word {{%.*s}}", STR_ARG(word));
        text_add(out, str_of(type));
        i += word.length + 3;
    }
    return NULL;
}

// A statement ends with a line that ends with a semicolon.
static Err *statements_run(Target target, Str sql)
{
    Text text = text_open(target.arena);
    TRY(words_replace(target, sql, &text));
    Str rest = text_str(&text), statement = { rest.at, 0 };
    while (rest.length > 0) {
        Str line = str_cut(&rest, '\n');
        statement.length = (size_t)(line.at + line.length - statement.at);
        if (line.length == 0 || line.at[line.length - 1] != ';')
            continue;
        TRY(target.driver->script(target.connection, target.arena, statement));
        statement = (Str){ rest.at, 0 };
    }
    return NULL;
}

static Err *prepared_run(Target target, const char *sql, DbValues values, DbResult *result)
{
    DbPrepared *prepared;
    TRY(target.driver->prepare(target.connection, target.arena, sql, &prepared));
    return target.driver->run(prepared, target.arena, values, result);
}

static void checksum_of(const Migration *migration, unsigned char bytes[32])
{
    Digest digest = digest_of(migration->sql);
    digest_write(&digest, bytes);
}

static Err *applied_check(Target target, const Migration *migration, const DbRow *row)
{
    unsigned char expected[32];
    checksum_of(migration, expected);
    if (row_whole(row, 0) != migration->number || !str_equal(row_text(row, 1), migration->name) ||
        !str_equal(row_blob(row, 2), (Str){ (const char *)expected, sizeof expected }))
        return refuse(
            target.arena, ERR_STORE_FAILED, STR_NONE,
            "migration %.*s is not the one that made these books (%.*s); it may not change "
            "after it ran",
            STR_ARG(migration->name), STR_ARG(row_text(row, 1)));
    return NULL;
}

static Err *migration_work(Target target, const Migration *migration)
{
    unsigned char checksum[32];
    DbResult      ignored;
    checksum_of(migration, checksum);
    TRY(statements_run(target, migration->sql));
    return prepared_run(target, RECORD_SQL,
                        DB_VALUES(db_whole(migration->number), db_text(migration->name),
                                  db_blob(checksum, sizeof checksum), db_whole(clock_now_us())),
                        &ignored);
}

static Err *migration_apply(Target target, const Migration *migration)
{
    TRY(target.driver->begin(target.connection, target.arena, DB_WRITES));
    Err *err = migration_work(target, migration);
    if (err != NULL) {
        target.driver->rollback(target.connection);
        return refuse(target.arena, err->code, STR_NONE, "migration %.*s: %.*s",
                      STR_ARG(migration->name), STR_ARG(err->detail));
    }
    if (target.driver->commit(target.connection) != COMMIT_DONE)
        return refuse(target.arena, ERR_OUTCOME_UNKNOWN, STR_NONE, "migration %.*s did not commit",
                      STR_ARG(migration->name));
    log_line(LOG_INFO, "books: migration %.*s applied", STR_ARG(migration->name));
    return NULL;
}

Err *migrate_up(Arena *arena, const DbDriver *driver, DbConnection *connection, Str text)
{
    Target     target = { driver, connection, arena };
    Migration *migrations;
    size_t     count;
    DbResult   known;
    TRY(migrate_list(arena, text, &migrations, &count));
    TRY(statements_run(target, str_of(TABLE_SQL)));
    TRY(prepared_run(target, KNOWN_SQL, (DbValues){ 0 }, &known));
    if (known.rows.count > count)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "the books were made by a newer Toll: they know %zu migrations, this one %zu",
                      known.rows.count, count);
    for (size_t i = 0; i < known.rows.count; i++)
        TRY(applied_check(target, &migrations[i], &known.rows.at[i]));
    for (size_t i = known.rows.count; i < count; i++)
        TRY(migration_apply(target, &migrations[i]));
    return NULL;
}
