// The price functions. Each is a row {name, members, reader, function}; adding a model is a file
// with its two functions and a row in model.c.
#pragma once

#include "price/place.h"
#include "price/plan.h"
#include "price/step.h"

// One pricing: where steps go, and what came out. The amount is `units` + `fees`; fees are what is
// due once however long the quantity was held (a subscription quantity's segments share them).
typedef struct Pricing {
    Arena   *arena;
    Steps   *steps;
    bool     shows_fees;  // steps name the fees and include them in their amounts
    bool     is_shared;   // a segment takes a part of it: steps end with `price`, not with `amount`
    Rational units;
    Rational fees;
} Pricing;

struct Model {
    const char        *name;
    const char *const *members;       // of the charge that only some models take; ends with NULL
    bool               takes_source;  // a meter or a quantity; else neither
    void (*read)(Place charge, const Charge *read, PriceTerms *terms);  // adds its faults
    void (*price)(Pricing *pricing, const PriceTerms *terms, Rational quantity);
};

const Model *model_find(Str name);          // NULL: none that this version prices
bool         model_is_planned(Str name);    // named in the documents, not priced by this version
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
void tiers_read(Place charge, const Charge *read, PriceTerms *terms);
void graduated_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
void volume_price(Pricing *pricing, const PriceTerms *terms, Rational quantity);
