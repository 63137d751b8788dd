// Between the files that read a plan document.
#pragma once

#include "price/model.h"

// An amount alone, or an object {"amount"}. 0 or more.
void plan_optional_read(Place place, Optional *amount);

// "day", "second", "none"; unchanged when absent.
void plan_prorate_read(Place place, Prorate *prorate);

// Ids of charges, not none of them and none twice; whether they exist is checked at the end.
void plan_charge_ids_read(Place place, Str **ids, size_t *count);

void plan_charge_read(Place place, Charge *charge);
void plan_filter_read(Place place, ChargeFilter *filter);
// The same with a text for a single value: {"region":"eu-1"}.
void plan_when_read(Place place, ChargeFilter *filter);
void plan_groups_read(Place place, Str **keys, size_t *count);
void plan_length_read(Place place, PeriodLength *length);
void plan_trial_read(Place place, Trial *trial);
void plan_phases_read(Place place, const Json *document, Phases *phases);
void plan_discount_read(Place place, Discount *discount);
void plan_commitment_read(Place place, Commitment *commitment);
void plan_period_read(Place place, PeriodRule *rule);

// Fills `except` of every metered charge, and adds PLAN_INVALID where two charges would both take
// an event and neither is more specific. `charges` is the place of the array.
void plan_partition(Place charges, Plan *plan);
