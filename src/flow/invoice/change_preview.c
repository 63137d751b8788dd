// SPDX-License-Identifier: Apache-2.0
#include "flow/invoice/change_preview.h"

#include "flow/bill/timeline_read.h"
#include "flow/invoice/upcoming.h"

// The subscription with the change, and what its answer is made of.
typedef struct Changed {
    Arena             *arena;
    const ChangeQuery *query;
    UsageMoment       *moment;
    TimelineFacts      facts;
} Changed;

static Err *facts_of(Arena *arena, const ChangeQuery *query, TimelineFacts *facts)
{
    const OpenBillQuery *open = query->open;
    TRY(timeline_facts(arena, open->catalog, open->project, query->subscription, facts));
    if (!query->is_stored) {
        SubscriptionChange change = *query->change;
        change.recorded_at = open->rated_at;
        timeline_facts_add(arena, facts, &change);
    }
    facts->known_at = open->rated_at;
    return NULL;
}

static void document_member(JsonOut *out, const char *name, Str document)
{
    if (document.at == NULL)
        json_null_member(out, name);
    else
        json_raw_member(out, name, document);
}

static Err *invoices_write(const Changed *changed, JsonOut *out)
{
    const ChangeQuery *query = changed->query;
    SubscriptionChange change = *query->change;
    IssueQuery         issue = upcoming_issue(query->open, query->books);
    IssuePreview       preview;
    if (!query->is_stored)
        change.recorded_at = query->open->rated_at;
    Instant           at = due_of_change(&change);
    IssuePreviewQuery wanted = { .issue = &issue,
                                 .moment = changed->moment,
                                 .account = changed->facts.history.first->account,
                                 .instead = &changed->facts,
                                 .at = &at };
    TRY(due_currency(changed->arena, &changed->facts, &wanted.currency));
    TRY(issue_preview(changed->arena, &wanted, &preview));
    document_member(out, "invoice", preview.at);
    document_member(out, "upcomingInvoice", preview.next);
    return NULL;
}

// The last instant of the subscription at or before the change's effect. False: it has none.
static bool billed_at(const Timeline *timeline, Instant effect, Instant *at)
{
    *at = effect;
    if (at->us >= timeline->active.end.us)
        at->us = timeline->active.end.us - 1;
    return timeline_active(timeline, *at);
}

static Err *bill_member(const Changed *changed, JsonOut *out)
{
    OpenBillQuery query = *changed->query->open;
    Timeline      timeline;
    Bill          bill;
    OpenBill      open = { &query, changed->moment, &timeline };
    TRY(timeline_fold(changed->arena, &changed->facts, &timeline));
    bool is_billed = billed_at(&timeline, changed->query->change->effective_at, &query.at);
    if (is_billed)
        TRY(open_bill_rate(changed->arena, &open, &bill));
    json_name(out, STR("bill"));
    if (is_billed)
        open_bill_to_json(&open, &bill, changed->arena, out);
    else
        json_null(out);
    return NULL;
}

// What is too large to be told, or taxed by a rate that is not in force then, is null: the change
// counts all the same, and may be what mends it.
static Err *or_null(Err *err, const char *const *names, JsonOut *out)
{
    if (err != NULL && err->code != ERR_AMOUNT_TOO_LARGE && err->code != ERR_TAX_RATE_NOT_FOUND)
        return err;
    for (; err != NULL && *names != NULL; names++)
        json_null_member(out, *names);
    return NULL;
}

static Err *answer_write(const Changed *changed, JsonOut *out)
{
    static const char *const invoices[] = { "invoice", "upcomingInvoice", NULL };
    static const char *const bill[] = { "bill", NULL };
    const SubscriptionHistory *history = &changed->facts.history;
    json_object(out);
    json_name(out, STR("subscription"));
    subscription_now_to_json(history, changed->query->open->rated_at, out);
    json_name(out, STR("change"));
    change_to_json(changed->query->change, out);
    if (changed->query->shows_bills) {
        TRY(or_null(invoices_write(changed, out), invoices, out));
        TRY(or_null(bill_member(changed, out), bill, out));
    } else {
        for (size_t i = 0; i < 2; i++)
            json_null_member(out, invoices[i]);
        json_null_member(out, bill[0]);
    }
    json_object_end(out);
    return NULL;
}

Err *change_write(Arena *arena, const ChangeQuery *query, Text *out)
{
    const OpenBillQuery *open = query->open;
    Changed              changed = { .arena = arena, .query = query };
    JsonOut              json = json_out(out);
    size_t               before = out->length;
    TRY(facts_of(arena, query, &changed.facts));
    TRY(usage_moment_open(open->partition, arena, open->as_of, &changed.moment));
    Err *err = answer_write(&changed, &json);
    usage_moment_close(changed.moment);
    if (err != NULL)
        out->length = before;
    return err;
}

// ---- before and after

static Err *bill_of(Arena *arena, const OpenBill *open, Instant effect, Bill *bill, bool *has)
{
    OpenBillQuery query = *open->query;
    OpenBill      at_effect = { &query, open->moment, open->timeline };
    *has = billed_at(open->timeline, effect, &query.at);
    return *has ? open_bill_rate(arena, &at_effect, bill) : NULL;
}

static Err *before_rate(Arena *arena, const ChangeQuery *query, UsageMoment *moment,
                        ChangePreview *preview)
{
    const OpenBillQuery *open = query->open;
    Timeline             timeline;
    TimelineFacts        facts;
    OpenBill             bill = { open, moment, &timeline };
    TRY(timeline_facts(arena, open->catalog, open->project, query->subscription, &facts));
    facts.known_at = open->rated_at;
    TRY(timeline_fold(arena, &facts, &timeline));
    return bill_of(arena, &bill, query->change->effective_at, &preview->before,
                   &preview->has_before);
}

static Err *after_rate(Arena *arena, const ChangeQuery *query, UsageMoment *moment,
                       ChangePreview *preview)
{
    Timeline      timeline;
    TimelineFacts facts;
    OpenBill      bill = { query->open, moment, &timeline };
    TRY(facts_of(arena, query, &facts));
    TRY(timeline_fold(arena, &facts, &timeline));
    return bill_of(arena, &bill, query->change->effective_at, &preview->after,
                   &preview->has_after);
}

// One of many that is too large to be told holds up nobody.
static Err *or_none(Err *err, bool *has)
{
    if (err == NULL || err->code != ERR_AMOUNT_TOO_LARGE)
        return err;
    *has = false;
    return NULL;
}

static Err *both_rate(Arena *arena, const ChangeQuery *query, UsageMoment *moment,
                      ChangePreview *preview)
{
    TRY(or_none(before_rate(arena, query, moment, preview), &preview->has_before));
    return or_none(after_rate(arena, query, moment, preview), &preview->has_after);
}

Err *bill_preview_change(Arena *arena, const ChangeQuery *query, ChangePreview *preview)
{
    UsageMoment *moment;
    *preview = (ChangePreview){ 0 };
    TRY(usage_moment_open(query->open->partition, arena, query->open->as_of, &moment));
    Err *err = both_rate(arena, query, moment, preview);
    usage_moment_close(moment);
    return err;
}

Err *bill_check_change(Arena *arena, const ChangeQuery *query)
{
    UsageMoment  *moment;
    ChangePreview preview = { 0 };
    TRY(usage_moment_open(query->open->partition, arena, query->open->as_of, &moment));
    Err *after = after_rate(arena, query, moment, &preview);
    Err *before = after != NULL ? before_rate(arena, query, moment, &preview) : NULL;
    usage_moment_close(moment);
    return before == NULL ? after : NULL;
}

static Err *first_rate(Arena *arena, const OpenBillQuery *query, const Timeline *timeline)
{
    OpenBillQuery first = *query;
    OpenBill      open = { .query = &first, .timeline = timeline };
    Bill          bill;
    first.at = timeline->active.start;
    TRY(usage_moment_open(query->partition, arena, query->as_of, &open.moment));
    Err *err = open_bill_rate(arena, &open, &bill);
    usage_moment_close(open.moment);
    return err;
}

Err *bill_check_subscription(Arena *arena, const OpenBillQuery *query,
                             const SubscriptionHistory *made)
{
    TimelineFacts facts;
    Timeline      timeline;
    TRY(timeline_facts_of(arena, query->catalog, query->project, made, &facts));
    facts.known_at = query->rated_at;
    TRY(timeline_fold(arena, &facts, &timeline));
    Err *err = first_rate(arena, query, &timeline);
    if (err == NULL || err->code != ERR_AMOUNT_TOO_LARGE)
        return err;
    return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR("/quantities"), "%.*s", STR_ARG(err->detail));
}
