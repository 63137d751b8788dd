// SPDX-License-Identifier: Apache-2.0
// The program, with books of which any one call can be made to fail, and what is made of them and
// of usage: linked so that whoever calls db_rows, db_find, … calls what stands here first (ld
// --wrap; the Makefile has the same list). The file that TOLL_BOOK_FAULTS names is shared with the
// test: it says after how many calls one fails, and of which threads calls are counted. What a
// thread writes is done by the writer's thread and counted as its own.
#include "main.c"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/json.h"
#include "db/db.h"
#include "flow/aggregate/usage.h"
#include "flow/bill/due.h"
#include "flow/bill/period_bill.h"
#include "flow/bill/timeline.h"
#include "flow/ledger/draw.h"
#include "operation/operation.h"

typedef struct FaultPlan {
    _Atomic int64_t left;         // calls until one fails; 0: none does; below 0: each does
    _Atomic int64_t counted;      // calls so far
    char            threads[48];  // how the counted threads' names begin: "operations,run"
    // 0: one fails; 1: one finds the books busy; 2: and all after it; above that: so many
    _Atomic int64_t busy;
    _Atomic int64_t writes;       // db_write calls until one waits; 0: none does
    _Atomic int64_t reads;        // the same of db_read
    _Atomic int64_t waits;        // 1: one waits until this is 0 again
    _Atomic int64_t lost;         // db_write calls until one's outcome is unknown; 0: none is
    // Calls until one fails, of a function of this name, or with a statement that has this text.
    _Atomic int64_t of_text;
    char            text[120];
} FaultPlan;

static FaultPlan         *plan;
static pthread_once_t     once = PTHREAD_ONCE_INIT;
static _Thread_local bool is_counted_work;
static _Thread_local bool is_between;  // operations: looks now and then, so it is not counted

static void plan_map(void)
{
    int file = open(getenv("TOLL_BOOK_FAULTS"), O_RDWR | O_CLOEXEC);
    assert_that(file >= 0);
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_that(plan != MAP_FAILED);
    close(file);
}

static bool is_counted(void)
{
    char name[16];
    pthread_once(&once, plan_map);
    if (is_between)
        return false;
    if (is_counted_work)
        return true;
    pthread_getname_np(pthread_self(), name, sizeof name);
    for (const char *at = plan->threads; *at != 0;) {
        size_t length = strcspn(at, ",");
        if (strncmp(name, at, length) == 0)
            return true;
        at += length + (at[length] == ',');
    }
    return false;
}

// Whether it is the last of so many.
static bool is_last(_Atomic int64_t *left)
{
    int64_t now = atomic_load(left);
    while (now > 0 && !atomic_compare_exchange_weak(left, &now, now - 1))
        ;
    return now == 1;
}

static bool is_next_refused(void)
{
    if (!is_counted())
        return false;
    atomic_fetch_add(&plan->counted, 1);
    int64_t left = atomic_load(&plan->left), busy = atomic_load(&plan->busy), next;
    do {
        if (left > 0)
            next = left == 1 && busy > 1 ? 1 - busy : left - 1;
        else
            next = left < 0 && busy > 2 ? left + 1 : left;
    } while (!atomic_compare_exchange_weak(&plan->left, &left, next));
    return left == 1 || left < 0;
}

// `text`: of its statement; NULL: it has none.
static bool is_refused(const char *name, const char *text)
{
    if (is_next_refused())
        return true;
    if (!is_counted() || atomic_load(&plan->of_text) == 0)
        return false;
    bool is_of = text == NULL ? strcmp(name, plan->text) == 0 : strstr(text, plan->text) != NULL;
    return is_of && is_last(&plan->of_text);
}

static Err *refused(Arena *arena)
{
    return refuse(arena, atomic_load(&plan->busy) > 0 ? ERR_STORE_BUSY : ERR_STORE_FAILED,
                  STR_NONE, "refused by the test");
}

// Before a transaction begins, so that the test may do something else meanwhile.
static void wait_for_test(bool writes)
{
    if (!is_counted() || !is_last(writes ? &plan->writes : &plan->reads))
        return;
    atomic_store(&plan->waits, 1);
    while (atomic_load(&plan->waits) != 0)
        usleep(1000);
}

// NAME(parameters), with what it is called with, and the arena of a refusal; and of those that have
// a statement.
#define WRAPPED_IF(condition, name, arena, parameters, arguments) \
    Err *__real_##name parameters;                                \
    Err *__wrap_##name parameters;                                \
    Err *__wrap_##name parameters                                 \
    {                                                             \
        return (condition) ? refused(arena) : __real_##name arguments; \
    }
#define WRAPPED(name, arena, parameters, arguments) \
    WRAPPED_IF(is_refused(#name, NULL), name, arena, parameters, arguments)
#define WRAPPED_SQL(name, arena, parameters, arguments) \
    WRAPPED_IF(is_refused(#name, sql->sql), name, arena, parameters, arguments)

WRAPPED_SQL(db_rows, db_arena(tx), (DbTx *tx, const Statement *sql, DbValues values, DbRows *rows),
        (tx, sql, values, rows))
WRAPPED_SQL(db_find, db_arena(tx), (DbTx *tx, const Statement *sql, DbValues values, DbRow *row),
        (tx, sql, values, row))
WRAPPED_SQL(db_run, db_arena(tx),
        (DbTx *tx, const Statement *sql, DbValues values, uint64_t *changed),
        (tx, sql, values, changed))
WRAPPED_SQL(db_later, db_arena(tx), (DbTx *tx, const Statement *sql, DbValues values),
        (tx, sql, values))
WRAPPED_SQL(db_run_many, db_arena(tx), (DbTx *tx, const Statement *sql, DbSets sets, bool *taken),
        (tx, sql, sets, taken))
WRAPPED_SQL(db_insert, db_arena(tx), (DbTx *tx, const Statement *sql, DbValues values, bool *added),
        (tx, sql, values, added))
WRAPPED_SQL(db_read_one, arena,
        (Db *db, Arena *arena, const Statement *sql, DbValues values, DbRows *rows),
        (db, arena, sql, values, rows))

Err *__real_db_read(Db *db, Arena *arena, DbWork work, void *context);
Err *__wrap_db_read(Db *db, Arena *arena, DbWork work, void *context);
Err *__wrap_db_read(Db *db, Arena *arena, DbWork work, void *context)
{
    wait_for_test(false);
    return is_refused("db_read", NULL) ? refused(arena) : __real_db_read(db, arena, work, context);
}

WRAPPED(json_parse_stored, arena, (Arena *arena, Str text, Json **root), (arena, text, root))
WRAPPED(usage_moment_open, arena,
        (Partition *of, Arena *arena, uint64_t as_of, UsageMoment **moment),
        (of, arena, as_of, moment))
WRAPPED(usage_events, arena,
        (UsageMoment *of, Arena *arena, const UsageEventsQuery *query, UsageEventList *events),
        (of, arena, query, events))
WRAPPED(timeline_fold, arena, (Arena *arena, const TimelineFacts *facts, Timeline *timeline),
        (arena, facts, timeline))
WRAPPED(timeline_facts, arena,
        (Arena *arena, Catalog *catalog, ProjectId project, Str subscription,
         TimelineFacts *facts),
        (arena, catalog, project, subscription, facts))
WRAPPED(timeline_facts_of, arena,
        (Arena *arena, Catalog *catalog, ProjectId project, const SubscriptionHistory *history,
         TimelineFacts *facts),
        (arena, catalog, project, history, facts))
WRAPPED(catalog_account_get, arena,
        (Catalog *catalog, Arena *arena, ProjectId project, Str id, Account **account),
        (catalog, arena, project, id, account))
WRAPPED(catalog_histories, arena,
        (Catalog *catalog, Arena *arena, const CatalogPage *page, SubscriptionHistory **rows,
         size_t *count),
        (catalog, arena, page, rows, count))
WRAPPED(catalog_account_histories, arena,
        (Catalog *catalog, Arena *arena, ProjectId project, Str account,
         AccountHistories *histories),
        (catalog, arena, project, account, histories))
WRAPPED(draw_begin, arena,
        (Arena *arena, CreditGrants grants, DrawLines lines, Drawing *drawing),
        (arena, grants, lines, drawing))
WRAPPED(period_bill, arena,
        (Arena *arena, const PeriodQuery *query, const Period *period, Bill *bill),
        (arena, query, period, bill))
WRAPPED(due_currency, arena, (Arena *arena, const TimelineFacts *facts, Currency *currency),
        (arena, facts, currency))
WRAPPED(due_next, arena,
        (Arena *arena, const TimelineFacts *facts, Instant after, Instant *at, bool *found),
        (arena, facts, after, at, found))

Err *__real_operation_take(Db *db, Arena *arena, const OperationTaker *taker, Operation **taken);
Err *__wrap_operation_take(Db *db, Arena *arena, const OperationTaker *taker, Operation **taken);
Err *__wrap_operation_take(Db *db, Arena *arena, const OperationTaker *taker, Operation **taken)
{
    is_between = true;
    Err *err = __real_operation_take(db, arena, taker, taken);
    is_between = false;
    return err;
}

Err *__real_operation_end(Db *db, Arena *arena, const Operation *taken, const Err *failure);
Err *__wrap_operation_end(Db *db, Arena *arena, const Operation *taken, const Err *failure);
Err *__wrap_operation_end(Db *db, Arena *arena, const Operation *taken, const Err *failure)
{
    is_between = true;
    Err *err = __real_operation_end(db, arena, taken, failure);
    is_between = false;
    return err;
}

// ---- writing: the work goes to another thread, and may be done again from its beginning

typedef struct Carried {
    DbWrite write;
    bool    counted;
    bool    again;
    int64_t left;  // when it began
} Carried;

static Err *carried_work(DbTx *tx, void *context)
{
    Carried *carried = context;
    if (!carried->counted)
        return carried->write.work(tx, carried->write.context);
    if (carried->again)
        atomic_store(&plan->left, carried->left);
    carried->again = true;
    carried->left = atomic_load(&plan->left);
    is_counted_work = true;
    Err *err = carried->write.work(tx, carried->write.context);
    is_counted_work = false;
    return err;
}

static void carried_committed(void *context)
{
    Carried *carried = context;
    if (carried->write.committed != NULL)
        carried->write.committed(carried->write.context);
}

Err *__real_db_write(Db *db, Arena *arena, DbWrite write);
Err *__wrap_db_write(Db *db, Arena *arena, DbWrite write);
Err *__wrap_db_write(Db *db, Arena *arena, DbWrite write)
{
    wait_for_test(true);
    if (is_refused("db_write", NULL))
        return refused(arena);
    Carried carried = { .write = write, .counted = is_counted() };
    bool    is_lost = carried.counted && is_last(&plan->lost);
    TRY(__real_db_write(db, arena, (DbWrite){ carried_work, carried_committed, &carried }));
    return is_lost ? refuse(arena, ERR_OUTCOME_UNKNOWN, STR_NONE, "lost by the test") : NULL;
}
