// The settings of `toll serve`: one row each in tbl/config.def. A value comes from the command
// line, else from the environment (TOLL_HTTP_THREADS), else from the file (http.threads = 4), else
// it is the default. Only main and cli read a Config; the rest takes plain options structs.
#pragma once

#include "base/error.h"

typedef enum Setting {
#define CONFIG(name, key, kind, preset, minimum, maximum, doc) CONFIG_##name,
#include "tbl/config.def"
#undef CONFIG
    CONFIG_COUNT
} Setting;

// A secret is text that is never shown.
typedef enum SettingKind {
    SETTING_TEXT, SETTING_SECRET, SETTING_WHOLE, SETTING_BYTES, SETTING_CHOICE
} SettingKind;

typedef enum SettingSource {
    SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG
} SettingSource;

typedef struct Config Config;  // lives in the arena it was opened in

// Every setting at its default.
Config *config_open(Arena *arena);

// Reads `key = value` lines; '#' begins a comment line. All faults are told at once: the pointer is
// "file:line", the detail names the key and its limits. Unknown keys and repeated keys are refused.
Err *config_read_file(Config *config, const char *path) MUST_CHECK;
Err *config_read_text(Config *config, Str name, Str text) MUST_CHECK;

// Takes every TOLL_* variable that belongs to a setting. Variables that begin with TOLL_ and belong
// to none are listed by config_unknown, one name a line, so that a misspelt one is seen.
Err *config_read_environment(Config *config, char *const *environment) MUST_CHECK;
Str  config_unknown(const Config *config);

Err *config_set(Config *config, Setting setting, Str value, SettingSource source) MUST_CHECK;

Str           config_text(const Config *config, Setting setting);   // any kind, as written
uint64_t      config_whole(const Config *config, Setting setting);  // WHOLE and BYTES
size_t        config_choice(const Config *config, Setting setting); // index in the row's a|b|c
SettingSource config_source(const Config *config, Setting setting);

// The rows, for the reference and for `toll config show`.
const char *config_key(Setting setting);
const char *config_default(Setting setting);
const char *config_doc(Setting setting);
SettingKind config_kind(Setting setting);
uint64_t    config_minimum(Setting setting);
uint64_t    config_maximum(Setting setting);
Str         config_variable(Arena *arena, Setting setting);  // "TOLL_LIMITS_BODY_BYTES"
const char *setting_kind_name(SettingKind kind);
const char *setting_source_name(SettingSource source);
