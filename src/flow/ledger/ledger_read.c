// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "flow/ledger/chain.h"
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

// What both statements of a page begin with: the account, and the id behind which it begins.
typedef struct StatementName {
    DbValue tenant, project, kind, owner, currency, after;
} StatementName;

static StatementName statement_name(const LedgerStatementQuery *query)
{
    return (StatementName){ db_text(query->project.tenant),
                            db_text(query->project.id),
                            db_text(str_of(ledger_kind_name(query->name.kind))),
                            db_text(query->name.owner),
                            db_text(currency_code(&query->name.currency)),
                            db_text(query->after.at == NULL ? STR("") : query->after) };
}

// What came before the page, and its entries with one more.
typedef struct StatementRows {
    int64_t opening;
    DbRows  rows;
} StatementRows;

static Err *booked_rows(DbTx *tx, const LedgerStatementQuery *query, StatementRows *found)
{
    StatementName of = statement_name(query);
    DbRow         opening;
    TRY(db_find(tx, &ledger_sql[LEDGER_ENTRIES_SUM],
                DB_VALUES(of.tenant, of.project, of.kind, of.owner, of.currency, of.after),
                &opening));
    found->opening = row_whole(&opening, 0);
    return db_rows(tx, &ledger_sql[LEDGER_ENTRIES_AFTER],
                   DB_VALUES(of.tenant, of.project, of.kind, of.owner, of.currency, of.after,
                             db_whole((int64_t)query->limit + 1)),
                   &found->rows);
}

// What counts before the span, and of its first instant the transactions up to `after`. A shared
// account may have very many entries: what is kept of their days is taken.
static Err *span_opening(DbTx *tx, const LedgerStatementQuery *query, int64_t *minor)
{
    bool          is_shared = ledger_kind_whose(query->name.kind) == LEDGER_SHARED;
    StatementName of = statement_name(query);
    LedgerCut     cut = ledger_cut(&query->span->from);
    DbRow         entries;
    TRY(db_find(tx, &ledger_sql[LEDGER_ENTRIES_SUM_UNTIL],
                DB_VALUES(of.tenant, of.project, of.kind, of.owner, of.currency,
                          is_shared ? cut.begin : db_whole(INT64_MIN), cut.until, cut.until,
                          of.after),
                &entries));
    *minor = 0;
    if (is_shared)
        TRY(ledger_cut_sum(tx, query->project, &query->name, &cut, minor));
    if (__builtin_add_overflow(*minor, row_whole(&entries, 0), minor))
        return ledger_too_large(db_arena(tx));
    return NULL;
}

static Err *span_rows(DbTx *tx, const LedgerStatementQuery *query, StatementRows *found)
{
    StatementName of = statement_name(query);
    DbValue       from = db_whole(query->span->from.us), to = db_whole(query->span->to.us);
    TRY(span_opening(tx, query, &found->opening));
    return db_rows(tx, &ledger_sql[LEDGER_ENTRIES_BETWEEN],
                   DB_VALUES(of.tenant, of.project, of.kind, of.owner, of.currency, from, from,
                             of.after, to, db_whole((int64_t)query->limit + 1)),
                   &found->rows);
}

Err *ledger_statement(DbTx *tx, const LedgerStatementQuery *query, LedgerStatement *statement)
{
    StatementRows found;
    TRY(query->span == NULL ? booked_rows(tx, query, &found) : span_rows(tx, query, &found));
    const DbRows *rows = &found.rows;
    int64_t       balance = found.opening;
    *statement = (LedgerStatement){ .opening = balance,
                                    .at = arena_array(db_arena(tx), LedgerEntry, rows->count),
                                    .has_more = rows->count > query->limit };
    for (size_t i = 0; i < rows->count && i < query->limit; i++)
        TRY(entry_read(tx, &rows->at[i], &balance, &statement->at[statement->count++]));
    statement->closing = balance;
    return NULL;
}

// ---- the trial balance

LedgerCut ledger_cut(const Instant *until)
{
    if (until == NULL)
        return (LedgerCut){ db_whole(INT64_MAX), db_whole(INT64_MAX), db_whole(INT64_MAX), false };
    int64_t day = chain_day(*until), begin = day * INSTANT_DAY_US;
    return (LedgerCut){ db_whole(day), db_whole(begin), db_whole(until->us), until->us > begin };
}

static int rows_compare(const DbRow *a, const DbRow *b, size_t columns)
{
    int order = 0;
    for (size_t column = 0; order == 0 && column < columns; column++)
        order = str_compare(row_text(a, column), row_text(b, column));
    return order;
}

static const DbRow *source_row(const LedgerMerge *merge, size_t source)
{
    const DbRows *rows = &merge->sources[source];
    return merge->next[source] == rows->count ? NULL : &rows->at[merge->next[source]];
}

Err *ledger_merge_next(Arena *arena, LedgerMerge *merge, const DbRow **row, int64_t *minor)
{
    const DbRow *first = NULL;
    for (size_t i = 0; i < LEDGER_SOURCES_MAX; i++) {
        const DbRow *one = source_row(merge, i);
        if (one != NULL && (first == NULL || rows_compare(one, first, merge->columns) < 0))
            first = one;
    }
    *minor = 0;
    for (size_t i = 0; i < LEDGER_SOURCES_MAX; i++) {
        const DbRow *one = source_row(merge, i);
        if (one == NULL || rows_compare(one, first, merge->columns) != 0)
            continue;
        merge->next[i]++;
        if (__builtin_add_overflow(*minor, row_whole(one, merge->columns), minor))
            return ledger_too_large(arena);
    }
    *row = first;
    return NULL;
}

typedef struct Sums {
    LedgerSum *at;
    size_t     count;
} Sums;

// Kind, owner and currency. What a customer's kind comes to is that of all customers.
static Err *sum_add(Arena *arena, const DbRow *row, int64_t minor, Sums *sums)
{
    LedgerSum *sum = &sums->at[sums->count++];
    TRY(ledger_kind_read(arena, row_text(row, 0), &sum->kind));
    TRY(ledger_currency_read(arena, row_text(row, 2), &sum->currency));
    bool is_shared = ledger_kind_whose(sum->kind) == LEDGER_SHARED;
    sum->owner = is_shared ? row_text(row, 1) : STR_NONE;
    sum->minor = minor;
    return NULL;
}

static Err *merged_add(Arena *arena, LedgerMerge *merge, Sums *sums)
{
    const DbRow *row;
    int64_t      minor;
    for (;;) {
        TRY(ledger_merge_next(arena, merge, &row, &minor));
        if (row == NULL)
            return NULL;
        TRY(sum_add(arena, row, minor, sums));
    }
}

// Of those, the ones whose accounts are `whose`.
static void sums_take(const Sums *from, LedgerWhose whose, Sums *sums)
{
    for (size_t i = 0; i < from->count; i++)
        if (ledger_kind_whose(from->at[i].kind) == whose)
            sums->at[sums->count++] = from->at[i];
}

// Days, what is not sealed, and a part of a day.
static Err *trial_rows(DbTx *tx, ProjectId of, const LedgerCut *cut, LedgerMerge *merge)
{
    DbValue tenant = db_text(of.tenant), project = db_text(of.id);
    *merge = (LedgerMerge){ .columns = 3 };
    TRY(db_rows(tx, &ledger_sql[LEDGER_TRIAL_DAYS], DB_VALUES(tenant, project, cut->day),
                &merge->sources[0]));
    TRY(db_rows(tx, &ledger_sql[LEDGER_TRIAL_UNSEALED], DB_VALUES(tenant, project, cut->begin),
                &merge->sources[1]));
    return !cut->has_part
               ? NULL
               : db_rows(tx, &ledger_sql[LEDGER_TRIAL_PART],
                         DB_VALUES(tenant, project, cut->until, cut->begin), &merge->sources[2]);
}

static Err *trial_sums(DbTx *tx, ProjectId project, const LedgerCut *cut, Sums *sums)
{
    LedgerMerge merge;
    size_t      count = 0;
    TRY(trial_rows(tx, project, cut, &merge));
    for (size_t i = 0; i < LEDGER_SOURCES_MAX; i++)
        count += merge.sources[i].count;
    *sums = (Sums){ arena_array(db_arena(tx), LedgerSum, count), 0 };
    return merged_add(db_arena(tx), &merge, sums);
}

// A customer's entries are in its balance already.
Err *ledger_trial_balance(DbTx *tx, ProjectId project, LedgerSum **found, size_t *count)
{
    Arena    *arena = db_arena(tx);
    LedgerCut cut = ledger_cut(NULL);
    DbRows    balances;
    Sums      shared;
    TRY(db_rows(tx, &ledger_sql[LEDGER_TRIAL_BALANCES],
                DB_VALUES(db_text(project.tenant), db_text(project.id)), &balances));
    TRY(trial_sums(tx, project, &cut, &shared));
    Sums sums = { arena_array(arena, LedgerSum, balances.count + shared.count), 0 };
    for (size_t i = 0; i < balances.count; i++)
        TRY(sum_add(arena, &balances.at[i], row_whole(&balances.at[i], 3), &sums));
    sums_take(&shared, LEDGER_SHARED, &sums);
    *found = sums.at;
    *count = sums.count;
    return NULL;
}

Err *ledger_trial_balance_until(DbTx *tx, ProjectId project, Instant at, LedgerSum **found,
                                size_t *count)
{
    LedgerCut cut = ledger_cut(&at);
    Sums      all;
    TRY(trial_sums(tx, project, &cut, &all));
    Sums sums = { arena_array(db_arena(tx), LedgerSum, all.count), 0 };
    sums_take(&all, LEDGER_ACCOUNT, &sums);
    sums_take(&all, LEDGER_SHARED, &sums);
    *found = sums.at;
    *count = sums.count;
    return NULL;
}
