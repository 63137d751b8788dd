// SPDX-License-Identifier: Apache-2.0
// An open bill is never stored: it is the fold of the events up to a sequence under the plan
// version that the subscription is pinned to.
#include "flow/bill/bill_open.h"

#include "base/counter.h"
#include "flow/rate/rate.h"

// What bills of one request share.
typedef struct Opening {
    Arena               *arena;
    const OpenBillQuery *query;
    UsageMoment         *moment;
    Str                  rated_at;
} Opening;

static Err *project_zone(const Opening *opening, Str *name)
{
    Project  *projects;
    size_t    count;
    ProjectId wanted = opening->query->project;
    TRY(catalog_projects(opening->query->catalog, opening->arena, &projects, &count));
    for (size_t i = 0; i < count; i++)
        if (str_equal(projects[i].id.id, wanted.id) &&
            str_equal(projects[i].id.tenant, wanted.tenant))
            *name = projects[i].time_zone;
    return NULL;
}

// The plan's, else the account's, else the project's, else UTC.
static Err *zone_of(const Opening *opening, const Plan *plan, Str account, const Zone **zone)
{
    const OpenBillQuery *query = opening->query;
    Account             *row;
    Str                  name = plan->time_zone;
    if (name.length == 0) {
        TRY(catalog_account_get(query->catalog, opening->arena, query->project, account, &row));
        name = row->time_zone;
    }
    if (name.length == 0)
        TRY(project_zone(opening, &name));
    *zone = name.length == 0 ? zone_utc() : zone_find(name);
    if (*zone == NULL)
        return refuse(opening->arena, ERR_STORE_FAILED, STR_NONE,
                      "the stored time zone %.*s is not known", STR_ARG(name));
    return NULL;
}

static Err *plan_of(const Opening *opening, const Subscription *subscription, Plan **plan)
{
    PlanVersion *version;
    PlanRef      ref = { opening->query->project, subscription->plan, subscription->plan_version };
    TRY(catalog_plan_version_get(opening->query->catalog, opening->arena, &ref, &version));
    return plan_from_text(opening->arena, version->document, plan);
}

// {"seats":"5"}: held since the subscription began.
static Err *quantities_of(const Opening *opening, const Subscription *subscription,
                          PriceInputs *inputs)
{
    Arena *arena = opening->arena;
    Json  *document;
    if (subscription->quantities.length == 0)
        return NULL;
    TRY(json_parse_copy(arena, subscription->quantities, &document));
    QuantityHistory *histories = arena_array(arena, QuantityHistory, document->count);
    for (const Json *member = document->first; member != NULL; member = member->next) {
        QuantityChange *change = arena_new(arena, QuantityChange);
        change->from = subscription->starts_at;
        if (!rational_parse(arena, member->text, &change->value))
            return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                          "a stored quantity of subscription %.*s is not a decimal",
                          STR_ARG(subscription->id));
        histories[inputs->quantity_count++] = (QuantityHistory){ member->name, change, 1 };
    }
    inputs->quantities = histories;
    return NULL;
}

static Err *inputs_of(const Opening *opening, const Subscription *subscription, const Plan *plan,
                      PriceInputs *inputs)
{
    const OpenBillQuery *query = opening->query;
    *inputs = (PriceInputs){ .at = query->rated_at, .start = subscription->starts_at };
    TRY(zone_of(opening, plan, subscription->account, &inputs->zone));
    Period period = period_at(&plan->period, inputs->zone, subscription->starts_at, query->at);
    inputs->service = period.service;
    inputs->full = period.full;
    inputs->index = period.index;
    if (subscription->ends && subscription->ends_at.us < inputs->service.end.us)
        inputs->service.end = subscription->ends_at;
    return quantities_of(opening, subscription, inputs);
}

static Err *bill_write(const Opening *opening, const Subscription *subscription, JsonOut *out,
                       Money *amount_due)
{
    Arena      *arena = opening->arena;
    Plan       *plan;
    PriceInputs inputs;
    Bill        bill;
    TRY(plan_of(opening, subscription, &plan));
    TRY(inputs_of(opening, subscription, plan, &inputs));
    RateQuery query = { .catalog = opening->query->catalog,
                        .moment = opening->moment,
                        .project = opening->query->project,
                        .account = subscription->account,
                        .plan = plan };
    TRY(rate_period(arena, &query, &inputs, &bill));
    BillFrame frame = { .subscription = subscription->id,
                        .account = subscription->account,
                        .plan_version = subscription->plan_version,
                        .sequence = usage_sequence_print(
                            arena, usage_moment_sequence(opening->moment)),
                        .rated_at = opening->rated_at,
                        .has_events = true };
    bill_to_json(&bill, &frame, arena, out);
    counter_add(METRIC_BILLS_RATED, 1);
    *amount_due = bill.amount_due;
    return NULL;
}

// All usage of one answer is read at one moment. Ended with opening_close.
static Err *opening_open(Arena *arena, const OpenBillQuery *query, Opening *opening)
{
    *opening = (Opening){ .arena = arena, .query = query };
    TRY(usage_moment_open(query->partition, arena, query->as_of, &opening->moment));
    opening->rated_at = instant_print(arena, query->rated_at);
    return NULL;
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
    Subscription *row = NULL;
    Opening       opening;
    JsonOut       json = json_out(out);
    Money         due;
    TRY(catalog_subscription_get(query->catalog, arena, query->project, subscription, &row));
    if (!subscription_active(row, query->at))
        return refuse(arena, ERR_OUTSIDE_SUBSCRIPTION, STR_NONE,
                      "subscription %.*s is not active at %.*s", STR_ARG(subscription),
                      STR_ARG(instant_print(arena, query->at)));
    TRY(opening_open(arena, query, &opening));
    size_t before = out->length;
    Err   *err = bill_write(&opening, row, &json, &due);
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

// One page of the account's subscriptions; `after` moves on, and is STR_NONE behind the last.
static Err *page_write(const Opening *opening, CatalogPage *page, Dues *dues, JsonOut *out)
{
    Subscription        *rows;
    size_t               count;
    const OpenBillQuery *query = opening->query;
    TRY(catalog_subscriptions(query->catalog, opening->arena, page, &rows, &count));
    Money *all = arena_array(opening->arena, Money, dues->count + count);
    for (size_t i = 0; i < dues->count; i++)
        all[i] = dues->at[i];
    dues->at = all;
    for (size_t i = 0; i < count; i++) {
        Money due;
        if (!subscription_active(&rows[i], query->at))
            continue;
        TRY(bill_write(opening, &rows[i], out, &due));
        TRY(dues_add(opening->arena, dues, due));
    }
    page->after = count < page->limit ? STR_NONE : rows[count - 1].id;
    return NULL;
}

static Err *bills_write(const Opening *opening, Str account, JsonOut *out)
{
    CatalogPage page = { .project = opening->query->project, .limit = 1000, .account = account };
    Dues        dues = { 0 };
    json_object(out);
    json_name(out, STR("data"));
    json_array(out);
    do
        TRY(page_write(opening, &page, &dues, out));
    while (page.after.at != NULL);
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
