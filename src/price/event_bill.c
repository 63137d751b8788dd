// SPDX-License-Identifier: Apache-2.0
// Bill "event": what each event is posted at. The price of a line is worked out after every event;
// the postings are the differences of its rounded values, so they sum to the line's amount.
#include "price/price_inside.h"

// Pricing the events one after the other leaves its steps behind: its memory is used again.
enum { EVENTS_A_ROUND = 256 };

// One line on its way through its events.
typedef struct Posting {
    Arena       *arena;  // of the answer
    Rating       rating; // in an arena of its own
    const Line  *line;
    EventAmounts amounts;
    Rational     total;  // of the events so far, in the answer's arena
    Money        posted; // so far
} Posting;

static Err *event_post(Posting *posting, const EventUsage *event, Rational exact)
{
    const Line *line = posting->line;
    bool        is_nothing =
        line->part->is_trial || (rational_sign(exact) < 0 && !line->charge->allow_negative);
    Money        sum;
    EventAmount *amount = &posting->amounts.at[posting->amounts.count++];
    TRY(rating_round(&posting->rating, is_nothing ? rational_zero() : exact, line->description,
                     &sum));
    *amount = (EventAmount){ .ts = event->ts, .unique_id = event->unique_id };
    if (!money_subtract(sum, posting->posted, &amount->amount))
        return rating_too_large(&posting->rating, line->description);
    posting->posted = sum;
    return NULL;
}

// The price of a usage with these events, anew.
static Rational price_anew(Posting *posting, const GroupUsage *usage)
{
    Line line = { .charge = posting->line->charge,
                  .usage = rational_zero(),
                  .quantity = rational_zero(),
                  .exact = rational_zero() };
    return group_line(&posting->rating, &line, usage);
}

// Models that look at the total alone: it goes up by each event.
static Err *post_by_total(Posting *posting)
{
    const GroupUsage *counted = posting->line->counted;
    for (size_t i = 0; i < counted->each_count; i++) {
        posting->total = rational_add(posting->arena, posting->total, counted->each[i].value);
        GroupUsage usage = { .values = counted->values, .usage = posting->total };
        TRY(event_post(posting, &counted->each[i], price_anew(posting, &usage)));
        if (i % EVENTS_A_ROUND == EVENTS_A_ROUND - 1)
            arena_reset(posting->rating.arena);
    }
    return NULL;
}

static Err *post_one_by_one(Posting *posting)
{
    Arena            *arena = posting->rating.arena;
    const Charge     *charge = posting->line->charge;
    const GroupUsage *counted = posting->line->counted;
    posting->rating.after = arena_array(arena, Rational, counted->each_count);
    price_anew(posting, counted);
    for (size_t i = 0; i < counted->each_count; i++) {
        Rational exact = posting->rating.after[i];
        if (charge->pricing_unit.at != NULL)
            exact = rational_multiply(arena, exact, charge->conversion_rate);
        TRY(event_post(posting, &counted->each[i], exact));
    }
    return NULL;
}

static Err *post(Posting *posting)
{
    return posting->line->charge->model->by_event == EVENTS_BY_TOTAL ? post_by_total(posting)
                                                                     : post_one_by_one(posting);
}

Err *price_events(Arena *arena, const Plan *plan, const PriceInputs *inputs, const Line *line,
                  EventAmounts *amounts)
{
    *amounts = (EventAmounts){ 0 };
    if (line->counted == NULL)
        return NULL;
    AUTO(Arena) own = arena_open();
    Posting posting = {
        .arena = arena,
        .rating = { .arena = own, .plan = plan, .inputs = inputs, .part = line->part },
        .line = line,
        .amounts = { arena_array(arena, EventAmount, line->counted->each_count), 0 },
        .total = rational_zero(),
        .posted = money_zero(plan->currency)
    };
    Err *err = post(&posting);
    if (err != NULL) // the one refusal there is, in an arena that lives on
        return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    *amounts = posting.amounts;
    return NULL;
}
