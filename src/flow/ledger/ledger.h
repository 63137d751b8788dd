// The ledger: double entry, append-only, one currency a transaction. Amounts are minor units;
// debits are above zero, credits below, and those of a transaction sum to zero.
//
// Every transaction has a source, unique for ever in its project, so that posting it again is
// harmless. Mistakes are answered by a transaction the other way round.
//
// What belongs to one customer keeps its balance in a row, changed by relative updates in the same
// transaction. Shared accounts (revenue, tax, cash, …) have no such row, so that two writers never
// meet on one: their balance is the sum of the days that are sealed and of the entries that are
// not. Days are also kept of all customers together, kind by kind, for balances as of an instant.
//
// The sealer (ledger_seal.h) chains what was committed. Owns tables ledger_transaction,
// ledger_entry, ledger_balance, ledger_day, ledger_chain, ledger_month.
#pragma once

#include "catalog/project.h"
#include "db/db.h"
#include "money/money.h"
#include "time/instant.h"

typedef enum LedgerKind {
#define LEDGER_KIND(name, text, side, whose, doc) LEDGER_##name,
#define POSTING(name, text, doc)
#define LEG(posting, kind, side, doc)
#include "tbl/postings.def"
#undef LEDGER_KIND
    LEDGER_KIND_COUNT
} LedgerKind;

typedef enum PostingRule {
#define LEDGER_KIND(name, text, side, whose, doc)
#undef POSTING
#define POSTING(name, text, doc) POSTING_##name,
#include "tbl/postings.def"
#undef LEDGER_KIND
#undef POSTING
#undef LEG
    POSTING_COUNT
} PostingRule;

typedef enum LedgerSide { LEDGER_DEBIT, LEDGER_CREDIT } LedgerSide;
typedef enum LedgerWhose { LEDGER_ACCOUNT, LEDGER_SHARED } LedgerWhose;

const char *ledger_kind_name(LedgerKind kind);
bool        ledger_kind_find(Str name, LedgerKind *kind);
LedgerSide  ledger_kind_side(LedgerKind kind);
LedgerWhose ledger_kind_whose(LedgerKind kind);
const char *posting_name(PostingRule rule);
bool        posting_find(Str name, PostingRule *rule);
bool        posting_allows(PostingRule rule, LedgerKind kind);

// The table as JSON, for the reference: {"accounts":[…],"postings":[…]}.
void ledger_rules_print(Text *text);

enum { LEDGER_LEGS_MAX = 10000, LEDGER_OWNER_BYTES = 255, LEDGER_SOURCE_BYTES = 255 };

typedef struct LedgerLeg {
    LedgerKind kind;
    Str        owner;   // a customer's: the account id; a shared one's: see the table; not empty
    int64_t    amount;  // minor units: debits above zero, credits below; 0 is left out
} LedgerLeg;

typedef struct LedgerPost {
    ProjectId        project;
    PostingRule      rule;
    Str              source;        // "invoice:inv_…": what caused it, and for ever only once
    Currency         currency;
    Instant          at;            // booked
    Instant          effective_at;  // for accounting
    Str              account;       // whose it is; STR_NONE: nobody's
    Str              memo;          // for people; may be STR_NONE
    const LedgerLeg *legs;
    size_t           count;
} LedgerPost;

// Posts once: *posted is false when that source was posted before with the same content, or when
// nothing is to be posted. Legs of one account are put together. A rule that does not allow a leg
// and legs that do not sum to zero are broken promises of the caller. STORE_FAILED: the source was
// posted before with other content. LEDGER_MONTH_CLOSED (not for a repetition); AMOUNT_TOO_LARGE.
Err *ledger_post(DbTx *tx, const LedgerPost *post, bool *posted) MUST_CHECK;

// The same of many, in their order and in as few exchanges with the engine as it allows. One that
// is refused refuses all.
Err *ledger_post_many(DbTx *tx, const LedgerPost *posts, size_t count, bool *posted) MUST_CHECK;

// Posts another transaction the other way round. LEDGER_NOT_FOUND when there is none of that
// source.
typedef struct LedgerReversal {
    ProjectId project;
    Str       of;      // source of the one to answer
    Str       source;  // of the answer
    Instant   at, effective_at;
    Str       memo;
} LedgerReversal;
Err *ledger_reverse(DbTx *tx, const LedgerReversal *reversal, bool *posted) MUST_CHECK;

// An account of the ledger.
typedef struct LedgerName {
    LedgerKind kind;
    Str        owner;
    Currency   currency;
} LedgerName;

// Debits less credits; a customer's from its row, a shared one's from its days and what is not
// sealed. 0 when it has no entry.
Err *ledger_balance(DbTx *tx, ProjectId project, const LedgerName *name, int64_t *minor) MUST_CHECK;

// Closes a month for accounting (or opens it again): a later post with effective_at in it is
// refused. "2026-11". `changed`: it was the other before.
Err *ledger_month_close(DbTx *tx, ProjectId project, Str month, bool closed,
                        bool *changed) MUST_CHECK;
// The closed ones, oldest first.
Err *ledger_months_closed(DbTx *tx, ProjectId project, Str **months, size_t *count) MUST_CHECK;
// "2026-11": a year from 0001 and a month of it.
bool ledger_month_is(Str text);

// ---- reading

typedef struct LedgerTransaction {
    Str         id, source, account, memo;
    PostingRule rule;
    Currency    currency;
    Instant     at, effective_at;
    int64_t     position;  // in the chain, from 1; 0: not sealed yet
    LedgerLeg  *legs;
    size_t      count;
} LedgerTransaction;

typedef struct LedgerPage {
    ProjectId project;
    Str       account;  // of this customer; STR_NONE: all
    Str       before;   // ids below this one; STR_NONE: from the newest
    size_t    limit;
} LedgerPage;

// Newest first.
Err *ledger_transactions(DbTx *tx, const LedgerPage *page, LedgerTransaction **transactions,
                         size_t *count) MUST_CHECK;
// NULL in *transaction: none of that source.
Err *ledger_transaction_find(DbTx *tx, ProjectId project, Str source,
                             LedgerTransaction **transaction) MUST_CHECK;

typedef struct LedgerEntry {
    Str         transaction, source;
    PostingRule rule;
    Instant     at, effective_at;
    int64_t     amount;
    int64_t     balance;  // after it
} LedgerEntry;

typedef struct LedgerStatement {
    int64_t      opening, closing;
    LedgerEntry *at;  // oldest first
    size_t       count;
    bool         has_more;  // behind the last
} LedgerStatement;

// Instants [from, to).
typedef struct LedgerSpan {
    Instant from, to;
} LedgerSpan;

// Without a span: every entry, in the order booked. With one: those whose effective_at is in it, by
// effective_at, then in the order booked; the opening balance is that of all that count before it.
typedef struct LedgerStatementQuery {
    ProjectId         project;
    LedgerName        name;
    Str               after;  // transaction ids above this one; STR_NONE: from the first
    size_t            limit;
    const LedgerSpan *span;   // NULL: none; `after` is of those that count at its first instant
} LedgerStatementQuery;

Err *ledger_statement(DbTx *tx, const LedgerStatementQuery *query,
                      LedgerStatement *statement) MUST_CHECK;

// What every account comes to, kind by kind and currency by currency; sums to zero per currency.
typedef struct LedgerSum {
    LedgerKind kind;
    Str        owner;  // of a shared one; STR_NONE: of all customers together
    Currency   currency;
    int64_t    minor;
} LedgerSum;

Err *ledger_trial_balance(DbTx *tx, ProjectId project, LedgerSum **sums, size_t *count) MUST_CHECK;
// The same of the entries whose effective_at is before `at`, whenever they were booked. Whole days
// are kept as sums: of a million entries in a year, 20 ms in a file and 0.2 s on a server. Of the
// day in which `at` is every entry is read: 2 to 3 s if all the million were of that day.
Err *ledger_trial_balance_until(DbTx *tx, ProjectId project, Instant at, LedgerSum **sums,
                                size_t *count) MUST_CHECK;

// Accounts of the ledger that have an entry, with their balances, by kind's name, owner and
// currency.
typedef struct LedgerAccountsPage {
    ProjectId         project;
    const LedgerKind *kind;   // NULL: all
    Str               owner;  // STR_NONE: all
    const LedgerName *after;  // NULL: from the first
    size_t            limit;
    const Instant    *until;  // of entries whose effective_at is before it; NULL: of all
} LedgerAccountsPage;

Err *ledger_accounts(DbTx *tx, const LedgerAccountsPage *page, LedgerSum **accounts,
                     size_t *count) MUST_CHECK;

// How far the project's chain is; 0: nothing is sealed.
Err *ledger_chain_length(DbTx *tx, ProjectId project, int64_t *length) MUST_CHECK;

extern const StatementTable ledger_table;
