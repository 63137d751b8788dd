// Credit notes: lines of a final invoice, taken back in whole or in part. The tax of what is
// credited is the tax of all that was credited of the line so far, less what was credited of it
// before, rate by rate:
//   tax(c) = the line's tax at the rate x c / its net, half up
// so that a line credited in full gives back exactly its tax, in however many notes.
//
// What credit had paid of the invoice, and is not back yet, goes back to the wallet first; the rest
// goes where the note is applied to. So nobody is paid for credit that nobody paid:
//   invoice 30.00, of which credit paid 20.00 and the customer 10.00; all of it refunded:
//   20.00 in the wallet again, 10.00 in money
// Owns tables credit_note, credit_note_line.
#pragma once

#include "flow/invoice/issue.h"

typedef enum CreditApply {
    CREDIT_TO_INVOICE,  // lowers what remains of it; no more than that
    CREDIT_TO_BALANCE,  // the customer's balance
    CREDIT_REFUND,      // money that went back elsewhere, of what was paid: cash:{method}
    CREDIT_APPLY_COUNT
} CreditApply;
extern const char *const credit_apply_names[];  // "invoice", "balance", "refund"; ends with NULL

typedef struct CreditNoteLine {
    int64_t line;  // number of the invoice's
    int64_t net;   // of the sign of the line's; never more than is left of it
    int64_t tax;   // filled
} CreditNoteLine;

typedef struct CreditNote {
    Str             id, number;
    Str             invoice, account;
    Currency        currency;
    Str             reason_code;
    CreditApply     apply;
    Str             method;  // of a refund
    Str             memo;    // STR_NONE: none
    bool            is_of_late_usage;  // knows by itself what was taken back: late.h alone says so
    CreditNoteLine *lines;
    size_t          count;
    int64_t         net, tax, total;  // above 0
    int64_t         restored;  // of the total: to the wallet; the rest: where it is applied to
    Instant         created_at;
} CreditNote;

// Makes `wanted` (invoice, reason_code, apply, method, memo, lines with line and net; no lines: all
// that is left) and fills in the rest. INVOICE_NOT_FOUND (the line too), INVOICE_STATE,
// FIELD_INVALID (more than is left of a line when what invoices behind it took back is counted;
// what does not go to the wallet is more than remains of the invoice under CREDIT_TO_INVOICE, under
// CREDIT_REFUND than was paid and is not given back; nothing above 0: nothing is written yet),
// LEDGER_MONTH_CLOSED.
Err *credit_note_make(DbTx *tx, const InvoiceDeed *deed, CreditNote *wanted) MUST_CHECK;

// CREDIT_NOTE_NOT_FOUND.
Err *credit_note_get(DbTx *tx, ProjectId project, Str id, CreditNote *note) MUST_CHECK;

typedef struct CreditNotePage {
    ProjectId project;
    Str       invoice;  // of this one; STR_NONE: of all
    Str       before;   // ids below this one; STR_NONE: from the newest
    size_t    limit;
} CreditNotePage;
Err *credit_notes(DbTx *tx, const CreditNotePage *page, CreditNote **notes,
                  size_t *count) MUST_CHECK;

// tax x part / whole, half away from zero; part and whole have one sign.
int64_t credit_note_share(int64_t tax, int64_t part, int64_t whole);

// How much of an invoice's line was credited.
Err *credit_note_credited(DbTx *tx, ProjectId project, Str invoice, int64_t line,
                          int64_t *net) MUST_CHECK;
// The same without notes for late usage.
Err *credit_note_by_hand(DbTx *tx, ProjectId project, Str invoice, int64_t line,
                         int64_t *net) MUST_CHECK;
// True when the invoice has any.
Err *credit_note_any(DbTx *tx, ProjectId project, Str invoice, bool *any) MUST_CHECK;
// Stores what credit_note_make made.
Err *credit_note_add(DbTx *tx, ProjectId project, const CreditNote *note) MUST_CHECK;

extern const StatementTable credit_note_table;
