// SPDX-License-Identifier: Apache-2.0
// A meter between JSON and struct. Both directions are canonical: terms, values, excludes and
// dimensions in ascending order, so that two definitions that mean the same are the same text.
// Members that only some aggregations have are written only where they are, so that a definition
// of before they were known is the same text still.
#include "catalog/meter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "catalog/body.h"

enum { KEY_BYTES = 128, VALUE_BYTES = 1024, UNIT_BYTES = 64 };

const char *const aggregation_names[AGGREGATION_COUNT + 1] = {
    [AGGREGATE_SUM] = "sum",
    [AGGREGATE_COUNT] = "count",
    [AGGREGATE_MIN] = "min",
    [AGGREGATE_MAX] = "max",
    [AGGREGATE_AVERAGE] = "average",
    [AGGREGATE_LATEST] = "latest",
    [AGGREGATE_UNIQUE_COUNT] = "uniqueCount",
    [AGGREGATE_TIME_WEIGHTED] = "timeWeighted",
    [AGGREGATE_PERCENTILE] = "percentile",
};

const char *const meter_input_names[METER_INPUT_COUNT + 1] = {
    [INPUT_LEVEL] = "level",
    [INPUT_CHANGE] = "change",
};

const char *const meter_per_names[METER_PER_COUNT + 1] = {
    [PER_SECOND] = "second",
    [PER_HOUR] = "hour",
    [PER_DAY] = "day",
    [PER_PERIOD] = "period",
};

const char *const meter_window_units[WINDOW_UNIT_COUNT + 1] = {
    [WINDOW_HOUR] = "hour",
    [WINDOW_DAY] = "day",
    [WINDOW_WEEK] = "week",
    [WINDOW_MONTH] = "month",
};

const char *const meter_window_aggregations[] = {
    "sum", "count", "min", "max", "average", "latest", "percentile", NULL,
};

static const char *const members[] = {
    "id", "event", "aggregation", "property", "filter", "exclude", "dimensions", "unit",
    "percentile", "input", "per", "carryOver", "operationProperty", "window", NULL,
};

const char *aggregation_name(Aggregation aggregation)
{
    assert_that(aggregation < AGGREGATION_COUNT);
    return aggregation_names[aggregation];
}

bool aggregation_find(Str name, Aggregation *aggregation)
{
    for (size_t i = 0; i < AGGREGATION_COUNT; i++)
        if (str_equal(name, str_of(aggregation_names[i]))) {
            *aggregation = (Aggregation)i;
            return true;
        }
    return false;
}

bool meter_needs_events(const Meter *meter)
{
    return meter->has_window || meter->aggregation == AGGREGATE_UNIQUE_COUNT ||
           meter->aggregation == AGGREGATE_TIME_WEIGHTED ||
           meter->aggregation == AGGREGATE_PERCENTILE;
}

bool meter_looks_back(const Meter *meter)
{
    return meter->carries || meter->aggregation == AGGREGATE_TIME_WEIGHTED;
}

bool meter_sums_events(const Meter *meter)
{
    bool adds_up = meter->aggregation == AGGREGATE_SUM || meter->aggregation == AGGREGATE_COUNT;
    return adds_up && !meter->carries && !meter->has_window;
}

static bool key_is_valid(Str key)
{
    return key.length >= 1 && key.length <= KEY_BYTES && !str_has_control(key);
}

// Sorts and checks that no text is there twice.
static void texts_settle(Str *texts, size_t count, Str pointer, Faults *faults)
{
    texts_sort(texts, count);
    for (size_t i = 1; i < count; i++)
        if (str_equal(texts[i - 1], texts[i]))
            faults_add(faults, ERR_FIELD_INVALID, pointer, "%.*s is there twice",
                       STR_ARG(texts[i]));
}

static void term_read(const Json *member, Str base, FilterTerm *term, Faults *faults)
{
    Str pointer = pointer_of(faults->arena, base, member->name);
    term->key = member->name;
    if (!key_is_valid(member->name))
        faults_add(faults, ERR_FIELD_INVALID, pointer, "a property's key has 1 to %d bytes",
                   KEY_BYTES);
    if (member->kind != JSON_ARRAY || member->count < 1 ||
        member->count > METER_FILTER_VALUES_MAX) {
        faults_add(faults, ERR_FIELD_INVALID, pointer, "a condition is a list of 1 to %d texts",
                   METER_FILTER_VALUES_MAX);
        return;
    }
    term->values = arena_array(faults->arena, Str, member->count);
    for (const Json *value = member->first; value != NULL; value = value->next) {
        if (value->kind != JSON_STRING || value->text.length > VALUE_BYTES)
            faults_add(faults, ERR_FIELD_INVALID, pointer_at(faults->arena, pointer, term->count),
                       "a value is a text of at most %d bytes", VALUE_BYTES);
        term->values[term->count++] = value->text;
    }
    texts_settle(term->values, term->count, pointer, faults);
}

static int by_key(const void *a, const void *b)
{
    return str_compare(((const FilterTerm *)a)->key, ((const FilterTerm *)b)->key);
}

static Filter filter_read(const Json *object, Str pointer, Faults *faults)
{
    Filter filter = { 0 };
    if (object->kind != JSON_OBJECT || object->count > METER_FILTER_TERMS_MAX) {
        faults_add(faults, ERR_FIELD_INVALID, pointer,
                   "a filter is an object of at most %d properties", METER_FILTER_TERMS_MAX);
        return filter;
    }
    filter.terms = arena_array(faults->arena, FilterTerm, object->count);
    for (const Json *member = object->first; member != NULL; member = member->next)
        term_read(member, pointer, &filter.terms[filter.count++], faults);
    if (filter.count > 1)
        qsort(filter.terms, filter.count, sizeof *filter.terms, by_key);
    return filter;
}

static void filter_write(const Filter *filter, JsonOut *out)
{
    json_object(out);
    for (size_t i = 0; i < filter->count; i++) {
        json_name(out, filter->terms[i].key);
        json_array(out);
        for (size_t k = 0; k < filter->terms[i].count; k++)
            json_string(out, filter->terms[i].values[k]);
        json_array_end(out);
    }
    json_object_end(out);
}

static Str filter_text(Arena *arena, const Filter *filter)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    filter_write(filter, &out);
    return text_str(&text);
}

// Few of them, so by insertion: each goes before the first whose text is greater.
static void exclude_insert(Meter *meter, Filter filter, Arena *arena)
{
    size_t place = meter->exclude_count++;
    Str    text = filter_text(arena, &filter);
    while (place > 0 && str_compare(filter_text(arena, &meter->excludes[place - 1]), text) > 0) {
        meter->excludes[place] = meter->excludes[place - 1];
        place--;
    }
    meter->excludes[place] = filter;
}

static void excludes_read(const Json *list, Meter *meter, Faults *faults)
{
    if (list->kind != JSON_ARRAY || list->count > METER_EXCLUDES_MAX) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/exclude"),
                   "exclude is a list of at most %d filters", METER_EXCLUDES_MAX);
        return;
    }
    meter->excludes = arena_array(faults->arena, Filter, list->count);
    size_t place = 0;
    for (const Json *element = list->first; element != NULL; element = element->next, place++) {
        Str    pointer = pointer_at(faults->arena, STR("/exclude"), place);
        Filter filter = filter_read(element, pointer, faults);
        if (element->kind == JSON_OBJECT && filter.count == 0)
            faults_add(faults, ERR_FIELD_INVALID, pointer,
                       "an empty filter would exclude every event");
        exclude_insert(meter, filter, faults->arena);
    }
}

static void dimensions_read(const Json *list, Meter *meter, Faults *faults)
{
    if (list->kind != JSON_ARRAY || list->count > METER_DIMENSIONS_MAX) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/dimensions"),
                   "dimensions is a list of at most %d property keys", METER_DIMENSIONS_MAX);
        return;
    }
    meter->dimensions = arena_array(faults->arena, Str, list->count);
    for (const Json *element = list->first; element != NULL; element = element->next) {
        if (element->kind != JSON_STRING || !key_is_valid(element->text))
            faults_add(faults, ERR_FIELD_INVALID,
                       pointer_at(faults->arena, STR("/dimensions"), meter->dimension_count),
                       "a dimension is a property's key of 1 to %d bytes", KEY_BYTES);
        meter->dimensions[meter->dimension_count++] = element->text;
    }
    texts_settle(meter->dimensions, meter->dimension_count, STR("/dimensions"), faults);
}

// The place of the member's text in the list; a fault, and 0, when it is not there.
static size_t choice_read(const Json *member, Str pointer, const char *const *choices,
                          Faults *faults)
{
    for (size_t i = 0; member->kind == JSON_STRING && choices[i] != NULL; i++)
        if (str_equal(member->text, str_of(choices[i])))
            return i;
    faults_add(faults, ERR_FIELD_INVALID, pointer, "%.*s is one of %.*s",
               (int)pointer.length - 1, pointer.at + 1,
               STR_ARG(str_list(faults->arena, choices)));
    return 0;
}

static void aggregation_read(const Json *body, Meter *meter, Faults *faults)
{
    const Json *member = body_find(body, "aggregation");
    if (member == NULL)
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/aggregation"), "aggregation is required");
    else
        meter->aggregation = (Aggregation)choice_read(member, STR("/aggregation"),
                                                      aggregation_names, faults);
}

// NULL: absent, or a member that the aggregation has no use for, which is a fault.
static const Json *fitting(const Json *body, const char *name, bool fits, Faults *faults)
{
    const Json *member = body_find(body, name);
    if (member == NULL || fits)
        return member;
    faults_add(faults, ERR_FIELD_INVALID, pointer_of(faults->arena, STR_NONE, str_of(name)),
               "%s does not go with this aggregation", name);
    return NULL;
}

static void window_read(const Json *body, Meter *meter, Faults *faults)
{
    const Json *window = body_find(body, "window");
    if (window == NULL)
        return;
    if (window->kind != JSON_OBJECT) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/window"),
                   "window is an object with unit and aggregation");
        return;
    }
    meter->has_window = true;
    for (const Json *member = window->first; member != NULL; member = member->next)
        if (!str_equal(member->name, STR("unit")) && !str_equal(member->name, STR("aggregation")))
            faults_add(faults, ERR_UNKNOWN_MEMBER,
                       pointer_of(faults->arena, STR("/window"), member->name),
                       "a window has no member \"%.*s\"", STR_ARG(member->name));
    const Json *unit = body_find(window, "unit"), *over = body_find(window, "aggregation");
    if (unit == NULL)
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/window/unit"), "unit is required");
    else
        meter->window_unit =
            (WindowUnit)choice_read(unit, STR("/window/unit"), meter_window_units, faults);
    if (over == NULL) {
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/window/aggregation"),
                   "aggregation is required");
        return;
    }
    size_t place =
        choice_read(over, STR("/window/aggregation"), meter_window_aggregations, faults);
    aggregation_find(str_of(meter_window_aggregations[place]), &meter->window_aggregation);
}

static void percentile_read(const Json *body, Meter *meter, Faults *faults)
{
    bool takes = meter->aggregation == AGGREGATE_PERCENTILE ||
                 (meter->has_window && meter->window_aggregation == AGGREGATE_PERCENTILE);
    const Json *member = fitting(body, "percentile", takes, faults);
    if (member == NULL && takes && body_find(body, "percentile") == NULL)
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/percentile"), "percentile is required");
    if (member == NULL)
        return;
    bool is_number = (member->kind == JSON_STRING || member->kind == JSON_NUMBER) &&
                     decimal_parse(member->text, DECIMAL_EVENT_DIGITS, &meter->percentile);
    if (!is_number || decimal_sign(meter->percentile) <= 0 ||
        decimal_compare(meter->percentile, decimal_whole(100)) > 0)
        faults_add(faults, ERR_FIELD_INVALID, STR("/percentile"),
                   "percentile is a decimal above 0 and at most 100");
}

// Of the members that only some aggregations have.
static void options_read(const Json *body, Meter *meter, Faults *faults)
{
    bool is_gauge = meter->aggregation == AGGREGATE_TIME_WEIGHTED,
         is_unique = meter->aggregation == AGGREGATE_UNIQUE_COUNT,
         may_carry = is_unique || meter->aggregation == AGGREGATE_SUM;
    const Json *input = fitting(body, "input", is_gauge, faults),
               *per = fitting(body, "per", is_gauge, faults),
               *carries = fitting(body, "carryOver", may_carry, faults);
    if (input != NULL)
        meter->input = (MeterInput)choice_read(input, STR("/input"), meter_input_names, faults);
    if (per != NULL)
        meter->per = (MeterPer)choice_read(per, STR("/per"), meter_per_names, faults);
    if (carries != NULL && carries->kind != JSON_TRUE && carries->kind != JSON_FALSE)
        faults_add(faults, ERR_FIELD_INVALID, STR("/carryOver"), "carryOver is true or false");
    meter->carries = carries != NULL && carries->kind == JSON_TRUE;
    if (fitting(body, "operationProperty", is_unique, faults) != NULL)
        meter->operation_property = body_text(body, "operationProperty", KEY_BYTES, faults);
    window_read(body, meter, faults);
    percentile_read(body, meter, faults);
}

static void property_read(const Json *body, Meter *meter, Faults *faults)
{
    meter->property = body_text(body, "property", KEY_BYTES, faults);
    if (meter->property.at == NULL)
        meter->property = STR("value");
}

Meter *meter_from_json(const Json *body, Str id, Faults *faults)
{
    Meter *meter = arena_new(faults->arena, Meter);
    meter->id = id.at == NULL ? body_text(body, "id", 128, faults) : id;
    if (!name_is_valid(meter->id))
        faults_add(
            faults, ERR_PARAMETER_INVALID, STR_NONE,
            "a meter's id has 1 to 128 letters, digits, dots, underscores, colons or hyphens");
    if (!body_members(body, members, faults))
        return meter;
    body_id(body, meter->id, faults);
    meter->event = body_text(body, "event", 128, faults);
    if (meter->event.at == NULL)
        meter->event = meter->id;
    else if (!name_is_valid(meter->event))
        faults_add(faults, ERR_FIELD_INVALID, STR("/event"),
                   "event has 1 to 128 letters, digits, dots, underscores, colons or hyphens");
    aggregation_read(body, meter, faults);
    property_read(body, meter, faults);
    options_read(body, meter, faults);
    const Json *filter = body_find(body, "filter"), *exclude = body_find(body, "exclude"),
               *dimensions = body_find(body, "dimensions");
    if (filter != NULL)
        meter->filter = filter_read(filter, STR("/filter"), faults);
    if (exclude != NULL)
        excludes_read(exclude, meter, faults);
    if (dimensions != NULL)
        dimensions_read(dimensions, meter, faults);
    meter->unit = body_text(body, "unit", UNIT_BYTES, faults);
    return meter;
}

static void options_write(const Meter *meter, JsonOut *out)
{
    if (decimal_sign(meter->percentile) != 0)
        json_string_member(out, "percentile", decimal_print(out->text->arena, meter->percentile));
    if (meter->aggregation == AGGREGATE_TIME_WEIGHTED) {
        json_string_member(out, "input", str_of(meter_input_names[meter->input]));
        json_string_member(out, "per", str_of(meter_per_names[meter->per]));
    }
    if (meter->carries)
        json_bool_member(out, "carryOver", true);
    if (meter->operation_property.at != NULL)
        json_string_member(out, "operationProperty", meter->operation_property);
    if (meter->has_window) {
        json_name(out, STR("window"));
        json_object(out);
        json_string_member(out, "unit", str_of(meter_window_units[meter->window_unit]));
        json_string_member(out, "aggregation",
                           str_of(aggregation_name(meter->window_aggregation)));
        json_object_end(out);
    }
}

void meter_to_json(const Meter *meter, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", meter->id);
    json_string_member(out, "event", meter->event);
    json_string_member(out, "aggregation", str_of(aggregation_name(meter->aggregation)));
    json_string_member(out, "property", meter->property);
    json_name(out, STR("filter"));
    filter_write(&meter->filter, out);
    json_name(out, STR("exclude"));
    json_array(out);
    for (size_t i = 0; i < meter->exclude_count; i++)
        filter_write(&meter->excludes[i], out);
    json_array_end(out);
    json_name(out, STR("dimensions"));
    json_array(out);
    for (size_t i = 0; i < meter->dimension_count; i++)
        json_string(out, meter->dimensions[i]);
    json_array_end(out);
    if (meter->unit.at == NULL)
        json_null_member(out, "unit");
    else
        json_string_member(out, "unit", meter->unit);
    options_write(meter, out);
    json_object_end(out);
}
