// A meter: what is measured of an event stream. Every meter whose `event` is the event's name
// counts it.
#pragma once

#include "base/json.h"
#include "money/decimal.h"
#include "price/filter.h"
#include "time/window.h"

typedef enum Aggregation {
    AGGREGATE_SUM,
    AGGREGATE_COUNT,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_AVERAGE,
    AGGREGATE_LATEST,
    AGGREGATE_UNIQUE_COUNT,
    AGGREGATE_TIME_WEIGHTED,
    AGGREGATE_PERCENTILE,
    AGGREGATION_COUNT
} Aggregation;
extern const char *const aggregation_names[];           // ends with NULL
const char *aggregation_name(Aggregation aggregation);  // "uniqueCount", as on the wire
bool        aggregation_find(Str name, Aggregation *aggregation);

// What a gauge's events say: the new level, or by how much it changes.
typedef enum MeterInput { INPUT_LEVEL, INPUT_CHANGE, METER_INPUT_COUNT } MeterInput;
extern const char *const meter_input_names[];  // ends with NULL

// What level x time is divided by: one of the unit's length, or the length of the window.
typedef enum MeterPer { PER_SECOND, PER_HOUR, PER_DAY, PER_PERIOD, METER_PER_COUNT } MeterPer;
extern const char *const meter_per_names[];  // ends with NULL

// The units of `window`, in the order of WindowUnit, and how its windows become one.
extern const char *const meter_window_units[];         // ends with NULL
extern const char *const meter_window_aggregations[];  // ends with NULL

// A meter takes what a charge's filter would, of any property.
typedef ChargeTerm   FilterTerm;
typedef ChargeFilter Filter;

enum {
    METER_DIMENSIONS_MAX = 16,
    METER_FILTER_TERMS_MAX = 16,
    METER_FILTER_VALUES_MAX = 100,
    METER_EXCLUDES_MAX = 16
};

typedef struct Meter {
    Str         id;     // caller's, [A-Za-z0-9][A-Za-z0-9._:-]{0,127}
    Str         event;  // name of the stream
    Aggregation aggregation;
    Str    property;  // what is aggregated: "value" is the measurement's own, else a property's key
    Filter filter;    // events that do not match are not counted
    Filter *excludes;  // an event that matches one of them is not counted either
    size_t  exclude_count;
    Decimal     percentile;  // of AGGREGATE_PERCENTILE, here or in `window`: more than 0, up to 100
    MeterInput  input;       // timeWeighted
    MeterPer    per;         // timeWeighted
    bool        carries;     // sum, uniqueCount: events before the window count on ("carryOver")
    Str         operation_property;  // uniqueCount: says "add" or "remove"; STR_NONE: all add
    bool        has_window;          // aggregate in each local window, then over the windows
    WindowUnit  window_unit;
    Aggregation window_aggregation;
    Str    *dimensions;  // property keys kept apart in the cells, ascending
    size_t  dimension_count;
    Str     unit;     // free text for people, may be STR_NONE
    int64_t version;  // of the row, for ETag; 0 before it is stored
} Meter;

// What the cells of a meter keep of its events, from which the value is made or a range is opened:
// a level is the latest, changes are a sum; of a percentile only events are counted.
static inline Aggregation meter_kept(const Meter *meter)
{
    if (meter->aggregation == AGGREGATE_TIME_WEIGHTED)
        return meter->input == INPUT_LEVEL ? AGGREGATE_LATEST : AGGREGATE_SUM;
    return meter->aggregation == AGGREGATE_PERCENTILE ? AGGREGATE_COUNT : meter->aggregation;
}

// Is the value made of the events themselves, in order of (ts, unique id)? Else cells are enough.
bool meter_needs_events(const Meter *meter);

// Do events before a window matter to its value?
bool meter_looks_back(const Meter *meter);

// Is the value the sum of what the window's events brought, 1 each when they are counted, so that
// each can be priced by itself?
bool meter_sums_events(const Meter *meter);

// From the body of PUT /v1/meters/{id} (members as in the wire contract; `id` absent or equal; an
// id of STR_NONE: the body's own), with every fault collected. The meter lives in faults->arena;
// its texts may point into the body. To the same JSON, members in a fixed order, so that equal
// meters are equal text; of `percentile`, `input`, `per`, `carryOver`, `operationProperty` and
// `window` only those that the meter has.
Meter *meter_from_json(const Json *body, Str id, Faults *faults);
void   meter_to_json(const Meter *meter, JsonOut *out);
