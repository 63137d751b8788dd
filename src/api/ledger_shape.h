// The ledger's shapes, and how they are written.
#pragma once

#include "flow/ledger/ledger.h"
#include "http/shape.h"

extern const Shape ledger_account_list_shape, ledger_statement_shape, ledger_transaction_shape,
    ledger_transaction_list_shape, ledger_trial_shape, ledger_proof_shape, ledger_month_shape,
    ledger_month_list_shape;

// The members kind, owner, currency, normalSide and balance, as an object.
void ledger_sum_to_json(const LedgerSum *sum, JsonOut *out);
void ledger_entry_to_json(const LedgerEntry *entry, Currency currency, JsonOut *out);
void ledger_transaction_to_json(const LedgerTransaction *transaction, JsonOut *out);
void ledger_month_to_json(Str month, bool is_closed, JsonOut *out);
void ledger_amount_member(JsonOut *out, const char *name, int64_t minor, Currency currency);
