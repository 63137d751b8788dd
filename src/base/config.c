// SPDX-License-Identifier: Apache-2.0
// Settings from file, environment and command line. A Config holds only values that passed their
// row's limits, whatever they came from.
#include "base/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

typedef struct SettingRow {
    const char *key;
    SettingKind kind;
    const char *preset;
    uint64_t    minimum;
    uint64_t    maximum;
    const char *doc;
} SettingRow;

static const SettingRow rows[CONFIG_COUNT] = {
#define CONFIG(name, key, kind, preset, minimum, maximum, doc) \
    { key, SETTING_##kind, preset, minimum, maximum, doc },
#include "tbl/config.def"
#undef CONFIG
};

typedef struct SettingValue {
    Str           text;
    uint64_t      number;  // WHOLE, BYTES: the value; CHOICE: its index
    SettingSource source;
    bool          in_file;  // a key that stands twice in a file is refused
} SettingValue;

struct Config {
    Arena       *arena;
    SettingValue values[CONFIG_COUNT];
    Text         unknown;
};

enum { FILE_BYTES_MAX = 1 << 20 };

static const struct { const char *suffix; unsigned shift; } byte_units[] = {
    { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 },
};

static Str trimmed(Str text)
{
    while (text.length > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && strchr(" \t\r", text.at[text.length - 1]) != NULL)
        text.length--;
    return text;
}

static bool str_ends(Str text, Str end)
{
    return text.length >= end.length &&
           memcmp(text.at + text.length - end.length, end.at, end.length) == 0;
}

// 16MiB -> 16,777,216. Without a unit the number is bytes.
static bool bytes_parse(Str text, uint64_t *bytes)
{
    unsigned shift = 0;
    for (size_t i = 0; i < sizeof byte_units / sizeof *byte_units; i++)
        if (str_ends(text, str_of(byte_units[i].suffix))) {
            shift = byte_units[i].shift;
            text.length -= strlen(byte_units[i].suffix);
        }
    uint64_t number;
    if (!str_whole(trimmed(text), UINT64_MAX >> shift, &number))
        return false;
    *bytes = number << shift;
    return true;
}

// The choices stand at the start of the row's doc: "debug|info|warn|error: what it means".
static bool choice_parse(const SettingRow *row, Str text, uint64_t *index)
{
    Str rest = str_of(row->doc);
    Str choices = str_cut(&rest, ':');
    for (uint64_t i = 0; choices.length > 0; i++)
        if (str_equal(str_cut(&choices, '|'), text)) {
            *index = i;
            return true;
        }
    return false;
}

static bool value_parse(const SettingRow *row, Str text, uint64_t *number)
{
    *number = 0;
    switch (row->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        return text.length >= row->minimum && text.length <= row->maximum && str_is_utf8(text) &&
               !str_has_control(text);
    case SETTING_WHOLE:
        return str_whole(text, row->maximum, number) && *number >= row->minimum;
    case SETTING_BYTES:
        return bytes_parse(text, number) && *number >= row->minimum && *number <= row->maximum;
    case SETTING_CHOICE:
        return choice_parse(row, text, number);
    }
    assert_failed("a kind of setting", __FILE__, __LINE__);
}

static Str limits_print(Arena *arena, const SettingRow *row)
{
    unsigned long long minimum = row->minimum, maximum = row->maximum;
    switch (row->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        return str_print(arena, "text of %llu to %llu bytes", minimum, maximum);
    case SETTING_WHOLE:
        return str_print(arena, "a whole number from %llu to %llu", minimum, maximum);
    case SETTING_BYTES:
        return str_print(arena, "%llu to %llu bytes, as 4096, 64KiB, 16MiB or 1GiB", minimum,
                         maximum);
    case SETTING_CHOICE:
        return str_print(arena, "one of %s", row->doc);
    }
    assert_failed("a kind of setting", __FILE__, __LINE__);
}

static Err *value_set(Config *config, Setting setting, Str value, SettingSource source, Str place)
{
    const SettingRow *row = &rows[setting];
    uint64_t number;
    if (!value_parse(row, value, &number)) {
        Str limits = limits_print(config->arena, row);
        return refuse(config->arena, ERR_FIELD_INVALID, place, "%s must be %.*s, not \"%.*s\"",
                      row->key, STR_ARG(limits), STR_ARG(value));
    }
    SettingValue *kept = &config->values[setting];
    *kept = (SettingValue){ .text = str_copy(config->arena, value), .number = number,
                            .source = source, .in_file = kept->in_file };
    return NULL;
}

static bool setting_find(Str key, Setting *setting)
{
    for (size_t i = 0; i < CONFIG_COUNT; i++)
        if (str_equal(key, str_of(rows[i].key))) {
            *setting = (Setting)i;
            return true;
        }
    return false;
}

static Err *line_take(Config *config, Str line, Str place)
{
    Str rest = line;
    Str key = trimmed(str_cut(&rest, '='));
    Setting setting;
    if (memchr(line.at, '=', line.length) == NULL)
        return refuse(config->arena, ERR_FIELD_INVALID, place,
                      "a line is `key = value`, empty, or begins with #");
    if (!setting_find(key, &setting))
        return refuse(config->arena, ERR_UNKNOWN_MEMBER, place, "there is no setting \"%.*s\"",
                      STR_ARG(key));
    if (config->values[setting].in_file)
        return refuse(config->arena, ERR_FIELD_INVALID, place, "%s is set twice",
                      rows[setting].key);
    config->values[setting].in_file = true;
    return value_set(config, setting, trimmed(rest), SOURCE_FILE, place);
}

Config *config_open(Arena *arena)
{
    Config *config = arena_new(arena, Config);
    config->arena = arena;
    config->unknown = text_open(arena);
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        Str preset = str_of(rows[i].preset);
        Err *wrong = value_set(config, (Setting)i, preset, SOURCE_DEFAULT, STR_NONE);
        assert_that(wrong == NULL);
    }
    return config;
}

Err *config_read_text(Config *config, Str name, Str text)
{
    Faults faults = { .arena = config->arena };
    for (unsigned number = 1; text.length > 0; number++) {
        Str line = trimmed(str_cut(&text, '\n'));
        if (line.length == 0 || line.at[0] == '#')
            continue;
        Str place = str_print(config->arena, "%.*s:%u", STR_ARG(name), number);
        faults_add_err(&faults, line_take(config, line, place));
    }
    return faults.first;
}

Err *config_read_file(Config *config, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return refuse(config->arena, ERR_FIELD_INVALID, str_of(path), "cannot be read: %s",
                      strerror(errno));
    char *bytes = arena_take(config->arena, FILE_BYTES_MAX + 1);
    size_t length = fread(bytes, 1, FILE_BYTES_MAX + 1, file);
    bool whole = feof(file) != 0 && ferror(file) == 0;
    fclose(file);
    if (!whole)
        return refuse(config->arena, ERR_FIELD_INVALID, str_of(path),
                      "cannot be read, or is larger than 1 MiB");
    return config_read_text(config, str_of(path), (Str){ bytes, length });
}

Err *config_read_environment(Config *config, char *const *environment)
{
    Faults faults = { .arena = config->arena };
    for (size_t i = 0; environment[i] != NULL; i++) {
        Str value = str_of(environment[i]);
        if (!str_starts(value, STR("TOLL_")))
            continue;
        Str name = str_cut(&value, '=');
        size_t setting = 0;
        while (setting < CONFIG_COUNT &&
               !str_equal(name, config_variable(config->arena, (Setting)setting)))
            setting++;
        if (setting < CONFIG_COUNT)
            faults_add_err(&faults, value_set(config, (Setting)setting, value, SOURCE_ENVIRONMENT,
                                              name));
        else
            text_print(&config->unknown, "%.*s\n", STR_ARG(name));
    }
    return faults.first;
}

Str config_unknown(const Config *config)
{
    return text_str(&config->unknown);
}

Err *config_set(Config *config, Setting setting, Str value, SettingSource source)
{
    return value_set(config, setting, value, source, str_of(rows[setting].key));
}

Str config_text(const Config *config, Setting setting)
{
    return config->values[setting].text;
}

uint64_t config_whole(const Config *config, Setting setting)
{
    assert_that(rows[setting].kind == SETTING_WHOLE || rows[setting].kind == SETTING_BYTES);
    return config->values[setting].number;
}

size_t config_choice(const Config *config, Setting setting)
{
    assert_that(rows[setting].kind == SETTING_CHOICE);
    return (size_t)config->values[setting].number;
}

SettingSource config_source(const Config *config, Setting setting)
{
    return config->values[setting].source;
}

const char *config_key(Setting setting)
{
    return rows[setting].key;
}

const char *config_default(Setting setting)
{
    return rows[setting].preset;
}

const char *config_doc(Setting setting)
{
    return rows[setting].doc;
}

SettingKind config_kind(Setting setting)
{
    return rows[setting].kind;
}

uint64_t config_minimum(Setting setting)
{
    return rows[setting].minimum;
}

uint64_t config_maximum(Setting setting)
{
    return rows[setting].maximum;
}

Str config_variable(Arena *arena, Setting setting)
{
    Text name = text_open(arena);
    text_add(&name, STR("TOLL_"));
    for (const char *at = rows[setting].key; *at != 0; at++) {
        bool is_capital = *at >= 'A' && *at <= 'Z';
        if (is_capital || *at == '.')
            text_add_char(&name, '_');
        if (*at != '.')
            text_add_char(&name, is_capital ? *at : (char)(*at - 'a' + 'A'));
    }
    return text_str(&name);
}

const char *setting_kind_name(SettingKind kind)
{
    static const char *const names[] = { "text", "secret", "whole number", "bytes", "choice" };
    return names[kind];
}

const char *setting_source_name(SettingSource source)
{
    static const char *const names[] = { "default", "file", "environment", "flag" };
    return names[source];
}
