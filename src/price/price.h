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
struct GroupUsage {
    const Str
        *values;  // one for each read_by; .at == NULL: absent; NULL when the charge has no groups
    Rational    usage;  // exact: an average is sum / count
    uint64_t    events;
    Digest      digest;
    EventUsage *each;  // those that count, in any order, when the charge needs_events
    size_t      each_count;
};

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

// One stretch of service of a charge. Usually a charge has one, the period; two around the end of a
// trial; several where it has a period of its own; none: it is not in this bill.
struct ChargePart {
    Span        service;   // what is billed
    Span        full;      // the natural period, of which the service takes a share
    ChargeUsage usage;     // of a metered charge
    bool        is_trial;  // priced at 0, with a step
};

typedef struct ChargeParts {
    ChargePart *at;  // ascending, no two of them meet
    size_t      count;
} ChargeParts;

// Where in the term of its commitment the period stands.
typedef struct TermProgress {
    Span             service;    // the part of the term that the subscription is active
    Span             full;       // of the term, natural
    CommitmentCount  before;     // counted in the earlier periods of the term
    bool             ends_here;  // with this period: what is missing is due
} TermProgress;

typedef struct PriceInputs {
    Span         service;  // the period, clipped to when the subscription is active
    Span         full;     // the natural period: of the plan's amounts
    int64_t      index;    // of the period, 0 = the subscription's first
    Instant      at;       // T
    Instant      start;    // of the subscription
    const Zone  *zone;     // of the period
    const Calendar *calendar;  // of the subscription; NULL: the plan's rule from its start on
    const ChargeParts *parts;  // one for each charge of the plan
    const QuantityHistory *quantities;
    size_t                 quantity_count;
    const Span *pauses;  // ascending, no two of them meet: no fee, quantity or plan amount runs
    size_t      pause_count;
    // Leaves out, before discounts, what is not due at T: in advance what begins after it, in
    // arrears what ends after it; of quantities in advance the changes after it; true-up and
    // minimum of a period that ends after it.
    bool         due_only;
    TermProgress term;  // read when the plan's commitment has a term
} PriceInputs;

// The common case, without trials, own periods and gaps: each charge has one part.
// `usage`: one for each charge of the plan; of metered ones only they count.
ChargeParts *price_parts_whole(Arena *arena, const Plan *plan, const ChargeUsage *usage,
                               Span service, Span full);

// The parts of one charge in a period, without usage: cut where the charge's own period ends (by
// the plan's anchor) and where the trial does; nothing of a oneTime charge after the first period.
// `calendar` is the subscription's; of the inputs it reads service, full, index, start and zone.
ChargeParts price_parts_cut(Arena *arena, const Plan *plan, const Charge *charge,
                            const Calendar *calendar, const PriceInputs *inputs);

// Where a period stands in the term of the plan's commitment: a term is so many periods, counted
// from index 0. `active`: the subscription from its start to its end (INSTANT_END: none).
// `before` is left at nothing.
TermProgress price_term_at(const Plan *plan, const Calendar *calendar, const Period *period,
                           Span active);

// When the plan's trial of a subscription ends; `start` when it has none.
Instant price_trial_end(const Plan *plan, Instant start, const Zone *zone);

// AMOUNT_TOO_LARGE when an amount leaves int64 minor units; FIELD_REQUIRED when the plan needs a
// quantity that the inputs do not have.
Err *price_bill(Arena *arena, const Plan *plan, const PriceInputs *inputs, Bill *bill) MUST_CHECK;

// What each event of a line is posted at, in the order of time: round(price with it and those
// before) - round(price of those before). Together they are the line's amount. A line whose charge
// is not by_event has none.
Err *price_events(Arena *arena, const Plan *plan, const PriceInputs *inputs, const Line *line,
                  EventAmounts *amounts) MUST_CHECK;

// Bills of several terms of one period, of one currency, as one: their lines in order, totals
// summed, the period from the first's start to the last's end, the last's commitment. count > 0.
// AMOUNT_TOO_LARGE.
Err *bills_join(Arena *arena, const Bill *bills, size_t count, Bill *joined) MUST_CHECK;
