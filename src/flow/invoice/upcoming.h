// The next invoices of an account, as they would be if nothing more happened.
#pragma once

#include "flow/bill/bill_open.h"
#include "flow/invoice/issue.h"

typedef struct UpcomingQuery {
    const OpenBillQuery *open;  // rated_at: T; `at` is not read
    Db                  *books;
    Str                  account;
} UpcomingQuery;

// Writes {"data":[invoices]} of GET /v1/accounts/{id}/upcomingInvoice: for each currency, by its
// code, the first invoice behind T (issue_preview). ACCOUNT_NOT_FOUND, and what issue_preview
// refuses.
Err *upcoming_write(Arena *arena, const UpcomingQuery *query, Text *out) MUST_CHECK;

// The query of a preview at T.
static inline IssueQuery upcoming_issue(const OpenBillQuery *open, Db *books)
{
    return (IssueQuery){ .books = books,
                         .catalog = open->catalog,
                         .partition = open->partition,
                         .project = open->project,
                         .now = open->rated_at };
}
