// Reading a document and saying where it is wrong: a Place is a value in the document with its JSON
// pointer. Readers add a fault and answer false when the value is not what they read; an absent
// value (json == NULL) is read as false without a fault, so what is optional is simply tried.
#pragma once

#include "base/json.h"
#include "money/rational.h"
#include "time/zone.h"

typedef struct Place {
    Faults     *faults;
    const Json *json;  // NULL: absent
    Str         pointer;
} Place;

Place place_of(Faults *faults, const Json *json, Str pointer);
Place place_member(Place object, const char *name);
Place place_named(Place object, Str name);
Place place_element(Place array, const Json *element, size_t index);
Str   place_pointer(Arena *arena, Str base, Str name);  // "~" and "/" of the name escaped

void place_fault(Place place, ErrCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// FIELD_REQUIRED when it is absent. JSON null counts as absent everywhere here.
bool place_required(Place place);

bool place_object(Place place);
bool place_array(Place place, size_t least, size_t most);
bool place_text(Place place, Str *text);  // not empty, no controls, at most 255 bytes
bool place_id(Place place, Str *id);      // [A-Za-z0-9][A-Za-z0-9._:-]{0,127}
bool place_name_is_id(Place member, Str name);  // the same of a member's name
bool place_bool(Place place, bool *value);
bool place_whole(Place place, uint64_t least, uint64_t most, uint64_t *value);
bool place_instant(Place place, Instant *instant);
bool place_decimal(Place place, Rational *value);  // number or text
bool place_not_negative(Place place, Rational *value);
bool place_positive(Place place, Rational *value);

// UNKNOWN_MEMBER for each member that is in none of the lists. Lists end with NULL and may be NULL.
void place_members(Place object, const char *const *known, const char *const *also);
