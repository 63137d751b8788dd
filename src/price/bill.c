// SPDX-License-Identifier: Apache-2.0
// A bill on the wire. Quantities and exact amounts are texts without trailing zeros; rounded
// amounts carry the currency's places.
#include "price/bill.h"

#include "base/assert.h"

static const char *const kind_names[LINE_KIND_COUNT] = {
    [LINE_USAGE] = "usage",     [LINE_FEE] = "fee",        [LINE_QUANTITY] = "quantity",
    [LINE_MINIMUM] = "minimum", [LINE_TRUE_UP] = "trueUp", [LINE_OVERAGE] = "overage",
};

const char *line_kind_name(LineKind kind)
{
    return kind_names[kind];
}

bool line_kind_find(Str name, LineKind *kind)
{
    for (int i = 0; i < LINE_KIND_COUNT; i++)
        if (str_equal(name, str_of(kind_names[i]))) {
            *kind = (LineKind)i;
            return true;
        }
    return false;
}

Money line_net(const Line *line)
{
    Money net;
    bool  fits = money_add(line->amount, line->discount, &net);
    assert_that(fits);
    return net;
}

CommitmentCount commitment_count_none(Currency currency)
{
    return (CommitmentCount){ rational_zero(), money_zero(currency) };
}

static void money_member(JsonOut *out, Arena *arena, const char *name, Money amount)
{
    json_string_member(out, name, money_print(arena, amount));
}

static void text_or_null(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

static void span_member(JsonOut *out, Arena *arena, Span span)
{
    json_name(out, STR("period"));
    json_object(out);
    json_string_member(out, "start", instant_print(arena, span.start));
    json_string_member(out, "end", instant_print(arena, span.end));
    json_object_end(out);
}

static void group_member(JsonOut *out, const Line *line)
{
    if (line->group == NULL) {
        json_null_member(out, "group");
        return;
    }
    json_name(out, STR("group"));
    json_object(out);
    for (size_t i = 0; i < line->charge->group_count; i++) {
        json_name(out, line->charge->group_by[i]);
        if (line->group[i].at == NULL)
            json_null(out);
        else
            json_string(out, line->group[i]);
    }
    json_object_end(out);
}

static void line_head(const Line *line, const BillFrame *frame, JsonOut *out)
{
    text_or_null(out, "charge", line->charge == NULL ? STR_NONE : line->charge->id);
    json_string_member(out, "description", line->description);
    json_string_member(out, "kind", str_of(kind_names[line->kind]));
    group_member(out, line);
    int64_t version = line->plan_version != 0 ? line->plan_version : frame->plan_version;
    if (version != 0)
        json_whole_member(out, "planVersion", version);
}

static void posted_to_json(const EventAmounts *posted, Arena *arena, JsonOut *out)
{
    json_name(out, STR("posted"));
    json_array(out);
    for (size_t i = 0; i < posted->count; i++) {
        const EventAmount *event = &posted->at[i];
        json_object(out);
        text_or_null(out, "uniqueId", event->unique_id);
        json_string_member(out, "ts", instant_print(arena, event->ts));
        money_member(out, arena, "amount", event->amount);
        json_object_end(out);
    }
    json_array_end(out);
}

void line_members_to_json(const Line *line, const BillFrame *frame, Arena *arena, JsonOut *out)
{
    line_head(line, frame, out);
    span_member(out, arena, line->period);
    text_or_null(out, "usage",
                 line->measured ? rational_print_quantity(arena, line->usage) : STR_NONE);
    text_or_null(out, "quantity",
                 line->measured ? rational_print_quantity(arena, line->quantity) : STR_NONE);
    json_string_member(out, "exactAmount", rational_print(arena, line->exact));
    money_member(out, arena, "amount", line->amount);
    money_member(out, arena, "discount", line->discount);
    money_member(out, arena, "net", line_net(line));
    money_member(out, arena, "tax", line->tax);
    json_bool_member(out, "provisional", line->provisional);
    if (frame->has_events) {
        unsigned char digest[32];
        digest_write(&line->digest, digest);
        json_whole_member(out, "events", (int64_t)line->events);
        text_or_null(out, "digest",
                     line->kind == LINE_USAGE ? str_hex(arena, digest, sizeof digest) : STR_NONE);
    }
    if (line->posted.at != NULL)
        posted_to_json(&line->posted, arena, out);
    json_name(out, STR("steps"));
    steps_to_json(&line->steps, out);
}

static void totals_to_json(const Bill *bill, Arena *arena, JsonOut *out)
{
    money_member(out, arena, "subtotal", bill->subtotal);
    money_member(out, arena, "discounts", bill->discounts);
    money_member(out, arena, "tax", bill->tax);
    money_member(out, arena, "credits", bill->credits);
    money_member(out, arena, "total", bill->total);
    money_member(out, arena, "accrued", bill->accrued);
    money_member(out, arena, "amountDue", bill->amount_due);
}

void bill_to_json(const Bill *bill, const BillFrame *frame, Arena *arena, JsonOut *out)
{
    json_object(out);
    if (frame->subscription.at != NULL)
        json_string_member(out, "subscription", frame->subscription);
    if (frame->account.at != NULL)
        json_string_member(out, "account", frame->account);
    json_string_member(out, "currency", currency_code(&bill->currency));
    span_member(out, arena, bill->period);
    json_name(out, STR("lines"));
    json_array(out);
    for (size_t i = 0; i < bill->count; i++) {
        json_object(out);
        line_members_to_json(&bill->lines[i], frame, arena, out);
        json_object_end(out);
    }
    json_array_end(out);
    totals_to_json(bill, arena, out);
    if (frame->sequence.at != NULL)
        json_string_member(out, "sequence", frame->sequence);
    if (frame->rated_at.at != NULL)
        json_string_member(out, "ratedAt", frame->rated_at);
    json_object_end(out);
}
