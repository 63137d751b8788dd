// SPDX-License-Identifier: Apache-2.0
// Version 1. What the decoder gives back is what the encoder was given, row by row.
//
//   version byte, varint count, flags byte
//   sequence    varint, then differences (signed)
//   ts          signed day since 1970, varint offset in units of the block, then differences
//   ts_given    a bit a row, low first, unless a flag says all or none
//   received    difference to the first ts, then differences, unless a flag says all the same
//   value       scale byte: the power of ten that divides all; then value / scale, once or a row
//   unique_id   bytes shared with the row before; form; its own bytes (below)
//   properties  varint count of distinct ones, those counted; then a number a row, 0 for none
//
// An id's own bytes: 0 = counted raw; 1 = counted raw, then a counted tail of lower-case
// hexadecimal digits, two a byte; 2 = a lower-case UUID in 16 bytes. The form is the low two bits
// of the raw count.
#include "flow/ingest/event_block.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"

enum { BLOCK_VERSION = 1 };

enum {
    FLAG_GIVEN_ALL = 1,
    FLAG_GIVEN_NONE = 2,
    FLAG_RECEIVED_SAME = 4,
    FLAG_VALUE_SAME = 8,
    FLAG_PROPERTIES_NONE = 16,
    FLAG_PROPERTIES_SAME = 32,
    FLAG_UNIT_SHIFT = 6,  // two bits: the index of ts_units
};

static const int64_t ts_units[] = { 1, 1000, INSTANT_SECOND_US };
enum { TS_UNIT_COUNT = sizeof ts_units / sizeof *ts_units, SCALE_MAX = 27, ID_MAX = 255 };

#define INT128_MOST ((Int128)(~(Uint128)0 >> 1))

typedef enum IdForm { ID_RAW, ID_HEX_TAIL, ID_UUID } IdForm;
enum { UUID_TEXT = 36, UUID_BYTES = 16, HEX_TAIL_LEAST = 4 };

static Int128 ten_to(int power)
{
    Int128 product = 1;
    for (int i = 0; i < power; i++)
        product *= 10;
    return product;
}

// ---- what all rows have in common

static unsigned unit_of(const BlockRow *rows, size_t count)
{
    unsigned unit = TS_UNIT_COUNT - 1;
    for (size_t i = 0; i < count; i++)
        while (rows[i].ts.us % ts_units[unit] != 0)
            unit--;
    return unit;
}

// The largest power of ten, up to `scale`, that divides the value.
static int scale_within(Int128 value, int scale)
{
    if (value == 0)
        return scale;
    int of_value = 0;
    if (value % 1000000000000 == 0) {
        value /= 1000000000000;
        of_value = 12;
    }
    // Small numbers are divided fast.
    if (value >= INT64_MIN && value <= INT64_MAX) {
        int64_t small = (int64_t)value;
        for (; of_value < scale && small % 10 == 0; of_value++)
            small /= 10;
    } else {
        for (; of_value < scale && value % 10 == 0; of_value++)
            value /= 10;
    }
    return of_value < scale ? of_value : scale;
}

static int scale_of(const BlockRow *rows, size_t count)
{
    int scale = SCALE_MAX;
    for (size_t i = 0; i < count && scale > 0; i++)
        scale = scale_within(rows[i].value.e12, scale);
    return scale;
}

static unsigned flags_of(const BlockRow *rows, size_t count)
{
    unsigned flags = FLAG_GIVEN_ALL | FLAG_GIVEN_NONE | FLAG_RECEIVED_SAME | FLAG_VALUE_SAME |
                     FLAG_PROPERTIES_NONE | FLAG_PROPERTIES_SAME;
    for (size_t i = 0; i < count; i++) {
        flags &= ~(unsigned)(rows[i].ts_given ? FLAG_GIVEN_NONE : FLAG_GIVEN_ALL);
        if (rows[i].received.us != rows[0].received.us)
            flags &= ~(unsigned)FLAG_RECEIVED_SAME;
        if (rows[i].value.e12 != rows[0].value.e12)
            flags &= ~(unsigned)FLAG_VALUE_SAME;
        if (rows[i].properties.length > 0)
            flags &= ~(unsigned)FLAG_PROPERTIES_NONE;
        if (!str_equal(rows[i].properties, rows[0].properties))
            flags &= ~(unsigned)FLAG_PROPERTIES_SAME;
    }
    return flags | unit_of(rows, count) << FLAG_UNIT_SHIFT;
}

// ---- columns out

static void sequences_add(const BlockRow *rows, size_t count, Text *out)
{
    text_add_varint(out, rows[0].sequence);
    for (size_t i = 1; i < count; i++)
        text_add_signed(out, (int64_t)(rows[i].sequence - rows[i - 1].sequence));
}

static void ts_add(const BlockRow *rows, size_t count, unsigned flags, Text *out)
{
    int64_t unit = ts_units[flags >> FLAG_UNIT_SHIFT];
    int64_t day = instant_utc_day(rows[0].ts);
    text_add_signed(out, day);
    text_add_varint(out, (uint64_t)((rows[0].ts.us - day * INSTANT_DAY_US) / unit));
    for (size_t i = 1; i < count; i++)
        text_add_signed(out, (rows[i].ts.us - rows[i - 1].ts.us) / unit);
}

static void given_add(const BlockRow *rows, size_t count, unsigned flags, Text *out)
{
    if ((flags & (FLAG_GIVEN_ALL | FLAG_GIVEN_NONE)) != 0)
        return;
    for (size_t i = 0; i < count; i += 8) {
        unsigned bits = 0;
        for (size_t k = i; k < count && k < i + 8; k++)
            bits |= (unsigned)rows[k].ts_given << (k - i);
        text_add_char(out, (char)bits);
    }
}

static void received_add(const BlockRow *rows, size_t count, unsigned flags, Text *out)
{
    text_add_signed(out, rows[0].received.us - rows[0].ts.us);
    if ((flags & FLAG_RECEIVED_SAME) != 0)
        return;
    for (size_t i = 1; i < count; i++)
        text_add_signed(out, rows[i].received.us - rows[i - 1].received.us);
}

static void values_add(const BlockRow *rows, size_t count, unsigned flags, Text *out)
{
    int    scale = scale_of(rows, count);
    Int128 divisor = ten_to(scale);
    size_t written = (flags & FLAG_VALUE_SAME) != 0 ? 1 : count;
    text_add_char(out, (char)scale);
    for (size_t i = 0; i < written; i++)
        text_add_int128(out, rows[i].value.e12 / divisor);
}

// 0..15 for a lower-case hexadecimal digit, else -1.
static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool uuid_dash_at(size_t place)
{
    return place == 8 || place == 13 || place == 18 || place == 23;
}

static bool is_uuid(Str text)
{
    if (text.length != UUID_TEXT)
        return false;
    for (size_t i = 0; i < UUID_TEXT; i++)
        if (uuid_dash_at(i) ? text.at[i] != '-' : hex_digit(text.at[i]) < 0)
            return false;
    return true;
}

static size_t hex_tail(Str text)
{
    size_t count = 0;
    while (count < text.length && hex_digit(text.at[text.length - 1 - count]) >= 0)
        count++;
    return count < HEX_TAIL_LEAST ? 0 : count;
}

// Two digits a byte, the first in the high half; an odd last one has the high half alone.
static void hex_add(Text *out, const char *digits, size_t count)
{
    for (size_t i = 0; i < count; i += 2) {
        int low = i + 1 < count ? hex_digit(digits[i + 1]) : 0;
        text_add_char(out, (char)(hex_digit(digits[i]) << 4 | low));
    }
}

static void uuid_add(Text *out, Str id)
{
    char   digits[2 * UUID_BYTES];
    size_t count = 0;
    for (size_t i = 0; i < UUID_TEXT; i++)
        if (!uuid_dash_at(i))
            digits[count++] = id.at[i];
    hex_add(out, digits, count);
}

static size_t shared_bytes(Str a, Str b)
{
    size_t most = a.length < b.length ? a.length : b.length;
    size_t count = 0;
    while (count < most && a.at[count] == b.at[count])
        count++;
    return count;
}

static void id_add(Str before, Str id, Text *out)
{
    size_t shared = shared_bytes(before, id);
    if (shared < UUID_TEXT - UUID_BYTES && is_uuid(id)) {
        text_add_varint(out, 0);
        text_add_varint(out, ID_UUID);
        uuid_add(out, id);
        return;
    }
    Str    own = { id.at + shared, id.length - shared };
    size_t tail = hex_tail(own);
    size_t raw = own.length - tail;
    text_add_varint(out, shared);
    text_add_varint(out, raw << 2 | (tail > 0 ? ID_HEX_TAIL : ID_RAW));
    text_add_bytes(out, own.at, raw);
    if (tail > 0) {
        text_add_varint(out, tail);
        hex_add(out, own.at + raw, tail);
    }
}

static void ids_add(const BlockRow *rows, size_t count, Text *out)
{
    Str before = STR_NONE;
    for (size_t i = 0; i < count; i++) {
        assert_that(rows[i].unique_id.length >= 1 && rows[i].unique_id.length <= ID_MAX);
        id_add(before, rows[i].unique_id, out);
        before = rows[i].unique_id;
    }
}

// Numbers the distinct properties in order of their first row, from 1; 0 is none. `firsts` gets the
// row where each number came first.
static size_t properties_number_rows(const BlockRow *rows, size_t count, uint16_t *numbers,
                                     uint16_t *firsts)
{
    uint16_t slots[2 * EVENT_BLOCK_ROWS];  // number, 0 when free
    size_t   size = 2;
    size_t   distinct = 0;
    while (size < 2 * count)
        size *= 2;
    memset(slots, 0, size * sizeof *slots);
    for (size_t i = 0; i < count; i++) {
        Str properties = rows[i].properties;
        numbers[i] = 0;
        if (properties.length == 0)
            continue;
        size_t slot = hash_fast(properties) & (size - 1);
        while (slots[slot] != 0 && !str_equal(rows[firsts[slots[slot] - 1]].properties, properties))
            slot = (slot + 1) & (size - 1);
        if (slots[slot] == 0) {
            firsts[distinct] = (uint16_t)i;
            slots[slot] = (uint16_t)++distinct;
        }
        numbers[i] = slots[slot];
    }
    return distinct;
}

static void properties_add(const BlockRow *rows, size_t count, unsigned flags, Text *out)
{
    if ((flags & FLAG_PROPERTIES_NONE) != 0)
        return;
    if ((flags & FLAG_PROPERTIES_SAME) != 0) {
        text_add_varint(out, 1);
        text_add_counted(out, rows[0].properties);
        return;
    }
    uint16_t numbers[EVENT_BLOCK_ROWS];
    uint16_t firsts[EVENT_BLOCK_ROWS];
    size_t   distinct = properties_number_rows(rows, count, numbers, firsts);
    text_add_varint(out, distinct);
    for (size_t i = 0; i < distinct; i++)
        text_add_counted(out, rows[firsts[i]].properties);
    for (size_t i = 0; i < count; i++)
        text_add_varint(out, numbers[i]);
}

void event_block_encode(const BlockRow *rows, size_t count, Text *out)
{
    assert_that(count >= 1 && count <= EVENT_BLOCK_ROWS);
    unsigned flags = flags_of(rows, count);
    text_add_char(out, BLOCK_VERSION);
    text_add_varint(out, count);
    text_add_char(out, (char)flags);
    sequences_add(rows, count, out);
    ts_add(rows, count, flags, out);
    given_add(rows, count, flags, out);
    received_add(rows, count, flags, out);
    values_add(rows, count, flags, out);
    ids_add(rows, count, out);
    properties_add(rows, count, flags, out);
}

// ---- columns in: each answers false when what it read cannot have been written

static bool sequences_read(Reader *reader, BlockRow *rows, size_t count)
{
    rows[0].sequence = reader_varint(reader);
    for (size_t i = 1; i < count; i++)
        rows[i].sequence = rows[i - 1].sequence + (uint64_t)reader_signed(reader);
    return !reader->failed;
}

static bool add_times(int64_t to, int64_t times, int64_t unit, int64_t *sum)
{
    int64_t product;
    return !__builtin_mul_overflow(times, unit, &product) &&
           !__builtin_add_overflow(to, product, sum);
}

static bool ts_read(Reader *reader, BlockRow *rows, size_t count, unsigned flags)
{
    int64_t unit = ts_units[flags >> FLAG_UNIT_SHIFT];
    int64_t day = reader_signed(reader);
    int64_t ts = 0;
    if (!add_times(0, day, INSTANT_DAY_US, &ts))
        return false;
    uint64_t first = reader_varint(reader);
    if (first > (uint64_t)(INSTANT_DAY_US / unit) || !add_times(ts, (int64_t)first, unit, &ts))
        return false;
    rows[0].ts.us = ts;
    for (size_t i = 1; i < count; i++) {
        if (!add_times(ts, reader_signed(reader), unit, &ts))
            return false;
        rows[i].ts.us = ts;
    }
    return !reader->failed;
}

static bool given_read(Reader *reader, BlockRow *rows, size_t count, unsigned flags)
{
    uint8_t bits = (flags & FLAG_GIVEN_ALL) != 0 ? 0xff : 0;
    bool    is_mixed = (flags & (FLAG_GIVEN_ALL | FLAG_GIVEN_NONE)) == 0;
    for (size_t i = 0; i < count; i++) {
        if (is_mixed && i % 8 == 0)
            bits = reader_u8(reader);
        rows[i].ts_given = (bits >> i % 8 & 1) != 0;
    }
    return !reader->failed;
}

static bool received_read(Reader *reader, BlockRow *rows, size_t count, unsigned flags)
{
    int64_t received = 0;
    if (!add_times(rows[0].ts.us, reader_signed(reader), 1, &received))
        return false;
    rows[0].received.us = received;
    for (size_t i = 1; i < count; i++) {
        bool is_same = (flags & FLAG_RECEIVED_SAME) != 0;
        if (!is_same && !add_times(received, reader_signed(reader), 1, &received))
            return false;
        rows[i].received.us = received;
    }
    return !reader->failed;
}

static bool values_read(Reader *reader, BlockRow *rows, size_t count, unsigned flags)
{
    uint8_t scale = reader_u8(reader);
    if (scale > SCALE_MAX)
        return false;
    Int128 factor = ten_to(scale);
    Int128 most = INT128_MOST / factor;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && (flags & FLAG_VALUE_SAME) != 0) {
            rows[i].value = rows[0].value;
            continue;
        }
        Int128 number = reader_int128(reader);
        if (number > most || number < -most)
            return false;
        rows[i].value.e12 = number * factor;
    }
    return !reader->failed;
}

static void hex_text(const char *bytes, char *digits, size_t count)
{
    static const char letters[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i / 2];
        digits[i] = letters[i % 2 == 0 ? byte >> 4 : byte & 15];
    }
}

static void uuid_text(const char *bytes, char *text)
{
    char   digits[2 * UUID_BYTES];
    size_t count = 0;
    hex_text(bytes, digits, sizeof digits);
    for (size_t i = 0; i < UUID_TEXT; i++)
        text[i] = uuid_dash_at(i) ? '-' : digits[count++];
}

// `id` holds the id of the row before and gets this one's.
static bool id_read(Reader *reader, char id[ID_MAX], size_t *length)
{
    uint64_t shared = reader_varint(reader);
    uint64_t code = reader_varint(reader);
    uint64_t raw = code >> 2;
    if (shared > *length || raw > ID_MAX - shared)
        return false;
    if ((code & 3) == ID_UUID) {
        Str bytes = reader_bytes(reader, UUID_BYTES);
        if (reader->failed || shared != 0 || raw != 0)
            return false;
        uuid_text(bytes.at, id);
        *length = UUID_TEXT;
        return true;
    }
    Str bytes = reader_bytes(reader, (size_t)raw);
    if (reader->failed || (code & 3) > ID_HEX_TAIL)
        return false;
    if (raw > 0)
        memcpy(id + shared, bytes.at, (size_t)raw);
    *length = (size_t)(shared + raw);
    if ((code & 3) == ID_HEX_TAIL) {
        uint64_t tail = reader_varint(reader);
        if (tail > ID_MAX - *length)
            return false;
        Str packed = reader_bytes(reader, (size_t)(tail + 1) / 2);
        if (reader->failed)
            return false;
        hex_text(packed.at, id + *length, (size_t)tail);
        *length += (size_t)tail;
    }
    return *length > 0;
}

static bool ids_read(Reader *reader, Arena *arena, BlockRow *rows, size_t count)
{
    char   id[ID_MAX];
    size_t length = 0;
    Text   all = text_open(arena);
    for (size_t i = 0; i < count; i++) {
        if (!id_read(reader, id, &length))
            return false;
        rows[i].unique_id.length = length;
        text_add_bytes(&all, id, length);
    }
    const char *at = all.at;
    for (size_t i = 0; i < count; at += rows[i].unique_id.length, i++)
        rows[i].unique_id.at = at;
    return true;
}

static bool properties_read(Reader *reader, Arena *arena, BlockRow *rows, size_t count,
                            unsigned flags)
{
    if ((flags & FLAG_PROPERTIES_NONE) != 0)
        return true;
    uint64_t distinct = reader_varint(reader);
    if (distinct < 1 || distinct > count)
        return false;
    Str *all = arena_array(arena, Str, distinct + 1);
    for (size_t i = 1; i <= distinct; i++)
        all[i] = reader_counted(reader);
    bool is_same = (flags & FLAG_PROPERTIES_SAME) != 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = is_same ? 1 : reader_varint(reader);
        if (number > distinct)
            return false;
        rows[i].properties = all[number];
    }
    return !reader->failed;
}

static bool rows_read(Reader *reader, Arena *arena, BlockRow *rows, size_t count)
{
    unsigned flags = reader_u8(reader);
    return flags >> FLAG_UNIT_SHIFT < TS_UNIT_COUNT && sequences_read(reader, rows, count) &&
           ts_read(reader, rows, count, flags) && given_read(reader, rows, count, flags) &&
           received_read(reader, rows, count, flags) && values_read(reader, rows, count, flags) &&
           ids_read(reader, arena, rows, count) &&
           properties_read(reader, arena, rows, count, flags) && reader_done(reader);
}

Err *event_block_decode(Arena *arena, Str block, BlockRow **rows, size_t *count)
{
    Reader reader = reader_of(block);
    if (reader_u8(&reader) != BLOCK_VERSION)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "an event block is of an unknown version");
    uint64_t stated = reader_varint(&reader);
    bool     fits = stated >= 1 && stated <= EVENT_BLOCK_ROWS;
    BlockRow *read = fits ? arena_array(arena, BlockRow, stated) : NULL;
    if (!fits || !rows_read(&reader, arena, read, (size_t)stated))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "an event block is damaged");

    *rows = read;
    *count = (size_t)stated;
    return NULL;
}
