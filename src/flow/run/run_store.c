// SPDX-License-Identifier: Apache-2.0
// The rows of runs and of their items. The run's row is always taken before its items, so whoever
// writes an item has the next number to itself.
#include "flow/run/run_inside.h"

#include "audit/audit.h"
#include "base/assert.h"
#include "base/random.h"
#include "flow/run/run_kinds.h"

enum {
    RUN_ADD,
    RUN_GET,
    RUNS,
    RUNS_OPEN,
    RUN_LAST_SLOT,
    RUN_WALKED,
    RUN_COUNT,
    RUN_ITEMS,
    RUN_AGAIN,
    ITEM_ADD,
    ITEM_SET,
    FAILURE_ADD,
    FAILURE_SET,
    FAILURE_REMOVE,
    FAILURE_OF,
    FAILURE_ANY,
    ITEMS,
    ITEMS_IN,
    ACCOUNTS_FAILED,
    STATEMENTS
};

#define RUN_COLUMNS                                                                              \
    "r.id, r.kind, r.due_until, r.operation, r.attempt, r.walked, r.is_walked, r.accounts,"      \
    " r.items, r.invoices, r.failed, r.created_at, o.status, o.error_code, o.error_detail,"      \
    " o.started_at, o.ended_at, r.slot"
#define RUN_FROM                                                                                 \
    " from billing_run r join operation o on o.tenant = r.tenant and o.project = r.project"      \
    " and o.id = r.operation"
#define ITEM_COLUMNS                                                                             \
    "number, state, account, currency, boundary, invoice, attempt, error_code, error_detail"

static const Statement sql[STATEMENTS] = {
    [RUN_ADD] = { "insert into billing_run (tenant, project, id, kind, due_until, operation,"
                  " attempt, walked, is_walked, accounts, items, invoices, failed, created_at,"
                  " slot)"
                  " values (?, ?, ?, ?, ?, ?, 1, null, 0, 0, 0, 0, 0, ?, ?)" },
    [RUN_GET] = { "select " RUN_COLUMNS RUN_FROM
                  " where r.tenant = ? and r.project = ? and r.id = ?" },
    [RUNS] = { "select " RUN_COLUMNS RUN_FROM
               " where r.tenant = ? and r.project = ? and r.id < ? order by r.id desc limit ?" },
    [RUNS_OPEN] = { "select " RUN_COLUMNS RUN_FROM
                    " where r.tenant = ? and r.project = ? and o.active = 1 order by r.id"
                    " limit ?" },
    [RUN_LAST_SLOT] = { "select " RUN_COLUMNS RUN_FROM
                        " where r.tenant = ? and r.project = ? and r.kind = ? and r.slot ="
                        " (select max(slot) from billing_run"
                        " where tenant = ? and project = ? and kind = ?)" },
    [RUN_WALKED] = { "update billing_run set walked = ?, is_walked = ?, accounts = accounts + ?"
                     " where tenant = ? and project = ? and id = ?" },
    [RUN_COUNT] = { "update billing_run set items = items + ?, invoices = invoices + ?,"
                    " failed = failed + ? where tenant = ? and project = ? and id = ?" },
    [RUN_ITEMS] = { "select items from billing_run where tenant = ? and project = ? and id = ?" },
    [RUN_AGAIN] = { "update billing_run set operation = ?, attempt = attempt + 1"
                    " where tenant = ? and project = ? and id = ?" },
    [ITEM_ADD] = { "insert into run_item (tenant, project, run, " ITEM_COLUMNS ")"
                   " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [ITEM_SET] = { "update run_item set state = ?, currency = ?, boundary = ?, invoice = ?,"
                   " attempt = ?, error_code = ?, error_detail = ?"
                   " where tenant = ? and project = ? and run = ? and number = ?" },
    [FAILURE_ADD] = { "insert into run_failure (tenant, project, run, account, number, attempt)"
                      " values (?, ?, ?, ?, ?, ?)" },
    [FAILURE_SET] = { "update run_failure set attempt = ?"
                      " where tenant = ? and project = ? and run = ? and account = ?" },
    [FAILURE_REMOVE] = { "delete from run_failure"
                         " where tenant = ? and project = ? and run = ? and account = ?" },
    [FAILURE_OF] = { "select number from run_failure"
                     " where tenant = ? and project = ? and run = ? and account = ?" },
    [FAILURE_ANY] = { "select account from run_failure"
                      " where tenant = ? and project = ? and run = ? limit 1" },
    [ITEMS] = { "select " ITEM_COLUMNS " from run_item where tenant = ? and project = ?"
                " and run = ? and number > ? order by number limit ?" },
    [ITEMS_IN] = { "select " ITEM_COLUMNS " from run_item where tenant = ? and project = ?"
                   " and run = ? and state = ? and number > ? order by number limit ?" },
    [ACCOUNTS_FAILED] = { "select account from run_failure where tenant = ? and project = ?"
                          " and run = ? and attempt < ? order by account limit ?" },
};

const StatementTable run_table = { "runs", sql, STATEMENTS };

const char *const run_kind_names[] = { "billing", "accrual", "expiry", "reconcile", "sweep",
                                       NULL };
const char *const run_item_state_names[] = { "finalized", "failed", "nothingDue", "done",
                                             NULL };

#define OF(project) db_text((project).tenant), db_text((project).id)

static int name_index(const char *const *names, Str name)
{
    int index = 0;
    while (!str_equal(str_of(names[index]), name)) {
        index++;
        assert_that(names[index] != NULL);
    }
    return index;
}

static OperationStatus status_of(Str name)
{
    OperationStatus status = OPERATION_QUEUED;
    while (!str_equal(name, str_of(operation_status_name(status)))) {
        status++;
        assert_that(status < OPERATION_STATUS_COUNT);
    }
    return status;
}

static DbValue state_value(RunItemState state)
{
    return db_text(str_of(run_item_state_names[state]));
}

// ---- reading

static void run_read(const DbRow *row, ProjectId project, BillingRun *run)
{
    *run = (BillingRun){ .project = project,
                         .id = row_text(row, 0),
                         .kind = (RunKind)name_index(run_kind_names, row_text(row, 1)),
                         .at = { row_whole(row, 2) },
                         .operation = row_text(row, 3),
                         .attempt = row_whole(row, 4),
                         .walked = row_text(row, 5),
                         .is_walked = row_whole(row, 6) != 0,
                         .accounts = row_whole(row, 7),
                         .items = row_whole(row, 8),
                         .invoices = row_whole(row, 9),
                         .failed = row_whole(row, 10),
                         .created_at = { row_whole(row, 11) },
                         .status = status_of(row_text(row, 12)),
                         .error_code = row_text(row, 13),
                         .error_detail = row_text(row, 14),
                         .has_started = !row_is_null(row, 15),
                         .has_ended = !row_is_null(row, 16) };
    run->slot = row_is_null(row, 17) ? 0 : row_whole(row, 17);
    if (run->has_started)
        run->started_at.us = row_whole(row, 15);
    if (run->has_ended)
        run->ended_at.us = row_whole(row, 16);
}

Err *run_get(DbTx *tx, ProjectId project, Str id, BillingRun *run)
{
    DbRow row;
    TRY(db_find(tx, &sql[RUN_GET], DB_VALUES(OF(project), db_text(id)), &row));
    if (row.columns == NULL)
        return refuse(db_arena(tx), ERR_RUN_NOT_FOUND, STR_NONE, "there is no run %.*s",
                      STR_ARG(id));
    run_read(&row, project, run);
    return NULL;
}

Err *run_list(DbTx *tx, const RunPage *page, BillingRun **runs, size_t *count)
{
    DbRows rows;
    Str    before = page->before.at == NULL ? STR("run_~") : page->before;
    TRY(db_rows(tx, &sql[RUNS],
                DB_VALUES(OF(page->project), db_text(before), db_whole((int64_t)page->limit)),
                &rows));
    *runs = arena_array(db_arena(tx), BillingRun, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        run_read(&rows.at[i], page->project, &(*runs)[i]);
    return NULL;
}

Err *run_list_open(DbTx *tx, ProjectId project, size_t limit, BillingRun **runs, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[RUNS_OPEN], DB_VALUES(OF(project), db_whole((int64_t)limit)), &rows));
    *runs = arena_array(db_arena(tx), BillingRun, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        run_read(&rows.at[i], project, &(*runs)[i]);
    return NULL;
}

Err *run_last_scheduled(DbTx *tx, ProjectId project, RunKind kind, BillingRun *run, bool *found)
{
    DbValue name = db_text(str_of(run_kind_names[kind]));
    DbRow   row;
    TRY(db_find(tx, &sql[RUN_LAST_SLOT], DB_VALUES(OF(project), name, OF(project), name), &row));
    *found = row.columns != NULL;
    if (*found)
        run_read(&row, project, run);
    return NULL;
}

static void item_read(const DbRow *row, RunItem *item)
{
    *item = (RunItem){ .number = row_whole(row, 0),
                       .state = (RunItemState)name_index(run_item_state_names, row_text(row, 1)),
                       .account = row_text(row, 2),
                       .currency = row_text(row, 3),
                       .invoice = row_text(row, 5),
                       .attempt = row_whole(row, 6),
                       .error_code = row_text(row, 7),
                       .error_detail = row_text(row, 8) };
    if (!row_is_null(row, 4))
        item->boundary.us = row_whole(row, 4);
}

Err *run_items(DbTx *tx, const RunItemPage *page, RunItem **items, size_t *count)
{
    BillingRun run;
    DbRows     rows;
    DbValue    after = db_whole(page->after), limit = db_whole((int64_t)page->limit);
    TRY(run_get(tx, page->project, page->run, &run));
    if (page->state.at == NULL)
        TRY(db_rows(tx, &sql[ITEMS],
                    DB_VALUES(OF(page->project), db_text(page->run), after, limit), &rows));
    else
        TRY(db_rows(tx, &sql[ITEMS_IN],
                    DB_VALUES(OF(page->project), db_text(page->run), db_text(page->state), after,
                              limit),
                    &rows));
    *items = arena_array(db_arena(tx), RunItem, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        item_read(&rows.at[i], &(*items)[i]);
    return NULL;
}

Err *run_accounts_failed(DbTx *tx, const BillingRun *run, size_t limit, Str **accounts,
                         size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[ACCOUNTS_FAILED],
                DB_VALUES(OF(run->project), db_text(run->id), db_whole(run->attempt),
                          db_whole((int64_t)limit)),
                &rows));
    *accounts = arena_array(db_arena(tx), Str, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        (*accounts)[i] = row_text(&rows.at[i], 0);
    return NULL;
}

// ---- asking

typedef struct Deed {
    Str         who;
    const char *action;
    Instant     now;
} Deed;

static Err *deed_note(DbTx *tx, const Deed *deed, const BillingRun *run)
{
    return audit_add(tx, &(AuditEntry){ .tenant = run->project.tenant,
                                        .project = run->project.id,
                                        .at = deed->now,
                                        .who = deed->who,
                                        .action = str_of(deed->action),
                                        .object = run->id });
}

static Err *operation_queue(DbTx *tx, const BillingRun *run, Instant now)
{
    Operation operation = { .project = run->project,
                            .id = run->operation,
                            .kind = run_operation_kind(run->kind),
                            .subject = run->id,
                            .result = str_print(db_arena(tx), "/v1/runs/%.*s", STR_ARG(run->id)),
                            .status = OPERATION_QUEUED,
                            .created_at = now };
    return operation_add(tx, &operation);
}

Err *run_start(DbTx *tx, const RunStart *start, BillingRun *run)
{
    Deed    deed = { start->who, "run.start", start->now };
    DbValue slot = start->slot == 0 ? db_null() : db_whole(start->slot);
    bool    added;
    *run = (BillingRun){ .project = start->project,
                         .id = random_id(db_arena(tx), "run_"),
                         .kind = start->kind,
                         .operation = random_id(db_arena(tx), "op_") };
    TRY(operation_queue(tx, run, start->now));
    TRY(db_insert(tx, &sql[RUN_ADD],
                  DB_VALUES(OF(run->project), db_text(run->id),
                            db_text(str_of(run_kind_names[start->kind])), db_whole(start->at.us),
                            db_text(run->operation), db_whole(start->now.us), slot),
                  &added));
    if (!added)
        return refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE, "another scheduler has this slot");
    TRY(deed_note(tx, &deed, run));
    return run_get(tx, run->project, run->id, run);
}

Err *run_retry(DbTx *tx, const RunRetry *retry, BillingRun *run)
{
    Deed deed = { retry->who, "run.retry", retry->now };
    TRY(run_get(tx, retry->project, retry->id, run));
    if (run->status == OPERATION_QUEUED || run->status == OPERATION_RUNNING)
        return refuse(db_arena(tx), ERR_RUN_RUNNING, STR_NONE, "the run %.*s is %s",
                      STR_ARG(run->id), operation_status_name(run->status));
    run->operation = random_id(db_arena(tx), "op_");
    TRY(operation_queue(tx, run, retry->now));
    TRY(db_run(tx, &sql[RUN_AGAIN],
               DB_VALUES(db_text(run->operation), OF(run->project), db_text(run->id)), NULL));
    TRY(deed_note(tx, &deed, run));
    return run_get(tx, run->project, run->id, run);
}

// ---- walking

static Err *lease_keep(DbTx *tx, const RunWork *work, int64_t more, bool is_walked)
{
    int64_t done = work->run->accounts + more;
    return operation_advance(tx, work->operation, done, is_walked ? done : 0);
}

typedef struct Counts {
    int64_t items, invoices, failed;
} Counts;

static Err *count_add(DbTx *tx, const BillingRun *run, Counts counts)
{
    return db_run(tx, &sql[RUN_COUNT],
                  DB_VALUES(db_whole(counts.items), db_whole(counts.invoices),
                            db_whole(counts.failed), OF(run->project), db_text(run->id)),
                  NULL);
}

// The number of the account's item that failed; 0: it has none.
static Err *failed_find(DbTx *tx, const BillingRun *run, Str account, int64_t *number)
{
    DbRow row;
    TRY(db_find(tx, &sql[FAILURE_OF],
                DB_VALUES(OF(run->project), db_text(run->id), db_text(account)), &row));
    *number = row.columns == NULL ? 0 : row_whole(&row, 0);
    return NULL;
}

// Whether any account of the run has an item that failed.
static Err *failures_look(DbTx *tx, const BillingRun *run, bool *has_failures)
{
    DbRow row;
    TRY(db_find(tx, &sql[FAILURE_ANY], DB_VALUES(OF(run->project), db_text(run->id)), &row));
    *has_failures = row.columns != NULL;
    return NULL;
}

static DbValue boundary_value(const RunItem *item)
{
    return item->currency.at == NULL ? db_null() : db_whole(item->boundary.us);
}

static DbValues item_values(Arena *arena, const BillingRun *run, const RunItem *item)
{
    const DbValue values[] = { OF(run->project),          db_text(run->id),
                               db_whole(item->number),    state_value(item->state),
                               db_text(item->account),    db_text(item->currency),
                               boundary_value(item),      db_text(item->invoice),
                               db_whole(item->attempt),   db_text(item->error_code),
                               db_text(item->error_detail) };
    return (DbValues){ arena_copy(arena, values, sizeof values), sizeof values / sizeof *values };
}

static Err *item_add(DbTx *tx, const BillingRun *run, RunItem *item)
{
    DbRow row;
    TRY(db_find(tx, &sql[RUN_ITEMS], DB_VALUES(OF(run->project), db_text(run->id)), &row));
    assert_that(row.columns != NULL);
    item->number = row_whole(&row, 0);
    return db_run(tx, &sql[ITEM_ADD], item_values(db_arena(tx), run, item), NULL);
}

static Err *item_set(DbTx *tx, const BillingRun *run, const RunItem *item)
{
    return db_run(tx, &sql[ITEM_SET],
                  DB_VALUES(state_value(item->state), db_text(item->currency),
                            boundary_value(item), db_text(item->invoice),
                            db_whole(item->attempt), db_text(item->error_code),
                            db_text(item->error_detail), OF(run->project), db_text(run->id),
                            db_whole(item->number)),
                  NULL);
}

// After its item was written; `had`: the account had failed before.
static Err *failure_put(DbTx *tx, const BillingRun *run, const RunItem *item, bool had)
{
    DbValue account = db_text(item->account), attempt = db_whole(item->attempt);
    if (item->state != RUN_ITEM_FAILED)
        return !had ? NULL
                    : db_run(tx, &sql[FAILURE_REMOVE],
                             DB_VALUES(OF(run->project), db_text(run->id), account), NULL);
    if (had)
        return db_run(tx, &sql[FAILURE_SET],
                      DB_VALUES(attempt, OF(run->project), db_text(run->id), account), NULL);
    return db_run(tx, &sql[FAILURE_ADD],
                  DB_VALUES(OF(run->project), db_text(run->id), account,
                            db_whole(item->number), attempt),
                  NULL);
}

// Over the item of the account that failed, when there is one; else as a new one.
static Err *item_put(DbTx *tx, const RunWork *work, RunItem *item)
{
    bool   fails = item->state == RUN_ITEM_FAILED, had;
    Counts counts = { .invoices = item->state == RUN_ITEM_FINALIZED };
    item->attempt = work->run->attempt;
    TRY(failed_find(tx, work->run, item->account, &item->number));
    had = item->number != 0;
    counts.items = !had;
    counts.failed = (fails ? 1 : 0) - (had ? 1 : 0);
    TRY(count_add(tx, work->run, counts));
    TRY(had ? item_set(tx, work->run, item) : item_add(tx, work->run, item));
    return failure_put(tx, work->run, item, had);
}

static RunItem finalized_item(const RunWork *work, const IssuedInvoice *invoice)
{
    return (RunItem){ .state = RUN_ITEM_FINALIZED,
                      .account = invoice->account,
                      .currency = currency_code(&invoice->currency),
                      .boundary = invoice->boundary,
                      .invoice = invoice->id,
                      .attempt = work->run->attempt };
}

// New items, behind those that there are.
static Err *items_add(DbTx *tx, const BillingRun *run, RunItem *items, size_t count)
{
    DbRow   row;
    int64_t added = (int64_t)count;
    if (count == 0)
        return NULL;
    TRY(count_add(tx, run, (Counts){ .items = added, .invoices = added }));
    TRY(db_find(tx, &sql[RUN_ITEMS], DB_VALUES(OF(run->project), db_text(run->id)), &row));
    assert_that(row.columns != NULL);
    for (size_t i = 0; i < count; i++) {
        items[i].number = row_whole(&row, 0) - added + 1 + (int64_t)i;
        TRY(db_later(tx, &sql[ITEM_ADD], item_values(db_arena(tx), run, &items[i])));
    }
    return NULL;
}

Err *run_items_finalized(DbTx *tx, const RunWork *work, IssuedInvoice *const *invoices,
                         size_t count)
{
    RunItem *fresh = arena_array(db_arena(tx), RunItem, count);
    size_t   fresh_count = 0;
    bool     has_failures;
    TRY(lease_keep(tx, work, 0, false));
    TRY(failures_look(tx, work->run, &has_failures));
    for (size_t i = 0; i < count; i++) {
        RunItem item = finalized_item(work, invoices[i]);
        int64_t number = 0;
        if (has_failures)
            TRY(failed_find(tx, work->run, item.account, &number));
        if (number != 0)
            TRY(item_put(tx, work, &item));
        else
            fresh[fresh_count++] = item;
    }
    return items_add(tx, work->run, fresh, fresh_count);
}

Err *run_item_done(DbTx *tx, const RunWork *work, const RunItem *done)
{
    RunItem item = *done;
    item.state = RUN_ITEM_DONE;
    TRY(lease_keep(tx, work, 0, false));
    return item_put(tx, work, &item);
}

Err *run_item_failed(DbTx *tx, const RunWork *work, Str account, const Err *why)
{
    RunItem item = { .state = RUN_ITEM_FAILED,
                     .account = account,
                     .error_code = str_of(err_name(why->code)),
                     .error_detail = why->detail };
    TRY(lease_keep(tx, work, 0, false));
    return item_put(tx, work, &item);
}

Err *run_item_nothing_due(DbTx *tx, const RunWork *work, Str account)
{
    RunItem item = { .state = RUN_ITEM_NOTHING_DUE, .account = account };
    int64_t number;
    TRY(lease_keep(tx, work, 0, false));
    TRY(failed_find(tx, work->run, account, &number));
    return number == 0 ? NULL : item_put(tx, work, &item);
}

Err *run_step(DbTx *tx, const RunWork *work, const RunStep *step)
{
    const BillingRun *run = work->run;
    Str               walked = step->walked.at == NULL ? run->walked : step->walked;
    TRY(lease_keep(tx, work, (int64_t)step->count, step->is_walked));
    return db_run(tx, &sql[RUN_WALKED],
                  DB_VALUES(db_text(walked), db_whole(step->is_walked),
                            db_whole((int64_t)step->count), OF(run->project), db_text(run->id)),
                  NULL);
}

Err *run_still(DbTx *tx, const RunWork *work)
{
    return lease_keep(tx, work, 0, false);
}
