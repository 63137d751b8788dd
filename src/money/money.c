// SPDX-License-Identifier: Apache-2.0
#include "money/money.h"

#include "base/assert.h"
#include "base/digits.h"

Money money_zero(Currency currency)
{
    return (Money){ 0, currency };
}

bool money_add(Money a, Money b, Money *sum)
{
    assert_that(currency_equal(a.currency, b.currency));
    int64_t minor;
    if (__builtin_add_overflow(a.minor, b.minor, &minor))
        return false;
    *sum = (Money){ minor, a.currency };
    return true;
}

bool money_subtract(Money a, Money b, Money *rest)
{
    assert_that(currency_equal(a.currency, b.currency));
    int64_t minor;
    if (__builtin_sub_overflow(a.minor, b.minor, &minor))
        return false;
    *rest = (Money){ minor, a.currency };
    return true;
}

int money_compare(Money a, Money b)
{
    assert_that(currency_equal(a.currency, b.currency));
    return (a.minor > b.minor) - (a.minor < b.minor);
}

static int64_t minor_per_major(Currency currency)
{
    return digits_power(currency.places);
}

Rational money_exact(Arena *arena, Money amount)
{
    return rational_ratio(arena, amount.minor, minor_per_major(amount.currency));
}

Str money_print(Arena *arena, Money amount)
{
    char     room[48];
    char    *end = room + sizeof room, *at = end;
    uint64_t size = amount.minor < 0 ? -(uint64_t)amount.minor : (uint64_t)amount.minor;
    uint64_t units = (uint64_t)minor_per_major(amount.currency);
    if (units > 1) {
        at = digits_fixed_backwards(at, size % units, amount.currency.places);
        *--at = '.';
    }
    at = digits_backwards(at, size / units);
    if (amount.minor < 0)
        *--at = '-';
    return str_copy(arena, (Str){ at, (size_t)(end - at) });
}
