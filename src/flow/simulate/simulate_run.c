// SPDX-License-Identifier: Apache-2.0
#include "flow/simulate/simulate_run.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/thread.h"
#include "flow/aggregate/read_accounts.h"
#include "flow/simulate/reprice.h"
#include "flow/simulate/totals.h"

enum { PULSE_US = 1000 * 1000 };  // how often a long chunk renews the lease and asks for its end

typedef struct Running {
    const SimulateParts *parts;
    const OperationRun  *run;
    Simulation          *simulation;
    SimulationRequest    request;
    Roster               roster;
    bool                *is_stored;  // by chunk
    size_t               chunks;

    Lock    lock;  // of what follows
    size_t  next;  // chunk to be done
    int64_t done;  // accounts
    Err    *failure;  // the first; in `arena`
    Arena  *arena;
} Running;

// ---- what threads share

static size_t chunk_room(const Running *running)
{
    return (size_t)running->simulation->chunk_accounts;
}

static size_t chunk_count(const Running *running, size_t chunk)
{
    size_t first = chunk * chunk_room(running), left = running->roster.count - first;
    return left < chunk_room(running) ? left : chunk_room(running);
}

// False: nothing is left, or one has failed.
static bool chunk_take(Running *running, size_t *chunk)
{
    lock_take(&running->lock);
    while (running->next < running->chunks && running->is_stored[running->next])
        running->next++;
    bool taken = running->next < running->chunks && running->failure == NULL;
    if (taken)
        *chunk = running->next++;
    lock_release(&running->lock);
    return taken;
}

static bool has_failed(Running *running)
{
    lock_take(&running->lock);
    bool failed = running->failure != NULL;
    lock_release(&running->lock);
    return failed;
}

static void failure_note(Running *running, const Err *err)
{
    lock_take(&running->lock);
    if (running->failure == NULL)
        running->failure =
            refuse(running->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    lock_release(&running->lock);
}

// One at a time, so that progress only rises.
static Err *step_store(Running *running, Arena *arena, const SimulationChunk *chunk, Str summary)
{
    SimulationStep step = { .simulation = running->simulation,
                            .operation = running->run->operation,
                            .chunk = chunk,
                            .summary = summary,
                            .total = (int64_t)running->roster.count };
    lock_take(&running->lock);
    step.done = running->done + (chunk == NULL ? 0 : chunk->accounts);
    Err *err = simulation_step_store(running->run->db, arena, &step);
    if (err == NULL)
        running->done = step.done;
    lock_release(&running->lock);
    return err;
}

// ---- a chunk

typedef struct ChunkWork {
    Running       *running;
    Repricing     *repricing;
    Arena         *arena;  // of the chunk
    size_t         chunk;
    RepriceAccount *accounts;
    size_t         count;
    UsageMoment   *moment;
    int64_t        pulse_us;
} ChunkWork;

// Is it still wanted? Asked for every account; looks into the books now and then.
static Err *pulse(ChunkWork *work)
{
    Running *running = work->running;
    if (atomic_load(running->run->stopping))
        return refuse(work->arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
    if (has_failed(running))
        return refuse(work->arena, ERR_OPERATION_CANCELED, STR_NONE, "another thread has failed");
    if (clock_tick_us() - work->pulse_us < PULSE_US)
        return NULL;
    TRY(step_store(running, work->arena, NULL, STR_NONE));
    work->pulse_us = clock_tick_us();
    return NULL;
}

static Err *accounts_prepare(ChunkWork *work)
{
    const Running *running = work->running;
    size_t         first = work->chunk * chunk_room(running);
    work->count = chunk_count(running, work->chunk);
    work->accounts = arena_array(work->arena, RepriceAccount, work->count);
    for (size_t i = 0; i < work->count; i++) {
        TRY(pulse(work));
        TRY(reprice_prepare(work->repricing, work->arena, &running->roster.at[first + i],
                            &work->accounts[i]));
    }
    return NULL;
}

static Err *account_write(ChunkWork *work, const RepriceAccount *account, ChunkWriter *writer)
{
    AUTO(Arena) arena = arena_open();
    RepricedAccount repriced;
    TRY(pulse(work));
    Err *err = reprice_price(work->repricing, arena, work->moment, account, &repriced);
    if (err != NULL)
        return refuse(work->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    chunk_write(writer, &repriced);
    counter_add(METRIC_ACCOUNTS_SIMULATED, 1);
    return NULL;
}

static Err *accounts_write(ChunkWork *work, Str *content)
{
    ChunkWriter writer = chunk_writer_open(work->arena, work->count);
    Err        *err = NULL;
    for (size_t i = 0; err == NULL && i < work->count; i++)
        err = account_write(work, &work->accounts[i], &writer);
    *content = chunk_writer_close(&writer);
    return err;
}

// What all accounts of the chunk will ask for.
static UsageAhead *ahead_open(ChunkWork *work)
{
    RepriceWindows windows = { 0 };
    Str           *accounts = arena_array(work->arena, Str, work->count);
    for (size_t i = 0; i < work->count; i++) {
        accounts[i] = work->accounts[i].entry->account;
        reprice_windows(work->repricing, &work->accounts[i], &windows);
    }
    UsageAheadQuery query = { .project = work->running->simulation->project.id,
                              .accounts = accounts,
                              .account_count = work->count,
                              .windows = windows.at.at,
                              .window_count = windows.at.count };
    UsageAhead     *ahead = usage_ahead_open(work->moment, &query);
    vector_release(&windows.at);
    return ahead;
}

static Err *chunk_price(ChunkWork *work, Str *content)
{
    Running *running = work->running;
    TRY(accounts_prepare(work));
    TRY(usage_moment_open(running->parts->partition, work->arena, running->simulation->position,
                          &work->moment));
    UsageAhead *ahead = ahead_open(work);
    Err        *err = accounts_write(work, content);
    usage_ahead_close(ahead);
    usage_moment_close(work->moment);
    return err;
}

static Err *chunk_do(Running *running, Repricing *repricing, size_t chunk)
{
    AUTO(Arena) arena = arena_open();
    ChunkWork work = { .running = running, .repricing = repricing, .arena = arena, .chunk = chunk,
                       .pulse_us = clock_tick_us() };
    SimulationChunk made = { .number = (int64_t)chunk };
    Err            *err = chunk_price(&work, &made.content);
    made.accounts = (int64_t)work.count;
    if (err == NULL)
        err = step_store(running, arena, &made, STR_NONE);
    if (err != NULL)
        failure_note(running, err);
    return NULL;
}

static void *chunks_do(void *argument)
{
    Running *running = argument;
    size_t   chunk;
    AUTO(Arena) arena = arena_open();
    RepriceFacts facts = { running->parts->catalog, running->simulation, &running->request,
                           running->roster.project_zone };
    Repricing *repricing = repricing_open(arena, &facts);
    while (chunk_take(running, &chunk))
        chunk_do(running, repricing, chunk);
    repricing_close(repricing);
    return NULL;
}

// ---- the whole

static Err *request_load(Arena *arena, Running *running)
{
    const Operation *operation = running->run->operation;
    Faults           faults = { .arena = arena };
    Json            *body;
    TRY(simulation_get(running->run->db, arena, operation->project, operation->subject,
                       &running->simulation));
    TRY(json_parse_copy(arena, running->simulation->request, &body));
    simulation_request_read(body, &running->request, &faults);
    return faults.first;
}

static Err *roster_load(Arena *arena, Running *running)
{
    RosterSource source = { running->parts->catalog, running->parts->partition,
                            running->simulation, &running->request };
    int64_t     *numbers;
    size_t       count;
    TRY(roster_read(arena, &source, &running->roster));
    running->chunks =
        (running->roster.count + chunk_room(running) - 1) / chunk_room(running);
    running->is_stored = arena_array(arena, bool, running->chunks);
    TRY(simulation_chunk_numbers(running->run->db, arena, running->simulation, &numbers, &count));
    for (size_t i = 0; i < count; i++) {
        running->is_stored[numbers[i]] = true;
        running->done += (int64_t)chunk_count(running, (size_t)numbers[i]);
    }
    return step_store(running, arena, NULL, STR_NONE);
}

static void threads_run(Running *running)
{
    Thread threads[SIMULATE_THREADS - 1] = { 0 };
    for (size_t i = 0; i < SIMULATE_THREADS - 1; i++)
        thread_start(&threads[i], "simulate", chunks_do, running);
    chunks_do(running);
    for (size_t i = 0; i < SIMULATE_THREADS - 1; i++)
        thread_join(&threads[i]);
}

static Err *chunk_sum(Running *running, Totals *totals, int64_t number)
{
    AUTO(Arena) arena = arena_open();
    SimulationChunk chunk;
    ChunkReader     reader;
    RepricedAccount account;
    Err *err = simulation_chunk_get(running->run->db, arena, running->simulation, number, &chunk);
    if (err == NULL) {
        chunk_reader_open(arena, chunk.content, &reader);
        while (err == NULL && chunk_read(&reader, &account))
            err = totals_add(totals, &account);
        Err *damaged = chunk_reader_close(&reader);
        err = err == NULL ? damaged : err;
    }
    return err == NULL ? NULL
                       : refuse(running->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
}

static Err *sum_store(Arena *arena, Running *running)
{
    Text    summary = text_open(arena);
    JsonOut out = json_out(&summary);
    Totals *totals = totals_open(arena);
    Err    *err = NULL;
    for (size_t i = 0; err == NULL && i < running->chunks; i++)
        err = chunk_sum(running, totals, (int64_t)i);
    if (err == NULL)
        totals_to_json(totals, &out);
    totals_close(totals);
    return err != NULL ? err : step_store(running, arena, NULL, text_str(&summary));
}

static Err *simulate(Arena *arena, Running *running)
{
    TRY(request_load(arena, running));
    TRY(roster_load(arena, running));
    threads_run(running);
    return running->failure != NULL ? running->failure : sum_store(arena, running);
}

static Err *simulate_run(void *context, Arena *arena, const OperationRun *run)
{
    Running running = { .parts = context, .run = run, .arena = arena };
    lock_open(&running.lock);
    Err *err = simulate(arena, &running);
    lock_close(&running.lock);
    return err;
}

OperationKind simulate_kind(SimulateParts *parts)
{
    return (OperationKind){ .name = "simulation", .run = simulate_run, .context = parts };
}
