// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <string.h>

#include "base/digits.h"

JsonOut json_out(Text *text)
{
    return (JsonOut){ .text = text };
}

static void value_begins(JsonOut *out)
{
    if (out->needs_comma)
        text_add_char(out->text, ',');
    out->needs_comma = true;
}

void json_object(JsonOut *out)
{
    value_begins(out);
    text_add_char(out->text, '{');
    out->needs_comma = false;
}

void json_array(JsonOut *out)
{
    value_begins(out);
    text_add_char(out->text, '[');
    out->needs_comma = false;
}

void json_object_end(JsonOut *out)
{
    text_add_char(out->text, '}');
    out->needs_comma = true;
}

void json_array_end(JsonOut *out)
{
    text_add_char(out->text, ']');
    out->needs_comma = true;
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
}

// The same of eight bytes at once. Subtracting 1 from each borrows into the high bit of those that
// are zero; behind the first one it may tell of others that are not, which does no harm.
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t zeros_of(uint64_t word)
{
    return (word - EACH(1)) & ~word;
}

static bool word_is_plain(uint64_t word)
{
    uint64_t controls = (word - EACH(0x20)) & ~word;
    uint64_t others = zeros_of(word ^ EACH('"')) | zeros_of(word ^ EACH('\\')) |
                      zeros_of(word ^ EACH(0x7f));
    return ((controls | others) & EACH(0x80)) == 0;
}

// How many bytes at the front need no escape.
static size_t plain_length(Str value)
{
    size_t   length = 0, last = value.length % sizeof(uint64_t);
    uint64_t word = EACH(' ');
    while (length + sizeof word <= value.length) {
        memcpy(&word, value.at + length, sizeof word);
        if (!word_is_plain(word))
            break;
        length += sizeof word;
    }
    if (length + last == value.length) {
        word = EACH(' ');
        memcpy(&word, value.at + length, last);
        if (word_is_plain(word))
            return value.length;
    }
    while (length < value.length && is_plain((unsigned char)value.at[length]))
        length++;
    return length;
}

static void escaped_add(Text *text, unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        text_print(text, "\\%c", byte);
    else if (byte == '\n')
        text_add(text, STR("\\n"));
    else
        text_print(text, "\\u%04x", byte);
}

static void escaped(Text *text, Str value)
{
    size_t plain = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (is_plain((unsigned char)value.at[i]))
            continue;
        text_add_bytes(text, value.at + plain, i - plain);
        escaped_add(text, (unsigned char)value.at[i]);
        plain = i + 1;
    }
    text_add_bytes(text, value.at + plain, value.length - plain);
}

// What needs no escape, nearly everything, is copied at once.
static void quoted(JsonOut *out, Str value, const char *behind)
{
    size_t plain = value.length == 0 ? 0 : plain_length(value);
    char  *room = text_reserve(out->text, value.length + sizeof ",\"\":"), *at = room;
    if (out->needs_comma)
        *at++ = ',';
    *at++ = '"';
    if (plain > 0)
        memcpy(at, value.at, plain);
    text_grow(out->text, (size_t)(at - room) + plain);
    if (plain < value.length)
        escaped(out->text, (Str){ value.at + plain, value.length - plain });
    text_add(out->text, str_of(behind));
}

void json_name(JsonOut *out, Str name)
{
    quoted(out, name, "\":");
    out->needs_comma = false;
}

void json_string(JsonOut *out, Str value)
{
    quoted(out, value, "\"");
    out->needs_comma = true;
}

void json_whole(JsonOut *out, int64_t value)
{
    char     room[24];
    char    *end = room + sizeof room;
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char    *at = digits_backwards(end, size);
    value_begins(out);
    if (value < 0)
        *--at = '-';
    text_add_bytes(out->text, at, (size_t)(end - at));
}

void json_bool(JsonOut *out, bool value)
{
    value_begins(out);
    text_add(out->text, value ? STR("true") : STR("false"));
}

void json_null(JsonOut *out)
{
    value_begins(out);
    text_add(out->text, STR("null"));
}

void json_raw(JsonOut *out, Str json)
{
    value_begins(out);
    text_add(out->text, json);
}

// Recursion is bounded: a parsed tree is no deeper than the limit it was parsed under.
void json_value(JsonOut *out, const Json *tree)
{
    switch (tree->kind) {
    case JSON_NULL: json_null(out); return;
    case JSON_FALSE: json_bool(out, false); return;
    case JSON_TRUE: json_bool(out, true); return;
    case JSON_NUMBER: json_raw(out, tree->text); return;
    case JSON_STRING: json_string(out, tree->text); return;
    case JSON_ARRAY:
        json_array(out);
        for (const Json *element = tree->first; element != NULL; element = element->next)
            json_value(out, element);
        json_array_end(out);
        return;
    case JSON_OBJECT:
        json_object(out);
        for (const Json *member = tree->first; member != NULL; member = member->next) {
            json_name(out, member->name);
            json_value(out, member);
        }
        json_object_end(out);
        return;
    }
}

void json_string_member(JsonOut *out, const char *name, Str value)
{
    json_name(out, str_of(name));
    json_string(out, value);
}

void json_whole_member(JsonOut *out, const char *name, int64_t value)
{
    json_name(out, str_of(name));
    json_whole(out, value);
}

void json_bool_member(JsonOut *out, const char *name, bool value)
{
    json_name(out, str_of(name));
    json_bool(out, value);
}

void json_null_member(JsonOut *out, const char *name)
{
    json_name(out, str_of(name));
    json_null(out);
}

void json_raw_member(JsonOut *out, const char *name, Str json)
{
    json_name(out, str_of(name));
    json_raw(out, json);
}
