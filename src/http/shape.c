// SPDX-License-Identifier: Apache-2.0
#include "http/shape.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"

// ---- decoding

enum { MEMBERS_TOLD_MAX = 12 };

typedef struct Place {
    const Field *field;
    const Json  *value;
    char        *at;  // in the struct
    Faults      *faults;
    Str          pointer;
} Place;

static void fault(const Place *place, ErrCode code, const char *what)
{
    faults_add(place->faults, code, place->pointer, "%s %s", place->field->name, what);
}

static void fault_range(const Place *place, const char *what)
{
    faults_add(place->faults, ERR_FIELD_INVALID, place->pointer,
               "%s must have %s between %" PRId64 " and %" PRId64, place->field->name, what,
               place->field->least, place->field->most);
}

static bool in_range(const Field *field, int64_t number)
{
    return number >= field->least && (field->most == 0 || number <= field->most);
}

static void decode_text(const Place *place)
{
    if (place->value->kind != JSON_STRING)
        fault(place, ERR_FIELD_INVALID, "must be a string");
    else if (!in_range(place->field, (int64_t)place->value->text.length))
        fault_range(place, "a length in bytes");
    else
        *(Str *)(void *)place->at = place->value->text;
}

static void decode_whole(const Place *place)
{
    Str      text = place->value->text;
    bool     negative = place->value->kind == JSON_NUMBER && text.at[0] == '-';
    uint64_t number;
    if (negative)
        text = (Str){ text.at + 1, text.length - 1 };
    if (place->value->kind != JSON_NUMBER || !str_whole(text, INT64_MAX, &number)) {
        fault(place, ERR_FIELD_INVALID, "must be a whole number");
        return;
    }
    int64_t value = negative ? -(int64_t)number : (int64_t)number;
    if (in_range(place->field, value))
        *(int64_t *)(void *)place->at = value;
    else
        fault_range(place, "a value");
}

static void decode_decimal(const Place *place)
{
    Decimal number;
    bool    fits = place->value->kind == JSON_NUMBER || place->value->kind == JSON_STRING;
    if (fits && decimal_parse(place->value->text, DECIMAL_WHOLE_DIGITS, &number))
        *(Decimal *)(void *)place->at = number;
    else if (fits && decimal_is_number(place->value->text))
        faults_add(place->faults, ERR_INVALID_VALUE, place->pointer,
                   "%s is too large or too fine: at most %d digits before the point and %d behind",
                   place->field->name, DECIMAL_WHOLE_DIGITS, DECIMAL_PLACES);
    else
        fault(place, ERR_INVALID_VALUE, "must be a decimal number or its text");
}

static void decode_instant(const Place *place)
{
    Instant instant;
    if (place->value->kind == JSON_STRING && instant_parse(place->value->text, &instant))
        *(Instant *)(void *)place->at = instant;
    else
        fault(place, ERR_INVALID_TIMESTAMP,
              "must be an RFC 3339 instant such as 2026-06-10T14:02:11Z");
}

static void decode_bool(const Place *place)
{
    if (place->value->kind == JSON_TRUE || place->value->kind == JSON_FALSE)
        *(bool *)(void *)place->at = place->value->kind == JSON_TRUE;
    else
        fault(place, ERR_FIELD_INVALID, "must be true or false");
}

static void decode_enum(const Place *place)
{
    if (place->value->kind == JSON_STRING)
        for (int i = 0; place->field->choices[i] != NULL; i++)
            if (str_equal(place->value->text, str_of(place->field->choices[i]))) {
                *(int *)(void *)place->at = i;
                return;
            }
    faults_add(place->faults, ERR_FIELD_INVALID, place->pointer, "%s must be one of %.*s",
               place->field->name, STR_ARG(str_list(place->faults->arena, place->field->choices)));
}

static void decode_tree(const Place *place, JsonKind kind, const char *what)
{
    if (place->value->kind != kind)
        fault(place, ERR_FIELD_INVALID, what);
    else if (kind == JSON_ARRAY && !in_range(place->field, place->value->count))
        fault_range(place, "a number of elements");
    else
        *(const Json **)(void *)place->at = place->value;
}

static void decode_member(const Place *place)
{
    if (place->value->kind == JSON_NULL && place->field->nullable)
        return;
    switch (place->field->kind) {
    case KIND_TEXT: decode_text(place); return;
    case KIND_WHOLE: decode_whole(place); return;
    case KIND_DECIMAL: decode_decimal(place); return;
    case KIND_INSTANT: decode_instant(place); return;
    case KIND_BOOL: decode_bool(place); return;
    case KIND_ENUM: decode_enum(place); return;
    case KIND_ARRAY: decode_tree(place, JSON_ARRAY, "must be an array"); return;
    case KIND_OBJECT: decode_tree(place, JSON_OBJECT, "must be an object"); return;
    case KIND_MAP: decode_tree(place, JSON_OBJECT, "must be an object"); return;
    case KIND_JSON: *(const Json **)(void *)place->at = place->value; return;
    }
}

// "/name", with ~ and / escaped as RFC 6901 says.
static Str pointer_to(Arena *arena, Str name)
{
    Text path = text_open(arena);
    text_add_char(&path, '/');
    for (size_t i = 0; i < name.length; i++)
        if (name.at[i] == '~' || name.at[i] == '/')
            text_print(&path, "~%c", name.at[i] == '~' ? '0' : '1');
        else
            text_add_char(&path, name.at[i]);
    return text_str(&path);
}

static const Field *field_find(const Shape *shape, Str name)
{
    for (size_t i = 0; i < shape->count; i++)
        if (str_equal(str_of(shape->fields[i].name), name))
            return &shape->fields[i];
    return NULL;
}

// What could be meant, where that can be read at a glance.
static Str members_told(Arena *arena, const Shape *shape)
{
    const char *names[MEMBERS_TOLD_MAX + 1] = { NULL };
    if (shape->count > MEMBERS_TOLD_MAX)
        return STR("");
    for (size_t i = 0; i < shape->count; i++)
        names[i] = shape->fields[i].name;
    return str_print(arena, ": it may have %.*s", STR_ARG(str_list(arena, names)));
}

void shape_decode(const Shape *shape, const Json *object, void *into, Faults *faults)
{
    if (object->kind != JSON_OBJECT) {
        faults_add(faults, ERR_FIELD_INVALID, STR_NONE, "the body must be a JSON object");
        return;
    }
    for (const Json *member = object->first; member != NULL; member = member->next) {
        const Field *field = field_find(shape, member->name);
        Str          pointer = pointer_to(faults->arena, member->name);
        if (field != NULL)
            decode_member(&(Place){ field, member, (char *)into + field->offset, faults, pointer });
        else if (!shape->open)
            faults_add(faults, ERR_UNKNOWN_MEMBER, pointer, "%.*s is not a member of %s%.*s",
                       STR_ARG(member->name), shape->name,
                       STR_ARG(members_told(faults->arena, shape)));
    }
    for (size_t i = 0; i < shape->count; i++) {
        Str name = str_of(shape->fields[i].name);
        if (shape->fields[i].required && json_find(object, name) == NULL)
            faults_add(faults, ERR_FIELD_REQUIRED, pointer_to(faults->arena, name),
                       "%s is required", shape->fields[i].name);
    }
}

// ---- the schema

static void type_print(JsonOut *out, const char *type, bool nullable)
{
    json_name(out, STR("type"));
    if (!nullable) {
        json_string(out, str_of(type));
        return;
    }
    json_array(out);
    json_string(out, str_of(type));
    json_string(out, STR("null"));
    json_array_end(out);
}

static void limits_print(JsonOut *out, const Field *field, const char *least, const char *most)
{
    if (field->least != 0)
        json_whole_member(out, least, field->least);
    if (field->most != 0)
        json_whole_member(out, most, field->most);
}

static void reference(JsonOut *out, const Shape *shape)
{
    json_object(out);
    json_name(out, STR("$ref"));
    json_raw(out, STR("\"#/components/schemas/"));
    text_add(out->text, str_of(shape->name));
    text_add_char(out->text, '"');
    json_object_end(out);
}

static void choices_print(JsonOut *out, const Field *field)
{
    json_name(out, STR("enum"));
    json_array(out);
    for (size_t i = 0; field->choices != NULL && field->choices[i] != NULL; i++)
        json_string(out, str_of(field->choices[i]));
    if (field->nullable)
        json_null(out);
    json_array_end(out);
}

static void kind_print(JsonOut *out, FieldKind kind, const Field *field);

// The schema of the elements of an array or the values of a map.
static void elements_print(JsonOut *out, const Field *field)
{
    if (field->shape != NULL) {
        reference(out, field->shape);
        return;
    }
    Field element = { .kind = field->of, .choices = field->choices };
    json_object(out);
    kind_print(out, field->of, &element);
    json_object_end(out);
}

static void object_print(JsonOut *out, const Field *field)
{
    if (field->shape == NULL) {
        type_print(out, "object", field->nullable);
        return;
    }
    json_name(out, STR("anyOf"));
    json_array(out);
    reference(out, field->shape);
    if (field->nullable)
        json_raw(out, STR("{\"type\":\"null\"}"));
    json_array_end(out);
}

// The members that say what a value of the kind looks like. An element of an array or map is
// printed with a field of its own that has no shape, so this calls itself once at most.
static void kind_print(JsonOut *out, FieldKind kind, const Field *field)
{
    switch (kind) {
    case KIND_TEXT:
        type_print(out, "string", field->nullable);
        // JSON Schema counts characters where the limits count bytes, so only the upper one is
        // implied.
        if (field->least > 0)
            json_whole_member(out, "minLength", 1);
        if (field->most > 0)
            json_whole_member(out, "maxLength", field->most);
        if (field->pattern != NULL)
            json_string_member(out, "pattern", str_of(field->pattern));
        return;
    case KIND_WHOLE:
        type_print(out, "integer", field->nullable);
        limits_print(out, field, "minimum", "maximum");
        return;
    case KIND_DECIMAL:
        type_print(out, "string", field->nullable);
        json_string_member(out, "pattern", STR("^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?$"));
        return;
    case KIND_INSTANT:
        type_print(out, "string", field->nullable);
        json_string_member(out, "format", STR("date-time"));
        return;
    case KIND_BOOL: type_print(out, "boolean", field->nullable); return;
    case KIND_ENUM:
        type_print(out, "string", field->nullable);
        choices_print(out, field);
        return;
    case KIND_ARRAY:
        type_print(out, "array", field->nullable);
        limits_print(out, field, "minItems", "maxItems");
        json_name(out, STR("items"));
        elements_print(out, field);
        return;
    case KIND_OBJECT: object_print(out, field); return;
    case KIND_MAP:
        type_print(out, "object", field->nullable);
        json_name(out, STR("additionalProperties"));
        elements_print(out, field);
        return;
    case KIND_JSON: return;
    }
}

static void field_print(JsonOut *out, const Field *field)
{
    json_name(out, str_of(field->name));
    json_object(out);
    if (field->doc != NULL)
        json_string_member(out, "description", str_of(field->doc));
    kind_print(out, field->kind, field);
    json_object_end(out);
}

static void fields_print(const Shape *shape, JsonOut *out)
{
    json_string_member(out, "type", STR("object"));
    json_name(out, STR("properties"));
    json_object(out);
    for (size_t i = 0; i < shape->count; i++)
        field_print(out, &shape->fields[i]);
    json_object_end(out);
    json_name(out, STR("required"));
    json_array(out);
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].required)
            json_string(out, str_of(shape->fields[i].name));
    json_array_end(out);
    json_bool_member(out, "additionalProperties", shape->open);
}

void shape_schema(const Shape *shape, JsonOut *out)
{
    json_object(out);
    if (shape->doc != NULL)
        json_string_member(out, "description", str_of(shape->doc));
    if (shape->elements != NULL) {
        json_string_member(out, "type", STR("array"));
        json_name(out, STR("items"));
        reference(out, shape->elements);
    } else if (shape->one_of != NULL) {
        json_name(out, STR("anyOf"));
        json_array(out);
        for (size_t i = 0; shape->one_of[i] != NULL; i++)
            reference(out, shape->one_of[i]);
        json_array_end(out);
    } else {
        fields_print(shape, out);
    }
    json_object_end(out);
}
