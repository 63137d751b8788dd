// SPDX-License-Identifier: Apache-2.0
#include "api/invoice_shape.h"

#include "api/money_body.h"
#include "api/party_shape.h"
#include "catalog/body.h"

void amount_from_json(const Json *body, const char *name, AmountRange range, Money *amount,
                      Faults *faults)
{
    const Json *member = body_find(body, name);
    const char *pointer = str_print(faults->arena, "/%s", name).at;
    Decimal     number;
    if (member == NULL) {
        faults_add(faults, ERR_FIELD_REQUIRED, str_of(pointer), "%s is missing", name);
        return;
    }
    if ((member->kind != JSON_NUMBER && member->kind != JSON_STRING) ||
        !decimal_parse(member->text, DECIMAL_WHOLE_DIGITS, &number)) {
        faults_add(faults, ERR_INVALID_VALUE, str_of(pointer),
                   "%s is a decimal with at most %d digits before the point and %d behind it",
                   name, DECIMAL_WHOLE_DIGITS, DECIMAL_PLACES);
        return;
    }
    if (!money_amount(faults, pointer, number, amount))
        return;
    if (amount->minor == 0 || (range == AMOUNT_ABOVE_ZERO && amount->minor < 0))
        faults_add(faults, ERR_FIELD_INVALID, str_of(pointer), "%s is %s", name,
                   range == AMOUNT_ABOVE_ZERO ? "above 0" : "other than 0");
}

static void amount_member(JsonOut *out, Arena *arena, const IssuedInvoice *invoice,
                          const char *name, int64_t minor)
{
    json_string_member(out, name, money_print(arena, (Money){ minor, invoice->currency }));
}

static void instant_member(JsonOut *out, Arena *arena, const char *name, bool is_there,
                           Instant instant)
{
    if (is_there)
        json_string_member(out, name, instant_print(arena, instant));
    else
        json_null_member(out, name);
}

static void amounts_to_json(const IssuedInvoice *invoice, Arena *arena, JsonOut *out)
{
    amount_member(out, arena, invoice, "total", invoice->total);
    amount_member(out, arena, invoice, "credits", -invoice->credits);
    amount_member(out, arena, invoice, "balanceUsed", -invoice->balance_used);
    amount_member(out, arena, invoice, "amountDue",
                  invoice->total - invoice->credits - invoice->balance_used);
    amount_member(out, arena, invoice, "amountPaid", invoice->paid);
    amount_member(out, arena, invoice, "amountCredited", invoice->credited);
    amount_member(out, arena, invoice, "amountRemaining", invoice_remaining(invoice));
}

static void payments_to_json(const IssuedInvoice *invoice, const InvoiceExtras *extras,
                             Arena *arena, JsonOut *out)
{
    json_name(out, STR("payments"));
    json_array(out);
    for (size_t i = 0; i < extras->payment_count; i++) {
        const InvoicePayment *payment = &extras->payments[i];
        json_object(out);
        json_string_member(out, "id", payment->id);
        amount_member(out, arena, invoice, "amount", payment->amount);
        json_string_member(out, "method", payment->method);
        text_member(out, "reference", payment->reference);
        json_string_member(out, "receivedAt", instant_print(arena, payment->received_at));
        json_object_end(out);
    }
    json_array_end(out);
}

void invoice_row_to_json(const IssuedInvoice *invoice, const InvoiceExtras *extras, Arena *arena,
                         JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", invoice->id);
    text_member(out, "number", invoice->number);
    json_string_member(out, "kind", str_of(invoice_kind_names[invoice->kind]));
    json_string_member(out, "status", str_of(invoice_state_names[invoice->state]));
    json_string_member(out, "account", invoice->account);
    json_string_member(out, "currency", currency_code(&invoice->currency));
    json_string_member(out, "at", instant_print(arena, invoice->boundary));
    amounts_to_json(invoice, arena, out);
    json_string_member(out, "createdAt", instant_print(arena, invoice->created_at));
    instant_member(out, arena, "issuedAt", invoice->is_issued, invoice->issued_at);
    instant_member(out, arena, "dueAt", invoice->is_issued, invoice->due_at);
    instant_member(out, arena, "paidAt", invoice->is_paid, invoice->paid_at);
    instant_member(out, arena, "voidedAt", invoice->is_void, invoice->voided_at);
    text_member(out, "digest", invoice->digest);
    if (extras != NULL) {
        payments_to_json(invoice, extras, arena, out);
        json_raw_member(out, "document", extras->document);
    }
    json_object_end(out);
}

// ---- shapes

static const char *const kinds[] = { "billing", "oneOff", NULL };
static const char *const states[] = { "draft", "finalized", "paid", "uncollectible", "void",
                                      NULL };

static const Field payment_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "pay_ and 26 characters."),
    MEMBER("amount", TEXT, .required = true, .doc = "What came in."),
    MEMBER("method", TEXT, .required = true, .doc = "How it came."),
    MEMBER("reference", TEXT, .required = true, .nullable = true,
           .doc = "The payer's, or a bank's."),
    MEMBER("receivedAt", INSTANT, .required = true, .doc = "When."),
};
static const Shape payment_shape = SHAPE("InvoicePayment", payment_fields, .doc = "A payment.");

static const Field party_fields[] = {
    MEMBER("name", TEXT, .required = true, .nullable = true, .doc = "Legal name."),
    MEMBER("address", OBJECT, .required = true, .nullable = true, .shape = &party_address_shape,
           .doc = "As it was then."),
    MEMBER("taxIds", ARRAY, .required = true, .nullable = true, .of = KIND_TEXT,
           .doc = "Its tax numbers."),
};
static const Shape party_shape =
    SHAPE("InvoiceParty", party_fields, .doc = "Seller or buyer, as it was when it was issued.");

static const Field tax_fields[] = {
    MEMBER("rate", TEXT, .required = true, .doc = "The tax rate's id."),
    MEMBER("name", TEXT, .required = true, .doc = "Its name then."),
    MEMBER("percent", TEXT, .required = true, .doc = "Its percentage then."),
    MEMBER("inclusive", BOOL, .required = true, .doc = "Amounts contain it."),
    MEMBER("jurisdiction", TEXT, .required = true, .nullable = true, .doc = "Whose tax it is."),
    MEMBER("net", TEXT, .required = true, .doc = "What it was taken of."),
    MEMBER("tax", TEXT, .required = true, .doc = "What it comes to."),
};
static const Shape tax_shape = SHAPE("InvoiceTax", tax_fields, .doc = "One rate of an invoice.");

#define DOCUMENT_MEMBERS                                                                           \
    MEMBER("account", TEXT, .required = true, .doc = "Who is billed."),                            \
        MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),                            \
        MEMBER("at", INSTANT, .required = true, .doc = "At which its lines are due."),             \
        MEMBER("seller", OBJECT, .required = true, .shape = &party_shape, .doc = "Who sells."),    \
        MEMBER("buyer", OBJECT, .required = true, .shape = &party_shape, .doc = "Who buys."),      \
        MEMBER("timeZone", TEXT, .required = true, .doc = "In which its dates are told."),         \
        MEMBER("poNumber", TEXT, .required = true, .nullable = true, .doc = "The buyer's order."), \
        MEMBER("memo", TEXT, .required = true, .nullable = true, .doc = "A word to the buyer."),   \
        MEMBER("taxStatus", TEXT, .required = true, .doc = "taxable, exempt or reverseCharge."),   \
        MEMBER("taxRounding", TEXT, .required = true, .doc = "What was rounded together."),        \
        MEMBER("taxes", ARRAY, .required = true, .shape = &tax_shape, .doc = "By rate."),          \
        MEMBER("subtotal", TEXT, .required = true, .doc = "The sum of the lines' amounts."),       \
        MEMBER("discounts", TEXT, .required = true, .doc = "The sum of their discounts."),         \
        MEMBER("taxIncluded", TEXT, .required = true, .doc = "Of the tax, what amounts contain."), \
        MEMBER("tax", TEXT, .required = true, .doc = "All of it."),                                \
        MEMBER("creditsRestored", TEXT, .required = true,                                          \
               .doc = "What wallets had paid of lines that fall now: it is theirs again."),        \
        MEMBER("total", TEXT, .required = true,                                                    \
               .doc = "subtotal + discounts + tax - taxIncluded + creditsRestored; never below "   \
                      "0."),                                                                       \
        MEMBER("toBalance", TEXT, .required = true, .doc = "The rest, where that is below 0."),    \
        MEMBER("credits", TEXT, .required = true, .doc = "What wallets pay of it: 0 or below."),   \
        MEMBER("sequence", TEXT, .required = true, .nullable = true,                               \
               .doc = "The events that count: those up to this sequence."),                        \
        MEMBER("ratedAt", INSTANT, .required = true, .doc = "What was known then."),               \
        MEMBER("balanceUsed", TEXT, .required = true, .doc = "What the balance pays: 0 or below."),\
        MEMBER("amountDue", TEXT, .required = true, .doc = "What was owed when it was issued."),   \
        MEMBER("lines", ARRAY, .required = true, .of = KIND_JSON,                                  \
               .doc = "As lines of bills, with number, subscription, taxCategory and taxes, and "  \
                      "sku and metadata of the charge; those that correct a closed period say of " \
                      "which invoice, line and period.")

static const Field document_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The invoice's id."),
    MEMBER("number", TEXT, .required = true, .nullable = true, .doc = "Null while it is a draft."),
    MEMBER("kind", ENUM, .required = true, .choices = kinds, .doc = "As outside."),
    MEMBER("issuedAt", INSTANT, .required = true, .nullable = true, .doc = "When it was final."),
    MEMBER("dueAt", INSTANT, .required = true, .nullable = true, .doc = "When it is to be paid."),
    DOCUMENT_MEMBERS,
};
static const Shape document_shape = SHAPE("InvoiceDocument", document_fields,
                                          .doc = "What an invoice says: the same bytes for ever.");

static const Field preview_fields[] = {
    MEMBER("id", TEXT, .required = true, .nullable = true, .doc = "Null: it is not made yet."),
    MEMBER("number", TEXT, .required = true, .nullable = true, .doc = "Null."),
    MEMBER("kind", ENUM, .required = true, .choices = kinds, .doc = "billing."),
    MEMBER("issuedAt", INSTANT, .required = true, .nullable = true, .doc = "Null."),
    MEMBER("dueAt", INSTANT, .required = true, .nullable = true, .doc = "Null."),
    DOCUMENT_MEMBERS,
};
const Shape invoice_shape =
    SHAPE("Invoice", preview_fields,
          .doc = "What an invoice that is not made yet will say if nothing more happens: the "
                 "members of an invoice's document.");

static const Field upcoming_fields[] = {
    MEMBER("data", ARRAY, .required = true, .shape = &invoice_shape,
           .doc = "The next invoice in each currency, by code."),
};
const Shape upcoming_invoice_shape =
    SHAPE("UpcomingInvoice", upcoming_fields,
          .doc = "The next invoices of an account if nothing more happens.");

static const Field fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "inv_ and 26 characters, ordered by time."),
    MEMBER("number", TEXT, .required = true, .nullable = true,
           .doc = "Without gaps within its prefix; null while it is a draft."),
    MEMBER("kind", ENUM, .required = true, .choices = kinds, .doc = "Of subscriptions, or not."),
    MEMBER("status", ENUM, .required = true, .choices = states, .doc = "Where it stands."),
    MEMBER("account", TEXT, .required = true, .doc = "Who is billed."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("at", INSTANT, .required = true, .doc = "At which its lines are due."),
    MEMBER("total", TEXT, .required = true, .doc = "Never below 0."),
    MEMBER("credits", TEXT, .required = true, .doc = "What wallets pay: 0 or below."),
    MEMBER("balanceUsed", TEXT, .required = true, .doc = "What the balance pays: 0 or below."),
    MEMBER("amountDue", TEXT, .required = true, .doc = "total + credits + balanceUsed."),
    MEMBER("amountPaid", TEXT, .required = true, .doc = "Payments of it."),
    MEMBER("amountCredited", TEXT, .required = true, .doc = "Credit notes that lower it."),
    MEMBER("amountRemaining", TEXT, .required = true, .doc = "What is still owed."),
    MEMBER("createdAt", INSTANT, .required = true, .doc = "When the draft was made."),
    MEMBER("issuedAt", INSTANT, .required = true, .nullable = true, .doc = "When it was final."),
    MEMBER("dueAt", INSTANT, .required = true, .nullable = true, .doc = "When it is to be paid."),
    MEMBER("paidAt", INSTANT, .required = true, .nullable = true, .doc = "When nothing remained."),
    MEMBER("voidedAt", INSTANT, .required = true, .nullable = true, .doc = "When it was voided."),
    MEMBER("digest", TEXT, .required = true, .nullable = true,
           .doc = "BLAKE2b-256 of the document's bytes; null while it is a draft."),
    MEMBER("payments", ARRAY, .shape = &payment_shape, .doc = "Left out in lists."),
    MEMBER("document", OBJECT, .shape = &document_shape, .doc = "Left out in lists."),
};
const Shape invoice_row_shape = SHAPE("StoredInvoice", fields, .doc = "An invoice in the books.");
