// The sums of a simulation: per currency before, after and their difference, who pays less and who
// more, by how much in steps of percent, per charge, and what was odd.
#pragma once

#include "flow/simulate/chunk.h"

typedef struct Totals Totals;

enum { TOTALS_TOP = 10, TOTALS_EXAMPLES = 5 };

Totals *totals_open(Arena *arena);
void    totals_close(Totals *totals);
// In the order of the roster. AMOUNT_TOO_LARGE.
Err *totals_add(Totals *totals, const RepricedAccount *account) MUST_CHECK;
void totals_to_json(const Totals *totals, JsonOut *out);

// What an account pays in one currency, both sides; currencies ascending.
typedef struct AccountSum {
    Currency currency;
    int64_t  before, after;
} AccountSum;
Err *account_sums(Arena *arena, const RepricedAccount *account, AccountSum **sums,
                  size_t *count) MUST_CHECK;

// {"before","after","delta"} of an open object, with the currency's places.
void amounts_to_json(Currency currency, int64_t before, int64_t after, JsonOut *out);
extern const char *const line_kind_words[LINE_KIND_COUNT];
