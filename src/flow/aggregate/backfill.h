// The earlier events of a meter that came late, as cells: what its own range in the store holds.
#pragma once

#include "flow/aggregate/cell_rows.h"
#include "flow/aggregate/partition_inside.h"

// Gives the rows, in ascending order of suffix, of all sealed events before the activation.
// NOT_READY when the partition is being closed.
Err *backfill_rows(Partition *partition, Arena *arena, const Activation *activation,
                   CellRowTake *take, void *context) MUST_CHECK;
