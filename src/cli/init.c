// SPDX-License-Identifier: Apache-2.0
// The order is keys, books, FORMAT: a directory that has its FORMAT is whole.
#include "cli/init.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "catalog/datadir.h"
#include "cli/config.h"
#include "ops/books.h"

static const char usage[] =
    "toll init --data DIR [--test] [--json] [--seal-bits 4..24] [--config FILE]\n";

typedef struct CommandLine {
    const char *folder, *file;
    bool        as_json, is_test;
    uint64_t    seal_bits;
} CommandLine;

static bool command_line_read(int argc, char **argv, CommandLine *line)
{
    *line = (CommandLine){ .seal_bits = SEAL_BITS_USUAL };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            line->as_json = true;
        else if (strcmp(argv[i], "--test") == 0)
            line->is_test = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            line->folder = argv[++i];
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            line->file = argv[++i];
        else if (strcmp(argv[i], "--seal-bits") == 0 && i + 1 < argc &&
                 str_whole(str_of(argv[i + 1]), SEAL_BITS_MOST, &line->seal_bits) &&
                 line->seal_bits >= SEAL_BITS_LEAST)
            i++;
        else
            return false;
    }
    return line->folder != NULL && line->folder[0] != 0;
}

typedef struct Made {
    ProjectId project;
    Str       secret;
} Made;

static Err *rows_make(Arena *arena, Catalog *catalog, bool is_test, Made *made)
{
    Project project = { .name = STR("default"),
                        .time_zone = STR("UTC"),
                        .unknown_accounts = ACCOUNTS_CREATE,
                        .mode = is_test ? PROJECT_TEST : PROJECT_LIVE };
    TRY(catalog_tenant_make(catalog, arena, STR("default"), &project.id.tenant));
    project.id.id = STR("default");
    TRY(catalog_project_make(catalog, arena, &project));
    Key key = { .project = project.id, .name = STR("made by toll init"), .scopes = SCOPES_ALL };
    made->project = project.id;
    return catalog_key_make(catalog, arena, &key, is_test ? KEY_TEST : KEY_LIVE, &made->secret);
}

static Err *books_make(Arena *arena, const DataDir *dir, bool is_test, Made *made)
{
    Db      *db = NULL;
    Catalog *catalog = NULL;
    TRY(books_open(arena, dir->books, 1, &db));
    Err *err = catalog_open(arena, db, &dir->pepper, &catalog);
    if (err == NULL)
        err = rows_make(arena, catalog, is_test, made);
    catalog_close(catalog);
    db_close(db);
    return err;
}

static Err *directory_make(Arena *arena, const CommandLine *line, Made *made)
{
    DataDir *dir;
    Config  *config;
    TRY(cli_config_load(arena, line->file, &config));
    DataDirOptions options = { .folder = str_of(line->folder),
                               .books = config_text(config, CONFIG_BOOKS),
                               .seal_bits = (uint32_t)line->seal_bits,
                               .now = { clock_now_us() } };
    TRY(datadir_begin(arena, &options, &dir));
    TRY(books_make(arena, dir, line->is_test, made));
    return datadir_finish(arena, dir);
}

static void made_print(Arena *arena, const CommandLine *line, const Made *made)
{
    Text text = text_open(arena);
    if (line->as_json) {
        JsonOut out = json_out(&text);
        json_object(&out);
        json_string_member(&out, "tenant", made->project.tenant);
        json_string_member(&out, "project", made->project.id);
        json_string_member(&out, "apiKey", made->secret);
        json_object_end(&out);
        text_add_char(&text, '\n');
    } else {
        text_print(
            &text,
            "data directory  %s\ntenant          %.*s\nproject         %.*s\n"
            "API key         %.*s\n\nThe key is not kept: this is the only time it is shown.\n"
            "Serve with:     toll serve --data %s%s%s\n",
            line->folder, STR_ARG(made->project.tenant), STR_ARG(made->project.id),
            STR_ARG(made->secret), line->folder, line->file == NULL ? "" : " --config ",
            line->file == NULL ? "" : line->file);
    }
    fwrite(text.at, 1, text.length, stdout);
}

int cli_init(int argc, char **argv)
{
    CommandLine line;
    Made        made = { 0 };
    if (cli_helped(argc, argv, usage))
        return 0;
    if (!command_line_read(argc, argv, &line)) {
        fputs(usage, stderr);
        return 2;
    }
    log_threshold(LOG_WARN);
    AUTO(Arena) arena = arena_open();
    Err *err = directory_make(arena, &line, &made);
    if (err != NULL) {
        cli_tell(err);
        return 1;
    }
    made_print(arena, &line, &made);
    return fflush(stdout) == 0 ? 0 : 1;
}
