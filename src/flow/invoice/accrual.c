// SPDX-License-Identifier: Apache-2.0
// Open bills are rated outside of the transaction, as if no usage came after the day. In it is seen
// how far subscriptions are billed, so that nothing is accrued that was invoiced meanwhile.
#include "flow/invoice/accrual.h"

#include "base/assert.h"
#include "flow/invoice/issue_inside.h"
#include "flow/bill/timeline_read.h"

// What the account's open bills come to at the end of a day.
typedef struct Accrual {
    Arena            *arena;
    const IssueQuery *query;
    const Account    *account;
    Instant           day;  // the midnight at its end
    const Zone       *zone;
    UsageMoment      *moment;
    IssueDraft       *drafts;  // one for each currency: lines of usage
    size_t            draft_count;
    bool              is_month;   // how far it is accrued is kept, whether or not anything is
    bool              has_items;  // something is accrued or deferred
    IssueProgress    *parts;      // subscriptions that were rated
    Instant          *opened;     // of each: the start of the first period that is not billed
    size_t            part_count;
} Accrual;

// ---- days

static Err *zone_of(Arena *arena, const IssueQuery *query, Str account, Instant at,
                    const Zone **zone)
{
    AccountZones zones;
    Str          name = STR_NONE;
    TRY(catalog_account_zones(query->catalog, arena, query->project, account, &zones));
    for (size_t i = 0; i < zones.count && zones.at[i].from.us <= at.us; i++)
        name = zones.at[i].zone;
    if (name.at == NULL)
        name = catalog_project_get(query->catalog, query->project).time_zone;
    *zone = zone_find(name);
    return *zone != NULL ? NULL : refuse(arena, ERR_STORE_FAILED, STR_NONE,
                                         "the stored time zone %.*s is not known", STR_ARG(name));
}

static Instant midnight(const Zone *zone, Instant at)
{
    return zone_midnight(zone, zone_local(zone, at).date);
}

// The first midnight of a month after `at`.
static Instant month_after(const Zone *zone, Instant at)
{
    return zone_midnight(zone, date_in_month(date_months(zone_local(zone, at).date) + 1, 1));
}

// ---- rating

static IssueDraft *draft_of(Accrual *accrual, Currency currency)
{
    for (size_t i = 0; i < accrual->draft_count; i++)
        if (currency_equal(accrual->drafts[i].currency, currency))
            return &accrual->drafts[i];
    IssueDraft *more = arena_array(accrual->arena, IssueDraft, accrual->draft_count + 1);
    for (size_t i = 0; i < accrual->draft_count; i++)
        more[i] = accrual->drafts[i];
    more[accrual->draft_count] = (IssueDraft){ .query = accrual->query,
                                               .kind = INVOICE_BILLING,
                                               .account = accrual->account->id,
                                               .currency = currency,
                                               .boundary = accrual->day,
                                               .buyer = accrual->account->billing,
                                               .buyer_name = accrual->account->name };
    accrual->drafts = more;
    return &more[accrual->draft_count++];
}

static void draft_add(Arena *arena, IssueDraft *draft, const IssueLine *line)
{
    if ((draft->count & (draft->count - 1)) == 0) {  // 1, 2, 4, … are full
        IssueLine *more = arena_array(arena, IssueLine, draft->count == 0 ? 1 : 2 * draft->count);
        for (size_t i = 0; i < draft->count; i++)
            more[i] = draft->lines[i];
        draft->lines = more;
    }
    draft->lines[draft->count++] = *line;
}

typedef struct Open {
    const TimelineFacts *facts;
    Timeline             timeline;
    IssueProgress        progress;
    IssueDraft          *draft;
} Open;

// A period of which something is not billed: its bill as if no usage came after the day. Of usage:
// what a meter counts is billed in arrears.
static Err *period_rate(Accrual *accrual, const Open *open, const Period *period)
{
    PeriodQuery query = { .catalog = accrual->query->catalog,
                          .moment = accrual->moment,
                          .project = accrual->query->project,
                          .timeline = &open->timeline,
                          .at = accrual->day,
                          .usage_until = accrual->day };
    Bill       *bill = arena_new(accrual->arena, Bill);
    TRY(period_bill(accrual->arena, &query, period, bill));
    for (size_t i = 0; i < bill->count; i++) {
        const Line *line = &bill->lines[i];
        if (line->kind != LINE_USAGE || line->period.start.us >= accrual->day.us ||
            line->period.end.us <= open->progress.until.us)
            continue;
        IssueLine made = issue_line_of(accrual->arena, open->facts, &open->timeline, line);
        draft_add(accrual->arena, open->draft, &made);
    }
    return NULL;
}

typedef struct ProgressRead {
    ProjectId     project;
    IssueProgress progress;
} ProgressRead;

static Err *items_work(DbTx *tx, void *context)
{
    Accrual     *accrual = context;
    RevenueItems items;
    TRY(revenue_items_read(tx, accrual->query->project, accrual->account->id, &items));
    accrual->has_items = items.count > 0;
    return NULL;
}

static Err *progress_work(DbTx *tx, void *context)
{
    ProgressRead *read = context;
    return issue_progress_get(tx, read->project, read->progress.subscription, &read->progress);
}

static Err *subscription_rate(Accrual *accrual, const SubscriptionHistory *history)
{
    const IssueQuery *query = accrual->query;
    Arena            *arena = accrual->arena;
    TimelineFacts    *facts = arena_new(arena, TimelineFacts);
    Open             *open = arena_new(arena, Open);
    ProgressRead      read = { query->project, { .subscription = history->first->id } };
    Currency          currency;
    TRY(timeline_facts_of(arena, query->catalog, query->project, history, facts));
    facts->known_at = query->now;
    TRY(timeline_fold(arena, facts, &open->timeline));
    TRY(due_currency(arena, facts, &currency));
    TRY(db_read(query->books, arena, progress_work, &read));
    open->facts = facts;
    open->progress = read.progress;
    open->draft = draft_of(accrual, currency);
    Instant from = open->timeline.active.start;
    if (from.us < read.progress.until.us)
        from = read.progress.until;
    accrual->parts[accrual->part_count] = read.progress;
    accrual->opened[accrual->part_count++] = from;
    while (from.us < accrual->day.us && timeline_active(&open->timeline, from)) {
        Period period = timeline_period(&open->timeline, from);
        if (from.us == accrual->opened[accrual->part_count - 1].us)
            accrual->opened[accrual->part_count - 1] = period.service.start;
        TRY(period_rate(accrual, open, &period));
        from = period.service.end;
    }
    return NULL;
}

// All of them, as of one moment.
static Err *subscriptions_rate(Accrual *accrual)
{
    const IssueQuery *query = accrual->query;
    AccountHistories  rows;
    TRY(catalog_account_histories(query->catalog, accrual->arena, query->project,
                                  accrual->account->id, &rows));
    accrual->parts = arena_array(accrual->arena, IssueProgress, rows.count);
    accrual->opened = arena_array(accrual->arena, Instant, rows.count);
    for (size_t i = 0; i < rows.count; i++)
        TRY(subscription_rate(accrual, &rows.at[i]));
    return NULL;
}

// ---- what should be accrued, in the transaction

static RevenueItem item_of(Arena *arena, const IssueDraft *draft, const IssueLine *line)
{
    RevenueKey key = { REVENUE_ACCRUED, line->subscription, line->line->kind, line->charge,
                       line->service.start };
    return (RevenueItem){ .item = revenue_item_name(arena, &key),
                          .side = REVENUE_ACCRUED,
                          .invoice = STR(""),
                          .subscription = line->subscription,
                          .currency = draft->currency,
                          .revenue = line->revenue,
                          .service = line->service };
}

static Err *draft_count(DbTx *tx, const IssueDraft *draft, RevenueItems *wanted)
{
    IssuePriced priced;
    TRY(issue_price_taxes(tx, draft, &priced));
    for (size_t i = 0; i < draft->count; i++) {
        RevenueItem  item = item_of(db_arena(tx), draft, &draft->lines[i]);
        RevenueItem *is = revenue_item_find(wanted, item.item);
        if (is == NULL)
            is = revenue_item_add(db_arena(tx), wanted, &item);
        is->amount += issue_line_earned(&priced, i);
    }
    return NULL;
}

// Less what invoices have of lines whose period is still open.
static Err *billed_subtract(DbTx *tx, const Accrual *accrual, size_t part, RevenueItems *wanted)
{
    IssueBilled   billed = { .project = accrual->query->project,
                             .subscription = accrual->parts[part].subscription,
                             .from = accrual->opened[part],
                             .until = INSTANT_END };
    IssueLineRow *rows;
    size_t        count;
    TRY(issue_lines_billed(tx, &billed, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        RevenueKey key;
        TRY(issue_revenue_key(db_arena(tx), &rows[i], REVENUE_ACCRUED, &key));
        RevenueItem *item = revenue_item_find(wanted, revenue_item_name(db_arena(tx), &key));
        if (item != NULL)
            item->amount -= rows[i].net;
    }
    return NULL;
}

static Err *wanted_count(DbTx *tx, const Accrual *accrual, RevenueItems *wanted)
{
    *wanted = (RevenueItems){ .account = accrual->account->id };
    for (size_t i = 0; i < accrual->draft_count; i++)
        TRY(draft_count(tx, &accrual->drafts[i], wanted));
    for (size_t i = 0; i < accrual->part_count && wanted->count > 0; i++)
        TRY(billed_subtract(tx, accrual, i, wanted));
    return NULL;
}

// ---- posting

typedef struct Booking {
    DbTx           *tx;
    const Accrual  *accrual;
    RevenueItems    items;
    RevenueItems    wanted;
    RevenueProgress progress;
    bool            has_posted;
} Booking;

// `wanted` is NULL: nothing of it is used any more.
static void accrued_set(Booking *booking, RevenueItem *item, const RevenueItem *wanted,
                        IssueLegs *legs)
{
    RevenueItem nothing = *item;
    nothing.amount = 0;
    if (wanted == NULL)
        wanted = &nothing;
    issue_leg_add(legs, LEDGER_UNBILLED, booking->items.account, wanted->amount - item->amount);
    issue_leg_add(legs, LEDGER_REVENUE, item->revenue, item->amount);
    issue_leg_add(legs, LEDGER_REVENUE, wanted->revenue, -wanted->amount);
    item->is_changed |= wanted->amount != item->amount ||
                        !str_equal(wanted->revenue, item->revenue) ||
                        wanted->service.end.us != item->service.end.us;
    item->amount = wanted->amount;
    item->revenue = wanted->revenue;
    item->service.end = wanted->service.end;
}

static void deferred_earn(Booking *booking, RevenueItem *item, IssueLegs *legs)
{
    int64_t earned = revenue_item_earned(item, booking->accrual->zone, booking->accrual->day);
    if (earned == item->earned)
        return;
    issue_leg_add(legs, LEDGER_DEFERRED, booking->items.account, earned - item->earned);
    issue_leg_add(legs, LEDGER_REVENUE, item->revenue, item->earned - earned);
    item->earned = earned;
    item->earned_until = booking->accrual->day;
    item->is_changed = true;
}

static bool is_nothing(const IssueLegs *legs)
{
    for (size_t i = 0; i < legs->count; i++)
        if (legs->at[i].amount != 0)
            return false;
    return true;
}

// One source for each time that something is posted: the account's posts are counted.
static Err *legs_post(Booking *booking, PostingRule rule, Currency currency, const IssueLegs *legs)
{
    const Accrual *accrual = booking->accrual;
    Arena         *arena = db_arena(booking->tx);
    Instant        effective = { accrual->day.us - 1 };
    bool           posted;
    if (is_nothing(legs))
        return NULL;
    Str        code = currency_code(&currency);
    LedgerPost post = { .project = accrual->query->project,
                        .rule = rule,
                        .source = str_print(arena, "%s:%.*s:%.*s:%lld", posting_name(rule),
                                            STR_ARG(booking->items.account), STR_ARG(code),
                                            (long long)booking->progress.posts + 1),
                        .currency = currency,
                        .at = accrual->query->now,
                        .effective_at = effective,
                        .account = booking->items.account,
                        .memo = date_print(arena, zone_local(accrual->zone, effective).date),
                        .legs = legs->at,
                        .count = legs->count };
    TRY(ledger_post(booking->tx, &post, &posted));
    assert_that(posted);  // the count was read in this transaction
    booking->has_posted = true;
    return NULL;
}

static Err *currency_post(Booking *booking, Currency currency)
{
    RevenueItems *items = &booking->items;
    LedgerLeg    *room = arena_array(db_arena(booking->tx), LedgerLeg, 3 * items->count + 2);
    IssueLegs     accrued = { room, 0 };
    IssueLegs     earned = { room + 2 * items->count + 1, 0 };
    for (size_t i = 0; i < items->count; i++) {
        RevenueItem *item = &items->at[i];
        if (!currency_equal(item->currency, currency))
            continue;
        if (item->side == REVENUE_ACCRUED)
            accrued_set(booking, item, revenue_item_find(&booking->wanted, item->item), &accrued);
        else
            deferred_earn(booking, item, &earned);
    }
    TRY(legs_post(booking, POSTING_ACCRUAL, currency, &accrued));
    return legs_post(booking, POSTING_EARNING, currency, &earned);
}

// Each currency once: where its first item stands.
static Err *items_post(Booking *booking)
{
    const RevenueItems *items = &booking->items;
    for (size_t i = 0; i < items->count; i++) {
        bool is_first = true;
        for (size_t k = 0; k < i; k++)
            is_first &= !currency_equal(items->at[k].currency, items->at[i].currency);
        if (is_first)
            TRY(currency_post(booking, items->at[i].currency));
    }
    return NULL;
}

static Err *progress_check(DbTx *tx, const Accrual *accrual)
{
    for (size_t i = 0; i < accrual->part_count; i++) {
        const IssueProgress *was = &accrual->parts[i];
        IssueProgress        is;
        TRY(issue_progress_get(tx, accrual->query->project, was->subscription, &is));
        if (is.until.us != was->until.us)
            return refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE,
                          "another request bills the subscription %.*s",
                          STR_ARG(was->subscription));
    }
    return NULL;
}

static Err *accrual_work(DbTx *tx, void *context)
{
    const Accrual *accrual = context;
    ProjectId      project = accrual->query->project;
    Booking        booking = { .tx = tx, .accrual = accrual };
    TRY(progress_check(tx, accrual));
    TRY(revenue_progress_get(tx, project, accrual->account->id, &booking.progress));
    if (booking.progress.until.us > accrual->day.us)
        return NULL;
    TRY(revenue_items_read(tx, project, accrual->account->id, &booking.items));
    TRY(wanted_count(tx, accrual, &booking.wanted));
    for (size_t i = 0; i < booking.wanted.count; i++)
        if (revenue_item_find(&booking.items, booking.wanted.at[i].item) == NULL)
            revenue_item_add(db_arena(tx), &booking.items, &booking.wanted.at[i]);
    TRY(items_post(&booking));
    TRY(revenue_items_write(tx, &booking.items));
    if (!booking.has_posted && booking.progress.until.us == accrual->day.us)
        return NULL;
    booking.progress.until = accrual->day;
    booking.progress.posts += booking.has_posted;
    return revenue_progress_set(tx, project, accrual->account->id, &booking.progress);
}

// ---- an account

static Err *day_do(Accrual *accrual)
{
    const IssueQuery *query = accrual->query;
    TRY(usage_moment_open(query->partition, accrual->arena, SEQUENCE_NEWEST, &accrual->moment));
    Err *err = subscriptions_rate(accrual);
    usage_moment_close(accrual->moment);
    if (err != NULL)
        return err;
    TRY(db_read(query->books, accrual->arena, items_work, accrual));
    for (size_t i = 0; i < accrual->draft_count; i++)
        accrual->has_items |= accrual->drafts[i].count > 0;
    if (!accrual->has_items && !accrual->is_month)
        return NULL;
    return db_write(query->books, accrual->arena,
                    (DbWrite){ .work = accrual_work, .context = accrual });
}

static Err *day_accrue(Arena *arena, const Accrual *of, Instant day)
{
    int  tries = 0;
    Err *err;
    do {
        AUTO(Arena) own = arena_open();
        Accrual     accrual = { .arena = own,
                                .query = of->query,
                                .account = of->account,
                                .day = day,
                                .zone = of->zone,
                                .is_month = of->is_month };
        err = day_do(&accrual);
        if (err != NULL)
            err = refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    } while (db_goes_again(err, &tries));
    return err;
}

typedef struct Begin {
    const Accrual  *accrual;
    RevenueProgress progress;
    Instant         open;  // behind the last month that is closed
} Begin;

static Err *begin_work(DbTx *tx, void *context)
{
    Begin    *begin = context;
    ProjectId project = begin->accrual->query->project;
    Str      *months;
    size_t    count;
    begin->open = INSTANT_FIRST;
    TRY(ledger_months_closed(tx, project, &months, &count));
    if (count > 0) {
        Str last = months[count - 1];
        Str start = str_print(db_arena(tx), "%.*s-01T00:00:00Z", STR_ARG(last));
        if (!instant_parse(start, &begin->open))
            return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                          "the stored month %.*s is none", STR_ARG(last));
        begin->open = month_after(zone_utc(), begin->open);
    }
    return revenue_progress_get(tx, project, begin->accrual->account->id, &begin->progress);
}

// Up to where it was accrued. Where it never was: from its first subscription on, but into no month
// that was closed before.
static Err *accrued_until(Arena *arena, const Accrual *accrual, Instant day, Instant *until)
{
    const IssueQuery *query = accrual->query;
    Begin             begin = { .accrual = accrual };
    AccountHistories  rows;
    TRY(db_read(query->books, arena, begin_work, &begin));
    *until = begin.progress.until;
    if (begin.progress.is_stored)
        return NULL;
    TRY(catalog_account_histories(query->catalog, arena, query->project, accrual->account->id,
                                  &rows));
    *until = day;
    for (size_t i = 0; i < rows.count; i++)
        if (rows.at[i].first->starts_at.us < until->us)
            *until = rows.at[i].first->starts_at;
    if (until->us < begin.open.us)
        *until = begin.open;
    return NULL;
}

Err *accrual_account(Arena *arena, const IssueQuery *query, const AccrualWanted *wanted)
{
    Account *row;
    Accrual  accrual = { .query = query };
    Instant  until;
    assert_that(wanted->until.us <= query->now.us);
    TRY(catalog_account_get(query->catalog, arena, query->project, wanted->account, &row));
    TRY(zone_of(arena, query, wanted->account, wanted->until, &accrual.zone));
    accrual.account = row;
    Instant day = midnight(accrual.zone, wanted->until);
    TRY(accrued_until(arena, &accrual, day, &until));
    Accrual monthly = accrual;
    monthly.is_month = true;
    Instant month = month_after(accrual.zone, until);
    for (; month.us < day.us; month = month_after(accrual.zone, month)) {
        TRY(wanted->goes_on(arena, wanted->context));
        TRY(day_accrue(arena, &monthly, month));
    }
    return day_accrue(arena, &accrual, day);
}
