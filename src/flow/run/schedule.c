// SPDX-License-Identifier: Apache-2.0
#include "flow/run/schedule.h"

#include "catalog/due.h"
#include "catalog/settings.h"
#include "flow/invoice/issue_next.h"
#include "flow/ledger/credit.h"

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

typedef struct Timetable Timetable;

typedef struct Wanted {
    const ScheduleLook *look;
    const Timetable    *entry;
    Instant             at;    // what is due up to here
    int64_t             slot;  // the next one
    bool                is_due, started;
} Wanted;

// A kind that is started by itself.
struct Timetable {
    RunKind kind;
    bool    waits;     // for the close buffer
    bool    by_day;    // up to the last midnight of the project's zone
    int64_t pause_us;  // from one to the next, at least
    // NULL: always.
    Err  *(*is_due)(DbTx *tx, const Wanted *wanted, bool *is_due);
};

static Err *billing_is_due(DbTx *tx, const Wanted *wanted, bool *is_due)
{
    AccountDuePage page = { wanted->look->project, wanted->at, 1 };
    AccountDue    *dues;
    size_t         count;
    TRY(account_due_list(tx, &page, &dues, &count));
    *is_due = count > 0;
    return NULL;
}

static Err *expiry_is_due(DbTx *tx, const Wanted *wanted, bool *is_due)
{
    ExpiringGrants expiring = { wanted->look->project, wanted->at, STR_NONE, 1 };
    CreditGrants   grants;
    TRY(credit_expiring(tx, &expiring, &grants));
    *is_due = grants.count > 0;
    return NULL;
}

// In this order, which their instants keep: what is due at once is revenue of the days on which it
// was used before it is billed, and is billed before credit expires.
static const Timetable timetable[] = {
    { .kind = RUN_ACCRUAL, .by_day = true, .pause_us = 1 },
    { .kind = RUN_BILLING, .waits = true, .is_due = billing_is_due },
    { .kind = RUN_EXPIRY, .pause_us = INSTANT_DAY_US / 24, .is_due = expiry_is_due },
};
enum { TIMETABLE = sizeof timetable / sizeof *timetable };

// The last one has not ended, or ended a moment ago without having done all (by a failure of the
// run itself, or because somebody canceled it), or the next one has time.
static bool has_time(const BillingRun *last, const Wanted *wanted)
{
    if (last->status == OPERATION_QUEUED || last->status == OPERATION_RUNNING)
        return true;
    if (last->status != OPERATION_SUCCEEDED)
        return wanted->look->real.us < last->ended_at.us + AGAIN_FIRST_S * INSTANT_SECOND_US;
    return wanted->at.us < last->at.us + wanted->entry->pause_us;
}

static Err *due_work(DbTx *tx, void *context)
{
    Wanted          *wanted = context;
    const Timetable *entry = wanted->entry;
    BillingRun       last;
    bool             found;
    wanted->is_due = true;
    if (entry->is_due != NULL)
        TRY(entry->is_due(tx, wanted, &wanted->is_due));
    if (!wanted->is_due)
        return NULL;
    TRY(run_last_scheduled(tx, wanted->look->project, entry->kind, &last, &found));
    wanted->slot = found ? last.slot + 1 : 1;
    wanted->is_due = !found || !has_time(&last, wanted);
    return NULL;
}

// Looked at again within the transaction: another scheduler may have been faster.
static Err *start_work(DbTx *tx, void *context)
{
    Wanted    *wanted = context;
    int64_t    place = wanted->entry - timetable;
    RunStart   start = { .project = wanted->look->project,
                         .who = STR("scheduler"),
                         .kind = wanted->entry->kind,
                         .at = wanted->at,
                         .now = { wanted->look->real.us + place } };
    BillingRun run;
    wanted->started = false;
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

static Err *entry_look(Arena *arena, Wanted *wanted)
{
    Db *books = wanted->look->books;
    TRY(db_read(books, arena, due_work, wanted));
    if (!wanted->is_due)
        return NULL;
    Err *err = db_write(books, arena, (DbWrite){ .work = start_work, .context = wanted });
    if (err != NULL)
        wanted->started = false;
    return err != NULL && err->code == ERR_STORE_BUSY ? NULL : err;
}

static Instant midnight(const Project *project, Instant now)
{
    const Zone *zone = zone_find(project->time_zone);
    if (zone == NULL)
        zone = zone_utc();
    return zone_midnight(zone, zone_local(zone, now).date);
}

Err *schedule_look(Arena *arena, const ScheduleLook *look, bool *started)
{
    Project         project = catalog_project_get(look->catalog, look->project);
    Instant         now = project_now(&project, look->real);
    ProjectSettings settings;
    *started = false;
    TRY(project_settings_read(look->books, arena, look->project, &settings));
    if (settings.billing != BILLING_AUTOMATIC)
        return NULL;
    TRY(marked_settle(arena, look, now));
    for (size_t i = 0; i < TIMETABLE; i++) {
        Wanted wanted = { .look = look, .entry = &timetable[i], .at = now };
        if (timetable[i].waits)
            wanted.at.us -= settings.close_buffer_us;
        if (timetable[i].by_day)
            wanted.at = midnight(&project, now);
        TRY(entry_look(arena, &wanted));
        *started |= wanted.started;
    }
    return NULL;
}
