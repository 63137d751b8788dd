// SPDX-License-Identifier: Apache-2.0
// Settings from file and environment, checked and shown. What `show` prints is itself a file that
// `--config` reads to the same settings.
#include "cli/config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "db/mariadb_address.h"
#include "http/listener.h"

static const char usage_text[] = "toll config check|show [--config FILE] [--json]\n";

typedef struct CommandLine {
    bool        shows;
    bool        as_json;
    const char *file;
} CommandLine;

static bool command_line_read(int argc, char **argv, CommandLine *line)
{
    if (argc < 2 || (strcmp(argv[1], "check") != 0 && strcmp(argv[1], "show") != 0))
        return false;
    *line = (CommandLine){ .shows = strcmp(argv[1], "show") == 0 };
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            line->as_json = true;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            line->file = argv[++i];
        else
            return false;
    }
    return true;
}

static bool is_hidden(const Config *config, Setting setting)
{
    return config_kind(setting) == SETTING_SECRET && config_text(config, setting).length > 0;
}

static Str shown(const Config *config, Setting setting)
{
    return is_hidden(config, setting) ? STR("(secret)") : config_text(config, setting);
}

static void show_text(const Config *config, Arena *arena, Text *text)
{
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        Setting setting = (Setting)i;
        Str variable = config_variable(arena, setting);
        Str value = shown(config, setting);
        text_print(text, "# %s\n# %.*s; from: %s\n", config_doc(setting), STR_ARG(variable),
                   setting_source_name(config_source(config, setting)));
        // An empty text cannot be set, only left at its default; a secret is not shown.
        bool is_comment = value.length == 0 || is_hidden(config, setting);
        text_print(text, "%s%s = %.*s\n\n", is_comment ? "#" : "", config_key(setting),
                   STR_ARG(value));
    }
}

static void show_json(const Config *config, Text *text)
{
    JsonOut out = json_out(text);
    json_object(&out);
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        Setting setting = (Setting)i;
        json_name(&out, str_of(config_key(setting)));
        json_object(&out);
        json_string_member(&out, "value", shown(config, setting));
        json_string_member(&out, "from",
                           str_of(setting_source_name(config_source(config, setting))));
        json_object_end(&out);
    }
    json_object_end(&out);
    text_add(text, STR("\n"));
}

// What a setting's kind cannot tell: where there is an address, it must be one.
static Err *addresses_check(Arena *arena, const Config *config)
{
    MariadbAddress books;
    Str            place = config_text(config, CONFIG_BOOKS);
    if (place.length > 0)
        TRY(mariadb_address_parse(arena, place, &books));
    return listener_address_read(arena, config_text(config, CONFIG_LISTEN));
}

Err *cli_config_load(Arena *arena, const char *file, Config **config)
{
    Config *loaded = config_open(arena);
    if (file != NULL)
        TRY(config_read_file(loaded, file));
    TRY(config_read_environment(loaded, environ));
    Str unknown = config_unknown(loaded);
    while (unknown.length > 0) {
        Str name = str_cut(&unknown, '\n');
        log_line(LOG_WARN, "%.*s is no setting; it is ignored", STR_ARG(name));
    }
    TRY(addresses_check(arena, loaded));
    *config = loaded;
    return NULL;
}

void cli_tell(const Err *err)
{
    for (; err != NULL; err = err->next) {
        if (err->pointer.length > 0)
            fprintf(stderr, "%.*s: ", STR_ARG(err->pointer));
        fprintf(stderr, "%.*s (%s)\n", STR_ARG(err->detail), err_name(err->code));
    }
}

bool cli_helped(int argc, char **argv, const char *usage)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return true;
        }
    return false;
}

int cli_config(int argc, char **argv)
{
    CommandLine line;
    if (cli_helped(argc, argv, usage_text))
        return 0;
    if (!command_line_read(argc, argv, &line)) {
        fputs(usage_text, stderr);
        return 2;
    }
    AUTO(Arena) arena = arena_open();
    Config *config = NULL;
    Err    *err = cli_config_load(arena, line.file, &config);
    if (err != NULL) {
        cli_tell(err);
        return 1;
    }
    Text text = text_open(arena);
    if (line.shows && line.as_json)
        show_json(config, &text);
    else if (line.shows)
        show_text(config, arena, &text);
    else
        text_add(&text, line.as_json ? STR("{\"ok\":true}\n") : STR("every setting is fine\n"));
    fwrite(text.at, 1, text.length, stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
