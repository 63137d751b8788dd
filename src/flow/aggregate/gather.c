// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/gather_inside.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "money/rounding.h"

static bool dimension_find(const Meter *meter, Str key, size_t *place)
{
    for (size_t i = 0; i < meter->dimension_count; i++)
        if (str_equal(meter->dimensions[i], key)) {
            *place = i;
            return true;
        }
    return false;
}

static Err *no_dimension(Arena *arena, const Meter *meter, Str key)
{
    return refuse(arena, ERR_PARAMETER_INVALID, STR_NONE, "\"%.*s\" is not a dimension of meter "
                  "\"%.*s\"", STR_ARG(key), STR_ARG(meter->id));
}

static Err *filter_check(Arena *arena, const Meter *meter, const Filter *filter)
{
    size_t place;
    for (size_t i = 0; i < filter->count; i++)
        if (!dimension_find(meter, filter->terms[i].key, &place))
            return no_dimension(arena, meter, filter->terms[i].key);
    return NULL;
}

static void piece_add(Gather *gather, UsageWindow span, Piece piece)
{
    if (piece.window == WINDOW_NONE && span.start.us >= span.end.us)
        return;
    gather->spans[gather->piece_count] = span;
    gather->pieces[gather->piece_count++] = piece;
}

// The query's windows; with all that lies before each, for a meter that looks back.
static void pieces_make(Gather *gather)
{
    const UsageQuery *query = gather->query;
    const Meter      *meter = gather->meter;
    bool              looks_back = meter_looks_back(meter);
    bool    is_unique = meter->aggregation == AGGREGATE_UNIQUE_COUNT;
    Instant at = INSTANT_FIRST;
    gather->spans = arena_array(gather->arena, UsageWindow, 2 * query->window_count);
    gather->pieces = arena_array(gather->arena, Piece, 2 * query->window_count);
    for (size_t i = 0; i < query->window_count; i++) {
        UsageWindow before = { at, query->windows[i].start };
        if (looks_back)
            piece_add(gather, before, (Piece){ WINDOW_NONE, 0, is_unique });
        piece_add(gather, query->windows[i], (Piece){ i, 0, meter_needs_events(meter) });
        at = query->windows[i].end;
    }
}

// The meter's own windows in those of the query.
static Err *inner_pieces_make(Gather *gather)
{
    const UsageQuery *query = gather->query;
    size_t            count = 0;
    gather->ranges = arena_array(gather->arena, TallyRange, query->window_count);
    for (size_t i = 0; i < query->window_count; i++) {
        TallyRange *range = &gather->ranges[i];
        *range = (TallyRange){ .window = query->windows[i], .query = query };
        TRY(tally_windows(gather->arena, gather->meter, range->window.start, range));
        count += range->inner_count;
    }
    gather->spans = arena_array(gather->arena, UsageWindow, count);
    gather->pieces = arena_array(gather->arena, Piece, count);
    gather->piece_count = 0;
    gather->by_inner = true;
    for (size_t i = 0; i < query->window_count; i++)
        for (size_t k = 0; k < gather->ranges[i].inner_count; k++)
            piece_add(gather, gather->ranges[i].inner[k], (Piece){ i, k, false });
    return NULL;
}

// A range without a begin has windows from its first event on, which only events tell.
static bool takes_inner(const UsageQuery *query, const Meter *meter)
{
    return tally_takes_cells(meter) && query->window_count > 0 &&
           query->windows[0].start.us != INSTANT_FIRST.us;
}

static bool is_ordered(const Meter *meter)
{
    return meter->aggregation == AGGREGATE_UNIQUE_COUNT
               ? meter->carries || meter->has_window || meter->operation_property.at != NULL
               : meter_needs_events(meter) || meter->carries;
}

Err *gather_open(Arena *arena, const UsageQuery *query, const Meter *meter, Gather **out)
{
    size_t *group_of = arena_array(arena, size_t, query->group_count);
    TRY(filter_check(arena, meter, &query->match));
    for (size_t i = 0; i < query->except_count; i++)
        TRY(filter_check(arena, meter, &query->except[i]));
    for (size_t i = 0; i < query->group_count; i++)
        if (!dimension_find(meter, query->group_by[i], &group_of[i]))
            return no_dimension(arena, meter, query->group_by[i]);
    Gather *gather = memory_take(sizeof(Gather));
    gather->arena = arena;
    gather->query = query;
    gather->meter = meter;
    gather->kept = meter_kept(meter);
    gather->is_ordered = is_ordered(meter);
    gather->by_account = query->account.at == NULL && meter_kept(meter) == AGGREGATE_LATEST &&
                         meter->aggregation == AGGREGATE_TIME_WEIGHTED;
    pieces_make(gather);
    gather->group_of = group_of;
    gather->values = arena_array(arena, Str, meter->dimension_count);
    gather->scratch = text_open_own();
    gather->key = text_open_own();
    gather->found = map_open();
    gather->texts = map_open();
    *out = gather;
    return NULL;
}

void gather_close(Gather *gather)
{
    if (gather == NULL)
        return;
    for (size_t i = 0; i < gather->buckets.count; i++)
        vector_release(&gather->buckets.at[i].counted);
    vector_release(&gather->buckets);
    text_close(&gather->scratch);
    text_close(&gather->key);
    map_close(gather->found);
    map_close(gather->texts);
    memory_release(gather);
}

// ---- what to read

// The windows without the holes.
static UsageWindow *spans_between(const Gather *gather, size_t *count)
{
    const UsageQuery *query = gather->query;
    size_t            most = gather->piece_count * (query->hole_count + 1), hole = 0;
    UsageWindow      *spans = arena_array(gather->arena, UsageWindow, most);
    *count = 0;
    for (size_t i = 0; i < gather->piece_count; i++) {
        UsageWindow rest = gather->spans[i];
        while (hole > 0 && query->holes[hole - 1].end.us > rest.start.us)
            hole--;
        for (; hole < query->hole_count && query->holes[hole].start.us < rest.end.us; hole++) {
            UsageWindow before = { rest.start, query->holes[hole].start };
            if (before.start.us < before.end.us)
                spans[(*count)++] = before;
            if (query->holes[hole].end.us > rest.start.us)
                rest.start = query->holes[hole].end;
        }
        if (rest.start.us < rest.end.us)
            spans[(*count)++] = rest;
    }
    return spans;
}

static void segments_add(Segments *segments, const Segments *more)
{
    for (size_t i = 0; i < more->count; i++)
        segments->at[segments->count++] = more->at[i];
}

// Pieces by events and others side by side.
static Segments segments_of_pieces(const Gather *gather)
{
    enum { MOST_OF_ONE = 5 };
    Segments segments = { arena_array(gather->arena, Segment, MOST_OF_ONE * gather->piece_count),
                          0 };
    for (size_t i = 0; i < gather->piece_count; i++) {
        const UsageWindow *span = &gather->spans[i];
        Segment            events = { SEGMENT_EVENTS, span->start, span->end };
        Segments           part = { &events, span->start.us < span->end.us ? 1 : 0 };
        if (!gather->pieces[i].by_events)
            part = segments_of(gather->arena, span, 1);
        segments_add(&segments, &part);
    }
    return segments;
}

Err *gather_segments(Gather *gather, Segments *segments)
{
    size_t count;
    if (gather->hand_on.take == NULL && takes_inner(gather->query, gather->meter))
        TRY(inner_pieces_make(gather));
    bool by_events = meter_needs_events(gather->meter) && !gather->by_inner;
    if (gather->hand_on.take != NULL || by_events || meter_looks_back(gather->meter)) {
        *segments = segments_of_pieces(gather);
        return NULL;
    }
    UsageWindow *spans = spans_between(gather, &count);
    *segments = segments_of(gather->arena, spans, count);
    return NULL;
}

// Does what happens then not count? What a level is and what carries over changes all the same.
static bool is_in_hole(const Gather *gather, Instant ts)
{
    const UsageQuery *query = gather->query;
    return query->hole_count > 0 && !meter_looks_back(gather->meter) &&
           window_find(query->holes, query->hole_count, ts) != WINDOW_NONE;
}

void gather_account(Gather *gather, uint32_t account)
{
    gather->account = gather->by_account ? account : 0;
}

static void values_read(Gather *gather, Str dimensions)
{
    Reader reader = reader_of(dimensions);
    for (size_t i = 0; i < gather->meter->dimension_count; i++)
        gather->values[i] = reader_u8(&reader) == 1 ? reader_counted(&reader) : STR_NONE;
}

static bool filter_holds(const Gather *gather, const Filter *filter)
{
    for (size_t i = 0; i < filter->count; i++) {
        const FilterTerm *term = &filter->terms[i];
        size_t            place = 0;
        bool              holds = false;
        dimension_find(gather->meter, term->key, &place);
        if (gather->values[place].at == NULL)
            return false;
        for (size_t k = 0; k < term->count && !holds; k++)
            holds = str_equal(term->values[k], gather->values[place]);
        if (!holds)
            return false;
    }
    return true;
}

bool gather_wants(Gather *gather, Str dimensions)
{
    const UsageQuery *query = gather->query;
    values_read(gather, dimensions);
    if (!filter_holds(gather, &query->match))
        return false;
    for (size_t i = 0; i < query->except_count; i++)
        if (filter_holds(gather, &query->except[i]))
            return false;
    return true;
}

// The bucket of the tuple that gather_wants read last.
static Bucket *bucket_of(Gather *gather, size_t piece)
{
    char     number[12];
    uint64_t index;
    bytes_put_u64_be(number, piece);
    bytes_put_u32_be(number + 8, gather->account);
    text_clear(&gather->key);
    text_add_bytes(&gather->key, number, sizeof number);
    for (size_t i = 0; i < gather->query->group_count; i++) {
        Str value = gather->values[gather->group_of[i]];
        text_add_char(&gather->key, value.at == NULL ? 0 : 1);
        if (value.at != NULL)
            text_add_counted(&gather->key, value);
    }
    Str key = text_str(&gather->key);
    if (!map_find(gather->found, key, &index)) {
        index = gather->buckets.count;
        map_set(gather->found, key, index);
        Str    kept = map_key(gather->found, index);
        Bucket bucket = { .piece = piece,
                          .account = gather->account,
                          .group = { kept.at + sizeof number, kept.length - sizeof number } };
        vector_push(&gather->buckets, bucket);
    }
    return &gather->buckets.at[index];
}

static void latest_keep(Gather *gather, Bucket *bucket, Str before)
{
    if (gather->kept == AGGREGATE_LATEST && bucket->cell.latest_id.at != before.at)
        bucket->cell.latest_id = str_copy(gather->arena, bucket->cell.latest_id);
}

void gather_cell(Gather *gather, Instant start, Str dimensions, const Cell *cell)
{
    size_t piece = window_find(gather->spans, gather->piece_count, start);
    assert_that(piece != WINDOW_NONE && !gather->pieces[piece].by_events);
    assert_slow(gather_wants(gather, dimensions));
    (void)dimensions;
    Bucket *bucket = bucket_of(gather, piece);
    Str     before = bucket->cell.latest_id;
    cell_merge(&bucket->cell, gather->kept, cell);
    latest_keep(gather, bucket, before);
}

void gather_hand_on(Gather *gather, UsageTake take)
{
    gather->hand_on = take;
    gather->piece_count = 0;
    for (size_t i = 0; i < gather->query->window_count; i++)
        piece_add(gather, gather->query->windows[i], (Piece){ i, 0, true });
}

// The group of the tuple that gather_wants read last.
static void measure_hand_on(Gather *gather, size_t window, const Event *event,
                            const Measure *measure)
{
    Str          group[METER_DIMENSIONS_MAX];
    bool         is_count = gather->meter->aggregation == AGGREGATE_COUNT;
    UsageMeasure handed = {
        .window = window,
        .group = group,
        .counts = measure->counts,
        .value = is_count ? decimal_whole(measure->counts) : measure->value,
        .event = event,
        .sequence = measure->sequence,
    };
    for (size_t i = 0; i < gather->query->group_count; i++)
        group[i] = gather->values[gather->group_of[i]];
    gather->hand_on.take(gather->hand_on.context, &handed);
}

// The bucket and the text, in gather->key.
static Str text_key(Gather *gather, const Bucket *bucket, Str text)
{
    char number[8];
    bytes_put_u64_be(number, (uint64_t)(bucket - gather->buckets.at));
    text_clear(&gather->key);
    text_add_bytes(&gather->key, number, sizeof number);
    text_add(&gather->key, text);
    return text_str(&gather->key);
}

static void unique_add(Gather *gather, Bucket *bucket, const Event *event)
{
    uint64_t there;
    Str      key = text_key(gather, bucket, measure_text(gather->meter, event, gather->arena));
    if (map_find(gather->texts, key, &there))
        return;
    map_set(gather->texts, key, 1);
    bucket->unique++;
}

static Counted counted_of(Gather *gather, const Event *event, const Measure *measure)
{
    bool    is_percentile = gather->meter->aggregation == AGGREGATE_PERCENTILE;
    Counted counted = { .ts = event->ts, .value = measure->value, .removes = measure->removes };
    if (!is_percentile)  // of which only the values' own order matters
        counted.unique_id = str_copy(gather->arena, event->unique_id);
    if (gather->meter->aggregation == AGGREGATE_UNIQUE_COUNT)
        counted.text = str_copy(gather->arena, measure_text(gather->meter, event, gather->arena));
    return counted;
}

// Before a window only the last operation on each text matters, and only it is kept.
static void last_keep(Gather *gather, Bucket *bucket, const Event *event, const Measure *measure)
{
    uint64_t place;
    Str      text = measure_text(gather->meter, event, gather->arena);
    Counted  now = { .ts = event->ts, .unique_id = event->unique_id };
    if (!map_find(gather->texts, text_key(gather, bucket, text), &place)) {
        map_set(gather->texts, text_str(&gather->key), bucket->counted.count);
        vector_push(&bucket->counted, counted_of(gather, event, measure));
    } else if (counted_is_later(&now, &bucket->counted.at[place])) {
        now.unique_id = str_copy(gather->arena, event->unique_id);
        now.text = bucket->counted.at[place].text;
        now.removes = measure->removes;
        bucket->counted.at[place] = now;
    }
}

static void measure_take(Gather *gather, size_t piece, const Event *event, const Measure *measure)
{
    Bucket *bucket = bucket_of(gather, piece);
    Str     before = bucket->cell.latest_id;
    if (!gather->pieces[piece].by_events) {
        cell_add(&bucket->cell, gather->kept, measure);
        latest_keep(gather, bucket, before);
        return;
    }
    cell_add(&bucket->cell, AGGREGATE_COUNT, measure);
    if (!measure->counts)
        return;
    if (!gather->is_ordered)
        unique_add(gather, bucket, event);
    else if (gather->pieces[piece].window == WINDOW_NONE)
        last_keep(gather, bucket, event, measure);
    else
        vector_push(&bucket->counted, counted_of(gather, event, measure));
}

void gather_event(Gather *gather, const Event *event, uint64_t sequence, const Str *only)
{
    Measure measure;
    size_t  piece = window_find(gather->spans, gather->piece_count, event->ts);
    if (piece == WINDOW_NONE || is_in_hole(gather, event->ts) ||
        !measure_of(gather->meter, event, &measure))
        return;
    text_clear(&gather->scratch);
    cell_dimensions(gather->meter, event->properties, &gather->scratch);
    Str dimensions = text_str(&gather->scratch);
    if ((only != NULL && !str_equal(*only, dimensions)) || !gather_wants(gather, dimensions))
        return;
    measure.sequence = sequence;
    if (gather->hand_on.take != NULL)
        measure_hand_on(gather, gather->pieces[piece].window, event, &measure);
    else
        measure_take(gather, piece, event, &measure);
}

// ---- the answer

void gather_group_read(const Gather *gather, Str group, const Str **values)
{
    Reader reader = reader_of(group);
    Str   *list = arena_array(gather->arena, Str, gather->query->group_count);
    for (size_t i = 0; i < gather->query->group_count; i++)
        if (reader_u8(&reader) == 1)
            list[i] = str_copy(gather->arena, reader_counted(&reader));
    *values = list;
}

Err *gather_too_large(const Gather *gather)
{
    return refuse(gather->arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "the sum of meter \"%.*s\" is too large", STR_ARG(gather->meter->id));
}

Err *gather_exact_set(const Gather *gather, UsageGroup *group, Rational exact)
{
    Arena   *arena = gather->arena;
    Rational near = rounding_places(arena, exact, ROUND_HALF_EVEN, DECIMAL_PLACES);
    group->has_value = true;
    group->exact = exact;
    if (!decimal_parse(rational_print(arena, near), DECIMAL_WHOLE_DIGITS, &group->value))
        return gather_too_large(gather);
    return NULL;
}

static void value_fill(const Gather *gather, UsageGroup *group, const Bucket *bucket)
{
    const Cell *cell = &bucket->cell;
    group->exact = rational_zero();
    switch (gather->meter->aggregation) {
    case AGGREGATE_COUNT:
        group->value = decimal_whole((int64_t)group->counted);
        group->has_value = true;
        break;
    case AGGREGATE_UNIQUE_COUNT:
        group->value = decimal_whole((int64_t)bucket->unique);
        group->has_value = true;
        break;
    case AGGREGATE_SUM:
        group->value = group->sum = cell->value;
        group->has_value = true;
        break;
    case AGGREGATE_AVERAGE:
        group->sum = cell->value;
        group->has_value = group->counted > 0;
        if (!group->has_value)
            return;
        group->value = decimal_average(cell->value, group->counted);
        group->exact = rational_divide(gather->arena, rational_of(gather->arena, cell->value),
                                       rational_whole(gather->arena, (int64_t)group->counted));
        return;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_LATEST:
        group->value = cell->value;
        group->has_value = group->counted > 0;
        break;
    case AGGREGATE_TIME_WEIGHTED:
    case AGGREGATE_PERCENTILE:
    case AGGREGATION_COUNT:
        break;
    }
    if (group->has_value)
        group->exact = rational_of(gather->arena, group->value);
}

static UsageGroup group_of(const Gather *gather, const Bucket *bucket)
{
    UsageGroup group = {
        .events = bucket->cell.events,
        .ignored = bucket->cell.ignored,
        .counted = bucket->cell.events - bucket->cell.ignored,
        .digest = bucket->cell.digest,
    };
    gather_group_read(gather, bucket->group, &group.values);
    value_fill(gather, &group, bucket);
    return group;
}

// By group values, absent ones first. The encoding starts with the length of a text, so texts are
// compared decoded.
static int group_order(Str left, Str right)
{
    Reader one = reader_of(left), two = reader_of(right);
    while (reader_left(&one) > 0 && reader_left(&two) > 0) {
        bool has_one = reader_u8(&one) == 1, has_two = reader_u8(&two) == 1;
        if (has_one != has_two)
            return has_one ? 1 : -1;
        int order = has_one ? str_compare(reader_counted(&one), reader_counted(&two)) : 0;
        if (order != 0)
            return order;
    }
    return 0;
}

static int piece_order(const Bucket *left, const Bucket *right)
{
    return left->piece == right->piece ? 0 : left->piece < right->piece ? -1 : 1;
}

static int by_piece(const void *a, const void *b)
{
    const Bucket *left = a, *right = b;
    int           order = piece_order(left, right);
    return order != 0 ? order : group_order(left->group, right->group);
}

// The buckets of a run follow each other.
static int by_run(const void *a, const void *b)
{
    const Bucket *left = a, *right = b;
    int           order = group_order(left->group, right->group);
    if (order != 0)
        return order;
    if (left->account != right->account)
        return left->account < right->account ? -1 : 1;
    return piece_order(left, right);
}

static Err *windows_finish(const Gather *gather, UsageAnswer *answers)
{
    const UsageQuery *query = gather->query;
    size_t            at = 0;
    for (size_t i = 0; i < query->window_count; i++) {
        size_t first = at;
        while (at < gather->buckets.count && gather->buckets.at[at].piece == i)
            at++;
        bool   is_empty = at == first && query->group_count == 0;
        size_t count = is_empty ? 1 : at - first;
        answers[i] = (UsageAnswer){ arena_array(gather->arena, UsageGroup, count), count };
        for (size_t k = 0; k < at - first; k++) {
            if (gather->buckets.at[first + k].cell.overflow)
                return gather_too_large(gather);
            answers[i].groups[k] = group_of(gather, &gather->buckets.at[first + k]);
        }
        static const Bucket nothing;
        if (is_empty)
            answers[i].groups[0] = group_of(gather, &nothing);
    }
    return NULL;
}

Err *gather_finish(Gather *gather, UsageAnswer *answers)
{
    if (gather->buckets.count > 0)
        qsort(gather->buckets.at, gather->buckets.count, sizeof(Bucket),
              gather->is_ordered ? by_run : by_piece);
    return gather->is_ordered ? runs_finish(gather, answers) : windows_finish(gather, answers);
}
