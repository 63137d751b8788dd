// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/meters.h"

#include "base/assert.h"
#include "base/vector.h"

typedef VECTOR(Activation *) Activations;

struct Meters {
    Arena      *arena;
    Activations all;
    VECTOR(Activations) by_event;
};

Meters *meters_open(void)
{
    Meters *meters = memory_take(sizeof(Meters));
    meters->arena = arena_open();
    return meters;
}

void meters_close(Meters *meters)
{
    if (meters == NULL)
        return;
    for (size_t i = 0; i < meters->by_event.count; i++)
        vector_release(&meters->by_event.at[i]);
    vector_release(&meters->by_event);
    vector_release(&meters->all);
    arena_close(meters->arena);
    memory_release(meters);
}

uint32_t meters_count(const Meters *meters)
{
    return (uint32_t)meters->all.count;
}

Activation *meters_get(const Meters *meters, uint32_t number)
{
    return number < meters->all.count ? meters->all.at[number] : NULL;
}

Activation *meters_find(const Meters *meters, uint32_t project, Str id)
{
    for (size_t i = meters->all.count; i > 0; i--) {
        Activation *activation = meters->all.at[i - 1];
        if (activation->project == project && activation->removed == 0 &&
            str_equal(activation->meter->id, id))
            return activation;
    }
    return NULL;
}

ActivationList meters_of_event(const Meters *meters, uint32_t event)
{
    if (event >= meters->by_event.count)
        return (ActivationList){ NULL, 0 };
    const Activations *list = &meters->by_event.at[event];
    return (ActivationList){ list->at, list->count };
}

bool meters_replaced(const Meters *meters, const Activation *activation)
{
    for (size_t i = activation->number + 1; i < meters->all.count; i++)
        if (meters->all.at[i]->sequence == activation->removed)
            return true;
    return false;
}

// The meter lives as long as the registry.
static Err *definition_read(Meters *meters, Str definition, Meter **meter)
{
    Json  *root;
    Faults faults = { .arena = meters->arena };
    TRY(json_parse_copy(meters->arena, definition, &root));
    const Json *id = json_find(root, STR("id"));
    *meter = meter_from_json(root, id == NULL ? STR_NONE : id->text, &faults);
    return faults.first;
}

Err *meters_add(Meters *meters, Arena *arena, const Activation *wanted)
{
    if (wanted->number < meters->all.count)
        return NULL;
    assert_that(wanted->number == meters->all.count);
    Activation *activation = arena_new(meters->arena, Activation);
    activation->number = wanted->number;
    activation->project = wanted->project;
    activation->event = wanted->event;
    activation->sequence = wanted->sequence;
    activation->is_fresh = wanted->is_fresh;
    activation->definition = str_copy(meters->arena, wanted->definition);
    Err *err = definition_read(meters, activation->definition, &activation->meter);
    if (err != NULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the definition of meter number %u in the "
                      "journal does not read: %.*s", wanted->number, STR_ARG(err->detail));
    vector_push(&meters->all, activation);
    while (meters->by_event.count <= activation->event)
        vector_push(&meters->by_event, (Activations){ 0 });
    vector_push(&meters->by_event.at[activation->event], activation);
    return NULL;
}
