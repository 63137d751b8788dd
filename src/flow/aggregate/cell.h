// A cell: what one meter counted for one account, one tuple of dimension values and one hour (or
// UTC day). Cells add up: two of the same key make one, in any order, with the same result.
#pragma once

#include "catalog/meter.h"
#include "flow/ingest/event.h"

// What a cell holds of its events. Which of value and tie are used depends on the aggregation,
// which is what the meter's cells keep (meter_kept): never timeWeighted or percentile.
typedef struct Cell {
    uint64_t events;         // all of them, counted and ignored
    uint64_t ignored;        // the property was absent, empty or (where one is needed) no decimal
    uint64_t last_sequence;  // highest of its events
    Digest   digest;         // sum of its events' digests
    bool     overflow;       // the sum is beyond what can be kept exactly: reads refuse
    Decimal  value;          // sum (sum, average), minimum, maximum, latest
    Instant  latest_ts;      // latest: the (ts, unique_id) of `value`; the greatest wins
    Str      latest_id;
} Cell;

// What one event brings to a meter.
typedef struct Measure {
    bool     counts;      // false: ignored
    bool     removes;     // uniqueCount: takes its text away
    Decimal  value;
    Instant  ts;
    Str      unique_id;
    uint64_t sequence;
    Digest   digest;
} Measure;

void cell_add(Cell *cell, Aggregation aggregation, const Measure *measure);
void cell_merge(Cell *cell, Aggregation aggregation, const Cell *more);

void cell_write(const Cell *cell, Aggregation aggregation, Text *value);
bool cell_read(Str value, Cell *cell, Aggregation *aggregation);  // borrows; false: damaged

// Dimension values of an event under a meter, as stored in keys: for each dimension in order, a
// byte 0 when the property is absent, else 1 and the counted text.
void cell_dimensions(const Meter *meter, Str properties, Text *dimensions);

// Do canonical properties have what the filter wants?
bool cell_filter_holds(const Filter *filter, Str properties);

// Does the meter count this event, and with what? False: filtered out, nothing is counted.
bool measure_of(const Meter *meter, const Event *event, Measure *measure);

// The text that a uniqueCount counts, of an event that counts: borrowed from the event, or a value
// printed into the arena.
Str measure_text(const Meter *meter, const Event *event, Arena *arena);
