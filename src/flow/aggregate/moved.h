// What changed in usage behind a sequence: events that came later, that were taken away, that came
// back. Asked for spans of time, each with the sequence up to which its usage is known. An account
// with nothing new costs a seek for each of its streams in each range of seals behind the sequence.
#pragma once

#include "flow/aggregate/usage.h"

typedef struct UsageClosed {
    Instant  start, end;  // [start, end)
    uint64_t since;       // what has a greater sequence is new
} UsageClosed;

typedef enum MoveKind {
    MOVE_ADDED,     // an event came
    MOVE_TAKEN,     // one was taken away, or replaced by an amendment
    MOVE_RETURNED,  // the void that took it away was reverted
    MOVE_KINDS
} MoveKind;
extern const char *const move_kind_names[];  // "added", …; ends with NULL

typedef struct UsageMove {
    MoveKind kind;
    uint64_t sequence;  // from which on reads see it
    Instant  ts;
    Str      unique_id;
} UsageMove;

enum { USAGE_MOVES_SHOWN = 20 };

// Of one span.
typedef struct UsageMoved {
    uint64_t  count;
    uint64_t  newest;  // the highest sequence of them; 0: there is none
    UsageMove first[USAGE_MOVES_SHOWN];  // the lowest sequences, ascending
    size_t    shown;
} UsageMoved;

typedef struct UsageMovedQuery {
    Str                project, account;
    const UsageClosed *closed;
    size_t             count;
} UsageMovedQuery;

// *moved: one for each span, in the arena. The moment stays where it is from then on. STORE_FAILED.
Err *usage_moved(UsageMoment *moment, Arena *arena, const UsageMovedQuery *query,
                 UsageMoved **moved) MUST_CHECK;
