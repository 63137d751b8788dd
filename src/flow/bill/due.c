// SPDX-License-Identifier: Apache-2.0
// The state of a subscription's invoices after an instant is the due lines of its bills as they
// were known then; an invoice is the difference of two such states, at X and at the invoice before.
//   platform 100.00 in advance, upgraded on 16 June to 200.00:
//   before  platform June            100.00
//   at X    platform 1 to 16 June     50.00    billed 100.00   -> -50.00
//           platform 16 to 30 June   100.00                    -> 100.00
#include "flow/bill/due.h"

#include "base/assert.h"

static Instant earlier(Instant a, Instant b)
{
    return a.us < b.us ? a : b;
}

static Instant later(Instant a, Instant b)
{
    return a.us > b.us ? a : b;
}

// ---- what was known when

// Invoices that a start in the past missed are made with the subscription, before any change of it.
static Instant known_at(const TimelineFacts *facts, Instant at)
{
    Instant created = facts->history.first->created_at;
    if (created.us <= facts->known_at.us && at.us < created.us)
        return (Instant){ created.us - 1 };
    return earlier(at, facts->known_at);
}

Err *due_timeline(Arena *arena, const TimelineFacts *facts, Instant at, Timeline *timeline)
{
    TimelineFacts known = *facts;
    known.known_at = known_at(facts, at);
    return timeline_fold(arena, &known, timeline);
}

Instant due_of_change(const SubscriptionChange *change)
{
    return later(change->effective_at, change->recorded_at);
}

// ---- instants

static const Term *term_at(const Timeline *timeline, Instant at)
{
    size_t i = 0;
    while (i + 1 < timeline->term_count && timeline->terms[i].span.end.us <= at.us)
        i++;
    return &timeline->terms[i];
}

// The boundaries around an instant: the last at or before it, the first after it.
typedef struct Around {
    Instant last, next;
    bool    has_last, has_next;
} Around;

static void around_add(Around *around, Instant at, Instant boundary)
{
    if (boundary.us <= at.us) {
        around->last = around->has_last ? later(around->last, boundary) : boundary;
        around->has_last = true;
    } else if (boundary.us < INSTANT_END.us) {
        around->next = around->has_next ? earlier(around->next, boundary) : boundary;
        around->has_next = true;
    }
}

// Where the periods of the plan and of its charges begin and end.
static void calendar_add(const Timeline *timeline, Instant at, Around *around)
{
    Instant     inside = { timeline->active.end.us - 1 };
    const Term *term = term_at(timeline, earlier(at, inside));
    Period      period = timeline_period(timeline, earlier(at, inside));
    around_add(around, at, period.service.start);
    around_add(around, at, period.service.end);
    for (size_t i = 0; i < term->plan->charge_count; i++) {
        const Charge *charge = &term->plan->charges[i];
        if (charge->period.every == 0)
            continue;
        Period own =
            calendar_own_period_at(&timeline->calendar, charge->period, earlier(at, inside));
        around_add(around, at, later(own.service.start, timeline->active.start));
        around_add(around, at, earlier(own.service.end, timeline->active.end));
    }
}

static Around boundaries_around(const Timeline *timeline, Instant at)
{
    Around around = { 0 };
    Span   active = timeline->active;
    if (active.start.us >= active.end.us)
        return around;
    if (at.us < active.start.us)
        around_add(&around, at, active.start);
    else
        calendar_add(timeline, at, &around);
    return around;
}

// Where a charge's service is cut within a period: by a term, by the end of a trial.
static void cuts_add(const Timeline *timeline, Instant at, Around *around)
{
    for (size_t i = 0; i < timeline->term_count; i++) {
        const Term *term = &timeline->terms[i];
        around_add(around, at, term->span.start);
        if (term->plan->trial.days == 0)
            continue;
        const Zone *zone = calendar_era_at(&timeline->calendar, term->since)->zone;
        Instant     end = price_trial_end(term->plan, term->since, zone);
        if (term->span.start.us < end.us && end.us < term->span.end.us)
            around_add(around, at, end);
    }
}

static Around instants_around(const TimelineFacts *facts, const Timeline *timeline, Instant at)
{
    Around around = boundaries_around(timeline, at);
    cuts_add(timeline, at, &around);
    for (size_t i = 0; i < facts->history.count; i++)
        if (facts->history.changes[i].recorded_at.us <= facts->known_at.us)
            around_add(&around, at, due_of_change(&facts->history.changes[i]));
    return around;
}

Err *due_next(Arena *arena, const TimelineFacts *facts, Instant after, Instant *at, bool *found)
{
    Timeline timeline;
    TRY(timeline_fold(arena, facts, &timeline));
    Around around = instants_around(facts, &timeline, after);
    *at = around.next;
    *found = around.has_next;
    return NULL;
}

// The last invoice before X. What was known changes with every entry of the log, so the search goes
// back from entry to entry: between two of them one timeline tells the instants.
static Err *invoice_last(Arena *arena, const TimelineFacts *facts, Instant before, Instant *at,
                         bool *found)
{
    TimelineFacts known = *facts;
    Instant       end = before;
    size_t        entry = facts->history.count;
    AUTO(Arena) scratch = arena_open();
    *found = false;
    while (!*found) {
        Timeline timeline;
        while (entry > 0 && facts->history.changes[entry - 1].recorded_at.us >= end.us)
            entry--;
        Instant begin =
            entry > 0 ? facts->history.changes[entry - 1].recorded_at : INSTANT_FIRST;
        known.known_at = known_at(facts, (Instant){ end.us - 1 });
        arena_reset(scratch);
        Err *err = timeline_fold(scratch, &known, &timeline);
        if (err != NULL)
            return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
        Around around = instants_around(&known, &timeline, (Instant){ end.us - 1 });
        *found = around.has_last && around.last.us >= begin.us;
        *at = around.last;
        if (entry == 0)
            break;
        end = begin;
    }
    return NULL;
}

// Whether other terms than before may begin or end periods elsewhere.
static bool moves_boundaries(const SubscriptionChange *change)
{
    switch (change->kind) {
    case CHANGE_TERMS: return change->plan.at != NULL || change->has_overrides;
    case CHANGE_CANCEL:
    case CHANGE_MIGRATE:
    case CHANGE_END: return true;
    case CHANGE_PAUSE:
    case CHANGE_RESUME:
    case CHANGE_KINDS: break;
    }
    return false;
}

// The last boundary before an instant, as it was known when it came: found like the last invoice.
static Err *boundary_last(Arena *arena, const TimelineFacts *facts, Instant before, Instant *at,
                          bool *found)
{
    const SubscriptionChange *changes = facts->history.changes;
    TimelineFacts             known = *facts;
    Timeline                  timeline;
    Instant                   end = before;
    size_t                    entry = facts->history.count;
    bool                      is_stale = true;
    AUTO(Arena) scratch = arena_open();
    for (*found = false; !*found;) {
        for (; entry > 0 && changes[entry - 1].recorded_at.us >= end.us; entry--)
            is_stale |= moves_boundaries(&changes[entry - 1]);
        known.known_at = known_at(facts, (Instant){ end.us - 1 });
        if (is_stale)
            arena_reset(scratch);
        Err *err = is_stale ? timeline_fold(scratch, &known, &timeline) : NULL;
        if (err != NULL)
            return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
        is_stale = false;
        Instant begin = entry > 0 ? changes[entry - 1].recorded_at : INSTANT_FIRST;
        Around  around = boundaries_around(&timeline, (Instant){ end.us - 1 });
        *found = around.has_last && around.last.us >= begin.us;
        *at = around.last;
        if (entry == 0)
            break;
        end = begin;
    }
    return NULL;
}

// ---- the lines of an instant

// A state of the invoices: after the one at `at`, as known then.
typedef struct State {
    bool     is_any;  // false: before the first invoice
    Instant  at;
    Timeline timeline;
} State;

static Err *state_of(Arena *arena, const DueQuery *query, Instant at, State *state)
{
    *state = (State){ .is_any = true, .at = at };
    return due_timeline(arena, query->facts, at, &state->timeline);
}

static Err *state_before(Arena *arena, const DueQuery *query, Instant at, State *state)
{
    Instant last;
    bool    found;
    *state = (State){ 0 };
    TRY(invoice_last(arena, query->facts, at, &last, &found));
    return found ? state_of(arena, query, last, state) : NULL;
}

// Lines that grow: a start long ago has tens of thousands of periods.
static void lines_append(Arena *arena, DueLines *lines, size_t *room, const Bill *bill)
{
    if (lines->count + bill->count > *room) {
        *room = 2 * (lines->count + bill->count);
        Line *more = arena_array(arena, Line, *room);
        for (size_t i = 0; i < lines->count; i++)
            more[i] = lines->at[i];
        lines->at = more;
    }
    for (size_t i = 0; i < bill->count; i++)
        lines->at[lines->count++] = bill->lines[i];
}

// Periods and lines that one invoice may look at: 137 years of days with a line each.
enum { INVOICE_WORK = 100000 };

static Err *work_take(Arena *arena, size_t *work, size_t lines)
{
    if (*work <= lines)
        return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                      "the invoice would look at more than %d periods and lines", INVOICE_WORK);
    *work -= lines + 1;
    return NULL;
}

// The due lines of every period from the one that holds `from` on.
static Err *lines_due(Arena *arena, const DueQuery *query, const State *state, Instant from,
                      DueLines *lines)
{
    const Timeline *timeline = &state->timeline;
    PeriodQuery     rated = { .catalog = query->catalog,
                              .moment = query->moment,
                              .project = query->project,
                              .timeline = timeline,
                              .at = state->at,
                              .lines = LINES_DUE };
    Instant         at = later(from, timeline->active.start);
    size_t          room = 0, work = INVOICE_WORK;
    *lines = (DueLines){ 0 };
    while (at.us <= state->at.us && at.us < timeline->active.end.us) {
        Bill   bill;
        Period period = timeline_period(timeline, at);
        TRY(period_bill(arena, &rated, &period, &bill));
        TRY(work_take(arena, &work, bill.count));
        lines_append(arena, lines, &room, &bill);
        at = period.service.end;
    }
    return NULL;
}

// ---- charges whose increases wait for the next boundary

static bool charge_waits(const Charge *charge)
{
    return charge->timing == TIMING_ADVANCE && charge->on_increase == COUNTS_NEXT_INVOICE;
}

static bool terms_wait(const Timeline *timeline)
{
    for (size_t i = 0; i < timeline->term_count; i++)
        for (size_t k = 0; k < timeline->terms[i].plan->charge_count; k++)
            if (charge_waits(&timeline->terms[i].plan->charges[k]))
                return true;
    return false;
}

// Nothing waits after it: it is a boundary, or none will come.
static bool is_settled(const State *state)
{
    Around around = boundaries_around(&state->timeline, state->at);
    return !terms_wait(&state->timeline) || state->at.us >= state->timeline.active.end.us ||
           (around.has_last && around.last.us == state->at.us);
}

static bool is_of(const Line *line, Str charge)
{
    return line->charge != NULL && str_equal(line->charge->id, charge);
}

// What the lines of a charge come to. False: there is none.
static bool charge_sum(const DueLines *lines, Str charge, Int128 *sum)
{
    bool found = false;
    *sum = 0;
    for (size_t i = 0; i < lines->count; i++)
        if (is_of(&lines->at[i], charge)) {
            found = true;
            *sum += line_net(&lines->at[i]).minor;
        }
    return found;
}

// What comes to more than at the last boundary waits; what falls is credited at once.
static bool is_held(const Line *line, const DueLines *boundary, const DueLines *due)
{
    Int128 was, is;
    if (line->charge == NULL || !charge_waits(line->charge) ||
        !charge_sum(boundary, line->charge->id, &was))
        return false;
    charge_sum(due, line->charge->id, &is);
    return is > was;
}

static DueLines lines_hold(Arena *arena, const DueLines *boundary, const DueLines *due)
{
    DueLines held = { arena_array(arena, Line, due->count + boundary->count), 0 };
    for (size_t i = 0; i < due->count; i++)
        if (!is_held(&due->at[i], boundary, due))
            held.at[held.count++] = due->at[i];
    for (size_t i = 0; i < boundary->count; i++)
        if (is_held(&boundary->at[i], boundary, due))
            held.at[held.count++] = boundary->at[i];
    return held;
}

// The state that tells what waits in this one: that of the last boundary, or, when nothing waits,
// the state itself.
static Err *reference_of(Arena *arena, const DueQuery *query, const State *state,
                         State *reference)
{
    Instant last;
    bool    found;
    *reference = *state;
    if (!state->is_any || is_settled(state))
        return NULL;
    *reference = (State){ 0 };
    TRY(boundary_last(arena, query->facts, state->at, &last, &found));
    return found ? state_of(arena, query, last, reference) : NULL;
}

// What all invoices up to and with the state's contained.
static Err *lines_invoiced(Arena *arena, const DueQuery *query, const State *state,
                           Instant from, DueLines *lines)
{
    State    reference;
    DueLines boundary;
    *lines = (DueLines){ 0 };
    if (!state->is_any)
        return NULL;
    TRY(lines_due(arena, query, state, from, lines));
    TRY(reference_of(arena, query, state, &reference));
    if (!reference.is_any || reference.at.us == state->at.us)
        return NULL;
    TRY(lines_due(arena, query, &reference, from, &boundary));
    *lines = lines_hold(arena, &boundary, lines);
    return NULL;
}

// ---- which periods differ

// From a boundary of all calendars on, and whole terms of commitments.
static Instant boundary_of_all(Arena *arena, const Timeline *const *timelines, size_t count,
                               Instant from)
{
    Instant start = from;
    do {
        from = start;
        for (size_t i = 0; i < count; i++)
            start = earlier(start, period_bill_since(arena, timelines[i], from));
    } while (start.us < from.us);
    return start;
}

// The invoice at X and the one before it.
typedef struct Pair {
    State   now, before;
    Instant from;  // of the first period that may differ
} Pair;

// While the clock of a test project stands, a change may come behind the invoice of its instant. Of
// real time that instant is the change's own: its invoice knew it.
static bool is_news(const DueQuery *query, const SubscriptionChange *change, Instant known)
{
    if (change->recorded_at.us == known.us)
        return query->facts->has_clock;
    return change->recorded_at.us > known.us &&
           change->recorded_at.us <= query->facts->known_at.us;
}

// What is behind that state, and what changes that became known since then reach back to.
static Instant behind(const DueQuery *query, const State *state, Instant from)
{
    const SubscriptionHistory *history = &query->facts->history;
    Instant                    known = known_at(query->facts, state->at);
    from = earlier(from, state->at);
    for (size_t i = 0; i < history->count; i++) {
        const SubscriptionChange *change = &history->changes[i];
        Instant                   reach = change->effective_at;
        reach.us -= change->recorded_at.us == known.us;  // of an end: into the period that it ends
        if (is_news(query, change, known))
            from = earlier(from, reach);
    }
    return from;
}

// Nothing before the earliest of the states that lines are taken from, and of what became known
// since, can differ.
static Instant range_start(Arena *arena, const DueQuery *query, const Pair *pair,
                           const State *references)
{
    const Timeline *timelines[] = { &pair->now.timeline, &pair->before.timeline,
                                    &references[0].timeline, &references[1].timeline };
    size_t          count = sizeof timelines / sizeof *timelines;
    Instant         from = INSTANT_END;
    if (!pair->before.is_any || !references[0].is_any || !references[1].is_any)
        return pair->now.timeline.active.start;
    from = behind(query, &pair->before, from);
    from = behind(query, &references[0], from);
    from = behind(query, &references[1], from);
    for (size_t i = 1; i < count; i++)
        if (timelines[i]->active.end.us != timelines[0]->active.end.us)
            from = earlier(from, earlier(timelines[i]->active.end, timelines[0]->active.end));
    return boundary_of_all(arena, timelines, count, from);
}

static Err *pair_of(Arena *arena, const DueQuery *query, Instant at, Pair *pair)
{
    State references[2];
    TRY(state_of(arena, query, at, &pair->now));
    TRY(state_before(arena, query, at, &pair->before));
    TRY(reference_of(arena, query, &pair->now, &references[0]));
    TRY(reference_of(arena, query, &pair->before, &references[1]));
    pair->from = range_start(arena, query, pair, references);
    return NULL;
}

Err *due_currency(Arena *arena, const TimelineFacts *facts, Currency *currency)
{
    const Subscription *first = facts->history.first;
    PlanWanted          wanted = { .ref = { facts->project, first->plan, first->plan_version } };
    const Plan         *plan;
    TRY(facts->plans.plan(facts->plans.context, arena, &wanted, &plan));
    *currency = plan->currency;
    return NULL;
}

Err *due_earlier(Arena *arena, const DueQuery *query, Instant at, DueLines *lines)
{
    Pair pair;
    TRY(pair_of(arena, query, at, &pair));
    return lines_invoiced(arena, query, &pair.before, pair.from, lines);
}

Err *due_reach_since(Arena *arena, const DueQuery *query, const DueSince *wanted,
                     Instant *from)
{
    Pair            pair;
    const Timeline *timeline = &pair.now.timeline;
    TRY(pair_of(arena, query, wanted->at, &pair));
    *from = wanted->since.us < pair.from.us
                ? boundary_of_all(arena, &timeline, 1, wanted->since)
                : pair.from;
    return NULL;
}

Err *due_reach(Arena *arena, const DueQuery *query, Instant at, Instant *from)
{
    return due_reach_since(arena, query, &(DueSince){ at, INSTANT_END }, from);
}

// ---- the difference

static bool same_group(const Line *a, const Line *b)
{
    if (a->group == NULL || b->group == NULL)
        return a->group == b->group;
    return a->charge->group_count == b->charge->group_count &&
           group_values_compare(a->group, b->group, a->charge->group_count) == 0;
}

bool due_same_line(const Line *a, const Line *b)
{
    if (a->kind != b->kind || a->period.start.us != b->period.start.us ||
        (a->charge == NULL) != (b->charge == NULL))
        return false;
    return a->charge == NULL ||
           (str_equal(a->charge->id, b->charge->id) && same_group(a, b));
}

// Both bills are in much the same order: the line is sought from behind the one found last.
static Line *line_find(const DueLines *lines, const bool *taken, size_t *next,
                       const Line *wanted)
{
    for (size_t i = 0; i < lines->count; i++) {
        size_t place = *next + i < lines->count ? *next + i : *next + i - lines->count;
        if (taken[place] || !due_same_line(&lines->at[place], wanted))
            continue;
        *next = place + 1;
        return &lines->at[place];
    }
    return NULL;
}

// `line` less what was billed. Both are amounts of one period of one charge: what was billed is
// never more than fits.
static Err *line_less(Arena *arena, Line *line, const Line *billed)
{
    Step *step = steps_add(&line->steps, arena, STEP_BILLED);
    step_set(step, "billed", money_print(arena, billed->amount));
    if (billed->discount.minor != 0)
        step_set(step, "discount", money_print(arena, billed->discount));
    if (!money_subtract(line->amount, billed->amount, &line->amount) ||
        !money_subtract(line->discount, billed->discount, &line->discount) ||
        !money_subtract(line->tax, billed->tax, &line->tax))
        return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                      "a line and what was billed for it differ by more than 63 bits of minor "
                      "units");
    step_set(step, "amount", money_print(arena, line->amount));
    return NULL;
}

static bool is_nothing(const Line *line)
{
    return line->amount.minor == 0 && line->discount.minor == 0 && line->tax.minor == 0;
}

// A line that was billed and is not due any more.
static Line line_gone(const Line *billed)
{
    Line gone = *billed;
    Money zero = money_zero(billed->amount.currency);
    gone.steps = (Steps){ 0 };
    gone.exact = gone.usage = gone.quantity = rational_zero();
    gone.measured = false;
    gone.events = 0;
    gone.digest = (Digest){ 0 };
    gone.amount = gone.discount = gone.tax = zero;
    return gone;
}

Err *due_lines_above(Arena *arena, const DueLines *due, const DueLines *billed,
                     DueLines *lines)
{
    bool  *taken = arena_array(arena, bool, billed->count);
    size_t next = 0;
    *lines = (DueLines){ arena_array(arena, Line, due->count), 0 };
    for (size_t i = 0; i < due->count; i++) {
        Line  line = due->at[i];
        Line *before = line_find(billed, taken, &next, &line);
        if (before != NULL) {
            taken[before - billed->at] = true;
            TRY(line_less(arena, &line, before));
        }
        if (line.amount.minor > 0)
            lines->at[lines->count++] = line;
    }
    return NULL;
}

// Usage of a period that runs at `at` was billed before its end: the last invoice has the rest.
static bool is_ahead(const Line *billed, Instant at)
{
    return billed->kind == LINE_USAGE && billed->period.end.us > at.us;
}

static Err *lines_subtract(Arena *arena, const DueLines *due, const DueLines *billed,
                           Instant at, DueLines *rest)
{
    bool  *taken = arena_array(arena, bool, billed->count);
    size_t next = 0;
    *rest = (DueLines){ arena_array(arena, Line, due->count + billed->count), 0 };
    for (size_t i = 0; i < due->count; i++) {
        Line  line = due->at[i];
        Line *before = line_find(billed, taken, &next, &line);
        if (before != NULL) {
            taken[before - billed->at] = true;
            TRY(line_less(arena, &line, before));
            if (is_nothing(&line))
                continue;
        }
        rest->at[rest->count++] = line;
    }
    for (size_t i = 0; i < billed->count; i++) {
        Line line = line_gone(&billed->at[i]);
        if (taken[i] || is_nothing(&billed->at[i]) || is_ahead(&billed->at[i], at))
            continue;
        TRY(line_less(arena, &line, &billed->at[i]));
        rest->at[rest->count++] = line;
    }
    return NULL;
}

Err *due_lines_since(Arena *arena, const DueQuery *query, const DueSince *wanted,
                     const DueLines *invoiced, DueLines *lines)
{
    Pair     pair;
    DueLines due, billed = { arena_array(arena, Line, invoiced->count), 0 };
    TRY(pair_of(arena, query, wanted->at, &pair));
    pair.from = earlier(pair.from, wanted->since);
    TRY(lines_invoiced(arena, query, &pair.now, pair.from, &due));
    for (size_t i = 0; i < invoiced->count; i++)
        if (invoiced->at[i].period.start.us >= pair.from.us)
            billed.at[billed.count++] = invoiced->at[i];
    return lines_subtract(arena, &due, &billed, wanted->at, lines);
}

Err *due_lines(Arena *arena, const DueQuery *query, Instant at,
               const DueLines *invoiced, DueLines *lines)
{
    return due_lines_since(arena, query, &(DueSince){ at, INSTANT_END }, invoiced, lines);
}

Err *due_now(Arena *arena, const DueQuery *query, Instant at, DueLines *lines)
{
    DueLines invoiced;
    TRY(due_earlier(arena, query, at, &invoiced));
    return due_lines(arena, query, at, &invoiced, lines);
}
