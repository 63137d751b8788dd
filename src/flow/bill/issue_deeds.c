// SPDX-License-Identifier: Apache-2.0
// What happens to a finalized invoice: paid, written off, voided. Each reads the row, locks it by
// its version and posts under a source of its own, so a repetition does nothing.
#include "base/assert.h"
#include "base/random.h"
#include "flow/bill/credit_note.h"
#include "flow/bill/issue_inside.h"
#include "flow/ledger/credit.h"

static Err *wrong_state(DbTx *tx, const IssuedInvoice *row, const char *what)
{
    return refuse(db_arena(tx), ERR_INVOICE_STATE, STR_NONE, "the invoice %.*s is %s and cannot %s",
                  STR_ARG(row->id), invoice_state_names[row->state], what);
}

static LedgerPost post_of(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row,
                          PostingRule rule, Str what)
{
    return (LedgerPost){ .project = deed->project,
                         .rule = rule,
                         .source = str_print(db_arena(tx), "invoice:%.*s:%.*s", STR_ARG(row->id),
                                             STR_ARG(what)),
                         .currency = row->currency,
                         .at = deed->now,
                         .effective_at = deed->now,
                         .account = row->account,
                         .memo = row->number };
}

// ---- void

static Err *balance_check(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row,
                          int64_t given)
{
    LedgerName name = { LEDGER_CUSTOMER_BALANCE, row->account, row->currency };
    int64_t    balance;
    if (given == 0)
        return NULL;
    TRY(ledger_balance(tx, deed->project, &name, &balance));
    if (-balance >= given)
        return NULL;
    return refuse(db_arena(tx), ERR_INVOICE_HAS_PAYMENTS, STR_NONE,
                  "what the invoice %.*s gave to the customer's balance was used since",
                  STR_ARG(row->id));
}

// The invoice's own posting, the other way round.
static Err *posting_undo(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    Arena             *arena = db_arena(tx);
    LedgerPost         post = post_of(tx, deed, row, POSTING_INVOICE_VOID, STR("void"));
    LedgerTransaction *posted;
    bool               is_new;
    TRY(ledger_transaction_find(
        tx, deed->project, str_print(arena, "invoice:%.*s", STR_ARG(row->id)), &posted));
    if (posted == NULL)  // all of it came to nothing
        return NULL;
    LedgerLeg *legs = arena_array(arena, LedgerLeg, posted->count);
    for (size_t i = 0; i < posted->count; i++) {
        legs[i] = posted->legs[i];
        legs[i].amount = -legs[i].amount;
        if (legs[i].kind == LEDGER_CUSTOMER_BALANCE)
            TRY(balance_check(tx, deed, row, legs[i].amount));
    }
    post.legs = legs;
    post.count = posted->count;
    return ledger_post(tx, &post, &is_new);
}

static Err *balance_give_back(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    LedgerPost post = post_of(tx, deed, row, POSTING_BALANCE_USE, STR("balance:back"));
    LedgerLeg  legs[] = { { LEDGER_CUSTOMER_BALANCE, row->account, -row->balance_used },
                          { LEDGER_RECEIVABLE, row->account, row->balance_used } };
    bool       posted;
    post.legs = legs;
    post.count = 2;
    return ledger_post(tx, &post, &posted);
}

static Err *credit_give_back(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    Arena        *arena = db_arena(tx);
    CreditRestore restore = {
        .wallet = { deed->project, row->account, row->currency },
        .of = str_print(arena, "invoice:%.*s:credit", STR_ARG(row->id)),
        .source = str_print(arena, "invoice:%.*s:credit:back", STR_ARG(row->id)),
        .amount = INT64_MAX,
        .at = deed->now,
        .effective_at = deed->now,
    };
    int64_t restored;
    return row->credits == 0 ? NULL : credit_restore(tx, &restore, &restored);
}

// Its boundary is the next one of these subscriptions again, and its charges wait.
static Err *period_free(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    IssueLineRow *rows;
    size_t        count;
    Instant       before = { row->boundary.us - 1 };
    TRY(issue_lines_read(tx, deed->project, row->id, &rows, &count));
    for (size_t i = 0; i < count; i++)
        if (rows[i].subscription.length > 0 &&
            (i == 0 || !str_equal(rows[i].subscription, rows[i - 1].subscription)))
            TRY(issue_progress_back(tx, deed->project, rows[i].subscription, before));
    TRY(issue_charges_release(tx, deed->project, rows, count, row->id));
    return issue_lines_free(tx, deed->project, row->id);
}

Err *issue_void(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice **invoice)
{
    TRY(issued_get(tx, deed->project, deed->id, invoice));
    IssuedInvoice *row = *invoice;
    bool           has_notes;
    if (row->state == INVOICE_VOID)
        return NULL;
    if (row->state == INVOICE_UNCOLLECTIBLE)
        return wrong_state(tx, row, "be voided");
    TRY(credit_note_any(tx, deed->project, row->id, &has_notes));
    if (row->paid != 0 || has_notes)
        return refuse(db_arena(tx), ERR_INVOICE_HAS_PAYMENTS, STR_NONE,
                      "the invoice %.*s has payments or credit notes", STR_ARG(row->id));
    if (row->state != INVOICE_DRAFT) {
        TRY(posting_undo(tx, deed, row));
        TRY(balance_give_back(tx, deed, row));
        TRY(credit_give_back(tx, deed, row));
        TRY(period_free(tx, deed, row));
    }
    row->state = INVOICE_VOID;
    row->is_void = true;
    row->voided_at = deed->now;
    return issue_row_set(tx, deed->project, row->id, row);
}

// ---- write-off

// What is written off, or taken back of it (below 0).
static Err *write_off_post(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row,
                           int64_t amount)
{
    Str what = str_print(db_arena(tx), "writeOff:%lld", (long long)row->version);
    LedgerPost post = post_of(tx, deed, row, POSTING_WRITE_OFF, what);
    LedgerLeg  legs[] = { { LEDGER_WRITEOFF, STR("invoices"), amount },
                          { LEDGER_RECEIVABLE, row->account, -amount } };
    bool       posted;
    post.legs = legs;
    post.count = 2;
    return ledger_post(tx, &post, &posted);
}

Err *issue_write_off(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice **invoice)
{
    TRY(issued_get(tx, deed->project, deed->id, invoice));
    IssuedInvoice *row = *invoice;
    if (row->state == INVOICE_UNCOLLECTIBLE)
        return NULL;
    if (row->state != INVOICE_FINALIZED)
        return wrong_state(tx, row, "be written off");
    row->written_off = invoice_remaining(row);
    TRY(write_off_post(tx, deed, row, row->written_off));
    row->state = INVOICE_UNCOLLECTIBLE;
    return issue_row_set(tx, deed->project, row->id, row);
}

// ---- payments

static Err *payment_post(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row,
                         const InvoicePayment *payment)
{
    int64_t    remaining = invoice_remaining(row);
    int64_t    applied = payment->amount < remaining ? payment->amount : remaining;
    LedgerPost post = post_of(tx, deed, row, POSTING_PAYMENT, payment->id);
    LedgerLeg  legs[] = { { LEDGER_CASH, payment->method, payment->amount },
                          { LEDGER_RECEIVABLE, row->account, -applied },
                          { LEDGER_CUSTOMER_BALANCE, row->account, applied - payment->amount } };
    bool       posted;
    post.legs = legs;
    post.count = 3;
    return ledger_post(tx, &post, &posted);
}

Err *issue_settle(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice *row)
{
    if (row->state == INVOICE_FINALIZED && invoice_remaining(row) == 0) {
        row->state = INVOICE_PAID;
        row->is_paid = true;
        row->paid_at = deed->now;
    }
    return issue_row_set(tx, deed->project, row->id, row);
}

Err *issue_pay(DbTx *tx, const InvoiceDeed *deed, const InvoicePayment *payment,
               IssuedInvoice **invoice)
{
    InvoicePayment made = *payment;
    TRY(issued_get(tx, deed->project, deed->id, invoice));
    IssuedInvoice *row = *invoice;
    int64_t        remaining = invoice_remaining(row);
    if (row->state != INVOICE_FINALIZED && row->state != INVOICE_UNCOLLECTIBLE)
        return wrong_state(tx, row, "be paid");
    if (row->state == INVOICE_UNCOLLECTIBLE) {
        TRY(write_off_post(tx, deed, row, -row->written_off));
        row->state = INVOICE_FINALIZED;
        row->written_off = 0;
    }
    made.id = random_id(db_arena(tx), "pay_");
    if (made.amount == 0)
        made.amount = remaining;
    TRY(payment_post(tx, deed, row, &made));
    TRY(issue_payment_add(tx, deed->project, row->id, &made, deed->now));
    row->paid += made.amount < remaining ? made.amount : remaining;
    return issue_settle(tx, deed, row);
}
