// Wallets: the grants of an account in one currency, what was drawn of them, and what that was
// worth. A grant is what can be drawn; the ledger holds what was paid for it. In one transaction
// with every change of a grant goes an entry that says it, and its post, so that
//
//   a grant's amount - drawn = the sum of its entries, and
//   the ledger's wallet:{account} = the sum over grants of price - grant_cost(drawn).
//
// Lines that a wallet pays: flow/ledger/draw.h. Owns tables credit_grant, credit_entry.
#pragma once

#include "flow/ledger/draw.h"
#include "flow/ledger/ledger.h"

typedef enum GrantState {
    GRANT_ACTIVE,
    GRANT_USED,  // nothing is left
    GRANT_EXPIRED,
    GRANT_REVOKED,
    GRANT_STATE_COUNT
} GrantState;

// Who paid its price.
typedef enum GrantPaidBy {
    PAID_BY_NOBODY,            // the price is 0
    PAID_EXTERNALLY,           // money that came in elsewhere: cash:external
    PAID_BY_CUSTOMER_BALANCE,  // INSUFFICIENT_BALANCE when that is less than the price
    PAID_BY_US,                // an adjustment: revenue:{reason code}
    PAID_BY_COUNT
} GrantPaidBy;

const char *grant_kind_name(GrantKind kind);          // "paid", "promotional"
const char *credit_timing_name(CreditTiming timing);  // "beforeTax", "afterTax"
const char *grant_state_name(GrantState state);       // "active", …
const char *grant_paid_by_name(GrantPaidBy paid_by);  // "nobody", "external", …

typedef struct StoredGrant {
    CreditGrant grant;       // drawn: what is not left, whyever
    GrantState  state;
    GrantPaidBy paid_by;
    Str         origin;      // "grant", "pack:{id}", "adjustment:{id}", "topUp:{id}"
    Str         reason;      // of PAID_BY_US; not stored
    Str         description; // may be STR_NONE
    Instant     created_at;
} StoredGrant;

typedef struct CreditWallet {
    ProjectId project;
    Str       account;
    Currency  currency;
} CreditWallet;

// ---- changing, in a write transaction

// Adds a grant and posts its price. grant->id is new.
Err *credit_grant_add(DbTx *tx, ProjectId project, const StoredGrant *grant) MUST_CHECK;

// The active grants of a wallet, in order of draw, locked until the transaction ends. Some may not
// be in force yet, or not any more.
Err *credit_grants_active(DbTx *tx, const CreditWallet *wallet, CreditGrants *grants) MUST_CHECK;

// What a draw is for, and what its post says.
typedef struct CreditUse {
    CreditWallet wallet;
    Str          source;  // "invoice:inv_…": for ever only once; at most CREDIT_SOURCE_BYTES
    PostingRule  rule;    // CREDIT_DRAW: against receivable; CHARGE, ADJUSTMENT: revenue:{revenue}
    Str          revenue; // of the latter two
    Instant      at, effective_at;
    LedgerPost  *post;    // NULL: it is posted; else the caller posts what is put here
} CreditUse;
enum { CREDIT_SOURCE_BYTES = 100 };

// Takes from the grants what the drawing (of credit_grants_active's grants, in this transaction)
// says, and posts it. The caller sees to it that a source comes only once. *drawn: in all.
Err *credit_draw(DbTx *tx, const CreditUse *use, const Drawing *drawing, int64_t *drawn) MUST_CHECK;

// Takes a draw for an invoice back, the grant that was drawn last first: at most `amount`
// (INT64_MAX: all of it), less what was taken back before. A grant that has ended since is active
// again and pays what was used while it was in force, until it expires once more.
typedef struct CreditRestore {
    CreditWallet wallet;
    Str          of;      // source of the draw
    Str          source;  // of this: for ever only once; at most CREDIT_SOURCE_BYTES
    int64_t      amount;
    Instant      at, effective_at;
} CreditRestore;
Err *credit_restore(DbTx *tx, const CreditRestore *wanted, int64_t *restored) MUST_CHECK;

// What it would give back to which grants, as they are now.
typedef struct CreditBack {
    CreditGrant grant;
    int64_t     amount;  // 0..
} CreditBack;
Err *credit_restore_parts(DbTx *tx, const CreditRestore *wanted, CreditBack **parts,
                          size_t *count) MUST_CHECK;

// What of that source's draw was not taken back yet.
Err *credit_draw_left(DbTx *tx, const CreditWallet *wallet, Str of, int64_t *left) MUST_CHECK;
// Undoes what credit_restore did for `of` under `source`: it is drawn again. INVOICE_HAS_PAYMENTS
// when it was used since, or its grant has ended. Again, and where nothing was restored: harmless.
Err *credit_restore_undo(DbTx *tx, const CreditRestore *done) MUST_CHECK;

typedef enum RevokeMode { REVOKE_FORFEIT, REVOKE_REFUND, REVOKE_REFUND_TO_BALANCE } RevokeMode;

// Ends a grant: what was paid for what is left goes to breakage, cash:external or the customer's
// balance. GRANT_NOT_FOUND, GRANT_ENDED. `value`: what was paid for it.
typedef struct GrantRevoke {
    ProjectId  project;
    Str        id;
    RevokeMode mode;
    Instant    at;
} GrantRevoke;
Err *credit_revoke(DbTx *tx, const GrantRevoke *revoke, int64_t *value) MUST_CHECK;

// Active grants that expire at `at` or before, by id behind `after`: for the run that asks, before
// it expires one, whether every period that began before its expiry is final.
typedef struct ExpiringGrants {
    ProjectId project;
    Instant   at;
    Str       after;  // STR_NONE: from the first
    size_t    limit;
} ExpiringGrants;
Err *credit_expiring(DbTx *tx, const ExpiringGrants *wanted, CreditGrants *grants) MUST_CHECK;

// Takes what is left of a grant that expires at `at` or before; *expired is false when there was
// nothing to do. Again is harmless.
Err *credit_expire(DbTx *tx, ProjectId project, Str id, Instant at, bool *expired) MUST_CHECK;

// ---- reading

// GRANT_NOT_FOUND.
Err *credit_grant_get(DbTx *tx, ProjectId project, Str id, StoredGrant *grant) MUST_CHECK;

typedef struct GrantPage {
    ProjectId project;
    Str       account;    // STR_NONE: of all accounts
    bool      only_active;  // with an account
    Str       after;      // STR_NONE: from the first
    size_t    limit;
} GrantPage;
Err *credit_grants(DbTx *tx, const GrantPage *page, StoredGrant **grants, size_t *count) MUST_CHECK;

typedef struct CreditEntry {
    Str     id, grant, kind, source;
    int64_t amount, cost;  // what comes is above 0
    Instant at;
} CreditEntry;

typedef struct CreditEntryPage {
    CreditWallet wallet;
    Str          before;  // ids below this one; STR_NONE: from the newest
    size_t       limit;
} CreditEntryPage;
Err *credit_entries(DbTx *tx, const CreditEntryPage *page, CreditEntry **entries,
                    size_t *count) MUST_CHECK;

// ---- proof

// Every grant against its entries, every wallet against the ledger. Differences are told.
typedef struct CreditReport {
    void   (*tell)(void *context, Str drift);
    void    *context;
    uint64_t grants;
} CreditReport;
Err *credit_verify(DbTx *tx, ProjectId project, CreditReport *report) MUST_CHECK;

extern const StatementTable credit_table;
