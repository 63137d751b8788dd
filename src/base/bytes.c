// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

void text_add_varint(Text *text, uint64_t value)
{
    text_grow(text, bytes_put_varint(text_reserve(text, VARINT_MAX), value));
}

void text_add_signed(Text *text, int64_t value)
{
    text_add_varint(text, bytes_zigzag(value));
}

void text_add_int128(Text *text, Int128 value)
{
    Uint128 rest = ((Uint128)value << 1) ^ (Uint128)(value >> 127);
    while (rest >= 0x80) {
        text_add_char(text, (char)(unsigned char)(rest | 0x80));
        rest >>= 7;
    }
    text_add_char(text, (char)rest);
}

void text_add_counted(Text *text, Str part)
{
    text_add_varint(text, part.length);
    text_add(text, part);
}

Reader reader_of(Str bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    return (Reader){ .at = at, .end = bytes.length == 0 ? at : at + bytes.length };
}

size_t reader_left(const Reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

bool reader_done(const Reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

static void reader_fail(Reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
}

uint8_t reader_u8(Reader *reader)
{
    if (reader->at == reader->end) {
        reader_fail(reader);
        return 0;
    }
    return *reader->at++;
}

uint64_t reader_varint(Reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8(reader);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return reader->failed ? 0 : value;
    }
    reader_fail(reader);
    return 0;
}

int64_t reader_signed(Reader *reader)
{
    return bytes_unzigzag(reader_varint(reader));
}

Int128 reader_int128(Reader *reader)
{
    Uint128 value = 0;
    for (unsigned shift = 0; shift < 128; shift += 7) {
        uint8_t byte = reader_u8(reader);
        if (shift == 126 && byte > 3)
            break;
        value |= (Uint128)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return reader->failed ? 0 : (Int128)(value >> 1) ^ -(Int128)(value & 1);
    }
    reader_fail(reader);
    return 0;
}

Str reader_bytes(Reader *reader, size_t count)
{
    if (reader_left(reader) < count) {
        reader_fail(reader);
        return STR_NONE;
    }
    Str bytes = { (const char *)reader->at, count };
    reader->at += count;
    return bytes;
}

Str reader_counted(Reader *reader)
{
    uint64_t count = reader_varint(reader);
    return reader_bytes(reader, count > SIZE_MAX ? SIZE_MAX : (size_t)count);
}
