// SPDX-License-Identifier: Apache-2.0
// Every instant of every window is in exactly one segment and no other instant in any; whole hours
// and days of a window are never left to events.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/segments.h"

#define HALF_HOUR (INT64_C(1800) * INSTANT_SECOND_US)
#define HOUR (2 * HALF_HOUR)
#define DAY INSTANT_DAY_US

enum { WINDOWS = 8 };

static int64_t floored(int64_t us, int64_t unit)
{
    int64_t number = us / unit;
    return (number * unit > us ? number - 1 : number) * unit;
}

// A step forward: nothing, any microseconds, half hours, hours or days.
static int64_t step(Seeded *seeded)
{
    switch (seeded_below(seeded, 6)) {
    case 0: return 0;
    case 1: return 1 + (int64_t)seeded_below(seeded, 5);
    case 2: return (int64_t)seeded_below(seeded, 3 * (uint64_t)DAY);
    case 3: return HALF_HOUR * (int64_t)seeded_below(seeded, 100);
    case 4: return HOUR * (int64_t)seeded_below(seeded, 60);
    default: return DAY * (int64_t)seeded_below(seeded, 5);
    }
}

// Around 1970 and around 2026, in and out of step with hours and days.
static size_t windows_make(Seeded *seeded, UsageWindow *windows)
{
    size_t  count = seeded_below(seeded, WINDOWS + 1);
    int64_t at = seeded_below(seeded, 2) == 0 ? -5 * DAY : INT64_C(1781049600000000);
    at += step(seeded);
    for (size_t i = 0; i < count; i++) {
        at += seeded_below(seeded, 2) == 0 ? 0 : step(seeded);
        windows[i].start.us = at;
        at += step(seeded);
        windows[i].end.us = at;
    }
    return count;
}

static size_t window_slowly(const UsageWindow *windows, size_t count, int64_t us)
{
    for (size_t i = 0; i < count; i++)
        if (windows[i].start.us <= us && us < windows[i].end.us)
            return i;
    return WINDOW_NONE;
}

static void check_instant(const Segments *segments, const UsageWindow *windows, size_t count,
                          int64_t us)
{
    size_t window = window_slowly(windows, count, us), holders = 0;
    for (size_t i = 0; i < segments->count; i++) {
        const Segment *segment = &segments->at[i];
        bool           holds = segment->start.us <= us && us < segment->end.us;
        holders += holds;
        for (int kind = 0; holds && kind < SEGMENT_KINDS; kind++)
            assert_ptr_equal(segments_find(segments, (SegmentKind)kind, (Instant){ us }),
                             (int)segment->kind == kind ? segment : NULL);
    }
    assert_int_equal(holders, window == WINDOW_NONE ? 0 : 1);
    assert_true(window_find(windows, count, (Instant){ us }) == window);
    for (int kind = 0; holders == 0 && kind < SEGMENT_KINDS; kind++)
        assert_null(segments_find(segments, (SegmentKind)kind, (Instant){ us }));
}

static void check_edges(const Segments *segments, const UsageWindow *windows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int64_t offset = -1; offset <= 1; offset++) {
            check_instant(segments, windows, count, windows[i].start.us + offset);
            check_instant(segments, windows, count, windows[i].end.us + offset);
            int64_t middle = windows[i].start.us + (windows[i].end.us - windows[i].start.us) / 2;
            check_instant(segments, windows, count, middle);
        }
    for (size_t i = 0; i < segments->count; i++)
        for (int64_t offset = -1; offset <= 1; offset++) {
            check_instant(segments, windows, count, segments->at[i].start.us + offset);
            check_instant(segments, windows, count, segments->at[i].end.us + offset);
        }
}

static void check_shape(const Segments *segments, const UsageWindow *windows, size_t count)
{
    int64_t wanted = 0, covered = 0;
    for (size_t i = 0; i < count; i++)
        wanted += windows[i].end.us - windows[i].start.us;
    for (size_t i = 0; i < segments->count; i++) {
        const Segment *segment = &segments->at[i];
        int64_t unit = segment->kind == SEGMENT_DAYS ? DAY
                     : segment->kind == SEGMENT_HOURS ? HOUR : 1;
        assert_true(segment->start.us < segment->end.us);
        assert_true(floored(segment->start.us, unit) == segment->start.us);
        assert_true(floored(segment->end.us, unit) == segment->end.us);
        covered += segment->end.us - segment->start.us;
        if (i == 0)
            continue;
        assert_true(segment[-1].end.us <= segment->start.us);
        assert_true(segment[-1].end.us < segment->start.us || segment[-1].kind != segment->kind);
    }
    assert_true(covered == wanted);
}

// Cells answer for whatever whole hour or day lies in one window.
static void check_cells_are_used(const Segments *segments, const UsageWindow *window)
{
    int64_t first = -floored(-window->start.us, HOUR);
    for (int64_t hour = first; hour + HOUR <= window->end.us; hour += HOUR) {
        int64_t day = floored(hour, DAY);
        bool    in_day = day >= window->start.us && day + DAY <= window->end.us;
        SegmentKind kind = in_day ? SEGMENT_DAYS : SEGMENT_HOURS;
        assert_non_null(segments_find(segments, kind, (Instant){ hour }));
    }
}

static void every_instant_is_in_exactly_one_segment(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(31);
    for (int round = 0; round < 2000; round++) {
        AUTO(Arena) arena = arena_open();
        UsageWindow windows[WINDOWS];
        size_t      count = windows_make(&seeded, windows);
        Segments    segments = segments_of(arena, windows, count);
        check_shape(&segments, windows, count);
        check_edges(&segments, windows, count);
        for (size_t i = 0; i < count; i++)
            check_cells_are_used(&segments, &windows[i]);
    }
}

static bool is_loose(SegmentHours hours, int64_t hour)
{
    for (size_t i = 0; i < hours.count; i++)
        if (hours.at[i] == hour)
            return true;
    return false;
}

// Around where windows_make makes them, ascending.
static SegmentHours hours_make(Arena *arena, Seeded *seeded, const UsageWindow *windows)
{
    size_t       count = seeded_below(seeded, 30);
    int64_t     *at = arena_array(arena, int64_t, count), hour;
    SegmentHours hours = { at, count };
    hour = floored(windows[0].start.us, HOUR) / HOUR - 30;
    for (size_t i = 0; i < count; i++)
        at[i] = hour += 1 + (seeded_below(seeded, 2) == 0 ? 0 : (int64_t)seeded_below(seeded, 40));
    return hours;
}

static void check_loose(const Segments *segments, const UsageWindow *window, SegmentHours hours)
{
    int64_t first = -floored(-window->start.us, HOUR);
    for (int64_t hour = first; hour + HOUR <= window->end.us; hour += HOUR) {
        const Segment *days = segments_find(segments, SEGMENT_DAYS, (Instant){ hour });
        const Segment *whole = segments_find(segments, SEGMENT_HOURS, (Instant){ hour });
        const Segment *events = segments_find(segments, SEGMENT_EVENTS, (Instant){ hour });
        if (is_loose(hours, hour / HOUR - (hour % HOUR < 0)))
            assert_true(days == NULL && whole == NULL && events != NULL);
        else
            assert_true((days != NULL || whole != NULL) && events == NULL);
    }
}

// A loose hour is the events' own, and no other that was not before.
static void loose_hours_are_left_to_events(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(32);
    for (int round = 0; round < 2000; round++) {
        AUTO(Arena) arena = arena_open();
        UsageWindow windows[WINDOWS];
        size_t      count = windows_make(&seeded, windows);
        if (count == 0)
            continue;
        SegmentHours hours = hours_make(arena, &seeded, windows);
        Segments     whole = segments_of(arena, windows, count);
        Segments     loose = segments_loosen(arena, &whole, hours);
        check_shape(&loose, windows, count);
        check_edges(&loose, windows, count);
        for (size_t i = 0; i < count; i++)
            check_loose(&loose, &windows[i], hours);
    }
}

static void assert_segments(UsageWindow window, const Segment *expected, size_t count)
{
    AUTO(Arena) arena = arena_open();
    Segments segments = segments_of(arena, &window, 1);
    assert_int_equal(segments.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(segments.at[i].kind, expected[i].kind);
        assert_true(segments.at[i].start.us == expected[i].start.us);
        assert_true(segments.at[i].end.us == expected[i].end.us);
    }
}

static void windows_are_cut_as_worked_by_hand(void **state)
{
    (void)state;
    UsageWindow ragged = { { -DAY - HALF_HOUR }, { DAY + HOUR + 1 } };
    Segment     five[] = {
        { SEGMENT_EVENTS, { -DAY - HALF_HOUR }, { -DAY } },
        { SEGMENT_DAYS, { -DAY }, { DAY } },
        { SEGMENT_HOURS, { DAY }, { DAY + HOUR } },
        { SEGMENT_EVENTS, { DAY + HOUR }, { DAY + HOUR + 1 } },
    };
    assert_segments(ragged, five, 4);
    UsageWindow inside = { { 3 * HOUR + 1 }, { 4 * HOUR - 1 } };
    Segment     events[] = { { SEGMENT_EVENTS, { 3 * HOUR + 1 }, { 4 * HOUR - 1 } } };
    assert_segments(inside, events, 1);
    UsageWindow over_an_hour = { { 4 * HOUR - 1 }, { 4 * HOUR + 1 } };
    Segment     two_edges[] = { { SEGMENT_EVENTS, { 4 * HOUR - 1 }, { 4 * HOUR + 1 } } };
    assert_segments(over_an_hour, two_edges, 1);
    UsageWindow midnight = { { -HOUR }, { HOUR } };
    Segment     hours[] = { { SEGMENT_HOURS, { -HOUR }, { HOUR } } };
    assert_segments(midnight, hours, 1);
    UsageWindow nothing = { { HALF_HOUR }, { HALF_HOUR } };
    assert_segments(nothing, NULL, 0);
}

static void the_whole_of_time_can_be_asked_for(void **state)
{
    (void)state;
    UsageWindow all = { INSTANT_FIRST, INSTANT_END };
    Segment     days[] = { { SEGMENT_DAYS, INSTANT_FIRST, INSTANT_END } };
    assert_segments(all, days, 1);
    AUTO(Arena) arena = arena_open();
    assert_int_equal(segments_of(arena, NULL, 0).count, 0);
    assert_true(window_find(NULL, 0, (Instant){ 0 }) == WINDOW_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instant_is_in_exactly_one_segment),
        cmocka_unit_test(loose_hours_are_left_to_events),
        cmocka_unit_test(windows_are_cut_as_worked_by_hand),
        cmocka_unit_test(the_whole_of_time_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
