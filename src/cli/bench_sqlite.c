// SPDX-License-Identifier: Apache-2.0
// Straight to SQLite's own calls: a baseline measures what somebody would write without Toll, so it
// does not go through the db module.
#include "cli/bench_sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static const char SETUP[] =
    "pragma journal_mode=wal; pragma synchronous=full;"
    "create table event (project integer not null, id text not null, meter text not null,"
    " account text not null, value integer not null, ts integer not null,"
    " primary key (project, id)) strict;";

static const char INSERT[] =
    "insert into event (project, id, meter, account, value, ts) values (1, ?, ?, ?, ?, ?)"
    " on conflict do nothing";

static bool execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void bind_text(sqlite3_stmt *statement, int column, Str text)
{
    sqlite3_bind_text(statement, column, text.at, (int)text.length, SQLITE_STATIC);
}

static bool insert_slot(const Workload *workload, uint64_t slot, sqlite3_stmt *statement,
                        Arena *arena)
{
    WorkloadEvent event = workload_event(workload, workload_origin(workload, slot));
    bind_text(statement, 1, workload_unique_id(arena, workload, &event));
    bind_text(statement, 2, workload_meter(event.meter));
    bind_text(statement, 3, workload_account(arena, event.account));
    sqlite3_bind_int64(statement, 4, event.value);
    sqlite3_bind_int64(statement, 5, event.ts_ms);
    bool stored = sqlite3_step(statement) == SQLITE_DONE;
    return sqlite3_reset(statement) == SQLITE_OK && stored;
}

static bool insert_all(const SqliteBaseline *baseline, sqlite3 *db, sqlite3_stmt *statement)
{
    AUTO(Arena) arena = arena_open();
    bool well = true;
    for (uint64_t slot = 0; slot < baseline->events && well;) {
        uint64_t end = slot + baseline->batch;
        end = end < baseline->events ? end : baseline->events;
        well = execute(db, "begin immediate");
        for (; slot < end && well; slot++)
            well = insert_slot(baseline->workload, slot, statement, arena);
        well = well && execute(db, "commit");
        arena_reset(arena);
    }
    return well;
}

static int64_t count_rows(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int64_t       rows = -1;
    if (sqlite3_prepare_v2(db, "select count(*) from event", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        rows = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rows;
}

static Err *measure(Arena *arena, SqliteBaseline *baseline, sqlite3 *db)
{
    WorkloadTotals totals;
    sqlite3_stmt  *statement = NULL;
    if (!execute(db, SETUP) || sqlite3_prepare_v2(db, INSERT, -1, &statement, NULL) != SQLITE_OK)
        return refuse(arena, ERR_INTERNAL, STR_NONE, "SQLite: %s", sqlite3_errmsg(db));
    int64_t start_us = clock_tick_us(), cpu_us = clock_cpu_us();
    bool    well = insert_all(baseline, db, statement);
    baseline->elapsed_us = clock_tick_us() - start_us;
    baseline->cpu_us = clock_cpu_us() - cpu_us;
    sqlite3_finalize(statement);
    if (!well || !execute(db, "pragma wal_checkpoint(truncate)"))
        return refuse(arena, ERR_INTERNAL, STR_NONE, "SQLite: %s", sqlite3_errmsg(db));
    workload_count(baseline->workload, baseline->events, &totals);
    workload_count_close(&totals);
    if (count_rows(db) != (int64_t)totals.distinct)
        return refuse(arena, ERR_INTERNAL, STR_NONE,
                      "SQLite holds another number of events than were sent");
    return NULL;
}

Err *sqlite_baseline_run(Arena *arena, SqliteBaseline *baseline)
{
    Str         name = str_print(arena, "%.*s/baseline.sqlite", STR_ARG(baseline->folder));
    char       *path = str_terminated(arena, name);
    sqlite3    *db = NULL;
    struct stat facts = { 0 };
    Err        *failure = NULL;
    if (sqlite3_open(path, &db) == SQLITE_OK)
        failure = measure(arena, baseline, db);
    else
        failure = refuse(arena, ERR_INTERNAL, STR_NONE, "SQLite cannot open %s", path);
    sqlite3_close(db);
    baseline->disk_bytes = stat(path, &facts) == 0 ? facts.st_blocks * 512 : 0;
    unlink(path);
    unlink(str_terminated(arena, str_print(arena, "%s-wal", path)));
    unlink(str_terminated(arena, str_print(arena, "%s-shm", path)));
    return failure;
}
