// SPDX-License-Identifier: Apache-2.0
#include "ops/sealer.h"

#include "base/log.h"
#include "base/thread.h"
#include "flow/ledger/ledger_seal.h"

enum { PAUSE_US = 1000000 };

struct Sealer {
    Db      *books;
    Catalog *catalog;
    Thread   thread;
    Lock     lock;
    Signal   ended;
    bool     ends;
};

static Err *project_seal(Sealer *sealer, Arena *arena, ProjectId project)
{
    size_t sealed;
    do
        TRY(ledger_seal(sealer->books, arena, project, &sealed));
    while (sealed == LEDGER_SEAL_MAX);
    return NULL;
}

static Err *projects_seal(Sealer *sealer, Arena *arena)
{
    Project *projects;
    size_t   count;
    TRY(catalog_projects(sealer->catalog, arena, &projects, &count));
    for (size_t i = 0; i < count; i++)
        TRY(project_seal(sealer, arena, projects[i].id));
    return NULL;
}

static bool wait(Sealer *sealer)
{
    lock_take(&sealer->lock);
    if (!sealer->ends)
        signal_wait_us(&sealer->ended, &sealer->lock, PAUSE_US);
    bool ends = sealer->ends;
    lock_release(&sealer->lock);
    return !ends;
}

static void *sealer_run(void *argument)
{
    Sealer *sealer = argument;
    while (wait(sealer)) {
        AUTO(Arena) arena = arena_open();
        Err *err = projects_seal(sealer, arena);
        if (err != NULL && err->code != ERR_STORE_BUSY)
            log_line(LOG_WARN, "ledger: sealing: %.*s", STR_ARG(err->detail));
    }
    return NULL;
}

Sealer *sealer_open(Db *books, Catalog *catalog)
{
    Sealer *sealer = memory_take(sizeof *sealer);
    sealer->books = books;
    sealer->catalog = catalog;
    lock_open(&sealer->lock);
    signal_open(&sealer->ended);
    thread_start(&sealer->thread, "sealer", sealer_run, sealer);
    return sealer;
}

void sealer_close(Sealer *sealer)
{
    if (sealer == NULL)
        return;
    lock_take(&sealer->lock);
    sealer->ends = true;
    signal_all(&sealer->ended);
    lock_release(&sealer->lock);
    thread_join(&sealer->thread);
    signal_close(&sealer->ended);
    lock_close(&sealer->lock);
    memory_release(sealer);
}
