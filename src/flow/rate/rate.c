// SPDX-License-Identifier: Apache-2.0
#include "flow/rate/rate.h"

static ChargeUsage usage_of(Arena *arena, const UsageAnswer *answer)
{
    GroupUsage *groups = arena_array(arena, GroupUsage, answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        const UsageGroup *group = &answer->groups[i];
        groups[i] = (GroupUsage){ .values = group->values,
                                  .usage = group->exact,
                                  .events = group->events,
                                  .digest = group->digest };
    }
    return (ChargeUsage){ groups, answer->count };
}

// ---- events one by one

// The events of a charge on their way to its groups, whose counts are known: each has room.
typedef struct EventsTake {
    Arena        *arena;
    const Charge *charge;
    GroupUsage   *groups;
    size_t        count;
    Err          *failed; // the first that could not be taken
} EventsTake;

// Groups are in the order of their values. NULL: there is none.
static GroupUsage *group_find(const EventsTake *events, const Str *values)
{
    size_t low = 0, high = events->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int    order =
            group_values_compare(events->groups[middle].values, values, events->charge->read_count);
        if (order == 0)
            return &events->groups[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// What the event says it costs; 0 when the property is absent or no decimal.
static Rational carried_price(Arena *arena, Str property, const Event *event)
{
    Property found;
    Decimal  price;
    bool is_price = property.at != NULL && properties_find(event->properties, property, &found) &&
                    (found.kind == PROPERTY_NUMBER || found.kind == PROPERTY_STRING) &&
                    decimal_parse(found.text, DECIMAL_EVENT_DIGITS, &price);
    return is_price ? rational_of(arena, price) : rational_zero();
}

static void event_take(void *context, const UsageMeasure *measure)
{
    EventsTake *events = context;
    GroupUsage *group = group_find(events, measure->group);
    bool        counts = measure->counts || events->charge->terms.property.at != NULL;
    if (!counts)
        return;
    if (group == NULL || group->each_count == group->events) {
        events->failed =
            refuse(events->arena, ERR_STORE_FAILED, STR_NONE, "two readings of one moment differ");
        return;
    }
    group->each[group->each_count++] = (EventUsage){
        .ts = measure->event->ts,
        .unique_id = str_copy(events->arena, measure->event->unique_id),
        .value = measure->counts ? rational_of(events->arena, measure->value) : rational_zero(),
        .price = carried_price(events->arena, events->charge->terms.property, measure->event)
    };
}

static Err *events_read(Arena *arena, const RateQuery *query, const Charge *charge,
                        const UsageQuery *wanted, ChargeUsage *usage)
{
    GroupUsage *groups = arena_array(arena, GroupUsage, usage->count);
    EventsTake  events = { arena, charge, groups, usage->count, NULL };
    for (size_t i = 0; i < usage->count; i++) {
        groups[i] = usage->groups[i];
        groups[i].each = arena_array(arena, EventUsage, groups[i].events);
    }
    TRY(usage_scan(query->moment, arena, wanted, (UsageTake){ event_take, &events }));
    usage->groups = groups;
    return events.failed;
}

// ---- a charge's question

static ChargeTerm term_both(Arena *arena, const ChargeTerm *a, const ChargeTerm *b)
{
    ChargeTerm both = { a->key, arena_array(arena, Str, a->count), 0 };
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (str_equal(a->values[i], b->values[k]))
                both.values[both.count++] = a->values[i];
    return both;
}

// What both filters take. Of a key for which they are apart no value is left: nothing matches.
static ChargeFilter filter_both(Arena *arena, const ChargeFilter *a, const ChargeFilter *b)
{
    ChargeFilter both = { arena_array(arena, ChargeTerm, a->count + b->count), 0 };
    size_t       i = 0, k = 0;
    while (i < a->count || k < b->count) {
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : str_compare(a->terms[i].key, b->terms[k].key);
        if (order == 0)
            both.terms[both.count++] = term_both(arena, &a->terms[i++], &b->terms[k++]);
        else
            both.terms[both.count++] = order < 0 ? a->terms[i++] : b->terms[k++];
    }
    return both;
}

static UsageQuery charge_query(Arena *arena, const RateQuery *query, const Charge *charge,
                               const UsageWindow *window)
{
    ChargeFilter match = filter_both(arena, &charge->filter, &query->own);
    return (UsageQuery){ .project = query->project.id,
                         .meter = charge->meter,
                         .account = query->account,
                         .match = match,
                         .except = charge->except,
                         .except_count = charge->except_count,
                         .group_by = charge->read_by,
                         .group_count = charge->read_count,
                         .windows = window,
                         .window_count = 1,
                         .holes = query->holes,
                         .hole_count = query->hole_count,
                         .until = query->until,
                         .zone = query->zone,
                         .period_us = query->period_us };
}

static Err *charge_read(Arena *arena, const RateQuery *query, const Charge *charge, Span span,
                        ChargeUsage *usage)
{
    UsageAnswer answer;
    UsageWindow window = { span.start, span.end };
    UsageQuery  wanted = charge_query(arena, query, charge, &window);
    TRY(usage_read(query->moment, arena, &wanted, &answer));
    *usage = usage_of(arena, &answer);
    return charge->terms.needs_events ? events_read(arena, query, charge, &wanted, usage) : NULL;
}

// All of each meter of a charge over several.
static Err *meters_read(Arena *arena, const RateQuery *query, const Charge *charge, Span span,
                        ChargeUsage *usage)
{
    size_t      count = charge_meter_count(charge);
    GroupUsage *groups = arena_array(arena, GroupUsage, count);
    for (size_t i = 0; i < count; i++) {
        Charge      one = { .source = SOURCE_METER, .meter = charge_meter(charge, i) };
        ChargeUsage read;
        TRY(charge_read(arena, query, &one, span, &read));
        groups[i] = read.count > 0 ? read.groups[0] : (GroupUsage){ .usage = rational_zero() };
    }
    *usage = (ChargeUsage){ groups, count };
    return NULL;
}

Err *rate_scan(Arena *arena, const RateQuery *query, const Charge *charge, Span span,
               UsageTake take)
{
    UsageWindow window = { span.start, span.end };
    if (charge->source == SOURCE_METER) {
        UsageQuery wanted = charge_query(arena, query, charge, &window);
        return usage_scan(query->moment, arena, &wanted, take);
    }
    for (size_t i = 0; i < charge_meter_count(charge); i++) {
        Charge     one = { .source = SOURCE_METER, .meter = charge_meter(charge, i) };
        UsageQuery wanted = charge_query(arena, query, &one, &window);
        TRY(usage_scan(query->moment, arena, &wanted, take));
    }
    return NULL;
}

Err *rate_charge(Arena *arena, const RateQuery *query, const Charge *charge, Span span,
                 ChargeUsage *usage)
{
    switch (charge->source) {
    case SOURCE_METER:
        return charge_read(arena, query, charge, span, usage);
    case SOURCE_METERS:
        return meters_read(arena, query, charge, span, usage);
    case SOURCE_QUANTITY:
    case SOURCE_NONE:
        break;
    }
    *usage = (ChargeUsage){ 0 };
    return NULL;
}
