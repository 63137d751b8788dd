// SPDX-License-Identifier: Apache-2.0
// An answer is found for thirty days, by its project and key; then the next one replaces it.
#include "audit/answered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "books.h"

static const StatementTable *const tables[] = { &answered_table, NULL };

typedef struct Place {
    Arena *arena;
    char   folder[64];
    Str    books;
    Db    *db;
} Place;

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_answered_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    DbOptions options = { .place = place->books, .migrations = db_migrations(), .tables = tables };
    assert_null(db_open(place->arena, &options, &place->db));
    *state = place;
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

typedef struct Deed {
    Answered  answer;
    Answered *found;
    bool      added;
    size_t    limit, removed;
} Deed;

static Err *add_work(DbTx *tx, void *context)
{
    Deed *deed = context;
    return answered_add(tx, &deed->answer, &deed->added);
}

static Err *find_work(DbTx *tx, void *context)
{
    Deed *deed = context;
    return answered_find(tx, &deed->answer, &deed->found);
}

static Err *sweep_work(DbTx *tx, void *context)
{
    Deed *deed = context;
    return answered_sweep(tx, deed->answer.at, deed->limit, &deed->removed);
}

static Deed deed_of(const char *project, const char *key, int64_t day)
{
    return (Deed){ .answer = { .tenant = STR("t"),
                               .project = str_of(project),
                               .key = str_of(key),
                               .request = digest_of(STR("request")),
                               .at = { day * INSTANT_DAY_US },
                               .status = 201,
                               .body = STR("{}") } };
}

static void done(Place *place, DbWork work, Deed *deed)
{
    assert_null(db_write(place->db, place->arena, (DbWrite){ .work = work, .context = deed }));
}

static bool added(Place *place, const char *project, const char *key, int64_t day)
{
    Deed deed = deed_of(project, key, day);
    done(place, add_work, &deed);
    return deed.added;
}

static bool found(Place *place, const char *project, const char *key, int64_t day)
{
    Deed deed = deed_of(project, key, day);
    done(place, find_work, &deed);
    if (deed.found == NULL)
        return false;
    assert_true(digest_equal(&deed.found->request, &deed.answer.request));
    assert_int_equal(deed.found->status, 201);
    assert_true(str_equal(deed.found->body, STR("{}")));
    return true;
}

static void test_an_answer_is_of_a_project_and_a_key(void **state)
{
    Place *place = *state;
    assert_true(added(place, "a", "key", 100));
    assert_false(added(place, "a", "key", 100));
    assert_true(found(place, "a", "key", 100));
    assert_false(found(place, "a", "KEY", 100));
    assert_false(found(place, "b", "key", 100));
    assert_true(added(place, "b", "key", 100));
}

static void test_an_answer_is_kept_for_thirty_days(void **state)
{
    Place *place = *state;
    added(place, "a", "key", 100);
    assert_true(found(place, "a", "key", 100 + ANSWERED_DAYS));
    assert_false(added(place, "a", "key", 100 + ANSWERED_DAYS));
    assert_false(found(place, "a", "key", 101 + ANSWERED_DAYS));
    assert_true(added(place, "a", "key", 101 + ANSWERED_DAYS));
    assert_true(found(place, "a", "key", 101 + ANSWERED_DAYS));
}

static void test_old_answers_are_swept(void **state)
{
    Place *place = *state;
    Deed   deed = deed_of("a", "", 150);
    added(place, "a", "1", 100);
    added(place, "a", "2", 101);
    added(place, "b", "3", 102);
    added(place, "a", "4", 140);
    deed.limit = 2;
    done(place, sweep_work, &deed);
    assert_int_equal(deed.removed, 2);
    done(place, sweep_work, &deed);
    assert_int_equal(deed.removed, 1);
    done(place, sweep_work, &deed);
    assert_int_equal(deed.removed, 0);
    assert_true(found(place, "a", "4", 150));
    assert_true(added(place, "a", "1", 100));
}

#define test_on(function) cmocka_unit_test_setup_teardown(function, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_on(test_an_answer_is_of_a_project_and_a_key),
        test_on(test_an_answer_is_kept_for_thirty_days),
        test_on(test_old_answers_are_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
