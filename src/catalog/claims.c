// SPDX-License-Identifier: Apache-2.0
#include "catalog/claims.h"

void claims_add(Arena *arena, Claims *claims, Claim claim)
{
    if (claims->count == claims->room) {
        size_t room = claims->room == 0 ? 4 : 2 * claims->room;
        Claim *all = arena_array(arena, Claim, room);
        for (size_t i = 0; i < claims->count; i++)
            all[i] = claims->at[i];
        claims->at = all;
        claims->room = room;
    }
    claims->at[claims->count++] = claim;
}

static bool meet(const Claim *a, const Claim *b)
{
    bool a_first = a->ends && a->end.us <= b->start.us;
    bool b_first = b->ends && b->end.us <= a->start.us;
    return !a_first && !b_first;
}

// No event is taken by both: what one asks of an event cannot hold with what the other asks.
static bool are_apart(const ChargeFilter *a, const ChargeFilter *a_usage, const ChargeFilter *b,
                      const ChargeFilter *b_usage)
{
    return filter_apart(a, a_usage) || filter_apart(b, b_usage) || filter_apart(a, b) ||
           filter_apart(a, b_usage) || filter_apart(a_usage, b) || filter_apart(a_usage, b_usage);
}

// The meter whose events both take; STR_NONE: none.
static Str claimed_by_both(const Charge *a, const Charge *b)
{
    if (a->also_counts || b->also_counts)
        return STR_NONE;
    for (size_t i = 0; i < charge_meter_count(a); i++)
        if (charge_reads(b, charge_meter(a, i)))
            return charge_meter(a, i);
    return STR_NONE;
}

static Err *charge_check(Arena *arena, const Charge *charge, const Claims *own, const Plan *plan,
                         const Claims *other)
{
    for (size_t i = 0; i < plan->charge_count; i++) {
        const Charge *its = &plan->charges[i];
        Str           meter = claimed_by_both(charge, its);
        if (meter.at != NULL && !are_apart(&charge->filter, &own->usage, &its->filter,
                                           &other->usage))
            return refuse(arena, ERR_USAGE_CLAIMED_TWICE, STR_NONE,
                          "charge %.*s would bill usage of meter %.*s that charge %.*s of "
                          "subscription %.*s bills",
                          STR_ARG(charge->id), STR_ARG(meter), STR_ARG(its->id),
                          STR_ARG(other->subscription));
    }
    return NULL;
}

Err *claims_check(Arena *arena, const Claims *own, const Claims *other)
{
    for (size_t i = 0; i < own->count; i++)
        for (size_t k = 0; k < other->count; k++) {
            const Plan *plan = own->at[i].plan;
            if (!meet(&own->at[i], &other->at[k]))
                continue;
            for (size_t c = 0; c < plan->charge_count; c++)
                TRY(charge_check(arena, &plan->charges[c], own, other->at[k].plan, other));
        }
    return NULL;
}
