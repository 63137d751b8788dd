// The inside of a Gather, shared by gather.c, which sorts out what is found, and runs.c, which
// answers for meters whose windows follow from each other.
#pragma once

#include "base/map.h"
#include "base/vector.h"
#include "flow/aggregate/gather.h"
#include "flow/aggregate/tally.h"

// A stretch of time that is gathered for itself: a window of the query, or time before and between
// them that a meter looks back at.
typedef struct Piece {
    size_t window;     // of the query; WINDOW_NONE: none
    size_t inner;      // of the meter's own windows in it, where they are pieces
    bool   by_events;  // events are kept one by one, else they become a cell
} Piece;

typedef struct Bucket {
    size_t   piece;
    uint32_t account;  // where accounts are kept apart, else 0
    Str      group;    // encoded like dimensions, of group_by only
    Cell     cell;
    uint64_t unique;   // different texts
    VECTOR(Counted) counted;  // of a piece by events; their texts are in the arena
} Bucket;

struct Gather {
    Arena            *arena;
    const UsageQuery *query;
    const Meter      *meter;
    Aggregation       kept;      // of cells
    UsageWindow      *spans;     // of the pieces: ascending, not overlapping
    Piece            *pieces;
    size_t            piece_count;
    bool              by_inner;    // the meter's own windows are pieces, answered from cells
    TallyRange       *ranges;      // by_inner: of each window
    bool              is_ordered;  // runs.c answers, from events in order of time
    bool              by_account;  // each account has a level of its own
    uint32_t          account;     // of what comes in
    size_t           *group_of;  // for each group_by, the dimension's place
    Str              *values;    // of the tuple at hand; .at == NULL: absent
    Text              scratch, key;
    Map              *found;     // piece + account + group -> bucket
    Map              *texts;     // bucket + text; of unique counts
    VECTOR(Bucket)    buckets;
    UsageTake         hand_on;   // .take == NULL: gather
};

// Decoded values of a group, in the arena.
void gather_group_read(const Gather *gather, Str group, const Str **values);

// Sets the value of a group and its rounded form. AMOUNT_TOO_LARGE.
Err *gather_exact_set(const Gather *gather, UsageGroup *group, Rational exact) MUST_CHECK;
Err *gather_too_large(const Gather *gather) MUST_CHECK;

// The answer of an ordered gather, its buckets sorted by group, account and piece.
Err *runs_finish(Gather *gather, UsageAnswer *answers) MUST_CHECK;
