// A baseline on the same machine in the same run: the same slots put into a private PostgreSQL as
// inserts of `batch` rows (unnest of arrays), each its own transaction, on conflict do nothing,
// through `clients` psql processes at once. Durable as PostgreSQL is by default (fsync and
// synchronous_commit on); 1 GiB of shared buffers and 4 GiB of WAL, so that no checkpoint falls
// into the run. It is spared HTTP, JSON and any counting, and its SQL text is written before the
// clock starts.
#pragma once

#include "base/error.h"
#include "cli/bench_workload.h"

typedef struct PostgresBaseline {
    const Workload *workload;
    Str             parent;  // where its temporary folder is made; removed at the end
    uint64_t        events;
    uint32_t        batch;
    uint32_t        clients;     // 1..POSTGRES_CLIENTS_MAX
    int64_t         elapsed_us;  // out
    int64_t         disk_bytes;  // out: table and index
} PostgresBaseline;

enum { POSTGRES_CLIENTS_MAX = 32 };

// True when Debian's server package is there.
bool postgres_baseline_is_possible(void);

// Refuses with INTERNAL when a step fails or it does not hold exactly the distinct events. Leaves
// no process behind; the server runs as the user postgres when the caller is root.
Err *postgres_baseline_run(Arena *arena, PostgresBaseline *baseline) MUST_CHECK;
