// Sealed events as events again: blocks of the usage store with names put back, identity and digest
// computed anew. For backfills, recounts and reads.
#pragma once

#include "flow/aggregate/keys.h"
#include "flow/aggregate/partition.h"
#include "flow/ingest/event_block.h"

typedef struct StoredEvents {
    Partition *partition;
    BlockRow  *rows;
    size_t     count, next;
    Str        project, event, account;
    uint64_t   sequence;  // of the event that next answered
    Instant    received;
    size_t     row;       // its place in the block
} StoredEvents;

// Everything borrows from the arena and the block.
Err *stored_events_open(Partition *partition, Arena *arena, const EventKey *key, Str block,
                        StoredEvents *stored) MUST_CHECK;
bool stored_events_next(StoredEvents *stored, Event *event);
