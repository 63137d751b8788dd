// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <sodium.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/int128.h"

void random_bytes(void *at, size_t count)
{
    randombytes_buf(at, count);
}

// 48 bits of milliseconds, 80 random bits: 128 bits in 26 characters, the first of them 0..7.
Str random_id(Arena *arena, const char *prefix)
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t          high_random = 0, low = 0;
    random_bytes(&high_random, 2);
    random_bytes(&low, 8);
    uint64_t          now_ms = (uint64_t)clock_now_us() / 1000;
    Uint128 id = ((Uint128)(now_ms << 16 | high_random) << 64) | low;
    char              digits[26];
    for (size_t i = sizeof digits; i > 0; i--) {
        digits[i - 1] = letters[id & 31];
        id >>= 5;
    }
    return str_print(arena, "%s%.*s", prefix, (int)sizeof digits, digits);
}

// SplitMix64 spreads the seed, as the authors of xoshiro advise (prng.di.unimi.it).
Seeded seeded_of(uint64_t seed)
{
    Seeded seeded;
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        seeded.state[i] = z ^ (z >> 31);
    }
    return seeded;
}

static uint64_t rotate(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

uint64_t seeded_next(Seeded *seeded)
{
    uint64_t *s = seeded->state;
    uint64_t  answer = rotate(s[1] * 5, 7) * 9;
    uint64_t  shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return answer;
}

uint64_t seeded_below(Seeded *seeded, uint64_t limit)
{
    assert_that(limit > 0);
    return (uint64_t)(((Uint128)seeded_next(seeded) * limit) >> 64);
}
