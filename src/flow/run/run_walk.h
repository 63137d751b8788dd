// Runs as an operation: threads over pages of accounts. Each takes some, rates them and writes an
// invoice of each together; there are more threads than cores, because some wait for the writer of
// the books.
#pragma once

#include "flow/run/run.h"
#include "operation/worker.h"

// A page ends with all threads waiting for the last of them, a transaction with a sync of the disk.
enum { RUN_THREADS = 4, RUN_TOGETHER = 128, RUN_PAGE_ACCOUNTS = 4000 };

typedef struct RunParts {
    Catalog   *catalog;
    Partition *partition;
} RunParts;

// The kinds of operation; `parts` must live as long as the worker. Of runs that read usage, and of
// those that do not: parts->partition may be NULL then.
OperationKind run_kind(RunParts *parts);
OperationKind run_book_kind(RunParts *parts);
