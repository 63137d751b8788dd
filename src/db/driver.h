// The seam to an engine: what db.c and migrate.c need of one connection, and nothing else. A second
// engine is a second table of these functions.
#pragma once

#include "db/db.h"

typedef struct DbConnection DbConnection;  // the engine's own
typedef struct DbPrepared   DbPrepared;    // ends with its connection

typedef enum DbMode { DB_WRITES, DB_READS } DbMode;

typedef enum DbCommit {
    COMMIT_DONE,     // durable
    COMMIT_REFUSED,  // certainly not committed
    COMMIT_UNKNOWN,  // nobody can tell before the next start
} DbCommit;

// What one run of a statement gave.
typedef struct DbResult {
    DbRows   rows;
    uint64_t changed;    // rows that matched
    bool     key_taken;  // an insert met its own key: nothing changed, not a refusal
} DbResult;

typedef struct DbDriver {
    const char *name;
    bool        is_shared;  // other processes may write at the same time

    // The place: a path, or an address as mariadb_address.h has it.
    Err *(*open)(Arena *arena, Str place, DbMode mode, DbConnection **connection);
    void (*close)(DbConnection *connection);

    // The engine's type for a word in a migration ("BIGINT"); NULL when there is no such word.
    const char *(*word)(Str name);
    // One statement of a migration, without values. `again`: it may have run, and what it makes may
    // be there.
    Err *(*script)(DbConnection *connection, Arena *arena, Str sql, bool again);

    Err *(*prepare)(DbConnection *connection, Arena *arena, const char *sql, DbPrepared **prepared);
    Err *(*run)(DbPrepared *prepared, Arena *arena, DbValues values, DbResult *result);
    // Once for each set; `changed` is of all. `guarded`: when a key is taken nothing of them is
    // left behind.
    Err *(*run_many)(DbPrepared *prepared, Arena *arena, DbSets sets, bool guarded,
                     DbResult *result);

    // Selects (table, column, type) of every table, by table and column; types are the words' own.
    const char *columns_sql;

    Err *(*begin)(DbConnection *connection, Arena *arena, DbMode mode);
    // True when the transaction ended through no fault of the work (a deadlock, a lost connection):
    // after a rollback the work may be done again.
    bool (*undone)(DbConnection *connection);
    DbCommit (*commit)(DbConnection *connection);
    void (*rollback)(DbConnection *connection);
} DbDriver;

// The statement with its {{ADD column}}, if it has one, in the engine's words: `add` has ? for the
// column.
Str driver_sql(Arena *arena, const char *sql, const char *add);

const DbDriver *driver_of(Str place);  // of a path, or of an address

extern const DbDriver sqlite_driver;
extern const DbDriver mariadb_driver;
