// SPDX-License-Identifier: Apache-2.0
#include "flow/rate/rate.h"

static Filter filter_of(Arena *arena, const ChargeFilter *wanted)
{
    Filter filter = { arena_array(arena, FilterTerm, wanted->count), wanted->count };
    for (size_t i = 0; i < wanted->count; i++)
        filter.terms[i] =
            (FilterTerm){ wanted->terms[i].key, wanted->terms[i].values, wanted->terms[i].count };
    return filter;
}

// An average is sum / count, exactly; the rounded one is for people. Nothing measured is 0.
static Rational exact_usage(Arena *arena, const Meter *meter, const UsageGroup *group)
{
    switch (meter->aggregation) {
    case AGGREGATE_AVERAGE:
        if (group->counted == 0)
            return rational_zero();
        return rational_divide(arena, rational_of(arena, group->sum),
                               rational_whole(arena, (int64_t)group->counted));
    case AGGREGATE_SUM:
    case AGGREGATE_COUNT:
    case AGGREGATE_UNIQUE_COUNT:
        return rational_of(arena, group->value);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_LATEST:
    case AGGREGATION_COUNT:
        break;
    }
    return group->has_value ? rational_of(arena, group->value) : rational_zero();
}

static ChargeUsage usage_of(Arena *arena, const Meter *meter, const UsageAnswer *answer)
{
    GroupUsage *groups = arena_array(arena, GroupUsage, answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        const UsageGroup *group = &answer->groups[i];
        groups[i] = (GroupUsage){ .values = group->values,
                                  .usage = exact_usage(arena, meter, group),
                                  .events = group->events,
                                  .digest = group->digest };
    }
    return (ChargeUsage){ groups, answer->count };
}

static Err *charge_read(Arena *arena, const RateQuery *query, const Charge *charge, Span span,
                        ChargeUsage *usage)
{
    Meter      *meter;
    UsageAnswer answer;
    UsageWindow window = { span.start, span.end };
    Filter     *except = arena_array(arena, Filter, charge->except_count);
    for (size_t i = 0; i < charge->except_count; i++)
        except[i] = filter_of(arena, &charge->except[i]);
    TRY(catalog_meter_get(query->catalog, arena, query->project, charge->meter, &meter));
    UsageQuery wanted = { .project = query->project.id,
                          .meter = charge->meter,
                          .account = query->account,
                          .match = filter_of(arena, &charge->filter),
                          .except = except,
                          .except_count = charge->except_count,
                          .group_by = charge->group_by,
                          .group_count = charge->group_count,
                          .windows = &window,
                          .window_count = 1 };
    TRY(usage_read(query->moment, arena, &wanted, &answer));
    *usage = usage_of(arena, meter, &answer);
    return NULL;
}

Err *rate_usage(Arena *arena, const RateQuery *query, Span span, ChargeUsage **usage)
{
    const Plan  *plan = query->plan;
    ChargeUsage *read = arena_array(arena, ChargeUsage, plan->charge_count);
    for (size_t i = 0; i < plan->charge_count; i++)
        if (plan->charges[i].source == SOURCE_METER)
            TRY(charge_read(arena, query, &plan->charges[i], span, &read[i]));
    *usage = read;
    return NULL;
}

Err *rate_period(Arena *arena, const RateQuery *query, const PriceInputs *inputs, Bill *bill)
{
    PriceInputs  whole = *inputs;
    ChargeUsage *usage;
    TRY(rate_usage(arena, query, inputs->service, &usage));
    whole.usage = usage;
    return price_bill(arena, query->plan, &whole, bill);
}
