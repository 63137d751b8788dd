// Reading members of a body, every fault collected with its pointer. What is null counts as absent.
#pragma once

#include "base/json.h"
#include "time/instant.h"

// Ids that the caller chooses for what the caller names: [A-Za-z0-9][A-Za-z0-9._:-]{0,127}.
bool name_is_valid(Str name);
// Ids from elsewhere (accounts, subscriptions): 1 to 255 bytes of UTF-8 without controls.
bool foreign_id_is_valid(Str id);

// FIELD_INVALID unless the body is an object; UNKNOWN_MEMBER for each that is not in the list (ends
// with NULL). False: it is no object.
bool body_members(const Json *body, const char *const *names, Faults *faults);

const Json *body_find(const Json *body, const char *name);  // NULL: absent or null
// STR_NONE when absent or at fault: not a text, longer than `most` bytes, empty, with controls.
Str  body_text(const Json *body, const char *name, size_t most, Faults *faults);
bool body_instant(const Json *body, const char *name, Instant *instant, Faults *faults);
// The body's "id" must be absent or equal to the one in the path.
void body_id(const Json *body, Str id, Faults *faults);

// "/filter/region~1zone": each segment escaped (RFC 6901).
Str pointer_of(Arena *arena, Str base, Str segment);
Str pointer_at(Arena *arena, Str base, size_t index);

void texts_sort(Str *texts, size_t count);  // by bytes, ascending
