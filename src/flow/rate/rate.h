// Applies the pricing core to real usage: for each metered charge of a plan version, what its meter
// counted for the account in the period, then the price of it all. No event is counted by two
// charges of a plan on one meter, unless one says alsoCounts.
#pragma once

#include "catalog/catalog.h"
#include "flow/aggregate/usage.h"
#include "price/price.h"

typedef struct RateQuery {
    Catalog     *catalog;
    UsageMoment *moment;
    ProjectId    project;
    Str          account;
    const Plan  *plan;
} RateQuery;

// What every charge counted in the span: one element for each charge of the plan, in its order.
// METER_NOT_FOUND, AMOUNT_TOO_LARGE, STORE_FAILED.
Err *rate_usage(Arena *arena, const RateQuery *query, Span span, ChargeUsage **usage) MUST_CHECK;

// The same, priced. `inputs` has everything but the parts.
Err *rate_period(Arena *arena, const RateQuery *query, const PriceInputs *inputs,
                 Bill *bill) MUST_CHECK;
