// SPDX-License-Identifier: Apache-2.0
// A grant that begins or ends within a period needs the bill up to that instant. Such bills are
// rated once for all lines of a period and kept as long as the lines.
#include "flow/invoice/bill_draw.h"

#include "flow/invoice/issue_inside.h"
#include "flow/invoice/issue_waiting.h"
#include "flow/bill/timeline_read.h"
#include "flow/ledger/charge.h"

// A period, and what it came to at instants within it.
struct PeriodSoFar {
    PeriodQuery query;
    Period      period;
    Instant    *at;
    Bill       *bills;
    size_t      count, room;
};

typedef struct LineSoFar {
    PeriodSoFar *of;
    const Line  *line;
    int64_t      net;  // of the whole line's
} LineSoFar;

static Err *bill_until(Arena *arena, PeriodSoFar *so_far, Instant t, const Bill **bill)
{
    for (size_t i = 0; i < so_far->count; i++)
        if (so_far->at[i].us == t.us) {
            *bill = &so_far->bills[i];
            return NULL;
        }
    if (so_far->count == so_far->room) {
        size_t   room = so_far->room == 0 ? 4 : 2 * so_far->room;
        Instant *at = arena_array(arena, Instant, room);
        Bill    *bills = arena_array(arena, Bill, room);
        for (size_t i = 0; i < so_far->count; i++) {
            at[i] = so_far->at[i];
            bills[i] = so_far->bills[i];
        }
        so_far->at = at;
        so_far->bills = bills;
        so_far->room = room;
    }
    Period period = so_far->period;
    period.service.end = t;
    TRY(period_bill(arena, &so_far->query, &period, &so_far->bills[so_far->count]));
    so_far->at[so_far->count] = t;
    *bill = &so_far->bills[so_far->count++];
    return NULL;
}

static Err *line_until(void *context, Arena *arena, Instant t, int64_t *net)
{
    const LineSoFar *line = context;
    const Bill      *bill;
    int64_t          whole = line_net(line->line).minor, part = 0;
    TRY(bill_until(arena, line->of, t, &bill));
    for (size_t i = 0; i < bill->count; i++)
        if (due_same_line(&bill->lines[i], line->line))
            part = line_net(&bill->lines[i]).minor;
    *net = part;
    if (whole != 0 && whole != line->net)
        *net = (int64_t)((Int128)part * line->net / whole);
    return NULL;
}

static Texts meters_of(Arena *arena, const Charge *charge)
{
    size_t count = charge == NULL ? 0 : charge_meter_count(charge);
    Str   *meters = arena_array(arena, Str, count);
    for (size_t i = 0; i < count; i++)
        meters[i] = charge_meter(charge, i);
    return (Texts){ meters, count };
}

PeriodSoFar *period_so_far(Arena *arena, const PeriodQuery *query, const Period *period)
{
    PeriodSoFar *so_far = arena_new(arena, PeriodSoFar);
    so_far->query = *query;
    so_far->period = *period;
    return so_far;
}

DrawLine bill_draw_line(Arena *arena, PeriodSoFar *so_far, const Line *line, int64_t net)
{
    LineSoFar *context = arena_new(arena, LineSoFar);
    *context = (LineSoFar){ so_far, line, net };
    return (DrawLine){ .charge = line->charge == NULL ? STR_NONE : line->charge->id,
                       .meters = meters_of(arena, line->charge),
                       .service = line->period,
                       .net = net,
                       .so_far = line_until,
                       .context = context };
}

// ---- tables

static void table_add(DrawTable *table, const Line *line, Instant t)
{
    if (t.us <= line->period.start.us || t.us >= line->period.end.us)
        return;
    for (size_t i = 0; i < table->count; i++)
        if (table->at[i].us == t.us)
            return;
    table->at[table->count++] = t;
}

static const Line *line_of(const Bill *bill, const Line *wanted)
{
    for (size_t i = 0; i < bill->count; i++)
        if (due_same_line(&bill->lines[i], wanted))
            return &bill->lines[i];
    return NULL;
}

Err *bill_draw_table(Arena *arena, PeriodSoFar *so_far, const Line *line, CreditGrants grants,
                     DrawTable **table)
{
    DrawTable *made = arena_new(arena, DrawTable);
    Bill       whole;
    made->at = arena_array(arena, Instant, 2 * grants.count);
    made->net = arena_array(arena, int64_t, 2 * grants.count);
    for (size_t i = 0; i < grants.count; i++) {
        table_add(made, line, grants.at[i].effective_at);
        table_add(made, line, grants.at[i].expires_at);
    }
    *table = made;
    if (made->count == 0)
        return NULL;
    TRY(period_bill(arena, &so_far->query, &so_far->period, &whole));
    const Line *all = line_of(&whole, line);
    if (all == NULL)
        all = line;  // it is gone: what is due is a credit
    LineSoFar until = { so_far, all, line_net(line).minor };
    for (size_t i = 0; i < made->count; i++)
        TRY(line_until(&until, arena, made->at[i], &made->net[i]));
    return NULL;
}

Err *draw_table_until(void *context, Arena *arena, Instant t, int64_t *net)
{
    const DrawTable *table = context;
    for (size_t i = 0; i < table->count; i++)
        if (table->at[i].us == t.us) {
            *net = table->net[i];
            return NULL;
        }
    return refuse(arena, ERR_STORE_BUSY, STR_NONE, "the account was given credit meanwhile");
}

// ---- the open bills of an account

typedef struct Opening {
    Arena               *arena;
    const OpenDrawQuery *query;
    OpenDraws           *draws;
    const TimelineFacts *facts;  // of the subscription that is looked at
} Opening;

static OpenDraw *draw_of(const Opening *opening, Currency currency)
{
    OpenDraws *draws = opening->draws;
    size_t     place = 0;
    while (place < draws->count && str_compare(currency_code(&draws->at[place].currency),
                                               currency_code(&currency)) < 0)
        place++;
    if (place < draws->count && currency_equal(draws->at[place].currency, currency))
        return &draws->at[place];
    OpenDraw *more = arena_array(opening->arena, OpenDraw, draws->count + 1);
    for (size_t i = 0; i < draws->count; i++)
        more[i < place ? i : i + 1] = draws->at[i];
    more[place] = (OpenDraw){ .currency = currency, .next = INSTANT_END };
    draws->at = more;
    draws->count++;
    return &more[place];
}

static Instant earlier(Instant a, Instant b)
{
    return a.us < b.us ? a : b;
}

static void lines_room(Arena *arena, OpenDraw *lines, size_t count)
{
    lines->lines = arena_array(arena, DrawLine, count);
    lines->categories = arena_array(arena, Str, count);
    lines->dues = arena_array(arena, Instant, count);
}

static void lines_add(const Opening *opening, const OpenDraw *lines)
{
    OpenDraw *draw = draw_of(opening, lines->currency);
    OpenDraw  all = { .currency = draw->currency,
                      .count = draw->count + lines->count,
                      .next = earlier(draw->next, lines->next) };
    lines_room(opening->arena, &all, all.count);
    for (size_t i = 0; i < all.count; i++) {
        const OpenDraw *from = i < draw->count ? draw : lines;
        size_t          place = i < draw->count ? i : i - draw->count;
        all.lines[i] = from->lines[place];
        all.categories[i] = from->categories[place];
        all.dues[i] = from->dues[place];
    }
    *draw = all;
}

// What invoices have of the line.
static int64_t billed_of(const DueLines *billed, const Line *line)
{
    int64_t net = 0;
    for (size_t i = 0; i < billed->count; i++)
        if (due_same_line(&billed->at[i], line))
            net += line_net(&billed->at[i]).minor;
    return net;
}

static Instant due_of(const Line *line)
{
    bool in_advance = line->charge != NULL && line->charge->timing == TIMING_ADVANCE;
    return in_advance ? line->period.start : line->period.end;
}

static Err *period_add(const Opening *opening, const PeriodQuery *rated, const Period *period,
                       const DueLines *billed)
{
    Arena       *arena = opening->arena;
    Bill        *bill = arena_new(arena, Bill);
    PeriodSoFar *so_far = period_so_far(arena, rated, period);
    TRY(period_bill(arena, rated, period, bill));
    OpenDraw added = { .currency = bill->currency, .count = bill->count, .next = INSTANT_END };
    if (period->service.end.us > opening->query->open.at.us)
        added.next = period->service.end;
    lines_room(arena, &added, bill->count);
    for (size_t i = 0; i < bill->count; i++) {
        const Line *line = &bill->lines[i];
        int64_t     net = line->provisional ? 0 : line_net(line).minor - billed_of(billed, line);
        added.lines[i] = bill_draw_line(arena, so_far, line, net);
        added.categories[i] = issue_line_of(arena, opening->facts, rated->timeline, line).category;
        added.dues[i] = due_of(line);
        if (net != 0)
            added.next = earlier(added.next, added.dues[i]);
    }
    lines_add(opening, &added);
    return NULL;
}

// From the period that holds `from` to the one that holds now, or is the last.
static Err *periods_add(const Opening *opening, const PeriodQuery *rated, Instant from,
                        const DueLines *billed)
{
    const Timeline *timeline = rated->timeline;
    Instant         now = opening->query->open.at;
    while (from.us <= now.us && timeline_active(timeline, from)) {
        Period period = timeline_period(timeline, from);
        TRY(period_add(opening, rated, &period, billed));
        from = period.service.end;
    }
    return NULL;
}

static Instant later(Instant a, Instant b)
{
    return a.us > b.us ? a : b;
}

static Err *history_add(const Opening *opening, const SubscriptionHistory *history)
{
    const OpenBillQuery *query = &opening->query->open;
    Arena               *arena = opening->arena;
    TimelineFacts       *facts = arena_new(arena, TimelineFacts);
    Timeline            *timeline = arena_new(arena, Timeline);
    DueLines             billed;
    Currency             currency;
    TRY(timeline_facts_of(arena, query->catalog, query->project, history, facts));
    facts->known_at = query->rated_at;
    TRY(timeline_fold(arena, facts, timeline));
    Instant from = later(opening->query->since, timeline->active.start);
    if (from.us > query->at.us || !timeline_active(timeline, from))
        return NULL;
    from = timeline_period(timeline, from).service.start;
    TRY(due_currency(arena, facts, &currency));
    IssueBilled wanted = { .project = query->project,
                           .subscription = history->first->id,
                           .from = from,
                           .until = query->at };
    TRY(issue_billed_lines(arena, opening->query->books, &wanted, currency, &billed));
    if (opening->draws->moment == NULL)
        TRY(usage_moment_open(query->partition, arena, query->as_of, &opening->draws->moment));
    PeriodQuery *rated = arena_new(arena, PeriodQuery);
    *rated = (PeriodQuery){ .catalog = query->catalog,
                            .moment = opening->draws->moment,
                            .project = query->project,
                            .timeline = timeline,
                            .at = query->rated_at };
    Opening of = *opening;
    of.facts = facts;
    return periods_add(&of, rated, from, &billed);
}

static Err *histories_add(const Opening *opening, Str account)
{
    const OpenBillQuery *open = &opening->query->open;
    AccountHistories     rows;
    TRY(catalog_account_histories(open->catalog, opening->arena, open->project, account, &rows));
    for (size_t i = 0; i < rows.count; i++)
        TRY(history_add(opening, &rows.at[i]));
    return NULL;
}

// ---- charges that wait

enum { CHARGES_MAX = 10000 };  // of an account and currency

typedef struct ChargesRead {
    CreditWallet   wallet;
    Currency      *currencies;
    size_t         currency_count;
    AccountCharge *found;
    size_t         count;
} ChargesRead;

static Err *currencies_work(DbTx *tx, void *context)
{
    ChargesRead *read = context;
    return charges_waiting_in(tx, read->wallet.project, read->wallet.account, &read->currencies,
                              &read->currency_count);
}

static Err *charges_work(DbTx *tx, void *context)
{
    ChargesRead *read = context;
    return charges_waiting(tx, &read->wallet, CHARGES_MAX, &read->found, &read->count);
}

// With the next invoice, or by themselves when their month ends before it.
static Err *charges_due(const Opening *opening, const Account *account, Currency currency,
                        Instant *due)
{
    const OpenBillQuery *open = &opening->query->open;
    IssueQuery           issue = { .project = open->project,
                                   .catalog = open->catalog,
                                   .books = opening->query->books,
                                   .now = open->at };
    WaitingQuery   query = { &issue, account->id, currency_code(&currency), account->time_zone };
    WaitingCharges waiting = { .due = INSTANT_END };
    bool           found;  // else they were billed just now
    TRY(issue_waiting(opening->arena, &query, &waiting, &found));
    *due = earlier(draw_of(opening, currency)->next, waiting.due);
    return NULL;
}

static Err *charges_add(const Opening *opening, const Account *account)
{
    Arena      *arena = opening->arena;
    Db         *books = opening->query->books;
    ChargesRead read = { .wallet = { .project = opening->query->open.project,
                                     .account = account->id } };
    TRY(db_read(books, arena, currencies_work, &read));
    for (size_t i = 0; i < read.currency_count; i++) {
        Instant due;
        read.wallet.currency = read.currencies[i];
        TRY(db_read(books, arena, charges_work, &read));
        TRY(charges_due(opening, account, read.currencies[i], &due));
        OpenDraw added = { .currency = read.currencies[i],
                           .count = read.count,
                           .next = INSTANT_END };
        lines_room(arena, &added, read.count);
        for (size_t k = 0; k < read.count; k++) {
            added.lines[k] = (DrawLine){ .service = { read.found[k].at, read.found[k].at },
                                         .net = read.found[k].amount.minor };
            added.dues[k] = due;
        }
        lines_add(opening, &added);
    }
    return NULL;
}

Err *bill_draw_open(Arena *arena, const OpenDrawQuery *query, Str account, OpenDraws *draws)
{
    Opening  opening = { .arena = arena, .query = query, .draws = draws };
    Account *row;
    *draws = (OpenDraws){ .project = query->open.project, .now = query->open.at };
    if (query->since.us > query->open.at.us)
        return NULL;
    TRY(catalog_account_get(query->open.catalog, arena, query->open.project, account, &row));
    draws->buyer = row->billing;
    Err *err = histories_add(&opening, account);
    if (err == NULL)
        err = charges_add(&opening, row);
    if (err != NULL)
        bill_draw_close(draws);
    return err;
}

void bill_draw_close(const OpenDraws *draws)
{
    if (draws->moment != NULL)
        usage_moment_close(draws->moment);
}

static const OpenDraw *open_draw_find(const OpenDraws *draws, Currency currency)
{
    for (size_t i = 0; i < draws->count; i++)
        if (currency_equal(draws->at[i].currency, currency))
            return &draws->at[i];
    return NULL;
}

// The lines of a boundary as a draft would have them, less what credit before tax pays of them.
static size_t *draft_lines(Arena *arena, const OpenDraw *draw, const Drawing *drawing,
                           IssueDraft *draft)
{
    size_t *places = arena_array(arena, size_t, draw->count);
    draft->currency = draw->currency;
    draft->lines = arena_array(arena, IssueLine, draw->count);
    for (size_t i = 0; i < draw->count; i++) {
        if (draw->dues[i].us != draft->boundary.us)
            continue;
        places[draft->count] = i;
        draft->lines[draft->count++] = (IssueLine){
            .category = draw->categories[i],
            .service = draw->lines[i].service,
            .amount = { draw->lines[i].net - draw_of_line(drawing, i), draw->currency },
            .discount = money_zero(draw->currency),
        };
    }
    return places;
}

typedef struct OpenTaxes {
    const OpenDraws *draws;
    const OpenDraw  *draw;
    const Drawing   *drawing;
    int64_t         *taxes;
} OpenTaxes;

static Err *boundary_taxes(DbTx *tx, const OpenTaxes *open, Instant boundary)
{
    IssueQuery  query = { .project = open->draws->project, .now = open->draws->now };
    IssueDraft  draft = { .query = &query, .boundary = boundary, .buyer = open->draws->buyer };
    IssuePriced priced;
    size_t     *places = draft_lines(db_arena(tx), open->draw, open->drawing, &draft);
    Err        *err = issue_price_taxes(tx, &draft, &priced);
    if (err != NULL)
        return err->code == ERR_TAX_RATE_NOT_FOUND ? NULL : err;
    for (size_t i = 0; i < draft.count; i++) {
        const TaxLine *line = &priced.lines[i];
        int64_t        added = line->tax - (line->amount.minor - line->net);
        open->taxes[places[i]] = added > 0 ? added : 0;
    }
    return NULL;
}

static bool is_first_due(const OpenDraw *draw, size_t number)
{
    for (size_t i = 0; i < number; i++)
        if (draw->dues[i].us == draw->dues[number].us)
            return false;
    return true;
}

Err *open_draw_taxes(DbTx *tx, const OpenDraws *draws, Currency currency, const Drawing *drawing,
                     int64_t **taxes)
{
    const OpenDraw *draw = open_draw_find(draws, currency);
    *taxes = NULL;
    if (draw == NULL)
        return NULL;
    OpenTaxes open = { draws, draw, drawing, arena_array(db_arena(tx), int64_t, draw->count) };
    *taxes = open.taxes;
    for (size_t i = 0; i < draw->count; i++)
        if (is_first_due(draw, i))
            TRY(boundary_taxes(tx, &open, draw->dues[i]));
    return NULL;
}

DrawLines open_draw_of(const OpenDraws *draws, Currency currency)
{
    for (size_t i = 0; i < draws->count; i++)
        if (currency_equal(draws->at[i].currency, currency))
            return (DrawLines){ draws->at[i].lines, draws->at[i].count };
    return (DrawLines){ 0 };
}
