// SPDX-License-Identifier: Apache-2.0
// GET /v1/usage/unbilled: events that no bill counts, by reason.
#include "flow/invoice/unbilled.h"

#include "api/cursor.h"
#include "api/routes.h"
#include "api/server.h"

static Str list_name(const Request *request, const UnbilledQuery *query)
{
    return str_print(request->arena, "unbilled %lld %lld", (long long)query->from.us,
                     (long long)query->to.us);
}

static Err *query_read(Request *request, UnbilledQuery *query)
{
    Server  *server = server_of(request);
    uint64_t limit = UNBILLED_ACCOUNTS_MAX;
    Str      cursor;
    *query = (UnbilledQuery){ .books = server->books,
                              .catalog = server->catalog,
                              .partition = server->partition,
                              .project = project_of(request),
                              .from = INSTANT_FIRST,
                              .to = INSTANT_END,
                              .now = now_of(request) };
    TRY(request_query_instant(request, "from", &query->from));
    TRY(request_query_instant(request, "to", &query->to));
    if (query->from.us >= query->to.us)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE, "from must be before to");
    TRY(request_query_whole(request, "limit", 1, UNBILLED_ACCOUNTS_MAX, &limit));
    query->limit = limit;
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list_name(request, query), &query->after));
    return NULL;
}

static void names_write(JsonOut *out, const char *name, const UnbilledNames *names)
{
    json_name(out, str_of(name));
    json_array(out);
    for (size_t i = 0; i < names->count; i++)
        json_string(out, names->at[i]);
    json_array_end(out);
}

static void text_or_null(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

static void example_write(JsonOut *out, const UnbilledExample *example)
{
    json_object(out);
    json_string_member(out, "uniqueId", example->unique_id);
    text_or_null(out, "account", example->account);
    text_or_null(out, "meter", example->event);
    json_string_member(out, "ts", instant_print(out->text->arena, example->ts));
    json_object_end(out);
}

static void row_write(JsonOut *out, const char *reason, const UnbilledRow *row)
{
    json_object(out);
    json_string_member(out, "reason", str_of(reason));
    json_whole_member(out, "events", (int64_t)row->events);
    json_whole_member(out, "accountCount", (int64_t)row->account_count);
    names_write(out, "accounts", &row->accounts);
    names_write(out, "meters", &row->streams);
    json_name(out, STR("examples"));
    json_array(out);
    for (size_t i = 0; i < row->example_count; i++)
        example_write(out, &row->examples[i]);
    json_array_end(out);
    json_object_end(out);
}

static Err *unbilled_get(Request *request, Response *response)
{
    UnbilledQuery query;
    Unbilled     *found = arena_new(request->arena, Unbilled);
    TRY(query_read(request, &query));
    TRY(unbilled_find(request->arena, &query, found));
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "object", STR("list"));
    json_name(&out, STR("data"));
    json_array(&out);
    for (size_t i = 0; i < UNBILLED_REASONS; i++)
        if (found->rows[i].events > 0)
            row_write(&out, unbilled_reason_names[i], &found->rows[i]);
    json_array_end(&out);
    names_write(&out, "unfinished", &found->unfinished);
    text_or_null(&out, "nextCursor",
                 found->has_more
                     ? cursor_print(request->arena, list_name(request, &query), found->last)
                     : STR_NONE);
    json_object_end(&out);
    return NULL;
}

// ---- shapes and routes

static const Field example_fields[] = {
    MEMBER("uniqueId", TEXT, .required = true, .doc = "The event's id."),
    MEMBER("account", TEXT, .required = true, .nullable = true, .doc = "Whose; null: refused."),
    MEMBER("meter", TEXT, .required = true, .nullable = true, .doc = "Its event stream."),
    MEMBER("ts", INSTANT, .required = true, .doc = "When it happened; of a refused one: arrived."),
};
static const Shape example_shape =
    SHAPE("UnbilledExample", example_fields, .doc = "One of the events.");

static const Field row_fields[] = {
    MEMBER("reason", ENUM, .required = true, .choices = unbilled_reason_names,
           .doc = "no_subscription: the account has none. outside_subscription: none is active at "
                  "ts, or usage is free in a pause. no_charge: no charge counts it. ignored: a "
                  "charge's meter does, but the event brings it no number. beyond_horizon: it came "
                  "when its period was billed and beyond recomputeHorizonDays; or it was "
                  "refused with timestamp_too_old, of the newest refusals, by arrival."),
    MEMBER("events", WHOLE, .required = true, .doc = "How many."),
    MEMBER("accountCount", WHOLE, .required = true, .doc = "Of how many accounts."),
    MEMBER("accounts", ARRAY, .required = true, .of = KIND_TEXT, .doc = "The first 20 of them."),
    MEMBER("meters", ARRAY, .required = true, .of = KIND_TEXT,
           .doc = "Event streams, the first 20 of them."),
    MEMBER("examples", ARRAY, .required = true, .shape = &example_shape,
           .doc = "Up to 10 events, newest first by account."),
};
static const Shape row_shape =
    SHAPE("UnbilledEvents", row_fields, .doc = "Events that no bill counts, for one reason.");

static const Field list_fields[] = {
    MEMBER("object", TEXT, .required = true, .doc = "Always \"list\"."),
    MEMBER("data", ARRAY, .required = true, .shape = &row_shape,
           .doc = "A row for each reason that holds for any event of these accounts."),
    MEMBER("unfinished", ARRAY, .required = true, .of = KIND_TEXT,
           .doc = "Accounts with more than 100,000 events, of which only the newest were looked "
                  "at."),
    MEMBER("nextCursor", TEXT, .required = true, .nullable = true,
           .doc = "Where the next accounts begin; null behind the last."),
};
static const Shape list_shape =
    SHAPE("UnbilledList", list_fields, .doc = "Unbilled events of a page of accounts.");

static const Parameter unbilled_query[] = {
    { .name = "from", .kind = PARAMETER_INSTANT, .doc = "First ts; the beginning when absent." },
    { .name = "to", .kind = PARAMETER_INSTANT, .doc = "End of ts; no end when absent." },
    { .name = "limit", .kind = PARAMETER_WHOLE,
      .doc = "Accounts of a page: 1 to 1000, also when absent; fewer when they have many events." },
    { .name = "cursor", .kind = PARAMETER_TEXT, .doc = "nextCursor of the page before." },
};

const Route api_unbilled_routes[] = {
    {
        .name = "getUnbilledUsage",
        .method = METHOD_GET,
        .path = "/v1/usage/unbilled",
        .at = AT_OWNER,
        .scope = "bills:read",
        QUERY(unbilled_query),
        .gives = &list_shape,
        REFUSES(ERR_CURSOR_INVALID),
        .doc = "Events that no bill counts, by reason, for a page of accounts.",
        .handler = unbilled_get,
    },
};
const size_t api_unbilled_route_count = sizeof api_unbilled_routes / sizeof *api_unbilled_routes;
