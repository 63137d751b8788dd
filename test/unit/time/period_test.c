// SPDX-License-Identifier: Apache-2.0
#include "time/period.h"

#include "base/random.h"
#include "moments.h"

static const PeriodRule monthly = { .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_CALENDAR };

static Period period(const PeriodRule *rule, const char *name, const char *start, const char *at)
{
    return period_at(rule, zone(name), moment(start), moment(at));
}

static void test_a_calendar_month_clipped_to_its_start(void **state)
{
    (void)state;
    Period first = period(&monthly, "UTC", "2026-06-10T15:00:00.000001Z", "2026-06-11T00:00:00Z");
    assert_moment(first.service.start, "2026-06-10T15:00:00.000001Z");
    assert_moment(first.service.end, "2026-07-01T00:00:00Z");
    assert_moment(first.full.start, "2026-06-01T00:00:00Z");
    assert_int_equal(first.index, 0);
    Period next = period(&monthly, "UTC", "2026-06-10T15:00:00.000001Z", "2026-07-01T00:00:00Z");
    assert_moment(next.service.start, "2026-07-01T00:00:00Z");
    assert_int_equal(next.index, 1);
}

static void test_the_31st_clamps_and_comes_back(void **state)
{
    (void)state;
    static const char *const starts[] = { "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30",
                                          "2026-05-31" };
    PeriodRule rule = { .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_SUBSCRIPTION };
    Instant    at = moment("2026-01-31T00:00:00Z");
    for (size_t i = 0; i < 5; i++) {
        Period found = period_at(&rule, zone_utc(), moment("2026-01-31T00:00:00Z"), at);
        assert_text(date_print(arena, zone_local(zone_utc(), found.service.start).date), starts[i]);
        assert_int_equal(found.index, (int64_t)i);
        at = found.service.end;
    }
}

static void test_bill_cycle_day_31_across_february_and_april(void **state)
{
    (void)state;
    PeriodRule rule = {
        .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_DAY_OF_MONTH, .day = 31
    };
    Period stub = period(&rule, "UTC", "2026-02-10T00:00:00Z", "2026-02-12T00:00:00Z");
    assert_moment(stub.service.start, "2026-02-10T00:00:00Z");
    assert_moment(stub.service.end, "2026-02-28T00:00:00Z");
    assert_moment(stub.full.start, "2026-01-31T00:00:00Z");
    Period march = period(&rule, "UTC", "2026-02-10T00:00:00Z", "2026-03-30T23:59:59Z");
    assert_moment(march.service.start, "2026-02-28T00:00:00Z");
    assert_moment(march.service.end, "2026-03-31T00:00:00Z");
    Period april = period(&rule, "UTC", "2026-02-10T00:00:00Z", "2026-04-30T00:00:00Z");
    assert_moment(april.service.start, "2026-04-30T00:00:00Z");
    assert_moment(april.service.end, "2026-05-31T00:00:00Z");
}

static void test_a_day_of_month_steps_from_the_month_of_the_start(void **state)
{
    (void)state;
    PeriodRule rule = {
        .every = 3, .unit = PERIOD_MONTH, .anchor = ANCHOR_DAY_OF_MONTH, .day = 15
    };
    Period first = period(&rule, "UTC", "2026-02-15T00:00:00Z", "2026-02-15T00:00:00Z");
    assert_moment(first.service.end, "2026-05-15T00:00:00Z");
    Period early = period(&rule, "UTC", "2026-02-10T00:00:00Z", "2026-02-10T00:00:00Z");
    assert_moment(early.service.end, "2026-02-15T00:00:00Z");
    assert_moment(early.full.start, "2025-11-15T00:00:00Z");
    Period late = period(&rule, "UTC", "2026-02-16T00:00:00Z", "2026-02-16T00:00:00Z");
    assert_moment(late.service.end, "2026-05-15T00:00:00Z");
    assert_moment(late.full.start, "2026-02-15T00:00:00Z");
    assert_int_equal(period(&rule, "UTC", "2026-02-16T00:00:00Z", "2026-05-15T00:00:00Z").index, 1);
}

static void test_wall_time_is_kept_across_dst(void **state)
{
    (void)state;
    PeriodRule rule = { .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_SUBSCRIPTION_INSTANT };
    Period     march =
        period(&rule, "America/New_York", "2024-02-01T15:30:00Z", "2024-03-15T00:00:00Z");
    assert_moment(march.service.start, "2024-03-01T15:30:00Z");
    assert_moment(march.service.end, "2024-04-01T14:30:00Z");
    Period gap = period(&rule, "Europe/Berlin", "2026-01-29T01:30:00Z", "2026-03-30T00:00:00Z");
    assert_moment(gap.service.start, "2026-03-29T01:00:00Z");
    assert_moment(gap.service.end, "2026-04-29T00:30:00Z");
}

// Newfoundland's clocks showed midnight, and a minute later the hour before it again.
static void test_a_repeated_evening_belongs_to_the_period_that_has_begun(void **state)
{
    (void)state;
    Period november =
        period(&monthly, "America/St_Johns", "2009-01-01T00:00:00Z", "2009-11-01T02:45:00Z");
    assert_moment(november.service.start, "2009-11-01T02:30:00Z");
    assert_moment(november.service.end, "2009-12-01T03:30:00Z");
}

static void test_midnight_of_the_start_date_in_its_zone(void **state)
{
    (void)state;
    PeriodRule rule = { .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_SUBSCRIPTION };
    Period     first =
        period(&rule, "Pacific/Tongatapu", "2026-06-10T12:00:00Z", "2026-06-20T00:00:00Z");
    assert_moment(first.full.start, "2026-06-10T11:00:00Z");
    assert_moment(first.service.start, "2026-06-10T12:00:00Z");
    assert_moment(first.service.end, "2026-07-10T11:00:00Z");
}

static void test_dates_anchor_fiscal_years_and_odd_weeks(void **state)
{
    (void)state;
    PeriodRule fiscal = {
        .every = 1, .unit = PERIOD_YEAR, .anchor = ANCHOR_DATE, .date = { 2026, 4, 6 }
    };
    Period year = period(&fiscal, "Europe/London", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z");
    assert_moment(year.service.end, "2026-04-05T23:00:00Z");
    assert_moment(year.full.start, "2025-04-05T23:00:00Z");
    PeriodRule sundays = {
        .every = 1, .unit = PERIOD_WEEK, .anchor = ANCHOR_DATE, .date = { 2026, 6, 7 }
    };
    Period week = period(&sundays, "UTC", "2026-01-01T00:00:00Z", "2026-06-18T00:00:00Z");
    assert_moment(week.service.start, "2026-06-14T00:00:00Z");
    PeriodRule cycles = {
        .every = 28, .unit = PERIOD_DAY, .anchor = ANCHOR_DATE, .date = { 2026, 1, 1 }
    };
    Period cycle = period(&cycles, "UTC", "2025-12-01T00:00:00Z", "2026-02-01T00:00:00Z");
    assert_moment(cycle.service.start, "2026-01-29T00:00:00Z");
    assert_moment(cycle.service.end, "2026-02-26T00:00:00Z");
}

static void test_calendars_align_to_january_and_monday(void **state)
{
    (void)state;
    PeriodRule half = { .every = 6, .unit = PERIOD_MONTH };
    PeriodRule quarter = { .every = 1, .unit = PERIOD_QUARTER },
               week = { .every = 1, .unit = PERIOD_WEEK };
    assert_moment(
        period(&half, "UTC", "2020-05-01T00:00:00Z", "2026-08-01T00:00:00Z").service.start,
        "2026-07-01T00:00:00Z");
    assert_moment(
        period(&quarter, "UTC", "2020-05-01T00:00:00Z", "2026-06-30T00:00:00Z").service.start,
        "2026-04-01T00:00:00Z");
    assert_moment(
        period(&week, "UTC", "2020-05-01T00:00:00Z", "2026-06-14T00:00:00Z").service.start,
        "2026-06-08T00:00:00Z");
}

static void test_rules_that_do_not_cut_time_are_refused(void **state)
{
    (void)state;
    static const PeriodRule wrong[] = {
        { .every = 0, .unit = PERIOD_MONTH },
        { .every = 1001, .unit = PERIOD_DAY, .anchor = ANCHOR_SUBSCRIPTION },
        { .every = 1, .unit = PERIOD_DAY },
        { .every = 2, .unit = PERIOD_WEEK },
        { .every = 5, .unit = PERIOD_MONTH },
        { .every = 24, .unit = PERIOD_MONTH },
        { .every = 2, .unit = PERIOD_QUARTER },
        { .every = 2, .unit = PERIOD_YEAR },
        { .every = 1, .unit = PERIOD_WEEK, .anchor = ANCHOR_DAY_OF_MONTH, .day = 3 },
        { .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_DAY_OF_MONTH, .day = 0 },
        { .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_DAY_OF_MONTH, .day = 32 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(period_rule_fault(&wrong[i]));
    for (uint8_t day = 1; day <= 31; day++) {
        PeriodRule rule = {
            .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_DAY_OF_MONTH, .day = day
        };
        assert_null(period_rule_fault(&rule));
    }
    for (uint32_t every = 1; every <= 12; every++) {
        PeriodRule rule = { .every = every, .unit = PERIOD_MONTH };
        assert_true((period_rule_fault(&rule) == NULL) == (12 % every == 0));
    }
}

// Rows of boundaries have no end; time has. Nothing is asked for ever, and every end has a text.
static void test_the_first_and_the_last_period_of_all_time(void **state)
{
    (void)state;
    static const char *const names[] = { "UTC", "Europe/Berlin", "Pacific/Kiritimati",
                                         "Pacific/Pago_Pago" };
    PeriodRule millennia = { .every = 1000, .unit = PERIOD_YEAR, .anchor = ANCHOR_SUBSCRIPTION };
    Instant    last = moment("9999-12-31T23:59:59.999999Z");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Period period = period_at(&monthly, zone(names[i]), INSTANT_FIRST, last);
        assert_int_equal(period.service.end.us, INSTANT_END.us);
        assert_true(period.service.start.us < last.us && period.index > 9998 * 12);
        assert_moment(period.full.end, "9999-12-31T23:59:59.999999Z");
        Period behind = period_at(&monthly, zone(names[i]), INSTANT_FIRST, INSTANT_END);
        assert_memory_equal(&behind, &period, sizeof period);
        Period first = period_at(&monthly, zone(names[i]), INSTANT_FIRST, INSTANT_FIRST);
        assert_moment(first.full.start, "0001-01-01T00:00:00Z");
        assert_true(first.service.end.us > INSTANT_FIRST.us);
    }
    Period long_one = period_at(&millennia, zone_utc(), moment("2026-01-01T00:00:00Z"), last);
    assert_moment(long_one.service.start, "9026-01-01T00:00:00Z");
    assert_int_equal(long_one.service.end.us, INSTANT_END.us);
    PeriodRow row = period_row(&monthly, zone_utc(), (Local){ { 2026, 1, 1 }, 0 });
    assert_int_equal(period_boundary(&row, period_place(&row, (Instant){ INT64_MIN })).us,
                     INSTANT_FIRST.us);
}

static void test_unit_names(void **state)
{
    (void)state;
    PeriodUnit unit;
    assert_true(period_unit_find(STR("quarter"), &unit));
    assert_int_equal(unit, PERIOD_QUARTER);
    assert_false(period_unit_find(STR("months"), &unit));
}

static void check_gapless(const PeriodRule *rule, const Zone *in, Instant start, Seeded *seeded)
{
    Period now = period_at(rule, in, start, start);
    assert_int_equal(now.service.start.us, start.us);
    for (int64_t index = 0; index < 40; index++) {
        assert_int_equal(now.index, index);
        assert_true(now.full.start.us <= now.service.start.us &&
                    now.full.end.us == now.service.end.us);
        int64_t length = now.service.end.us - now.service.start.us;
        assert_true(length > 0);
        Instant inside = { now.service.start.us + (int64_t)seeded_below(seeded, (uint64_t)length) };
        Period  same = period_at(rule, in, start, inside);
        assert_true(same.service.start.us == now.service.start.us &&
                    same.service.end.us == now.service.end.us);
        Instant end = now.service.end;
        now = period_at(rule, in, start, end);
        assert_int_equal(now.service.start.us, end.us);
    }
}

static void test_periods_are_gapless_for_every_rule(void **state)
{
    (void)state;
    static const char *const names[] = { "UTC", "Pacific/Apia", "America/Sao_Paulo",
                                         "Europe/Berlin", "Asia/Kathmandu" };
    Seeded                   seeded = seeded_of(5);
    for (int round = 0; round < 600; round++) {
        PeriodRule rule = { .every = 1 + (uint32_t)seeded_below(&seeded, 4),
                            .unit = (PeriodUnit)seeded_below(&seeded, PERIOD_UNIT_COUNT),
                            .anchor = (PeriodAnchor)seeded_below(&seeded, 5),
                            .date = { 2011, (uint8_t)(1 + seeded_below(&seeded, 12)), 28 },
                            .day = (uint8_t)(1 + seeded_below(&seeded, 31)) };
        Instant    start = { moment("2010-01-01T00:00:00Z").us +
                             (int64_t)seeded_below(&seeded, 3u * 365 * 86400 * 1000000) };
        if (period_rule_fault(&rule) == NULL)
            check_gapless(&rule, zone(names[seeded_below(&seeded, 5)]), start, &seeded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_a_calendar_month_clipped_to_its_start),
        test_of(test_the_31st_clamps_and_comes_back),
        test_of(test_bill_cycle_day_31_across_february_and_april),
        test_of(test_a_day_of_month_steps_from_the_month_of_the_start),
        test_of(test_wall_time_is_kept_across_dst),
        test_of(test_a_repeated_evening_belongs_to_the_period_that_has_begun),
        test_of(test_midnight_of_the_start_date_in_its_zone),
        test_of(test_dates_anchor_fiscal_years_and_odd_weeks),
        test_of(test_calendars_align_to_january_and_monday),
        test_of(test_rules_that_do_not_cut_time_are_refused),
        test_of(test_the_first_and_the_last_period_of_all_time),
        test_of(test_unit_names),
        test_of(test_periods_are_gapless_for_every_rule),
    };
    return cmocka_run_group_tests_name("time/period", tests, NULL, NULL);
}
