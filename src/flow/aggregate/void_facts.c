// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/void_facts.h"

static void targets_write(const VoidFact *fact, Text *bytes)
{
    VoidTarget before = { 0 };
    for (size_t i = 0; i < fact->count; i++) {
        const VoidTarget *target = &fact->targets[i];
        text_add_signed(bytes, (int64_t)(target->sequence - before.sequence));
        text_add_signed(bytes, target->ts.us - before.ts.us);
        text_add_signed(bytes, (int64_t)target->account - (int64_t)before.account);
        text_add_varint(bytes, target->event);
        before = *target;
    }
}

// A target takes at least four bytes, so a count that the bytes cannot hold is damage.
static bool targets_read(Reader *reader, Arena *arena, VoidFact *fact)
{
    enum { TARGET_BYTES_MIN = 4 };
    VoidTarget before = { 0 };
    if (fact->count == 0 || fact->count > reader_left(reader) / TARGET_BYTES_MIN)
        return false;
    VoidTarget *targets = arena_array(arena, VoidTarget, fact->count);
    for (size_t i = 0; i < fact->count; i++) {
        VoidTarget *target = &targets[i];
        int64_t     account;
        target->sequence = before.sequence + (uint64_t)reader_signed(reader);
        if (__builtin_add_overflow(before.ts.us, reader_signed(reader), &target->ts.us) ||
            __builtin_add_overflow((int64_t)before.account, reader_signed(reader), &account) ||
            account < 0 || account >= UINT32_MAX)
            return false;
        target->account = (uint32_t)account;
        target->event = (uint32_t)reader_varint(reader);
        if (target->sequence <= before.sequence || target->sequence >= fact->sequence)
            return false;
        before = *target;
    }
    fact->targets = targets;
    return !reader->failed;
}

static void void_write(const VoidFact *fact, Text *bytes)
{
    unsigned char key[16];
    text_add_varint(bytes, fact->number);
    text_add_varint(bytes, fact->project);
    text_add_varint(bytes, fact->upto);
    text_add_signed(bytes, fact->at.us);
    text_add_counted(bytes, fact->id);
    text_add_counted(bytes, fact->reason);
    hash_write(fact->key, key);
    text_add_bytes(bytes, key, sizeof key);
    text_add_varint(bytes, fact->count);
    targets_write(fact, bytes);
}

static bool void_read(Reader *reader, Arena *arena, VoidFact *fact)
{
    fact->number = (uint32_t)reader_varint(reader);
    fact->project = (uint32_t)reader_varint(reader);
    fact->upto = reader_varint(reader);
    fact->at.us = reader_signed(reader);
    fact->id = reader_counted(reader);
    fact->reason = reader_counted(reader);
    Str key = reader_bytes(reader, 16);
    if (reader->failed)
        return false;
    fact->key = hash_read((const unsigned char *)key.at);
    fact->count = reader_varint(reader);
    return targets_read(reader, arena, fact);
}

void void_fact_write(const VoidFact *fact, Text *bytes)
{
    text_add_char(bytes, (char)fact->kind);
    text_add_varint(bytes, fact->sequence);
    switch (fact->kind) {
    case FACT_VOID: void_write(fact, bytes); return;
    case FACT_REVERT:
        text_add_varint(bytes, fact->number);
        text_add_signed(bytes, fact->at.us);
        return;
    case FACT_AMEND: targets_write(fact, bytes); return;
    }
}

bool void_fact_read(Reader *reader, Arena *arena, VoidFact *fact)
{
    *fact = (VoidFact){ 0 };
    uint8_t kind = reader_u8(reader);
    fact->sequence = reader_varint(reader);
    if (reader->failed)
        return false;
    fact->kind = (VoidFactKind)kind;
    if (kind == FACT_VOID)
        return void_read(reader, arena, fact);
    if (kind == FACT_AMEND) {
        fact->count = 1;
        return targets_read(reader, arena, fact);
    }
    fact->number = (uint32_t)reader_varint(reader);
    fact->at.us = reader_signed(reader);
    return kind == FACT_REVERT && !reader->failed;
}
