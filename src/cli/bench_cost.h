// What a process costs: CPU by thread name, memory, and the disk under its data directory, read
// from /proc and the file system.
#pragma once

#include <sys/types.h>

#include "base/text.h"

enum { COST_STAGES_MAX = 64, COST_NAME_BYTES = 32 };

// All threads of one name together: "http", "sequencer", "rocksdb:low", ...; trailing numbers of a
// name ("http-3") are cut.
typedef struct CostStage {
    char    name[COST_NAME_BYTES];
    int     threads;
    int64_t cpu_ns;
} CostStage;

typedef struct Cost {
    int64_t   at_us;               // clock_tick_us of the reading
    int64_t   user_us, system_us;  // of the whole process, threads that ended included
    CostStage stages[COST_STAGES_MAX];
    size_t    stage_count;
} Cost;

bool cost_read(pid_t pid, Cost *cost);  // false when there is no such process

// What was used between two readings, stages in descending order.
Cost cost_between(const Cost *before, const Cost *after);

typedef struct CostMemory {
    int64_t resident_bytes, peak_bytes, anonymous_bytes;
} CostMemory;

bool cost_memory(pid_t pid, CostMemory *memory);

// Disk blocks in use under a data directory, by what they hold.
typedef struct CostDisk {
    int64_t journal_bytes, store_bytes, books_bytes, other_bytes;
} CostDisk;

CostDisk cost_disk(Str folder);

// Waits until the process has been idle (below 2 % of a core) for half a second. Answers the moment
// from which it was idle (clock_tick_us), or 0 when that did not happen within wait_s.
int64_t cost_settle(pid_t pid, int wait_s);
