// SPDX-License-Identifier: Apache-2.0
// The fold of a subscription's log. The log is never changed by it, and the same log gives the same
// terms, whenever and in whatever order its entries were recorded.
#include "catalog/terms.h"

#include <stdlib.h>

#include "base/assert.h"
#include "catalog/body.h"

static const Json *stored_object(Arena *arena, Str text)
{
    Json *object;
    Err  *err = json_parse_copy(arena, text, &object);
    assert_that(err == NULL && object->kind == JSON_OBJECT);  // it was written canonically
    return object;
}

// The members of both, each name once, ascending.
static size_t names_of(Arena *arena, const Json *a, const Json *b, Str **names)
{
    size_t count = 0;
    Str   *all = arena_array(arena, Str, a->count + b->count);
    for (const Json *member = a->first; member != NULL; member = member->next)
        all[count++] = member->name;
    for (const Json *member = b->first; member != NULL; member = member->next)
        if (json_find(a, member->name) == NULL)
            all[count++] = member->name;
    texts_sort(all, count);
    *names = all;
    return count;
}

Str quantities_merge(Arena *arena, Str quantities, Str changed)
{
    if (changed.at == NULL)
        return quantities;
    const Json *before = stored_object(arena, quantities), *after = stored_object(arena, changed);
    Str        *names;
    size_t      count = names_of(arena, before, after, &names);
    Text        text = text_open(arena);
    JsonOut     out = json_out(&text);
    json_object(&out);
    for (size_t i = 0; i < count; i++) {
        const Json *value = json_find(after, names[i]);
        json_name(&out, names[i]);
        json_string(&out, (value != NULL ? value : json_find(before, names[i]))->text);
    }
    json_object_end(&out);
    return text_str(&text);
}

static int by_effect(const void *a, const void *b)
{
    const SubscriptionChange *first = *(const SubscriptionChange *const *)a;
    const SubscriptionChange *second = *(const SubscriptionChange *const *)b;
    if (first->effective_at.us != second->effective_at.us)
        return first->effective_at.us < second->effective_at.us ? -1 : 1;
    return first->number < second->number ? -1 : first->number > second->number;
}

const SubscriptionChange **changes_by_effect(Arena *arena, const SubscriptionHistory *history)
{
    const SubscriptionChange **sorted =
        arena_array(arena, const SubscriptionChange *, history->count);
    for (size_t i = 0; i < history->count; i++)
        sorted[i] = &history->changes[i];
    if (history->count > 1)
        qsort(sorted, history->count, sizeof *sorted, by_effect);
    return sorted;
}

size_t subscription_known(const SubscriptionHistory *history, Instant known_at)
{
    size_t count = history->count;
    while (count > 0 && history->changes[count - 1].recorded_at.us > known_at.us)
        count--;
    return count;
}

// The entry that says when it ends: the last recorded. NULL: the first terms do.
static const SubscriptionChange *end_change(const SubscriptionHistory *history)
{
    for (size_t i = history->count; i > 0; i--) {
        ChangeKind kind = history->changes[i - 1].kind;
        if (kind == CHANGE_CANCEL || kind == CHANGE_END)
            return &history->changes[i - 1];
    }
    return NULL;
}

bool subscription_end(const SubscriptionHistory *history, Instant *end)
{
    const SubscriptionChange *change = end_change(history);
    if (change == NULL) {
        *end = history->first->first_ends_at;
        return history->first->first_ends;
    }
    *end = change->kind == CHANGE_CANCEL ? change->effective_at : change->ends_at;
    return change->kind == CHANGE_CANCEL || change->ends;
}

const SubscriptionChange *subscription_cancellation(const SubscriptionHistory *history)
{
    const SubscriptionChange *change = end_change(history);
    return change != NULL && change->kind == CHANGE_CANCEL ? change : NULL;
}

const SubscriptionChange *subscription_pause_at(const SubscriptionHistory *history, Instant at)
{
    const SubscriptionChange *last = NULL;
    for (size_t i = 0; i < history->count; i++) {
        const SubscriptionChange *change = &history->changes[i];
        bool is_pause = change->kind == CHANGE_PAUSE || change->kind == CHANGE_RESUME;
        if (is_pause && change->effective_at.us <= at.us &&
            (last == NULL || change->effective_at.us >= last->effective_at.us))
            last = change;
    }
    return last;
}

// ---- terms

SubscriptionTerms subscription_first_terms(const Subscription *first)
{
    return (SubscriptionTerms){ .start = first->starts_at,
                                .plan = first->plan,
                                .plan_version = first->plan_version,
                                .overrides = first->overrides,
                                .phases = first->phases,
                                .quantities = first->quantities };
}

// False: nothing of it counts, because the subscription is not on what was to be moved.
static bool terms_change(Arena *arena, const SubscriptionChange *change, SubscriptionTerms *terms)
{
    if (change->kind != CHANGE_TERMS && change->kind != CHANGE_MIGRATE)
        return false;
    if (change->kind == CHANGE_MIGRATE && (!str_equal(change->plan, terms->plan) ||
                                           change->from_version != terms->plan_version))
        return false;
    if (change->plan.at != NULL) {
        if (!str_equal(change->plan, terms->plan))
            terms->phases = STR_NONE;
        terms->plan = change->plan;
        terms->plan_version = change->plan_version;
    }
    if (change->has_overrides)
        terms->overrides = change->overrides;
    terms->quantities = quantities_merge(arena, terms->quantities, change->quantities);
    return true;
}

size_t subscription_terms(Arena *arena, const SubscriptionHistory *history,
                          SubscriptionTerms **terms)
{
    const SubscriptionChange **sorted = changes_by_effect(arena, history);
    SubscriptionTerms         *list = arena_array(arena, SubscriptionTerms, history->count + 1);
    SubscriptionTerms          now = subscription_first_terms(history->first);
    size_t                     count = 0;
    Instant                    end;
    bool                       ends = subscription_end(history, &end);
    for (size_t i = 0; i < history->count; i++) {
        SubscriptionTerms before = now;
        Instant           at = sorted[i]->effective_at;
        if ((ends && at.us >= end.us) || !terms_change(arena, sorted[i], &now))
            continue;
        if (at.us > before.start.us) {
            before.ends = true;
            before.end = at;
            list[count++] = before;
        }
        now.start = at;
    }
    now.ends = ends;
    now.end = end;
    if (!ends || now.start.us < end.us)
        list[count++] = now;
    *terms = list;
    return count;
}

const SubscriptionTerms *terms_at(const SubscriptionTerms *terms, size_t count, Instant at)
{
    size_t place = 0;
    assert_that(count > 0);
    while (place + 1 < count && terms[place + 1].start.us <= at.us)
        place++;
    return &terms[place];
}
