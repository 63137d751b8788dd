// SPDX-License-Identifier: Apache-2.0
// An open bill is never stored: it is the fold of the events up to a sequence under the terms of
// the subscription that are known at T.
#include "flow/bill/bill_open.h"

#include "base/counter.h"
#include "flow/bill/timeline_read.h"

Err *open_bill_rate(Arena *arena, const OpenBill *open, Bill *bill)
{
    const OpenBillQuery *query = open->query;
    Period               period = timeline_period(open->timeline, query->at);
    PeriodQuery          rated = { .catalog = query->catalog,
                                   .moment = open->moment,
                                   .project = query->project,
                                   .timeline = open->timeline,
                                   .at = query->rated_at };
    counter_add(METRIC_BILLS_RATED, 1);
    return period_bill(arena, &rated, &period, bill);
}

void open_bill_to_json(const OpenBill *open, const Bill *bill, Arena *arena, JsonOut *out)
{
    const Subscription *subscription = open->timeline->subscription;
    BillFrame           frame = { .subscription = subscription->id,
                                  .account = subscription->account,
                                  .sequence = usage_sequence_print(
                                      arena, usage_moment_sequence(open->moment)),
                                  .rated_at = instant_print(arena, open->query->rated_at),
                                  .has_events = true };
    bill_to_json(bill, &frame, arena, out);
}

// What bills of one request share.
typedef struct Opening {
    Arena               *arena;
    const OpenBillQuery *query;
    UsageMoment         *moment;
} Opening;

static Err *timeline_known(const Opening *opening, TimelineFacts *facts, Timeline *timeline)
{
    facts->known_at = opening->query->rated_at;
    return timeline_fold(opening->arena, facts, timeline);
}

static Err *bill_write(const Opening *opening, const Timeline *timeline, JsonOut *out,
                       Money *amount_due)
{
    Bill     bill;
    OpenBill open = { opening->query, opening->moment, timeline };
    TRY(open_bill_rate(opening->arena, &open, &bill));
    open_bill_to_json(&open, &bill, opening->arena, out);
    *amount_due = bill.amount_due;
    return NULL;
}

// All usage of one answer is read at one moment. Ended with opening_close.
static Err *opening_open(Arena *arena, const OpenBillQuery *query, Opening *opening)
{
    *opening = (Opening){ .arena = arena, .query = query };
    return usage_moment_open(query->partition, arena, query->as_of, &opening->moment);
}

// After a refusal nothing of the answer stays in `out`.
static void opening_close(Opening *opening, const Err *err, Text *out, size_t before)
{
    usage_moment_close(opening->moment);
    if (err != NULL)
        out->length = before;
}

Err *bill_open_subscription(Arena *arena, const OpenBillQuery *query, Str subscription, Text *out)
{
    TimelineFacts facts;
    Timeline      timeline;
    Opening       opening;
    JsonOut       json = json_out(out);
    Money         due;
    TRY(timeline_facts(arena, query->catalog, query->project, subscription, &facts));
    TRY(opening_open(arena, query, &opening));
    size_t before = out->length;
    Err   *err = timeline_known(&opening, &facts, &timeline);
    if (err == NULL && !timeline_active(&timeline, query->at))
        err = refuse(arena, ERR_OUTSIDE_SUBSCRIPTION, STR_NONE,
                     "subscription %.*s is not active at %.*s", STR_ARG(subscription),
                     STR_ARG(instant_print(arena, query->at)));
    if (err == NULL)
        err = bill_write(&opening, &timeline, &json, &due);
    opening_close(&opening, err, out, before);
    return err;
}

// ---- all bills of an account

// What is due in each currency, by code.
typedef struct Dues {
    Money *at;
    size_t count;
} Dues;

static Err *dues_add(Arena *arena, Dues *dues, Money due)
{
    size_t place = 0;
    while (place < dues->count &&
           str_compare(currency_code(&dues->at[place].currency), currency_code(&due.currency)) < 0)
        place++;
    if (place < dues->count && currency_equal(dues->at[place].currency, due.currency)) {
        if (!money_add(dues->at[place], due, &dues->at[place]))
            return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "the account's bills add up to more than 63 bits of minor units");
        return NULL;
    }
    for (size_t i = dues->count++; i > place; i--)
        dues->at[i] = dues->at[i - 1];
    dues->at[place] = due;
    return NULL;
}

static void dues_write(const Dues *dues, Arena *arena, JsonOut *out)
{
    json_name(out, STR("amountDue"));
    json_object(out);
    for (size_t i = 0; i < dues->count; i++) {
        json_name(out, currency_code(&dues->at[i].currency));
        json_string(out, money_print(arena, dues->at[i]));
    }
    json_object_end(out);
}

static Err *rows_write(const Opening *opening, Str account, Dues *dues, JsonOut *out)
{
    AccountHistories     rows;
    const OpenBillQuery *query = opening->query;
    TRY(catalog_account_histories(query->catalog, opening->arena, query->project, account, &rows));
    dues->at = arena_array(opening->arena, Money, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        TimelineFacts facts;
        Timeline      timeline;
        Money         due;
        TRY(timeline_facts_of(opening->arena, query->catalog, query->project, &rows.at[i], &facts));
        TRY(timeline_known(opening, &facts, &timeline));
        if (!timeline_active(&timeline, query->at))
            continue;
        TRY(bill_write(opening, &timeline, out, &due));
        TRY(dues_add(opening->arena, dues, due));
    }
    return NULL;
}

static Err *bills_write(const Opening *opening, Str account, JsonOut *out)
{
    Dues dues = { 0 };
    json_object(out);
    json_name(out, STR("data"));
    json_array(out);
    TRY(rows_write(opening, account, &dues, out));
    json_array_end(out);
    dues_write(&dues, opening->arena, out);
    json_object_end(out);
    return NULL;
}

Err *bill_open_account(Arena *arena, const OpenBillQuery *query, Str account, Text *out)
{
    Account *row;
    Opening  opening;
    JsonOut  json = json_out(out);
    TRY(catalog_account_get(query->catalog, arena, query->project, account, &row));
    TRY(opening_open(arena, query, &opening));
    size_t before = out->length;
    Err   *err = bills_write(&opening, account, &json);
    opening_close(&opening, err, out, before);
    return err;
}

Err *bill_period_end(Arena *arena, const OpenBillQuery *query, Str subscription, Instant *end)
{
    TimelineFacts facts;
    Timeline      timeline;
    TRY(timeline_facts(arena, query->catalog, query->project, subscription, &facts));
    facts.known_at = query->rated_at;
    TRY(timeline_fold(arena, &facts, &timeline));
    if (!timeline_active(&timeline, query->at))
        return refuse(arena, ERR_OUTSIDE_SUBSCRIPTION, STR_NONE,
                      "subscription %.*s is not active at %.*s", STR_ARG(subscription),
                      STR_ARG(instant_print(arena, query->at)));
    *end = timeline_period(&timeline, query->at).service.end;
    return NULL;
}
