// SPDX-License-Identifier: Apache-2.0
// Every statement of charges.
#include "base/assert.h"
#include "flow/ledger/charge_inside.h"

#define PROJECT "tenant = ? and project = ?"
#define COLUMNS "id, account, charge_key, amount, currency, description, collect, at, invoice"

enum {
    CHARGE_ADD,
    CHARGE_GET,
    CHARGES,
    CHARGES_WAITING,
    CHARGE_CURRENCIES,
    CHARGE_TAKE,
    CHARGE_RELEASE,
    STATEMENTS
};

static const Statement sql[STATEMENTS] = {
    [CHARGE_ADD] = { "insert into charge (tenant, project, " COLUMNS ")"
                     " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [CHARGE_GET] = { "select " COLUMNS " from charge where " PROJECT
                     " and account = ? and charge_key = ?" },
    [CHARGES] = { "select " COLUMNS " from charge where " PROJECT
                  " and account = ? and charge_key > ? order by charge_key limit ?" },
    [CHARGES_WAITING] = { "select " COLUMNS " from charge where " PROJECT " and account = ?"
                          " and collect = 'invoice' and invoice is null and currency = ?"
                          " order by id limit ?" },
    [CHARGE_CURRENCIES] = { "select distinct currency from charge where " PROJECT
                            " and account = ? and collect = 'invoice' and invoice is null" },
    [CHARGE_TAKE] = { "update charge set invoice = ? where " PROJECT
                      " and id = ? and invoice is null" },
    [CHARGE_RELEASE] = { "update charge set invoice = null where " PROJECT
                         " and id = ? and invoice = ?" },
};

const StatementTable charge_table = { "charges", sql, STATEMENTS };

const char *const charge_collects[] = { "invoice", "wallet", NULL };

static Err *row_read(Arena *arena, const DbRow *row, AccountCharge *charge)
{
    bool is_wallet = str_equal(row_text(row, 6), str_of(charge_collects[COLLECT_WALLET]));
    *charge = (AccountCharge){ .id = row_text(row, 0),
                               .account = row_text(row, 1),
                               .key = row_text(row, 2),
                               .amount = { .minor = row_whole(row, 3) },
                               .description = row_text(row, 5),
                               .collect = is_wallet ? COLLECT_WALLET : COLLECT_INVOICE,
                               .at = { row_whole(row, 7) },
                               .invoice = row_text(row, 8) };
    if (!currency_find(row_text(row, 4), &charge->amount.currency))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a charge is in no currency");
    return NULL;
}

static Err *rows_read(Arena *arena, const DbRows *rows, AccountCharge **found, size_t *count)
{
    *found = arena_array(arena, AccountCharge, rows->count);
    *count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        TRY(row_read(arena, &rows->at[i], &(*found)[i]));
    return NULL;
}

Err *charge_row_add(DbTx *tx, ProjectId project, const AccountCharge *charge, bool *added)
{
    return db_insert(tx, &sql[CHARGE_ADD],
                     DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(charge->id),
                               db_text(charge->account), db_text(charge->key),
                               db_whole(charge->amount.minor),
                               db_text(currency_code(&charge->amount.currency)),
                               db_text(charge->description),
                               db_text(str_of(charge_collects[charge->collect])),
                               db_whole(charge->at.us), db_null()),
                     added);
}

Err *charge_get(DbTx *tx, const CreditWallet *wallet, Str key, AccountCharge *charge)
{
    DbRow row;
    TRY(db_find(tx, &sql[CHARGE_GET],
                DB_VALUES(db_text(wallet->project.tenant), db_text(wallet->project.id),
                          db_text(wallet->account), db_text(key)),
                &row));
    if (row.columns == NULL)
        return refuse(db_arena(tx), ERR_CHARGE_NOT_FOUND, STR_NONE,
                      "account %.*s has no charge of that key", STR_ARG(wallet->account));
    return row_read(db_arena(tx), &row, charge);
}

Err *charges(DbTx *tx, const ChargePage *page, AccountCharge **found, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[CHARGES],
                DB_VALUES(db_text(page->project.tenant), db_text(page->project.id),
                          db_text(page->account),
                          db_text(page->after.at == NULL ? STR("") : page->after),
                          db_whole((int64_t)page->limit)),
                &rows));
    return rows_read(db_arena(tx), &rows, found, count);
}

Err *charges_waiting(DbTx *tx, const CreditWallet *wallet, size_t limit, AccountCharge **found,
                     size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[CHARGES_WAITING],
                DB_VALUES(db_text(wallet->project.tenant), db_text(wallet->project.id),
                          db_text(wallet->account), db_text(currency_code(&wallet->currency)),
                          db_whole((int64_t)limit)),
                &rows));
    return rows_read(db_arena(tx), &rows, found, count);
}

Err *charges_waiting_in(DbTx *tx, ProjectId project, Str account, Currency **currencies,
                        size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[CHARGE_CURRENCIES],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(account)), &rows));
    *currencies = arena_array(db_arena(tx), Currency, rows.count);
    *count = 0;
    for (size_t i = 0; i < rows.count; i++)
        *count += currency_find(row_text(&rows.at[i], 0), &(*currencies)[*count]);
    return NULL;
}

Err *charge_take(DbTx *tx, ProjectId project, Str id, Str invoice, bool *taken)
{
    uint64_t changed;
    TRY(db_run(tx, &sql[CHARGE_TAKE],
               DB_VALUES(db_text(invoice), db_text(project.tenant), db_text(project.id),
                         db_text(id)),
               &changed));
    *taken = changed == 1;
    return NULL;
}

Err *charge_release(DbTx *tx, ProjectId project, Str id, Str invoice)
{
    return db_run(tx, &sql[CHARGE_RELEASE],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id),
                            db_text(invoice)),
                  NULL);
}
