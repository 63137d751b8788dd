// SPDX-License-Identifier: Apache-2.0
// Hexadecimal of: version byte, checksum (8 bytes), place.
#include "api/cursor.h"

#include "base/bytes.h"
#include "base/hash.h"

enum { CURSOR_VERSION = 1, CURSOR_HEAD = 9 };

static uint64_t checksum(Arena *arena, Str filters, Str place)
{
    Text text = text_open(arena);
    text_add_counted(&text, filters);
    text_add_counted(&text, place);
    return hash_fast(text_str(&text));
}

Str cursor_print(Arena *arena, Str filters, Str place)
{
    Text          text = text_open(arena);
    unsigned char head[CURSOR_HEAD] = { CURSOR_VERSION };
    bytes_put_u64_be(head + 1, checksum(arena, filters, place));
    text_add_bytes(&text, head, sizeof head);
    text_add(&text, place);
    return str_hex(arena, text.at, text.length);
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool hex_read(Str text, unsigned char *bytes)
{
    for (size_t i = 0; i + 1 < text.length; i += 2) {
        int high = hex_value(text.at[i]), low = hex_value(text.at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (unsigned char)(high * 16 + low);
    }
    return text.length % 2 == 0;
}

Err *cursor_parse(Arena *arena, Str text, Str filters, Str *place)
{
    unsigned char *bytes = arena_take(arena, text.length / 2 + 1);
    bool           fits = text.length >= 2 * CURSOR_HEAD && hex_read(text, bytes);
    Str            found = STR_NONE;
    if (fits)
        found = (Str){ (const char *)bytes + CURSOR_HEAD, text.length / 2 - CURSOR_HEAD };
    if (!fits || bytes[0] != CURSOR_VERSION ||
        bytes_u64_be(bytes + 1) != checksum(arena, filters, found))
        return refuse(arena, ERR_CURSOR_INVALID, STR_NONE,
                      "cursor must be the nextCursor of a page of this very list");
    *place = found;
    return NULL;
}
