// Whether everything that follows from a subscription's log can be priced, and is in nobody's way.
// Nobody outside includes this.
#pragma once

#include "catalog/catalog_inside.h"
#include "catalog/terms.h"

// A subscription as it would be after a change that counts from `from` on.
typedef struct TimelineCheck {
    const CatalogChange       *change;
    const SubscriptionHistory *history;
    Instant                    from;
    Str quantities;  // those that the caller named, each to be priced at `from`; STR_NONE: none
} TimelineCheck;

// PLAN_VERSION_NOT_FOUND (of a phase), PLAN_INVALID and the faults of a document (overrides that do
// not fit), FIELD_REQUIRED and FIELD_INVALID (quantities, usageFilter), CURRENCY_MISMATCH,
// USAGE_CLAIMED_TWICE.
Err *timeline_check(DbTx *tx, const TimelineCheck *check) MUST_CHECK;
// Notes the meters that overrides and phases price beyond those of the published versions.
Err *timeline_meters_note(DbTx *tx, const TimelineCheck *check) MUST_CHECK;
