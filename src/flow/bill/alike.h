// Which charges go on when one document takes over from another within a period.
#pragma once

#include "price/plan.h"

// For each charge of `plan`: does `next` define it alike, so that it is priced once over both? Its
// definition is the same, the more specific charges on its meter leave it the same events, and the
// shares of charges (percentOf) that it is in, or is made of, go on as well.
// alike: one for each charge of `plan`, false when called.
void charges_alike(const Plan *plan, const Plan *next, bool *alike);
