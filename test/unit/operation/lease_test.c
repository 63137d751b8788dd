// SPDX-License-Identifier: Apache-2.0
// Leases: who has one, who gets it next, and who is told that it is gone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "books.h"
#include "operation/lease.h"

static const StatementTable *const tables[] = { &lease_table, NULL };

typedef struct Books {
    Arena *arena;
    char   folder[64];
    Str    place;
    Db    *db;
} Books;

static int books_open(void **state)
{
    Books *books = memory_take(sizeof *books);
    books->arena = arena_open();
    snprintf(books->folder, sizeof books->folder, "/tmp/toll_lease_test_XXXXXX");
    assert_non_null(mkdtemp(books->folder));
    books->place = books_make(books->arena, books->folder);
    DbOptions options = { .place = books->place, .migrations = db_migrations(), .tables = tables };
    assert_null(db_open(books->arena, &options, &books->db));
    *state = books;
    return 0;
}

static int books_close(void **state)
{
    Books *books = *state;
    char   command[96];
    db_close(books->db);
    books_end(books->arena, books->place);
    snprintf(command, sizeof command, "rm -rf %s", books->folder);
    assert_int_equal(system(command), 0);
    arena_close(books->arena);
    memory_release(books);
    return 0;
}

static Lease wanted_by(const char *holder)
{
    return (Lease){ .name = STR("usage"), .holder = str_of(holder), .address = STR("http://a"),
                    .note = STR("n") };
}

static void one_has_it(void **state)
{
    Books *books = *state;
    Lease  first = wanted_by("first"), second = wanted_by("second"), *other, *stored;
    bool   kept;
    assert_null(lease_find(books->db, books->arena, STR("usage"), &stored));
    assert_null(stored);
    assert_null(lease_take(books->db, books->arena, &first, &other));
    assert_null(other);
    assert_int_equal(first.fence, 1);
    assert_true(first.until.us > clock_now_us());
    assert_null(lease_take(books->db, books->arena, &second, &other));
    assert_true(str_equal(other->holder, STR("first")));
    assert_null(lease_keep(books->db, books->arena, &first, &kept));
    assert_true(kept);
    assert_null(lease_find(books->db, books->arena, STR("usage"), &stored));
    assert_true(str_equal(stored->holder, STR("first")) &&
                str_equal(stored->address, STR("http://a")) && str_equal(stored->note, STR("n")));
    assert_int_equal(stored->fence, 1);
    assert_int_equal(stored->until.us, first.until.us);
}

static void the_same_holder_takes_it_again(void **state)
{
    Books *books = *state;
    Lease  before = wanted_by("first"), after = wanted_by("first"), *other;
    bool   kept;
    assert_null(lease_take(books->db, books->arena, &before, &other));
    assert_null(lease_take(books->db, books->arena, &after, &other));
    assert_null(other);
    assert_int_equal(after.fence, 2);
    assert_null(lease_keep(books->db, books->arena, &before, &kept));
    assert_false(kept);
    assert_null(lease_give_up(books->db, books->arena, &before));  // it has none to give
    assert_null(lease_keep(books->db, books->arena, &after, &kept));
    assert_true(kept);
}

typedef struct Check {
    const Lease *lease;
    bool         is_mine;
} Check;

static Err *check_work(DbTx *tx, void *context)
{
    Check *check = context;
    return lease_check(tx, check->lease, &check->is_mine);
}

static bool is_mine(Books *books, const Lease *lease)
{
    Check check = { lease, false };
    assert_null(db_write(books->db, books->arena, (DbWrite){ .work = check_work,
                                                             .context = &check }));
    return check.is_mine;
}

static void a_transaction_sees_whose_it_is(void **state)
{
    Books *books = *state;
    Lease  before = wanted_by("first"), after = wanted_by("first"), *other;
    before.fence = 1;
    assert_false(is_mine(books, &before));  // nobody has it
    assert_null(lease_take(books->db, books->arena, &before, &other));
    assert_true(is_mine(books, &before));
    assert_null(lease_take(books->db, books->arena, &after, &other));
    assert_false(is_mine(books, &before));
    assert_true(is_mine(books, &after));
}

// What db_guard is for: nothing is written any more once it refuses.
static Err *guard(DbTx *tx, void *context)
{
    bool mine;
    TRY(lease_check(tx, context, &mine));
    return mine ? NULL : refuse(db_arena(tx), ERR_NOT_READY, STR_NONE, "it was replaced");
}

static void who_was_replaced_writes_nothing(void **state)
{
    Books *books = *state;
    Lease  mine = wanted_by("first"), more = wanted_by("more"), *other, *stored;
    more.name = STR("other");
    assert_null(lease_take(books->db, books->arena, &mine, &other));
    db_guard(books->db, guard, &mine);
    assert_null(lease_take(books->db, books->arena, &more, &other));
    mine.fence = 7;  // as if somebody else had it
    assert_int_equal(lease_give_up(books->db, books->arena, &more)->code, ERR_NOT_READY);
    assert_null(lease_find(books->db, books->arena, STR("other"), &stored));
    assert_true(stored->until.us > 0);
    db_guard(books->db, NULL, NULL);
    assert_null(lease_give_up(books->db, books->arena, &more));
}

static void what_was_given_up_is_free(void **state)
{
    Books *books = *state;
    Lease  first = wanted_by("first"), second = wanted_by("second"), *other;
    bool   kept;
    assert_null(lease_take(books->db, books->arena, &first, &other));
    assert_null(lease_give_up(books->db, books->arena, &first));
    assert_null(lease_take(books->db, books->arena, &second, &other));
    assert_null(other);
    assert_int_equal(second.fence, 2);
    assert_null(lease_keep(books->db, books->arena, &first, &kept));
    assert_false(kept);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, books_open, books_close)
    log_threshold(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(one_has_it),
        TEST(the_same_holder_takes_it_again),
        TEST(what_was_given_up_is_free),
        TEST(a_transaction_sees_whose_it_is),
        TEST(who_was_replaced_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
