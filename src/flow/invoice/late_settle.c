// SPDX-License-Identifier: Apache-2.0
// The policy creditNote: what fell since a period was billed is credited at once, on the lines that
// had charged it, the newest first. What rose, and what no line has left to give, waits for the
// next invoice. What is credited counts as billed: it stands among the invoices' lines, below 0.
//
// One transaction for each subscription. It moves `looked_at` of every late period from what was
// read, so what two of them find is credited once.
#include "base/assert.h"
#include "base/int128.h"
#include "flow/invoice/credit_note.h"
#include "flow/invoice/late_inside.h"

// What of one line of an invoice is credited.
typedef struct Take {
    size_t         line;  // of the draft
    const LateRow *row;
    int64_t        net;     // of the credit note, above 0
    int64_t        amount, discount;  // what counts as billed less, with what is in them
} Take;

typedef struct Settling {
    const IssueDraft *draft;
    DbTx             *tx;
    LateRow          *rows;
    Line             *stored;  // as lines of bills, one of each row
    size_t            row_count;
    Take             *takes;
    size_t            take_count, take_room;
    bool              has_rest;  // something waits for an invoice
    size_t            notes;
} Settling;

// ---- what is taken of which line

static void take_add(Settling *settling, const Take *take)
{
    settling->takes = arena_more(db_arena(settling->tx), settling->takes, settling->take_count,
                                 &settling->take_room, sizeof *settling->takes);
    settling->takes[settling->take_count++] = *take;
}

// amount x part / whole, half up; all above 0 and part no more than whole.
static int64_t share_of(int64_t amount, int64_t part, int64_t whole)
{
    return (int64_t)((2 * (Int128)amount * part + whole) / (2 * (Int128)whole));
}

// Of a row that charged something and can be credited: at most `wanted` of it.
static Err *row_take(Settling *settling, const LateRow *row, int64_t wanted, Take *take)
{
    int64_t        gross = row->row.amount + row->row.discount, credited;
    ProjectId      project = settling->draft->query->project;
    IssuedInvoice *invoice;
    take->net = take->amount = 0;
    if (gross <= 0)
        return NULL;
    TRY(issued_get(settling->tx, project, row->invoice, &invoice));
    if (invoice->state != INVOICE_FINALIZED && invoice->state != INVOICE_PAID)
        return NULL;
    TRY(credit_note_credited(settling->tx, project, row->invoice, row->row.number, &credited));
    int64_t most = wanted < gross ? wanted : gross;
    int64_t net = share_of(row->row.net, most, gross), left = row->row.net - credited;
    take->net = net < left ? net : left;
    take->amount = take->net == net ? -most : -share_of(gross, take->net, row->row.net);
    return NULL;
}

static Err *line_take(Settling *settling, size_t number)
{
    const IssueLine *line = &settling->draft->lines[number];
    int64_t          wanted = -(line->amount.minor + line->discount.minor);
    bool             is_whole = true;
    for (size_t i = settling->row_count; i > 0 && wanted > 0; i--) {
        Take take = { .line = number, .row = &settling->rows[i - 1] };
        if (!due_same_line(&settling->stored[i - 1], line->line))
            continue;
        TRY(row_take(settling, take.row, wanted, &take));
        if (take.net <= 0)
            continue;
        wanted += take.amount;
        if (is_whole && wanted == 0) {  // as the bill has it
            take.amount = line->amount.minor;
            take.discount = line->discount.minor;
        }
        is_whole = false;
        take_add(settling, &take);
    }
    settling->has_rest |= wanted > 0;
    return NULL;
}

static Err *rows_read(Settling *settling)
{
    const IssueDraft *draft = settling->draft;
    LateRowsQuery     wanted = { draft->query->project, draft->parts[0].subscription,
                                 INSTANT_END };
    for (size_t i = 0; i < draft->count; i++)
        if (draft->lines[i].service.start.us < wanted.from.us)
            wanted.from = draft->lines[i].service.start;
    TRY(late_rows(settling->tx, &wanted, &settling->rows, &settling->row_count));
    settling->stored = arena_array(db_arena(settling->tx), Line, settling->row_count);
    for (size_t i = 0; i < settling->row_count; i++)
        TRY(issue_stored_line(db_arena(settling->tx), &settling->rows[i].row, draft->currency,
                              &settling->stored[i]));
    return NULL;
}

static Err *takes_find(Settling *settling)
{
    const IssueDraft *draft = settling->draft;
    TRY(rows_read(settling));
    for (size_t i = 0; i < draft->count; i++) {
        int64_t net = draft->lines[i].amount.minor + draft->lines[i].discount.minor;
        if (net < 0)
            TRY(line_take(settling, i));
        else
            settling->has_rest = true;
    }
    return NULL;
}

// ---- a note

// To what remains of the invoice, when that is enough and no credit had paid it; else to wallet and
// balance.
static Err *note_make(const Settling *settling, CreditNote *note)
{
    const IssueDraft *draft = settling->draft;
    CreditWallet      wallet = { draft->query->project, draft->account, draft->currency };
    InvoiceDeed       deed = { draft->query->project, note->invoice, draft->query->now };
    int64_t           drawn;
    TRY(credit_draw_left(settling->tx, &wallet,
                         late_draw_source(db_arena(settling->tx), note->invoice), &drawn));
    note->apply = drawn > 0 ? CREDIT_TO_BALANCE : CREDIT_TO_INVOICE;
    Err *err = credit_note_make(settling->tx, &deed, note);
    if (err != NULL && err->code == ERR_FIELD_INVALID) {
        note->apply = CREDIT_TO_BALANCE;  // more than remains: nothing was written
        err = credit_note_make(settling->tx, &deed, note);
    }
    return err;
}

// What it took counts as billed no more.
static Err *rows_add(const Settling *settling, const CreditNote *note)
{
    IssueLineRow *rows = arena_array(db_arena(settling->tx), IssueLineRow, note->count);
    size_t        count = 0;
    for (size_t i = 0; i < settling->take_count; i++) {
        const Take *take = &settling->takes[i];
        if (!str_equal(take->row->invoice, note->invoice))
            continue;
        rows[count] = take->row->row;
        rows[count].number = (int64_t)count + 1;
        rows[count].amount = take->amount;
        rows[count].discount = take->discount;
        rows[count].net = -note->lines[count].net;
        rows[count].tax = -note->lines[count].tax;
        rows[count].taxes = STR("{}");
        count++;
    }
    return issue_lines_add(settling->tx, settling->draft->query->project, note->id, rows, count);
}

// Of each late period in which it took something.
static Err *records_add(const Settling *settling, const CreditNote *note)
{
    const IssueDraft *draft = settling->draft;
    int64_t          *lines = arena_array(db_arena(settling->tx), int64_t, note->count);
    for (size_t i = 0; i < draft->late->moved_count; i++) {
        const LatePeriod *period = &draft->late->moved[i];
        LateRecord        record = { .account = draft->account,
                                     .subscription = period->closed.subscription,
                                     .period = period->closed.span,
                                     .state = LATE_SETTLED,
                                     .document = note->id,
                                     .currency = draft->currency,
                                     .from = period->closed.sequence,
                                     .to = draft->late->sequence,
                                     .created_at = draft->query->now };
        size_t            count = 0;
        for (size_t k = 0; k < settling->take_count; k++) {
            const Take *take = &settling->takes[k];
            if (!str_equal(take->row->invoice, note->invoice) ||
                !late_line_is_of(&draft->lines[take->line], &period->closed))
                continue;
            lines[count++] = take->row->row.number;
            record.amount += take->amount + take->discount;
        }
        record.content = late_content(db_arena(settling->tx), period, lines, count);
        if (count > 0)
            TRY(late_record_add(settling->tx, draft->query->project, &record));
    }
    return NULL;
}

// One note for all takes of an invoice; `first` is the first of them.
static Err *invoice_credit(Settling *settling, size_t first)
{
    CreditNote note = { .invoice = settling->takes[first].row->invoice,
                        .reason_code = STR("lateUsage"),
                        .is_of_late_usage = true,
                        .lines = arena_array(db_arena(settling->tx), CreditNoteLine,
                                             settling->take_count) };
    for (size_t i = first; i < settling->take_count; i++)
        if (str_equal(settling->takes[i].row->invoice, note.invoice))
            note.lines[note.count++] =
                (CreditNoteLine){ .line = settling->takes[i].row->row.number,
                                  .net = settling->takes[i].net };
    TRY(note_make(settling, &note));
    settling->notes++;
    TRY(rows_add(settling, &note));
    return records_add(settling, &note);
}

static bool is_first(const Settling *settling, size_t number)
{
    for (size_t i = 0; i < number; i++)
        if (str_equal(settling->takes[i].row->invoice, settling->takes[number].row->invoice))
            return false;
    return true;
}

// ---- all of a subscription

static Err *periods_look(const Settling *settling)
{
    const IssueLate *late = settling->draft->late;
    for (size_t i = 0; i < late->moved_count; i++) {
        const ClosedPeriod *before = &late->moved[i].closed;
        ClosedPeriod        after = *before;
        after.looked_at = late->sequence;
        if (!settling->has_rest)
            after.sequence = late->sequence;
        TRY(late_closed_looked(settling->tx, settling->draft->query->project, before, &after));
    }
    return NULL;
}

static Err *settle_work(DbTx *tx, void *context)
{
    Settling *settling = context;
    settling->tx = tx;
    settling->takes = NULL;
    settling->take_count = settling->take_room = settling->notes = 0;
    settling->has_rest = false;
    TRY(issue_progress_move(tx, settling->draft->query->project, &settling->draft->parts[0],
                            settling->draft->parts[0].until));
    TRY(takes_find(settling));
    TRY(periods_look(settling));
    for (size_t i = 0; i < settling->take_count; i++)
        if (is_first(settling, i))
            TRY(invoice_credit(settling, i));
    return NULL;
}

static Err *settle_once(Arena *arena, const IssueQuery *query, Str account, size_t *notes)
{
    IssueDraft *drafts;
    size_t      count;
    TRY(issue_rate_closed(arena, query, account, &drafts, &count));
    for (size_t i = 0; i < count; i++) {
        Settling settling = { .draft = &drafts[i] };
        TRY(db_write(query->books, arena, (DbWrite){ .work = settle_work, .context = &settling }));
        *notes += settling.notes;
    }
    return NULL;
}

Err *late_settle(Arena *arena, const IssueQuery *query, Str account, size_t *notes)
{
    int  tries = 0;
    Err *err;
    *notes = 0;
    do
        err = settle_once(arena, query, account, notes);
    while (db_goes_again(err, &tries));
    return err;
}

// ---- what comes to nothing

typedef struct Nothing {
    const IssueQuery  *query;
    const LateNothing *of;
    uint64_t           sequence;
} Nothing;

static Err *nothing_work(DbTx *tx, void *context)
{
    const Nothing     *nothing = context;
    const LateNothing *of = nothing->of;
    TRY(issue_progress_move(tx, nothing->query->project, &of->part, of->part.until));
    for (size_t i = 0; i < of->count; i++) {
        ClosedPeriod after = of->at[i].closed;
        after.sequence = after.looked_at = nothing->sequence;
        TRY(late_closed_looked(tx, nothing->query->project, &of->at[i].closed, &after));
    }
    return NULL;
}

// Where another request was faster, the next look sees what it left.
Err *late_nothing_settle(Arena *arena, const IssueQuery *query, const IssueLate *late)
{
    for (size_t i = 0; i < late->nothing_count; i++) {
        Nothing nothing = { query, &late->nothing[i], late->sequence };
        Err *err = db_write(query->books, arena,
                            (DbWrite){ .work = nothing_work, .context = &nothing });
        if (err != NULL && err->code != ERR_STORE_BUSY)
            return err;
    }
    return NULL;
}
