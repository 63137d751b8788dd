// SPDX-License-Identifier: Apache-2.0
#include "price/filter.h"

static const ChargeTerm *term_find(const ChargeFilter *filter, Str key)
{
    for (size_t i = 0; i < filter->count; i++)
        if (str_equal(filter->terms[i].key, key))
            return &filter->terms[i];
    return NULL;
}

static bool term_allows(const ChargeTerm *term, Str text)
{
    for (size_t i = 0; i < term->count; i++)
        if (str_equal(term->values[i], text))
            return true;
    return false;
}

bool filter_matches(const ChargeFilter *filter, const NamedText *properties, size_t count)
{
    for (size_t i = 0; i < filter->count; i++) {
        bool holds = false;
        for (size_t k = 0; k < count; k++)
            if (str_equal(properties[k].name, filter->terms[i].key))
                holds = properties[k].text.at != NULL &&
                        term_allows(&filter->terms[i], properties[k].text);
        if (!holds)
            return false;
    }
    return true;
}

bool filter_within(const ChargeFilter *inner, const ChargeFilter *outer)
{
    for (size_t i = 0; i < outer->count; i++) {
        const ChargeTerm *term = term_find(inner, outer->terms[i].key);
        if (term == NULL)
            return false;
        for (size_t k = 0; k < term->count; k++)
            if (!term_allows(&outer->terms[i], term->values[k]))
                return false;
    }
    return true;
}

bool filter_apart(const ChargeFilter *a, const ChargeFilter *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const ChargeTerm *term = term_find(b, a->terms[i].key);
        bool              shared = term == NULL;
        for (size_t k = 0; term != NULL && k < term->count; k++)
            shared |= term_allows(&a->terms[i], term->values[k]);
        if (!shared)
            return true;
    }
    return false;
}
