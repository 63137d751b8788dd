// SPDX-License-Identifier: Apache-2.0
#include "ops/watch.h"

#include "base/beat.h"
#include "ops/owner.h"

enum { PAUSE_US = 1000000 };

struct Watch {
    WatchOptions options;
    Beat        *beat;
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

static Err *look(void *context, Arena *arena)
{
    const WatchOptions *options = context;
    if (options->forwarder != NULL)
        TRY(owner_look(options, arena));
    return catalog_refresh(options->catalog, arena);
}

Err *watch_open(Arena *arena, const WatchOptions *options, Watch **opened)
{
    Watch *watch = memory_take(sizeof *watch);
    Err   *err;
    watch->options = *options;
    err = look(&watch->options, arena);
    if (err != NULL) {
        memory_release(watch);
        return err;
    }
    watch->beat = beat_open(&(BeatOptions){ "watch", "serve: what other servers did is not known",
                                            PAUSE_US, look, &watch->options });
    *opened = watch;
    return NULL;
}

void watch_close(Watch *watch)
{
    if (watch == NULL)
        return;
    beat_close(watch->beat);
    memory_release(watch);
}
