// SPDX-License-Identifier: Apache-2.0
// What operators and tools ask: is it alive, is it ready, its numbers, its reference.
#include "api/routes.h"
#include "api/server.h"
#include "base/counter.h"
#include "http/problem.h"

static Err *livez(Request *request, Response *response)
{
    (void)request;
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "status", STR("alive"));
    json_object_end(&out);
    return NULL;
}

static Err *readyz(Request *request, Response *response)
{
    Server *server = server_of(request);
    if (!server->is_ready)
        return refuse(request->arena, ERR_NOT_READY, STR_NONE,
                      "the server is starting or stopping");
    if (server->partition != NULL)
        TRY(partition_health(server->partition, request->arena));
    TRY(db_health(server->books, request->arena));
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "status", STR("ready"));
    json_object_end(&out);
    return NULL;
}

static Err *metrics(Request *request, Response *response)
{
    (void)request;
    response->media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    counter_print(&response->body);
    return NULL;
}

static Err *openapi(Request *request, Response *response)
{
    text_add(&response->body, server_of(request)->openapi);
    return NULL;
}

static Err *problem_get(Request *request, Response *response)
{
    ErrCode code;
    if (!err_find(request_path(request, "code"), &code))
        return refuse(request->arena, ERR_PROBLEM_NOT_FOUND, STR_NONE,
                      "there is no such problem code");
    JsonOut out = response_json(response);
    problem_page(&out, code);
    return NULL;
}

// A page without scripts or anything fetched from elsewhere: where to look, and each route by its
// name.
static const char page_head[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Toll API</title>"
    "<style>body{font:16px/1.5 sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "td{padding:.2rem .8rem .2rem 0;vertical-align:top}code{white-space:nowrap}</style></head>"
    "<body><h1>Toll API</h1><p>The whole contract, with every body and every refusal, is the "
    "OpenAPI document at <a href=\"/openapi.json\">/openapi.json</a>. Requests carry "
    "<code>Authorization: Bearer KEY</code>; refusals are problem documents whose codes are "
    "explained at <code>/problems/{code}</code>.</p><table>";

static Err *docs(Request *request, Response *response)
{
    Text *page = &response->body;
    (void)request;
    Router *router = api_router_open();
    text_add(page, str_of(page_head));
    for (size_t i = 0; i < router_count(router); i++) {
        const Route *route = router_route(router, i);
        text_print(page, "<tr><td><code>%s %s</code></td><td>%s</td><td>%s</td></tr>",
                   method_name(route->method), route->path, route->doc,
                   route->scope == NULL ? "open" : route->scope);
    }
    text_add(page, STR("</table></body></html>\n"));
    router_close(router);
    return NULL;
}

static const Field status_fields[] = {
    MEMBER("status", TEXT, .required = true, .doc = "alive or ready."),
};
static const Shape status_shape = SHAPE("Status", status_fields, .doc = "The state of the server.");

static const Shape openapi_shape = { .name = "OpenApiDocument", .open = true,
                                     .doc = "An OpenAPI 3.1 document." };

const Route api_operations_routes[] = {
    { .name = "livez", .method = METHOD_GET, .path = "/livez", .runs = RUNS_ON_HTTP_THREAD,
      .gives = &status_shape, .handler = livez, .doc = "Whether the process answers." },
    { .name = "healthz", .method = METHOD_GET, .path = "/healthz", .runs = RUNS_ON_HTTP_THREAD,
      .gives = &status_shape, .handler = livez, .doc = "The same as /livez." },
    { .name = "readyz", .method = METHOD_GET, .path = "/readyz", .runs = RUNS_ON_HTTP_THREAD,
      .gives = &status_shape,
      REFUSES(ERR_NOT_READY, ERR_JOURNAL_FAILED, ERR_SEALING_BEHIND, ERR_STORE_FAILED),
      .handler = readyz, .doc = "Whether usage is taken and the books can be written." },
    { .name = "metrics", .method = METHOD_GET, .path = "/metrics", .scope = "ops:read",
      .runs = RUNS_ON_HTTP_THREAD,
      .gives_media = "application/openmetrics-text", .handler = metrics,
      .doc = "The server's numbers in the OpenMetrics text format." },
    { .name = "openapi", .method = METHOD_GET, .path = "/openapi.json", .runs = RUNS_ON_HTTP_THREAD,
      .gives = &openapi_shape, .handler = openapi, .doc = "This document." },
    { .name = "getProblem", .method = METHOD_GET, .path = "/problems/{code}",
      .runs = RUNS_ON_HTTP_THREAD, .gives = &problem_page_shape, REFUSES(ERR_PROBLEM_NOT_FOUND),
      .handler = problem_get, .doc = "What a problem code means, and whether repeating can help." },
    { .name = "docs", .method = METHOD_GET, .path = "/docs", .gives_media = "text/html",
      .handler = docs, .doc = "A page for people that lists the routes." },
};
const size_t api_operations_route_count =
    sizeof api_operations_routes / sizeof *api_operations_routes;
