// SPDX-License-Identifier: Apache-2.0
// The order is: baseline, load, half load, settle, compare, resends, compare, kill -9, compare,
// stop. The oracle counts before the clock starts, so that it takes nothing from the figure.
#include "cli/bench_ingest.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "cli/bench_check.h"
#include "cli/bench_cost.h"
#include "cli/bench_folder.h"
#include "cli/bench_load.h"
#include "cli/bench_postgres.h"
#include "cli/bench_sqlite.h"

enum { START_S = 120 };

// A phase of load with what it cost the server, background work included.
typedef struct Phase {
    const char *name;
    LoadResult  result;
    Cost        used;          // until the last acknowledgement
    Cost        used_settled;  // until the server had nothing left to do
    int64_t     drained_us;    // from the first byte sent until then; 0: it did not settle
} Phase;

typedef struct Bench {
    const BenchOptions *options;
    Arena              *arena;
    Figures            *figures;
    Str                 root;  // temporary folder
    Target              target;
    Workload           *workload;
    WorkloadTotals      totals;
    int64_t             started_us;
    int64_t             sqlite_a_second, postgres_a_second;  // baselines; 0: not run
    uint64_t            sent;                                // slots so far
    uint64_t            answered;  // events answered so far, resends included
} Bench;

static void say(const Bench *bench, const char *what)
{
    if (!bench->options->quiet)
        fprintf(stderr, "%s\n", what);
}

// ---- figures

static void add(Bench *bench, const char *section, const char *name, const char *label,
                int64_t value)
{
    figures_add(bench->figures, (Figure){ section, name, label, "", value, 0 });
}

static void add_ratio(Bench *bench, Figure figure, int64_t value, int64_t divisor)
{
    figure.value = figure_ratio(value, divisor, figure.places);
    figures_add(bench->figures, figure);
}

static void add_speed(Bench *bench, const Phase *phase)
{
    const LoadResult *result = &phase->result;
    const char       *name = phase->name;
    add(bench, name, "events", "events answered", (int64_t)result->events);
    add(bench, name, "accepted", "accepted", (int64_t)result->accepted);
    add(bench, name, "duplicates", "duplicates", (int64_t)result->duplicates);
    add(bench, name, "refused503", "answers 503, repeated", (int64_t)result->refused_503);
    figures_add(bench->figures,
                (Figure){ name, "elapsedMilliseconds", "first byte to last acknowledgement", "ms",
                          result->elapsed_us / 1000, 0 });
    add_ratio(bench, (Figure){ name, "eventsPerSecond", "events, acknowledged", "/s", 0, 0 },
              (int64_t)result->events * 1000000, result->elapsed_us);
    add_ratio(
        bench,
        (Figure){ name, "eventsPerSecondDrained", "events, background work done", "/s", 0, 0 },
        (int64_t)result->events * 1000000, phase->drained_us);
    add_ratio(bench, (Figure){ name, "requestsPerSecond", "requests", "/s", 0, 0 },
              (int64_t)result->requests * 1000000, result->elapsed_us);
}

static void add_latency(Bench *bench, const Phase *phase)
{
    const Histogram *latency = &phase->result.latency;
    const char      *name = phase->name;
    figures_add(bench->figures, (Figure){ name, "p50", "acknowledgement p50", "us",
                                          (int64_t)histogram_at(latency, 50000), 0 });
    figures_add(bench->figures, (Figure){ name, "p99", "acknowledgement p99", "us",
                                          (int64_t)histogram_at(latency, 99000), 0 });
    figures_add(bench->figures, (Figure){ name, "p999", "acknowledgement p99.9", "us",
                                          (int64_t)histogram_at(latency, 99900), 0 });
    figures_add(bench->figures,
                (Figure){ name, "max", "acknowledgement max", "us", (int64_t)latency->max_us, 0 });
}

static void add_cost(Bench *bench, const Phase *phase)
{
    const LoadResult *result = &phase->result;
    const Cost       *all = &phase->used_settled;
    const char       *section = str_print(bench->arena, "%s, CPU an event", phase->name).at;
    int64_t           events = (int64_t)result->events;
    add_ratio(bench,
              (Figure){ section, "server", "server, all in, background work too", "us", 0, 3 },
              all->user_us + all->system_us, events);
    add_ratio(
        bench,
        (Figure){ section, "serverToAck", "server, until the last acknowledgement", "us", 0, 3 },
        phase->used.user_us + phase->used.system_us, events);
    add_ratio(bench, (Figure){ section, "serverSystem", "  of all in, in the kernel", "us", 0, 3 },
              all->system_us, events);
    for (size_t i = 0; i < all->stage_count; i++) {
        const CostStage *stage = &all->stages[i];
        if (stage->cpu_ns / 1000 * 1000 < events)
            continue;
        Str label = str_print(bench->arena, "  thread %s (%d)", stage->name, stage->threads);
        Str name = str_print(bench->arena, "thread:%s", stage->name);
        add_ratio(bench, (Figure){ section, name.at, label.at, "us", 0, 3 }, stage->cpu_ns / 1000,
                  events);
    }
    add_ratio(bench, (Figure){ section, "generator", "load generator", "us", 0, 3 }, result->cpu_us,
              events);
    add_ratio(bench,
              (Figure){ section, "generatorPerRequest", "load generator, a request", "us", 0, 3 },
              result->cpu_us, (int64_t)result->requests);
}

static void add_space(Bench *bench)
{
    CostMemory  memory = { 0 };
    CostDisk    disk = cost_disk(bench->target.folder);
    const char *space = "space", *unit = "bytes";
    int64_t     distinct = (int64_t)bench->totals.distinct;
    cost_memory(bench->target.pid, &memory);
    add_ratio(bench, (Figure){ space, "jsonBytesPerEvent", "an event as sent", unit, 0, 1 },
              (int64_t)bench->totals.bytes, (int64_t)bench->totals.slots);
    add_ratio(bench,
              (Figure){ space, "storeBytesPerEvent", "an event at rest, usage store", unit, 0, 1 },
              disk.store_bytes, distinct);
    figures_add(bench->figures,
                (Figure){ space, "storeBytes", "usage store", unit, disk.store_bytes, 0 });
    figures_add(bench->figures, (Figure){ space, "journalBytes", "journal, preallocated segments",
                                          unit, disk.journal_bytes, 0 });
    figures_add(bench->figures,
                (Figure){ space, "booksBytes", "books", unit, disk.books_bytes, 0 });
    figures_add(bench->figures,
                (Figure){ space, "otherBytes", "other files", unit, disk.other_bytes, 0 });
    figures_add(bench->figures, (Figure){ space, "residentBytes", "server resident", unit,
                                          memory.resident_bytes, 0 });
    figures_add(bench->figures, (Figure){ space, "residentPeakBytes", "server resident, peak", unit,
                                          memory.peak_bytes, 0 });
    figures_add(bench->figures, (Figure){ space, "anonymousBytes", "server resident, not files",
                                          unit, memory.anonymous_bytes, 0 });
    add_ratio(bench, (Figure){ space, "anonymousBytesPerId", "  the same, an id", unit, 0, 1 },
              memory.anonymous_bytes, distinct);
}

// ---- phases

static Err *phase_run(Bench *bench, const LoadOptions *load, Phase *phase)
{
    Cost before, acknowledged, settled;
    say(bench, phase->name);
    if (!cost_read(bench->target.pid, &before))
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "the server is gone");
    int64_t start_us = clock_tick_us();
    TRY(load_run(bench->arena, load, &phase->result));
    if (!cost_read(bench->target.pid, &acknowledged))
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "the server is gone");
    int64_t idle_us = cost_settle(bench->target.pid, bench->options->settle_s);
    if (!cost_read(bench->target.pid, &settled))
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE, "the server is gone");
    int64_t acknowledged_us = start_us + phase->result.elapsed_us;
    phase->used = cost_between(&before, &acknowledged);
    phase->used_settled = cost_between(&before, &settled);
    if (idle_us > 0)
        phase->drained_us = (idle_us > acknowledged_us ? idle_us : acknowledged_us) - start_us;
    bench->answered += phase->result.events;
    add_speed(bench, phase);
    add_latency(bench, phase);
    add_cost(bench, phase);
    return NULL;
}

static LoadOptions load_options(const Bench *bench)
{
    const BenchOptions *options = bench->options;
    return (LoadOptions){
        .workload = bench->workload,
        .port = bench->target.port,
        .key = bench->target.key,
        .form = options->single ? LOAD_OBJECTS : LOAD_ARRAYS,
        .order = LOAD_FORWARD,
        .first_slot = bench->sent,
        .events = options->events,
        .batch = options->batch,
        .connections = options->connections,
        .rate = options->rate,
        .patience_us = (int64_t)options->patience_s * 1000000,
        .quiet = options->quiet,
    };
}

static Err *phase_load(Bench *bench, uint64_t *events_a_second)
{
    LoadOptions load = load_options(bench);
    Phase      *phase = arena_new(bench->arena, Phase);
    phase->name = "load";
    TRY(phase_run(bench, &load, phase));
    bench->sent += load.events;
    *events_a_second = (uint64_t)figure_ratio((int64_t)phase->result.events * 1000000,
                                              phase->result.elapsed_us, 0);
    return NULL;
}

static Err *phase_half(Bench *bench, uint64_t events_a_second)
{
    LoadOptions load = load_options(bench);
    Phase      *phase = arena_new(bench->arena, Phase);
    phase->name = "half load, open loop";
    load.events = bench->options->half_events;
    load.rate = events_a_second / 2 + 1;
    figures_add(bench->figures,
                (Figure){ phase->name, "rate", "sent at", "/s", (int64_t)load.rate, 0 });
    TRY(phase_run(bench, &load, phase));
    bench->sent += load.events;
    return NULL;
}

static Err *phase_resend(Bench *bench)
{
    LoadOptions load = load_options(bench);
    Phase      *phase = arena_new(bench->arena, Phase);
    phase->name = "resends of old ids";
    load.order = LOAD_RESENDS;
    load.events = bench->options->resend_events;
    load.rate = 0;
    TRY(phase_run(bench, &load, phase));
    if (phase->result.duplicates != phase->result.events)
        return refuse(bench->arena, ERR_INTERNAL, STR_NONE,
                      "%" PRIu64 " of %" PRIu64 " resends were not answered as duplicates",
                      phase->result.events - phase->result.duplicates, phase->result.events);
    return NULL;
}

// ---- the run

static Err *totals_compare(Bench *bench, const char *section, uint64_t duplicates)
{
    Check check = {
        .workload = bench->workload,
        .totals = &bench->totals,
        .accounts = bench->options->check_accounts,
        .duplicates = duplicates,
        .started_us = bench->started_us,
    };
    say(bench, section);
    TRY(check_run(&bench->target, &check));
    add(bench, section, "equal", "totals equal to the oracle", (int64_t)check.reads);
    add_ratio(bench, (Figure){ section, "readMicroseconds", "a read over HTTP", "us", 0, 0 },
              check.reads_us * 2, (int64_t)check.reads);
    return NULL;
}

static Err *baseline_sqlite(Bench *bench)
{
    SqliteBaseline *sqlite = arena_new(bench->arena, SqliteBaseline);
    const char     *section = "baseline SQLite, WAL, synchronous=FULL, unique (project, id)";
    sqlite->workload = bench->workload;
    sqlite->folder = bench->root;
    sqlite->events = bench->options->baseline_events;
    sqlite->batch = bench->options->batch;
    say(bench, section);
    TRY(sqlite_baseline_run(bench->arena, sqlite));
    add(bench, section, "events", "events", (int64_t)sqlite->events);
    add(bench, section, "batch", "rows a transaction", sqlite->batch);
    bench->sqlite_a_second = figure_ratio((int64_t)sqlite->events * 1000000, sqlite->elapsed_us, 0);
    figures_add(bench->figures,
                (Figure){ section, "eventsPerSecond", "events", "/s", bench->sqlite_a_second, 0 });
    add_ratio(bench, (Figure){ section, "cpu", "CPU an event", "us", 0, 3 }, sqlite->cpu_us,
              (int64_t)sqlite->events);
    add_ratio(bench, (Figure){ section, "bytesPerEvent", "an event at rest", "bytes", 0, 1 },
              sqlite->disk_bytes, (int64_t)sqlite->events);
    return NULL;
}

static Err *baseline_postgres(Bench *bench)
{
    PostgresBaseline *postgres = arena_new(bench->arena, PostgresBaseline);
    const char       *section = "baseline PostgreSQL, durable, unique (project, id)";
    postgres->workload = bench->workload;
    postgres->parent = bench->options->parent;
    postgres->events = bench->options->baseline_events;
    postgres->batch = bench->options->batch;
    postgres->clients = bench->options->batch == 1 ? 16 : 4;
    say(bench, section);
    TRY(postgres_baseline_run(bench->arena, postgres));
    add(bench, section, "events", "events", (int64_t)postgres->events);
    add(bench, section, "batch", "rows a transaction", postgres->batch);
    add(bench, section, "clients", "clients", postgres->clients);
    bench->postgres_a_second = figure_ratio((int64_t)postgres->events * 1000000,
                                            postgres->elapsed_us, 0);
    figures_add(bench->figures, (Figure){ section, "eventsPerSecond", "events", "/s",
                                          bench->postgres_a_second, 0 });
    add_ratio(bench, (Figure){ section, "bytesPerEvent", "an event at rest", "bytes", 0, 1 },
              postgres->disk_bytes, (int64_t)postgres->events);
    return NULL;
}

static Err *baselines_run(Bench *bench)
{
    if (bench->options->baseline_events == 0)
        return NULL;
    TRY(baseline_sqlite(bench));
    if (postgres_baseline_is_possible())
        return baseline_postgres(bench);
    say(bench, "no baseline of PostgreSQL: its server is not installed");
    return NULL;
}

static void add_ratios(Bench *bench, int64_t events_a_second)
{
    if (bench->sqlite_a_second > 0)
        add_ratio(bench, (Figure){ "ratio", "toSqlite", "load, times SQLite", "", 0, 1 },
                  events_a_second, bench->sqlite_a_second);
    if (bench->postgres_a_second > 0)
        add_ratio(bench, (Figure){ "ratio", "toPostgres", "load, times PostgreSQL", "", 0, 1 },
                  events_a_second, bench->postgres_a_second);
}

static Err *crash_and_compare(Bench *bench)
{
    say(bench, "kill -9");
    target_kill(&bench->target);
    TRY(target_start(&bench->target, START_S));
    figures_add(bench->figures, (Figure){ "after kill -9", "milliseconds", "start to serving", "ms",
                                          bench->target.ready_us / 1000, 0 });
    return totals_compare(bench, "after kill -9", UINT64_MAX);
}

static void add_settings(Bench *bench)
{
    const BenchOptions *options = bench->options;
    const char         *section = "workload UB-1";
    add(bench, section, "events", "events", (int64_t)options->events);
    add(bench, section, "batch",
        options->single ? "events a request, bare objects" : "events a request", options->batch);
    add(bench, section, "connections", "connections", options->connections);
    add(bench, section, "accounts", "accounts, Zipf 1.0", options->accounts);
    add(bench, section, "seed", "seed", (int64_t)options->seed);
    add(bench, section, "cores", "cores, generator on them too", sysconf(_SC_NPROCESSORS_ONLN));
}

static Err *phases_run(Bench *bench)
{
    const BenchOptions *options = bench->options;
    uint64_t            events_a_second = 0;
    bench->started_us = clock_now_us();
    TRY(phase_load(bench, &events_a_second));
    add_ratios(bench, (int64_t)events_a_second);
    if (options->half_events > 0)
        TRY(phase_half(bench, events_a_second));
    assert_that(bench->sent == bench->totals.slots);
    TRY(totals_compare(bench, "check", bench->answered - bench->totals.distinct));
    if (options->resend_events > 0) {
        TRY(phase_resend(bench));
        TRY(totals_compare(bench, "check after the resends",
                           bench->answered - bench->totals.distinct));
    }
    add_space(bench);
    if (options->crash)
        TRY(crash_and_compare(bench));
    return target_stop(&bench->target);
}

static Err *bench_prepare(Bench *bench)
{
    const BenchOptions *options = bench->options;
    WorkloadOptions     workload = {
            .seed = options->seed,
            .accounts = options->accounts,
            .base_ms = clock_now_us() / 1000,
    };
    bench->workload = workload_open(bench->arena, &workload);
    workload_count(bench->workload, options->events + options->half_events, &bench->totals);
    add_settings(bench);
    TRY(bench_folder_make(bench->arena, options->parent, "toll-bench", &bench->root));
    TRY(baselines_run(bench));
    TRY(target_open(bench->arena, str_print(bench->arena, "%.*s/data", STR_ARG(bench->root)),
                    &bench->target));
    TRY(target_start(&bench->target, START_S));
    return check_declare(&bench->target);
}

Err *bench_ingest_run(Arena *arena, const BenchOptions *options, Figures *figures)
{
    Bench *bench = arena_new(arena, Bench);
    *bench = (Bench){ .options = options, .arena = arena, .figures = figures };
    Err *failure = bench_prepare(bench);
    if (failure == NULL)
        failure = phases_run(bench);
    if (failure != NULL && bench->target.log.length > 0)
        fprintf(stderr, "the server's last words:\n%.*s\n",
                STR_ARG(target_log_end(&bench->target)));
    target_close(&bench->target);
    workload_count_close(&bench->totals);
    if (bench->root.length > 0 && !options->keep)
        bench_folder_remove(bench->root);
    else if (bench->root.length > 0)
        fprintf(stderr, "kept %.*s\n", STR_ARG(bench->root));
    return failure;
}
