// SPDX-License-Identifier: Apache-2.0
// The books' schema, by hand: what `toll serve` does at its start, seen before, done alone, and
// checked afterwards. A server must not have the directory open.
#include "cli/migrate.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "catalog/datadir.h"
#include "cli/config.h"
#include "db/migrate.h"

static const char usage[] =
    "toll migrate status|plan|up|verify --data DIR [--config FILE] [--json]\n";

typedef struct CommandLine {
    const char *what, *folder, *file;
    bool        as_json;
} CommandLine;

typedef struct Task {
    Arena *arena;
    Str    books;
    bool   as_json;
    Text   out;     // for stdout
    bool   failed;  // found something wrong
} Task;

static bool command_line_read(int argc, char **argv, CommandLine *line)
{
    if (argc < 2)
        return false;
    *line = (CommandLine){ .what = argv[1] };
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            line->as_json = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            line->folder = argv[++i];
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            line->file = argv[++i];
        else
            return false;
    }
    return line->folder != NULL;
}

static const char *end_name(MigrationEnd end)
{
    static const char *const names[] = { "waiting", "cutShort", "done" };
    return names[end];
}

static Str applied_print(Arena *arena, const MigrationState *state)
{
    return state->applied_us == 0 ? STR_NONE
                                  : instant_print(arena, (Instant){ state->applied_us });
}

static Err *status_tell(Task *task)
{
    MigrationStates states;
    JsonOut         json = json_out(&task->out);
    TRY(migrate_states(task->arena, task->books, db_migrations(), &states));
    if (task->as_json)
        json_array(&json);
    for (size_t i = 0; i < states.count; i++) {
        const MigrationState *state = &states.at[i];
        Str                   applied = applied_print(task->arena, state);
        if (!task->as_json) {
            text_print(&task->out, "%-28.*s %-8s %2lld of %2lld statements  %.*s\n",
                       STR_ARG(state->migration.name), end_name(state->end),
                       (long long)state->done, (long long)state->statements, STR_ARG(applied));
            continue;
        }
        json_object(&json);
        json_string_member(&json, "name", state->migration.name);
        json_string_member(&json, "state", str_of(end_name(state->end)));
        json_whole_member(&json, "done", state->done);
        json_whole_member(&json, "statements", state->statements);
        json_string_member(&json, "appliedAt", applied);
        json_object_end(&json);
    }
    if (task->as_json) {
        json_array_end(&json);
        text_add_char(&task->out, '\n');
    }
    return NULL;
}

// One text, as it is or as the member of an object.
static void text_tell(Task *task, const char *name, Str text)
{
    if (!task->as_json) {
        text_add(&task->out, text);
        return;
    }
    JsonOut json = json_out(&task->out);
    json_object(&json);
    json_string_member(&json, name, text);
    json_object_end(&json);
    text_add_char(&task->out, '\n');
}

static Err *plan_tell(Task *task)
{
    Text sql = text_open(task->arena);
    TRY(migrate_plan(task->arena, task->books, db_migrations(), &sql));
    text_tell(task, "sql", text_str(&sql));
    return NULL;
}

static Err *up_tell(Task *task)
{
    TRY(migrate_place(task->arena, task->books, db_migrations()));
    return status_tell(task);
}

static Err *verify_tell(Task *task)
{
    Text differences = text_open(task->arena);
    TRY(migrate_verify(task->arena, task->books, db_migrations(), &differences));
    task->failed = differences.length > 0;
    text_tell(task, "differences",
              task->failed || task->as_json ? text_str(&differences)
                                            : STR("every table and column is as it should be\n"));
    return NULL;
}

static Err *task_run(const CommandLine *line, Err *(*work)(Task *task), Task *task)
{
    Config  *config;
    DataDir *dir;
    TRY(cli_config_load(task->arena, line->file, &config));
    TRY(datadir_open(task->arena, str_of(line->folder), config_text(config, CONFIG_BOOKS), &dir));
    task->books = dir->books;
    Err *err = work(task);
    datadir_close(dir);
    return err;
}

int cli_migrate(int argc, char **argv)
{
    static const struct {
        const char *name;
        Err *(*work)(Task *task);
    } works[] = { { "status", status_tell },
                  { "plan", plan_tell },
                  { "up", up_tell },
                  { "verify", verify_tell } };
    CommandLine line;
    bool        is_known = false;
    size_t      work = 0;
    if (cli_helped(argc, argv, usage))
        return 0;
    if (command_line_read(argc, argv, &line))
        while (work < sizeof works / sizeof *works && !is_known)
            is_known = strcmp(works[work++].name, line.what) == 0;
    if (!is_known) {
        fputs(usage, stderr);
        return 2;
    }
    log_threshold(LOG_WARN);
    AUTO(Arena) arena = arena_open();
    Task task = { .arena = arena, .as_json = line.as_json, .out = text_open(arena) };
    Err *err = task_run(&line, works[work - 1].work, &task);
    if (err != NULL) {
        cli_tell(err);
        return 1;
    }
    fwrite(task.out.at, 1, task.out.length, stdout);
    return fflush(stdout) == 0 && !task.failed ? 0 : 1;
}
