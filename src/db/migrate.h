// Migrations: numbered, forward only, each recorded with its name and checksum. One text serves
// every engine: words in double braces, {{BIGINT}}, stand for the engine's types. Owns table
// schema_migration.
#pragma once

#include "db/driver.h"

typedef struct Migration {
    int64_t number;
    Str     name;  // "0001_catalog"
    Str     sql;   // as written, words and all; its checksum is of this
} Migration;

enum { MIGRATIONS_MAX = 1000 };

// Cuts the text at its lines `-- migration NNNN_name`. STORE_FAILED when they are not 1, 2, 3, …
Err *migrate_list(Arena *arena, Str text, Migration **migrations, size_t *count) MUST_CHECK;

// How far a database is. Nothing is changed.
typedef enum MigrationEnd { MIGRATION_WAITING, MIGRATION_CUT_SHORT, MIGRATION_DONE } MigrationEnd;
typedef struct MigrationState {
    Migration    migration;
    MigrationEnd end;
    int64_t      done;        // statements of it that have run
    int64_t      statements;  // that it has
    int64_t      applied_us;  // when the last of them ran; 0: none
} MigrationState;

typedef struct MigrationStates {
    MigrationState *at;
    size_t          count;
} MigrationStates;

// `place` as in DbOptions. Refuses as migrate_up does.
Err *migrate_states(Arena *arena, Str place, Str text, MigrationStates *states) MUST_CHECK;

// The statements that would run, in the engine's own words.
Err *migrate_plan(Arena *arena, Str place, Str text, Text *sql) MUST_CHECK;

// Compares the database's tables and columns with those that the migrations make in an empty one of
// the engine that needs no server. Each difference is a line: "account.name is missing".
Err *migrate_verify(Arena *arena, Str place, Str text, Text *differences) MUST_CHECK;

// Brings a place up, by itself.
Err *migrate_place(Arena *arena, Str place, Str text) MUST_CHECK;

// Brings the schema up. STORE_FAILED: a migration that ran here has another text or name now, the
// database knows more migrations than the text, or a statement fails (on an
// engine whose definitions are part of a transaction its migration leaves nothing then).
Err *migrate_up(Arena *arena, const DbDriver *driver, DbConnection *connection,
                Str text) MUST_CHECK;
