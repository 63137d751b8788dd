// SPDX-License-Identifier: Apache-2.0
// The clock of a test project: where it stands, setting and advancing it.
#include "api/money_body.h"
#include "api/routes.h"
#include "api/server.h"
#include "flow/run/schedule.h"

enum { ADVANCE_SECONDS_MOST = INT32_MAX };

enum { RUNS_MAX = 100 };

typedef struct OpenRuns {
    ProjectId   project;
    BillingRun *at;
    size_t      count;
} OpenRuns;

static Err *runs_work(DbTx *tx, void *context)
{
    OpenRuns *runs = context;
    return run_list_open(tx, runs->project, RUNS_MAX, &runs->at, &runs->count);
}

static Err *clock_answer(Request *request, Response *response)
{
    Server  *server = server_of(request);
    Project  project = catalog_project_get(server->catalog, project_of(request));
    OpenRuns runs = { .project = project.id };
    TRY(db_read(server->books, request->arena, runs_work, &runs));
    Instant now = project_now(&project, request->received);
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "now", instant_print(request->arena, now));
    json_bool_member(&out, "stands", project.has_clock);
    json_name(&out, STR("runs"));
    json_array(&out);
    for (size_t i = 0; i < runs.count; i++)
        json_string(&out, runs.at[i].id);
    json_array_end(&out);
    json_object_end(&out);
    return NULL;
}

static Err *project_test(Request *request)
{
    if (principal_of(request)->project.mode == PROJECT_TEST)
        return NULL;
    return refuse(request->arena, ERR_PROJECT_IS_LIVE, STR_NONE,
                  "the project is live: its clock is the machine's");
}

static Err *clock_get(Request *request, Response *response)
{
    TRY(project_test(request));
    return clock_answer(request, response);
}

static Err *clock_move(Request *request, Response *response, Instant to)
{
    Server       *server = server_of(request);
    ScheduleLook  look = { server->books, server->catalog, project_of(request),
                           request->received };
    CatalogChange change;
    bool          started;
    TRY(server_change(request, &change));
    TRY(catalog_clock_set(&change, to));
    TRY(schedule_look(request->arena, &look, &started));
    if (started)
        worker_wake(server->worker);
    return clock_answer(request, response);
}

// ---- setting and advancing

typedef struct ClockBody {
    Instant now, to;
    int64_t seconds;
} ClockBody;

static const Instant nowhere = { INT64_MIN };

static const Field set_fields[] = {
    FIELD(ClockBody, now, "now", INSTANT, .required = true,
          .doc = "What time it is from now on; never before what it was."),
};
static const Shape set_shape = SHAPE("TestClockSet", set_fields, .doc = "Where the clock stands.");

static Err *clock_set(Request *request, Response *response)
{
    ClockBody body = { 0 };
    TRY(project_test(request));
    TRY(money_body(request, &set_shape, &body));
    return clock_move(request, response, body.now);
}

static const Field advance_fields[] = {
    FIELD(ClockBody, to, "to", INSTANT, .nullable = true, .doc = "Up to this instant."),
    FIELD(ClockBody, seconds, "bySeconds", WHOLE, .nullable = true, .least = 1,
          .most = ADVANCE_SECONDS_MOST, .doc = "Or by so many seconds."),
};
static const Shape advance_shape =
    SHAPE("TestClockAdvance", advance_fields, .doc = "How far: one of the two.");

static Err *clock_advance(Request *request, Response *response)
{
    ClockBody body = { .to = nowhere };
    Instant   to = now_of(request);
    TRY(project_test(request));
    TRY(money_body(request, &advance_shape, &body));
    if ((body.to.us != nowhere.us) == (body.seconds > 0))
        return refuse(request->arena, ERR_FIELD_REQUIRED, STR("/to"),
                      "either to or bySeconds is required");
    to.us += body.seconds * INSTANT_SECOND_US;
    if (to.us >= INSTANT_END.us)
        return refuse(request->arena, ERR_FIELD_INVALID, STR("/bySeconds"),
                      "bySeconds must not lead behind the year 9999");
    return clock_move(request, response, body.seconds > 0 ? to : body.to);
}

// ---- shapes and routes

static const Field clock_fields[] = {
    MEMBER("now", INSTANT, .required = true, .doc = "What time it is for the project."),
    MEMBER("stands", BOOL, .required = true,
           .doc = "It was set, and stands until it is advanced; false: it still is real time."),
    MEMBER("runs", ARRAY, .required = true, .of = KIND_TEXT,
           .doc = "Ids of the project's runs that have not ended: what became due by the advance, "
                  "when the project bills automatically."),
};
static const Shape clock_shape =
    SHAPE("TestClock", clock_fields, .doc = "The clock of a test project.");

const Route api_test_clock_routes[] = {
    { .name = "getTestClock",
      .method = METHOD_GET,
      .path = "/v1/testClock",
      .scope = "catalog:read",
      .gives = &clock_shape,
      REFUSES(ERR_PROJECT_IS_LIVE),
      .handler = clock_get,
      .doc = "What time it is for a test project." },
    { .name = "setTestClock",
      .method = METHOD_POST,
      .path = "/v1/testClock",
      .scope = "catalog:write",
      .takes = &set_shape,
      .gives = &clock_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP,
              ERR_PROJECT_IS_LIVE, ERR_CLOCK_GOES_BACK),
      .handler = clock_set,
      .doc = "Set the clock of a test project. The first time to any instant, then never back." },
    { .name = "advanceTestClock",
      .method = METHOD_POST,
      .path = "/v1/testClock/advance",
      .scope = "catalog:write",
      .takes = &advance_shape,
      .gives = &clock_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP,
              ERR_PROJECT_IS_LIVE, ERR_CLOCK_GOES_BACK),
      .handler = clock_advance,
      .doc = "Let time pass in a test project." },
};
const size_t api_test_clock_route_count =
    sizeof api_test_clock_routes / sizeof *api_test_clock_routes;
