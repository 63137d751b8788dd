// Where a read puts what it finds: cells and events, sorted out by window and by group, those that
// the query does not want left out. A meter that looks back (a gauge, what carries over) also gets
// what lies before and between the windows.
#pragma once

#include "flow/aggregate/cell.h"
#include "flow/aggregate/segments.h"
#include "flow/aggregate/usage.h"

typedef struct Gather Gather;

// PARAMETER_INVALID when the query filters or groups by what is no dimension of the meter.
Err *gather_open(Arena *arena, const UsageQuery *query, const Meter *meter,
                 Gather **gather) MUST_CHECK;
void gather_close(Gather *gather);

// What must be read, and how; before anything is gathered. PARAMETER_INVALID when a meter with
// windows of its own has too many of them in a window of the query.
Err *gather_segments(Gather *gather, Segments *segments) MUST_CHECK;

// Whose cells and events come next. Levels of different accounts are kept apart.
void gather_account(Gather *gather, uint32_t account);

// Does the query want events with these dimension values (as cell_dimensions writes them)?
bool gather_wants(Gather *gather, Str dimensions);

// A cell that lies wholly in the segment that holds `start`, and that gather_wants.
void gather_cell(Gather *gather, Instant start, Str dimensions, const Cell *cell);

// An event: counted when the meter and the query want it, a segment holds it and, where events in
// holes do not count, no hole does. `only`: NULL, or
// the dimension values it must have.
void gather_event(Gather *gather, const Event *event, uint64_t sequence, const Str *only);

// Events are not gathered but handed on: those of the windows alone. Before gather_segments.
void gather_hand_on(Gather *gather, UsageTake take);

// AMOUNT_TOO_LARGE when a sum is beyond what can be kept exactly; PARAMETER_INVALID as above, of
// windows that begin with the first event.
Err *gather_finish(Gather *gather, UsageAnswer *answers) MUST_CHECK;
