// Late usage: what becomes of a period that was billed when its usage changes behind that. A period
// is closed by the invoice that finalizes behind its end, and the sequence up to which its usage
// was counted then is kept: what has a greater one, and lies in it, is late (an event that came, a
// void, an amendment, a revert). What it comes to is the bill of the period now, less all that was
// billed of it, line by line: so tiers, minimums and commitments come out right in either
// direction.
//
// The project's settings say what happens then (catalog/settings.h). Periods that ended longer ago
// than the horizon and their own length together are left alone, and unbilled.h lists their events.
//
// Each document that settles late usage leaves a record of every period: what changed, which
// events, what it came to. Owns tables closed_period, reconciliation.
#pragma once

#include "catalog/settings.h"
#include "flow/aggregate/moved.h"
#include "flow/invoice/issue.h"

// Whether the books have a row of it.
typedef enum ClosedRow { CLOSED_MAY_BE, CLOSED_IS_NEW, CLOSED_IS_STORED } ClosedRow;

typedef struct ClosedPeriod {
    Str       subscription;
    Span      span;
    uint64_t  sequence;  // its usage is billed up to here
    uint64_t  looked_at; // and what fell was credited up to here: never below it
    Str       invoice;   // the last that rated it
    ClosedRow row;
} ClosedPeriod;

typedef struct LatePeriod {
    ClosedPeriod closed;
    UsageMoved   moved;
} LatePeriod;

// Of one subscription.
typedef struct Late {
    LateUsage   policy;  // good when a period was looked at
    LatePeriod *at;      // ascending by start
    size_t      count;
    Instant     since;   // start of the first; INSTANT_END: none
    Instant     horizon; // of periods that ended up to here some were not looked at
    ClosedPeriod *closed;  // all that were, late or not
    size_t        closed_count;
} Late;

typedef struct LateQuery {
    const IssueQuery *issue;
    UsageMoment      *moment;
    Str               account, subscription;
    const TimelineFacts *facts;  // of the subscription
} LateQuery;

// The closed periods within the horizon whose usage changed. STORE_FAILED.
Err *late_find(Arena *arena, const LateQuery *query, Late *late) MUST_CHECK;
// The same in two steps: what the books know (in the caller's transaction), and what moved.
Err *late_closed_of(DbTx *tx, const LateQuery *query, Late *late) MUST_CHECK;
Err *late_moved_of(Arena *arena, const LateQuery *query, Late *late) MUST_CHECK;

// ---- settling at once: the policy creditNote

// Credits what fell since it was billed, in credit notes on the invoices that have the lines; under
// another policy, and where nothing fell, does nothing. Again is harmless. *notes: how many.
// ACCOUNT_NOT_FOUND, what rating refuses, LEDGER_MONTH_CLOSED, STORE_BUSY.
Err *late_settle(Arena *arena, const IssueQuery *query, Str account, size_t *notes) MUST_CHECK;

// ---- records

typedef enum LateState {
    LATE_SETTLED,
    LATE_VOID,   // its document was voided: the period is open again
    LATE_OPEN,   // not stored: what waits now
    LATE_STATE_COUNT
} LateState;
extern const char *const late_state_names[];  // "settled", "void", "open"; ends with NULL

typedef struct LateRecord {
    Str       id;  // rec_…; STR_NONE: open
    Str       account, subscription;
    Span      period;
    LateState state;
    Str       document;  // invoice or credit note; of an open one: the invoice that closed it
    Currency  currency;
    int64_t   amount;    // what it came to without tax; 0 while it is open
    uint64_t  from, to;  // the sequences behind from, up to to
    Str       content;   // JSON: events, first, lines
    Instant   created_at;
} LateRecord;

typedef struct LateRecordPage {
    ProjectId project;
    Str       account;   // STR_NONE: of all
    Str       document;  // STR_NONE: of any; with it, no account
    Str       before;    // ids below this one; STR_NONE: from the newest
    size_t    limit;
} LateRecordPage;
Err *late_records(DbTx *tx, const LateRecordPage *page, LateRecord **records,
                  size_t *count) MUST_CHECK;

// What waits of an account, whatever the policy: subscriptions by id, periods ascending.
Err *late_open(Arena *arena, const IssueQuery *query, Str account, LateRecord **records,
               size_t *count) MUST_CHECK;

// ---- closed periods, for unbilled usage

// Of a subscription, ascending by start: those that the horizon `until` leaves alone.
typedef struct ClosedQuery {
    ProjectId project;
    Str       subscription;
    Instant   until;
} ClosedQuery;
Err *late_closed(DbTx *tx, const ClosedQuery *query, ClosedPeriod **closed,
                 size_t *count) MUST_CHECK;

extern const StatementTable late_table;
