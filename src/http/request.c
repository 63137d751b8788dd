// SPDX-License-Identifier: Apache-2.0
// What handlers read from a request and write into a response.
#include "http/request.h"


#include "base/assert.h"
#include "http/router.h"

const char *method_name(Method method)
{
    static const char *const names[METHOD_COUNT] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
    assert_that(method < METHOD_COUNT);
    return names[method];
}

Str request_path(const Request *request, const char *name)
{
    Str    rest = str_of(request->route->path);
    size_t index = 0;
    while (rest.length > 0) {
        Str segment = str_cut(&rest, '/');
        if (segment.length < 2 || segment.at[0] != '{')
            continue;
        if (str_equal((Str){ segment.at + 1, segment.length - 2 }, str_of(name)))
            return request->path_values[index];
        index++;
    }
    assert_failed("the route's path has no such parameter", name, 0);
}

bool request_query(const Request *request, const char *name, Str *value)
{
    Str wanted = str_of(name);
    for (size_t i = 0; i < request->query_count; i++)
        if (str_equal(request->query[i].name, wanted)) {
            *value = request->query[i].value;
            return true;
        }
    return false;
}

Err *request_query_whole(const Request *request, const char *name, uint64_t least, uint64_t most,
                         uint64_t *value)
{
    Str      text;
    uint64_t number;
    if (!request_query(request, name, &text))
        return NULL;
    if (!str_whole(text, most, &number) || number < least)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "%s must be a whole number between %llu and %llu", name,
                      (unsigned long long)least, (unsigned long long)most);
    *value = number;
    return NULL;
}

Err *request_query_instant(const Request *request, const char *name, Instant *value)
{
    Str     text;
    Instant instant;
    if (!request_query(request, name, &text))
        return NULL;
    if (!instant_parse(text, &instant))
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "%s must be an RFC 3339 instant such as 2026-06-10T14:02:11Z", name);
    *value = instant;
    return NULL;
}

Err *request_query_bool(const Request *request, const char *name, bool *value)
{
    Str text;
    if (!request_query(request, name, &text))
        return NULL;
    bool is_true = str_equal(text, STR("true"));
    if (!is_true && !str_equal(text, STR("false")))
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "%s must be true or false", name);
    *value = is_true;
    return NULL;
}

Err *request_limit(const Request *request, size_t *limit)
{
    uint64_t number = 20;
    TRY(request_query_whole(request, "limit", 1, 1000, &number));
    *limit = (size_t)number;
    return NULL;
}

Err *request_json_deep(Request *request, uint32_t depth, Json **root)
{
    return json_parse(request->parser, request->arena, request->body, (JsonLimits){ depth }, root);
}

Err *request_json(Request *request, Json **root)
{
    return request_json_deep(request, 16, root);
}

JsonOut response_json(Response *response)
{
    return json_out(&response->body);
}

void response_header(Response *response, const char *name, Str value)
{
    assert_that(response->header_count < RESPONSE_HEADERS_MAX);
    assert_that(!str_has_control(value));
    response->headers[response->header_count++] = (ResponseHeader){ name, value };
}

Str response_entity_tag(Response *response, int64_t version)
{
    Str tag = str_print(response->arena, "\"%lld\"", (long long)version);
    response_header(response, "ETag", tag);
    return tag;
}

JsonOut response_list_begin(Response *response)
{
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "object", STR("list"));
    json_name(&out, STR("data"));
    json_array(&out);
    return out;
}

void response_list_end(JsonOut *out, Str next_cursor)
{
    json_array_end(out);
    if (next_cursor.at == NULL)
        json_null_member(out, "nextCursor");
    else
        json_string_member(out, "nextCursor", next_cursor);
    json_object_end(out);
}

JsonOut response_problem_members(Response *response)
{
    return json_out(&response->members);
}
