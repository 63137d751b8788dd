// SPDX-License-Identifier: Apache-2.0
// The market of `toll bench simulate`, billed: a run over all accounts, timed from the request to
// its last invoice in the books, the ledger's sealer beside it; then every account's invoices
// against the oracle, and the proof of the ledger.
#include "cli/bench_bill.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "cli/bench_cost.h"
#include "cli/bench_figures.h"
#include "cli/bench_folder.h"
#include "cli/bench_market.h"
#include "cli/bench_option.h"
#include "cli/config.h"
#include "flow/ledger/ledger_seal.h"
#include "flow/run/run_walk.h"
#include "ops/sealer.h"

const char BENCH_BILL_USAGE[] =
    "usage: toll bench bill [options]\n"
    "A billing run over accounts with a plan of four charges and a commitment: rated, numbered,\n"
    "posted, stored; compared with an oracle account by account.\n"
    "  --accounts N       with a subscription each (100000)\n"
    "  --months N         of usage, an invoice each, 1..12 (1)\n"
    "  --events N         of usage (10 an account and month)\n"
    "  --books ADDRESS    mysql://user:password@host/database, of no other use (a file in DIR)\n"
    "  --data DIR         where the temporary data directory is made (TMPDIR or /var/tmp)\n"
    "  --settle S         how long background work may take before (600)\n"
    "  --json             figures as JSON on stdout\n";

enum { PAGE = 1000, LOOK_US = 25000 };

typedef struct Options {
    MarketOptions market;
    Str           parent;
    int           settle_s;
    bool          json, wrong;
} Options;

typedef struct Bench {
    const Options *options;
    Arena         *arena;
    Figures       *figures;
    Market         market;
    RunStart       start;
    BillingRun     run;
    IssuedPage     page;
    IssuedInvoice *rows;  // of the page
    size_t         count;
    int64_t       *billed;  // by account
    int64_t        cents;  // of the oracle, in all
    uint64_t       drifts;
    int64_t        receivable;
} Bench;

// ---- options

static const struct option OPTIONS[] = {
    { "accounts", required_argument, NULL, 'a' }, { "months", required_argument, NULL, 'm' },
    { "events", required_argument, NULL, 'n' },   { "books", required_argument, NULL, 'b' },
    { "data", required_argument, NULL, 'D' },     { "settle", required_argument, NULL, 'S' },
    { "json", no_argument, NULL, 'j' },           { NULL, 0, NULL, 0 },
};

static Options options_read(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    Options     options = {
            .market = { .accounts = 100000, .months = 1, .seed = 1, .seal_bits = SEAL_BITS_USUAL },
            .parent = folder != NULL ? str_of(folder) : STR("/var/tmp"),
            .settle_s = 600,
    };
    MarketOptions *market = &options.market;
    optind = 1;
    for (int letter; (letter = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (letter) {
        case 'a': market->accounts = bench_number(&options.wrong, 1, 10000000); break;
        case 'm':
            market->months = (uint32_t)bench_number(&options.wrong, 1, MARKET_MONTHS_MAX);
            break;
        case 'n': market->events = bench_number(&options.wrong, 1, UINT64_C(10000000000)); break;
        case 'b': market->books = str_of(optarg); break;
        case 'D': options.parent = str_of(optarg); break;
        case 'S': options.settle_s = (int)bench_number(&options.wrong, 1, 36000); break;
        case 'j': options.json = true; break;
        default: options.wrong = true; break;
        }
    if (market->events == 0)
        market->events = 10 * market->accounts * market->months;
    // Every account is named by an event.
    options.wrong = options.wrong || optind < argc || market->events < market->accounts;
    return options;
}

// ---- the run

static Err *start_work(DbTx *tx, void *context)
{
    Bench *bench = context;
    return run_start(tx, &bench->start, &bench->run);
}

static Err *look_work(DbTx *tx, void *context)
{
    Bench *bench = context;
    return run_get(tx, bench->run.project, bench->run.id, &bench->run);
}

static Err *wait_for_end(Bench *bench)
{
    do {
        usleep(LOOK_US);
        TRY(db_read(bench->market.books, bench->arena, look_work, bench));
    } while (!bench->run.has_ended);
    if (bench->run.status != OPERATION_SUCCEEDED)
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "the run is %s: %.*s",
                      operation_status_name(bench->run.status), STR_ARG(bench->run.error_detail));
    return NULL;
}

static Err *bill(Bench *bench)
{
    Market       *market = &bench->market;
    RunParts      parts = { market->catalog, market->partition };
    OperationKind kind = run_kind(&parts);
    WorkerOptions options = { .db = market->books, .kinds = &kind, .kind_count = 1 };
    Worker       *worker;
    bench->start = (RunStart){ .project = market->by.project.id,
                               .who = STR("bench"),
                               .at = market_month(market->options.months),
                               .now = { clock_now_us() } };
    TRY(worker_open(bench->arena, &options, &worker));
    Sealer *sealer = sealer_open(market->books, market->catalog, STR_NONE);
    Err    *err = db_write(market->books, bench->arena,
                           (DbWrite){ .work = start_work, .context = bench });
    worker_wake(worker);
    if (err == NULL)
        err = wait_for_end(bench);
    sealer_close(sealer);
    worker_close(worker);
    return err;
}

// ---- the oracle's word, and the proof

static Err *page_work(DbTx *tx, void *context)
{
    Bench *bench = context;
    return issued_list(tx, &bench->page, &bench->rows, &bench->count);
}

// Adds a page of invoices to what their accounts were billed.
static Err *page_add(Bench *bench, Arena *arena)
{
    TRY(db_read(bench->market.books, arena, page_work, bench));
    for (size_t i = 0; i < bench->count; i++) {
        const IssuedInvoice *row = &bench->rows[i];
        uint64_t             account;
        if (!market_account_find(row->account, &account) || row->state != INVOICE_FINALIZED)
            return refuse(arena, ERR_INTERNAL, STR_NONE, "an invoice that nobody expects");
        bench->billed[account] += row->total;
    }
    return NULL;
}

static Err *invoices_add(Bench *bench)
{
    char last[64] = "~";
    do {
        AUTO(Arena) arena = arena_open();
        bench->page = (IssuedPage){ .project = bench->market.by.project.id,
                                    .account = STR_NONE,
                                    .state = STR_NONE,
                                    .before = str_of(last),
                                    .limit = PAGE };
        Err *err = page_add(bench, arena);
        if (err != NULL)
            return refuse(bench->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
        if (bench->count > 0)
            snprintf(last, sizeof last, "%.*s", STR_ARG(bench->rows[bench->count - 1].id));
    } while (bench->count == PAGE);
    return NULL;
}

static Err *account_compare(Bench *bench, uint64_t account)
{
    int64_t expected = market_sum(&bench->market, account).now;
    bench->cents += expected;
    if (bench->billed[account] == expected)
        return NULL;
    return refuse(bench->arena, ERR_INTERNAL, STR_NONE,
                  "account %llu was billed %lld cents; the oracle says %lld",
                  (unsigned long long)account, (long long)bench->billed[account],
                  (long long)expected);
}

static void drift_tell(void *context, Str drift)
{
    (void)context;
    fprintf(stderr, "toll bench: %.*s\n", STR_ARG(drift));
}

static Err *trial_work(DbTx *tx, void *context)
{
    Bench     *bench = context;
    LedgerSum *sums;
    size_t     count;
    int64_t    all = 0;
    TRY(ledger_trial_balance(tx, bench->market.by.project.id, &sums, &count));
    bench->receivable = 0;
    for (size_t i = 0; i < count; i++) {
        all += sums[i].minor;
        bench->receivable += sums[i].kind == LEDGER_RECEIVABLE ? sums[i].minor : 0;
    }
    return all == 0 ? NULL
                    : refuse(db_arena(tx), ERR_INTERNAL, STR_NONE, "the trial balance is not zero");
}

static Err *prove(Bench *bench)
{
    Db          *books = bench->market.books;
    ProjectId    project = bench->market.by.project.id;
    LedgerReport report = { .tell = drift_tell };
    size_t       sealed;
    do
        TRY(ledger_seal(books, bench->arena, project, &sealed));
    while (sealed == LEDGER_SEAL_MAX);
    TRY(ledger_verify(books, bench->arena, project, &report));
    TRY(db_read(books, bench->arena, trial_work, bench));
    if (report.drifts > 0 || report.unsealed > 0 || bench->receivable != bench->cents)
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE,
                      "%llu drifts, %llu unsealed; %lld cents are owed, the oracle says %lld",
                      (unsigned long long)report.drifts, (unsigned long long)report.unsealed,
                      (long long)bench->receivable, (long long)bench->cents);
    return NULL;
}

static Err *check(Bench *bench)
{
    const MarketOptions *options = &bench->options->market;
    int64_t              expected = (int64_t)(options->accounts * options->months);
    if (bench->run.invoices != expected || bench->run.failed > 0)
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE,
                      "%lld invoices of %lld; %lld accounts failed",
                      (long long)bench->run.invoices, (long long)expected,
                      (long long)bench->run.failed);
    bench->billed = arena_array(bench->arena, int64_t, options->accounts);
    TRY(invoices_add(bench));
    for (uint64_t account = 0; account < options->accounts; account++)
        TRY(account_compare(bench, account));
    return prove(bench);
}

// ---- around it

static void figures_fill(Bench *bench, int64_t elapsed_us, const Cost *used, int64_t commits)
{
    const MarketOptions *options = &bench->options->market;
    int64_t              invoices = bench->run.invoices;
    int64_t              cpu_us = used->user_us + used->system_us;
    const Figure         rows[] = {
        { "settings", "accounts", "accounts", "", (int64_t)options->accounts, 0 },
        { "settings", "months", "months", "", options->months, 0 },
        { "settings", "events", "events of usage", "", (int64_t)options->events, 0 },
        { "bill", "invoices", "finalized and posted", "", invoices, 0 },
        { "bill", "elapsedMilliseconds", "request to the last one", "ms", elapsed_us / 1000, 0 },
        { "bill", "invoicesPerSecond", "rated, numbered, posted, durable", "/s",
          figure_ratio(invoices * 1000000, elapsed_us, 0), 0 },
        { "bill", "cpuMicroseconds", "CPU of an invoice", "us",
          figure_ratio(cpu_us, invoices, 0), 0 },
        { "bill", "commits", "transactions of the engine", "", commits, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        figures_add(bench->figures, rows[i]);
}

static Err *bench_run(Bench *bench)
{
    Cost before, after;
    TRY(market_open(bench->arena, &bench->options->market, &bench->market));
    TRY(market_use(&bench->market));
    TRY(market_subscribe(&bench->market));
    if (cost_settle(getpid(), bench->options->settle_s) == 0)
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "background work did not end");
    assert_that(cost_read(getpid(), &before));
    int64_t begun_us = clock_tick_us(), commits = counter_get(METRIC_BOOKS_COMMITS);
    TRY(bill(bench));
    int64_t elapsed_us = clock_tick_us() - begun_us;
    assert_that(cost_read(getpid(), &after));
    Cost used = cost_between(&before, &after);
    figures_fill(bench, elapsed_us, &used, counter_get(METRIC_BOOKS_COMMITS) - commits);
    return check(bench);
}

static Err *bench_in_folder(Bench *bench, Options *options)
{
    Str path;
    TRY(bench_folder_make(bench->arena, options->parent, "toll-bench", &path));
    options->market.folder = str_print(bench->arena, "%.*s/data", STR_ARG(path));
    Err *failure = bench_run(bench);
    market_close(&bench->market);
    bench_folder_remove(path);
    return failure;
}

int bench_bill(int argc, char **argv)
{
    if (cli_helped(argc, argv, BENCH_BILL_USAGE))
        return 0;
    Options options = options_read(argc, argv);
    Figures figures = { 0 };
    if (options.wrong) {
        fputs(BENCH_BILL_USAGE, stderr);
        return 2;
    }
    log_threshold(LOG_WARN);
    AUTO(Arena) arena = arena_open();
    Bench bench = { .options = &options, .arena = arena, .figures = &figures };
    Err  *failure = bench_in_folder(&bench, &options);
    return figures_conclude(&figures,
                            "every account equals the oracle, and the proof is clean (1: yes)",
                            options.json, failure);
}
