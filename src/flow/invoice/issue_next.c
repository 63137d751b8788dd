// SPDX-License-Identifier: Apache-2.0
// The next boundary of an account: the earliest of its subscriptions'. And whether all before an
// instant is behind them.
#include "flow/invoice/issue_next.h"

#include "flow/invoice/issue_inside.h"
#include "flow/invoice/issue_threshold.h"
#include "flow/invoice/issue_waiting.h"

enum { THRESHOLD_PAUSE_S = 60 };

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
    if (has)
        earliest->at = instant_earlier(earliest->at, soon);
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
    TRY(due_next(arena, &facts, instant_later(read.progress.until, earliest->after), &at, &found));
    if (found)
        earliest->at = instant_earlier(earliest->at, at);
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
    Instant next = { earliest->after.us + 1 };  // of what a run left
    if (found)
        earliest->at = instant_earlier(earliest->at, instant_later(waiting.due, next));
    return NULL;
}

Err *issue_next_boundary(Arena *arena, const IssueQuery *query, Str account, Instant after,
                         Instant *at)
{
    Earliest         earliest = { query, after, INSTANT_END };
    AccountHistories rows;
    TRY(catalog_account_histories(query->catalog, arena, query->project, account, &rows));
    for (size_t i = 0; i < rows.count; i++)
        TRY(row_look(arena, &rows.at[i], &earliest));
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
    TRY(due_currency(arena, &facts, &currency));
    TRY(timeline_fold(arena, &facts, &timeline));
    Instant last = { instant_earlier(query->before, timeline.active.end).us - 1 };
    if (currency_equal(currency, query->currency) && timeline_active(&timeline, last))
        *has_ended = timeline_period(&timeline, last).service.end.us <= issue->now.us;
    return NULL;
}

static Err *rows_have_ended(Arena *arena, const IssueFinalQuery *query, bool *have_ended)
{
    const IssueQuery *issue = query->issue;
    AccountHistories  rows;
    *have_ended = true;
    TRY(catalog_account_histories(issue->catalog, arena, issue->project, query->account, &rows));
    for (size_t i = 0; i < rows.count && *have_ended; i++)
        TRY(row_has_ended(arena, &rows.at[i], query, have_ended));
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
