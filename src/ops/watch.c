// SPDX-License-Identifier: Apache-2.0
#include "ops/watch.h"

#include "base/log.h"
#include "base/thread.h"
#include "ops/owner.h"

enum { PAUSE_US = 1000000 };

struct Watch {
    WatchOptions options;
    Thread       thread;
    Lock         lock;
    Signal       ended;
    bool         ends;
};

// Whether the lease has ended does not matter: who is there answers, or nobody does.
static Err *owner_look(const WatchOptions *options, Arena *arena)
{
    Lease *lease;
    TRY(lease_find(options->books, arena, STR(USAGE_LEASE), &lease));
    bool is_there = lease != NULL && lease->address.length > 0;
    forwarder_owner_set(options->forwarder, is_there ? lease->address : STR_NONE,
                        is_there ? str_print(arena, "%lld", (long long)lease->fence) : STR_NONE);
    return NULL;
}

static Err *look(const WatchOptions *options, Arena *arena)
{
    if (options->forwarder != NULL)
        TRY(owner_look(options, arena));
    return catalog_refresh(options->catalog, arena);
}

static bool wait(Watch *watch)
{
    lock_take(&watch->lock);
    if (!watch->ends)
        signal_wait_us(&watch->ended, &watch->lock, PAUSE_US);
    bool ends = watch->ends;
    lock_release(&watch->lock);
    return !ends;
}

static void *watch_run(void *argument)
{
    Watch *watch = argument;
    while (wait(watch)) {
        AUTO(Arena) arena = arena_open();
        Err *err = look(&watch->options, arena);
        if (err != NULL)
            log_line(LOG_WARN, "serve: what other servers did is not known: %.*s",
                     STR_ARG(err->detail));
    }
    return NULL;
}

Err *watch_open(Arena *arena, const WatchOptions *options, Watch **opened)
{
    TRY(look(options, arena));
    Watch *watch = memory_take(sizeof *watch);
    watch->options = *options;
    lock_open(&watch->lock);
    signal_open(&watch->ended);
    thread_start(&watch->thread, "watch", watch_run, watch);
    *opened = watch;
    return NULL;
}

void watch_close(Watch *watch)
{
    if (watch == NULL)
        return;
    lock_take(&watch->lock);
    watch->ends = true;
    signal_all(&watch->ended);
    lock_release(&watch->lock);
    thread_join(&watch->thread);
    signal_close(&watch->ended);
    lock_close(&watch->lock);
    memory_release(watch);
}
