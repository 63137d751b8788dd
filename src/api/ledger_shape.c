// SPDX-License-Identifier: Apache-2.0
#include "api/ledger_shape.h"

#include "api/page.h"

void ledger_amount_member(JsonOut *out, const char *name, int64_t minor, Currency currency)
{
    json_string_member(out, name, money_print(out->text->arena, (Money){ minor, currency }));
}

static void instant_member(JsonOut *out, const char *name, Instant at)
{
    json_string_member(out, name, instant_print(out->text->arena, at));
}

static void text_or_null(JsonOut *out, const char *name, Str text)
{
    if (text.length == 0)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

void ledger_sum_to_json(const LedgerSum *sum, JsonOut *out)
{
    bool is_debit = ledger_kind_side(sum->kind) == LEDGER_DEBIT;
    json_object(out);
    json_string_member(out, "kind", str_of(ledger_kind_name(sum->kind)));
    text_or_null(out, "owner", sum->owner);
    json_string_member(out, "currency", currency_code(&sum->currency));
    json_string_member(out, "normalSide", is_debit ? STR("debit") : STR("credit"));
    ledger_amount_member(out, "balance", sum->minor, sum->currency);
    json_object_end(out);
}

void ledger_entry_to_json(const LedgerEntry *entry, Currency currency, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "transaction", entry->transaction);
    json_string_member(out, "source", entry->source);
    json_string_member(out, "posting", str_of(posting_name(entry->rule)));
    instant_member(out, "at", entry->at);
    instant_member(out, "effectiveAt", entry->effective_at);
    ledger_amount_member(out, "amount", entry->amount, currency);
    ledger_amount_member(out, "balance", entry->balance, currency);
    json_object_end(out);
}

void ledger_transaction_to_json(const LedgerTransaction *transaction, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", transaction->id);
    json_string_member(out, "source", transaction->source);
    json_string_member(out, "posting", str_of(posting_name(transaction->rule)));
    text_or_null(out, "account", transaction->account);
    json_string_member(out, "currency", currency_code(&transaction->currency));
    instant_member(out, "at", transaction->at);
    instant_member(out, "effectiveAt", transaction->effective_at);
    text_or_null(out, "memo", transaction->memo);
    if (transaction->position == 0)
        json_null_member(out, "position");
    else
        json_whole_member(out, "position", transaction->position);
    json_name(out, STR("entries"));
    json_array(out);
    for (size_t i = 0; i < transaction->count; i++) {
        const LedgerLeg *leg = &transaction->legs[i];
        json_object(out);
        json_string_member(out, "kind", str_of(ledger_kind_name(leg->kind)));
        json_string_member(out, "owner", leg->owner);
        ledger_amount_member(out, "amount", leg->amount, transaction->currency);
        json_object_end(out);
    }
    json_array_end(out);
    json_object_end(out);
}

void ledger_month_to_json(Str month, bool is_closed, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "month", month);
    json_bool_member(out, "closed", is_closed);
    json_object_end(out);
}

// ---- accounts

#define LEDGER_KIND(name, text, side, whose, doc) text,
#define POSTING(name, text, doc)
#define LEG(posting, kind, side, doc)
static const char *const kinds[] = {
#include "tbl/postings.def"
    NULL
};
#undef LEDGER_KIND
#undef POSTING
#define LEDGER_KIND(name, text, side, whose, doc)
#define POSTING(name, text, doc) text,
static const char *const postings[] = {
#include "tbl/postings.def"
    NULL
};
static const char *const sides[] = { "debit", "credit", NULL };

#define KIND_MEMBER \
    MEMBER("kind", ENUM, .required = true, .choices = kinds, .doc = "Of the chart of accounts.")
#define CURRENCY_MEMBER MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217.")
#define SIDE_MEMBER \
    MEMBER("normalSide", ENUM, .required = true, .choices = sides, \
           .doc = "Where a balance of this kind usually is: debit above zero, credit below.")
#define BALANCE_MEMBER \
    MEMBER("balance", TEXT, .required = true, .doc = "Debits less credits.")

static const Field account_fields[] = {
    KIND_MEMBER,
    MEMBER("owner", TEXT, .required = true,
           .doc = "A customer's id; of a shared account what it is kept by: a charge, a tax rate."),
    CURRENCY_MEMBER,
    SIDE_MEMBER,
    BALANCE_MEMBER,
};
static const Shape account_shape =
    SHAPE("LedgerAccount", account_fields, .doc = "An account of the ledger with its balance.");

static const Field account_list_fields[] = { LIST_SHAPE("By kind, owner and currency.",
                                                        &account_shape) };
const Shape ledger_account_list_shape =
    SHAPE("LedgerAccountList", account_list_fields, .doc = "A page of accounts of the ledger.");

// ---- a statement

static const Field entry_fields[] = {
    MEMBER("transaction", TEXT, .required = true, .doc = "Its id."),
    MEMBER("source", TEXT, .required = true, .doc = "What caused it."),
    MEMBER("posting", ENUM, .required = true, .choices = postings, .doc = "The posting rule."),
    MEMBER("at", INSTANT, .required = true, .doc = "When it was booked."),
    MEMBER("effectiveAt", INSTANT, .required = true, .doc = "When it counts."),
    MEMBER("amount", TEXT, .required = true, .doc = "A debit above zero, a credit below."),
    MEMBER("balance", TEXT, .required = true, .doc = "After it."),
};
static const Shape entry_shape =
    SHAPE("LedgerStatementEntry", entry_fields, .doc = "One entry of one account.");

static const Field statement_fields[] = {
    KIND_MEMBER,
    MEMBER("owner", TEXT, .required = true, .doc = "Whose it is."),
    CURRENCY_MEMBER,
    SIDE_MEMBER,
    MEMBER("opening", TEXT, .required = true, .doc = "The balance before the page's first entry."),
    MEMBER("closing", TEXT, .required = true, .doc = "The balance after its last."),
    MEMBER("data", ARRAY, .required = true, .shape = &entry_shape,
           .doc = "In the order booked; of a span of time by effectiveAt, then as booked."),
    MEMBER("nextCursor", TEXT, .required = true, .nullable = true,
           .doc = "Where the next page begins; null on the last."),
};
const Shape ledger_statement_shape =
    SHAPE("LedgerStatement", statement_fields, .doc = "A page of one account's entries.");

// ---- transactions

static const Field leg_fields[] = {
    KIND_MEMBER,
    MEMBER("owner", TEXT, .required = true, .doc = "Whose account."),
    MEMBER("amount", TEXT, .required = true, .doc = "A debit above zero, a credit below."),
};
static const Shape leg_shape =
    SHAPE("LedgerEntry", leg_fields, .doc = "What a transaction does to one account.");

static const Field transaction_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "txn_ and 26 characters, ordered by time."),
    MEMBER("source", TEXT, .required = true, .doc = "What caused it; of one transaction for ever."),
    MEMBER("posting", ENUM, .required = true, .choices = postings, .doc = "The posting rule."),
    MEMBER("account", TEXT, .required = true, .nullable = true, .doc = "The customer it is of."),
    CURRENCY_MEMBER,
    MEMBER("at", INSTANT, .required = true, .doc = "When it was booked."),
    MEMBER("effectiveAt", INSTANT, .required = true, .doc = "When it counts."),
    MEMBER("memo", TEXT, .required = true, .nullable = true, .doc = "For people."),
    MEMBER("position", WHOLE, .required = true, .nullable = true,
           .doc = "In the project's hash chain, from 1; null for a second, until it is sealed."),
    MEMBER("entries", ARRAY, .required = true, .shape = &leg_shape, .doc = "They sum to zero."),
};
const Shape ledger_transaction_shape =
    SHAPE("LedgerTransaction", transaction_fields, .doc = "One posting.");

static const Field transaction_list_fields[] = { LIST_SHAPE("Newest first.",
                                                            &ledger_transaction_shape) };
const Shape ledger_transaction_list_shape =
    SHAPE("LedgerTransactionList", transaction_list_fields, .doc = "A page of postings.");

// ---- the trial balance

static const Field sum_fields[] = {
    KIND_MEMBER,
    MEMBER("owner", TEXT, .required = true, .nullable = true,
           .doc = "Of a shared account; null: all customers together."),
    CURRENCY_MEMBER,
    SIDE_MEMBER,
    BALANCE_MEMBER,
};
static const Shape sum_shape =
    SHAPE("LedgerTrialBalanceRow", sum_fields, .doc = "What accounts of a kind come to.");

static const Field total_fields[] = {
    CURRENCY_MEMBER,
    MEMBER("debit", TEXT, .required = true, .doc = "The sum of balances above zero."),
    MEMBER("credit", TEXT, .required = true, .doc = "The sum of balances below zero."),
    MEMBER("difference", TEXT, .required = true, .doc = "Debit and credit together: zero."),
};
static const Shape total_shape =
    SHAPE("LedgerTrialBalanceTotal", total_fields, .doc = "All accounts of one currency.");

static const Field trial_fields[] = {
    MEMBER("data", ARRAY, .required = true, .shape = &sum_shape, .doc = "Every account."),
    MEMBER("totals", ARRAY, .required = true, .shape = &total_shape, .doc = "By currency."),
};
const Shape ledger_trial_shape =
    SHAPE("LedgerTrialBalance", trial_fields, .doc = "The whole ledger at one moment.");

// ---- the proof

static const Field proof_fields[] = {
    MEMBER("clean", BOOL, .required = true, .doc = "Whether there is no drift."),
    MEMBER("transactions", WHOLE, .required = true, .doc = "In the chain, each recomputed."),
    MEMBER("unsealed", WHOLE, .required = true, .doc = "Behind its end; counted all the same."),
    MEMBER("driftCount", WHOLE, .required = true, .doc = "What does not fit."),
    MEMBER("drifts", ARRAY, .required = true, .of = KIND_TEXT, .doc = "The first 100, in words."),
};
const Shape ledger_proof_shape =
    SHAPE("LedgerProof", proof_fields, .doc = "The ledger recomputed from its entries.");

// ---- months

static const Field month_fields[] = {
    MEMBER("month", TEXT, .required = true, .pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$",
           .doc = "Of UTC."),
    MEMBER("closed", BOOL, .required = true, .doc = "It takes no entry."),
};
const Shape ledger_month_shape =
    SHAPE("LedgerMonth", month_fields, .doc = "An accounting month, by effectiveAt.");

static const Field month_list_fields[] = { LIST_SHAPE("The closed ones, oldest first.",
                                                      &ledger_month_shape) };
const Shape ledger_month_list_shape =
    SHAPE("LedgerMonthList", month_list_fields, .doc = "Months that are closed.");
