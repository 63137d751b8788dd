// SPDX-License-Identifier: Apache-2.0
#include "flow/run/run_kinds.h"

#include "flow/invoice/accrual.h"

static Err *still_work(DbTx *tx, void *context)
{
    return run_still(tx, context);
}

// An account that takes long is left when the run is canceled, or the server stops.
static Err *goes_on(Arena *arena, const void *context)
{
    const RunOne *one = context;
    RunWork       work = *one->work;
    if (atomic_load(one->stopping))
        return refuse(arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
    return db_write(one->query->books, arena, (DbWrite){ .work = still_work, .context = &work });
}

static Err *accrual_do(Arena *arena, const RunOne *one)
{
    AccrualWanted wanted = { one->account, one->until, goes_on, one };
    return accrual_account(arena, one->query, &wanted);
}

static const RunKindRow rows[RUN_KIND_COUNT] = {
    [RUN_BILLING] = { .needs_usage = true },
    [RUN_ACCRUAL] = { .needs_usage = true, .account = accrual_do },
    [RUN_EXPIRY] = { true, run_expiry_accounts, run_expiry_account },
    [RUN_RECONCILE] = { .account = run_reconcile_account },
    [RUN_SWEEP] = { true, run_sweep_accounts, run_sweep_account },
};

Str run_operation_kind(RunKind kind)
{
    return rows[kind].needs_usage ? STR("run") : STR("bookRun");
}

const RunKindRow *run_kind_row(RunKind kind)
{
    return &rows[kind];
}
