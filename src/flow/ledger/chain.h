// The hash chain of a project's ledger, and the days its shared entries fall into.
#pragma once

#include "base/hash.h"
#include "time/instant.h"

// hash(n) of hash(n - 1), n and the content; hash(0) is all zero.
Digest  chain_next(Arena *arena, const Digest *before, int64_t position, Str content);
Digest  chain_hash_read(Str bytes);  // of 32 bytes; anything else is all zero
int64_t chain_day(Instant at);       // UTC days since 1970
