// SPDX-License-Identifier: Apache-2.0
#include "flow/run/run_kinds.h"

#include "flow/bill/accrual.h"

static Err *accrual_do(Arena *arena, const RunOne *one)
{
    return accrual_account(arena, one->query, one->account, one->until);
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
