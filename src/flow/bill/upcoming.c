// SPDX-License-Identifier: Apache-2.0
#include "flow/bill/upcoming.h"

enum { INSTANTS_MAX = 100 };  // without anything due, before a search ends

// What a subscription has next.
typedef struct Next {
    Str          subscription;
    Currency     currency;
    Instant      at;
    InvoiceLines lines;
} Next;

typedef struct Nexts {
    Next  *at;
    size_t count;
} Nexts;

static void next_add(Arena *arena, Nexts *nexts, const Next *next)
{
    if ((nexts->count & (nexts->count - 1)) == 0) {  // 0, 1, 2, 4, … are full
        Next *more = arena_array(arena, Next, nexts->count == 0 ? 1 : 2 * nexts->count);
        for (size_t i = 0; i < nexts->count; i++)
            more[i] = nexts->at[i];
        nexts->at = more;
    }
    nexts->at[nexts->count++] = *next;
}

// The first instant after T at which the subscription has a line. Of an instant at which nothing is
// due (a change that counts later) there is no invoice.
static Err *next_find(Arena *arena, const InvoiceQuery *query, Nexts *nexts)
{
    Next next = { .subscription = query->facts->history.first->id,
                  .at = query->facts->known_at };
    bool found = true;
    TRY(invoice_currency(arena, query->facts, &next.currency));
    for (int tries = 0; tries < INSTANTS_MAX && found && next.lines.count == 0; tries++) {
        TRY(invoice_next(arena, query->facts, next.at, &next.at, &found));
        if (found)
            TRY(invoice_due(arena, query, next.at, &next.lines));
    }
    if (next.lines.count > 0)
        next_add(arena, nexts, &next);
    return NULL;
}

static Err *nexts_of(Arena *arena, const UpcomingQuery *query, Nexts *nexts)
{
    const OpenBillQuery *open = query->open;
    CatalogPage page = { .project = open->project, .limit = 1000, .account = query->account };
    do {
        SubscriptionHistory *rows;
        size_t               count;
        TRY(catalog_histories(open->catalog, arena, &page, &rows, &count));
        for (size_t i = 0; i < count; i++) {
            TimelineFacts facts;
            InvoiceQuery  wanted = { open->catalog, query->moment, open->project, &facts };
            TRY(timeline_facts_of(arena, open->catalog, open->project, &rows[i], &facts));
            if (query->instead != NULL &&
                str_equal(rows[i].first->id, query->instead->history.first->id))
                facts = *query->instead;
            facts.known_at = open->rated_at;
            TRY(next_find(arena, &wanted, nexts));
        }
        page.after = count < page.limit ? STR_NONE : rows[count - 1].first->id;
    } while (page.after.at != NULL);
    return NULL;
}

// ---- one invoice for each currency

static Invoice *invoice_find(Arena *arena, Invoices *invoices, const Next *next, size_t room)
{
    size_t place = 0;
    Str    code = currency_code(&next->currency);
    while (place < invoices->count &&
           str_compare(currency_code(&invoices->at[place].currency), code) < 0)
        place++;
    if (place < invoices->count && currency_equal(invoices->at[place].currency, next->currency))
        return &invoices->at[place];
    for (size_t i = invoices->count++; i > place; i--)
        invoices->at[i] = invoices->at[i - 1];
    invoices->at[place] = (Invoice){ .currency = next->currency,
                                     .at = next->at,
                                     .parts = arena_array(arena, InvoicePart, room) };
    return &invoices->at[place];
}

Err *upcoming_invoices(Arena *arena, const UpcomingQuery *query, Invoices *invoices)
{
    Nexts    nexts = { 0 };
    Invoices made = { 0 };
    TRY(nexts_of(arena, query, &nexts));
    made.at = arena_array(arena, Invoice, nexts.count);
    for (size_t i = 0; i < nexts.count; i++) {
        Invoice *invoice = invoice_find(arena, &made, &nexts.at[i], nexts.count);
        if (nexts.at[i].at.us < invoice->at.us)
            invoice->at = nexts.at[i].at;
    }
    for (size_t i = 0; i < nexts.count; i++) {
        const Next *next = &nexts.at[i];
        Invoice    *invoice = invoice_find(arena, &made, next, nexts.count);
        if (next->at.us == invoice->at.us)
            invoice->parts[invoice->count++] = (InvoicePart){ next->subscription, next->lines };
    }
    for (size_t i = 0; i < made.count; i++)
        TRY(invoice_total(arena, &made.at[i]));
    *invoices = made;
    return NULL;
}

Err *upcoming_write(Arena *arena, const OpenBillQuery *query, Str account, Text *out)
{
    Account      *row;
    Invoices      invoices;
    UpcomingQuery wanted = { .open = query, .account = account };
    TRY(catalog_account_get(query->catalog, arena, query->project, account, &row));
    TRY(usage_moment_open(query->partition, arena, query->as_of, &wanted.moment));
    Err *err = upcoming_invoices(arena, &wanted, &invoices);
    if (err == NULL) {
        JsonOut      json = json_out(out);
        InvoiceFrame frame = {
            account, usage_sequence_print(arena, usage_moment_sequence(wanted.moment)),
            instant_print(arena, query->rated_at)
        };
        json_object(&json);
        json_name(&json, STR("data"));
        json_array(&json);
        for (size_t i = 0; i < invoices.count; i++)
            invoice_to_json(&invoices.at[i], &frame, arena, &json);
        json_array_end(&json);
        json_object_end(&json);
    }
    usage_moment_close(wanted.moment);
    return err;
}
