// Runs as an operation: threads over pages of accounts. Each rates an account and writes its
// invoices, one transaction each; the writer of the books groups what waits into one commit, so
// there are more threads than cores: most of them wait for it.
#pragma once

#include "flow/run/run.h"
#include "operation/worker.h"

enum { RUN_THREADS = 16, RUN_PAGE_ACCOUNTS = 500 };

typedef struct RunParts {
    Catalog   *catalog;
    Partition *partition;
} RunParts;

// The kind of operation; `parts` must live as long as the worker.
OperationKind run_kind(RunParts *parts);
