// SPDX-License-Identifier: Apache-2.0
#include "api/grant_shape.h"

const char *const grant_payers[] = { "external", "customerBalance", NULL };

GrantPaidBy grant_payer(int choice)
{
    return choice == PAYER_BALANCE ? PAID_BY_CUSTOMER_BALANCE : PAID_EXTERNALLY;
}

Err *books_read(Request *request, DbWork work, void *context)
{
    return db_read(server_of(request)->books, request->arena, work, context);
}

void grant_to_json(const StoredGrant *stored, Arena *arena, JsonOut *out)
{
    const CreditGrant *grant = &stored->grant;
    Currency           currency = grant->currency;
    json_object(out);
    json_string_member(out, "id", grant->id);
    json_string_member(out, "account", grant->account);
    json_string_member(out, "currency", currency_code(&currency));
    json_string_member(out, "kind", str_of(grant_kind_name(grant->kind)));
    json_string_member(out, "state", str_of(grant_state_name(stored->state)));
    money_member(out, arena, "amount", (Money){ grant->amount, currency });
    money_member(out, arena, "price", (Money){ grant->price, currency });
    money_member(out, arena, "remaining", (Money){ grant->amount - grant->drawn, currency });
    json_whole_member(out, "priority", grant->priority);
    json_string_member(out, "effectiveAt", instant_print(arena, grant->effective_at));
    end_member(out, arena, "expiresAt", grant->expires_at);
    money_applies_to_write(&grant->applies_to, out);
    json_string_member(out, "creditTiming", str_of(credit_timing_name(grant->timing)));
    json_string_member(out, "paidBy", str_of(grant_paid_by_name(stored->paid_by)));
    json_string_member(out, "origin", stored->origin);
    text_member(out, "description", stored->description);
    json_string_member(out, "createdAt", instant_print(arena, stored->created_at));
    json_object_end(out);
}

static const char *const kinds[] = { "paid", "promotional", NULL };
static const char *const states[] = { "active", "used", "expired", "revoked", NULL };
static const char *const timings[] = { "beforeTax", "afterTax", NULL };
static const char *const payers[] = { "nobody", "external", "customerBalance", "adjustment", NULL };

static const Field grant_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "grt_ and 26 characters, ordered by time."),
    MEMBER("account", TEXT, .required = true, .doc = "Whose wallet it is in."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217; it pays nothing else."),
    MEMBER("kind", ENUM, .required = true, .choices = kinds, .doc = "Whether somebody paid."),
    MEMBER("state", ENUM, .required = true, .choices = states, .doc = "used: nothing is left."),
    MEMBER("amount", DECIMAL, .required = true, .doc = "What it was worth to the customer."),
    MEMBER("price", DECIMAL, .required = true, .doc = "What was paid for it."),
    MEMBER("remaining", DECIMAL, .required = true, .doc = "Posted: open bills are not drawn yet."),
    MEMBER("priority", WHOLE, .required = true, .doc = "Low is drawn first."),
    MEMBER("effectiveAt", INSTANT, .required = true, .doc = "From when it pays for usage."),
    MEMBER("expiresAt", INSTANT, .required = true, .nullable = true,
           .doc = "Until when it pays for usage; null: for ever."),
    MEMBER("appliesTo", OBJECT, .required = true, .nullable = true, .shape = &applies_to_shape,
           .doc = "null: everything."),
    MEMBER("creditTiming", ENUM, .required = true, .choices = timings,
           .doc = "Whether it lowers what is taxed, or pays tax too."),
    MEMBER("paidBy", ENUM, .required = true, .choices = payers, .doc = "Who paid its price."),
    MEMBER("origin", TEXT, .required = true, .doc = "grant, or the pack, adjustment or top-up."),
    MEMBER("description", TEXT, .required = true, .nullable = true, .doc = "For people."),
    MEMBER("createdAt", INSTANT, .required = true, .doc = "When it was made."),
};
const Shape grant_shape = SHAPE("Grant", grant_fields, .doc = "Credit of an account.");
