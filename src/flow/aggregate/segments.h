// Windows cut into what cells can answer: whole UTC days, whole hours at their edges, and the
// ragged rest that only events can answer. Neighbours of one kind are joined, so that one seek
// serves them.
#pragma once

#include "flow/aggregate/usage.h"

typedef enum SegmentKind { SEGMENT_EVENTS, SEGMENT_HOURS, SEGMENT_DAYS, SEGMENT_KINDS } SegmentKind;

typedef struct Segment {
    SegmentKind kind;
    Instant     start, end;
} Segment;

typedef struct Segments {
    Segment *at;  // ascending, not overlapping; every instant of every window is in exactly one
    size_t   count;
} Segments;

Segments segments_of(Arena *arena, const UsageWindow *windows, size_t count);

// The same, but that these UTC hours since 1970 (ascending, each once) can be answered by events
// alone.
typedef struct SegmentHours {
    const int64_t *at;
    size_t         count;
} SegmentHours;
Segments segments_loosen(Arena *arena, const Segments *segments, SegmentHours hours);

// The segment of that kind that holds [start, start + one unit of it), or holds the instant; NULL:
// none.
const Segment *segments_find(const Segments *segments, SegmentKind kind, Instant start);

#define WINDOW_NONE SIZE_MAX
size_t window_find(const UsageWindow *windows, size_t count, Instant instant);
