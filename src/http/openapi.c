// SPDX-License-Identifier: Apache-2.0
// Walks the routes twice: once for the paths (routes of one path stand together), once for the
// shapes they name. What every route of a kind can refuse is listed here, so rows only name their
// own.
#include "http/openapi.h"

#include <string.h>

#include "base/map.h"
#include "base/vector.h"
#include "http/problem.h"

// By RouteAt.
static const char *const places[] = { "anyServer", "ownerPerhaps", "owner" };

typedef struct Refusals {
    bool has[ERR_COUNT];
} Refusals;

static bool takes_body(const Route *route)
{
    return route->takes != NULL || route->other_count > 0;
}

static void refusals_add(Refusals *refusals, const ErrCode *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        refusals->has[codes[i]] = true;
}

static Refusals refusals_of(const Route *route)
{
    static const ErrCode guarded[] = { ERR_UNAUTHENTICATED, ERR_FORBIDDEN };
    static const ErrCode with_body[] = {
        ERR_LENGTH_REQUIRED, ERR_BODY_TOO_LARGE, ERR_UNSUPPORTED_MEDIA_TYPE,
        ERR_UNSUPPORTED_ENCODING, ERR_BODY_NOT_DECODABLE, ERR_REQUEST_TIMEOUT, ERR_JSON_INVALID,
        ERR_JSON_TOO_DEEP, ERR_JSON_DUPLICATE_MEMBER, ERR_QUEUE_FULL,
    };
    static const ErrCode everywhere[] = { ERR_REQUEST_MALFORMED, ERR_UNKNOWN_PARAMETER,
                                          ERR_PARAMETER_INVALID };  // a query may not decode
    static const ErrCode on_worker[] = { ERR_QUEUE_FULL };
    static const ErrCode of_books[] = { ERR_STORE_BUSY, ERR_STORE_FAILED };
    static const ErrCode of_changes[] = { ERR_OUTCOME_UNKNOWN };
    static const ErrCode not_at_owner[] = { ERR_USAGE_OWNER_UNREACHABLE };
    Refusals refusals = { 0 };
    refusals_add(&refusals, everywhere, sizeof everywhere / sizeof *everywhere);
    refusals_add(&refusals, route->refuses, route->refuse_count);
    if (route->scope != NULL)
        refusals_add(&refusals, guarded, sizeof guarded / sizeof *guarded);
    if (takes_body(route))
        refusals_add(&refusals, with_body, sizeof with_body / sizeof *with_body);
    if (route->runs == RUNS_ON_WORKER)
        refusals_add(&refusals, on_worker, sizeof on_worker / sizeof *on_worker);
    if (route->runs == RUNS_ON_WORKER && route->scope != NULL)
        refusals_add(&refusals, of_books, sizeof of_books / sizeof *of_books);
    if (route->runs == RUNS_ON_WORKER && route->scope != NULL && route->method != METHOD_GET)
        refusals_add(&refusals, of_changes, sizeof of_changes / sizeof *of_changes);
    if (route->at != AT_ANY)
        refusals_add(&refusals, not_at_owner, sizeof not_at_owner / sizeof *not_at_owner);
    return refusals;
}

// ---- parameters

static void parameter_schema(JsonOut *out, const Parameter *parameter)
{
    json_name(out, STR("schema"));
    json_object(out);
    switch (parameter->kind) {
    case PARAMETER_TEXT: json_string_member(out, "type", STR("string")); break;
    case PARAMETER_WHOLE: json_string_member(out, "type", STR("integer")); break;
    case PARAMETER_INSTANT:
        json_string_member(out, "type", STR("string"));
        json_string_member(out, "format", STR("date-time"));
        break;
    case PARAMETER_BOOL: json_string_member(out, "type", STR("boolean")); break;
    case PARAMETER_ENUM:
        json_string_member(out, "type", STR("string"));
        json_name(out, STR("enum"));
        json_array(out);
        for (size_t i = 0; parameter->choices[i] != NULL; i++)
            json_string(out, str_of(parameter->choices[i]));
        json_array_end(out);
        break;
    }
    json_object_end(out);
}

static void parameter_print(JsonOut *out, const char *where, Str name, const Parameter *parameter)
{
    json_object(out);
    json_string_member(out, "name", name);
    json_string_member(out, "in", str_of(where));
    json_bool_member(out, "required", parameter->required);
    if (parameter->doc != NULL)
        json_string_member(out, "description", str_of(parameter->doc));
    parameter_schema(out, parameter);
    json_object_end(out);
}

static void parameters_print(JsonOut *out, const Route *route)
{
    static const Parameter in_path = { .kind = PARAMETER_TEXT, .required = true };
    json_name(out, STR("parameters"));
    json_array(out);
    Str rest = str_of(route->path);
    while (rest.length > 0) {
        Str segment = str_cut(&rest, '/');
        if (segment.length > 2 && segment.at[0] == '{')
            parameter_print(out, "path", (Str){ segment.at + 1, segment.length - 2 }, &in_path);
    }
    for (size_t i = 0; i < route->query_count; i++)
        parameter_print(out, "query", str_of(route->query[i].name), &route->query[i]);
    json_array_end(out);
}

// ---- bodies

static void media_print(JsonOut *out, const char *media, const Shape *shape)
{
    json_name(out, str_of(media));
    json_object(out);
    json_name(out, STR("schema"));
    json_object(out);
    if (shape == NULL) {
        json_string_member(out, "type", STR("string"));
    } else {
        json_name(out, STR("$ref"));
        json_raw(out, STR("\"#/components/schemas/"));
        text_add(out->text, str_of(shape->name));
        text_add_char(out->text, '"');
    }
    json_object_end(out);
    json_object_end(out);
}

static void body_print(JsonOut *out, const Route *route)
{
    json_name(out, STR("requestBody"));
    json_object(out);
    json_bool_member(out, "required", !route->body_optional);
    json_name(out, STR("content"));
    json_object(out);
    if (route->takes != NULL)
        media_print(out, "application/json", route->takes);
    for (size_t i = 0; i < route->other_count; i++)
        media_print(out, route->other[i].media, route->other[i].shape);
    json_object_end(out);
    json_object_end(out);
}

// ---- answers

static void success_print(JsonOut *out, const Route *route, int status)
{
    json_name(out, str_print(out->text->arena, "%d", status));
    json_object(out);
    json_string_member(out, "description", str_of(route->doc));
    if (route->gives != NULL || route->gives_media != NULL) {
        json_name(out, STR("content"));
        json_object(out);
        media_print(out, route->gives_media == NULL ? "application/json" : route->gives_media,
                    route->gives);
        if (route->gives_also != NULL)
            media_print(out, route->gives_also, NULL);
        json_object_end(out);
    }
    json_object_end(out);
}

// One answer for each status, its description and `x-codes` naming every code that can come with
// it.
static void refusals_print(JsonOut *out, const Route *route)
{
    Refusals refusals = refusals_of(route);
    for (int status = 400; status < 600; status++) {
        Text  codes = text_open(out->text->arena);
        JsonOut list = json_out(&codes);
        json_array(&list);
        for (size_t i = 0; i < ERR_COUNT; i++)
            if (refusals.has[i] && err_status((ErrCode)i) == status)
                json_string(&list, str_of(err_name((ErrCode)i)));
        json_array_end(&list);
        if (codes.length == 2)
            continue;
        json_name(out, str_print(out->text->arena, "%d", status));
        json_object(out);
        json_string_member(out, "description", STR("A refusal; x-codes lists its possible codes."));
        json_raw_member(out, "x-codes", text_str(&codes));
        json_name(out, STR("content"));
        json_object(out);
        media_print(out, "application/problem+json", &problem_shape);
        json_object_end(out);
        json_object_end(out);
    }
}

static void route_print(JsonOut *out, const Route *route)
{
    Text lower = text_open(out->text->arena);
    for (const char *letter = method_name(route->method); *letter != 0; letter++)
        text_add_char(&lower, (char)(*letter | 0x20));
    json_name(out, text_str(&lower));
    json_object(out);
    json_string_member(out, "operationId", str_of(route->name));
    json_string_member(out, "summary", str_of(route->doc));
    json_string_member(out, "x-answeredAt", str_of(places[route->at]));
    json_name(out, STR("security"));
    json_array(out);
    if (route->scope != NULL)
        json_raw(out, str_print(out->text->arena, "{\"bearer\":[\"%s\"]}", route->scope));
    json_array_end(out);
    parameters_print(out, route);
    if (takes_body(route))
        body_print(out, route);
    json_name(out, STR("responses"));
    json_object(out);
    success_print(out, route, route->status == 0 ? 200 : route->status);
    if (route->status_also != 0)
        success_print(out, route, route->status_also);
    refusals_print(out, route);
    json_object_end(out);
    json_object_end(out);
}

static void paths_print(JsonOut *out, const Router *router)
{
    Map *done = map_open();
    json_name(out, STR("paths"));
    json_object(out);
    for (size_t i = 0; i < router_count(router); i++) {
        const char *path = router_route(router, i)->path;
        uint64_t    seen;
        if (map_find(done, str_of(path), &seen))
            continue;
        map_set(done, str_of(path), 1);
        json_name(out, str_of(path));
        json_object(out);
        for (size_t k = i; k < router_count(router); k++)
            if (strcmp(router_route(router, k)->path, path) == 0)
                route_print(out, router_route(router, k));
        json_object_end(out);
    }
    json_object_end(out);
    map_close(done);
}

// ---- shapes

typedef struct Shapes {
    VECTOR(const Shape *) list;
} Shapes;

static void shapes_add(Shapes *shapes, const Shape *shape)
{
    if (shape == NULL)
        return;
    for (size_t i = 0; i < shapes->list.count; i++)
        if (shapes->list.at[i] == shape)
            return;
    vector_push(&shapes->list, shape);
}

// The list grows while it is walked, until no shape names a new one.
static void shapes_complete(Shapes *shapes)
{
    for (size_t i = 0; i < shapes->list.count; i++) {
        const Shape *shape = shapes->list.at[i];
        shapes_add(shapes, shape->elements);
        for (size_t k = 0; shape->one_of != NULL && shape->one_of[k] != NULL; k++)
            shapes_add(shapes, shape->one_of[k]);
        for (size_t k = 0; k < shape->count; k++)
            shapes_add(shapes, shape->fields[k].shape);
    }
}

static void components_print(JsonOut *out, const Router *router)
{
    Shapes shapes = { 0 };
    shapes_add(&shapes, &problem_shape);
    for (size_t i = 0; i < router_count(router); i++) {
        const Route *route = router_route(router, i);
        shapes_add(&shapes, route->takes);
        shapes_add(&shapes, route->gives);
        for (size_t k = 0; k < route->other_count; k++)
            shapes_add(&shapes, route->other[k].shape);
    }
    shapes_complete(&shapes);
    json_name(out, STR("components"));
    json_object(out);
    json_raw_member(out, "securitySchemes",
                    STR("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
    json_name(out, STR("schemas"));
    json_object(out);
    for (size_t i = 0; i < shapes.list.count; i++) {
        json_name(out, str_of(shapes.list.at[i]->name));
        shape_schema(shapes.list.at[i], out);
    }
    json_object_end(out);
    json_object_end(out);
    vector_release(&shapes.list);
}

void openapi_print(const Router *router, const OpenapiHead *head, Text *text)
{
    AUTO(Arena) arena = arena_open();
    Text    own = text_open(arena);
    JsonOut out = json_out(&own);
    json_object(&out);
    json_string_member(&out, "openapi", STR("3.1.0"));
    json_name(&out, STR("info"));
    json_object(&out);
    json_string_member(&out, "title", head->title);
    json_string_member(&out, "version", head->version);
    json_string_member(&out, "description", head->doc);
    json_object_end(&out);
    paths_print(&out, router);
    components_print(&out, router);
    json_object_end(&out);
    text_add(text, text_str(&own));
}
