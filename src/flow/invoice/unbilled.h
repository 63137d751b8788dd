// Events that no bill counts, and why: money that may be lost because an account was never
// subscribed, a plan forgot a meter, or an event carries no number.
#pragma once

#include "flow/aggregate/usage.h"
#include "flow/bill/timeline.h"

// In the order of how far an event came: it is told the last of the reasons that hold.
typedef enum UnbilledReason {
    UNBILLED_NO_SUBSCRIPTION,       // the account has none
    UNBILLED_OUTSIDE_SUBSCRIPTION,  // none is active then, or its usage is free in a pause
    UNBILLED_NO_CHARGE,             // no charge counts it: other meters, or other filters
    UNBILLED_IGNORED,               // a charge's meter does, but the event brings it no number
    UNBILLED_BEYOND_HORIZON,        // it came when its period was billed, too long ago to be billed
                                    // again; or refused with timestamp_too_old, of the newest
    UNBILLED_REASONS
} UnbilledReason;
extern const char *const unbilled_reason_names[];  // "no_subscription", …; ends with NULL

enum {
    UNBILLED_ACCOUNTS_MAX = 1000,          // looked at in one answer
    UNBILLED_ACCOUNT_EVENTS_MAX = 100000,  // of one account
    UNBILLED_EVENTS_MAX = 200000,          // of one answer, but for its last account
    UNBILLED_NAMES_MAX = 20,
    UNBILLED_EXAMPLES_MAX = 10
};

typedef struct UnbilledExample {
    Str     unique_id;
    Str     account, event;  // STR_NONE: not known
    Instant ts;
} UnbilledExample;

typedef struct UnbilledNames {
    Str    at[UNBILLED_NAMES_MAX];
    size_t count;
} UnbilledNames;

typedef struct UnbilledRow {
    uint64_t        events;
    uint64_t        account_count;
    UnbilledNames   accounts, streams;  // the first of them
    UnbilledExample examples[UNBILLED_EXAMPLES_MAX];
    size_t          example_count;
} UnbilledRow;

typedef struct UnbilledQuery {
    Db        *books;
    Catalog   *catalog;
    Partition *partition;
    ProjectId  project;
    Instant    from, to;  // ts of the events: [from, to)
    Instant    now;       // T: what is known of subscriptions
    Str        after;     // accounts behind this one; STR_NONE: from the first
    size_t     limit;     // accounts: 1..UNBILLED_ACCOUNTS_MAX
} UnbilledQuery;

typedef struct Unbilled {
    UnbilledRow   rows[UNBILLED_REASONS];
    UnbilledNames unfinished;  // accounts with more events than were looked at
    Str           last;        // account looked at
    bool          has_more;    // there are accounts behind it
} Unbilled;

Err *unbilled_find(Arena *arena, const UnbilledQuery *query, Unbilled *unbilled) MUST_CHECK;
