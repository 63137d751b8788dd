// SPDX-License-Identifier: Apache-2.0
// What an invoice is made of: for each subscription the first instant behind its last invoice at
// which bills and books differ, then those of the earliest instant together.
#include "flow/invoice/late_inside.h"

#include "base/assert.h"
#include "flow/invoice/issue_noted.h"
#include "flow/invoice/issue_threshold.h"
#include "flow/invoice/issue_waiting.h"
#include "flow/ledger/credit.h"

// Instants without anything due, before a search ends.
enum { INSTANTS_MAX = 1000, PREVIEW_INSTANTS_MAX = 100 };

// ---- one subscription

typedef struct Next {
    IssueProgress        progress;
    const TimelineFacts *facts;
    Currency             currency;
    Instant              at;
    DueLines             lines;
    Late                 late;
    Instant              natural;  // periods before it are rated only because they are late
    Instant              from;     // nothing before it was rated
    bool                 is_over;  // no boundary comes any more: late usage alone
    bool                 is_by_log;  // its invoices are not in the books: the log tells them
} Next;

typedef struct Nexts {
    Next  *at;
    size_t count;
    LateNothing *nothing;
    size_t       nothing_count;
    bool   wants_notes;  // late usage is to be credited at once
} Nexts;

typedef struct ProgressRead {
    ProjectId     project;
    IssueProgress progress;
    LateQuery     query;
    Late          late;
} ProgressRead;

static Err *progress_work(DbTx *tx, void *context)
{
    ProgressRead *read = context;
    TRY(issue_progress_get(tx, read->project, read->progress.subscription, &read->progress));
    return read->progress.is_stored ? late_closed_of(tx, &read->query, &read->late) : NULL;
}

// What a subscription's next invoice is sought with.
typedef struct Search {
    const IssueQuery *query;
    Str               account, currency;
    UsageMoment      *moment;
    IssueAhead       *ahead;  // NULL: it is made for real
    const IssueKnown *known;  // NULL: nothing was read ahead
    Instant           until;  // of boundaries
    bool              of_thresholds;  // instead of boundaries
} Search;

// Its late usage goes on the next invoice.
static bool is_settled(const Next *next)
{
    return next->late.count > 0 && next->late.policy != LATE_REOPEN;
}

static Err *lines_at(Arena *arena, const Search *search, const DueQuery *rated, Next *next)
{
    const IssueQuery *query = search->query;
    Instant           before = { next->at.us - 1 };
    // A preview may ask for what is billed already: what was billed before it.
    bool         is_made = search->ahead != NULL && next->progress.until.us >= next->at.us;
    IssueBilled  wanted = { .project = query->project,
                            .subscription = next->progress.subscription,
                            .until = is_made ? before : next->at,
                            .ahead = search->ahead };
    DueSince since = { next->at, is_settled(next) ? next->late.since : INSTANT_END };
    DueLines billed;
    TRY(due_reach(arena, rated, next->at, &next->natural));
    wanted.from = next->natural;
    if (since.since.us < next->natural.us)
        TRY(due_reach_since(arena, rated, &since, &wanted.from));
    next->from = since.since = wanted.from;
    if (search->known != NULL)
        wanted.known = issue_known_lines(search->known, &wanted);
    TRY(issue_billed_lines(arena, query->books, &wanted, next->currency, &billed));
    TRY(due_lines_since(arena, rated, &since, &billed, &next->lines));
    NotedQuery noted = { query->books, query->project, next->progress.subscription,
                         next->currency };
    return issue_noted(arena, &noted, &next->lines);
}

// Whether the subscription was changed at the very instant of its last invoice: while the clock of
// a test project stands, also behind it. What is due with that is due at no later boundary.
static bool changed_since(const Search *search, const Next *next)
{
    const SubscriptionHistory *history = &next->facts->history;
    bool found = false;
    for (size_t i = 0; i < history->count; i++)
        found |= due_of_change(&history->changes[i]).us == next->progress.until.us;
    return found && catalog_project_get(search->query->catalog, search->query->project).has_clock;
}

// Usage, or the subscription, that changed behind its invoices, when no boundary comes any more.
static Err *over_find(Arena *arena, const Search *search, const DueQuery *rated, Next *next,
                      bool *found)
{
    bool is_asked = search->ahead == NULL && next->progress.is_stored &&
                    (is_settled(next) || changed_since(search, next));
    *found = false;
    if (!is_asked)
        return NULL;
    next->is_over = true;
    next->at = next->progress.until;
    TRY(lines_at(arena, search, rated, next));
    *found = next->lines.count > 0;
    return NULL;
}

// Where the search begins, and up to when it goes.
static Err *next_begin(Arena *arena, const Search *search, const DueQuery *rated, Next *next)
{
    Str          id = rated->facts->history.first->id;
    ProgressRead read = { search->query->project,
                          { .subscription = id },
                          { search->query, search->moment, search->account, id, rated->facts },
                          { .since = INSTANT_END } };
    if (search->known != NULL) {
        size_t place = issue_known_part(search->known, id);
        read.progress = search->known->parts[place];
        read.late = search->known->lates[place];
    } else {
        TRY(db_read(search->query->books, arena, progress_work, &read));
    }
    TRY(late_moved_of(arena, &read.query, &read.late));
    next->progress = read.progress;
    next->late = read.late;
    AheadPart part = { .until = read.progress.until };
    if (search->ahead != NULL)
        TRY(issue_ahead_part(arena, search->ahead, rated->facts, &read.progress, &part));
    next->is_by_log = part.is_by_log;
    next->at = part.until;
    next->lines = (DueLines){ 0 };
    return NULL;
}

// The first instant behind the subscription's last invoice at which it has lines. `found`: there is
// one up to now, or, in a preview, at all.
static Err *next_find(Arena *arena, const Search *search, const DueQuery *rated, Next *next,
                      bool *found)
{
    int most = search->ahead == NULL ? INSTANTS_MAX : PREVIEW_INSTANTS_MAX;
    *found = true;
    for (int tries = 0; tries < most && next->lines.count == 0; tries++) {
        TRY(due_next(arena, rated->facts, next->at, &next->at, found));
        if (!*found)
            return over_find(arena, search, rated, next, found);
        *found = next->at.us <= search->until.us;
        if (!*found)
            return NULL;
        TRY(next->is_by_log ? due_now(arena, rated, next->at, &next->lines)
                            : lines_at(arena, search, rated, next));
    }
    *found = next->lines.count > 0;
    return NULL;
}

// What of the running period has reached its threshold, now.
static Err *threshold_find(Arena *arena, const Search *search, const DueQuery *rated,
                           Next *next, bool *found)
{
    next->at = search->query->now;
    next->late.count = 0;
    next->late.since = INSTANT_END;
    TRY(issue_threshold(arena, search->query->books, rated, &next->lines, &next->natural));
    next->from = next->natural;
    *found = next->lines.count > 0 && next->progress.until.us < next->at.us;
    return NULL;
}

// ---- all of an account

// Something fell, or rose, that was not looked at yet.
static bool wants_notes(const Late *late)
{
    bool is_fresh = false;
    for (size_t i = 0; i < late->count; i++)
        is_fresh |= late->at[i].moved.newest > late->at[i].closed.looked_at;
    return is_fresh && late->policy == LATE_CREDIT_NOTE;
}

static void nothing_add(Arena *arena, Nexts *nexts, const Next *next)
{
    LateNothing *more = arena_array(arena, LateNothing, nexts->nothing_count + 1);
    for (size_t i = 0; i < nexts->nothing_count; i++)
        more[i] = nexts->nothing[i];
    more[nexts->nothing_count++] = (LateNothing){ next->progress, next->late.at, next->late.count };
    nexts->nothing = more;
}

static Err *row_search(Arena *arena, const Search *search, const SubscriptionHistory *row,
                       Nexts *nexts)
{
    const IssueQuery *query = search->query;
    TimelineFacts    *facts = arena_new(arena, TimelineFacts);
    DueQuery          rated = { query->catalog, search->moment, query->project, facts };
    Next              next = { .facts = facts };
    bool              found;
    if (search->known != NULL)
        *facts = timeline_facts_in(query->catalog, query->project, search->known->file,
                                   (size_t)(row - search->known->file->histories.at));
    else
        TRY(timeline_facts_of(arena, query->catalog, query->project, row, facts));
    const TimelineFacts *instead = search->ahead == NULL ? NULL : search->ahead->instead;
    if (instead != NULL && str_equal(row->first->id, instead->history.first->id))
        *facts = *instead;
    facts->known_at = query->now;
    TRY(due_currency(arena, facts, &next.currency));
    if (search->currency.at != NULL &&
        !str_equal(search->currency, currency_code(&next.currency)))
        return NULL;
    TRY(next_begin(arena, search, &rated, &next));
    TRY(search->of_thresholds ? threshold_find(arena, search, &rated, &next, &found)
                              : next_find(arena, search, &rated, &next, &found));
    nexts->wants_notes |= wants_notes(&next.late);
    if (found)
        nexts->at[nexts->count++] = next;
    else if (next.is_over && is_settled(&next))
        nothing_add(arena, nexts, &next);
    return NULL;
}

static Err *nexts_find(Arena *arena, const Search *search, Nexts *nexts)
{
    const IssueQuery *query = search->query;
    AccountHistories  rows;
    if (search->known != NULL)
        rows = search->known->file->histories;
    else
        TRY(catalog_account_histories(query->catalog, arena, query->project, search->account,
                                      &rows));
    nexts->at = arena_array(arena, Next, rows.count);
    for (size_t i = 0; i < rows.count; i++)
        TRY(row_search(arena, search, &rows.at[i], nexts));
    return NULL;
}

// ---- lines of the invoice

static const Term *term_of(const Timeline *timeline, Instant at)
{
    size_t i = 0;
    while (i + 1 < timeline->term_count && timeline->terms[i].span.end.us <= at.us)
        i++;
    return timeline->term_count == 0 ? NULL : &timeline->terms[i];
}

static Texts meters_of(Arena *arena, const Charge *charge)
{
    Texts meters = { 0 };
    if (charge == NULL || charge_meter_count(charge) == 0)
        return meters;
    Str *names = arena_array(arena, Str, charge_meter_count(charge));
    for (; meters.count < charge_meter_count(charge); meters.count++)
        names[meters.count] = charge_meter(charge, meters.count);
    meters.at = names;
    return meters;
}

// STR_NONE: what ended before it began has no periods.
static Str zone_at(const Calendar *calendar, Instant at)
{
    return calendar->count == 0 ? STR_NONE : zone_name(calendar_era_at(calendar, at)->zone);
}

static IssueLine line_of(Arena *arena, const Next *next, const Timeline *timeline,
                         const Line *line)
{
    const Term   *term = term_of(timeline, line->period.start);
    const Charge *charge = line->charge;
    Str           plan = term == NULL ? next->facts->history.first->plan : term->plan_id;
    // A charge of the books, whose line is gone, is looked up again in the plan.
    if (charge != NULL && term != NULL && plan_charge(term->plan, charge->id) != NULL)
        charge = plan_charge(term->plan, charge->id);
    IssueLine made = { .subscription = next->progress.subscription,
                       .service = line->period,
                       .time_zone = zone_at(&timeline->calendar, line->period.start),
                       .description = line->description,
                       .amount = line->amount,
                       .discount = line->discount,
                       .line = line };
    made.category = charge != NULL ? charge->tax_category : STR_NONE;
    if (made.category.at == NULL && term != NULL)
        made.category = term->plan->tax_category;
    made.charge = charge == NULL ? STR_NONE : charge->id;
    made.sku = charge == NULL ? STR_NONE : charge->sku;
    made.metadata = charge == NULL ? STR_NONE : charge->metadata;
    made.meters = meters_of(arena, charge);
    Str name = charge == NULL ? str_of(line_kind_name(line->kind)) : charge->id;
    made.revenue = str_print(arena, "%.*s/%.*s", STR_ARG(plan), STR_ARG(name));
    if (made.revenue.length > LEDGER_OWNER_BYTES)  // two ids of 128 bytes
        made.revenue = plan;
    if (charge != NULL && charge->revenue_account.at != NULL)
        made.revenue = charge->revenue_account;
    made.in_advance = charge != NULL && charge->timing == TIMING_ADVANCE;
    return made;
}

IssueLine issue_line_of(Arena *arena, const TimelineFacts *facts, const Timeline *timeline,
                        const Line *line)
{
    Next next = { .facts = facts, .progress.subscription = facts->history.first->id };
    return line_of(arena, &next, timeline, line);
}

typedef struct GrantsRead {
    CreditWallet      wallet;
    CreditGrants      grants;
    const IssueAhead *ahead;
} GrantsRead;

static Err *grants_work(DbTx *tx, void *context)
{
    GrantsRead *read = context;
    return issue_ahead_grants(tx, read->ahead, &read->wallet, &read->grants);
}

// What each line came to where a grant begins or ends within it, while usage is at hand. Usage that
// is not due at the boundary has no part in it, whenever the invoice is made.
static Err *tables_fill(Arena *arena, const Search *search, const Timeline *timeline,
                        const GrantsRead *read, IssueDraft *draft)
{
    const IssueQuery *query = search->query;
    PeriodQuery       rated = { .catalog = query->catalog,
                                .moment = search->moment,
                                .project = query->project,
                                .timeline = timeline,
                                .at = draft->boundary,
                                .lines = search->of_thresholds ? LINES_ALL : LINES_DUE };
    PeriodSoFar      *so_far = NULL;
    Period            period = { 0 };
    for (size_t i = 0; i < draft->count; i++) {
        IssueLine *line = &draft->lines[i];
        bool is_here = str_equal(line->subscription, timeline->subscription->id);
        if (!is_here || !timeline_active(timeline, line->service.start))
            continue;
        Period own = timeline_period(timeline, line->service.start);
        if (so_far == NULL || own.service.start.us != period.service.start.us)
            so_far = period_so_far(arena, &rated, &own);
        period = own;
        TRY(bill_draw_table(arena, so_far, line->line, read->grants, &line->until));
    }
    return NULL;
}

// What the books know of a period. One that ended before what was looked at may have a row.
static ClosedPeriod closed_of(const Next *next, Span span)
{
    ClosedPeriod closed = { .subscription = next->progress.subscription,
                            .span = span,
                            .row = CLOSED_IS_NEW };
    if (next->progress.is_stored && span.end.us <= next->late.horizon.us)
        closed.row = CLOSED_MAY_BE;
    for (size_t i = 0; i < next->late.closed_count; i++)
        if (next->late.closed[i].span.start.us == span.start.us)
            closed.row = CLOSED_IS_STORED;
    return closed;
}

// Periods that end with the invoice, or were billed behind by none: their usage is in the books
// from now on. Of a start long ago only the newest are noted.
enum { CLOSES_SPAN_DAYS = 400 };

static void closes_add(Arena *arena, const Search *search, const Next *next,
                       const Timeline *timeline, IssueDraft *draft)
{
    Instant known = { search->query->now.us - CLOSES_SPAN_DAYS * INSTANT_DAY_US };
    Instant at = next->progress.is_stored ? next->progress.until : timeline->active.start;
    if (at.us > next->natural.us)
        at = next->natural;
    if (at.us < known.us)
        at = known;
    if (at.us < timeline->active.start.us)
        at = timeline->active.start;
    while (timeline_active(timeline, at) && !next->is_over) {
        Period period = timeline_period(timeline, at);
        if (period.service.end.us > next->at.us)
            return;
        ClosedPeriod closed = closed_of(next, period.service);
        late_closed_add(arena, draft->late, &closed);
        at = period.service.end;
    }
}

// What is late is settled by the invoice, unless it is rated anyway.
static void moved_add(Arena *arena, const Next *next, IssueDraft *draft)
{
    for (size_t i = 0; is_settled(next) && i < next->late.count; i++) {
        const LatePeriod *period = &next->late.at[i];
        if (!next->is_over && period->closed.span.start.us >= next->natural.us)
            continue;
        late_moved_add(arena, draft->late, period);
        late_closed_add(arena, draft->late, &period->closed);
    }
}

static Err *late_add(Arena *arena, const Search *search, const Next *next,
                     const Timeline *timeline, IssueDraft *draft)
{
    Instant     late = next->is_over ? INSTANT_END : next->natural;
    LateOrigins origins = { search->query->project, search->query->books,
                            next->progress.subscription,
                            is_settled(next) ? late : INSTANT_FIRST, &next->late };
    size_t      count = next->lines.count;
    closes_add(arena, search, next, timeline, draft);
    moved_add(arena, next, draft);
    return late_origins(arena, &origins, &draft->lines[draft->count - count], count);
}

static Err *part_add(Arena *arena, const Search *search, const Next *next, IssueDraft *draft)
{
    Timeline   timeline;
    GrantsRead read = {
        { search->query->project, search->account, draft->currency }, { 0 }, search->ahead
    };
    TRY(due_timeline(arena, next->facts, next->at, &timeline));
    for (size_t i = 0; i < next->lines.count; i++)
        draft->lines[draft->count++] = line_of(arena, next, &timeline, &next->lines.at[i]);
    TRY(late_add(arena, search, next, &timeline, draft));
    if (search->known == NULL || search->known->has_grants)
        TRY(db_read(search->query->books, arena, grants_work, &read));
    TRY(tables_fill(arena, search, &timeline, &read, draft));
    draft->parts[draft->part_count++] = next->progress;
    return NULL;
}

// What has no boundary of its own any more goes with what has one, of its currency.
static bool is_of(const Next *next, const Next *first)
{
    return (next->at.us == first->at.us || next->is_over) &&
           currency_equal(next->currency, first->currency);
}

// The earliest; without any boundary the last of those that are over, so that no subscription is
// billed up to less than it was.
static const Next *next_first(const Nexts *nexts)
{
    const Next *first = NULL;
    for (size_t i = 0; i < nexts->count; i++) {
        const Next *next = &nexts->at[i];
        if (first == NULL || (first->is_over && !next->is_over) ||
            (!first->is_over && !next->is_over && next->at.us < first->at.us) ||
            (first->is_over && currency_equal(next->currency, first->currency) &&
             next->at.us > first->at.us))
            first = next;
    }
    return first;
}

static Err *draft_fill(Arena *arena, const Search *search, const Nexts *nexts,
                       IssueDraft *draft)
{
    const Next *first = next_first(nexts);
    size_t      count = 0;
    for (size_t i = 0; i < nexts->count; i++)
        count += is_of(&nexts->at[i], first) ? nexts->at[i].lines.count : 0;
    draft->lines = arena_array(arena, IssueLine, count);
    draft->parts = arena_array(arena, IssueProgress, nexts->count);
    draft->currency = first->currency;
    draft->boundary = first->at;
    for (size_t i = 0; i < nexts->count; i++)
        if (is_of(&nexts->at[i], first))
            TRY(part_add(arena, search, &nexts->at[i], draft));
    return NULL;
}

// Whether the account has nothing more up to there once the draft is an invoice.
static Err *last_find(Arena *arena, const Search *search, const Nexts *nexts, IssueDraft *draft)
{
    bool is_last = !nexts->wants_notes;
    for (size_t i = 0; i < nexts->count && is_last; i++) {
        const Next *next = &nexts->at[i];
        Instant     after;
        bool        found;
        TRY(due_next(arena, next->facts, next->at, &after, &found));
        is_last = next->at.us == draft->boundary.us &&
                  currency_equal(next->currency, draft->currency) &&
                  !(found && after.us <= search->until.us);
    }
    draft->is_last = is_last;
    return NULL;
}

static Err *draft_begin(Arena *arena, const IssueQuery *query, const IssueWanted *wanted,
                        IssueDraft *draft)
{
    Account *row;
    if (wanted->known != NULL)
        row = wanted->known->file->account;
    else
        TRY(catalog_account_get(query->catalog, arena, query->project, wanted->account, &row));
    *draft = (IssueDraft){ .query = query,
                           .kind = INVOICE_BILLING,
                           .account = wanted->account,
                           .buyer = row->billing,
                           .buyer_name = row->name,
                           .time_zone = row->time_zone,
                           .usual_currency = row->currency,
                           .ahead = wanted->ahead,
                           .late = arena_new(arena, IssueLate) };
    *draft->late = (IssueLate){ 0 };
    return NULL;
}

// Of the moment of what is ahead; what is made for real has one of its own.
static Search search_of(const IssueQuery *query, const IssueWanted *wanted)
{
    IssueAhead *ahead = wanted->ahead;
    Search      search = { .query = query,
                           .account = wanted->account,
                           .currency = wanted->currency,
                           .moment = ahead == NULL ? NULL : ahead->moment,
                           .ahead = ahead,
                           .known = wanted->known,
                           .until = ahead == NULL ? query->now : INSTANT_END };
    if (wanted->has_until && wanted->until.us < search.until.us)
        search.until = wanted->until;
    return search;
}

// Charges whose month has ended, while nothing of a subscription is due. The draft has no line of
// its own: whatever is finalized takes what waits.
static Err *waiting_fill(Arena *arena, const Search *search, IssueDraft *draft, bool *found)
{
    WaitingQuery   wanted = { search->query, search->account, search->currency, draft->time_zone };
    WaitingCharges waiting;
    TRY(issue_waiting(arena, &wanted, &waiting, found));
    *found = *found && waiting.due.us <= search->until.us;
    if (!*found)
        return NULL;
    draft->currency = waiting.currency;
    draft->boundary = waiting.due;
    return NULL;
}

Err *issue_rate(Arena *arena, const IssueQuery *query, const IssueWanted *wanted,
                IssueDraft *draft, bool *found)
{
    Search search = search_of(query, wanted);
    Nexts  nexts = { 0 };
    TRY(draft_begin(arena, query, wanted, draft));
    if (wanted->ahead == NULL)
        TRY(usage_moment_open(query->partition, arena, SEQUENCE_NEWEST, &search.moment));
    Err *err = nexts_find(arena, &search, &nexts);
    search.of_thresholds = wanted->with_thresholds && nexts.count == 0;
    if (err == NULL && search.of_thresholds)
        err = nexts_find(arena, &search, &nexts);
    if (err == NULL && nexts.count > 0)
        err = draft_fill(arena, &search, &nexts, draft);
    if (err == NULL && wanted->has_until && nexts.count > 0)
        err = last_find(arena, &search, &nexts, draft);
    draft->late->sequence = usage_moment_sequence(search.moment);
    draft->late->wants_notes = nexts.wants_notes;
    draft->late->nothing = nexts.nothing;
    draft->late->nothing_count = nexts.nothing_count;
    if (err == NULL)
        draft->sequence = usage_sequence_print(arena, draft->late->sequence);
    if (wanted->ahead == NULL)
        usage_moment_close(search.moment);
    *found = nexts.count > 0;
    if (err == NULL && !*found && wanted->ahead == NULL)
        return waiting_fill(arena, &search, draft, found);
    return err;
}

Err *issue_rate_at(Arena *arena, const IssueQuery *query, const IssueWanted *wanted, Instant at,
                   IssueDraft *draft)
{
    const TimelineFacts *facts = wanted->ahead->instead;
    DueQuery             rated = { query->catalog, wanted->ahead->moment, query->project, facts };
    Next                 next = { .progress = { .subscription = facts->history.first->id },
                                  .facts = facts,
                                  .at = at };
    Nexts                nexts = { .at = &next, .count = 1 };
    Search               search = search_of(query, wanted);
    TRY(draft_begin(arena, query, wanted, draft));
    TRY(due_currency(arena, facts, &next.currency));
    TRY(due_now(arena, &rated, at, &next.lines));
    draft->sequence = usage_sequence_print(arena, usage_moment_sequence(search.moment));
    return draft_fill(arena, &search, &nexts, draft);
}

// ---- late usage by itself

typedef struct Drafts {
    IssueDraft *at;
    size_t      count;
} Drafts;

static Err *closed_rate(Arena *arena, const Search *search, const SubscriptionHistory *row,
                        IssueDraft *draft, bool *found)
{
    const IssueQuery *query = search->query;
    TimelineFacts    *facts = arena_new(arena, TimelineFacts);
    DueQuery          rated = { query->catalog, search->moment, query->project, facts };
    Next              next = { .facts = facts };
    TRY(timeline_facts_of(arena, query->catalog, query->project, row, facts));
    facts->known_at = query->now;
    TRY(due_currency(arena, facts, &next.currency));
    TRY(next_begin(arena, search, &rated, &next));
    *found = wants_notes(&next.late);
    if (!*found)
        return NULL;
    TRY(over_find(arena, search, &rated, &next, found));
    IssueWanted wanted = { .account = search->account };
    TRY(draft_begin(arena, query, &wanted, draft));
    draft->late->sequence = usage_moment_sequence(search->moment);
    draft->late->wants_notes = *found = true;
    return draft_fill(arena, search, &(Nexts){ .at = &next, .count = 1 }, draft);
}

static Err *drafts_find(Arena *arena, const Search *search, Drafts *drafts)
{
    const IssueQuery *query = search->query;
    AccountHistories  rows;
    TRY(catalog_account_histories(query->catalog, arena, query->project, search->account, &rows));
    drafts->at = arena_array(arena, IssueDraft, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        bool found;
        TRY(closed_rate(arena, search, &rows.at[i], &drafts->at[drafts->count], &found));
        drafts->count += found;
    }
    return NULL;
}

Err *issue_rate_closed(Arena *arena, const IssueQuery *query, Str account, IssueDraft **drafts,
                       size_t *count)
{
    Search search = { .query = query, .account = account };
    Drafts found = { 0 };
    TRY(usage_moment_open(query->partition, arena, SEQUENCE_NEWEST, &search.moment));
    Err *err = drafts_find(arena, &search, &found);
    usage_moment_close(search.moment);
    *drafts = found.at;
    *count = found.count;
    return err;
}

Err *issue_rate_settled(Arena *arena, const IssueQuery *query, const IssueWanted *wanted,
                        IssueDraft *draft, bool *found)
{
    size_t      notes;
    IssueWanted anew = *wanted;
    anew.known = NULL;  // what was read ahead knows nothing of the notes
    TRY(issue_rate(arena, query, wanted, draft, found));
    if (draft->late->wants_notes) {
        TRY(late_settle(arena, query, wanted->account, &notes));
        TRY(issue_rate(arena, query, &anew, draft, found));
    }
    return late_nothing_settle(arena, query, draft->late);
}
