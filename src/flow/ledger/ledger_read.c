// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "flow/ledger/ledger_inside.h"

// ---- rows

Err *ledger_kind_read(Arena *arena, Str name, LedgerKind *kind)
{
    if (ledger_kind_find(name, kind))
        return NULL;
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the ledger has an account of kind %.*s",
                  STR_ARG(name));
}

Err *ledger_currency_read(Arena *arena, Str code, Currency *currency)
{
    if (currency_find(code, currency))
        return NULL;
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the ledger has a currency %.*s",
                  STR_ARG(code));
}

Err *ledger_row_read(Arena *arena, const DbRow *row, LedgerTransaction *transaction)
{
    *transaction = (LedgerTransaction){
        .id = row_text(row, COLUMN_ID),
        .source = row_text(row, COLUMN_SOURCE),
        .at = { row_whole(row, COLUMN_AT) },
        .effective_at = { row_whole(row, COLUMN_EFFECTIVE_AT) },
        .account = row_text(row, COLUMN_ACCOUNT),
        .memo = row_text(row, COLUMN_MEMO),
        .position = row_is_null(row, COLUMN_POSITION) ? 0 : row_whole(row, COLUMN_POSITION),
    };
    if (!posting_find(row_text(row, COLUMN_RULE), &transaction->rule))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "ledger transaction %.*s has a rule %.*s",
                      STR_ARG(transaction->id), STR_ARG(row_text(row, COLUMN_RULE)));
    return ledger_currency_read(arena, row_text(row, COLUMN_CURRENCY), &transaction->currency);
}

Err *ledger_legs_read(DbTx *tx, ProjectId project, Str transaction, LedgerLeg **legs, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &ledger_sql[LEDGER_ENTRIES_OF],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(transaction)),
                &rows));
    *legs = arena_array(db_arena(tx), LedgerLeg, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        LedgerLeg *leg = &(*legs)[i];
        TRY(ledger_kind_read(db_arena(tx), row_text(&rows.at[i], 0), &leg->kind));
        leg->owner = row_text(&rows.at[i], 1);
        leg->amount = row_whole(&rows.at[i], 2);
    }
    return NULL;
}

Err *ledger_legs_next(DbTx *tx, LedgerLegRows *from, Str transaction, LedgerLeg **legs,
                      size_t *count)
{
    size_t first = from->next;
    while (from->next < from->rows.count &&
           str_equal(row_text(&from->rows.at[from->next], 0), transaction))
        from->next++;
    *count = from->next - first;
    *legs = arena_array(db_arena(tx), LedgerLeg, *count);
    for (size_t i = 0; i < *count; i++) {
        const DbRow *row = &from->rows.at[first + i];
        TRY(ledger_kind_read(db_arena(tx), row_text(row, 1), &(*legs)[i].kind));
        (*legs)[i].owner = row_text(row, 2);
        (*legs)[i].amount = row_whole(row, 3);
    }
    return NULL;
}

// ---- transactions

Err *ledger_transactions(DbTx *tx, const LedgerPage *page, LedgerTransaction **transactions,
                         size_t *count)
{
    static const Str ABOVE_ALL = { "~", 1 };  // behind every id
    DbRows           rows;
    DbValue tenant = db_text(page->project.tenant), project = db_text(page->project.id);
    DbValue before = db_text(page->before.length == 0 ? ABOVE_ALL : page->before);
    DbValue limit = db_whole((int64_t)page->limit);
    if (page->account.length == 0)
        TRY(db_rows(tx, &ledger_sql[LEDGER_TRANSACTIONS],
                    DB_VALUES(tenant, project, before, limit), &rows));
    else
        TRY(db_rows(tx, &ledger_sql[LEDGER_TRANSACTIONS_OF],
                    DB_VALUES(tenant, project, db_text(page->account), before, limit), &rows));
    *transactions = arena_array(db_arena(tx), LedgerTransaction, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        LedgerTransaction *one = &(*transactions)[i];
        TRY(ledger_row_read(db_arena(tx), &rows.at[i], one));
        TRY(ledger_legs_read(tx, page->project, one->id, &one->legs, &one->count));
    }
    return NULL;
}

Err *ledger_transaction_find(DbTx *tx, ProjectId project, Str source,
                             LedgerTransaction **transaction)
{
    DbRow row;
    *transaction = NULL;
    TRY(db_find(tx, &ledger_sql[LEDGER_TRANSACTION_BY_SOURCE],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(source)), &row));
    if (row.columns == NULL)
        return NULL;
    LedgerTransaction *found = arena_new(db_arena(tx), LedgerTransaction);
    TRY(ledger_row_read(db_arena(tx), &row, found));
    TRY(ledger_legs_read(tx, project, found->id, &found->legs, &found->count));
    *transaction = found;
    return NULL;
}

// ---- a statement

Err *ledger_too_large(Arena *arena)
{
    return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "a balance of the ledger is beyond 63 bits of minor units");
}

static Err *entry_read(DbTx *tx, const DbRow *row, int64_t *balance, LedgerEntry *entry)
{
    *entry = (LedgerEntry){ .transaction = row_text(row, 0),
                            .source = row_text(row, 1),
                            .at = { row_whole(row, 3) },
                            .effective_at = { row_whole(row, 4) },
                            .amount = row_whole(row, 5) };
    if (__builtin_add_overflow(*balance, entry->amount, balance))
        return ledger_too_large(db_arena(tx));
    entry->balance = *balance;
    if (!posting_find(row_text(row, 2), &entry->rule))
        return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                      "ledger transaction %.*s has a rule %.*s", STR_ARG(entry->transaction),
                      STR_ARG(row_text(row, 2)));
    return NULL;
}

Err *ledger_statement(DbTx *tx, const LedgerStatementQuery *query, LedgerStatement *statement)
{
    DbRow   opening;
    DbRows  rows;
    DbValue tenant = db_text(query->project.tenant), project = db_text(query->project.id);
    DbValue kind = db_text(str_of(ledger_kind_name(query->name.kind)));
    DbValue owner = db_text(query->name.owner);
    DbValue currency = db_text(currency_code(&query->name.currency));
    DbValue after = db_text(query->after.at == NULL ? STR("") : query->after);
    TRY(db_find(tx, &ledger_sql[LEDGER_ENTRIES_SUM],
                DB_VALUES(tenant, project, kind, owner, currency, after), &opening));
    TRY(db_rows(tx, &ledger_sql[LEDGER_ENTRIES_AFTER],
                DB_VALUES(tenant, project, kind, owner, currency, after,
                          db_whole((int64_t)query->limit + 1)),
                &rows));
    int64_t balance = row_whole(&opening, 0);
    *statement = (LedgerStatement){ .opening = balance,
                                    .at = arena_array(db_arena(tx), LedgerEntry, rows.count),
                                    .has_more = rows.count > query->limit };
    for (size_t i = 0; i < rows.count && i < query->limit; i++)
        TRY(entry_read(tx, &rows.at[i], &balance, &statement->at[statement->count++]));
    statement->closing = balance;
    return NULL;
}

// ---- the trial balance

typedef struct Sums {
    LedgerSum *at;
    size_t     count;
} Sums;

static Err *sum_read(DbTx *tx, const DbRow *row, bool has_owner, LedgerSum *sum)
{
    Str code = row_text(row, has_owner ? 2 : 1);
    TRY(ledger_kind_read(db_arena(tx), row_text(row, 0), &sum->kind));
    TRY(ledger_currency_read(db_arena(tx), code, &sum->currency));
    sum->owner = has_owner ? row_text(row, 1) : STR_NONE;
    sum->minor = row_whole(row, has_owner ? 3 : 2);
    return NULL;
}

int ledger_rows_compare(const DbRows *a, size_t i, const DbRows *b, size_t j, size_t columns)
{
    if (i == a->count || j == b->count)
        return i == a->count ? 1 : -1;
    int order = 0;
    for (size_t column = 0; order == 0 && column < columns; column++)
        order = str_compare(row_text(&a->at[i], column), row_text(&b->at[j], column));
    return order;
}

// Rows of days and of the unsealed tail, which are both in order, as one. A customer's entries are
// in its balance already.
static Err *shared_add(DbTx *tx, const DbRows *days, const DbRows *tail, Sums *sums)
{
    for (size_t d = 0, t = 0; d < days->count || t < tail->count;) {
        int       order = ledger_rows_compare(days, d, tail, t, 3);
        LedgerSum sum;
        TRY(sum_read(tx, order <= 0 ? &days->at[d] : &tail->at[t], true, &sum));
        if (order == 0 &&
            __builtin_add_overflow(sum.minor, row_whole(&tail->at[t], 3), &sum.minor))
            return ledger_too_large(db_arena(tx));
        if (ledger_kind_whose(sum.kind) == LEDGER_SHARED)
            sums->at[sums->count++] = sum;
        d += order <= 0;
        t += order >= 0;
    }
    return NULL;
}

Err *ledger_trial_balance(DbTx *tx, ProjectId project, LedgerSum **found, size_t *count)
{
    DbRows   balances, days, tail;
    DbValues values = DB_VALUES(db_text(project.tenant), db_text(project.id));
    TRY(db_rows(tx, &ledger_sql[LEDGER_TRIAL_BALANCES], values, &balances));
    TRY(db_rows(tx, &ledger_sql[LEDGER_TRIAL_DAYS], values, &days));
    TRY(db_rows(tx, &ledger_sql[LEDGER_TRIAL_UNSEALED], values, &tail));
    Sums sums = { arena_array(db_arena(tx), LedgerSum, balances.count + days.count + tail.count),
                  0 };
    for (size_t i = 0; i < balances.count; i++)
        TRY(sum_read(tx, &balances.at[i], false, &sums.at[sums.count++]));
    TRY(shared_add(tx, &days, &tail, &sums));
    *found = sums.at;
    *count = sums.count;
    return NULL;
}
