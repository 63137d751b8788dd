// SPDX-License-Identifier: Apache-2.0
// What a plan document cannot know by itself: that the meters are there, with the dimensions that
// it filters and groups by, in its own charges and in those of its phases.
#include "catalog/body.h"
#include "catalog/catalog_inside.h"
#include "catalog/phases.h"
#include "price/patch.h"

bool catalog__meter_has_dimension(const Meter *meter, Str key)
{
    for (size_t i = 0; i < meter->dimension_count; i++)
        if (str_equal(meter->dimensions[i], key))
            return true;
    return false;
}

static void dimension_check(const Meter *meter, Str key, Str pointer, Faults *faults)
{
    if (!catalog__meter_has_dimension(meter, key))
        faults_add(faults, ERR_PLAN_INVALID, pointer, "%.*s is not a dimension of meter %.*s",
                   STR_ARG(key), STR_ARG(meter->id));
}

// Prices of the events need a meter whose value they add up to.
static void events_check(const Meter *meter, const Charge *charge, Str pointer, Faults *faults)
{
    if (charge->terms.needs_events && charge->terms.property.at == NULL &&
        !meter_sums_events(meter))
        faults_add(faults, ERR_PLAN_INVALID, pointer,
                   "prices event by event need a meter that sums or counts, and %.*s does not",
                   STR_ARG(meter->id));
}

static Err *meters_check(DbTx *tx, ProjectId project, const Charge *charge, Str pointer,
                         Faults *faults)
{
    for (size_t i = 0; i < charge_meter_count(charge); i++) {
        Meter *meter;
        TRY(catalog__meter_find(tx, project, charge_meter(charge, i), &meter));
        if (meter == NULL)
            faults_add(faults, ERR_PLAN_INVALID, pointer, "there is no meter %.*s",
                       STR_ARG(charge_meter(charge, i)));
    }
    return NULL;
}

Err *catalog__charge_check(DbTx *tx, ProjectId project, const Charge *charge, Str pointer,
                           Faults *faults)
{
    Arena *arena = db_arena(tx);
    Meter *meter;
    if (charge->source == SOURCE_METERS)
        return meters_check(tx, project, charge, pointer, faults);
    if (charge->source != SOURCE_METER)
        return NULL;
    TRY(catalog__meter_find(tx, project, charge->meter, &meter));
    if (meter == NULL) {
        faults_add(faults, ERR_PLAN_INVALID, pointer_of(arena, pointer, STR("meter")),
                   "there is no meter %.*s", STR_ARG(charge->meter));
        return NULL;
    }
    events_check(meter, charge, pointer_of(arena, pointer, STR("meter")), faults);
    for (size_t i = 0; i < charge->filter.count; i++) {
        Str key = charge->filter.terms[i].key;
        dimension_check(meter, key,
                        pointer_of(arena, pointer_of(arena, pointer, STR("filter")), key), faults);
    }
    for (size_t i = 0; i < charge->group_count; i++)
        dimension_check(meter, charge->group_by[i], pointer_of(arena, pointer, STR("groupBy")),
                        faults);
    for (size_t i = 0; i < charge->terms.dimension_count; i++)
        dimension_check(meter, charge->terms.dimensions[i],
                        pointer_of(arena, pointer, STR("dimensions")), faults);
    return NULL;
}

// ---- a document with its phases

static Err *charges_check(DbTx *tx, ProjectId project, const Plan *plan, Faults *faults)
{
    for (size_t i = 0; i < plan->charge_count; i++)
        TRY(catalog__charge_check(tx, project, &plan->charges[i],
                                  pointer_at(db_arena(tx), STR("/charges"), i), faults));
    return NULL;
}

// The document that a phase changes: of another version when it names one.
static Err *phase_document(DbTx *tx, const PlanDraft *draft, const SubscriptionPhase *phase,
                           Str pointer, Str *document)
{
    PlanRef      ref = { draft->ref.project, draft->ref.plan, phase->plan_version };
    PlanVersion *version;
    *document = draft->document;
    if (phase->plan_version == 0)
        return NULL;
    TRY(catalog__plan_version_find(tx, &ref, &version));
    if (version == NULL)
        return refuse(db_arena(tx), ERR_PLAN_INVALID,
                      pointer_of(db_arena(tx), pointer, STR("planVersion")),
                      "plan %.*s has no version %lld", STR_ARG(ref.plan), (long long)ref.number);
    if (!str_equal(version->currency, draft->currency))
        return refuse(db_arena(tx), ERR_PLAN_INVALID,
                      pointer_of(db_arena(tx), pointer, STR("planVersion")),
                      "version %lld is in %.*s", (long long)ref.number, STR_ARG(version->currency));
    *document = version->document;
    return NULL;
}

static Err *phase_plan(DbTx *tx, const PlanDraft *draft, const SubscriptionPhase *phase,
                       Str pointer, Plan **plan)
{
    Arena *arena = db_arena(tx);
    Faults faults = { .arena = arena };
    Json  *parsed, *patch;
    Str    text, overrides = pointer_of(arena, pointer, STR("overrides"));
    TRY(phase_document(tx, draft, phase, pointer, &text));
    TRY(json_parse_copy(arena, text, &parsed));
    const Json *document = parsed;
    if (phase->overrides.at != NULL) {
        TRY(json_parse_copy(arena, phase->overrides, &patch));
        document = plan_patch(arena, document, patch, overrides, &faults);
    }
    if (document != NULL)
        *plan = plan_from_json(document, overrides, STR_NONE, &faults);
    return faults.first;
}

static Err *phase_check(DbTx *tx, const PlanDraft *draft, const SubscriptionPhase *phase,
                        Str pointer, Plan **plan)
{
    Arena *arena = db_arena(tx);
    Faults faults = { .arena = arena };
    Str    charges = str_print(arena, "%.*s/overrides/charges", STR_ARG(pointer));
    TRY(phase_plan(tx, draft, phase, pointer, plan));
    for (size_t i = 0; i < (*plan)->charge_count; i++)
        TRY(catalog__charge_check(tx, draft->ref.project, &(*plan)->charges[i],
                                  pointer_of(arena, charges, (*plan)->charges[i].id), &faults));
    return faults.first;
}

Err *catalog__plan_check(DbTx *tx, const PlanDraft *draft, CheckedPlans *plans)
{
    Arena *arena = db_arena(tx);
    Faults faults = { .arena = arena };
    Plan  *plan;
    TRY(plan_from_text(arena, draft->document, &plan));
    TRY(charges_check(tx, draft->ref.project, plan, &faults));
    if (faults.first != NULL)
        return faults.first;
    SubscriptionPhases phases = phases_of_plan(arena, plan);
    *plans = (CheckedPlans){ arena_array(arena, Plan *, phases.count + 1), phases.count + 1 };
    plans->at[0] = plan;
    for (size_t i = 0; i < phases.count; i++)
        TRY(phase_check(tx, draft, &phases.at[i], pointer_at(arena, STR("/phases"), i),
                        &plans->at[i + 1]));
    return NULL;
}
