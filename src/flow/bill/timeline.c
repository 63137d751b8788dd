// SPDX-License-Identifier: Apache-2.0
// The fold walks from instant to instant at which another plan may count: a change of the log, a
// new zone of the account, the end of a phase. Each time what counts from there on is asked for
// again, and a new term begins when it is another plan than before.
#include "flow/bill/timeline.h"

#include "base/assert.h"
#include "catalog/phases.h"
#include "catalog/terms.h"
#include "catalog/usage_filter.h"

typedef struct Fold {
    Arena                   *arena;
    const TimelineFacts     *facts;
    SubscriptionHistory      known;
    const SubscriptionTerms *stretches;  // what the log says
    size_t                   stretch_count;
    size_t                   stretch;    // that holds the instant reached
    size_t                   zone_next;  // row of the account's zones
    Instant                  at;         // the instant reached
    const Zone              *zone;       // of the calendar there; NULL: it has not begun
    SubscriptionPhases       phases;
    bool                     own_phases;  // of the subscription, else of the plan
    Instant                  phase_end;  // INSTANT_END: none ends
    Term                    *terms;
    size_t                   term_room;
    Timeline                 made;
} Fold;

static Err *facts_wrong(const Fold *fold, const char *what)
{
    return refuse(fold->arena, ERR_STORE_FAILED, STR_NONE, "%s of subscription %.*s", what,
                  STR_ARG(fold->known.first->id));
}

static void active_fold(Fold *fold)
{
    const SubscriptionChange *cancellation = subscription_cancellation(&fold->known);
    Instant                   end;
    if (!subscription_end(&fold->known, &end))
        end = INSTANT_END;
    fold->made.active = (Span){ fold->known.first->starts_at, end };
    fold->made.credits = cancellation == NULL || cancellation->credits;
}

// ---- quantities

static QuantityHistory *history_get(const Timeline *made, QuantityHistory *histories, Str name)
{
    size_t i = 0;
    while (i + 1 < made->quantity_count && !str_equal(histories[i].name, name))
        i++;
    assert_that(i < made->quantity_count && str_equal(histories[i].name, name));
    return &histories[i];
}

// A change of a history with room for one at each stretch.
static void history_add(QuantityHistory *history, QuantityChange *changes, QuantityChange change)
{
    if (history->count == 0 ||
        rational_compare(changes[history->count - 1].value, change.value) != 0)
        changes[history->count++] = change;
}

static Err *quantities_take(Fold *fold, size_t stretch, QuantityHistory *histories,
                            QuantityChange *const *changes)
{
    Json *document;
    TRY(json_parse_stored(fold->arena, fold->stretches[stretch].quantities, &document));
    for (const Json *member = document->first; member != NULL; member = member->next) {
        QuantityHistory *history = history_get(&fold->made, histories, member->name);
        QuantityChange   change = { .from = fold->stretches[stretch].start };
        if (!rational_parse(fold->arena, member->text, &change.value))
            return facts_wrong(fold, "a stored quantity is not a decimal");
        history_add(history, changes[history - histories], change);
    }
    return NULL;
}

// Stretches only gain quantities, so the last one names all of them.
static Err *quantities_fold(Fold *fold)
{
    Json *all;
    if (fold->stretch_count == 0)
        return NULL;
    TRY(json_parse_stored(fold->arena, fold->stretches[fold->stretch_count - 1].quantities, &all));
    QuantityHistory *histories = arena_array(fold->arena, QuantityHistory, all->count);
    QuantityChange **changes = arena_array(fold->arena, QuantityChange *, all->count);
    for (const Json *member = all->first; member != NULL; member = member->next) {
        size_t place = fold->made.quantity_count++;
        changes[place] = arena_array(fold->arena, QuantityChange, fold->stretch_count);
        histories[place] = (QuantityHistory){ .name = member->name, .changes = changes[place] };
    }
    for (size_t i = 0; i < fold->stretch_count; i++)
        if (i == 0 || !str_equal(fold->stretches[i].quantities, fold->stretches[i - 1].quantities))
            TRY(quantities_take(fold, i, histories, changes));
    fold->made.quantities = histories;
    return NULL;
}

// ---- pauses

static void pauses_fold(Fold *fold)
{
    const SubscriptionChange **changes = changes_by_effect(fold->arena, &fold->known);
    Pause  *pauses = arena_array(fold->arena, Pause, fold->known.count), *running = NULL;
    Instant end = fold->made.active.end;
    size_t  count = 0;
    for (size_t i = 0; i < fold->known.count && changes[i]->effective_at.us < end.us; i++) {
        Instant at = changes[i]->effective_at;
        if (changes[i]->kind == CHANGE_PAUSE && running == NULL) {
            running = &pauses[count++];
            *running = (Pause){ { at, end }, changes[i]->usage_free };
        } else if (changes[i]->kind == CHANGE_RESUME && running != NULL) {
            running->span.end = at;
            count -= running->span.start.us == at.us;
            running = NULL;
        }
    }
    fold->made.pauses = pauses;
    fold->made.pause_count = count;
}

// ---- zones

// The plan's, else the account's, else the project's, else UTC.
static Err *zone_of(Fold *fold, const Plan *plan, const Zone **zone)
{
    const TimelineFacts *facts = fold->facts;
    Str                  name = plan->time_zone;
    if (name.length == 0)
        name = facts->zones[fold->zone_next - 1].zone;
    if (name.length == 0)
        name = facts->project_zone;
    *zone = name.length == 0 ? zone_utc() : zone_find(name);
    if (*zone == NULL)
        return refuse(fold->arena, ERR_STORE_FAILED, STR_NONE,
                      "the stored time zone %.*s is not known", STR_ARG(name));
    return NULL;
}

// INSTANT_END: the account has no other zone, or not by what is known.
static Instant zone_change_next(const Fold *fold)
{
    const TimelineFacts *facts = fold->facts;
    if (fold->zone_next == facts->zone_count ||
        facts->zones[fold->zone_next].from.us > facts->known_at.us)
        return INSTANT_END;
    return facts->zones[fold->zone_next].from;
}

// ---- phases

// The end of the period that comes `count` - 1 periods after the one that holds `from`.
static Instant periods_after(const Fold *fold, Instant from, int64_t count)
{
    Instant at = from;
    for (int64_t i = 0; i < count && at.us < fold->made.active.end.us; i++)
        at = calendar_next_boundary(&fold->made.calendar, at);
    return at;
}

static Instant phase_end(const Fold *fold, const SubscriptionPhase *phase, Instant from)
{
    if (phase->has_until)
        return phase->until;
    return phase->periods > 0 ? periods_after(fold, from, phase->periods) : INSTANT_END;
}

// The phase that holds the instant reached, counted from the first instant under the plan's id;
// NULL: none, or none any more.
static const SubscriptionPhase *phase_find(Fold *fold, Instant since)
{
    Instant at = since;
    fold->phase_end = INSTANT_END;
    for (size_t i = 0; i < fold->phases.count; i++) {
        Instant end = phase_end(fold, &fold->phases.at[i], at);
        if (fold->at.us < end.us) {
            fold->phase_end = end;
            return &fold->phases.at[i];
        }
        at = end.us > at.us ? end : at;
    }
    return NULL;
}

// The subscription's own stand in place of the plan's.
static void phases_take(Fold *fold, const Plan *plan)
{
    Str own = fold->stretches[fold->stretch].phases;
    fold->own_phases = own.length > 0;
    fold->phases =
        fold->own_phases ? phases_of(fold->arena, own) : phases_of_plan(fold->arena, plan);
}

// ---- terms

static Instant since_of(const Fold *fold, Str plan_id)
{
    for (size_t i = 0; i < fold->made.term_count; i++)
        if (str_equal(fold->terms[i].plan_id, plan_id))
            return fold->terms[i].since;
    return fold->at;
}

static bool same_document(const Term *a, const Term *b)
{
    return a->version == b->version && str_equal(a->plan_id, b->plan_id) &&
           str_equal(a->patches[0], b->patches[0]) && str_equal(a->patches[1], b->patches[1]);
}

static Err *plan_get(Fold *fold, Term *term)
{
    const PlanSource *plans = &fold->facts->plans;
    PlanWanted wanted = { .ref = { fold->facts->project, term->plan_id, term->version },
                          .patches = term->patches,
                          .patch_count = sizeof term->patches / sizeof *term->patches };
    return plans->plan(plans->context, fold->arena, &wanted, &term->plan);
}

// The calendar as the plan wants it from the instant reached on.
static Err *calendar_turn(Fold *fold, const Plan *plan)
{
    const Zone *zone;
    TRY(zone_of(fold, plan, &zone));
    if (fold->zone == NULL)
        fold->made.calendar = calendar_begin(fold->arena, &plan->period, zone, fold->at);
    else if (zone != fold->zone)
        calendar_change_zone(fold->arena, &fold->made.calendar, fold->at, zone);
    calendar_change_rule(fold->arena, &fold->made.calendar, fold->at, &plan->period);
    fold->zone = zone;
    return NULL;
}

// A phase of the plan comes before the subscription's overrides, one of its own after them.
static Err *phase_turn(Fold *fold, const SubscriptionPhase *phase, Term *term)
{
    Str overrides = term->patches[1];
    if (phase->plan_version != 0)
        term->version = phase->plan_version;
    term->patches[0] = fold->own_phases ? overrides : phase->overrides;
    term->patches[1] = fold->own_phases ? phase->overrides : overrides;
    TRY(plan_get(fold, term));
    return calendar_turn(fold, term->plan);
}

// The term that begins at the instant reached. Phases count in periods, so the calendar turns
// first.
static Err *term_of(Fold *fold, Term *term)
{
    const SubscriptionTerms *stretch = &fold->stretches[fold->stretch];
    *term = (Term){ .span = { fold->at, fold->made.active.end },
                    .plan_id = stretch->plan,
                    .version = stretch->plan_version,
                    .patches = { STR_NONE, stretch->overrides },
                    .since = since_of(fold, stretch->plan) };
    TRY(plan_get(fold, term));
    phases_take(fold, term->plan);
    TRY(calendar_turn(fold, term->plan));
    const SubscriptionPhase *phase = phase_find(fold, term->since);
    return phase == NULL ? NULL : phase_turn(fold, phase, term);
}

static void term_add(Fold *fold, const Term *term)
{
    if (fold->made.term_count > 0) {
        Term *last = &fold->terms[fold->made.term_count - 1];
        if (same_document(last, term))
            return;
        last->span.end = term->span.start;
    }
    if (fold->made.term_count == fold->term_room) {
        size_t room = 2 * fold->term_room + 4;
        Term  *terms = arena_array(fold->arena, Term, room);
        for (size_t i = 0; i < fold->made.term_count; i++)
            terms[i] = fold->terms[i];
        fold->terms = terms;
        fold->term_room = room;
    }
    fold->terms[fold->made.term_count++] = *term;
}

// The next instant at which something else may count, or the end.
static Instant instant_next(const Fold *fold)
{
    Instant next = zone_change_next(fold);
    Instant stretch_end = fold->stretch + 1 < fold->stretch_count
                              ? fold->stretches[fold->stretch + 1].start
                              : fold->made.active.end;
    if (fold->phase_end.us < next.us)
        next = fold->phase_end;
    return next.us < stretch_end.us ? next : stretch_end;
}

static void instant_reach(Fold *fold, Instant at)
{
    fold->at = at;
    while (zone_change_next(fold).us <= at.us)
        fold->zone_next++;
    while (fold->stretch + 1 < fold->stretch_count &&
           fold->stretches[fold->stretch + 1].start.us <= at.us)
        fold->stretch++;
}

static Err *terms_fold(Fold *fold)
{
    Span    active = fold->made.active;
    Instant at = active.start;
    fold->zone_next = 1;
    while (at.us < active.end.us) {
        Term term;
        instant_reach(fold, at);
        TRY(term_of(fold, &term));
        term_add(fold, &term);
        at = instant_next(fold);
    }
    fold->made.terms = fold->terms;
    return NULL;
}

Err *timeline_fold(Arena *arena, const TimelineFacts *facts, Timeline *timeline)
{
    Fold               fold = { .arena = arena, .facts = facts, .known = facts->history };
    SubscriptionTerms *stretches;
    assert_that(facts->zone_count > 0);
    fold.known.count = subscription_known(&facts->history, facts->known_at);
    fold.stretch_count = subscription_terms(arena, &fold.known, &stretches);
    fold.stretches = stretches;
    fold.made.subscription = fold.known.first;
    fold.made.usage_filter = usage_filter_of(arena, fold.known.first->usage_filter);
    active_fold(&fold);
    TRY(quantities_fold(&fold));
    pauses_fold(&fold);
    TRY(terms_fold(&fold));
    *timeline = fold.made;
    return NULL;
}

bool timeline_active(const Timeline *timeline, Instant at)
{
    return timeline->active.start.us <= at.us && at.us < timeline->active.end.us;
}

Period timeline_period(const Timeline *timeline, Instant at)
{
    assert_that(timeline_active(timeline, at));
    Period period = calendar_period_at(&timeline->calendar, at);
    if (timeline->active.end.us < period.service.end.us)
        period.service.end = timeline->active.end;
    return period;
}
