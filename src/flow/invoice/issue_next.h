// When an account may have something to pay next. For who looks at accounts in time; what is due
// then is for issue.h to say.
#pragma once

#include "flow/invoice/issue.h"

// The first boundary of any of its subscriptions after `after` up to which it was not billed, or
// the end of the month of charges that wait; INSTANT_END when none is known. A boundary may bring
// no line. Reads no usage.
Err *issue_next_boundary(Arena *arena, const IssueQuery *query, Str account, Instant after,
                         Instant *at) MUST_CHECK;

// Whether everything in a currency that began before an instant is billed: each period of the
// account's subscriptions that began by then has ended, and nothing up to query->now is due.
typedef struct IssueFinalQuery {
    const IssueQuery *issue;
    Str               account;
    Currency          currency;
    Instant           before;
} IssueFinalQuery;
Err *issue_is_final(Arena *arena, const IssueFinalQuery *query, bool *is_final) MUST_CHECK;
