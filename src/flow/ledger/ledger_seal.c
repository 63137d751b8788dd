// SPDX-License-Identifier: Apache-2.0
#include "flow/ledger/ledger_seal.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "flow/ledger/chain.h"
#include "flow/ledger/ledger_inside.h"

typedef struct Seal {
    ProjectId project;
    int64_t   position;  // of the last in the chain
    Digest    hash;
    size_t    sealed;
} Seal;

typedef struct DayPart {
    LedgerLeg leg;
    Str       currency;
    int64_t   day;  // UTC, since 1970
} DayPart;

static Err *chain_read(DbTx *tx, Seal *seal)
{
    DbRow row;
    TRY(db_find(tx, &ledger_sql[LEDGER_CHAIN_GET],
                DB_VALUES(db_text(seal->project.tenant), db_text(seal->project.id)), &row));
    seal->position = row.columns == NULL ? 0 : row_whole(&row, 0);
    seal->hash = row.columns == NULL ? (Digest){ 0 } : chain_hash_read(row_blob(&row, 1));
    return NULL;
}

static Err *chain_write(DbTx *tx, const Seal *seal, int64_t before)
{
    unsigned char hash[LEDGER_CONTENT_BYTES];
    DbValue tenant = db_text(seal->project.tenant), project = db_text(seal->project.id);
    uint64_t changed = 1;
    digest_write(&seal->hash, hash);
    if (before == 0)
        return db_run(tx, &ledger_sql[LEDGER_CHAIN_ADD],
                      DB_VALUES(tenant, project, db_whole(seal->position),
                                db_blob(hash, sizeof hash)),
                      NULL);
    TRY(db_run(tx, &ledger_sql[LEDGER_CHAIN_MOVE],
               DB_VALUES(db_whole(seal->position), db_blob(hash, sizeof hash), tenant, project,
                         db_whole(before)),
               &changed));
    return changed == 1 ? NULL
                        : refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE,
                                 "another process is sealing the ledger");
}

static Err *day_add(DbTx *tx, const Seal *seal, const DayPart *part)
{
    DbValue  tenant = db_text(seal->project.tenant), project = db_text(seal->project.id);
    DbValue  kind = db_text(str_of(ledger_kind_name(part->leg.kind)));
    DbValue  owner = db_text(part->leg.owner), currency = db_text(part->currency);
    DbValue  day = db_whole(part->day), amount = db_whole(part->leg.amount);
    uint64_t changed;
    TRY(db_run(tx, &ledger_sql[LEDGER_DAY_MORE],
               DB_VALUES(amount, tenant, project, kind, owner, currency, day), &changed));
    if (changed == 1)
        return NULL;
    return db_run(tx, &ledger_sql[LEDGER_DAY_ADD],
                  DB_VALUES(tenant, project, kind, owner, currency, day, amount), NULL);
}

static Err *one_seal(DbTx *tx, Seal *seal, const DbRow *row)
{
    unsigned char hash[LEDGER_CONTENT_BYTES];
    Str           id = row_text(row, 0);
    LedgerLeg    *legs;
    size_t        count;
    seal->position++;
    seal->hash = chain_next(db_arena(tx), &seal->hash, seal->position, row_blob(row, 1));
    digest_write(&seal->hash, hash);
    TRY(db_run(tx, &ledger_sql[LEDGER_SEAL],
               DB_VALUES(db_whole(seal->position), db_blob(hash, sizeof hash),
                         db_text(seal->project.tenant), db_text(seal->project.id), db_text(id)),
               NULL));
    TRY(ledger_legs_read(tx, seal->project, id, &legs, &count));
    for (size_t i = 0; i < count; i++) {
        DayPart part = { legs[i], row_text(row, 2), chain_day((Instant){ row_whole(row, 3) }) };
        if (ledger_kind_whose(legs[i].kind) == LEDGER_SHARED)
            TRY(day_add(tx, seal, &part));
    }
    return NULL;
}

static Err *seal_work(DbTx *tx, void *context)
{
    Seal  *seal = context;
    DbRows rows;
    seal->sealed = 0;
    TRY(chain_read(tx, seal));
    int64_t before = seal->position;
    TRY(db_rows(tx, &ledger_sql[LEDGER_UNSEALED],
                DB_VALUES(db_text(seal->project.tenant), db_text(seal->project.id),
                          db_whole(LEDGER_SEAL_MAX)),
                &rows));
    for (size_t i = 0; i < rows.count; i++)
        TRY(one_seal(tx, seal, &rows.at[i]));
    seal->sealed = rows.count;
    return rows.count == 0 ? NULL : chain_write(tx, seal, before);
}

// Most of the time there is nothing: a look writes nothing and locks nothing.
static Err *look_work(DbTx *tx, void *context)
{
    Seal  *seal = context;
    DbRows rows;
    TRY(db_rows(tx, &ledger_sql[LEDGER_UNSEALED],
                DB_VALUES(db_text(seal->project.tenant), db_text(seal->project.id), db_whole(1)),
                &rows));
    seal->sealed = rows.count;
    return NULL;
}

Err *ledger_seal(Db *db, Arena *arena, ProjectId project, size_t *sealed)
{
    Seal seal = { .project = project };
    *sealed = 0;
    TRY(db_read(db, arena, look_work, &seal));
    if (seal.sealed == 0)
        return NULL;
    TRY(db_write(db, arena, (DbWrite){ .work = seal_work, .context = &seal }));
    *sealed = seal.sealed;
    return NULL;
}
