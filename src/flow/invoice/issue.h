// Invoices as they are kept: made at an account's next boundary or of single lines, finalized once,
// and what may happen to them then.
//
//   draft -> finalized <-> partly paid -> paid      finalized -> uncollectible -> paid
//   draft, finalized -> void (while nothing is paid or credited)
//
// A draft is rated anew each time it is asked for and when it is finalized. There is at most one of
// an account and currency: the earliest boundary whose lines are not billed. What it contains is
// the difference of bills that flow/bill/due.h tells, less the lines that the books say were
// billed. Making it again and finalizing it again are harmless.
//
// Finalizing is one transaction: number (gapless within its series), credits drawn, taxes, the
// ledger's posts, customer balance used, and how far the subscriptions are billed. A void invoice
// gives credits and balance back and frees its lines: its boundary is the next one again.
//
// What an invoice says never changes: it is written from its row's head and its lines, and its
// digest is of those bytes. Owns tables invoice, invoice_line, invoice_progress, invoice_payment,
// document_series.
#pragma once

#include "flow/aggregate/usage.h"
#include "flow/bill/due.h"
#include "flow/invoice/tax_rate.h"
#include "flow/ledger/ledger.h"

typedef enum InvoiceKind { INVOICE_BILLING, INVOICE_ONE_OFF, INVOICE_KIND_COUNT } InvoiceKind;
typedef enum InvoiceState {
    INVOICE_DRAFT,
    INVOICE_FINALIZED,
    INVOICE_PAID,
    INVOICE_UNCOLLECTIBLE,
    INVOICE_VOID,
    INVOICE_STATE_COUNT
} InvoiceState;
extern const char *const invoice_kind_names[];   // "billing", "oneOff"; ends with NULL
extern const char *const invoice_state_names[];  // "draft", …; ends with NULL

// Amounts are minor units of its currency.
typedef struct IssuedInvoice {
    Str          id;
    InvoiceKind  kind;
    InvoiceState state;
    Str          account;
    Currency     currency;
    Instant      boundary;  // at which it is due: X of flow/bill/due.h
    Str          number;    // STR_NONE: a draft's
    int64_t      total;     // never below 0
    int64_t      credits, balance_used;    // what wallets and the customer's balance paid of it
    int64_t      paid, credited, written_off;  // payments, credit notes that lower it, write-off
    Str          head;    // JSON: what stands around its lines
    Str          digest;  // of what it says; STR_NONE: a draft's
    int64_t      version;
    Instant      created_at;
    bool         is_issued, is_paid, is_void;
    Instant      issued_at, due_at, paid_at, voided_at;
} IssuedInvoice;

int64_t invoice_remaining(const IssuedInvoice *invoice);  // 0 unless it is finalized

// What makes invoices.
typedef struct IssueQuery {
    Db        *books;
    Catalog   *catalog;
    Partition *partition;
    ProjectId  project;
    Instant    now;
    Str        who;  // asks for one invoice to be final, for the audit trail; STR_NONE: not noted
} IssueQuery;

// Makes, or makes again, the draft of the account's earliest boundary up to now at which something
// is due that was not billed. `currency`: STR_NONE for any. NOTHING_DUE; ACCOUNT_NOT_FOUND;
// TAX_RATE_NOT_FOUND; what rating refuses.
Err *issue_due(Arena *arena, const IssueQuery *query, Str account, Str currency,
               IssuedInvoice **invoice) MUST_CHECK;

// One line of an invoice that no subscription has.
typedef struct OneOffLine {
    Str     description;
    Str     category;  // of tax; STR_NONE: none
    int64_t amount;    // minor units, any sign but 0
} OneOffLine;

typedef struct OneOff {
    Account    *account;
    Currency    currency;
    Str         memo, po_number;  // STR_NONE: none, the account's
    OneOffLine *lines;
    size_t      count;
} OneOff;

// Makes a draft of these lines, in the caller's transaction.
Err *issue_one_off(DbTx *tx, const IssueQuery *query, const OneOff *one,
                   IssuedInvoice **invoice) MUST_CHECK;

// Finalizes a draft; one that is finalized is answered as it is. INVOICE_NOT_FOUND, INVOICE_STATE
// (void), INVOICE_STALE (a draft that is not the account's next any more), LEDGER_MONTH_CLOSED,
// STORE_BUSY.
Err *issue_finalize(Arena *arena, const IssueQuery *query, Str id,
                    IssuedInvoice **invoice) MUST_CHECK;

// Both for accounts' earliest boundaries up to `until`: each rated once, then all are made and
// finalized in one transaction with what `also` stores beside them. When that is refused each has
// a transaction of its own, so that one bad account spoils nothing.
typedef struct IssueClose {
    Instant until;
    Err  *(*also)(DbTx *tx, void *context, IssuedInvoice *const *invoices, size_t count);
    void   *context;
    bool    with_thresholds;  // and what of running periods has reached its plan's invoiceThreshold
} IssueClose;
// What became of one. An invoice, or why there is none (what the two functions above refuse, but
// NOTHING_DUE; what `also` refuses), or neither: nothing is due.
typedef struct IssueClosed {
    Str            account;   // given; none is there twice
    Str            currency;  // given: only this one; STR_NONE: whichever is first
    IssuedInvoice *invoice;
    Err           *why;
    bool           is_last;  // with the invoice: nothing more is due up to `until`
} IssueClosed;
void issue_close(Arena *arena, const IssueQuery *query, const IssueClose *close,
                 IssueClosed *closed, size_t count);

// ---- before they are made

// What the account's next invoices in a currency say if nothing more happens, made by what makes
// them: those that are overdue first, and each with what those before it leave of credit, balance
// and charges. Nothing is stored. `issue->now` is T: changes recorded later are not known. Rates,
// parties, credit, balance, charges and what was billed are those of the books at this moment.
// Until the books have a first invoice of a subscription, what its invoices contained is rated from
// the log as it was known then. So it is where more than 16 are overdue, and those leave credit,
// balance and charges as they are.
typedef struct IssuePreviewQuery {
    const IssueQuery    *issue;
    UsageMoment         *moment;  // events that count
    Str                  account;
    Currency             currency;
    const TimelineFacts *instead;  // one subscription with a change in memory; NULL: none
    const Instant       *at;       // with `instead`: also what is due at this instant; or NULL
} IssuePreviewQuery;

// Documents as issued_document tells them; id, number, issuedAt and dueAt are null.
typedef struct IssuePreview {
    Str at;    // at query->at; what the log says of that subscription alone where no invoice is
    Str next;  // the first behind T; STR_NONE: none. Charges alone that wait are due at T.
} IssuePreview;

// ACCOUNT_NOT_FOUND; TAX_RATE_NOT_FOUND; what rating refuses.
Err *issue_preview(Arena *arena, const IssuePreviewQuery *query, IssuePreview *preview) MUST_CHECK;

// ---- what happens to it then, in the caller's transaction

typedef struct InvoiceDeed {
    ProjectId project;
    Str       id;
    Instant   now;
} InvoiceDeed;

// INVOICE_HAS_PAYMENTS, INVOICE_STATE. Again is harmless: it was done, and nothing happens.
Err *issue_void(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice **invoice,
                bool *was_done) MUST_CHECK;
// What remains will not be paid. INVOICE_STATE. Again is harmless, as above.
Err *issue_write_off(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice **invoice,
                     bool *was_done) MUST_CHECK;

// Money that came in elsewhere. What is more than remains becomes the customer's balance.
typedef struct InvoicePayment {
    Str     id;      // pay_…; made when it is recorded
    int64_t amount;  // above 0; 0: what remains
    Str     method, reference;  // reference may be STR_NONE
    Instant received_at;
} InvoicePayment;
Err *issue_pay(DbTx *tx, const InvoiceDeed *deed, const InvoicePayment *payment,
               IssuedInvoice **invoice) MUST_CHECK;

// ---- reading

Err *issued_get(DbTx *tx, ProjectId project, Str id, IssuedInvoice **invoice) MUST_CHECK;

typedef struct IssuedPage {
    ProjectId project;
    Str       account;  // STR_NONE: of all
    Str       state;    // STR_NONE: in any
    Str       before;   // ids below this one; STR_NONE: from the newest
    size_t    limit;
} IssuedPage;
Err *issued_list(DbTx *tx, const IssuedPage *page, IssuedInvoice **invoices,
                 size_t *count) MUST_CHECK;

Err *issued_payments(DbTx *tx, const IssuedInvoice *of, ProjectId project,
                     InvoicePayment **payments, size_t *count) MUST_CHECK;

// The document: what the invoice says, for ever the same bytes once it is finalized.
Err *issued_document(DbTx *tx, ProjectId project, const IssuedInvoice *invoice,
                     Str *document) MUST_CHECK;

// The events that a line of it counted, or ignored because they brought no number: those up to the
// invoice's sequence, by (ts, unique id). Lines that measure nothing have none.
typedef struct LineEvent {
    Instant  ts;
    Str      unique_id;
    Decimal  value;
    bool     counts;
    uint64_t sequence;
} LineEvent;

typedef struct LineEventsQuery {
    Str     invoice;
    int64_t number;     // of the line
    bool    has_after;  // behind this one
    Instant after_ts;
    Str     after_unique_id;
    size_t  limit;
} LineEventsQuery;

typedef struct LineEvents {
    LineEvent *at;
    size_t     count;
    bool       has_more;
} LineEvents;

// INVOICE_NOT_FOUND.
Err *issued_line_events(Arena *arena, const IssueQuery *query, const LineEventsQuery *wanted,
                        LineEvents *events) MUST_CHECK;

extern const StatementTable issue_table, issue_batch_table;
