// SPDX-License-Identifier: Apache-2.0
// The accounts of the ledger with their balances, kind after kind in the order of their names. A
// page is asked for by key, so that the last costs no more than the first.
#include <stdlib.h>

#include "flow/ledger/ledger_inside.h"

typedef struct Listing {
    const LedgerAccountsPage *page;
    DbValue                   tenant, project, limit;
    LedgerCut                 cut;
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

// A statement, and what it takes between the place where it begins and its limit.
typedef struct Asked {
    LedgerStatementIndex statement;
    DbValues             more;
} Asked;

// Owner, currency, amount.
static Err *kind_rows(DbTx *tx, const Listing *listing, LedgerKind kind, Asked asked, DbRows *rows)
{
    enum { FIRST = 6, MORE_MAX = 2 };
    Behind  behind = behind_of(listing->page, kind);
    DbValue owner = db_text(behind.owner);
    DbValue values[FIRST + MORE_MAX + 1] = { listing->tenant, listing->project,
                                             db_text(str_of(ledger_kind_name(kind))), owner, owner,
                                             db_text(behind.currency) };
    size_t count = FIRST;
    for (size_t i = 0; i < asked.more.count; i++)
        values[count++] = asked.more.at[i];
    values[count++] = listing->limit;
    return db_rows(tx, &ledger_sql[asked.statement], (DbValues){ values, count }, rows);
}

static bool is_full(const Listing *listing)
{
    return listing->count == listing->page->limit;
}

static Err *row_add(Arena *arena, Listing *listing, LedgerKind kind, const DbRow *row,
                    int64_t minor)
{
    LedgerSum sum = { .kind = kind, .owner = row_text(row, 0), .minor = minor };
    bool      is_wanted =
        listing->page->owner.at == NULL || str_equal(sum.owner, listing->page->owner);
    if (!is_wanted || is_full(listing))
        return NULL;
    TRY(ledger_currency_read(arena, row_text(row, 1), &sum.currency));
    listing->at[listing->count++] = sum;
    return NULL;
}

// As they are kept; as of an instant, from their entries.
static Err *customers_rows(DbTx *tx, const Listing *listing, LedgerKind kind, DbRows *rows)
{
    if (listing->page->until == NULL)
        return kind_rows(tx, listing, kind, (Asked){ .statement = LEDGER_BALANCES }, rows);
    Behind  behind = behind_of(listing->page, kind);
    DbValue owner = db_text(behind.owner), until = listing->cut.until;
    return db_rows(tx, &ledger_sql[LEDGER_BALANCES_UNTIL],
                   DB_VALUES(until, listing->tenant, listing->project,
                             db_text(str_of(ledger_kind_name(kind))), owner, owner,
                             db_text(behind.currency), until, listing->limit),
                   rows);
}

static Err *customers_add(DbTx *tx, Listing *listing, LedgerKind kind)
{
    DbRows rows;
    TRY(customers_rows(tx, listing, kind, &rows));
    for (size_t i = 0; i < rows.count; i++)
        TRY(row_add(db_arena(tx), listing, kind, &rows.at[i], row_whole(&rows.at[i], 2)));
    return NULL;
}

// What is smallest of all is among the smallest of each, so a page of each gives a page of all.
static Err *shared_add(DbTx *tx, Listing *listing, LedgerKind kind)
{
    const LedgerCut *cut = &listing->cut;
    LedgerMerge      merge = { .columns = 2 };
    const DbRow     *row;
    int64_t          minor;
    TRY(kind_rows(tx, listing, kind, (Asked){ LEDGER_DAYS, DB_VALUES(cut->day) },
                  &merge.sources[0]));
    TRY(kind_rows(tx, listing, kind, (Asked){ LEDGER_TAIL, DB_VALUES(cut->begin) },
                  &merge.sources[1]));
    if (cut->has_part)
        TRY(kind_rows(tx, listing, kind, (Asked){ LEDGER_PART, DB_VALUES(cut->until, cut->begin) },
                      &merge.sources[2]));
    for (;;) {
        TRY(ledger_merge_next(db_arena(tx), &merge, &row, &minor));
        if (row == NULL)
            return NULL;
        TRY(row_add(db_arena(tx), listing, kind, row, minor));
    }
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
                           .cut = ledger_cut(page->until),
                           .at = arena_array(db_arena(tx), LedgerSum, page->limit) };
    ledger_kinds_sorted(kinds);
    for (size_t i = 0; i < LEDGER_KIND_COUNT && !is_full(&listing); i++) {
        bool is_wanted = page->kind == NULL || *page->kind == kinds[i];
        if (is_wanted && is_behind(page, kinds[i]))
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
