// Between the files that price a bill.
#pragma once

#include "price/model.h"
#include "price/price.h"

enum { LINES_FIRST = 16 };

// One bill in the making. Lines are in the order of the plan's charges; those of a charge are
// together.
typedef struct Rating {
    Arena             *arena;
    const Plan        *plan;
    const PriceInputs *inputs;
    Line              *lines;
    size_t             count;
    size_t             room;
    const ChargePart  *part;  // at hand; of the plan's own amounts: the period
    ChargePart         whole;
    Money              size;  // of all amounts, each without its sign: it bounds every sum of them
    CommitmentCount    commitment;
    Rational          *after;  // by event: the exact price after each; NULL: not asked for
} Rating;

// A new line, of the part at hand. Valid until the next one.
Line *rating_line(Rating *rating, LineKind kind, const Charge *charge);
Err  *rating_too_large(Rating *rating, Str what) MUST_CHECK;

// Rounds by the plan's rule. AMOUNT_TOO_LARGE beyond int64 minor units.
Err *rating_round(Rating *rating, Rational exact, Str what, Money *amount) MUST_CHECK;
// The same of what is not above a sum of amounts.
Money rating_round_part(Rating *rating, Rational exact);

// Adds amounts of lines: their sums are bounded, so it never fails.
Money money_sum(Money a, Money b);

// Ends the pricing of a line: floor, round, the steps of both. AMOUNT_TOO_LARGE when the bill's
// amounts together leave int64 minor units.
Err *line_finish(Rating *rating, Line *line, Rational exact) MUST_CHECK;

// ---- share.c: parts of a period

// The part of the full period that a span takes, without what is paused in it.
Rational share_of(Rating *rating, Prorate prorate, Span full, Span span);

// A quantity of the subscription, held for a part of the period.
typedef struct Segment {
    Span     span;
    Rational quantity;
    Rational share;
} Segment;

typedef struct Segments {
    Segment *at;
    size_t   count;
} Segments;

// Which changes of a quantity count in this period.
typedef struct SegmentRule {
    Prorate prorate;
    bool    rises_later, falls_later;  // only from the next period on
    Instant known;                     // later ones are not there yet
} SegmentRule;

// FIELD_REQUIRED: no such quantity.
Err *price__segments_of(Rating *rating, Str name, const ChargePart *part, const SegmentRule *rule,
                        Segments *segments) MUST_CHECK;

// ---- quantity.c: the operators

// Takes what is free off the quantity; `pool` is what is left of it, and goes down by what was
// used.
Rational quantity_included(Rating *rating, Steps *steps, Rational quantity, Rational *pool);
Rational quantity_convert(Rating *rating, Steps *steps, const Charge *charge, Rational quantity);

// ---- lines.c: from usage to rounded lines
// The exact price of one group of the part at hand, in the plan's currency, with its steps, of a
// charge that is by_event: what it includes is a number.
Rational group_line(Rating *rating, Line *line, const GroupUsage *usage);
Err *lines_make(Rating *rating) MUST_CHECK;

// ---- algebra.c: from lines to what is due

// The lines that a step is for. What is left of a line is its net when that is above 0.
typedef struct Picked {
    size_t *lines;  // of those, the ones with something left
    Money  *weights;
    size_t  count;
    Money   left;  // of these
    Money   sum;   // of all, negative ones too
} Picked;

Picked picked_none(Rating *rating, size_t most);  // room for so many lines
void   pick_line(Rating *rating, Picked *picked, size_t index);
bool   names_charge(const Str *ids, size_t count, const Charge *charge);

// Takes the amount (at most what is left) off the lines, and tells each its share in a step like
// `told`.
void take_off(Rating *rating, const Picked *picked, Money off, const Step *told);

// A line over what is missing from `counted` to `wanted`; none when nothing is. `like` has its
// charge, group and description. op: STEP_MINIMUM or STEP_TRUE_UP.
Err *missing_line(Rating *rating, StepOp op, const Line *like, Rational wanted,
                  Money counted) MUST_CHECK;

bool is_running(const Rating *rating);  // the part at hand ends after T
// Whether the bill has lines of it, and true-up and minimum of the plan: all unless due_only.
bool part_due(const PriceInputs *inputs, const Charge *charge, const ChargePart *part);
bool plan_is_over(const Rating *rating);

Rational percent_of(Arena *arena, Rational amount, Rational percent);
// A plan amount's share of the period.
Rational prorated_amount(Rating *rating, const PlanAmount *amount);

Err *commitment_apply(Rating *rating) MUST_CHECK;  // commitment.c
Err *algebra_apply(Rating *rating) MUST_CHECK;
