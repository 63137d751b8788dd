// What taking events away does to bills: the open periods and the past ones that hold the events,
// rated at two moments.
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
    size_t        left_out;  // accounts that were not looked at any more
} AffectedBills;

// Bills of other periods may differ too: a commitment's term, meters that carry over.
Err *bill_affected(Arena *arena, const AffectedQuery *query, AffectedBills *bills) MUST_CHECK;
