// SPDX-License-Identifier: Apache-2.0
// The greatest set of charges in which none depends on one outside: it begins with all that are the
// same by themselves, and loses those that stand on what was lost, until none does.
#include "flow/bill/alike.h"

#include "price/model.h"

static bool filter_same(const ChargeFilter *a, const ChargeFilter *b)
{
    return filter_within(a, b) && filter_within(b, a);
}

static bool leaves_out(const Charge *charge, const ChargeFilter *filter)
{
    for (size_t i = 0; i < charge->except_count; i++)
        if (filter_same(&charge->except[i], filter))
            return true;
    return false;
}

// Both leave the same events to more specific charges.
static bool except_same(const Charge *a, const Charge *b)
{
    for (size_t i = 0; i < a->except_count; i++)
        if (!leaves_out(b, &a->except[i]))
            return false;
    for (size_t i = 0; i < b->except_count; i++)
        if (!leaves_out(a, &b->except[i]))
            return false;
    return true;
}

static bool is_share(const Charge *charge)
{
    return charge->model->source == TAKES_CHARGES;
}

static bool shares_of(const Charge *share, Str charge)
{
    for (size_t i = 0; i < share->terms.charge_count; i++)
        if (str_equal(share->terms.charges[i], charge))
            return true;
    return false;
}

static bool goes_on(const Plan *plan, const bool *alike, Str charge)
{
    const Charge *found = plan_charge(plan, charge);
    return found != NULL && alike[found - plan->charges];
}

// Every share that the charge is in goes on, and of a share every charge.
static bool stands(const Plan *plan, const Plan *next, const bool *alike, const Charge *charge)
{
    if (is_share(charge))
        for (size_t i = 0; i < charge->terms.charge_count; i++)
            if (!goes_on(plan, alike, charge->terms.charges[i]))
                return false;
    const Plan *both[] = { plan, next };
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k]->charge_count; i++) {
            const Charge *share = &both[k]->charges[i];
            if (is_share(share) && shares_of(share, charge->id) &&
                !goes_on(plan, alike, share->id))
                return false;
        }
    return true;
}

void charges_alike(const Plan *plan, const Plan *next, bool *alike)
{
    for (size_t i = 0; i < plan->charge_count; i++) {
        const Charge *charge = &plan->charges[i], *same = plan_charge(next, charge->id);
        alike[i] = same != NULL && charge_same(charge, same) && except_same(charge, same);
    }
    for (bool lost = true; lost;) {
        lost = false;
        for (size_t i = 0; i < plan->charge_count; i++)
            if (alike[i] && !stands(plan, next, alike, &plan->charges[i])) {
                alike[i] = false;
                lost = true;
            }
    }
}
