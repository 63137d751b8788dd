// SPDX-License-Identifier: Apache-2.0
#include "db/names.h"

enum { BEFORE = 2 };  // values before the names

typedef struct Asked {
    const Statement *statement;
    const DbNames   *names;
    const DbValue   *behind;  // NULL: nothing
} Asked;

static Err *piece_read(DbTx *tx, const Asked *asked, size_t from, DbRows *rows)
{
    const DbNames *names = asked->names;
    DbValue values[BEFORE + DB_NAMES_COUNT + 1] = { db_text(names->tenant),
                                                    db_text(names->project) };
    size_t  count = BEFORE + DB_NAMES_COUNT;
    if (asked->behind != NULL)
        values[count++] = *asked->behind;
    for (size_t i = 0; i < DB_NAMES_COUNT; i++) {
        size_t number = from + i < names->count ? from + i : names->count - 1;
        values[BEFORE + i] = db_text(names->at[number]);
    }
    return db_rows(tx, asked->statement, (DbValues){ values, count }, rows);
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

static Err *pieces_read(DbTx *tx, const Asked *asked, DbRows *rows)
{
    *rows = (DbRows){ 0 };
    for (size_t from = 0; from < asked->names->count; from += DB_NAMES_COUNT) {
        DbRows piece;
        TRY(piece_read(tx, asked, from, &piece));
        if (rows->count == 0)
            *rows = piece;
        else if (piece.count > 0)
            rows_add(db_arena(tx), rows, &piece);
    }
    return NULL;
}

Err *db_rows_of(DbTx *tx, const Statement *statement, DbNames names, DbRows *rows)
{
    return pieces_read(tx, &(Asked){ statement, &names, NULL }, rows);
}

Err *db_rows_behind(DbTx *tx, const Statement *statement, DbNames names, DbValue behind,
                    DbRows *rows)
{
    return pieces_read(tx, &(Asked){ statement, &names, &behind }, rows);
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
