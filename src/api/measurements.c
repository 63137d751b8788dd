// SPDX-License-Identifier: Apache-2.0
// Measurements: what is sent, what the answer says, what can be read back.
#include "api/measurements.h"
#include "api/routes.h"

// ---- what is sent

static const Field measurement_fields[] = {
    MEMBER("meter", TEXT, .required = true, .least = 1, .most = 128,
           .pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$",
           .doc = "The event stream. Every meter whose `event` is this name counts it."),
    MEMBER("account", TEXT, .required = true, .least = 1, .most = 255, .doc = "Who used it."),
    MEMBER("uniqueId", TEXT, .required = true, .least = 1, .most = 255,
           .doc = "Repeats with this id are counted once, for ever."),
    MEMBER("value", JSON,
           .doc = "A decimal as number or text, at most 15 digits before the point and "
                  "12 after it; 1 when absent."),
    MEMBER("ts", INSTANT,
           .doc = "When it was used, with any offset; the moment of arrival when absent."),
    MEMBER("properties", MAP, .of = KIND_JSON,
           .doc = "At most 64, keys up to 128 bytes, values up to 1 KiB."),
};
static const Shape measurement_shape = SHAPE("Measurement", measurement_fields,
                                             .doc = "One measurement of usage.");
static const Shape measurements_shape = { .name = "Measurements", .elements = &measurement_shape,
                                          .doc = "Several measurements: at most 10,000." };
static const Shape *const measurement_bodies[] = { &measurement_shape, &measurements_shape, NULL };
static const Shape measurement_body_shape = { .name = "MeasurementBody",
                                              .one_of = measurement_bodies,
                                              .doc = "One measurement or several." };

static const Field cloudevent_fields[] = {
    MEMBER("specversion", TEXT, .required = true, .doc = "1.0"),
    MEMBER("id", TEXT, .required = true, .doc = "With `source`, the uniqueId."),
    MEMBER("source", TEXT, .required = true,
           .doc = "Percent-encoded, a bar, then `id`: the uniqueId."),
    MEMBER("type", TEXT, .required = true, .doc = "The event stream."),
    MEMBER("subject", TEXT, .required = true, .doc = "The account."),
    MEMBER("time", INSTANT, .doc = "When it was used."),
    MEMBER("data", OBJECT, .doc = "`value` is the value; the rest are the properties."),
};
static const Shape cloudevent_shape = SHAPE("CloudEvent", cloudevent_fields, .open = true,
                                            .doc = "A CloudEvents 1.0 event in its JSON form.");
static const Shape cloudevents_shape = { .name = "CloudEvents", .elements = &cloudevent_shape,
                                         .doc = "A batch of CloudEvents." };

static const Body measurement_others[] = {
    { "application/x-ndjson", NULL },
    { "application/cloudevents+json", &cloudevent_shape },
    { "application/cloudevents-batch+json", &cloudevents_shape },
};

static const Field usage_event_fields[] = {
    MEMBER("meter", TEXT, .required = true, .least = 1, .most = 128, .doc = "The event stream."),
    MEMBER("tenantId", TEXT, .least = 1, .most = 255, .doc = "The account, by its older name."),
    MEMBER("account", TEXT, .least = 1, .most = 255, .doc = "The account."),
    MEMBER("idempotency_key", TEXT, .least = 1, .most = 255,
           .doc = "The uniqueId; the Idempotency-Key header serves as well for a single event."),
    MEMBER("uniqueId", TEXT, .least = 1, .most = 255, .doc = "The same as idempotency_key."),
    MEMBER("quantity", JSON, .doc = "The value, by its older name."),
    MEMBER("value", JSON, .doc = "The value; 1 when absent."),
    MEMBER("ts", INSTANT, .doc = "When it was used; the moment of arrival when absent."),
    MEMBER("properties", MAP, .of = KIND_JSON, .doc = "As in a measurement."),
};
static const Shape usage_event_shape = SHAPE("UsageEvent", usage_event_fields,
                                             .doc = "A measurement in the words of /ingest/usage.");
static const Shape usage_events_shape = { .name = "UsageEvents", .elements = &usage_event_shape,
                                          .doc = "Several of them: at most 10,000." };

// ---- what is answered

static const char *const outcomes[] = { "accepted", "duplicate", "conflict", "rejected", NULL };

static const Field receipt_fields[] = {
    MEMBER("outcome", ENUM, .required = true, .choices = outcomes,
           .doc = "What became of the event."),
    MEMBER("uniqueId", TEXT, .required = true, .nullable = true, .doc = "Its id."),
    MEMBER("voided", BOOL, .doc = "True when the stored event was taken away: it stays so."),
};
static const Shape receipt_shape = SHAPE("Receipt", receipt_fields,
                                         .doc = "The answer to one event: accepted or duplicate.");

static const Field result_fields[] = {
    MEMBER("index", WHOLE, .required = true, .doc = "Place in the request, from 0."),
    MEMBER("uniqueId", TEXT, .required = true, .nullable = true,
           .doc = "Null when it had no valid one."),
    MEMBER("outcome", ENUM, .required = true, .choices = outcomes,
           .doc = "What became of the event."),
    MEMBER("code", TEXT, .doc = "Why, when it conflicts or is rejected."),
    MEMBER("detail", TEXT, .doc = "The reason in a sentence."),
    MEMBER("pointer", TEXT, .doc = "JSON pointer, within the event, of the member at fault."),
    MEMBER("voided", BOOL, .doc = "True when the stored event was taken away: it stays so."),
};
static const Shape result_shape = SHAPE("Result", result_fields,
                                        .doc = "The verdict on one event.");

static const Field batch_fields[] = {
    MEMBER("accepted", WHOLE, .required = true, .doc = "Events stored and durable."),
    MEMBER("duplicates", WHOLE, .required = true, .doc = "Stored before, with the same content."),
    MEMBER("conflicts", WHOLE, .required = true,
           .doc = "Their id was used before with other content."),
    MEMBER("rejected", WHOLE, .required = true, .doc = "Refused; their ids are not used up."),
    MEMBER("results", ARRAY, .required = true, .shape = &result_shape,
           .doc = "The events that were not accepted; all of them with verbose=true."),
};
static const Shape batch_shape = SHAPE("BatchReceipt", batch_fields,
                                       .doc = "The answer to several events.");
static const Shape *const answers[] = { &receipt_shape, &batch_shape, NULL };
static const Shape answer_shape = { .name = "MeasurementAnswer", .one_of = answers,
                                    .doc = "A receipt for one event, a batch receipt for "
                                           "several." };

// ---- what is read back

static const Field stored_fields[] = {
    MEMBER("uniqueId", TEXT, .required = true, .doc = "As sent."),
    MEMBER("meter", TEXT, .required = true, .doc = "The event stream."),
    MEMBER("account", TEXT, .required = true, .doc = "Who used it."),
    MEMBER("value", DECIMAL, .required = true, .doc = "How much."),
    MEMBER("ts", INSTANT, .required = true, .doc = "When it was used."),
    MEMBER("properties", MAP, .required = true, .of = KIND_JSON, .doc = "As sent."),
    MEMBER("receivedAt", INSTANT, .required = true, .doc = "When it arrived."),
    MEMBER("sequence", TEXT, .required = true, .doc = "Its place in the order of arrival; opaque."),
    MEMBER("outcome", ENUM, .required = true, .choices = outcomes, .doc = "Always accepted here."),
    MEMBER("voided", BOOL, .required = true, .doc = "Whether it was retracted."),
};
static const Shape stored_shape = SHAPE("StoredMeasurement", stored_fields,
                                        .doc = "A stored event.");

#define LIST_FIELDS(shape_of_elements)                                                             \
    MEMBER("object", TEXT, .required = true, .doc = "list"),                                       \
    MEMBER("data", ARRAY, .required = true, .shape = (shape_of_elements), .doc = "One page."),     \
    MEMBER("nextCursor", TEXT, .required = true, .nullable = true,                                 \
           .doc = "The cursor of the next page; null on the last one.")

static const Field stored_list_fields[] = { LIST_FIELDS(&stored_shape) };
static const Shape stored_list_shape = SHAPE("MeasurementList", stored_list_fields,
                                             .doc = "Stored events, newest first.");

static const Field outcome_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "Begin of the hour."),
    MEMBER("end", INSTANT, .required = true, .doc = "Its end."),
    MEMBER("accepted", WHOLE, .required = true, .doc = "Events accepted in it."),
    MEMBER("duplicates", WHOLE, .required = true, .doc = "Duplicates that arrived in it."),
    MEMBER("conflicts", WHOLE, .required = true, .doc = "Conflicts that arrived in it."),
    MEMBER("rejected", WHOLE, .required = true, .doc = "Events rejected in it."),
};
static const Shape outcome_shape = SHAPE("OutcomeHour", outcome_fields,
                                         .doc = "Verdicts of one hour.");
static const Field outcomes_fields[] = {
    MEMBER("data", ARRAY, .required = true, .shape = &outcome_shape,
           .doc = "Hours with verdicts, ascending."),
};
static const Shape outcomes_shape = SHAPE("Outcomes", outcomes_fields,
                                          .doc = "Verdicts by hour of arrival.");

static const Field rejection_fields[] = {
    MEMBER("at", INSTANT, .required = true, .doc = "When it arrived."),
    MEMBER("uniqueId", TEXT, .required = true, .nullable = true,
           .doc = "Null when it had no valid one."),
    MEMBER("outcome", ENUM, .required = true, .choices = outcomes, .doc = "conflict or rejected."),
    MEMBER("code", TEXT, .required = true, .doc = "Why."),
    MEMBER("detail", TEXT, .required = true, .doc = "The reason in a sentence."),
};
static const Shape rejection_shape = SHAPE("Rejection", rejection_fields,
                                           .doc = "An event that was not stored.");
static const Field rejection_list_fields[] = { LIST_FIELDS(&rejection_shape) };
static const Shape rejection_list_shape = SHAPE("RejectionList", rejection_list_fields,
                                                .doc = "A sample of what was not stored, newest "
                                                       "first.");

// ---- routes

static const Parameter take_query[] = {
    { .name = "atomic", .kind = PARAMETER_BOOL,
      .doc = "Any conflict or rejection: 422, and nothing is stored." },
    { .name = "verbose", .kind = PARAMETER_BOOL, .doc = "List the accepted events too." },
};

static const Parameter list_query[] = {
    { .name = "account", .kind = PARAMETER_TEXT,
      .doc = "Events of this account. It or `meter` is required." },
    { .name = "meter", .kind = PARAMETER_TEXT, .doc = "Events of this stream." },
    { .name = "from", .kind = PARAMETER_INSTANT, .doc = "ts at or after this." },
    { .name = "to", .kind = PARAMETER_INSTANT, .doc = "ts before this." },
    { .name = "limit", .kind = PARAMETER_WHOLE, .doc = "1 to 1000; 20 when absent." },
    { .name = "cursor", .kind = PARAMETER_TEXT, .doc = "nextCursor of the page before." },
};

static const char *const outcome_windows[] = { "hour", NULL };
static const Parameter outcomes_query[] = {
    { .name = "from", .kind = PARAMETER_INSTANT, .doc = "One day before `to` when absent." },
    { .name = "to", .kind = PARAMETER_INSTANT, .doc = "Now when absent." },
    { .name = "window", .kind = PARAMETER_ENUM, .choices = outcome_windows,
      .doc = "Hours of UTC." },
};

static const Parameter rejections_query[] = {
    { .name = "limit", .kind = PARAMETER_WHOLE, .doc = "1 to 1000; 20 when absent." },
};

#define ONE_REFUSES                                                                                \
    ERR_FIELD_INVALID, ERR_UNKNOWN_MEMBER,                                                         \
        ERR_FIELD_REQUIRED, ERR_INVALID_VALUE, ERR_INVALID_TIMESTAMP, ERR_TIMESTAMP_IN_FUTURE,     \
        ERR_TIMESTAMP_TOO_OLD, ERR_UNKNOWN_METER, ERR_UNKNOWN_ACCOUNT, ERR_TOO_MANY_PROPERTIES,    \
        ERR_EVENT_CONFLICT, ERR_SEALING_BEHIND, ERR_JOURNAL_FAILED, ERR_NOT_READY, ERR_STORE_FAILED
#define TAKE_REFUSES ERR_TOO_MANY_EVENTS, ERR_ATOMIC_REFUSED, ONE_REFUSES
#define BATCH_REFUSES                                                                              \
    ERR_TOO_MANY_EVENTS, ERR_FIELD_INVALID, ERR_ATOMIC_REFUSED, ERR_SEALING_BEHIND,                \
        ERR_JOURNAL_FAILED, ERR_NOT_READY, ERR_STORE_FAILED

const Route api_measurements_routes[] = {
    { .name = "createMeasurements", .method = METHOD_POST, .path = "/v1/measurements",
      .at = AT_OWNER,
      .scope = "usage:write", .runs = RUNS_ON_HTTP_THREAD, QUERY(take_query),
      .takes = &measurement_body_shape, OTHER(measurement_others), .gives = &answer_shape,
      .status = 202, REFUSES(TAKE_REFUSES), .handler = measurements_post,
      .doc = "Record usage: one measurement or many, answered once they are durable." },
    { .name = "ingestUsage", .method = METHOD_POST, .path = "/ingest/usage",
      .at = AT_OWNER, .scope = "usage:write",
      .runs = RUNS_ON_HTTP_THREAD, .takes = &usage_event_shape, .gives = &receipt_shape,
      .status = 202, REFUSES(ONE_REFUSES), .handler = ingest_usage,
      .doc = "Record one measurement, in other words." },
    { .name = "ingestUsageBatch", .method = METHOD_POST, .path = "/ingest/usage/batch",
      .at = AT_OWNER,
      .scope = "usage:write", .runs = RUNS_ON_HTTP_THREAD, QUERY(take_query),
      .takes = &usage_events_shape, .gives = &batch_shape, .status = 202, REFUSES(BATCH_REFUSES),
      .handler = ingest_usage_batch, .doc = "Record several measurements, in other words." },
    { .name = "listMeasurements", .method = METHOD_GET, .path = "/v1/measurements",
      .at = AT_OWNER,
      .scope = "usage:read", QUERY(list_query), .gives = &stored_list_shape,
      REFUSES(ERR_CURSOR_INVALID, ERR_STORE_FAILED), .handler = measurements_list,
      .doc = "Stored events, newest first." },
    { .name = "listOutcomes", .method = METHOD_GET, .path = "/v1/measurements/outcomes",
      .at = AT_OWNER,
      .scope = "usage:read", QUERY(outcomes_query), .gives = &outcomes_shape,
      REFUSES(ERR_STORE_FAILED), .handler = measurements_outcomes,
      .doc = "How many events were accepted, duplicate, in conflict, rejected, by hour of "
             "arrival." },
    { .name = "listRejections", .method = METHOD_GET, .path = "/v1/measurements/rejections",
      .at = AT_OWNER,
      .scope = "usage:read", QUERY(rejections_query), .gives = &rejection_list_shape,
      REFUSES(ERR_STORE_FAILED), .handler = measurements_rejections,
      .doc = "The last rejected and conflicting events with their reasons." },
    { .name = "getMeasurement", .method = METHOD_GET, .path = "/v1/measurements/{uniqueId}",
      .at = AT_OWNER,
      .scope = "usage:read", .gives = &stored_shape,
      REFUSES(ERR_EVENT_NOT_FOUND, ERR_STORE_FAILED), .handler = measurements_get,
      .doc = "One stored event." },
};
const size_t api_measurements_route_count =
    sizeof api_measurements_routes / sizeof *api_measurements_routes;
