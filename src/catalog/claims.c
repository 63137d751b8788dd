// SPDX-License-Identifier: Apache-2.0
#include "catalog/claims.h"

bool claims_meet(const Subscription *a, const Subscription *b)
{
    bool a_first = a->ends && a->ends_at.us <= b->starts_at.us;
    bool b_first = b->ends && b->ends_at.us <= a->starts_at.us;
    return !a_first && !b_first;
}

// The meter whose events both take; STR_NONE: none.
static Str claimed_by_both(const Charge *a, const Charge *b)
{
    if (a->also_counts || b->also_counts || filter_apart(&a->filter, &b->filter))
        return STR_NONE;
    for (size_t i = 0; i < charge_meter_count(a); i++)
        if (charge_reads(b, charge_meter(a, i)))
            return charge_meter(a, i);
    return STR_NONE;
}

Err *claims_check(Arena *arena, const Plan *a, const Plan *b, Str other_subscription)
{
    for (size_t i = 0; i < a->charge_count; i++)
        for (size_t k = 0; k < b->charge_count; k++) {
            Str meter = claimed_by_both(&a->charges[i], &b->charges[k]);
            if (meter.at != NULL)
                return refuse(arena, ERR_USAGE_CLAIMED_TWICE, STR_NONE,
                              "charge %.*s would bill usage of meter %.*s that charge %.*s of "
                              "subscription %.*s bills",
                              STR_ARG(a->charges[i].id), STR_ARG(meter),
                              STR_ARG(b->charges[k].id), STR_ARG(other_subscription));
        }
    return NULL;
}
