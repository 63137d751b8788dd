// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/names.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/thread.h"

enum { PARENT_BYTES = 4, KEY_MAX = PARENT_BYTES + 256 };

struct Names {
    pthread_rwlock_t lock;
    Map             *maps[NAME_KINDS];  // parent (4 bytes) + name -> number, which is its index
};

Names *names_open(void)
{
    Names *names = memory_take(sizeof(Names));
    assert_that(pthread_rwlock_init(&names->lock, NULL) == 0);
    for (int kind = 0; kind < NAME_KINDS; kind++)
        names->maps[kind] = map_open();
    return names;
}

void names_close(Names *names)
{
    if (names == NULL)
        return;
    for (int kind = 0; kind < NAME_KINDS; kind++)
        map_close(names->maps[kind]);
    pthread_rwlock_destroy(&names->lock);
    memory_release(names);
}

static Str key_of(char key[KEY_MAX], uint32_t parent, Str name)
{
    assert_that(name.length <= KEY_MAX - PARENT_BYTES);
    bytes_put_u32_be(key, parent);
    memcpy(key + PARENT_BYTES, name.at, name.length);
    return (Str){ key, PARENT_BYTES + name.length };
}

void names_hold(Names *names)
{
    assert_that(pthread_rwlock_rdlock(&names->lock) == 0);
}

void names_let_go(Names *names)
{
    assert_that(pthread_rwlock_unlock(&names->lock) == 0);
}

uint32_t names_find_held(Names *names, NameKind kind, uint32_t parent, Str name)
{
    char     key[KEY_MAX];
    uint64_t number;
    if (name.length == 0 || name.length > KEY_MAX - PARENT_BYTES)
        return NAME_NONE;
    return map_find(names->maps[kind], key_of(key, parent, name), &number) ? (uint32_t)number
                                                                           : NAME_NONE;
}

void names_find_many_held(Names *names, NameKind kind, uint32_t parent, const NameList *list,
                          uint32_t *numbers)
{
    Str      *keys = arena_array(list->arena, Str, list->count);
    uint64_t *values = arena_array(list->arena, uint64_t, list->count);
    size_t    bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        bytes += PARENT_BYTES + list->at[i].length;
    char *at = arena_take(list->arena, bytes);
    for (size_t i = 0; i < list->count; i++) {
        keys[i] = (Str){ at, PARENT_BYTES + list->at[i].length };
        bytes_put_u32_be(at, parent);
        if (list->at[i].length > 0)
            memcpy(at + PARENT_BYTES, list->at[i].at, list->at[i].length);
        at += keys[i].length;
    }
    map_find_many(names->maps[kind], keys, list->count, values);
    for (size_t i = 0; i < list->count; i++)
        numbers[i] = values[i] == MAP_NONE ? NAME_NONE : (uint32_t)values[i];
}

uint32_t names_find(Names *names, NameKind kind, uint32_t parent, Str name)
{
    names_hold(names);
    uint32_t number = names_find_held(names, kind, parent, name);
    names_let_go(names);
    return number;
}

uint32_t names_add(Names *names, NameKind kind, uint32_t parent, Str name)
{
    char key[KEY_MAX];
    assert_that(pthread_rwlock_wrlock(&names->lock) == 0);
    uint32_t number = (uint32_t)map_count(names->maps[kind]);
    assert_that(number < NAME_NONE);
    map_set(names->maps[kind], key_of(key, parent, name), number);
    assert_that(map_count(names->maps[kind]) == (size_t)number + 1);
    names_let_go(names);
    return number;
}

Str names_text(Names *names, NameKind kind, uint32_t number, uint32_t *parent)
{
    names_hold(names);
    Str key = map_key(names->maps[kind], number);
    names_let_go(names);
    if (parent != NULL)
        *parent = bytes_u32_be(key.at);
    return (Str){ key.at + PARENT_BYTES, key.length - PARENT_BYTES };
}

uint32_t names_count(Names *names, NameKind kind)
{
    names_hold(names);
    uint32_t count = (uint32_t)map_count(names->maps[kind]);
    names_let_go(names);
    return count;
}
