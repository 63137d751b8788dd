// SPDX-License-Identifier: Apache-2.0
// First the accounts that failed at an earlier attempt, then the page behind the last one that was
// walked, and so on. A page that was interrupted is walked again: its accounts have nothing due any
// more where an invoice was made.
#include "flow/run/run_walk.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/thread.h"
#include "flow/invoice/issue_currencies.h"
#include "flow/run/run_kinds.h"

typedef struct Walk {
    const RunParts     *parts;
    const OperationRun *operation;
    BillingRun          run;  // as it was at the page's beginning
    Str                *accounts;
    size_t              count;
    Str                 walked;   // where the next page begins
    bool                is_last;  // of the pages
    bool                is_retry;  // of accounts that failed
    RunDues             dues;      // of the accounts, when the scheduler asked for the run

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

static IssueQuery query_of(const Walk *walk)
{
    return (IssueQuery){ .books = walk->operation->db,
                         .catalog = walk->parts->catalog,
                         .partition = walk->parts->partition,
                         .project = walk->run.project,
                         .now = now_of(walk) };
}

// Accounts are no other text than their page's.
static void failed_note(const Walk *walk, Str account)
{
    for (size_t i = 0; i < walk->dues.count; i++)
        if (walk->dues.at[i].account.at == account.at)
            walk->dues.has_failed[i] = true;
}

// Nothing more may be stored, or nobody knows what was.
static bool ends_run(ErrCode code)
{
    return code == ERR_OPERATION_CANCELED || code == ERR_NOT_READY || code == ERR_OUTCOME_UNKNOWN;
}

// A refusal is the account's own as long as it can be written down.
static Err *account_fails(Arena *arena, AccountWork *account)
{
    if (ends_run(account->why->code))
        return refuse(arena, account->why->code, STR_NONE, "%.*s", STR_ARG(account->why->detail));
    counter_add(METRIC_RUN_FAILURES, 1);
    failed_note(account->walk, account->account);
    return db_write(account->walk->operation->db, arena,
                    (DbWrite){ .work = failed_work, .context = account });
}

// ---- some accounts together

static Err *finalized_work(DbTx *tx, void *context, IssuedInvoice *const *invoices, size_t count)
{
    RunWork work = work_of(context);
    return run_items_finalized(tx, &work, invoices, count);
}

typedef struct Some {
    Walk       *walk;
    IssueClosed accounts[RUN_TOGETHER];
    size_t      count;
    bool        is_first;  // round
} Some;

// One currency after the other of an account that failed, so that one of them stops no other.
// account->why becomes what each of those that fail says.
static Err *currency_do(Arena *arena, const Some *some, AccountWork *account, Str code)
{
    const Walk *walk = some->walk;
    IssueClosed closed;
    do {
        IssueQuery query = query_of(walk);
        IssueClose close = { walk->run.at, finalized_work, some->walk, walk->run.slot > 0 };
        if (atomic_load(walk->operation->stopping))
            return refuse(arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
        closed = (IssueClosed){ .account = account->account, .currency = code };
        issue_close(arena, &query, &close, &closed, 1);
        counter_add(METRIC_RUN_INVOICES, closed.invoice != NULL);
    } while (closed.invoice != NULL);
    if (closed.why == NULL || ends_run(closed.why->code))
        return closed.why;
    const Err *before = account->why;
    account->why = refuse(arena, before == NULL ? closed.why->code : before->code, STR_NONE,
                          "%.*s%s%.*s: %.*s", STR_ARG(before == NULL ? STR("") : before->detail),
                          before == NULL ? "" : "; ", STR_ARG(code),
                          STR_ARG(closed.why->detail));
    return NULL;
}

static Err *currencies_do(Arena *arena, const Some *some, AccountWork *account)
{
    IssueQuery query = query_of(some->walk);
    Currency  *currencies;
    size_t     count;
    Err       *err = issue_currencies(arena, &query, account->account, &currencies, &count);
    if (err != NULL || count < 2 || ends_run(account->why->code))
        return NULL;
    account->why = NULL;
    for (size_t i = 0; i < count; i++)
        TRY(currency_do(arena, some, account, currency_code(&currencies[i])));
    return NULL;
}

// What became of one; *more: it may have another invoice.
static Err *closed_take(Arena *arena, const Some *some, const IssueClosed *closed, bool *more)
{
    AccountWork account = { some->walk, closed->account, closed->why };
    bool        is_made = closed->invoice != NULL;
    *more = is_made && !closed->is_last;
    if (closed->why != NULL)
        TRY(currencies_do(arena, some, &account));
    if (closed->why != NULL)
        return account.why == NULL ? NULL : account_fails(arena, &account);
    counter_add(METRIC_RUN_INVOICES, is_made);
    if (is_made || !some->is_first || !some->walk->is_retry)
        return NULL;
    return db_write(some->walk->operation->db, arena,
                    (DbWrite){ .work = nothing_work, .context = &account });
}

// One invoice of each; those that had one are left for another round.
static Err *round_do(Arena *arena, Some *some)
{
    Walk      *walk = some->walk;
    IssueQuery query = query_of(walk);
    IssueClose close = { walk->run.at, finalized_work, walk, walk->run.slot > 0 };
    size_t     left = 0;
    if (atomic_load(walk->operation->stopping))
        return refuse(arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
    issue_close(arena, &query, &close, some->accounts, some->count);
    for (size_t i = 0; i < some->count; i++) {
        bool more;
        TRY(closed_take(arena, some, &some->accounts[i], &more));
        if (more)
            some->accounts[left++].account = some->accounts[i].account;
    }
    some->count = left;
    some->is_first = false;
    return NULL;
}

static void failure_note(Walk *walk, const Err *err)
{
    lock_take(&walk->lock);
    if (walk->failure == NULL)
        walk->failure = refuse(walk->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    lock_release(&walk->lock);
}

// ---- one after the other: kinds but billing

static Err *one_do(Arena *arena, const Some *some, Str account)
{
    const Walk *walk = some->walk;
    IssueQuery  query = query_of(walk);
    RunWork     work = work_of(walk);
    RunOne      one = { walk->parts, &query, &work, account, walk->run.at,
                        walk->operation->stopping };
    AccountWork item = { walk, account, NULL };
    if (atomic_load(walk->operation->stopping))
        return refuse(arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
    item.why = run_kind_row(walk->run.kind)->account(arena, &one);
    if (item.why != NULL)
        return account_fails(arena, &item);
    return !walk->is_retry ? NULL
                           : db_write(query.books, arena,
                                      (DbWrite){ .work = nothing_work, .context = &item });
}

static void each_do(Some *some)
{
    Err *err = NULL;
    for (size_t i = 0; i < some->count && err == NULL; i++) {
        AUTO(Arena) arena = arena_open();
        err = one_do(arena, some, some->accounts[i].account);
        if (err != NULL)
            failure_note(some->walk, err);
    }
}

// ---- a page

// None: nothing is left, or the run ends.
static void some_take(Walk *walk, Some *some)
{
    *some = (Some){ .walk = walk, .is_first = true };
    lock_take(&walk->lock);
    while (some->count < RUN_TOGETHER && walk->next < walk->count && walk->failure == NULL)
        some->accounts[some->count++].account = walk->accounts[walk->next++];
    lock_release(&walk->lock);
}

static void some_do(Some *some)
{
    Err *err = NULL;
    while (err == NULL && some->count > 0) {
        AUTO(Arena) arena = arena_open();
        err = round_do(arena, some);
        if (err != NULL)
            failure_note(some->walk, err);
    }
}

static void *accounts_do(void *argument)
{
    Some some;
    for (some_take(argument, &some); some.count > 0; some_take(argument, &some))
        if (run_kind_row(some.walk->run.kind)->account == NULL)
            some_do(&some);
        else
            each_do(&some);
    return NULL;
}

static Err *page_do(Walk *walk)
{
    Thread threads[RUN_THREADS - 1] = { 0 };
    walk->next = 0;
    for (size_t i = 0; i < RUN_THREADS - 1 && (i + 1) * RUN_TOGETHER < walk->count; i++)
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

static Err *dues_work(DbTx *tx, void *context)
{
    Walk          *walk = context;
    AccountDuePage page = { walk->run.project, walk->run.at, RUN_PAGE_ACCOUNTS };
    return account_due_list(tx, &page, &walk->dues.at, &walk->dues.count);
}

// The scheduler's, of billing: those whose time has come.
static Err *dues_read(Walk *walk)
{
    TRY(db_read(walk->operation->db, walk->arena, dues_work, walk));
    walk->dues.has_failed = arena_array(walk->arena, bool, walk->dues.count);
    walk->accounts = arena_array(walk->arena, Str, walk->dues.count);
    walk->count = walk->dues.count;
    for (size_t i = 0; i < walk->count; i++) {
        walk->accounts[i] = walk->dues.at[i].account;
        walk->dues.has_failed[i] = false;
    }
    walk->walked = walk->count == 0 ? STR_NONE : walk->accounts[walk->count - 1];
    walk->is_last = walk->count < RUN_PAGE_ACCOUNTS;
    return NULL;
}

static Err *kind_work(DbTx *tx, void *context)
{
    Walk       *walk = context;
    RunAccounts accounts;
    TRY(run_kind_row(walk->run.kind)->accounts(tx, &walk->run, RUN_PAGE_ACCOUNTS, &accounts));
    walk->accounts = accounts.at;
    walk->count = accounts.count;
    walk->walked = accounts.walked;
    walk->is_last = accounts.is_last;
    return NULL;
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
    walk->walked = walk->count == 0 ? STR_NONE : rows[walk->count - 1].id;
    walk->is_last = walk->count < RUN_PAGE_ACCOUNTS;
    return NULL;
}

static Err *page_read(Walk *walk)
{
    if (walk->run.kind == RUN_BILLING && walk->run.slot > 0)
        return dues_read(walk);
    if (run_kind_row(walk->run.kind)->accounts == NULL)
        return accounts_read(walk);
    return db_read(walk->operation->db, walk->arena, kind_work, walk);
}

static Err *step_work(DbTx *tx, void *context)
{
    const Walk *walk = context;
    RunWork     work = work_of(walk);
    RunStep     step = { walk->walked, walk->count, walk->is_last };
    for (size_t i = 0; i < walk->dues.count; i++)
        TRY(account_due_set(tx, walk->run.project, &walk->dues.at[i]));
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
    TRY(page_read(walk));
    TRY(page_do(walk));
    IssueQuery query = query_of(walk);
    run_dues_next(&query, &walk->run, &walk->dues);
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

OperationKind run_book_kind(RunParts *parts)
{
    return (OperationKind){ .name = "bookRun", .run = run_do, .context = parts };
}
