// The thread that does operations, one after the other, oldest first. What a stop or a crash
// interrupts is taken again by the next worker, from what the kind has stored. Of several servers
// each takes the kinds that it was given: those that need usage only where the usage is.
#pragma once

#include <stdatomic.h>

#include "operation/operation.h"

typedef struct Worker Worker;

// What a kind's run is given.
typedef struct OperationRun {
    Db                *db;
    const Operation   *operation;
    const atomic_bool *stopping;  // give up soon and refuse NOT_READY; ask often
} OperationRun;

// NULL: done, all of it stored. NOT_READY because of `stopping`, or OPERATION_CANCELED from
// operation_advance: it is left as it is. Any other refusal: it has failed.
typedef struct OperationKind {
    const char *name;
    Err *(*run)(void *context, Arena *arena, const OperationRun *run);
    void *context;
} OperationKind;

typedef struct WorkerOptions {
    Db                  *db;
    const OperationKind *kinds;
    size_t               kind_count;
    Str holder;  // the server's place: what was done from there before is free again. STR_NONE: no
                 // other process has the books open
} WorkerOptions;

Err *worker_open(Arena *arena, const WorkerOptions *options, Worker **worker) MUST_CHECK;
void worker_wake(Worker *worker);   // something was queued
void worker_close(Worker *worker);  // stops what runs; NULL is allowed
