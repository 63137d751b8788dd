// The pricing core: (plan version, usage of a period, facts of the subscription, T) -> a bill.
// Pure: it reads no clock, store or configuration, so whoever has the inputs gets the same bill,
// today or in a year.
//   source -> filter, group -> quantity operators -> price function -> round -> discounts
//          -> maximum, minimum of groups and charges -> maximum of the plan -> commitment
//          -> minimum of the plan -> included credits
#pragma once

#include "price/bill.h"

// One event, for what is priced event by event.
typedef struct EventUsage {
    Instant  ts;
    Str      unique_id;  // STR_NONE: unknown
    Rational value;
    Rational price;  // eventPrice: what the event says it costs; 0 when it says nothing
} EventUsage;

// What a metered charge counted in the period, of one group.
typedef struct GroupUsage {
    const Str
        *values;  // one for each read_by; .at == NULL: absent; NULL when the charge has no groups
    Rational    usage;  // exact: an average is sum / count
    uint64_t    events;
    Digest      digest;
    EventUsage *each;  // those that count, in any order, when the charge needs_events
    size_t      each_count;
} GroupUsage;

// The order of groups: value by value, absent before any text, texts by bytes.
int group_values_compare(const Str *a, const Str *b, size_t count);

// Groups in the order of read_by's values (absent first, then by bytes). A charge without read_by
// has one group, or none, which counts as nothing measured. SOURCE_METERS: one group for each
// meter, in the charge's order, or none.
typedef struct ChargeUsage {
    const GroupUsage *groups;
    size_t            count;
} ChargeUsage;

// A quantity of the subscription over time: `value` from `from` on. Ascending, at most one an
// instant.
typedef struct QuantityChange {
    Instant  from;
    Rational value;  // >= 0
} QuantityChange;

typedef struct QuantityHistory {
    Str                   name;
    const QuantityChange *changes;
    size_t                count;
} QuantityHistory;

typedef struct PriceInputs {
    Span               service;  // the period, clipped to when the subscription is active
    Span               full;     // the natural period
    int64_t            index;    // of the period, 0 = the subscription's first
    Instant            at;       // T
    Instant            start;    // of the subscription
    const Zone        *zone;     // of the period
    const ChargeUsage *usage;    // one for each charge of the plan; of metered ones only they count
    const QuantityHistory *quantities;
    size_t                 quantity_count;
} PriceInputs;

// AMOUNT_TOO_LARGE when an amount leaves int64 minor units; FIELD_REQUIRED when the plan needs a
// quantity that the inputs do not have.
Err *price_bill(Arena *arena, const Plan *plan, const PriceInputs *inputs, Bill *bill) MUST_CHECK;
