// SPDX-License-Identifier: Apache-2.0
// eventPrice: each event carries its price in a property; the amount is their sum. 0.101 + 9.019 =
// 9.12. An event without one costs nothing.
#include "price/model.h"

enum { EVENT_STEPS_MAX = 100 }; // steps for so many events; the others together are one

void event_price_read(Place charge, const Charge *read, PriceTerms *terms)
{
    (void)read;
    Place property = place_member(charge, "property");
    terms->needs_events = true;
    if (place_required(property))
        place_text(property, &terms->property);
}

void event_price_price(Pricing *pricing, const PriceTerms *terms, Rational quantity)
{
    (void)terms, (void)quantity;
    Arena   *arena = pricing->arena;
    Rational others = rational_zero();
    pricing->units = pricing->fees = rational_zero();
    for (size_t i = 0; i < pricing->event_count; i++) {
        const EventUsage *event = &pricing->events[i];
        pricing->units = rational_add(arena, pricing->units, event->price);
        if (pricing->after != NULL)
            pricing->after[i] = pricing->units;
        if (i >= EVENT_STEPS_MAX) {
            others = rational_add(arena, others, event->price);
            continue;
        }
        Step *step = steps_add(pricing->steps, arena, STEP_EVENT);
        step_set(step, "ts", instant_print(arena, event->ts));
        if (event->unique_id.at != NULL)
            step_set(step, "uniqueId", str_copy(arena, event->unique_id));
        step_set_quantity(step, arena, "value", event->value);
        step_set_priced(step, pricing, event->price);
    }
    if (pricing->event_count <= EVENT_STEPS_MAX)
        return;
    Step *step = steps_add(pricing->steps, arena, STEP_EVENT);
    step_set(step, "events", str_print(arena, "%zu", pricing->event_count - EVENT_STEPS_MAX));
    step_set_priced(step, pricing, others);
}
