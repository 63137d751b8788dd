// SPDX-License-Identifier: Apache-2.0
// A grant that begins or ends within a period needs the bill up to that instant. Such bills are
// rated once for all lines of a period and kept as long as the lines.
#include "flow/bill/bill_draw.h"

#include "flow/bill/issue_inside.h"
#include "flow/bill/timeline_read.h"

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
        if (invoice_same_line(&bill->lines[i], line->line))
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
        if (invoice_same_line(&bill->lines[i], wanted))
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
    more[place].currency = currency;
    draws->at = more;
    draws->count++;
    return &more[place];
}

// `lines` has no categories where none of them has one.
static void lines_add(const Opening *opening, Currency currency, const OpenDraw *lines)
{
    OpenDraw *draw = draw_of(opening, currency);
    size_t    count = draw->count + lines->count;
    DrawLine *all = arena_array(opening->arena, DrawLine, count);
    Str      *categories = arena_array(opening->arena, Str, count);
    for (size_t i = 0; i < count; i++) {
        const OpenDraw *from = i < draw->count ? draw : lines;
        size_t          place = i < draw->count ? i : i - draw->count;
        all[i] = from->lines[place];
        categories[i] = from->categories == NULL ? STR_NONE : from->categories[place];
    }
    draw->lines = all;
    draw->categories = categories;
    draw->count = count;
}

// What invoices have of the line.
static int64_t billed_of(const InvoiceLines *billed, const Line *line)
{
    int64_t net = 0;
    for (size_t i = 0; i < billed->count; i++)
        if (invoice_same_line(&billed->at[i], line))
            net += line_net(&billed->at[i]).minor;
    return net;
}

static Err *period_add(const Opening *opening, const PeriodQuery *rated, const Period *period,
                       const InvoiceLines *billed)
{
    Arena       *arena = opening->arena;
    Bill        *bill = arena_new(arena, Bill);
    PeriodSoFar *so_far = period_so_far(arena, rated, period);
    TRY(period_bill(arena, rated, period, bill));
    OpenDraw added = { .lines = arena_array(arena, DrawLine, bill->count),
                       .categories = arena_array(arena, Str, bill->count),
                       .count = bill->count };
    for (size_t i = 0; i < bill->count; i++) {
        const Line *line = &bill->lines[i];
        int64_t     net = line->provisional ? 0 : line_net(line).minor - billed_of(billed, line);
        added.lines[i] = bill_draw_line(arena, so_far, line, net);
        added.categories[i] = issue_line_of(arena, opening->facts, rated->timeline, line).category;
    }
    lines_add(opening, bill->currency, &added);
    return NULL;
}

// From the period that holds `from` to the one that holds now, or is the last.
static Err *periods_add(const Opening *opening, const PeriodQuery *rated, Instant from,
                        const InvoiceLines *billed)
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
    InvoiceLines         billed;
    Currency             currency;
    TRY(timeline_facts_of(arena, query->catalog, query->project, history, facts));
    facts->known_at = query->rated_at;
    TRY(timeline_fold(arena, facts, timeline));
    Instant from = later(opening->query->since, timeline->active.start);
    if (from.us > query->at.us || !timeline_active(timeline, from))
        return NULL;
    from = timeline_period(timeline, from).service.start;
    TRY(invoice_currency(arena, facts, &currency));
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
    CatalogPage page = { .project = opening->query->open.project, .limit = 1000,
                         .account = account };
    size_t      count;
    do {
        SubscriptionHistory *rows;
        TRY(catalog_histories(opening->query->open.catalog, opening->arena, &page, &rows, &count));
        for (size_t i = 0; i < count; i++)
            TRY(history_add(opening, &rows[i]));
        if (count > 0)
            page.after = rows[count - 1].first->id;
    } while (count == page.limit);
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

// The lines as a draft would have them, less what credit before tax pays of them.
static void draft_lines(Arena *arena, const OpenDraw *draw, const Drawing *drawing,
                        IssueDraft *draft)
{
    draft->currency = draw->currency;
    draft->count = draw->count;
    draft->lines = arena_array(arena, IssueLine, draw->count);
    for (size_t i = 0; i < draw->count; i++)
        draft->lines[i] = (IssueLine){
            .category = draw->categories[i],
            .service = draw->lines[i].service,
            .amount = { draw->lines[i].net - draw_of_line(drawing, i), draw->currency },
            .discount = money_zero(draw->currency),
        };
}

Err *open_draw_taxes(DbTx *tx, const OpenDraws *draws, Currency currency, const Drawing *drawing,
                     int64_t **taxes)
{
    const OpenDraw *draw = open_draw_find(draws, currency);
    IssueQuery      query = { .project = draws->project, .now = draws->now };
    IssueDraft      draft = { .query = &query, .boundary = draws->now, .buyer = draws->buyer };
    IssuePriced     priced;
    *taxes = NULL;
    if (draw == NULL)
        return NULL;
    draft_lines(db_arena(tx), draw, drawing, &draft);
    Err *err = issue_price_taxes(tx, &draft, &priced);
    if (err != NULL)
        return err->code == ERR_TAX_RATE_NOT_FOUND ? NULL : err;
    *taxes = arena_array(db_arena(tx), int64_t, draw->count);
    for (size_t i = 0; i < draw->count; i++) {
        const TaxLine *line = &priced.lines[i];
        int64_t        added = line->tax - (line->amount.minor - line->net);
        (*taxes)[i] = added > 0 ? added : 0;
    }
    return NULL;
}

DrawLines open_draw_of(const OpenDraws *draws, Currency currency)
{
    for (size_t i = 0; i < draws->count; i++)
        if (currency_equal(draws->at[i].currency, currency))
            return (DrawLines){ draws->at[i].lines, draws->at[i].count };
    return (DrawLines){ 0 };
}
