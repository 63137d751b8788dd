// SPDX-License-Identifier: Apache-2.0
#include "flow/bill/timeline_read.h"

#include "catalog/terms.h"

static Err *plan_from_catalog(void *context, Arena *arena, const PlanWanted *wanted,
                              const Plan **plan)
{
    return catalog_plan_parsed(context, arena, wanted, plan);
}

static void facts_fill(Catalog *catalog, ProjectId project, AccountZones zones,
                       TimelineFacts *facts)
{
    Project row = catalog_project_get(catalog, project);
    facts->zones = zones.at;
    facts->zone_count = zones.count;
    facts->project = project;
    facts->project_zone = row.time_zone;
    facts->has_clock = row.has_clock;
    facts->plans = (PlanSource){ plan_from_catalog, catalog };
    facts->known_at = INSTANT_END;
}

static Err *facts_around(Arena *arena, Catalog *catalog, ProjectId project, TimelineFacts *facts)
{
    AccountZones zones;
    TRY(catalog_account_zones(catalog, arena, project, facts->history.first->account, &zones));
    facts_fill(catalog, project, zones, facts);
    return NULL;
}

TimelineFacts timeline_facts_in(Catalog *catalog, ProjectId project, const AccountFile *file,
                                size_t number)
{
    TimelineFacts facts = { .history = file->histories.at[number] };
    facts_fill(catalog, project, file->zones, &facts);
    return facts;
}

Err *timeline_facts(Arena *arena, Catalog *catalog, ProjectId project, Str subscription,
                    TimelineFacts *facts)
{
    *facts = (TimelineFacts){ 0 };
    TRY(catalog_subscription_history(catalog, arena, project, subscription, &facts->history));
    return facts_around(arena, catalog, project, facts);
}

Err *timeline_facts_of(Arena *arena, Catalog *catalog, ProjectId project,
                       const SubscriptionHistory *history, TimelineFacts *facts)
{
    *facts = (TimelineFacts){ .history = *history };
    return facts_around(arena, catalog, project, facts);
}

void timeline_facts_add(Arena *arena, TimelineFacts *facts, const SubscriptionChange *change)
{
    SubscriptionHistory *history = &facts->history;
    size_t               known = subscription_known(history, change->recorded_at);
    SubscriptionChange  *changes = arena_array(arena, SubscriptionChange, known + 1);
    for (size_t i = 0; i < known; i++)
        changes[i] = history->changes[i];
    changes[known] = *change;
    changes[known].number = (int64_t)known + 1;
    history->changes = changes;
    history->count = known + 1;
}

static Err *charge_looks_back(Arena *arena, Catalog *catalog, const Charge *charge,
                              ProjectId project, bool *looks)
{
    for (size_t i = 0; i < charge_meter_count(charge) && !*looks; i++) {
        Meter *meter;
        TRY(catalog_meter_get(catalog, arena, project, charge_meter(charge, i), &meter));
        *looks = meter_looks_back(meter);
    }
    return NULL;
}

Err *timeline_looks_back(Arena *arena, Catalog *catalog, const Timeline *timeline,
                         ProjectId project, bool *looks)
{
    *looks = false;
    for (size_t i = 0; i < timeline->term_count; i++)
        for (size_t k = 0; k < timeline->terms[i].plan->charge_count; k++)
            TRY(charge_looks_back(arena, catalog, &timeline->terms[i].plan->charges[k], project,
                                  looks));
    return NULL;
}
