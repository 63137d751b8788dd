// Corrections of usage that was accepted. Nothing is edited: an event is taken away (a void), comes
// back (the void is reverted), or gives way to another one under the same id (it is amended), each
// from a sequence of its own on; reads as of an earlier one are what they were.
// docs/decisions/0007-a-void-is-a-row-and-a-hole.md.
#pragma once

#include "flow/aggregate/usage.h"

enum { VOID_EVENTS_MAX = 1000000, VOID_REASON_BYTES = 1024, VOID_TERMS_MAX = 16 };

// ---- choosing

// Events of one project that are to be taken away, as they were at one moment.
typedef struct VoidSet VoidSet;

typedef struct VoidFilter {
    Str     project;
    Str     account;     // STR_NONE: all; it or `event` is required
    Str     event;       // STR_NONE: all streams
    Instant from, to;    // [from, to)
    Filter  properties;  // all terms hold
    size_t  most;        // events: at most VOID_EVENTS_MAX
} VoidFilter;

// Events that count at the moment and that the filter holds for. VOID_TOO_LARGE: more than `most`.
Err *usage_choose(UsageMoment *moment, Arena *arena, const VoidFilter *filter,
                  VoidSet **set) MUST_CHECK;

typedef struct VoidIds {
    Str        project;
    const Str *at;
    size_t     count;
} VoidIds;
// Those that are void already are left out. EVENT_NOT_FOUND, with a fault "/uniqueIds/3" for each
// id that no event has.
Err *usage_choose_ids(UsageMoment *moment, Arena *arena, const VoidIds *ids,
                      VoidSet **set) MUST_CHECK;

size_t  void_set_count(const VoidSet *set);
Hash128 void_set_digest(const VoidSet *set);  // equal: the same events
// The events of a void, void or not.
Err *usage_choose_void(UsageMoment *moment, Arena *arena, Str project, Str id,
                       VoidSet **set) MUST_CHECK;

// The instants at which events of the set lie, account by account.
typedef struct VoidInstants {
    Str            account;
    const Instant *at;     // ascending, each once
    size_t         count;
} VoidInstants;
// In the order in which the set first names an account.
VoidInstants *void_set_instants(const VoidSet *set, Arena *arena, size_t *count);

// From now on reads of the moment are as if the set were void too. Once a moment.
void usage_moment_without(UsageMoment *moment, const VoidSet *set);

// ---- doing

typedef struct Void {
    Str      id, reason;
    uint64_t sequence;     // reads as of it, or newer, do not count the events
    uint64_t upto;         // events up to this sequence were looked at
    Instant  at;
    size_t   count;        // events
    bool     is_reverted;
    uint64_t reverted;     // sequence from which they count again
    Instant  reverted_at;
} Void;

typedef struct VoidOrder {
    const VoidSet *set;
    Str            reason;    // at most VOID_REASON_BYTES
    Hash128        key;       // of the request: repeated, it answers the void it made; all 0: none
    bool           is_exact;  // VOID_TOKEN_STALE when an event of the set is void by now
} VoidOrder;

// Durable when it returns NULL. *made NULL: all of them are void already, or the set is empty.
// JOURNAL_FAILED, QUEUE_FULL, NOT_READY.
Err *partition_void(Partition *partition, Arena *arena, const VoidOrder *order,
                    Void **made) MUST_CHECK;
// Its events count again, but for those that another void holds or that were amended. Again: the
// same answer. VOID_NOT_FOUND.
Err *partition_void_revert(Partition *partition, Arena *arena, Str project, Str id,
                           Void **reverted) MUST_CHECK;

typedef struct Amendment {
    Event event;           // the replacement: identified, refusal NULL; event and account as stored
    const UsageEvent *of;  // what it replaces: the newest of its id at some moment
} Amendment;
typedef struct Amendments {
    Str        project;
    Amendment *at;        // no id twice
    size_t     count;
    Instant    received;
    uint64_t   sequence;  // answered: of the last replacement; reads as of it see them all
} Amendments;
// All or nothing. STORE_BUSY: one of them was amended in between; look again. SEALING_BEHIND.
Err *partition_amend(Partition *partition, Arena *arena, Amendments *amendments) MUST_CHECK;

// ---- reading

Err *usage_void_find(Partition *partition, Arena *arena, Str project, Str id,
                     Void **found) MUST_CHECK;  // VOID_NOT_FOUND

// The void that a request of this key made; NULL: none.
Void *usage_void_of_key(Partition *partition, Arena *arena, Hash128 key);

typedef struct VoidPage {
    Str      project;
    bool     has_before;  // continue behind it
    uint64_t before;      // voids with a lower sequence
    size_t   limit;
} VoidPage;
typedef struct VoidList {
    Void  *at;     // newest first
    size_t count;
    bool   has_more;
} VoidList;
VoidList usage_voids(Partition *partition, Arena *arena, const VoidPage *page);
