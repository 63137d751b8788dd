// SPDX-License-Identifier: Apache-2.0
// The accounts of the ledger with their balances, kind after kind in the order of their names. A
// page is asked for by key, so that the last costs no more than the first.
#include <stdlib.h>

#include "flow/ledger/ledger_inside.h"

typedef struct Listing {
    const LedgerAccountsPage *page;
    DbValue                   tenant, project, limit;
    LedgerSum                *at;
    size_t                    count;
} Listing;

static int kinds_compare(const void *a, const void *b)
{
    return str_compare(str_of(ledger_kind_name(*(const LedgerKind *)a)),
                       str_of(ledger_kind_name(*(const LedgerKind *)b)));
}

void ledger_kinds_sorted(LedgerKind kinds[LEDGER_KIND_COUNT])
{
    for (unsigned i = 0; i < LEDGER_KIND_COUNT; i++)
        kinds[i] = (LedgerKind)i;
    qsort(kinds, LEDGER_KIND_COUNT, sizeof *kinds, kinds_compare);
}

// Where the rows of a kind begin: behind this owner and currency.
typedef struct Behind {
    Str owner, currency;
} Behind;

static Behind behind_of(const LedgerAccountsPage *page, LedgerKind kind)
{
    Behind behind = { page->owner.at == NULL ? STR("") : page->owner, STR("") };
    if (page->after != NULL && page->after->kind == kind &&
        str_compare(page->after->owner, behind.owner) >= 0)
        behind = (Behind){ page->after->owner, currency_code(&page->after->currency) };
    return behind;
}

// Owner, currency, amount.
static Err *kind_rows(DbTx *tx, const Listing *listing, LedgerStatementIndex statement,
                      LedgerKind kind, DbRows *rows)
{
    Behind  behind = behind_of(listing->page, kind);
    DbValue owner = db_text(behind.owner);
    return db_rows(tx, &ledger_sql[statement],
                   DB_VALUES(listing->tenant, listing->project,
                             db_text(str_of(ledger_kind_name(kind))), owner, owner,
                             db_text(behind.currency), listing->limit),
                   rows);
}

static bool is_full(const Listing *listing)
{
    return listing->count == listing->page->limit;
}

// `more` is what the other side of a merge has of it.
static Err *row_add(DbTx *tx, Listing *listing, LedgerKind kind, const DbRow *row, int64_t more)
{
    LedgerSum sum = { .kind = kind, .owner = row_text(row, 0) };
    bool      is_wanted =
        listing->page->owner.at == NULL || str_equal(sum.owner, listing->page->owner);
    if (!is_wanted || is_full(listing))
        return NULL;
    if (__builtin_add_overflow(row_whole(row, 2), more, &sum.minor))
        return ledger_too_large(db_arena(tx));
    TRY(ledger_currency_read(db_arena(tx), row_text(row, 1), &sum.currency));
    listing->at[listing->count++] = sum;
    return NULL;
}

static Err *customers_add(DbTx *tx, Listing *listing, LedgerKind kind)
{
    DbRows rows;
    TRY(kind_rows(tx, listing, LEDGER_BALANCES, kind, &rows));
    for (size_t i = 0; i < rows.count; i++)
        TRY(row_add(tx, listing, kind, &rows.at[i], 0));
    return NULL;
}

// What is smallest of both is among the smallest of each, so a page of each gives a page of both.
static Err *shared_add(DbTx *tx, Listing *listing, LedgerKind kind)
{
    DbRows days, tail;
    TRY(kind_rows(tx, listing, LEDGER_DAYS, kind, &days));
    TRY(kind_rows(tx, listing, LEDGER_TAIL, kind, &tail));
    for (size_t d = 0, t = 0; d < days.count || t < tail.count;) {
        int order = ledger_rows_compare(&days, d, &tail, t, 2);
        TRY(row_add(tx, listing, kind, order <= 0 ? &days.at[d] : &tail.at[t],
                    order == 0 ? row_whole(&tail.at[t], 2) : 0));
        d += order <= 0;
        t += order >= 0;
    }
    return NULL;
}

static bool is_behind(const LedgerAccountsPage *page, LedgerKind kind)
{
    return page->after == NULL || kinds_compare(&kind, &page->after->kind) >= 0;
}

Err *ledger_accounts(DbTx *tx, const LedgerAccountsPage *page, LedgerSum **accounts, size_t *count)
{
    LedgerKind kinds[LEDGER_KIND_COUNT];
    Listing    listing = { .page = page,
                           .tenant = db_text(page->project.tenant),
                           .project = db_text(page->project.id),
                           .limit = db_whole((int64_t)page->limit),
                           .at = arena_array(db_arena(tx), LedgerSum, page->limit) };
    ledger_kinds_sorted(kinds);
    for (size_t i = 0; i < LEDGER_KIND_COUNT && !is_full(&listing); i++) {
        bool is_wanted = page->kind == NULL || *page->kind == kinds[i];
        if (!is_wanted || !is_behind(page, kinds[i]))
            continue;
        TRY(ledger_kind_whose(kinds[i]) == LEDGER_ACCOUNT
                ? customers_add(tx, &listing, kinds[i])
                : shared_add(tx, &listing, kinds[i]));
    }
    *accounts = listing.at;
    *count = listing.count;
    return NULL;
}

// ---- months

Err *ledger_months_closed(DbTx *tx, ProjectId project, Str **months, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &ledger_sql[LEDGER_MONTHS],
                DB_VALUES(db_text(project.tenant), db_text(project.id)), &rows));
    *months = arena_array(db_arena(tx), Str, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        (*months)[i] = row_text(&rows.at[i], 0);
    return NULL;
}
