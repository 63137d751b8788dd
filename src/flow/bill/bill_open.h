// The open bill: what a subscription's or an account's period comes to so far, computed on request
// and exact to the last acknowledged event.
#pragma once

#include "catalog/catalog.h"
#include "flow/bill/period_bill.h"

typedef struct OpenBillQuery {
    Catalog   *catalog;
    Partition *partition;
    ProjectId  project;
    Instant    at;        // a moment of the period asked for
    uint64_t   as_of;     // SEQUENCE_NEWEST, or an earlier one
    Instant    rated_at;  // T: what "now" is; changes recorded later are not known
} OpenBillQuery;

// Writes the bill of GET /v1/subscriptions/{id}/bill. SUBSCRIPTION_NOT_FOUND, OUTSIDE_SUBSCRIPTION,
// PARAMETER_INVALID (as_of past the newest), FIELD_REQUIRED (a quantity that the plan prices is not
// there), AMOUNT_TOO_LARGE, STORE_FAILED.
Err *bill_open_subscription(Arena *arena, const OpenBillQuery *query, Str subscription,
                            Text *out) MUST_CHECK;

// Writes {"data":[bills],"amountDue":{"USD":"…"}} of all subscriptions of the account that are
// active in a period holding `at`, by id, all read at one moment. ACCOUNT_NOT_FOUND.
Err *bill_open_account(Arena *arena, const OpenBillQuery *query, Str account, Text *out) MUST_CHECK;

// The end of the period that holds query->at. as_of is not read. SUBSCRIPTION_NOT_FOUND,
// OUTSIDE_SUBSCRIPTION.
Err *bill_period_end(Arena *arena, const OpenBillQuery *query, Str subscription,
                     Instant *end) MUST_CHECK;

// ---- within flow/bill: a timeline's bill of the period that holds query->at

typedef struct OpenBill {
    const OpenBillQuery *query;
    UsageMoment         *moment;
    const Timeline      *timeline;  // active at query->at
} OpenBill;

Err *open_bill_rate(Arena *arena, const OpenBill *open, Bill *bill) MUST_CHECK;
void open_bill_to_json(const OpenBill *open, const Bill *bill, Arena *arena, JsonOut *out);
