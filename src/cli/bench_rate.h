// `toll bench rate`: how many bills a second one core prices.
#pragma once

#include "base/error.h"
#include "cli/bench_figures.h"

typedef struct RateBench {
    uint64_t bills;
    uint64_t seed;
} RateBench;

// Prices that many bills of one plan (four metered lines in tiers, a commitment with overage), each
// with usage of its own, and compares every line and total with whole-number arithmetic that shares
// nothing with the engine. Adds its figures; refuses when one differs.
Err *bench_rate_run(Arena *arena, const RateBench *bench, Figures *figures) MUST_CHECK;
