// The load generator: one thread, its own HTTP/1.1 client on epoll, keep-alive, one request in
// flight on each connection, nothing taken from memory for a request. Slots of the workload go out
// in order, `batch` at a time; a 503 is repeated after its Retry-After with the same slots.
#pragma once

#include "base/error.h"
#include "cli/bench_histogram.h"
#include "cli/bench_workload.h"

typedef enum LoadForm {
    LOAD_ARRAYS,   // [event, ...]
    LOAD_OBJECTS,  // one bare object a request; batch is 1
} LoadForm;

typedef enum LoadOrder {
    LOAD_FORWARD,  // slots first_slot, first_slot + 1, ...
    LOAD_RESENDS,  // random slots below first_slot, all sent before
} LoadOrder;

typedef struct LoadOptions {
    const Workload *workload;
    int             port;  // on 127.0.0.1
    Str             key;
    LoadForm        form;
    LoadOrder       order;
    uint64_t        first_slot;
    uint64_t        events;       // a multiple of batch is not needed
    uint32_t        batch;        // 1..10000
    uint32_t        connections;  // 1..10000
    uint64_t        rate;         // events a second in open loop; 0: as fast as answers come
    int64_t         patience_us;  // a request unanswered for this long is a failure
    bool            quiet;        // no progress on stderr
} LoadOptions;

typedef struct LoadResult {
    uint64_t  requests;  // answered with a verdict
    uint64_t  events;    // in them
    uint64_t  accepted, duplicates, conflicts, rejected;
    uint64_t  refused_503;  // answers that asked to come again later
    uint64_t  bytes_sent, bytes_received;
    int64_t   elapsed_us;  // first byte sent to last acknowledgement
    int64_t   cpu_us;      // of the generator
    Histogram latency;  // closed loop: since sent; open loop: since due (no coordinated omission)
} LoadResult;

// Refuses with INTERNAL and the place when a connection breaks, an answer is no verdict, or one is
// missing for longer than the patience. The result is filled in either case with what was counted.
Err *load_run(Arena *arena, const LoadOptions *options, LoadResult *result) MUST_CHECK;
