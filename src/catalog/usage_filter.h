// Which events of an account are a subscription's own, where it has several on one meter:
// {"region":["eu-1","eu-2"]} over dimensions of the meters that its plan reads.
#pragma once

#include "price/filter.h"
#include "price/place.h"

// Each fault with its pointer. A single text stands for a list of one. Absent: no terms.
bool usage_filter_read(Place place, ChargeFilter *filter);
// Equal filters are equal text. STR_NONE: no terms.
Str usage_filter_print(Arena *arena, const ChargeFilter *filter);
// What usage_filter_print wrote.
ChargeFilter usage_filter_of(Arena *arena, Str text);
