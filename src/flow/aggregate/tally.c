// SPDX-License-Identifier: Apache-2.0
// A tally is a state (a level, a sum, the texts that are there) and a slice of events is added to
// it. A meter without `window` is one slice of the whole range, one with it a slice for each of its
// windows, whose values are then aggregated as values of events are.
#include "flow/aggregate/tally.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/vector.h"

struct Tally {
    Arena       *arena;
    const Meter *meter;
    bool         is_known;  // an event came
    Decimal      level;     // of a gauge; of a sum that carries over
    Map         *texts;     // of unique counts: 1 there, 0 taken away
    uint64_t     there;     // how many are
};

typedef struct Slice {
    UsageWindow       span;
    const UsageQuery *query;
    const Counted    *at;
    size_t            count;
} Slice;

static int by_time(const void *a, const void *b)
{
    const Counted *left = a, *right = b;
    if (left->ts.us != right->ts.us)
        return left->ts.us < right->ts.us ? -1 : 1;
    return str_compare(left->unique_id, right->unique_id);
}

void counted_sort(Counted *counted, size_t count)
{
    if (count > 1)
        qsort(counted, count, sizeof *counted, by_time);
}

bool counted_is_later(const Counted *counted, const Counted *than)
{
    return by_time(counted, than) > 0;
}

static Err *too_large(const Tally *tally)
{
    return refuse(tally->arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "what meter \"%.*s\" measured is too large", STR_ARG(tally->meter->id));
}

// ---- the state

Tally *tally_open(Arena *arena, const Meter *meter)
{
    Tally *tally = memory_take(sizeof(Tally));
    tally->arena = arena;
    tally->meter = meter;
    if (meter->aggregation == AGGREGATE_UNIQUE_COUNT)
        tally->texts = map_open();
    return tally;
}

void tally_close(Tally *tally)
{
    if (tally == NULL)
        return;
    map_close(tally->texts);
    memory_release(tally);
}

static void text_take(Tally *tally, const Counted *counted)
{
    uint64_t is_there = 0;
    map_find(tally->texts, counted->text, &is_there);
    if ((is_there == 1) == !counted->removes)
        return;
    map_set(tally->texts, counted->text, counted->removes ? 0 : 1);
    tally->there += counted->removes ? UINT64_MAX : 1;
}

static Err *state_add(Tally *tally, Decimal more)
{
    return decimal_add(tally->level, more, &tally->level) ? NULL : too_large(tally);
}

// What the event does to a state that outlives its window.
static Err *state_take(Tally *tally, const Counted *counted)
{
    bool is_level = tally->meter->aggregation == AGGREGATE_TIME_WEIGHTED &&
                    tally->meter->input == INPUT_LEVEL;
    tally->is_known = true;
    if (tally->meter->aggregation == AGGREGATE_UNIQUE_COUNT)
        text_take(tally, counted);
    else if (is_level)
        tally->level = counted->value;
    else
        return state_add(tally, counted->value);
    return NULL;
}

Err *tally_pass_cell(Tally *tally, bool counts, Decimal value)
{
    const Counted last = { .value = value };
    assert_that(tally->meter->aggregation != AGGREGATE_UNIQUE_COUNT);
    return counts ? state_take(tally, &last) : NULL;
}

Err *tally_pass(Tally *tally, const Counted *counted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(state_take(tally, &counted[i]));
    return NULL;
}

// ---- level x time

// Exact: in 128 bits while it fits, which it does but for the largest levels.
typedef struct Area {
    Int128   e12_us;  // 10^-12 x microseconds
    Rational more;    // the same unit
} Area;

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Of [from, to), without what is behind T and without holes.
static int64_t running_us(const UsageQuery *query, int64_t from, int64_t to)
{
    if (query->until.us != 0)
        to = earlier_of(to, query->until.us);
    int64_t us = later_of(to - from, 0);
    for (size_t i = 0; i < query->hole_count && us > 0; i++) {
        int64_t start = later_of(query->holes[i].start.us, from);
        us -= later_of(earlier_of(query->holes[i].end.us, to) - start, 0);
    }
    return us;
}

static void area_add(Arena *arena, Area *area, Decimal level, int64_t us)
{
    Int128 part, sum;
    if (!__builtin_mul_overflow(level.e12, (Int128)us, &part) &&
        !__builtin_add_overflow(area->e12_us, part, &sum)) {
        area->e12_us = sum;
        return;
    }
    Rational large =
        rational_multiply(arena, rational_of(arena, level), rational_whole(arena, us));
    area->more = rational_add(arena, area->more, large);
}

static int64_t per_us(const Meter *meter, const Slice *slice)
{
    switch (meter->per) {
    case PER_SECOND: return INSTANT_SECOND_US;
    case PER_HOUR: return 3600 * INSTANT_SECOND_US;
    case PER_DAY: return INSTANT_DAY_US;
    case PER_PERIOD:
    case METER_PER_COUNT:
        break;
    }
    if (slice->query->period_us != 0 && !meter->has_window)
        return slice->query->period_us;
    return later_of(slice->span.end.us - slice->span.start.us, 1);
}

static Err *gauge_value(Tally *tally, const Slice *slice, TallyValue *value)
{
    Arena  *arena = tally->arena;
    Area    area = { .more = rational_zero() };
    int64_t at = slice->span.start.us;
    for (size_t i = 0; i < slice->count; i++) {
        int64_t ts = slice->at[i].ts.us;
        area_add(arena, &area, tally->level, running_us(slice->query, at, ts));
        TRY(state_take(tally, &slice->at[i]));
        at = ts;
    }
    area_add(arena, &area, tally->level, running_us(slice->query, at, slice->span.end.us));
    Rational sum =
        rational_add(arena, area.more, rational_of(arena, (Decimal){ area.e12_us }));
    value->has_value = true;
    value->exact = rational_divide(arena, sum, rational_whole(arena, per_us(tally->meter, slice)));
    return NULL;
}

// ---- one value of many

// The rank from 1 on: ceil(p / 100 x count), p in units of 10^-12.
static size_t rank_of(Decimal percentile, size_t count)
{
    const Int128 hundred = (Int128)100 * decimal_whole(1).e12;
    return (size_t)((percentile.e12 * (Int128)count + hundred - 1) / hundred);
}

static int by_value(const void *a, const void *b)
{
    return decimal_compare(*(const Decimal *)a, *(const Decimal *)b);
}

static Rational percentile_of_events(const Tally *tally, const Slice *slice)
{
    Decimal *values = memory_take(slice->count * sizeof(Decimal));
    for (size_t i = 0; i < slice->count; i++)
        values[i] = slice->at[i].value;
    qsort(values, slice->count, sizeof *values, by_value);
    Decimal found = values[rank_of(tally->meter->percentile, slice->count) - 1];
    memory_release(values);
    return rational_of(tally->arena, found);
}

// What a cell holds, of a meter whose values are in its cells.
static Err *cell_becomes(const Tally *tally, const Cell *cell, TallyValue *value)
{
    Aggregation aggregation = tally->meter->aggregation;
    Arena      *arena = tally->arena;
    int64_t     counted = (int64_t)(cell->events - cell->ignored);
    *value = (TallyValue){ counted > 0, rational_zero() };
    if (aggregation == AGGREGATE_COUNT)
        *value = (TallyValue){ true, rational_whole(arena, counted) };
    else if (cell->overflow)
        return too_large(tally);
    else if (aggregation == AGGREGATE_SUM || counted > 0)
        *value = (TallyValue){ true, rational_of(arena, cell->value) };
    if (aggregation == AGGREGATE_AVERAGE && counted > 0)
        value->exact = rational_divide(arena, value->exact, rational_whole(arena, counted));
    return NULL;
}

static Err *events_become(Tally *tally, const Slice *slice, TallyValue *value)
{
    Cell cell = { 0 };
    if (tally->meter->aggregation == AGGREGATE_PERCENTILE) {
        *value = (TallyValue){ slice->count > 0, rational_zero() };
        if (slice->count > 0)
            value->exact = percentile_of_events(tally, slice);
        return NULL;
    }
    for (size_t i = 0; i < slice->count; i++) {
        Measure measure = { .counts = true, .value = slice->at[i].value, .ts = slice->at[i].ts,
                            .unique_id = slice->at[i].unique_id };
        cell_add(&cell, tally->meter->aggregation, &measure);
    }
    return cell_becomes(tally, &cell, value);
}

static int by_size(const void *a, const void *b)
{
    return rational_compare(*(const Rational *)a, *(const Rational *)b);
}

static Rational sum_of(Arena *arena, const Rational *values, size_t count)
{
    Rational sum = rational_zero();
    for (size_t i = 0; i < count; i++)
        sum = rational_add(arena, sum, values[i]);
    return sum;
}

// Of the values of windows, in order of time; they are sorted by size when that is needed.
static TallyValue windows_become(const Tally *tally, Rational *values, size_t count)
{
    Arena     *arena = tally->arena;
    TallyValue value = { count > 0, rational_zero() };
    switch (tally->meter->window_aggregation) {
    case AGGREGATE_COUNT:
        return (TallyValue){ true, rational_whole(arena, (int64_t)count) };
    case AGGREGATE_SUM:
        return (TallyValue){ true, sum_of(arena, values, count) };
    case AGGREGATE_AVERAGE:
        if (count > 0)
            value.exact = rational_divide(arena, sum_of(arena, values, count),
                                          rational_whole(arena, (int64_t)count));
        return value;
    case AGGREGATE_MIN:
        for (size_t i = 0; i < count; i++)
            value.exact = i == 0 ? values[i] : rational_least(value.exact, values[i]);
        return value;
    case AGGREGATE_MAX:
        for (size_t i = 0; i < count; i++)
            value.exact = i == 0 ? values[i] : rational_greatest(value.exact, values[i]);
        return value;
    case AGGREGATE_LATEST:
        if (count > 0)
            value.exact = values[count - 1];
        return value;
    case AGGREGATE_PERCENTILE:
        if (count > 0) {
            qsort(values, count, sizeof *values, by_size);
            value.exact = values[rank_of(tally->meter->percentile, count) - 1];
        }
        return value;
    case AGGREGATE_UNIQUE_COUNT:
    case AGGREGATE_TIME_WEIGHTED:
    case AGGREGATION_COUNT:
        break;
    }
    return value;
}

// ---- slices

static Err *unique_value(Tally *tally, const Slice *slice, TallyValue *value)
{
    if (!tally->meter->carries) {
        map_close(tally->texts);
        tally->texts = map_open();
        tally->there = 0;
    }
    TRY(tally_pass(tally, slice->at, slice->count));
    *value = (TallyValue){ true, rational_whole(tally->arena, (int64_t)tally->there) };
    return NULL;
}

static Err *carried_sum(Tally *tally, const Slice *slice, TallyValue *value)
{
    TRY(tally_pass(tally, slice->at, slice->count));
    *value = (TallyValue){ true, rational_of(tally->arena, tally->level) };
    return NULL;
}

static Err *slice_value(Tally *tally, const Slice *slice, TallyValue *value)
{
    if (tally->meter->aggregation == AGGREGATE_TIME_WEIGHTED)
        return gauge_value(tally, slice, value);
    if (tally->meter->aggregation == AGGREGATE_UNIQUE_COUNT)
        return unique_value(tally, slice, value);
    if (tally->meter->carries)
        return carried_sum(tally, slice, value);
    return events_become(tally, slice, value);
}

// ---- windows of the meter

Err *tally_windows(Arena *arena, const Meter *meter, Instant first, TallyRange *range)
{
    const Zone *zone = range->query->zone == NULL ? zone_utc() : range->query->zone;
    Instant     at = range->window.start, end = range->window.end;
    VECTOR(UsageWindow) inner = { 0 };
    if (at.us == INSTANT_FIRST.us)
        at = window_at(meter->window_unit, zone, first).start;
    while (at.us < end.us && inner.count <= TALLY_WINDOWS_MAX) {
        Span        span = window_at(meter->window_unit, zone, at);
        UsageWindow window = { at, { earlier_of(span.end.us, end.us) } };
        vector_push(&inner, window);
        at = span.end;
    }
    bool fits = inner.count <= TALLY_WINDOWS_MAX;
    range->inner = arena_copy(arena, inner.at, fits ? inner.count * sizeof(UsageWindow) : 0);
    range->inner_count = inner.count;
    vector_release(&inner);
    if (!fits)
        return refuse(arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "the range holds more than %d windows of meter \"%.*s\"", TALLY_WINDOWS_MAX,
                      STR_ARG(meter->id));
    return NULL;
}

// A range without a begin begins with what the group measured first; a level, and what carries
// over, has no value in a window that T has not reached.
static bool window_counts(const Tally *tally, const TallyRange *range, const Slice *slice)
{
    Instant until = range->query->until;
    if (slice->count > 0)
        return true;
    if (range->window.start.us == INSTANT_FIRST.us && !tally->is_known)
        return false;
    return !meter_looks_back(tally->meter) || until.us == 0 || slice->span.start.us < until.us;
}

static Err *windows_value(Tally *tally, const TallyRange *range, const Slice *whole,
                          TallyValue *value)
{
    Rational *values = arena_array(tally->arena, Rational, range->inner_count);
    size_t    count = 0, next = 0;
    for (size_t i = 0; i < range->inner_count; i++) {
        Slice      slice = { range->inner[i], whole->query, whole->at + next, 0 };
        TallyValue one;
        while (next < whole->count && whole->at[next].ts.us < slice.span.end.us) {
            next++;
            slice.count++;
        }
        if (!window_counts(tally, range, &slice))
            continue;
        TRY(slice_value(tally, &slice, &one));
        tally->is_known = tally->is_known || slice.count > 0;
        if (one.has_value)
            values[count++] = one.exact;
    }
    assert_that(next == whole->count);
    *value = windows_become(tally, values, count);
    return NULL;
}

bool tally_takes_cells(const Meter *meter)
{
    return meter->has_window && !meter->carries && meter->aggregation != AGGREGATE_UNIQUE_COUNT &&
           meter->aggregation != AGGREGATE_TIME_WEIGHTED &&
           meter->aggregation != AGGREGATE_PERCENTILE;
}

Err *tally_cells(Tally *tally, const TallyRange *range, const Cell *const *cells,
                 TallyValue *value)
{
    static const Cell nothing;
    Rational *values = arena_array(tally->arena, Rational, range->inner_count);
    size_t    count = 0;
    assert_that(tally_takes_cells(tally->meter));
    for (size_t i = 0; i < range->inner_count; i++) {
        TallyValue one;
        TRY(cell_becomes(tally, cells[i] == NULL ? &nothing : cells[i], &one));
        if (one.has_value)
            values[count++] = one.exact;
    }
    *value = windows_become(tally, values, count);
    return NULL;
}

Err *tally_window(Tally *tally, const TallyRange *range, const Counted *counted, size_t count,
                  TallyValue *value)
{
    Slice whole = { range->window, range->query, counted, count };
    assert_slow(count == 0 || (counted[0].ts.us >= range->window.start.us &&
                               counted[count - 1].ts.us < range->window.end.us));
    if (tally->meter->has_window)
        return windows_value(tally, range, &whole, value);
    return slice_value(tally, &whole, value);
}
