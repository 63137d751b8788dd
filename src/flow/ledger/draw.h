// Which credit pays what: pure arithmetic over lines and grants, with nothing stored. An invoice
// draws with it when it is final; the balance that is available does so with the open bill.
//
// A grant pays, in its own currency, for lines that it applies to, and only for what was used while
// it was in force: of a line over [s, e) at most max(0, A(min(e, expires)) - A(max(s, effective))),
// where A(t) is the line rated over [s, t). What one grant paid of a stretch, no other pays again.
//
// Order of grants: priority (low first), soonest expiry, promotional before paid, earliest
// effective, id. Grants that draw before tax come before all others, because tax is of what they
// leave.
#pragma once

#include "base/error.h"
#include "money/money.h"
#include "time/window.h"

typedef enum GrantKind { GRANT_PAID, GRANT_PROMOTIONAL, GRANT_KIND_COUNT } GrantKind;
typedef enum CreditTiming { CREDIT_BEFORE_TAX, CREDIT_AFTER_TAX, CREDIT_TIMING_COUNT } CreditTiming;

typedef struct Texts {
    const Str *at;
    size_t     count;
} Texts;

// What it applies to: any of these charges, any line of these meters; none of either: everything.
typedef struct AppliesTo {
    Texts charges, meters;
} AppliesTo;

// Amounts are minor units of its currency.
typedef struct CreditGrant {
    Str          id, account;
    Currency     currency;
    GrantKind    kind;
    CreditTiming timing;
    int64_t      amount;  // above 0
    int64_t      price;   // what was paid for all of it; 0..
    int64_t      drawn;   // 0..amount: what is gone
    int64_t      reserved;  // 0..amount - drawn: kept for something else
    int64_t      priority;
    Instant      effective_at, expires_at;  // [effective, expires); INSTANT_END: never
    AppliesTo    applies_to;
} CreditGrant;

typedef struct CreditGrants {
    CreditGrant *at;
    size_t       count;
} CreditGrants;

// What it can pay now.
static inline int64_t grant_left(const CreditGrant *grant)
{
    return grant->amount - grant->drawn - grant->reserved;
}

// What was paid for the first `drawn` of it: price x drawn / amount, half up. Cumulative, so that
// the costs of all draws sum to the price, whatever their sizes.
int64_t grant_cost(const CreditGrant *grant, int64_t drawn);

bool grant_in_force(const CreditGrant *grant, Instant at);
// What is in force at an instant and not reserved; at most INT64_MAX.
int64_t grants_available(CreditGrants grants, Instant at);
int  grant_compare(const CreditGrant *a, const CreditGrant *b);  // the order of draw
void grants_sort(CreditGrants grants);

// A line that wants to be paid.
typedef struct DrawLine {
    Str     charge;   // STR_NONE: of the plan; only grants that apply to everything pay it
    Texts   meters;   // that its charge reads
    Span    service;  // start = end: of one instant
    int64_t net;      // of discounts, before tax; what is not above 0 takes nothing
    // A(t) for an instant within the service. NULL: in proportion to time.
    Err *(*so_far)(void *context, Arena *arena, Instant t, int64_t *net);
    void *context;
} DrawLine;

typedef struct DrawLines {
    const DrawLine *at;
    size_t          count;
} DrawLines;

// What one grant pays of one line.
typedef struct Draw {
    size_t  grant, line;
    int64_t net, tax;
} Draw;

typedef struct DrawSegments DrawSegments;

typedef struct Drawing {
    Arena         *arena;
    CreditGrants    grants;  // a copy, in order; `drawn` moves on
    DrawLines      lines;
    DrawSegments  *segments;  // of each line, cut where a grant begins or ends
    Draw          *draws;
    size_t         draw_count;
} Drawing;

// Grants and lines are of one currency. Refuses what so_far refuses. `lines` is borrowed.
Err *draw_begin(Arena *arena, CreditGrants grants, DrawLines lines, Drawing *drawing) MUST_CHECK;

// The first step: grants before tax pay nets. Then the caller computes each line's tax, of its net
// less draw_of_line, and the second step pays what is left of nets and those taxes. NULL: no tax.
void draw_before_tax(Drawing *drawing);
void draw_after_tax(Drawing *drawing, const int64_t *taxes);

int64_t draw_of_line(const Drawing *drawing, size_t line);  // so far, net and tax
int64_t draw_total(const Drawing *drawing);

// What the drawing took is reserved in the grants (which it began with) instead: they pay others
// with the rest.
void draw_reserve(const Drawing *drawing, CreditGrants grants);

// One grant's sum of a Drawing.
typedef struct GrantDraw {
    Str     grant;
    int64_t amount;  // above 0
    int64_t cost;    // what was paid for that part of it
} GrantDraw;

// By grant's id, ascending: the order in which rows are locked.
void draw_by_grant(const Drawing *drawing, GrantDraw **draws, size_t *count);
