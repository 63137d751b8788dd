// SPDX-License-Identifier: Apache-2.0
// Taking usage: parse and check on the HTTP thread, hand the events to the partition, suspend, and
// answer once the commit that decided them is durable. What is refused as a whole stores nothing.
#include "api/measurements.h"

// A request between its submission and its answer.
typedef struct Intake {
    Submission submission;
    Batch      batch;
    bool       is_verbose;
} Intake;

// ---- the answer

static Str refusal_detail(const Event *event, Verdict verdict)
{
    return event->refusal != NULL ? event->refusal->detail : str_of(err_title(verdict.code));
}

static void result_print(JsonOut *out, const Event *event, Verdict verdict)
{
    json_object(out);
    json_whole_member(out, "index", event->index);
    if (event->unique_id.at == NULL)
        json_null_member(out, "uniqueId");
    else
        json_string_member(out, "uniqueId", event->unique_id);
    json_string_member(out, "outcome", str_of(outcome_name(verdict.outcome)));
    if (verdict.outcome == OUTCOME_CONFLICT || verdict.outcome == OUTCOME_REJECTED) {
        json_string_member(out, "code", str_of(err_name(verdict.code)));
        json_string_member(out, "detail", refusal_detail(event, verdict));
        if (event->refusal != NULL && event->refusal->pointer.length > 0)
            json_string_member(out, "pointer", event->refusal->pointer);
    }
    if (verdict.voided)
        json_bool_member(out, "voided", true);
    json_object_end(out);
}

// The members of the answer to a batch, into an object that is open.
static void batch_print(JsonOut *out, const Intake *intake)
{
    const Submission *submission = &intake->submission;
    json_whole_member(out, "accepted", (int64_t)submission->counts[OUTCOME_ACCEPTED]);
    json_whole_member(out, "duplicates", (int64_t)submission->counts[OUTCOME_DUPLICATE]);
    json_whole_member(out, "conflicts", (int64_t)submission->counts[OUTCOME_CONFLICT]);
    json_whole_member(out, "rejected", (int64_t)submission->counts[OUTCOME_REJECTED]);
    json_name(out, STR("results"));
    json_array(out);
    for (size_t i = 0; i < submission->count; i++)
        if (intake->is_verbose || submission->verdicts[i].outcome != OUTCOME_ACCEPTED)
            result_print(out, &submission->events[i], submission->verdicts[i]);
    json_array_end(out);
}

static void single_print(JsonOut *out, const Event *event, Verdict verdict)
{
    json_string_member(out, "outcome", str_of(outcome_name(verdict.outcome)));
    if (event->unique_id.at == NULL)
        json_null_member(out, "uniqueId");
    else
        json_string_member(out, "uniqueId", event->unique_id);
    if (verdict.voided)
        json_bool_member(out, "voided", true);
}

static Err *single_answer(Request *request, Response *response, const Intake *intake)
{
    const Event *event = &intake->submission.events[0];
    Verdict      verdict = intake->submission.verdicts[0];
    if (verdict.outcome == OUTCOME_ACCEPTED || verdict.outcome == OUTCOME_DUPLICATE) {
        JsonOut out = response_json(response);
        json_object(&out);
        single_print(&out, event, verdict);
        json_object_end(&out);
        return NULL;
    }
    JsonOut members = response_problem_members(response);
    single_print(&members, event, verdict);
    if (event->refusal != NULL)
        return event->refusal;
    return refuse(request->arena, verdict.code, STR_NONE, "%s", err_title(verdict.code));
}

static bool is_refused_whole(const Submission *submission)
{
    return submission->atomic && submission->counts[OUTCOME_CONFLICT] +
                                 submission->counts[OUTCOME_REJECTED] > 0;
}

// Runs on the HTTP thread again, once the verdicts are durable.
static Err *intake_answer(Request *request, Response *response)
{
    Intake *intake = request->state;
    if (intake->submission.failure != NULL)
        return intake->submission.failure;
    if (intake->batch.single)
        return single_answer(request, response, intake);
    if (is_refused_whole(&intake->submission)) {
        JsonOut members = response_problem_members(response);
        batch_print(&members, intake);
        return refuse(request->arena, ERR_ATOMIC_REFUSED, STR_NONE,
                      "nothing is stored: of %zu events some conflict or are rejected, and results "
                      "says which",
                      intake->submission.count);
    }
    JsonOut out = response_json(response);
    json_object(&out);
    batch_print(&out, intake);
    json_object_end(&out);
    return NULL;
}

// ---- taking

// On a thread of the partition.
static void intake_done(Submission *submission)
{
    request_finish(submission->context);
}

static bool event_known(void *context, Str event)
{
    const Request *request = context;
    return catalog_event_known(server_of(request)->catalog, project_of(request).id, event);
}

static bool account_known(void *context, Str account)
{
    const Request *request = context;
    return catalog_account_known(server_of(request)->catalog, project_of(request).id, account);
}

static IngestRules rules_of(Request *request, BatchForm form)
{
    const Server  *server = server_of(request);
    const Project *project = &principal_of(request)->project;
    IngestRules    rules = {
        .project = project->id.id,
        .key = server->identity,
        .now = now_of(request),
        .future_us = server->limits.future_us,
        .horizon_us = project->horizon_us,
        .events_max = server->limits.events,
        .depth = server->limits.depth,
        .properties = server->limits.properties,
        .event_known = event_known,
        .account_known = project->unknown_accounts == ACCOUNTS_REJECT ? account_known : NULL,
        .context = request,
    };
    if (form == BATCH_ALIAS)
        rules.header_key = request_header(request, "Idempotency-Key");
    return rules;
}

static Err *take(Request *request, Response *response, BatchForm form)
{
    Intake     *intake = arena_new(request->arena, Intake);
    Submission *submission = &intake->submission;
    IngestRules rules = rules_of(request, form);
    BatchSource source = { request->parser, request->arena, form, request->body };
    request->state = intake;
    TRY(request_query_bool(request, "atomic", &submission->atomic));
    TRY(request_query_bool(request, "verbose", &intake->is_verbose));
    TRY(batch_read(&source, &rules, &intake->batch));
    if (intake->batch.count == 0)
        return intake_answer(request, response);

    submission->project = rules.project;
    submission->events = intake->batch.events;
    submission->count = intake->batch.count;
    submission->received = now_of(request);
    submission->bytes = request->body.length + submission->count * sizeof(Event);
    submission->verdicts = arena_array(request->arena, Verdict, submission->count);
    submission->done = intake_done;
    submission->context = request;
    request_suspend(request, intake_answer);
    return partition_submit(server_of(request)->partition, request->arena, submission);
}

Err *measurements_post(Request *request, Response *response)
{
    BatchForm form = BATCH_JSON;
    if (!batch_form_find(request->media, &form))
        return refuse(request->arena, ERR_UNSUPPORTED_MEDIA_TYPE, STR_NONE,
                      "measurements come as JSON, NDJSON or CloudEvents");
    return take(request, response, form);
}

Err *ingest_usage(Request *request, Response *response)
{
    return take(request, response, BATCH_ALIAS);
}

Err *ingest_usage_batch(Request *request, Response *response)
{
    return take(request, response, BATCH_ALIASES);
}
