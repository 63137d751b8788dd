// One measurement after it was read and checked, before its verdict. Everything borrowed lives in
// the request's arena. The canonical forms here decide what is equal (3 places: dedupe, digest,
// replay), so they carry a version and never change under a version.
#pragma once

#include "base/error.h"
#include "base/hash.h"
#include "money/decimal.h"
#include "time/instant.h"

typedef struct Event {
    uint32_t index;        // place in the request
    Str      unique_id;    // 1..255 bytes
    Str      event;        // name of the event stream, 1..128 bytes
    Str      account;      // 1..255 bytes
    Decimal  value;        // 1 when none was sent
    Instant  ts;           // arrival when none was sent
    bool     ts_given;
    Str      properties;   // canonical form below; empty when there are none
    Hash128  id;           // identity: SipHash of (project, unique_id)
    uint64_t fingerprint;  // what was sent, but for ts: SipHash of the canonical content
    Digest   digest;       // unkeyed; what a bill's digest adds up: content, unique_id and ts
    Err     *refusal;      // not NULL: the event is rejected, and only index and unique_id count
} Event;

// Canonical properties: varint count, then for each, in ascending order of key bytes: counted key,
// kind byte, counted text. Numbers are normalized (1 = 1.0 = 10e-1), other scalars keep their text
// ("true", "null", ""), arrays and objects are canonical JSON. Kinds are part of identity: the
// number 1 and the string "1" differ; filters and groups go by the text.
typedef enum PropertyKind {
    PROPERTY_STRING = 1, PROPERTY_NUMBER, PROPERTY_BOOL, PROPERTY_NULL, PROPERTY_JSON
} PropertyKind;

typedef struct Property {
    Str          key;
    PropertyKind kind;
    Str          text;
} Property;

// The property of that key in a canonical form; false when there is none.
bool properties_find(Str canonical, Str key, Property *found);
// Walks a canonical form from *offset = 0; false at its end.
bool properties_next(Str canonical, size_t *offset, Property *property);

enum { EVENT_FORM_VERSION = 1 };

// Fills id, fingerprint and digest from the other members. `project` is the project's id text.
void event_identify(Event *event, Str project, const HashKey *key);

// The identity alone.
Hash128 event_id(Str project, Str unique_id, const HashKey *key);

// The verdicts. Duplicate and conflict compare what was sent with what is stored.
typedef enum Outcome {
    OUTCOME_ACCEPTED, OUTCOME_DUPLICATE, OUTCOME_CONFLICT, OUTCOME_REJECTED, OUTCOME_COUNT
} Outcome;
const char *outcome_name(Outcome outcome);  // "accepted"
