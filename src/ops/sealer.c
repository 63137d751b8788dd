// SPDX-License-Identifier: Apache-2.0
#include "ops/sealer.h"

#include "base/beat.h"
#include "base/clock.h"
#include "base/log.h"
#include "flow/ledger/ledger_seal.h"
#include "operation/lease.h"

enum { PAUSE_US = 1000000 };

struct Sealer {
    Db      *books;
    Catalog *catalog;
    Arena   *arena;
    Lease    lease;       // .holder.at is NULL: none is needed
    bool     has_lease;
    int64_t  asked_tick_us;  // when the lease was last kept or asked for
    Beat    *beat;
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

static Err *lease_ask(Sealer *sealer, Arena *arena)
{
    Lease *other = NULL;
    if (sealer->has_lease)
        TRY(lease_keep(sealer->books, arena, &sealer->lease, &sealer->has_lease));
    if (sealer->has_lease)
        return NULL;
    TRY(lease_take(sealer->books, arena, &sealer->lease, &other));
    sealer->has_lease = other == NULL;
    return NULL;
}

// Two that seal at once would only undo each other's transactions: the chain's row tells who was
// first.
static Err *seal(void *context, Arena *arena)
{
    Sealer *sealer = context;
    int64_t now = clock_tick_us();
    if (sealer->lease.holder.at == NULL)
        return projects_seal(sealer, arena);
    if (sealer->asked_tick_us == 0 ||
        now - sealer->asked_tick_us >= LEASE_KEEP_S * INSTANT_SECOND_US) {
        sealer->asked_tick_us = now;
        TRY(lease_ask(sealer, arena));
    }
    return sealer->has_lease ? projects_seal(sealer, arena) : NULL;
}

Sealer *sealer_open(Db *books, Catalog *catalog, Str holder)
{
    Sealer *sealer = memory_take(sizeof *sealer);
    sealer->books = books;
    sealer->catalog = catalog;
    sealer->arena = arena_open();
    sealer->lease = (Lease){ .name = STR("sealer"), .address = STR(""), .note = STR("") };
    if (holder.at != NULL)
        sealer->lease.holder = str_copy(sealer->arena, holder);
    sealer->beat = beat_open(&(BeatOptions){ "sealer", "ledger: sealing", PAUSE_US, seal, sealer });
    return sealer;
}

void sealer_close(Sealer *sealer)
{
    if (sealer == NULL)
        return;
    beat_close(sealer->beat);
    Err *err = sealer->has_lease ? lease_give_up(sealer->books, sealer->arena, &sealer->lease)
                                 : NULL;
    if (err != NULL)
        log_line(LOG_WARN, "ledger: the sealer's lease ends by itself: %.*s",
                 STR_ARG(err->detail));
    arena_close(sealer->arena);
    memory_release(sealer);
}
