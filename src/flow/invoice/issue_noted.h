// What credit notes gave back by hand is not given back again: a line that falls, because usage or
// the subscription changed, falls by what is beyond that.
//   billed 10.00, a note of 4.00, 7.00 less now: -3.00
#pragma once

#include "flow/invoice/issue_inside.h"

typedef struct NotedQuery {
    Db       *books;
    ProjectId project;
    Str       subscription;
    Currency  currency;
} NotedQuery;

// Lines that come to nothing then are none. STORE_FAILED.
Err *issue_noted(Arena *arena, const NotedQuery *query, DueLines *lines) MUST_CHECK;
