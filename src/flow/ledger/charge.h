// One-off amounts. A charge is known for ever by (account, key): the same again is answered, other
// content under the key is refused. What is collected from the wallet is paid in the transaction
// that stores it, whole or not at all; what goes on an invoice waits for one. Owns table charge.
#pragma once

#include "flow/ledger/credit.h"

typedef enum ChargeCollect { COLLECT_INVOICE, COLLECT_WALLET, COLLECT_COUNT } ChargeCollect;
extern const char *const charge_collects[];  // "invoice", "wallet"; ends with NULL

typedef struct AccountCharge {
    Str           id;       // chg_…
    Str           account;  // known
    Str           key;      // 1..255 bytes
    Money         amount;   // above 0
    Str           description;  // may be STR_NONE
    ChargeCollect collect;
    Instant       at;
    Str           invoice;  // STR_NONE: none has it
} AccountCharge;

typedef struct ChargeWanted {
    ProjectId     project;
    AccountCharge charge;  // id and invoice are not read
    DrawLines     open;    // what the account's open bills will draw, in its currency
    const int64_t *open_taxes;  // and on each of those lines; NULL: none
} ChargeWanted;

// *added is false when it was stored before; *charge is what is stored. CHARGE_CONFLICT;
// INSUFFICIENT_BALANCE: what is available, less what the open bills will draw, is not enough.
Err *charge_add(DbTx *tx, const ChargeWanted *wanted, AccountCharge *charge,
                bool *added) MUST_CHECK;

// CHARGE_NOT_FOUND.
Err *charge_get(DbTx *tx, const CreditWallet *wallet, Str key, AccountCharge *charge) MUST_CHECK;

typedef struct ChargePage {
    ProjectId project;
    Str       account;
    Str       after;  // a key; STR_NONE: from the first
    size_t    limit;
} ChargePage;
Err *charges(DbTx *tx, const ChargePage *page, AccountCharge **found, size_t *count) MUST_CHECK;

// ---- for invoices

// Those that wait for an invoice in the wallet's currency, oldest first, at most `limit`.
Err *charges_waiting(DbTx *tx, const CreditWallet *wallet, size_t limit, AccountCharge **found,
                     size_t *count) MUST_CHECK;
// The currencies of those that wait.
Err *charges_waiting_in(DbTx *tx, ProjectId project, Str account, Currency **currencies,
                        size_t *count) MUST_CHECK;
// Puts a waiting charge on an invoice; *taken is false when another has it.
Err *charge_take(DbTx *tx, ProjectId project, Str id, Str invoice, bool *taken) MUST_CHECK;
// Of an invoice that is void: it waits again.
Err *charge_release(DbTx *tx, ProjectId project, Str id, Str invoice) MUST_CHECK;

extern const StatementTable charge_table;
