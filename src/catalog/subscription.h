// A subscription: an account on one version of a plan for [startsAt, endsAt). It is pinned at
// creation to the version in force at startsAt, or to the one it names, and stays there.
#pragma once

#include "base/json.h"
#include "time/instant.h"

typedef struct Subscription {
    Str     id;  // the caller's, so a retry makes no second one
    Str     account, plan;
    int64_t plan_version;  // 0 before it is stored: the one in force at starts_at
    Instant starts_at;
    bool    ends;
    Instant ends_at;  // exclusive; when `ends`
    Str quantities;   // JSON object of decimals as text, names ascending; "{}" when there are none
    int64_t version;  // of the row, for ETag
    Instant created_at;
} Subscription;

Subscription *subscription_from_json(Arena *arena, const Json *body, Str id, Faults *faults);
void          subscription_to_json(const Subscription *subscription, JsonOut *out);
bool          subscription_active(const Subscription *subscription, Instant at);
