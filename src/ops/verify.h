// Is everything what it should be? Usage counted again from its events, the journal's tail read and
// chained, audit chains and ledgers recomputed, every declared meter known to the journal. Reads
// only.
#pragma once

#include "catalog/catalog.h"
#include "flow/aggregate/recount.h"

typedef struct VerifyReport {
    Recount  usage;
    uint64_t sequence;        // of the newest event
    uint64_t audit_entries;
    uint64_t ledger_transactions;
    uint64_t projects, meters;
} VerifyReport;

// `partition` is opened read_only. Differences are told through report->usage.tell and counted in
// report->usage.drifts; STORE_FAILED only when something cannot be read at all.
Err *verify_all(Db *books, Catalog *catalog, Partition *partition, Arena *arena,
                VerifyReport *report) MUST_CHECK;
