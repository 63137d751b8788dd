// Revenue by the day: usage is revenue when a day ends in its account's zone, not when it is
// invoiced, and fees in advance become revenue day by day.
//
//   accrual   Dr unbilled:{account}  Cr revenue   the change of what open bills come to: lines of
//             usage up to the end of the day, without tax, less what was billed of them
//   earning   Dr deferred:{account}  Cr revenue   the days that ended of fees in advance
//
// Both are posted as the difference to what was posted before, whatever its sign, so a repetition
// posts nothing, a day that was left out is made up for, and late usage or a void corrects it. An
// invoice takes what was accrued out of unbilled (issue.h). Owns table revenue_progress.
#pragma once

#include "flow/invoice/issue.h"

// Up to the last local midnight at or before `until`, which is not after query->now; booked now,
// effective in the day that ended, and month by month when months were left out. Nothing when the
// account is accrued further already. ACCOUNT_NOT_FOUND, LEDGER_MONTH_CLOSED, STORE_BUSY; what
// rating refuses.
typedef struct AccrualWanted {
    Str     account;
    Instant until;
    // Asked before each month that was left out; it ends with what is refused.
    Err *(*goes_on)(Arena *arena, const void *context);
    const void *context;
} AccrualWanted;
Err *accrual_account(Arena *arena, const IssueQuery *query,
                     const AccrualWanted *wanted) MUST_CHECK;
