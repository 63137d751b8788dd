// Between late*.c and the files of flow/bill/issue.
#pragma once

#include "flow/bill/issue_inside.h"
#include "flow/bill/late.h"

// What a draft closes and settles.
struct IssueLate {
    uint64_t      sequence;  // up to which its usage counts
    bool          wants_notes;  // something is late, and the policy is to credit it at once
    ClosedPeriod *closed;  // rated and over; without an invoice: this is the first
    size_t        closed_count, closed_room;
    LatePeriod   *moved;   // those of them that are settled
    size_t        moved_count, moved_room;
};

void late_closed_add(Arena *arena, IssueLate *late, const ClosedPeriod *closed);
void late_moved_add(Arena *arena, IssueLate *late, const LatePeriod *period);

// What a late line corrects.
struct LateOf {
    Str     invoice;  // that first had the line; of a new line: that closed the period
    int64_t line;     // 0: it is new
    Span    period;   // of the subscription
    Instant boundary; // of that invoice, where it is known
    Str     taxes;    // JSON: what the line bore; STR_NONE: it is new
};

// Says of the draft's lines of a subscription from number `first` on that lie in periods before
// `natural` what they correct. `late` has the periods.
typedef struct LateOrigins {
    ProjectId   project;
    Db         *books;
    Str         subscription;
    Instant     natural;
    const Late *late;
} LateOrigins;
Err *late_origins(Arena *arena, const LateOrigins *query, IssueLine *lines,
                  size_t count) MUST_CHECK;

// What changed in a period, for its record; `draft`: the lines that settle it, or NULL.
Str late_content(Arena *arena, const LatePeriod *period, const IssueDraft *draft);

// In the finalizing transaction, once the invoice's lines are known.
Err *late_finalize(DbTx *tx, const IssueDraft *draft, Str document) MUST_CHECK;
// The document does not count any more: its periods wait again.
Err *late_reopen(DbTx *tx, ProjectId project, Str document) MUST_CHECK;

// ---- rows

Err *late_closed_put(DbTx *tx, ProjectId project, const ClosedPeriod *closed) MUST_CHECK;
Err *late_record_add(DbTx *tx, ProjectId project, const LateRecord *record) MUST_CHECK;

// The first invoice line of each line of the bills, of service from `from` on: by boundary.
typedef struct LateRow {
    Str          invoice;
    IssueLineRow row;
} LateRow;
typedef struct LateRowsQuery {
    ProjectId project;
    Str       subscription;
    Instant   from;
} LateRowsQuery;
Err *late_rows(DbTx *tx, const LateRowsQuery *query, LateRow **rows, size_t *count) MUST_CHECK;
