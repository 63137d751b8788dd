// Proof that what is derived is what the events say: cells, ids and sequences of the usage store,
// counted again from the sealed events. For `toll verify`, on a partition opened read_only, where
// the journal's tail has been checked and folded by opening it.
#pragma once

#include "flow/aggregate/partition.h"

typedef struct Recount {
    uint64_t events, cells, ids, ranges;  // looked at
    uint64_t drifts;                      // differences found; 0 is what it should say
    void   (*tell)(void *context, Str drift);  // each of the first RECOUNT_TOLD, in one line
    void    *context;
} Recount;

enum { RECOUNT_TOLD = 20 };

// STORE_FAILED only when something cannot be read at all; differences are told and counted.
Err *partition_recount(Partition *partition, Arena *arena, Recount *recount) MUST_CHECK;
