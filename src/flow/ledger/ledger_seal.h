// The chain over what was posted, and the proof that the ledger is what its entries say.
#pragma once

#include "flow/ledger/ledger.h"

enum { LEDGER_SEAL_MAX = 5000 };  // transactions in one step

// Takes up to LEDGER_SEAL_MAX committed transactions of the project into its chain, in the order of
// their ids: hash(n) = BLAKE2b-256 of hash(n - 1), n and the transaction's content; and their
// shared entries into the days. `sealed`: how many; fewer than the maximum: all there were. Two
// sealers at once are harmless: the second finds the chain moved and seals nothing (STORE_BUSY).
Err *ledger_seal(Db *db, Arena *arena, ProjectId project, size_t *sealed) MUST_CHECK;

typedef struct LedgerReport {
    void   (*tell)(void *context, Str drift);
    void    *context;
    uint64_t transactions;  // in the chain
    uint64_t unsealed;      // behind it
    uint64_t drifts;
} LedgerReport;

// Walks the chain: every hash, every content, every transaction's sum; then every balance and every
// day against the entries; then that each currency sums to zero. Differences are told and counted.
Err *ledger_verify(Db *db, Arena *arena, ProjectId project, LedgerReport *report) MUST_CHECK;
