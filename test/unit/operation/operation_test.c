// SPDX-License-Identifier: Apache-2.0
// Operations: who may store what, what a cancellation and a stop leave, who goes on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "catalog/catalog.h"
#include "operation/worker.h"

typedef struct Books {
    Arena    *arena;
    char      folder[64];
    Db       *db;
    Catalog  *catalog;
    Principal by;
    int       made;
    const StatementTable *tables[32];
} Books;

static void books_fill(Books *books)
{
    Project project = { .id = { .id = STR("p") }, .name = STR("p"), .time_zone = STR("UTC") };
    Key     key = { .name = STR("test"), .scopes = SCOPES_ALL };
    Str     secret;
    assert_null(catalog_tenant_make(books->catalog, books->arena, STR("t"), &project.id.tenant));
    assert_null(catalog_project_make(books->catalog, books->arena, &project));
    key.project = project.id;
    assert_null(catalog_key_make(books->catalog, books->arena, &key, KEY_TEST, &secret));
    assert_null(catalog_authenticate(books->catalog, books->arena, secret, (Instant){ 1 },
                                     &books->by));
}

static int books_open(void **state)
{
    static const Pepper pepper = { { 3 } };
    Books *books = memory_take(sizeof *books);
    size_t count = 0;
    books->arena = arena_open();
    snprintf(books->folder, sizeof books->folder, "/tmp/toll_operation_test_XXXXXX");
    assert_non_null(mkdtemp(books->folder));
    for (; catalog_tables[count] != NULL; count++)
        books->tables[count] = catalog_tables[count];
    books->tables[count] = &operation_table;
    DbOptions options = { .place = str_print(books->arena, "%s/books", books->folder),
                          .migrations = db_migrations(), .tables = books->tables };
    assert_null(db_open(books->arena, &options, &books->db));
    assert_null(catalog_open(books->arena, books->db, &pepper, &books->catalog));
    books_fill(books);
    *state = books;
    return 0;
}

static int books_close(void **state)
{
    Books *books = *state;
    char   command[96];
    catalog_close(books->catalog);
    db_close(books->db);
    snprintf(command, sizeof command, "rm -rf %s", books->folder);
    assert_int_equal(system(command), 0);
    arena_close(books->arena);
    memory_release(books);
    return 0;
}

static Err *add_work(DbTx *tx, void *operation)
{
    return operation_add(tx, operation);
}

static Str queue(Books *books, const char *kind, int64_t at)
{
    Operation *operation = arena_new(books->arena, Operation);
    *operation = (Operation){ .project = books->by.project.id,
                              .id = str_print(books->arena, "op_%04d", ++books->made),
                              .kind = str_of(kind),
                              .subject = STR("thing"),
                              .result = STR("/v1/things/thing"),
                              .created_at = { at } };
    assert_null(db_write(books->db, books->arena,
                         (DbWrite){ .work = add_work, .context = operation }));
    return operation->id;
}

static Operation *look(Books *books, Str id)
{
    Operation *found;
    assert_null(operation_get(books->db, books->arena, books->by.project.id, id, &found));
    return found;
}

static Operation *take_as(Books *books, Str holder)
{
    const Str            kinds[] = { STR("k"), STR("other") };
    const OperationTaker taker = { holder, kinds, 2 };
    Operation           *taken;
    assert_null(operation_take(books->db, books->arena, &taker, &taken));
    return taken;
}

static Operation *take(Books *books)
{
    return take_as(books, STR_NONE);
}

typedef struct Step {
    const Operation *operation;
    int64_t          done;
} Step;

static Err *step_work(DbTx *tx, void *context)
{
    const Step *step = context;
    return operation_advance(tx, step->operation, step->done, 10);
}

static Err *advance(Books *books, const Operation *operation, int64_t done)
{
    Step step = { operation, done };
    return db_write(books->db, books->arena, (DbWrite){ .work = step_work, .context = &step });
}

static void the_oldest_is_taken_first(void **state)
{
    Books *books = *state;
    Str    second = queue(books, "k", 20), first = queue(books, "k", 10);
    Operation *taken = take(books);
    assert_true(str_equal(taken->id, first));
    assert_int_equal(look(books, first)->status, OPERATION_RUNNING);
    assert_int_equal(look(books, second)->status, OPERATION_QUEUED);
    assert_true(str_equal(take(books)->id, second));
    assert_null(take(books));
}

static void progress_and_ends(void **state)
{
    Books *books = *state;
    Str    id = queue(books, "k", 1), other = queue(books, "k", 2);
    Operation *taken = take(books);
    assert_null(advance(books, taken, 4));
    assert_int_equal(look(books, id)->done, 4);
    assert_int_equal(look(books, id)->total, 10);
    assert_null(operation_end(books->db, books->arena, taken, NULL));
    assert_int_equal(look(books, id)->status, OPERATION_SUCCEEDED);
    assert_true(look(books, id)->has_ended);
    assert_int_equal(advance(books, taken, 5)->code, ERR_OPERATION_CANCELED);
    taken = take(books);
    Err *failure = refuse(books->arena, ERR_AMOUNT_TOO_LARGE, STR_NONE, "too much");
    assert_null(operation_end(books->db, books->arena, taken, failure));
    assert_int_equal(look(books, other)->status, OPERATION_FAILED);
    assert_true(str_equal(look(books, other)->error_code, STR("amount_too_large")));
    assert_true(str_equal(look(books, other)->error_detail, STR("too much")));
}

static Err *cancel(Books *books, Str id)
{
    OperationCancel wanted = { &books->by, id, { 77 } };
    Operation      *canceled;
    TRY(operation_cancel(books->db, books->arena, &wanted, &canceled));
    assert_int_equal(canceled->status, OPERATION_CANCELED);
    assert_int_equal(canceled->ended_at.us, 77);
    return NULL;
}

static void what_is_canceled_stores_nothing(void **state)
{
    Books *books = *state;
    Str    waiting = queue(books, "k", 2), id = queue(books, "k", 1);
    Operation *taken = take(books);
    assert_null(cancel(books, id));
    assert_null(cancel(books, id));
    assert_int_equal(advance(books, taken, 1)->code, ERR_OPERATION_CANCELED);
    assert_null(operation_end(books->db, books->arena, taken, NULL));
    assert_int_equal(look(books, id)->status, OPERATION_CANCELED);
    assert_null(cancel(books, waiting));
    assert_null(take(books));
    assert_int_equal(cancel(books, STR("op_none"))->code, ERR_OPERATION_NOT_FOUND);
    Str done = queue(books, "k", 3);
    assert_null(operation_end(books->db, books->arena, take(books), NULL));
    assert_int_equal(cancel(books, done)->code, ERR_OPERATION_ENDED);
}

static void who_was_taken_over_stores_nothing(void **state)
{
    Books *books = *state;
    Str    id = queue(books, "k", 1);
    Operation *before = take(books);
    assert_null(take(books));  // it has a lease
    assert_null(operation_abandon(books->db, books->arena, STR_NONE));
    Operation *after = take(books);
    assert_true(str_equal(after->id, id));
    assert_int_equal(after->started_at.us, before->started_at.us);
    assert_int_equal(advance(books, before, 1)->code, ERR_OPERATION_CANCELED);
    assert_null(operation_end(books->db, books->arena, before, NULL));
    assert_int_equal(look(books, id)->status, OPERATION_RUNNING);
    assert_null(advance(books, after, 2));
    assert_int_equal(look(books, id)->done, 2);
}

static void what_a_holder_left_is_free_again(void **state)
{
    Books *books = *state;
    Str    first = queue(books, "k", 1), second = queue(books, "other", 2);
    queue(books, "not mine", 0);
    assert_true(str_equal(take_as(books, STR("one"))->id, first));
    assert_true(str_equal(take_as(books, STR("two"))->id, second));
    assert_null(take_as(books, STR("one")));
    assert_null(operation_abandon(books->db, books->arena, STR("two")));
    assert_true(str_equal(take_as(books, STR("one"))->id, second));
    assert_null(take_as(books, STR("one")));
}

static void lists_go_newest_first(void **state)
{
    Books *books = *state;
    Str    ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = queue(books, "k", i);
    OperationPage page = { .project = books->by.project.id, .limit = 3 };
    Operation    *found;
    size_t        count;
    assert_null(operation_list(books->db, books->arena, &page, &found, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_true(str_equal(found[i].id, ids[4 - i]));
    page.before = found[2].id;
    assert_null(operation_list(books->db, books->arena, &page, &found, &count));
    assert_int_equal(count, 2);
    page.project.id = STR("another");
    assert_null(operation_list(books->db, books->arena, &page, &found, &count));
    assert_int_equal(count, 0);
}

// ---- the worker

typedef struct Doing {
    atomic_int  runs;
    atomic_bool waits;  // until it is told to stop
} Doing;

static Err *do_it(void *context, Arena *arena, const OperationRun *run)
{
    Doing *doing = context;
    atomic_fetch_add(&doing->runs, 1);
    while (atomic_load(&doing->waits)) {
        if (atomic_load(run->stopping))
            return refuse(arena, ERR_NOT_READY, STR_NONE, "stopping");
        usleep(1000);
    }
    return NULL;
}

static Err *break_it(void *context, Arena *arena, const OperationRun *run)
{
    (void)context;
    (void)run;
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "broken");
}

static void wait_for(Books *books, Str id, OperationStatus status)
{
    for (int i = 0; i < 20000 && look(books, id)->status != status; i++)
        usleep(1000);
    assert_int_equal(look(books, id)->status, status);
}

static void a_worker_goes_on_where_another_stopped(void **state)
{
    Books         *books = *state;
    Doing          doing = { .waits = true };
    Worker        *worker;
    OperationKind  kinds[] = { { "good", do_it, &doing }, { "bad", break_it, NULL } };
    WorkerOptions  options = { .db = books->db, .kinds = kinds, .kind_count = 2 };
    Str id = queue(books, "good", 1), bad = queue(books, "bad", 2), odd = queue(books, "odd", 3);
    assert_null(worker_open(books->arena, &options, &worker));
    wait_for(books, id, OPERATION_RUNNING);
    worker_close(worker);
    assert_int_equal(look(books, id)->status, OPERATION_RUNNING);
    assert_int_equal(look(books, bad)->status, OPERATION_QUEUED);
    doing.waits = false;
    assert_null(worker_open(books->arena, &options, &worker));
    wait_for(books, bad, OPERATION_FAILED);
    Str later = queue(books, "good", 4);
    worker_wake(worker);
    wait_for(books, later, OPERATION_SUCCEEDED);
    worker_close(worker);
    assert_int_equal(look(books, id)->status, OPERATION_SUCCEEDED);
    assert_int_equal(look(books, odd)->status, OPERATION_QUEUED);  // for another server
    assert_int_equal(doing.runs, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, books_open, books_close)
    log_threshold(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_is_taken_first),
        TEST(progress_and_ends),
        TEST(what_is_canceled_stores_nothing),
        TEST(who_was_taken_over_stores_nothing),
        TEST(what_a_holder_left_is_free_again),
        TEST(lists_go_newest_first),
        TEST(a_worker_goes_on_where_another_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
