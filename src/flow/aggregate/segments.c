// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/segments.h"

#include "base/assert.h"

#define HOUR_US (INT64_C(3600) * INSTANT_SECOND_US)

static int64_t floor_to(int64_t us, int64_t unit)
{
    int64_t rest = us % unit;
    return us - (rest < 0 ? rest + unit : rest);
}

static int64_t ceiling_to(int64_t us, int64_t unit)
{
    return -floor_to(-us, unit);
}

static void add(Segments *segments, SegmentKind kind, int64_t start, int64_t end)
{
    if (start >= end)
        return;
    Segment *last = segments->count == 0 ? NULL : &segments->at[segments->count - 1];
    if (last != NULL && last->kind == kind && last->end.us == start)
        last->end.us = end;
    else
        segments->at[segments->count++] = (Segment){ kind, { start }, { end } };
}

// [start, end) as: events to the next hour, hours to the next day, days, hours, events.
static void cut(Segments *segments, int64_t start, int64_t end)
{
    int64_t first_hour = ceiling_to(start, HOUR_US), last_hour = floor_to(end, HOUR_US);
    if (first_hour > last_hour) {
        add(segments, SEGMENT_EVENTS, start, end);
        return;
    }
    int64_t first_day = ceiling_to(first_hour, INSTANT_DAY_US);
    int64_t last_day = floor_to(last_hour, INSTANT_DAY_US);
    add(segments, SEGMENT_EVENTS, start, first_hour);
    if (first_day > last_day) {
        add(segments, SEGMENT_HOURS, first_hour, last_hour);
    } else {
        add(segments, SEGMENT_HOURS, first_hour, first_day);
        add(segments, SEGMENT_DAYS, first_day, last_day);
        add(segments, SEGMENT_HOURS, last_day, last_hour);
    }
    add(segments, SEGMENT_EVENTS, last_hour, end);
}

Segments segments_of(Arena *arena, const UsageWindow *windows, size_t count)
{
    enum { MOST_OF_ONE = 5 };
    Segments segments = { arena_array(arena, Segment, MOST_OF_ONE * count), 0 };
    for (size_t i = 0; i < count; i++) {
        assert_that(i == 0 || windows[i - 1].end.us <= windows[i].start.us);
        cut(&segments, windows[i].start.us, windows[i].end.us);
    }
    return segments;
}

// Of whole hours or days: the part between two hours that are loose. Only days become less than
// they were; hours that were hours may belong to windows of an hour each.
static void add_whole(Segments *segments, SegmentKind kind, int64_t start, int64_t end)
{
    if (kind == SEGMENT_DAYS)
        cut(segments, start, end);
    else
        add(segments, kind, start, end);
}

// The first of the hours that ends behind the instant.
static size_t hour_from(SegmentHours hours, int64_t us)
{
    size_t low = 0, high = hours.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((hours.at[middle] + 1) * HOUR_US <= us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Segments segments_loosen(Arena *arena, const Segments *segments, SegmentHours hours)
{
    enum { MOST_OF_PART = 3 };  // of one part between loose hours, and one for the hour
    size_t   room = segments->count + (MOST_OF_PART + 1) * (segments->count + hours.count);
    Segments loose = { arena_array(arena, Segment, room), 0 };
    for (size_t i = 0; i < segments->count; i++) {
        const Segment *at = &segments->at[i];
        int64_t        start = at->start.us, end = at->end.us;
        for (size_t k = hour_from(hours, start); k < hours.count && at->kind != SEGMENT_EVENTS;
             k++) {
            int64_t hour = hours.at[k] * HOUR_US;
            if (hour >= end)
                break;
            add_whole(&loose, at->kind, start, hour);
            add(&loose, SEGMENT_EVENTS, hour, hour + HOUR_US);
            start = hour + HOUR_US;
        }
        if (at->kind == SEGMENT_EVENTS)
            add(&loose, at->kind, start, end);
        else
            add_whole(&loose, at->kind, start, end);
    }
    return loose;
}

const Segment *segments_find(const Segments *segments, SegmentKind kind, Instant start)
{
    size_t low = 0, high = segments->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (segments->at[middle].end.us <= start.us)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == segments->count)
        return NULL;
    const Segment *segment = &segments->at[low];
    return segment->kind == kind && segment->start.us <= start.us ? segment : NULL;
}

size_t window_find(const UsageWindow *windows, size_t count, Instant instant)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (windows[middle].end.us <= instant.us)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && windows[low].start.us <= instant.us ? low : WINDOW_NONE;
}
