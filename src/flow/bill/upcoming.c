// SPDX-License-Identifier: Apache-2.0
// Which currencies an account has invoices in; what they say is issue_preview's.
#include "flow/bill/upcoming.h"

#include "flow/ledger/charge.h"

// By code.
typedef struct Currencies {
    Currency *at;
    size_t    count;
} Currencies;

static void currency_add(Arena *arena, Currencies *all, Currency currency)
{
    size_t place = 0;
    Str    code = currency_code(&currency);
    while (place < all->count && str_compare(currency_code(&all->at[place]), code) < 0)
        place++;
    if (place < all->count && currency_equal(all->at[place], currency))
        return;
    Currency *more = arena_array(arena, Currency, all->count + 1);
    for (size_t i = 0; i < all->count; i++)
        more[i < place ? i : i + 1] = all->at[i];
    more[place] = currency;
    all->at = more;
    all->count++;
}

static Err *of_subscriptions(Arena *arena, const UpcomingQuery *query, Currencies *all)
{
    const OpenBillQuery *open = query->open;
    CatalogPage page = { .project = open->project, .limit = 1000, .account = query->account };
    do {
        SubscriptionHistory *rows;
        size_t               count;
        TRY(catalog_histories(open->catalog, arena, &page, &rows, &count));
        for (size_t i = 0; i < count; i++) {
            TimelineFacts facts;
            Currency      currency;
            TRY(timeline_facts_of(arena, open->catalog, open->project, &rows[i], &facts));
            TRY(invoice_currency(arena, &facts, &currency));
            currency_add(arena, all, currency);
        }
        page.after = count < page.limit ? STR_NONE : rows[count - 1].first->id;
    } while (page.after.at != NULL);
    return NULL;
}

typedef struct ChargesRead {
    const UpcomingQuery *query;
    Currency            *at;
    size_t               count;
} ChargesRead;

static Err *charges_work(DbTx *tx, void *context)
{
    ChargesRead *read = context;
    return charges_waiting_in(tx, read->query->open->project, read->query->account, &read->at,
                              &read->count);
}

static Err *currencies_of(Arena *arena, const UpcomingQuery *query, Currencies *all)
{
    ChargesRead read = { .query = query };
    TRY(of_subscriptions(arena, query, all));
    TRY(db_read(query->books, arena, charges_work, &read));
    for (size_t i = 0; i < read.count; i++)
        currency_add(arena, all, read.at[i]);
    return NULL;
}

static Err *invoices_write(Arena *arena, const UpcomingQuery *query, UsageMoment *moment,
                           JsonOut *out)
{
    IssueQuery issue = upcoming_issue(query->open, query->books);
    Currencies all = { 0 };
    TRY(currencies_of(arena, query, &all));
    json_object(out);
    json_name(out, STR("data"));
    json_array(out);
    for (size_t i = 0; i < all.count; i++) {
        IssuePreview      preview;
        IssuePreviewQuery wanted = { .issue = &issue,
                                     .moment = moment,
                                     .account = query->account,
                                     .currency = all.at[i] };
        TRY(issue_preview(arena, &wanted, &preview));
        if (preview.next.at != NULL)
            json_raw(out, preview.next);
    }
    json_array_end(out);
    json_object_end(out);
    return NULL;
}

Err *upcoming_write(Arena *arena, const UpcomingQuery *query, Text *out)
{
    Account     *row;
    UsageMoment *moment;
    JsonOut      json = json_out(out);
    size_t       before = out->length;
    TRY(catalog_account_get(query->open->catalog, arena, query->open->project, query->account,
                            &row));
    TRY(usage_moment_open(query->open->partition, arena, query->open->as_of, &moment));
    Err *err = invoices_write(arena, query, moment, &json);
    usage_moment_close(moment);
    if (err != NULL)
        out->length = before;
    return err;
}
