// The properties of a measurement, from JSON to the canonical form of event.h and back. What a
// property means never refuses an event; only limits do.
#pragma once

#include "base/json.h"
#include "flow/ingest/event.h"

// What a caller may send; the defaults are PROPERTY_LIMITS.
typedef struct PropertyLimits {
    uint32_t count;
    uint32_t key_bytes;
    uint32_t text_bytes;  // of the canonical text
} PropertyLimits;
#define PROPERTY_LIMITS ((PropertyLimits){ 64, 128, 1024 })

typedef struct PropertySource {
    const Json    *object;
    Str            except;   // a member that is no property (CloudEvents: data.value), or STR_NONE
    Str            pointer;  // of the object within the event: "/properties"
    PropertyLimits limits;
} PropertySource;

// An empty form when there are no properties. TOO_MANY_PROPERTIES, or FIELD_INVALID for a key or a
// text beyond its limit.
Err *properties_from_json(Arena *arena, PropertySource source, Str *canonical) MUST_CHECK;

// A JSON number in the one spelling of its value, at most about 45 bytes longer than the text:
// "1.0", "10e-1" -> "1"; "-0" -> "0"; "25e-3" -> "0.025"; "1e400" -> "1e400"; "120e400" ->
// "12e401". Plain where that takes at most 40 zeros, else whole digits without trailing zeros and
// an exponent. Exponents of more than 36 digits keep the spelling they came in.
Str properties_number(Arena *arena, Str text);

// Writes the object that the form holds, keys ascending: {"region":"eu-1","size":1}.
void properties_to_json(Str canonical, JsonOut *out);
