// SPDX-License-Identifier: Apache-2.0
#include "operation/worker.h"

#include "base/assert.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/thread.h"

// It looks by itself now and then, for what another server queued or abandoned, or a failed look
// left.
enum { LOOK_US = 1000 * 1000, KINDS_MAX = 32 };

struct Worker {
    WorkerOptions options;
    Thread        thread;
    Lock          lock;
    Signal        woken;
    bool          has_work;  // perhaps
    atomic_bool   stopping;
    Str           kinds[KINDS_MAX];
};

static const OperationKind *kind_find(const Worker *worker, Str name)
{
    for (size_t i = 0; i < worker->options.kind_count; i++)
        if (str_equal(str_of(worker->options.kinds[i].name), name))
            return &worker->options.kinds[i];
    return NULL;
}

static Err *operation_run(Worker *worker, Arena *arena, const Operation *taken)
{
    const OperationKind *kind = kind_find(worker, taken->kind);
    OperationRun         run = { worker->options.db, taken, &worker->stopping };
    if (kind == NULL)
        return refuse(arena, ERR_INTERNAL, STR_NONE, "there is no kind of operation \"%.*s\"",
                      STR_ARG(taken->kind));
    return kind->run(kind->context, arena, &run);
}

static bool is_left(const Worker *worker, const Err *failure)
{
    return failure != NULL &&
           (failure->code == ERR_OPERATION_CANCELED ||
            (failure->code == ERR_NOT_READY && atomic_load(&worker->stopping)));
}

static Err *operation_do(Worker *worker, Arena *arena, const Operation *taken)
{
    Err *failure = operation_run(worker, arena, taken);
    log_line(failure == NULL || is_left(worker, failure) ? LOG_INFO : LOG_WARN,
             "operation: %.*s id=%.*s %s", STR_ARG(taken->kind), STR_ARG(taken->id),
             failure == NULL ? "succeeded" : err_name(failure->code));
    if (is_left(worker, failure))
        return NULL;
    counter_add(METRIC_OPERATIONS_ENDED, 1);
    return operation_end(worker->options.db, arena, taken, failure);
}

// All there is to do now. A refusal of the books is tried again at the next look.
static void work(Worker *worker)
{
    Operation     *taken = NULL;
    OperationTaker taker = { worker->options.holder, worker->kinds, worker->options.kind_count };
    do {
        AUTO(Arena) arena = arena_open();
        Err *err = operation_take(worker->options.db, arena, &taker, &taken);
        if (err == NULL && taken != NULL)
            err = operation_do(worker, arena, taken);
        if (err != NULL)
            log_line(LOG_ERROR, "operation: %.*s", STR_ARG(err->detail));
        if (err != NULL)
            return;
    } while (taken != NULL && !atomic_load(&worker->stopping));
}

static void *worker_run(void *argument)
{
    Worker *worker = argument;
    while (!atomic_load(&worker->stopping)) {
        work(worker);
        lock_take(&worker->lock);
        if (!worker->has_work && !atomic_load(&worker->stopping))
            signal_wait_us(&worker->woken, &worker->lock, LOOK_US);
        worker->has_work = false;
        lock_release(&worker->lock);
    }
    return NULL;
}

Err *worker_open(Arena *arena, const WorkerOptions *options, Worker **opened)
{
    assert_that(options->kind_count <= KINDS_MAX);
    TRY(operation_abandon(options->db, arena, options->holder));
    Worker *worker = memory_take(sizeof *worker);
    worker->options = *options;
    for (size_t i = 0; i < options->kind_count; i++)
        worker->kinds[i] = str_of(options->kinds[i].name);
    lock_open(&worker->lock);
    signal_open(&worker->woken);
    thread_start(&worker->thread, "operations", worker_run, worker);
    *opened = worker;
    return NULL;
}

void worker_wake(Worker *worker)
{
    lock_take(&worker->lock);
    worker->has_work = true;
    signal_one(&worker->woken);
    lock_release(&worker->lock);
}

void worker_close(Worker *worker)
{
    if (worker == NULL)
        return;
    atomic_store(&worker->stopping, true);
    worker_wake(worker);
    thread_join(&worker->thread);
    signal_close(&worker->woken);
    lock_close(&worker->lock);
    memory_release(worker);
}
