// SPDX-License-Identifier: Apache-2.0
// The reference. Every page is a sheet of rows filled from one table of the program, so nothing is
// written twice; a sheet prints itself as Markdown or as JSON.
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

#include "api/routes.h"
#include "base/assert.h"
#include "base/config.h"
#include "base/counter.h"
#include "base/json.h"
#include "base/vector.h"
#include "catalog/scope.h"
#include "cli/config.h"
#include "flow/ledger/ledger.h"
#include "price/step.h"

enum { COLUMNS_MAX = 8 };

typedef struct Sheet {
    Arena      *arena;
    const char *title;
    const char *about;
    const char *columns[COLUMNS_MAX];  // as members in JSON: "minimum"; NULL ends
    VECTOR(Str) cells;                 // row by row
} Sheet;

typedef struct Page {
    const char *name;
    void (*fill)(Sheet *sheet);  // NULL: openapi
} Page;

static size_t columns_count(const Sheet *sheet)
{
    size_t count = 0;
    while (count < COLUMNS_MAX && sheet->columns[count] != NULL)
        count++;
    return count;
}

static void cell_add(Sheet *sheet, Str cell)
{
    vector_push(&sheet->cells, cell);
}

static void cell_add_whole(Sheet *sheet, uint64_t number)
{
    cell_add(sheet, str_print(sheet->arena, "%llu", (unsigned long long)number));
}

static void errors_fill(Sheet *sheet)
{
    static const char *const again[] = { "never", "later", "with the same key" };
    *sheet = (Sheet){ .arena = sheet->arena, .title = "Errors",
        .about = "Every refusal, in order of precedence: when several apply to one request, the "
                 "first is told. `code` is the problem document's member; `again` says whether "
                 "repeating the request can help.",
        .columns = { "code", "status", "again", "title" } };
    for (size_t i = 0; i < ERR_COUNT; i++) {
        cell_add(sheet, str_of(err_name((ErrCode)i)));
        cell_add_whole(sheet, (uint64_t)err_status((ErrCode)i));
        cell_add(sheet, str_of(again[err_again((ErrCode)i)]));
        cell_add(sheet, str_of(err_title((ErrCode)i)));
    }
}

static void config_fill(Sheet *sheet)
{
    *sheet = (Sheet){ .arena = sheet->arena, .title = "Settings",
        .about = "A value comes from the command line, else from the environment variable, else "
                 "from the file given with `--config` (`key = value` lines, `#` begins a comment), "
                 "else it is the default. `toll config check` reads them all and `toll config "
                 "show` prints what is in force and where it comes from.",
        .columns = { "key", "variable", "kind", "default", "minimum", "maximum", "meaning" } };
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        Setting setting = (Setting)i;
        cell_add(sheet, str_of(config_key(setting)));
        cell_add(sheet, config_variable(sheet->arena, setting));
        cell_add(sheet, str_of(setting_kind_name(config_kind(setting))));
        cell_add(sheet, str_of(config_default(setting)));
        cell_add_whole(sheet, config_minimum(setting));
        cell_add_whole(sheet, config_maximum(setting));
        cell_add(sheet, str_of(config_doc(setting)));
    }
}

// The exposition itself says name, kind, unit and help of each metric: "# HELP name text".
static void metrics_fill(Sheet *sheet)
{
    *sheet = (Sheet){ .arena = sheet->arena, .title = "Metrics",
        .about = "What `GET /metrics` exposes, in the OpenMetrics text format. The sample of a "
                 "counter ends in `_total`.",
        .columns = { "name", "kind", "unit", "meaning" } };
    Text exposition = text_open(sheet->arena);
    counter_print(&exposition);
    Str rest = text_str(&exposition);
    Str kind = STR_NONE, unit = STR_NONE;
    while (rest.length > 0) {
        Str line = str_cut(&rest, '\n');
        Str mark = str_cut(&line, ' ');
        Str word = str_cut(&line, ' ');
        Str name = str_cut(&line, ' ');
        if (!str_equal(mark, STR("#")) || name.length == 0) {
            continue;
        } else if (str_equal(word, STR("TYPE"))) {
            kind = line;
            unit = STR_NONE;
        } else if (str_equal(word, STR("UNIT"))) {
            unit = line;
        } else {
            cell_add(sheet, name);
            cell_add(sheet, kind);
            cell_add(sheet, unit);
            cell_add(sheet, line);
        }
    }
}

static void scopes_fill(Sheet *sheet)
{
    *sheet = (Sheet){ .arena = sheet->arena, .title = "Scopes",
        .about = "What a key can be allowed to do. Every route but the open ones needs one.",
        .columns = { "scope", "meaning" } };
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        cell_add(sheet, str_of(scope_name((Scope)i)));
        cell_add(sheet, str_of(scope_doc((Scope)i)));
    }
}

static void steps_fill(Sheet *sheet)
{
    *sheet = (Sheet){ .arena = sheet->arena, .title = "Steps of a line",
        .about = "A line of a bill carries the arithmetic that made it, in order. Every number is "
                 "a string, exact before the step that rounds.",
        .columns = { "op", "members", "meaning" } };
    Text table = text_open(sheet->arena);
    price_steps_print(&table);
    Json *steps = NULL;
    Err  *err = json_parse_copy(sheet->arena, text_str(&table), &steps);
    assert_that(err == NULL);
    for (const Json *step = steps->first; step != NULL; step = step->next) {
        Text members = text_open(sheet->arena);
        for (const Json *member = json_find(step, STR("members"))->first; member != NULL;
             member = member->next)
            text_print(&members, "%s%.*s", members.length > 0 ? ", " : "", STR_ARG(member->text));
        cell_add(sheet, json_find(step, STR("op"))->text);
        cell_add(sheet, text_str(&members));
        cell_add(sheet, json_find(step, STR("meaning"))->text);
    }
}

static void postings_fill(Sheet *sheet)
{
    *sheet = (Sheet){ .arena = sheet->arena, .title = "Postings",
        .about = "What the ledger posts when something happens. A transaction is in one currency "
                 "and its debits equal its credits; a negative amount posts on the other side. "
                 "Accounts of one customer are named kind:account, the others kind:detail.",
        .columns = { "posting", "when", "account", "side", "amount" } };
    Text table = text_open(sheet->arena);
    ledger_rules_print(&table);
    Json *rules = NULL;
    Err  *err = json_parse_copy(sheet->arena, text_str(&table), &rules);
    assert_that(err == NULL);
    for (const Json *rule = json_find(rules, STR("postings"))->first; rule != NULL;
         rule = rule->next)
        for (const Json *leg = json_find(rule, STR("legs"))->first; leg != NULL; leg = leg->next) {
            cell_add(sheet, json_find(rule, STR("posting"))->text);
            cell_add(sheet, json_find(rule, STR("meaning"))->text);
            cell_add(sheet, json_find(leg, STR("account"))->text);
            cell_add(sheet, json_find(leg, STR("side"))->text);
            cell_add(sheet, json_find(leg, STR("amount"))->text);
        }
}

static const Page pages[] = {
    { "openapi", NULL },
    { "config", config_fill },
    { "errors", errors_fill },
    { "metrics", metrics_fill },
    { "scopes", scopes_fill },
    { "steps", steps_fill },
    { "postings", postings_fill },
};
enum { PAGE_COUNT = sizeof pages / sizeof *pages };

// A bar in a cell would end it.
static void markdown_cell(Text *text, Str cell)
{
    text_add(text, STR(" "));
    for (size_t i = 0; i < cell.length; i++) {
        if (cell.at[i] == '|')
            text_add_char(text, '\\');
        text_add_char(text, cell.at[i]);
    }
    text_add(text, STR(" |"));
}

static void sheet_to_markdown(const Sheet *sheet, Text *text)
{
    size_t columns = columns_count(sheet);
    text_print(text, "# %s\n\n%s\n\n|", sheet->title, sheet->about);
    for (size_t i = 0; i < columns; i++)
        markdown_cell(text, str_of(sheet->columns[i]));
    text_add(text, STR("\n|"));
    for (size_t i = 0; i < columns; i++)
        text_add(text, STR("---|"));
    for (size_t i = 0; i < sheet->cells.count; i++) {
        if (i % columns == 0)
            text_add(text, STR("\n|"));
        markdown_cell(text, sheet->cells.at[i]);
    }
    text_add(text, STR("\n"));
}

static void sheet_to_json(const Sheet *sheet, Text *text)
{
    size_t  columns = columns_count(sheet);
    JsonOut out = json_out(text);
    json_array(&out);
    for (size_t i = 0; i < sheet->cells.count; i++) {
        if (i % columns == 0)
            json_object(&out);
        json_string_member(&out, sheet->columns[i % columns], sheet->cells.at[i]);
        if (i % columns == columns - 1)
            json_object_end(&out);
    }
    json_array_end(&out);
    text_add(text, STR("\n"));
}

static const Page *page_find(const char *name)
{
    for (size_t i = 0; i < PAGE_COUNT; i++)
        if (strcmp(pages[i].name, name) == 0)
            return &pages[i];
    return NULL;
}

static const char *usage_print(Arena *arena)
{
    Text text = text_open(arena);
    text_add(&text, STR("toll print"));
    for (size_t i = 0; i < PAGE_COUNT; i++)
        text_print(&text, "%c%s", i == 0 ? ' ' : '|', pages[i].name);
    text_add(&text, STR(" [--json]\n"));
    return str_terminated(arena, text_str(&text));
}

int cli_print(int argc, char **argv)
{
    bool as_json = argc == 3 && strcmp(argv[2], "--json") == 0;
    const Page *page = argc == 2 || as_json ? page_find(argv[1]) : NULL;
    AUTO(Arena) arena = arena_open();
    if (cli_helped(argc, argv, usage_print(arena)))
        return 0;
    if (page == NULL) {
        fputs(usage_print(arena), stderr);
        return 2;
    }

    Text  text = text_open(arena);
    Sheet sheet = { .arena = arena };
    if (page->fill == NULL) {
        api_openapi_print(&text);
    } else {
        page->fill(&sheet);
        if (as_json)
            sheet_to_json(&sheet, &text);
        else
            sheet_to_markdown(&sheet, &text);
        vector_release(&sheet.cells);
    }
    bool is_written = fwrite(text.at, 1, text.length, stdout) == text.length;
    return is_written && fflush(stdout) == 0 ? 0 : 1;
}
