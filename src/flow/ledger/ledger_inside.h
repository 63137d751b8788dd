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

// By the first columns, which are text; an index past the end is behind everything.
int ledger_rows_compare(const DbRows *a, size_t i, const DbRows *b, size_t j, size_t columns);
// By their names, the order of the books.
void ledger_kinds_sorted(LedgerKind kinds[LEDGER_KIND_COUNT]);
Err *ledger_too_large(Arena *arena) MUST_CHECK;

// Statements of all files, one table.
typedef enum LedgerStatementIndex {
    LEDGER_TRANSACTION_ADD, LEDGER_TRANSACTION_BY_SOURCE, LEDGER_TRANSACTION_CONTENT,
    LEDGER_TRANSACTIONS, LEDGER_TRANSACTIONS_OF, LEDGER_ENTRY_ADD, LEDGER_ENTRIES_OF,
    LEDGER_BALANCE_ADD, LEDGER_BALANCE_GET, LEDGER_DAYS_SUM,
    LEDGER_UNSEALED_SUM, LEDGER_ENTRIES_SUM, LEDGER_ENTRIES_AFTER, LEDGER_MONTH_GET,
    LEDGER_MONTH_ADD, LEDGER_MONTH_REMOVE, LEDGER_MONTHS,
    LEDGER_TRIAL_BALANCES, LEDGER_TRIAL_DAYS,
    LEDGER_TRIAL_UNSEALED, LEDGER_CHAIN_GET, LEDGER_CHAIN_ADD, LEDGER_CHAIN_MOVE,
    LEDGER_UNSEALED, LEDGER_UNSEALED_LEGS, LEDGER_NEXT, LEDGER_LEGS_BETWEEN, LEDGER_SEAL,
    LEDGER_DAY_ADD, LEDGER_SEALED,
    LEDGER_SEALED_LEGS, LEDGER_BALANCES,
    LEDGER_BALANCE_KINDS, LEDGER_DAYS, LEDGER_TAIL,
    LEDGER_STATEMENTS
} LedgerStatementIndex;

enum { LEDGER_SEAL_TOGETHER = 32 };  // transactions that LEDGER_SEAL takes
extern const Statement ledger_sql[LEDGER_STATEMENTS];
