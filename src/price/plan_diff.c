// SPDX-License-Identifier: Apache-2.0
// Two trees walked side by side. Recursion is as deep as the JSON, which the parser bounds.
#include "price/plan_diff.h"

#include "price/patch.h"
#include "price/place.h"

static bool is_same(Arena *arena, const Json *before, const Json *after)
{
    return str_equal(json_canonical(arena, before, STR_NONE),
                     json_canonical(arena, after, STR_NONE));
}

static void change_add(JsonOut *out, Str pointer, const Json *before, const Json *after)
{
    json_object(out);
    json_string_member(out, "pointer", pointer);
    if (before != NULL) {
        json_name(out, STR("before"));
        json_value(out, before);
    }
    if (after != NULL) {
        json_name(out, STR("after"));
        json_value(out, after);
    }
    json_object_end(out);
}

static void walk(Arena *arena, JsonOut *out, Str pointer, const Json *before, const Json *after);

static void members_walk(Arena *arena, JsonOut *out, Str base, const Json *before,
                         const Json *after)
{
    for (const Json *old = before->first; old != NULL; old = old->next)
        walk(arena, out, place_pointer(arena, base, old->name), old, json_find(after, old->name));
    for (const Json *added = after->first; added != NULL; added = added->next)
        if (json_find(before, added->name) == NULL)
            change_add(out, place_pointer(arena, base, added->name), NULL, added);
}

static void elements_walk(Arena *arena, JsonOut *out, Str base, const Json *before,
                          const Json *after)
{
    const Json *old = before->first, *new = after->first;
    for (size_t i = 0; old != NULL || new != NULL; i++) {
        walk(arena, out, place_pointer(arena, base, str_print(arena, "%zu", i)), old, new);
        old = old == NULL ? NULL : old->next;
        new = new == NULL ? NULL : new->next;
    }
}

static void walk(Arena *arena, JsonOut *out, Str pointer, const Json *before, const Json *after)
{
    if (before == NULL || after == NULL || before->kind != after->kind)
        change_add(out, pointer, before, after);
    else if (before->kind == JSON_OBJECT)
        members_walk(arena, out, pointer, before, after);
    else if (before->kind == JSON_ARRAY)
        elements_walk(arena, out, pointer, before, after);
    else if (!is_same(arena, before, after))
        change_add(out, pointer, before, after);
}

// ---- lists by id

static Str id_of(const Json *element)
{
    const Json *id = json_find(element, STR("id"));
    return id == NULL ? STR_NONE : id->text;
}

static const Json *first_of(const Json *list)
{
    return list == NULL ? NULL : list->first;
}

static const Json *element_find(const Json *list, Str id)
{
    const Json *element = first_of(list);
    while (element != NULL && !str_equal(id_of(element), id))
        element = element->next;
    return element;
}

// The ids of `from` that are not in `others`.
static void only_in(JsonOut *out, const char *name, const Json *from, const Json *others)
{
    json_name(out, str_of(name));
    json_array(out);
    for (const Json *element = first_of(from); element != NULL; element = element->next)
        if (element_find(others, id_of(element)) == NULL)
            json_string(out, id_of(element));
    json_array_end(out);
}

static void summary_add(Arena *arena, JsonOut *out, const char *list, const Json *before,
                        const Json *after)
{
    json_name(out, str_of(list));
    json_object(out);
    only_in(out, "added", after, before);
    only_in(out, "removed", before, after);
    json_name(out, STR("changed"));
    json_array(out);
    for (const Json *old = first_of(before); old != NULL; old = old->next) {
        const Json *now = element_find(after, id_of(old));
        if (now != NULL && !is_same(arena, old, now))
            json_string(out, id_of(old));
    }
    json_array_end(out);
    json_object_end(out);
}

static void list_walk(Arena *arena, JsonOut *out, const char *list, const Json *before,
                      const Json *after)
{
    Str base = place_pointer(arena, STR(""), str_of(list));
    for (const Json *old = first_of(before); old != NULL; old = old->next)
        walk(arena, out, place_pointer(arena, base, id_of(old)), old,
             element_find(after, id_of(old)));
    for (const Json *added = first_of(after); added != NULL; added = added->next)
        if (element_find(before, id_of(added)) == NULL)
            change_add(out, place_pointer(arena, base, id_of(added)), NULL, added);
}

// ---- the document

static const char *const lists[] = { "charges", "discounts" };
enum { LISTS = sizeof lists / sizeof *lists };

static bool is_list(Str name)
{
    return str_equal(name, str_of(lists[0])) || str_equal(name, str_of(lists[1]));
}

static void others_walk(Arena *arena, JsonOut *out, const Json *before, const Json *after)
{
    for (const Json *old = before->first; old != NULL; old = old->next)
        if (!is_list(old->name))
            walk(arena, out, place_pointer(arena, STR(""), old->name), old,
                 json_find(after, old->name));
    for (const Json *added = after->first; added != NULL; added = added->next)
        if (!is_list(added->name) && json_find(before, added->name) == NULL)
            change_add(out, place_pointer(arena, STR(""), added->name), NULL, added);
}

void plan_diff_to_json(Arena *arena, const Json *before, const Json *after, JsonOut *out)
{
    json_object(out);
    for (size_t i = 0; i < LISTS; i++)
        summary_add(arena, out, lists[i], json_find(before, str_of(lists[i])),
                    json_find(after, str_of(lists[i])));
    json_name(out, STR("changes"));
    json_array(out);
    others_walk(arena, out, before, after);
    for (size_t i = 0; i < LISTS; i++)
        list_walk(arena, out, lists[i], json_find(before, str_of(lists[i])),
                  json_find(after, str_of(lists[i])));
    json_array_end(out);
    json_object_end(out);
}
