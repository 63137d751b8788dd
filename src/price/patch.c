// SPDX-License-Identifier: Apache-2.0
// Merge patches of plan documents. Recursion is as deep as the JSON, which the parser bounds.
#include "price/patch.h"

#include <stdlib.h>

#include "base/assert.h"
#include "price/place.h"

enum { DEPTH_MAX = 64 };

// ---- building a tree: nodes are copied, what hangs below them is shared

static Json *node(Arena *arena, const Json *from, Str name)
{
    Json *copy = arena_copy(arena, from, sizeof *from);
    copy->name = name;
    copy->next = NULL;
    return copy;
}

static Json *parent(Arena *arena, JsonKind kind, Str name)
{
    Json *made = arena_new(arena, Json);
    made->kind = kind;
    made->name = name;
    return made;
}

// Where the next child goes.
typedef struct Tail {
    Json  *parent;
    Json **end;
} Tail;

static Tail tail_of(Json *made)
{
    return (Tail){ made, &made->first };
}

static void tail_add(Tail *tail, Json *child)
{
    *tail->end = child;
    tail->end = &child->next;
    tail->parent->count++;
}

// ---- RFC 7396

static Json *merged(Arena *arena, const Json *target, const Json *patch, int depth)
{
    assert_that(depth < DEPTH_MAX);
    if (patch->kind != JSON_OBJECT)
        return node(arena, patch, patch->name);
    Json *made = parent(arena, JSON_OBJECT, patch->name);
    Tail  tail = tail_of(made);
    bool  is_object = target != NULL && target->kind == JSON_OBJECT;
    for (const Json *old = is_object ? target->first : NULL; old != NULL; old = old->next) {
        const Json *change = json_find(patch, old->name);
        if (change == NULL)
            tail_add(&tail, node(arena, old, old->name));
        else if (change->kind != JSON_NULL)
            tail_add(&tail, merged(arena, old, change, depth + 1));
    }
    for (const Json *change = patch->first; change != NULL; change = change->next)
        if (change->kind != JSON_NULL && (!is_object || json_find(target, change->name) == NULL))
            tail_add(&tail, merged(arena, NULL, change, depth + 1));
    return made;
}

// ---- lists by id

static Str id_of(const Json *element)
{
    const Json *id = json_find(element, STR("id"));
    return id != NULL && id->kind == JSON_STRING ? id->text : STR_NONE;
}

static const Json *element_find(const Json *list, Str id)
{
    for (const Json *element = list->first; element != NULL; element = element->next)
        if (str_equal(id_of(element), id))
            return element;
    return NULL;
}

static bool entry_check(Place entry, const Json *change)
{
    Str id = id_of(change);
    if (change->kind == JSON_NULL)
        return true;
    if (change->kind != JSON_OBJECT) {
        faults_add(entry.faults, ERR_FIELD_INVALID, entry.pointer, "%.*s must be an object or null",
                   STR_ARG(change->name));
        return false;
    }
    if (json_find(change, STR("id")) == NULL || str_equal(id, change->name))
        return true;
    place_fault(place_member(entry, "id"), ERR_FIELD_INVALID, "id must be %.*s or absent",
                STR_ARG(change->name));
    return false;
}

static bool list_check(Place list)
{
    size_t before = list.faults->count;
    if (!place_object(list))
        return false;
    for (const Json *change = list.json->first; change != NULL; change = change->next)
        entry_check(place_named(list, change->name), change);
    return list.faults->count == before;
}

// A new element, with its id in front.
static Json *element_new(Arena *arena, const Json *change)
{
    Json *made = parent(arena, JSON_OBJECT, STR_NONE);
    Tail  tail = tail_of(made);
    Json *id = parent(arena, JSON_STRING, STR("id"));
    id->text = change->name;
    tail_add(&tail, id);
    const Json *whole = merged(arena, NULL, change, 0);
    for (const Json *member = whole->first; member != NULL; member = member->next)
        if (!str_equal(member->name, STR("id")))
            tail_add(&tail, node(arena, member, member->name));
    return made;
}

static Json *list_merged(Arena *arena, const Json *list, const Json *patch)
{
    Json *made = parent(arena, JSON_ARRAY, patch->name);
    Tail  tail = tail_of(made);
    for (const Json *old = list->first; old != NULL; old = old->next) {
        Str         id = id_of(old);
        const Json *change = id.at == NULL ? NULL : json_find(patch, id);
        if (change == NULL)
            tail_add(&tail, node(arena, old, STR_NONE));
        else if (change->kind != JSON_NULL)
            tail_add(&tail, merged(arena, old, change, 0));
    }
    for (const Json *change = patch->first; change != NULL; change = change->next)
        if (change->kind != JSON_NULL && element_find(list, change->name) == NULL)
            tail_add(&tail, element_new(arena, change));
    return made;
}

// ---- a plan

static bool is_list(Str name)
{
    return str_equal(name, STR("charges")) || str_equal(name, STR("discounts"));
}

static Json *member_patched(Arena *arena, const Json *document, const Json *change)
{
    static const Json none = { .kind = JSON_ARRAY };
    const Json       *old = json_find(document, change->name);
    if (!is_list(change->name))
        return merged(arena, old, change, 0);
    return list_merged(arena, old != NULL && old->kind == JSON_ARRAY ? old : &none, change);
}

static bool patch_check(Place patch)
{
    size_t before = patch.faults->count;
    if (!place_required(patch) || !place_object(patch))
        return false;
    for (const Json *change = patch.json->first; change != NULL; change = change->next)
        if (is_list(change->name) && change->kind != JSON_NULL)
            list_check(place_named(patch, change->name));
    return patch.faults->count == before;
}

const Json *plan_patch(Arena *arena, const Json *document, const Json *patch, Str base,
                       Faults *faults)
{
    if (!patch_check(place_of(faults, patch, base)))
        return NULL;
    Json *made = parent(arena, JSON_OBJECT, document->name);
    Tail  tail = tail_of(made);
    for (const Json *old = document->first; old != NULL; old = old->next) {
        const Json *change = json_find(patch, old->name);
        if (change == NULL)
            tail_add(&tail, node(arena, old, old->name));
        else if (change->kind != JSON_NULL)
            tail_add(&tail, member_patched(arena, document, change));
    }
    for (const Json *change = patch->first; change != NULL; change = change->next)
        if (change->kind != JSON_NULL && json_find(document, change->name) == NULL)
            tail_add(&tail, member_patched(arena, document, change));
    return made;
}

// ---- canonical text

static int members_compare(const void *a, const void *b)
{
    return str_compare((*(const Json *const *)a)->name, (*(const Json *const *)b)->name);
}

static void canonical_add(Arena *arena, JsonOut *out, const Json *json, Str without);

static void members_add(Arena *arena, JsonOut *out, const Json *object, Str without)
{
    const Json **members = arena_array(arena, const Json *, object->count);
    size_t       count = 0;
    for (const Json *member = object->first; member != NULL; member = member->next)
        if (without.at == NULL || !str_equal(member->name, without))
            members[count++] = member;
    if (count > 1)
        qsort(members, count, sizeof *members, members_compare);
    for (size_t i = 0; i < count; i++) {
        json_name(out, members[i]->name);
        canonical_add(arena, out, members[i], STR_NONE);
    }
}

static void canonical_add(Arena *arena, JsonOut *out, const Json *json, Str without)
{
    switch (json->kind) {
    case JSON_OBJECT:
        json_object(out);
        members_add(arena, out, json, without);
        json_object_end(out);
        break;
    case JSON_ARRAY:
        json_array(out);
        for (const Json *element = json->first; element != NULL; element = element->next)
            canonical_add(arena, out, element, STR_NONE);
        json_array_end(out);
        break;
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_NUMBER:
    case JSON_STRING:
        json_value(out, json);
        break;
    }
}

Str json_canonical(Arena *arena, const Json *document, Str without)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    canonical_add(arena, &out, document, without);
    return text_str(&text);
}
