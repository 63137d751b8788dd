// Changing a plan document by another: overrides and phases. Pure: trees of JSON in, trees out.
#pragma once

#include "base/json.h"

// RFC 7396 (JSON merge patch), in which the plan's `charges` and `discounts` are objects by id:
// {"charges":{"api":{"unitPrice":"0.002"},"old":null,"new":{…}},"minimum":null}. null removes, an
// unknown id adds one at the end. The answer lives in the arena and shares with `document` what did
// not change. `base` is the pointer at which the patch stands ("/overrides"); FIELD_INVALID when it
// is no object, or charges or discounts in it are not objects of objects, or one of those names
// another id than its own: the answer is then NULL. Whether the answer is a plan is for
// plan_from_json.
const Json *plan_patch(Arena *arena, const Json *document, const Json *patch, Str base,
                       Faults *faults);

// A text that is equal for equal documents: members by name, no whitespace, numbers and texts as
// they are written. Of the document's own members `without` is left out (STR_NONE: none).
Str json_canonical(Arena *arena, const Json *document, Str without);
