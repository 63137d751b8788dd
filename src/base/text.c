// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

// What is printed mostly fits, and is then printed once.
enum { PRINTED_USUAL = 128 };

Str str_of(const char *terminated)
{
    return terminated == NULL ? STR_NONE : (Str){ terminated, strlen(terminated) };
}

bool str_equal(Str a, Str b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

int str_compare(Str a, Str b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int    order = common == 0 ? 0 : memcmp(a.at, b.at, common);
    if (order != 0)
        return order;
    return a.length < b.length ? -1 : a.length > b.length;
}

bool str_starts(Str whole, Str start)
{
    return whole.length >= start.length && str_equal((Str){ whole.at, start.length }, start);
}

// The length of the UTF-8 sequence at the front of the text, 0 when it is not one (RFC 3629).
static size_t utf8_length(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first, last, second_from, second_to, length;
    } forms[] = {
        { 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        size_t length = forms[i].length;
        if (length == 1)
            return 1;
        if (left < length || at[1] < forms[i].second_from || at[1] > forms[i].second_to)
            return 0;
        for (size_t k = 2; k < length; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return length;
    }
    return 0;
}

bool str_is_utf8(Str text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    for (size_t i = 0; i < text.length;) {
        if (at[i] < 0x80) {
            i++;
            continue;
        }
        size_t length = utf8_length(at + i, text.length - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

bool str_has_control(Str text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    for (size_t i = 0; i < text.length; i++) {
        bool is_c1 = at[i] == 0xc2 && i + 1 < text.length && at[i + 1] >= 0x80 && at[i + 1] <= 0x9f;
        if (at[i] < 0x20 || at[i] == 0x7f || is_c1)
            return true;
    }
    return false;
}

Str str_copy(Arena *arena, Str from)
{
    return (Str){ arena_copy(arena, from.at, from.length), from.length };
}

char *str_terminated(Arena *arena, Str from)
{
    char *copy = arena_take(arena, from.length + 1);
    if (from.length > 0)
        memcpy(copy, from.at, from.length);
    return copy;
}

Str str_print_list(Arena *arena, const char *format, va_list arguments)
{
    char    usual[PRINTED_USUAL];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(usual, sizeof usual, format, again);
    va_end(again);
    assert_that(length >= 0);
    char *at = arena_take(arena, (size_t)length + 1);
    if ((size_t)length < sizeof usual)
        memcpy(at, usual, (size_t)length);
    else
        vsnprintf(at, (size_t)length + 1, format, arguments);
    return (Str){ at, (size_t)length };
}

Str str_print(Arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Str text = str_print_list(arena, format, arguments);
    va_end(arguments);
    return text;
}

Str str_hex(Arena *arena, const void *bytes, size_t count)
{
    static const char    digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    char                *at = arena_take(arena, 2 * count);
    for (size_t i = 0; i < count; i++) {
        at[2 * i] = digits[from[i] >> 4];
        at[2 * i + 1] = digits[from[i] & 15];
    }
    return (Str){ at, 2 * count };
}

bool str_whole(Str text, uint64_t maximum, uint64_t *number)
{
    uint64_t sum = 0;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.at[i] - '0');
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *number = sum;
    return sum <= maximum;
}

Str str_cut(Str *rest, char separator)
{
    const char *found = rest->length == 0 ? NULL : memchr(rest->at, separator, rest->length);
    Str         before = *rest;
    if (found == NULL) {
        *rest = STR_NONE;
        return before;
    }
    before.length = (size_t)(found - rest->at);
    *rest = (Str){ found + 1, rest->length - before.length - 1 };
    return before;
}

Text text_open(Arena *arena)
{
    return (Text){ .arena = arena };
}

Text text_open_own(void)
{
    return (Text){ 0 };
}

void text_close(Text *text)
{
    if (text->arena == NULL)
        memory_release(text->at);
    *text = (Text){ 0 };
}

void text_clear(Text *text)
{
    text->length = 0;
}

char *text_reserve(Text *text, size_t bytes)
{
    if (text->room - text->length < bytes) {
        size_t room = text->room < 128 ? 256 : 2 * text->room;
        room = room - text->length < bytes ? text->length + bytes : room;
        if (text->arena == NULL) {
            text->at = memory_resize(text->at, room);
        } else {
            char *moved = arena_take(text->arena, room);
            if (text->length > 0)
                memcpy(moved, text->at, text->length);
            text->at = moved;
        }
        text->room = room;
    }
    return text->at + text->length;
}

void text_grow(Text *text, size_t bytes)
{
    assert_that(text->room - text->length >= bytes);
    text->length += bytes;
}

void text_add_bytes(Text *text, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    memcpy(text_reserve(text, count), bytes, count);
    text->length += count;
}

void text_add(Text *text, Str part)
{
    text_add_bytes(text, part.at, part.length);
}

void text_add_char(Text *text, char byte)
{
    *text_reserve(text, 1) = byte;
    text->length++;
}

void text_print(Text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    char *at = text_reserve(text, PRINTED_USUAL);
    int   length = vsnprintf(at, PRINTED_USUAL, format, again);
    va_end(again);
    assert_that(length >= 0);
    if (length >= PRINTED_USUAL)
        vsnprintf(text_reserve(text, (size_t)length + 1), (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

Str text_str(const Text *text)
{
    return (Str){ text->at, text->length };
}

Str str_list(Arena *arena, const char *const *texts)
{
    Text text = text_open(arena);
    for (size_t i = 0; texts[i] != NULL; i++)
        text_print(&text, "%s%s", i == 0 ? "" : ", ", texts[i]);
    return text_str(&text);
}
