// SPDX-License-Identifier: Apache-2.0
// A preview for each currency that an account has invoices in.
#include "flow/invoice/upcoming.h"

#include "flow/invoice/issue_currencies.h"

static Err *invoices_write(Arena *arena, const UpcomingQuery *query, UsageMoment *moment,
                           JsonOut *out)
{
    IssueQuery issue = upcoming_issue(query->open, query->books);
    Currency  *currencies;
    size_t     count;
    TRY(issue_currencies(arena, &issue, query->account, &currencies, &count));
    json_object(out);
    json_name(out, STR("data"));
    json_array(out);
    for (size_t i = 0; i < count; i++) {
        IssuePreview      preview;
        IssuePreviewQuery wanted = { .issue = &issue,
                                     .moment = moment,
                                     .account = query->account,
                                     .currency = currencies[i] };
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
