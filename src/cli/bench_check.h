// What the server says it counted against what the oracle counted: every meter of the whole
// project, a sample of accounts in every meter, and the outcomes. Equal to the last digit or the
// run is void.
#pragma once

#include "cli/bench_target.h"
#include "cli/bench_workload.h"

typedef struct Check {
    const Workload       *workload;
    const WorkloadTotals *totals;
    uint32_t              accounts;    // how many: half of them the most frequent, half at random
    uint64_t              duplicates;  // that the outcomes must show; UINT64_MAX: do not look
    int64_t               started_us;  // clock_now_us before the first event
    uint64_t              reads;       // out: how many reads were compared
    int64_t               reads_us;    // out: how long they took together
} Check;

// Declares the meters of the workload.
Err *check_declare(Target *target) MUST_CHECK;

// Refuses with INTERNAL and the number of differences; the first twenty go to stderr.
Err *check_run(Target *target, Check *check) MUST_CHECK;
