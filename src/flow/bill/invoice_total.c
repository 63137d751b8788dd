// SPDX-License-Identifier: Apache-2.0
// The sums of an invoice.
#include "flow/bill/invoice.h"

static bool line_add(Invoice *invoice, const Line *line)
{
    return money_add(invoice->subtotal, line->amount, &invoice->subtotal) &&
           money_add(invoice->discounts, line->discount, &invoice->discounts) &&
           money_add(invoice->tax, line->tax, &invoice->tax);
}

static bool lines_add(Invoice *invoice)
{
    bool fits = true;
    for (size_t i = 0; i < invoice->count; i++)
        for (size_t k = 0; k < invoice->parts[i].lines.count; k++)
            fits = fits && line_add(invoice, &invoice->parts[i].lines.at[k]);
    return fits;
}

// Below 0 it is nothing, and the rest becomes the customer's balance.
static bool net_share(Invoice *invoice)
{
    Money net, zero = money_zero(invoice->currency);
    if (!money_add(invoice->subtotal, invoice->discounts, &net) ||
        !money_add(net, invoice->tax, &net))
        return false;
    if (net.minor < 0)
        return money_subtract(zero, net, &invoice->to_balance);
    invoice->total = net;
    return true;
}

Err *invoice_total(Arena *arena, Invoice *invoice)
{
    Money zero = money_zero(invoice->currency);
    invoice->subtotal = invoice->discounts = invoice->tax = zero;
    invoice->total = invoice->to_balance = zero;
    if (!lines_add(invoice) || !net_share(invoice))
        return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                      "the invoice comes to more than 63 bits of minor units");
    return NULL;
}
