// When an account may have something to pay next. For who looks at accounts in time; what is due
// then is for issue.h to say.
#pragma once

#include "flow/bill/issue.h"

// The first boundary of any of its subscriptions after `after` up to which it was not billed;
// INSTANT_END when none is known. A boundary may bring no line. Reads no usage.
Err *issue_next_boundary(Arena *arena, const IssueQuery *query, Str account, Instant after,
                         Instant *at) MUST_CHECK;
