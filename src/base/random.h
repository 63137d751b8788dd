// Randomness from the system (secrets, ids) and from a seed (tests, generators).
#pragma once

#include "base/text.h"

void random_bytes(void *at, size_t count);  // from the kernel

// inv_01J9Z8... : prefix + 26 characters of Crockford base32, ordered by time, unique.
Str random_id(Arena *arena, const char *prefix);

// xoshiro256**: the same seed gives the same numbers everywhere.
typedef struct Seeded {
    uint64_t state[4];
} Seeded;

Seeded   seeded_of(uint64_t seed);
uint64_t seeded_next(Seeded *seeded);
uint64_t seeded_below(Seeded *seeded, uint64_t limit);  // 0 .. limit-1
