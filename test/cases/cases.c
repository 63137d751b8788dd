// SPDX-License-Identifier: Apache-2.0
// Numeric cases of public suites (../shared/cases, or the directory in CASES) and of our own
// (test/cases/own): a line of counts for each file, the failures by name, exit 1 when there was
// one.
//   declined: what Toll deliberately does not offer    unknown: no adapter has a word for it yet
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/case.h"
#include "base/text.h"

enum { FILES_MAX = 100, FILE_BYTES_MAX = 64 * 1024 * 1024 };

static const char *const words[RESULT_COUNT] = { "passed", "declined", "unknown", "failed" };

static Str file_read(Arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    Text  text = text_open(arena);
    if (file == NULL) {
        fprintf(stderr, "cases: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    for (;;) {
        size_t got = fread(text_reserve(&text, 65536), 1, 65536, file);
        text_grow(&text, got);
        if (got == 0 || text.length > FILE_BYTES_MAX)
            break;
    }
    fclose(file);
    return text_str(&text);
}

static Result case_run(Case *test)
{
    Adapter adapter = adapter_prices(test->model);
    if (declined(test) != NULL)
        return CASE_DECLINED;
    if (adapter == NULL)
        adapter = adapter_shares(test->model);
    if (adapter == NULL)
        adapter = adapter_slices(test->model);
    if (adapter == NULL)
        adapter = adapter_parts(test->model);
    if (adapter == NULL)
        adapter = adapter_times(test->model);
    if (adapter == NULL)
        adapter = adapter_usage(test->model);
    if (adapter == NULL)
        adapter = adapter_invoices(test->model);
    if (adapter == NULL)
        adapter = adapter_credits(test->model);
    return adapter == NULL ? CASE_UNKNOWN : adapter(test);
}

static bool is_verified(const Json *row)
{
    const Json *verified = json_find(row, STR("verified"));
    return verified == NULL || verified->kind == JSON_TRUE;
}

static void row_run(Arena *arena, const char *file, const Json *row, size_t *counts)
{
    static const Json nothing = { .kind = JSON_OBJECT };
    Case test = { .arena = arena, .id = case_text(row, "id"), .model = case_text(row, "model") };
    test.config = case_member(row, "config") == NULL ? &nothing : case_member(row, "config");
    test.input = case_member(row, "input");
    test.expected = case_member(row, "expected");
    Result result = case_run(&test);
    counts[result]++;
    if (result == CASE_FAILED)
        printf("%s: %.*s (%.*s) failed: %.*s\n", file, STR_ARG(test.id), STR_ARG(test.model),
               STR_ARG(test.why));
    else if (getenv("VERBOSE") != NULL && result != CASE_PASSED)
        printf("%s: %.*s (%.*s) %s %s\n", file, STR_ARG(test.id), STR_ARG(test.model),
               words[result], result == CASE_DECLINED ? declined(&test) : "");
}

static bool file_run(const char *folder, const char *name)
{
    Arena *arena = arena_open();
    size_t counts[RESULT_COUNT] = { 0 };
    Json  *rows;
    Str    path = str_print(arena, "%s/%s", folder, name);
    Err   *err = json_parse_copy(arena, file_read(arena, path.at), &rows);
    if (err != NULL || rows->kind != JSON_ARRAY) {
        printf("%s: not an array of cases\n", name);
        arena_close(arena);
        return false;
    }
    int length = (int)(strlen(name) - strlen(".json"));
    for (const Json *row = rows->first; row != NULL; row = row->next)
        if (is_verified(row))
            row_run(arena, name, row, counts);
    printf("%.*s: %zu passed, %zu declined, %zu unknown, %zu failed\n", length, name,
           counts[CASE_PASSED], counts[CASE_DECLINED], counts[CASE_UNKNOWN], counts[CASE_FAILED]);
    arena_close(arena);
    return counts[CASE_FAILED] == 0;
}

static int is_json(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

// False when a case failed. -1 in *files: there is no such folder.
static bool folder_run(const char *folder, int *files)
{
    struct dirent **names;
    bool            passed = true;
    *files = scandir(folder, &names, is_json, alphasort);
    for (int i = 0; i < *files; i++) {
        passed &= file_run(folder, names[i]->d_name);
        free(names[i]);
    }
    if (*files >= 0)
        free(names);
    return passed;
}

int main(void)
{
    const char *given = getenv("CASES");
    int         files;
    bool        passed = folder_run(given == NULL ? "../shared/cases" : given, &files);
    if (files < 0 && given != NULL) {
        fprintf(stderr, "cases: %s: there is no such folder\n", given);
        return 1;
    }
    if (files < 0)
        printf("cases: ../shared/cases is absent: only our own cases run\n");
    passed &= folder_run("test/cases/own", &files);
    if (files <= 0) {
        fprintf(stderr, "cases: test/cases/own is absent: run this in the checkout\n");
        return 1;
    }
    return passed ? 0 : 1;
}
