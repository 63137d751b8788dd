// SPDX-License-Identifier: Apache-2.0
// Which currencies exist comes from ICU. The places do not: ICU gives CLDR's, which for a dozen
// currencies (IQD, RSD, AFN, …) follow custom in shops and not ISO 4217, by which banks settle.
#include "money/currency.h"

#include <pthread.h>
#include <string.h>

#include <unicode/ucurr.h>

#include "base/assert.h"

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

// The codes that are not deprecated, one behind the other; read once. (ucurr_isAvailable would know
// dates, but keeps one region's for each code: it takes INR for a currency that ended in 2019.)
static char           known[400 * 3];
static size_t         known_count;
static pthread_once_t known_once = PTHREAD_ONCE_INIT;

static void known_read(void)
{
    UErrorCode    status = U_ZERO_ERROR;
    int32_t       length;
    UEnumeration *codes = ucurr_openISOCurrencies(UCURR_NON_DEPRECATED, &status);
    for (const char *code; (code = uenum_next(codes, &length, &status)) != NULL;) {
        assert_that(U_SUCCESS(status) && length == 3 && known_count * 3 < sizeof known);
        if (is_tender(code))
            memcpy(known + 3 * known_count++, code, 3);
    }
    uenum_close(codes);
    assert_that(U_SUCCESS(status) && known_count > 100);
}

bool currency_find(Str code, Currency *currency)
{
    pthread_once(&known_once, known_read);
    for (size_t i = 0; code.length == 3 && i < known_count; i++)
        if (memcmp(known + 3 * i, code.at, 3) == 0) {
            *currency = (Currency){ .places = places_of(code.at) };
            memcpy(currency->code, code.at, 3);
            return true;
        }
    return false;
}

bool currency_equal(Currency a, Currency b)
{
    return memcmp(a.code, b.code, sizeof a.code) == 0;
}

Str currency_code(const Currency *currency)
{
    return (Str){ currency->code, 3 };
}
