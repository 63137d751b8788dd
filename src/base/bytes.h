// Stored forms: big-endian integers for keys (they sort as they count), variable-length ones for
// values, and a reader that can run off no end. Everything Toll stores is made of these.
#pragma once

#include <string.h>

#include "base/int128.h"
#include "base/text.h"

static inline void bytes_put_u16_be(void *at, uint16_t value)
{
    uint16_t swapped = __builtin_bswap16(value);
    memcpy(at, &swapped, sizeof swapped);
}

static inline void bytes_put_u32_be(void *at, uint32_t value)
{
    uint32_t swapped = __builtin_bswap32(value);
    memcpy(at, &swapped, sizeof swapped);
}

static inline void bytes_put_u64_be(void *at, uint64_t value)
{
    uint64_t swapped = __builtin_bswap64(value);
    memcpy(at, &swapped, sizeof swapped);
}

static inline uint16_t bytes_u16_be(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap16(value);
}

static inline uint32_t bytes_u32_be(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t bytes_u64_be(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

enum { VARINT_MAX = 10 };

// Seven bits a byte, low first; answers how many bytes were written (at most VARINT_MAX).
static inline size_t bytes_put_varint(void *at, uint64_t value)
{
    unsigned char *to = at;
    size_t         count = 0;
    while (value >= 0x80) {
        to[count++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    to[count++] = (unsigned char)value;
    return count;
}

// Signed numbers near zero become small: 0, -1, 1, -2 -> 0, 1, 2, 3.
static inline uint64_t bytes_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t bytes_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

void text_add_varint(Text *text, uint64_t value);
void text_add_signed(Text *text, int64_t value);     // zigzag varint
void text_add_int128(Text *text, Int128 value);    // zigzag varint of up to 19 bytes
void text_add_counted(Text *text, Str part);         // its length, then its bytes

// Reads what the writers above wrote. After a read past the end `failed` is set, for good, and
// every read answers zero: check it once, at the end.
typedef struct Reader {
    const unsigned char *at;
    const unsigned char *end;
    bool                 failed;
} Reader;

Reader   reader_of(Str bytes);
bool     reader_done(const Reader *reader);  // nothing left and nothing failed
size_t   reader_left(const Reader *reader);
uint8_t  reader_u8(Reader *reader);
uint64_t reader_varint(Reader *reader);
int64_t  reader_signed(Reader *reader);
Int128 reader_int128(Reader *reader);
Str      reader_bytes(Reader *reader, size_t count);  // borrowed
Str      reader_counted(Reader *reader);
