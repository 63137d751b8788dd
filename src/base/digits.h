// Decimal digits of whole numbers, and powers of ten: what decimals, fractions, rounding and
// instants share. Numbers are written backwards, into room that the caller has before `end`.
#pragma once

#include "base/int128.h"

#include <stdint.h>

enum { DIGITS_POWER_MAX = 18 };  // the largest power of ten in int64

int64_t digits_power(int exponent);  // 10^exponent, 0..DIGITS_POWER_MAX

// Writes the digits backwards, ending before `end` (room for 39); answers where they begin.
char *digits_backwards(char *end, Uint128 number);

// Exactly so many, the last ones of the number, with leading zeros.
char *digits_fixed_backwards(char *end, uint64_t number, int count);

// Those of number / 10^places with a point, without trailing zeros: room for 80, places <= 38.
char *digits_point_backwards(char *end, Uint128 number, int places);
