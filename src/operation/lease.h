// What only one of several servers on the same books may have at a time: the usage, the sealing of
// the ledger. A lease ends by itself when it is not kept; the fence rises with every taker, so that
// one that was replaced notices. Owns table lease.
//
// Instants are those of the servers' own clocks: they must agree within some seconds.
#pragma once

#include "db/db.h"
#include "time/instant.h"

enum { LEASE_S = 30, LEASE_KEEP_S = 5 };  // how long it lasts, and how often it is to be kept

typedef struct Lease {
    Str     name;     // "usage"
    Str     holder;   // who has it; the same one takes it again at once
    Str     address;  // where others reach the holder; may be empty
    Str     note;     // the holder's own; may be empty
    int64_t fence;    // from 1
    Instant until;
} Lease;

extern const StatementTable lease_table;  // for DbOptions.tables

// Takes a lease that is free, has ended or is the holder's, and fills fence and until of what is
// wanted; NULL in *other. Another one has it: that is *other, and nothing happened.
Err *lease_take(Db *db, Arena *arena, Lease *wanted, Lease **other) MUST_CHECK;
// Another LEASE_S, and the address as it is in *mine. *kept is false when somebody else took it
// since: whoever hears that has it no longer.
Err *lease_keep(Db *db, Arena *arena, Lease *mine, bool *kept) MUST_CHECK;
// Within a transaction, which then holds on to it: nobody else takes the lease before its end.
// *is_mine is false when somebody else has taken it.
Err *lease_check(DbTx *tx, const Lease *mine, bool *is_mine) MUST_CHECK;
// Others may take it at once. Nothing happens when somebody else has it.
Err *lease_give_up(Db *db, Arena *arena, const Lease *mine) MUST_CHECK;
// NULL in *found: nobody ever had it. It may have ended.
Err *lease_find(Db *db, Arena *arena, Str name, Lease **found) MUST_CHECK;
