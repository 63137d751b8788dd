// A meter: what is measured of an event stream. Every meter whose `event` is the event's name
// counts it.
#pragma once

#include "base/json.h"

typedef enum Aggregation {
    AGGREGATE_SUM,
    AGGREGATE_COUNT,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_AVERAGE,
    AGGREGATE_LATEST,
    AGGREGATE_UNIQUE_COUNT,
    AGGREGATION_COUNT
} Aggregation;
extern const char *const aggregation_names[];           // ends with NULL
const char *aggregation_name(Aggregation aggregation);  // "uniqueCount", as on the wire
bool        aggregation_find(Str name, Aggregation *aggregation);

// One condition on a property: it is present, and its text is one of the values.
typedef struct FilterTerm {
    Str    key;
    Str   *values;
    size_t count;
} FilterTerm;

// All terms hold; no terms hold for everything. Terms are in ascending order of key, values too.
typedef struct Filter {
    FilterTerm *terms;
    size_t      count;
} Filter;

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
    Str    *dimensions;  // property keys kept apart in the cells, ascending
    size_t  dimension_count;
    Str     unit;     // free text for people, may be STR_NONE
    int64_t version;  // of the row, for ETag; 0 before it is stored
} Meter;

// From the body of PUT /v1/meters/{id} (members as in the wire contract; `id` absent or equal; an
// id of STR_NONE: the body's own), with every fault collected. The meter lives in faults->arena;
// its texts may point into the body. To the same JSON, members in a fixed order, so that equal
// meters are equal text.
Meter *meter_from_json(const Json *body, Str id, Faults *faults);
void   meter_to_json(const Meter *meter, JsonOut *out);
