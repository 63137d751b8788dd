// What two plan documents differ in.
#pragma once

#include "base/json.h"

// Writes {"charges":{"added":[ids],"removed":[ids],"changed":[ids]},"discounts":{the same},
// "changes":[{"pointer","before","after"}]}. Charges and discounts are met by id, in pointers too:
// /charges/api/tiers/0/unitPrice; other lists by place. What is only in one of the two has only
// `before` or only `after`. A change of the order of charges is none, and values are equal when
// they are written the same.
void plan_diff_to_json(Arena *arena, const Json *before, const Json *after, JsonOut *out);
