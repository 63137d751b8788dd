// A range's own bytes: the facts of its journal records that are no events. Those of a folded range
// are its parts' put together, in order.
//
//   version byte, varint length + names, varint length + meters, then outcomes (outcomes.h)
//   names as record.h writes them; meters: signed sequence, project, event, number, flags,
//   definition
#pragma once

#include "flow/aggregate/record.h"

typedef struct SealMeta {
    Text names, meters, outcomes;
} SealMeta;

typedef struct SealMeter {
    uint64_t    sequence;
    RecordMeter meter;
} SealMeter;

SealMeta seal_meta_open(Arena *arena);
void     seal_meta_add_meter(SealMeta *meta, const SealMeter *meter);
void     seal_meta_write(const SealMeta *meta, Text *bytes);
bool     seal_meta_append(SealMeta *meta, Str bytes);  // another range's, behind; false: damaged

bool seal_meta_split(Str bytes, Reader *names, Reader *meters, Str *outcomes);
bool seal_meta_read_meter(Reader *reader, SealMeter *meter);
