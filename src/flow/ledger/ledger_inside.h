// Between the files of the ledger.
#pragma once

#include "base/hash.h"
#include "flow/ledger/ledger.h"

enum { LEDGER_CONTENT_BYTES = 32 };

// What a transaction is, but for its id and its place in the chain. Legs as they are stored: put
// together, ascending by (kind's name, owner).
Digest ledger_content(Arena *arena, const LedgerTransaction *transaction);

// Legs of one transaction, as they are stored.
Err *ledger_legs_read(DbTx *tx, ProjectId project, Str transaction, LedgerLeg **legs,
                      size_t *count) MUST_CHECK;

// Legs of many transactions, in their order: id, kind, owner, amount, currency, effective_at.
typedef struct LedgerLegRows {
    DbRows rows;
    size_t next;
} LedgerLegRows;
// Those of the next transaction; none when it has no entry.
Err *ledger_legs_next(DbTx *tx, LedgerLegRows *from, Str transaction, LedgerLeg **legs,
                      size_t *count) MUST_CHECK;

#define LEDGER_COLUMNS "id, source, rule, currency, at, effective_at, account, memo, position"
enum {
    COLUMN_ID, COLUMN_SOURCE, COLUMN_RULE, COLUMN_CURRENCY, COLUMN_AT, COLUMN_EFFECTIVE_AT,
    COLUMN_ACCOUNT, COLUMN_MEMO, COLUMN_POSITION, LEDGER_COLUMN_COUNT
};
// A row of those columns, without its legs. STORE_FAILED: a rule or currency that this Toll does
// not know.
Err *ledger_row_read(Arena *arena, const DbRow *row, LedgerTransaction *transaction) MUST_CHECK;
Err *ledger_currency_read(Arena *arena, Str code, Currency *currency) MUST_CHECK;
Err *ledger_kind_read(Arena *arena, Str name, LedgerKind *kind) MUST_CHECK;

// What counts before an instant: sealed days that end at or before it, what is not sealed and
// counts before the day in which it is, and of that day what counts before it. Without an instant:
// everything, which is days and what is not sealed.
typedef struct LedgerCut {
    DbValue day, begin, until;
    bool    has_part;
} LedgerCut;
LedgerCut ledger_cut(const Instant *until);
// Of a shared account, but for the part of a day.
Err *ledger_cut_sum(DbTx *tx, ProjectId project, const LedgerName *name, const LedgerCut *cut,
                    int64_t *minor) MUST_CHECK;

// Rows from several places, each in the order of their first columns, which are text: in that
// order, with the sum of what all have in the next column. NULL in *row: that was the last.
enum { LEDGER_SOURCES_MAX = 3 };
typedef struct LedgerMerge {
    DbRows sources[LEDGER_SOURCES_MAX];
    size_t next[LEDGER_SOURCES_MAX];
    size_t columns;
} LedgerMerge;
Err *ledger_merge_next(Arena *arena, LedgerMerge *merge, const DbRow **row,
                       int64_t *minor) MUST_CHECK;
// By their names, the order of the books.
void ledger_kinds_sorted(LedgerKind kinds[LEDGER_KIND_COUNT]);
Err *ledger_too_large(Arena *arena) MUST_CHECK;

// Statements of all files, one table.
typedef enum LedgerStatementIndex {
    LEDGER_TRANSACTION_ADD, LEDGER_TRANSACTION_BY_SOURCE, LEDGER_TRANSACTION_CONTENT,
    LEDGER_TRANSACTIONS, LEDGER_TRANSACTIONS_OF, LEDGER_ENTRY_ADD, LEDGER_ENTRIES_OF,
    LEDGER_BALANCE_ADD, LEDGER_BALANCE_GET, LEDGER_DAYS_SUM,
    LEDGER_UNSEALED_SUM, LEDGER_ENTRIES_SUM, LEDGER_ENTRIES_AFTER,
    LEDGER_ENTRIES_SUM_UNTIL, LEDGER_ENTRIES_BETWEEN, LEDGER_MONTH_GET,
    LEDGER_MONTH_ADD, LEDGER_MONTH_REMOVE, LEDGER_MONTHS,
    LEDGER_TRIAL_BALANCES, LEDGER_TRIAL_DAYS,
    LEDGER_TRIAL_UNSEALED, LEDGER_TRIAL_PART,
    LEDGER_CHAIN_GET, LEDGER_CHAIN_ADD, LEDGER_CHAIN_MOVE,
    LEDGER_UNSEALED, LEDGER_UNSEALED_LEGS, LEDGER_NEXT, LEDGER_LEGS_BETWEEN, LEDGER_SEAL,
    LEDGER_DAY_ADD, LEDGER_SEALED,
    LEDGER_SEALED_LEGS, LEDGER_BALANCES, LEDGER_BALANCES_UNTIL,
    LEDGER_BALANCE_KINDS, LEDGER_DAYS, LEDGER_TAIL, LEDGER_PART, LEDGER_DAY_ROWS,
    LEDGER_STATEMENTS
} LedgerStatementIndex;

enum { LEDGER_SEAL_TOGETHER = 32 };  // transactions that LEDGER_SEAL takes
extern const Statement ledger_sql[LEDGER_STATEMENTS];
