// What taking events away does to bills, rated at two moments: those of the periods that hold the
// events and, where meters or a commitment's term look back, of all later ones up to the one that
// runs.
#pragma once

#include "flow/aggregate/corrections.h"
#include "flow/bill/period_bill.h"

typedef struct AffectedQuery {
    Catalog            *catalog;
    ProjectId           project;
    UsageMoment        *before, *after;
    Instant             rated_at;  // T
    const VoidInstants *accounts;
    size_t              account_count;
} AffectedQuery;

typedef struct AffectedBill {
    Str   subscription, account;
    Span  period;
    Str   currency;                // code
    bool  has_before, has_after;   // false: it cannot be rated (AMOUNT_TOO_LARGE, FIELD_REQUIRED)
    Money before, after;           // totals
} AffectedBill;

enum { AFFECTED_PERIODS_MAX = 1000 };  // that are rated

typedef struct AffectedBills {
    AffectedBill *at;   // whose totals differ, account by account
    size_t        count;
    size_t        left_out;  // accounts that were not looked at, or not to their end
} AffectedBills;

Err *bill_affected(Arena *arena, const AffectedQuery *query, AffectedBills *bills) MUST_CHECK;
