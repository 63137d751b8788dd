// The price functions. Each is a row {name, members, reader, function}; adding a model is a file
// with its two functions and a row in model.c.
#pragma once

#include "price/place.h"
#include "price/price.h"

// One pricing: where steps go, and what came out. The amount is `units` + `fees`; fees are what is
// due once however long the quantity was held (a subscription quantity's segments share them).
typedef struct Pricing {
    Arena   *arena;
    Steps   *steps;
    bool     shows_fees;  // steps name the fees and include them in their amounts
    bool     is_shared;   // a segment takes a part of it: steps end with `price`, not with `amount`
    Rational units;
    Rational fees;

    const EventUsage *events;  // by (ts, unique id), when the charge needs them
    size_t            event_count;
    const NamedText  *cell;  // matrix: of each dimension, what the quantity is of
    const Rational   *quantities;  // SOURCE_METERS: of each meter
    Rational         *after;  // of each event: the price so far; NULL: not asked for
} Pricing;

typedef enum ModelSource {
    TAKES_NONE,
    TAKES_METER_OR_QUANTITY,
    TAKES_METER,
    TAKES_METERS,  // named by its own members
    TAKES_CHARGES  // the amounts of other charges
} ModelSource;

// Whether bill "event" is offered: the price never goes back on what was posted.
typedef enum EventBilling {
    EVENTS_NOT,
    EVENTS_BY_TOTAL,   // posts price(total with it) - price(total before it)
    EVENTS_ONE_BY_ONE  // the function itself tells the price after each
} EventBilling;

struct Model {
    const char        *name;
    const char *const *members;       // of the charge that only some models take; ends with NULL
    ModelSource        source;
    EventBilling       by_event;
    void (*read)(Place charge, const Charge *read, PriceTerms *terms);  // adds its faults
    void (*price)(Pricing *pricing, const PriceTerms *terms, Rational quantity);
};

const Model *model_find(Str name);          // NULL: none that this version prices
Str          model_names(Arena *arena);      // "flat, perUnit, …"
bool         model_member_known(Str name);  // a member that some model takes

// What a price step comes to: its `amount`, or, when a segment takes a part of it, its `price`. So
// the amounts of a line's steps always sum to what is rounded.
void step_set_priced(Step *step, const Pricing *pricing, Rational amount);

// A step's texts.
void step_set_rational(Step *step, Arena *arena, const char *member, Rational value);
void step_set_quantity(Step *step, Arena *arena, const char *member, Rational value);

// flat.c
void flat_read(Place charge, const Charge *read, PriceTerms *terms);
void flat_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// per_unit.c
void per_unit_read(Place charge, const Charge *read, PriceTerms *terms);
void per_unit_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// package.c
void package_read(Place charge, const Charge *read, PriceTerms *terms);
void package_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// tier.c
typedef void TierPriceRead(Place place, Tier *tier);
void tiers_read_as(Place charge, PriceTerms *terms, const char *const *members,
                   TierPriceRead *price_read);
const Tier *tier_holding(const PriceTerms *terms, Rational quantity);  // quantity > 0
void tiers_read(Place charge, const Charge *read, PriceTerms *terms);
void percent_tiers_read(Place charge, const Charge *read, PriceTerms *terms);
void graduated_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
void volume_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// stairstep.c
void stairs_read(Place charge, const Charge *read, PriceTerms *terms);
void stairstep_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// percentage.c
void percentage_read(Place charge, const Charge *read, PriceTerms *terms);
void percentage_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// event_price.c
void event_price_read(Place charge, const Charge *read, PriceTerms *terms);
void event_price_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// matrix.c
void matrix_read(Place charge, const Charge *read, PriceTerms *terms);
void matrix_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// capacity.c
void capacity_read(Place charge, const Charge *read, PriceTerms *terms);
void capacity_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// formula_model.c
void formula_read(Place charge, const Charge *read, PriceTerms *terms);
void formula_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
// percent_of.c: the quantity is what the charges come to
void percent_of_read(Place charge, const Charge *read, PriceTerms *terms);
void percent_of_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
