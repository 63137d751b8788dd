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

// Brings the schema up. STORE_FAILED: a migration that ran here has another text or name now, the
// database knows more migrations than the text, or a statement fails (its migration leaves nothing
// then).
Err *migrate_up(Arena *arena, const DbDriver *driver, DbConnection *connection,
                Str text) MUST_CHECK;
