// Rules that say when a wallet wants more credit, and what they asked for. A pending top-up is a
// request for a payment: whoever takes the money completes it, which makes the grant. Owns tables
// top_up_rule, top_up.
#pragma once

#include "flow/ledger/credit.h"

typedef struct TopUpRule {
    Str      id;
    Str      account;
    Currency currency;
    int64_t  threshold;  // below which more is wanted
    int64_t  amount;     // above 0, or 0: up to target
    int64_t  target;     // above threshold, or 0
    bool     enabled;
    int64_t  version;    // 0: not stored yet
    Instant  updated_at;
} TopUpRule;

// Makes or replaces a rule. The same content changes nothing. Of another account or currency than
// before: FIELD_INVALID.
Err *top_up_rule_put(DbTx *tx, ProjectId project, TopUpRule *rule) MUST_CHECK;
Err *top_up_rule_get(DbTx *tx, ProjectId project, Str id, TopUpRule *rule) MUST_CHECK;

typedef struct TopUpPage {
    ProjectId project;
    Str       account;  // STR_NONE: of all
    Str       after;
    size_t    limit;
} TopUpPage;
Err *top_up_rules(DbTx *tx, const TopUpPage *page, TopUpRule **rules, size_t *count) MUST_CHECK;

// Makes a pending top-up for each rule of the wallet whose threshold is above what is available,
// unless one is pending already.
Err *top_up_check(DbTx *tx, const CreditWallet *wallet, int64_t available, Instant at) MUST_CHECK;

typedef struct TopUp {
    Str      id, rule, account;
    Currency currency;
    int64_t  amount;     // what is wanted
    int64_t  available;  // when it was made
    bool     is_pending;
    Instant  at;
} TopUp;
Err *top_ups(DbTx *tx, const TopUpPage *page, TopUp **found, size_t *count) MUST_CHECK;

// TOP_UP_NOT_FOUND; *completed is false when it was before.
Err *top_up_complete(DbTx *tx, ProjectId project, Str id, TopUp *top_up,
                     bool *completed) MUST_CHECK;

extern const StatementTable top_up_table;
