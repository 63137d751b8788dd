// What a subscription's log says, as a pure fold: which terms count from when to when, whether it
// is paused, when it ends. Calendars and phases are not known here: they are cut in flow/bill.
#pragma once

#include "catalog/subscription.h"

// Under one plan version and one set of quantities. Stretches ascend and leave no gap.
typedef struct SubscriptionTerms {
    Instant start;
    bool    ends;
    Instant end;  // exclusive; when `ends`
    Str     plan;
    int64_t plan_version;
    Str     overrides;   // STR_NONE: none
    Str     phases;      // the subscription's own, STR_NONE after the first change of plan
    Str     quantities;  // JSON object, all of them
} SubscriptionTerms;

// What it began with, without an end.
SubscriptionTerms subscription_first_terms(const Subscription *first);

// At least one, unless it ends as it starts. Stretches of no length are left out.
size_t subscription_terms(Arena *arena, const SubscriptionHistory *history,
                          SubscriptionTerms **terms);

// The terms at the instant, of at least one: the first before they begin, the last after their end.
const SubscriptionTerms *terms_at(const SubscriptionTerms *terms, size_t count, Instant at);

// The entries recorded at or before the instant: the first so many of the log.
size_t subscription_known(const SubscriptionHistory *history, Instant known_at);

// When it ends as the log has it. False: it does not.
bool subscription_end(const SubscriptionHistory *history, Instant *end);
// The cancellation that ends it, NULL when none does.
const SubscriptionChange *subscription_cancellation(const SubscriptionHistory *history);

// The last pause or resumption at or before the instant; NULL: none.
const SubscriptionChange *subscription_pause_at(const SubscriptionHistory *history, Instant at);

// The changes by (effective_at, number).
const SubscriptionChange **changes_by_effect(Arena *arena, const SubscriptionHistory *history);

// `quantities` with those of `changed` (STR_NONE: none) put in their place; names ascending.
Str quantities_merge(Arena *arena, Str quantities, Str changed);
