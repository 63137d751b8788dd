// SPDX-License-Identifier: Apache-2.0
// Division of 128 bits costs ten times that of 64, so numbers are brought down to 64 bits first.
#include "base/digits.h"

#include "base/assert.h"

static const int64_t powers[DIGITS_POWER_MAX + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

int64_t digits_power(int exponent)
{
    assert_that(exponent >= 0 && exponent <= DIGITS_POWER_MAX);
    return powers[exponent];
}

static char *small_backwards(char *end, uint64_t number)
{
    do {
        *--end = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number > 0);
    return end;
}

char *digits_backwards(char *end, Uint128 number)
{
    while (number > UINT64_MAX) {
        uint64_t low = (uint64_t)(number % (uint64_t)powers[DIGITS_POWER_MAX]);
        number /= (uint64_t)powers[DIGITS_POWER_MAX];
        char *at = small_backwards(end, low);
        end -= DIGITS_POWER_MAX;
        while (at > end)
            *--at = '0';
    }
    return small_backwards(end, (uint64_t)number);
}

char *digits_fixed_backwards(char *end, uint64_t number, int count)
{
    for (; count > 0; count--, number /= 10)
        *--end = (char)('0' + (int)(number % 10));
    return end;
}

char *digits_point_backwards(char *end, Uint128 number, int places)
{
    char  digits[40];
    char *last = digits + sizeof digits, *first = digits_backwards(last, number);
    for (; places > 0 && last[-1] == '0' && last > first + 1; places--)
        last--;
    if (last == first + 1 && *first == '0')
        places = 0;
    if (places > 0) {
        for (; places > 0; places--)
            *--end = last > first ? *--last : '0';
        *--end = '.';
        if (last == first)
            *--end = '0';
    }
    while (last > first)
        *--end = *--last;
    return end;
}
