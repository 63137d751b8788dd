// SPDX-License-Identifier: Apache-2.0
// Every command, on one screen. A command gets its own name as argv[0], prints data on stdout and
// talk on stderr, and ends with 0 (fine), 1 (failed) or 2 (wrong usage).
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if __has_include("cli/init.c")
#include "cli/init.h"
#define WITH_INIT 1
#endif
#if __has_include("cli/serve.c")
#include "cli/serve.h"
#define WITH_SERVE 1
#endif
#if __has_include("cli/demo.c")
#include "cli/demo.h"
#define WITH_DEMO 1
#endif
#if __has_include("cli/ingest.c")
#include "cli/ingest.h"
#define WITH_INGEST 1
#endif
#if __has_include("cli/rate.c")
#include "cli/rate.h"
#define WITH_RATE 1
#endif
#if __has_include("cli/verify.c")
#include "cli/verify.h"
#define WITH_VERIFY 1
#endif
#if __has_include("cli/config.c")
#include "cli/config.h"
#define WITH_CONFIG 1
#endif
#if __has_include("cli/print.c")
#include "cli/print.h"
#define WITH_PRINT 1
#endif
#if __has_include("cli/bench.c")
#include "cli/bench.h"
#define WITH_BENCH 1
#endif

typedef struct Command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} Command;

static const Command commands[] = {
#ifdef WITH_INIT
    { "init", cli_init, "make the data directory, a project and a key: --data DIR [--json]" },
#endif
#ifdef WITH_SERVE
    { "serve", cli_serve, "serve the API: --data DIR [--listen HOST:PORT] [--config FILE]" },
#endif
#ifdef WITH_DEMO
    { "demo", cli_demo, "the whole job on a temporary directory; prints the bill" },
#endif
#ifdef WITH_INGEST
    { "ingest", cli_ingest, "send usage from a file: -f FILE [--url URL] [--key KEY]" },
#endif
#ifdef WITH_RATE
    { "rate", cli_rate, "price usage offline: --plan FILE --usage FILE" },
#endif
#ifdef WITH_VERIFY
    { "verify", cli_verify, "rebuild usage from the journal, check the books, compare: --data DIR" },
#endif
#ifdef WITH_CONFIG
    { "config", cli_config, "check or show the settings: check|show [--config FILE]" },
#endif
#ifdef WITH_PRINT
    { "print", cli_print, "the reference: openapi|config|errors|metrics|scopes|steps" },
#endif
#ifdef WITH_BENCH
    { "bench", cli_bench, "how fast, proved right by an oracle: ingest ..." },
#endif
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void help_print(FILE *to)
{
    fputs("Toll " TOLL_VERSION ": exact usage billing. toll COMMAND ...\n\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  toll %-8s%s\n", commands[i].name, commands[i].help);
    fputs("\nA command tells its options when it is called with none that it knows.\n", to);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0) {
        puts("toll " TOLL_VERSION);
        return 0;
    }
    bool is_asked = argc > 1 && (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0);
    help_print(is_asked ? stdout : stderr);
    return is_asked ? 0 : 2;
}
