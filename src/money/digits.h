// Decimal digits of whole numbers, and powers of ten: what decimals, fractions and rounding share.
#pragma once

#include "base/int128.h"

#include <stdint.h>

enum { DIGITS_POWER_MAX = 18 };  // the largest power of ten in int64

int64_t digits_power(int exponent);  // 10^exponent, 0..DIGITS_POWER_MAX

// Writes the digits backwards, ending before `end` (room for 39); answers where they begin.
char *digits_backwards(char *end, Uint128 number);

// The same of number / 10^places with a point, without trailing zeros: room for 80, places <= 38.
char *digits_point_backwards(char *end, Uint128 number, int places);
