// The server under test: the same binary as a child process on a data directory of its own and a
// free loopback port, and the calls that prepare and question it. It ends with the bench, whatever
// happens.
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"

typedef struct Target {
    Arena  *arena;   // of the whole run
    Str     folder;  // data directory
    Str     log;     // file that takes the server's stderr and stdout
    Str     key;     // API key with every scope
    int     port;
    pid_t   pid;  // 0: not running
    void   *curl;
    int64_t ready_us;  // from start to the first 200 of /readyz, of the last start
} Target;

// `toll init` on the folder, which must not hold a Toll yet.
Err *target_open(Arena *arena, Str folder, Target *target) MUST_CHECK;
// `toll serve`; returns once /readyz says 200. Refuses with NOT_READY after wait_s seconds, or when
// the process ended.
Err *target_start(Target *target, int wait_s) MUST_CHECK;
Err *target_stop(Target *target)
    MUST_CHECK;                     // SIGTERM; INTERNAL when it does not end well within a minute
void target_kill(Target *target);   // SIGKILL; nothing when it is not running
void target_close(Target *target);  // kills what still runs

// The last lines that the server logged, for the report of a run that failed. May be empty.
Str target_log_end(Target *target);

// One call with the key. `answer` is the body; any status but the wanted one is a refusal that
// quotes it.
Err *target_get(Target *target, Arena *arena, Str path, Str *answer) MUST_CHECK;
Err *target_get_json(Target *target, Arena *arena, Str path, const Json **answer) MUST_CHECK;
Err *target_put(Target *target, Arena *arena, Str path, Str body) MUST_CHECK;

