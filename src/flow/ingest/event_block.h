// The sealed form of the events of one (project, event, account, UTC day): columns of differences,
// lossless, order kept. The version byte leads; a version never changes. A single event without
// properties takes about 25 bytes and its own id; in a run of 100 about 8 bytes and its id.
#pragma once

#include "base/error.h"
#include "money/decimal.h"
#include "time/instant.h"

typedef struct BlockRow {
    uint64_t sequence;
    Str      unique_id;   // 1..255 bytes
    Decimal  value;
    Instant  ts;
    Instant  received;
    bool     ts_given;
    Str      properties;  // canonical form of event.h; empty when there are none
} BlockRow;

enum { EVENT_BLOCK_ROWS = 4096 };

// 1 .. EVENT_BLOCK_ROWS rows; smallest when they are in ascending order of sequence or ts. The same
// rows give the same bytes. Adds to `out`.
void event_block_encode(const BlockRow *rows, size_t count, Text *out);

// The rows are in the arena; properties point into `block`. STORE_FAILED when the block is damaged
// or of a version that this program does not know: no read leaves the block, whatever it holds.
Err *event_block_decode(Arena *arena, Str block, BlockRow **rows, size_t *count) MUST_CHECK;
