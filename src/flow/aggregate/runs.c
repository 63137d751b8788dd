// SPDX-License-Identifier: Apache-2.0
// A run is what one group (of one account, where levels are kept apart) did from the first piece of
// time to the last: a tally goes through it and leaves a value in each window.
#include "base/assert.h"
#include "flow/aggregate/gather_inside.h"

// A group's answers, one for each window, on their way.
typedef struct Row {
    UsageGroup group;
    bool       is_there;
} Row;

typedef struct Placed {
    size_t     window;
    UsageGroup group;
} Placed;

typedef struct Runs {
    Gather     *gather;
    TallyRange *ranges;  // of each window
    Row        *rows;    // of the group at hand
    VECTOR(Placed) placed;
} Runs;

static void group_add(UsageGroup *group, const Cell *cell)
{
    group->events += cell->events;
    group->ignored += cell->ignored;
    group->counted += cell->events - cell->ignored;
    digest_add(&group->digest, &cell->digest);
}

// Into the group's row; levels of several accounts are one sum.
static Err *row_set(Runs *runs, Row *row, const TallyValue *value)
{
    Rational exact = value->exact;
    row->is_there = true;
    if (row->group.has_value)
        exact = rational_add(runs->gather->arena, exact, row->group.exact);
    if (value->has_value)
        TRY(gather_exact_set(runs->gather, &row->group, exact));
    if (runs->gather->meter->aggregation == AGGREGATE_SUM)
        row->group.sum = row->group.value;
    return NULL;
}

static Err *piece_pass(Tally *tally, const Piece *piece, const Bucket *bucket)
{
    bool counts = bucket->cell.events > bucket->cell.ignored;
    if (piece->by_events)
        return tally_pass(tally, bucket->counted.at, bucket->counted.count);
    return tally_pass_cell(tally, counts, bucket->cell.value);
}

// `is_begun`: the run had events before the window, so the window has an answer without any.
static Err *window_finish(Runs *runs, Tally *tally, const Piece *piece, const Bucket *bucket,
                          bool is_begun)
{
    static const Bucket nothing;
    Row                *row = &runs->rows[piece->window];
    const Bucket       *found = bucket == NULL ? &nothing : bucket;
    TallyValue          value;
    TRY(tally_window(tally, &runs->ranges[piece->window], found->counted.at, found->counted.count,
                     &value));
    if (bucket == NULL && !is_begun && runs->gather->query->group_count > 0)
        return NULL;
    group_add(&row->group, &found->cell);
    return row_set(runs, row, &value);
}

static Err *run_pieces(Runs *runs, Tally *tally, const Bucket *buckets, size_t count)
{
    const Gather *gather = runs->gather;
    bool          looks_back = meter_looks_back(gather->meter);
    size_t        next = 0;
    for (size_t i = 0; i < gather->piece_count; i++) {
        const Piece  *piece = &gather->pieces[i];
        const Bucket *bucket = next < count && buckets[next].piece == i ? &buckets[next] : NULL;
        if (bucket != NULL && bucket->cell.overflow)
            return gather_too_large(gather);
        if (bucket != NULL && (piece->window == WINDOW_NONE || !piece->by_events))
            TRY(piece_pass(tally, piece, bucket));
        if (piece->window != WINDOW_NONE)
            TRY(window_finish(runs, tally, piece, bucket, looks_back && next > 0));
        next += bucket != NULL;
    }
    assert_that(next == count);
    return NULL;
}

// The cells of a window's inner windows, from the first bucket on; how many buckets it has.
static size_t cells_take(const Runs *runs, size_t window, const Bucket *buckets, size_t count,
                         const Cell **cells)
{
    const Gather *gather = runs->gather;
    size_t        taken = 0;
    for (; taken < count && gather->pieces[buckets[taken].piece].window == window; taken++) {
        cells[gather->pieces[buckets[taken].piece].inner] = &buckets[taken].cell;
        group_add(&runs->rows[window].group, &buckets[taken].cell);
    }
    return taken;
}

static Err *run_inner(Runs *runs, Tally *tally, const Bucket *buckets, size_t count)
{
    const UsageQuery *query = runs->gather->query;
    size_t            next = 0;
    for (size_t i = 0; i < query->window_count; i++) {
        AUTO(Arena) arena = arena_open();
        TallyValue   value;
        const Cell **cells = arena_array(arena, const Cell *, runs->ranges[i].inner_count);
        size_t taken = cells_take(runs, i, buckets + next, count - next, cells);
        next += taken;
        if (taken == 0 && query->group_count > 0)
            continue;
        TRY(tally_cells(tally, &runs->ranges[i], cells, &value));
        TRY(row_set(runs, &runs->rows[i], &value));
    }
    assert_that(next == count);
    return NULL;
}

static Err *run_finish(Runs *runs, const Bucket *buckets, size_t count)
{
    Tally *tally = tally_open(runs->gather->arena, runs->gather->meter);
    for (size_t i = 0; i < count; i++)
        counted_sort(buckets[i].counted.at, buckets[i].counted.count);
    Err *err = runs->gather->by_inner ? run_inner(runs, tally, buckets, count)
                                      : run_pieces(runs, tally, buckets, count);
    tally_close(tally);
    return err;
}

// The group is done: its answers go to their windows.
static void group_finish(Runs *runs, Str group)
{
    const Str *values;
    gather_group_read(runs->gather, group, &values);
    for (size_t i = 0; i < runs->gather->query->window_count; i++) {
        Placed placed = { i, runs->rows[i].group };
        placed.group.values = values;
        if (runs->rows[i].is_there)
            vector_push(&runs->placed, placed);
        runs->rows[i] = (Row){ .group.exact = rational_zero() };
    }
}

static Err *runs_make(Runs *runs)
{
    const Gather *gather = runs->gather;
    const Bucket *buckets = gather->buckets.at;
    size_t        first = 0, count = gather->buckets.count;
    if (count == 0 && gather->query->group_count == 0) {
        TRY(run_finish(runs, NULL, 0));
        group_finish(runs, STR_NONE);
    }
    for (size_t end = 0; first < count; first = end) {
        while (end < count && buckets[end].account == buckets[first].account &&
               str_equal(buckets[end].group, buckets[first].group))
            end++;
        TRY(run_finish(runs, &buckets[first], end - first));
        if (end == count || !str_equal(buckets[end].group, buckets[first].group))
            group_finish(runs, buckets[first].group);
    }
    return NULL;
}

// Groups came in order, each with its windows: they go to the windows in the same order.
static void placed_sort(const Runs *runs, UsageAnswer *answers)
{
    Arena *arena = runs->gather->arena;
    size_t windows = runs->gather->query->window_count;
    for (size_t i = 0; i < windows; i++)
        answers[i] = (UsageAnswer){ NULL, 0 };
    for (size_t i = 0; i < runs->placed.count; i++)
        answers[runs->placed.at[i].window].count++;
    for (size_t i = 0; i < windows; i++) {
        answers[i].groups = arena_array(arena, UsageGroup, answers[i].count);
        answers[i].count = 0;
    }
    for (size_t i = 0; i < runs->placed.count; i++) {
        UsageAnswer *answer = &answers[runs->placed.at[i].window];
        answer->groups[answer->count++] = runs->placed.at[i].group;
    }
}

// When a range has no begin, its windows begin with the first event of any group.
static Instant first_counted(const Gather *gather, size_t window)
{
    Instant first = gather->query->windows[window].end;
    for (size_t i = 0; i < gather->buckets.count; i++) {
        const Bucket *bucket = &gather->buckets.at[i];
        bool          is_of_window = gather->pieces[bucket->piece].window == window;
        for (size_t k = 0; is_of_window && k < bucket->counted.count; k++)
            if (bucket->counted.at[k].ts.us < first.us)
                first = bucket->counted.at[k].ts;
    }
    return first;
}

static Err *ranges_make(Runs *runs)
{
    const Gather     *gather = runs->gather;
    const UsageQuery *query = gather->query;
    runs->ranges = gather->ranges;
    if (gather->by_inner)
        return NULL;
    runs->ranges = arena_array(gather->arena, TallyRange, query->window_count);
    for (size_t i = 0; i < query->window_count; i++) {
        TallyRange *range = &runs->ranges[i];
        Instant     first = query->windows[i].start;
        *range = (TallyRange){ .window = query->windows[i], .query = query };
        if (!gather->meter->has_window)
            continue;
        if (first.us == INSTANT_FIRST.us)
            first = first_counted(gather, i);
        TRY(tally_windows(gather->arena, gather->meter, first, range));
    }
    return NULL;
}

Err *runs_finish(Gather *gather, UsageAnswer *answers)
{
    Runs runs = {
        .gather = gather,
        .rows = arena_array(gather->arena, Row, gather->query->window_count),
    };
    for (size_t i = 0; i < gather->query->window_count; i++)
        runs.rows[i].group.exact = rational_zero();
    Err *err = ranges_make(&runs);
    if (err == NULL)
        err = runs_make(&runs);
    if (err == NULL)
        placed_sort(&runs, answers);
    vector_release(&runs.placed);
    return err;
}
