// SPDX-License-Identifier: Apache-2.0
#include "flow/bill/affected_bills.h"

#include "base/counter.h"
#include "flow/bill/timeline_read.h"

enum { PAGE_ROWS = 100 };

typedef struct Affecting {
    Arena               *arena;  // of the answer
    const AffectedQuery *query;
    AffectedBills       *bills;
    size_t               rated;
} Affecting;

// The total at one moment; a bill that cannot be rated as it stands has none.
static Err *total_of(Arena *arena, const PeriodQuery *query, const Period *period, bool *has,
                     Money *total)
{
    Bill bill;
    counter_add(METRIC_BILLS_RATED, 1);
    Err *err = period_bill(arena, query, period, &bill);
    *has = err == NULL;
    if (err == NULL)
        *total = bill.total;
    return err != NULL && err->code == ERR_STORE_FAILED ? err : NULL;
}

static Err *period_compare(Affecting *affecting, Arena *arena, const Timeline *timeline,
                           const Period *period)
{
    const AffectedQuery *query = affecting->query;
    AffectedBill bill = { .period = period->service };
    PeriodQuery  rated = { .catalog = query->catalog, .moment = query->before,
                           .project = query->project, .timeline = timeline,
                           .at = query->rated_at };
    affecting->rated++;
    TRY(total_of(arena, &rated, period, &bill.has_before, &bill.before));
    rated.moment = query->after;
    TRY(total_of(arena, &rated, period, &bill.has_after, &bill.after));
    bool is_same = bill.has_before && bill.has_after &&
                   money_compare(bill.before, bill.after) == 0;
    if (is_same || (!bill.has_before && !bill.has_after))
        return NULL;
    const Currency *currency = bill.has_after ? &bill.after.currency : &bill.before.currency;
    bill.subscription = str_copy(affecting->arena, timeline->subscription->id);
    bill.account = str_copy(affecting->arena, timeline->subscription->account);
    bill.currency = str_copy(affecting->arena, currency_code(currency));
    affecting->bills->at[affecting->bills->count++] = bill;
    return NULL;
}

// Each period of the subscription that holds one of the instants, once.
static Err *subscription_compare(Affecting *affecting, Arena *arena,
                                 const SubscriptionHistory *history, const VoidInstants *instants)
{
    const AffectedQuery *query = affecting->query;
    TimelineFacts        facts;
    Timeline             timeline;
    Instant              done = INSTANT_FIRST;
    TRY(timeline_facts_of(arena, query->catalog, query->project, history, &facts));
    facts.known_at = query->rated_at;
    TRY(timeline_fold(arena, &facts, &timeline));
    for (size_t i = 0; i < instants->count && affecting->rated < AFFECTED_PERIODS_MAX; i++) {
        Instant at = instants->at[i];
        if (at.us < done.us || !timeline_active(&timeline, at))
            continue;
        Period period = timeline_period(&timeline, at);
        done = period.service.end;
        TRY(period_compare(affecting, arena, &timeline, &period));
    }
    return NULL;
}

static Err *account_compare(Affecting *affecting, Arena *arena, const VoidInstants *instants)
{
    CatalogPage page = { .project = affecting->query->project, .limit = PAGE_ROWS,
                         .account = instants->account };
    SubscriptionHistory *histories;
    size_t               count;
    do {
        TRY(catalog_histories(affecting->query->catalog, arena, &page, &histories, &count));
        for (size_t i = 0; i < count; i++)
            TRY(subscription_compare(affecting, arena, &histories[i], instants));
        if (count > 0)
            page.after = histories[count - 1].first->id;
    } while (count == PAGE_ROWS && affecting->rated < AFFECTED_PERIODS_MAX);
    return NULL;
}

Err *bill_affected(Arena *arena, const AffectedQuery *query, AffectedBills *bills)
{
    Affecting affecting = { .arena = arena, .query = query, .bills = bills };
    *bills = (AffectedBills){ .at = arena_array(arena, AffectedBill, AFFECTED_PERIODS_MAX) };
    for (size_t i = 0; i < query->account_count; i++) {
        AUTO(Arena) inner = arena_open();
        if (affecting.rated == AFFECTED_PERIODS_MAX) {
            bills->left_out = query->account_count - i;
            return NULL;
        }
        Err *err = account_compare(&affecting, inner, &query->accounts[i]);
        if (err != NULL)
            return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    }
    return NULL;
}
