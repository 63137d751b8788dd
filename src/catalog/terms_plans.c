// SPDX-License-Identifier: Apache-2.0
#include "catalog/terms_plans.h"

#include "catalog/body.h"

// The faults of a patched document stand where the body says the patch.
static Err *under(Arena *arena, Err *err, Str pointer)
{
    for (Err *fault = err; fault != NULL; fault = fault->next)
        if (fault->code != ERR_PLAN_NOT_FOUND && fault->code != ERR_PLAN_VERSION_NOT_FOUND &&
            fault->code != ERR_STORE_FAILED)
            fault->pointer =
                str_print(arena, "%.*s%.*s", STR_ARG(pointer), STR_ARG(fault->pointer));
    return err;
}

static Err *plan_add(DbTx *tx, const CatalogChange *change, const PlanWanted *wanted, Str pointer,
                     TermsPlans *plans)
{
    const Plan *plan;
    TRY(under(db_arena(tx), catalog__plan_parsed(tx, change->catalog, wanted, &plan), pointer));
    bool is_patched = false;
    for (size_t i = 0; i < wanted->patch_count; i++)
        is_patched |= wanted->patches[i].at != NULL;
    plans->at[plans->count++] = (TermsPlan){ plan, wanted->ref, is_patched, pointer };
    return NULL;
}

Err *terms_plans(DbTx *tx, const CatalogChange *change, const SubscriptionTerms *terms,
                 TermsPlans *plans)
{
    Arena             *arena = db_arena(tx);
    SubscriptionPhases phases = phases_of(arena, terms->phases);
    PlanRef            ref = { change->by->project.id, terms->plan, terms->plan_version };
    *plans = (TermsPlans){ .at = arena_array(arena, TermsPlan, phases.count + 1) };
    TRY(plan_add(tx, change, &(PlanWanted){ ref, &terms->overrides, 1 }, STR("/overrides"),
                 plans));
    for (size_t i = 0; i < phases.count; i++) {
        const SubscriptionPhase *phase = &phases.at[i];
        Str pointer = pointer_at(arena, STR("/phases"), i);
        Str patches[] = { terms->overrides, phase->overrides };
        PlanWanted wanted = { ref, patches, 2 };
        if (phase->plan_version != 0)
            wanted.ref.number = phase->plan_version;
        TRY(plan_add(tx, change, &wanted, pointer_of(arena, pointer, STR("overrides")), plans));
    }
    return NULL;
}
