// Rows of many names in few exchanges. No statement is put together from text, so names are asked
// for in lists of a fixed length, the last one repeated to fill them up:
//   "select … where tenant = ? and project = ? and account in " DB_NAMES
#pragma once

#include "db/db.h"

enum { DB_NAMES_COUNT = 32 };
#define DB_NAMES_8 "?, ?, ?, ?, ?, ?, ?, ?"
#define DB_NAMES "(" DB_NAMES_8 ", " DB_NAMES_8 ", " DB_NAMES_8 ", " DB_NAMES_8 ")"

typedef struct DbNames {
    Str        tenant, project;
    const Str *at;
    size_t     count;
} DbNames;

// The rows of a statement that takes tenant, project, and such a list: of one list of names after
// the other, and in the statement's order within it.
Err *db_rows_of(DbTx *tx, const Statement *statement, DbNames names, DbRows *rows) MUST_CHECK;
// Of one that takes one more value behind the list.
Err *db_rows_behind(DbTx *tx, const Statement *statement, DbNames names, DbValue behind,
                    DbRows *rows) MUST_CHECK;
// Which of the names are in the first column of such a statement's rows.
Err *db_names_found(DbTx *tx, const Statement *statement, DbNames names, bool **found) MUST_CHECK;
