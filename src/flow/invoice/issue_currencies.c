// SPDX-License-Identifier: Apache-2.0
// Which currencies an account has invoices in; what they say is issue.h's and issue_preview's.
#include "flow/invoice/issue_currencies.h"

#include "flow/invoice/issue_inside.h"
#include "flow/ledger/charge.h"

// By code.
typedef struct Currencies {
    Currency *at;
    size_t    count;
} Currencies;

static void currency_add(Arena *arena, Currencies *all, Currency currency)
{
    size_t place = 0;
    Str    code = currency_code(&currency);
    while (place < all->count && str_compare(currency_code(&all->at[place]), code) < 0)
        place++;
    if (place < all->count && currency_equal(all->at[place], currency))
        return;
    Currency *more = arena_array(arena, Currency, all->count + 1);
    for (size_t i = 0; i < all->count; i++)
        more[i < place ? i : i + 1] = all->at[i];
    more[place] = currency;
    all->at = more;
    all->count++;
}

static Err *of_subscriptions(Arena *arena, const IssueQuery *query, Str account, Currencies *all)
{
    AccountHistories rows;
    TRY(catalog_account_histories(query->catalog, arena, query->project, account, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        TimelineFacts facts;
        Currency      currency;
        TRY(timeline_facts_of(arena, query->catalog, query->project, &rows.at[i], &facts));
        facts.known_at = query->now;
        TRY(due_currency(arena, &facts, &currency));
        currency_add(arena, all, currency);
    }
    return NULL;
}

typedef struct ChargesRead {
    ProjectId project;
    Str       account;
    Currency *at;
    size_t    count;
} ChargesRead;

static Err *charges_work(DbTx *tx, void *context)
{
    ChargesRead *read = context;
    return charges_waiting_in(tx, read->project, read->account, &read->at, &read->count);
}

Err *issue_currencies(Arena *arena, const IssueQuery *query, Str account, Currency **currencies,
                      size_t *count)
{
    ChargesRead read = { .project = query->project, .account = account };
    Currencies  all = { 0 };
    TRY(of_subscriptions(arena, query, account, &all));
    TRY(db_read(query->books, arena, charges_work, &read));
    for (size_t i = 0; i < read.count; i++)
        currency_add(arena, &all, read.at[i]);
    *currencies = all.at;
    *count = all.count;
    return NULL;
}
