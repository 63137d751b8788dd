// SPDX-License-Identifier: Apache-2.0
// Rows of invoices: who read another version changes nothing; lines that are read together are in
// the order in which they are read alone; however many posts wait, each is posted once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "books.h"
#include "flow/invoice/issue_store.c"

static const StatementTable *const tables[] = { &issue_table, &ledger_table, NULL };

typedef struct Place {
    Arena    *arena;
    char      folder[64];
    Str       books;
    Db       *db;
    ProjectId project;
    Currency  usd;
} Place;

static Place *here;

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_issue_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    DbOptions options = { .place = place->books, .migrations = db_migrations(), .tables = tables };
    assert_null(db_open(place->arena, &options, &place->db));
    place->project = (ProjectId){ STR("tenant"), STR("project") };
    assert_true(currency_find(STR("USD"), &place->usd));
    *state = here = place;
    return 0;
}

static int place_close(void **state)
{
    Place *place = *state;
    char   path[128];
    db_close(place->db);
    snprintf(path, sizeof path, "%s/books.sqlite", place->folder);
    unlink(path);
    rmdir(place->folder);
    books_end(place->arena, place->books);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

static Err *written(DbWork work, void *context)
{
    return db_write(here->db, here->arena, (DbWrite){ .work = work, .context = context });
}

// ---- versions

static Err *add_work(DbTx *tx, void *context)
{
    return issue_row_add(tx, here->project, STR("inv_1"), context);
}

static Err *set_work(DbTx *tx, void *context)
{
    return issue_row_set(tx, here->project, STR("inv_1"), context);
}

static Err *find_work(DbTx *tx, void *context)
{
    return issue_row_find(tx, here->project, STR("inv_1"), context);
}

static void test_a_row_of_another_version_stays(void **state)
{
    (void)state;
    IssuedInvoice  row = { .id = STR("inv_1"), .account = STR("acme"), .currency = here->usd,
                           .head = STR("{}"), .total = 1000, .version = 1 };
    IssuedInvoice *stored;
    assert_null(written(add_work, &row));
    row.paid = 400;
    assert_null(written(set_work, &row));
    assert_int_equal(row.version, 2);
    IssuedInvoice slower = row;  // as somebody read it before
    slower.version = 1;
    slower.paid = 900;
    Err *err = written(set_work, &slower);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_BUSY);
    assert_null(written(find_work, &stored));
    assert_int_equal(stored->paid, 400);
    assert_int_equal(stored->version, 2);
}

// ---- lines

static void test_lines_are_by_boundary_and_else_as_they_were(void **state)
{
    (void)state;
    IssueLineRow    rows[] = { { .number = 1, .boundary = { 30 } },
                               { .number = 2, .boundary = { 20 } },
                               { .number = 3, .boundary = { 30 } },
                               { .number = 4, .boundary = { 10 } },
                               { .number = 5, .boundary = { 20 } } };
    const int64_t   sorted[] = { 4, 2, 5, 1, 3 };
    IssueKnownLines lines = { .at = rows, .count = 5 };
    lines_sort(&lines);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(rows[i].number, sorted[i]);
}

// ---- posts

enum { POSTS = 150 };

static Err *posts_work(DbTx *tx, void *context)
{
    IssueBatch batch = { .project = here->project };
    IssueFacts facts = { .batch = &batch };
    (void)context;
    for (int64_t i = 0; i < POSTS; i++) {
        LedgerLeg *legs = arena_array(db_arena(tx), LedgerLeg, 2);
        legs[0] = (LedgerLeg){ LEDGER_RECEIVABLE, STR("acme"), i + 1 };
        legs[1] = (LedgerLeg){ LEDGER_REVENUE, STR("plan/fee"), -i - 1 };
        LedgerPost post = { .project = here->project,
                            .rule = POSTING_INVOICE,
                            .source = str_print(db_arena(tx), "invoice:%lld", (long long)i),
                            .currency = here->usd,
                            .legs = legs,
                            .count = 2 };
        TRY(issue_post_put(tx, &facts, &post));
    }
    return issue_batch_post(tx, &facts);
}

static Err *posted_work(DbTx *tx, void *context)
{
    LedgerPage page = { .project = here->project, .limit = POSTS + 1 };
    size_t     count;
    TRY(ledger_transactions(tx, &page, context, &count));
    assert_int_equal(count, POSTS);
    return NULL;
}

static void test_posts_of_a_batch_are_each_posted_once(void **state)
{
    (void)state;
    LedgerTransaction *posted;
    assert_null(written(posts_work, NULL));
    assert_null(db_read(here->db, here->arena, posted_work, &posted));
    bool seen[POSTS] = { false };
    for (size_t i = 0; i < POSTS; i++) {
        int64_t number = llabs(posted[i].legs[0].amount) - 1;
        assert_true(number >= 0 && number < POSTS && !seen[number]);
        assert_true(str_equal(posted[i].source,
                              str_print(here->arena, "invoice:%lld", (long long)number)));
        seen[number] = true;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_row_of_another_version_stays, place_open,
                                        place_close),
        cmocka_unit_test(test_lines_are_by_boundary_and_else_as_they_were),
        cmocka_unit_test_setup_teardown(test_posts_of_a_batch_are_each_posted_once, place_open,
                                        place_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
