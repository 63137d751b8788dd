// SPDX-License-Identifier: Apache-2.0
// Every command, on one screen. A command gets its own name as argv[0], prints data on stdout and
// talk on stderr, and ends with 0 (fine), 1 (failed) or 2 (wrong usage).
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/version.h"
#include "cli/bench.h"
#include "cli/config.h"
#include "cli/demo.h"
#include "cli/ingest.h"
#include "cli/init.h"
#include "cli/migrate.h"
#include "cli/print.h"
#include "cli/rate.h"
#include "cli/serve.h"
#include "cli/verify.h"

typedef struct Command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} Command;

static const Command commands[] = {
    { "init", cli_init, "make the data directory, a project and a key: --data DIR [--json]" },
    { "serve", cli_serve, "serve the API: --data DIR [--listen HOST:PORT] [--config FILE]" },
    { "demo", cli_demo, "the whole job on a temporary directory; prints the bill" },
    { "ingest", cli_ingest, "send usage from a file: -f FILE [--url URL] [--key KEY]" },
    { "rate", cli_rate, "price usage offline: --plan FILE --usage FILE" },
    { "verify", cli_verify, "rebuild usage, check the books, compare: --data DIR" },
    { "migrate", cli_migrate, "the schema of the books: status|plan|up|verify --data DIR" },
    { "config", cli_config, "check or show the settings: check|show [--config FILE]" },
    { "print", cli_print, "the reference: openapi|config|errors|metrics|scopes|steps|postings" },
    { "bench", cli_bench, "how fast, proved right by an oracle: ingest, rate, simulate" },
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void help_print(FILE *to)
{
    fputs("Toll " TOLL_VERSION ": exact usage billing. toll COMMAND ...\n\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  toll %-8s%s\n", commands[i].name, commands[i].help);
    fputs("\ntoll COMMAND --help tells its options.\n", to);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    memory_keep();
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0) {
        puts("toll " TOLL_VERSION);
        return 0;
    }
    bool is_asked = argc > 1 && (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0);
    if (argc > 1 && !is_asked)
        fprintf(stderr, "toll: there is no command %s\n\n", name);
    help_print(is_asked ? stdout : stderr);
    return is_asked ? 0 : 2;
}
