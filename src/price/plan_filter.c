// SPDX-License-Identifier: Apache-2.0
// Reading filters and groups, and checking that the charges on a meter share its events out.
#include <stdlib.h>

#include "price/plan_inside.h"

static int texts_compare(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

static int terms_compare(const void *a, const void *b)
{
    return str_compare(((const ChargeTerm *)a)->key, ((const ChargeTerm *)b)->key);
}

static size_t texts_sort(Str *texts, size_t count)
{
    size_t kept = 0;
    if (count > 1)
        qsort(texts, count, sizeof *texts, texts_compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_equal(texts[i], texts[kept - 1]))
            texts[kept++] = texts[i];
    return kept;
}

// A filter goes by the text of a property, so a number or a truth value stands for its text.
static bool value_read(Place place, Str *text)
{
    const Json *json = place.json;
    switch (json->kind) {
    case JSON_STRING:
    case JSON_NUMBER:
        *text = json->text;
        return true;
    case JSON_TRUE:
        *text = STR("true");
        return true;
    case JSON_FALSE:
        *text = STR("false");
        return true;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    place_fault(place, ERR_FIELD_INVALID, "a filter's values are texts");
    return false;
}

static void term_read(Place place, Str key, bool takes_one, ChargeTerm *term)
{
    size_t index = 0;
    term->key = key;
    if (takes_one && place.json->kind != JSON_ARRAY) {
        term->values = arena_array(place.faults->arena, Str, 1);
        term->count = value_read(place, &term->values[0]);
        return;
    }
    if (!place_array(place, 1, CHARGE_VALUES_MAX))
        return;
    term->values = arena_array(place.faults->arena, Str, place.json->count);
    for (const Json *value = place.json->first; value != NULL; value = value->next, index++)
        if (!value_read(place_element(place, value, index), &term->values[term->count]))
            return;
        else
            term->count++;
    term->count = texts_sort(term->values, term->count);
}

static void filter_read(Place place, bool takes_one, ChargeFilter *filter)
{
    if (!place_object(place))
        return;
    if (place.json->count > CHARGE_TERMS_MAX) {
        place_fault(place, ERR_FIELD_INVALID, "a filter has at most %d keys", CHARGE_TERMS_MAX);
        return;
    }
    filter->terms = arena_array(place.faults->arena, ChargeTerm, place.json->count);
    for (const Json *member = place.json->first; member != NULL; member = member->next)
        term_read(place_of(place.faults, member,
                           place_pointer(place.faults->arena, place.pointer, member->name)),
                  member->name, takes_one, &filter->terms[filter->count++]);
    if (filter->count > 1)
        qsort(filter->terms, filter->count, sizeof *filter->terms, terms_compare);
}

void plan_filter_read(Place place, ChargeFilter *filter)
{
    filter_read(place, false, filter);
}

void plan_when_read(Place place, ChargeFilter *filter)
{
    filter_read(place, true, filter);
}

void plan_groups_read(Place place, Str **keys, size_t *count)
{
    if (!place_array(place, 1, PLAN_GROUPS_MAX))
        return;
    size_t index = 0;
    Str   *read = arena_array(place.faults->arena, Str, place.json->count);
    for (const Json *key = place.json->first; key != NULL; key = key->next, index++)
        if (!place_text(place_element(place, key, index), &read[index]))
            return;
    *keys = read;
    *count = texts_sort(read, index);
    if (*count < index)
        place_fault(place, ERR_FIELD_INVALID, "groupBy names a dimension twice");
}

static bool on_same_meter(const Charge *a, const Charge *b)
{
    return a->source == SOURCE_METER && b->source == SOURCE_METER && !a->also_counts &&
           !b->also_counts && str_equal(a->meter, b->meter);
}

// What both filters take, as a filter: all keys of both, values common to both.
static ChargeFilter filter_both(Arena *arena, const ChargeFilter *a, const ChargeFilter *b)
{
    ChargeFilter both = { arena_array(arena, ChargeTerm, a->count + b->count), 0 };
    for (size_t i = 0; i < a->count; i++)
        both.terms[both.count++] = a->terms[i];
    for (size_t i = 0; i < b->count; i++) {
        ChargeTerm *found = NULL;
        for (size_t k = 0; k < a->count; k++)
            if (str_equal(both.terms[k].key, b->terms[i].key))
                found = &both.terms[k];
        if (found == NULL) {
            both.terms[both.count++] = b->terms[i];
            continue;
        }
        ChargeTerm common = { found->key, arena_array(arena, Str, found->count), 0 };
        for (size_t v = 0; v < found->count; v++)
            for (size_t w = 0; w < b->terms[i].count; w++)
                if (str_equal(found->values[v], b->terms[i].values[w]))
                    common.values[common.count++] = found->values[v];
        *found = common;
    }
    return both;
}

// Events that both take are decided when one more specific charge takes all of them.
static bool is_decided_by_third(Arena *arena, const Plan *plan, const Charge *a, const Charge *b)
{
    ChargeFilter both = filter_both(arena, &a->filter, &b->filter);
    for (size_t i = 0; i < plan->charge_count; i++) {
        const Charge *third = &plan->charges[i];
        if (third != a && third != b && on_same_meter(third, a) &&
            filter_within(&both, &third->filter) && filter_within(&third->filter, &a->filter) &&
            filter_within(&third->filter, &b->filter))
            return true;
    }
    return false;
}

static void except_add(Charge *charge, const Charge *other)
{
    charge->except[charge->except_count++] = other->filter;
}

static void pair_check(Place place, const Plan *plan, Charge *a, Charge *b)
{
    bool within_a = filter_within(&b->filter, &a->filter),
         within_b = filter_within(&a->filter, &b->filter);
    if (within_a && within_b)
        place_fault(place, ERR_PLAN_INVALID,
                    "charges %.*s and %.*s take the same events of meter %.*s", STR_ARG(a->id),
                    STR_ARG(b->id), STR_ARG(a->meter));
    else if (within_a)
        except_add(a, b);
    else if (within_b)
        except_add(b, a);
    else if (!filter_apart(&a->filter, &b->filter) &&
             !is_decided_by_third(place.faults->arena, plan, a, b))
        place_fault(place, ERR_PLAN_INVALID,
                    "the filters of charges %.*s and %.*s overlap and neither is more specific",
                    STR_ARG(a->id), STR_ARG(b->id));
}

// A charge over several meters takes all of each, so none of them may be another's too.
static void meters_check(Place charges, const Plan *plan, size_t index)
{
    const Charge *charge = &plan->charges[index];
    for (size_t k = 0; k < plan->charge_count; k++) {
        const Charge *other = &plan->charges[k];
        bool          told = other->source == SOURCE_METERS && k > index;
        if (k == index || told || charge->also_counts || other->also_counts)
            continue;
        for (size_t i = 0; i < charge_meter_count(charge); i++)
            if (charge_reads(other, charge_meter(charge, i)))
                place_fault(place_element(charges, NULL, index), ERR_PLAN_INVALID,
                            "charges %.*s and %.*s take the same events of meter %.*s: one of "
                            "them says alsoCounts",
                            STR_ARG(charge->id), STR_ARG(other->id),
                            STR_ARG(charge_meter(charge, i)));
    }
}

void plan_partition(Place charges, Plan *plan)
{
    Arena *arena = charges.faults->arena;
    for (size_t i = 0; i < plan->charge_count; i++)
        plan->charges[i].except = NULL;
    for (size_t i = 0; i < plan->charge_count; i++)
        for (size_t k = 0; k < i; k++) {
            Charge *a = &plan->charges[k], *b = &plan->charges[i];
            if (!on_same_meter(a, b) || charges.faults->count >= FAULTS_MAX)
                continue;
            if (a->except == NULL)
                a->except = arena_array(arena, ChargeFilter, plan->charge_count);
            if (b->except == NULL)
                b->except = arena_array(arena, ChargeFilter, plan->charge_count);
            pair_check(place_member(place_element(charges, NULL, i), "filter"), plan, a, b);
        }
    for (size_t i = 0; i < plan->charge_count; i++)
        if (plan->charges[i].source == SOURCE_METERS)
            meters_check(charges, plan, i);
}
