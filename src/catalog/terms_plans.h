// The effective plans of a stretch of terms: without a phase, and in each phase. Nobody outside
// includes this.
#pragma once

#include "catalog/catalog_inside.h"
#include "catalog/phases.h"
#include "catalog/terms.h"

typedef struct TermsPlan {
    const Plan *plan;
    PlanRef     ref;
    bool        is_patched;
    Str         pointer;  // where a body says what was patched last: "/overrides", "/phases/0/…"
} TermsPlan;

typedef struct TermsPlans {
    TermsPlan *at;
    size_t     count;
} TermsPlans;

// Refusals of a patch have their pointer under where a body says it.
Err *terms_plans(DbTx *tx, const CatalogChange *change, const SubscriptionTerms *terms,
                 TermsPlans *plans) MUST_CHECK;
