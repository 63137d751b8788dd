// The retractions of a partition, in memory: which events do not count, from which sequence on, and
// which count again. Made of the facts of its journal and its seals (void_facts.h); cells know
// nothing of them. A read treats every UTC hour with a retracted event as one that only events can
// answer, and leaves the retracted ones out.
//
// One thread (the sequencer, or a recovery) applies facts; any thread asks. A fact is applied when
// it is decided, before it is durable: no reader's moment reaches its sequence before that.
// Memory: 50 to 100 bytes a retracted event.
#pragma once

#include "base/vector.h"
#include "flow/aggregate/void_facts.h"

typedef struct Voids Voids;

Voids *voids_open(void);
void   voids_close(Voids *voids);  // NULL is allowed

// False: the fact does not follow on what is there (damaged).
bool voids_apply(Voids *voids, const VoidFact *fact);

bool voids_are_none(const Voids *voids);  // cheap: asked on hot paths

typedef enum VoidState { EVENT_COUNTS, EVENT_IS_VOID, EVENT_IS_REPLACED } VoidState;
// Of a stored event, as of a sequence.
VoidState voids_state(Voids *voids, uint64_t sequence, uint64_t as_of);

// The event that the one of this sequence replaced; false: it replaced none.
bool voids_replaced(Voids *voids, uint64_t sequence, VoidTarget *target);
// The newest event below `end` of the chain of replacements that begins with this one; itself when
// it was not replaced.
uint64_t voids_newest(Voids *voids, uint64_t sequence, uint64_t end);

// ---- for reads

typedef struct VoidQuestion {
    uint32_t event, account;  // account: UINT32_MAX for all
    uint64_t sequence;        // as of
    Instant  from, to;        // [from, to)
} VoidQuestion;

// What of one question does not count.
typedef struct Voided {
    VECTOR(int64_t)  hours;    // UTC hours since 1970 that hold such events, ascending
    VECTOR(uint64_t) targets;  // their sequences, ascending
} Voided;

void voids_collect(Voids *voids, const VoidQuestion *question, Voided *voided);  // adds
void voided_order(Voided *voided);  // after the last voids_collect, before asking
bool voided_holds(const Voided *voided, uint64_t sequence);
void voided_release(Voided *voided);

// What changed behind the question's sequence, up to `until`, of events in its time: one row for
// each event taken away or come back. Adds.
typedef struct VoidMove {
    VoidTarget target;
    uint64_t   sequence;   // of the void, the amendment, the revert
    bool       is_return;
} VoidMove;
typedef VECTOR(VoidMove) VoidMoves;
void voids_moved(Voids *voids, const VoidQuestion *question, uint64_t until, VoidMoves *moves);

// ---- the voids themselves

typedef struct VoidHead {
    uint32_t number, project;
    uint64_t sequence, upto;
    Instant  at;
    Str      id, reason;       // good for as long as the voids live
    Hash128  key;              // of the request; all zero: none
    size_t   count;
    uint64_t reverted;         // its revert's sequence; 0: none
    Instant  reverted_at;
} VoidHead;

uint32_t voids_count(Voids *voids);
bool     voids_get(Voids *voids, uint32_t number, VoidHead *head);
bool     voids_find(Voids *voids, uint32_t project, Str id, VoidHead *head);
bool     voids_find_key(Voids *voids, Hash128 key, VoidHead *head);
size_t   voids_targets(Voids *voids, uint32_t number, Arena *arena, VoidTarget **targets);

// ---- for seals and recounts

// The facts with sequences in [first, end), in bytes.
void   voids_write(Voids *voids, uint64_t first, uint64_t end, Text *facts);
// Sequences in [first, end) that are voids or reverts.
size_t voids_sequences(Voids *voids, uint64_t first, uint64_t end);
// Retractions of the event, with what they say of it; and of all events in [first, end).
size_t voids_of_event(Voids *voids, uint64_t sequence, VoidTarget *target);
size_t voids_of_events(Voids *voids, uint64_t first, uint64_t end);
