// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <inttypes.h>

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

static void escaped_add(Text *text, unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        text_print(text, "\\%c", byte);
    else if (byte == '\n')
        text_add(text, STR("\\n"));
    else
        text_print(text, "\\u%04x", byte);
}

// What needs no escape, nearly everything, is copied where it is looked at.
static void quoted(Text *text, Str value)
{
    char  *at = text_reserve(text, value.length + 2);
    size_t plain = 0;
    *at++ = '"';
    for (; plain < value.length && is_plain((unsigned char)value.at[plain]); plain++)
        at[plain] = value.at[plain];
    text_grow(text, 1 + plain);
    for (size_t i = plain; i < value.length; i++) {
        if (is_plain((unsigned char)value.at[i]))
            continue;
        text_add_bytes(text, value.at + plain, i - plain);
        escaped_add(text, (unsigned char)value.at[i]);
        plain = i + 1;
    }
    text_add_bytes(text, value.at + plain, value.length - plain);
    text_add_char(text, '"');
}

void json_name(JsonOut *out, Str name)
{
    value_begins(out);
    quoted(out->text, name);
    text_add_char(out->text, ':');
    out->needs_comma = false;
}

void json_string(JsonOut *out, Str value)
{
    value_begins(out);
    quoted(out->text, value);
}

void json_whole(JsonOut *out, int64_t value)
{
    value_begins(out);
    text_print(out->text, "%" PRId64, value);
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
