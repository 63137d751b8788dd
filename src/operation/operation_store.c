// SPDX-License-Identifier: Apache-2.0
// The table of operations. Every change of a running one is a compare-and-set on its fence.
#include "base/assert.h"
#include "base/clock.h"
#include "operation/operation.h"

enum {
    OPERATION_ADD,
    OPERATION_GET,
    OPERATIONS_BEFORE,
    OPERATION_CANCEL,
    OPERATION_OLDEST,
    OPERATION_TAKE,
    OPERATION_ADVANCE,
    OPERATION_END,
    OPERATION_ABANDON,
    OPERATION_ABANDON_ALL,
    STATEMENTS
};

#define COLUMNS \
    "tenant, project, id, kind, subject, result, status, done, total, error_code, error_detail," \
    " created_at, started_at, ended_at, fence"

// `active` is 1 while it is queued or running, so that the worker's question has an index.
static const Statement sql[STATEMENTS] = {
    [OPERATION_ADD] = { "insert into operation (" COLUMNS ", lease_until, active)"
                        " values (?, ?, ?, ?, ?, ?, ?, 0, 0, null, null, ?, null, null, 0, 0, 1)" },
    [OPERATION_GET] = { "select " COLUMNS " from operation"
                        " where tenant = ? and project = ? and id = ?" },
    [OPERATIONS_BEFORE] = { "select " COLUMNS " from operation"
                            " where tenant = ? and project = ? and id < ?"
                            " order by id desc limit ?" },
    [OPERATION_CANCEL] = { "update operation set status = ?, ended_at = ?, active = 0"
                           " where tenant = ? and project = ? and id = ? and active = 1" },
    [OPERATION_OLDEST] = { "select " COLUMNS " from operation"
                           " where active = 1 and lease_until <= ?"
                           " and kind = ? order by created_at, id limit 1" },
    [OPERATION_TAKE] = { "update operation set status = ?, started_at = ?, fence = fence + 1,"
                         " lease_until = ?, holder = ?"
                         " where tenant = ? and project = ? and id = ? and fence = ?"
                         " and active = 1" },
    [OPERATION_ADVANCE] = { "update operation set done = ?, total = ?, lease_until = ?"
                            " where tenant = ? and project = ? and id = ? and fence = ?"
                            " and active = 1" },
    [OPERATION_END] = { "update operation set status = ?, ended_at = ?, active = 0,"
                        " error_code = ?, error_detail = ?"
                        " where tenant = ? and project = ? and id = ? and fence = ?"
                        " and active = 1" },
    [OPERATION_ABANDON] = { "update operation set lease_until = 0"
                            " where active = 1 and holder = ?" },
    [OPERATION_ABANDON_ALL] = { "update operation set lease_until = 0 where active = 1" },
};

const StatementTable operation_table = { "operations", sql, STATEMENTS };

static int64_t lease_end(int64_t now_us)
{
    return now_us + OPERATION_LEASE_S * INSTANT_SECOND_US;
}

static OperationStatus status_read(Str name)
{
    OperationStatus status = OPERATION_QUEUED;
    while (status < OPERATION_STATUS_COUNT &&
           !str_equal(name, str_of(operation_status_name(status))))
        status++;
    assert_that(status < OPERATION_STATUS_COUNT);
    return status;
}

static DbValue status_value(OperationStatus status)
{
    return db_text(str_of(operation_status_name(status)));
}

static void operation_read(const DbRow *row, Operation *operation)
{
    *operation = (Operation){
        .project = { row_text(row, 0), row_text(row, 1) },
        .id = row_text(row, 2),
        .kind = row_text(row, 3),
        .subject = row_text(row, 4),
        .result = row_text(row, 5),
        .status = status_read(row_text(row, 6)),
        .done = row_whole(row, 7),
        .total = row_whole(row, 8),
        .error_code = row_text(row, 9),
        .error_detail = row_text(row, 10),
        .created_at = { row_whole(row, 11) },
        .has_started = !row_is_null(row, 12),
        .has_ended = !row_is_null(row, 13),
        .fence = row_whole(row, 14),
    };
    if (operation->has_started)
        operation->started_at.us = row_whole(row, 12);
    if (operation->has_ended)
        operation->ended_at.us = row_whole(row, 13);
}

Err *operation_add(DbTx *tx, const Operation *operation)
{
    return db_run(tx, &sql[OPERATION_ADD],
                  DB_VALUES(db_text(operation->project.tenant), db_text(operation->project.id),
                            db_text(operation->id), db_text(operation->kind),
                            db_text(operation->subject), db_text(operation->result),
                            status_value(OPERATION_QUEUED), db_whole(operation->created_at.us)),
                  NULL);
}

// ---- reading

typedef struct Finding {
    ProjectId  project;
    Str        id;
    Operation *found;
} Finding;

static Err *find_in(DbTx *tx, ProjectId project, Str id, Operation **found)
{
    DbRow row;
    TRY(db_find(tx, &sql[OPERATION_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    if (row.columns == NULL)
        return refuse(db_arena(tx), ERR_OPERATION_NOT_FOUND, STR_NONE, "there is no operation %.*s",
                      STR_ARG(id));
    *found = arena_new(db_arena(tx), Operation);
    operation_read(&row, *found);
    return NULL;
}

static Err *find_work(DbTx *tx, void *context)
{
    Finding *finding = context;
    return find_in(tx, finding->project, finding->id, &finding->found);
}

Err *operation_get(Db *db, Arena *arena, ProjectId project, Str id, Operation **found)
{
    Finding finding = { project, id, NULL };
    TRY(db_read(db, arena, find_work, &finding));
    *found = finding.found;
    return NULL;
}

typedef struct Listing {
    const OperationPage *page;
    Operation           *found;
    size_t               count;
} Listing;

static Err *list_work(DbTx *tx, void *context)
{
    Listing             *listing = context;
    const OperationPage *page = listing->page;
    Str                  before = page->before.at == NULL ? STR("op_~") : page->before;
    DbRows               rows;
    TRY(db_rows(tx, &sql[OPERATIONS_BEFORE],
                DB_VALUES(db_text(page->project.tenant), db_text(page->project.id), db_text(before),
                          db_whole((int64_t)page->limit)),
                &rows));
    listing->found = arena_array(db_arena(tx), Operation, rows.count);
    listing->count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        operation_read(&rows.at[i], &listing->found[i]);
    return NULL;
}

Err *operation_list(Db *db, Arena *arena, const OperationPage *page, Operation **operations,
                    size_t *count)
{
    Listing listing = { page, NULL, 0 };
    TRY(db_read(db, arena, list_work, &listing));
    *operations = listing.found;
    *count = listing.count;
    return NULL;
}

// ---- canceling

typedef struct Canceling {
    const OperationCancel *wanted;
    Operation             *after;
} Canceling;

static Err *cancel_audit(DbTx *tx, const OperationCancel *wanted)
{
    const ProjectId *project = &wanted->by->project.id;
    Str              who = str_print(db_arena(tx), "key:%.*s", STR_ARG(wanted->by->key_id));
    return audit_add(tx, &(AuditEntry){
                             .tenant = project->tenant,
                             .project = project->id,
                             .at = wanted->now,
                             .who = who,
                             .action = STR("operation.cancel"),
                             .object = wanted->id,
                         });
}

static Err *cancel_work(DbTx *tx, void *context)
{
    Canceling             *canceling = context;
    const OperationCancel *wanted = canceling->wanted;
    ProjectId              project = wanted->by->project.id;
    uint64_t               changed;
    TRY(db_run(tx, &sql[OPERATION_CANCEL],
               DB_VALUES(status_value(OPERATION_CANCELED), db_whole(wanted->now.us),
                         db_text(project.tenant), db_text(project.id), db_text(wanted->id)),
               &changed));
    TRY(find_in(tx, project, wanted->id, &canceling->after));
    if (canceling->after->status != OPERATION_CANCELED)
        return refuse(db_arena(tx), ERR_OPERATION_ENDED, STR_NONE, "operation %.*s has %s",
                      STR_ARG(wanted->id), operation_status_name(canceling->after->status));
    return changed > 0 ? cancel_audit(tx, wanted) : NULL;
}

Err *operation_cancel(Db *db, Arena *arena, const OperationCancel *cancel, Operation **canceled)
{
    Canceling canceling = { cancel, NULL };
    TRY(db_write(db, arena, (DbWrite){ .work = cancel_work, .context = &canceling }));
    *canceled = canceling.after;
    return NULL;
}

// ---- working

typedef struct Taking {
    const OperationTaker *taker;
    int64_t               now_us;
    Operation            *taken;
} Taking;

static bool is_older(const Operation *a, const Operation *b)
{
    return a->created_at.us != b->created_at.us ? a->created_at.us < b->created_at.us
                                                : str_compare(a->id, b->id) < 0;
}

static Err *oldest_find(DbTx *tx, const Taking *taking, Operation **oldest)
{
    DbRow row;
    *oldest = NULL;
    for (size_t i = 0; i < taking->taker->kind_count; i++) {
        TRY(db_find(tx, &sql[OPERATION_OLDEST],
                    DB_VALUES(db_whole(taking->now_us), db_text(taking->taker->kinds[i])), &row));
        if (row.columns == NULL)
            continue;
        Operation *found = arena_new(db_arena(tx), Operation);
        operation_read(&row, found);
        if (*oldest == NULL || is_older(found, *oldest))
            *oldest = found;
    }
    return NULL;
}

static Err *take_work(DbTx *tx, void *context)
{
    Taking    *taking = context;
    Operation *oldest;
    uint64_t   changed;
    taking->taken = NULL;
    TRY(oldest_find(tx, taking, &oldest));
    if (oldest == NULL)
        return NULL;
    if (!oldest->has_started)
        oldest->started_at.us = taking->now_us;
    TRY(db_run(tx, &sql[OPERATION_TAKE],
               DB_VALUES(status_value(OPERATION_RUNNING), db_whole(oldest->started_at.us),
                         db_whole(lease_end(taking->now_us)), db_text(taking->taker->holder),
                         db_text(oldest->project.tenant), db_text(oldest->project.id),
                         db_text(oldest->id), db_whole(oldest->fence)),
               &changed));
    if (changed == 0)
        return NULL;  // another one was faster
    oldest->status = OPERATION_RUNNING;
    oldest->has_started = true;
    oldest->fence++;
    taking->taken = oldest;
    return NULL;
}

Err *operation_take(Db *db, Arena *arena, const OperationTaker *taker, Operation **taken)
{
    Taking taking = { taker, clock_now_us(), NULL };
    if (taker->kind_count > 0)
        TRY(db_write(db, arena, (DbWrite){ .work = take_work, .context = &taking }));
    *taken = taking.taken;
    return NULL;
}

Err *operation_advance(DbTx *tx, const Operation *taken, int64_t done, int64_t total)
{
    uint64_t changed;
    TRY(db_run(tx, &sql[OPERATION_ADVANCE],
               DB_VALUES(db_whole(done), db_whole(total), db_whole(lease_end(clock_now_us())),
                         db_text(taken->project.tenant), db_text(taken->project.id),
                         db_text(taken->id), db_whole(taken->fence)),
               &changed));
    if (changed == 0)
        return refuse(db_arena(tx), ERR_OPERATION_CANCELED, STR_NONE,
                      "operation %.*s was canceled or taken over", STR_ARG(taken->id));
    return NULL;
}

typedef struct Ending {
    const Operation *taken;
    const Err       *failure;
} Ending;

static Err *end_work(DbTx *tx, void *context)
{
    const Ending    *ending = context;
    const Operation *taken = ending->taken;
    const Err       *failure = ending->failure;
    return db_run(tx, &sql[OPERATION_END],
                  DB_VALUES(status_value(failure == NULL ? OPERATION_SUCCEEDED : OPERATION_FAILED),
                            db_whole(clock_now_us()),
                            failure == NULL ? db_null() : db_text(str_of(err_name(failure->code))),
                            failure == NULL ? db_null() : db_text(failure->detail),
                            db_text(taken->project.tenant), db_text(taken->project.id),
                            db_text(taken->id), db_whole(taken->fence)),
                  NULL);
}

Err *operation_end(Db *db, Arena *arena, const Operation *taken, const Err *failure)
{
    Ending ending = { taken, failure };
    return db_write(db, arena, (DbWrite){ .work = end_work, .context = &ending });
}

static Err *abandon_work(DbTx *tx, void *context)
{
    const Str *holder = context;
    if (holder->at == NULL)
        return db_run(tx, &sql[OPERATION_ABANDON_ALL], (DbValues){ 0 }, NULL);
    return db_run(tx, &sql[OPERATION_ABANDON], DB_VALUES(db_text(*holder)), NULL);
}

Err *operation_abandon(Db *db, Arena *arena, Str holder)
{
    return db_write(db, arena, (DbWrite){ .work = abandon_work, .context = &holder });
}
