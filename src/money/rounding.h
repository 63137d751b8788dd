// Rounding: once per line, to the currency's minor unit.
//   halfUp    half away from zero: 3.685 -> 3.69, -3.685 -> -3.69    (the default)
//   halfEven  half to the even neighbour: 3.685 -> 3.68
//   up        away from zero          down   toward zero
#pragma once

#include "money/money.h"

typedef enum Rounding {
    ROUND_HALF_UP,
    ROUND_HALF_EVEN,
    ROUND_UP,
    ROUND_DOWN,
    ROUNDING_COUNT
} Rounding;

const char *rounding_name(Rounding rounding);  // "halfUp"
bool        rounding_find(Str name, Rounding *rounding);

// To that many decimal places; a negative count rounds tens, hundreds. -18 <= places <= 18.
Rational rounding_places(Arena *arena, Rational exact, Rounding rounding, int places);

// To minor units. False: beyond int64 minor units.
bool rounding_money(Rational exact, Currency currency, Rounding rounding, Money *amount)
    __attribute__((warn_unused_result));
