// SPDX-License-Identifier: Apache-2.0
#include "catalog/project.h"

static const char *const rules[] = { "create", "reject" };

const char *unknown_accounts_name(UnknownAccounts rule)
{
    return rules[rule];
}

bool unknown_accounts_find(Str name, UnknownAccounts *rule)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (str_equal(name, str_of(rules[i]))) {
            *rule = (UnknownAccounts)i;
            return true;
        }
    return false;
}
