// What a change of a subscription comes to, before it is made and after it was. One function makes
// both answers, so what was shown is what is billed.
#pragma once

#include "db/db.h"
#include "flow/bill/bill_open.h"
#include "flow/bill/due.h"

typedef struct ChangeQuery {
    const OpenBillQuery      *open;  // rated_at: T, and when a change in memory became known
    Str                       subscription;
    const SubscriptionChange *change;     // as the catalog answered it
    bool                      is_stored;  // false: it is in memory only
    Db                       *books;        // for change_write, as the next
    bool                      shows_bills;  // false: all but the first two members are null
} ChangeQuery;

// Writes {"subscription","change","invoice","upcomingInvoice","bill"}: the account's invoice at the
// change, its next one in that currency (both of issue_preview), and the bill of the period that
// holds the change. What of these is too large to be told is null.
Err *change_write(Arena *arena, const ChangeQuery *query, Text *out) MUST_CHECK;

typedef struct ChangePreview {
    bool has_before, has_after;  // active then, without and with the change, and not too large
    Bill before, after;          // of the period that holds the change
} ChangePreview;

// The bill of the period that holds the change's effect, without it and with it.
Err *bill_preview_change(Arena *arena, const ChangeQuery *query,
                         ChangePreview *preview) MUST_CHECK;

// Refuses a change, asked before it is stored, that makes the bill of its period one that cannot be
// told: AMOUNT_TOO_LARGE. NULL where it could not be told without the change either.
Err *bill_check_change(Arena *arena, const ChangeQuery *query) MUST_CHECK;

// Refuses a subscription, before it is stored, whose first period's bill cannot be told:
// AMOUNT_TOO_LARGE, of its quantities. query->rated_at: now.
Err *bill_check_subscription(Arena *arena, const OpenBillQuery *query,
                             const SubscriptionHistory *made) MUST_CHECK;
