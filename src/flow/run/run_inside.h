// Between the files of flow/run: what the one that walks writes.
#pragma once

#include "catalog/due.h"
#include "flow/run/run.h"

// Each of these also renews the operation's lease, and refuses OPERATION_CANCELED when it is gone.
typedef struct RunWork {
    const Operation  *operation;
    const BillingRun *run;  // as it was read at the page's beginning
} RunWork;

// With invoices of as many accounts, in their transaction: the account's item that had failed, or a
// new one.
Err *run_items_finalized(DbTx *tx, const RunWork *work, IssuedInvoice *const *invoices,
                         size_t count) MUST_CHECK;
// Something else that was done for an account: reads account, currency and boundary. In its
// transaction.
Err *run_item_done(DbTx *tx, const RunWork *work, const RunItem *done) MUST_CHECK;
Err *run_item_failed(DbTx *tx, const RunWork *work, Str account, const Err *why) MUST_CHECK;
// Of an account that had failed; nothing when it has no such item any more.
Err *run_item_nothing_due(DbTx *tx, const RunWork *work, Str account) MUST_CHECK;

// All accounts of a page are done: `count` more, the last of them `walked`.
typedef struct RunStep {
    Str    walked;  // STR_NONE: none was left
    size_t count;
    bool   is_walked;
} RunStep;
Err *run_step(DbTx *tx, const RunWork *work, const RunStep *step) MUST_CHECK;

// Nothing is done yet of the account that is worked on.
Err *run_still(DbTx *tx, const RunWork *work) MUST_CHECK;

// The accounts of a page of a run that the scheduler asked for: those whose time has come.
typedef struct RunDues {
    AccountDue *at;
    bool       *has_failed;  // of each
    size_t      count;
} RunDues;

// When each is to be looked at next: at its next boundary behind the run's instant; later and later
// where it failed.
void run_dues_next(const IssueQuery *query, const BillingRun *run, const RunDues *dues);

// Accounts that failed at an earlier attempt, up to `limit` of them.
Err *run_accounts_failed(DbTx *tx, const BillingRun *run, size_t limit, Str **accounts,
                         size_t *count) MUST_CHECK;
