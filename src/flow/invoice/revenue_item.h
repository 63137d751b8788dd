// What of an account's revenue is not earned when it is invoiced, line by line of its bills:
//
//   accrued   usage that is earned and not invoiced yet: the balance of unbilled:{account}
//   deferred  a fee in advance that is invoiced and not earned yet: amount - earned is the balance
//             of deferred:{account}
//
// A fee in advance is earned by the day of a zone, from the base (the start of its service, or the
// day on which it last changed) to the end of its service:
//   earned(d) = base + (amount - base) x days(base day, d) / days(base day, end), half away from 0
// so that the days sum to the amount whatever days they are asked for. What is earned is gone.
// Owns table revenue_item.
#pragma once

#include "flow/invoice/issue.h"
#include "price/bill.h"

typedef enum RevenueSide { REVENUE_ACCRUED, REVENUE_DEFERRED, REVENUE_SIDE_COUNT } RevenueSide;

// What makes it one item: lines of one charge and one start, groups together.
typedef struct RevenueKey {
    RevenueSide side;
    Str         subscription;
    LineKind    kind;
    Str         charge;  // STR_NONE: of the plan
    Instant     start;   // of service
} RevenueKey;

typedef struct RevenueItem {
    Str         item;     // digest of its key
    RevenueSide side;
    Str         invoice;  // that billed what was accrued; "": none yet, and of deferred ones
    Str         subscription;
    Currency    currency;
    Str         revenue;  // whose revenue it is or becomes, in the ledger
    Span        service;
    int64_t     amount;   // accrued; or invoiced in all. Minor units, without tax
    int64_t     earned, base;  // of a deferred one
    Instant     base_at, earned_until;
    bool        is_stored, is_changed;  // is in the books; is not as it is there
    Str         was;  // its invoice in the books
} RevenueItem;

typedef struct RevenueItems {
    ProjectId    project;
    Str          account;
    RevenueItem *at;
    size_t       count, room;
} RevenueItems;

Str revenue_item_name(Arena *arena, const RevenueKey *key);

// NULL: there is none.
RevenueItem *revenue_item_find(const RevenueItems *items, Str name);
// A new one of amount 0.
RevenueItem *revenue_item_add(Arena *arena, RevenueItems *items, const RevenueItem *item);

// Changes what was invoiced of a fee in advance, of which nothing was earned beyond earned_until.
// Answers how much of `net` moves what is deferred: all that is added, and of what is taken off no
// more than was not earned yet; the rest is revenue's. Service ends at `end` from now on.
int64_t revenue_item_change(RevenueItem *item, int64_t net, Instant end);

// What is earned of it when the day before the local midnight `day` has ended.
int64_t revenue_item_earned(const RevenueItem *item, const Zone *zone, Instant day);

// ---- in the books

// What is not over: accrued and not billed, deferred and not earned.
Err *revenue_items_read(DbTx *tx, ProjectId project, Str account, RevenueItems *items) MUST_CHECK;
// What an invoice billed.
Err *revenue_items_of(DbTx *tx, ProjectId project, Str account, Str invoice,
                      RevenueItems *items) MUST_CHECK;
// Those that changed: an accrued one of 0 and a deferred one with nothing left go.
Err *revenue_items_write(DbTx *tx, const RevenueItems *items) MUST_CHECK;

// How far an account is accrued, and by how many posts.
typedef struct RevenueProgress {
    bool    is_stored;
    Instant until;
    int64_t posts;
} RevenueProgress;
Err *revenue_progress_get(DbTx *tx, ProjectId project, Str account,
                          RevenueProgress *progress) MUST_CHECK;
Err *revenue_progress_set(DbTx *tx, ProjectId project, Str account,
                          const RevenueProgress *progress) MUST_CHECK;

extern const StatementTable revenue_item_table;
