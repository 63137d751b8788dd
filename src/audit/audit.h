// Who did what: an append-only table, one chain a project. Every entry's hash covers its content
// and the hash before it, so that a changed, removed or inserted entry is found by anyone who
// recomputes it. Owns table audit_entry.
#pragma once

#include "db/db.h"
#include "time/instant.h"

typedef struct AuditEntry {
    Str     tenant, project;
    Instant at;
    Str     who;     // "key:key_01J…", "person:…", "toll init"
    Str     action;  // "meter.put": the object's kind and what was done
    Str     object;  // its id
    Str     reason;  // may be STR_NONE
    Str     detail;  // JSON text: what it became; may be STR_NONE
    int64_t number;  // 1, 2, … within the project; filled when read
} AuditEntry;

extern const StatementTable audit_table;

// Appends to the project's chain, in the transaction of the deed itself.
Err *audit_add(DbTx *tx, const AuditEntry *entry) MUST_CHECK;

typedef struct AuditPage {
    Str     tenant, project;
    int64_t before;  // entries below this number; 0: from the newest
    size_t  limit;
} AuditPage;

// Newest first.
Err *audit_list(DbTx *tx, const AuditPage *page, AuditEntry **entries, size_t *count) MUST_CHECK;

// Recomputes the whole chain of a project. STORE_FAILED names the first entry that does not fit.
Err *audit_verify(DbTx *tx, Str tenant, Str project, int64_t *count) MUST_CHECK;
