// SPDX-License-Identifier: Apache-2.0
// The rows of runs on books that refuse, and for whoever has lost its operation: whatever a run
// stores it stores whole or not at all, and its counts are those of its items.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/log.h"
#include "books.h"
#include "catalog/catalog.h"

// Calls until one is refused; 0: none is.
static int calls_left;

static bool is_refused(void)
{
    return calls_left > 0 && --calls_left == 0;
}

static Err *refused(DbTx *tx)
{
    return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE, "refused by the test");
}

#define TESTED(call) (is_refused() ? refused(tx) : (call))

static Err *test_rows(DbTx *tx, const Statement *statement, DbValues values, DbRows *rows)
{
    return TESTED(db_rows(tx, statement, values, rows));
}

static Err *test_find(DbTx *tx, const Statement *statement, DbValues values, DbRow *row)
{
    return TESTED(db_find(tx, statement, values, row));
}

static Err *test_run(DbTx *tx, const Statement *statement, DbValues values, uint64_t *changed)
{
    return TESTED(db_run(tx, statement, values, changed));
}

static Err *test_insert(DbTx *tx, const Statement *statement, DbValues values, bool *added)
{
    return TESTED(db_insert(tx, statement, values, added));
}

static Err *test_later(DbTx *tx, const Statement *statement, DbValues values)
{
    return TESTED(db_later(tx, statement, values));
}

#define db_rows test_rows
#define db_find test_find
#define db_run test_run
#define db_insert test_insert
#define db_later test_later
#include "flow/run/run_store.c"
#undef db_rows
#undef db_find
#undef db_run
#undef db_insert
#undef db_later

typedef struct Place {
    Arena     *arena;
    char       folder[64];
    Str        books;
    Db        *db;
    ProjectId  project;
    BillingRun run;
    Operation *operation;  // of the run; NULL: nobody has taken it
    const StatementTable *tables[32];
} Place;

static Place *here;

static Err *written(Arena *arena, DbWork work)
{
    return db_write(here->db, arena, (DbWrite){ .work = work });
}

static Err *start_work(DbTx *tx, void *context)
{
    RunStart start = { .project = here->project, .who = STR("test"), .kind = RUN_BILLING,
                       .at = { 2 }, .now = { 3 } };
    (void)context;
    return run_start(tx, &start, &here->run);
}

static void project_make(Place *place)
{
    static const Pepper pepper = { { 3 } };
    Project  project = { .id = { .id = STR("p") }, .name = STR("p"), .time_zone = STR("UTC") };
    Catalog *catalog;
    assert_null(catalog_open(place->arena, place->db, &pepper, &catalog));
    assert_null(catalog_tenant_make(catalog, place->arena, STR("t"), &project.id.tenant));
    assert_null(catalog_project_make(catalog, place->arena, &project));
    place->project = project.id;
    catalog_close(catalog);
}

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    *place = (Place){ .arena = arena_open(), .tables = { &run_table, &operation_table } };
    for (size_t i = 0; catalog_tables[i] != NULL; i++)
        place->tables[i + 2] = catalog_tables[i];
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_run_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    DbOptions options = { .place = place->books, .migrations = db_migrations(),
                          .tables = place->tables };
    assert_null(db_open(place->arena, &options, &place->db));
    project_make(place);
    *state = here = place;
    assert_null(written(place->arena, start_work));
    return 0;
}

static int place_close(void **state)
{
    Place *place = *state;
    char   path[128];
    calls_left = 0;
    db_close(place->db);
    snprintf(path, sizeof path, "%s/books.sqlite", place->folder);
    unlink(path);
    rmdir(place->folder);
    books_end(place->arena, place->books);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

// ---- what is in the books

static Err *run_work(DbTx *tx, void *context)
{
    (void)context;
    return run_get(tx, here->project, here->run.id, &here->run);
}

typedef struct Items {
    RunItem *at;
    size_t   count;
} Items;

static Err *items_work(DbTx *tx, void *context)
{
    Items      *items = context;
    RunItemPage page = { .project = here->project, .run = here->run.id, .limit = 100 };
    return run_items(tx, &page, &items->at, &items->count);
}

// "1 alice failed 1; 2 bob finalized 1 inv_bob; 2 items, 1 invoice, 1 failed"
static const char *told(Arena *arena)
{
    Items items;
    Text  text = text_open(arena);
    assert_null(db_read(here->db, arena, items_work, &items));
    assert_null(db_read(here->db, here->arena, run_work, NULL));
    for (size_t i = 0; i < items.count; i++) {
        const RunItem *item = &items.at[i];
        text_print(&text, "%lld %.*s %s %lld%s%.*s; ", (long long)item->number,
                   STR_ARG(item->account), run_item_state_names[item->state],
                   (long long)item->attempt, item->invoice.length > 0 ? " " : "",
                   STR_ARG(item->invoice));
    }
    text_print(&text, "%lld items, %lld invoices, %lld failed, %lld accounts",
               (long long)here->run.items, (long long)here->run.invoices,
               (long long)here->run.failed, (long long)here->run.accounts);
    return str_terminated(arena, text_str(&text));
}

// ---- deeds of who walks

static void take(void)
{
    const Str            kinds[] = { STR("run") };
    const OperationTaker taker = { STR_NONE, kinds, 1 };
    assert_null(operation_take(here->db, here->arena, &taker, &here->operation));
    assert_non_null(here->operation);
    assert_null(db_read(here->db, here->arena, run_work, NULL));
}

static RunWork work_now(void)
{
    return (RunWork){ here->operation, &here->run };
}

static Err *failed_deed(DbTx *tx, void *context)
{
    RunWork work = work_now();
    Err     why = { .code = ERR_AMOUNT_TOO_LARGE, .detail = STR("too large") };
    (void)context;
    return run_item_failed(tx, &work, STR("alice"), &why);
}

static Err *nothing_deed(DbTx *tx, void *context)
{
    RunWork work = work_now();
    (void)context;
    return run_item_nothing_due(tx, &work, STR("alice"));
}

static Err *done_deed(DbTx *tx, void *context)
{
    RunWork work = work_now();
    RunItem item = { .account = STR("alice"), .currency = STR("USD"), .boundary = { 7 } };
    (void)context;
    return run_item_done(tx, &work, &item);
}

// Alice may have failed before, bob has not.
static Err *finalized_deed(DbTx *tx, void *context)
{
    RunWork        work = work_now();
    IssuedInvoice  alice = { .id = STR("inv_alice"), .account = STR("alice"), .boundary = { 5 } };
    IssuedInvoice  bob = { .id = STR("inv_bob"), .account = STR("bob"), .boundary = { 5 } };
    IssuedInvoice *both[] = { &alice, &bob };
    (void)context;
    assert_true(currency_find(STR("USD"), &alice.currency));
    bob.currency = alice.currency;
    return run_items_finalized(tx, &work, both, 2);
}

static Err *step_deed(DbTx *tx, void *context)
{
    RunWork work = work_now();
    RunStep step = { .count = 2, .is_walked = true };
    (void)context;
    return run_step(tx, &work, &step);
}

static Err *retry_deed(DbTx *tx, void *context)
{
    RunRetry   retry = { here->project, STR("test"), here->run.id, { 9 } };
    BillingRun run;
    (void)context;
    return run_retry(tx, &retry, &run);
}

// Refuses each call in turn: nothing is changed. Answers how many there were.
static int each_refused(DbWork deed)
{
    for (int call = 1;; call++) {
        AUTO(Arena) arena = arena_open();
        const char *before = told(arena);
        calls_left = call;
        Err *err = written(arena, deed);
        bool was_refused = calls_left == 0;
        calls_left = 0;
        if (!was_refused) {
            assert_null(err);
            return call - 1;
        }
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_FAILED);
        assert_string_equal(told(arena), before);
    }
}

// ---- tests

static void test_whatever_is_refused_leaves_nothing_behind(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    take();
    assert_true(each_refused(failed_deed) >= 5);
    assert_string_equal(told(arena), "1 alice failed 1; 1 items, 0 invoices, 1 failed, 0 accounts");
    assert_true(each_refused(failed_deed) >= 4);  // once more, over the same item
    assert_string_equal(told(arena), "1 alice failed 1; 1 items, 0 invoices, 1 failed, 0 accounts");
    assert_true(each_refused(finalized_deed) >= 9);
    assert_string_equal(told(arena), "1 alice finalized 1 inv_alice; 2 bob finalized 1 inv_bob; "
                                     "2 items, 2 invoices, 0 failed, 0 accounts");
    assert_true(each_refused(done_deed) >= 4);
    assert_true(each_refused(step_deed) >= 1);
    assert_string_equal(told(arena), "1 alice finalized 1 inv_alice; 2 bob finalized 1 inv_bob; "
                                     "3 alice done 1; 3 items, 2 invoices, 0 failed, 2 accounts");
}

static void test_nothing_is_due_of_who_failed(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    take();
    assert_int_equal(each_refused(nothing_deed), 1);  // has not failed: no item
    assert_string_equal(told(arena), "0 items, 0 invoices, 0 failed, 0 accounts");
    assert_null(written(arena, failed_deed));
    assert_true(each_refused(nothing_deed) >= 5);
    assert_string_equal(told(arena), "1 alice nothingDue 1; 1 items, 0 invoices, 0 failed, "
                                     "0 accounts");
}

static void test_who_lost_the_operation_stores_nothing(void **state)
{
    static const DbWork deeds[] = { failed_deed, nothing_deed, done_deed, finalized_deed,
                                    step_deed };
    AUTO(Arena) arena = arena_open();
    (void)state;
    take();
    assert_null(written(arena, failed_deed));
    const char *before = told(arena);
    here->operation->fence--;  // another took it over
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        Err *err = written(arena, deeds[i]);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_OPERATION_CANCELED);
        assert_string_equal(told(arena), before);
    }
}

static void test_what_runs_is_not_begun_again(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    for (int round = 0; round < 2; round++) {  // queued, then running
        Err *err = written(arena, retry_deed);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_RUN_RUNNING);
        if (round == 0)
            take();
    }
    assert_null(operation_end(here->db, arena, here->operation, NULL));
    assert_true(each_refused(retry_deed) >= 2);
    assert_null(db_read(here->db, here->arena, run_work, NULL));
    assert_int_equal(here->run.attempt, 2);
    assert_int_equal(here->run.status, OPERATION_QUEUED);
}

static Err *slot_work(DbTx *tx, void *context)
{
    RunStart start = { .project = here->project, .who = STR("scheduler"), .kind = RUN_EXPIRY,
                       .at = { 2 }, .now = { 3 }, .slot = *(const int64_t *)context };
    BillingRun run;
    return run_start(tx, &start, &run);
}

typedef struct Last {
    RunKind    kind;
    BillingRun run;
    bool       found;
} Last;

static Err *last_work(DbTx *tx, void *context)
{
    Last *last = context;
    return run_last_scheduled(tx, here->project, last->kind, &last->run, &last->found);
}

static Err *all_work(DbTx *tx, void *context)
{
    size_t    *count = context;
    RunPage     page = { .project = here->project, .limit = 100 };
    BillingRun *runs;
    return run_list(tx, &page, &runs, count);
}

static void test_a_slot_has_one_run(void **state)
{
    AUTO(Arena) arena = arena_open();
    int64_t     slots[] = { 1, 2, 2 };
    Last        expiry = { .kind = RUN_EXPIRY }, billing = { .kind = RUN_BILLING };
    size_t      count;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        DbWrite write = { .work = slot_work, .context = &slots[i] };
        Err    *err = db_write(here->db, arena, write);
        assert_int_equal(err == NULL, i < 2);
        if (err != NULL)
            assert_int_equal(err->code, ERR_STORE_BUSY);
    }
    assert_null(db_read(here->db, arena, all_work, &count));
    assert_int_equal(count, 3);  // and the one that somebody asked for
    assert_null(db_read(here->db, arena, last_work, &expiry));
    assert_true(expiry.found);
    assert_int_equal(expiry.run.slot, 2);
    assert_null(db_read(here->db, arena, last_work, &billing));
    assert_false(billing.found);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, place_open, place_close)

int main(void)
{
    log_threshold(LOG_WARN);
    const struct CMUnitTest tests[] = {
        TEST(test_whatever_is_refused_leaves_nothing_behind),
        TEST(test_nothing_is_due_of_who_failed),
        TEST(test_who_lost_the_operation_stores_nothing),
        TEST(test_what_runs_is_not_begun_again),
        TEST(test_a_slot_has_one_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
