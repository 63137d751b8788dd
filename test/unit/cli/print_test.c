// SPDX-License-Identifier: Apache-2.0
// A sheet prints the same rows as Markdown and as JSON, whatever their cells hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/print.c"

static Sheet sheet_of_two(Arena *arena)
{
    Sheet sheet = { .arena = arena, .title = "T", .about = "A.", .columns = { "a", "b" } };
    cell_add(&sheet, STR("x|y"));
    cell_add(&sheet, STR("say \"z\""));
    cell_add(&sheet, STR(""));
    cell_add_whole(&sheet, UINT64_MAX);
    return sheet;
}

static void assert_text(const Text *text, const char *wanted)
{
    assert_int_equal(text->length, strlen(wanted));
    assert_memory_equal(text->at, wanted, text->length);
}

static void markdown_keeps_bars_inside_their_cell(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Sheet sheet = sheet_of_two(arena);
    Text  text = text_open(arena);
    sheet_to_markdown(&sheet, &text);
    assert_text(&text, "# T\n\nA.\n\n| a | b |\n|---|---|\n| x\\|y | say \"z\" |\n"
                       "|  | 18446744073709551615 |\n");
    vector_release(&sheet.cells);
}

static void json_has_an_object_for_each_row(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Sheet sheet = sheet_of_two(arena);
    Text  text = text_open(arena);
    sheet_to_json(&sheet, &text);
    assert_text(&text, "[{\"a\":\"x|y\",\"b\":\"say \\\"z\\\"\"},"
                       "{\"a\":\"\",\"b\":\"18446744073709551615\"}]\n");
    vector_release(&sheet.cells);
}

static size_t rows_of(const char *page)
{
    AUTO(Arena) arena = arena_open();
    Sheet sheet = { .arena = arena };
    page_find(page)->fill(&sheet);
    size_t columns = columns_count(&sheet);
    assert_int_equal(sheet.cells.count % columns, 0);
    for (size_t i = 0; i < sheet.cells.count; i += columns)
        assert_true(sheet.cells.at[i].length > 0);
    size_t rows = sheet.cells.count / columns;
    vector_release(&sheet.cells);
    return rows;
}

static void every_row_of_every_list_is_printed(void **state)
{
    (void)state;
    assert_int_equal(rows_of("errors"), ERR_COUNT);
    assert_int_equal(rows_of("config"), CONFIG_COUNT);
    assert_int_equal(rows_of("metrics"), METRIC_COUNT);
    assert_int_equal(rows_of("scopes"), SCOPE_COUNT);
    assert_int_equal(rows_of("steps"), STEP_OP_COUNT);
}

static void a_page_that_is_not_there_is_wrong_usage(void **state)
{
    (void)state;
    char print[] = "print", nothing[] = "nothing", errors[] = "errors", more[] = "--yaml";
    char *none[] = { print, NULL };
    char *unknown[] = { print, nothing, NULL };
    char *other[] = { print, errors, more, NULL };
    assert_int_equal(cli_print(1, none), 2);
    assert_int_equal(cli_print(2, unknown), 2);
    assert_int_equal(cli_print(3, other), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markdown_keeps_bars_inside_their_cell),
        cmocka_unit_test(json_has_an_object_for_each_row),
        cmocka_unit_test(every_row_of_every_list_is_printed),
        cmocka_unit_test(a_page_that_is_not_there_is_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
