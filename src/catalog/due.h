// When each account is to be looked at by a billing run. A row is a hint that is never too late:
// whatever may give an account something to pay earlier marks it, in its own transaction, and a run
// that has looked says when the next boundary is. Owns table account_due.
#pragma once

#include "catalog/project.h"
#include "db/db.h"

typedef struct AccountDue {
    Str     account;
    Instant at;       // what was not looked at yet: INSTANT_FIRST
    int64_t tries;    // that failed since something was made of it
    int64_t version;  // rises with every mark
} AccountDue;

// It is to be looked at.
Err *account_due_mark(DbTx *tx, ProjectId project, Str account) MUST_CHECK;
// Says when next, and after how many failures, unless it was marked since `due` was read.
Err *account_due_set(DbTx *tx, ProjectId project, const AccountDue *due) MUST_CHECK;

typedef struct AccountDuePage {
    ProjectId project;
    Instant   until;  // those of then or before, the earliest first
    size_t    limit;
} AccountDuePage;
Err *account_due_list(DbTx *tx, const AccountDuePage *page, AccountDue **dues,
                      size_t *count) MUST_CHECK;

extern const StatementTable catalog__due_table;
