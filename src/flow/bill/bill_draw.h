// The lines of bills as what credit pays: flow/ledger/draw.h asks for A(t), the line rated over
// [start, t), and here that is the bill of the period as if it ended at t.
//
// `bill_draw_open` gives what the open bills of an account will draw: the lines so far of the
// periods that run, without what may still change with time alone (provisional lines).
#pragma once

#include "flow/bill/bill_open.h"
#include "flow/ledger/draw.h"

// The lines of `bill`, which is period_bill's of query and period, in its order. Everything given
// is borrowed for as long as the lines are drawn.
DrawLine *bill_draw_lines(Arena *arena, const PeriodQuery *query, const Period *period,
                          const Bill *bill) MUST_CHECK;

// Of one currency.
typedef struct OpenDraw {
    Currency  currency;
    DrawLine *lines;
    size_t    count;
} OpenDraw;

typedef struct OpenDraws {
    OpenDraw    *at;  // by currency's code
    size_t       count;
    UsageMoment *moment;  // NULL: the account has no open bill
} OpenDraws;

// All read at one moment, which stays open until bill_draw_close. query->at is the instant asked
// about. What refuses leaves nothing open.
Err *bill_draw_open(Arena *arena, const OpenBillQuery *query, Str account,
                    OpenDraws *draws) MUST_CHECK;
void bill_draw_close(const OpenDraws *draws);

// Those of a currency; none when there are none.
DrawLines open_draw_of(const OpenDraws *draws, Currency currency);
