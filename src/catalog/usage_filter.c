// SPDX-License-Identifier: Apache-2.0
#include "catalog/usage_filter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "catalog/body.h"

static int by_key(const void *a, const void *b)
{
    return str_compare(((const ChargeTerm *)a)->key, ((const ChargeTerm *)b)->key);
}

static void term_read(Place place, Str key, ChargeTerm *term)
{
    size_t index = 0;
    term->key = key;
    if (!place_required(place))
        return;
    if (place.json->kind == JSON_STRING) {
        term->values = arena_array(place.faults->arena, Str, 1);
        term->count = place_text(place, &term->values[0]);
        return;
    }
    if (!place_array(place, 1, CHARGE_VALUES_MAX))
        return;
    term->values = arena_array(place.faults->arena, Str, place.json->count);
    for (const Json *json = place.json->first; json != NULL; json = json->next, index++)
        if (place_text(place_element(place, json, index), &term->values[term->count]))
            term->count++;
    texts_sort(term->values, term->count);
    size_t kept = 0;
    for (size_t i = 0; i < term->count; i++)
        if (kept == 0 || !str_equal(term->values[i], term->values[kept - 1]))
            term->values[kept++] = term->values[i];
    term->count = kept;
}

bool usage_filter_read(Place place, ChargeFilter *filter)
{
    size_t before = place.faults->count;
    *filter = (ChargeFilter){ 0 };
    if (place.json == NULL || place.json->kind == JSON_NULL)
        return true;
    if (!place_object(place))
        return false;
    if (place.json->count > CHARGE_TERMS_MAX) {
        place_fault(place, ERR_FIELD_INVALID, "a filter has at most %d keys", CHARGE_TERMS_MAX);
        return false;
    }
    filter->terms = arena_array(place.faults->arena, ChargeTerm, place.json->count);
    for (const Json *json = place.json->first; json != NULL; json = json->next)
        term_read(place_named(place, json->name), json->name,
                  &filter->terms[filter->count++]);
    if (filter->count > 1)
        qsort(filter->terms, filter->count, sizeof *filter->terms, by_key);
    return place.faults->count == before;
}

Str usage_filter_print(Arena *arena, const ChargeFilter *filter)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    if (filter->count == 0)
        return STR_NONE;
    json_object(&out);
    for (size_t i = 0; i < filter->count; i++) {
        json_name(&out, filter->terms[i].key);
        json_array(&out);
        for (size_t k = 0; k < filter->terms[i].count; k++)
            json_string(&out, filter->terms[i].values[k]);
        json_array_end(&out);
    }
    json_object_end(&out);
    return text_str(&text);
}

ChargeFilter usage_filter_of(Arena *arena, Str text)
{
    ChargeFilter filter = { 0 };
    Faults       faults = { .arena = arena };
    Json        *json;
    if (text.at == NULL)
        return filter;
    Err *err = json_parse_copy(arena, text, &json);
    assert_that(err == NULL && usage_filter_read(place_of(&faults, json, STR("")), &filter));
    return filter;
}
