// SPDX-License-Identifier: Apache-2.0
#include "catalog/phases.h"

#include "base/assert.h"
#include "price/patch.h"

enum { VERSION_MAX = 1000000000 };

static const char *const phase_members[] = { "periods", "until", "planVersion", "overrides", NULL };

bool overrides_read(Place place, Str *overrides)
{
    *overrides = STR_NONE;
    if (place.json == NULL || place.json->kind == JSON_NULL)
        return true;
    if (!place_object(place))
        return false;
    if (place.json->count == 0)
        return true;
    *overrides = json_canonical(place.faults->arena, place.json, STR_NONE);
    if (overrides->length <= OVERRIDES_BYTES_MAX)
        return true;
    place_fault(place, ERR_FIELD_INVALID, "overrides have at most %d bytes", OVERRIDES_BYTES_MAX);
    return false;
}

static void phase_read(Place place, SubscriptionPhase *phase)
{
    uint64_t periods = 0, version = 0;
    if (!place_required(place) || !place_object(place))
        return;
    place_members(place, phase_members, NULL);
    place_whole(place_member(place, "periods"), 1, PHASE_PERIODS_MAX, &periods);
    place_whole(place_member(place, "planVersion"), 1, VERSION_MAX, &version);
    phase->periods = (uint32_t)periods;
    phase->plan_version = (int64_t)version;
    phase->has_until = place_instant(place_member(place, "until"), &phase->until);
    overrides_read(place_member(place, "overrides"), &phase->overrides);
    if (phase->periods > 0 && phase->has_until)
        place_fault(place, ERR_FIELD_INVALID, "a phase ends by periods or by until, not by both");
}

// Each but the last ends, and no `until` comes before an earlier one.
static void phases_check(Place place, const SubscriptionPhases *phases)
{
    const SubscriptionPhase *before = NULL;
    size_t                   index = 0;
    for (const Json *json = place.json->first; json != NULL; json = json->next, index++) {
        const SubscriptionPhase *phase = &phases->at[index];
        Place                    element = place_element(place, json, index);
        if (phase->periods == 0 && !phase->has_until && json->next != NULL)
            place_fault(element, ERR_FIELD_INVALID, "only the last phase may stay for good");
        if (before != NULL && phase->has_until && phase->until.us <= before->until.us)
            place_fault(place_member(element, "until"), ERR_FIELD_INVALID,
                        "a phase ends after those before it");
        if (phase->has_until)
            before = phase;
    }
}

bool phases_read(Place place, SubscriptionPhases *phases)
{
    size_t before = place.faults->count, index = 0;
    *phases = (SubscriptionPhases){ 0 };
    if (place.json == NULL || place.json->kind == JSON_NULL)
        return true;
    if (!place_array(place, 1, PHASES_MAX))
        return false;
    phases->at = arena_array(place.faults->arena, SubscriptionPhase, place.json->count);
    phases->count = place.json->count;
    for (const Json *json = place.json->first; json != NULL; json = json->next, index++)
        phase_read(place_element(place, json, index), &phases->at[index]);
    if (place.faults->count == before)
        phases_check(place, phases);
    return place.faults->count == before;
}

Str phases_print(Arena *arena, const SubscriptionPhases *phases)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    if (phases->count == 0)
        return STR_NONE;
    json_array(&out);
    for (size_t i = 0; i < phases->count; i++) {
        const SubscriptionPhase *phase = &phases->at[i];
        json_object(&out);
        if (phase->periods > 0)
            json_whole_member(&out, "periods", phase->periods);
        if (phase->has_until)
            json_string_member(&out, "until", instant_print(arena, phase->until));
        if (phase->plan_version > 0)
            json_whole_member(&out, "planVersion", phase->plan_version);
        if (phase->overrides.at != NULL)
            json_raw_member(&out, "overrides", phase->overrides);
        json_object_end(&out);
    }
    json_array_end(&out);
    return text_str(&text);
}

SubscriptionPhases phases_of(Arena *arena, Str text)
{
    SubscriptionPhases phases = { 0 };
    Faults             faults = { .arena = arena };
    Json              *json;
    if (text.at == NULL)
        return phases;
    Err *err = json_parse_copy(arena, text, &json);
    assert_that(err == NULL && phases_read(place_of(&faults, json, STR("")), &phases));
    return phases;
}

static Str patch_text(Arena *arena, const Json *patch)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    if (patch == NULL)
        return STR_NONE;
    json_value(&out, patch);
    return text_str(&text);
}

SubscriptionPhases phases_of_plan(Arena *arena, const Plan *plan)
{
    SubscriptionPhases phases = { arena_array(arena, SubscriptionPhase, plan->phases.count), 0 };
    for (; phases.count < plan->phases.count; phases.count++) {
        const Phase *phase = &plan->phases.at[phases.count];
        phases.at[phases.count] =
            (SubscriptionPhase){ .periods = phase->periods,
                                 .has_until = phase->has_until,
                                 .until = phase->until,
                                 .plan_version = phase->plan_version,
                                 .overrides = patch_text(arena, phase->overrides) };
    }
    return phases;
}
