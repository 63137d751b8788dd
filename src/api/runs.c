// SPDX-License-Identifier: Apache-2.0
// Runs: what is due, for all accounts. Asked for here, done by the worker.
#include "flow/run/run.h"

#include "api/cursor.h"
#include "api/idempotency.h"
#include "api/money_body.h"
#include "api/page.h"
#include "api/routes.h"
#include "catalog/body.h"

// ---- asking

static void kind_read(const Json *body, RunKind *kind, Faults *faults)
{
    Str    name = body_text(body, "kind", 64, faults);
    size_t at = 0;
    if (name.at == NULL && body_find(body, "kind") == NULL)
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/kind"), "kind is missing");
    if (name.at == NULL)
        return;
    while (run_kind_names[at] != NULL && !str_equal(str_of(run_kind_names[at]), name))
        at++;
    if (run_kind_names[at] == NULL)
        faults_add(faults, ERR_FIELD_INVALID, STR("/kind"),
                   "kind must be billing, accrual, expiry, reconcile or sweep");
    else
        *kind = (RunKind)at;
}

static Err *start_prepare(Request *request, void *context)
{
    static const char *const members[] = { "kind", "at", NULL };
    RunStart *start = context;
    Faults    faults = { .arena = request->arena };
    Json     *body;
    TRY(request_json(request, &body));
    *start = (RunStart){ .project = project_of(request),
                         .who = money_who(request),
                         .at = now_of(request),
                         .now = request->received };
    if (!body_members(body, members, &faults))
        return faults.first;
    kind_read(body, &start->kind, &faults);
    body_instant(body, "at", &start->at, &faults);
    if (start->at.us > now_of(request).us)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/at"), "at must not be in the future");
    return faults.first;
}

static Err *start_work(DbTx *tx, void *context, Text *body)
{
    const RunStart *start = context;
    BillingRun      run;
    JsonOut         out = json_out(body);
    TRY(run_start(tx, start, &run));
    run_to_json(&run, db_arena(tx), &out);
    return NULL;
}

static Err *run_post(Request *request, Response *response)
{
    RunStart start = { 0 };
    TRY(idempotent_write(request, response,
                         &(Idempotent){ .need = KEY_REQUIRED,
                                        .prepare = start_prepare,
                                        .work = start_work,
                                        .context = &start }));
    worker_wake(server_of(request)->worker);
    return NULL;
}

static Err *retry_work(DbTx *tx, void *context, Text *body)
{
    const RunRetry *retry = context;
    BillingRun      run;
    JsonOut         out = json_out(body);
    TRY(run_retry(tx, retry, &run));
    run_to_json(&run, db_arena(tx), &out);
    return NULL;
}

static Err *run_again(Request *request, Response *response)
{
    RunRetry retry = { project_of(request), money_who(request), request_path(request, "id"),
                       request->received };
    TRY(idempotent_write(request, response,
                         &(Idempotent){ .need = KEY_OPTIONAL,
                                        .work = retry_work,
                                        .context = &retry }));
    worker_wake(server_of(request)->worker);
    return NULL;
}

// ---- reading

typedef struct Found {
    ProjectId  project;
    Str        id;
    BillingRun run;
} Found;

static Err *find_work(DbTx *tx, void *context)
{
    Found *found = context;
    return run_get(tx, found->project, found->id, &found->run);
}

static Err *run_one(Request *request, Response *response)
{
    Found found = { .project = project_of(request), .id = request_path(request, "id") };
    TRY(db_read(server_of(request)->books, request->arena, find_work, &found));
    JsonOut out = response_json(response);
    run_to_json(&found.run, request->arena, &out);
    return NULL;
}

typedef struct Listed {
    RunPage     page;
    BillingRun *runs;
    size_t      count;
} Listed;

static Err *list_work(DbTx *tx, void *context)
{
    Listed *listed = context;
    return run_list(tx, &listed->page, &listed->runs, &listed->count);
}

static Err *run_page(Request *request, Response *response)
{
    Listed listed = { .page = { .project = project_of(request) } };
    Str    cursor, list = STR("runs");
    size_t limit;
    TRY(request_limit(request, &limit));
    listed.page.limit = limit + 1;
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &listed.page.before));
    TRY(db_read(server_of(request)->books, request->arena, list_work, &listed));
    size_t  count = listed.count > limit ? limit : listed.count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        run_to_json(&listed.runs[i], request->arena, &out);
    response_list_end(&out, listed.count > limit
                                ? cursor_print(request->arena, list, listed.runs[count - 1].id)
                                : STR_NONE);
    return NULL;
}

typedef struct ItemsListed {
    RunItemPage page;
    RunItem    *items;
    size_t      count;
} ItemsListed;

static Err *items_work(DbTx *tx, void *context)
{
    ItemsListed *listed = context;
    return run_items(tx, &listed->page, &listed->items, &listed->count);
}

static Err *items_place(Request *request, Str list, int64_t *after)
{
    Str      cursor, place;
    uint64_t number;
    if (!request_query(request, "cursor", &cursor))
        return NULL;
    TRY(cursor_parse(request->arena, cursor, list, &place));
    if (!str_whole(place, INT64_MAX, &number))
        return refuse(request->arena, ERR_CURSOR_INVALID, STR_NONE,
                      "cursor must be the nextCursor of a page of this very list");
    *after = (int64_t)number;
    return NULL;
}

static Err *item_page(Request *request, Response *response)
{
    ItemsListed listed = { .page = { .project = project_of(request),
                                     .run = request_path(request, "id") } };
    RunItemPage *page = &listed.page;
    size_t       limit;
    TRY(request_limit(request, &limit));
    page->limit = limit + 1;
    page->state = STR_NONE;
    request_query(request, "status", &page->state);
    Str list = str_print(request->arena, "items %.*s %.*s", STR_ARG(page->run),
                         STR_ARG(page->state));
    TRY(items_place(request, list, &page->after));
    TRY(db_read(server_of(request)->books, request->arena, items_work, &listed));
    size_t  count = listed.count > limit ? limit : listed.count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        run_item_to_json(&listed.items[i], request->arena, &out);
    Str next = STR_NONE;
    if (listed.count > limit)
        next = cursor_print(request->arena, list,
                            str_print(request->arena, "%lld",
                                      (long long)listed.items[count - 1].number));
    response_list_end(&out, next);
    return NULL;
}

// ---- shapes and routes

static const char *const statuses[] = { "queued", "running", "succeeded", "failed", "canceled",
                                        NULL };

static const Field start_fields[] = {
    MEMBER("kind", ENUM, .required = true, .choices = run_kind_names,
           .doc = "billing: an invoice for each boundary that was not billed. accrual: usage and "
                  "fees become revenue by the day. expiry: takes credit whose time is over. "
                  "reconcile: the ledger against invoices, payments and credit. sweep: what is "
                  "derived against what it is derived from."),
    MEMBER("at", INSTANT, .nullable = true,
           .doc = "Boundaries up to here; now when absent, never later than that."),
};
static const Shape start_shape = SHAPE("RunStart", start_fields, .doc = "Which run is wanted.");

static const Field error_fields[] = {
    MEMBER("code", TEXT, .required = true, .doc = "As in problem documents."),
    MEMBER("detail", TEXT, .required = true, .doc = "One sentence."),
};
static const Shape error_shape = SHAPE("RunError", error_fields, .doc = "Why it failed.");

static const Field run_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "run_ and 26 characters, ordered by time."),
    MEMBER("kind", ENUM, .required = true, .choices = run_kind_names, .doc = "What it does."),
    MEMBER("at", INSTANT, .required = true, .doc = "Boundaries up to here."),
    MEMBER("status", ENUM, .required = true, .choices = statuses,
           .doc = "Of its operation. succeeded: all accounts were looked at, whether or not some "
                  "failed."),
    MEMBER("operation", TEXT, .required = true,
           .doc = "The operation that does it, or did it last."),
    MEMBER("attempt", WHOLE, .required = true, .doc = "1, and one more with each retry."),
    MEMBER("accounts", WHOLE, .required = true, .doc = "Looked at so far, by pages."),
    MEMBER("isWalked", BOOL, .required = true, .doc = "All accounts were looked at."),
    MEMBER("invoices", WHOLE, .required = true, .doc = "Finalized so far."),
    MEMBER("failed", WHOLE, .required = true, .doc = "Accounts that failed, as of now."),
    MEMBER("error", OBJECT, .required = true, .nullable = true, .shape = &error_shape,
           .doc = "Why the run itself failed."),
    MEMBER("createdAt", INSTANT, .required = true, .doc = "When it was asked for."),
    MEMBER("startedAt", INSTANT, .required = true, .nullable = true,
           .doc = "When its operation began."),
    MEMBER("endedAt", INSTANT, .required = true, .nullable = true,
           .doc = "When its operation ended."),
};
static const Shape run_shape =
    SHAPE("Run", run_fields, .doc = "What is due up to an instant, for all accounts.");

static const Field list_fields[] = { LIST_SHAPE("Runs, newest first.", &run_shape) };
static const Shape list_shape = SHAPE("RunList", list_fields, .doc = "A page of runs.");

static const Field item_fields[] = {
    MEMBER("number", WHOLE, .required = true, .doc = "From 1, in the order they were written."),
    MEMBER("status", ENUM, .required = true, .choices = run_item_state_names,
           .doc = "done: something else than an invoice was made: credit expired. nothingDue: it "
                  "had failed, and a retry found nothing left to do."),
    MEMBER("account", TEXT, .required = true, .nullable = true,
           .doc = "Its id; null where it is the whole project."),
    MEMBER("currency", TEXT, .required = true, .nullable = true,
           .doc = "ISO 4217; null where there is no invoice."),
    MEMBER("at", INSTANT, .required = true, .nullable = true,
           .doc = "The boundary; null where there is no invoice."),
    MEMBER("invoice", TEXT, .required = true, .nullable = true, .doc = "Its id."),
    MEMBER("attempt", WHOLE, .required = true, .doc = "The run's attempt it comes from."),
    MEMBER("error", OBJECT, .required = true, .nullable = true, .shape = &error_shape,
           .doc = "Why the account failed: its later boundaries wait for that."),
};
static const Shape item_shape = SHAPE("RunItem", item_fields, .doc = "What came of an account.");

static const Field items_fields[] = { LIST_SHAPE("Items, by number.", &item_shape) };
static const Shape items_shape = SHAPE("RunItemList", items_fields, .doc = "A page of items.");

static const Parameter list_query[] = { PAGE_PARAMETERS };
static const Parameter items_query[] = {
    PAGE_PARAMETERS,
    { .name = "status", .kind = PARAMETER_ENUM, .choices = run_item_state_names,
      .doc = "Only items in this state." },
};

const Route api_runs_routes[] = {
    { .name = "startRun",
      .method = METHOD_POST,
      .path = "/v1/runs",
      .scope = "invoices:write",
      .takes = &start_shape,
      .gives = &run_shape,
      .status = 202,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP,
              IDEMPOTENCY_REFUSES),
      .handler = run_post,
      .doc = "Do something for all accounts: most of all, make the invoices that are due." },
    { .name = "listRuns",
      .method = METHOD_GET,
      .path = "/v1/runs",
      .scope = "invoices:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = run_page,
      .doc = "The project's runs, newest first." },
    { .name = "getRun",
      .method = METHOD_GET,
      .path = "/v1/runs/{id}",
      .scope = "invoices:read",
      .gives = &run_shape,
      REFUSES(ERR_RUN_NOT_FOUND),
      .handler = run_one,
      .doc = "How far a run has come." },
    { .name = "listRunItems",
      .method = METHOD_GET,
      .path = "/v1/runs/{id}/items",
      .scope = "invoices:read",
      QUERY(items_query),
      .gives = &items_shape,
      REFUSES(ERR_CURSOR_INVALID, ERR_RUN_NOT_FOUND),
      .handler = item_page,
      .doc = "The invoices that a run made, and the accounts at which it failed." },
    { .name = "retryRun",
      .method = METHOD_POST,
      .path = "/v1/runs/{id}/retry",
      .scope = "invoices:write",
      .gives = &run_shape,
      .status = 202,
      REFUSES(ERR_RUN_NOT_FOUND, ERR_RUN_RUNNING, ERR_IDEMPOTENCY_KEY_INVALID,
              ERR_IDEMPOTENCY_KEY_RUNNING, ERR_IDEMPOTENCY_KEY_REUSED),
      .handler = run_again,
      .doc = "Try the accounts that failed once more, and those that were not reached." },
};
const size_t api_runs_route_count = sizeof api_runs_routes / sizeof *api_runs_routes;
