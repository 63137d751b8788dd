// A whole request body to events. The body is parsed to its end before anything is answered, so
// that nothing of a body that breaks off is ever queued.
#pragma once

#include "flow/ingest/measurement.h"

typedef enum BatchForm {
    BATCH_JSON,          // application/json: one object or an array of them
    BATCH_LINES,         // application/x-ndjson: one object a line; empty lines do not count
    BATCH_CLOUDEVENT,    // application/cloudevents+json
    BATCH_CLOUDEVENTS,   // application/cloudevents-batch+json
    BATCH_ALIAS,         // POST /ingest/usage: one object
    BATCH_ALIASES        // POST /ingest/usage/batch: an array of objects
} BatchForm;

// The form of a measurement body by its media type (parameters and case do not matter; no type at
// all is application/json). False: not one of ours. Never answers BATCH_ALIAS or BATCH_ALIASES.
bool batch_form_find(Str media_type, BatchForm *form);

typedef struct Batch {
    Event *events;   // in document order, index = place; refusal set on those that are rejected
    size_t count;
    size_t refused;  // how many have a refusal
    bool   single;   // the body was one object: the answer is about one event
} Batch;

typedef struct BatchSource {
    JsonParser *parser;
    Arena      *arena;
    BatchForm   form;
    Str         body;    // followed by JSON_PADDING readable bytes
} BatchSource;

// Parser, arena and body live as long as the events. Refuses the whole: JSON_INVALID,
// JSON_TOO_DEEP, JSON_DUPLICATE_MEMBER (a body that is one JSON text), FIELD_INVALID (a form that
// needs an array or an object and got another), TOO_MANY_EVENTS.
Err *batch_read(const BatchSource *source, const IngestRules *rules, Batch *batch) MUST_CHECK;
