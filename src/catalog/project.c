// SPDX-License-Identifier: Apache-2.0
#include "catalog/project.h"

static const char *const rules[] = { "create", "reject" };
static const char *const modes[] = { "live", "test" };

// *place: which of the two names it is.
static bool name_find(const char *const names[2], Str name, int *place)
{
    *place = str_equal(name, str_of(names[1]));
    return *place == 1 || str_equal(name, str_of(names[0]));
}

const char *unknown_accounts_name(UnknownAccounts rule)
{
    return rules[rule];
}

bool unknown_accounts_find(Str name, UnknownAccounts *rule)
{
    int  place;
    bool is_found = name_find(rules, name, &place);
    if (is_found)
        *rule = (UnknownAccounts)place;
    return is_found;
}

const char *project_mode_name(ProjectMode mode)
{
    return modes[mode];
}

bool project_mode_find(Str name, ProjectMode *mode)
{
    int  place;
    bool is_found = name_find(modes, name, &place);
    if (is_found)
        *mode = (ProjectMode)place;
    return is_found;
}
