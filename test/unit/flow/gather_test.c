// SPDX-License-Identifier: Apache-2.0
// What a read finds is sorted out by window and group; from cells or from events the numbers are
// the same, and those of a slow count.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/gather.h"
#include "flow/canonical.h"

#define HOUR_US (INT64_C(3600) * INSTANT_SECOND_US)

enum { EVENTS = 150, WINDOWS = 4, HOURS = 12 };

static Str dimensions[] = { STR_INIT("plan"), STR_INIT("region") };
static Str regions[] = { STR_INIT("eu"), STR_INIT("us") };
static Str free_plan[] = { STR_INIT("free") };
static const FilterTerm match = { STR_INIT("region"), regions, 2 };
static const FilterTerm except_term = { STR_INIT("plan"), free_plan, 1 };
static const Filter     except = { (FilterTerm *)(uintptr_t)&except_term, 1 };
// The second begins where the first ends, the last is empty of time.
static const UsageWindow windows[WINDOWS] = {
    { { -4 * HOUR_US }, { 0 } }, { { 0 }, { 3 * HOUR_US } },
    { { 4 * HOUR_US }, { 6 * HOUR_US } }, { { 7 * HOUR_US }, { 7 * HOUR_US } },
};

static Str properties_at_random(Arena *arena, Seeded *seeded)
{
    static const char *const plans[] = { "free", "pro", "", "longer" };
    static const char *const areas[] = { "eu", "us", "asia" };
    Property properties[3];
    size_t   count = 0;
    if (seeded_below(seeded, 5) > 0)
        properties[count++] = (Property){ STR("amount"), PROPERTY_NUMBER,
                                          str_print(arena, "%d", (int)seeded_below(seeded, 9)) };
    if (seeded_below(seeded, 4) > 0)
        properties[count++] = (Property){ STR("plan"), PROPERTY_STRING,
                                          str_of(plans[seeded_below(seeded, 4)]) };
    if (seeded_below(seeded, 4) > 0)
        properties[count++] = (Property){ STR("region"), PROPERTY_STRING,
                                          str_of(areas[seeded_below(seeded, 3)]) };
    return canonical_of(arena, properties, count);
}

static void events_make(Arena *arena, Seeded *seeded, Event *events)
{
    for (size_t i = 0; i < EVENTS; i++)
        events[i] = (Event){
            .unique_id = str_print(arena, "e%zu", i),
            .ts.us = ((int64_t)seeded_below(seeded, HOURS) - 5) * HOUR_US +
                     (int64_t)seeded_below(seeded, 2),
            .properties = properties_at_random(arena, seeded),
            .digest.part = { i + 1 },
        };
}

static Meter meter_of(Aggregation aggregation)
{
    return (Meter){ .id = STR("m"), .aggregation = aggregation, .property = STR("amount"),
                    .dimensions = dimensions, .dimension_count = 2 };
}

// The groupings: none, by region, by both.
static UsageQuery query_of(size_t group_count, bool filters)
{
    return (UsageQuery){
        .match = { (FilterTerm *)(uintptr_t)&match, filters ? 1 : 0 },
        .except = &except,
        .except_count = filters ? 1 : 0,
        .group_by = group_count == 1 ? dimensions + 1 : dimensions,
        .group_count = group_count,
        .windows = windows,
        .window_count = WINDOWS,
    };
}

static Str value_of(const Event *event, Str name)
{
    Property property;
    return properties_find(event->properties, name, &property) ? property.text : STR_NONE;
}

static bool same_value(Str a, Str b)
{
    return (a.at == NULL) == (b.at == NULL) && str_equal(a, b);
}

static bool is_in(const Event *event, const UsageQuery *query, size_t window,
                  const UsageGroup *group)
{
    Str plan = value_of(event, STR("plan")), region = value_of(event, STR("region"));
    if (event->ts.us < windows[window].start.us || event->ts.us >= windows[window].end.us)
        return false;
    if (query->match.count > 0 && !str_equal(region, STR("eu")) && !str_equal(region, STR("us")))
        return false;
    if (query->except_count > 0 && plan.at != NULL && str_equal(plan, STR("free")))
        return false;
    for (size_t i = 0; group != NULL && i < query->group_count; i++)
        if (!same_value(value_of(event, query->group_by[i]), group->values[i]))
            return false;
    return true;
}

// Every text that is different, counted the slow way.
static uint64_t unique_of(const Event *events, const UsageQuery *query, size_t window,
                          const UsageGroup *group)
{
    uint64_t count = 0;
    for (size_t i = 0; i < EVENTS; i++) {
        Str  amount = value_of(&events[i], STR("amount"));
        bool is_new = amount.at != NULL && is_in(&events[i], query, window, group);
        for (size_t k = 0; k < i && is_new; k++)
            is_new = !is_in(&events[k], query, window, group) ||
                     !same_value(value_of(&events[k], STR("amount")), amount);
        count += is_new;
    }
    return count;
}

static void check_value(const UsageGroup *group, Aggregation aggregation, const Cell *cell,
                        uint64_t unique)
{
    bool always = aggregation == AGGREGATE_SUM || aggregation == AGGREGATE_COUNT ||
                  aggregation == AGGREGATE_UNIQUE_COUNT;
    assert_int_equal(group->has_value, always || group->counted > 0);
    Decimal expected = cell->value;
    if (aggregation == AGGREGATE_COUNT)
        expected = decimal_whole((int64_t)cell->events);
    if (aggregation == AGGREGATE_UNIQUE_COUNT)
        expected = decimal_whole((int64_t)unique);
    if (aggregation == AGGREGATE_AVERAGE && group->counted > 0)
        expected = decimal_average(cell->value, group->counted);
    if (group->has_value)
        assert_true(decimal_compare(group->value, expected) == 0);
    if (aggregation == AGGREGATE_SUM || aggregation == AGGREGATE_AVERAGE)
        assert_true(decimal_compare(group->sum, cell->value) == 0);
}

static void check_group(const Event *events, const UsageQuery *query, Aggregation aggregation,
                        size_t window, const UsageGroup *group)
{
    Cell  cell = { 0 };
    Meter meter = meter_of(aggregation);
    for (size_t i = 0; i < EVENTS; i++) {
        Measure measure;
        if (is_in(&events[i], query, window, group) && measure_of(&meter, &events[i], &measure))
            cell_add(&cell, aggregation, &measure);
    }
    assert_true(group->events == cell.events && group->ignored == cell.ignored);
    assert_true(group->counted == cell.events - cell.ignored);
    assert_true(digest_equal(&group->digest, &cell.digest));
    check_value(group, aggregation, &cell, unique_of(events, query, window, group));
}

static int group_order(const UsageGroup *a, const UsageGroup *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool has_a = a->values[i].at != NULL, has_b = b->values[i].at != NULL;
        int  order = has_a != has_b ? (has_a ? 1 : -1) : str_compare(a->values[i], b->values[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

static void check_answers(const Event *events, const UsageQuery *query, Aggregation aggregation,
                          const UsageAnswer *answers)
{
    for (size_t window = 0; window < WINDOWS; window++) {
        const UsageAnswer *answer = &answers[window];
        uint64_t           found = 0, wanted = 0;
        for (size_t i = 0; i < EVENTS; i++)
            wanted += is_in(&events[i], query, window, NULL);
        for (size_t i = 0; i < answer->count; i++) {
            check_group(events, query, aggregation, window, &answer->groups[i]);
            found += answer->groups[i].events;
            assert_true(query->group_count == 0 || answer->groups[i].events > 0);
            if (i > 0)
                assert_true(group_order(&answer->groups[i - 1], &answer->groups[i],
                                        query->group_count) < 0);
        }
        assert_true(found == wanted);
        assert_true(query->group_count > 0 || answer->count == 1);
    }
}

static void answers_from_events(Arena *arena, const Event *events, const UsageQuery *query,
                                const Meter *meter, UsageAnswer *answers)
{
    Gather *gather;
    assert_null(gather_open(arena, query, meter, &gather));
    for (size_t i = 0; i < EVENTS; i++)
        gather_event(gather, &events[i], i + 1, NULL);
    assert_null(gather_finish(gather, answers));
    gather_close(gather);
}

// Each event a cell of its own: how they add up is the cells' affair.
static void answers_from_cells(Arena *arena, const Event *events, const UsageQuery *query,
                               const Meter *meter, UsageAnswer *answers)
{
    Gather *gather;
    assert_null(gather_open(arena, query, meter, &gather));
    for (size_t i = 0; i < EVENTS; i++) {
        AUTO(Arena) moment = arena_open();  // what a cell borrows is gone soon after
        Text    tuple = text_open(moment);
        Cell    cell = { 0 };
        Measure measure;
        Instant hour = { instant_utc_hour(events[i].ts) * HOUR_US };
        bool    is_in_window = false;
        for (size_t k = 0; k < WINDOWS; k++)
            is_in_window |= windows[k].start.us <= hour.us && hour.us < windows[k].end.us;
        cell_dimensions(meter, events[i].properties, &tuple);
        if (!is_in_window || !gather_wants(gather, text_str(&tuple)))
            continue;
        assert_true(measure_of(meter, &events[i], &measure));
        measure.unique_id = str_copy(moment, measure.unique_id);
        cell_add(&cell, meter->aggregation, &measure);
        gather_cell(gather, hour, text_str(&tuple), &cell);
    }
    assert_null(gather_finish(gather, answers));
    gather_close(gather);
}

static void cells_and_events_give_the_slow_count(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(101);
    for (int round = 0; round < 42; round++) {
        AUTO(Arena) arena = arena_open();
        Event       events[EVENTS];
        UsageAnswer answers[WINDOWS];
        Aggregation aggregation = (Aggregation)(round % (AGGREGATE_UNIQUE_COUNT + 1));
        Meter       meter = meter_of(aggregation);
        UsageQuery  query = query_of((size_t)(round / 7) % 3, round >= 21);
        events_make(arena, &seeded, events);
        answers_from_events(arena, events, &query, &meter, answers);
        check_answers(events, &query, aggregation, answers);
        if (aggregation == AGGREGATE_UNIQUE_COUNT)
            continue;
        answers_from_cells(arena, events, &query, &meter, answers);
        check_answers(events, &query, aggregation, answers);
    }
}

static void only_one_tuple_when_asked(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Seeded      seeded = seeded_of(102);
    Event       events[EVENTS];
    UsageAnswer answers[WINDOWS];
    Meter       meter = meter_of(AGGREGATE_COUNT);
    UsageQuery  query = query_of(2, false);
    Text        tuple = text_open(arena);
    Gather     *gather;
    events_make(arena, &seeded, events);
    cell_dimensions(&meter, events[0].properties, &tuple);
    Str only = text_str(&tuple);
    assert_null(gather_open(arena, &query, &meter, &gather));
    for (size_t i = 0; i < EVENTS; i++)
        gather_event(gather, &events[i], i + 1, &only);
    assert_null(gather_finish(gather, answers));
    gather_close(gather);
    for (size_t i = 0; i < WINDOWS; i++) {
        assert_true(answers[i].count <= 1);
        if (answers[i].count == 1)
            check_group(events, &query, AGGREGATE_COUNT, i, &answers[i].groups[0]);
    }
}

typedef struct Handed {
    const UsageQuery *query;
    size_t            count;
} Handed;

static void take(void *context, const UsageMeasure *measure)
{
    Handed *handed = context;
    UsageGroup group = { .values = measure->group };
    assert_true(is_in(measure->event, handed->query, measure->window, &group));
    assert_int_equal(measure->counts, value_of(measure->event, STR("amount")).at != NULL);
    assert_true(measure->sequence == measure->event->digest.part[0]);
    handed->count++;
}

static void events_are_handed_on_one_by_one(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Seeded     seeded = seeded_of(103);
    Event      events[EVENTS];
    Meter      meter = meter_of(AGGREGATE_SUM);
    UsageQuery query = query_of(2, true);
    Handed     handed = { &query, 0 };
    size_t     wanted = 0;
    Gather    *gather;
    events_make(arena, &seeded, events);
    assert_null(gather_open(arena, &query, &meter, &gather));
    gather_hand_on(gather, (UsageTake){ take, &handed });
    for (size_t i = 0; i < EVENTS; i++) {
        gather_event(gather, &events[i], i + 1, NULL);
        for (size_t window = 0; window < WINDOWS; window++)
            wanted += is_in(&events[i], &query, window, NULL);
    }
    assert_int_equal(handed.count, wanted);
    gather_close(gather);
    gather_close(NULL);
}

static void what_is_no_dimension_is_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Meter      meter = meter_of(AGGREGATE_SUM);
    Str        unknown = STR("amount");
    FilterTerm term = { STR("city"), regions, 1 };
    Filter     filter = { &term, 1 };
    UsageQuery grouped = query_of(1, false), matched = grouped, excepted = grouped;
    Gather    *gather = NULL;
    grouped.group_by = &unknown;
    matched.match = filter;
    excepted.except = &filter;
    excepted.except_count = 1;
    const UsageQuery *queries[] = { &grouped, &matched, &excepted };
    for (size_t i = 0; i < 3; i++) {
        Err *err = gather_open(arena, queries[i], &meter, &gather);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_PARAMETER_INVALID);
        assert_null(gather);
    }
}

static void a_sum_that_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Meter       meter = meter_of(AGGREGATE_SUM);
    UsageQuery  query = query_of(0, false);
    UsageAnswer answers[WINDOWS];
    Cell        cell = { .events = 1, .value.e12 = (Int128)1 << 126 };
    Gather     *gather;
    assert_null(gather_open(arena, &query, &meter, &gather));
    for (int i = 0; i < 2; i++) {
        assert_true(gather_wants(gather, STR("\0\0")));
        gather_cell(gather, (Instant){ 0 }, STR("\0\0"), &cell);
    }
    Err *err = gather_finish(gather, answers);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    gather_close(gather);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_and_events_give_the_slow_count),
        cmocka_unit_test(only_one_tuple_when_asked),
        cmocka_unit_test(events_are_handed_on_one_by_one),
        cmocka_unit_test(what_is_no_dimension_is_refused),
        cmocka_unit_test(a_sum_that_cannot_be_kept_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
