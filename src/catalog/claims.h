// Whether two subscriptions of one account would bill the same usage.
#pragma once

#include "catalog/subscription.h"
#include "price/plan.h"

// Both are active at some instant.
bool claims_meet(const Subscription *a, const Subscription *b);
// USAGE_CLAIMED_TWICE: a charge of each plan takes the same events of one meter, and neither says
// alsoCounts. Names the charges.
Err *claims_check(Arena *arena, const Plan *a, const Plan *b, Str other_subscription) MUST_CHECK;
