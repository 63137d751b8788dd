// What other servers on the same books do, looked at each second: changes of keys and projects,
// accounts that were made, and, on a server without usage, who has it and where. So a change counts
// everywhere within about two seconds. Decisions about money never wait for it: they read the
// books.
#pragma once

#include "catalog/catalog.h"
#include "edge/forward.h"

typedef struct WatchOptions {
    Db        *books;
    Catalog   *catalog;
    Forwarder *forwarder;  // NULL: this server has the usage
} WatchOptions;

typedef struct Watch Watch;

// Looks once before it answers.
Err *watch_open(Arena *arena, const WatchOptions *options, Watch **watch) MUST_CHECK;
void watch_close(Watch *watch);  // NULL is allowed
