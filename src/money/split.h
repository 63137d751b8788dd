// Splitting an amount over lines so that the parts sum to the whole, to the minor unit: each part
// is total x weight / sum of weights rounded down in size, and the units left over go one each to
// the parts with the largest remainder, ties to the earlier line.
//   10 over 1, 1, 1 -> 4, 3, 3        100 over 60, 40, 0 -> 60, 40, 0
#pragma once

#include "money/money.h"

// Weights are amounts >= 0 of any one currency. When all are 0 the first part takes everything.
// count > 0 unless total is 0. parts are of total's currency.
void split_by_weight(Money total, const Money *weights, size_t count, Money *parts);
