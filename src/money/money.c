// SPDX-License-Identifier: Apache-2.0
#include "money/money.h"

#include "base/assert.h"

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
    int64_t units = 1;
    for (int i = 0; i < currency.places; i++)
        units *= 10;
    return units;
}

Rational money_exact(Arena *arena, Money amount)
{
    return rational_ratio(arena, amount.minor, minor_per_major(amount.currency));
}

Str money_print(Arena *arena, Money amount)
{
    uint64_t    size = amount.minor < 0 ? -(uint64_t)amount.minor : (uint64_t)amount.minor;
    uint64_t    units = (uint64_t)minor_per_major(amount.currency);
    const char *sign = amount.minor < 0 ? "-" : "";
    if (amount.currency.places == 0)
        return str_print(arena, "%s%lu", sign, size);
    return str_print(arena, "%s%lu.%0*lu", sign, size / units, amount.currency.places,
                     size % units);
}
