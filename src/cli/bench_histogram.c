// SPDX-License-Identifier: Apache-2.0
// Bucket = the position of the highest bit and the seven bits below it.
#include "cli/bench_histogram.h"

#include "base/assert.h"

static uint32_t bucket_of(uint64_t us)
{
    if (us < 2 * HISTOGRAM_STEPS)
        return (uint32_t)us;
    uint32_t doublings = 63 - (uint32_t)__builtin_clzll(us) - 7;
    uint32_t bucket = doublings * HISTOGRAM_STEPS + (uint32_t)(us >> doublings);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

// The largest duration that falls into the bucket.
static uint64_t bucket_end(uint32_t bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS)
        return bucket;
    uint32_t doublings = bucket / HISTOGRAM_STEPS - 1;
    uint64_t top = bucket - doublings * HISTOGRAM_STEPS;
    return ((top + 1) << doublings) - 1;
}

void histogram_add(Histogram *histogram, int64_t duration_us)
{
    uint64_t us = duration_us < 0 ? 0 : (uint64_t)duration_us;
    histogram->buckets[bucket_of(us)]++;
    histogram->count++;
    histogram->sum_us += us;
    if (us > histogram->max_us)
        histogram->max_us = us;
}

uint64_t histogram_at(const Histogram *histogram, uint32_t per_100000)
{
    assert_that(per_100000 <= 100000);
    uint64_t wanted = (histogram->count * per_100000 + 99999) / 100000;
    uint64_t passed = 0;
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        passed += histogram->buckets[bucket];
        if (passed >= wanted && passed > 0) {
            uint64_t end = bucket_end(bucket);
            return end < histogram->max_us ? end : histogram->max_us;
        }
    }
    return histogram->max_us;
}
