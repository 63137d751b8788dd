// Applies the pricing core to real usage: for each metered charge of a plan version, what its meter
// counted for the account in the period, then the price of it all. No event is counted by two
// charges of a plan on one meter, unless one says alsoCounts.
#pragma once

#include "catalog/catalog.h"
#include "flow/aggregate/usage.h"
#include "price/price.h"

typedef struct RateQuery {
    Catalog           *catalog;
    UsageMoment       *moment;
    ProjectId          project;
    Str                account;
    ChargeFilter       own;    // only what matches it counts; no terms: everything
    const UsageWindow *holes;  // time in which usage is free: UsageQuery
    size_t             hole_count;
    Instant            until;      // T: gauges run no further
    const Zone        *zone;       // of a meter's own windows
    int64_t            period_us;  // what a gauge `per` period divides by
} RateQuery;

// What one charge of the plan counted in the span. METER_NOT_FOUND, AMOUNT_TOO_LARGE, STORE_FAILED.
Err *rate_charge(Arena *arena, const RateQuery *query, const Charge *charge, Span span,
                 ChargeUsage *usage) MUST_CHECK;

// The events that rate_charge counts or ignores, one by one, in no order; grouped by the charge's
// read_by. An event that several meters of the charge count comes once for each.
Err *rate_scan(Arena *arena, const RateQuery *query, const Charge *charge, Span span,
               UsageTake take) MUST_CHECK;
