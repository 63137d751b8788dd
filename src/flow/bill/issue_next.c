// SPDX-License-Identifier: Apache-2.0
// The next boundary of an account: the earliest of its subscriptions'. And whether all before an
// instant is behind them.
#include "flow/bill/issue_next.h"

#include "base/vector.h"
#include "flow/bill/issue_inside.h"
#include "flow/bill/issue_threshold.h"
#include "flow/bill/issue_waiting.h"
#include "flow/ledger/charge.h"

enum { PAGE = 1000, THRESHOLD_PAUSE_S = 60 };

typedef struct Earliest {
    const IssueQuery *query;
    Instant           after;
    Instant           at;
} Earliest;

typedef struct ProgressRead {
    ProjectId     project;
    IssueProgress progress;
} ProgressRead;

static Err *progress_work(DbTx *tx, void *context)
{
    ProgressRead *read = context;
    return issue_progress_get(tx, read->project, read->progress.subscription, &read->progress);
}

// A threshold may be reached at any time: it is looked at each minute.
static Err *threshold_look(Arena *arena, const TimelineFacts *facts, Earliest *earliest)
{
    Instant soon = { earliest->after.us + THRESHOLD_PAUSE_S * INSTANT_SECOND_US };
    bool    has;
    TRY(issue_has_threshold(arena, facts, &has));
    if (has && soon.us < earliest->at.us)
        earliest->at = soon;
    return NULL;
}

static Err *row_look(Arena *arena, const SubscriptionHistory *row, Earliest *earliest)
{
    const IssueQuery *query = earliest->query;
    ProgressRead      read = { query->project, { .subscription = row->first->id } };
    TimelineFacts     facts;
    Instant           at;
    bool              found;
    TRY(timeline_facts_of(arena, query->catalog, query->project, row, &facts));
    facts.known_at = query->now;
    TRY(db_read(query->books, arena, progress_work, &read));
    Instant after = read.progress.until;
    if (after.us < earliest->after.us)
        after = earliest->after;
    TRY(invoice_next(arena, &facts, after, &at, &found));
    if (found && at.us < earliest->at.us)
        earliest->at = at;
    return threshold_look(arena, &facts, earliest);
}

static Err *waiting_look(Arena *arena, Str account, Earliest *earliest)
{
    const IssueQuery *query = earliest->query;
    WaitingCharges    waiting;
    Account          *row;
    bool              found;
    TRY(catalog_account_get(query->catalog, arena, query->project, account, &row));
    WaitingQuery wanted = { query, account, STR_NONE, row->time_zone };
    TRY(issue_waiting(arena, &wanted, &waiting, &found));
    // What a run left is next.
    if (found && waiting.due.us <= earliest->after.us)
        waiting.due.us = earliest->after.us + 1;
    if (found && waiting.due.us < earliest->at.us)
        earliest->at = waiting.due;
    return NULL;
}

Err *issue_next_boundary(Arena *arena, const IssueQuery *query, Str account, Instant after,
                         Instant *at)
{
    CatalogPage          page = { .project = query->project, .limit = PAGE, .account = account };
    Earliest             earliest = { query, after, INSTANT_END };
    SubscriptionHistory *rows;
    size_t               count;
    do {
        TRY(catalog_histories(query->catalog, arena, &page, &rows, &count));
        for (size_t i = 0; i < count; i++)
            TRY(row_look(arena, &rows[i], &earliest));
        page.after = count < PAGE ? STR_NONE : rows[count - 1].first->id;
    } while (page.after.at != NULL);
    TRY(waiting_look(arena, account, &earliest));
    *at = earliest.at;
    return NULL;
}

// ---- whether all is billed

// The last period that began before the instant has ended.
static Err *row_has_ended(Arena *arena, const SubscriptionHistory *row,
                          const IssueFinalQuery *query, bool *has_ended)
{
    const IssueQuery *issue = query->issue;
    TimelineFacts     facts;
    Timeline          timeline;
    Currency          currency;
    *has_ended = true;
    TRY(timeline_facts_of(arena, issue->catalog, issue->project, row, &facts));
    facts.known_at = issue->now;
    TRY(invoice_currency(arena, &facts, &currency));
    TRY(timeline_fold(arena, &facts, &timeline));
    Instant last = query->before.us < timeline.active.end.us ? query->before : timeline.active.end;
    last.us--;
    if (currency_equal(currency, query->currency) && timeline_active(&timeline, last))
        *has_ended = timeline_period(&timeline, last).service.end.us <= issue->now.us;
    return NULL;
}

static Err *rows_have_ended(Arena *arena, const IssueFinalQuery *query, bool *have_ended)
{
    CatalogPage          page = { .project = query->issue->project, .limit = PAGE,
                                  .account = query->account };
    SubscriptionHistory *rows;
    size_t               count;
    *have_ended = true;
    do {
        TRY(catalog_histories(query->issue->catalog, arena, &page, &rows, &count));
        for (size_t i = 0; i < count && *have_ended; i++)
            TRY(row_has_ended(arena, &rows[i], query, have_ended));
        page.after = count < PAGE ? STR_NONE : rows[count - 1].first->id;
    } while (page.after.at != NULL && *have_ended);
    return NULL;
}

Err *issue_is_final(Arena *arena, const IssueFinalQuery *query, bool *is_final)
{
    IssueWanted wanted = { .account = query->account, .currency = currency_code(&query->currency) };
    IssueDraft  draft;
    bool        has_due;
    TRY(rows_have_ended(arena, query, is_final));
    if (!*is_final)
        return NULL;
    TRY(issue_rate(arena, query->issue, &wanted, &draft, &has_due));
    *is_final = !has_due;
    return NULL;
}

// ---- currencies

typedef VECTOR(Currency) Currencies;

static void currency_add(Currencies *currencies, Currency currency)
{
    for (size_t i = 0; i < currencies->count; i++)
        if (currency_equal(currencies->at[i], currency))
            return;
    vector_push(currencies, currency);
}

static Err *row_currency(Arena *arena, const IssueQuery *query, const SubscriptionHistory *row,
                         Currencies *currencies)
{
    TimelineFacts facts;
    Currency      currency;
    TRY(timeline_facts_of(arena, query->catalog, query->project, row, &facts));
    facts.known_at = query->now;
    TRY(invoice_currency(arena, &facts, &currency));
    currency_add(currencies, currency);
    return NULL;
}

static Err *rows_currencies(Arena *arena, const IssueQuery *query, Str account,
                            Currencies *currencies)
{
    CatalogPage          page = { .project = query->project, .limit = PAGE, .account = account };
    SubscriptionHistory *rows;
    size_t               count;
    do {
        TRY(catalog_histories(query->catalog, arena, &page, &rows, &count));
        for (size_t i = 0; i < count; i++)
            TRY(row_currency(arena, query, &rows[i], currencies));
        page.after = count < PAGE ? STR_NONE : rows[count - 1].first->id;
    } while (page.after.at != NULL);
    return NULL;
}

typedef struct ChargesRead {
    ProjectId project;
    Str       account;
    Currency *currencies;
    size_t    count;
} ChargesRead;

static Err *charges_work(DbTx *tx, void *context)
{
    ChargesRead *read = context;
    return charges_waiting_in(tx, read->project, read->account, &read->currencies, &read->count);
}

Err *issue_currencies(Arena *arena, const IssueQuery *query, Str account, Currency **currencies,
                      size_t *count)
{
    ChargesRead waiting = { .project = query->project, .account = account };
    Currencies  found = { 0 };
    Err        *err = rows_currencies(arena, query, account, &found);
    if (err == NULL)
        err = db_read(query->books, arena, charges_work, &waiting);
    for (size_t i = 0; err == NULL && i < waiting.count; i++)
        currency_add(&found, waiting.currencies[i]);
    *currencies = arena_copy(arena, found.at, found.count * sizeof *found.at);
    *count = found.count;
    vector_release(&found);
    return err;
}
