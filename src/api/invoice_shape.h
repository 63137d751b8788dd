// An invoice on the wire: where it stands now, and around it the document, which never changes.
#pragma once

#include "flow/invoice/issue.h"
#include "http/shape.h"

// What a list leaves out.
typedef struct InvoiceExtras {
    Str             document;
    InvoicePayment *payments;
    size_t          payment_count;
} InvoiceExtras;

// extras: NULL in lists.
void invoice_row_to_json(const IssuedInvoice *invoice, const InvoiceExtras *extras, Arena *arena,
                         JsonOut *out);
extern const Shape invoice_row_shape;
extern const Shape invoice_shape;           // one that is not made yet: its document
extern const Shape upcoming_invoice_shape;  // of an account: one for each currency

// A member of a body that is an amount in amount->currency, with no more places than that has.
typedef enum AmountRange { AMOUNT_ABOVE_ZERO, AMOUNT_ANY } AmountRange;  // any but 0
void amount_from_json(const Json *body, const char *name, AmountRange range, Money *amount,
                      Faults *faults);
