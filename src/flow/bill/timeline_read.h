// What a timeline is folded from, out of the catalog.
#pragma once

#include "flow/bill/timeline.h"

// The facts of a subscription with all of its log; `known_at` is for the caller to choose. All is
// in the arena or the catalog. SUBSCRIPTION_NOT_FOUND, STORE_FAILED.
Err *timeline_facts(Arena *arena, Catalog *catalog, ProjectId project, Str subscription,
                    TimelineFacts *facts) MUST_CHECK;

// The same for a row of catalog_histories.
Err *timeline_facts_of(Arena *arena, Catalog *catalog, ProjectId project,
                       const SubscriptionHistory *history, TimelineFacts *facts) MUST_CHECK;
// Of an account's file: the subscription of that number in it, from 0.
TimelineFacts timeline_facts_in(Catalog *catalog, ProjectId project, const AccountFile *file,
                                size_t number);

// Is there a charge whose meter says in a period what happened before it: a gauge's level, a sum
// that carries over? STORE_FAILED, METER_NOT_FOUND.
Err *timeline_looks_back(Arena *arena, Catalog *catalog, const Timeline *timeline,
                         ProjectId project, bool *looks) MUST_CHECK;

// The log as it was known when `change` is recorded, and that change at its end: in memory.
void timeline_facts_add(Arena *arena, TimelineFacts *facts, const SubscriptionChange *change);
