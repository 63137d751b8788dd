// SPDX-License-Identifier: Apache-2.0
#include "catalog/body.h"

#include <stdlib.h>

enum { MEMBERS_TOLD_MAX = 16 };

static bool is_alphanumeric(char letter)
{
    return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= 'a' && letter <= 'z');
}

bool name_is_valid(Str name)
{
    if (name.length < 1 || name.length > 128 || !is_alphanumeric(name.at[0]))
        return false;
    for (size_t i = 1; i < name.length; i++) {
        char letter = name.at[i];
        if (!is_alphanumeric(letter) && letter != '.' && letter != '_' && letter != ':' &&
            letter != '-')
            return false;
    }
    return true;
}

bool foreign_id_is_valid(Str id)
{
    return id.length >= 1 && id.length <= 255 && str_is_utf8(id) && !str_has_control(id);
}

Str pointer_of(Arena *arena, Str base, Str segment)
{
    Text text = text_open(arena);
    text_add(&text, base);
    text_add_char(&text, '/');
    for (size_t i = 0; i < segment.length; i++)
        switch (segment.at[i]) {
        case '~': text_add(&text, STR("~0")); break;
        case '/': text_add(&text, STR("~1")); break;
        default: text_add_char(&text, segment.at[i]);
        }
    return text_str(&text);
}

Str pointer_at(Arena *arena, Str base, size_t index)
{
    return str_print(arena, "%.*s/%zu", STR_ARG(base), index);
}

static bool is_listed(const char *const *names, Str name)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (str_equal(name, str_of(names[i])))
            return true;
    return false;
}

// What could be meant, where that can be read at a glance.
static Str members_told(Arena *arena, const char *const *names)
{
    size_t count = 0;
    while (names[count] != NULL)
        count++;
    return count > MEMBERS_TOLD_MAX
               ? STR("")
               : str_print(arena, ": it may have %.*s", STR_ARG(str_list(arena, names)));
}

bool body_members(const Json *body, const char *const *names, Faults *faults)
{
    if (body->kind != JSON_OBJECT) {
        faults_add(faults, ERR_FIELD_INVALID, STR(""), "the body must be an object");
        return false;
    }
    for (const Json *member = body->first; member != NULL; member = member->next)
        if (!is_listed(names, member->name))
            faults_add(faults, ERR_UNKNOWN_MEMBER, pointer_of(faults->arena, STR(""), member->name),
                       "%.*s is not a member of this object%.*s", STR_ARG(member->name),
                       STR_ARG(members_told(faults->arena, names)));
    return true;
}

const Json *body_find(const Json *body, const char *name)
{
    const Json *member = json_find(body, str_of(name));
    return member == NULL || member->kind == JSON_NULL ? NULL : member;
}

Str body_text(const Json *body, const char *name, size_t most, Faults *faults)
{
    const Json *member = body_find(body, name);
    if (member == NULL)
        return STR_NONE;
    if (member->kind == JSON_STRING && member->text.length >= 1 && member->text.length <= most &&
        !str_has_control(member->text))
        return member->text;
    faults_add(faults, ERR_FIELD_INVALID, pointer_of(faults->arena, STR(""), str_of(name)),
               "%s must be a text of 1 to %zu bytes without control characters", name, most);
    return STR_NONE;
}

bool body_instant(const Json *body, const char *name, Instant *instant, Faults *faults)
{
    const Json *member = body_find(body, name);
    if (member == NULL)
        return false;
    if (member->kind == JSON_STRING && instant_parse(member->text, instant))
        return true;
    faults_add(faults, ERR_INVALID_TIMESTAMP, pointer_of(faults->arena, STR(""), str_of(name)),
               "%s must be an RFC 3339 instant with at most six fraction digits", name);
    return false;
}

void body_id(const Json *body, Str id, Faults *faults)
{
    const Json *member = body_find(body, "id");
    if (member != NULL && (member->kind != JSON_STRING || !str_equal(member->text, id)))
        faults_add(faults, ERR_FIELD_INVALID, STR("/id"),
                   "id must be absent or the one in the path");
}

static int by_bytes(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

void texts_sort(Str *texts, size_t count)
{
    if (count > 1)
        qsort(texts, count, sizeof *texts, by_bytes);
}
