// The meters of a partition, as its journal made them: each activation has a number, the sequence
// of its own record, and counts events after it. Changing a meter's dimensions is a new activation.
// Changed under the partition's state lock; an activation itself never changes but for `removed`.
#pragma once

#include "catalog/meter.h"

typedef struct Activation {
    uint32_t     number;
    uint32_t     project;
    uint32_t     event;
    Meter       *meter;
    Str          definition;  // canonical JSON
    uint64_t     sequence;    // events with a greater one are folded as they come
    bool         is_fresh;    // the stream had no event before: nothing to fold in
    uint64_t     removed;     // sequence of its removal, 0 while it counts
} Activation;

typedef struct Meters Meters;

// A list of borrowed activations; good until the lock is released.
typedef struct ActivationList {
    Activation *const *at;
    size_t             count;
} ActivationList;

Meters *meters_open(void);
void    meters_close(Meters *meters);

uint32_t       meters_count(const Meters *meters);  // the next number
Activation    *meters_get(const Meters *meters, uint32_t number);
Activation    *meters_find(const Meters *meters, uint32_t project, Str id);  // newest, not removed
ActivationList meters_of_event(const Meters *meters, uint32_t event);        // also removed ones

// True when it ended because another of its id came, at that one's sequence, and not by a removal.
bool meters_replaced(const Meters *meters, const Activation *activation);

// Does it count an event of that sequence as it comes?
static inline bool activation_counts(const Activation *activation, uint64_t sequence)
{
    return activation->sequence < sequence &&
           (activation->removed == 0 || sequence < activation->removed);
}

// Activates a definition (canonical JSON, as meter_to_json writes it). A number that is there
// already is left alone (a replay meets it again). Refuses STORE_FAILED when the definition does
// not read.
Err *meters_add(Meters *meters, Arena *arena, const Activation *wanted) MUST_CHECK;
