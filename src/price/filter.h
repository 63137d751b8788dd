// Which events a charge takes, and how the charges on one meter share its events out: an event goes
// to the charge with the most specific filter that matches it, a charge without filter takes the
// rest.
#pragma once

#include "base/error.h"

// One condition on a dimension of the meter: present, and its text is one of the values.
typedef struct ChargeTerm {
    Str    key;
    Str   *values;  // ascending, no text twice
    size_t count;   // 1..100
} ChargeTerm;

// All terms hold; no terms hold for everything. Ascending by key.
typedef struct ChargeFilter {
    ChargeTerm *terms;
    size_t      count;  // 0..16
} ChargeFilter;

enum { CHARGE_TERMS_MAX = 16, CHARGE_VALUES_MAX = 100 };

// A property of an event or a group: text.at == NULL when it is absent.
typedef struct NamedText {
    Str name;
    Str text;
} NamedText;

bool filter_matches(const ChargeFilter *filter, const NamedText *properties, size_t count);

// True when everything that `inner` takes is taken by `outer` too. Equal filters are within each
// other.
bool filter_within(const ChargeFilter *inner, const ChargeFilter *outer);
// True when no event can match both.
bool filter_apart(const ChargeFilter *a, const ChargeFilter *b);
