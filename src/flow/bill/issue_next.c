// SPDX-License-Identifier: Apache-2.0
// The next boundary of an account: the earliest of its subscriptions'.
#include "flow/bill/issue_next.h"

#include "flow/bill/issue_inside.h"

enum { PAGE = 1000 };

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
    *at = earliest.at;
    return NULL;
}
