// SPDX-License-Identifier: Apache-2.0
// Bodies to events. What is one JSON text is right or wrong as a whole; lines stand alone.
#include "flow/ingest/batch.h"

#include "base/assert.h"

static Str media_type_bare(Str media_type)
{
    Str bare = str_cut(&media_type, ';');
    while (bare.length > 0 && (bare.at[0] == ' ' || bare.at[0] == '\t'))
        bare = (Str){ bare.at + 1, bare.length - 1 };
    while (bare.length > 0 &&
           (bare.at[bare.length - 1] == ' ' || bare.at[bare.length - 1] == '\t'))
        bare.length--;
    return bare;
}

static bool equal_but_for_case(Str text, Str lower)
{
    if (text.length != lower.length)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte + 'a' - 'A');
        if (byte != lower.at[i])
            return false;
    }
    return true;
}

bool batch_form_find(Str media_type, BatchForm *form)
{
    static const struct {
        const char *name;
        BatchForm   form;
    } rows[] = {
        { "", BATCH_JSON },
        { "application/json", BATCH_JSON },
        { "application/x-ndjson", BATCH_LINES },
        { "application/cloudevents+json", BATCH_CLOUDEVENT },
        { "application/cloudevents-batch+json", BATCH_CLOUDEVENTS },
    };
    Str bare = media_type_bare(media_type);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (equal_but_for_case(bare, str_of(rows[i].name))) {
            *form = rows[i].form;
            return true;
        }
    return false;
}

static Dialect dialect_of(BatchForm form)
{
    switch (form) {
    case BATCH_JSON:
    case BATCH_LINES: return DIALECT_TOLL;
    case BATCH_CLOUDEVENT:
    case BATCH_CLOUDEVENTS: return DIALECT_CLOUDEVENT;
    case BATCH_ALIAS:
    case BATCH_ALIASES: return DIALECT_ALIAS;
    }
    assert_that(false);
    return DIALECT_TOLL;
}

static Err *shape_check(Arena *arena, BatchForm form, const Json *root)
{
    bool is_array = root->kind == JSON_ARRAY;
    if (!is_array && (form == BATCH_CLOUDEVENTS || form == BATCH_ALIASES))
        return refuse(arena, ERR_FIELD_INVALID, STR_NONE, "the body must be an array of events");
    if (is_array && (form == BATCH_CLOUDEVENT || form == BATCH_ALIAS))
        return refuse(arena, ERR_FIELD_INVALID, STR_NONE, "the body must be one event, an object");
    return NULL;
}

static Err *count_check(Arena *arena, const IngestRules *rules, size_t count)
{
    if (count <= rules->events_max)
        return NULL;
    return refuse(arena, ERR_TOO_MANY_EVENTS, STR_NONE, "a request must have at most %zu events",
                  rules->events_max);
}

static void batch_open(Arena *arena, Batch *batch, size_t count)
{
    *batch = (Batch){ .events = arena_array(arena, Event, count), .count = count };
    for (size_t i = 0; i < count; i++)
        batch->events[i].index = (uint32_t)i;
}

static void refusals_count(Batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        batch->refused += batch->events[i].refusal != NULL;
}

static JsonLimits limits_of(const IngestRules *rules)
{
    return (JsonLimits){ rules->depth == 0 ? INGEST_DEPTH : rules->depth };
}

static Err *document_read(const BatchSource *source, const MeasurementReader *reader, Batch *batch)
{
    Json *root;
    TRY(json_parse(source->parser, source->arena, source->body, limits_of(reader->rules), &root));
    TRY(shape_check(source->arena, source->form, root));
    bool is_array = root->kind == JSON_ARRAY;
    TRY(count_check(source->arena, reader->rules, is_array ? root->count : 1));

    batch_open(source->arena, batch, is_array ? root->count : 1);
    batch->single = !is_array;
    if (!is_array)
        measurement_read(reader, root, &batch->events[0]);
    size_t index = 0;
    if (is_array)
        for (const Json *element = root->first; element != NULL; element = element->next)
            measurement_read(reader, element, &batch->events[index++]);
    return NULL;
}

// The next line that holds something. False at the end.
static bool line_next(Str *rest, Str *line)
{
    while (rest->length > 0) {
        *line = str_cut(rest, '\n');
        for (size_t i = 0; i < line->length; i++)
            if (line->at[i] != ' ' && line->at[i] != '\t' && line->at[i] != '\r')
                return true;
    }
    return false;
}

static Err *lines_read(const BatchSource *source, const MeasurementReader *reader, Batch *batch)
{
    Str    line;
    size_t count = 0;
    for (Str rest = source->body; line_next(&rest, &line);)
        count++;
    TRY(count_check(source->arena, reader->rules, count));

    batch_open(source->arena, batch, count);
    size_t index = 0;
    for (Str rest = source->body; line_next(&rest, &line); index++) {
        Json *root;
        Err  *err = json_parse(source->parser, source->arena, line, limits_of(reader->rules),
            &root);
        if (err != NULL)
            batch->events[index].refusal = err;
        else
            measurement_read(reader, root, &batch->events[index]);
    }
    return NULL;
}

Err *batch_read(const BatchSource *source, const IngestRules *rules, Batch *batch)
{
    MeasurementNames  names = { 0 };
    IngestRules       own = *rules;
    MeasurementReader reader = { source->arena, &own, dialect_of(source->form), &names };
    Batch             read = { 0 };
    if (source->form != BATCH_ALIAS)
        own.header_key = STR_NONE;
    if (source->form == BATCH_LINES)
        TRY(lines_read(source, &reader, &read));
    else
        TRY(document_read(source, &reader, &read));

    refusals_count(&read);
    *batch = read;
    return NULL;
}
