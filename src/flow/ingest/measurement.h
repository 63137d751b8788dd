// From one parsed JSON object to an Event, in the three dialects that clients speak. Every refusal
// concerns that event alone, names the member by a JSON pointer within the event
// ("/properties/a~1b") and is the first in precedence (tbl/errors.def) of all that apply.
//
//   Toll         {"meter","account","value","ts","uniqueId","properties"}
//   alias        the same with `tenantId` or `account`, `quantity` or `value`, `idempotency_key` or
//                `uniqueId`
//   CloudEvent   specversion 1.0; type -> event, subject -> account, time -> ts, data.value ->
//   value,
//                the rest of data -> properties, percent-encoded source + "|" + id -> uniqueId
#pragma once

#include "base/json.h"
#include "flow/ingest/properties.h"

typedef enum Dialect { DIALECT_TOLL, DIALECT_ALIAS, DIALECT_CLOUDEVENT } Dialect;

enum {
    EVENT_ID_BYTES = 255,           // uniqueId and account: UTF-8 without controls
    EVENT_NAME_BYTES = 128,         // [A-Za-z0-9][A-Za-z0-9._:-]*
    INGEST_EVENTS_MAX = 10000,      // a request
    INGEST_DEPTH = 16,
};
#define INGEST_FUTURE_US (5 * 60 * INSTANT_SECOND_US)

// What one request's events are checked against. Calls come from the thread that parses.
typedef struct IngestRules {
    Str            project;     // id text
    HashKey        key;         // of identities
    Instant        now;         // arrival; the ts of an event that names none
    int64_t        future_us;   // how far ts may lie ahead of now: INGEST_FUTURE_US
    int64_t        horizon_us;  // how far it may lie behind; 0: any age
    size_t         events_max;  // INGEST_EVENTS_MAX
    uint32_t       depth;       // of a body's JSON; 0: INGEST_DEPTH
    PropertyLimits properties;  // all zero: PROPERTY_LIMITS
    Str            header_key;  // the Idempotency-Key header: the uniqueId of a single alias event
                                // that has none in its body; STR_NONE elsewhere
    // True when a meter counts that event name. Asked once for each distinct name of a request.
    bool         (*event_known)(void *context, Str event);
    // NULL: accounts are created by their first event.
    bool         (*account_known)(void *context, Str account);
    void          *context;     // of both
} IngestRules;

// What is remembered between the events of one request; zero it before the first.
enum { MEASUREMENT_NAMES = 64 };
typedef struct MeasurementName {
    Str  name;
    bool known;
} MeasurementName;
typedef struct MeasurementNames {
    MeasurementName events[MEASUREMENT_NAMES];
    MeasurementName accounts[MEASUREMENT_NAMES];
} MeasurementNames;

typedef struct MeasurementReader {
    Arena             *arena;     // of the request; what events borrow lives here
    const IngestRules *rules;
    Dialect            dialect;
    MeasurementNames  *names;
} MeasurementReader;

// Fills all of *event but index. On refusal, event->refusal is set, and unique_id when it is valid.
// The event borrows from the tree, which must live as long.
void measurement_read(const MeasurementReader *reader, const Json *object, Event *event);
