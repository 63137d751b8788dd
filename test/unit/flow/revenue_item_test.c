// SPDX-License-Identifier: Apache-2.0
// What is deferred: days sum to the amount whatever days are asked for, what changes in between
// takes nothing back that was earned, and what is taken off is never more than was left.
#include "flow/invoice/revenue_item.h"

#include "in_arena.h"

static Instant at(const char *text)
{
    Instant instant;
    assert_true(instant_parse(str_of(text), &instant));
    return instant;
}

static RevenueItem fee(int64_t amount, const char *start, const char *end)
{
    return (RevenueItem){ .side = REVENUE_DEFERRED,
                          .service = { at(start), at(end) },
                          .amount = amount,
                          .base_at = at(start),
                          .earned_until = at(start) };
}

static int64_t earned(const RevenueItem *item, const char *day)
{
    return revenue_item_earned(item, zone_utc(), at(day));
}

static void test_days_of_a_month(void **state)
{
    (void)state;
    RevenueItem item = fee(3100, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    assert_int_equal(earned(&item, "2025-12-31T00:00:00Z"), 0);
    assert_int_equal(earned(&item, "2026-01-01T00:00:00Z"), 0);
    assert_int_equal(earned(&item, "2026-01-02T00:00:00Z"), 100);
    assert_int_equal(earned(&item, "2026-01-31T00:00:00Z"), 3000);
    assert_int_equal(earned(&item, "2026-02-01T00:00:00Z"), 3100);
    assert_int_equal(earned(&item, "2027-02-01T00:00:00Z"), 3100);
    // half a unit goes up: 1 over two days
    RevenueItem small = fee(1, "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z");
    assert_int_equal(earned(&small, "2026-01-02T00:00:00Z"), 1);
    // one that begins and ends in the middle of a day: its first day counts, its last does not
    RevenueItem noon = fee(300, "2026-01-01T12:00:00Z", "2026-01-04T12:00:00Z");
    assert_int_equal(earned(&noon, "2026-01-02T00:00:00Z"), 100);
    assert_int_equal(earned(&noon, "2026-01-04T00:00:00Z"), 300);
    // less than a day is earned with its end
    RevenueItem hour = fee(300, "2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z");
    assert_int_equal(earned(&hour, "2026-01-01T00:00:00Z"), 0);
    assert_int_equal(earned(&hour, "2026-01-01T12:30:00Z"), 0);
    assert_int_equal(earned(&hour, "2026-01-02T00:00:00Z"), 300);
    RevenueItem most = fee(INT64_MAX, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_true(earned(&most, "2026-12-31T00:00:00Z") == INT64_MAX - INT64_MAX / 365 - 1);
}

static void test_days_are_of_the_zone(void **state)
{
    (void)state;
    const Zone *zone = zone_find(STR("Europe/Berlin"));
    RevenueItem item = fee(3100, "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");  // March
    assert_int_equal(revenue_item_earned(&item, zone, at("2026-03-01T23:00:00Z")), 100);
    assert_int_equal(revenue_item_earned(&item, zone, at("2026-03-29T22:00:00Z")), 2900);
    assert_int_equal(revenue_item_earned(&item, zone, at("2026-03-31T22:00:00Z")), 3100);
}

static void earn(RevenueItem *item, Instant day)
{
    int64_t now = revenue_item_earned(item, zone_utc(), day);
    assert_true(now >= item->earned && now <= item->amount);
    if (now != item->earned) {
        item->earned = now;
        item->earned_until = day;
    }
}

static void test_a_change_counts_from_where_it_was_earned(void **state)
{
    (void)state;
    RevenueItem item = fee(3100, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    earn(&item, at("2026-01-11T00:00:00Z"));
    assert_int_equal(revenue_item_change(&item, -1100, at("2026-01-21T00:00:00Z")), -1100);
    assert_true(item.is_changed);
    assert_int_equal(earned(&item, "2026-01-12T00:00:00Z"), 1100);
    assert_int_equal(earned(&item, "2026-01-21T00:00:00Z"), 2000);
    earn(&item, at("2026-01-16T00:00:00Z"));
    // no more than is left, and then nothing is
    assert_int_equal(revenue_item_change(&item, -9999, item.service.end), -500);
    assert_int_equal(item.amount, item.earned);
    assert_int_equal(revenue_item_change(&item, -1, item.service.end), 0);
    assert_int_equal(revenue_item_change(&item, 700, at("2026-01-23T00:00:00Z")), 700);
    assert_int_equal(earned(&item, "2026-01-17T00:00:00Z"), 1600);
    assert_int_equal(earned(&item, "2026-01-23T00:00:00Z"), 2200);
}

static uint64_t seed = 7;

static int64_t below(int64_t most)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 33) % (uint64_t)most);
}

static void test_whatever_the_days_they_sum_to_the_amount(void **state)
{
    (void)state;
    for (int round = 0; round < 500; round++) {
        RevenueItem item = fee(below(100000), "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        RevenueItem same = item;
        int64_t     taken = 0, amount = item.amount;
        bool        changes = round % 2 == 0;
        Instant     day = item.service.start;
        for (; day.us < item.service.end.us; day.us += (1 + below(9)) * INSTANT_DAY_US) {
            earn(&item, day);
            if (!changes)  // nothing depends on which days were asked for
                assert_int_equal(item.earned, revenue_item_earned(&same, zone_utc(), day));
            else if (below(4) == 0)
                taken += revenue_item_change(&item, below(2000) - 1000, item.service.end);
        }
        earn(&item, day);
        assert_int_equal(item.earned, amount + taken);
    }
}

static void test_items_are_told_apart(void **state)
{
    (void)state;
    RevenueKey keys[] = {
        { REVENUE_DEFERRED, STR("sub"), LINE_FEE, STR("fee"), { 0 } },
        { REVENUE_ACCRUED, STR("sub"), LINE_FEE, STR("fee"), { 0 } },
        { REVENUE_DEFERRED, STR("su"), LINE_FEE, STR("bfee"), { 0 } },
        { REVENUE_DEFERRED, STR("sub"), LINE_QUANTITY, STR("fee"), { 0 } },
        { REVENUE_DEFERRED, STR("sub"), LINE_FEE, STR_NONE, { 0 } },
        { REVENUE_DEFERRED, STR("sub"), LINE_FEE, STR("fee"), { 1 } },
    };
    RevenueItems items = { 0 };
    size_t       count = sizeof keys / sizeof *keys;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < count; i++) {
            Str name = revenue_item_name(arena, &keys[i]);
            assert_int_equal(name.length, 64);
            if (round == 1) {
                assert_true(revenue_item_find(&items, name) == &items.at[i]);
                continue;
            }
            assert_null(revenue_item_find(&items, name));
            RevenueItem wanted = fee(5, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
            wanted.item = name;
            RevenueItem *added = revenue_item_add(arena, &items, &wanted);
            assert_int_equal(added->amount, 0);
            assert_true(added->is_changed && !added->is_stored);
        }
    for (int i = 0; i < 9; i++) {
        RevenueItem wanted = { .item = str_print(arena, "%d", i) };
        revenue_item_add(arena, &items, &wanted);
    }
    assert_int_equal(items.count, count + 9);
    assert_text(revenue_item_find(&items, STR("8"))->item, "8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_days_of_a_month),
        test_of(test_days_are_of_the_zone),
        test_of(test_a_change_counts_from_where_it_was_earned),
        test_of(test_whatever_the_days_they_sum_to_the_amount),
        test_of(test_items_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
