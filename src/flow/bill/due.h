// An invoice at an instant X: of every period that X touches, the lines that are due at X with the
// changes known at X, less what earlier invoices contained. So the invoices of a period always sum
// to its last bill, and nothing is credited beyond what was charged (docs/decisions/0006).
//
// What earlier invoices contained is an input. While nobody has recorded it, it is rated from the
// log as it was known then.
#pragma once

#include "flow/bill/period_bill.h"
#include "flow/bill/timeline_read.h"

// One subscription, with all that is known of it at T.
typedef struct DueQuery {
    Catalog             *catalog;
    UsageMoment         *moment;
    ProjectId            project;
    const TimelineFacts *facts;  // known_at: T
} DueQuery;

// Lines of bills, known again by (kind, charge, group, start of service).
typedef struct DueLines {
    Line  *at;
    size_t count;
} DueLines;

// The first instant after `after` at which something may be due; false: none any more. Of a
// subscription that was made with a start in the past these are also the instants it missed.
Err *due_next(Arena *arena, const TimelineFacts *facts, Instant after, Instant *at,
              bool *found) MUST_CHECK;

// When a change is billed: when it counts, or when it became known, whichever is later.
Instant due_of_change(const SubscriptionChange *change);

// The subscription as it was known at X, which is what an invoice at X goes by.
Err *due_timeline(Arena *arena, const TimelineFacts *facts, Instant at,
                  Timeline *timeline) MUST_CHECK;

// The one currency of all plans of a subscription.
Err *due_currency(Arena *arena, const TimelineFacts *facts, Currency *currency) MUST_CHECK;

// What the invoices before X contained of the periods that X touches, rated from the log.
Err *due_earlier(Arena *arena, const DueQuery *query, Instant at,
                 DueLines *earlier) MUST_CHECK;

// The earliest start of service of a line that may be due at X: what `earlier` must hold.
Err *due_reach(Arena *arena, const DueQuery *query, Instant at, Instant *from) MUST_CHECK;

// What is due at X beyond `earlier`, as lines.
Err *due_lines(Arena *arena, const DueQuery *query, Instant at,
               const DueLines *earlier, DueLines *lines) MUST_CHECK;

// The same with every period from `since` on, or from before it where its commitment hangs together
// with earlier ones: for usage that changed in periods that X does not touch.
typedef struct DueSince {
    Instant at, since;
} DueSince;
Err *due_reach_since(Arena *arena, const DueQuery *query, const DueSince *wanted,
                     Instant *from) MUST_CHECK;
Err *due_lines_since(Arena *arena, const DueQuery *query, const DueSince *wanted,
                     const DueLines *earlier, DueLines *lines) MUST_CHECK;

// Whether two bills, or a bill and the books, mean one line by them.
bool due_same_line(const Line *a, const Line *b);

// The two in one: what is due at X.
Err *due_now(Arena *arena, const DueQuery *query, Instant at,
             DueLines *lines) MUST_CHECK;

// Of `due` what is above what was billed, line by line; what was billed of others stays as it is.
Err *due_lines_above(Arena *arena, const DueLines *due, const DueLines *billed,
                     DueLines *lines) MUST_CHECK;
