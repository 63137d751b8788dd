// SPDX-License-Identifier: Apache-2.0
// A bill would else parse its plan each time, which costs as much as pricing it.
#include "catalog/plan_cache.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/vector.h"

typedef struct KeptPlan {
    Arena      *arena;
    const Plan *plan;
} KeptPlan;

struct PlanCache {
    pthread_rwlock_t lock;  // readers never wait for readers
    Map             *place_of_key;
    VECTOR(KeptPlan) plans;
    size_t bytes;
};

PlanCache *plan_cache_open(void)
{
    PlanCache *cache = memory_take(sizeof *cache);
    assert_that(pthread_rwlock_init(&cache->lock, NULL) == 0);
    cache->place_of_key = map_open();
    return cache;
}

void plan_cache_close(PlanCache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->plans.count; i++)
        arena_close(cache->plans.at[i].arena);
    vector_release(&cache->plans);
    map_close(cache->place_of_key);
    pthread_rwlock_destroy(&cache->lock);
    memory_release(cache);
}

static const Plan *find(const PlanCache *cache, Str key)
{
    uint64_t place;
    return map_find(cache->place_of_key, key, &place) ? cache->plans.at[place].plan : NULL;
}

const Plan *plan_cache_find(PlanCache *cache, Str key)
{
    assert_that(pthread_rwlock_rdlock(&cache->lock) == 0);
    const Plan *plan = find(cache, key);
    assert_that(pthread_rwlock_unlock(&cache->lock) == 0);
    return plan;
}

static bool has_room(const PlanCache *cache, size_t bytes)
{
    return cache->plans.count < PLAN_CACHE_PLANS && cache->bytes + bytes <= PLAN_CACHE_BYTES;
}

// Under the lock.
static const Plan *keep(PlanCache *cache, Str key, Arena *arena, const Plan *plan)
{
    const Plan *first = find(cache, key);
    size_t      bytes = arena_bytes(arena) + key.length;
    if (first != NULL) {
        arena_close(arena);
        return first;
    }
    if (!has_room(cache, bytes))
        return NULL;
    map_set(cache->place_of_key, key, cache->plans.count);
    vector_push(&cache->plans, (KeptPlan){ arena, plan });
    cache->bytes += bytes;
    return plan;
}

const Plan *plan_cache_keep(PlanCache *cache, Str key, Arena *arena, const Plan *plan)
{
    assert_that(pthread_rwlock_wrlock(&cache->lock) == 0);
    const Plan *kept = keep(cache, key, arena, plan);
    assert_that(pthread_rwlock_unlock(&cache->lock) == 0);
    return kept;
}
