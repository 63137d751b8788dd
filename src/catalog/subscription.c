// SPDX-License-Identifier: Apache-2.0
#include "catalog/subscription.h"

#include "catalog/body.h"
#include "catalog/phases.h"
#include "catalog/terms.h"
#include "catalog/usage_filter.h"
#include "money/decimal.h"

enum { QUANTITIES_MAX = 50, VERSION_MAX = 1000000000 };

static const char *const members[] = {
    "id",         "account",   "plan",   "planVersion", "startsAt", "endsAt",
    "quantities", "overrides", "phases", "usageFilter", NULL,
};

static bool quantity_parse(const Json *value, Decimal *quantity)
{
    return (value->kind == JSON_NUMBER || value->kind == JSON_STRING) &&
           decimal_parse(value->text, DECIMAL_EVENT_DIGITS, quantity) &&
           decimal_sign(*quantity) >= 0;
}

static void quantities_check(const Json *object, Faults *faults)
{
    if (object->kind != JSON_OBJECT || object->count > QUANTITIES_MAX) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/quantities"),
                   "quantities is an object of at most %d decimals", QUANTITIES_MAX);
        return;
    }
    for (const Json *member = object->first; member != NULL; member = member->next) {
        Decimal quantity;
        Str     pointer = pointer_of(faults->arena, STR("/quantities"), member->name);
        if (!name_is_valid(member->name))
            faults_add(
                faults, ERR_FIELD_INVALID, pointer,
                "a quantity's name has 1 to 128 letters, digits, dots, underscores, colons or "
                "hyphens");
        if (!quantity_parse(member, &quantity))
            faults_add(
                faults, ERR_INVALID_VALUE, pointer,
                "a quantity is a decimal, not negative, with at most 15 digits before the point "
                "and 12 after it");
    }
}

// {"seats":"5"}: names ascending, decimals in their one form.
static Str quantities_text(Arena *arena, const Json *object)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    size_t  count = object == NULL ? 0 : object->count, place = 0;
    Str    *names = arena_array(arena, Str, count);
    for (const Json *member = count == 0 ? NULL : object->first; member != NULL;
         member = member->next)
        names[place++] = member->name;
    texts_sort(names, count);
    json_object(&out);
    for (size_t i = 0; i < count; i++) {
        Decimal quantity = { 0 };
        if (!quantity_parse(json_find(object, names[i]), &quantity))
            continue;  // refused already
        json_name(&out, names[i]);
        json_string(&out, decimal_print(arena, quantity));
    }
    json_object_end(&out);
    return text_str(&text);
}

Str quantities_from_json(const Json *object, Faults *faults)
{
    if (object != NULL)
        quantities_check(object, faults);
    return quantities_text(faults->arena,
                           object != NULL && object->kind == JSON_OBJECT ? object : NULL);
}

static void version_read(const Json *body, Subscription *subscription, Faults *faults)
{
    const Json *member = body_find(body, "planVersion");
    uint64_t    number = 0;
    if (member == NULL)
        return;
    if (member->kind != JSON_NUMBER || !str_whole(member->text, VERSION_MAX, &number) ||
        number == 0)
        faults_add(faults, ERR_FIELD_INVALID, STR("/planVersion"),
                   "planVersion is the number of a published version: 1, 2, ...");
    subscription->plan_version = (int64_t)number;
}

static void times_read(const Json *body, Subscription *subscription, Faults *faults)
{
    bool starts = body_instant(body, "startsAt", &subscription->starts_at, faults);
    if (body_find(body, "startsAt") == NULL)
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/startsAt"), "startsAt is required");
    subscription->ends = body_instant(body, "endsAt", &subscription->ends_at, faults);
    if (starts && subscription->ends && subscription->ends_at.us <= subscription->starts_at.us)
        faults_add(faults, ERR_FIELD_INVALID, STR("/endsAt"), "endsAt must be after startsAt");
}

static Str text_required(const Json *body, const char *name, Faults *faults)
{
    if (body_find(body, name) == NULL)
        faults_add(faults, ERR_FIELD_REQUIRED, pointer_of(faults->arena, STR(""), str_of(name)),
                   "%s is required", name);
    return body_text(body, name, 255, faults);
}

static void own_terms_read(Place body, Subscription *subscription)
{
    Arena             *arena = body.faults->arena;
    SubscriptionPhases phases;
    ChargeFilter       filter;
    overrides_read(place_member(body, "overrides"), &subscription->overrides);
    if (phases_read(place_member(body, "phases"), &phases))
        subscription->phases = phases_print(arena, &phases);
    if (usage_filter_read(place_member(body, "usageFilter"), &filter))
        subscription->usage_filter = usage_filter_print(arena, &filter);
}

Subscription *subscription_from_json(Arena *arena, const Json *body, Str id, Faults *faults)
{
    Subscription *subscription = arena_new(arena, Subscription);
    subscription->id = id;
    if (!foreign_id_is_valid(id))
        faults_add(faults, ERR_PARAMETER_INVALID, STR_NONE,
                   "a subscription's id has 1 to 255 bytes of UTF-8 without control characters");
    if (!body_members(body, members, faults))
        return subscription;
    body_id(body, id, faults);
    subscription->account = text_required(body, "account", faults);
    subscription->plan = text_required(body, "plan", faults);
    version_read(body, subscription, faults);
    times_read(body, subscription, faults);
    subscription->quantities = quantities_from_json(body_find(body, "quantities"), faults);
    own_terms_read(place_of(faults, body, STR("")), subscription);
    return subscription;
}

const char *const change_kind_names[] = { "terms",  "cancel",  "pause", "resume",
                                          "migrate", "end", NULL };

static void instant_or_null(JsonOut *out, const char *name, bool given, Instant instant)
{
    AUTO(Arena) arena = arena_open();
    if (given)
        json_string_member(out, name, instant_print(arena, instant));
    else
        json_null_member(out, name);
}

static void kind_members(const SubscriptionChange *change, JsonOut *out)
{
    switch (change->kind) {
    case CHANGE_TERMS:
    case CHANGE_MIGRATE:
    case CHANGE_RESUME: break;
    case CHANGE_CANCEL:
        json_string_member(out, "credit", change->credits ? STR("prorated") : STR("none"));
        break;
    case CHANGE_PAUSE:
        json_string_member(out, "usage", change->usage_free ? STR("free") : STR("billed"));
        break;
    case CHANGE_END: instant_or_null(out, "endsAt", change->ends, change->ends_at); break;
    case CHANGE_KINDS: break;
    }
}

void change_to_json(const SubscriptionChange *change, JsonOut *out)
{
    json_object(out);
    json_whole_member(out, "number", change->number);
    json_string_member(out, "kind", str_of(change_kind_names[change->kind]));
    instant_or_null(out, "effectiveAt", true, change->effective_at);
    instant_or_null(out, "recordedAt", true, change->recorded_at);
    if (change->plan.at != NULL) {
        json_string_member(out, "plan", change->plan);
        json_whole_member(out, "planVersion", change->plan_version);
    }
    if (change->quantities.at != NULL)
        json_raw_member(out, "quantities", change->quantities);
    if (change->has_overrides && change->overrides.at != NULL)
        json_raw_member(out, "overrides", change->overrides);
    else if (change->has_overrides)
        json_null_member(out, "overrides");
    kind_members(change, out);
    if (change->key.at != NULL)
        json_string_member(out, "changeId", change->key);
    json_object_end(out);
}

// ---- as it is seen

const char *const subscription_status_names[] = { "future", "active",   "paused",
                                                  "ended",  "canceled", NULL };

SubscriptionStatus subscription_status(const SubscriptionHistory *history, Instant now)
{
    Instant                   end;
    const SubscriptionChange *pause = subscription_pause_at(history, now);
    bool                      ends = subscription_end(history, &end);
    if (ends && (end.us <= now.us || end.us <= history->first->starts_at.us))  // it never begins
        return subscription_cancellation(history) != NULL ? SUBSCRIPTION_CANCELED
                                                          : SUBSCRIPTION_ENDED;
    if (now.us < history->first->starts_at.us)
        return SUBSCRIPTION_FUTURE;
    return pause != NULL && pause->kind == CHANGE_PAUSE ? SUBSCRIPTION_PAUSED : SUBSCRIPTION_ACTIVE;
}

static void raw_or_null(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_raw_member(out, name, text);
}

static void terms_members(const SubscriptionTerms *terms, JsonOut *out)
{
    json_string_member(out, "plan", terms->plan);
    json_whole_member(out, "planVersion", terms->plan_version);
    json_raw_member(out, "quantities", terms->quantities);
    raw_or_null(out, "overrides", terms->overrides);
    raw_or_null(out, "phases", terms->phases);
}

static void timeline_write(const SubscriptionTerms *terms, size_t count, JsonOut *out)
{
    json_name(out, STR("terms"));
    json_array(out);
    for (size_t i = 0; i < count; i++) {
        json_object(out);
        instant_or_null(out, "start", true, terms[i].start);
        instant_or_null(out, "end", terms[i].ends, terms[i].end);
        terms_members(&terms[i], out);
        json_object_end(out);
    }
    json_array_end(out);
}

// The members that count at `now`.
static void now_members(const SubscriptionHistory *history, Instant now,
                        const SubscriptionTerms *current, JsonOut *out)
{
    const Subscription *first = history->first;
    Instant             end;
    bool                ends = subscription_end(history, &end);
    json_string_member(out, "id", first->id);
    json_string_member(out, "account", first->account);
    json_string_member(out, "status",
                       str_of(subscription_status_names[subscription_status(history, now)]));
    instant_or_null(out, "startsAt", true, first->starts_at);
    instant_or_null(out, "endsAt", ends, end);
    terms_members(current, out);
    raw_or_null(out, "usageFilter", first->usage_filter);
    instant_or_null(out, "createdAt", true, first->created_at);
}

void subscription_now_to_json(const SubscriptionHistory *history, Instant now, JsonOut *out)
{
    AUTO(Arena) arena = arena_open();
    SubscriptionTerms *terms, current = subscription_first_terms(history->first);
    size_t             count = subscription_terms(arena, history, &terms);
    if (count > 0)
        current = *terms_at(terms, count, now);
    json_object(out);
    now_members(history, now, &current, out);
    json_object_end(out);
}

void subscription_to_json(const SubscriptionHistory *history, Instant now, JsonOut *out)
{
    AUTO(Arena) arena = arena_open();
    SubscriptionTerms *terms, current = subscription_first_terms(history->first);
    size_t             count = subscription_terms(arena, history, &terms);
    if (count > 0)
        current = *terms_at(terms, count, now);
    json_object(out);
    now_members(history, now, &current, out);
    timeline_write(terms, count, out);
    json_name(out, STR("changes"));
    json_array(out);
    for (size_t i = 0; i < history->count; i++)
        change_to_json(&history->changes[i], out);
    json_array_end(out);
    json_object_end(out);
}

bool subscription_active(const Subscription *subscription, Instant at)
{
    return subscription->starts_at.us <= at.us &&
           (!subscription->ends || at.us < subscription->ends_at.us);
}
