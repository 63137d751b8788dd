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

// Phases of the plan's own come before the subscription's overrides, phases of its own after them.
static Err *phase_add(DbTx *tx, const CatalogChange *change, const SubscriptionTerms *terms,
                      const SubscriptionPhase *phase, TermsPlans *plans)
{
    Arena     *arena = db_arena(tx);
    bool       is_own = terms->phases.at != NULL;
    Str        pointer = pointer_at(arena, STR("/phases"), plans->count - 1);
    Str        own[] = { terms->overrides, phase->overrides };
    Str        of_plan[] = { phase->overrides, terms->overrides };
    PlanRef    ref = { change->by->project.id, terms->plan, terms->plan_version };
    PlanWanted wanted = { ref, is_own ? own : of_plan, 2 };
    if (phase->plan_version != 0)
        wanted.ref.number = phase->plan_version;
    return plan_add(tx, change, &wanted,
                    is_own ? pointer_of(arena, pointer, STR("overrides")) : STR("/overrides"),
                    plans);
}

Err *terms_plans(DbTx *tx, const CatalogChange *change, const SubscriptionTerms *terms,
                 TermsPlans *plans)
{
    Arena     *arena = db_arena(tx);
    PlanRef    ref = { change->by->project.id, terms->plan, terms->plan_version };
    PlanWanted wanted = { ref, &terms->overrides, 1 };
    TermsPlan  base[1];
    *plans = (TermsPlans){ .at = base };
    TRY(plan_add(tx, change, &wanted, STR("/overrides"), plans));
    SubscriptionPhases phases = terms->phases.at != NULL ? phases_of(arena, terms->phases)
                                                         : phases_of_plan(arena, base[0].plan);
    plans->at = arena_array(arena, TermsPlan, phases.count + 1);
    plans->at[0] = base[0];
    for (size_t i = 0; i < phases.count; i++)
        TRY(phase_add(tx, change, terms, &phases.at[i], plans));
    return NULL;
}
