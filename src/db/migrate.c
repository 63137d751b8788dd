// SPDX-License-Identifier: Apache-2.0
// Runs what has not run, in order. The row that records a migration counts the statements that have
// run, because an engine may commit a definition by itself: a migration that was cut short goes on
// where it stopped, and making again what is there already is no fault of an engine that may have
// made it. Where definitions are part of a transaction, all of a migration is one. A text that
// changed after it ran is refused: two installations of one version must have one schema.
#include "db/migrate.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

static const Str MARKER = { "-- migration ", 13 };

static const char TABLE_SQL[] =
    "create table if not exists schema_migration ("
    " number {{BIGINT}} not null primary key, name {{TEXT}} not null, checksum {{BLOB}} not null,"
    " done {{BIGINT}} not null,"
    " applied_at {{BIGINT}} not null) {{TABLE}};\n";
static const char KNOWN_SQL[] =
    "select number, name, checksum, done, applied_at from schema_migration order by number";
enum { KNOWN_DONE = 3, KNOWN_APPLIED };
static const char RECORD_SQL[] =
    "insert into schema_migration (number, name, checksum, done, applied_at)"
    " values (?, ?, ?, 0, ?)";
static const char DONE_SQL[] =
    "update schema_migration set done = ?, applied_at = ? where number = ?";

enum { NOT_BEGUN = -1 };

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

// The next statement of the text, which ends with a line that ends with a semicolon; false when
// there is none.
static bool statement_next(Str *rest, Str *statement)
{
    *statement = (Str){ rest->at, 0 };
    while (rest->length > 0) {
        Str line = str_cut(rest, '\n');
        statement->length = (size_t)(line.at + line.length - statement->at);
        if (line.length > 0 && line.at[line.length - 1] == ';')
            return true;
    }
    return false;
}

static int64_t statements_count(Str sql)
{
    int64_t count = 0;
    for (Str statement; statement_next(&sql, &statement);)
        count++;
    return count;
}

static Err *statement_run(Target target, Str sql, bool again)
{
    Text text = text_open(target.arena);
    TRY(words_replace(target, sql, &text));
    return target.driver->script(target.connection, target.arena, text_str(&text), again);
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

// From the statement after the `done` first ones on.
static Err *migration_work(Target target, const Migration *migration, int64_t done)
{
    DbResult ignored;
    int64_t  place = 0;
    Str      rest = migration->sql;
    for (Str statement; statement_next(&rest, &statement);) {
        if (place++ < done)
            continue;
        TRY(statement_run(target, statement, place == done + 1));
        TRY(prepared_run(target, DONE_SQL,
                         DB_VALUES(db_whole(place), db_whole(clock_now_us()),
                                   db_whole(migration->number)),
                         &ignored));
    }
    return NULL;
}

static Err *migration_record(Target target, const Migration *migration)
{
    unsigned char checksum[32];
    DbResult      ignored;
    checksum_of(migration, checksum);
    return prepared_run(target, RECORD_SQL,
                        DB_VALUES(db_whole(migration->number), db_text(migration->name),
                                  db_blob(checksum, sizeof checksum),
                                  db_whole(clock_now_us())),
                        &ignored);
}

static Err *migration_apply(Target target, const Migration *migration, int64_t done)
{
    TRY(target.driver->begin(target.connection, target.arena, DB_WRITES));
    Err *err = done == NOT_BEGUN ? migration_record(target, migration) : NULL;
    if (err == NULL)
        err = migration_work(target, migration, done);
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

// ---- what is known

static Err *known_read(Target target, const Migration *migrations, size_t count, DbRows *known)
{
    DbResult result;
    TRY(prepared_run(target, KNOWN_SQL, (DbValues){ 0 }, &result));
    *known = result.rows;
    if (known->count > count)
        return refuse(target.arena, ERR_STORE_FAILED, STR_NONE,
                      "the books were made by a newer Toll: they know %zu migrations, this one %zu",
                      known->count, count);
    for (size_t i = 0; i < known->count; i++)
        TRY(applied_check(target, &migrations[i], &known->at[i]));
    return NULL;
}

static MigrationState state_of(const Migration *migration, const DbRow *row)
{
    MigrationState state = { .migration = *migration,
                             .statements = statements_count(migration->sql) };
    if (row == NULL)
        return state;
    state.done = row_whole(row, KNOWN_DONE);
    state.applied_us = row_whole(row, KNOWN_APPLIED);
    state.end = state.done < state.statements ? MIGRATION_CUT_SHORT : MIGRATION_DONE;
    return state;
}

static Err *states_read(Target target, Str text, MigrationStates *states)
{
    Migration *migrations;
    DbRows     columns, known = { 0 };
    DbResult   result;
    TRY(migrate_list(target.arena, text, &migrations, &states->count));
    TRY(prepared_run(target, target.driver->columns_sql, (DbValues){ 0 }, &result));
    columns = result.rows;
    bool is_new = true;
    for (size_t i = 0; i < columns.count && is_new; i++)
        is_new = !str_equal(row_text(&columns.at[i], 0), STR("schema_migration"));
    if (!is_new)
        TRY(known_read(target, migrations, states->count, &known));
    states->at = arena_array(target.arena, MigrationState, states->count);
    for (size_t i = 0; i < states->count; i++)
        states->at[i] = state_of(&migrations[i], i < known.count ? &known.at[i] : NULL);
    return NULL;
}

// ---- on a place of its own

typedef Err *TargetWork(Target target, Str text, void *into);

static Err *place_work(Arena *arena, Str place, Str text, TargetWork *work, void *into)
{
    Target target = { driver_of(place), NULL, arena };
    TRY(target.driver->open(arena, place, DB_WRITES, &target.connection));
    Err *err = work(target, text, into);
    target.driver->close(target.connection);
    return err;
}

static Err *states_work(Target target, Str text, void *into)
{
    return states_read(target, text, into);
}

Err *migrate_states(Arena *arena, Str place, Str text, MigrationStates *states)
{
    return place_work(arena, place, text, states_work, states);
}

static Err *plan_work(Target target, Str text, void *into)
{
    Text           *sql = into;
    MigrationStates states;
    TRY(states_read(target, text, &states));
    for (size_t i = 0; i < states.count; i++) {
        const MigrationState *state = &states.at[i];
        int64_t               place = 0;
        Str                   rest = state->migration.sql;
        if (state->end == MIGRATION_DONE)
            continue;
        text_print(sql, "-- %.*s, on %s\n", STR_ARG(state->migration.name), target.driver->name);
        for (Str statement; statement_next(&rest, &statement);)
            if (place++ >= state->done)
                TRY(words_replace(target, statement, sql));
        text_add_char(sql, '\n');
    }
    return NULL;
}

Err *migrate_plan(Arena *arena, Str place, Str text, Text *sql)
{
    return place_work(arena, place, text, plan_work, sql);
}

// ---- comparing

typedef enum ColumnKind { COLUMN_WHOLE, COLUMN_TEXT, COLUMN_BLOB, COLUMN_OTHER } ColumnKind;

static ColumnKind kind_of(Str type)
{
    static const struct {
        const char *type;
        ColumnKind  kind;
    } kinds[] = {
        { "integer", COLUMN_WHOLE }, { "bigint", COLUMN_WHOLE },  { "text", COLUMN_TEXT },
        { "longtext", COLUMN_TEXT }, { "varbinary", COLUMN_TEXT }, { "blob", COLUMN_BLOB },
        { "longblob", COLUMN_BLOB },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_equal(type, str_of(kinds[i].type)))
            return kinds[i].kind;
    return COLUMN_OTHER;
}

static Err *columns_work(Target target, Str text, void *into)
{
    DbResult result;
    (void)text;
    TRY(prepared_run(target, target.driver->columns_sql, (DbValues){ 0 }, &result));
    *(DbRows *)into = result.rows;
    return NULL;
}

static Err *model_work(Target target, Str text, void *into)
{
    TRY(migrate_up(target.arena, target.driver, target.connection, text));
    return columns_work(target, text, into);
}

static int column_compare(const DbRow *a, const DbRow *b)
{
    int table = str_compare(row_text(a, 0), row_text(b, 0));
    return table != 0 ? table : str_compare(row_text(a, 1), row_text(b, 1));
}

static void difference_add(Text *text, const DbRow *column, const char *what)
{
    text_print(text, "%.*s.%.*s %s\n", STR_ARG(row_text(column, 0)), STR_ARG(row_text(column, 1)),
               what);
}

Err *migrate_verify(Arena *arena, Str place, Str text, Text *differences)
{
    DbRows is, wanted;
    TRY(place_work(arena, STR(":memory:"), text, model_work, &wanted));
    TRY(place_work(arena, place, text, columns_work, &is));
    size_t i = 0, w = 0;
    while (i < is.count || w < wanted.count) {
        int order = i == is.count       ? 1
                    : w == wanted.count ? -1
                                        : column_compare(&is.at[i], &wanted.at[w]);
        if (order < 0)
            difference_add(differences, &is.at[i++], "is not of this Toll");
        else if (order > 0)
            difference_add(differences, &wanted.at[w++], "is missing");
        else if (kind_of(row_text(&is.at[i++], 2)) != kind_of(row_text(&wanted.at[w++], 2)))
            difference_add(differences, &is.at[i - 1], "has another type");
    }
    return NULL;
}

// ---- up

Err *migrate_up(Arena *arena, const DbDriver *driver, DbConnection *connection, Str text)
{
    Target     target = { driver, connection, arena };
    Migration *migrations;
    size_t     count;
    DbRows     known;
    TRY(migrate_list(arena, text, &migrations, &count));
    TRY(statement_run(target, str_of(TABLE_SQL), false));
    TRY(known_read(target, migrations, count, &known));
    for (size_t i = 0; i < count; i++) {
        MigrationState state = state_of(&migrations[i], i < known.count ? &known.at[i] : NULL);
        if (state.end != MIGRATION_DONE)
            TRY(migration_apply(target, &migrations[i], i < known.count ? state.done : NOT_BEGUN));
    }
    return NULL;
}

static Err *up_work(Target target, Str text, void *into)
{
    (void)into;
    return migrate_up(target.arena, target.driver, target.connection, text);
}

Err *migrate_place(Arena *arena, Str place, Str text)
{
    return place_work(arena, place, text, up_work, NULL);
}
