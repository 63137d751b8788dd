// SPDX-License-Identifier: Apache-2.0
// Parts of a period. The whole is always the natural period, never a stub, so 61 cents for 14 of 28
// days are 30.5 cents before rounding, whatever was billed before.
#include "price/price_inside.h"

static int64_t local_days(const Zone *zone, Span span)
{
    return date_days(zone_local(zone, span.end).date) -
           date_days(zone_local(zone, span.start).date);
}

Rational share_of(Rating *rating, Prorate prorate, Span span)
{
    Span full = rating->inputs->full;
    if (prorate == PRORATE_DAY && local_days(rating->inputs->zone, full) <= 0)
        prorate = PRORATE_SECOND;  // a period without a midnight has no days to count
    switch (prorate) {
    case PRORATE_NONE:
        break;
    case PRORATE_DAY:
        return rational_ratio(rating->arena, local_days(rating->inputs->zone, span),
                              local_days(rating->inputs->zone, full));
    case PRORATE_SECOND:
        return rational_ratio(rating->arena, span.end.us - span.start.us,
                              full.end.us - full.start.us);
    }
    return rational_one();
}

static const QuantityHistory *history_find(const PriceInputs *inputs, Str name)
{
    for (size_t i = 0; i < inputs->quantity_count; i++)
        if (str_equal(inputs->quantities[i].name, name))
            return &inputs->quantities[i];
    return NULL;
}

// One segment for each change inside the service span; before the first change the quantity is 0.
static size_t segments_cut(const PriceInputs *inputs, const QuantityHistory *history,
                           Segment *segments)
{
    size_t count = 0;
    segments[count++] = (Segment){ .span = inputs->service, .quantity = rational_zero() };
    for (size_t i = 0; i < history->count; i++) {
        const QuantityChange *change = &history->changes[i];
        if (change->from.us >= inputs->service.end.us)
            break;
        if (change->from.us > inputs->service.start.us) {
            segments[count - 1].span.end = change->from;
            segments[count++].span = (Span){ change->from, inputs->service.end };
        }
        segments[count - 1].quantity = change->value;
    }
    return count;
}

static void segments_rise(Segment *segments, size_t count)
{
    for (size_t i = 1; i < count; i++)
        segments[i].quantity = rational_greatest(segments[i].quantity, segments[i - 1].quantity);
}

// Without proration the highest quantity is paid for the whole period.
static size_t segments_highest(const PriceInputs *inputs, Segment *segments, size_t count)
{
    segments_rise(segments, count);
    segments[0] = (Segment){ inputs->service, segments[count - 1].quantity, rational_one() };
    return 1;
}

// Neighbours with the same quantity become one, and of several changes in one day the last counts:
// what was held for no part of the period goes, and what follows begins where it began.
static size_t segments_join(Rating *rating, Prorate prorate, Segment *segments, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        Segment segment = segments[i];
        if (kept > 0 && rational_sign(share_of(rating, prorate, segments[kept - 1].span)) == 0)
            segment.span.start = segments[--kept].span.start;
        if (kept > 0 && rational_compare(segments[kept - 1].quantity, segment.quantity) == 0)
            segment.span.start = segments[--kept].span.start;
        segments[kept++] = segment;
    }
    for (size_t i = 0; i < kept; i++)
        segments[i].share = share_of(rating, prorate, segments[i].span);
    return kept;
}

Err *price__segments_of(Rating *rating, Str name, Prorate prorate, SegmentRule rule,
                        Segments *segments)
{
    const QuantityHistory *history = history_find(rating->inputs, name);
    if (history == NULL)
        return refuse(rating->arena, ERR_FIELD_REQUIRED,
                      place_pointer(rating->arena, STR("/quantities"), name),
                      "the plan prices the quantity %.*s, and none is given", STR_ARG(name));
    Segment *cut = arena_array(rating->arena, Segment, history->count + 1);
    size_t   cuts = segments_cut(rating->inputs, history, cut);
    if (prorate == PRORATE_NONE) {
        cuts = segments_highest(rating->inputs, cut, cuts);
    } else {
        cuts = segments_join(rating, prorate, cut, cuts);
        if (rule == SEGMENTS_RISE_ONLY)
            segments_rise(cut, cuts);
        cuts = segments_join(rating, prorate, cut, cuts);
    }
    *segments = (Segments){ cut, cuts };
    return NULL;
}
