// `toll rate` and POST /v1/rate: prices a plan document against given usage; stores nothing.
//   {"plan":{document},"period":{"start","end"},
//    "usage":{"api.requests":"38114200" | [{"group":{"region":"eu-1"},"quantity":"12",
//             "events":[{"ts","value","uniqueId"?,"properties"?}]}]},
//    "quantities":{"seats":"5" | [{"from","value"}]},"activeFrom"?,"activeTo"?,"at"?}
// Quantities of a meter that several entries give add up. A charge takes the entries that its
// filter matches and no more specific charge's does; an entry without a group has no properties.
// A charge that prices event by event needs the events; without a quantity it is their sum.
// `at` is T, by default the end of the period. The answer is the bill: lines and totals.
#pragma once

#include "base/json.h"

// Every fault of the request is found, with JSON pointers into it.
Err *rate_request(Arena *arena, const Json *body, Text *out) MUST_CHECK;
