// SPDX-License-Identifier: Apache-2.0
#include "flow/bill/affected_bills.h"

#include "base/counter.h"
#include "flow/bill/timeline_read.h"

typedef struct Affecting {
    Arena               *arena;  // of the answer
    const AffectedQuery *query;
    AffectedBills       *bills;
    size_t               rated;
    bool                 is_cut;  // a period was left out, because so many were rated
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

// ---- which periods

// Are there terms under which usage of one period counts in the bills of later ones?
static Err *looks_back(const Affecting *affecting, Arena *arena, const Timeline *timeline,
                       bool *looks)
{
    const AffectedQuery *query = affecting->query;
    bool                 has_term = false;
    for (size_t i = 0; i < timeline->term_count; i++)
        has_term |= timeline->terms[i].plan->commitment.term.every != 0;
    TRY(timeline_looks_back(arena, query->catalog, timeline, query->project, looks));
    *looks |= has_term;
    return NULL;
}

static bool is_spent(Affecting *affecting)
{
    affecting->is_cut |= affecting->rated == AFFECTED_PERIODS_MAX;
    return affecting->is_cut;
}

// Each period of the subscription that holds one of the instants, once.
static Err *periods_holding(Affecting *affecting, Arena *arena, const Timeline *timeline,
                            const VoidInstants *instants)
{
    Instant done = INSTANT_FIRST;
    for (size_t i = 0; i < instants->count; i++) {
        Instant at = instants->at[i];
        if (at.us < done.us || !timeline_active(timeline, at))
            continue;
        if (is_spent(affecting))
            return NULL;
        Period period = timeline_period(timeline, at);
        done = period.service.end;
        TRY(period_compare(affecting, arena, timeline, &period));
    }
    return NULL;
}

// Each period from the first instant on, up to the one that runs or holds the last instant.
static Err *periods_since(Affecting *affecting, Arena *arena, const Timeline *timeline,
                          const VoidInstants *instants)
{
    Instant last = instants->at[instants->count - 1], at = instants->at[0];
    if (last.us < affecting->query->rated_at.us)
        last = affecting->query->rated_at;
    if (at.us < timeline->active.start.us)
        at = timeline->active.start;
    while (at.us <= last.us && timeline_active(timeline, at)) {
        if (is_spent(affecting))
            return NULL;
        Period period = timeline_period(timeline, at);
        TRY(period_compare(affecting, arena, timeline, &period));
        at = period.service.end;
    }
    return NULL;
}

static Err *subscription_compare(Affecting *affecting, Arena *arena,
                                 const SubscriptionHistory *history, const VoidInstants *instants)
{
    const AffectedQuery *query = affecting->query;
    TimelineFacts        facts;
    Timeline             timeline;
    bool                 looks;
    TRY(timeline_facts_of(arena, query->catalog, query->project, history, &facts));
    facts.known_at = query->rated_at;
    TRY(timeline_fold(arena, &facts, &timeline));
    TRY(looks_back(affecting, arena, &timeline, &looks));
    return looks ? periods_since(affecting, arena, &timeline, instants)
                 : periods_holding(affecting, arena, &timeline, instants);
}

static Err *account_compare(Affecting *affecting, Arena *arena, const VoidInstants *instants)
{
    const AffectedQuery *query = affecting->query;
    AccountHistories     histories;
    TRY(catalog_account_histories(query->catalog, arena, query->project, instants->account,
                                  &histories));
    for (size_t i = 0; i < histories.count && !affecting->is_cut; i++)
        TRY(subscription_compare(affecting, arena, &histories.at[i], instants));
    return NULL;
}

Err *bill_affected(Arena *arena, const AffectedQuery *query, AffectedBills *bills)
{
    Affecting affecting = { .arena = arena, .query = query, .bills = bills };
    *bills = (AffectedBills){ .at = arena_array(arena, AffectedBill, AFFECTED_PERIODS_MAX) };
    for (size_t i = 0; i < query->account_count; i++) {
        AUTO(Arena) inner = arena_open();
        Err *err = account_compare(&affecting, inner, &query->accounts[i]);
        if (err != NULL)
            return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
        if (affecting.is_cut) {
            bills->left_out = query->account_count - i;
            return NULL;
        }
    }
    return NULL;
}
