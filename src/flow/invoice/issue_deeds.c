// SPDX-License-Identifier: Apache-2.0
// What happens to a finalized invoice: paid, written off, voided. Each reads the row, locks it by
// its version and posts under a source of its own, so a repetition does nothing.
#include "base/assert.h"
#include "base/random.h"
#include "flow/invoice/credit_note.h"
#include "flow/invoice/late_inside.h"
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
    TRY(ledger_balance(tx, deed->project, &name, &balance));
    if (-balance >= given)
        return NULL;
    return refuse(db_arena(tx), ERR_INVOICE_HAS_PAYMENTS, STR_NONE,
                  "what the invoice %.*s gave to the customer's balance was used since",
                  STR_ARG(row->id));
}

// What the invoice posted, the other way round; of its revenue what is not earned any more.
static Err *posting_undo(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    Arena             *arena = db_arena(tx);
    LedgerPost         post = post_of(tx, deed, row, POSTING_INVOICE_VOID, STR("void"));
    LedgerTransaction *posted;
    bool               is_new;
    TRY(ledger_transaction_find(
        tx, deed->project, str_print(arena, "invoice:%.*s", STR_ARG(row->id)), &posted));
    IssueLegs legs = { arena_array(arena, LedgerLeg, posted == NULL ? 0 : posted->count), 0 };
    for (size_t i = 0; posted != NULL && i < posted->count; i++) {
        LedgerLeg leg = posted->legs[i];
        if (leg.kind == LEDGER_REVENUE || leg.kind == LEDGER_DEFERRED ||
            leg.kind == LEDGER_UNBILLED)
            continue;
        if (leg.kind == LEDGER_CUSTOMER_BALANCE)
            TRY(balance_check(tx, deed, row, -leg.amount));
        issue_leg_add(&legs, leg.kind, leg.owner, -leg.amount);
    }
    TRY(issue_revenue_undo(tx, deed, row, &legs));
    post.legs = legs.at;
    post.count = legs.count;
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
    if (row->credits == 0)
        return NULL;
    TRY(credit_restore(tx, &restore, &restored));
    if (restored == row->credits)
        return NULL;
    return refuse(arena, ERR_INVOICE_HAS_PAYMENTS, STR_NONE,
                  "credit that paid the invoice %.*s went back with a later one that corrects it: "
                  "void that one first",
                  STR_ARG(row->id));
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
    LateUndo undo = { { deed->project, row->account, row->currency }, row->id, rows, count,
                      deed->now };
    TRY(late_restores_undo(tx, &undo));
    TRY(late_reopen(tx, deed->project, row->id));
    return issue_lines_free(tx, deed->project, row->id);
}

Err *issue_void(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice **invoice, bool *was_done)
{
    TRY(issued_get(tx, deed->project, deed->id, invoice));
    IssuedInvoice *row = *invoice;
    bool           has_notes;
    *was_done = row->state == INVOICE_VOID;
    if (*was_done)
        return NULL;
    if (row->state == INVOICE_UNCOLLECTIBLE)
        return wrong_state(tx, row, "be voided");
    TRY(credit_note_any(tx, deed->project, row->id, &has_notes));
    if (row->paid != 0 || has_notes)
        return refuse(db_arena(tx), ERR_INVOICE_HAS_PAYMENTS, STR_NONE,
                      "the invoice %.*s has payments or credit notes", STR_ARG(row->id));
    if (row->state != INVOICE_DRAFT) {
        TRY(period_free(tx, deed, row));
        TRY(posting_undo(tx, deed, row));
        TRY(balance_give_back(tx, deed, row));
        TRY(credit_give_back(tx, deed, row));
    }
    row->state = INVOICE_VOID;
    row->is_void = true;
    row->voided_at = deed->now;
    return issue_row_set(tx, deed->project, row->id, row);
}

// ---- write-off

static LedgerPost write_off_of(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    Str what = str_print(db_arena(tx), "writeOff:%lld", (long long)row->version);
    return post_of(tx, deed, row, POSTING_WRITE_OFF, what);
}

// What was not earned yet is earned no more; the rest is lost.
static Err *write_off_post(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    LedgerPost post = write_off_of(tx, deed, row);
    int64_t    deferred;
    bool       posted;
    TRY(issue_revenue_write_off(tx, deed, row, row->written_off, &deferred));
    LedgerLeg legs[] = { { LEDGER_WRITEOFF, STR("invoices"), row->written_off - deferred },
                         { LEDGER_DEFERRED, row->account, deferred },
                         { LEDGER_RECEIVABLE, row->account, -row->written_off } };
    post.legs = legs;
    post.count = 3;
    return ledger_post(tx, &post, &posted);
}

// Of the write-off, which was the last that happened to the invoice.
static Err *deferred_of_write_off(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row,
                                  int64_t *deferred)
{
    LedgerTransaction *posted;
    IssuedInvoice      before = *row;
    before.version--;
    *deferred = 0;
    TRY(ledger_transaction_find(tx, deed->project, write_off_of(tx, deed, &before).source,
                                &posted));
    if (posted == NULL)
        return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                      "the ledger does not know that the invoice %.*s was written off",
                      STR_ARG(row->id));
    for (size_t i = 0; i < posted->count; i++)
        if (posted->legs[i].kind == LEDGER_DEFERRED)
            *deferred = posted->legs[i].amount;
    return NULL;
}

static Err *write_back_post(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *row)
{
    LedgerPost post = write_off_of(tx, deed, row);
    LedgerLeg  first[2];
    IssueLegs  legs = { first, 0 };
    int64_t    deferred;
    bool       posted;
    TRY(deferred_of_write_off(tx, deed, row, &deferred));
    issue_leg_add(&legs, LEDGER_WRITEOFF, STR("invoices"), deferred - row->written_off);
    issue_leg_add(&legs, LEDGER_RECEIVABLE, row->account, row->written_off);
    if (deferred != 0)
        TRY(issue_revenue_write_back(tx, deed, row, deferred, &legs));
    post.legs = legs.at;
    post.count = legs.count;
    return ledger_post(tx, &post, &posted);
}

Err *issue_write_off(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice **invoice, bool *was_done)
{
    TRY(issued_get(tx, deed->project, deed->id, invoice));
    IssuedInvoice *row = *invoice;
    *was_done = row->state == INVOICE_UNCOLLECTIBLE;
    if (*was_done)
        return NULL;
    if (row->state != INVOICE_FINALIZED)
        return wrong_state(tx, row, "be written off");
    row->written_off = invoice_remaining(row);
    TRY(write_off_post(tx, deed, row));
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
        TRY(write_back_post(tx, deed, row));
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
