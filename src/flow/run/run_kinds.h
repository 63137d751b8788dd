// What the kinds of runs do. A kind is a row: which accounts, and what is done for one of them.
#pragma once

#include "flow/run/run_inside.h"
#include "flow/run/run_walk.h"

// One account of a run.
typedef struct RunOne {
    const RunParts   *parts;
    const IssueQuery *query;
    const RunWork    *work;
    Str               account;  // "": the whole project
    Instant           until;    // the run's instant
    const atomic_bool *stopping;
} RunOne;

// A page of accounts.
typedef struct RunAccounts {
    Str   *at;
    size_t count;
    Str    walked;   // where the next page begins
    bool   is_last;
} RunAccounts;

typedef struct RunKindRow {
    bool needs_usage;
    // The accounts behind run->walked; NULL: all of the project, by id.
    Err *(*accounts)(DbTx *tx, const BillingRun *run, size_t limit, RunAccounts *accounts);
    // NULL: invoices, of many together. What it refuses is the account's item. Again is harmless.
    Err *(*account)(Arena *arena, const RunOne *one);
} RunKindRow;

const RunKindRow *run_kind_row(RunKind kind);

// The kind of operation that does it: one that a server without usage can do, or not.
Str run_operation_kind(RunKind kind);

// ---- the kinds

// Takes what is left of grants whose time is over, once all that they may pay is billed.
Err *run_expiry_accounts(DbTx *tx, const BillingRun *run, size_t limit,
                         RunAccounts *accounts) MUST_CHECK;
Err *run_expiry_account(Arena *arena, const RunOne *one) MUST_CHECK;

// Holds the ledger of an account against its invoices, payments, credit notes and grants.
// BOOKS_DIFFER: what is not the same.
Err *run_reconcile_account(Arena *arena, const RunOne *one) MUST_CHECK;

// Holds what is derived against what it is derived from: the audit trail and the ledger against
// their chains and entries, wallets against theirs, windows of usage against the raw events.
// BOOKS_DIFFER: what is not the same.
Err *run_sweep_accounts(DbTx *tx, const BillingRun *run, size_t limit,
                        RunAccounts *accounts) MUST_CHECK;
Err *run_sweep_account(Arena *arena, const RunOne *one) MUST_CHECK;
