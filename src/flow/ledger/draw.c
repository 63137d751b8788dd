// SPDX-License-Identifier: Apache-2.0
// A line is cut into segments where a grant that applies to it begins or ends; each segment is
// worth the rise of A over it. A grant takes from the segments within its force, never more than
// they come to together, and what it took is gone for the others: so the bound of the contract
// holds for every grant, and for several of them on the same stretch.
#include "flow/ledger/draw.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/int128.h"

typedef struct DrawSegment {
    Span    span;
    int64_t net, tax;  // not paid yet; a net may be below 0, where the price of more is less
} DrawSegment;

struct DrawSegments {
    DrawSegment *at;
    size_t       count;
};

// ---- grants

int64_t grant_cost(const CreditGrant *grant, int64_t drawn)
{
    assert_that(grant->amount > 0 && drawn >= 0 && drawn <= grant->amount);
    Int128 whole = (Int128)grant->price * drawn;
    Int128 cost = whole / grant->amount, rest = whole % grant->amount;
    return (int64_t)(cost + (rest >= grant->amount - rest));
}

bool grant_in_force(const CreditGrant *grant, Instant at)
{
    return grant->effective_at.us <= at.us && at.us < grant->expires_at.us;
}

int64_t grants_available(CreditGrants grants, Instant at)
{
    Int128 sum = 0;
    for (size_t i = 0; i < grants.count; i++)
        if (grant_in_force(&grants.at[i], at))
            sum += grant_left(&grants.at[i]);
    return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

int grant_compare(const CreditGrant *a, const CreditGrant *b)
{
    int order = compare(a->priority, b->priority);
    if (order == 0)
        order = compare(a->expires_at.us, b->expires_at.us);
    if (order == 0)
        order = compare(b->kind, a->kind);  // promotional before paid
    if (order == 0)
        order = compare(a->effective_at.us, b->effective_at.us);
    return order == 0 ? str_compare(a->id, b->id) : order;
}

static int compare_grants(const void *a, const void *b)
{
    return grant_compare(a, b);
}

void grants_sort(CreditGrants grants)
{
    if (grants.count > 1)
        qsort(grants.at, grants.count, sizeof *grants.at, compare_grants);
}

static bool texts_have(const Texts *texts, Str text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (str_equal(texts->at[i], text))
            return true;
    return false;
}

static bool applies(const CreditGrant *grant, const DrawLine *line)
{
    const AppliesTo *to = &grant->applies_to;
    if (to->charges.count == 0 && to->meters.count == 0)
        return true;
    if (line->charge.at != NULL && texts_have(&to->charges, line->charge))
        return true;
    for (size_t i = 0; i < line->meters.count; i++)
        if (texts_have(&to->meters, line->meters.at[i]))
            return true;
    return false;
}

// ---- segments

static int compare_instants(const void *a, const void *b)
{
    return compare(((const Instant *)a)->us, ((const Instant *)b)->us);
}

static void cut_add(const DrawLine *line, Instant at, Instant *cuts, size_t *count)
{
    if (line->service.start.us < at.us && at.us < line->service.end.us)
        cuts[(*count)++] = at;
}

// Where the line is cut, ascending, its end last.
static size_t cuts_of(const Drawing *drawing, const DrawLine *line, Instant **cuts)
{
    size_t count = 0, kept = 0;
    *cuts = arena_array(drawing->arena, Instant, 2 * drawing->grants.count + 1);
    for (size_t i = 0; i < drawing->grants.count; i++) {
        if (!applies(&drawing->grants.at[i], line))
            continue;
        cut_add(line, drawing->grants.at[i].effective_at, *cuts, &count);
        cut_add(line, drawing->grants.at[i].expires_at, *cuts, &count);
    }
    if (count > 1)
        qsort(*cuts, count, sizeof **cuts, compare_instants);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || (*cuts)[kept - 1].us != (*cuts)[i].us)
            (*cuts)[kept++] = (*cuts)[i];
    (*cuts)[kept++] = line->service.end;
    return kept;
}

static Err *so_far(Arena *arena, const DrawLine *line, Instant t, int64_t *net)
{
    Span service = line->service;
    if (t.us == service.end.us) {
        *net = line->net;
        return NULL;
    }
    if (line->so_far != NULL)
        return line->so_far(line->context, arena, t, net);
    *net = (int64_t)((Int128)line->net * (t.us - service.start.us) /
                     (service.end.us - service.start.us));
    return NULL;
}

static Err *line_cut(Drawing *drawing, size_t number)
{
    const DrawLine *line = &drawing->lines.at[number];
    Instant        *cuts, from = line->service.start;
    int64_t         before = 0, net;
    size_t          count = cuts_of(drawing, line, &cuts);
    DrawSegment    *segments = arena_array(drawing->arena, DrawSegment, count);
    for (size_t i = 0; i < count; i++) {
        TRY(so_far(drawing->arena, line, cuts[i], &net));
        segments[i].span = (Span){ from, cuts[i] };
        if (__builtin_sub_overflow(net, before, &segments[i].net))
            return refuse(drawing->arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "a part of a line is beyond 63 bits of minor units");
        before = net;
        from = cuts[i];
    }
    drawing->segments[number] = (DrawSegments){ segments, count };
    return NULL;
}

Err *draw_begin(Arena *arena, CreditGrants grants, DrawLines lines, Drawing *drawing)
{
    *drawing = (Drawing){ .arena = arena,
                          .grants = { arena_array(arena, CreditGrant, grants.count), grants.count },
                          .lines = lines,
                          .segments = arena_array(arena, DrawSegments, lines.count) };
    for (size_t i = 0; i < grants.count; i++)
        drawing->grants.at[i] = grants.at[i];
    grants_sort(drawing->grants);
    for (size_t i = 0; i < lines.count; i++)
        if (lines.at[i].net > 0)
            TRY(line_cut(drawing, i));
    return NULL;
}

// ---- drawing

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool is_within(const CreditGrant *grant, Span span)
{
    return grant->effective_at.us <= span.start.us && span.end.us <= grant->expires_at.us &&
           grant_in_force(grant, span.start);
}

// Segments by (net, tax): which of the two is paid.
typedef int64_t *Part(DrawSegment *segment);

static int64_t *net_of(DrawSegment *segment)
{
    return &segment->net;
}

static int64_t *tax_of(DrawSegment *segment)
{
    return &segment->tax;
}

// What the grant may pay of the line: the sum within its force, and what is left of the line.
static int64_t payable(const Drawing *drawing, const CreditGrant *grant, size_t line, Part *part)
{
    Int128 within = 0, all = 0;
    for (size_t i = 0; i < drawing->segments[line].count; i++) {
        DrawSegment *segment = &drawing->segments[line].at[i];
        all += *part(segment);
        if (is_within(grant, segment->span))
            within += *part(segment);
    }
    Int128 bound = within < all ? within : all;
    if (bound <= 0)
        return 0;
    return bound < grant_left(grant) ? (int64_t)bound : grant_left(grant);
}

static int64_t pay(Drawing *drawing, CreditGrant *grant, size_t line, Part *part)
{
    int64_t paid = payable(drawing, grant, line, part), rest = paid;
    for (size_t i = 0; i < drawing->segments[line].count && rest > 0; i++) {
        DrawSegment *segment = &drawing->segments[line].at[i];
        if (*part(segment) <= 0 || !is_within(grant, segment->span))
            continue;
        int64_t taken = least(*part(segment), rest);
        *part(segment) -= taken;
        rest -= taken;
    }
    grant->drawn += paid;
    return paid;
}

static void draw_add(Drawing *drawing, Draw draw)
{
    if ((drawing->draw_count & (drawing->draw_count - 1)) == 0) {  // 1, 2, 4, … are full
        size_t room = drawing->draw_count == 0 ? 1 : 2 * drawing->draw_count;
        Draw  *more = arena_array(drawing->arena, Draw, room);
        for (size_t i = 0; i < drawing->draw_count; i++)
            more[i] = drawing->draws[i];
        drawing->draws = more;
    }
    drawing->draws[drawing->draw_count++] = draw;
}

static void grants_draw(Drawing *drawing, CreditTiming timing)
{
    for (size_t g = 0; g < drawing->grants.count; g++) {
        CreditGrant *grant = &drawing->grants.at[g];
        if (grant->timing != timing)
            continue;
        for (size_t i = 0; i < drawing->lines.count && grant_left(grant) > 0; i++) {
            if (!applies(grant, &drawing->lines.at[i]))
                continue;
            Draw draw = { .grant = g, .line = i, .net = pay(drawing, grant, i, net_of) };
            draw.tax = pay(drawing, grant, i, tax_of);
            if (draw.net > 0 || draw.tax > 0)
                draw_add(drawing, draw);
        }
    }
}

void draw_before_tax(Drawing *drawing)
{
    grants_draw(drawing, CREDIT_BEFORE_TAX);
}

// A line's tax over its segments, by what is left of their nets, rounded down cumulatively.
static void tax_spread(Drawing *drawing, size_t line, int64_t tax)
{
    DrawSegment *segments = drawing->segments[line].at;
    size_t       count = drawing->segments[line].count;
    Int128       all = 0, so_far_net = 0;
    int64_t      before = 0;
    for (size_t i = 0; i < count; i++)
        all += segments[i].net > 0 ? segments[i].net : 0;
    for (size_t i = 0; i < count && all > 0; i++) {
        so_far_net += segments[i].net > 0 ? segments[i].net : 0;
        int64_t share = (int64_t)(tax * so_far_net / all);
        segments[i].tax = share - before;
        before = share;
    }
}

void draw_after_tax(Drawing *drawing, const int64_t *taxes)
{
    for (size_t i = 0; taxes != NULL && i < drawing->lines.count; i++)
        if (taxes[i] > 0)
            tax_spread(drawing, i, taxes[i]);
    grants_draw(drawing, CREDIT_AFTER_TAX);
}

// ---- sums

int64_t draw_of_line(const Drawing *drawing, size_t line)
{
    int64_t sum = 0;
    for (size_t i = 0; i < drawing->draw_count; i++)
        if (drawing->draws[i].line == line)
            sum += drawing->draws[i].net + drawing->draws[i].tax;
    return sum;
}

int64_t draw_total(const Drawing *drawing)
{
    int64_t sum = 0;
    for (size_t i = 0; i < drawing->draw_count; i++)
        sum += drawing->draws[i].net + drawing->draws[i].tax;
    return sum;
}

void draw_reserve(const Drawing *drawing, CreditGrants grants)
{
    for (size_t i = 0; i < drawing->grants.count; i++)
        for (size_t k = 0; k < grants.count; k++)
            if (str_equal(drawing->grants.at[i].id, grants.at[k].id))
                grants.at[k].reserved += drawing->grants.at[i].drawn - grants.at[k].drawn;
}

static int compare_draws(const void *a, const void *b)
{
    return str_compare(((const GrantDraw *)a)->grant, ((const GrantDraw *)b)->grant);
}

void draw_by_grant(const Drawing *drawing, GrantDraw **draws, size_t *count)
{
    int64_t *sums = arena_array(drawing->arena, int64_t, drawing->grants.count);
    for (size_t i = 0; i < drawing->draw_count; i++)
        sums[drawing->draws[i].grant] += drawing->draws[i].net + drawing->draws[i].tax;
    *draws = arena_array(drawing->arena, GrantDraw, drawing->grants.count);
    *count = 0;
    for (size_t i = 0; i < drawing->grants.count; i++) {
        const CreditGrant *grant = &drawing->grants.at[i];
        if (sums[i] == 0)
            continue;
        int64_t cost = grant_cost(grant, grant->drawn) - grant_cost(grant, grant->drawn - sums[i]);
        (*draws)[(*count)++] = (GrantDraw){ grant->id, sums[i], cost };
    }
    if (*count > 1)
        qsort(*draws, *count, sizeof **draws, compare_draws);
}
