// The bill of one period of a subscription: the bills of its terms, each for its part of the
// period, as one. A charge that neighbouring terms define alike is priced once, over all of them,
// in the last.
#pragma once

#include "flow/bill/timeline.h"
#include "flow/rate/rate.h"

typedef enum Lines {
    LINES_ALL,  // of the period
    LINES_DUE   // that are due at `at`: PriceInputs.due_only
} Lines;

typedef struct PeriodQuery {
    Catalog        *catalog;
    UsageMoment    *moment;
    ProjectId       project;
    const Timeline *timeline;
    Instant         at;  // T: what "now" is
    Lines           lines;
    Instant         usage_until;  // 0: all; else of parts that began before it, usage up to it
} PeriodQuery;

// `period`: of timeline_period. AMOUNT_TOO_LARGE, FIELD_REQUIRED (a quantity that the plan prices
// is not there), STORE_FAILED.
Err *period_bill(Arena *arena, const PeriodQuery *query, const Period *period,
                 Bill *bill) MUST_CHECK;

// The start of the earliest period whose bill hangs together with that of the period that holds
// `at`: of that period itself, or of the term of its commitment, whose amount is shared out over
// the time that the subscription is active in it. `at` where the subscription is not active.
Instant period_bill_since(Arena *arena, const Timeline *timeline, Instant at);
