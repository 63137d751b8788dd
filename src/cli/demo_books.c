// SPDX-License-Identifier: Apache-2.0
#include "cli/demo_books.h"

#include <unistd.h>

#include "base/clock.h"
#include "cli/demo_bill.h"

enum { WAIT_US = 30000000, LOOK_US = 20000 };

// ---- the month is closed

static Err *send(Client *client, Arena *arena, Call call, const Json **answer)
{
    return client_call_json(client, arena, &call, answer);
}

static Err *get(Client *client, Arena *arena, Str path, const Json **answer)
{
    return send(client, arena, (Call){ .method = "GET", .path = path }, answer);
}

static Err *seller_declare(Client *client, Arena *arena)
{
    TRY(send(client, arena,
             (Call){ .method = "PUT",
                     .path = STR("/v1/taxRates/vat"),
                     .body = STR("{\"name\":\"VAT\",\"percent\":\"20\"}") },
             NULL));
    return send(client, arena,
                (Call){ .method = "PUT",
                        .path = STR("/v1/legalEntity"),
                        .body = STR("{\"legalName\":\"Demo Cloud Ltd\",\"taxRates\":[\"vat\"]}") },
                NULL);
}

static Err *credit_grant(Client *client, Arena *arena, Instant start, const char *account)
{
    Str body = str_print(arena,
                         "{\"account\":\"%s\",\"currency\":\"USD\",\"amount\":\"500\","
                         "\"kind\":\"promotional\",\"description\":\"Welcome\","
                         "\"effectiveAt\":\"%.*s\"}",
                         account, STR_ARG(instant_print(arena, start)));
    return send(client, arena,
                (Call){ .method = "POST",
                        .path = STR("/v1/grants"),
                        .body = body,
                        .idempotency_key = "demo-welcome" },
                NULL);
}

// Asks again and again until a member says so.
static Err *await(Client *client, Arena *arena, Str path, const char *member, const Json **answer)
{
    int64_t end_us = clock_tick_us() + WAIT_US;
    for (;;) {
        TRY(get(client, arena, path, answer));
        Str said = demo_bill_text(*answer, member);
        if (str_equal(said, STR("succeeded")) || str_equal(said, STR("0")))
            return NULL;
        if (clock_tick_us() > end_us)
            return refuse(arena, ERR_INTERNAL, STR_NONE, "%.*s: %s is still %.*s", STR_ARG(path),
                          member, STR_ARG(said));
        usleep(LOOK_US);
    }
}

static Err *run_all(Client *client, Arena *arena, const Json **run)
{
    TRY(send(client, arena,
             (Call){ .method = "POST",
                     .path = STR("/v1/runs"),
                     .body = STR("{\"kind\":\"billing\"}"),
                     .idempotency_key = "demo-month-end" },
             run));
    Str path = str_print(arena, "/v1/runs/%.*s", STR_ARG(demo_bill_text(*run, "id")));
    return await(client, arena, path, "status", run);
}

static Err *invoice_read(Client *client, Arena *arena, const char *account, const Json **invoice)
{
    const Json *list;
    TRY(get(client, arena, str_print(arena, "/v1/invoices?account=%s", account), &list));
    const Json *rows = json_find(list, STR("data"));
    if (rows == NULL || rows->first == NULL)
        return refuse(arena, ERR_INTERNAL, STR_NONE, "%s has no invoice", account);
    Str id = demo_bill_text(rows->first, "id");
    return get(client, arena, str_print(arena, "/v1/invoices/%.*s", STR_ARG(id)), invoice);
}

Err *demo_books_close(Client *client, Arena *arena, Instant start, const char *account,
                      DemoBooks *books)
{
    TRY(seller_declare(client, arena));
    TRY(credit_grant(client, arena, start, account));
    TRY(run_all(client, arena, &books->run));
    TRY(invoice_read(client, arena, account, &books->invoice));
    TRY(get(client, arena, STR("/v1/ledger/trialBalance"), &books->trial_balance));
    return await(client, arena, STR("/v1/ledger/verify"), "unsealed", &books->proof);
}

// ---- what it came to

static const Json *first_of(const Json *object, const char *member)
{
    const Json *list = json_find(object, str_of(member));
    return list == NULL ? NULL : list->first;
}

Err *demo_books_check(Arena *arena, const DemoBooks *books, const char *amount_due)
{
    Str         due = demo_bill_text(books->invoice, "amountDue");
    const Json *clean = json_find(books->proof, STR("clean"));
    if (!str_equal(due, str_of(amount_due)))
        return refuse(arena, ERR_INTERNAL, STR_NONE, "the invoice is %.*s, but must be %s",
                      STR_ARG(due), amount_due);
    for (const Json *total = first_of(books->trial_balance, "totals"); total != NULL;
         total = total->next)
        if (!str_equal(demo_bill_text(total, "difference"), STR("0.00")))
            return refuse(arena, ERR_INTERNAL, STR_NONE, "the trial balance is not zero");
    return clean != NULL && clean->kind == JSON_TRUE
               ? NULL
               : refuse(arena, ERR_INTERNAL, STR_NONE, "the ledger does not prove itself");
}

static Str grouped(Arena *arena, const Json *object, const char *member)
{
    return digits_grouped(arena, demo_bill_text(object, member));
}

static void ledger_print(Arena *arena, const DemoBooks *books, Text *out)
{
    const Json *balance = books->trial_balance;
    text_print(out, "\nThe ledger: debits above zero, credits below\n\n");
    for (const Json *row = first_of(balance, "data"); row != NULL; row = row->next)
        text_print(out, "%-16.*s %-22.*s %28.*s %.*s\n", STR_ARG(demo_bill_text(row, "kind")),
                   STR_ARG(demo_bill_text(row, "owner")), STR_ARG(grouped(arena, row, "balance")),
                   STR_ARG(demo_bill_text(row, "currency")));
    for (const Json *row = first_of(balance, "totals"); row != NULL; row = row->next)
        text_print(out, "%-39s %28.*s %.*s\n", "difference",
                   STR_ARG(grouped(arena, row, "difference")),
                   STR_ARG(demo_bill_text(row, "currency")));
    text_print(out, "\n%.*s transactions, each recomputed along the chain of their hashes\n",
               STR_ARG(grouped(arena, books->proof, "transactions")));
}

void demo_books_print(const DemoBooks *books, Text *out)
{
    AUTO(Arena) arena = arena_open();
    const Json *document = json_find(books->invoice, STR("document"));
    text_print(out,
               "\nMonth end: %.*s invoices in one run, each with its number and its entries in one "
               "transaction\n\nInvoice %.*s of %.*s, %.*s: its 500.00 of welcome credit, and VAT "
               "of 20 %%\n",
               STR_ARG(demo_bill_text(books->run, "invoices")),
               STR_ARG(demo_bill_text(books->invoice, "number")),
               STR_ARG(demo_bill_text(books->invoice, "account")),
               STR_ARG(demo_bill_text(books->invoice, "at")));
    demo_totals_print(document, out);
    ledger_print(arena, books, out);
}

void demo_books_to_json(const DemoBooks *books, JsonOut *out)
{
    json_name(out, STR("run"));
    json_value(out, books->run);
    json_name(out, STR("invoice"));
    json_value(out, books->invoice);
    json_name(out, STR("trialBalance"));
    json_value(out, books->trial_balance);
    json_name(out, STR("proof"));
    json_value(out, books->proof);
}
