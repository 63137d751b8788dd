// SPDX-License-Identifier: Apache-2.0
// The request behind `toll rate` and POST /v1/rate: read, checked whole, priced, printed.
#include "price/rate_request.h"

#include <stdlib.h>

#include "price/place.h"
#include "price/price.h"

// One entry of the usage of a meter.
typedef struct UsageEntry {
    NamedText  *properties;
    size_t      property_count;
    Rational    quantity;
    const Json *events; // NULL: not given
    Place       place;
} UsageEntry;

typedef struct MeterUsage {
    Str         meter;
    UsageEntry *entries;
    size_t      count;
} MeterUsage;

typedef struct RateRequest {
    Faults      faults;
    Plan       *plan;
    PriceInputs inputs;
    MeterUsage *meters;
    size_t      meter_count;
} RateRequest;

enum { ENTRIES_MAX = 100000, EVENTS_MAX = 100000, CHANGES_MAX = 10000 };

// ---- usage

static void properties_read(Place place, UsageEntry *entry)
{
    if (!place_object(place))
        return;
    entry->properties = arena_array(place.faults->arena, NamedText, place.json->count);
    for (const Json *member = place.json->first; member != NULL; member = member->next) {
        NamedText property = { member->name, STR_NONE };
        if (member->kind != JSON_NULL &&
            !place_text(place_named(place, member->name), &property.text))
            return;
        entry->properties[entry->property_count++] = property;
    }
}

// The price in the event's property; 0 when there is none.
static void event_price_read(Place event, Str property, Rational *price)
{
    Place value = place_named(place_member(event, "properties"), property);
    *price = rational_zero();
    if (property.at != NULL)
        place_decimal(value, price);
}

static void event_read(Place place, Str property, EventUsage *event)
{
    static const char *const members[] = { "ts", "uniqueId", "value", "properties", NULL };
    Place                    ts = place_member(place, "ts"), value = place_member(place, "value");
    *event = (EventUsage){ .value = rational_one(), .price = rational_zero() };
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    if (place_required(ts))
        place_instant(ts, &event->ts);
    place_text(place_member(place, "uniqueId"), &event->unique_id);
    place_decimal(value, &event->value);
    if (place_member(place, "properties").json != NULL &&
        place_object(place_member(place, "properties")))
        event_price_read(place, property, &event->price);
}

// Reads the events of an entry; `property` of STR_NONE: without prices.
static EventUsage *events_read(Place place, Str property)
{
    EventUsage *events = arena_array(place.faults->arena, EventUsage, place.json->count);
    size_t      index = 0;
    for (const Json *event = place.json->first; event != NULL; event = event->next, index++)
        event_read(place_element(place, event, index), property, &events[index]);
    return events;
}

// Their faults, and the quantity that they come to unless one is given.
static void events_check(Place place, UsageEntry *entry)
{
    if (!place_array(place, 0, EVENTS_MAX))
        return;
    entry->events = place.json;
    const EventUsage *events = events_read(place, STR_NONE);
    for (size_t i = 0; i < place.json->count; i++)
        entry->quantity = rational_add(place.faults->arena, entry->quantity, events[i].value);
}

static void entry_read(Place place, UsageEntry *entry)
{
    static const char *const members[] = { "group", "quantity", "events", NULL };
    entry->quantity = rational_zero();
    entry->place = place;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place quantity = place_member(place, "quantity"), events = place_member(place, "events");
    properties_read(place_member(place, "group"), entry);
    if (events.json != NULL)
        events_check(events, entry);
    if (quantity.json != NULL || entry->events == NULL)
        if (place_required(quantity))
            place_decimal(quantity, &entry->quantity);
}

static bool is_priced(const Plan *plan, Str meter)
{
    for (size_t i = 0; plan != NULL && i < plan->charge_count; i++)
        if (charge_reads(&plan->charges[i], meter))
            return true;
    return plan == NULL;
}

static void meter_usage_read(Place place, const Plan *plan, Str meter, MeterUsage *usage)
{
    Arena *arena = place.faults->arena;
    usage->meter = meter;
    if (!is_priced(plan, meter))
        place_fault(place, ERR_FIELD_INVALID, "no charge of the plan prices meter %.*s",
                    STR_ARG(meter));
    if (place.json == NULL)
        return;
    if (place.json->kind != JSON_ARRAY) {
        usage->entries = arena_new(arena, UsageEntry);
        usage->entries->quantity = rational_zero();
        usage->entries->place = place;
        usage->count = place_decimal(place, &usage->entries->quantity);
        return;
    }
    if (!place_array(place, 0, ENTRIES_MAX))
        return;
    usage->entries = arena_array(arena, UsageEntry, place.json->count);
    for (const Json *entry = place.json->first; entry != NULL; entry = entry->next) {
        entry_read(place_element(place, entry, usage->count), &usage->entries[usage->count]);
        usage->count++;
    }
}

static void usage_read_all(Place place, RateRequest *request)
{
    if (!place_object(place))
        return;
    request->meters = arena_array(place.faults->arena, MeterUsage, place.json->count);
    for (const Json *member = place.json->first; member != NULL; member = member->next)
        meter_usage_read(place_named(place, member->name), request->plan, member->name,
                         &request->meters[request->meter_count++]);
}

// ---- quantities

static void changes_read(Place place, QuantityHistory *history)
{
    static const char *const members[] = { "from", "value", NULL };
    Arena                   *arena = place.faults->arena;
    if (place.json == NULL)
        return;
    QuantityChange *changes = arena_array(arena, QuantityChange, place.json->count + 1);
    history->changes = changes;
    if (place.json->kind != JSON_ARRAY) {
        changes[0] = (QuantityChange){ { INT64_MIN }, rational_zero() };
        history->count = place_not_negative(place, &changes[0].value);
        return;
    }
    if (!place_array(place, 0, CHANGES_MAX))
        return;
    size_t index = 0;
    for (const Json *change = place.json->first; change != NULL; change = change->next, index++) {
        Place element = place_element(place, change, index);
        Place from = place_member(element, "from"), value = place_member(element, "value");
        if (!place_object(element))
            return;
        place_members(element, members, NULL);
        changes[index].value = rational_zero();
        if (!place_required(from) || !place_required(value) ||
            !place_instant(from, &changes[index].from) ||
            !place_not_negative(value, &changes[index].value))
            return;
        if (index > 0 && changes[index].from.us <= changes[index - 1].from.us)
            place_fault(from, ERR_FIELD_INVALID, "changes are listed in order of time");
    }
    history->count = index;
}

static bool is_given(const RateRequest *request, Str name)
{
    for (size_t i = 0; i < request->inputs.quantity_count; i++)
        if (str_equal(request->inputs.quantities[i].name, name))
            return true;
    return false;
}

static void quantity_needed(Place place, const RateRequest *request, Str name)
{
    if (name.at != NULL && !is_given(request, name))
        place_required(place_named(place, name));
}

static void quantities_read(Place place, RateRequest *request)
{
    if (place_object(place)) {
        QuantityHistory *histories =
            arena_array(place.faults->arena, QuantityHistory, place.json->count);
        request->inputs.quantities = histories;
        for (const Json *member = place.json->first; member != NULL; member = member->next) {
            QuantityHistory *history = &histories[request->inputs.quantity_count++];
            history->name = member->name;
            changes_read(place_named(place, member->name), history);
        }
    }
    for (size_t i = 0; request->plan != NULL && i < request->plan->charge_count; i++) {
        const Charge *charge = &request->plan->charges[i];
        if (charge->source == SOURCE_QUANTITY)
            quantity_needed(place, request, charge->quantity);
        quantity_needed(place, request, charge->included.per_unit);
        quantity_needed(place, request, charge->included_per_group.per_unit);
    }
}

// ---- time

static bool span_read(Place place, Span *span)
{
    static const char *const members[] = { "start", "end", NULL };
    Place                    start = place_member(place, "start"), end = place_member(place, "end");
    if (!place_required(place) || !place_object(place))
        return false;
    place_members(place, members, NULL);
    bool has_start = place_required(start), has_end = place_required(end);
    bool has_both = has_start && has_end;
    if (!has_both || !place_instant(start, &span->start) || !place_instant(end, &span->end))
        return false;
    if (span->start.us >= span->end.us)
        place_fault(place, ERR_FIELD_INVALID, "the period must end after it starts");
    return span->start.us < span->end.us;
}

static void time_read(Place body, RateRequest *request)
{
    PriceInputs *inputs = &request->inputs;
    Instant      from, to;
    Place from_place = place_member(body, "activeFrom"), to_place = place_member(body, "activeTo");
    if (!span_read(place_member(body, "period"), &inputs->full))
        return;
    inputs->service = inputs->full;
    inputs->at = inputs->full.end;
    inputs->start = inputs->full.start;
    if (place_instant(from_place, &from)) {
        inputs->start = from;
        if (from.us > inputs->service.start.us)
            inputs->service.start = from;
    }
    if (place_instant(to_place, &to) && to.us < inputs->service.end.us)
        inputs->service.end = to;
    place_instant(place_member(body, "at"), &inputs->at);
    if (inputs->service.start.us >= inputs->service.end.us)
        place_fault(body, ERR_FIELD_INVALID, "activeFrom and activeTo leave nothing of the period");
}

// ---- from entries to what each charge counts

static int groups_compare(const void *left, const void *right, void *count)
{
    const GroupUsage *a = left, *b = right;
    return group_values_compare(a->values, b->values, *(const size_t *)count);
}

static Str property_of(const UsageEntry *entry, Str name)
{
    for (size_t i = 0; i < entry->property_count; i++)
        if (str_equal(entry->properties[i].name, name))
            return entry->properties[i].text;
    return STR_NONE;
}

static bool takes(const Charge *charge, const UsageEntry *entry)
{
    if (!filter_matches(&charge->filter, entry->properties, entry->property_count))
        return false;
    for (size_t i = 0; i < charge->except_count; i++)
        if (filter_matches(&charge->except[i], entry->properties, entry->property_count))
            return false;
    return true;
}

static void group_add(Arena *arena, GroupUsage *sum, const GroupUsage *group)
{
    EventUsage *each = arena_array(arena, EventUsage, sum->each_count + group->each_count);
    sum->usage = rational_add(arena, sum->usage, group->usage);
    for (size_t i = 0; i < sum->each_count; i++)
        each[i] = sum->each[i];
    for (size_t i = 0; i < group->each_count; i++)
        each[sum->each_count + i] = group->each[i];
    sum->each = each;
    sum->each_count += group->each_count;
}

static size_t groups_join(Arena *arena, GroupUsage *groups, size_t count, size_t keys)
{
    size_t kept = 0;
    if (count > 1)
        qsort_r(groups, count, sizeof *groups, groups_compare, &keys);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && group_values_compare(groups[kept - 1].values, groups[i].values, keys) == 0)
            group_add(arena, &groups[kept - 1], &groups[i]);
        else
            groups[kept++] = groups[i];
    }
    return kept;
}

static void entry_events(const Charge *charge, const UsageEntry *entry, GroupUsage *group)
{
    Place events = place_member(entry->place, "events");
    if (entry->events == NULL) {
        place_fault(events, ERR_FIELD_REQUIRED,
                    "charge %.*s prices event by event: events are required", STR_ARG(charge->id));
        return;
    }
    group->each = events_read(events, charge->terms.property);
    group->each_count = entry->events->count;
}

static GroupUsage meter_total(Arena *arena, const MeterUsage *meter)
{
    GroupUsage total = { .usage = rational_zero() };
    for (size_t i = 0; i < meter->count; i++)
        total.usage = rational_add(arena, total.usage, meter->entries[i].quantity);
    return total;
}

static ChargeUsage charge_usage(Arena *arena, const Charge *charge, const MeterUsage *meter)
{
    GroupUsage *groups = arena_array(arena, GroupUsage, meter->count);
    size_t      count = 0;
    for (size_t i = 0; i < meter->count; i++) {
        const UsageEntry *entry = &meter->entries[i];
        if (!takes(charge, entry))
            continue;
        Str *values = arena_array(arena, Str, charge->read_count);
        for (size_t k = 0; k < charge->read_count; k++)
            values[k] = property_of(entry, charge->read_by[k]);
        groups[count] = (GroupUsage){ .values = values, .usage = entry->quantity };
        if (charge->terms.needs_events)
            entry_events(charge, entry, &groups[count]);
        count++;
    }
    return (ChargeUsage){ groups, groups_join(arena, groups, count, charge->read_count) };
}

static const MeterUsage *meter_usage(const RateRequest *request, Str meter)
{
    static const MeterUsage nothing = { 0 };
    for (size_t i = 0; i < request->meter_count; i++)
        if (str_equal(request->meters[i].meter, meter))
            return &request->meters[i];
    return &nothing;
}

static ChargeUsage meters_usage(Arena *arena, const RateRequest *request, const Charge *charge)
{
    size_t      count = charge->terms.meter_count;
    GroupUsage *groups = arena_array(arena, GroupUsage, count);
    for (size_t i = 0; i < count; i++)
        groups[i] = meter_total(arena, meter_usage(request, charge->terms.meters[i]));
    return (ChargeUsage){ groups, count };
}

static void usage_share_out(Arena *arena, RateRequest *request)
{
    PriceInputs *inputs = &request->inputs;
    ChargeUsage *usage = arena_array(arena, ChargeUsage, request->plan->charge_count);
    for (size_t i = 0; i < request->plan->charge_count; i++) {
        const Charge *charge = &request->plan->charges[i];
        if (charge->source == SOURCE_METER)
            usage[i] = charge_usage(arena, charge, meter_usage(request, charge->meter));
        else if (charge->source == SOURCE_METERS)
            usage[i] = meters_usage(arena, request, charge);
    }
    inputs->parts = price_parts_whole(arena, request->plan, usage, inputs->service, inputs->full);
}

static void request_read(Place body, RateRequest *request)
{
    static const char *const members[] = { "plan",       "period",   "usage", "quantities",
                                           "activeFrom", "activeTo", "at",    NULL };
    if (!place_object(body))
        return;
    place_members(body, members, NULL);
    Place plan = place_member(body, "plan");
    if (place_required(plan))
        request->plan = plan_from_json(plan.json, plan.pointer, STR_NONE, &request->faults);
    time_read(body, request);
    usage_read_all(place_member(body, "usage"), request);
    quantities_read(place_member(body, "quantities"), request);
}

Err *rate_request(Arena *arena, const Json *body, Text *out)
{
    RateRequest request = { .faults = { .arena = arena } };
    BillFrame   frame = { 0 };
    Bill        bill;
    request_read(place_of(&request.faults, body, STR("")), &request);
    if (request.faults.first != NULL)
        return request.faults.first;

    PriceInputs *inputs = &request.inputs;
    inputs->zone =
        request.plan->time_zone.at == NULL ? zone_utc() : zone_find(request.plan->time_zone);
    inputs->index =
        period_at(&request.plan->period, inputs->zone, inputs->start, inputs->service.start).index;
    usage_share_out(arena, &request);
    if (request.faults.first != NULL)
        return request.faults.first;
    TRY(price_bill(arena, request.plan, inputs, &bill));
    JsonOut json = json_out(out);
    bill_to_json(&bill, &frame, arena, &json);
    return NULL;
}
