// SPDX-License-Identifier: Apache-2.0
#include "db/names.h"

enum { BEFORE = 2 };  // values before the names

static Err *piece_read(DbTx *tx, const Statement *statement, const DbNames *names, size_t from,
                       DbRows *rows)
{
    DbValue values[BEFORE + DB_NAMES_COUNT] = { db_text(names->tenant), db_text(names->project) };
    for (size_t i = 0; i < DB_NAMES_COUNT; i++) {
        size_t number = from + i < names->count ? from + i : names->count - 1;
        values[BEFORE + i] = db_text(names->at[number]);
    }
    return db_rows(tx, statement, (DbValues){ values, BEFORE + DB_NAMES_COUNT }, rows);
}

static void rows_add(Arena *arena, DbRows *all, const DbRows *more)
{
    DbRow *at = arena_array(arena, DbRow, all->count + more->count);
    for (size_t i = 0; i < all->count; i++)
        at[i] = all->at[i];
    for (size_t i = 0; i < more->count; i++)
        at[all->count + i] = more->at[i];
    *all = (DbRows){ at, all->count + more->count };
}

Err *db_rows_of(DbTx *tx, const Statement *statement, DbNames names, DbRows *rows)
{
    *rows = (DbRows){ 0 };
    for (size_t from = 0; from < names.count; from += DB_NAMES_COUNT) {
        DbRows piece;
        TRY(piece_read(tx, statement, &names, from, &piece));
        if (rows->count == 0)
            *rows = piece;
        else if (piece.count > 0)
            rows_add(db_arena(tx), rows, &piece);
    }
    return NULL;
}

Err *db_names_found(DbTx *tx, const Statement *statement, DbNames names, bool **found)
{
    DbRows rows;
    TRY(db_rows_of(tx, statement, names, &rows));
    *found = arena_array(db_arena(tx), bool, names.count);
    for (size_t i = 0; i < names.count; i++) {
        (*found)[i] = false;
        for (size_t k = 0; k < rows.count && !(*found)[i]; k++)
            (*found)[i] = str_equal(row_text(&rows.at[k], 0), names.at[i]);
    }
    return NULL;
}
