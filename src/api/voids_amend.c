// SPDX-License-Identifier: Apache-2.0
// Amending: what was sent under an id gives way to something else under the same id. The whole
// request is read and judged before anything is done.
#include "api/voids.h"

#include "base/assert.h"
#include "base/map.h"
#include "catalog/body.h"
#include "flow/dedupe/identity.h"

enum { TRIES = 3 };  // another request may amend the same events in between

// One request on its way.
typedef struct Amending {
    const Request *request;
    UsageMoment   *moment;
    Amendments     amendments;
    size_t         unchanged;  // said what is stored already
    Faults         faults;
} Amending;

static void fault_at(Amending *amending, size_t index, const char *name, Err *err)
{
    Str pointer = err->pointer.length > 0 ? err->pointer
                                          : str_print(amending->faults.arena, "/%s", name);
    faults_add(&amending->faults, err->code,
               str_print(amending->faults.arena, "/%zu%.*s", index, STR_ARG(pointer)), "%.*s",
               STR_ARG(err->detail));
}

static void fault(Amending *amending, size_t index, const char *name, ErrCode code,
                  const char *rule)
{
    faults_add(&amending->faults, code,
               str_print(amending->faults.arena, "/%zu/%s", index, name), "%s %s", name, rule);
}

static void value_amend(Amending *amending, size_t index, const Json *value, Event *event)
{
    bool is_text = value->kind == JSON_NUMBER || value->kind == JSON_STRING;
    if (!is_text || !decimal_parse(value->text, DECIMAL_EVENT_DIGITS, &event->value))
        fault(amending, index, "value", ERR_INVALID_VALUE,
              "must be a decimal with at most 15 digits before and 12 after the point");
}

static void ts_amend(Amending *amending, size_t index, const Json *ts, Event *event)
{
    const Request *request = amending->request;
    int64_t        horizon_us = principal_of(request)->project.horizon_us;
    event->ts_given = true;
    if (ts->kind != JSON_STRING || !instant_parse(ts->text, &event->ts))
        fault(amending, index, "ts", ERR_INVALID_TIMESTAMP,
              "must be an RFC 3339 instant such as 2026-06-10T14:02:11Z");
    else if (event->ts.us - now_of(request).us > server_of(request)->limits.future_us)
        fault(amending, index, "ts", ERR_TIMESTAMP_IN_FUTURE,
              "is too far ahead of the server's clock");
    else if (horizon_us > 0 && now_of(request).us - event->ts.us > horizon_us)
        fault(amending, index, "ts", ERR_TIMESTAMP_TOO_OLD, "is older than the project accepts");
}

static void properties_amend(Amending *amending, size_t index, const Json *properties,
                             Event *event)
{
    PropertySource source = { properties, STR_NONE, STR("/properties"),
                              server_of(amending->request)->limits.properties };
    if (properties->kind != JSON_OBJECT) {
        fault(amending, index, "properties", ERR_FIELD_INVALID, "must be an object");
        return;
    }
    Err *err = properties_from_json(amending->request->arena, source, &event->properties);
    if (err != NULL)
        fault_at(amending, index, "properties", err);
}

// The stored event with what the item says instead.
static void item_amend(Amending *amending, size_t index, const Json *item, Event *event)
{
    const Json *value = json_find(item, STR("value")), *ts = json_find(item, STR("ts"));
    const Json *properties = json_find(item, STR("properties"));
    if (value == NULL && ts == NULL && properties == NULL)
        fault(amending, index, "value", ERR_FIELD_REQUIRED,
              "is required, unless ts or properties is given");
    if (value != NULL)
        value_amend(amending, index, value, event);
    if (ts != NULL)
        ts_amend(amending, index, ts, event);
    if (properties != NULL)
        properties_amend(amending, index, properties, event);
}

static bool is_same(const UsageEvent *stored, const Event *event)
{
    return decimal_compare(stored->value, event->value) == 0 && stored->ts.us == event->ts.us &&
           stored->ts_given == event->ts_given && str_equal(stored->properties, event->properties);
}

static Err *item_find(Amending *amending, size_t index, Str unique_id, const UsageEvent **stored)
{
    const Request *request = amending->request;
    UsageEvent    *found;
    TRY(usage_event_find(amending->moment, request->arena, project_of(request).id, unique_id,
                         &found));
    if (found == NULL)
        fault(amending, index, "uniqueId", ERR_EVENT_NOT_FOUND, "is no event's");
    *stored = found;
    return NULL;
}

static void members_check(Amending *amending, size_t index, const Json *item)
{
    static const char *const names[] = { "uniqueId", "value", "ts", "properties", NULL };
    Arena *arena = amending->faults.arena;
    Faults faults = { .arena = arena };
    body_members(item, names, &faults);
    for (const Err *err = faults.first; err != NULL; err = err->next)
        faults_add(&amending->faults, err->code,
                   str_print(arena, "/%zu%.*s", index, STR_ARG(err->pointer)), "%.*s",
                   STR_ARG(err->detail));
}

static Err *item_read(Amending *amending, size_t index, const Json *item, Map *seen)
{
    const Request    *request = amending->request;
    const UsageEvent *stored = NULL;
    uint64_t          there;
    members_check(amending, index, item);
    if (item->kind != JSON_OBJECT)
        return NULL;
    const Json *id = json_find(item, STR("uniqueId"));
    if (id == NULL || id->kind != JSON_STRING || !foreign_id_is_valid(id->text)) {
        fault(amending, index, "uniqueId", id == NULL ? ERR_FIELD_REQUIRED : ERR_FIELD_INVALID,
              "is required: 1 to 255 bytes of text without control characters");
        return NULL;
    }
    if (map_find(seen, id->text, &there))
        fault(amending, index, "uniqueId", ERR_FIELD_INVALID, "stands in the request twice");
    map_set(seen, id->text, index);
    TRY(item_find(amending, index, id->text, &stored));
    if (stored == NULL)
        return NULL;
    Event event = { .unique_id = stored->unique_id, .event = stored->event,
                    .account = stored->account, .value = stored->value, .ts = stored->ts,
                    .ts_given = stored->ts_given, .properties = stored->properties };
    item_amend(amending, index, item, &event);
    if (is_same(stored, &event) && !stored->voided) {
        amending->unchanged++;
        return NULL;
    }
    event_identify(&event, project_of(request).id, &server_of(request)->identity);
    amending->amendments.at[amending->amendments.count++] = (Amendment){ event, stored };
    return NULL;
}

static Err *items_read(Amending *amending, const Json *list)
{
    size_t index = 0;
    Map   *seen = map_open();
    Err   *err = NULL;
    for (const Json *item = list->first; item != NULL && err == NULL; item = item->next)
        err = item_read(amending, index++, item, seen);
    map_close(seen);
    return err != NULL ? err : amending->faults.first;
}

// Reads the request against what is stored now, and does it.
static Err *amend_once(const Request *request, const Json *list, Amending *amending)
{
    *amending = (Amending){
        .request = request,
        .amendments = { .project = project_of(request).id,
                        .at = arena_array(request->arena, Amendment, list->count),
                        .received = now_of(request) },
        .faults = { .arena = request->arena },
    };
    Partition *partition = server_of(request)->partition;
    TRY(usage_moment_open(partition, request->arena, SEQUENCE_NEWEST, &amending->moment));
    Err *err = items_read(amending, list);
    if (err == NULL)
        err = partition_amend(partition, request->arena, &amending->amendments);
    usage_moment_close(amending->moment);
    return err;
}

static Err *list_read(Request *request, Json **list)
{
    size_t most = server_of(request)->limits.events;
    TRY(request_json(request, list));
    if ((*list)->kind != JSON_ARRAY || (*list)->count == 0)
        return refuse(request->arena, ERR_FIELD_INVALID, STR(""),
                      "the body must be a list of amendments");
    if ((*list)->count > most)
        return refuse(request->arena, ERR_TOO_MANY_EVENTS, STR(""),
                      "at most %zu events are amended by one request", most);
    return NULL;
}

static Err *amend_note(const Request *request, const Amending *amending)
{
    size_t count = amending->amendments.count;
    Str    sequence = usage_sequence_print(request->arena, amending->amendments.sequence);
    if (count == 0)
        return NULL;
    CorrectionNote note = {
        .action = "usage.amend",
        .object = amending->amendments.at[0].event.unique_id,
        .detail = str_print(request->arena, "{\"count\":%zu,\"sequence\":\"%.*s\"}", count,
                            STR_ARG(sequence)),
    };
    return correction_note(request, &note);
}

Err *measurements_amend(Request *request, Response *response)
{
    Amending amending;
    Json    *list;
    TRY(list_read(request, &list));
    Err *err = amend_once(request, list, &amending);
    for (int tries = 1; err != NULL && err->code == ERR_STORE_BUSY && tries < TRIES; tries++)
        err = amend_once(request, list, &amending);
    if (err != NULL)
        return err;
    TRY(amend_note(request, &amending));
    JsonOut out = response_json(response);
    json_object(&out);
    json_whole_member(&out, "count", (int64_t)amending.amendments.count);
    json_whole_member(&out, "unchanged", (int64_t)amending.unchanged);
    json_string_member(&out, "sequence",
                       usage_sequence_print(request->arena, amending.amendments.sequence));
    json_object_end(&out);
    return NULL;
}

// ---- shapes

static const Field amendment_fields[] = {
    MEMBER("uniqueId", TEXT, .required = true, .least = 1, .most = 255, .doc = "The stored event."),
    MEMBER("value", JSON, .doc = "Its value instead; as stored when absent."),
    MEMBER("ts", INSTANT, .doc = "Its ts instead; as stored when absent."),
    MEMBER("properties", MAP, .of = KIND_JSON,
           .doc = "All of its properties instead; as stored when absent."),
};
static const Shape amendment_shape = SHAPE("Amendment", amendment_fields,
                                           .doc = "What a stored event should have said.");
const Shape amend_body_shape = { .name = "Amendments", .elements = &amendment_shape,
                                 .doc = "Several amendments: at most 10,000." };

static const Field answer_fields[] = {
    MEMBER("count", WHOLE, .required = true, .doc = "Events that were replaced."),
    MEMBER("unchanged", WHOLE, .required = true, .doc = "Said what was stored already."),
    MEMBER("sequence", TEXT, .required = true,
           .doc = "Usage read as of this, or newer, counts the replacements."),
};
const Shape amend_answer_shape = SHAPE("AmendReceipt", answer_fields,
                                       .doc = "What was amended.");
