// SPDX-License-Identifier: Apache-2.0
#include "ops/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "flow/run/schedule.h"

enum { PAUSE_US = 1000000 };

struct Scheduler {
    Db      *books;
    Catalog *catalog;
    Worker  *worker;
    Thread   thread;
    Lock     lock;
    Signal   ended;
    bool     ends;
};

static Err *projects_look(Scheduler *scheduler, Arena *arena)
{
    Project *projects;
    size_t   count;
    bool     started;
    TRY(catalog_projects(scheduler->catalog, arena, &projects, &count));
    for (size_t i = 0; i < count; i++) {
        ScheduleLook look = { scheduler->books, scheduler->catalog, projects[i].id,
                              { clock_now_us() } };
        TRY(schedule_look(arena, &look, &started));
        if (started)
            worker_wake(scheduler->worker);
    }
    return NULL;
}

static bool wait(Scheduler *scheduler)
{
    lock_take(&scheduler->lock);
    if (!scheduler->ends)
        signal_wait_us(&scheduler->ended, &scheduler->lock, PAUSE_US);
    bool ends = scheduler->ends;
    lock_release(&scheduler->lock);
    return !ends;
}

static void *scheduler_run(void *argument)
{
    Scheduler *scheduler = argument;
    while (wait(scheduler)) {
        AUTO(Arena) arena = arena_open();
        Err *err = projects_look(scheduler, arena);
        if (err != NULL)
            log_line(LOG_WARN, "scheduler: %.*s", STR_ARG(err->detail));
    }
    return NULL;
}

Scheduler *scheduler_open(Db *books, Catalog *catalog, Worker *worker)
{
    Scheduler *scheduler = memory_take(sizeof *scheduler);
    scheduler->books = books;
    scheduler->catalog = catalog;
    scheduler->worker = worker;
    lock_open(&scheduler->lock);
    signal_open(&scheduler->ended);
    thread_start(&scheduler->thread, "scheduler", scheduler_run, scheduler);
    return scheduler;
}

void scheduler_close(Scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    lock_take(&scheduler->lock);
    scheduler->ends = true;
    signal_all(&scheduler->ended);
    lock_release(&scheduler->lock);
    thread_join(&scheduler->thread);
    signal_close(&scheduler->ended);
    lock_close(&scheduler->lock);
    memory_release(scheduler);
}
