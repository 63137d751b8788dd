// SPDX-License-Identifier: Apache-2.0
// The greatest set of charges in which none depends on one outside: it begins with all that are the
// same by themselves, and loses those that stand on what was lost, until none does.
#include "flow/bill/alike.h"

#include "price/model.h"

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
        alike[i] = same != NULL && charge_same(charge, same);
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
