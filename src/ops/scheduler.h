// Looks each second, in every project, whether a run is to be started (flow/run/schedule.h).
#pragma once

#include "catalog/catalog.h"
#include "operation/worker.h"

typedef struct Scheduler Scheduler;

// `worker` is woken when a run was asked for.
Scheduler *scheduler_open(Db *books, Catalog *catalog, Worker *worker);
void       scheduler_close(Scheduler *scheduler);  // before the worker; NULL is allowed
