// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"
#include "flow/ledger/credit_inside.h"
#include "flow/ledger/pack.h"

#define PROJECT "tenant = ? and project = ?"
#define COLUMNS \
    "id, name, currency, amount, price, priority, valid_days, applies_to, version, updated_at"

enum { PACK_GET, PACK_ADD, PACK_SET, PACKS, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [PACK_GET] = { "select " COLUMNS " from credit_pack where " PROJECT " and id = ?" },
    [PACK_ADD] = { "insert into credit_pack (tenant, project, " COLUMNS ")"
                   " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [PACK_SET] = { "update credit_pack set name = ?, currency = ?, amount = ?, price = ?,"
                   " priority = ?, valid_days = ?, applies_to = ?, version = version + 1,"
                   " updated_at = ? where " PROJECT " and id = ?" },
    [PACKS] = { "select " COLUMNS " from credit_pack where " PROJECT
                " and id > ? order by id limit ?" },
};

const StatementTable pack_table = { "packs", sql, STATEMENTS };

static Err *pack_read(Arena *arena, const DbRow *row, CreditPack *pack)
{
    *pack = (CreditPack){ .id = row_text(row, 0),
                          .name = row_text(row, 1),
                          .amount = row_whole(row, 3),
                          .price = row_whole(row, 4),
                          .priority = row_whole(row, 5),
                          .valid_days = row_whole(row, 6),
                          .version = row_whole(row, 8),
                          .updated_at = { row_whole(row, 9) } };
    if (!currency_find(row_text(row, 2), &pack->currency))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a pack is in no currency");
    return applies_to_read(arena, row_text(row, 7), &pack->applies_to);
}

static Err *pack_find(DbTx *tx, ProjectId project, Str id, CreditPack *pack)
{
    DbRow row;
    TRY(db_find(tx, &sql[PACK_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    *pack = (CreditPack){ 0 };
    return row.columns == NULL ? NULL : pack_read(db_arena(tx), &row, pack);
}

Err *pack_get(DbTx *tx, ProjectId project, Str id, CreditPack *pack)
{
    CreditPack found;
    TRY(pack_find(tx, project, id, &found));
    if (found.version == 0)
        return refuse(db_arena(tx), ERR_PACK_NOT_FOUND, STR_NONE, "there is no pack %.*s",
                      STR_ARG(id));
    *pack = found;
    return NULL;
}

static Str applies_text(Arena *arena, const CreditPack *pack)
{
    Str text = applies_to_text(arena, &pack->applies_to);
    return text.at == NULL ? STR("") : text;
}

static bool same_content(Arena *arena, const CreditPack *a, const CreditPack *b)
{
    return (a->name.at == NULL) == (b->name.at == NULL) && str_equal(a->name, b->name) &&
           currency_equal(a->currency, b->currency) && a->amount == b->amount &&
           a->price == b->price && a->priority == b->priority && a->valid_days == b->valid_days &&
           str_equal(applies_text(arena, a), applies_text(arena, b));
}

Err *pack_put(DbTx *tx, ProjectId project, CreditPack *pack)
{
    CreditPack before;
    Str        applies_to = applies_to_text(db_arena(tx), &pack->applies_to);
    TRY(pack_find(tx, project, pack->id, &before));
    DbValue tenant = db_text(project.tenant), in = db_text(project.id), id = db_text(pack->id);
    DbValue name = db_text(pack->name), currency = db_text(currency_code(&pack->currency));
    if (before.version == 0)
        TRY(db_run(tx, &sql[PACK_ADD],
                   DB_VALUES(tenant, in, id, name, currency, db_whole(pack->amount),
                             db_whole(pack->price), db_whole(pack->priority),
                             db_whole(pack->valid_days), db_text(applies_to), db_whole(1),
                             db_whole(pack->updated_at.us)),
                   NULL));
    else if (!same_content(db_arena(tx), &before, pack))
        TRY(db_run(tx, &sql[PACK_SET],
                   DB_VALUES(name, currency, db_whole(pack->amount), db_whole(pack->price),
                             db_whole(pack->priority), db_whole(pack->valid_days),
                             db_text(applies_to), db_whole(pack->updated_at.us), tenant, in, id),
                   NULL));
    return pack_find(tx, project, pack->id, pack);
}

Err *packs(DbTx *tx, const PackPage *page, CreditPack **found, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[PACKS],
                DB_VALUES(db_text(page->project.tenant), db_text(page->project.id),
                          db_text(page->after.at == NULL ? STR("") : page->after),
                          db_whole((int64_t)page->limit)),
                &rows));
    *found = arena_array(db_arena(tx), CreditPack, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(pack_read(db_arena(tx), &rows.at[i], &(*found)[i]));
    return NULL;
}

StoredGrant pack_grant(Arena *arena, const CreditPack *pack, Str account, Instant now)
{
    bool    is_free = pack->price == 0;
    Instant expires = INSTANT_END;
    if (pack->valid_days > 0)
        expires = instant_within((Instant){ now.us + pack->valid_days * INSTANT_DAY_US });
    return (StoredGrant){ .grant = { .id = random_id(arena, "grt_"),
                                     .account = account,
                                     .currency = pack->currency,
                                     .kind = is_free ? GRANT_PROMOTIONAL : GRANT_PAID,
                                     .timing = is_free ? CREDIT_BEFORE_TAX : CREDIT_AFTER_TAX,
                                     .amount = pack->amount,
                                     .price = pack->price,
                                     .priority = pack->priority,
                                     .effective_at = now,
                                     .expires_at = expires,
                                     .applies_to = pack->applies_to },
                          .paid_by = is_free ? PAID_BY_NOBODY : PAID_EXTERNALLY,
                          .origin = str_print(arena, "pack:%.*s", STR_ARG(pack->id)),
                          .description = pack->name,
                          .created_at = now };
}
