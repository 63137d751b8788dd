// SPDX-License-Identifier: Apache-2.0
// Calendars over changes of zone and rule: worked examples, and properties of random calendars.
#include "time/calendar.h"

#include "base/random.h"
#include "moments.h"

static const PeriodRule monthly = { .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_CALENDAR };
static const PeriodRule yearly = { .every = 1, .unit = PERIOD_YEAR, .anchor = ANCHOR_CALENDAR };
static const PeriodRule from_start = {
    .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_SUBSCRIPTION
};

static Calendar begin(const PeriodRule *rule, const char *name, const char *start)
{
    return calendar_begin(arena, rule, zone(name), moment(start));
}

static void move(Calendar *calendar, const char *at, const char *name)
{
    calendar_change_zone(arena, calendar, moment(at), zone(name));
}

static void assert_period(Period period, const char *start, const char *end, int64_t index)
{
    assert_moment(period.service.start, start);
    assert_moment(period.service.end, end);
    assert_int_equal(period.index, index);
}

static void assert_is_full(Period period)
{
    assert_int_equal(period.full.start.us, period.service.start.us);
    assert_int_equal(period.full.end.us, period.service.end.us);
}

static void test_without_changes_a_calendar_is_its_rule(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "UTC", "2026-06-10T15:00:00Z");
    Period   first = calendar_period_at(&calendar, moment("2026-06-10T15:00:00Z"));
    assert_period(first, "2026-06-10T15:00:00Z", "2026-07-01T00:00:00Z", 0);
    assert_moment(first.full.start, "2026-06-01T00:00:00Z");
    assert_moment(calendar_next_boundary(&calendar, moment("2026-01-01T00:00:00Z")),
                  "2026-06-10T15:00:00Z");
    assert_moment(calendar_next_boundary(&calendar, moment("2026-07-01T00:00:00Z")),
                  "2026-08-01T00:00:00Z");
}

// West to east: midnight of the new zone comes hours before the running period ends, so what is
// left of the natural period there is nearly all of it.
static void test_a_new_zone_begins_at_the_end_of_the_running_period(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "UTC", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-03-10T12:00:00Z", "Asia/Tokyo");
    assert_period(calendar_period_at(&calendar, moment("2026-03-20T00:00:00Z")),
                  "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", 2);
    Period april = calendar_period_at(&calendar, moment("2026-04-01T00:00:00Z"));
    assert_period(april, "2026-04-01T00:00:00Z", "2026-04-30T15:00:00Z", 3);
    assert_is_full(april);
    Period may = calendar_period_at(&calendar, moment("2026-05-31T14:59:59Z"));
    assert_period(may, "2026-04-30T15:00:00Z", "2026-05-31T15:00:00Z", 4);
    assert_is_full(may);
}

// East to west: midnight of the new zone comes hours later, far less than half a period.
static void test_a_boundary_nearer_than_half_a_period_is_passed_over(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "Asia/Tokyo", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-03-10T12:00:00Z", "America/New_York");
    Period april = calendar_period_at(&calendar, moment("2026-03-31T20:00:00Z"));
    assert_period(april, "2026-03-31T15:00:00Z", "2026-05-01T04:00:00Z", 3);
    assert_is_full(april);
}

// Noon in Tarawa is midnight of UTC: half a day is left there, and that is not more than half.
static void test_exactly_half_a_period_is_passed_over_too(void **state)
{
    (void)state;
    PeriodRule daily = { .every = 1, .unit = PERIOD_DAY, .anchor = ANCHOR_SUBSCRIPTION };
    Calendar   calendar = begin(&daily, "UTC", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-01-05T01:00:00Z", "Pacific/Tarawa");
    assert_period(calendar_period_at(&calendar, moment("2026-01-06T00:00:00Z")),
                  "2026-01-06T00:00:00Z", "2026-01-07T12:00:00Z", 5);
    calendar = begin(&daily, "UTC", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-01-05T01:00:00Z", "Asia/Kamchatka");  // the same offset, by another name
    assert_moment(calendar_next_boundary(&calendar, moment("2026-01-06T00:00:00Z")),
                  "2026-01-07T12:00:00Z");
    calendar = begin(&daily, "UTC", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-01-05T01:00:00Z", "Asia/Magadan");  // eleven hours: thirteen are left
    assert_moment(calendar_next_boundary(&calendar, moment("2026-01-06T00:00:00Z")),
                  "2026-01-06T13:00:00Z");
}

static void test_the_anchor_keeps_its_local_date_in_a_new_zone(void **state)
{
    (void)state;
    Calendar calendar = begin(&from_start, "Pacific/Auckland", "2026-01-14T12:00:00Z");
    assert_period(calendar_period_at(&calendar, moment("2026-01-20T00:00:00Z")),
                  "2026-01-14T12:00:00Z", "2026-02-14T11:00:00Z", 0);
    move(&calendar, "2026-01-20T00:00:00Z", "UTC");
    assert_period(calendar_period_at(&calendar, moment("2026-02-14T11:00:00Z")),
                  "2026-02-14T11:00:00Z", "2026-03-15T00:00:00Z", 1);
    assert_period(calendar_period_at(&calendar, moment("2026-03-15T00:00:00Z")),
                  "2026-03-15T00:00:00Z", "2026-04-15T00:00:00Z", 2);
}

static void test_of_changes_in_one_period_the_last_counts(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "UTC", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-03-10T00:00:00Z", "Asia/Tokyo");
    move(&calendar, "2026-03-12T00:00:00Z", "Europe/Berlin");
    assert_int_equal(calendar.count, 2);
    assert_period(calendar_period_at(&calendar, moment("2026-04-10T00:00:00Z")),
                  "2026-04-01T00:00:00Z", "2026-04-30T22:00:00Z", 3);
    move(&calendar, "2026-03-31T23:59:59Z", "UTC");
    assert_int_equal(calendar.count, 1);
    move(&calendar, "2026-03-31T23:59:59Z", "UTC");
    assert_int_equal(calendar.count, 1);
}

static void test_a_zone_at_the_beginning_counts_from_there(void **state)
{
    (void)state;
    Calendar calendar = begin(&from_start, "UTC", "2026-01-14T12:00:00Z");
    move(&calendar, "2026-01-14T12:00:00Z", "Pacific/Auckland");
    assert_int_equal(calendar.count, 1);
    assert_period(calendar_period_at(&calendar, moment("2026-01-20T00:00:00Z")),
                  "2026-01-14T12:00:00Z", "2026-02-14T11:00:00Z", 0);
    calendar_change_rule(arena, &calendar, moment("2026-02-01T00:00:00Z"), &monthly);
    move(&calendar, "2026-02-01T00:00:00Z", "UTC");
    assert_period(calendar_period_at(&calendar, moment("2026-02-01T00:00:00Z")),
                  "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", 1);
}

static void test_a_zone_at_a_boundary_waits_for_the_next(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "UTC", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-03-01T00:00:00Z", "Asia/Tokyo");
    assert_moment(calendar_next_boundary(&calendar, moment("2026-03-01T00:00:00Z")),
                  "2026-04-01T00:00:00Z");
    move(&calendar, "2026-04-01T00:00:00Z", "UTC");
    assert_moment(calendar_next_boundary(&calendar, moment("2026-04-01T00:00:00Z")),
                  "2026-04-30T15:00:00Z");
    assert_moment(calendar_next_boundary(&calendar, moment("2026-04-30T15:00:00Z")),
                  "2026-06-01T00:00:00Z");
}

static void test_a_new_rule_ends_the_running_period_at_once(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "UTC", "2026-01-01T00:00:00Z");
    Instant  at = moment("2026-03-10T12:00:00Z");
    calendar_change_rule(arena, &calendar, at, &monthly);
    assert_int_equal(calendar.count, 1);
    calendar_change_rule(arena, &calendar, at, &from_start);
    Period cut = calendar_period_at(&calendar, moment("2026-03-10T11:59:59Z"));
    assert_period(cut, "2026-03-01T00:00:00Z", "2026-03-10T12:00:00Z", 2);
    assert_moment(cut.full.end, "2026-04-01T00:00:00Z");
    Period anew = calendar_period_at(&calendar, at);
    assert_period(anew, "2026-03-10T12:00:00Z", "2026-04-10T00:00:00Z", 3);
    assert_moment(anew.full.start, "2026-03-10T00:00:00Z");
    assert_ptr_equal(calendar_era_at(&calendar, at), &calendar.eras[1]);
    // Again at the same instant: the period that never ran is not counted.
    calendar_change_rule(arena, &calendar, at, &yearly);
    assert_int_equal(calendar.count, 2);
    assert_period(calendar_period_at(&calendar, at), "2026-03-10T12:00:00Z",
                  "2027-01-01T00:00:00Z", 3);
}

static void test_a_new_rule_takes_the_zone_that_was_waiting(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "UTC", "2026-01-01T00:00:00Z");
    move(&calendar, "2026-03-05T00:00:00Z", "Asia/Tokyo");
    calendar_change_rule(arena, &calendar, moment("2026-03-10T00:00:00Z"), &yearly);
    assert_int_equal(calendar.count, 2);
    assert_period(calendar_period_at(&calendar, moment("2026-04-10T00:00:00Z")),
                  "2026-03-10T00:00:00Z", "2026-12-31T15:00:00Z", 3);
}

static void test_a_copy_is_left_as_it_was(void **state)
{
    (void)state;
    Calendar calendar = begin(&monthly, "UTC", "2026-01-01T00:00:00Z"), tried = calendar;
    move(&tried, "2026-01-05T00:00:00Z", "Asia/Tokyo");
    assert_int_equal(calendar.count, 1);
    assert_moment(calendar_next_boundary(&calendar, moment("2026-02-10T00:00:00Z")),
                  "2026-03-01T00:00:00Z");
}

// Samoa had no 30 December 2011: that day is no period, and none is counted.
static void test_a_day_that_a_zone_skips_is_no_period(void **state)
{
    (void)state;
    PeriodRule daily = { .every = 1, .unit = PERIOD_DAY, .anchor = ANCHOR_SUBSCRIPTION };
    Calendar   calendar = begin(&daily, "Pacific/Apia", "2011-12-28T10:00:00Z");
    assert_period(calendar_period_at(&calendar, moment("2011-12-30T09:59:59Z")),
                  "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", 1);
    assert_period(calendar_period_at(&calendar, moment("2011-12-30T10:00:00Z")),
                  "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", 2);
}

static void test_a_year_of_months_and_weeks_of_days(void **state)
{
    (void)state;
    PeriodLength months = { 1, PERIOD_MONTH }, days = { 1, PERIOD_DAY };
    Calendar     calendar = begin(&yearly, "UTC", "2026-03-10T00:00:00Z");
    Period first = calendar_own_period_at(&calendar, months, moment("2026-03-10T00:00:00Z"));
    assert_period(first, "2026-03-10T00:00:00Z", "2026-04-01T00:00:00Z", 0);
    assert_moment(first.full.start, "2026-03-01T00:00:00Z");
    assert_period(calendar_own_period_at(&calendar, months, moment("2026-12-31T00:00:00Z")),
                  "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", 9);
    assert_period(calendar_own_period_at(&calendar, months, moment("2027-01-31T00:00:00Z")),
                  "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z", 0);
    PeriodRule weekly = { .every = 1, .unit = PERIOD_WEEK };
    calendar = begin(&weekly, "UTC", "2026-06-08T00:00:00Z");
    assert_period(calendar_own_period_at(&calendar, days, moment("2026-06-10T00:00:00Z")),
                  "2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z", 2);
}

static void test_own_periods_after_a_change_of_zone(void **state)
{
    (void)state;
    PeriodLength months = { 1, PERIOD_MONTH };
    Calendar     calendar = begin(&yearly, "Asia/Tokyo", "2025-12-31T15:00:00Z");
    move(&calendar, "2026-03-10T00:00:00Z", "America/New_York");
    Period january = calendar_own_period_at(&calendar, months, moment("2027-01-01T00:00:00Z"));
    assert_period(january, "2026-12-31T15:00:00Z", "2027-02-01T05:00:00Z", 0);
    assert_is_full(january);
    assert_period(calendar_own_period_at(&calendar, months, moment("2027-02-01T05:00:00Z")),
                  "2027-02-01T05:00:00Z", "2027-03-01T05:00:00Z", 1);
}

static void test_what_divides_what(void **state)
{
    (void)state;
    PeriodRule fortnight = { .every = 2, .unit = PERIOD_WEEK, .anchor = ANCHOR_SUBSCRIPTION },
               half = { .every = 6, .unit = PERIOD_MONTH };
    assert_true(period_divides(&yearly, (PeriodLength){ 1, PERIOD_QUARTER }));
    assert_true(period_divides(&yearly, (PeriodLength){ 6, PERIOD_MONTH }));
    assert_false(period_divides(&yearly, (PeriodLength){ 5, PERIOD_MONTH }));
    assert_false(period_divides(&yearly, (PeriodLength){ 1, PERIOD_DAY }));
    assert_true(period_divides(&half, (PeriodLength){ 2, PERIOD_QUARTER }));
    assert_true(period_divides(&fortnight, (PeriodLength){ 7, PERIOD_DAY }));
    assert_false(period_divides(&fortnight, (PeriodLength){ 4, PERIOD_DAY }));
    assert_false(period_divides(&fortnight, (PeriodLength){ 1, PERIOD_MONTH }));
}

static void test_rules_are_the_same_by_what_counts(void **state)
{
    (void)state;
    PeriodRule a = {
        .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_DATE, .date = { 2026, 4, 6 }
    };
    PeriodRule b = a;
    assert_true(period_rule_same(&a, &b));
    b.date.day = 7;
    assert_false(period_rule_same(&a, &b));
    a.anchor = b.anchor = ANCHOR_SUBSCRIPTION;
    assert_true(period_rule_same(&a, &b));
    a.anchor = b.anchor = ANCHOR_DAY_OF_MONTH;
    a.day = 3;
    assert_false(period_rule_same(&a, &b));
    b.day = 3;
    assert_true(period_rule_same(&a, &b));
    b.anchor = ANCHOR_CALENDAR;
    assert_false(period_rule_same(&a, &b));
    b = a;
    b.every = 2;
    assert_false(period_rule_same(&a, &b));
    b = a;
    b.unit = PERIOD_YEAR;
    assert_false(period_rule_same(&a, &b));
}

static const char *const names[] = { "UTC",           "Pacific/Apia",      "America/Sao_Paulo",
                                     "Europe/Berlin", "Pacific/Kiritimati", "America/New_York" };

static const Zone *any_zone(Seeded *seeded)
{
    return zone(names[seeded_below(seeded, sizeof names / sizeof *names)]);
}

static PeriodRule any_rule(Seeded *seeded)
{
    for (;;) {
        PeriodRule rule = { .every = 1 + (uint32_t)seeded_below(seeded, 4),
                            .unit = (PeriodUnit)seeded_below(seeded, PERIOD_UNIT_COUNT),
                            .anchor = (PeriodAnchor)seeded_below(seeded, 5),
                            .date = { 2011, (uint8_t)(1 + seeded_below(seeded, 12)), 28 },
                            .day = (uint8_t)(1 + seeded_below(seeded, 31)) };
        if (period_rule_fault(&rule) == NULL)
            return rule;
    }
}

static Instant any_after(Seeded *seeded, Instant from, uint64_t days)
{
    // Often a midnight of UTC, where boundaries are met exactly.
    uint64_t us = seeded_below(seeded, days * 86400000000);
    Instant  at = { from.us + (int64_t)us };
    if (seeded_below(seeded, 3) == 0 && at.us - at.us % INSTANT_DAY_US >= from.us)
        at.us -= at.us % INSTANT_DAY_US;
    return at;
}

static Calendar any_calendar(Seeded *seeded, Instant start)
{
    PeriodRule rule = any_rule(seeded);
    Calendar   calendar = calendar_begin(arena, &rule, any_zone(seeded), start);
    Instant    at = start;
    for (uint64_t changes = seeded_below(seeded, 7); changes > 0; changes--) {
        at = seeded_below(seeded, 4) == 0 ? calendar_next_boundary(&calendar, at)
                                          : any_after(seeded, at, 90);
        if (seeded_below(seeded, 3) == 0) {
            rule = any_rule(seeded);
            calendar_change_rule(arena, &calendar, at, &rule);
        } else
            calendar_change_zone(arena, &calendar, at, any_zone(seeded));
    }
    return calendar;
}

static void check_own_periods(const Calendar *calendar, Period whole)
{
    const CalendarEra *era = calendar_era_at(calendar, whole.service.start);
    PeriodLength       length = { 1, era->rule.unit < PERIOD_MONTH ? PERIOD_DAY : PERIOD_MONTH };
    int64_t            index = 0;
    for (Instant t = whole.service.start; t.us < whole.service.end.us;) {
        Period own = calendar_own_period_at(calendar, length, t);
        assert_int_equal(own.service.start.us, t.us);
        assert_int_equal(own.index, index++);
        assert_true(own.service.end.us > t.us && own.service.end.us <= whole.service.end.us);
        assert_true(own.full.start.us <= t.us && own.full.end.us >= own.service.end.us);
        t = own.service.end;
    }
}

// Each period holds every instant in it, the next begins where it ends, by one index up.
static void check_tiles(const Calendar *calendar, Instant start, Seeded *seeded)
{
    Period now = calendar_period_at(calendar, start);
    assert_int_equal(now.service.start.us, start.us);
    for (int64_t index = 0; index < 60; index++) {
        assert_int_equal(now.index, index);
        assert_true(now.full.start.us <= now.service.start.us &&
                    now.full.end.us >= now.service.end.us);
        assert_true(now.service.start.us < now.service.end.us);
        Instant inside = any_after(seeded, now.service.start, 1);
        if (inside.us >= now.service.end.us)
            inside.us = now.service.end.us - 1;
        Period same = calendar_period_at(calendar, inside);
        assert_memory_equal(&same, &now, sizeof now);
        assert_int_equal(calendar_next_boundary(calendar, inside).us, now.service.end.us);
        check_own_periods(calendar, now);
        Instant end = now.service.end;
        now = calendar_period_at(calendar, end);
        assert_int_equal(now.service.start.us, end.us);
    }
}

static void test_random_calendars_tile_time(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(11);
    for (int round = 0; round < 300; round++) {
        Instant  start = any_after(&seeded, moment("2010-10-01T00:00:00Z"), 450);
        Calendar calendar = any_calendar(&seeded, start);
        check_tiles(&calendar, start, &seeded);
    }
}

// A period that follows a change of zone is between half and one and a half times a natural one.
static void test_joined_periods_are_neither_short_nor_long(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(12);
    for (int round = 0; round < 300; round++) {
        Instant  start = any_after(&seeded, moment("2012-10-01T00:00:00Z"), 450);
        Calendar calendar = any_calendar(&seeded, start);
        for (size_t i = 0; i < calendar.count; i++) {
            const CalendarEra *era = &calendar.eras[i];
            if (!era->goes_on)
                continue;
            PeriodRow row = period_row(&era->rule, era->zone, era->anchor);
            int64_t   place = period_place(&row, era->from);
            Instant   next = period_boundary(&row, place + 1);
            int64_t   natural = next.us - period_boundary(&row, place).us;
            int64_t   later = period_boundary(&row, place + 2).us - era->from.us;
            int64_t   length = era->first.end.us - era->first.start.us;
            assert_true(2 * length > natural && length <= later);
        }
    }
}

static void test_no_change_is_no_change(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(13);
    for (int round = 0; round < 500; round++) {
        Instant     start = any_after(&seeded, moment("2010-10-01T00:00:00Z"), 450);
        PeriodRule  rule = any_rule(&seeded);
        const Zone *in = any_zone(&seeded);
        Calendar    calendar = calendar_begin(arena, &rule, in, start);
        Instant     at = any_after(&seeded, start, 900);
        calendar_change_zone(arena, &calendar, any_after(&seeded, start, 100), in);
        Period plain = period_at(&rule, in, start, at), same = calendar_period_at(&calendar, at);
        assert_memory_equal(&plain, &same, sizeof same);
        assert_int_equal(calendar.count, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_without_changes_a_calendar_is_its_rule),
        test_of(test_a_new_zone_begins_at_the_end_of_the_running_period),
        test_of(test_a_boundary_nearer_than_half_a_period_is_passed_over),
        test_of(test_exactly_half_a_period_is_passed_over_too),
        test_of(test_the_anchor_keeps_its_local_date_in_a_new_zone),
        test_of(test_of_changes_in_one_period_the_last_counts),
        test_of(test_a_zone_at_the_beginning_counts_from_there),
        test_of(test_a_zone_at_a_boundary_waits_for_the_next),
        test_of(test_a_new_rule_ends_the_running_period_at_once),
        test_of(test_a_new_rule_takes_the_zone_that_was_waiting),
        test_of(test_a_copy_is_left_as_it_was),
        test_of(test_a_day_that_a_zone_skips_is_no_period),
        test_of(test_a_year_of_months_and_weeks_of_days),
        test_of(test_own_periods_after_a_change_of_zone),
        test_of(test_what_divides_what),
        test_of(test_rules_are_the_same_by_what_counts),
        test_of(test_random_calendars_tile_time),
        test_of(test_joined_periods_are_neither_short_nor_long),
        test_of(test_no_change_is_no_change),
    };
    return cmocka_run_group_tests_name("time/calendar", tests, NULL, NULL);
}
