// Where a read puts what it finds: cells and events, sorted out by window and by group, those that
// the query does not want left out.
#pragma once

#include "flow/aggregate/cell.h"
#include "flow/aggregate/usage.h"

typedef struct Gather Gather;

// PARAMETER_INVALID when the query filters or groups by what is no dimension of the meter.
Err *gather_open(Arena *arena, const UsageQuery *query, const Meter *meter,
                 Gather **gather) MUST_CHECK;
void gather_close(Gather *gather);

// Does the query want events with these dimension values (as cell_dimensions writes them)?
bool gather_wants(Gather *gather, Str dimensions);

// A cell that lies wholly in the window that holds `start`, and that gather_wants.
void gather_cell(Gather *gather, Instant start, Str dimensions, const Cell *cell);

// An event: counted when the meter and the query want it and a window holds it. `only`: NULL, or
// the dimension values it must have.
void gather_event(Gather *gather, const Event *event, uint64_t sequence, const Str *only);

// From now on events are not gathered but handed on.
void gather_hand_on(Gather *gather, UsageTake take);

// AMOUNT_TOO_LARGE when a sum is beyond what can be kept exactly.
Err *gather_finish(Gather *gather, UsageAnswer *answers) MUST_CHECK;
