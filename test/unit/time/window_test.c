// SPDX-License-Identifier: Apache-2.0
// Zones and windows: days of 23 and 25 hours, days that never were, midnights thirteen hours early.
#include "time/window.h"

#include <pthread.h>

#include "base/random.h"
#include "moments.h"

static void check(WindowUnit unit, const char *name, const char *at, const char *start,
                  const char *end)
{
    Span span = window_at(unit, zone(name), moment(at));
    assert_moment(span.start, start);
    assert_moment(span.end, end);
}

static void test_unknown_zones_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "Mars/Olympus",
        "GMT+5",
        "+05:00",
        "PST",
        "EST",
        "utc",
        "Etc/Unknown",
        "america/new_york",
        "America/New_York ",
        "Europe/Paris\n",
        "Europe/Par\x7fis",
        "Europe/Zürich",
        "America/Argentina/ComodRivadaviaAndFurtherDownTheRoadToTheSouthernEnd",
        "America/Argentina/ComodRivadaviaAndFurtherDownTheRoadToTheSouthE",  // of 64 bytes
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_null(zone_find(str_of(names[i])));
    assert_ptr_equal(zone("UTC"), zone_utc());
    assert_ptr_equal(zone("Asia/Kolkata"), zone("Asia/Kolkata"));
    assert_text(zone_name(zone("Asia/Kolkata")), "Asia/Kolkata");
}

static void test_midnight_in_utc_plus_13_is_eleven_in_the_morning_before(void **state)
{
    (void)state;
    check(WINDOW_DAY, "Pacific/Tongatapu", "2026-06-10T12:00:00Z", "2026-06-10T11:00:00Z",
          "2026-06-11T11:00:00Z");
    check(WINDOW_DAY, "Pacific/Tongatapu", "2026-06-10T10:59:59.999999Z", "2026-06-09T11:00:00Z",
          "2026-06-10T11:00:00Z");
    check(WINDOW_MONTH, "Pacific/Tongatapu", "2026-06-30T11:00:00Z", "2026-06-30T11:00:00Z",
          "2026-07-31T11:00:00Z");
    check(WINDOW_MONTH, "Pacific/Kiritimati", "2026-12-31T10:00:00Z", "2026-12-31T10:00:00Z",
          "2027-01-31T10:00:00Z");
}

static void test_a_day_has_23_or_25_hours_when_clocks_change(void **state)
{
    (void)state;
    check(WINDOW_DAY, "America/Los_Angeles", "2025-03-09T17:00:00Z", "2025-03-09T08:00:00Z",
          "2025-03-10T07:00:00Z");
    check(WINDOW_DAY, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z",
          "2026-10-25T23:00:00Z");
    check(WINDOW_MONTH, "Europe/Berlin", "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z",
          "2026-03-31T22:00:00Z");
}

static void test_a_repeated_hour_is_two_windows(void **state)
{
    (void)state;
    check(WINDOW_HOUR, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z",
          "2026-10-25T01:00:00Z");
    check(WINDOW_HOUR, "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z",
          "2026-10-25T02:00:00Z");
    check(WINDOW_HOUR, "Asia/Kolkata", "2026-06-10T12:15:00Z", "2026-06-10T11:30:00Z",
          "2026-06-10T12:30:00Z");
    // Lord Howe moves its clocks by half an hour: 02:00 becomes 01:30.
    check(WINDOW_HOUR, "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-04T14:00:00Z",
          "2026-04-04T15:00:00Z");
    check(WINDOW_HOUR, "Australia/Lord_Howe", "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z",
          "2026-04-04T15:30:00Z");
}

static void test_weeks_begin_on_monday(void **state)
{
    (void)state;
    check(WINDOW_WEEK, "UTC", "2026-06-14T23:59:59Z", "2026-06-08T00:00:00Z",
          "2026-06-15T00:00:00Z");
    check(WINDOW_WEEK, "UTC", "2026-06-15T00:00:00Z", "2026-06-15T00:00:00Z",
          "2026-06-22T00:00:00Z");
    check(WINDOW_WEEK, "Asia/Kolkata", "2026-08-09T22:30:00Z", "2026-08-09T18:30:00Z",
          "2026-08-16T18:30:00Z");
    check(WINDOW_WEEK, "UTC", "1969-12-31T00:00:00Z", "1969-12-29T00:00:00Z",
          "1970-01-05T00:00:00Z");
}

static void test_a_day_whose_midnight_is_skipped_begins_with_the_change(void **state)
{
    (void)state;
    // Sao Paulo 2018: 00:00 became 01:00.
    check(WINDOW_DAY, "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z",
          "2018-11-05T02:00:00Z");
    assert_moment(zone_instant(zone("America/Sao_Paulo"),
                               (Local){ { 2018, 11, 4 }, 1800 * INSTANT_SECOND_US }),
                  "2018-11-04T03:00:00Z");
    // Samoa had no 30 December 2011.
    check(WINDOW_DAY, "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z",
          "2011-12-30T10:00:00Z");
    check(WINDOW_DAY, "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z",
          "2011-12-31T10:00:00Z");
}

static void test_a_time_that_comes_twice_is_the_first(void **state)
{
    (void)state;
    const Zone *berlin = zone("Europe/Berlin");
    int64_t     half_past_two = 9000 * INSTANT_SECOND_US;
    assert_moment(zone_instant(berlin, (Local){ { 2026, 10, 25 }, half_past_two }),
                  "2026-10-25T00:30:00Z");
    assert_moment(zone_instant(berlin, (Local){ { 2026, 3, 29 }, half_past_two }),
                  "2026-03-29T01:00:00Z");
    // Three o'clock itself comes once, when two has come twice.
    assert_moment(zone_instant(berlin, (Local){ { 2026, 10, 25 }, 10800 * INSTANT_SECOND_US }),
                  "2026-10-25T02:00:00Z");
    // Sao Paulo went back from midnight to eleven: the day began an hour later.
    assert_moment(zone_midnight(zone("America/Sao_Paulo"), (Date){ 2018, 2, 18 }),
                  "2018-02-18T03:00:00Z");
    // Havana repeats the hour before one, midnight included.
    assert_moment(zone_midnight(zone("America/Havana"), (Date){ 2026, 11, 1 }),
                  "2026-11-01T04:00:00Z");
}

// Newfoundland moved its clocks at a minute past midnight: that minute belonged to two hours, and
// the hour before midnight that followed it to the new day, which had begun.
static void test_clocks_that_go_back_over_midnight_do_not_take_the_day_back(void **state)
{
    (void)state;
    const char *st_johns = "America/St_Johns";
    check(WINDOW_DAY, st_johns, "2009-11-01T02:30:00Z", "2009-11-01T02:30:00Z",
          "2009-11-02T03:30:00Z");
    check(WINDOW_DAY, st_johns, "2009-11-01T02:31:00Z", "2009-11-01T02:30:00Z",
          "2009-11-02T03:30:00Z");
    check(WINDOW_DAY, st_johns, "2009-11-01T02:29:59Z", "2009-10-31T02:30:00Z",
          "2009-11-01T02:30:00Z");
    check(WINDOW_HOUR, st_johns, "2009-11-01T02:30:30Z", "2009-11-01T02:30:00Z",
          "2009-11-01T02:31:00Z");
    check(WINDOW_HOUR, st_johns, "2009-11-01T02:31:00Z", "2009-11-01T02:31:00Z",
          "2009-11-01T03:30:00Z");
}

static const char *const zones[] = {
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Tehran",
    "America/Havana",
    "Antarctica/Troll",
    "Europe/Dublin",
    "America/St_Johns",
};

static void test_windows_are_gapless_everywhere(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(11);
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        for (int unit = 0; unit < WINDOW_UNIT_COUNT; unit++) {
            Instant at = { moment("2009-12-20T00:00:00Z").us +
                           (int64_t)seeded_below(&seeded, 1000000) };
            Span    span = window_at((WindowUnit)unit, zone(zones[i]), at);
            for (int steps = 0; steps < 3000 && span.end.us < moment("2030-01-01T00:00:00Z").us;
                 steps++) {
                int64_t length = span.end.us - span.start.us;
                assert_true(length > 0);
                Instant inside = { span.start.us +
                                   (int64_t)seeded_below(&seeded, (uint64_t)length) };
                Span    same = window_at((WindowUnit)unit, zone(zones[i]), inside);
                assert_true(same.start.us == span.start.us && same.end.us == span.end.us);
                Span next = window_at((WindowUnit)unit, zone(zones[i]), span.end);
                assert_int_equal(next.start.us, span.end.us);
                span = next;
            }
        }
}

static void test_the_first_and_the_last_windows_of_all_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        for (int unit = 0; unit < WINDOW_UNIT_COUNT; unit++) {
            const Zone *in = zone(zones[i]);
            Span        last = window_at((WindowUnit)unit, in, INSTANT_END);
            assert_int_equal(last.end.us, INSTANT_END.us);
            assert_true(last.start.us < INSTANT_END.us);
            Span first = window_at((WindowUnit)unit, in, INSTANT_FIRST);
            assert_true(first.start.us <= INSTANT_FIRST.us && first.end.us > INSTANT_FIRST.us);
        }
}

static void *read_zones(void *out)
{
    int64_t sum = 0;
    for (int i = 0; i < 3000; i++) {
        const Zone *one = zone_find(str_of(zones[(size_t)i % (sizeof zones / sizeof *zones)]));
        sum +=
            window_at(WINDOW_DAY, one, (Instant){ (int64_t)i * INSTANT_DAY_US + 12345 }).start.us;
    }
    *(int64_t *)out = sum;
    return NULL;
}

static void test_threads_share_zones(void **state)
{
    (void)state;
    pthread_t threads[4];
    int64_t   sums[5];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_zones, &sums[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    read_zones(&sums[4]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(sums[i], sums[4]);
}

static void test_unit_names(void **state)
{
    (void)state;
    WindowUnit unit;
    assert_true(window_unit_find(STR("week"), &unit));
    assert_int_equal(unit, WINDOW_WEEK);
    assert_false(window_unit_find(STR("fortnight"), &unit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_unknown_zones_are_refused),
        test_of(test_midnight_in_utc_plus_13_is_eleven_in_the_morning_before),
        test_of(test_a_day_has_23_or_25_hours_when_clocks_change),
        test_of(test_a_repeated_hour_is_two_windows),
        test_of(test_weeks_begin_on_monday),
        test_of(test_a_day_whose_midnight_is_skipped_begins_with_the_change),
        test_of(test_a_time_that_comes_twice_is_the_first),
        test_of(test_clocks_that_go_back_over_midnight_do_not_take_the_day_back),
        test_of(test_windows_are_gapless_everywhere),
        test_of(test_the_first_and_the_last_windows_of_all_time),
        test_of(test_threads_share_zones),
        test_of(test_unit_names),
    };
    return cmocka_run_group_tests_name("time/window", tests, NULL, NULL);
}
