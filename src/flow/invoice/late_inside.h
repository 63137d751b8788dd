// Between late*.c and the files of flow/invoice/issue.
#pragma once

#include "db/names.h"
#include "flow/invoice/issue_inside.h"
#include "flow/invoice/late.h"
#include "flow/ledger/credit.h"

// Late periods of a subscription that has ended, which come to nothing.
typedef struct LateNothing {
    IssueProgress     part;
    const LatePeriod *at;
    size_t            count;
} LateNothing;

// What a draft closes and settles.
struct IssueLate {
    uint64_t      sequence;  // up to which its usage counts
    bool          wants_notes;  // something is late, and the policy is to credit it at once
    ClosedPeriod *closed;  // rated and over; without an invoice: this is the first
    size_t        closed_count, closed_room;
    LatePeriod   *moved;   // those of them that are settled
    size_t        moved_count, moved_room;
    LateNothing  *nothing;  // beside the draft, or without one
    size_t        nothing_count;
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
    Str     content;  // what the line says
};

// Whether the line corrects something in that period.
bool late_line_is_of(const IssueLine *line, const ClosedPeriod *closed);

// From which invoice of the subscription on the line counts as billed: one that corrects another
// counts where that does, so that an older invoice that is voided and made again sees it.
Instant late_line_boundary(const IssueDraft *draft, const IssueLine *line);

// Says of lines of a subscription that lie in periods before `natural` what they correct, and of
// those that take back what was billed whose taxes they bear. `late` has the periods.
typedef struct LateOrigins {
    ProjectId   project;
    Db         *books;
    Str         subscription;
    Instant     natural;
    const Late *late;
} LateOrigins;
Err *late_origins(Arena *arena, const LateOrigins *query, IssueLine *lines,
                  size_t count) MUST_CHECK;

// What changed in a period, for its record, and the numbers of the lines that settle it.
Str late_content(Arena *arena, const LatePeriod *period, const int64_t *lines, size_t count);

// In the finalizing transaction, once the invoice's lines are known.
Err *late_finalize(DbTx *tx, const IssueDraft *draft, Str document) MUST_CHECK;
// The document does not count any more: its periods wait again.
Err *late_reopen(DbTx *tx, ProjectId project, Str document) MUST_CHECK;

// Their usage counts as looked at: nothing is due, so no document has them.
Err *late_nothing_settle(Arena *arena, const IssueQuery *query, const IssueLate *late) MUST_CHECK;

// ---- credit: late_restore.c

// What credit had paid of an invoice whose lines fall now goes back to the wallet first.
typedef struct LateRestore {
    Str     invoice;  // that drew it
    int64_t amount;   // above 0
} LateRestore;

// The source of an invoice's draw.
Str late_draw_source(Arena *arena, Str invoice);

// Of the priced lines; their taxes are known.
Err *late_restores(DbTx *tx, IssuePriced *priced) MUST_CHECK;
Err *late_restores_post(DbTx *tx, const IssuePriced *priced, Str invoice) MUST_CHECK;
// The document with these rows is void: what it gave back is drawn again.
typedef struct LateUndo {
    CreditWallet        wallet;
    Str                 document;
    const IssueLineRow *rows;
    size_t              count;
    Instant             now;
} LateUndo;
Err *late_restores_undo(DbTx *tx, const LateUndo *undo) MUST_CHECK;
// The source of such a restore.
Str late_restore_source(Arena *arena, Str document, Str invoice);

// ---- rows

// What the books know of closed periods of many subscriptions: lates[i] of names->at[i].
Err *late_closed_of_all(DbTx *tx, const IssueQuery *query, const DbNames *names,
                        Late *lates) MUST_CHECK;
Err *late_closed_put(DbTx *tx, ProjectId project, const ClosedPeriod *closed) MUST_CHECK;
// STORE_BUSY: somebody looked since it was read.
Err *late_closed_looked(DbTx *tx, ProjectId project, const ClosedPeriod *before,
                        const ClosedPeriod *after) MUST_CHECK;
Err *late_record_add(DbTx *tx, ProjectId project, const LateRecord *record) MUST_CHECK;

// The invoice lines of service from `from` on, by boundary; what credit notes took back of them is
// not among them.
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
