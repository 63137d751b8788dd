// SPDX-License-Identifier: Apache-2.0
#include "ops/scheduler.h"

#include "base/beat.h"
#include "base/clock.h"
#include "flow/run/schedule.h"

enum { PAUSE_US = 1000000 };

struct Scheduler {
    Db      *books;
    Catalog *catalog;
    Worker  *worker;
    Beat    *beat;
};

static Err *projects_look(void *context, Arena *arena)
{
    Scheduler *scheduler = context;
    Project   *projects;
    size_t     count;
    bool       started;
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

Scheduler *scheduler_open(Db *books, Catalog *catalog, Worker *worker)
{
    Scheduler *scheduler = memory_take(sizeof *scheduler);
    scheduler->books = books;
    scheduler->catalog = catalog;
    scheduler->worker = worker;
    scheduler->beat = beat_open(&(BeatOptions){ "scheduler", "scheduler", PAUSE_US, projects_look,
                                                scheduler });
    return scheduler;
}

void scheduler_close(Scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    beat_close(scheduler->beat);
    memory_release(scheduler);
}
