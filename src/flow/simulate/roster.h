// Who is repriced, in the order in which it happens and in which results are listed: accounts that
// usage has named, in the order of their first usage (in which the usage store can be walked), then
// the others by id. The same for one simulation whenever it is read.
#pragma once

#include "flow/simulate/simulation.h"

typedef struct RosterEntry {
    uint64_t            number;  // place among the accounts that usage has named, or ROSTER_UNNAMED
    Str                 account;
    const Subscription *first;  // its subscriptions by id, those that T knows; NULL: none
} RosterEntry;
#define ROSTER_UNNAMED UINT64_MAX

typedef struct Roster {
    RosterEntry *at;
    size_t       count;
    Str          project_zone;
} Roster;

// The subscription behind it of the same account; NULL: that was the last.
const Subscription *roster_next(const Subscription *subscription);

typedef struct RosterSource {
    Catalog                 *catalog;
    Partition               *partition;
    const Simulation        *simulation;
    const SimulationRequest *request;
} RosterSource;

// Everything is in the arena. ACCOUNT_NOT_FOUND, STORE_FAILED.
Err *roster_read(Arena *arena, const RosterSource *source, Roster *roster) MUST_CHECK;
