// The part of `toll serve` that knows of other servers on the same books: whether this one has the
// usage or another does (the setting `usage`), the lease of the usage, the requests that are passed
// on, and what others changed.
#pragma once

#include "api/server.h"
#include "base/config.h"
#include "catalog/datadir.h"
#include "ops/owner.h"
#include "ops/watch.h"

typedef struct Share {
    bool       is_remote;  // another server has the usage
    DataDir   *dir;        // NULL when is_remote
    Str        books;      // path or address
    Pepper     pepper;
    HashKey    identity;
    Str        holder;     // of leases; STR_NONE: the books are a file, and nobody else's
    Owner     *owner;
    Watch     *watch;
    Forwarder *forwarder;
} Share;

// The data directory, or the books and the keys of one. FIELD_REQUIRED, FIELD_INVALID; and what
// datadir_open refuses.
Err *share_find(Arena *arena, const Config *config, Share *share) MUST_CHECK;
// Once books and catalog are open, before usage is: takes the usage, or looks who has it.
Err *share_begin(Arena *arena, Share *share, Server *server) MUST_CHECK;
// What the listener must know.
void share_listen(const Share *share, ListenerOptions *options);
// The listener has opened: others may ask, and this one looks at what they do.
Err *share_announce(Arena *arena, Share *share, const Config *config, Server *server,
                    uint16_t port) MUST_CHECK;
void share_stop(Share *share);  // the listener has closed
void share_end(Share *share);   // the usage is closed; the books are not yet
