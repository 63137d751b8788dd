// SPDX-License-Identifier: Apache-2.0
// The request of a simulation: read from the body with every fault, written as it is stored, read
// again from there by whoever runs it.
#include "flow/simulate/simulation.h"

#include "catalog/body.h"
#include "price/place.h"

static const char *const members[] = { "plan", "planVersion", "against",  "from", "to",
                                       "accounts", "quantities", "replaces", NULL };
static const char *const side_members[] = { "plan", "planVersion", NULL };
static const char *const version_members[] = { "plan", "version", NULL };

// ---- sides

static void document_read(Place place, SimulationSide *side)
{
    if (!place_object(place))
        return;
    side->kind = SIDE_DOCUMENT;
    side->document = place.json;
    side->plan = plan_from_json(place.json, place.pointer, STR_NONE, place.faults);
    if (side->plan != NULL)
        side->plan_id = side->plan->id;
}

static void version_read(Place place, SimulationSide *side)
{
    uint64_t number = 0;
    if (!place_object(place))
        return;
    place_members(place, version_members, NULL);
    side->kind = SIDE_VERSION;
    Place plan = place_member(place, "plan"), version = place_member(place, "version");
    if (place_required(plan))
        place_id(plan, &side->plan_id);
    if (place_required(version))
        place_whole(version, 1, INT32_MAX, &number);
    side->version = (int64_t)number;
}

// One of the two members, not both.
static void side_read(Place object, SimulationSide *side)
{
    Place plan = place_member(object, "plan"), version = place_member(object, "planVersion");
    if (plan.json == NULL && version.json == NULL)
        place_fault(plan, ERR_FIELD_REQUIRED, "plan or planVersion is required");
    else if (plan.json != NULL && version.json != NULL)
        place_fault(version, ERR_FIELD_INVALID, "plan and planVersion exclude each other");
    else if (plan.json != NULL)
        document_read(plan, side);
    else
        version_read(version, side);
}

static void against_read(Place place, SimulationSide *side)
{
    if (!place_required(place))
        return;
    if (place.json->kind == JSON_STRING && str_equal(place.json->text, STR("current"))) {
        side->kind = SIDE_CURRENT;
        return;
    }
    if (place.json->kind != JSON_OBJECT) {
        place_fault(place, ERR_FIELD_INVALID,
                    "against must be \"current\" or an object with plan or planVersion");
        return;
    }
    place_members(place, side_members, NULL);
    side_read(place, side);
}

// ---- the rest

static void range_read(Place body, SimulationRequest *request)
{
    Place from = place_member(body, "from"), to = place_member(body, "to");
    bool  has_from = place_required(from) && place_instant(from, &request->from);
    bool  has_to = place_required(to) && place_instant(to, &request->to);
    if (!has_from || !has_to)
        return;
    if (request->to.us <= request->from.us)
        place_fault(to, ERR_FIELD_INVALID, "to must be after from");
    else if (request->to.us - request->from.us > SIMULATION_DAYS_MAX * INSTANT_DAY_US)
        place_fault(to, ERR_FIELD_INVALID, "to must be at most %d days after from",
                    SIMULATION_DAYS_MAX);
}

static void account_ids_read(Place place, SimulationRequest *request)
{
    size_t index = 0;
    if (!place_array(place, 1, SIMULATION_ACCOUNTS_MAX))
        return;
    request->accounts = arena_array(place.faults->arena, Str, place.json->count);
    for (const Json *at = place.json->first; at != NULL; at = at->next) {
        Place element = place_element(place, at, index++);
        Str   id;
        if (place_text(element, &id))
            request->accounts[request->account_count++] = id;
    }
    texts_sort(request->accounts, request->account_count);
    size_t kept = 0;
    for (size_t i = 0; i < request->account_count; i++)
        if (kept == 0 || !str_equal(request->accounts[kept - 1], request->accounts[i]))
            request->accounts[kept++] = request->accounts[i];
    request->account_count = kept;
}

static void accounts_read(Place place, SimulationRequest *request)
{
    if (!place_required(place))
        return;
    request->all_accounts =
        place.json->kind == JSON_STRING && str_equal(place.json->text, STR("all"));
    if (place.json->kind == JSON_STRING && !request->all_accounts)
        place_fault(place, ERR_FIELD_INVALID, "accounts must be \"all\" or a list of ids");
    else if (!request->all_accounts)
        account_ids_read(place, request);
}

static void quantities_read(Place place, SimulationRequest *request)
{
    if (!place_object(place))
        return;
    request->quantities = place.json;
    if (place.json->count > SIMULATION_QUANTITIES_MAX)
        place_fault(place, ERR_FIELD_INVALID, "quantities must have at most %d members",
                    SIMULATION_QUANTITIES_MAX);
    for (const Json *at = place.json->first; at != NULL; at = at->next) {
        Rational value;
        Place    member = place_named(place, at->name);
        if (place_name_is_id(member, at->name))
            place_not_negative(member, &value);
    }
}

void simulation_request_read(const Json *body, SimulationRequest *request, Faults *faults)
{
    Place place = place_of(faults, body, STR(""));
    *request = (SimulationRequest){ 0 };
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    side_read(place, &request->after);
    against_read(place_member(place, "against"), &request->before);
    range_read(place, request);
    accounts_read(place_member(place, "accounts"), request);
    quantities_read(place_member(place, "quantities"), request);
    place_id(place_member(place, "replaces"), &request->replaces);
}

// ---- writing

static void side_write(const SimulationSide *side, JsonOut *out)
{
    if (side->kind == SIDE_DOCUMENT) {
        json_name(out, STR("plan"));
        json_value(out, side->document);
        return;
    }
    json_name(out, STR("planVersion"));
    json_object(out);
    json_string_member(out, "plan", side->plan_id);
    json_whole_member(out, "version", side->version);
    json_object_end(out);
}

static void against_write(const SimulationSide *side, JsonOut *out)
{
    if (side->kind == SIDE_CURRENT) {
        json_string_member(out, "against", STR("current"));
        return;
    }
    json_name(out, STR("against"));
    json_object(out);
    side_write(side, out);
    json_object_end(out);
}

static void accounts_write(const SimulationRequest *request, JsonOut *out)
{
    if (request->all_accounts) {
        json_string_member(out, "accounts", STR("all"));
        return;
    }
    json_name(out, STR("accounts"));
    json_array(out);
    for (size_t i = 0; i < request->account_count; i++)
        json_string(out, request->accounts[i]);
    json_array_end(out);
}

void simulation_request_write(const SimulationRequest *request, JsonOut *out)
{
    Arena *arena = out->text->arena;
    json_object(out);
    side_write(&request->after, out);
    against_write(&request->before, out);
    json_string_member(out, "from", instant_print(arena, request->from));
    json_string_member(out, "to", instant_print(arena, request->to));
    accounts_write(request, out);
    if (request->quantities != NULL) {
        json_name(out, STR("quantities"));
        json_value(out, request->quantities);
    }
    if (request->replaces.at != NULL)
        json_string_member(out, "replaces", request->replaces);
    json_object_end(out);
}

void simulation_to_json(const Simulation *simulation, const Operation *operation, JsonOut *out)
{
    Arena *arena = out->text->arena;
    json_object(out);
    json_string_member(out, "id", simulation->id);
    json_string_member(out, "operation", simulation->operation);
    json_string_member(out, "status", str_of(operation_status_name(operation->status)));
    json_raw_member(out, "request", simulation->request);
    json_string_member(out, "sequence", usage_sequence_print(arena, simulation->position));
    json_string_member(out, "ratedAt", instant_print(arena, simulation->rated_at));
    if (simulation->summary.at == NULL)
        json_null_member(out, "result");
    else
        json_raw_member(out, "result", simulation->summary);
    json_object_end(out);
}
