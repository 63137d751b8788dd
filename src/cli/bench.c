// SPDX-License-Identifier: Apache-2.0
// The command line of `toll bench`.
#include "cli/bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_bill.h"
#include "cli/bench_charge.h"
#include "cli/bench_ingest.h"
#include "cli/bench_ledger.h"
#include "cli/bench_option.h"
#include "cli/bench_simulate.h"
#include "cli/bench_rate.h"
#include "cli/bench_workload.h"
#include "cli/config.h"

static const char USAGE[] =
    "usage: toll bench ingest [options]\n"
    "Runs the workload UB-1 against a server of its own and compares every total with an oracle.\n"
    "  --events N         events of the load phase (20000000)\n"
    "  --batch N          events a request, 1..10000 (100)\n"
    "  --single           one bare object a request\n"
    "  --connections N    1..10000 (64)\n"
    "  --accounts N       by Zipf 1.0 (100000)\n"
    "  --hot              one account only\n"
    "  --rate R           open loop at R events a second\n"
    "  --half [N]         then N events in open loop at half the measured rate (a quarter of "
    "--events)\n"
    "  --resend [N]       then N resends of old ids (as many as --events)\n"
    "  --baseline [N]     before all N events into SQLite and PostgreSQL, if\n"
    "                     installed, on this machine (500000)\n"
    "  --check N          accounts whose totals are compared in every meter (250)\n"
    "  --seed N           of the workload (1)\n"
    "  --data DIR         where the temporary data directory is made (TMPDIR or /var/tmp)\n"
    "  --keep             leave it behind\n"
    "  --no-crash         no kill -9 and restart at the end\n"
    "  --patience S       a request unanswered for so long voids the run (30)\n"
    "  --settle S         how long background work may take (600)\n"
    "  --json             figures as JSON on stdout\n"
    "  --quiet            no progress on stderr\n"
    "usage: toll bench rate [--bills N] [--seed N] [--json]\n"
    "Prices bills of four lines with tiers and a commitment on one core, and compares each.\n"
    "  --bills N          how many (500000)\n";

typedef struct CommandLine {
    BenchOptions options;
    bool         json;
    bool         half, resend;  // asked for without a number
    bool         wrong;
} CommandLine;

static const struct option OPTIONS[] = {
    { "events", required_argument, NULL, 'n' },   { "batch", required_argument, NULL, 'b' },
    { "single", no_argument, NULL, '1' },         { "connections", required_argument, NULL, 'c' },
    { "accounts", required_argument, NULL, 'a' }, { "hot", no_argument, NULL, 'h' },
    { "rate", required_argument, NULL, 'r' },     { "half", optional_argument, NULL, 'o' },
    { "resend", optional_argument, NULL, 'd' },   { "baseline", optional_argument, NULL, 'B' },
    { "check", required_argument, NULL, 'C' },    { "seed", required_argument, NULL, 's' },
    { "data", required_argument, NULL, 'D' },     { "keep", no_argument, NULL, 'k' },
    { "no-crash", no_argument, NULL, 'x' },       { "patience", required_argument, NULL, 'p' },
    { "settle", required_argument, NULL, 'S' },   { "json", no_argument, NULL, 'j' },
    { "quiet", no_argument, NULL, 'q' },          { NULL, 0, NULL, 0 },
};

// The options of which there is a number; false: not one of them.
static bool number_option(CommandLine *line, int letter)
{
    BenchOptions  *options = &line->options;
    const uint64_t most = UINT64_C(100000000000);
    switch (letter) {
    case 'n': options->events = bench_number(&line->wrong, 1, most); return true;
    case 'b': options->batch = (uint32_t)bench_number(&line->wrong, 1, 10000); return true;
    case 'c': options->connections = (uint32_t)bench_number(&line->wrong, 1, 10000); return true;
    case 'a':
        options->accounts = (uint32_t)bench_number(&line->wrong, 1, WORKLOAD_ACCOUNTS_MAX);
        return true;
    case 'r': options->rate = bench_number(&line->wrong, 1, most); return true;
    case 'C':
        options->check_accounts = (uint32_t)bench_number(&line->wrong, 0, 1000000);
        return true;
    case 's': options->seed = bench_number(&line->wrong, 0, most); return true;
    case 'p': options->patience_s = (int)bench_number(&line->wrong, 1, 3600); return true;
    case 'S': options->settle_s = (int)bench_number(&line->wrong, 1, 36000); return true;
    default: return false;
    }
}

// A flag, or a phase whose number of events may follow after "=".
static void flag_option(CommandLine *line, int letter)
{
    BenchOptions  *options = &line->options;
    const uint64_t most = UINT64_C(100000000000);
    switch (letter) {
    case '1': options->single = true; break;
    case 'h': options->accounts = 1; break;
    case 'k': options->keep = true; break;
    case 'x': options->crash = false; break;
    case 'j': line->json = true; break;
    case 'q': options->quiet = true; break;
    case 'D': options->parent = str_of(optarg); break;
    case 'B':
        options->baseline_events = optarg == NULL ? 500000 : bench_number(&line->wrong, 1, most);
        break;
    case 'o':
        line->half = optarg == NULL;
        options->half_events = optarg == NULL ? 0 : bench_number(&line->wrong, 1, most);
        break;
    case 'd':
        line->resend = optarg == NULL;
        options->resend_events = optarg == NULL ? 0 : bench_number(&line->wrong, 1, most);
        break;
    default: line->wrong = true; break;
    }
}

static CommandLine command_line_read(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    CommandLine line = {
        .options = {
            .events = 20000000, .batch = 100, .connections = 64, .accounts = 100000, .seed = 1,
            .check_accounts = 250, .patience_s = 30, .settle_s = 600, .crash = true,
            .parent = folder != NULL ? str_of(folder) : STR("/var/tmp"),
        },
    };
    optind = 1;
    for (int letter; (letter = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        if (!number_option(&line, letter))
            flag_option(&line, letter);
    if (optind < argc)
        line.wrong = true;
    if (line.options.single)
        line.options.batch = 1;
    if (line.half)
        line.options.half_events = line.options.events / 4 + 1;
    if (line.resend)
        line.options.resend_events = line.options.events;
    return line;
}

static int ingest(int argc, char **argv)
{
    if (cli_helped(argc, argv, USAGE))
        return 0;
    CommandLine line = command_line_read(argc, argv);
    if (line.wrong) {
        fputs(USAGE, stderr);
        return 2;
    }
    AUTO(Arena) arena = arena_open();
    Figures figures = { 0 };
    Err    *failure = bench_ingest_run(arena, &line.options, &figures);
    return figures_conclude(&figures, "every total equals the oracle (1: yes)", line.json, failure);
}

static int rate(int argc, char **argv)
{
    static const struct option options[] = { { "bills", required_argument, NULL, 'n' },
                                             { "seed", required_argument, NULL, 's' },
                                             { "json", no_argument, NULL, 'j' },
                                             { NULL, 0, NULL, 0 } };
    CommandLine line = { 0 };
    RateBench   bench = { .bills = 500000, .seed = 1 };
    if (cli_helped(argc, argv, USAGE))
        return 0;
    optind = 1;
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (letter) {
        case 'n': bench.bills = bench_number(&line.wrong, 1, 1000000000); break;
        case 's': bench.seed = bench_number(&line.wrong, 0, UINT64_MAX); break;
        case 'j': line.json = true; break;
        default: line.wrong = true; break;
        }
    if (line.wrong || optind < argc) {
        fputs(USAGE, stderr);
        return 2;
    }
    AUTO(Arena) arena = arena_open();
    Figures figures = { 0 };
    Err    *failure = bench_rate_run(arena, &bench, &figures);
    return figures_conclude(&figures, "every total equals the oracle (1: yes)", line.json, failure);
}

int cli_bench(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "simulate") == 0)
        return bench_simulate(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "ledger") == 0)
        return bench_ledger(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "bill") == 0)
        return bench_bill(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "charge") == 0)
        return bench_charge(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "ingest") == 0)
        return ingest(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "rate") == 0)
        return rate(argc - 1, argv + 1);
    AUTO(Arena) arena = arena_open();
    Str   all = str_print(arena, "%s%s%s%s%s", USAGE, BENCH_SIMULATE_USAGE, BENCH_BILL_USAGE,
                          BENCH_CHARGE_USAGE, BENCH_LEDGER_USAGE);
    char *usage = str_terminated(arena, all);
    if (cli_helped(argc, argv, usage))
        return 0;
    fputs(usage, stderr);
    return 2;
}
