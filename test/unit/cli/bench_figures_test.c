// SPDX-License-Identifier: Apache-2.0
// Histogram, ratios and printing: a figure must come out as it went in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "cli/bench_figures.h"
#include "cli/bench_histogram.h"

static void small_durations_are_exact(void **state)
{
    (void)state;
    static Histogram histogram;
    histogram = (Histogram){ 0 };
    for (int us = 1; us <= 100; us++)
        histogram_add(&histogram, us);
    assert_int_equal(histogram_at(&histogram, 50000), 50);
    assert_int_equal(histogram_at(&histogram, 99000), 99);
    assert_int_equal(histogram_at(&histogram, 99900), 100);
    assert_int_equal(histogram.max_us, 100);
    assert_int_equal(histogram.sum_us, 5050);
}

// One value each: what comes back is never below it and less than 1 in 128 above it, or the
// maximum.
static void any_duration_is_kept_within_one_percent(void **state)
{
    (void)state;
    Seeded           seeded = seeded_of(3);
    static Histogram histogram;
    for (int i = 0; i < 3000; i++) {
        uint64_t us = seeded_next(&seeded) >> (24 + seeded_below(&seeded, 40));
        histogram = (Histogram){ 0 };
        histogram_add(&histogram, (int64_t)us);
        histogram_add(&histogram, INT64_C(1) << 41);
        uint64_t found = histogram_at(&histogram, 50000);
        assert_true(found >= us && found - us <= us / 128);
    }
}

static void an_empty_histogram_answers_zero(void **state)
{
    (void)state;
    static Histogram histogram;
    histogram = (Histogram){ 0 };
    assert_int_equal(histogram_at(&histogram, 99000), 0);
    histogram_add(&histogram, -5);
    assert_int_equal(histogram_at(&histogram, 99000), 0);
    assert_int_equal(histogram.count, 1);
}

static void ratios_round_half_up(void **state)
{
    (void)state;
    assert_int_equal(figure_ratio(1, 3, 3), 333);
    assert_int_equal(figure_ratio(2, 3, 3), 667);
    assert_int_equal(figure_ratio(1, 2, 0), 1);
    assert_int_equal(figure_ratio(5, 0, 3), 0);
    assert_int_equal(figure_ratio(INT64_C(9000000000000000), 1000000000, 6),
                     INT64_C(9000000000000));
}

static void figures_print_as_json_by_section(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Figures figures = { 0 };
    Text    text = text_open(arena);
    figures_add(&figures, (Figure){ "load", "rate", "rate", "/s", 1234567, 0 });
    figures_add(&figures, (Figure){ "load", "cpu", "CPU", "us", 1005, 3 });
    figures_add(&figures, (Figure){ "space", "delta", "delta", "", -25, 1 });
    figures_print_json(&figures, &text);
    assert_true(
        str_equal(text_str(&text),
                  STR("{\"load\":{\"rate\":1234567,\"cpu\":1.005},\"space\":{\"delta\":-2.5}}\n")));
    figures_close(&figures);
}

static void figures_print_as_a_table(void **state)
{
    (void)state;
    Figures figures = { 0 };
    char    printed[300] = "";
    FILE   *to = fmemopen(printed, sizeof printed, "w");
    figures_add(&figures, (Figure){ "load", "rate", "events", "/s", 1234567, 0 });
    figures_add(&figures, (Figure){ "load", "cpu", "CPU", "us", 123456, 2 });
    figures_print_table(&figures, to);
    fclose(to);
    assert_non_null(strstr(printed, "load\n  events "));
    assert_non_null(strstr(printed, " 1,234,567 /s\n"));
    assert_non_null(strstr(printed, " 1,234.56 us\n"));
    figures_close(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_durations_are_exact),
        cmocka_unit_test(any_duration_is_kept_within_one_percent),
        cmocka_unit_test(an_empty_histogram_answers_zero),
        cmocka_unit_test(ratios_round_half_up),
        cmocka_unit_test(figures_print_as_json_by_section),
        cmocka_unit_test(figures_print_as_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
