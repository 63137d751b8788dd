// SPDX-License-Identifier: Apache-2.0
// Everything that is derived, against what it is derived from, while the server serves. What is
// corrected meanwhile may look like a difference, so only what differs each of a few times is one.
#include "audit/audit.h"
#include "flow/aggregate/recount.h"
#include "flow/ledger/credit.h"
#include "flow/ledger/ledger_seal.h"
#include "flow/run/run_kinds.h"

enum { LOOKS = 3, TOLD_MAX = 10 };

Err *run_sweep_accounts(DbTx *tx, const BillingRun *run, size_t limit, RunAccounts *accounts)
{
    (void)run;
    (void)limit;
    *accounts = (RunAccounts){ .at = arena_new(db_arena(tx), Str), .count = 1, .is_last = true };
    accounts->at[0] = accounts->walked = STR("");
    return NULL;
}

typedef struct Sweep {
    const RunOne *one;
    Text          told;
    size_t        differences;
    CreditReport  credit;
} Sweep;

static void tell(void *context, Str what)
{
    Sweep *sweep = context;
    if (sweep->differences++ >= TOLD_MAX)
        return;
    if (sweep->told.length > 0)
        text_add(&sweep->told, STR("; "));
    text_add(&sweep->told, what);
}

static Err *books_work(DbTx *tx, void *context)
{
    Sweep    *sweep = context;
    ProjectId project = sweep->one->query->project;
    int64_t   entries;
    Err      *err = audit_verify(tx, project.tenant, project.id, &entries);
    if (err != NULL)
        tell(sweep, err->detail);
    return credit_verify(tx, project, &sweep->credit);
}

static Err *look(Arena *arena, Sweep *sweep)
{
    const IssueQuery *query = sweep->one->query;
    LedgerReport      ledger = { .tell = tell, .context = sweep };
    Recount           usage = { .tell = tell, .context = sweep };
    sweep->told = text_open(arena);
    sweep->differences = 0;
    sweep->credit = (CreditReport){ .tell = tell, .context = sweep };
    TRY(db_read(query->books, arena, books_work, sweep));
    TRY(ledger_verify(query->books, arena, query->project, &ledger));
    return partition_recount(query->partition, arena, &usage);
}

Err *run_sweep_account(Arena *arena, const RunOne *one)
{
    Sweep sweep = { .one = one, .differences = 1 };
    for (int i = 0; i < LOOKS && sweep.differences > 0; i++)
        TRY(look(arena, &sweep));
    if (sweep.differences == 0)
        return NULL;
    return refuse(arena, ERR_BOOKS_DIFFER, STR_NONE, "%.*s", STR_ARG(text_str(&sweep.told)));
}
