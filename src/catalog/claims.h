// Whether two subscriptions of one account would bill the same usage at some instant.
#pragma once

#include "price/plan.h"

// A plan that counts for a while. Phases are claimed for all of their stretch of terms.
typedef struct Claim {
    Instant     start;
    bool        ends;
    Instant     end;  // exclusive; when `ends`
    const Plan *plan;
} Claim;

typedef struct Claims {
    Str          subscription;
    ChargeFilter usage;  // only such events are its own
    Claim       *at;
    size_t       count, room;
} Claims;

void claims_add(Arena *arena, Claims *claims, Claim claim);

// USAGE_CLAIMED_TWICE: a charge of each takes the same events of one meter while both count, and
// neither says alsoCounts. Names the charges.
Err *claims_check(Arena *arena, const Claims *own, const Claims *other) MUST_CHECK;
