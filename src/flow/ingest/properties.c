// SPDX-License-Identifier: Apache-2.0
// Two property sets that mean the same have the same bytes: keys in ascending order, numbers in one
// spelling, nested JSON likewise. Nesting is bounded by the depth the body was parsed under.
#include "flow/ingest/properties.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"

// ---- numbers

// The number is digits x 10^exponent: digits without leading or trailing zeros, empty for zero.
typedef struct Number {
    bool   negative;
    char  *digits;
    size_t count;
    Int128 exponent;
} Number;

enum { EXPONENT_DIGITS = 36, PLAIN_ZEROS = 40 };

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

// False: more digits than can be added to.
static bool exponent_read(Str text, Int128 *exponent)
{
    bool negative = text.length > 0 && text.at[0] == '-';
    Str  digits = text;
    if (text.length > 0 && !is_digit(text.at[0]))
        digits = (Str){ text.at + 1, text.length - 1 };
    while (digits.length > 0 && digits.at[0] == '0')
        digits = (Str){ digits.at + 1, digits.length - 1 };
    if (digits.length > EXPONENT_DIGITS)
        return false;
    Int128 sum = 0;
    for (size_t i = 0; i < digits.length; i++)
        sum = sum * 10 + (digits.at[i] - '0');
    *exponent = negative ? -sum : sum;
    return true;
}

// Zeros at both ends go; those behind count into the exponent.
static void number_trim(Number *number)
{
    while (number->count > 0 && number->digits[number->count - 1] == '0') {
        number->count--;
        number->exponent++;
    }
    while (number->count > 0 && number->digits[0] == '0') {
        number->digits++;
        number->count--;
    }
}

static bool number_read(Arena *arena, Str text, Number *number)
{
    size_t at = text.length > 0 && text.at[0] == '-' ? 1 : 0;
    bool   behind_point = false;
    *number = (Number){ .negative = at == 1, .digits = arena_take(arena, text.length) };
    Int128 places = 0;
    for (; at < text.length && (is_digit(text.at[at]) || text.at[at] == '.'); at++) {
        if (text.at[at] == '.') {
            behind_point = true;
            continue;
        }
        number->digits[number->count++] = text.at[at];
        places += behind_point;
    }
    if (at < text.length) {
        Str exponent = { text.at + at + 1, text.length - at - 1 };
        if (!exponent_read(exponent, &number->exponent)) {
            number_trim(number);
            return number->count == 0;
        }
    }
    number->exponent -= places;
    number_trim(number);
    return true;
}

static void zeros_add(Text *out, Int128 count)
{
    for (Int128 i = 0; i < count; i++)
        text_add_char(out, '0');
}

static void exponent_add(Text *out, Int128 exponent)
{
    char   digits[EXPONENT_DIGITS + 4];
    size_t at = sizeof digits;
    for (Int128 rest = exponent < 0 ? -exponent : exponent; rest != 0; rest /= 10)
        digits[--at] = (char)('0' + (int)(rest % 10));
    text_add(out, exponent < 0 ? STR("e-") : STR("e"));
    text_add_bytes(out, digits + at, sizeof digits - at);
}

static void number_print(Text *out, const Number *number)
{
    Int128 count = (Int128)number->count;
    Int128 before = count + number->exponent;  // digits in front of the point
    if (number->count == 0) {
        text_add_char(out, '0');
        return;
    }
    if (number->negative)
        text_add_char(out, '-');
    if (number->exponent > PLAIN_ZEROS || before < -PLAIN_ZEROS) {
        text_add_bytes(out, number->digits, number->count);
        exponent_add(out, number->exponent);
    } else if (number->exponent >= 0) {
        text_add_bytes(out, number->digits, number->count);
        zeros_add(out, number->exponent);
    } else if (before > 0) {
        text_add_bytes(out, number->digits, (size_t)before);
        text_add_char(out, '.');
        text_add_bytes(out, number->digits + before, (size_t)(count - before));
    } else {
        text_add(out, STR("0."));
        zeros_add(out, -before);
        text_add_bytes(out, number->digits, number->count);
    }
}

// Most numbers are whole and short: those are in their one spelling already.
static bool is_plain_whole(Str text)
{
    size_t at = text.length > 0 && text.at[0] == '-' ? 1 : 0;
    size_t count = text.length - at;
    if (count == 0 || count > PLAIN_ZEROS)
        return false;
    if (text.at[at] == '0')
        return count == 1 && at == 0;
    for (; at < text.length; at++)
        if (!is_digit(text.at[at]))
            return false;
    return true;
}

Str properties_number(Arena *arena, Str text)
{
    Number number;
    if (is_plain_whole(text) || !number_read(arena, text, &number))
        return text;
    Text out = text_open(arena);
    number_print(&out, &number);
    return text_str(&out);
}

// ---- nested values

static int by_name(const void *a, const void *b)
{
    const Json *const *left = a;
    const Json *const *right = b;
    return str_compare((*left)->name, (*right)->name);
}

static const Json **members_sorted(Arena *arena, const Json *object)
{
    const Json **members = arena_array(arena, const Json *, object->count);
    size_t       count = 0;
    for (const Json *member = object->first; member != NULL; member = member->next)
        members[count++] = member;
    assert_that(count == object->count);
    if (count > 1)
        qsort(members, count, sizeof *members, by_name);
    return members;
}

static void json_canonical(Arena *arena, JsonOut *out, const Json *tree)
{
    if (tree->kind == JSON_ARRAY) {
        json_array(out);
        for (const Json *element = tree->first; element != NULL; element = element->next)
            json_canonical(arena, out, element);
        json_array_end(out);
    } else if (tree->kind == JSON_OBJECT) {
        const Json **members = members_sorted(arena, tree);
        json_object(out);
        for (size_t i = 0; i < tree->count; i++) {
            json_name(out, members[i]->name);
            json_canonical(arena, out, members[i]);
        }
        json_object_end(out);
    } else if (tree->kind == JSON_NUMBER) {
        json_raw(out, properties_number(arena, tree->text));
    } else {
        json_value(out, tree);
    }
}

static Str nested_text(Arena *arena, const Json *tree)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_canonical(arena, &out, tree);
    return text_str(&text);
}

// ---- the form

static Property property_of(Arena *arena, const Json *member)
{
    Property property = { .key = member->name };
    switch (member->kind) {
    case JSON_NULL:
        property.kind = PROPERTY_NULL;
        property.text = STR("null");
        break;
    case JSON_FALSE:
        property.kind = PROPERTY_BOOL;
        property.text = STR("false");
        break;
    case JSON_TRUE:
        property.kind = PROPERTY_BOOL;
        property.text = STR("true");
        break;
    case JSON_NUMBER:
        property.kind = PROPERTY_NUMBER;
        property.text = properties_number(arena, member->text);
        break;
    case JSON_STRING:
        property.kind = PROPERTY_STRING;
        property.text = member->text;
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        property.kind = PROPERTY_JSON;
        property.text = nested_text(arena, member);
        break;
    }
    return property;
}

// A JSON pointer to a member: "~" and "/" in its name are escaped (RFC 6901). A name that is beyond
// its limit is cut, since the pointer goes back to the caller.
static Str pointer_to(Arena *arena, const PropertySource *source, Str name)
{
    Text   out = text_open(arena);
    size_t shown = name.length;
    if (shown > source->limits.key_bytes)
        for (shown = source->limits.key_bytes; shown > 0 && (name.at[shown] & 0xc0) == 0x80;)
            shown--;
    text_add(&out, source->pointer);
    text_add_char(&out, '/');
    for (size_t i = 0; i < shown; i++) {
        if (name.at[i] == '~')
            text_add(&out, STR("~0"));
        else if (name.at[i] == '/')
            text_add(&out, STR("~1"));
        else
            text_add_char(&out, name.at[i]);
    }
    return text_str(&out);
}

static Err *property_check(Arena *arena, const PropertySource *source, const Property *property)
{
    if (property->key.length > source->limits.key_bytes)
        return refuse(arena, ERR_FIELD_INVALID, pointer_to(arena, source, property->key),
                      "the name of a property must have at most %u bytes",
                      source->limits.key_bytes);
    if (property->text.length > source->limits.text_bytes)
        return refuse(arena, ERR_FIELD_INVALID, pointer_to(arena, source, property->key),
                      "a property must have at most %u bytes", source->limits.text_bytes);
    return NULL;
}

// By insertion: properties are few and often in order.
static void property_place(Property *properties, size_t count, Property property)
{
    while (count > 0 && str_compare(property.key, properties[count - 1].key) < 0) {
        properties[count] = properties[count - 1];
        count--;
    }
    properties[count] = property;
}

static Str form_write(Arena *arena, const Property *properties, size_t count)
{
    size_t most = VARINT_MAX;
    for (size_t i = 0; i < count; i++)
        most += 2 * VARINT_MAX + 1 + properties[i].key.length + properties[i].text.length;
    Text out = text_open(arena);
    text_reserve(&out, most);
    text_add_varint(&out, count);
    for (size_t i = 0; i < count; i++) {
        text_add_counted(&out, properties[i].key);
        text_add_char(&out, (char)properties[i].kind);
        text_add_counted(&out, properties[i].text);
    }
    return text_str(&out);
}

Err *properties_from_json(Arena *arena, PropertySource source, Str *canonical)
{
    assert_that(source.object->kind == JSON_OBJECT);
    uint32_t  most = source.limits.count;
    uint32_t  room = source.object->count < most ? source.object->count : most;
    Property *properties = arena_array(arena, Property, room);
    size_t    count = 0;
    for (const Json *member = source.object->first; member != NULL; member = member->next) {
        if (source.except.at != NULL && str_equal(member->name, source.except))
            continue;
        if (count == most)
            return refuse(arena, ERR_TOO_MANY_PROPERTIES, source.pointer,
                          "an event must have at most %u properties", most);
        Property property = property_of(arena, member);
        TRY(property_check(arena, &source, &property));
        property_place(properties, count++, property);
    }

    *canonical = count == 0 ? STR_NONE : form_write(arena, properties, count);
    return NULL;
}

void properties_to_json(Str canonical, JsonOut *out)
{
    Property property;
    json_object(out);
    for (size_t offset = 0; properties_next(canonical, &offset, &property);) {
        json_name(out, property.key);
        if (property.kind == PROPERTY_STRING)
            json_string(out, property.text);
        else
            json_raw(out, property.text);
    }
    json_object_end(out);
}
