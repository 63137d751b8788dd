// SPDX-License-Identifier: Apache-2.0
// Credit had paid a part of an invoice, and usage on it falls: the wallet gets back what it paid,
// up to what falls, and only the rest is the customer's. The invoice that carries the correction
// asks for as much more, so that nobody is paid twice:
//   billed 10.00, of which credit paid 4.00; 3.00 less now, on an invoice of 20.00 more:
//   lines 20.00 - 3.00, credit restored 3.00: total 20.00, and 3.00 in the wallet again
#include "flow/invoice/late_inside.h"

#include "base/assert.h"

Str late_restore_source(Arena *arena, Str document, Str invoice)
{
    return str_print(arena, "invoice:%.*s:late:%.*s", STR_ARG(document), STR_ARG(invoice));
}

Str late_draw_source(Arena *arena, Str invoice)
{
    return str_print(arena, "invoice:%.*s:credit", STR_ARG(invoice));
}

// What a line comes to with the tax that is not in it, whatever credit pays of it now.
static int64_t line_total(const IssuePriced *priced, size_t number)
{
    const TaxLine   *taxed = &priced->lines[number];
    const IssueLine *line = &priced->draft->lines[number];
    int64_t          included = taxed->amount.minor - taxed->net;
    return line->amount.minor + line->discount.minor + taxed->tax - included;
}

// What lines that correct the invoice come to.
static int64_t invoice_sum(const IssuePriced *priced, Str invoice)
{
    int64_t sum = 0;
    for (size_t i = 0; i < priced->draft->count; i++) {
        const LateOf *of = priced->draft->lines[i].of;
        if (of != NULL && str_equal(of->invoice, invoice))
            sum += line_total(priced, i);
    }
    return sum;
}

static bool is_first(const IssueDraft *draft, size_t number)
{
    for (size_t i = 0; i < number; i++)
        if (draft->lines[i].of != NULL &&
            str_equal(draft->lines[i].of->invoice, draft->lines[number].of->invoice))
            return false;
    return true;
}

Err *late_restores(DbTx *tx, IssuePriced *priced)
{
    const IssueDraft *draft = priced->draft;
    CreditWallet      wallet = { draft->query->project, draft->account, draft->currency };
    for (size_t i = 0; i < draft->count; i++) {
        const LateOf *of = draft->lines[i].of;
        int64_t       left;
        if (of == NULL || of->invoice.at == NULL || !is_first(draft, i))
            continue;
        int64_t fallen = -invoice_sum(priced, of->invoice);
        if (fallen <= 0)
            continue;
        TRY(credit_draw_left(tx, &wallet, late_draw_source(db_arena(tx), of->invoice), &left));
        if (draft->ahead != NULL)
            left -= issue_ahead_restored(draft->ahead, of->invoice);
        if (left <= 0)
            continue;
        if (priced->restores == NULL)
            priced->restores = arena_array(db_arena(tx), LateRestore, draft->count);
        LateRestore restore = { of->invoice, left < fallen ? left : fallen };
        priced->restores[priced->restore_count++] = restore;
        priced->restored += restore.amount;
    }
    return NULL;
}

Err *late_restores_post(DbTx *tx, const IssuePriced *priced, Str invoice)
{
    const IssueDraft *draft = priced->draft;
    for (size_t i = 0; i < priced->restore_count; i++) {
        const LateRestore *wanted = &priced->restores[i];
        CreditRestore      restore = {
            .wallet = { draft->query->project, draft->account, draft->currency },
            .of = late_draw_source(db_arena(tx), wanted->invoice),
            .source = late_restore_source(db_arena(tx), invoice, wanted->invoice),
            .amount = wanted->amount,
            .at = draft->query->now,
            .effective_at = draft->query->now,
        };
        int64_t restored;
        TRY(credit_restore(tx, &restore, &restored));
        assert_that(restored == wanted->amount);
    }
    return NULL;
}

Err *late_restores_undo(DbTx *tx, const LateUndo *undo)
{
    Arena *arena = db_arena(tx);
    for (size_t i = 0; i < undo->count; i++) {
        Json *content;
        TRY(json_parse_stored(arena, undo->rows[i].content, &content));
        const Json *of = json_find(content, STR("of"));
        const Json *invoice = of == NULL ? NULL : json_find(of, STR("invoice"));
        if (invoice == NULL || invoice->kind != JSON_STRING)
            continue;
        CreditRestore done = {
            .wallet = undo->wallet,
            .of = late_draw_source(arena, invoice->text),
            .source = late_restore_source(arena, undo->document, invoice->text),
            .at = undo->now,
            .effective_at = undo->now,
        };
        TRY(credit_restore_undo(tx, &done));
    }
    return NULL;
}
