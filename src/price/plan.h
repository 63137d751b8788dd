// A plan document, read and checked: what is priced, how, in which currency and in which periods.
// docs/guide names every member; a member that this version does not price is refused, never
// ignored.
#pragma once

#include "base/json.h"
#include "money/rounding.h"
#include "price/filter.h"
#include "time/calendar.h"

// A number that may be absent.
typedef struct Optional {
    bool     given;
    Rational value;
} Optional;

typedef struct Tier {
    bool     open;          // the last: no upper bound
    Rational up_to;         // inclusive
    Rational unit_price;    // of each unit, unless packages are given; a share: ratePercent / 100
    Optional rate_percent;  // graduatedPercentage
    Optional package_size;  // with package_price: started packages of that many units
    Rational package_price;
    Rational flat_fee;  // once, when the tier is reached (volume: chosen)
    Optional cap;       // most that the tier's own units may cost, without flat_fee
} Tier;

// matrix: what a unit costs where `when` holds.
typedef struct MatrixCell {
    ChargeFilter when;  // over the charge's dimensions
    Rational     unit_price;
} MatrixCell;

// capacity: the amount when each of the meters is within its limit. Not given: no limit.
typedef struct CapacityTier {
    Optional *limits;  // one for each of the charge's meters
    Rational  amount;
} CapacityTier;

typedef struct Formula Formula;  // price/formula.h

// What a price function reads; which members each model takes is price/model.c's table.
typedef struct PriceTerms {
    Rational amount;      // flat
    Rational unit_price;  // perUnit; matrix: where no cell holds
    Tier    *tiers;       // ascending, the last open
    size_t   tier_count;
    bool     flat_fee_at_zero;
    Rational package_size;  // package
    Rational package_price;

    Rational rate_percent;   // percentage, percentOf
    bool     needs_events;   // the charge prices the events of its meter one by one
    Rational per_event_fee;  // percentage; 0 when absent
    Optional free_events;    // a whole number
    Optional free_amount, event_minimum, event_maximum;

    Str        *dimensions;  // matrix: ascending
    size_t      dimension_count;
    MatrixCell *cells;
    size_t      cell_count;

    Str          *meters;  // SOURCE_METERS: ids, none twice
    size_t        meter_count;
    CapacityTier *capacity;  // the last without limits
    size_t        capacity_count;
    Formula      *formula;
    Str           expression;
    Str          *names;  // formula: of each meter, in the expression

    Str   *charges;  // percentOf: ids
    size_t charge_count;
    Str    property;  // eventPrice
} PriceTerms;

typedef struct Model Model;  // price/model.h

typedef enum ChargeSource {
    SOURCE_METER,
    SOURCE_METERS,  // several together: a capacity, a formula
    SOURCE_QUANTITY,
    SOURCE_NONE
} ChargeSource;
typedef enum Timing { TIMING_ARREARS, TIMING_ADVANCE } Timing;
// When a change of a quantity that is billed in advance counts.
typedef enum ChangeCounts {
    COUNTS_NOW,           // onDecrease: as a credit
    COUNTS_NEXT_INVOICE,  // from the change on, billed with the next invoice
    COUNTS_NEXT_PERIOD
} ChangeCounts;
typedef enum Prorate { PRORATE_DAY, PRORATE_SECOND, PRORATE_NONE } Prorate;
typedef enum Conversion { CONVERT_NOT, CONVERT_DIVIDE, CONVERT_MULTIPLY } Conversion;

// Units that are free. per_unit of STR_NONE: a number; else so many for each unit of that quantity.
typedef struct Included {
    bool     given;
    Str      per_unit;
    Rational amount;
} Included;

typedef struct Charge {
    Str          id;
    Str          definition;  // canonical JSON of what prices it: without name, sku and the like
    Str          name;  // STR_NONE when it has none; a line then shows the id
    Str          tax_category;  // STR_NONE: none; which tax rates its lines bear
    Str          sku;  // STR_NONE: none; the seller's own name of what it sells
    Str          metadata;  // STR_NONE: none; JSON object of the seller's own texts
    Str          revenue_account;  // STR_NONE: plan/charge; whose revenue its lines are
    ChargeSource source;
    Str          meter;     // SOURCE_METER
    Str          quantity;  // SOURCE_QUANTITY: of the subscription
    const Model *model;
    PriceTerms   terms;

    ChargeFilter  filter;
    ChargeFilter *except;  // of the more specific charges on the meter: what they take is not here
    size_t        except_count;
    Str          *group_by;  // dimensions, ascending: one line for each group
    size_t        group_count;
    Str          *read_by;  // those and the matrix's own, ascending: how usage is asked for
    size_t        read_count;
    Str           pricing_unit;  // STR_NONE: the plan's currency
    Rational      conversion_rate;  // one pricing unit in the currency
    bool          also_counts;  // outside the partition: takes what it matches, and others still do

    Included   included, included_per_group;
    Conversion conversion;
    Rational   factor;  // of the conversion, above 0
    bool       rounds_quantity;
    Rounding   quantity_rounding;
    int        quantity_places;
    Optional   minimum, maximum, minimum_per_group, maximum_per_group;

    bool    allow_negative;
    bool    one_time;  // flat: in the first period only
    PeriodLength period;  // its own, a whole divisor of the plan's; every 0: not given
    bool         by_event;  // bill "event": each event is posted as it comes
    Timing  timing;
    Prorate prorate;
    ChangeCounts on_increase, on_decrease;  // of a quantity in advance
} Charge;

typedef struct Discount {
    Str      id;
    Optional percent;  // one of the two is given
    Optional amount;
    Str     *charges;  // ids; none: every charge
    size_t   charge_count;
    uint32_t periods;    // 0: for ever
    bool     has_start;  // counts from the first period that begins at or after starts_at
    Instant  starts_at;
} Discount;

// A subscription's first days, in which the named charges are priced at 0.
typedef struct Trial {
    uint32_t days;     // 0: none
    Str     *charges;  // ids; none: every charge, and no plan amount runs
    size_t   charge_count;
} Trial;

// A stretch of a subscription's life under another document: of another version of the plan, or
// changed by overrides. It lasts so many periods, or until an instant, and what is then left of the
// period is the next phase's first; with neither, for ever.
typedef struct Phase {
    uint32_t    periods;  // 0: not given
    bool        has_until;
    Instant     until;
    int64_t     plan_version;  // 0: the same
    const Json *overrides;     // a merge patch (price/patch.h); NULL: none
} Phase;

typedef struct Phases {
    Phase *at;
    size_t count;
} Phases;

// An amount of money for a full period, and how a part of one shares it.
typedef struct PlanAmount {
    bool     given;
    Rational amount;
    Prorate  prorate;
} PlanAmount;

typedef struct Commitment {
    PlanAmount   amount;  // of the term, or of each period when there is none
    PeriodLength term;    // so many whole periods of the plan; every 0: not given
    Rational   discount_percent;  // 0 when absent
    Optional   overage_factor;
    bool       true_up;
    Str       *charges;  // metered ones; none: every metered charge
    size_t     charge_count;
} Commitment;

typedef struct Plan {
    Str        id;    // may be STR_NONE in POST /v1/rate
    Str        name;  // may be STR_NONE
    Currency   currency;
    Rounding   rounding;
    Str        time_zone;  // STR_NONE: the account's or the project's
    Str        tax_category;  // of its minimum and true-up lines, and of charges that name none
    PeriodRule period;
    Charge    *charges;
    size_t     charge_count;
    Discount  *discounts;
    size_t     discount_count;
    PlanAmount minimum, maximum;
    Commitment commitment;
    PlanAmount included_credits;
    Optional   invoice_threshold;  // above 0: an invoice as soon as usage comes to it
    Trial      trial;
    Phases     phases;
} Plan;

enum {
    PLAN_CHARGES_MAX = 500,
    PLAN_TIERS_MAX = 100,
    PLAN_DISCOUNTS_MAX = 50,
    PLAN_GROUPS_MAX = 4,
    PLAN_CELLS_MAX = 500,
    PLAN_METERS_MAX = 16,
    PLAN_PHASES_MAX = 50,
    PLAN_TRIAL_DAYS_MAX = 3650
};

// Reads a document. `base` is the JSON pointer at which it stands ("" or "/plan"); `id` is the id
// it must have when it names one, or STR_NONE for any. Adds every fault found (PLAN_INVALID,
// UNKNOWN_MEMBER, FIELD_REQUIRED, FIELD_INVALID) with its pointer and answers NULL when there was
// one. What the plan holds lives in faults->arena; its texts may point into the document. Whether
// meters exist, and have the dimensions that filters and groups use, is for the caller.
Plan *plan_from_json(const Json *document, Str base, Str id, Faults *faults);

// Reads phases, of a plan or of a subscription, and checks that `document` changed by the overrides
// of each is a plan. NULL: they are changed elsewhere, only their form is checked.
bool phases_from_json(const Json *list, const Json *document, Str base, Faults *faults,
                      Phases *phases);

// The phase in which a period of the calendar begins; NULL: none, the document itself.
const Phase *phase_at(const Phases *phases, const Calendar *calendar, const Period *period);

// Reads the stored text of a published version. A text that no longer parses is STORE_FAILED.
Err *plan_from_text(Arena *arena, Str text, Plan **plan) MUST_CHECK;

// What is stored: the document as its author wrote it, without the whitespace.
Str plan_text(Arena *arena, const Json *document);

const Charge *plan_charge(const Plan *plan, Str id);  // NULL: none

// The meters that a charge reads: none, one or several.
size_t charge_meter_count(const Charge *charge);
Str    charge_meter(const Charge *charge, size_t index);
bool   charge_reads(const Charge *charge, Str meter);
Str    charge_description(const Charge *charge);

// Both are of one id, and price the same events in the same way.
bool charge_same(const Charge *a, const Charge *b);
