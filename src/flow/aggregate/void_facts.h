// What a journal and a seal say of retractions, in bytes:
//
//   kind byte, then
//   VOID    varint sequence, number, project, up to; signed at; counted id, counted reason;
//           16 bytes of key; varint count; each target: signed sequence, signed ts, signed account
//           (the first three less those of the target before), varint event
//   REVERT  varint sequence, number; signed at
//   AMEND   varint sequence; one target
//
// A void is whole in one fact. An amended event's fact has the replacement's own sequence: at every
// sequence exactly one of the two counts.
#pragma once

#include "base/bytes.h"
#include "base/hash.h"
#include "time/instant.h"

// An event that a fact takes away. Where it lies stands beside its sequence, so that it is found,
// and its hour known, without looking.
typedef struct VoidTarget {
    uint64_t sequence;
    Instant  ts;
    uint32_t event, account;  // the partition's numbers
} VoidTarget;

typedef enum VoidFactKind { FACT_VOID = 1, FACT_REVERT = 2, FACT_AMEND = 3 } VoidFactKind;

typedef struct VoidFact {
    VoidFactKind kind;
    uint64_t     sequence;  // counts from it on
    uint32_t     number;    // of the void: 0, 1, ...; not of an amend
    uint32_t     project;
    uint64_t     upto;      // events up to this sequence were looked at
    Instant      at;
    Str          id, reason;
    Hash128      key;       // a repeated request is known by it; all zero: none
    const VoidTarget *targets;  // ascending by sequence; an amend's is one
    size_t       count;
} VoidFact;

void void_fact_write(const VoidFact *fact, Text *bytes);
// id and reason are borrowed, targets are in the arena. False: damaged.
bool void_fact_read(Reader *reader, Arena *arena, VoidFact *fact);
