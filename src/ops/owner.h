// Who has the usage, when several servers share the books: the server whose data directory it is
// in, known by a lease. A thread keeps it, and every transaction of the books begins with a look at
// it: a server that finds that another one took it ends at once and in the middle of whatever it
// does, because nothing it knows of usage may reach the books any more.
//
// A directory that is opened again on the machine it was open on takes its lease at once: the lock
// on its files says that nobody has it. Any other (a copy, another machine, the same one after it
// was started anew) waits whether the lease is kept, and takes it once it has ended.
#pragma once

#include "catalog/key.h"
#include "operation/lease.h"

#define USAGE_LEASE "usage"

typedef struct Owner Owner;

// STORE_BUSY: another server has the usage and keeps it; the detail says which one. May take as
// long as a lease.
// `place`: datadir_place. `pepper`: servers without usage check theirs against it.
Err *owner_take(Arena *arena, Db *books, Str place, const Pepper *pepper,
                Owner **owner) MUST_CHECK;
// Others reach this server there, from now on.
Err *owner_announce(Owner *owner, Arena *arena, Str url) MUST_CHECK;
Str  owner_name(const Owner *owner);  // of this lease alone: its fence; OWNER_HEADER
void owner_give_up(Owner *owner);     // nothing needs usage any more; NULL is allowed

// What the pepper is, without telling it.
Str owner_pepper_check(Arena *arena, const Pepper *pepper);
