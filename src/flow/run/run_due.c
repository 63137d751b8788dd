// SPDX-License-Identifier: Apache-2.0
// What a run says of the accounts it looked at: when they are to be looked at again.
#include "flow/invoice/issue_next.h"
#include "flow/run/run_inside.h"
#include "flow/run/schedule.h"

static void failure_count(const BillingRun *run, AccountDue *due)
{
    due->tries++;
    due->at = schedule_again(run->at, due->tries);
}

// What cannot be read now is looked at like what failed.
static void one_next(const IssueQuery *query, const BillingRun *run, AccountDue *due)
{
    AUTO(Arena) arena = arena_open();
    Instant     at;
    Err        *err = issue_next_boundary(arena, query, due->account, run->at, &at);
    if (err != NULL) {
        failure_count(run, due);
        return;
    }
    due->at = at;
    due->tries = 0;
}

void run_dues_next(const IssueQuery *query, const BillingRun *run, const RunDues *dues)
{
    for (size_t i = 0; i < dues->count; i++)
        if (dues->has_failed[i])
            failure_count(run, &dues->at[i]);
        else
            one_next(query, run, &dues->at[i]);
}
