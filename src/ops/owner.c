// SPDX-License-Identifier: Apache-2.0
#include "ops/owner.h"

#include <unistd.h>

#include "base/beat.h"
#include "base/log.h"
#include "base/thread.h"

enum { LOST_EXIT = 3, CHECK_BYTES = 16, PAUSE_US = 500000 };

struct Owner {
    Db    *books;
    Arena *arena;
    Lease  lease;  // its address under the lock
    Str    name;
    Lock   lock;
    Beat  *beat;
};

Str owner_pepper_check(Arena *arena, const Pepper *pepper)
{
    KeyHash hash = key_hash(STR("the pepper of these books"), pepper);
    return str_hex(arena, hash.bytes, CHECK_BYTES);
}

static _Noreturn void lost(void)
{
    log_line(LOG_ERROR, "serve: another server has taken the usage: this one ends now");
    _exit(LOST_EXIT);
}

// At the beginning of every transaction.
static Err *guard(DbTx *tx, void *context)
{
    const Owner *owner = context;
    bool         is_mine;
    TRY(lease_check(tx, &owner->lease, &is_mine));
    if (!is_mine)
        lost();
    return NULL;
}

// Books that cannot be reached are tried again: as long as they are away nobody else takes the
// lease either.
static Err *keep(void *context, Arena *arena)
{
    Owner *owner = context;
    bool   kept;
    lock_take(&owner->lock);
    Lease lease = owner->lease;
    lock_release(&owner->lock);
    TRY(lease_keep(owner->books, arena, &lease, &kept));
    if (!kept)
        lost();
    return NULL;
}

static Err *held(Arena *arena, const Lease *other)
{
    Str until = instant_print(arena, other->until);
    Str at = other->address.length > 0 ? other->address : STR("a server that is starting");
    return refuse(arena, ERR_STORE_BUSY, STR_NONE,
                  "another server has the usage of these books: %.*s, until %.*s or as long as it "
                  "keeps it",
                  STR_ARG(at), STR_ARG(until));
}

// Who does not keep its lease is gone: its end is waited for.
static Err *take(Arena *arena, Db *books, Lease *lease)
{
    Instant first = { INT64_MIN };
    Lease  *other;
    TRY(lease_take(books, arena, lease, &other));
    while (other != NULL) {
        if (first.us != INT64_MIN && other->until.us != first.us)
            return held(arena, other);
        if (first.us == INT64_MIN)
            log_line(LOG_INFO, "serve: another server had the usage: waiting whether it keeps it");
        first = other->until;
        usleep(PAUSE_US);
        TRY(lease_take(books, arena, lease, &other));
    }
    return NULL;
}

Err *owner_take(Arena *arena, Db *books, Str place, const Pepper *pepper, Owner **taken)
{
    Lease lease = { .name = STR(USAGE_LEASE), .holder = place, .address = STR(""),
                    .note = owner_pepper_check(arena, pepper) };
    TRY(take(arena, books, &lease));
    Owner *owner = memory_take(sizeof *owner);
    owner->books = books;
    owner->arena = arena_open();
    owner->lease = lease;
    owner->lease.holder = str_copy(owner->arena, lease.holder);
    owner->lease.note = str_copy(owner->arena, lease.note);
    owner->name = str_print(owner->arena, "%lld", (long long)lease.fence);
    lock_open(&owner->lock);
    db_guard(books, guard, owner);
    owner->beat = beat_open(&(BeatOptions){ "owner", "serve: the lease of the usage is not kept",
                                            LEASE_KEEP_S * INSTANT_SECOND_US, keep, owner });
    *taken = owner;
    return NULL;
}

Err *owner_announce(Owner *owner, Arena *arena, Str url)
{
    lock_take(&owner->lock);
    owner->lease.address = str_copy(owner->arena, url);
    lock_release(&owner->lock);
    return keep(owner, arena);
}

Str owner_name(const Owner *owner)
{
    return owner->name;
}

void owner_give_up(Owner *owner)
{
    if (owner == NULL)
        return;
    beat_close(owner->beat);
    Err *err = lease_give_up(owner->books, owner->arena, &owner->lease);
    if (err != NULL)
        log_line(LOG_WARN, "serve: the lease of the usage ends by itself: %.*s",
                 STR_ARG(err->detail));
    db_guard(owner->books, NULL, NULL);
    lock_close(&owner->lock);
    arena_close(owner->arena);
    memory_release(owner);
}
