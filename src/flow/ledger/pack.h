// Packs: so much credit for that price, under a name. Bought, a pack becomes a grant. Owns table
// credit_pack.
#pragma once

#include "flow/ledger/credit.h"

typedef struct CreditPack {
    Str       id;
    Str       name;  // may be STR_NONE
    Currency  currency;
    int64_t   amount, price;  // above 0; 0..
    int64_t   priority;
    int64_t   valid_days;  // of 24 hours; 0: for ever
    AppliesTo applies_to;
    int64_t   version;     // 0: not stored
    Instant   updated_at;
} CreditPack;

// Makes or replaces; the same content changes nothing. Fills in what is stored.
Err *pack_put(DbTx *tx, ProjectId project, CreditPack *pack) MUST_CHECK;
Err *pack_get(DbTx *tx, ProjectId project, Str id, CreditPack *pack) MUST_CHECK;  // PACK_NOT_FOUND

typedef struct PackPage {
    ProjectId project;
    Str       after;
    size_t    limit;
} PackPage;
Err *packs(DbTx *tx, const PackPage *page, CreditPack **found, size_t *count) MUST_CHECK;

// The grant that buying it makes now.
StoredGrant pack_grant(Arena *arena, const CreditPack *pack, Str account, Instant now);

extern const StatementTable pack_table;
