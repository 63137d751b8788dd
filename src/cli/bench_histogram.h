// Counts of durations in microseconds, each kept to within 1/128 of itself whatever its size (the
// idea of HdrHistogram): below 256 exactly, then 128 steps for every doubling.
#pragma once

#include <stdint.h>

enum { HISTOGRAM_STEPS = 128, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * 34 };

typedef struct Histogram {
    uint64_t count;
    uint64_t sum_us;
    uint64_t max_us;  // exact
    uint64_t buckets[HISTOGRAM_BUCKETS];
} Histogram;

void histogram_add(Histogram *histogram, int64_t duration_us);  // negative counts as 0

// The least duration that at least `per_100000` of 100,000 do not exceed, rounded up to its
// bucket's end but never above the maximum; 0 when there are none.
uint64_t histogram_at(const Histogram *histogram, uint32_t per_100000);
