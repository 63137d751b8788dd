// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/gather.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/vector.h"
#include "flow/aggregate/segments.h"


typedef struct Bucket {
    size_t   window;
    Str      group;   // encoded like dimensions, of group_by only
    Cell     cell;
    uint64_t unique;  // different texts
} Bucket;

struct Gather {
    Arena            *arena;
    const UsageQuery *query;
    const Meter      *meter;
    size_t           *group_of;  // for each group_by, the dimension's place
    Str              *values;    // of the tuple at hand; .at == NULL: absent
    Text              scratch, key;
    Map              *found;     // window + group -> bucket
    Map              *texts;     // bucket + text; unique count only
    VECTOR(Bucket)    buckets;
    UsageTake         hand_on;   // .take == NULL: gather
};

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
    vector_release(&gather->buckets);
    text_close(&gather->scratch);
    text_close(&gather->key);
    map_close(gather->found);
    map_close(gather->texts);
    memory_release(gather);
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
static Bucket *bucket_of(Gather *gather, size_t window)
{
    char     number[8];
    uint64_t index;
    bytes_put_u64_be(number, window);
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
        Bucket bucket = { .window = window, .group = { kept.at + 8, kept.length - 8 } };
        vector_push(&gather->buckets, bucket);
    }
    return &gather->buckets.at[index];
}

static void latest_keep(Gather *gather, Bucket *bucket, Str before)
{
    if (gather->meter->aggregation == AGGREGATE_LATEST && bucket->cell.latest_id.at != before.at)
        bucket->cell.latest_id = str_copy(gather->arena, bucket->cell.latest_id);
}

void gather_cell(Gather *gather, Instant start, Str dimensions, const Cell *cell)
{
    size_t window = window_find(gather->query->windows, gather->query->window_count, start);
    assert_that(window != WINDOW_NONE);
    assert_slow(gather_wants(gather, dimensions));
    (void)dimensions;
    Bucket *bucket = bucket_of(gather, window);
    Str     before = bucket->cell.latest_id;
    cell_merge(&bucket->cell, gather->meter->aggregation, cell);
    latest_keep(gather, bucket, before);
}

void gather_hand_on(Gather *gather, UsageTake take)
{
    gather->hand_on = take;
}

// The group of the tuple that gather_wants read last.
static void measure_hand_on(Gather *gather, size_t window, const Event *event,
                            const Measure *measure)
{
    Str          group[METER_DIMENSIONS_MAX];
    UsageMeasure handed = {
        .window = window,
        .group = group,
        .counts = measure->counts,
        .value = measure->value,
        .event = event,
        .sequence = measure->sequence,
    };
    for (size_t i = 0; i < gather->query->group_count; i++)
        group[i] = gather->values[gather->group_of[i]];
    gather->hand_on.take(gather->hand_on.context, &handed);
}

static Str unique_text(Gather *gather, const Event *event)
{
    Property property;
    if (str_equal(gather->meter->property, STR("value")))
        return decimal_print(gather->arena, event->value);
    assert_that(properties_find(event->properties, gather->meter->property, &property));
    return property.text;
}

static void unique_add(Gather *gather, Bucket *bucket, const Event *event)
{
    char     number[8];
    uint64_t there;
    bytes_put_u64_be(number, (uint64_t)(bucket - gather->buckets.at));
    text_clear(&gather->key);
    text_add_bytes(&gather->key, number, sizeof number);
    text_add(&gather->key, unique_text(gather, event));
    if (map_find(gather->texts, text_str(&gather->key), &there))
        return;
    map_set(gather->texts, text_str(&gather->key), 1);
    bucket->unique++;
}

void gather_event(Gather *gather, const Event *event, uint64_t sequence, const Str *only)
{
    Measure measure;
    size_t  window = window_find(gather->query->windows, gather->query->window_count, event->ts);
    if (window == WINDOW_NONE || !measure_of(gather->meter, event, &measure))
        return;
    text_clear(&gather->scratch);
    cell_dimensions(gather->meter, event->properties, &gather->scratch);
    Str dimensions = text_str(&gather->scratch);
    if ((only != NULL && !str_equal(*only, dimensions)) || !gather_wants(gather, dimensions))
        return;
    measure.sequence = sequence;
    if (gather->hand_on.take != NULL) {
        measure_hand_on(gather, window, event, &measure);
        return;
    }
    Bucket *bucket = bucket_of(gather, window);
    Str     before = bucket->cell.latest_id;
    cell_add(&bucket->cell, gather->meter->aggregation, &measure);
    latest_keep(gather, bucket, before);
    if (gather->meter->aggregation == AGGREGATE_UNIQUE_COUNT && measure.counts)
        unique_add(gather, bucket, event);
}

// ---- the answer

static void group_read(const Gather *gather, Str group, const Str **values)
{
    Reader reader = reader_of(group);
    Str   *list = arena_array(gather->arena, Str, gather->query->group_count);
    for (size_t i = 0; i < gather->query->group_count; i++)
        if (reader_u8(&reader) == 1)
            list[i] = str_copy(gather->arena, reader_counted(&reader));
    *values = list;
}

static void value_fill(UsageGroup *group, Aggregation aggregation, const Bucket *bucket)
{
    const Cell *cell = &bucket->cell;
    switch (aggregation) {
    case AGGREGATE_COUNT:
        group->value = decimal_whole((int64_t)group->counted);
        group->has_value = true;
        return;
    case AGGREGATE_UNIQUE_COUNT:
        group->value = decimal_whole((int64_t)bucket->unique);
        group->has_value = true;
        return;
    case AGGREGATE_SUM:
        group->value = group->sum = cell->value;
        group->has_value = true;
        return;
    case AGGREGATE_AVERAGE:
        group->sum = cell->value;
        group->has_value = group->counted > 0;
        if (group->has_value)
            group->value = decimal_average(cell->value, group->counted);
        return;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_LATEST:
        group->value = cell->value;
        group->has_value = group->counted > 0;
        return;
    case AGGREGATION_COUNT: break;
    }
}

static UsageGroup group_of(const Gather *gather, const Bucket *bucket)
{
    UsageGroup group = {
        .events = bucket->cell.events,
        .ignored = bucket->cell.ignored,
        .counted = bucket->cell.events - bucket->cell.ignored,
        .digest = bucket->cell.digest,
    };
    group_read(gather, bucket->group, &group.values);
    value_fill(&group, gather->meter->aggregation, bucket);
    return group;
}

// By window, then by group values, absent ones first. The encoding starts with the length of a
// text, so texts are compared decoded.
static int bucket_order(const void *a, const void *b)
{
    const Bucket *left = a, *right = b;
    if (left->window != right->window)
        return left->window < right->window ? -1 : 1;
    Reader one = reader_of(left->group), two = reader_of(right->group);
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

Err *gather_finish(Gather *gather, UsageAnswer *answers)
{
    const UsageQuery *query = gather->query;
    size_t            at = 0;
    if (gather->buckets.count > 0)
        qsort(gather->buckets.at, gather->buckets.count, sizeof(Bucket), bucket_order);
    for (size_t i = 0; i < query->window_count; i++) {
        size_t first = at;
        while (at < gather->buckets.count && gather->buckets.at[at].window == i)
            at++;
        bool   is_empty = at == first && query->group_count == 0;
        size_t count = is_empty ? 1 : at - first;
        answers[i] = (UsageAnswer){ arena_array(gather->arena, UsageGroup, count), count };
        for (size_t k = 0; k < at - first; k++) {
            if (gather->buckets.at[first + k].cell.overflow)
                return refuse(gather->arena, ERR_AMOUNT_TOO_LARGE, STR_NONE, "the sum of meter "
                              "\"%.*s\" is too large", STR_ARG(gather->meter->id));
            answers[i].groups[k] = group_of(gather, &gather->buckets.at[first + k]);
        }
        static const Bucket nothing;
        if (is_empty)
            answers[i].groups[0] = group_of(gather, &nothing);
    }
    return NULL;
}
