// SPDX-License-Identifier: Apache-2.0
// Account by account: its subscriptions are folded into timelines once, then each of its events is
// held against the charges that were in force at its ts.
#include "flow/invoice/unbilled.h"

#include "flow/aggregate/cell.h"
#include "flow/invoice/late.h"
#include "flow/bill/timeline_read.h"

enum { CHUNK_EVENTS = 10000, METERS_PAGE = 1000, REFUSALS_MAX = 1000 };

const char *const unbilled_reason_names[] = { "no_subscription", "outside_subscription",
                                              "no_charge", "ignored", "beyond_horizon", NULL };

typedef struct Search {
    Arena               *arena;  // of the answer
    const UnbilledQuery *query;
    UsageMoment         *moment;
    Meter               *meters;  // of the project, by id
    size_t               meter_count;
    Unbilled            *found;
    size_t               events;  // looked at
} Search;

// One account: what lives in `arena` is gone with it.
typedef struct Looked {
    Arena    *arena;
    Str       id;
    Timeline *timelines;
    ClosedPeriod **closed;  // of each timeline: periods that are not billed again
    size_t   *closed_counts;
    size_t    count;
    bool      is_counted[UNBILLED_REASONS];
} Looked;

// ---- what a charge takes

static const Meter *meter_find(const Search *search, Str id)
{
    size_t low = 0, high = search->meter_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int    order = str_compare(search->meters[middle].id, id);
        if (order == 0)
            return &search->meters[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool charge_takes(const Charge *charge, Str properties)
{
    if (!cell_filter_holds(&charge->filter, properties))
        return false;
    for (size_t i = 0; i < charge->except_count; i++)
        if (cell_filter_holds(&charge->except[i], properties))
            return false;
    return true;
}

// How far the event comes with one charge.
static UnbilledReason charge_reason(const Search *search, const Charge *charge, const Event *event,
                                    bool *is_billed)
{
    UnbilledReason reason = UNBILLED_NO_CHARGE;
    for (size_t i = 0; i < charge_meter_count(charge); i++) {
        const Meter *meter = meter_find(search, charge_meter(charge, i));
        Measure      measure;
        if (meter == NULL || !str_equal(meter->event, event->event) ||
            !charge_takes(charge, event->properties) || !measure_of(meter, event, &measure))
            continue;
        *is_billed |= measure.counts;
        reason = UNBILLED_IGNORED;
    }
    return reason;
}

// ---- what a subscription takes

static bool is_free(const Timeline *timeline, Instant at)
{
    for (size_t i = 0; i < timeline->pause_count; i++) {
        const Pause *pause = &timeline->pauses[i];
        if (pause->usage_free && pause->span.start.us <= at.us && at.us < pause->span.end.us)
            return true;
    }
    return false;
}

static const Plan *plan_at(const Timeline *timeline, Instant at)
{
    size_t i = 0;
    while (timeline->terms[i].span.end.us <= at.us)
        i++;
    return timeline->terms[i].plan;
}

static UnbilledReason timeline_reason(const Search *search, const Timeline *timeline,
                                      const Event *event, bool *is_billed)
{
    UnbilledReason reason = UNBILLED_NO_CHARGE;
    if (!timeline_active(timeline, event->ts) || is_free(timeline, event->ts))
        return UNBILLED_OUTSIDE_SUBSCRIPTION;
    if (!cell_filter_holds(&timeline->usage_filter, event->properties))
        return reason;
    const Plan *plan = plan_at(timeline, event->ts);
    for (size_t i = 0; i < plan->charge_count && !*is_billed; i++)
        if (charge_reason(search, &plan->charges[i], event, is_billed) == UNBILLED_IGNORED)
            reason = UNBILLED_IGNORED;
    return reason;
}

// ---- telling

static void name_add(Arena *arena, UnbilledNames *names, Str name)
{
    for (size_t i = 0; i < names->count; i++)
        if (str_equal(names->at[i], name))
            return;
    if (names->count < UNBILLED_NAMES_MAX)
        names->at[names->count++] = str_copy(arena, name);
}

static void event_tell(const Search *search, Looked *account, UnbilledReason reason,
                       const Event *event)
{
    UnbilledRow *row = &search->found->rows[reason];
    row->events++;
    if (!account->is_counted[reason]) {
        account->is_counted[reason] = true;
        row->account_count++;
        name_add(search->arena, &row->accounts, account->id);
    }
    name_add(search->arena, &row->streams, event->event);
    if (row->example_count < UNBILLED_EXAMPLES_MAX)
        row->examples[row->example_count++] =
            (UnbilledExample){ .unique_id = str_copy(search->arena, event->unique_id),
                               .account = str_copy(search->arena, account->id),
                               .event = str_copy(search->arena, event->event),
                               .ts = event->ts };
}

// It came when its period was billed, too long ago for another bill.
static bool is_beyond(const Looked *account, size_t timeline, const UsageEvent *stored)
{
    for (size_t i = 0; i < account->closed_counts[timeline]; i++) {
        const ClosedPeriod *closed = &account->closed[timeline][i];
        if (closed->span.start.us <= stored->ts.us && stored->ts.us < closed->span.end.us)
            return stored->sequence > closed->sequence;
    }
    return false;
}

static void event_look(const Search *search, Looked *account, const UsageEvent *stored)
{
    Event event = { .unique_id = stored->unique_id,
                    .event = stored->event,
                    .account = stored->account,
                    .value = stored->value,
                    .ts = stored->ts,
                    .properties = stored->properties };
    UnbilledReason furthest = UNBILLED_NO_SUBSCRIPTION;
    bool           is_billed = stored->voided;  // taken away: nothing is missing
    for (size_t i = 0; i < account->count && !is_billed; i++) {
        UnbilledReason reason =
            timeline_reason(search, &account->timelines[i], &event, &is_billed);
        if (is_billed && is_beyond(account, i, stored)) {
            is_billed = false;
            reason = UNBILLED_BEYOND_HORIZON;
        }
        if (reason > furthest)
            furthest = reason;
    }
    if (!is_billed)
        event_tell(search, account, furthest, &event);
}

// ---- accounts

typedef struct ClosedRead {
    ClosedQuery     wanted;
    Instant         now;
    const Timeline *timelines;
    size_t          count;
    Looked         *account;
} ClosedRead;

// Periods that ended before the horizon, of each subscription.
static Err *closed_work(DbTx *tx, void *context)
{
    ClosedRead     *read = context;
    ProjectSettings settings;
    TRY(project_settings_get(tx, read->wanted.project, &settings));
    read->wanted.until =
        instant_within((Instant){ read->now.us - settings.recompute_horizon_us });
    for (size_t i = 0; i < read->count; i++) {
        read->wanted.subscription = read->timelines[i].subscription->id;
        TRY(late_closed(tx, &read->wanted, &read->account->closed[i],
                        &read->account->closed_counts[i]));
    }
    return NULL;
}

static Err *closed_read(const Search *search, Looked *account)
{
    ClosedRead read = { .wanted = { .project = search->query->project },
                        .now = search->query->now,
                        .timelines = account->timelines,
                        .count = account->count,
                        .account = account };
    account->closed = arena_array(account->arena, ClosedPeriod *, account->count);
    account->closed_counts = arena_array(account->arena, size_t, account->count);
    return db_read(search->query->books, account->arena, closed_work, &read);
}

static Err *timelines_read(const Search *search, Looked *account)
{
    const UnbilledQuery *query = search->query;
    AccountHistories     rows;
    TRY(catalog_account_histories(query->catalog, account->arena, query->project, account->id,
                                  &rows));
    account->timelines = arena_array(account->arena, Timeline, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        TimelineFacts facts;
        TRY(timeline_facts_of(account->arena, query->catalog, query->project, &rows.at[i], &facts));
        facts.known_at = query->now;
        TRY(timeline_fold(account->arena, &facts, &account->timelines[account->count++]));
    }
    return closed_read(search, account);
}

static Err *account_look(Search *search, Looked *account)
{
    const UnbilledQuery *query = search->query;
    UsageEventsQuery     wanted = { .project = query->project.id,
                                    .account = account->id,
                                    .from = query->from,
                                    .to = query->to,
                                    .limit = CHUNK_EVENTS };
    UsageEventList       list;
    size_t               looked = 0;
    do {
        TRY(usage_events(search->moment, account->arena, &wanted, &list));
        if (looked == 0 && list.count > 0)
            TRY(timelines_read(search, account));
        for (size_t i = 0; i < list.count; i++)
            event_look(search, account, &list.at[i]);
        looked += list.count;
        if (list.has_more) {
            wanted.has_after = true;
            wanted.after_ts = list.at[list.count - 1].ts;
            wanted.after_unique_id = list.at[list.count - 1].unique_id;
        }
    } while (list.has_more && looked < UNBILLED_ACCOUNT_EVENTS_MAX);
    if (list.has_more)
        name_add(search->arena, &search->found->unfinished, account->id);
    search->events += looked;
    return NULL;
}

static Err *accounts_look(Search *search)
{
    const UnbilledQuery *query = search->query;
    CatalogPage page = { .project = query->project, .after = query->after,
                         .limit = query->limit + 1 };  // one more tells whether there is more
    Account    *accounts;
    size_t      count, i = 0;
    TRY(catalog_accounts(query->catalog, search->arena, &page, &accounts, &count));
    for (; i < count && i < query->limit && search->events < UNBILLED_EVENTS_MAX; i++) {
        AUTO(Arena) arena = arena_open();
        Looked account = { .arena = arena, .id = accounts[i].id };
        Err     *err = account_look(search, &account);
        if (err != NULL)
            return refuse(search->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    }
    search->found->last = i > 0 ? accounts[i - 1].id : STR_NONE;
    search->found->has_more = i < count;
    return NULL;
}

// ---- what the partition and the catalog know

static Err *meters_read(Search *search)
{
    CatalogPage page = { .project = search->query->project, .limit = METERS_PAGE };
    do {
        Meter *rows;
        size_t count;
        TRY(catalog_meters(search->query->catalog, search->arena, &page, &rows, &count));
        Meter *all = arena_array(search->arena, Meter, search->meter_count + count);
        for (size_t i = 0; i < search->meter_count; i++)
            all[i] = search->meters[i];
        for (size_t i = 0; i < count; i++)
            all[search->meter_count + i] = rows[i];
        search->meters = all;
        search->meter_count += count;
        page.after = count < page.limit ? STR_NONE : rows[count - 1].id;
    } while (page.after.at != NULL);
    return NULL;
}

// What was refused is not stored: only the newest refusals are known, by their arrival.
static void refusals_look(const Search *search)
{
    const UnbilledQuery *query = search->query;
    UnbilledRow         *row = &search->found->rows[UNBILLED_BEYOND_HORIZON];
    Refusals             refusals =
        usage_refusals(query->partition, search->arena, query->project.id, REFUSALS_MAX);
    for (size_t i = 0; i < refusals.count; i++) {
        const Refusal *refusal = &refusals.at[i];
        if (refusal->code != ERR_TIMESTAMP_TOO_OLD || refusal->at.us < query->from.us ||
            refusal->at.us >= query->to.us)
            continue;
        row->events++;
        if (row->example_count < UNBILLED_EXAMPLES_MAX)
            row->examples[row->example_count++] =
                (UnbilledExample){ .unique_id = refusal->unique_id, .ts = refusal->at };
    }
}

Err *unbilled_find(Arena *arena, const UnbilledQuery *query, Unbilled *unbilled)
{
    Search search = { .arena = arena, .query = query, .found = unbilled };
    *unbilled = (Unbilled){ 0 };
    TRY(meters_read(&search));
    if (query->after.at == NULL)
        refusals_look(&search);
    TRY(usage_moment_open(query->partition, arena, SEQUENCE_NEWEST, &search.moment));
    Err *err = accounts_look(&search);
    usage_moment_close(search.moment);
    return err;
}
