// SPDX-License-Identifier: Apache-2.0
// Metrics lose nothing under several threads, and their exposition is OpenMetrics: type, unit and
// help before the one sample of each, counters in _total, units in names, # EOF at the end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/counter.h"
#include "base/thread.h"

static void a_metric_is_a_number(void **state)
{
    (void)state;
    int64_t others = counter_get(METRIC_READS);
    counter_set(METRIC_HTTP_CONNECTIONS, 5);
    counter_add(METRIC_HTTP_CONNECTIONS, -7);
    assert_int_equal(counter_get(METRIC_HTTP_CONNECTIONS), -2);
    counter_set(METRIC_HTTP_CONNECTIONS, INT64_MAX);
    assert_true(counter_get(METRIC_HTTP_CONNECTIONS) == INT64_MAX);
    counter_set(METRIC_HTTP_CONNECTIONS, 0);
    assert_int_equal(counter_get(METRIC_READS), others);
}

static void *count_up(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20000; i++)
        counter_add(METRIC_EVENTS_ACCEPTED, i % 2 == 0 ? 3 : 1);
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    (void)state;
    Thread threads[4] = { 0 };
    counter_set(METRIC_EVENTS_ACCEPTED, 0);
    for (int i = 0; i < 4; i++)
        thread_start(&threads[i], "count", count_up, NULL);
    for (int i = 0; i < 4; i++)
        thread_join(&threads[i]);
    assert_int_equal(counter_get(METRIC_EVENTS_ACCEPTED), 4 * 20000 * 2);
}

static bool ends_with(Str text, Str end)
{
    return text.length >= end.length &&
           str_equal((Str){ text.at + text.length - end.length, end.length }, end);
}

// Takes "# <what> <name> " off the line; what is left is answered.
static Str described(Str line, Str what, Str name)
{
    assert_true(str_equal(str_cut(&line, ' '), STR("#")));
    assert_true(str_equal(str_cut(&line, ' '), what));
    assert_true(str_equal(str_cut(&line, ' '), name));
    return line;
}

static void check_metric(Str *text, Arena *arena, size_t number)
{
    Str line = str_cut(text, '\n'), head = line;
    assert_true(str_starts(line, STR("# TYPE toll_")));
    str_cut(&head, ' ');
    str_cut(&head, ' ');
    Str name = str_cut(&head, ' '), type = head, sample_name = name;
    assert_true(str_equal(type, STR("counter")) || str_equal(type, STR("gauge")));
    line = str_cut(text, '\n');
    if (str_starts(line, STR("# UNIT "))) {
        Str unit = described(line, STR("UNIT"), name);
        assert_true(ends_with(name, str_print(arena, "_%.*s", STR_ARG(unit))));
        line = str_cut(text, '\n');
    }
    assert_true(described(line, STR("HELP"), name).length > 0);
    if (str_equal(type, STR("counter")))
        sample_name = str_print(arena, "%.*s_total", STR_ARG(name));
    line = str_cut(text, '\n');
    assert_true(str_equal(str_cut(&line, ' '), sample_name));
    Str value = str_print(arena, "%lld", (long long)counter_get((Metric)number));
    assert_true(str_equal(line, value));
}

static void the_exposition_names_each_once(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Text text = text_open(arena);
    for (int i = 0; i < METRIC_COUNT; i++)
        counter_set((Metric)i, 1000 + i);
    counter_print(&text);
    Str rest = text_str(&text);
    for (size_t i = 0; i < METRIC_COUNT; i++)
        check_metric(&rest, arena, i);
    assert_true(str_equal(rest, STR("# EOF\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_metric_is_a_number),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(the_exposition_names_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
