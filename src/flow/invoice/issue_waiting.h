// One-off charges that wait while nothing of a subscription is due: they are billed by themselves
// when the calendar month in which they were made ends in the account's zone.
#pragma once

#include "flow/invoice/issue.h"

typedef struct WaitingCharges {
    Currency currency;
    Instant  due;  // the end of the oldest one's month
} WaitingCharges;

typedef struct WaitingQuery {
    const IssueQuery *issue;
    Str               account;
    Str               currency;   // STR_NONE: any
    Str               time_zone;  // of the account; STR_NONE: the project's
} WaitingQuery;

// Those of the currency that is due first; *found is false when none waits.
Err *issue_waiting(Arena *arena, const WaitingQuery *query, WaitingCharges *waiting,
                   bool *found) MUST_CHECK;

extern const StatementTable issue_waiting_table;
