// An amount of money as it is billed: whole minor units of one currency. No amount leaves int64;
// what would is refused by whoever computes it.
#pragma once

#include "money/currency.h"
#include "money/rational.h"

typedef struct Money {
    int64_t  minor;  // cents, yen, fils
    Currency currency;
} Money;

Money money_zero(Currency currency);
// False: beyond int64. Both amounts are of one currency.
bool  money_add(Money a, Money b, Money *sum) __attribute__((warn_unused_result));
bool  money_subtract(Money a, Money b, Money *rest) __attribute__((warn_unused_result));
int   money_compare(Money a, Money b);

// The exact number of major units.
Rational money_exact(Arena *arena, Money amount);

// Always with the currency's places: "1916.14", "-0.05", "323" in JPY.
Str money_print(Arena *arena, Money amount);
