// SPDX-License-Identifier: Apache-2.0
// How the project bills: one object, put as a whole.
#include "catalog/settings.h"

#include "api/money_body.h"
#include "api/routes.h"
#include "api/server.h"

// What a body says; what is absent is the default.
typedef struct SettingsBody {
    int64_t close_buffer_seconds;
    int     late_usage;
    int64_t recompute_horizon_days;
    int     billing;
} SettingsBody;

static const Field body_fields[] = {
    FIELD(SettingsBody, close_buffer_seconds, "closeBufferSeconds", WHOLE, .nullable = true,
          .most = CLOSE_BUFFER_SECONDS_MAX,
          .doc = "How long after a boundary a run that starts by itself waits for usage; 3600 when "
                 "absent. Asking for an invoice by hand does not wait."),
    FIELD(SettingsBody, late_usage, "lateUsage", ENUM, .nullable = true,
          .choices = late_usage_names,
          .doc = "What becomes of usage that changes when its period was billed. nextInvoice (when "
                 "absent): the difference stands on the next invoice. creditNote: what falls is "
                 "credited at once. reopen: the period is listed, and billed again by hand."),
    FIELD(SettingsBody, recompute_horizon_days, "recomputeHorizonDays", WHOLE, .nullable = true,
          .least = 1, .most = RECOMPUTE_HORIZON_DAYS_MAX,
          .doc = "A period is billed again for as long as it was itself after its end, and so many "
                 "days longer; later usage is listed under /v1/usage/unbilled. 90 when absent."),
    FIELD(SettingsBody, billing, "billing", ENUM, .nullable = true, .choices = billing_mode_names,
          .doc = "manual (when absent): a run is made when it is asked for. automatic: the server "
                 "makes and finalizes the invoices that are due, by itself."),
};
static const Shape body_shape =
    SHAPE("ProjectSettingsBody", body_fields, .doc = "What is absent is the default.");

typedef struct SettingsWork {
    const Request  *request;
    ProjectSettings settings;
} SettingsWork;

static void settings_answer(Response *response, const ProjectSettings *settings)
{
    JsonOut out = response_json(response);
    json_object(&out);
    json_whole_member(&out, "closeBufferSeconds", settings->close_buffer_us / INSTANT_SECOND_US);
    json_string_member(&out, "lateUsage", str_of(late_usage_names[settings->late_usage]));
    json_whole_member(&out, "recomputeHorizonDays",
                      settings->recompute_horizon_us / INSTANT_DAY_US);
    json_string_member(&out, "billing", str_of(billing_mode_names[settings->billing]));
    json_object_end(&out);
}

static Err *put_work(DbTx *tx, void *context)
{
    SettingsWork *work = context;
    TRY(project_settings_put(tx, project_of(work->request), &work->settings));
    return money_audit(tx, work->request, "settings.put", STR("settings"));
}

static Err *settings_put(Request *request, Response *response)
{
    SettingsBody body = { 3600, LATE_NEXT_INVOICE, 90, BILLING_MANUAL };
    SettingsWork work = { .request = request };
    TRY(money_body(request, &body_shape, &body));
    work.settings.late_usage = (LateUsage)body.late_usage;
    work.settings.billing = (BillingMode)body.billing;
    work.settings.close_buffer_us = body.close_buffer_seconds * INSTANT_SECOND_US;
    work.settings.recompute_horizon_us = body.recompute_horizon_days * INSTANT_DAY_US;
    TRY(db_write(server_of(request)->books, request->arena,
                 (DbWrite){ .work = put_work, .context = &work }));
    settings_answer(response, &work.settings);
    return NULL;
}

static Err *settings_get(Request *request, Response *response)
{
    ProjectSettings settings;
    TRY(project_settings_read(server_of(request)->books, request->arena, project_of(request),
                              &settings));
    settings_answer(response, &settings);
    return NULL;
}

static const Field settings_fields[] = {
    MEMBER("closeBufferSeconds", WHOLE, .required = true,
           .doc = "How long after a boundary a run waits before it bills."),
    MEMBER("lateUsage", ENUM, .required = true, .choices = late_usage_names,
           .doc = "What becomes of usage that changes when its period was billed."),
    MEMBER("recomputeHorizonDays", WHOLE, .required = true,
           .doc = "So long, and its own length, after its end a period is not billed again."),
    MEMBER("billing", ENUM, .required = true, .choices = billing_mode_names,
           .doc = "Who starts billing runs."),
};
static const Shape settings_shape =
    SHAPE("ProjectSettings", settings_fields, .doc = "How the project bills.");

const Route api_settings_routes[] = {
    { .name = "putSettings",
      .method = METHOD_PUT,
      .path = "/v1/settings",
      .scope = "invoices:write",
      .takes = &body_shape,
      .gives = &settings_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_INVALID),
      .handler = settings_put,
      .doc = "Say how the project bills; what is absent is the default again." },
    { .name = "getSettings",
      .method = METHOD_GET,
      .path = "/v1/settings",
      .scope = "invoices:read",
      .gives = &settings_shape,
      .handler = settings_get,
      .doc = "How the project bills." },
};
const size_t api_settings_route_count =
    sizeof api_settings_routes / sizeof *api_settings_routes;
