// What starts runs by itself: looks whether anything is due in a project that bills automatically,
// and asks for a run of it. Cheap when nothing is. Of two schedulers on the same books one gets the
// slot, the other finds a run that has not ended; so any number may look, as often as they like.
#pragma once

#include "flow/run/run.h"

typedef struct ScheduleLook {
    Db       *books;
    Catalog  *catalog;
    ProjectId project;
    Instant   real;  // what time it is outside; a test project has a clock of its own
} ScheduleLook;

// *started: a run was asked for; wake the worker.
Err *schedule_look(Arena *arena, const ScheduleLook *look, bool *started) MUST_CHECK;

// When an account that failed `tries` times is looked at again: after a minute, two, four, at most
// six hours.
Instant schedule_again(Instant failed_at, int64_t tries);
