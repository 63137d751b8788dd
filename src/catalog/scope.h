// What a key may do. The rows are in tbl/scopes.def; `toll print scopes` and the OpenAPI come from
// there.
#pragma once

#include "base/text.h"

typedef enum Scope {
#define SCOPE(name, text, doc) SCOPE_##name,
#include "tbl/scopes.def"
#undef SCOPE
    SCOPE_COUNT
} Scope;

typedef struct ScopeSet {
    uint32_t bits;  // 1 << scope
} ScopeSet;

#define SCOPES_ALL ((ScopeSet){ (UINT32_C(1) << SCOPE_COUNT) - 1 })

const char *scope_name(Scope scope);  // "usage:write"
const char *scope_doc(Scope scope);
bool        scope_find(Str name, Scope *scope);

static inline bool scope_held(ScopeSet set, Scope scope)
{
    return (set.bits >> scope & 1) != 0;
}

// "bills:read catalog:read …", in the order of the rows, and back (false: an unknown word).
Str  scopes_print(Arena *arena, ScopeSet set);
bool scopes_parse(Str text, ScopeSet *set);
