// SPDX-License-Identifier: Apache-2.0
// What needs events in order, by numbers that were worked out by hand.
#include "flow/aggregate/tally.h"

#include "in_arena.h"

// An event of a test: "2026-06-01T06:00:00Z", "3"; of a unique count the text, "-" before it to
// take it away.
typedef struct Said {
    const char *ts, *what;
} Said;

enum { SAID_MAX = 12 };

static Instant instant_of(const char *text)
{
    Instant instant;
    assert_true(instant_parse(str_of(text), &instant));
    return instant;
}

static UsageWindow window_of(const char *start, const char *end)
{
    return (UsageWindow){ instant_of(start), instant_of(end) };
}

static size_t counted_of(const Meter *meter, const Said *said, Counted *counted)
{
    size_t count = 0;
    for (; said[count].ts != NULL; count++) {
        Str what = str_of(said[count].what);
        counted[count] = (Counted){ .ts = instant_of(said[count].ts),
                                    .unique_id = str_print(arena, "e%zu", count) };
        if (meter->aggregation != AGGREGATE_UNIQUE_COUNT) {
            assert_true(decimal_parse(what, DECIMAL_EVENT_DIGITS, &counted[count].value));
            continue;
        }
        counted[count].removes = what.at[0] == '-';
        counted[count].text = (Str){ what.at + counted[count].removes,
                                     what.length - counted[count].removes };
    }
    counted_sort(counted, count);
    return count;
}

typedef struct Case {
    Meter       meter;
    UsageQuery  query;
    UsageWindow window;
    Said        before[SAID_MAX], said[SAID_MAX];
    const char *value;  // NULL: none
} Case;

static void check(const Case *test)
{
    Counted    counted[SAID_MAX];
    TallyValue value;
    TallyRange range = { .window = test->window, .query = &test->query };
    Tally     *tally = tally_open(arena, &test->meter);
    size_t     count = counted_of(&test->meter, test->before, counted);
    assert_null(tally_pass(tally, counted, count));
    count = counted_of(&test->meter, test->said, counted);
    Instant first = count == 0 ? test->window.end : counted[0].ts;
    if (test->window.start.us != INSTANT_FIRST.us)
        first = test->window.start;
    if (test->meter.has_window)
        assert_null(tally_windows(arena, &test->meter, first, &range));
    assert_null(tally_window(tally, &range, counted, count, &value));
    tally_close(tally);
    assert_int_equal(value.has_value, test->value != NULL);
    assert_string_equal(str_terminated(arena, rational_print(arena, value.exact)),
                        test->value == NULL ? "0" : test->value);
}

#define GAUGE(how, by) \
    { .id = STR_INIT("m"), .aggregation = AGGREGATE_TIME_WEIGHTED, .input = (how), .per = (by) }
#define JUNE window_of("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z")

// 10 GB from 06:00, 4 GB from 18:00: 10 x 12 + 4 x 6 = 144 GB-hours, of a day.
static void levels_become_gb_hours(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_HOUR),
        .window = window_of("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
        .said = { { "2026-06-10T18:00:00Z", "4" }, { "2026-06-10T06:00:00Z", "10" } },
        .value = "144",
    };
    check(&test);
    test.meter.per = PER_SECOND;
    test.value = "518400";
    check(&test);
    test.meter.per = PER_DAY;
    test.value = "6";
    check(&test);
    // 144 of 24 hours: the average level is 6 as well.
    test.meter.per = PER_PERIOD;
    check(&test);
    // Of a month of 30 days it is 144 / 720.
    test.query.period_us = 30 * INSTANT_DAY_US;
    test.value = "0.2";
    check(&test);
}

// A level of 7 before the day, until 08:00: 56 more.
static void the_opening_level_counts(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_HOUR),
        .window = window_of("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
        .before = { { "2026-06-09T23:00:00Z", "7" }, { "2026-06-01T00:00:00Z", "99" } },
        .said = { { "2026-06-10T08:00:00Z", "0" } },
        .value = "56",
    };
    check(&test);
    test.said[0].ts = NULL;  // nothing happened: 7 all day
    test.value = "168";
    check(&test);
    test.before[0].ts = NULL;
    test.value = "0";
    check(&test);
}

// 5, then 3 more at 06:00, 6 less at 12:00: 5 x 6 + 8 x 6 + 2 x 12 = 102.
static void changes_add_up_to_a_level(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_CHANGE, PER_HOUR),
        .window = window_of("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
        .before = { { "2026-06-02T00:00:00Z", "9" }, { "2026-06-09T00:00:00Z", "-4" } },
        .said = { { "2026-06-10T06:00:00Z", "3" }, { "2026-06-10T12:00:00Z", "-6" } },
        .value = "102",
    };
    check(&test);
}

// Late news of 20 from 01:00 to 02:00 adds 10 more for one hour; taking it away restores the 240.
static void a_late_level_counts_where_it_belongs(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_HOUR),
        .window = window_of("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
        .said = { { "2026-06-10T00:00:00Z", "10" },
                  { "2026-06-10T02:00:00Z", "10" },
                  { "2026-06-10T01:00:00Z", "20" } },
        .value = "250",
    };
    check(&test);
    test.said[2].ts = NULL;
    test.value = "240";
    check(&test);
}

// One instant, two levels: the greater id is the later one, whatever came first.
static void ties_go_by_the_id(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_HOUR),
        .window = window_of("2026-06-10T00:00:00Z", "2026-06-10T10:00:00Z"),
        .said = { { "2026-06-10T00:00:00Z", "3" }, { "2026-06-10T00:00:00Z", "8" } },
        .value = "80",
    };
    check(&test);
}

// At T = 06:00 it ran 6 hours; before the window began, none.
static void a_gauge_runs_to_t(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_HOUR),
        .query.until = instant_of("2026-06-10T06:00:00Z"),
        .window = window_of("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
        .said = { { "2026-06-10T00:00:00Z", "10" }, { "2026-06-10T12:00:00Z", "50" } },
        .value = "60",
    };
    check(&test);
    test.query.until = instant_of("2026-06-09T06:00:00Z");
    test.value = "0";
    check(&test);
}

// Paused from 02:00 to 05:00 and from 22:00 on. What it became meanwhile is what it is afterwards:
// 10 x 2 + 30 x 17 = 530.
static void a_gauge_does_not_run_in_holes(void **state)
{
    (void)state;
    const UsageWindow holes[] = {
        window_of("2026-06-10T02:00:00Z", "2026-06-10T05:00:00Z"),
        window_of("2026-06-10T22:00:00Z", "2026-06-12T00:00:00Z"),
    };
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_HOUR),
        .query = { .holes = holes, .hole_count = 2 },
        .window = window_of("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
        .said = { { "2026-06-10T00:00:00Z", "10" }, { "2026-06-10T03:00:00Z", "30" } },
        .value = "530",
    };
    check(&test);
}

// New York loses an hour on 8 March 2026: a level of 2 is 46 of a unit an hour.
static void a_local_day_has_23_hours(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_HOUR),
        .query.zone = zone_find(STR("America/New_York")),
        .window = window_of("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
        .said = { { "2026-03-08T05:00:00Z", "2" } },
        .value = "46",
    };
    check(&test);
    // The most that a local day from the 7th to the 9th had: 48.
    test.meter.has_window = true;
    test.meter.window_unit = WINDOW_DAY;
    test.meter.window_aggregation = AGGREGATE_MAX;
    test.window = window_of("2026-03-07T05:00:00Z", "2026-03-10T04:00:00Z");
    test.said[0].ts = "2026-03-07T05:00:00Z";
    test.value = "48";
    check(&test);
    test.meter.window_aggregation = AGGREGATE_MIN;
    test.value = "46";
    check(&test);
    test.meter.window_aggregation = AGGREGATE_AVERAGE;
    test.value = "142/3";  // 48, 46, 48
    check(&test);
}

// 10^15 for a millennium is beyond 128 bits of 10^-12 microseconds, and still exact.
static void large_levels_stay_exact(void **state)
{
    (void)state;
    Case test = {
        .meter = GAUGE(INPUT_LEVEL, PER_SECOND),
        .window = window_of("1000-01-01T00:00:00Z", "3000-01-01T00:00:00Z"),
        .said = { { "1000-01-01T00:00:00Z", "999999999999999.999999999999" } },
    };
    // 730485 days of 86400 seconds, less 10^-12 for each second.
    Rational seconds = rational_whole(arena, INT64_C(730485) * 86400);
    Decimal  level;
    assert_true(decimal_parse(STR("999999999999999.999999999999"), DECIMAL_EVENT_DIGITS, &level));
    Rational wanted = rational_multiply(arena, rational_of(arena, level), seconds);
    test.value = str_terminated(arena, rational_print(arena, wanted));
    check(&test);
}

static void percentiles_are_of_the_nearest_rank(void **state)
{
    (void)state;
    static const struct {
        const char *percentile, *value;
    } rows[] = {
        { "0.000000000001", "15" }, { "5", "15" }, { "20", "15" }, { "20.000000000001", "20" },
        { "30", "20" }, { "40", "20" }, { "50", "35" }, { "80", "40" }, { "99", "50" },
        { "100", "50" },
    };
    Case test = {
        .meter = { .aggregation = AGGREGATE_PERCENTILE },
        .window = JUNE,
        .said = { { "2026-06-05T00:00:00Z", "35" },
                  { "2026-06-01T00:00:00Z", "50" },
                  { "2026-06-04T00:00:00Z", "15" },
                  { "2026-06-03T00:00:00Z", "40" },
                  { "2026-06-02T00:00:00Z", "20" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(decimal_parse(str_of(rows[i].percentile), 3, &test.meter.percentile));
        test.value = rows[i].value;
        check(&test);
    }
    test.said[0].ts = NULL;
    test.value = NULL;
    check(&test);
}

static void sums_and_seats_carry_over(void **state)
{
    (void)state;
    Case sum = {
        .meter = { .aggregation = AGGREGATE_SUM, .carries = true },
        .window = JUNE,
        .before = { { "2026-05-01T00:00:00Z", "5" }, { "2026-04-01T00:00:00Z", "2.5" } },
        .said = { { "2026-06-02T00:00:00Z", "-1" } },
        .value = "6.5",
    };
    check(&sum);
    Case seats = {
        .meter = { .aggregation = AGGREGATE_UNIQUE_COUNT, .carries = true },
        .window = JUNE,
        .before = { { "2026-05-01T00:00:00Z", "ada" }, { "2026-05-02T00:00:00Z", "bob" } },
        .said = { { "2026-06-02T00:00:00Z", "ada" },
                  { "2026-06-03T00:00:00Z", "-bob" },
                  { "2026-06-04T00:00:00Z", "-nobody" },
                  { "2026-06-05T00:00:00Z", "cy" },
                  { "2026-06-30T23:59:59.999999Z", "-cy" } },
        .value = "1",
    };
    check(&seats);
    seats.meter.carries = false;  // of June's alone: ada is there
    check(&seats);
    seats.said[1].ts = NULL;
    check(&seats);
    seats.meter.carries = true;
    seats.value = "2";
    check(&seats);
}

// Hours of a day: 7 at 01:xx, 2 at 05:xx, nothing else.
static void windows_become_one(void **state)
{
    (void)state;
    static const struct {
        Aggregation inner, outer;
        const char *value;
    } rows[] = {
        { AGGREGATE_SUM, AGGREGATE_SUM, "9" },     { AGGREGATE_SUM, AGGREGATE_MAX, "7" },
        { AGGREGATE_SUM, AGGREGATE_MIN, "0" },     { AGGREGATE_SUM, AGGREGATE_COUNT, "24" },
        { AGGREGATE_SUM, AGGREGATE_AVERAGE, "0.375" }, { AGGREGATE_SUM, AGGREGATE_LATEST, "0" },
        { AGGREGATE_MAX, AGGREGATE_SUM, "6" },     { AGGREGATE_MAX, AGGREGATE_COUNT, "2" },
        { AGGREGATE_MAX, AGGREGATE_MIN, "2" },     { AGGREGATE_MAX, AGGREGATE_LATEST, "2" },
        { AGGREGATE_MIN, AGGREGATE_SUM, "5" },     { AGGREGATE_LATEST, AGGREGATE_SUM, "5" },
        { AGGREGATE_COUNT, AGGREGATE_MAX, "2" },   { AGGREGATE_AVERAGE, AGGREGATE_SUM, "5.5" },
        { AGGREGATE_SUM, AGGREGATE_PERCENTILE, "2" }, { AGGREGATE_MAX, AGGREGATE_PERCENTILE, "4" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Case test = {
            .meter = { .aggregation = rows[i].inner, .has_window = true,
                       .window_unit = WINDOW_HOUR, .window_aggregation = rows[i].outer,
                       .percentile = decimal_whole(95) },
            .window = window_of("2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
            .said = { { "2026-06-10T01:10:00Z", "4" },
                      { "2026-06-10T01:20:00Z", "3" },
                      { "2026-06-10T05:00:00Z", "2" } },
            .value = rows[i].value,
        };
        check(&test);
    }
}

// Without a begin, hours begin with the first event; a cut hour counts as what is in it.
static void windows_are_clipped(void **state)
{
    (void)state;
    Case test = {
        .meter = { .aggregation = AGGREGATE_COUNT, .has_window = true, .window_unit = WINDOW_HOUR,
                   .window_aggregation = AGGREGATE_AVERAGE },
        .window = { INSTANT_FIRST, instant_of("2026-06-10T04:30:00Z") },
        .said = { { "2026-06-10T01:10:00Z", "4" }, { "2026-06-10T04:29:00Z", "4" } },
        .value = "0.5",  // 1, 0, 0, 1
    };
    check(&test);
    test.said[0].ts = NULL;
    test.value = NULL;
    check(&test);
    test.window.start = instant_of("2026-06-10T03:30:00Z");
    test.value = "0";
    check(&test);
}

// Seats at the end of each day so far: 2, 3, 3; the days that T has not reached are not there.
static void what_carries_over_is_there_every_day(void **state)
{
    (void)state;
    Case test = {
        .meter = { .aggregation = AGGREGATE_SUM, .carries = true, .has_window = true,
                   .window_unit = WINDOW_DAY, .window_aggregation = AGGREGATE_SUM },
        .query.until = instant_of("2026-06-03T00:00:01Z"),
        .window = JUNE,
        .before = { { "2026-05-01T00:00:00Z", "2" } },
        .said = { { "2026-06-02T00:00:00Z", "1" } },
        .value = "8",
    };
    check(&test);
}

static void too_many_windows_are_refused(void **state)
{
    (void)state;
    Meter      meter = { .id = STR("m"), .aggregation = AGGREGATE_SUM, .has_window = true };
    UsageQuery query = { 0 };
    TallyRange range = { .window = window_of("2000-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
                         .query = &query };
    Err       *err = tally_windows(arena, &meter, range.window.start, &range);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_PARAMETER_INVALID);
}

static void a_level_that_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    Meter  meter = GAUGE(INPUT_CHANGE, PER_HOUR);
    Tally *tally = tally_open(arena, &meter);
    assert_null(tally_pass_cell(tally, false, (Decimal){ (Int128)1 << 126 }));
    assert_null(tally_pass_cell(tally, true, (Decimal){ (Int128)1 << 126 }));
    Err *err = tally_pass_cell(tally, true, (Decimal){ (Int128)1 << 126 });
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    tally_close(tally);
    tally_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(levels_become_gb_hours),
        test_of(the_opening_level_counts),
        test_of(changes_add_up_to_a_level),
        test_of(a_late_level_counts_where_it_belongs),
        test_of(ties_go_by_the_id),
        test_of(a_gauge_runs_to_t),
        test_of(a_gauge_does_not_run_in_holes),
        test_of(a_local_day_has_23_hours),
        test_of(large_levels_stay_exact),
        test_of(percentiles_are_of_the_nearest_rank),
        test_of(sums_and_seats_carry_over),
        test_of(windows_become_one),
        test_of(windows_are_clipped),
        test_of(what_carries_over_is_there_every_day),
        test_of(too_many_windows_are_refused),
        test_of(a_level_that_cannot_be_kept_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
