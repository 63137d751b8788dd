// SPDX-License-Identifier: Apache-2.0
// What waits: closed periods whose usage changed, as they are found now. Nothing is rated.
#include "flow/invoice/late_inside.h"

typedef struct Waiting {
    const IssueQuery *query;
    Str               account;
    UsageMoment      *moment;
    LateRecord       *at;
    size_t            count, room;
} Waiting;

static void record_add(Arena *arena, Waiting *waiting, const LateRecord *record)
{
    waiting->at =
        arena_more(arena, waiting->at, waiting->count, &waiting->room, sizeof *waiting->at);
    waiting->at[waiting->count++] = *record;
}

static Err *row_look(Arena *arena, Waiting *waiting, const SubscriptionHistory *row)
{
    const IssueQuery *query = waiting->query;
    TimelineFacts     facts;
    LateQuery wanted = { query, waiting->moment, waiting->account, row->first->id, &facts };
    Currency  currency;
    Late      late;
    TRY(timeline_facts_of(arena, query->catalog, query->project, row, &facts));
    facts.known_at = query->now;
    TRY(late_find(arena, &wanted, &late));
    if (late.count == 0)
        return NULL;
    TRY(due_currency(arena, &facts, &currency));
    for (size_t i = 0; i < late.count; i++) {
        const LatePeriod *period = &late.at[i];
        LateRecord        record = { .account = waiting->account,
                                     .subscription = row->first->id,
                                     .period = period->closed.span,
                                     .state = LATE_OPEN,
                                     .document = period->closed.invoice,
                                     .currency = currency,
                                     .from = period->closed.sequence,
                                     .to = usage_moment_sequence(waiting->moment),
                                     .content = late_content(arena, period, NULL, 0),
                                     .created_at = query->now };
        record_add(arena, waiting, &record);
    }
    return NULL;
}

static Err *rows_look(Arena *arena, Waiting *waiting)
{
    const IssueQuery *query = waiting->query;
    AccountHistories  rows;
    TRY(catalog_account_histories(query->catalog, arena, query->project, waiting->account, &rows));
    for (size_t i = 0; i < rows.count; i++)
        TRY(row_look(arena, waiting, &rows.at[i]));
    return NULL;
}

Err *late_open(Arena *arena, const IssueQuery *query, Str account, LateRecord **records,
               size_t *count)
{
    Waiting waiting = { .query = query, .account = account };
    TRY(usage_moment_open(query->partition, arena, SEQUENCE_NEWEST, &waiting.moment));
    Err *err = rows_look(arena, &waiting);
    usage_moment_close(waiting.moment);
    *records = waiting.at;
    *count = waiting.count;
    return err;
}
