// What an id holds: enough to answer for ever whether an event that comes with it again is the same
// event (duplicate) or another (conflict), and where the stored one is.
#pragma once

#include "flow/ingest/event.h"

typedef struct Identity {
    uint64_t sequence;     // of the stored event, from 1
    uint64_t fingerprint;  // of what was sent, but for ts
    Instant  ts;
    bool     ts_given;
    uint32_t event;        // numbers of the partition, to find the event's block
    uint32_t account;
} Identity;

// DUPLICATE when what the client sent is what is stored. The two instants are compared only when
// both sides sent one: a retry without ts is the same event, and the stored ts stays. Else
// CONFLICT.
Outcome identity_compare(const Identity *stored, const Event *sent);

// The value under an id in the usage store. It begins with the sequence as a varint.
void identity_write(const Identity *identity, Text *value);
bool identity_read(Str value, Identity *identity);  // false: damaged
