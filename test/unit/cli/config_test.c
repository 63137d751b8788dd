// SPDX-License-Identifier: Apache-2.0
// What `toll config show` prints is a file that reads back to the same settings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/config.c"

static void what_is_shown_reads_back(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);
    assert_null(config_read_text(config, STR("a"), STR("listen = [::1]:80\nhttp.threads = 7\n"
                                                       "limits.bodyBytes = 2MiB\n")));
    Text text = text_open(arena);
    show_text(config, arena, &text);
    Config *again = config_open(arena);
    assert_null(config_read_text(again, STR("b"), text_str(&text)));
    for (size_t i = 0; i < CONFIG_COUNT; i++)
        assert_true(str_equal(config_text(config, (Setting)i), config_text(again, (Setting)i)));
}

static void json_names_every_setting_and_its_source(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);
    assert_null(config_set(config, CONFIG_HTTP_THREADS, STR("3"), SOURCE_FLAG));
    Text text = text_open(arena);
    show_json(config, &text);
    Json *shown = NULL;
    assert_null(json_parse_copy(arena, text_str(&text), &shown));
    assert_int_equal(shown->count, CONFIG_COUNT);
    const Json *threads = json_find(shown, STR("http.threads"));
    assert_true(str_equal(json_find(threads, STR("value"))->text, STR("3")));
    assert_true(str_equal(json_find(threads, STR("from"))->text, STR("flag")));
}

static void a_command_line_is_read_whole(void **state)
{
    (void)state;
    char config[] = "config", show[] = "show", json[] = "--json", file[] = "--config", path[] = "f";
    CommandLine line;
    char *full[] = { config, show, file, path, json, NULL };
    assert_true(command_line_read(5, full, &line));
    assert_true(line.shows && line.as_json);
    assert_string_equal(line.file, "f");
    char *cut[] = { config, show, file, NULL };
    assert_false(command_line_read(3, cut, &line));
    char *none[] = { config, NULL };
    assert_false(command_line_read(1, none, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shown_reads_back),
        cmocka_unit_test(json_names_every_setting_and_its_source),
        cmocka_unit_test(a_command_line_is_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
