// `toll config check|show [--config FILE] [--json]`, and how every command reads its settings.
#pragma once

#include "base/config.h"

// Defaults, then the file when there is one (NULL: none), then the environment. TOLL_* variables
// that belong to no setting are told in the log. Flags are the caller's: config_set.
Err *cli_config_load(Arena *arena, const char *file, Config **config) MUST_CHECK;

// Tells a refusal and all that follow it on stderr, one a line.
void cli_tell(const Err *err);

// True: one of the arguments is --help or -h, and the usage is on stdout. Asked before anything
// else, so that a command line that is wrong otherwise gets its help.
bool cli_helped(int argc, char **argv, const char *usage);

// check: exit 0 when every setting is within its limits, 1 with each fault on stderr.
// show: the settings in force as a file that could be read back, with where each comes from.
int cli_config(int argc, char **argv);
