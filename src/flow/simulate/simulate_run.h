// A simulation as an operation: two threads over chunks of the roster, each stored when it is done;
// then the sum of all. What is stored is not done again, so a run that was interrupted ends with
// the same bytes as one that was not.
#pragma once

#include "flow/simulate/simulation.h"
#include "operation/worker.h"

enum { SIMULATE_THREADS = 2 };

typedef struct SimulateParts {
    Catalog   *catalog;
    Partition *partition;
} SimulateParts;

// The kind of operation; `parts` must live as long as the worker.
OperationKind simulate_kind(SimulateParts *parts);
