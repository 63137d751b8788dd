// SPDX-License-Identifier: Apache-2.0
#include "money/split.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/int128.h"

// What rounding down took from a part, in units of 1 / sum of weights.
typedef struct Remainder {
    Uint128 rest;
    size_t  index;
} Remainder;

static int larger_first(const void *left, const void *right)
{
    const Remainder *a = left;
    const Remainder *b = right;
    if (a->rest != b->rest)
        return a->rest > b->rest ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static Uint128 weights_sum(const Money *weights, size_t count)
{
    Uint128 sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert_that(weights[i].minor >= 0);
        sum += (uint64_t)weights[i].minor;
    }
    return sum;
}

// Fills the parts of `size` and answers how many units are left over: fewer than there are parts.
static uint64_t parts_floor(uint64_t size, const Money *weights, size_t count, Money *parts,
                            Remainder *remainders)
{
    Uint128  sum = weights_sum(weights, count);
    uint64_t left = size;
    for (size_t i = 0; i < count; i++) {
        Uint128 product = (Uint128)size * (uint64_t)weights[i].minor;
        parts[i].minor = sum == 0 ? (i == 0 ? (int64_t)size : 0) : (int64_t)(product / sum);
        remainders[i] = (Remainder){ sum == 0 ? 0 : product % sum, i };
        left -= (uint64_t)parts[i].minor;
    }
    return left;
}

void split_by_weight(Money total, const Money *weights, size_t count, Money *parts)
{
    assert_that(total.minor != INT64_MIN && (count > 0 || total.minor == 0));
    int64_t    sign = total.minor < 0 ? -1 : 1;
    Remainder *remainders = memory_take(count * sizeof *remainders);
    uint64_t left = parts_floor((uint64_t)(sign * total.minor), weights, count, parts, remainders);
    assert_that(left == 0 || left < count);
    if (left > 0)
        qsort(remainders, count, sizeof *remainders, larger_first);
    for (size_t i = 0; i < left; i++)
        parts[remainders[i].index].minor++;
    for (size_t i = 0; i < count; i++)
        parts[i] = (Money){ sign * parts[i].minor, total.currency };
    memory_release(remainders);
}
