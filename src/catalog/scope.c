// SPDX-License-Identifier: Apache-2.0
#include "catalog/scope.h"

#include "base/assert.h"

static const struct {
    const char *text, *doc;
} rows[SCOPE_COUNT] = {
#define SCOPE(name, text, doc) { text, doc },
#include "tbl/scopes.def"
#undef SCOPE
};

_Static_assert(SCOPE_COUNT <= 31, "a set of scopes is 32 bits");

const char *scope_name(Scope scope)
{
    assert_that(scope < SCOPE_COUNT);
    return rows[scope].text;
}

const char *scope_doc(Scope scope)
{
    assert_that(scope < SCOPE_COUNT);
    return rows[scope].doc;
}

bool scope_find(Str name, Scope *scope)
{
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        if (str_equal(name, str_of(rows[i].text))) {
            *scope = (Scope)i;
            return true;
        }
    return false;
}

Str scopes_print(Arena *arena, ScopeSet set)
{
    Text text = text_open(arena);
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        if (scope_held(set, (Scope)i))
            text_print(&text, "%s%s", text.length == 0 ? "" : " ", rows[i].text);
    return text.length == 0 ? STR("") : text_str(&text);
}

bool scopes_parse(Str text, ScopeSet *set)
{
    ScopeSet found = { 0 };
    while (text.length > 0) {
        Scope scope;
        if (!scope_find(str_cut(&text, ' '), &scope))
            return false;
        found.bits |= UINT32_C(1) << scope;
    }
    *set = found;
    return true;
}
