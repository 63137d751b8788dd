// One run of UB-1 against a server of its own, and its figures.
#pragma once

#include "base/error.h"
#include "cli/bench_figures.h"

typedef struct BenchOptions {
    uint64_t events;  // of the load phase
    uint32_t batch;
    uint32_t connections;
    uint32_t accounts;         // 1: one hot account
    bool     single;           // one bare object a request
    uint64_t rate;             // open loop, events a second; 0: as fast as answers come
    uint64_t half_events;      // then a phase in open loop at half of the measured rate; 0: none
    uint64_t resend_events;    // then nothing but resends of old ids; 0: none
    uint64_t baseline_events;  // into SQLite before all; 0: no baseline
    uint64_t seed;
    uint32_t check_accounts;
    int      patience_s;  // a request unanswered for this long voids the run
    int      settle_s;    // how long background work may take
    bool     keep;        // leave the data directory behind
    bool     crash;       // kill -9 at the end, start again, compare again
    bool     quiet;
    Str      parent;  // folder in which the temporary data directory is made
} BenchOptions;

// Refuses when the run is void; the figures are filled as far as it came. They live with the arena.
Err *bench_ingest_run(Arena *arena, const BenchOptions *options, Figures *figures) MUST_CHECK;
