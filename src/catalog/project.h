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

// A test project has a clock of its own: from when it is first set it stands, until it is advanced.
typedef enum ProjectMode { PROJECT_LIVE, PROJECT_TEST } ProjectMode;
const char *project_mode_name(ProjectMode mode);  // "live"
bool        project_mode_find(Str name, ProjectMode *mode);

typedef struct Project {
    ProjectId       id;
    Str             name;
    Str             time_zone;         // IANA name; "UTC" where nothing else was said
    UnknownAccounts unknown_accounts;  // what usage of an unknown account does
    int64_t         horizon_us;        // events older than this are refused; 0: any age
    int64_t         version;
    ProjectMode     mode;
    bool            has_clock;  // of a test project: it was set
    Instant         clock;      // where it stands
} Project;

// What time it is for the project's business; `real` for everybody else.
static inline Instant project_now(const Project *project, Instant real)
{
    return project->has_clock ? project->clock : real;
}
