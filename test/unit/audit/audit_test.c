// SPDX-License-Identifier: Apache-2.0
#include "audit/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "books.h"

static const char MIGRATION[] = "-- migration 0001_audit\n"
                                "create table audit_entry (tenant {{KEY}} not null, project "
                                "{{KEY}} not null, number {{BIGINT}} not null,"
                                " at {{BIGINT}} not null, who {{TEXT}} not null, action {{TEXT}} "
                                "not null, object {{TEXT}} not null,"
                                " reason {{TEXT}}, detail {{TEXT}}, hash {{BLOB}} not null,"
                                " primary key (tenant, project, number)) {{TABLE}};\n";

// What an intruder with the database in hand could do.
enum { CHANGE, REMOVE, RENUMBER, FORGERIES };
static const Statement forgery_sql[FORGERIES] = {
    [CHANGE] = { "update audit_entry set object = 'another' where project = ? and number = ?" },
    [REMOVE] = { "delete from audit_entry where project = ? and number = ?" },
    [RENUMBER] = { "update audit_entry set number = number + 1000 where project = ? and number = "
                   "?" },
};
static const StatementTable        forgery_table = { "forgeries", forgery_sql, FORGERIES };
static const StatementTable *const tables[] = { &audit_table, &forgery_table, NULL };

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
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_audit_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    assert_null(
        db_open(place->arena,
                &(DbOptions){ .place = place->books,
                              .migrations = str_of(MIGRATION),
                              .tables = tables },
                &place->db));
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
    assert_int_equal(rmdir(place->folder), 0);
    books_end(place->arena, place->books);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

typedef struct Deed {
    Str project, object, detail;
} Deed;

static Err *deed_work(DbTx *tx, void *context)
{
    const Deed *deed = context;
    return audit_add(tx, &(AuditEntry){ .tenant = STR("t"),
                                        .project = deed->project,
                                        .at = { 1000 },
                                        .who = STR("key:k"),
                                        .action = STR("meter.put"),
                                        .object = deed->object,
                                        .detail = deed->detail });
}

static void deed(Place *place, Str project, Str object, Str detail)
{
    Deed done = { project, object, detail };
    assert_null(
        db_write(place->db, place->arena, (DbWrite){ .work = deed_work, .context = &done }));
}

typedef struct Verifying {
    Str     project;
    int64_t count;
} Verifying;

static Err *verify_work(DbTx *tx, void *context)
{
    Verifying *verifying = context;
    return audit_verify(tx, STR("t"), verifying->project, &verifying->count);
}

static Err *verify(Place *place, Str project, int64_t *count)
{
    Verifying verifying = { project, -1 };
    Err      *err = db_read(place->db, place->arena, verify_work, &verifying);
    *count = verifying.count;
    return err;
}

typedef struct Forging {
    int     kind;
    int64_t number;
} Forging;

static Err *forge_work(DbTx *tx, void *context)
{
    const Forging *forging = context;
    uint64_t       changed;
    TRY(db_run(tx, &forgery_sql[forging->kind],
               DB_VALUES(db_text(STR("p")), db_whole(forging->number)), &changed));
    assert_int_equal(changed, 1);
    return NULL;
}

static void forge(Place *place, int kind, int64_t number)
{
    Forging forging = { kind, number };
    assert_null(
        db_write(place->db, place->arena, (DbWrite){ .work = forge_work, .context = &forging }));
}

static void fill(Place *place, int count)
{
    for (int i = 0; i < count; i++)
        deed(place, STR("p"), str_print(place->arena, "m%d", i), i % 2 == 0 ? STR("{}") : STR_NONE);
}

static void test_a_chain_holds_and_projects_have_their_own(void **state)
{
    Place  *place = *state;
    int64_t count;
    assert_null(verify(place, STR("p"), &count));
    assert_int_equal(count, 0);
    fill(place, 7);
    deed(place, STR("q"), STR("other"), STR_NONE);
    assert_null(verify(place, STR("p"), &count));
    assert_int_equal(count, 7);
    assert_null(verify(place, STR("q"), &count));
    assert_int_equal(count, 1);
}

static void test_a_changed_entry_is_found(void **state)
{
    Place  *place = *state;
    int64_t count;
    fill(place, 5);
    forge(place, CHANGE, 3);
    Err *err = verify(place, STR("p"), &count);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    assert_true(
        str_equal(err->detail, STR("the audit trail of project p does not hold at entry 3")));
}

static void test_a_removed_entry_is_found(void **state)
{
    Place  *place = *state;
    int64_t count;
    fill(place, 5);
    forge(place, REMOVE, 2);
    assert_non_null(verify(place, STR("p"), &count));
}

static void test_an_entry_moved_to_the_end_is_found(void **state)
{
    Place  *place = *state;
    int64_t count;
    fill(place, 5);
    forge(place, RENUMBER, 2);
    assert_non_null(verify(place, STR("p"), &count));
}

static Err *list_work(DbTx *tx, void *context)
{
    AuditPage   page = { .tenant = STR("t"), .project = STR("p"), .limit = 2 };
    AuditEntry *entries;
    size_t      count;
    (void)context;
    TRY(audit_list(tx, &page, &entries, &count));
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].number, 5);
    assert_true(str_equal(entries[1].object, STR("m3")));
    assert_null(entries[1].detail.at);
    page.before = entries[1].number;
    page.limit = 100;
    TRY(audit_list(tx, &page, &entries, &count));
    assert_int_equal(count, 3);
    assert_int_equal(entries[0].number, 3);
    return NULL;
}

static void test_lists_go_backwards_in_pages(void **state)
{
    Place *place = *state;
    fill(place, 5);
    assert_null(db_read(place->db, place->arena, list_work, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_chain_holds_and_projects_have_their_own),
        TEST(test_a_changed_entry_is_found),
        TEST(test_a_removed_entry_is_found),
        TEST(test_an_entry_moved_to_the_end_is_found),
        TEST(test_lists_go_backwards_in_pages),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
