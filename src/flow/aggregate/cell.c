// SPDX-License-Identifier: Apache-2.0
// The fold itself: event -> measure -> cell -> cell. Nothing here knows where cells are kept.
#include "flow/aggregate/cell.h"

#include "base/assert.h"
#include "base/bytes.h"

static bool takes_latest(const Cell *cell, Instant ts, Str unique_id)
{
    if (ts.us != cell->latest_ts.us)
        return ts.us > cell->latest_ts.us;
    return str_compare(unique_id, cell->latest_id) > 0;
}

// `first`: the cell has counted nothing before.
static void value_add(Cell *cell, Aggregation aggregation, bool first, const Cell *more)
{
    switch (aggregation) {
    case AGGREGATE_SUM:
    case AGGREGATE_AVERAGE:
        if (!decimal_add(cell->value, more->value, &cell->value))
            cell->overflow = true;
        break;
    case AGGREGATE_MIN:
        if (first || decimal_compare(more->value, cell->value) < 0)
            cell->value = more->value;
        break;
    case AGGREGATE_MAX:
        if (first || decimal_compare(more->value, cell->value) > 0)
            cell->value = more->value;
        break;
    case AGGREGATE_LATEST:
        if (first || takes_latest(cell, more->latest_ts, more->latest_id)) {
            cell->value = more->value;
            cell->latest_ts = more->latest_ts;
            cell->latest_id = more->latest_id;
        }
        break;
    case AGGREGATE_COUNT:
    case AGGREGATE_UNIQUE_COUNT:
    case AGGREGATE_TIME_WEIGHTED:
    case AGGREGATE_PERCENTILE:
    case AGGREGATION_COUNT:
        break;
    }
}

void cell_merge(Cell *cell, Aggregation aggregation, const Cell *more)
{
    if (more->events > more->ignored)
        value_add(cell, aggregation, cell->events == cell->ignored, more);
    cell->events += more->events;
    cell->ignored += more->ignored;
    cell->overflow = cell->overflow || more->overflow;
    if (more->last_sequence > cell->last_sequence)
        cell->last_sequence = more->last_sequence;
    digest_add(&cell->digest, &more->digest);
}

void cell_add(Cell *cell, Aggregation aggregation, const Measure *measure)
{
    Cell one = {
        .events = 1,
        .ignored = measure->counts ? 0 : 1,
        .last_sequence = measure->sequence,
        .digest = measure->digest,
        .value = measure->value,
        .latest_ts = measure->ts,
        .latest_id = measure->unique_id,
    };
    cell_merge(cell, aggregation, &one);
}

static bool keeps_value(Aggregation aggregation)
{
    return aggregation != AGGREGATE_COUNT && aggregation != AGGREGATE_UNIQUE_COUNT;
}

enum { CELL_FORM = 1, CELL_OVERFLOW = 1 };

void cell_write(const Cell *cell, Aggregation aggregation, Text *value)
{
    unsigned char digest[32];
    text_add_char(value, CELL_FORM);
    text_add_char(value, (char)aggregation);
    text_add_char(value, cell->overflow ? CELL_OVERFLOW : 0);
    text_add_varint(value, cell->events);
    text_add_varint(value, cell->ignored);
    text_add_varint(value, cell->last_sequence);
    digest_write(&cell->digest, digest);
    text_add_bytes(value, digest, sizeof digest);
    if (keeps_value(aggregation))
        text_add_int128(value, cell->value.e12);
    if (aggregation == AGGREGATE_LATEST) {
        text_add_signed(value, cell->latest_ts.us);
        text_add_counted(value, cell->latest_id);
    }
}

bool cell_read(Str value, Cell *cell, Aggregation *aggregation)
{
    Reader reader = reader_of(value);
    *cell = (Cell){ 0 };
    if (reader_u8(&reader) != CELL_FORM)
        return false;
    uint8_t code = reader_u8(&reader);
    if (code >= AGGREGATION_COUNT)
        return false;
    *aggregation = (Aggregation)code;
    cell->overflow = reader_u8(&reader) == CELL_OVERFLOW;
    cell->events = reader_varint(&reader);
    cell->ignored = reader_varint(&reader);
    cell->last_sequence = reader_varint(&reader);
    Str digest = reader_bytes(&reader, 32);
    if (digest.at == NULL)
        return false;
    cell->digest = digest_read((const unsigned char *)digest.at);
    if (keeps_value(*aggregation))
        cell->value.e12 = reader_int128(&reader);
    if (*aggregation == AGGREGATE_LATEST) {
        cell->latest_ts.us = reader_signed(&reader);
        cell->latest_id = reader_counted(&reader);
    }
    return reader_done(&reader);
}

void cell_dimensions(const Meter *meter, Str properties, Text *dimensions)
{
    for (size_t i = 0; i < meter->dimension_count; i++) {
        Property property;
        bool     present = properties_find(properties, meter->dimensions[i], &property);
        text_add_char(dimensions, present ? 1 : 0);
        if (present)
            text_add_counted(dimensions, property.text);
    }
}

static bool term_holds(const FilterTerm *term, Str properties)
{
    Property property;
    if (!properties_find(properties, term->key, &property))
        return false;
    for (size_t i = 0; i < term->count; i++)
        if (str_equal(term->values[i], property.text))
            return true;
    return false;
}

bool cell_filter_holds(const Filter *filter, Str properties)
{
    for (size_t i = 0; i < filter->count; i++)
        if (!term_holds(&filter->terms[i], properties))
            return false;
    return true;
}

// Add unless it says remove; what it says otherwise makes the event count nothing.
static void measure_operation(const Meter *meter, const Event *event, Measure *measure)
{
    Property property;
    if (meter->operation_property.at == NULL ||
        !properties_find(event->properties, meter->operation_property, &property) ||
        property.kind == PROPERTY_NULL || property.text.length == 0)
        return;
    measure->removes = str_equal(property.text, STR("remove"));
    measure->counts = measure->counts && (measure->removes || str_equal(property.text, STR("add")));
}

// An absent, null or empty property counts nothing, and neither does text where a number is needed.
static void measure_property(const Meter *meter, const Event *event, Measure *measure)
{
    Property property;
    if (str_equal(meter->property, STR("value"))) {
        measure->value = event->value;
        measure->counts = true;
        return;
    }
    measure->counts = properties_find(event->properties, meter->property, &property) &&
                      property.kind != PROPERTY_NULL && property.text.length > 0;
    if (measure->counts && meter->aggregation != AGGREGATE_UNIQUE_COUNT)
        measure->counts = (property.kind == PROPERTY_NUMBER || property.kind == PROPERTY_STRING) &&
                          decimal_parse(property.text, DECIMAL_EVENT_DIGITS, &measure->value);
}

Str measure_text(const Meter *meter, const Event *event, Arena *arena)
{
    Property property;
    if (str_equal(meter->property, STR("value")))
        return decimal_print(arena, event->value);
    assert_that(properties_find(event->properties, meter->property, &property));
    return property.text;
}

bool measure_of(const Meter *meter, const Event *event, Measure *measure)
{
    if (!cell_filter_holds(&meter->filter, event->properties))
        return false;
    for (size_t i = 0; i < meter->exclude_count; i++)
        if (cell_filter_holds(&meter->excludes[i], event->properties))
            return false;
    *measure = (Measure){
        .ts = event->ts, .unique_id = event->unique_id, .digest = event->digest,
    };
    if (meter->aggregation == AGGREGATE_COUNT)
        measure->counts = true;
    else
        measure_property(meter, event, measure);
    measure_operation(meter, event, measure);
    return true;
}
