// Sends measurements in batches and adds up what became of them. A batch whose answer got lost is
// sent again by the client, with the same ids, so nothing is counted twice.
#pragma once

#include "cli/client.h"
#include "flow/ingest/event.h"

// What was not taken: of one event.
typedef struct NotTaken {
    uint64_t index;   // of all events given to the sender, from 0
    Outcome  outcome;
    Str      unique_id, code, detail;  // borrowed until the callback returns
} NotTaken;

typedef struct UsageSender {
    Client    *client;
    BodyCoding coding;
    uint64_t   events, requests;
    uint64_t   counts[OUTCOME_COUNT];
    // Called for every conflict and rejection; may be NULL.
    void     (*not_taken)(void *context, const NotTaken *what);
    void      *context;
} UsageSender;

// `lines` is NDJSON of `count` events. A refusal says that nothing more is known of this batch.
Err *usage_send(UsageSender *sender, Arena *arena, Str lines, size_t count) MUST_CHECK;
