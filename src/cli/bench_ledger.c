// SPDX-License-Identifier: Apache-2.0
// Invoices of four entries for many customers, posted by many threads at once as runs post them: a
// few in one item of work. The sealer runs beside them. Afterwards the whole ledger is proved, the
// trial balance is zero, and the entries are as many as were posted; else the run is void.
#include "cli/bench_ledger.h"

#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "cli/bench_figures.h"
#include "cli/bench_folder.h"
#include "cli/bench_option.h"
#include "cli/config.h"
#include "flow/ledger/ledger_seal.h"
#include "ops/books.h"

const char BENCH_LEDGER_USAGE[] =
    "usage: toll bench ledger [options]\n"
    "Invoices of four entries, posted from many threads, the sealer beside them; then proved.\n"
    "  --transactions N   1..100000000 (250000)\n"
    "  --threads N        that post, 1..1000 (64)\n"
    "  --posts N          in one item of work, 1..1000 (20)\n"
    "  --accounts N       customers, one after the other (100000)\n"
    "  --books ADDRESS    mysql://user:password@host/database, of no other use (a file in DIR)\n"
    "  --data DIR         where the file is made (TMPDIR or /var/tmp)\n"
    "  --json             figures as JSON on stdout\n";

enum { LEGS = 4, SEAL_PAUSE_US = 1000000, CHARGES = 50 };

typedef struct Options {
    uint64_t transactions, threads, posts, accounts;
    Str      books, parent;
    bool     json, wrong;
} Options;

typedef struct Bench {
    const Options *options;
    Db            *db;
    ProjectId      project;
    Currency       usd;
    _Atomic(uint64_t) next;      // the first transaction that nobody has taken
    atomic_bool    has_failed, ends;
    atomic_size_t  sealed;
    int64_t        posted_us, sealed_us;
    uint64_t       proved, drifts;
    bool           is_zero;
    int64_t        debits;
    int64_t        until_debits, until_us;  // the same as of an instant, and how long that took
} Bench;

// ---- options

static const struct option OPTIONS[] = {
    { "transactions", required_argument, NULL, 'n' }, { "threads", required_argument, NULL, 't' },
    { "posts", required_argument, NULL, 'p' },        { "accounts", required_argument, NULL, 'a' },
    { "books", required_argument, NULL, 'b' },        { "data", required_argument, NULL, 'D' },
    { "json", no_argument, NULL, 'j' },               { NULL, 0, NULL, 0 },
};

static Options options_read(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    Options     options = { .transactions = 250000,
                            .threads = 64,
                            .posts = 20,
                            .accounts = 100000,
                            .parent = folder != NULL ? str_of(folder) : STR("/var/tmp") };
    optind = 1;
    for (int letter; (letter = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (letter) {
        case 'n': options.transactions = bench_number(&options.wrong, 1, 100000000); break;
        case 't': options.threads = bench_number(&options.wrong, 1, 1000); break;
        case 'p': options.posts = bench_number(&options.wrong, 1, 1000); break;
        case 'a': options.accounts = bench_number(&options.wrong, 1, 100000000); break;
        case 'b': options.books = str_of(optarg); break;
        case 'D': options.parent = str_of(optarg); break;
        case 'j': options.json = true; break;
        default: options.wrong = true; break;
        }
    options.wrong = options.wrong || optind < argc;
    return options;
}

// ---- posting

typedef struct Work {
    LedgerPost *posts;
    bool       *posted;
    size_t      count;
} Work;

static Err *post_work(DbTx *tx, void *context)
{
    Work *work = context;
    return ledger_post_many(tx, work->posts, work->count, work->posted);
}

static int64_t net_of(uint64_t number)
{
    return 100 + (int64_t)(number % 9973);
}

static LedgerPost post_make(Arena *arena, const Bench *bench, uint64_t number)
{
    LedgerLeg *legs = arena_array(arena, LedgerLeg, LEGS);
    int64_t    net = net_of(number);
    Str        account = str_print(arena, "acct_%06llu",
                                   (unsigned long long)(number % bench->options->accounts));
    legs[0] = (LedgerLeg){ LEDGER_RECEIVABLE, account, 2 * net + 7 };
    legs[1] = (LedgerLeg){ LEDGER_REVENUE,
                           str_print(arena, "pro/api%llu", (unsigned long long)number % CHARGES),
                           -net };
    legs[2] = (LedgerLeg){ LEDGER_REVENUE, STR("pro/storage"), -net };
    legs[3] = (LedgerLeg){ LEDGER_TAX, STR("vat"), -7 };
    return (LedgerPost){ .project = bench->project,
                         .rule = POSTING_INVOICE,
                         .source = str_print(arena, "invoice:%llu", (unsigned long long)number),
                         .currency = bench->usd,
                         .at = { clock_now_us() },
                         .effective_at = { clock_now_us() },
                         .account = account,
                         .legs = legs,
                         .count = LEGS };
}

static void failed(Bench *bench, const char *doing, const Err *err)
{
    fprintf(stderr, "toll bench: %s: %.*s\n", doing, STR_ARG(err->detail));
    atomic_store(&bench->has_failed, true);
}

// Takes the next transactions and posts them; false: there are none.
static bool some_post(Bench *bench, Arena *arena)
{
    uint64_t most = bench->options->transactions;
    uint64_t first = atomic_fetch_add(&bench->next, bench->options->posts);
    if (first >= most || atomic_load(&bench->has_failed))
        return false;
    size_t count = (size_t)(most - first < bench->options->posts ? most - first
                                                                : bench->options->posts);
    Work work = { arena_array(arena, LedgerPost, count), arena_array(arena, bool, count), count };
    for (size_t i = 0; i < count; i++)
        work.posts[i] = post_make(arena, bench, first + i);
    Err *err = db_write(bench->db, arena, (DbWrite){ .work = post_work, .context = &work });
    if (err != NULL)
        failed(bench, "posting", err);
    for (size_t i = 0; err == NULL && i < count; i++)
        if (!work.posted[i])
            atomic_store(&bench->has_failed, true);
    return err == NULL;
}

static void *poster_run(void *argument)
{
    AUTO(Arena) arena = arena_open();
    while (some_post(argument, arena))
        arena_reset(arena);
    return NULL;
}

// ---- the sealer

static bool all_seal(Bench *bench, Arena *arena)
{
    size_t sealed;
    do {
        Err *err = ledger_seal(bench->db, arena, bench->project, &sealed);
        if (err != NULL) {
            failed(bench, "sealing", err);
            return false;
        }
        atomic_fetch_add(&bench->sealed, sealed);
    } while (sealed == LEDGER_SEAL_MAX);
    return true;
}

static void *sealer_run(void *argument)
{
    Bench *bench = argument;
    AUTO(Arena) arena = arena_open();
    for (bool is_well = true; is_well && !atomic_load(&bench->ends); usleep(SEAL_PAUSE_US / 10))
        is_well = all_seal(bench, arena);
    return NULL;
}

static void all_post(Bench *bench)
{
    size_t  count = (size_t)bench->options->threads;
    Thread *threads = memory_take(count * sizeof *threads);
    Thread  sealer = { .started = false };
    int64_t began = clock_tick_us();
    thread_start(&sealer, "sealer", sealer_run, bench);
    for (size_t i = 0; i < count; i++)
        thread_start(&threads[i], "poster", poster_run, bench);
    for (size_t i = 0; i < count; i++)
        thread_join(&threads[i]);
    bench->posted_us = clock_tick_us() - began;
    atomic_store(&bench->ends, true);
    thread_join(&sealer);
    AUTO(Arena) arena = arena_open();
    all_seal(bench, arena);
    bench->sealed_us = clock_tick_us() - began;
    memory_release(threads);
}

// ---- the proof

static void drift_tell(void *context, Str drift)
{
    (void)context;
    fprintf(stderr, "toll bench: %.*s\n", STR_ARG(drift));
}

// A moment behind the last entry it comes to what every account has now. Unless midnight is met,
// all entries are of the day that the instant cuts, which is the slowest: whole days are sums.
static Err *trial_until_work(DbTx *tx, void *context)
{
    Bench     *bench = context;
    LedgerSum *sums;
    size_t     count;
    int64_t    began = clock_tick_us();
    Instant    at = { clock_now_us() + INSTANT_SECOND_US };
    TRY(ledger_trial_balance_until(tx, bench->project, at, &sums, &count));
    bench->until_us = clock_tick_us() - began;
    for (size_t i = 0; i < count; i++)
        bench->until_debits += sums[i].minor > 0 ? sums[i].minor : 0;
    return NULL;
}

static Err *trial_work(DbTx *tx, void *context)
{
    Bench     *bench = context;
    LedgerSum *sums;
    size_t     count;
    int64_t    all = 0;
    TRY(ledger_trial_balance(tx, bench->project, &sums, &count));
    for (size_t i = 0; i < count; i++) {
        all += sums[i].minor;
        bench->debits += sums[i].minor > 0 ? sums[i].minor : 0;
    }
    bench->is_zero = all == 0;
    return NULL;
}

static Err *prove(Bench *bench, Arena *arena)
{
    LedgerReport report = { .tell = drift_tell };
    int64_t      expected = 0;
    TRY(ledger_verify(bench->db, arena, bench->project, &report));
    TRY(db_read(bench->db, arena, trial_work, bench));
    TRY(db_read(bench->db, arena, trial_until_work, bench));
    for (uint64_t i = 0; i < bench->options->transactions; i++)
        expected += 2 * net_of(i) + 7;
    bench->proved = report.transactions;
    if (atomic_load(&bench->has_failed) || report.drifts > 0 || report.unsealed > 0)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "the ledger has %llu drifts, %llu unsealed",
                      (unsigned long long)report.drifts, (unsigned long long)report.unsealed);
    if (!bench->is_zero || bench->debits != expected || bench->until_debits != expected ||
        report.transactions != bench->options->transactions)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "the trial balance is not what was posted");
    return NULL;
}

static Err *run(Arena *arena, Bench *bench, Str place, Figures *figures)
{
    const Options *options = bench->options;
    TRY(books_open(arena, place, 2, &bench->db));
    all_post(bench);
    int64_t began = clock_tick_us();
    Err    *err = prove(bench, arena);
    int64_t proved_us = clock_tick_us() - began, commits = counter_get(METRIC_BOOKS_COMMITS);
    int64_t entries = LEGS * (int64_t)options->transactions;
    db_close(bench->db);
    const Figure rows[] = {
        { "ledger", "entries", "entries posted, each proved", "", entries, 0 },
        { "ledger", "entriesPerSecond", "durable, the sealer beside them", "entries/s",
          figure_ratio(entries * 1000000, bench->posted_us, 0), 0 },
        { "ledger", "transactionsPerSecond", "of four entries each", "transactions/s",
          figure_ratio((int64_t)options->transactions * 1000000, bench->posted_us, 0), 0 },
        { "ledger", "sealedPerSecond", "entries until the chain had them all", "entries/s",
          figure_ratio(entries * 1000000, bench->sealed_us, 0), 0 },
        { "ledger", "provedPerSecond", "entries recomputed", "entries/s",
          figure_ratio(entries * 1000000, proved_us, 0), 0 },
        { "ledger", "trialBalanceUntil", "trial balance as of an instant, all in its day", "ms",
          figure_ratio(bench->until_us, 1000, 0), 0 },
        { "ledger", "commits", "transactions of the engine", "", commits, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        figures_add(figures, rows[i]);
    return err;
}

// In a file of its own, or in the database that was named.
static Err *bench_run(Arena *arena, const Options *options, Figures *figures)
{
    Bench *bench = arena_new(arena, Bench);
    bench->options = options;
    bench->project = (ProjectId){ STR("ten_01BENCH0000000000000000000"), random_id(arena, "prj_") };
    currency_find(STR("USD"), &bench->usd);
    if (options->books.at != NULL)
        return run(arena, bench, options->books, figures);
    Str folder;
    TRY(bench_folder_make(arena, options->parent, "toll-bench-ledger", &folder));
    Str  place = str_print(arena, "%.*s/books.sqlite", STR_ARG(folder));
    Err *err = run(arena, bench, place, figures);
    bench_folder_remove(folder);
    return err;
}

int bench_ledger(int argc, char **argv)
{
    if (cli_helped(argc, argv, BENCH_LEDGER_USAGE))
        return 0;
    Options options = options_read(argc, argv);
    if (options.wrong) {
        fputs(BENCH_LEDGER_USAGE, stderr);
        return 2;
    }
    AUTO(Arena) arena = arena_open();
    Figures figures = { 0 };
    Err    *failure = bench_run(arena, &options, &figures);
    return figures_conclude(&figures, "the proof is clean (1: yes)",
                            options.json, failure);
}
