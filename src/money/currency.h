// Currencies of ISO 4217 and how many places their minor unit has: USD 2, JPY 0, KWD 3, CLF 4.
#pragma once

#include "base/text.h"

typedef struct Currency {
    char    code[4];  // three capitals and NUL
    uint8_t places;
} Currency;

// False: not the three capitals of a currency in use.
bool currency_find(Str code, Currency *currency);
bool currency_equal(Currency a, Currency b);
Str  currency_code(const Currency *currency);  // borrowed from it
