// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/keys.h"

#define SIGN UINT32_C(0x80000000)

static void put_signed(char *at, int32_t number)
{
    bytes_put_u32_be(at, (uint32_t)number ^ SIGN);
}

static int32_t get_signed(const char *at)
{
    return (int32_t)(bytes_u32_be(at) ^ SIGN);
}

Str event_key_write(const EventKey *key, char bytes[EVENT_KEY_BYTES])
{
    bytes_put_u32_be(bytes, key->project);
    bytes_put_u32_be(bytes + 4, key->event);
    bytes_put_u32_be(bytes + 8, key->account);
    put_signed(bytes + EVENT_KEY_STREAM, key->day);
    bytes_put_u64_be(bytes + EVENT_KEY_DAY, key->sequence);
    return (Str){ bytes, EVENT_KEY_BYTES };
}

bool event_key_read(Str suffix, EventKey *key)
{
    if (suffix.length != EVENT_KEY_BYTES)
        return false;
    *key = (EventKey){
        .project = bytes_u32_be(suffix.at),
        .event = bytes_u32_be(suffix.at + 4),
        .account = bytes_u32_be(suffix.at + 8),
        .day = get_signed(suffix.at + EVENT_KEY_STREAM),
        .sequence = bytes_u64_be(suffix.at + EVENT_KEY_DAY),
    };
    return true;
}

void cell_key_write(const CellKey *key, Text *suffix)
{
    char head[CELL_KEY_HEAD];
    bytes_put_u32_be(head, key->project);
    bytes_put_u32_be(head + 4, key->meter);
    bytes_put_u32_be(head + CELL_KEY_METER, key->account);
    head[CELL_KEY_ACCOUNT] = (char)key->level;
    put_signed(head + CELL_KEY_LEVEL, key->start);
    text_clear(suffix);
    text_add_bytes(suffix, head, sizeof head);
    text_add(suffix, key->dimensions);
}

bool cell_key_read(Str suffix, CellKey *key)
{
    if (suffix.length < CELL_KEY_HEAD || (unsigned char)suffix.at[CELL_KEY_ACCOUNT] > CELL_DAY)
        return false;
    *key = (CellKey){
        .project = bytes_u32_be(suffix.at),
        .meter = bytes_u32_be(suffix.at + 4),
        .account = bytes_u32_be(suffix.at + CELL_KEY_METER),
        .level = (CellLevel)suffix.at[CELL_KEY_ACCOUNT],
        .start = get_signed(suffix.at + CELL_KEY_LEVEL),
        .dimensions = { suffix.at + CELL_KEY_HEAD, suffix.length - CELL_KEY_HEAD },
    };
    return true;
}

Str change_key_write(const ChangeKey *key, char bytes[CHANGE_KEY_BYTES])
{
    bytes_put_u32_be(bytes, key->project);
    bytes_put_u32_be(bytes + 4, key->account);
    bytes_put_u32_be(bytes + 8, key->event);
    put_signed(bytes + EVENT_KEY_STREAM, key->day);
    return (Str){ bytes, CHANGE_KEY_BYTES };
}
