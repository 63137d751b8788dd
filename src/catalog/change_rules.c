// SPDX-License-Identifier: Apache-2.0
#include "catalog/change_rules.h"

#include "base/assert.h"

// ---- the same request again

static bool same_plan(const SubscriptionChange *wanted, const SubscriptionChange *stored)
{
    return (wanted->plan.at == NULL || str_equal(wanted->plan, stored->plan)) &&
           (wanted->plan_version == 0 || wanted->plan_version == stored->plan_version);
}

bool change_asks_same(const SubscriptionChange *wanted, const SubscriptionChange *stored)
{
    if (wanted->kind != stored->kind)
        return false;
    if (wanted->asked.at != NULL)
        return str_equal(wanted->asked, stored->asked);
    return wanted->effective_at.us == stored->effective_at.us &&
           str_equal(wanted->quantities, stored->quantities) && same_plan(wanted, stored) &&
           (!wanted->has_overrides || str_equal(wanted->overrides, stored->overrides)) &&
           wanted->usage_free == stored->usage_free && wanted->credits == stored->credits;
}

// ---- when

static Err *instant_check(Arena *arena, const SubscriptionHistory *history,
                          const SubscriptionChange *entry)
{
    const Subscription *first = history->first;
    Instant             end, at = entry->effective_at;
    Str                 place = entry->kind == CHANGE_TERMS ? STR("/effectiveAt") : STR("/at");
    if (at.us < first->starts_at.us)
        return refuse(arena, ERR_OUTSIDE_SUBSCRIPTION, place,
                      "subscription %.*s begins at %.*s", STR_ARG(first->id),
                      STR_ARG(instant_print(arena, first->starts_at)));
    if (!subscription_end(history, &end) || at.us < end.us)
        return NULL;
    if (subscription_cancellation(history) != NULL)
        return refuse(arena, ERR_SUBSCRIPTION_CANCELED, place,
                      "subscription %.*s is canceled from %.*s on", STR_ARG(first->id),
                      STR_ARG(instant_print(arena, end)));
    return refuse(arena, ERR_OUTSIDE_SUBSCRIPTION, place,
                  "subscription %.*s ends at %.*s", STR_ARG(first->id),
                  STR_ARG(instant_print(arena, end)));
}

// Pauses and resumptions take turns, each at or after the one before it.
static Err *pause_check(Arena *arena, const SubscriptionHistory *history,
                        const SubscriptionChange *entry)
{
    const SubscriptionChange *last = subscription_pause_at(history, INSTANT_END);
    bool is_paused = last != NULL && last->kind == CHANGE_PAUSE;
    bool is_pause = entry->kind == CHANGE_PAUSE;
    bool is_earlier = last != NULL && entry->effective_at.us < last->effective_at.us;
    if (is_pause != is_paused && !is_earlier)
        return NULL;
    ErrCode code = is_pause ? ERR_SUBSCRIPTION_PAUSED : ERR_SUBSCRIPTION_NOT_PAUSED;
    if (last == NULL)
        return refuse(arena, code, STR("/at"), "subscription %.*s was never paused",
                      STR_ARG(history->first->id));
    return refuse(arena, code, STR("/at"), "subscription %.*s is %s from %.*s on",
                  STR_ARG(history->first->id), is_paused ? "paused" : "resumed",
                  STR_ARG(instant_print(arena, last->effective_at)));
}

// ---- which plan

static Err *plan_get(DbTx *tx, const PlanRef *ref)
{
    bool exists;
    TRY(catalog__plan_exists(tx, ref, &exists));
    return exists ? NULL
                  : refuse(db_arena(tx), ERR_PLAN_NOT_FOUND, STR("/plan"), "there is no plan %.*s",
                           STR_ARG(ref->plan));
}

static Err *version_resolve(DbTx *tx, PlanRef ref, Instant at, PlanVersion **version)
{
    TRY(plan_get(tx, &ref));
    if (ref.number != 0) {
        TRY(catalog__plan_version_find(tx, &ref, version));
        return *version != NULL
                   ? NULL
                   : refuse(db_arena(tx), ERR_PLAN_VERSION_NOT_FOUND, STR("/planVersion"),
                            "plan %.*s has no version %lld", STR_ARG(ref.plan),
                            (long long)ref.number);
    }
    TRY(catalog__plan_version_at(tx, &ref, at, version));
    return *version != NULL ? NULL
                            : refuse(db_arena(tx), ERR_PLAN_NOT_PUBLISHED, STR("/plan"),
                                     "plan %.*s has no published version in force at %.*s",
                                     STR_ARG(ref.plan),
                                     STR_ARG(instant_print(db_arena(tx), at)));
}

// Overrides are made for a plan's document: another plan begins without them.
static Err *plan_resolve(DbTx *tx, const CatalogChange *change, const SubscriptionTerms *now,
                         SubscriptionChange *entry)
{
    PlanRef      ref = { change->by->project.id, entry->plan, entry->plan_version };
    PlanVersion *version;
    bool         is_other = entry->plan.at != NULL && !str_equal(entry->plan, now->plan);
    if (!is_other && entry->plan_version == 0) {
        entry->plan = STR_NONE;  // it stays where it is
        return NULL;
    }
    ref.plan = is_other ? entry->plan : now->plan;
    TRY(version_resolve(tx, ref, entry->effective_at, &version));
    entry->plan = ref.plan;
    entry->plan_version = version->number;
    entry->has_overrides |= is_other;
    return NULL;
}

static Err *terms_rules(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                        SubscriptionChange *entry)
{
    SubscriptionTerms *terms;
    size_t             count = subscription_terms(db_arena(tx), before, &terms);
    if (entry->quantities.at == NULL && entry->plan.at == NULL && entry->plan_version == 0 &&
        !entry->has_overrides)
        return refuse(db_arena(tx), ERR_FIELD_REQUIRED, STR(""),
                      "a change names quantities, plan, planVersion or overrides");
    return plan_resolve(tx, change, terms_at(terms, count, entry->effective_at), entry);
}

Err *change_rules(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                  SubscriptionChange *entry)
{
    TRY(instant_check(db_arena(tx), before, entry));
    switch (entry->kind) {
    case CHANGE_TERMS: return terms_rules(tx, change, before, entry);
    case CHANGE_CANCEL: return NULL;
    case CHANGE_PAUSE:
    case CHANGE_RESUME: return pause_check(db_arena(tx), before, entry);
    case CHANGE_MIGRATE:
    case CHANGE_END:  // PUT and migrations make these
    case CHANGE_KINDS: break;
    }
    assert_that(false);
    return NULL;
}
