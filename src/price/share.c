// SPDX-License-Identifier: Apache-2.0
// Parts of a period. The whole is always the natural period, never a stub, so 61 cents for 14 of 28
// days are 30.5 cents before rounding, whatever was billed before. What is paused is in no part.
#include "price/price_inside.h"

typedef int64_t Measure(const Zone *zone, Span span);

static int64_t local_days(const Zone *zone, Span span)
{
    return date_days(zone_local(zone, span.end).date) -
           date_days(zone_local(zone, span.start).date);
}

static int64_t microseconds(const Zone *zone, Span span)
{
    (void)zone;
    return span.end.us - span.start.us;
}

// What of the span is not paused.
static int64_t active(const PriceInputs *inputs, Span span, Measure *measure)
{
    int64_t sum = measure(inputs->zone, span);
    for (size_t i = 0; i < inputs->pause_count; i++) {
        Span pause = inputs->pauses[i];
        if (pause.start.us < span.start.us)
            pause.start = span.start;
        if (pause.end.us > span.end.us)
            pause.end = span.end;
        if (pause.start.us < pause.end.us)
            sum -= measure(inputs->zone, pause);
    }
    return sum;
}

Rational share_of(Rating *rating, Prorate prorate, Span full, Span span)
{
    const PriceInputs *inputs = rating->inputs;
    if (prorate == PRORATE_DAY && local_days(inputs->zone, full) <= 0)
        prorate = PRORATE_SECOND; // a period without a midnight has no days to count
    switch (prorate) {
    case PRORATE_NONE:
        break;
    case PRORATE_DAY:
        return rational_ratio(rating->arena, active(inputs, span, local_days),
                              local_days(inputs->zone, full));
    case PRORATE_SECOND:
        return rational_ratio(rating->arena, active(inputs, span, microseconds),
                              microseconds(inputs->zone, full));
    }
    return active(inputs, span, microseconds) > 0 ? rational_one() : rational_zero();
}

static const QuantityHistory *history_find(const PriceInputs *inputs, Str name)
{
    for (size_t i = 0; i < inputs->quantity_count; i++)
        if (str_equal(inputs->quantities[i].name, name))
            return &inputs->quantities[i];
    return NULL;
}

// One segment for each change inside the service span that began before `known`; before the first
// change the quantity is 0.
static size_t segments_cut(Span service, Instant known, const QuantityHistory *history,
                           Segment *segments)
{
    size_t count = 0;
    segments[count++] = (Segment){ .span = service, .quantity = rational_zero() };
    for (size_t i = 0; i < history->count; i++) {
        const QuantityChange *change = &history->changes[i];
        if (change->from.us >= service.end.us || change->from.us > known.us)
            break;
        if (change->from.us > service.start.us) {
            segments[count - 1].span.end = change->from;
            segments[count++].span = (Span){ change->from, service.end };
        }
        segments[count - 1].quantity = change->value;
    }
    return count;
}

// What does not count in this period stays as it was.
static void segments_follow(const SegmentRule *rule, Segment *segments, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int order = rational_compare(segments[i].quantity, segments[i - 1].quantity);
        if ((order > 0 && rule->rises_later) || (order < 0 && rule->falls_later))
            segments[i].quantity = segments[i - 1].quantity;
    }
}

// Without proration the highest quantity is paid for the whole of it.
static size_t segments_highest(Rating *rating, const ChargePart *part, Segment *segments,
                               size_t count)
{
    for (size_t i = 1; i < count; i++)
        segments[0].quantity = rational_greatest(segments[0].quantity, segments[i].quantity);
    segments[0].span = part->service;
    segments[0].share = share_of(rating, PRORATE_NONE, part->full, part->service);
    return 1;
}

// Neighbours with the same quantity become one, and of several changes in one day the last counts:
// what was held for no part of the period goes, and what follows begins where it began.
static size_t segments_join(Rating *rating, const SegmentRule *rule, Span full, Segment *segments,
                            size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        Segment segment = segments[i];
        if (kept > 0 && rational_sign(segments[kept - 1].share) == 0)
            segment.span.start = segments[--kept].span.start;
        if (kept > 0 && rational_compare(segments[kept - 1].quantity, segment.quantity) == 0)
            segment.span.start = segments[--kept].span.start;
        segment.share = share_of(rating, rule->prorate, full, segment.span);
        segments[kept++] = segment;
    }
    return kept;
}

Err *price__segments_of(Rating *rating, Str name, const ChargePart *part, const SegmentRule *rule,
                        Segments *segments)
{
    const QuantityHistory *history = history_find(rating->inputs, name);
    if (history == NULL)
        return refuse(rating->arena, ERR_FIELD_REQUIRED,
                      place_pointer(rating->arena, STR("/quantities"), name),
                      "the plan prices the quantity %.*s, and none is given", STR_ARG(name));
    Segment *cut = arena_array(rating->arena, Segment, history->count + 1);
    size_t   cuts = segments_cut(part->service, rule->known, history, cut);
    if (rule->prorate == PRORATE_NONE) {
        segments_follow(rule, cut, cuts);
        cuts = segments_highest(rating, part, cut, cuts);
    } else {
        cuts = segments_join(rating, rule, part->full, cut, cuts);
        segments_follow(rule, cut, cuts);
        cuts = segments_join(rating, rule, part->full, cut, cuts);
    }
    *segments = (Segments){ cut, cuts };
    return NULL;
}
