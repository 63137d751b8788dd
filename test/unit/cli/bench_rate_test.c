// SPDX-License-Identifier: Apache-2.0
// The bench's own arithmetic by hand, and that every bill of some seeds equals it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench_rate.c"

static void the_oracle_by_hand(void **state)
{
    (void)state;
    // 900 + 22268.52; 210 + 25 + 170; 70.00; 0.085 x 900
    const int64_t large[] = { 38114200, 200000, 1000001, 1000 };
    Expected      expected = expected_of(large);
    assert_int_equal(expected.lines[0], 2316852);
    assert_int_equal(expected.lines[1], 40500);
    assert_int_equal(expected.lines[2], 7000);
    assert_int_equal(expected.lines[3], 7650);
    // list 23,720.02: 2,195.12 off, and half of 11,524.898... on top
    assert_int_equal(expected.total, 2372002 - 219512 + 576245);
    const int64_t nothing[] = { 0, 0, 0, 0 };
    assert_int_equal(expected_of(nothing).total, 1000000);
    // 0.005 rounds to a cent
    const int64_t half[] = { 0, 0, 0, 101 };
    assert_int_equal(expected_of(half).lines[3], 9);
}

static void bills_equal_it(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Figures   figures = { 0 };
        RateBench bench = { .bills = 1000, .seed = seed };
        assert_null(bench_rate_run(arena, &bench, &figures));
        assert_int_equal(figures.rows.at[0].value, 1000);
        figures_close(&figures);
    }
}

static void a_bill_that_differs_is_told(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Running *running = arena_new(arena, Running);
    running->bills = arena_open();
    assert_null(plan_read(arena, running));
    Seeded seeded = seeded_of(5);
    samples_draw(running, 10, &seeded);
    assert_null(samples_price(running, 10));
    assert_null(samples_check(arena, running, 10, 0));
    running->samples[7].lines[2]++;
    assert_non_null(samples_check(arena, running, 10, 0));
    running->samples[7].lines[2]--;
    running->samples[3].total++;
    assert_non_null(samples_check(arena, running, 10, 0));
    arena_close(running->bills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oracle_by_hand),
        cmocka_unit_test(bills_equal_it),
        cmocka_unit_test(a_bill_that_differs_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
