// SPDX-License-Identifier: Apache-2.0
#include "price/place.h"

#include "base/assert.h"

Place place_of(Faults *faults, const Json *json, Str pointer)
{
    return (Place){ faults, json, pointer };
}

Str place_pointer(Arena *arena, Str base, Str name)
{
    Text text = text_open(arena);
    text_add(&text, base);
    text_add_char(&text, '/');
    for (size_t i = 0; i < name.length; i++) {
        if (name.at[i] == '~')
            text_add(&text, STR("~0"));
        else if (name.at[i] == '/')
            text_add(&text, STR("~1"));
        else
            text_add_char(&text, name.at[i]);
    }
    return text_str(&text);
}

Place place_named(Place object, Str name)
{
    const Json *json = object.json == NULL ? NULL : json_find(object.json, name);
    if (json != NULL && json->kind == JSON_NULL)
        json = NULL;
    return (Place){ object.faults, json,
                    place_pointer(object.faults->arena, object.pointer, name) };
}

Place place_member(Place object, const char *name)
{
    return place_named(object, str_of(name));
}

Place place_element(Place array, const Json *element, size_t index)
{
    Arena *arena = array.faults->arena;
    return (Place){ array.faults, element,
                    place_pointer(arena, array.pointer, str_print(arena, "%zu", index)) };
}

void place_fault(Place place, ErrCode code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Str detail = str_print_list(place.faults->arena, format, arguments);
    va_end(arguments);
    faults_add(place.faults, code, place.pointer, "%.*s", STR_ARG(detail));
}

// The last name of the pointer, for sentences.
static Str last_name(Place place)
{
    size_t at = place.pointer.length;
    if (at == 0)
        return STR("the document");
    assert_that(place.pointer.at[0] == '/');
    while (place.pointer.at[at - 1] != '/')
        at--;
    return (Str){ place.pointer.at + at, place.pointer.length - at };
}

static bool refuse_value(Place place, const char *what)
{
    place_fault(place, ERR_FIELD_INVALID, "%.*s must be %s", STR_ARG(last_name(place)), what);
    return false;
}

bool place_required(Place place)
{
    if (place.json != NULL)
        return true;
    place_fault(place, ERR_FIELD_REQUIRED, "%.*s is required", STR_ARG(last_name(place)));
    return false;
}

bool place_object(Place place)
{
    if (place.json == NULL)
        return false;
    if (place.json->kind == JSON_OBJECT)
        return true;
    return refuse_value(place, "an object");
}

bool place_array(Place place, size_t least, size_t most)
{
    if (place.json == NULL)
        return false;
    if (place.json->kind != JSON_ARRAY)
        return refuse_value(place, "an array");
    if (place.json->count >= least && place.json->count <= most)
        return true;
    place_fault(place, ERR_FIELD_INVALID, "%.*s must have %zu to %zu elements",
                STR_ARG(last_name(place)), least, most);
    return false;
}

bool place_text(Place place, Str *text)
{
    if (place.json == NULL)
        return false;
    if (place.json->kind != JSON_STRING || place.json->text.length == 0 ||
        place.json->text.length > 255 || str_has_control(place.json->text))
        return refuse_value(place, "a text of 1 to 255 bytes without controls");
    *text = place.json->text;
    return true;
}

static bool is_alphanumeric(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9');
}

static bool is_id(Str text)
{
    if (text.length == 0 || text.length > 128 || !is_alphanumeric(text.at[0]))
        return false;
    for (size_t i = 1; i < text.length; i++) {
        char letter = text.at[i];
        if (!is_alphanumeric(letter) && letter != '.' && letter != '_' && letter != ':' &&
            letter != '-')
            return false;
    }
    return true;
}

bool place_id(Place place, Str *id)
{
    if (place.json == NULL)
        return false;
    if (place.json->kind != JSON_STRING || !is_id(place.json->text))
        return refuse_value(place,
                            "an id: a letter or digit, then up to 127 of letters, digits, . _ : -");
    *id = place.json->text;
    return true;
}

bool place_name_is_id(Place member, Str name)
{
    if (!is_id(name))
        place_fault(member, ERR_FIELD_INVALID,
                    "a member here is named by an id: a letter or digit, then up to 127 of "
                    "letters, digits, . _ : -");
    return is_id(name);
}

bool place_bool(Place place, bool *value)
{
    if (place.json == NULL)
        return false;
    if (place.json->kind != JSON_TRUE && place.json->kind != JSON_FALSE)
        return refuse_value(place, "true or false");
    *value = place.json->kind == JSON_TRUE;
    return true;
}

bool place_whole(Place place, uint64_t least, uint64_t most, uint64_t *value)
{
    uint64_t number;
    if (place.json == NULL)
        return false;
    if (place.json->kind != JSON_NUMBER || !str_whole(place.json->text, most, &number) ||
        number < least) {
        place_fault(place, ERR_FIELD_INVALID, "%.*s must be a whole number between %lu and %lu",
                    STR_ARG(last_name(place)), least, most);
        return false;
    }
    *value = number;
    return true;
}

bool place_instant(Place place, Instant *instant)
{
    if (place.json == NULL)
        return false;
    if (place.json->kind != JSON_STRING || !instant_parse(place.json->text, instant))
        return refuse_value(place, "an RFC 3339 instant");
    return true;
}

bool place_decimal(Place place, Rational *value)
{
    Decimal number;
    if (place.json == NULL)
        return false;
    if ((place.json->kind != JSON_STRING && place.json->kind != JSON_NUMBER) ||
        !decimal_parse(place.json->text, DECIMAL_WHOLE_DIGITS, &number))
        return refuse_value(place,
                            "a decimal with at most 24 digits before the point and 12 behind it");
    *value = rational_of(place.faults->arena, number);
    return true;
}

bool place_not_negative(Place place, Rational *value)
{
    Rational number;
    if (!place_decimal(place, &number))
        return false;
    if (rational_sign(number) < 0)
        return refuse_value(place, "0 or more");
    *value = number;
    return true;
}

bool place_positive(Place place, Rational *value)
{
    Rational number;
    if (!place_decimal(place, &number))
        return false;
    if (rational_sign(number) <= 0)
        return refuse_value(place, "above 0");
    *value = number;
    return true;
}

static bool is_listed(Str name, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        if (str_equal(name, str_of(*list)))
            return true;
    return false;
}

void place_members(Place object, const char *const *known, const char *const *also)
{
    for (const Json *member = object.json->first; member != NULL; member = member->next)
        if (!is_listed(member->name, known) && !is_listed(member->name, also))
            place_fault(place_named(object, member->name), ERR_UNKNOWN_MEMBER,
                        "%.*s is not a member here", STR_ARG(member->name));
}
