// SPDX-License-Identifier: Apache-2.0
// Simulations: what another price would have cost. Asked for here, done by the worker.
#include "api/cursor.h"
#include "api/operation_shape.h"
#include "api/page.h"
#include "api/routes.h"
#include "flow/simulate/report.h"

static Err *simulation_post(Request *request, Response *response)
{
    Server           *server = server_of(request);
    Faults            faults = { .arena = request->arena };
    SimulationRequest wanted;
    Json             *body;
    Operation         operation;
    SimulationStart   start = { .db = server->books,
                                .catalog = server->catalog,
                                .partition = server->partition,
                                .by = principal_of(request),
                                .now = now_of(request) };
    TRY(request_json_deep(request, SIMULATION_DEPTH, &body));
    simulation_request_read(body, &wanted, &faults);
    if (faults.first != NULL)
        return faults.first;
    TRY(simulation_start(request->arena, &start, &wanted, &operation));
    worker_wake(server->worker);
    response_header(response, "Location",
                    str_print(request->arena, "/v1/operations/%.*s", STR_ARG(operation.id)));
    JsonOut out = response_json(response);
    operation_to_json(&operation, &out);
    return NULL;
}

typedef struct Found {
    Simulation *simulation;
    Operation  *operation;
} Found;

static Err *simulation_find(Request *request, Found *found)
{
    Server *server = server_of(request);
    TRY(simulation_get(server->books, request->arena, project_of(request),
                       request_path(request, "id"), &found->simulation));
    return operation_get(server->books, request->arena, project_of(request),
                         found->simulation->operation, &found->operation);
}

static Err *simulation_one(Request *request, Response *response)
{
    Found found;
    TRY(simulation_find(request, &found));
    JsonOut out = response_json(response);
    simulation_to_json(found.simulation, found.operation, &out);
    return NULL;
}

// ---- accounts

static Err *finished_find(Request *request, Found *found)
{
    TRY(simulation_find(request, found));
    if (found->operation->status != OPERATION_SUCCEEDED)
        return refuse(request->arena, ERR_SIMULATION_NOT_FINISHED, STR_NONE,
                      "the simulation is %s", operation_status_name(found->operation->status));
    return NULL;
}

// "3.250": the account at 250 of chunk 3.
static Err *place_read(Request *request, Str list, ReportWalk *walk)
{
    Str      cursor, place;
    uint64_t chunk = 0, index = 0;
    if (!request_query(request, "cursor", &cursor))
        return NULL;
    TRY(cursor_parse(request->arena, cursor, list, &place));
    if (!str_whole(str_cut(&place, '.'), INT32_MAX, &chunk) ||
        !str_whole(place, INT32_MAX, &index))
        return refuse(request->arena, ERR_CURSOR_INVALID, STR_NONE,
                      "cursor must be the nextCursor of a page of this very list");
    walk->chunk = (int64_t)chunk;
    walk->index = (int64_t)index;
    return NULL;
}

static Err *json_take(void *context, const RepricedAccount *account)
{
    return report_account_json(account, context);
}

static Err *accounts_json(Request *request, Response *response, ReportWalk *walk)
{
    Str    list = str_print(request->arena, "accounts of %.*s", STR_ARG(walk->simulation->id));
    bool   more;
    TRY(request_limit(request, &walk->limit));
    TRY(place_read(request, list, walk));
    JsonOut out = response_list_begin(response);
    walk->take = json_take;
    walk->context = &out;
    TRY(report_walk(walk, request->arena, &more));
    Str next = str_print(request->arena, "%lld.%lld", (long long)walk->chunk,
                         (long long)walk->index);
    response_list_end(&out, more ? cursor_print(request->arena, list, next) : STR_NONE);
    return NULL;
}

static Err *csv_take(void *context, const RepricedAccount *account)
{
    return report_account_csv(account, context);
}

// Some accounts more, made in memory of their own.
static Err *csv_more(Request *request, Response *response, bool *ended)
{
    enum { PIECE_ACCOUNTS = 200 };
    ReportWalk *walk = response->more_state;
    bool        more = false;
    AUTO(Arena) arena = arena_open();
    Text piece = text_open(arena);
    walk->limit = PIECE_ACCOUNTS;
    walk->context = &piece;
    Err *err = report_walk(walk, arena, &more);
    if (err != NULL)
        return refuse(request->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    text_add(&response->body, text_str(&piece));
    *ended = !more;
    return NULL;
}

static Err *accounts_csv(Request *request, Response *response, const ReportWalk *walk)
{
    ReportWalk *kept = arena_copy(request->arena, walk, sizeof *walk);
    kept->take = csv_take;
    response->media = "text/csv; charset=utf-8";
    response->more = csv_more;
    response->more_state = kept;
    response_header(response, "Content-Disposition",
                    str_print(request->arena, "attachment; filename=\"%.*s.csv\"",
                              STR_ARG(walk->simulation->id)));
    report_csv_head(&response->body);
    return NULL;
}

static const char *const formats[] = { "json", "csv", NULL };

// What the query says, else whether the Accept header begins with it.
static bool wants_csv(const Request *request)
{
    Str format;
    if (request_query(request, "format", &format))
        return str_equal(format, STR("csv"));
    return str_starts(request_header(request, "Accept"), STR("text/csv"));
}

static Err *simulation_accounts(Request *request, Response *response)
{
    Found found;
    TRY(finished_find(request, &found));
    ReportWalk walk = { .db = server_of(request)->books, .simulation = found.simulation };
    return wants_csv(request) ? accounts_csv(request, response, &walk)
                              : accounts_json(request, response, &walk);
}

// ---- shapes and routes

static const Shape plan_shape = { .name = "SimulatedPlan",
                                  .open = true,
                                  .doc = "A plan document, as PUT /v1/plans takes it." };

static const Field version_fields[] = {
    MEMBER("plan", TEXT, .required = true, .doc = "The plan's id."),
    MEMBER("version", WHOLE, .required = true, .doc = "Number of a published version."),
};
static const Shape version_shape =
    SHAPE("SimulatedVersion", version_fields, .doc = "A published version of a plan.");

static const Field request_fields[] = {
    MEMBER("plan", OBJECT, .shape = &plan_shape, .doc = "What is to be tried; or planVersion."),
    MEMBER("planVersion", OBJECT, .shape = &version_shape,
           .doc = "A published version to be tried; or plan."),
    MEMBER("against", JSON, .required = true,
           .doc = "What it is compared with: \"current\", which is what each subscription has, or "
                  "an object with plan or planVersion."),
    MEMBER("from", INSTANT, .required = true,
           .doc = "Billing periods that begin in [from, to) count, each whole."),
    MEMBER("to", INSTANT, .required = true, .doc = "At most 1100 days after from."),
    MEMBER("accounts", JSON, .required = true,
           .doc = "\"all\", or a list of at most 10000 ids."),
    MEMBER("quantities", MAP, .of = KIND_DECIMAL,
           .doc = "By name: held where a subscription does not say how many, and by accounts "
                  "without one."),
    MEMBER("replaces", TEXT,
           .doc = "A plan's id: only subscriptions that are on it in the range are priced anew; "
                  "all of an account when absent."),
};
static const Shape request_shape =
    SHAPE("SimulationRequest", request_fields, .doc = "One price against another.");

#define AMOUNTS                                                                       \
    MEMBER("before", DECIMAL, .required = true, .doc = "Net of discounts, before tax."), \
        MEMBER("after", DECIMAL, .required = true, .doc = "The same under the tried plan."), \
        MEMBER("delta", DECIMAL, .required = true, .doc = "after - before.")

static const Field top_fields[] = {
    MEMBER("account", TEXT, .required = true, .doc = "Its id."),
    AMOUNTS,
};
static const Shape top_shape =
    SHAPE("SimulationTop", top_fields, .doc = "An account whose sum changes much.");

static const Field step_fields[] = {
    MEMBER("fromPercent", DECIMAL, .required = true, .nullable = true, .doc = "Inclusive."),
    MEMBER("toPercent", DECIMAL, .required = true, .nullable = true, .doc = "Exclusive."),
    MEMBER("accounts", WHOLE, .required = true, .doc = "Whose sum changes so much, but changes."),
};
static const Shape step_shape =
    SHAPE("SimulationStep", step_fields, .doc = "A step of relative change.");

static const Field total_fields[] = {
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    AMOUNTS,
    MEMBER("accounts", WHOLE, .required = true, .doc = "That pay in it, on either side."),
    MEMBER("winners", WHOLE, .required = true, .doc = "That pay less."),
    MEMBER("losers", WHOLE, .required = true, .doc = "That pay more."),
    MEMBER("unchanged", WHOLE, .required = true, .doc = "That pay the same."),
    MEMBER("fromNothing", WHOLE, .required = true, .doc = "Of those whose sum changes: from 0."),
    MEMBER("topWinners", ARRAY, .required = true, .shape = &top_shape,
           .doc = "Up to 10, the largest change first."),
    MEMBER("topLosers", ARRAY, .required = true, .shape = &top_shape,
           .doc = "Up to 10, the largest change first."),
    MEMBER("histogram", ARRAY, .required = true, .shape = &step_shape,
           .doc = "Accounts whose sum changes and was not 0, by how much."),
};
static const Shape total_shape =
    SHAPE("SimulationTotal", total_fields, .doc = "All accounts, in one currency.");

static const char *const line_kinds[] = { "usage",   "fee",    "quantity", "minimum",
                                          "trueUp", "overage", NULL };

static const Field charge_fields[] = {
    MEMBER("charge", TEXT, .required = true, .nullable = true,
           .doc = "Its id, on either side; null: of the plan itself."),
    MEMBER("kind", ENUM, .required = true, .choices = line_kinds, .doc = "What kind of line."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    AMOUNTS,
};
static const Shape charge_shape =
    SHAPE("SimulationCharge", charge_fields, .doc = "All lines of one charge.");

static const Field warning_fields[] = {
    MEMBER("code", TEXT, .required = true,
           .doc = "no_subscription, usage_counted_twice, not_priced, period_runs, periods_differ "
                  "or currencies_differ."),
    MEMBER("detail", TEXT, .required = true, .doc = "What it means."),
    MEMBER("accounts", WHOLE, .required = true, .doc = "How many it concerns."),
    MEMBER("examples", ARRAY, .required = true, .of = KIND_TEXT, .doc = "Ids, up to 5."),
};
static const Shape warning_shape =
    SHAPE("SimulationWarning", warning_fields, .doc = "What to know before trusting a sum.");

static const Field result_fields[] = {
    MEMBER("accounts", WHOLE, .required = true, .doc = "Looked at."),
    MEMBER("priced", WHOLE, .required = true, .doc = "All but those that could not be priced."),
    MEMBER("totals", ARRAY, .required = true, .shape = &total_shape, .doc = "By currency."),
    MEMBER("charges", ARRAY, .required = true, .shape = &charge_shape, .doc = "By charge."),
    MEMBER("warnings", ARRAY, .required = true, .shape = &warning_shape, .doc = "By code."),
};
static const Shape result_shape =
    SHAPE("SimulationResult", result_fields, .doc = "The sums of a simulation.");

static const char *const statuses[] = { "queued", "running", "succeeded", "failed", "canceled",
                                        NULL };

static const Field simulation_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "sim_ and 26 characters, ordered by time."),
    MEMBER("operation", TEXT, .required = true, .doc = "Its operation's id."),
    MEMBER("status", ENUM, .required = true, .choices = statuses, .doc = "Of the operation."),
    MEMBER("request", OBJECT, .required = true, .shape = &request_shape, .doc = "As asked for."),
    MEMBER("sequence", TEXT, .required = true,
           .doc = "Later events do not count: as in asOf of a bill."),
    MEMBER("ratedAt", INSTANT, .required = true,
           .doc = "What was known then, and what counts as now: as in ratedAt of a bill."),
    MEMBER("result", OBJECT, .required = true, .nullable = true, .shape = &result_shape,
           .doc = "null until it has succeeded."),
};
static const Shape simulation_shape =
    SHAPE("Simulation", simulation_fields, .doc = "What one price would cost against another.");

static const Field span_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "First instant."),
    MEMBER("end", INSTANT, .required = true, .doc = "End, which is not part of it."),
};
static const Shape span_shape = SHAPE("SimulationPeriod", span_fields, .doc = "[start, end).");

static const Field line_fields[] = {
    MEMBER("subscription", TEXT, .required = true, .nullable = true,
           .doc = "null: the account has none."),
    MEMBER("period", OBJECT, .required = true, .shape = &span_shape, .doc = "Of the bill."),
    MEMBER("charge", TEXT, .required = true, .nullable = true,
           .doc = "Its id; null: of the plan itself."),
    MEMBER("kind", ENUM, .required = true, .choices = line_kinds, .doc = "What kind of line."),
    MEMBER("group", MAP, .required = true, .nullable = true, .of = KIND_JSON,
           .doc = "Property values of a grouped charge."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    AMOUNTS,
};
static const Shape line_shape =
    SHAPE("SimulationLine", line_fields, .doc = "A line of one period, on both sides.");

static const Field sum_fields[] = {
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    AMOUNTS,
};
static const Shape sum_shape = SHAPE("SimulationSum", sum_fields, .doc = "An account's sum.");

static const Field problem_fields[] = {
    MEMBER("code", TEXT, .required = true, .doc = "As in problem documents."),
    MEMBER("detail", TEXT, .required = true, .doc = "One sentence."),
};
static const Shape account_problem_shape =
    SHAPE("SimulationProblem", problem_fields, .doc = "Why the account could not be priced.");

static const Field account_fields[] = {
    MEMBER("account", TEXT, .required = true, .doc = "Its id."),
    MEMBER("totals", ARRAY, .required = true, .shape = &sum_shape, .doc = "By currency."),
    MEMBER("lines", ARRAY, .required = true, .shape = &line_shape,
           .doc = "By subscription, period and charge; none that is 0 on both sides."),
    MEMBER("warnings", ARRAY, .required = true, .of = KIND_TEXT, .doc = "Their codes."),
    MEMBER("problem", OBJECT, .required = true, .nullable = true,
           .shape = &account_problem_shape, .doc = "Of one that could not be priced."),
};
static const Shape account_shape =
    SHAPE("SimulationAccount", account_fields, .doc = "One account's result.");

static const Field list_fields[] = { LIST_SHAPE("Accounts, in an order that stays the same.",
                                                &account_shape) };
static const Shape list_shape =
    SHAPE("SimulationAccountList", list_fields, .doc = "A page of accounts.");

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "format", .kind = PARAMETER_ENUM, .choices = formats,
      .doc = "csv: all lines at once, as a table; the same with Accept: text/csv." },
};

const Route api_simulations_routes[] = {
    { .name = "startSimulation",
      .method = METHOD_POST,
      .path = "/v1/simulations",
      .at = AT_OWNER,
      .scope = "simulations:write",
      .takes = &request_shape,
      .gives = &operation_shape,
      .status = 202,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_PLAN_INVALID,
              ERR_PLAN_NOT_FOUND, ERR_PLAN_VERSION_NOT_FOUND, ERR_ACCOUNT_NOT_FOUND,
              ERR_METER_NOT_FOUND),
      .handler = simulation_post,
      .doc = "Price past usage by another plan; what is billed does not change." },
    { .name = "getSimulation",
      .method = METHOD_GET,
      .path = "/v1/simulations/{id}",
      .scope = "simulations:read",
      .gives = &simulation_shape,
      REFUSES(ERR_SIMULATION_NOT_FOUND),
      .handler = simulation_one,
      .doc = "A simulation and, when it has succeeded, its sums." },
    { .name = "listSimulationAccounts",
      .method = METHOD_GET,
      .path = "/v1/simulations/{id}/accounts",
      .scope = "simulations:read",
      QUERY(list_query),
      .gives = &list_shape,
      .gives_also = "text/csv",
      REFUSES(ERR_CURSOR_INVALID, ERR_SIMULATION_NOT_FOUND, ERR_SIMULATION_NOT_FINISHED),
      .handler = simulation_accounts,
      .doc = "Each account's lines before and after, as JSON or CSV." },
};
const size_t api_simulations_route_count =
    sizeof api_simulations_routes / sizeof *api_simulations_routes;
