// Runs: all accounts of a project, in the order of their ids, each with what is due up to an
// instant. A run is done by operations (operation/worker.h), one after the other: the first walks
// the accounts, a retry takes those again at which it failed and walks on where the last one ended.
//
// An invoice, its item here and the run's counts are written in one transaction, so what a crash
// interrupts goes on where it ended and a run over the same accounts again makes nothing. An
// account at which it fails stops nobody else. Owns tables billing_run, run_item,
// run_failure.
#pragma once

#include "flow/invoice/issue.h"
#include "operation/operation.h"

typedef enum RunKind {
    RUN_BILLING,    // invoices of what is due
    RUN_ACCRUAL,    // usage and fees into revenue, by the day
    RUN_EXPIRY,     // credit whose time is over
    RUN_RECONCILE,  // ledger = invoices = payments = credit, account by account
    RUN_SWEEP,      // what is derived = what it is derived from
    RUN_KIND_COUNT
} RunKind;
typedef enum RunItemState {
    RUN_ITEM_FINALIZED,
    RUN_ITEM_FAILED,
    RUN_ITEM_NOTHING_DUE,  // it had failed; a retry found nothing left to do
    RUN_ITEM_DONE,         // something else than an invoice was made
    RUN_ITEM_STATE_COUNT
} RunItemState;
extern const char *const run_kind_names[];        // "billing"; ends with NULL
extern const char *const run_item_state_names[];  // "finalized", …; ends with NULL

typedef struct BillingRun {
    ProjectId       project;
    Str             id;  // run_ + 26 characters, ordered by time
    RunKind         kind;
    Instant         at;         // boundaries up to here
    Str             operation;  // that does it, or did it last
    int64_t         attempt;    // from 1
    int64_t         slot;       // of those that the scheduler asked for, from 1; 0: of nobody
    Str             walked;     // account; STR_NONE: none yet
    bool            is_walked;  // all accounts are
    int64_t         accounts, items, invoices, failed;  // so far
    Instant         created_at;
    OperationStatus status;  // and what follows: of the operation
    Str             error_code, error_detail;
    bool            has_started, has_ended;
    Instant         started_at, ended_at;
} BillingRun;

typedef struct RunItem {
    int64_t      number;  // from 1
    RunItemState state;
    Str          account;   // "": the whole project
    Str          currency;  // STR_NONE: it failed, or nothing was due
    Instant      boundary;
    Str          invoice;
    int64_t      attempt;  // of the run, at which it came to this
    Str          error_code, error_detail;
} RunItem;

// ---- asking for one, in a write transaction; then worker_wake

typedef struct RunStart {
    ProjectId project;
    Str       who;   // for the audit trail
    RunKind   kind;
    Instant   at, now;
    int64_t   slot;  // 0: somebody asked
} RunStart;
// STORE_BUSY: another has taken the slot.
Err *run_start(DbTx *tx, const RunStart *start, BillingRun *run) MUST_CHECK;

// Accounts that failed once more, and what was not reached. RUN_NOT_FOUND; RUN_RUNNING.
typedef struct RunRetry {
    ProjectId project;
    Str       who, id;
    Instant   now;
} RunRetry;
Err *run_retry(DbTx *tx, const RunRetry *retry, BillingRun *run) MUST_CHECK;

// ---- reading

Err *run_get(DbTx *tx, ProjectId project, Str id, BillingRun *run) MUST_CHECK;  // RUN_NOT_FOUND

typedef struct RunPage {
    ProjectId project;
    Str       before;  // ids below this one; STR_NONE: from the newest
    size_t    limit;
} RunPage;
// Of those that are queued or running, oldest first, at most `limit`.
Err *run_list_open(DbTx *tx, ProjectId project, size_t limit, BillingRun **runs,
                   size_t *count) MUST_CHECK;
// The newest of the kind that the scheduler asked for; *found is false when there is none.
Err *run_last_scheduled(DbTx *tx, ProjectId project, RunKind kind, BillingRun *run,
                        bool *found) MUST_CHECK;
Err *run_list(DbTx *tx, const RunPage *page, BillingRun **runs, size_t *count) MUST_CHECK;

typedef struct RunItemPage {
    ProjectId project;
    Str       run;
    Str       state;  // STR_NONE: in any
    int64_t   after;  // numbers above this one
    size_t    limit;
} RunItemPage;
Err *run_items(DbTx *tx, const RunItemPage *page, RunItem **items, size_t *count) MUST_CHECK;

void run_to_json(const BillingRun *run, Arena *arena, JsonOut *out);
void run_item_to_json(const RunItem *item, Arena *arena, JsonOut *out);

extern const StatementTable run_table;
