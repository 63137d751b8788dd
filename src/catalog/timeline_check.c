// SPDX-License-Identifier: Apache-2.0
// Before an entry of a log is stored, all that would follow from it is looked at: a bill must never
// find terms that it cannot price.
#include "catalog/timeline_check.h"

#include "catalog/body.h"
#include "catalog/claims.h"
#include "catalog/terms_plans.h"
#include "catalog/usage_filter.h"

// ---- quantities

static const Json *parsed(Arena *arena, Str text)
{
    Json *json;
    return json_parse_copy(arena, text, &json) == NULL ? json : NULL;
}

// The names that a charge reads: its own quantity, and what its included units are multiplied by.
static size_t quantities_of(const Charge *charge, Str names[3])
{
    size_t count = 0;
    if (charge->source == SOURCE_QUANTITY)
        names[count++] = charge->quantity;
    if (charge->included.given && charge->included.per_unit.at != NULL)
        names[count++] = charge->included.per_unit;
    if (charge->included_per_group.given && charge->included_per_group.per_unit.at != NULL)
        names[count++] = charge->included_per_group.per_unit;
    return count;
}

static bool plan_prices(const Plan *plan, Str quantity)
{
    Str names[3];
    for (size_t i = 0; i < plan->charge_count; i++)
        for (size_t k = quantities_of(&plan->charges[i], names); k > 0; k--)
            if (str_equal(names[k - 1], quantity))
                return true;
    return false;
}

static void required_check(const Plan *plan, const Json *quantities, Str plan_id, Faults *faults)
{
    Str names[3];
    for (size_t i = 0; i < plan->charge_count; i++)
        for (size_t k = quantities_of(&plan->charges[i], names); k > 0; k--)
            if (json_find(quantities, names[k - 1]) == NULL)
                faults_add(faults, ERR_FIELD_REQUIRED,
                           pointer_of(faults->arena, STR("/quantities"), names[k - 1]),
                           "charge %.*s of plan %.*s prices the quantity %.*s",
                           STR_ARG(plan->charges[i].id), STR_ARG(plan_id), STR_ARG(names[k - 1]));
}

// What nothing prices is more likely a slip of the pen than meant.
static void named_check(Arena *arena, Str named, const TermsPlans *plans, Faults *faults)
{
    const Json *quantities = named.at == NULL ? NULL : parsed(arena, named);
    for (const Json *member = quantities == NULL ? NULL : quantities->first; member != NULL;
         member = member->next) {
        bool is_priced = false;
        for (size_t i = 0; i < plans->count; i++)
            is_priced |= plan_prices(plans->at[i].plan, member->name);
        if (!is_priced)
            faults_add(faults, ERR_FIELD_INVALID,
                       pointer_of(arena, STR("/quantities"), member->name),
                       "no charge of plan %.*s prices a quantity %.*s",
                       STR_ARG(plans->at[0].ref.plan), STR_ARG(member->name));
    }
}

// ---- one stretch

static Err *usage_filter_check(DbTx *tx, ProjectId project, const TermsPlan *terms,
                               const ChargeFilter *filter, Faults *faults)
{
    for (size_t i = 0; filter->count > 0 && i < terms->plan->charge_count; i++)
        for (size_t k = 0; k < charge_meter_count(&terms->plan->charges[i]); k++) {
            Meter *meter;
            TRY(catalog__meter_find(tx, project, charge_meter(&terms->plan->charges[i], k),
                                    &meter));
            for (size_t t = 0; meter != NULL && t < filter->count; t++)
                if (!catalog__meter_has_dimension(meter, filter->terms[t].key))
                    faults_add(faults, ERR_FIELD_INVALID,
                               pointer_of(faults->arena, STR("/usageFilter"), filter->terms[t].key),
                               "%.*s is not a dimension of meter %.*s, which charge %.*s reads",
                               STR_ARG(filter->terms[t].key), STR_ARG(meter->id),
                               STR_ARG(terms->plan->charges[i].id));
        }
    return NULL;
}

// The meters of a published version were looked at when it was published.
static Err *patched_check(DbTx *tx, ProjectId project, const TermsPlan *terms, Faults *faults)
{
    Str charges = str_print(faults->arena, "%.*s/charges", STR_ARG(terms->pointer));
    for (size_t i = 0; terms->is_patched && i < terms->plan->charge_count; i++)
        TRY(catalog__charge_check(tx, project, &terms->plan->charges[i],
                                  pointer_of(faults->arena, charges, terms->plan->charges[i].id),
                                  faults));
    return NULL;
}

static Err *currency_check(Arena *arena, const TermsPlan *terms, const Currency *currency)
{
    if (currency_equal(terms->plan->currency, *currency))
        return NULL;
    return refuse(arena, ERR_CURRENCY_MISMATCH, terms->is_patched ? terms->pointer : STR("/plan"),
                  "plan %.*s is in %.*s there and the subscription in %.*s",
                  STR_ARG(terms->ref.plan), STR_ARG(currency_code(&terms->plan->currency)),
                  STR_ARG(currency_code(currency)));
}

static Err *stretch_check(DbTx *tx, const TimelineCheck *check, const SubscriptionTerms *terms,
                          const Currency *currency)
{
    Arena       *arena = db_arena(tx);
    ProjectId    project = check->change->by->project.id;
    Faults       faults = { .arena = arena };
    ChargeFilter filter = usage_filter_of(arena, check->history->first->usage_filter);
    TermsPlans   plans;
    TRY(terms_plans(tx, check->change, terms, &plans));
    for (size_t i = 0; i < plans.count; i++) {
        TRY(currency_check(arena, &plans.at[i], currency));
        TRY(patched_check(tx, project, &plans.at[i], &faults));
        TRY(usage_filter_check(tx, project, &plans.at[i], &filter, &faults));
        required_check(plans.at[i].plan, parsed(arena, terms->quantities), terms->plan, &faults);
    }
    if (terms->start.us <= check->from.us)
        named_check(arena, check->quantities, &plans, &faults);
    return faults.first;
}

// ---- claims

static Err *claims_of(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *history,
                      Claims *claims)
{
    Arena             *arena = db_arena(tx);
    SubscriptionTerms *terms;
    size_t             count = subscription_terms(arena, history, &terms);
    *claims = (Claims){ .subscription = history->first->id,
                        .usage = usage_filter_of(arena, history->first->usage_filter) };
    for (size_t i = 0; i < count; i++) {
        TermsPlans plans;
        TRY(terms_plans(tx, change, &terms[i], &plans));
        for (size_t k = 0; k < plans.count; k++)
            claims_add(arena, claims,
                       (Claim){ terms[i].start, terms[i].ends, terms[i].end, plans.at[k].plan });
    }
    return NULL;
}

// Whether the rows' spans meet at all, before the other's log is read.
static bool rows_meet(const Subscription *a, const SubscriptionHistory *history)
{
    Instant end;
    bool    ends = subscription_end(history, &end);
    return (!ends || a->starts_at.us < end.us) &&
           (!a->ends || history->first->starts_at.us < a->ends_at.us);
}

static Err *others_check(DbTx *tx, const TimelineCheck *check)
{
    ProjectId        project = check->change->by->project.id;
    SubscriptionRows others;
    Claims           own = { 0 };
    TRY(catalog__account_subscriptions(tx, project, check->history->first->account, &others));
    for (size_t i = 0; i < others.count; i++) {
        SubscriptionHistory other;
        Claims              its;
        if (str_equal(others.at[i].id, check->history->first->id) ||
            !rows_meet(&others.at[i], check->history))
            continue;
        if (own.count == 0)
            TRY(claims_of(tx, check->change, check->history, &own));
        TRY(catalog__history_read(tx, project, &others.at[i], &other));
        TRY(claims_of(tx, check->change, &other, &its));
        TRY(claims_check(db_arena(tx), &own, &its));
    }
    return NULL;
}

// ---- all of it

// What it is billed in since it began, by which its invoices go.
static Err *currency_of(DbTx *tx, const TimelineCheck *check, Currency *currency)
{
    const Subscription *first = check->history->first;
    const Plan         *plan;
    PlanRef             ref = { check->change->by->project.id, first->plan, first->plan_version };
    TRY(catalog__plan_parsed(tx, check->change->catalog, &(PlanWanted){ .ref = ref }, &plan));
    *currency = plan->currency;
    return NULL;
}

Err *timeline_check(DbTx *tx, const TimelineCheck *check)
{
    SubscriptionTerms *terms;
    Currency           currency;
    size_t             count = subscription_terms(db_arena(tx), check->history, &terms);
    TRY(currency_of(tx, check, &currency));
    for (size_t i = 0; i < count; i++)
        if (!terms[i].ends || terms[i].end.us > check->from.us)
            TRY(stretch_check(tx, check, &terms[i], &currency));
    return others_check(tx, check);
}

Err *timeline_meters_note(DbTx *tx, const TimelineCheck *check)
{
    SubscriptionTerms *terms;
    size_t             count = subscription_terms(db_arena(tx), check->history, &terms);
    for (size_t i = 0; i < count; i++) {
        TermsPlans plans;
        TRY(terms_plans(tx, check->change, &terms[i], &plans));
        for (size_t k = 0; k < plans.count; k++)
            if (plans.at[k].is_patched)
                TRY(catalog__meters_note(tx, &plans.at[k].ref, plans.at[k].plan));
    }
    return NULL;
}
