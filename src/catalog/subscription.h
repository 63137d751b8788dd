// A subscription: an account on a plan for [startsAt, endsAt). Its first terms never change; what
// happens afterwards is a log of changes that is only ever appended to (docs/decisions/0006). What
// was known at an instant is the first terms and the changes recorded up to it.
#pragma once

#include "base/json.h"
#include "time/instant.h"

typedef struct Subscription {
    Str     id;  // the caller's, so a retry makes no second one
    Str     account, plan;
    int64_t plan_version;  // 0 before it is stored: the one in force at starts_at
    Instant starts_at;
    bool    ends;     // as is known now, after every change of the log
    Instant ends_at;  // exclusive; when `ends`
    Str quantities;   // JSON object of decimals as text, names ascending; "{}" when there are none
    bool    first_ends;  // of the first terms, before any change
    Instant first_ends_at;
    Str     overrides;     // merge patch of the plan's document, or STR_NONE
    Str     phases;        // JSON array [{periods n | until, planVersion?, overrides?}] in place of
                           // the plan's own, until the first change of plan; or STR_NONE
    Str     usage_filter;  // {"region":["eu-1"]}: only such events are its own; or STR_NONE
    int64_t changes;       // entries of its log: 0 means there is no need to read it
    int64_t version;       // of the row, for ETag; every change counts
    Instant created_at;
} Subscription;

typedef enum ChangeKind {
    CHANGE_TERMS,    // quantities, plan, overrides
    CHANGE_CANCEL,   // it ends at effective_at
    CHANGE_PAUSE,
    CHANGE_RESUME,
    CHANGE_MIGRATE,  // to another version of the plan it is on
    CHANGE_END,      // PUT moved endsAt: it ends at ends_at, or not at all
    CHANGE_KINDS
} ChangeKind;

// One entry of the log. Changes count in ascending (effective_at, number); of CANCEL and END the
// one with the highest number says when it ends.
typedef struct SubscriptionChange {
    int64_t    number;  // 1, 2, … within the subscription; 0 before it is stored
    bool       is_stored;  // false: it was only checked
    ChangeKind kind;
    Instant    effective_at;  // from when on; CHANGE_END: the earlier of the old end and the new
    Instant    recorded_at;
    Str     quantities;    // JSON object like the subscription's, only what changes; STR_NONE: none
    Str     plan;          // STR_NONE: the same plan and version
    int64_t plan_version;  // stored: given with plan. Asked for: 0 is the version in force at
                           // effective_at, and without a plan it is a version of the same
    int64_t from_version;  // CHANGE_MIGRATE: who is on another plan or version then stays
    bool    has_overrides; // `overrides` (STR_NONE: no more) count from here on. Stored: true
                           // with every change to another plan, whose document they must fit
    Str     overrides;
    bool    usage_free;  // CHANGE_PAUSE: events until it is resumed are not billed
    bool    credits;     // CHANGE_CANCEL: what was billed ahead is credited for the rest, else not
    bool    ends;        // CHANGE_END
    Instant ends_at;
    Str     key;    // the caller's changeId, or STR_NONE; the same again is the same change
    Str     asked;  // what the caller sent, by which that is known; STR_NONE: by the members above
} SubscriptionChange;

extern const char *const change_kind_names[];  // "terms", …; ends with NULL
enum { SUBSCRIPTION_CHANGES_MAX = 10000, CHANGE_KEY_BYTES = 255 };

// From the body of PUT /v1/subscriptions/{id}, with every fault collected.
Subscription *subscription_from_json(Arena *arena, const Json *body, Str id, Faults *faults);
// {"seats":5} as it is stored, names ascending; faults stand at /quantities. NULL: "{}".
Str  quantities_from_json(const Json *object, Faults *faults);
bool subscription_active(const Subscription *subscription, Instant at);

// A subscription and its log, or what was known of it.
typedef struct SubscriptionHistory {
    const Subscription       *first;
    const SubscriptionChange *changes;  // by number
    size_t                    count;
} SubscriptionHistory;

typedef enum SubscriptionStatus {
    SUBSCRIPTION_FUTURE,
    SUBSCRIPTION_ACTIVE,
    SUBSCRIPTION_PAUSED,
    SUBSCRIPTION_ENDED,
    SUBSCRIPTION_CANCELED
} SubscriptionStatus;
extern const char *const subscription_status_names[];  // "future", …; ends with NULL

SubscriptionStatus subscription_status(const SubscriptionHistory *history, Instant now);

// As GET shows it: plan, planVersion, quantities, overrides and phases are those that count at
// `now` (the first before it starts, the last after its end); `terms` are all of them in time.
void subscription_to_json(const SubscriptionHistory *history, Instant now, JsonOut *out);
// The same without `terms` and the log, which may be long.
void subscription_now_to_json(const SubscriptionHistory *history, Instant now, JsonOut *out);

// One entry of the log, as GET shows it.
void change_to_json(const SubscriptionChange *change, JsonOut *out);
