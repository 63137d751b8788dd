// Phases of a subscription's own: other terms for its first periods, one after the other, such as a
// ramp. What they are counted from is the start of the subscription; flow/bill counts them.
#pragma once

#include "price/place.h"
#include "price/plan.h"

typedef struct SubscriptionPhase {
    uint32_t periods;       // so many of the plan's periods; 0: not counted
    bool     has_until;     // it ends at `until`
    Instant  until;         // neither: it stays for good, which only the last can
    int64_t  plan_version;  // of the same plan; 0: the subscription's
    Str      overrides;     // merge patch, applied after the subscription's; STR_NONE: none
} SubscriptionPhase;

typedef struct SubscriptionPhases {
    SubscriptionPhase *at;
    size_t             count;
} SubscriptionPhases;

enum { PHASES_MAX = 50, PHASE_PERIODS_MAX = 1000, OVERRIDES_BYTES_MAX = 64 << 10 };

// [{"periods":3,"overrides":{…}},{"until":"2027-01-01T00:00:00Z","planVersion":2}], each fault with
// its pointer. Absent: none.
bool phases_read(Place place, SubscriptionPhases *phases);
// Equal phases are equal text. STR_NONE: none.
Str phases_print(Arena *arena, const SubscriptionPhases *phases);
// What phases_print wrote.
SubscriptionPhases phases_of(Arena *arena, Str text);

// The phases that a plan says itself.
SubscriptionPhases phases_of_plan(Arena *arena, const Plan *plan);

// A merge patch of a plan's document, canonical; STR_NONE when absent or without members. False: it
// is none, or longer than OVERRIDES_BYTES_MAX.
bool overrides_read(Place place, Str *overrides);
