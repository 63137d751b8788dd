// SPDX-License-Identifier: Apache-2.0
#include "time/instant.h"

#include "base/random.h"
#include "moments.h"

static void test_texts_of_one_moment(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
    } rows[] = {
        { "2026-06-10T14:02:11Z", "2026-06-10T14:02:11Z" },
        { "2026-06-10t14:02:11z", "2026-06-10T14:02:11Z" },
        { "2026-06-10T16:02:11+02:00", "2026-06-10T14:02:11Z" },
        { "2026-06-10T00:32:11-13:30", "2026-06-10T14:02:11Z" },
        { "2026-06-10T14:02:11.5Z", "2026-06-10T14:02:11.5Z" },
        { "2026-06-10T14:02:11.000001Z", "2026-06-10T14:02:11.000001Z" },
        { "2026-06-10T14:02:11.123456000Z", "2026-06-10T14:02:11.123456Z" },
        { "2026-06-10T14:02:11.100000Z", "2026-06-10T14:02:11.1Z" },
        { "2024-02-29T23:59:59.999999Z", "2024-02-29T23:59:59.999999Z" },
        { "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z" },
        { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
        { "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z" },
        { "2026-12-31T23:59:59-00:00", "2026-12-31T23:59:59Z" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_moment(moment(rows[i].text), rows[i].printed);
}

static void test_what_is_no_moment_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026-06-10",
        "2026-06-10T14:02:11",
        "2026-06-10 14:02:11Z",
        "2026-6-10T14:02:11Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-06-31T00:00:00Z",
        "2026-06-10T24:00:00Z",
        "2026-06-10T23:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-06-10T14:02:11.Z",
        "2026-06-10T14:02:11.1234567Z",
        "2026-06-10T14:02:11.1234560000Z",
        "2026-06-10T14:02:11+0200",
        "2026-06-10T14:02:11+24:00",
        "2026-06-10T14:02:11+02:60",
        "2026-06-10T14:02:11ZZ",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:00:00-01:00",
        "+2026-06-10T14:02:11Z",
        "20260-06-10T14:02:11Z",
        "now",
        "2026-06-10T14:02:11X",
        "2026-06-10T14-02:11Z",
        "2026-06-10T14:02-11Z",
        "2026-06-10T1x:02:11Z",
        "2026-06-10T14:x2:11Z",
        "2026-06-10T14:02:!1Z",
        "2026-06-10T14:02:11.5",
        "2026-06-10T14:02:11.5x",
        "2026-06-10T14:02:11.5*",
        "2026-06-10T14:02:11.1234567",
        "2026-06-10T14:02:11*02:00",
        "2026-06-10T14:02:11+02-00",
        "2026-06-10T14:02:11+x2:00",
        "2026-06-10T14:02:11-02:0x",
    };
    Instant instant;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(instant_parse(str_of(texts[i]), &instant));
    assert_false(instant_parse(STR_NONE, &instant));
}

static void test_hours_and_days_floor_before_1970_too(void **state)
{
    (void)state;
    assert_int_equal(instant_utc_day(moment("1970-01-01T23:59:59.999999Z")), 0);
    assert_int_equal(instant_utc_day(moment("1969-12-31T23:59:59.999999Z")), -1);
    assert_int_equal(instant_utc_day(moment("1969-12-31T00:00:00Z")), -1);
    assert_int_equal(instant_utc_hour(moment("1970-01-01T00:59:59Z")), 0);
    assert_int_equal(instant_utc_hour(moment("1969-12-31T23:00:00Z")), -1);
    assert_int_equal(instant_utc_hour(moment("1969-12-31T22:59:59.999999Z")), -2);
}

static void test_print_and_parse_are_inverse(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(3);
    for (int i = 0; i < 20000; i++) {
        Instant again,
            instant = { (int64_t)seeded_below(&seeded, 315537897600000000u) - 62135596800000000 };
        assert_true(instant_parse(instant_print(arena, instant), &again));
        assert_int_equal(again.us, instant.us);
    }
}

static void test_dates_count_every_day_once(void **state)
{
    (void)state;
    Date date = date_of_days(-719162);
    for (int64_t days = -719162; days < 2932897; days++) {
        Date again = date_of_days(days);
        assert_true(again.year == date.year && again.month == date.month && again.day == date.day);
        assert_int_equal(date_days(date), days);
        if (date.day++ == date_month_days(date.year, date.month)) {
            date.day = 1;
            date.year += date.month == 12;
            date.month = date.month == 12 ? 1 : (uint8_t)(date.month + 1);
        }
    }
    assert_int_equal(date.year, 10000);
}

static void test_a_day_past_the_end_of_a_month_is_its_last(void **state)
{
    (void)state;
    int64_t january = date_months((Date){ 2026, 1, 1 });
    assert_text(date_print(arena, date_in_month(january, 31)), "2026-01-31");
    assert_text(date_print(arena, date_in_month(january + 1, 31)), "2026-02-28");
    assert_text(date_print(arena, date_in_month(january + 25, 30)), "2028-02-29");
    assert_text(date_print(arena, date_in_month(january - 1, 31)), "2025-12-31");
    Date date;
    assert_true(date_parse(STR("2026-04-06"), &date));
    assert_false(date_parse(STR("2026-4-6"), &date));
    assert_false(date_parse(STR("2026-04-31"), &date));
    assert_false(date_parse(STR("2026-04-06x"), &date));
}

static void test_what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",          "2026",       "202x-04-06", "2026x04-06", "2026-",      "2026-0",
        "2026-04",   "2026-04x06", "2026-04-",   "2026-04-0",  "2026-04-0x", "2026-04-!6",
        "2026-00-06", "2026-13-06", "2026-04-00", "0000-04-06", "2026-04-31",
    };
    Date date;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(date_parse(str_of(texts[i]), &date));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_texts_of_one_moment),
        test_of(test_what_is_no_moment_is_refused),
        test_of(test_hours_and_days_floor_before_1970_too),
        test_of(test_print_and_parse_are_inverse),
        test_of(test_dates_count_every_day_once),
        test_of(test_a_day_past_the_end_of_a_month_is_its_last),
        test_of(test_what_is_no_date_is_refused),
    };
    return cmocka_run_group_tests_name("time/instant", tests, NULL, NULL);
}
