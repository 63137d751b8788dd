// The suffixes of rows in the usage store; all numbers big-endian, so that rows sort as they read:
//
//   events   project, event, account, UTC day, first sequence   -> event_block.h
//   cells    project, meter activation, account, level, start, dimensions   -> cell.h
//   changes  project, account, event, UTC day   -> varint: how many of them came on a later day
//   ids      the 128-bit hash   -> identity.h
//
// Days and starts are signed and stored with the sign bit turned, so that they sort too.
#pragma once

#include "base/bytes.h"

typedef enum CellLevel { CELL_HOUR = 0, CELL_DAY = 1 } CellLevel;

typedef struct EventKey {
    uint32_t project, event, account;
    int32_t  day;
    uint64_t sequence;
} EventKey;

typedef struct CellKey {
    uint32_t  project, meter, account;
    CellLevel level;
    int32_t   start;       // UTC hours or days since 1970
    Str       dimensions;  // as cell_dimensions writes them
} CellKey;

typedef struct ChangeKey {
    uint32_t project, account, event;
    int32_t  day;
} ChangeKey;

enum {
    EVENT_KEY_STREAM = 12,           // bytes of project, event, account
    EVENT_KEY_DAY = EVENT_KEY_STREAM + 4,
    EVENT_KEY_BYTES = EVENT_KEY_DAY + 8,
    CELL_KEY_METER = 8,              // bytes of project, meter
    CELL_KEY_ACCOUNT = CELL_KEY_METER + 4,
    CELL_KEY_LEVEL = CELL_KEY_ACCOUNT + 1,
    CELL_KEY_HEAD = CELL_KEY_LEVEL + 4,
    CHANGE_KEY_BYTES = 16,
};

Str  event_key_write(const EventKey *key, char bytes[EVENT_KEY_BYTES]);
bool event_key_read(Str suffix, EventKey *key);
void cell_key_write(const CellKey *key, Text *suffix);  // clears first
bool cell_key_read(Str suffix, CellKey *key);           // borrows the dimensions
Str  change_key_write(const ChangeKey *key, char bytes[CHANGE_KEY_BYTES]);
