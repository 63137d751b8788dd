// SPDX-License-Identifier: Apache-2.0
// Worked: a line of 10.00 net with 0.33 tax, credited in thirds of 3.33, 3.33 and 3.34: tax of the
// first 3.33 is 0.11, of 6.66 0.22, of 10.00 0.33: 0.11 each.
#include "flow/invoice/credit_note.h"

#include "base/assert.h"
#include "base/int128.h"
#include "base/random.h"
#include "flow/invoice/issue_inside.h"
#include "flow/invoice/late_inside.h"

const char *const credit_apply_names[] = { "invoice", "balance", "refund", NULL };

// ---- tax of a part

// tax x part / whole, half away from zero; part and whole have one sign.
int64_t credit_note_share(int64_t tax, int64_t part, int64_t whole)
{
    Int128 above = (Int128)tax * part, below = whole;
    if (below < 0) {
        above = -above;
        below = -below;
    }
    Int128 half = above < 0 ? -below : below;
    return (int64_t)((2 * above + half) / (2 * below));
}

typedef struct Making {
    DbTx              *tx;
    const InvoiceDeed *deed;
    IssuedInvoice     *invoice;
    IssueLineRow      *rows;
    size_t             row_count;
    CreditNote        *note;
    IssueLegs          legs;
    RevenueItems       items;
} Making;

static bool whole_read(Str text, int64_t *whole)
{
    uint64_t size = 0;
    bool     is_negative = text.length > 0 && text.at[0] == '-';
    Str      digits = is_negative ? (Str){ text.at + 1, text.length - 1 } : text;
    bool     is_whole = str_whole(digits, INT64_MAX, &size);
    *whole = is_negative ? -(int64_t)size : (int64_t)size;
    return is_whole;
}

// ---- one line

static Err *beyond(Making *making, size_t place, int64_t left)
{
    Money money = { left, making->invoice->currency };
    Str   where = str_print(db_arena(making->tx), "/lines/%zu/amount", place);
    bool  is_other_way = left > 0 ? making->note->lines[place].net <= 0
                                  : making->note->lines[place].net >= 0;
    if (left != 0 && is_other_way)
        return refuse(db_arena(making->tx), ERR_FIELD_INVALID, where,
                      "what of that line is credited must be %s 0", left > 0 ? "above" : "below");
    return refuse(db_arena(making->tx), ERR_FIELD_INVALID, where,
                  "%.*s is left of that line to be credited",
                  STR_ARG(money_print(db_arena(making->tx), money)));
}

// What invoices charged for what the line is for, less what later ones and notes took back of it.
static Err *charged_left(Making *making, const IssueLineRow *row, Int128 *left)
{
    DbTx         *tx = making->tx;
    ProjectId     project = making->deed->project;
    LateRowsQuery wanted = { project, row->subscription, row->service_start };
    LateRow      *rows;
    size_t        count;
    Line          line, other;
    *left = 0;
    TRY(issue_stored_line(db_arena(tx), row, making->invoice->currency, &line));
    TRY(late_rows(tx, &wanted, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        int64_t credited;
        TRY(issue_stored_line(db_arena(tx), &rows[i].row, making->invoice->currency, &other));
        if (!due_same_line(&line, &other))
            continue;
        TRY(credit_note_credited(tx, project, rows[i].invoice, rows[i].row.number, &credited));
        *left += (Int128)rows[i].row.net - credited;
    }
    return NULL;
}

// What of a line can be given back, of which `before` was. What an invoice behind it took back is
// not given back again; late usage knows of that by itself.
static Err *left_find(Making *making, const IssueLineRow *row, int64_t before, int64_t *left)
{
    Int128 charged;
    *left = row->net - before;
    if (*left <= 0 || row->subscription.length == 0 || making->note->is_of_late_usage)
        return NULL;
    TRY(charged_left(making, row, &charged));
    if (charged < *left)
        *left = charged > 0 ? (int64_t)charged : 0;
    return NULL;
}

static Err *line_credit(Making *making, size_t place, const IssueLineRow *row, int64_t before)
{
    CreditNoteLine *line = &making->note->lines[place];
    int64_t         left;
    Json           *taxes;
    TRY(left_find(making, row, before, &left));
    bool            fits = left > 0 ? line->net > 0 && line->net <= left
                                    : line->net < 0 && line->net >= left;
    if (!fits)
        return beyond(making, place, left);
    TRY(json_parse_stored(db_arena(making->tx), row->taxes, &taxes));
    line->tax = 0;
    for (const Json *rate = taxes->first; rate != NULL; rate = rate->next) {
        int64_t whole;
        if (rate->kind != JSON_NUMBER || !whole_read(rate->text, &whole))
            return refuse(db_arena(making->tx), ERR_STORE_FAILED, STR_NONE,
                          "the taxes of line %lld of the invoice %.*s cannot be read",
                          (long long)row->number, STR_ARG(making->invoice->id));
        int64_t tax = credit_note_share(whole, before + line->net, row->net) -
                      credit_note_share(whole, before, row->net);
        line->tax += tax;
        issue_leg_add(&making->legs, LEDGER_TAX, rate->name, tax);
    }
    TRY(issue_revenue_credit(making->tx, row, line->net, &making->items, &making->legs));
    making->note->net += line->net;
    making->note->tax += line->tax;
    return NULL;
}

static Err *line_find(Making *making, size_t place)
{
    CreditNote *note = making->note;
    int64_t     number = note->lines[place].line, before;
    for (size_t i = 0; i < place; i++)
        if (note->lines[i].line == number)
            return refuse(db_arena(making->tx), ERR_FIELD_INVALID,
                          str_print(db_arena(making->tx), "/lines/%zu/line", place),
                          "a line stands here once");
    if (number < 1 || (uint64_t)number > making->row_count)
        return refuse(db_arena(making->tx), ERR_INVOICE_NOT_FOUND, STR_NONE,
                      "the invoice %.*s has no line %lld", STR_ARG(note->invoice),
                      (long long)number);
    TRY(credit_note_credited(making->tx, making->deed->project, note->invoice, number, &before));
    return line_credit(making, place, &making->rows[number - 1], before);
}

// All that is left of every line.
static Err *lines_all(Making *making)
{
    CreditNote *note = making->note;
    note->lines = arena_array(db_arena(making->tx), CreditNoteLine, making->row_count);
    note->count = 0;
    for (size_t i = 0; i < making->row_count; i++) {
        int64_t before, left;
        TRY(credit_note_credited(making->tx, making->deed->project, note->invoice,
                                 making->rows[i].number, &before));
        TRY(left_find(making, &making->rows[i], before, &left));
        if (left == 0)
            continue;
        note->lines[note->count] =
            (CreditNoteLine){ .line = making->rows[i].number, .net = left };
        TRY(line_credit(making, note->count, &making->rows[i], before));
        note->count++;
    }
    return NULL;
}

// ---- the note

// What was paid of the invoice and did not go back, be it as money or to the balance. The balance
// first gets what it had paid itself.
static Err *paid_left(Making *making, int64_t *left)
{
    const IssuedInvoice *invoice = making->invoice;
    CreditNotePage       page = { .project = making->deed->project,
                                  .invoice = invoice->id,
                                  .limit = INT32_MAX };
    CreditNote          *notes;
    size_t               count;
    int64_t              to_balance = -invoice->balance_used;
    TRY(credit_notes(making->tx, &page, &notes, &count));
    *left = invoice->paid;
    for (size_t i = 0; i < count; i++) {
        if (notes[i].apply == CREDIT_REFUND)
            *left -= notes[i].total - notes[i].restored;
        else if (notes[i].apply == CREDIT_TO_BALANCE)
            to_balance += notes[i].total - notes[i].restored;
    }
    if (to_balance > 0)
        *left -= to_balance;
    if (*left < 0)
        *left = 0;
    return NULL;
}

static Err *refund_check(Making *making, int64_t rest)
{
    int64_t left;
    TRY(paid_left(making, &left));
    if (rest <= left)
        return NULL;
    Money money = { left, making->invoice->currency };
    return refuse(db_arena(making->tx), ERR_FIELD_INVALID, STR("/apply"),
                  "%.*s of what was paid of the invoice is left to be refunded: apply the credit "
                  "note to the invoice or to the balance",
                  STR_ARG(money_print(db_arena(making->tx), money)));
}

// How much of it goes back to the wallet.
static Err *restored_find(Making *making)
{
    CreditNote  *note = making->note;
    CreditWallet wallet = { making->deed->project, note->account, note->currency };
    TRY(credit_draw_left(making->tx, &wallet,
                         late_draw_source(db_arena(making->tx), note->invoice), &note->restored));
    if (note->restored > note->total)
        note->restored = note->total;
    return NULL;
}

static Err *total_check(Making *making)
{
    CreditNote *note = making->note;
    int64_t     remaining = invoice_remaining(making->invoice);
    note->total = note->net + note->tax;
    if (note->total <= 0)
        return refuse(db_arena(making->tx), ERR_FIELD_INVALID, STR("/lines"),
                      "a credit note comes to more than 0");
    TRY(restored_find(making));
    if (note->apply == CREDIT_REFUND)
        return refund_check(making, note->total - note->restored);
    if (note->apply == CREDIT_TO_INVOICE && note->total - note->restored > remaining)
        return refuse(db_arena(making->tx), ERR_FIELD_INVALID, STR("/apply"),
                      "the credit note is more than remains of the invoice: apply it to the "
                      "balance, or as a refund");
    return NULL;
}

static Err *number_take(Making *making)
{
    Arena  *arena = db_arena(making->tx);
    Str     party, prefix = STR("CN-");
    int64_t number;
    TRY(legal_entity_get(making->tx, making->deed->project, &party));
    if (party.at != NULL) {
        Json *object;
        TRY(json_parse_stored(arena, party, &object));
        const Json *member = json_find(object, STR("creditNotePrefix"));
        prefix = member == NULL ? prefix : member->text;
    }
    TRY(issue_number(making->tx, making->deed->project,
                     str_print(arena, "creditNote:%.*s", STR_ARG(prefix)), &number));
    making->note->number = str_print(arena, "%.*s%06lld", STR_ARG(prefix), (long long)number);
    return NULL;
}

static Err *credit_back(Making *making)
{
    CreditNote   *note = making->note;
    CreditRestore restore = {
        .wallet = { making->deed->project, note->account, note->currency },
        .of = late_draw_source(db_arena(making->tx), note->invoice),
        .source = str_print(db_arena(making->tx), "creditNote:%.*s:credit", STR_ARG(note->id)),
        .amount = note->restored,
        .at = making->deed->now,
        .effective_at = making->deed->now,
    };
    int64_t restored;
    if (note->restored == 0)
        return NULL;
    TRY(credit_restore(making->tx, &restore, &restored));
    assert_that(restored == note->restored);
    return NULL;
}

// What goes back to the wallet is owed for a moment: the restore posts it the other way round.
static Err *note_post(Making *making)
{
    static const LedgerKind kinds[CREDIT_APPLY_COUNT] = {
        [CREDIT_TO_INVOICE] = LEDGER_RECEIVABLE,
        [CREDIT_TO_BALANCE] = LEDGER_CUSTOMER_BALANCE,
        [CREDIT_REFUND] = LEDGER_CASH,
    };
    const CreditNote *note = making->note;
    Str  owner = note->apply == CREDIT_REFUND ? note->method : note->account;
    bool posted;
    issue_leg_add(&making->legs, LEDGER_RECEIVABLE, note->account, -note->restored);
    issue_leg_add(&making->legs, kinds[note->apply], owner, note->restored - note->total);
    TRY(revenue_items_write(making->tx, &making->items));
    LedgerPost post = { .project = making->deed->project,
                        .rule = POSTING_CREDIT_NOTE,
                        .source = str_print(db_arena(making->tx), "creditNote:%.*s",
                                            STR_ARG(note->id)),
                        .currency = note->currency,
                        .at = making->deed->now,
                        .effective_at = making->deed->now,
                        .account = note->account,
                        .memo = note->number,
                        .legs = making->legs.at,
                        .count = making->legs.count };
    return ledger_post(making->tx, &post, &posted);
}

static Err *making_begin(Making *making)
{
    DbTx         *tx = making->tx;
    CreditNote   *note = making->note;
    InvoiceState  state;
    size_t        legs = 3;
    TRY(issued_get(tx, making->deed->project, note->invoice, &making->invoice));
    state = making->invoice->state;
    if (state != INVOICE_FINALIZED && state != INVOICE_PAID)
        return refuse(db_arena(tx), ERR_INVOICE_STATE, STR_NONE,
                      "the invoice %.*s is %s and takes no credit note", STR_ARG(note->invoice),
                      invoice_state_names[state]);
    TRY(issue_lines_read(tx, making->deed->project, note->invoice, &making->rows,
                         &making->row_count));
    for (size_t i = 0; i < making->row_count; i++)
        legs += 1 + TAX_RATES_OF_LINE_MAX;
    making->legs.at = arena_array(db_arena(tx), LedgerLeg, legs);
    TRY(revenue_items_read(tx, making->deed->project, making->invoice->account, &making->items));
    note->id = random_id(db_arena(tx), "cn_");
    note->account = making->invoice->account;
    note->currency = making->invoice->currency;
    note->created_at = making->deed->now;
    note->net = note->tax = 0;
    return NULL;
}

Err *credit_note_make(DbTx *tx, const InvoiceDeed *deed, CreditNote *wanted)
{
    Making making = { .tx = tx, .deed = deed, .note = wanted };
    TRY(making_begin(&making));
    if (wanted->count == 0)
        TRY(lines_all(&making));
    else
        for (size_t i = 0; i < wanted->count; i++)
            TRY(line_find(&making, i));
    TRY(total_check(&making));
    TRY(number_take(&making));
    TRY(credit_back(&making));
    TRY(note_post(&making));
    TRY(credit_note_add(tx, deed->project, wanted));
    if (wanted->apply == CREDIT_TO_INVOICE)
        making.invoice->credited += wanted->total - wanted->restored;
    return issue_settle(tx, deed, making.invoice);
}
