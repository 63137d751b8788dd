// SPDX-License-Identifier: Apache-2.0
// Notes for late usage count as billed themselves, by rows of their own: they are not looked at.
#include "flow/invoice/issue_noted.h"

#include "flow/invoice/credit_note.h"
#include "flow/invoice/late_inside.h"

static bool falls(const Line *line)
{
    return (Int128)line->amount.minor + line->discount.minor < 0;
}

typedef struct Noted {
    const NotedQuery *query;
    const DueLines   *lines;
    LateRow          *rows;
    size_t            row_count;
    int64_t          *given;  // of each line
} Noted;

// With the tax that is in the line's amount.
static Err *row_given(DbTx *tx, const Noted *noted, const LateRow *row, int64_t *given)
{
    int64_t net, gross = row->row.amount + row->row.discount;
    TRY(credit_note_by_hand(tx, noted->query->project, row->invoice, row->row.number, &net));
    *given = net == 0 ? 0 : credit_note_share(gross, net, row->row.net);
    return NULL;
}

static Err *line_given(DbTx *tx, const Noted *noted, const Line *line, int64_t *sum)
{
    *sum = 0;
    for (size_t i = 0; i < noted->row_count && falls(line); i++) {
        int64_t given;
        Line    stored;
        TRY(issue_stored_line(db_arena(tx), &noted->rows[i].row, noted->query->currency,
                              &stored));
        if (!due_same_line(&stored, line))
            continue;
        TRY(row_given(tx, noted, &noted->rows[i], &given));
        *sum += given;
    }
    return NULL;
}

static Err *noted_work(DbTx *tx, void *context)
{
    Noted        *noted = context;
    LateRowsQuery wanted = { noted->query->project, noted->query->subscription, INSTANT_END };
    for (size_t i = 0; i < noted->lines->count; i++)
        if (falls(&noted->lines->at[i]) &&
            noted->lines->at[i].period.start.us < wanted.from.us)
            wanted.from = noted->lines->at[i].period.start;
    TRY(late_rows(tx, &wanted, &noted->rows, &noted->row_count));
    for (size_t i = 0; i < noted->lines->count; i++)
        TRY(line_given(tx, noted, &noted->lines->at[i], &noted->given[i]));
    return NULL;
}

// The line less what it takes back of what notes gave back already.
static void line_keep(Arena *arena, Line *line, int64_t given)
{
    Currency currency = line->amount.currency;
    int64_t  fallen = -(line->amount.minor + line->discount.minor);
    int64_t  kept = given < fallen ? given : fallen;
    if (kept <= 0)
        return;
    Step *step = steps_add(&line->steps, arena, STEP_BILLED);
    line->amount.minor += kept;
    step_set(step, "billed", money_print(arena, (Money){ -kept, currency }));
    step_set(step, "amount", money_print(arena, line->amount));
}

Err *issue_noted(Arena *arena, const NotedQuery *query, DueLines *lines)
{
    Noted  noted = { .query = query, .lines = lines };
    bool   any = false;
    size_t kept = 0;
    for (size_t i = 0; i < lines->count; i++)
        any |= falls(&lines->at[i]);
    if (!any)
        return NULL;
    noted.given = arena_array(arena, int64_t, lines->count);
    TRY(db_read(query->books, arena, noted_work, &noted));
    for (size_t i = 0; i < lines->count; i++) {
        bool fell = falls(&lines->at[i]);
        if (fell)
            line_keep(arena, &lines->at[i], noted.given[i]);
        const Line *line = &lines->at[i];
        if (!fell || line->amount.minor != 0 || line->discount.minor != 0)
            lines->at[kept++] = *line;
    }
    lines->count = kept;
    return NULL;
}
