// The open bill: what a subscription's or an account's period comes to so far, computed on request
// and exact to the last acknowledged event.
#pragma once

#include "catalog/catalog.h"
#include "flow/aggregate/usage.h"

typedef struct OpenBillQuery {
    Catalog   *catalog;
    Partition *partition;
    ProjectId  project;
    Instant    at;        // a moment of the period asked for
    uint64_t   as_of;     // SEQUENCE_NEWEST, or an earlier one
    Instant    rated_at;  // T: what "now" is
} OpenBillQuery;

// Writes the bill of GET /v1/subscriptions/{id}/bill. SUBSCRIPTION_NOT_FOUND, OUTSIDE_SUBSCRIPTION,
// PARAMETER_INVALID (as_of past the newest), AMOUNT_TOO_LARGE, STORE_FAILED.
Err *bill_open_subscription(Arena *arena, const OpenBillQuery *query, Str subscription,
                            Text *out) MUST_CHECK;

// Writes {"data":[bills],"amountDue":{"USD":"…"}} of all subscriptions of the account that are
// active in a period holding `at`, by id, all read at one moment. ACCOUNT_NOT_FOUND.
Err *bill_open_account(Arena *arena, const OpenBillQuery *query, Str account, Text *out) MUST_CHECK;
