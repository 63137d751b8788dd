// The partition's own numbers for names: a name gets the next number at its first accepted use, in
// journal order, so a replay gives the same numbers. Numbers never leave the partition.
// Any thread may look up; one thread (the sequencer, or a replay) assigns.
#pragma once

#include "base/text.h"

typedef enum NameKind { NAME_PROJECT, NAME_EVENT, NAME_ACCOUNT, NAME_KINDS } NameKind;

#define NAME_NONE UINT32_MAX

typedef struct Names Names;

Names *names_open(void);
void   names_close(Names *names);

// Events and accounts belong to a project (its number); for projects the parent is 0.
uint32_t names_find(Names *names, NameKind kind, uint32_t parent, Str name);  // NAME_NONE: unknown
uint32_t names_add(Names *names, NameKind kind, uint32_t parent, Str name);   // must be unknown
// Borrowed for as long as the names live. The number must be known.
Str      names_text(Names *names, NameKind kind, uint32_t number, uint32_t *parent);
uint32_t names_count(Names *names, NameKind kind);

typedef struct NameList {
    Arena     *arena;  // for a moment's memory
    const Str *at;
    size_t     count;
} NameList;

// Many look-ups under one lock.
void     names_hold(Names *names);
uint32_t names_find_held(Names *names, NameKind kind, uint32_t parent, Str name);
// numbers[i] of names[i] under one parent; NAME_NONE for an unknown or an empty one.
void     names_find_many_held(Names *names, NameKind kind, uint32_t parent, const NameList *list,
                              uint32_t *numbers);
void     names_let_go(Names *names);
