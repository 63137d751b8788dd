// A tenant's project: the border of everything. Ids of projects are unique in an installation, so
// usage carries the project alone; every key and statement of the books carries tenant and project.
#pragma once

#include "base/error.h"
#include "time/instant.h"

typedef struct ProjectId {
    Str tenant;
    Str id;
} ProjectId;

typedef enum UnknownAccounts { ACCOUNTS_CREATE, ACCOUNTS_REJECT } UnknownAccounts;
const char *unknown_accounts_name(UnknownAccounts rule);  // "create"
bool        unknown_accounts_find(Str name, UnknownAccounts *rule);

typedef struct Project {
    ProjectId       id;
    Str             name;
    Str             time_zone;         // IANA name; "UTC" where nothing else was said
    UnknownAccounts unknown_accounts;  // what usage of an unknown account does
    int64_t         horizon_us;        // events older than this are refused; 0: any age
    int64_t         version;
} Project;
