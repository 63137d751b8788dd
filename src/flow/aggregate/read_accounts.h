// Reading for many accounts: the cells of a meter are walked once, in key order, for all of them,
// instead of being sought account by account. Reads of the moment find them here and answer the
// same as without; what is not here (other times, ragged edges, retracted events, cells that hold
// events past the moment's sequence) they look up as always.
#pragma once

#include "flow/aggregate/moment.h"
#include "flow/aggregate/segments.h"

typedef struct UsageAhead UsageAhead;

typedef struct UsageAheadQuery {
    Str                project;
    const Str         *accounts;  // a few hundred to a few thousand; unknown ones are left out
    size_t             account_count;
    const UsageWindow *windows;  // what will be asked for, in any order; they may overlap
    size_t             window_count;
} UsageAheadQuery;

// The moment is as of a sequence. A meter is walked when the first read asks for it. Everything
// lives until usage_ahead_close, which comes before the moment's own.
UsageAhead *usage_ahead_open(UsageMoment *moment, const UsageAheadQuery *query);
void        usage_ahead_close(UsageAhead *ahead);

// ---- for reads of the moment

typedef struct AheadCell {
    SegmentKind kind;  // hours or days
    Instant     start;
    Str         dimensions;
    Cell        cell;
    uint32_t    place;  // of its account
} AheadCell;

typedef struct AheadCells {
    bool             are_here;  // false: they are not known here
    const AheadCell *at;        // of all ranges, in no order
    size_t           count;
} AheadCells;

// All cells of the question's account in the store that lie in the segments, and perhaps others.
// STORE_FAILED.
Err *usage_ahead_find(UsageAhead *ahead, Arena *arena, const MomentQuestion *question,
                      const Segments *segments, AheadCells *cells) MUST_CHECK;
