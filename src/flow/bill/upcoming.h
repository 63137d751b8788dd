// The next invoices of an account, as they would be if nothing more happened.
#pragma once

#include "flow/bill/bill_open.h"
#include "flow/bill/invoice.h"

// One subscription stands in the account as it would be with a change in memory; NULL: none does.
typedef struct UpcomingQuery {
    const OpenBillQuery *open;    // rated_at: T; `at` and as_of: the moment's business
    UsageMoment         *moment;
    Str                  account;
    const TimelineFacts *instead;
} UpcomingQuery;

typedef struct Invoices {
    Invoice *at;  // by currency, ascending by code
    size_t   count;
} Invoices;

// For each currency the next instant after T at which something of the account is due, and what is.
Err *upcoming_invoices(Arena *arena, const UpcomingQuery *query, Invoices *invoices) MUST_CHECK;

// Writes {"data":[invoices]} of GET /v1/accounts/{id}/upcomingInvoice. ACCOUNT_NOT_FOUND.
Err *upcoming_write(Arena *arena, const OpenBillQuery *query, Str account, Text *out) MUST_CHECK;
