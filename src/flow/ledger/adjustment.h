// Somebody corrects a balance, with a reason. Owns table adjustment.
#pragma once

#include "flow/ledger/credit.h"

typedef enum AdjustmentTarget {
    ADJUST_CUSTOMER_BALANCE,
    ADJUST_WALLET,
    ADJUST_COUNT
} AdjustmentTarget;
extern const char *const adjustment_targets[];  // "customerBalance", "wallet"; ends with NULL

typedef struct Adjustment {
    Str              id;       // adj_…
    Str              account;  // known
    Money            amount;   // above 0: to the customer; below: from him
    AdjustmentTarget target;
    Str              reason_code;  // owner of the revenue that it costs; 1..64 bytes
    Str              note;         // may be STR_NONE
    Str              who;
    Instant          at;
} Adjustment;

// Stores it and does it: the customer's balance is posted; a wallet gets a grant that is worth its
// amount, or gives what is in force now. INSUFFICIENT_BALANCE: neither goes below 0.
Err *adjustment_add(DbTx *tx, ProjectId project, const Adjustment *adjustment) MUST_CHECK;

typedef struct AdjustmentPage {
    ProjectId project;
    Str       account;  // STR_NONE: of all
    Str       after;
    size_t    limit;
} AdjustmentPage;
Err *adjustments(DbTx *tx, const AdjustmentPage *page, Adjustment **found,
                 size_t *count) MUST_CHECK;

extern const StatementTable adjustment_table;
