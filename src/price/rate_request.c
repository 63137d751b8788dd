// SPDX-License-Identifier: Apache-2.0
// The request behind `toll rate` and POST /v1/rate: read, checked whole, priced, printed.
#include "price/rate_request.h"

#include <stdlib.h>

#include "price/patch.h"
#include "price/place.h"
#include "price/price.h"

// One entry of the usage of a meter.
typedef struct UsageEntry {
    NamedText  *properties;
    size_t      property_count;
    Rational    quantity;
    const Json *events; // NULL: not given
    bool        is_sum; // the quantity is what the events come to
    bool        has_at;
    Instant     at; // all of it counts there
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
    Calendar    calendar;
    MeterUsage *meters;
    size_t      meter_count;
    Period      period; // of the calendar
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
    entry->is_sum = true;
    for (size_t i = 0; i < place.json->count; i++)
        entry->quantity = rational_add(place.faults->arena, entry->quantity, events[i].value);
}

static void entry_read(Place place, UsageEntry *entry)
{
    static const char *const members[] = { "group", "quantity", "events", "at", NULL };
    entry->quantity = rational_zero();
    entry->place = place;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place quantity = place_member(place, "quantity"), events = place_member(place, "events");
    properties_read(place_member(place, "group"), entry);
    entry->has_at = place_instant(place_member(place, "at"), &entry->at);
    if (events.json != NULL)
        events_check(events, entry);
    if (quantity.json != NULL || entry->events == NULL)
        if (place_required(quantity)) {
            place_decimal(quantity, &entry->quantity);
            entry->is_sum = false;
        }
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

// A part of a charge, for which usage is gathered.
typedef struct Gathering {
    Arena            *arena;
    const Charge     *charge;
    const ChargePart *part;
    bool              is_only; // the charge has no other: what says no time is in it
} Gathering;

static bool is_inside(const Gathering *gathering, Instant at)
{
    Span span = gathering->part->service;
    return span.start.us <= at.us && at.us < span.end.us;
}

static size_t events_inside(const Gathering *gathering, EventUsage *events, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (is_inside(gathering, events[i].ts))
            events[kept++] = events[i];
    return kept;
}

// The events of an entry, for a charge that prices them one by one.
static void entry_events(const Gathering *gathering, const UsageEntry *entry, GroupUsage *group)
{
    const Charge *charge = gathering->charge;
    Place         events = place_member(entry->place, "events");
    if (entry->events == NULL) {
        place_fault(events, ERR_FIELD_REQUIRED,
                    "charge %.*s prices event by event: events are required", STR_ARG(charge->id));
        return;
    }
    group->each = events_read(events, charge->terms.property);
    group->each_count = events_inside(gathering, group->each, entry->events->count);
}

// What of an entry counts in the part. False: nothing.
static bool entry_quantity(const Gathering *gathering, const UsageEntry *entry, Rational *quantity)
{
    *quantity = entry->quantity;
    if (entry->has_at)
        return is_inside(gathering, entry->at);
    if (!entry->is_sum && gathering->is_only)
        return true;
    if (!entry->is_sum) {
        place_fault(entry->place, ERR_FIELD_REQUIRED,
                    "charge %.*s has several parts in this period: events, or at, say which counts",
                    STR_ARG(gathering->charge->id));
        return false;
    }
    EventUsage *events = events_read(place_member(entry->place, "events"), STR_NONE);
    size_t      count = events_inside(gathering, events, entry->events->count);
    *quantity = rational_zero();
    for (size_t i = 0; i < count; i++)
        *quantity = rational_add(gathering->arena, *quantity, events[i].value);
    return count > 0;
}

static GroupUsage meter_total(const Gathering *gathering, const MeterUsage *meter)
{
    GroupUsage total = { .usage = rational_zero() };
    Rational   quantity;
    for (size_t i = 0; i < meter->count; i++)
        if (entry_quantity(gathering, &meter->entries[i], &quantity))
            total.usage = rational_add(gathering->arena, total.usage, quantity);
    return total;
}

static ChargeUsage charge_usage(const Gathering *gathering, const MeterUsage *meter)
{
    Arena        *arena = gathering->arena;
    const Charge *charge = gathering->charge;
    GroupUsage   *groups = arena_array(arena, GroupUsage, meter->count);
    size_t        count = 0;
    for (size_t i = 0; i < meter->count; i++) {
        const UsageEntry *entry = &meter->entries[i];
        Rational          quantity;
        if (!takes(charge, entry) || !entry_quantity(gathering, entry, &quantity))
            continue;
        Str *values = arena_array(arena, Str, charge->read_count);
        for (size_t k = 0; k < charge->read_count; k++)
            values[k] = property_of(entry, charge->read_by[k]);
        groups[count] = (GroupUsage){ .values = values, .usage = quantity };
        if (charge->terms.needs_events)
            entry_events(gathering, entry, &groups[count]);
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

static ChargeUsage meters_usage(const Gathering *gathering, const RateRequest *request)
{
    const PriceTerms *terms = &gathering->charge->terms;
    GroupUsage       *groups = arena_array(gathering->arena, GroupUsage, terms->meter_count);
    for (size_t i = 0; i < terms->meter_count; i++)
        groups[i] = meter_total(gathering, meter_usage(request, terms->meters[i]));
    return (ChargeUsage){ groups, terms->meter_count };
}

static void parts_fill(Arena *arena, RateRequest *request)
{
    const Plan  *plan = request->plan;
    ChargeParts *all = arena_array(arena, ChargeParts, plan->charge_count);
    for (size_t i = 0; i < plan->charge_count; i++) {
        const Charge *charge = &plan->charges[i];
        ChargeParts  *parts = &all[i];
        *parts = price_parts_cut(arena, plan, charge, &request->calendar, &request->inputs);
        for (size_t k = 0; k < parts->count; k++) {
            Gathering gathering = { arena, charge, &parts->at[k], parts->count == 1 };
            if (charge->source == SOURCE_METER)
                parts->at[k].usage = charge_usage(&gathering, meter_usage(request, charge->meter));
            else if (charge->source == SOURCE_METERS)
                parts->at[k].usage = meters_usage(&gathering, request);
        }
    }
    request->inputs.parts = all;
}

// ---- what a subscription has beside usage

static void pauses_read(Place place, PriceInputs *inputs)
{
    if (!place_array(place, 0, CHANGES_MAX))
        return;
    Span *pauses = arena_array(place.faults->arena, Span, place.json->count);
    for (const Json *pause = place.json->first; pause != NULL; pause = pause->next) {
        size_t index = inputs->pause_count;
        Place  element = place_element(place, pause, index);
        if (!span_read(element, &pauses[index]))
            return;
        if (index > 0 && pauses[index].start.us < pauses[index - 1].end.us)
            place_fault(element, ERR_FIELD_INVALID, "pauses are listed in order of time");
        inputs->pause_count++;
    }
    inputs->pauses = pauses;
}

// What the earlier periods of the term counted.
static void committed_read(Place place, RateRequest *request)
{
    static const char *const members[] = { "list", "net", NULL };
    CommitmentCount         *before = &request->inputs.term.before;
    Rational                 net;
    *before = commitment_count_none(request->plan->currency);
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place list = place_member(place, "list"), net_place = place_member(place, "net");
    if (request->plan->commitment.term.every == 0)
        place_fault(place, ERR_FIELD_INVALID, "the plan has no commitment with a term");
    if (place_required(list))
        place_not_negative(list, &before->list);
    if (place_required(net_place) && place_decimal(net_place, &net) &&
        !rounding_money(net, request->plan->currency, request->plan->rounding, &before->net))
        place_fault(net_place, ERR_FIELD_INVALID, "net is too large");
}

// The period's place in the life of the subscription.
static void calendar_read(Arena *arena, RateRequest *request)
{
    const Plan  *plan = request->plan;
    PriceInputs *inputs = &request->inputs;
    inputs->zone = plan->time_zone.at == NULL ? zone_utc() : zone_find(plan->time_zone);
    request->calendar = calendar_begin(arena, &plan->period, inputs->zone, inputs->start);
    request->period = calendar_period_at(&request->calendar, inputs->service.start);
    inputs->index = request->period.index;
}

// The plan as it is in the phase that the period is in.
static void phase_apply(Place plan, RateRequest *request)
{
    Faults      *faults = &request->faults;
    const Phase *phase = phase_at(&request->plan->phases, &request->calendar, &request->period);
    if (phase == NULL)
        return;
    if (phase->plan_version != 0)
        place_fault(place_member(plan, "phases"), ERR_FIELD_INVALID,
                    "the period is in a phase of another version, which is not given");
    if (phase->plan_version != 0 || phase->overrides == NULL)
        return;
    const Json *changed =
        plan_patch(faults->arena, plan.json, phase->overrides, plan.pointer, faults);
    request->plan = plan_from_json(changed, plan.pointer, STR_NONE, faults);
}

static void request_read(Place body, RateRequest *request)
{
    static const char *const members[] = { "plan",       "period",    "usage", "quantities",
                                           "activeFrom", "activeTo",  "at",    "pauses",
                                           "dueOnly",    "committed", NULL };
    if (!place_object(body))
        return;
    place_members(body, members, NULL);
    Place plan = place_member(body, "plan");
    if (place_required(plan))
        request->plan = plan_from_json(plan.json, plan.pointer, STR_NONE, &request->faults);
    time_read(body, request);
    pauses_read(place_member(body, "pauses"), &request->inputs);
    place_bool(place_member(body, "dueOnly"), &request->inputs.due_only);
    if (request->faults.first == NULL) {
        calendar_read(body.faults->arena, request);
        phase_apply(plan, request);
    }
    usage_read_all(place_member(body, "usage"), request);
    quantities_read(place_member(body, "quantities"), request);
    if (request->plan != NULL)
        committed_read(place_member(body, "committed"), request);
}

static void term_fill(RateRequest *request)
{
    PriceInputs *inputs = &request->inputs;
    Span         active = { inputs->start, INSTANT_END };
    if (request->plan->commitment.term.every == 0)
        return;
    if (inputs->service.end.us < inputs->full.end.us)
        active.end = inputs->service.end;
    CommitmentCount before = inputs->term.before;
    inputs->term = price_term_at(request->plan, &request->calendar, &request->period, active);
    inputs->term.before = before;
}

Err *rate_request(Arena *arena, const Json *body, Text *out)
{
    RateRequest request = { .faults = { .arena = arena } };
    BillFrame   frame = { 0 };
    Bill        bill;
    request_read(place_of(&request.faults, body, STR("")), &request);
    if (request.faults.first != NULL)
        return request.faults.first;

    term_fill(&request);
    parts_fill(arena, &request);
    if (request.faults.first != NULL)
        return request.faults.first;
    TRY(price_bill(arena, request.plan, &request.inputs, &bill));
    for (size_t i = 0; i < bill.count; i++)
        TRY(price_events(arena, request.plan, &request.inputs, &bill.lines[i],
                         &bill.lines[i].posted));
    JsonOut json = json_out(out);
    bill_to_json(&bill, &frame, arena, &json);
    return NULL;
}
