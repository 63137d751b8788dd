// SPDX-License-Identifier: Apache-2.0
// GET /v1/usage: what a meter measured, by local windows and groups, exact to the last acknowledged
// event or as of an earlier one.
#include <string.h>

#include "api/routes.h"
#include "api/server.h"
#include "base/vector.h"
#include "time/window.h"

enum { WINDOWS_MAX = 10000 };

typedef struct Question {
    UsageQuery   usage;
    const Meter *meter;
    Instant      from, to;
    bool         is_total;
    WindowUnit   unit;
    const Zone  *zone;
    uint64_t     as_of;
} Question;

static Err *invalid(const Request *request, const char *what)
{
    return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE, "%s", what);
}

// ---- windows

static Err *zone_read(Request *request, Question *question)
{
    Str name = principal_of(request)->project.time_zone;
    request_query(request, "timeZone", &name);
    question->zone = zone_find(name);
    return question->zone != NULL ? NULL : invalid(request, "timeZone must be an IANA name or UTC");
}

// What is acknowledged is in the next read, so the end, when none is given, lies behind the latest
// ts that an event may have.
static Err *range_read(Request *request, Question *question)
{
    Str text;
    question->from = INSTANT_FIRST;
    question->to = (Instant){ now_of(request).us + server_of(request)->limits.future_us + 1 };
    TRY(request_query_instant(request, "from", &question->from));
    TRY(request_query_instant(request, "to", &question->to));
    if (question->from.us >= question->to.us)
        return invalid(request, "from must be before to");
    question->is_total = !request_query(request, "window", &text) || str_equal(text, STR("total"));
    if (question->is_total)
        return NULL;
    if (!window_unit_find(text, &question->unit))
        return invalid(request, "window must be hour, day, week, month or total");
    if (!request_query(request, "from", &text))
        return invalid(request, "from is required with a window");
    return NULL;
}

static Err *windows_make(Request *request, Question *question)
{
    Text windows = text_open(request->arena);
    if (question->is_total) {
        UsageWindow all = { question->from, question->to };
        text_add_bytes(&windows, &all, sizeof all);
    }
    for (Instant at = question->from; !question->is_total && at.us < question->to.us;) {
        Span        span = window_at(question->unit, question->zone, at);
        Instant     end = span.end.us < question->to.us ? span.end : question->to;
        UsageWindow window = { at, end };
        text_add_bytes(&windows, &window, sizeof window);
        if (windows.length > WINDOWS_MAX * sizeof window)
            return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                          "from and to are more than %d windows apart", WINDOWS_MAX);
        at = end;
    }
    question->usage.windows = (const UsageWindow *)(const void *)windows.at;
    question->usage.window_count = windows.length / sizeof(UsageWindow);
    return NULL;
}

// ---- groups

static bool is_dimension(const Meter *meter, Str name)
{
    for (size_t i = 0; i < meter->dimension_count; i++)
        if (str_equal(meter->dimensions[i], name))
            return true;
    return false;
}

// Inserts into an ascending list; false when it is there already.
static bool name_insert(Str *names, size_t count, Str name)
{
    size_t at = count;
    while (at > 0 && str_compare(names[at - 1], name) > 0)
        at--;
    if (at > 0 && str_equal(names[at - 1], name))
        return false;
    for (size_t i = count; i > at; i--)
        names[i] = names[i - 1];
    names[at] = name;
    return true;
}

static Err *groups_read(Request *request, Question *question)
{
    Str    text = STR_NONE;
    Meter *meter;
    TRY(catalog_meter_get(server_of(request)->catalog, request->arena, project_of(request),
                          question->usage.meter, &meter));
    question->meter = meter;
    if (!request_query(request, "groupBy", &text))
        return NULL;
    Str   *names = arena_array(request->arena, Str, METER_DIMENSIONS_MAX);
    size_t count = 0;
    do {
        Str name = str_cut(&text, ',');
        if (!is_dimension(meter, name) || !name_insert(names, count, name))
            return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                          "groupBy must name dimensions of the meter, each once");
        count++;
    } while (text.at != NULL);
    question->usage.group_by = names;
    question->usage.group_count = count;
    return NULL;
}

static Err *question_read(Request *request, Question *question)
{
    Str as_of;
    *question = (Question){ .usage.project = project_of(request).id, .as_of = SEQUENCE_NEWEST };
    request_query(request, "meter", &question->usage.meter);
    request_query(request, "account", &question->usage.account);
    if (request_query(request, "asOf", &as_of))
        TRY(usage_sequence_parse(request->arena, as_of, &question->as_of));
    TRY(zone_read(request, question));
    question->usage.zone = question->zone;
    question->usage.until = now_of(request);
    TRY(range_read(request, question));
    TRY(groups_read(request, question));
    return windows_make(request, question);
}

// ---- the answer

// Exactly where it ends, else, as an average always, with 12 places.
static Str value_print(Arena *arena, const Meter *meter, const UsageGroup *group)
{
    Str  exact = rational_print(arena, group->exact);
    bool ends = memchr(exact.at, '/', exact.length) == NULL;
    return ends && meter->aggregation != AGGREGATE_AVERAGE ? exact
                                                           : decimal_print(arena, group->value);
}

static void row_print(JsonOut *out, const Question *question, const UsageWindow *window,
                      const UsageGroup *group)
{
    const UsageQuery *query = &question->usage;
    Arena            *arena = out->text->arena;
    json_object(out);
    json_string_member(out, "start", instant_print(arena, window->start));
    json_string_member(out, "end", instant_print(arena, window->end));
    json_name(out, STR("group"));
    json_object(out);
    for (size_t i = 0; i < query->group_count; i++) {
        json_name(out, query->group_by[i]);
        if (group->values[i].at == NULL)
            json_null(out);
        else
            json_string(out, group->values[i]);
    }
    json_object_end(out);
    if (group->has_value)
        json_string_member(out, "value", value_print(arena, question->meter, group));
    else
        json_null_member(out, "value");
    json_whole_member(out, "events", (int64_t)group->events);
    json_whole_member(out, "ignored", (int64_t)group->ignored);
    json_object_end(out);
}

static Err *usage_answer(Request *request, Response *response, UsageMoment *moment,
                         const Question *question)
{
    const UsageQuery *query = &question->usage;
    UsageAnswer      *answers = arena_array(request->arena, UsageAnswer, query->window_count);
    TRY(usage_read(moment, request->arena, query, answers));
    JsonOut out = response_json(response);
    json_object(&out);
    json_name(&out, STR("data"));
    json_array(&out);
    for (size_t i = 0; i < query->window_count; i++)
        for (size_t k = 0; k < answers[i].count; k++)
            row_print(&out, question, &query->windows[i], &answers[i].groups[k]);
    json_array_end(&out);
    json_string_member(&out, "sequence",
                       usage_sequence_print(request->arena, usage_moment_sequence(moment)));
    json_object_end(&out);
    return NULL;
}

static Err *usage_get(Request *request, Response *response)
{
    Question     question;
    UsageMoment *moment;
    TRY(question_read(request, &question));
    TRY(usage_moment_open(server_of(request)->partition, request->arena, question.as_of, &moment));
    Err *refusal = usage_answer(request, response, moment, &question);
    usage_moment_close(moment);
    return refusal;
}

// ---- shapes and routes

static const Field row_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "Begin of the window, clipped to the range."),
    MEMBER("end", INSTANT, .required = true, .doc = "Its end, which is not part of it."),
    MEMBER("group", MAP, .required = true, .of = KIND_JSON,
           .doc = "The values of the dimensions grouped by; null where an event had none."),
    MEMBER("value", DECIMAL, .required = true, .nullable = true,
           .doc = "What the meter measured: exactly where it ends, else, and an average always, "
                  "with 12 places, half to even; null for the least, largest, average, "
                  "latest or a percentile of nothing. A gauge runs to this moment."),
    MEMBER("events", WHOLE, .required = true,
           .doc = "Events of the window that the meter matched."),
    MEMBER("ignored", WHOLE, .required = true,
           .doc = "Of these, events whose property counted nothing."),
};
static const Shape row_shape = SHAPE("UsageRow", row_fields, .doc = "One group of one window.");

static const Field usage_fields[] = {
    MEMBER("data", ARRAY, .required = true, .shape = &row_shape,
           .doc = "Windows ascending, groups ascending within them, null first."),
    MEMBER("sequence", TEXT, .required = true,
           .doc = "The position this was read at; asOf takes it."),
};
static const Shape usage_shape = SHAPE("Usage", usage_fields, .doc = "What a meter measured.");

static const char *const windows[] = { "hour", "day", "week", "month", "total", NULL };

static const Parameter usage_query[] = {
    { .name = "meter", .kind = PARAMETER_TEXT, .required = true, .doc = "The meter's id." },
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "One account; all together when absent." },
    { .name = "from", .kind = PARAMETER_INSTANT,
      .doc = "Begin of the range; required with a window." },
    { .name = "to", .kind = PARAMETER_INSTANT,
      .doc = "Its end, not part of it; behind the newest event when absent." },
    { .name = "window", .kind = PARAMETER_ENUM, .choices = windows, .doc = "total when absent." },
    { .name = "groupBy", .kind = PARAMETER_TEXT,
      .doc = "Dimensions of the meter, separated by commas." },
    { .name = "timeZone", .kind = PARAMETER_TEXT, .doc = "IANA name; the project's when absent." },
    { .name = "asOf", .kind = PARAMETER_TEXT, .doc = "A sequence: later events do not count." },
};

const Route api_usage_routes[] = {
    { .name = "getUsage", .method = METHOD_GET, .path = "/v1/usage",
      .at = AT_OWNER, .scope = "usage:read",
      QUERY(usage_query), .gives = &usage_shape,
      REFUSES(ERR_METER_NOT_FOUND, ERR_AMOUNT_TOO_LARGE, ERR_STORE_FAILED), .handler = usage_get,
      .doc = "What a meter measured in a range, by windows and groups." },
};
const size_t api_usage_route_count = sizeof api_usage_routes / sizeof *api_usage_routes;
