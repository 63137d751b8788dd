// SPDX-License-Identifier: Apache-2.0
// Meters: the row in the books says what is declared, the partition's journal what is folded. The
// row comes first; when a server starts, every row is put into the partition again.
#include "api/page.h"
#include "api/routes.h"
#include "flow/aggregate/usage.h"

// Two requests may put one meter at once; the partition ends with what the books ended with.
static Err *partition_follow(Request *request, const Meter *stored)
{
    Server *server = server_of(request);
    Meter   put = *stored, *now;
    for (;;) {
        TRY(partition_meter_put(server->partition, request->arena, project_of(request).id, &put));
        TRY(catalog_meter_get(server->catalog, request->arena, project_of(request), put.id, &now));
        if (now->version == put.version)
            return NULL;
        put = *now;
    }
}

static void meter_answer(Response *response, const Meter *meter)
{
    JsonOut out = response_json(response);
    response_entity_tag(response, meter->version);
    meter_to_json(meter, &out);
}

static Err *meter_put(Request *request, Response *response)
{
    Faults        faults = { .arena = request->arena };
    CatalogChange change;
    Json         *body;
    Meter        *stored;
    TRY(request_json(request, &body));
    Meter *meter = meter_from_json(body, request_path(request, "id"), &faults);
    if (faults.first != NULL)
        return faults.first;
    TRY(server_change(request, &change));
    TRY(catalog_meter_put(&change, meter, &stored));
    TRY(partition_follow(request, stored));
    meter_answer(response, stored);
    return NULL;
}

static Err *meter_get(Request *request, Response *response)
{
    Meter *meter;
    TRY(catalog_meter_get(server_of(request)->catalog, request->arena, project_of(request),
                          request_path(request, "id"), &meter));
    meter_answer(response, meter);
    return NULL;
}

static Err *meter_list(Request *request, Response *response)
{
    CatalogPage page;
    Meter      *meters;
    size_t      found;
    TRY(page_read(request, STR("meters"), &page));
    TRY(catalog_meters(server_of(request)->catalog, request->arena, &page, &meters, &found));
    size_t  count = page_rows(&page, found);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        meter_to_json(&meters[i], &out);
    Str last = count == 0 ? STR_NONE : meters[count - 1].id;
    response_list_end(&out, page_next(request, STR("meters"), &page, found, last));
    return NULL;
}

#define YEAR_10000_S INT64_C(253402300800)  // behind every instant

// Whether the meter ever counted an event, whatever its ts. A value that is too large, or has too
// many windows from the first event on, is one of events.
static Err *counted_read(Request *request, UsageMoment *moment, Str meter, bool *has_counted)
{
    UsageWindow always = { INSTANT_FIRST, { YEAR_10000_S * INSTANT_SECOND_US } };
    UsageQuery  query = { .project = project_of(request).id,
                          .meter = meter,
                          .windows = &always,
                          .window_count = 1 };
    UsageAnswer answer;
    Err        *err = usage_read(moment, request->arena, &query, &answer);
    if (err != NULL && err->code != ERR_METER_NOT_FOUND && err->code != ERR_AMOUNT_TOO_LARGE &&
        err->code != ERR_PARAMETER_INVALID)
        return err;
    if (err != NULL)
        *has_counted = err->code != ERR_METER_NOT_FOUND;
    else
        *has_counted = answer.count > 0 && answer.groups[0].events > 0;
    return NULL;
}

static Err *meter_delete(Request *request, Response *response)
{
    Server       *server = server_of(request);
    Str           id = request_path(request, "id");
    CatalogChange change;
    Meter        *meter;
    UsageMoment  *moment;
    bool          has_counted;
    (void)response;
    TRY(catalog_meter_get(server->catalog, request->arena, project_of(request), id, &meter));
    TRY(usage_moment_open(server->partition, request->arena, SEQUENCE_NEWEST, &moment));
    Err *err = counted_read(request, moment, id, &has_counted);
    usage_moment_close(moment);
    if (err != NULL)
        return err;
    if (has_counted)
        return refuse(request->arena, ERR_METER_IN_USE, STR_NONE, "meter %.*s has counted events",
                      STR_ARG(id));
    TRY(server_change(request, &change));
    TRY(catalog_meter_remove(&change, id));
    return partition_meter_remove(server->partition, request->arena, project_of(request).id, id);
}

// ---- shapes and routes

static const Shape filter_shape = {
    .name = "Filter",
    .open = true,
    .doc = "Conditions that must all hold: a property's key and the list of texts it may have.",
};

static const Field window_fields[] = {
    MEMBER("unit", ENUM, .required = true, .choices = meter_window_units,
           .doc = "Local hours, days, weeks (from Monday) or months."),
    MEMBER("aggregation", ENUM, .required = true, .choices = meter_window_aggregations,
           .doc = "How the values of the windows become one."),
};
static const Shape window_shape =
    SHAPE("MeterWindow", window_fields,
          .doc = "The meter aggregates in each window, then over them. A window without events is "
                 "0 where nothing is 0, else it is left out.");

static const Field body_fields[] = {
    MEMBER("id", TEXT, .least = 1, .most = 128, .doc = "The id in the path, when it is given."),
    MEMBER("event", TEXT, .nullable = true, .least = 1, .most = 128,
           .doc = "Name of the event stream that is counted; the meter's id when absent."),
    MEMBER("aggregation", ENUM, .required = true, .choices = aggregation_names,
           .doc = "How values become one."),
    MEMBER(
        "property", TEXT, .nullable = true, .least = 1, .most = 128,
        .doc =
            "What is aggregated: a property's key; \"value\", the measurement's own, when absent."),
    MEMBER("filter", MAP, .nullable = true, .of = KIND_ARRAY,
           .doc = "Only events that match are counted: each key with the texts it may have."),
    MEMBER("exclude", ARRAY, .nullable = true, .most = METER_EXCLUDES_MAX, .shape = &filter_shape,
           .doc = "Events that match one of these filters are not counted."),
    MEMBER("dimensions", ARRAY, .nullable = true, .most = METER_DIMENSIONS_MAX, .of = KIND_TEXT,
           .doc = "Properties that are kept apart, for filters and groups of plans and reads."),
    MEMBER("unit", TEXT, .nullable = true, .least = 1, .most = 64,
           .doc = "For people: second, token, call."),
    MEMBER("percentile", DECIMAL, .nullable = true,
           .doc = "Above 0 and at most 100, by nearest rank; required where percentile is the "
                  "aggregation, of the meter or of its window."),
    MEMBER("input", ENUM, .nullable = true, .choices = meter_input_names,
           .doc = "timeWeighted: an event says the new level (level, when absent) or by how much "
                  "it changes."),
    MEMBER("per", ENUM, .nullable = true, .choices = meter_per_names,
           .doc = "timeWeighted: what level x time is divided by; second when absent."),
    MEMBER("carryOver", BOOL, .nullable = true,
           .doc = "sum, uniqueCount: events before the window count on."),
    MEMBER("operationProperty", TEXT, .nullable = true, .least = 1, .most = 128,
           .doc = "uniqueCount: the property that says whether an event adds (\"add\", or nothing) "
                  "or takes away (\"remove\")."),
    MEMBER("window", OBJECT, .nullable = true, .shape = &window_shape,
           .doc = "Aggregate in each local window first."),
};
static const Shape body_shape = SHAPE("MeterBody", body_fields, .doc = "What a meter measures.");

static const Field meter_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The caller's id."),
    MEMBER("event", TEXT, .required = true, .doc = "Name of the event stream."),
    MEMBER("aggregation", ENUM, .required = true, .choices = aggregation_names,
           .doc = "How values become one."),
    MEMBER("property", TEXT, .required = true, .doc = "What is aggregated."),
    MEMBER("filter", MAP, .required = true, .of = KIND_ARRAY,
           .doc = "Only these events; empty: all."),
    MEMBER("exclude", ARRAY, .required = true, .shape = &filter_shape, .doc = "But not these."),
    MEMBER("dimensions", ARRAY, .required = true, .of = KIND_TEXT, .doc = "Ascending."),
    MEMBER("unit", TEXT, .required = true, .nullable = true, .doc = "For people."),
    MEMBER("percentile", DECIMAL, .doc = "Where percentile is the aggregation."),
    MEMBER("input", ENUM, .choices = meter_input_names, .doc = "Of timeWeighted."),
    MEMBER("per", ENUM, .choices = meter_per_names, .doc = "Of timeWeighted."),
    MEMBER("carryOver", BOOL, .doc = "There when it is true."),
    MEMBER("operationProperty", TEXT, .doc = "Of a uniqueCount that has one."),
    MEMBER("window", OBJECT, .shape = &window_shape, .doc = "Of a meter that has one."),
};
static const Shape meter_shape = SHAPE("Meter", meter_fields, .doc = "A meter as it is declared.");

static const Field list_fields[] = { LIST_SHAPE("Meters by id.", &meter_shape) };
static const Shape list_shape = SHAPE("MeterList", list_fields, .doc = "A page of meters.");

static const Parameter list_query[] = { PAGE_PARAMETERS };

const Route api_meters_routes[] = {
    { .name = "putMeter",
      .method = METHOD_PUT,
      .path = "/v1/meters/{id}",
      .at = AT_OWNER,
      .scope = "catalog:write",
      .takes = &body_shape,
      .gives = &meter_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_METER_IMMUTABLE,
              ERR_PRECONDITION_FAILED),
      .handler = meter_put,
      .doc = "Declare a meter, or change one that no published plan prices." },
    { .name = "getMeter",
      .method = METHOD_GET,
      .path = "/v1/meters/{id}",
      .scope = "catalog:read",
      .gives = &meter_shape,
      REFUSES(ERR_METER_NOT_FOUND),
      .handler = meter_get,
      .doc = "One meter." },
    { .name = "listMeters",
      .method = METHOD_GET,
      .path = "/v1/meters",
      .scope = "catalog:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = meter_list,
      .doc = "The project's meters." },
    { .name = "deleteMeter",
      .method = METHOD_DELETE,
      .path = "/v1/meters/{id}",
      .at = AT_OWNER,
      .scope = "catalog:write",
      .status = 204,
      REFUSES(ERR_METER_NOT_FOUND, ERR_METER_IN_USE, ERR_PRECONDITION_FAILED),
      .handler = meter_delete,
      .doc = "Remove a meter that has counted nothing and that no plan prices." },
};
const size_t api_meters_route_count = sizeof api_meters_routes / sizeof *api_meters_routes;
