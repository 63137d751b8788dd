// SPDX-License-Identifier: Apache-2.0
// Events read back, and what became of those that were sent.
#include "api/measurements.h"

#include "api/cursor.h"
#include "base/bytes.h"
#include "flow/ingest/properties.h"

enum { OUTCOME_HOURS_MAX = 24 * 366 };

static const int64_t HOUR_US = 3600 * INSTANT_SECOND_US;

static void event_print(JsonOut *out, const UsageEvent *event)
{
    Arena *arena = out->text->arena;
    json_object(out);
    json_string_member(out, "uniqueId", event->unique_id);
    json_string_member(out, "meter", event->event);
    json_string_member(out, "account", event->account);
    json_string_member(out, "value", decimal_print(arena, event->value));
    json_string_member(out, "ts", instant_print(arena, event->ts));
    json_name(out, STR("properties"));
    properties_to_json(event->properties, out);
    json_string_member(out, "receivedAt", instant_print(arena, event->received));
    json_string_member(out, "sequence", usage_sequence_print(arena, event->sequence));
    json_string_member(out, "outcome", str_of(outcome_name(OUTCOME_ACCEPTED)));
    json_bool_member(out, "voided", event->voided);
    json_object_end(out);
}

// ---- the list

// A place in the list: the ts and the id of the last event shown.
static Str place_write(Arena *arena, const UsageEvent *last)
{
    Text text = text_open(arena);
    text_add_signed(&text, last->ts.us);
    text_add(&text, last->unique_id);
    return text_str(&text);
}

static Str filters_of(Arena *arena, const UsageEventsQuery *query)
{
    return str_print(arena, "measurements %zu %.*s %.*s %lld %lld", query->account.length,
                     STR_ARG(query->account), STR_ARG(query->event), (long long)query->from.us,
                     (long long)query->to.us);
}

static Err *place_read(Request *request, UsageEventsQuery *query)
{
    Str text, place;
    if (!request_query(request, "cursor", &text))
        return NULL;
    TRY(cursor_parse(request->arena, text, filters_of(request->arena, query), &place));
    Reader reader = reader_of(place);
    query->has_after = true;
    query->after_ts.us = reader_signed(&reader);
    query->after_unique_id = reader_bytes(&reader, reader_left(&reader));
    return NULL;
}

static Err *list_query(Request *request, UsageEventsQuery *query)
{
    *query = (UsageEventsQuery){ .project = project_of(request).id,
                                 .from = INSTANT_FIRST, .to = INSTANT_END };
    request_query(request, "account", &query->account);
    request_query(request, "meter", &query->event);
    if (query->account.length == 0 && query->event.length == 0)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "account or meter is required");
    TRY(request_query_instant(request, "from", &query->from));
    TRY(request_query_instant(request, "to", &query->to));
    TRY(request_limit(request, &query->limit));
    return place_read(request, query);
}

static Err *list_read(Request *request, const UsageEventsQuery *query, UsageEventList *events)
{
    UsageMoment *moment;
    TRY(usage_moment_open(server_of(request)->partition, request->arena, SEQUENCE_NEWEST, &moment));
    Err *refusal = usage_events(moment, request->arena, query, events);
    usage_moment_close(moment);
    return refusal;
}

Err *measurements_list(Request *request, Response *response)
{
    UsageEventsQuery query;
    UsageEventList   events;
    TRY(list_query(request, &query));
    TRY(list_read(request, &query, &events));

    Str next = STR_NONE;
    if (events.has_more)
        next = cursor_print(request->arena, filters_of(request->arena, &query),
                            place_write(request->arena, &events.at[events.count - 1]));
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < events.count; i++)
        event_print(&out, &events.at[i]);
    response_list_end(&out, next);
    return NULL;
}

Err *measurements_get(Request *request, Response *response)
{
    UsageMoment *moment;
    UsageEvent  *event = NULL;
    Str          unique_id = request_path(request, "uniqueId");
    TRY(usage_moment_open(server_of(request)->partition, request->arena, SEQUENCE_NEWEST, &moment));
    Err *refusal = usage_event_find(moment, request->arena, project_of(request).id, unique_id,
                                    &event);
    if (refusal == NULL && event != NULL) {
        JsonOut out = response_json(response);
        event_print(&out, event);
    }
    usage_moment_close(moment);
    if (refusal == NULL && event == NULL)
        refusal = refuse(request->arena, ERR_EVENT_NOT_FOUND, STR_NONE,
                         "no event with this uniqueId is stored");
    return refusal;
}

// ---- outcomes and rejections

static void outcome_print(JsonOut *out, const OutcomeHour *hour)
{
    Arena *arena = out->text->arena;
    json_object(out);
    json_string_member(out, "start", instant_print(arena, (Instant){ hour->hour * HOUR_US }));
    json_string_member(out, "end", instant_print(arena, (Instant){ (hour->hour + 1) * HOUR_US }));
    json_whole_member(out, "accepted", (int64_t)hour->counts[OUTCOME_ACCEPTED]);
    json_whole_member(out, "duplicates", (int64_t)hour->counts[OUTCOME_DUPLICATE]);
    json_whole_member(out, "conflicts", (int64_t)hour->counts[OUTCOME_CONFLICT]);
    json_whole_member(out, "rejected", (int64_t)hour->counts[OUTCOME_REJECTED]);
    json_object_end(out);
}

// Whole UTC hours that touch [from, to): the last day where nothing is said.
static Err *outcomes_query(Request *request, OutcomeQuery *query)
{
    Instant to = { now_of(request).us + 1 };
    TRY(request_query_instant(request, "to", &to));
    Instant from = { to.us - INSTANT_DAY_US };
    TRY(request_query_instant(request, "from", &from));
    if (from.us >= to.us)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE, "from must be before to");
    *query = (OutcomeQuery){ .project = project_of(request).id,
                             .from = instant_utc_hour(from),
                             .to = instant_utc_hour((Instant){ to.us - 1 }) + 1 };
    if (query->to - query->from > OUTCOME_HOURS_MAX)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "from and to must be at most %d hours apart", OUTCOME_HOURS_MAX);
    return NULL;
}

Err *measurements_outcomes(Request *request, Response *response)
{
    OutcomeQuery query;
    TRY(outcomes_query(request, &query));
    OutcomeHours hours = usage_outcomes(server_of(request)->partition, request->arena, &query);

    JsonOut out = response_json(response);
    json_object(&out);
    json_name(&out, STR("data"));
    json_array(&out);
    for (size_t i = 0; i < hours.count; i++)
        outcome_print(&out, &hours.at[i]);
    json_array_end(&out);
    json_object_end(&out);
    return NULL;
}

static void rejection_print(JsonOut *out, const Refusal *refusal)
{
    json_object(out);
    json_string_member(out, "at", instant_print(out->text->arena, refusal->at));
    json_string_member(out, "outcome", str_of(outcome_name(refusal->outcome)));
    json_string_member(out, "code", str_of(err_name(refusal->code)));
    json_string_member(out, "detail", refusal->detail);
    if (refusal->unique_id.length == 0)
        json_null_member(out, "uniqueId");
    else
        json_string_member(out, "uniqueId", refusal->unique_id);
    json_object_end(out);
}

Err *measurements_rejections(Request *request, Response *response)
{
    size_t limit;
    TRY(request_limit(request, &limit));
    Refusals refusals = usage_refusals(server_of(request)->partition, request->arena,
                                       project_of(request).id, limit);

    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < refusals.count; i++)
        rejection_print(&out, &refusals.at[i]);
    response_list_end(&out, STR_NONE);
    return NULL;
}
