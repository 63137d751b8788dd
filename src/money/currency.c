// SPDX-License-Identifier: Apache-2.0
// Which currencies exist comes from ICU. The places do not: ICU gives CLDR's, which for a dozen
// currencies (IQD, RSD, AFN, …) follow custom in shops and not ISO 4217, by which banks settle.
#include "money/currency.h"

#include <string.h>

#include <unicode/ucurr.h>

// ISO 4217, where the minor unit is not a hundredth.
static const struct {
    char    code[4];
    uint8_t places;
} exceptions[] = {
    { "BIF", 0 }, { "CLP", 0 }, { "DJF", 0 }, { "GNF", 0 }, { "ISK", 0 }, { "JPY", 0 },
    { "KMF", 0 }, { "KRW", 0 }, { "PYG", 0 }, { "RWF", 0 }, { "UGX", 0 }, { "UYI", 0 },
    { "VND", 0 }, { "VUV", 0 }, { "XAF", 0 }, { "XOF", 0 }, { "XPF", 0 }, { "BHD", 3 },
    { "IQD", 3 }, { "JOD", 3 }, { "KWD", 3 }, { "LYD", 3 }, { "OMR", 3 }, { "TND", 3 },
    { "CLF", 4 }, { "UYW", 4 },
};

static uint8_t places_of(const char *code)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (memcmp(exceptions[i].code, code, 3) == 0)
            return exceptions[i].places;
    return 2;
}

// Metals, test codes and "no currency" cannot be billed in.
static bool is_tender(const char *code)
{
    static const char others[][4] = { "XAU", "XAG", "XPD", "XPT", "XTS", "XXX", "XBA",
                                      "XBB", "XBC", "XBD", "XDR", "XSU", "XUA" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (memcmp(others[i], code, 3) == 0)
            return false;
    return true;
}

bool currency_find(Str code, Currency *currency)
{
    static const UDate since_2020 = 1577836800000;
    if (code.length != 3)
        return false;
    UChar wide[4] = { 0 };
    for (int i = 0; i < 3; i++) {
        if (code.at[i] < 'A' || code.at[i] > 'Z')
            return false;
        wide[i] = (UChar)code.at[i];
    }
    UErrorCode status = U_ZERO_ERROR;
    if (!is_tender(code.at) || !ucurr_isAvailable(wide, since_2020, U_DATE_MAX, &status) ||
        U_FAILURE(status))
        return false;
    *currency = (Currency){ .places = places_of(code.at) };
    memcpy(currency->code, code.at, 3);
    return true;
}

bool currency_equal(Currency a, Currency b)
{
    return memcmp(a.code, b.code, sizeof a.code) == 0;
}

Str currency_code(const Currency *currency)
{
    return (Str){ currency->code, 3 };
}
