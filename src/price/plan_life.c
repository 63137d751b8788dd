// SPDX-License-Identifier: Apache-2.0
// What of a plan depends on how old a subscription is: its trial and its phases.
#include "price/patch.h"
#include "price/plan_inside.h"

void plan_length_read(Place place, PeriodLength *length)
{
    static const char *const members[] = { "every", "unit", NULL };
    uint64_t                 every = 1;
    Str                      unit;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place unit_place = place_member(place, "unit");
    if (!place_required(unit_place) || !place_text(unit_place, &unit))
        return;
    if (!period_unit_find(unit, &length->unit))
        place_fault(unit_place, ERR_FIELD_INVALID,
                    "unit must be day, week, month, quarter or year");
    else if (place_member(place, "every").json == NULL ||
             place_whole(place_member(place, "every"), 1, PERIOD_EVERY_MAX, &every))
        length->every = (uint32_t)every;
}

void plan_trial_read(Place place, Trial *trial)
{
    static const char *const members[] = { "days", "charges", NULL };
    uint64_t                 days = 0;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place days_place = place_member(place, "days");
    if (place_required(days_place))
        place_whole(days_place, 1, PLAN_TRIAL_DAYS_MAX, &days);
    trial->days = (uint32_t)days;
    plan_charge_ids_read(place_member(place, "charges"), &trial->charges, &trial->charge_count);
}

// ---- phases

static void phase_length_read(Place place, bool is_last, Phase *phase)
{
    uint64_t periods = 0;
    Place    count = place_member(place, "periods"), until = place_member(place, "until");
    place_whole(count, 1, 10000, &periods);
    phase->periods = (uint32_t)periods;
    phase->has_until = place_instant(until, &phase->until);
    if (count.json != NULL && until.json != NULL)
        place_fault(place, ERR_PLAN_INVALID, "a phase has periods or until, not both");
    if (count.json == NULL && until.json == NULL && !is_last)
        place_fault(place, ERR_PLAN_INVALID, "every phase but the last has periods or until");
}

// What identifies a plan and cuts its time, and its phases, are the same in all of them.
static bool overrides_allowed(Place overrides)
{
    static const char *const fixed[] = { "id", "currency", "period", "timeZone", "phases" };
    size_t                   before = overrides.faults->count;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (json_find(overrides.json, str_of(fixed[i])) != NULL)
            place_fault(place_member(overrides, fixed[i]), ERR_PLAN_INVALID,
                        "a phase does not change %s", fixed[i]);
    return overrides.faults->count == before;
}

static void overrides_check(Place overrides, const Json *document)
{
    Arena      *arena = overrides.faults->arena;
    Json        absent = { .kind = JSON_NULL, .name = STR("phases") };
    Json        without = { .kind = JSON_OBJECT, .count = 1, .first = &absent };
    const Json *bare = plan_patch(arena, document, &without, STR(""), overrides.faults);
    const Json *changed =
        plan_patch(arena, bare, overrides.json, overrides.pointer, overrides.faults);
    if (changed != NULL)
        plan_from_json(changed, overrides.pointer, STR_NONE, overrides.faults);
}

static void phase_read(Place place, const Json *document, bool is_last, Phase *phase)
{
    static const char *const members[] = { "periods", "until", "planVersion", "overrides", NULL };
    uint64_t                 version = 0;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    phase_length_read(place, is_last, phase);
    place_whole(place_member(place, "planVersion"), 1, INT32_MAX, &version);
    phase->plan_version = (int64_t)version;
    Place overrides = place_member(place, "overrides");
    if (!place_object(overrides) || !overrides_allowed(overrides))
        return;
    phase->overrides = overrides.json;
    if (document != NULL && version == 0)
        overrides_check(overrides, document);
}

void plan_phases_read(Place place, const Json *document, Phases *phases)
{
    if (!place_array(place, 1, PLAN_PHASES_MAX))
        return;
    phases->at = arena_array(place.faults->arena, Phase, place.json->count);
    for (const Json *phase = place.json->first; phase != NULL; phase = phase->next) {
        phase_read(place_element(place, phase, phases->count), document, phase->next == NULL,
                   &phases->at[phases->count]);
        phases->count++;
    }
}

bool phases_from_json(const Json *list, const Json *document, Str base, Faults *faults,
                      Phases *phases)
{
    size_t before = faults->count;
    *phases = (Phases){ 0 };
    plan_phases_read(place_of(faults, list, base), document, phases);
    return faults->count == before;
}

// The index of the period that the phase behind this one begins in, when this one begins in period
// `first` and does not hold the one asked for.
static int64_t phase_end(const Phase *phase, const Calendar *calendar, int64_t first)
{
    if (phase->periods > 0)
        return first + phase->periods;
    if (phase->until.us <= calendar->eras[0].from.us)
        return first;
    int64_t end = calendar_period_at(calendar, phase->until).index;
    return end < first ? first : end;
}

static bool phase_holds(const Phase *phase, const Period *period, int64_t first)
{
    if (phase->periods > 0)
        return period->index < first + phase->periods;
    return !phase->has_until || period->service.start.us < phase->until.us;
}

const Phase *phase_at(const Phases *phases, const Calendar *calendar, const Period *period)
{
    int64_t first = 0;
    for (size_t i = 0; i < phases->count; i++) {
        const Phase *phase = &phases->at[i];
        if (phase_holds(phase, period, first))
            return phase;
        first = phase_end(phase, calendar, first);
    }
    return NULL;
}
