// SPDX-License-Identifier: Apache-2.0
#include "catalog/claims.h"

bool claims_meet(const Subscription *a, const Subscription *b)
{
    bool a_first = a->ends && a->ends_at.us <= b->starts_at.us;
    bool b_first = b->ends && b->ends_at.us <= a->starts_at.us;
    return !a_first && !b_first;
}

static bool both_claim(const Charge *a, const Charge *b)
{
    return a->source == SOURCE_METER && b->source == SOURCE_METER && !a->also_counts &&
           !b->also_counts && str_equal(a->meter, b->meter) &&
           !filter_apart(&a->filter, &b->filter);
}

Err *claims_check(Arena *arena, const Plan *a, const Plan *b, Str other_subscription)
{
    for (size_t i = 0; i < a->charge_count; i++)
        for (size_t k = 0; k < b->charge_count; k++)
            if (both_claim(&a->charges[i], &b->charges[k]))
                return refuse(arena, ERR_USAGE_CLAIMED_TWICE, STR_NONE,
                              "charge %.*s would bill usage of meter %.*s that charge %.*s of "
                              "subscription %.*s bills",
                              STR_ARG(a->charges[i].id), STR_ARG(a->charges[i].meter),
                              STR_ARG(b->charges[k].id), STR_ARG(other_subscription));
    return NULL;
}
