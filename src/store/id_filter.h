// Which ids were surely never stored: a blocked Bloom filter. An id lives in one 64-byte block, one
// bit in each of its eight words; 16 bits of filter an id; generations that double, so that it
// grows without ever being built again. About 0.09 % false positives for each full generation; an
// id that was added is never answered "no". Ids are keyed hashes, so their bits are evenly spread
// already.
//
// Threads: any number ask while any number add (adds take a lock, questions none).
#pragma once

#include "base/error.h"
#include "base/hash.h"

typedef struct IdFilter IdFilter;

enum { ID_FILTER_FIRST_BITS = 22 };  // the first generation holds 2^22 ids

IdFilter *id_filter_open(unsigned first_bits);  // 10..30; 0: ID_FILTER_FIRST_BITS
void      id_filter_close(IdFilter *filter);    // NULL is allowed

void id_filter_add(IdFilter *filter, const Hash128 *ids, size_t count);
// maybe[i]: false = was never added. Ids in ascending order are the fastest. What was added before
// the call is seen when something else orders the two (a lock, a published view).
void id_filter_maybe(const IdFilter *filter, const Hash128 *ids, size_t count, bool *maybe);

uint64_t id_filter_count(const IdFilter *filter);  // adds, repeated ids included
uint64_t id_filter_bytes(const IdFilter *filter);  // of memory

// A file with a checksum and a mark of the caller's (how far it reaches). Saving while others add
// is allowed: the file then holds at least what was added before. Written beside, synced, renamed.
Err *id_filter_save(const IdFilter *filter, Arena *arena, Str path, uint64_t mark) MUST_CHECK;
// *filter == NULL when there is no such file or it is damaged (that is logged): build it again.
void id_filter_load(Str path, IdFilter **filter, uint64_t *mark);
