// SPDX-License-Identifier: Apache-2.0
#include "flow/run/schedule.h"

#include "catalog/due.h"
#include "catalog/settings.h"
#include "flow/bill/issue_next.h"

enum { AGAIN_FIRST_S = 60, AGAIN_MOST_S = 6 * 3600, MARKED_MAX = 500 };

Instant schedule_again(Instant failed_at, int64_t tries)
{
    int64_t seconds = AGAIN_FIRST_S;
    for (int64_t i = 1; i < tries && seconds < AGAIN_MOST_S; i++)
        seconds *= 2;
    if (seconds > AGAIN_MOST_S)
        seconds = AGAIN_MOST_S;
    return instant_within((Instant){ failed_at.us + seconds * INSTANT_SECOND_US });
}

typedef struct Wanted {
    const ScheduleLook *look;
    RunKind             kind;
    Instant             at;    // what is due up to here
    int64_t             slot;  // the next one
    bool                is_due, started;
} Wanted;

// The last one has not ended, or ended a moment ago without having done all: by a failure of the
// run itself, or because somebody canceled it.
static bool is_busy(const BillingRun *last, Instant now)
{
    return last->status == OPERATION_QUEUED || last->status == OPERATION_RUNNING ||
           (last->status != OPERATION_SUCCEEDED &&
            now.us < last->ended_at.us + AGAIN_FIRST_S * INSTANT_SECOND_US);
}

static Err *due_work(DbTx *tx, void *context)
{
    Wanted        *wanted = context;
    AccountDuePage page = { wanted->look->project, wanted->at, 1 };
    AccountDue    *dues;
    size_t         count;
    BillingRun     last;
    bool           found;
    TRY(account_due_list(tx, &page, &dues, &count));
    if (count == 0)
        return NULL;
    TRY(run_last_scheduled(tx, page.project, wanted->kind, &last, &found));
    wanted->slot = found ? last.slot + 1 : 1;
    wanted->is_due = !found || !is_busy(&last, wanted->look->real);
    return NULL;
}

// Looked at again within the transaction: another scheduler may have been faster.
static Err *start_work(DbTx *tx, void *context)
{
    Wanted    *wanted = context;
    RunStart   start = { .project = wanted->look->project,
                         .who = STR("scheduler"),
                         .kind = wanted->kind,
                         .at = wanted->at,
                         .now = wanted->look->real };
    BillingRun run;
    wanted->is_due = wanted->started = false;
    TRY(due_work(tx, wanted));
    if (!wanted->is_due)
        return NULL;
    start.slot = wanted->slot;
    TRY(run_start(tx, &start, &run));
    wanted->started = true;
    return NULL;
}

// ---- accounts that were marked

typedef struct Marked {
    ProjectId   project;
    AccountDue *at;
    size_t      count;
} Marked;

static Err *marked_work(DbTx *tx, void *context)
{
    Marked        *marked = context;
    AccountDuePage page = { marked->project, INSTANT_FIRST, MARKED_MAX };
    return account_due_list(tx, &page, &marked->at, &marked->count);
}

static Err *settle_work(DbTx *tx, void *context)
{
    const Marked *marked = context;
    for (size_t i = 0; i < marked->count; i++)
        TRY(account_due_set(tx, marked->project, &marked->at[i]));
    return NULL;
}

// Says of those that were marked when they are to be looked at; what cannot be read is now.
static Err *marked_settle(Arena *arena, const ScheduleLook *look, Instant now)
{
    Marked     marked = { .project = look->project };
    IssueQuery query = { .books = look->books, .catalog = look->catalog,
                         .project = look->project, .now = now };
    do {
        TRY(db_read(look->books, arena, marked_work, &marked));
        for (size_t i = 0; i < marked.count; i++) {
            AccountDue *due = &marked.at[i];
            if (issue_next_boundary(arena, &query, due->account, INSTANT_FIRST, &due->at) != NULL)
                due->at = now;
        }
        if (marked.count > 0)
            TRY(db_write(look->books, arena,
                         (DbWrite){ .work = settle_work, .context = &marked }));
    } while (marked.count == MARKED_MAX);
    return NULL;
}

Err *schedule_look(Arena *arena, const ScheduleLook *look, bool *started)
{
    Project         project = catalog_project_get(look->catalog, look->project);
    ProjectSettings settings;
    Wanted          wanted = { .look = look, .kind = RUN_BILLING };
    *started = false;
    TRY(project_settings_read(look->books, arena, look->project, &settings));
    if (settings.billing != BILLING_AUTOMATIC)
        return NULL;
    Instant now = project_now(&project, look->real);
    TRY(marked_settle(arena, look, now));
    wanted.at.us = now.us - settings.close_buffer_us;
    TRY(db_read(look->books, arena, due_work, &wanted));
    if (!wanted.is_due)
        return NULL;
    Err *err = db_write(look->books, arena, (DbWrite){ .work = start_work, .context = &wanted });
    *started = err == NULL && wanted.started;
    return err != NULL && err->code == ERR_STORE_BUSY ? NULL : err;
}
