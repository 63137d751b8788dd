// A range's own bytes: the facts of its journal records that are no events. Those of a folded range
// are its parts' put together, in order.
//
//   version byte, varint length + names, varint length + meters, varint length + voids, then
//   outcomes (outcomes.h); version 1 has no voids
//   names as record.h writes them; meters: signed sequence, project, event, number, flags,
//   definition; voids as void_facts.h writes them
#pragma once

#include "flow/aggregate/record.h"

typedef struct SealMeta {
    Text names, meters, voids, outcomes;
} SealMeta;

typedef struct SealMeter {
    uint64_t    sequence;
    RecordMeter meter;
} SealMeter;

SealMeta seal_meta_open(Arena *arena);
void     seal_meta_add_meter(SealMeta *meta, const SealMeter *meter);
void     seal_meta_write(const SealMeta *meta, Text *bytes);
bool     seal_meta_append(SealMeta *meta, Str bytes);  // another range's, behind; false: damaged

typedef struct SealMetaParts {
    Reader names, meters, voids;
    Str    outcomes;
} SealMetaParts;
bool seal_meta_split(Str bytes, SealMetaParts *parts);
bool seal_meta_read_meter(Reader *reader, SealMeter *meter);
