// SPDX-License-Identifier: Apache-2.0
// First the accounts that failed at an earlier attempt, then the page behind the last one that was
// walked, and so on. A page that was interrupted is walked again: its accounts have nothing due any
// more where an invoice was made.
#include "flow/run/run_walk.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/thread.h"
#include "flow/run/run_inside.h"

typedef struct Walk {
    const RunParts     *parts;
    const OperationRun *operation;
    BillingRun          run;  // as it was at the page's beginning
    Str                *accounts;
    size_t              count;
    bool                is_retry;  // of accounts that failed

    Lock   lock;  // of what follows
    size_t next;
    Err   *failure;  // the first; in `arena`
    Arena *arena;    // of the page
} Walk;

static RunWork work_of(const Walk *walk)
{
    return (RunWork){ walk->operation->operation, &walk->run };
}

// ---- one account

typedef struct AccountWork {
    const Walk *walk;
    Str         account;
    const Err  *why;  // of one that failed
} AccountWork;

static Err *finalized_work(DbTx *tx, void *context, const IssuedInvoice *invoice)
{
    const AccountWork *account = context;
    RunWork            work = work_of(account->walk);
    return run_item_finalized(tx, &work, invoice);
}

static Err *failed_work(DbTx *tx, void *context)
{
    const AccountWork *account = context;
    RunWork            work = work_of(account->walk);
    return run_item_failed(tx, &work, account->account, account->why);
}

static Err *nothing_work(DbTx *tx, void *context)
{
    const AccountWork *account = context;
    RunWork            work = work_of(account->walk);
    return run_item_nothing_due(tx, &work, account->account);
}

// What is known now; never less than what the run is asked for.
static Instant now_of(const Walk *walk)
{
    Project project = catalog_project_get(walk->parts->catalog, walk->run.project);
    Instant now = project_now(&project, (Instant){ clock_now_us() });
    return now.us < walk->run.at.us ? walk->run.at : now;
}

// One after the other, until nothing is due.
static Err *invoices_make(Arena *arena, AccountWork *account)
{
    const Walk    *walk = account->walk;
    IssueQuery     query = { .books = walk->operation->db,
                             .catalog = walk->parts->catalog,
                             .partition = walk->parts->partition,
                             .project = walk->run.project };
    IssueClose     close = { account->account, walk->run.at, finalized_work, account };
    IssuedInvoice *invoice;
    bool           is_first = true;
    do {
        if (atomic_load(walk->operation->stopping))
            return refuse(arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
        query.now = now_of(walk);
        TRY(issue_close(arena, &query, &close, &invoice));
        if (invoice == NULL && is_first && walk->is_retry)
            return db_write(query.books, arena,
                            (DbWrite){ .work = nothing_work, .context = account });
        counter_add(METRIC_RUN_INVOICES, invoice != NULL);
        is_first = false;
    } while (invoice != NULL);
    return NULL;
}

// Nothing more may be stored, or nobody knows what was.
static bool ends_run(ErrCode code)
{
    return code == ERR_OPERATION_CANCELED || code == ERR_NOT_READY || code == ERR_OUTCOME_UNKNOWN;
}

// A refusal is the account's own as long as it can be written down.
static Err *account_do(Arena *arena, AccountWork *account)
{
    Err *err = invoices_make(arena, account);
    if (err == NULL || ends_run(err->code))
        return err;
    account->why = err;
    counter_add(METRIC_RUN_FAILURES, 1);
    return db_write(account->walk->operation->db, arena,
                    (DbWrite){ .work = failed_work, .context = account });
}

// ---- a page

// False: nothing is left, or the run ends.
static bool account_take(Walk *walk, Str *account)
{
    lock_take(&walk->lock);
    bool taken = walk->next < walk->count && walk->failure == NULL;
    if (taken)
        *account = walk->accounts[walk->next++];
    lock_release(&walk->lock);
    return taken;
}

static void failure_note(Walk *walk, const Err *err)
{
    lock_take(&walk->lock);
    if (walk->failure == NULL)
        walk->failure = refuse(walk->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    lock_release(&walk->lock);
}

static void one_do(Walk *walk, Str account)
{
    AUTO(Arena) arena = arena_open();
    AccountWork work = { .walk = walk, .account = account };
    Err        *err = account_do(arena, &work);
    if (err != NULL)
        failure_note(walk, err);
}

static void *accounts_do(void *argument)
{
    Walk *walk = argument;
    Str   account;
    while (account_take(walk, &account))
        one_do(walk, account);
    return NULL;
}

static Err *page_do(Walk *walk)
{
    Thread threads[RUN_THREADS - 1] = { 0 };
    walk->next = 0;
    for (size_t i = 0; i < RUN_THREADS - 1 && i + 1 < walk->count; i++)
        thread_start(&threads[i], "run", accounts_do, walk);
    accounts_do(walk);
    for (size_t i = 0; i < RUN_THREADS - 1; i++)
        thread_join(&threads[i]);
    return walk->failure;
}

// ---- all pages

static Err *failed_read(DbTx *tx, void *context)
{
    Walk *walk = context;
    const Operation *operation = walk->operation->operation;
    TRY(run_get(tx, operation->project, operation->subject, &walk->run));
    return run_accounts_failed(tx, &walk->run, RUN_PAGE_ACCOUNTS, &walk->accounts, &walk->count);
}

static Err *accounts_read(Walk *walk)
{
    CatalogPage page = { .project = walk->run.project,
                         .after = walk->run.walked,
                         .limit = RUN_PAGE_ACCOUNTS };
    Account    *rows;
    TRY(catalog_accounts(walk->parts->catalog, walk->arena, &page, &rows, &walk->count));
    walk->accounts = arena_array(walk->arena, Str, walk->count);
    for (size_t i = 0; i < walk->count; i++)
        walk->accounts[i] = rows[i].id;
    return NULL;
}

static Err *step_work(DbTx *tx, void *context)
{
    const Walk *walk = context;
    RunWork     work = work_of(walk);
    RunStep     step = { .walked = walk->count == 0 ? STR_NONE : walk->accounts[walk->count - 1],
                         .count = walk->count,
                         .is_walked = walk->count < RUN_PAGE_ACCOUNTS };
    return run_step(tx, &work, &step);
}

// Reads the run anew, then does a page of it. *more: there may be another one.
static Err *page_next(Walk *walk, bool *more)
{
    TRY(db_read(walk->operation->db, walk->arena, failed_read, walk));
    walk->is_retry = walk->count > 0;
    *more = walk->is_retry || !walk->run.is_walked;
    if (walk->is_retry)
        return page_do(walk);
    if (!*more)
        return NULL;
    TRY(accounts_read(walk));
    TRY(page_do(walk));
    return db_write(walk->operation->db, walk->arena,
                    (DbWrite){ .work = step_work, .context = walk });
}

static Err *page_run(const RunParts *parts, Arena *arena, const OperationRun *operation,
                     bool *more)
{
    AUTO(Arena) page = arena_open();
    Walk walk = { .parts = parts, .operation = operation, .arena = page };
    lock_open(&walk.lock);
    Err *err = page_next(&walk, more);
    lock_close(&walk.lock);
    return err == NULL ? NULL : refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
}

static Err *run_do(void *context, Arena *arena, const OperationRun *operation)
{
    bool more = true;
    while (more)
        TRY(page_run(context, arena, operation, &more));
    return NULL;
}

OperationKind run_kind(RunParts *parts)
{
    return (OperationKind){ .name = "run", .run = run_do, .context = parts };
}
