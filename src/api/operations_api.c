// SPDX-License-Identifier: Apache-2.0
// Operations: work that goes on after its request was answered.
#include "api/cursor.h"
#include "api/operation_shape.h"
#include "api/page.h"
#include "api/routes.h"

static Err *operation_one(Request *request, Response *response)
{
    Operation *operation;
    TRY(operation_get(server_of(request)->books, request->arena, project_of(request),
                      request_path(request, "id"), &operation));
    JsonOut out = response_json(response);
    operation_to_json(operation, &out);
    return NULL;
}

static Err *operation_page(Request *request, Response *response)
{
    OperationPage page = { .project = project_of(request) };
    Operation    *operations;
    size_t        found, limit;
    Str           cursor, list = STR("operations");
    TRY(request_limit(request, &limit));
    page.limit = limit + 1;
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &page.before));
    TRY(operation_list(server_of(request)->books, request->arena, &page, &operations, &found));
    size_t  count = found > limit ? limit : found;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        operation_to_json(&operations[i], &out);
    response_list_end(&out, found > limit
                                ? cursor_print(request->arena, list, operations[count - 1].id)
                                : STR_NONE);
    return NULL;
}

static Err *operation_stop(Request *request, Response *response)
{
    OperationCancel cancel = { principal_of(request), request_path(request, "id"),
                               request->received };
    Operation      *operation;
    TRY(operation_cancel(server_of(request)->books, request->arena, &cancel, &operation));
    JsonOut out = response_json(response);
    operation_to_json(operation, &out);
    return NULL;
}

static const char *const statuses[] = { "queued", "running", "succeeded", "failed", "canceled",
                                        NULL };

static const Field progress_fields[] = {
    MEMBER("done", WHOLE, .required = true, .doc = "Accounts, of a simulation and of a run."),
    MEMBER("total", WHOLE, .required = true, .doc = "0 while it is not known yet."),
};
static const Shape progress_shape =
    SHAPE("OperationProgress", progress_fields, .doc = "How far it has come.");

static const Field error_fields[] = {
    MEMBER("code", TEXT, .required = true, .doc = "As in problem documents."),
    MEMBER("detail", TEXT, .required = true, .doc = "One sentence."),
};
static const Shape error_shape = SHAPE("OperationError", error_fields, .doc = "Why it failed.");

static const Field operation_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "op_ and 26 characters, ordered by time."),
    MEMBER("kind", TEXT, .required = true, .doc = "simulation or run."),
    MEMBER("status", ENUM, .required = true, .choices = statuses,
           .doc = "What is queued or running goes on by itself, also after a restart."),
    MEMBER("progress", OBJECT, .required = true, .shape = &progress_shape, .doc = "So far."),
    MEMBER("result", TEXT, .required = true, .doc = "Where the result is to be read."),
    MEMBER("error", OBJECT, .required = true, .nullable = true, .shape = &error_shape,
           .doc = "Of a failed one."),
    MEMBER("createdAt", INSTANT, .required = true, .doc = "When it was asked for."),
    MEMBER("startedAt", INSTANT, .required = true, .nullable = true, .doc = "When it began."),
    MEMBER("endedAt", INSTANT, .required = true, .nullable = true, .doc = "When it ended."),
};
const Shape operation_shape =
    SHAPE("Operation", operation_fields, .doc = "Work that outlives its request.");

static const Field list_fields[] = { LIST_SHAPE("Operations, newest first.", &operation_shape) };
static const Shape list_shape = SHAPE("OperationList", list_fields, .doc = "A page of operations.");

static const Parameter list_query[] = { PAGE_PARAMETERS };

const Route api_operations_api_routes[] = {
    { .name = "getOperation",
      .method = METHOD_GET,
      .path = "/v1/operations/{id}",
      .scope = "simulations:read",
      .gives = &operation_shape,
      REFUSES(ERR_OPERATION_NOT_FOUND),
      .handler = operation_one,
      .doc = "How far an operation has come." },
    { .name = "listOperations",
      .method = METHOD_GET,
      .path = "/v1/operations",
      .scope = "simulations:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = operation_page,
      .doc = "The project's operations, newest first." },
    { .name = "cancelOperation",
      .method = METHOD_POST,
      .path = "/v1/operations/{id}/cancel",
      .scope = "simulations:write",
      .gives = &operation_shape,
      REFUSES(ERR_OPERATION_NOT_FOUND, ERR_OPERATION_ENDED),
      .handler = operation_stop,
      .doc = "Give an operation up; nothing more of it is stored." },
};
const size_t api_operations_api_route_count =
    sizeof api_operations_api_routes / sizeof *api_operations_api_routes;
