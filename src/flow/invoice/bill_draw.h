// The lines of bills as what credit pays: flow/ledger/draw.h asks for A(t), the line rated over
// [start, t), and here that is the bill of the period as if it ended at t.
//
// `bill_draw_open` gives what an account's bills will draw that no invoice has yet: the lines so
// far of the periods up to now, less what was billed of them, without what may still change with
// time alone (provisional lines), and one-off charges that wait. Fees of periods that have not
// begun are not among them.
#pragma once

#include "flow/bill/bill_open.h"
#include "flow/ledger/draw.h"

// A period's bill at instants within it. `query` and what it points at are borrowed for as long as
// lines are drawn.
typedef struct PeriodSoFar PeriodSoFar;
PeriodSoFar *period_so_far(Arena *arena, const PeriodQuery *query, const Period *period);

// `line` of the period's bill, of whose net `net` is not paid yet: A(t) is that share of it.
DrawLine bill_draw_line(Arena *arena, PeriodSoFar *so_far, const Line *line, int64_t net);

// A(t) where grants begin or end, for a draw that comes when usage is not at hand any more.
typedef struct DrawTable {
    Instant *at;
    int64_t *net;
    size_t   count;
} DrawTable;

// `line` is of the period so far, or what is due of such a line beyond earlier invoices.
Err *bill_draw_table(Arena *arena, PeriodSoFar *so_far, const Line *line, CreditGrants grants,
                     DrawTable **table) MUST_CHECK;

// DrawLine.so_far of a table: `context`. STORE_BUSY: there is a grant that the table does not know.
Err *draw_table_until(void *context, Arena *arena, Instant t, int64_t *net) MUST_CHECK;

// Of one currency.
typedef struct OpenDraw {
    Currency  currency;
    DrawLine *lines;
    Str      *categories;  // of tax, of each line
    Instant  *dues;        // boundary of the invoice that will have it
    size_t    count;
    Instant   next;        // first of the boundaries of its subscriptions; INSTANT_END: none comes
} OpenDraw;

typedef struct OpenDraws {
    OpenDraw    *at;  // by currency's code
    size_t       count;
    UsageMoment *moment;  // NULL: the account has no open bill
    ProjectId    project;
    Instant      now;
    Str          buyer;  // party of the account
} OpenDraws;

typedef struct OpenDrawQuery {
    OpenBillQuery open;   // at: now
    Db           *books;
    Instant       since;  // no grant is in force before; periods that end there are left out
} OpenDrawQuery;

// All read at one moment, which stays open until bill_draw_close. What refuses leaves nothing
// open.
Err *bill_draw_open(Arena *arena, const OpenDrawQuery *query, Str account,
                    OpenDraws *draws) MUST_CHECK;
void bill_draw_close(const OpenDraws *draws);

// Those of a currency; none when there are none.
DrawLines open_draw_of(const OpenDraws *draws, Currency currency);

// What each of those lines bears of tax beside its net, at the rates of its invoice's boundary,
// once credit before tax has paid (draw_before_tax of `drawing`): for draw_after_tax. NULL when
// there are none; 0 where a rate is not in force yet.
Err *open_draw_taxes(DbTx *tx, const OpenDraws *draws, Currency currency, const Drawing *drawing,
                     int64_t **taxes) MUST_CHECK;
