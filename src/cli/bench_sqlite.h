// A baseline on the same machine in the same run: the same slots put into a SQLite table with a
// unique (project, id), WAL, synchronous=FULL, `batch` rows a transaction. It is spared HTTP, JSON
// and any counting, so the ratio flatters SQLite.
#pragma once

#include "base/error.h"
#include "cli/bench_workload.h"

typedef struct SqliteBaseline {
    const Workload *workload;
    Str             folder;  // where its file is made; removed at the end
    uint64_t        events;
    uint32_t        batch;
    int64_t         elapsed_us;  // out
    int64_t         cpu_us;      // out
    int64_t         disk_bytes;  // out, after a checkpoint
} SqliteBaseline;

// Refuses with INTERNAL when SQLite fails or does not hold exactly the distinct events.
Err *sqlite_baseline_run(Arena *arena, SqliteBaseline *baseline) MUST_CHECK;
