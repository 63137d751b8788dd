// SPDX-License-Identifier: Apache-2.0
// The order is: directory, usage, subscriptions, settle; then the simulation, timed from the
// request to its last byte in the books; then every account against the oracle.
#include "cli/bench_simulate.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/bench_cost.h"
#include "cli/bench_figures.h"
#include "cli/bench_folder.h"
#include "cli/bench_market.h"
#include "cli/bench_option.h"
#include "cli/config.h"
#include "flow/simulate/report.h"
#include "flow/simulate/simulate_run.h"

const char BENCH_SIMULATE_USAGE[] =
    "usage: toll bench simulate [options]\n"
    "One plan of four charges with a commitment against another, for every account, compared with\n"
    "an oracle account by account.\n"
    "  --accounts N       with a subscription each (100000)\n"
    "  --months N         of usage and of bills, 1..12 (3)\n"
    "  --events N         of usage, in order of time (60 an account)\n"
    "  --seal-bits N      of the data directory (20)\n"
    "  --seed N           of the usage (1)\n"
    "  --data DIR         where the temporary data directory is made (TMPDIR or /var/tmp)\n"
    "  --keep             leave it behind\n"
    "  --settle S         how long background work may take before (600)\n"
    "  --json             figures as JSON on stdout\n"
    "  --quiet            no progress on stderr\n";

typedef struct Options {
    MarketOptions market;
    Str           parent;
    int           settle_s;
    bool          keep, json, quiet, wrong;
} Options;

static const struct option OPTIONS[] = {
    { "accounts", required_argument, NULL, 'a' }, { "months", required_argument, NULL, 'm' },
    { "events", required_argument, NULL, 'n' },   { "seal-bits", required_argument, NULL, 'b' },
    { "seed", required_argument, NULL, 's' },     { "data", required_argument, NULL, 'D' },
    { "keep", no_argument, NULL, 'k' },           { "settle", required_argument, NULL, 'S' },
    { "json", no_argument, NULL, 'j' },           { "quiet", no_argument, NULL, 'q' },
    { NULL, 0, NULL, 0 },
};

static void option_take(Options *options, int letter)
{
    MarketOptions *market = &options->market;
    switch (letter) {
    case 'a': market->accounts = bench_number(&options->wrong, 1, 10000000); break;
    case 'm': market->months = (uint32_t)bench_number(&options->wrong, 1, MARKET_MONTHS_MAX); break;
    case 'n': market->events = bench_number(&options->wrong, 1, UINT64_C(10000000000)); break;
    case 'b':
        market->seal_bits = (uint32_t)bench_number(&options->wrong, SEAL_BITS_LEAST,
                                                   SEAL_BITS_MOST);
        break;
    case 's': market->seed = bench_number(&options->wrong, 0, UINT64_MAX); break;
    case 'S': options->settle_s = (int)bench_number(&options->wrong, 1, 36000); break;
    case 'D': options->parent = str_of(optarg); break;
    case 'k': options->keep = true; break;
    case 'j': options->json = true; break;
    case 'q': options->quiet = true; break;
    default: options->wrong = true; break;
    }
}

static Options options_read(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    Options     options = {
            .market = { .accounts = 100000, .months = 3, .seed = 1, .seal_bits = SEAL_BITS_USUAL },
            .parent = folder != NULL ? str_of(folder) : STR("/var/tmp"),
            .settle_s = 600,
    };
    optind = 1;
    for (int letter; (letter = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        option_take(&options, letter);
    if (options.market.events == 0)
        options.market.events = 60 * options.market.accounts;
    if (options.market.events < options.market.accounts)
        options.wrong = true;  // every account is named by an event
    options.wrong = options.wrong || optind < argc;
    return options;
}

// ---- the run

typedef struct Bench {
    const Options *options;
    Arena         *arena;
    Figures       *figures;
    Str            root;
    Market         market;
    Operation      operation;
    Simulation    *simulation;
    uint64_t       compared, wrong;
    MarketSum      total;
    CostMemory     before;  // the simulation
} Bench;

static void say(const Bench *bench, const char *what)
{
    if (!bench->options->quiet)
        fprintf(stderr, "%s\n", what);
}

static void add(Bench *bench, const char *section, const char *name, const char *label,
                int64_t value)
{
    figures_add(bench->figures, (Figure){ section, name, label, "", value, 0 });
}

static void add_unit(Bench *bench, Figure figure)
{
    figures_add(bench->figures, figure);
}

static Err *request_read(Bench *bench, SimulationRequest *request)
{
    Faults faults = { .arena = bench->arena };
    Json  *body;
    Instant from = market_month(0), to = market_month(bench->options->market.months);
    Str     text = str_print(
        bench->arena,
        "{\"plan\":%.*s,\"against\":\"current\",\"from\":\"%.*s\",\"to\":\"%.*s\","
        "\"accounts\":\"all\"}",
        STR_ARG(market_next_plan()), STR_ARG(instant_print(bench->arena, from)),
        STR_ARG(instant_print(bench->arena, to)));
    TRY(json_parse_copy(bench->arena, text, &body));
    simulation_request_read(body, request, &faults);
    return faults.first;
}

static Err *wait_for_end(Bench *bench)
{
    for (;;) {
        AUTO(Arena) arena = arena_open();
        Operation *now;
        TRY(operation_get(bench->market.books, arena, bench->market.by.project.id,
                          bench->operation.id, &now));
        if (now->status == OPERATION_SUCCEEDED)
            return NULL;
        if (now->has_ended)
            return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "the simulation is %s: %.*s",
                          operation_status_name(now->status), STR_ARG(now->error_detail));
        usleep(2000);
    }
}

static Err *simulate(Bench *bench)
{
    Market           *market = &bench->market;
    SimulationRequest request;
    Worker           *worker;
    SimulateParts     parts = { market->catalog, market->partition };
    OperationKind     kind = simulate_kind(&parts);
    WorkerOptions     options = { .db = market->books, .kinds = &kind, .kind_count = 1 };
    SimulationStart   start = { market->books, market->catalog, market->partition, &market->by,
                                { clock_now_us() } };
    TRY(request_read(bench, &request));
    TRY(worker_open(bench->arena, &options, &worker));
    Err *err = simulation_start(bench->arena, &start, &request, &bench->operation);
    worker_wake(worker);
    if (err == NULL)
        err = wait_for_end(bench);
    worker_close(worker);
    TRY(err);
    return simulation_get(market->books, bench->arena, market->by.project.id,
                          bench->operation.subject, &bench->simulation);
}

// ---- the oracle's word

static Err *account_compare(void *context, const RepricedAccount *account)
{
    Bench   *bench = context;
    uint64_t number;
    int64_t  before = 0, after = 0;
    if (!market_account_find(account->account, &number))
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "an account that nobody made");
    for (size_t i = 0; i < account->count; i++) {
        before += account->lines[i].before;
        after += account->lines[i].after;
    }
    MarketSum sum = market_sum(&bench->market, number);
    bench->total.now += sum.now;
    bench->total.next += sum.next;
    bench->compared++;
    if ((before != sum.now || after != sum.next || account->warnings != 0) && bench->wrong++ < 20)
        fprintf(stderr, "%.*s: before %lld, by the oracle %lld; after %lld, by the oracle %lld\n",
                STR_ARG(account->account), (long long)before, (long long)sum.now, (long long)after,
                (long long)sum.next);
    return NULL;
}

static Err *sums_compare(Bench *bench)
{
    Json    *summary;
    Currency dollars;
    assert_that(currency_find(STR("USD"), &dollars));
    TRY(json_parse_copy(bench->arena, bench->simulation->summary, &summary));
    const Json *total = json_find(summary, STR("totals"))->first;
    Str         now = money_print(bench->arena, (Money){ bench->total.now, dollars });
    Str         next = money_print(bench->arena, (Money){ bench->total.next, dollars });
    if (total == NULL || !str_equal(json_find(total, STR("before"))->text, now) ||
        !str_equal(json_find(total, STR("after"))->text, next))
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "the sums are not %.*s and %.*s",
                      STR_ARG(now), STR_ARG(next));
    return NULL;
}

static Err *compare(Bench *bench)
{
    bool       more = true;
    ReportWalk walk = { .db = bench->market.books, .simulation = bench->simulation,
                        .take = account_compare, .context = bench };
    while (more) {
        AUTO(Arena) arena = arena_open();
        walk.limit = 1000;
        Err *err = report_walk(&walk, arena, &more);
        if (err != NULL)
            return refuse(bench->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    }
    if (bench->wrong > 0 || bench->compared != bench->options->market.accounts)
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE,
                      "%llu accounts compared, %llu differ from the oracle",
                      (unsigned long long)bench->compared, (unsigned long long)bench->wrong);
    return sums_compare(bench);
}

static void figures_fill(Bench *bench, int64_t elapsed_us, const Cost *used)
{
    const MarketOptions *market = &bench->options->market;
    int64_t              accounts = (int64_t)market->accounts;
    int64_t              bills = accounts * market->months * 2;
    CostMemory           memory = { 0 };
    cost_memory(getpid(), &memory);
    add(bench, "settings", "accounts", "accounts", accounts);
    add(bench, "settings", "months", "months", market->months);
    add(bench, "settings", "events", "events of usage", (int64_t)market->events);
    add_unit(bench, (Figure){ "simulate", "elapsedMilliseconds", "request to result", "ms",
                              elapsed_us / 1000, 0 });
    add_unit(bench, (Figure){ "simulate", "cpuMilliseconds", "CPU of the process", "ms",
                              (used->user_us + used->system_us) / 1000, 0 });
    add_unit(bench, (Figure){ "simulate", "accountsPerSecond", "accounts, both sides", "/s",
                              figure_ratio(accounts * 1000000, elapsed_us, 0), 0 });
    add_unit(bench, (Figure){ "simulate", "billsPerSecond", "bills", "/s",
                              figure_ratio(bills * 1000000, elapsed_us, 0), 0 });
    add_unit(bench, (Figure){ "simulate", "cpuMicrosecondsPerBill", "CPU a bill", "µs",
                              figure_ratio(used->user_us + used->system_us, bills, 2), 2 });
    add_unit(bench, (Figure){ "simulate", "residentBytesBefore", "resident memory before", "bytes",
                              bench->before.resident_bytes, 0 });
    add_unit(bench, (Figure){ "simulate", "residentBytes", "resident memory after", "bytes",
                              memory.resident_bytes, 0 });
}

static Err *market_prepare(Bench *bench)
{
    int64_t begun_us = clock_tick_us();
    TRY(market_open(bench->arena, &bench->options->market, &bench->market));
    say(bench, "usage");
    TRY(market_use(&bench->market));
    int64_t used_us = clock_tick_us();
    say(bench, "subscriptions");
    TRY(market_subscribe(&bench->market));
    say(bench, "settling");
    if (cost_settle(getpid(), bench->options->settle_s) == 0)
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "background work did not end");
    add_unit(bench, (Figure){ "prepare", "usageMilliseconds", "usage acknowledged", "ms",
                              (used_us - begun_us) / 1000, 0 });
    add_unit(bench, (Figure){ "prepare", "elapsedMilliseconds", "until all was settled", "ms",
                              (clock_tick_us() - begun_us) / 1000, 0 });
    return NULL;
}

static Err *bench_run(Bench *bench)
{
    Cost before, after;
    TRY(market_prepare(bench));
    say(bench, "simulation");
    cost_memory(getpid(), &bench->before);
    assert_that(cost_read(getpid(), &before));
    int64_t begun_us = clock_tick_us();
    TRY(simulate(bench));
    int64_t elapsed_us = clock_tick_us() - begun_us;
    assert_that(cost_read(getpid(), &after));
    Cost used = cost_between(&before, &after);
    figures_fill(bench, elapsed_us, &used);
    say(bench, "comparison");
    return compare(bench);
}

// ---- around it

static Err *bench_in_folder(Bench *bench, Options *options)
{
    Str path;
    TRY(bench_folder_make(bench->arena, options->parent, "toll-bench", &path));
    options->market.folder = str_print(bench->arena, "%.*s/data", STR_ARG(path));
    Err *failure = bench_run(bench);
    market_close(&bench->market);
    if (options->keep)
        fprintf(stderr, "kept %.*s\n", STR_ARG(path));
    else
        bench_folder_remove(path);
    return failure;
}

int bench_simulate(int argc, char **argv)
{
    if (cli_helped(argc, argv, BENCH_SIMULATE_USAGE))
        return 0;
    Options options = options_read(argc, argv);
    Figures figures = { 0 };
    if (options.wrong) {
        fputs(BENCH_SIMULATE_USAGE, stderr);
        return 2;
    }
    log_threshold(LOG_WARN);
    AUTO(Arena) arena = arena_open();
    Bench bench = { .options = &options, .arena = arena, .figures = &figures };
    Err  *failure = bench_in_folder(&bench, &options);
    return figures_conclude(&figures, "every account equals the oracle (1: yes)",
                            options.json, failure);
}
