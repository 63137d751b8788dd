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

    Err *(*open)(Arena *arena, Str path, DbMode mode, DbConnection **connection);
    void (*close)(DbConnection *connection);

    // The engine's type for a word in a migration ("BIGINT"); NULL when there is no such word.
    const char *(*word)(Str name);
    // One statement of a migration, without values.
    Err *(*script)(DbConnection *connection, Arena *arena, Str sql);

    Err *(*prepare)(DbConnection *connection, Arena *arena, const char *sql, DbPrepared **prepared);
    Err *(*run)(DbPrepared *prepared, Arena *arena, DbValues values, DbResult *result);

    Err *(*begin)(DbConnection *connection, Arena *arena, DbMode mode);
    DbCommit (*commit)(DbConnection *connection);
    void (*rollback)(DbConnection *connection);
} DbDriver;

extern const DbDriver sqlite_driver;
