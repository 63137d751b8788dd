// Parsed plans by the content they come from. What is kept never changes and stays until the cache
// is closed, so any thread may hold it; a full cache keeps nothing more.
#pragma once

#include "price/plan.h"

typedef struct PlanCache PlanCache;

enum { PLAN_CACHE_PLANS = 10000, PLAN_CACHE_BYTES = 64 << 20 };

PlanCache *plan_cache_open(void);
void       plan_cache_close(PlanCache *cache);  // NULL is allowed

const Plan *plan_cache_find(PlanCache *cache, Str key);  // NULL: not there
// Takes the arena, in which the plan lives, and answers what is kept under the key: this plan, or
// the one that was first. NULL: no room, and the arena stays the caller's.
const Plan *plan_cache_keep(PlanCache *cache, Str key, Arena *arena, const Plan *plan);
