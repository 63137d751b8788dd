// What a meter makes of events that it must see one by one and in order: levels over time,
// percentiles, what carries over, aggregates of local windows. Pure: events in, an exact value out;
// it knows no store, and the order in which events arrived does not matter.
//
//   timeWeighted  the sum of level x time, divided by `per`; from the level at the window's begin
//                 to its end, or to `until`
//   percentile    nearest rank: of n values in order the one at ceil(percentile / 100 x n)
//   window        the value of each local window, clipped to the range, then of these; a window
//                 without events is 0 where nothing is 0, else it is left out; of a gauge and of
//                 what carries over, windows without events end at `until`
#pragma once

#include "flow/aggregate/cell.h"
#include "flow/aggregate/usage.h"

// An event that counts.
typedef struct Counted {
    Instant ts;
    Str     unique_id;
    Decimal value;
    Str     text;     // uniqueCount: what is counted
    bool    removes;  // uniqueCount: it is taken away
} Counted;

// By (ts, unique id): the order in which a tally wants them.
void counted_sort(Counted *counted, size_t count);
bool counted_is_later(const Counted *counted, const Counted *than);

typedef struct TallyRange {
    UsageWindow        window;
    const UsageQuery  *query;  // its holes, until, zone and period_us
    const UsageWindow *inner;  // of a meter with `window`: tally_windows of the range
    size_t             inner_count;
} TallyRange;

enum { TALLY_WINDOWS_MAX = 100000 };

// Cuts the range into the meter's own windows. A range without a begin (INSTANT_FIRST) begins with
// the window of `first`. PARAMETER_INVALID when there are more than TALLY_WINDOWS_MAX.
Err *tally_windows(Arena *arena, const Meter *meter, Instant first, TallyRange *range) MUST_CHECK;

typedef struct TallyValue {
    bool     has_value;
    Rational exact;  // 0 when there is none
} TallyValue;

// What is known of one group at an instant; moves forward in time only.
typedef struct Tally Tally;

Tally *tally_open(Arena *arena, const Meter *meter);
void   tally_close(Tally *tally);

// Events before the next window, all at once: as they are kept in cells (meter_kept), or one by
// one. AMOUNT_TOO_LARGE.
Err *tally_pass_cell(Tally *tally, bool counts, Decimal value) MUST_CHECK;
Err *tally_pass(Tally *tally, const Counted *counted, size_t count) MUST_CHECK;

// Can the meter's own windows be answered from a cell each?
bool tally_takes_cells(const Meter *meter);

// The value of a window from those cells, one for each of range->inner; NULL: nothing happened in
// it. AMOUNT_TOO_LARGE.
Err *tally_cells(Tally *tally, const TallyRange *range, const Cell *const *cells,
                 TallyValue *value) MUST_CHECK;

// The value of a window from its events, in order; windows follow each other. AMOUNT_TOO_LARGE.
Err *tally_window(Tally *tally, const TallyRange *range, const Counted *counted, size_t count,
                  TallyValue *value) MUST_CHECK;
