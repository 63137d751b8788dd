// The bill of one subscription's period: lines and totals. For each line
//   net = amount + discount, and for the bill
//   subtotal = sum of amounts, discounts = sum of discounts, total = subtotal + discounts + tax,
// to the minor unit.
#pragma once

#include "base/hash.h"
#include "price/plan.h"
#include "price/step.h"

typedef enum LineKind {
    LINE_USAGE,     // a meter's
    LINE_FEE,       // a flat charge's
    LINE_QUANTITY,  // a subscription quantity's
    LINE_MINIMUM,   // what is missing to a charge's or the plan's minimum
    LINE_TRUE_UP,   // what is missing to the commitment
    LINE_OVERAGE,   // what usage beyond the commitment costs above its list price
    LINE_KIND_COUNT
} LineKind;

typedef struct ChargePart ChargePart;  // price/price.h
typedef struct GroupUsage GroupUsage;

// What one event was posted at: the rise of its line's rounded amount.
typedef struct EventAmount {
    Instant ts;
    Str     unique_id;  // STR_NONE: unknown
    Money   amount;
} EventAmount;

typedef struct EventAmounts {
    EventAmount *at;  // by time, then id
    size_t       count;
} EventAmounts;

typedef struct Line {
    LineKind      kind;
    const Charge *charge;  // NULL: of the plan (minimum, trueUp, overage)
    const ChargePart *part;  // of the charge's service
    int64_t       plan_version;  // 0: the frame's
    Str           description;
    const Str *group;   // a text for each of charge->group_by; .at == NULL: absent; NULL: no groups
    Span       period;  // of service
    bool       measured;  // has usage and quantity
    Rational   usage;     // as measured
    Rational   quantity;  // after the operators
    Rational   exact;     // before rounding
    Money      amount;    // rounded, before discounts
    Money      discount;  // <= 0
    Money      tax;
    bool       provisional;  // may still change with time alone: the period is running
    uint64_t   events;
    Digest     digest;  // of those events
    const GroupUsage *counted;  // by_event: what the events are posted of; else NULL
    EventAmounts      posted;   // filled by price_events
    Steps      steps;
} Line;

// What a commitment counted, over the periods of its term.
typedef struct CommitmentCount {
    Rational list;  // at list prices
    Money    net;   // as billed, without the true-up
} CommitmentCount;

const char *line_kind_name(LineKind kind);  // "usage"
bool        line_kind_find(Str name, LineKind *kind);

CommitmentCount commitment_count_none(Currency currency);

typedef struct Bill {
    Currency currency;
    Span     period;
    Line    *lines;
    size_t   count;
    Money    subtotal, discounts, tax, total;
    Money    credits;     // <= 0
    Money    accrued;     // total without the provisional lines
    Money    amount_due;  // total + credits
    CommitmentCount commitment;  // of the term up to and with this period: the next one's `before`
} Bill;

Money line_net(const Line *line);  // amount + discount; always fits

// What stands around the lines on the wire.
typedef struct BillFrame {
    Str     subscription, account;  // STR_NONE: left out
    int64_t plan_version;           // of each line that names none; 0: left out
    Str     sequence;               // STR_NONE: left out
    Str     rated_at;               // STR_NONE: left out
    bool    has_events;             // lines tell how many events they count, and their digest
} BillFrame;

// The members of a line, inside its object.
void line_members_to_json(const Line *line, const BillFrame *frame, Arena *arena, JsonOut *out);
void bill_to_json(const Bill *bill, const BillFrame *frame, Arena *arena, JsonOut *out);
