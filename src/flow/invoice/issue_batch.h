// Invoices that become final in one transaction, of one project: what is asked of the books for all
// of their accounts together, once, and what is written together. Between the files of
// flow/invoice/issue.
//
// What was read says only what an account does not have. Where it has something, it is read for the
// account alone, so that a row is locked before it is used.
#pragma once

#include "flow/invoice/tax_rate.h"
#include "flow/ledger/ledger.h"

typedef struct IssueBatch {
    ProjectId     project;
    size_t        invoices;  // that still take a number
    bool          has_seller;
    Str           seller;
    StoredTaxRate *rates;  // as they were at `rates_at`
    size_t        rate_count, rate_room;
    Instant       rates_at;
    Str           series;  // STR_NONE: none was taken yet
    int64_t       next_number;
    LedgerPost   *posts;  // that wait
    size_t        post_count, post_room;
} IssueBatch;

// Of one account; the same account must not be twice in a batch.
typedef struct IssueFacts {
    IssueBatch *batch;
    bool        has_draft, has_charges, has_grants, has_balance;
    bool        has_revenue;  // accrued or deferred
} IssueFacts;

typedef struct IssueAccount {
    Str account, slot;  // of its draft
} IssueAccount;

// Which of them have something: facts[i] of accounts[i].
Err *issue_batch_read(DbTx *tx, IssueBatch *batch, const IssueAccount *accounts, size_t count,
                      IssueFacts *facts) MUST_CHECK;

// `facts` of the functions below may be NULL: the invoice is alone, and nothing is kept or waits.
Err *issue_seller(DbTx *tx, ProjectId project, IssueFacts *facts, Str *seller) MUST_CHECK;
typedef struct IssueRateWanted {
    ProjectId project;
    Str       id;
    Instant   at;
} IssueRateWanted;
Err *issue_tax_rate(DbTx *tx, IssueFacts *facts, const IssueRateWanted *wanted,
                    const StoredTaxRate **rate) MUST_CHECK;
// The next number of the series; of a batch, which has one series, all at once.
Err *issue_number_of(DbTx *tx, ProjectId project, IssueFacts *facts, Str series,
                     int64_t *number) MUST_CHECK;
// Posts under a source that nothing was posted under, now or together with others by
// issue_batch_post. The legs must live as long as the transaction.
Err *issue_post_put(DbTx *tx, IssueFacts *facts, const LedgerPost *post) MUST_CHECK;
// Posts what waits; before a balance that it changes is read, and at the end.
Err *issue_batch_post(DbTx *tx, IssueFacts *facts) MUST_CHECK;
