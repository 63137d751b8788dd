// Between the files of credit.
#pragma once

#include "flow/ledger/credit.h"

typedef enum CreditEntryKind {
    ENTRY_GRANT,
    ENTRY_DRAW,
    ENTRY_CHARGE,
    ENTRY_ADJUSTMENT,
    ENTRY_RESTORE,
    ENTRY_EXPIRY,
    ENTRY_REVOKE,
    ENTRY_KIND_COUNT
} CreditEntryKind;

extern const char *const credit_entry_kinds[ENTRY_KIND_COUNT];

// As JSON: {"charges":[…],"meters":[…]}; STR_NONE: to everything.
Str  applies_to_text(Arena *arena, const AppliesTo *to);
Err *applies_to_read(Arena *arena, Str text, AppliesTo *to) MUST_CHECK;

// NULL when there is none of that id.
Err *credit_row_find(DbTx *tx, ProjectId project, Str id, StoredGrant **grant) MUST_CHECK;
Err *credit_row_add(DbTx *tx, ProjectId project, const StoredGrant *grant) MUST_CHECK;

// A grant's row and its entry, together. The row must be as `before` says: it was read in this
// transaction.
typedef struct CreditMove {
    ProjectId          project;
    const CreditGrant *before;
    int64_t            amount;  // above 0: comes back; below: is drawn
    GrantState         state;   // afterwards
    Instant            expires_at;
    CreditEntryKind    kind;
    Str                source;
    Instant            at;
} CreditMove;
// *cost has the sign of amount.
Err *credit_move(DbTx *tx, const CreditMove *move, int64_t *cost) MUST_CHECK;

// What a source drew, and what was restored of it, by grant.
typedef struct CreditDrawn {
    Str     grant;
    int64_t amount;  // above 0, of the draw
    int64_t restored;
} CreditDrawn;
Err *credit_drawn_of(DbTx *tx, const CreditWallet *wallet, Str source, CreditDrawn **drawn,
                     size_t *count) MUST_CHECK;
