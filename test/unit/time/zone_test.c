// SPDX-License-Identifier: Apache-2.0
// The table of a zone's changes against ICU itself, in the table and behind its end.
#include "time/zone.c"

#include "base/random.h"
#include "moments.h"

static const char *const names[] = {
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Argentina/Buenos_Aires",
};

enum { NAMES = sizeof names / sizeof *names };

// A zone that has learned nothing: every question goes to ICU.
static Zone ignorant(const Zone *zone)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar      wide[NAME_MAX_BYTES];
    Zone       copy = { 0 };
    for (size_t i = 0; i < NAME_MAX_BYTES; i++)
        wide[i] = (UChar)(copy.name[i] = zone->name[i]);
    copy.calendar = ucal_open(wide, -1, "en", UCAL_GREGORIAN, &status);
    assert_true(U_SUCCESS(status));
    lock_open(&copy.lock);
    return copy;
}

static void test_the_table_says_what_icu_says(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(31);
    for (size_t i = 0; i < NAMES; i++) {
        const Zone *known = zone(names[i]);
        Zone        asked = ignorant(known);
        for (int round = 0; round < 3000; round++) {
            Instant change, wanted, at = { (int64_t)seeded_below(&seeded, 2 * 4102444800000000) };
            if (seeded_below(&seeded, 2) == 0 && zone_change_after(known, at, &change))
                at.us = change.us + (int64_t)seeded_below(&seeded, 3) - 1;
            assert_int_equal(zone_offset_us(known, at), asked_offset_us(&asked, at));
            bool found = zone_change_after(known, at, &change);
            assert_true(found == asked_change_after(&asked, at, &wanted));
            assert_true(!found || change.us == wanted.us);
            if (zone_change_before(known, at, &change))
                assert_int_equal(change.us, asked_change_before(&asked, at).us);
        }
        ucal_close(asked.calendar);
    }
}

static void test_changes_are_changes_and_ascend(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        const Zone *known = zone(names[i]);
        int64_t     offset_us = known->first_offset_us;
        for (size_t k = 0; k < known->table.count; k++) {
            assert_true(known->table.at[k].offset_us != offset_us);
            offset_us = known->table.at[k].offset_us;
            assert_true(k == 0 || known->table.at[k - 1].at.us < known->table.at[k].at.us);
        }
    }
    Instant change;
    assert_false(zone_change_before(zone("Europe/Berlin"), INSTANT_FIRST, &change));
    assert_false(zone_change_before(zone_utc(), INSTANT_END, &change));
    assert_false(zone_change_after(zone_utc(), INSTANT_FIRST, &change));
    assert_false(zone_change_after(zone("Asia/Kolkata"), moment("2026-01-01T00:00:00Z"), &change));
    assert_true(zone_change_before(zone("Asia/Kolkata"), INSTANT_END, &change));
    assert_moment(change, "1945-10-14T17:30:00Z");
}

static void test_days_that_were_skipped(void **state)
{
    (void)state;
    Instant skip;
    assert_true(zone_skip_after(zone("Pacific/Apia"), moment("2000-01-01T00:00:00Z"), &skip));
    assert_moment(skip, "2011-12-30T10:00:00Z");
    assert_false(zone_skip_after(zone("Pacific/Apia"), skip, &skip));
    assert_true(zone_skip_after(zone("Pacific/Kwajalein"), INSTANT_FIRST, &skip));
    assert_moment(skip, "1993-08-21T12:00:00Z");
    assert_false(zone_skip_after(zone("Europe/Berlin"), INSTANT_FIRST, &skip));
    assert_false(zone_skip_after(zone_utc(), INSTANT_FIRST, &skip));
}

static void test_summer_comes_after_2100_too(void **state)
{
    (void)state;
    const Zone *berlin = zone("Europe/Berlin");
    assert_int_equal(zone_offset_us(berlin, moment("2150-07-01T00:00:00Z")), 7200000000);
    assert_int_equal(zone_offset_us(berlin, moment("2150-12-01T00:00:00Z")), 3600000000);
    assert_moment(zone_midnight(berlin, (Date){ 2150, 7, 1 }), "2150-06-30T22:00:00Z");
    Instant change;
    assert_true(zone_change_before(berlin, moment("2150-07-01T00:00:00Z"), &change));
    assert_moment(change, "2150-03-29T01:00:00Z");
    assert_true(zone_change_after(berlin, moment("2150-07-01T00:00:00Z"), &change));
    assert_moment(change, "2150-10-25T01:00:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_the_table_says_what_icu_says),
        test_of(test_changes_are_changes_and_ascend),
        test_of(test_days_that_were_skipped),
        test_of(test_summer_comes_after_2100_too),
    };
    return cmocka_run_group_tests_name("time/zone", tests, NULL, NULL);
}
