// SPDX-License-Identifier: Apache-2.0
// A grant that begins or ends within a period needs the bill up to that instant. Such bills are
// rated once for all lines of a period and kept as long as the lines.
#include "flow/bill/bill_draw.h"

#include "flow/bill/timeline_read.h"

// A period, and what it came to at instants within it.
typedef struct PeriodSoFar {
    PeriodQuery query;
    Timeline    timeline;  // a copy, where the caller's would not last
    Period      period;
    Instant    *at;
    Bill       *bills;
    size_t      count, room;
} PeriodSoFar;

typedef struct LineSoFar {
    PeriodSoFar *of;
    const Line  *line;
} LineSoFar;

static bool same_group(const Line *a, const Line *b)
{
    for (size_t i = 0; a->group != NULL && i < a->charge->group_count; i++)
        if ((a->group[i].at == NULL) != (b->group[i].at == NULL) ||
            !str_equal(a->group[i], b->group[i]))
            return false;
    return true;
}

static bool same_line(const Line *a, const Line *b)
{
    if (a->kind != b->kind || a->period.start.us != b->period.start.us ||
        (a->charge == NULL) != (b->charge == NULL) || (a->group == NULL) != (b->group == NULL))
        return false;
    return a->charge == NULL || (str_equal(a->charge->id, b->charge->id) && same_group(a, b));
}

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
    TRY(bill_until(arena, line->of, t, &bill));
    *net = 0;
    for (size_t i = 0; i < bill->count; i++)
        if (same_line(&bill->lines[i], line->line))
            *net = line_net(&bill->lines[i]).minor;
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

DrawLine *bill_draw_lines(Arena *arena, const PeriodQuery *query, const Period *period,
                          const Bill *bill)
{
    PeriodSoFar *so_far = arena_new(arena, PeriodSoFar);
    DrawLine    *lines = arena_array(arena, DrawLine, bill->count);
    LineSoFar   *contexts = arena_array(arena, LineSoFar, bill->count);
    so_far->query = *query;
    so_far->timeline = *query->timeline;
    so_far->query.timeline = &so_far->timeline;
    so_far->period = *period;
    for (size_t i = 0; i < bill->count; i++) {
        const Line *line = &bill->lines[i];
        contexts[i] = (LineSoFar){ so_far, line };
        lines[i] = (DrawLine){ .charge = line->charge == NULL ? STR_NONE : line->charge->id,
                               .meters = meters_of(arena, line->charge),
                               .service = line->period,
                               .net = line_net(line).minor,
                               .so_far = line_until,
                               .context = &contexts[i] };
    }
    return lines;
}

// ---- the open bills of an account

typedef struct Opening {
    Arena               *arena;
    const OpenBillQuery *query;
    OpenDraws           *draws;
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

static void lines_add(const Opening *opening, Currency currency, const DrawLine *lines,
                      size_t count)
{
    OpenDraw *draw = draw_of(opening, currency);
    DrawLine *all = arena_array(opening->arena, DrawLine, draw->count + count);
    for (size_t i = 0; i < draw->count; i++)
        all[i] = draw->lines[i];
    for (size_t i = 0; i < count; i++)
        all[draw->count + i] = lines[i];
    draw->lines = all;
    draw->count += count;
}

static Err *timeline_add(const Opening *opening, const Timeline *timeline)
{
    const OpenBillQuery *query = opening->query;
    Period               period = timeline_period(timeline, query->at);
    Bill                *bill = arena_new(opening->arena, Bill);
    PeriodQuery          rated = { .catalog = query->catalog,
                                   .moment = opening->draws->moment,
                                   .project = query->project,
                                   .timeline = timeline,
                                   .at = query->rated_at };
    TRY(period_bill(opening->arena, &rated, &period, bill));
    DrawLine *lines = bill_draw_lines(opening->arena, &rated, &period, bill);
    for (size_t i = 0; i < bill->count; i++)
        if (bill->lines[i].provisional)
            lines[i].net = 0;
    lines_add(opening, bill->currency, lines, bill->count);
    return NULL;
}

static Err *history_add(const Opening *opening, const SubscriptionHistory *history)
{
    const OpenBillQuery *query = opening->query;
    TimelineFacts       *facts = arena_new(opening->arena, TimelineFacts);
    Timeline            *timeline = arena_new(opening->arena, Timeline);
    TRY(timeline_facts_of(opening->arena, query->catalog, query->project, history, facts));
    facts->known_at = query->rated_at;
    TRY(timeline_fold(opening->arena, facts, timeline));
    if (!timeline_active(timeline, query->at))
        return NULL;
    if (opening->draws->moment == NULL)
        TRY(usage_moment_open(query->partition, opening->arena, query->as_of,
                              &opening->draws->moment));
    return timeline_add(opening, timeline);
}

static Err *histories_add(const Opening *opening, Str account)
{
    CatalogPage page = { .project = opening->query->project, .limit = 1000, .account = account };
    size_t      count;
    do {
        SubscriptionHistory *rows;
        TRY(catalog_histories(opening->query->catalog, opening->arena, &page, &rows, &count));
        for (size_t i = 0; i < count; i++)
            TRY(history_add(opening, &rows[i]));
        if (count > 0)
            page.after = rows[count - 1].first->id;
    } while (count == page.limit);
    return NULL;
}

Err *bill_draw_open(Arena *arena, const OpenBillQuery *query, Str account, OpenDraws *draws)
{
    Opening opening = { arena, query, draws };
    *draws = (OpenDraws){ 0 };
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

DrawLines open_draw_of(const OpenDraws *draws, Currency currency)
{
    for (size_t i = 0; i < draws->count; i++)
        if (currency_equal(draws->at[i].currency, currency))
            return (DrawLines){ draws->at[i].lines, draws->at[i].count };
    return (DrawLines){ 0 };
}
