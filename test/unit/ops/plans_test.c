// SPDX-License-Identifier: Apache-2.0
// Every statement of the books, as SQLite would run it: none walks a table, or all rows of a
// project, but those that are named here with their reason. SQLite plans without statistics, so a
// plan is the same whatever the tables hold.
#include "ops/books.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/driver.h"

// What may be walked, by a part of its statement.
static const char *const allowed[] = {
    // Read once, when the catalog is opened.
    " from project order by tenant, id",
    " from api_key order by tenant, project, id",
    " from meter order by tenant, project, id",
    // In the key's order up to the limit: no more is read than is answered.
    " from audit_entry where tenant = ? and project = ? order by number desc limit 1",
    " from account_made order by tenant, project, id limit ?",
    // Of which a project has few: rates, months, runs.
    " from tax_rate where tenant = ? and project = ? and (id > ? or",
    " from ledger_month where tenant = ? and project = ? order by month",
    " and o.active = 1 order by r.id limit",
    // The trial balance is of all balances.
    " from ledger_day where tenant = ? and project = ? and day < ? group by kind, owner, currency",
    " from ledger_balance where tenant = ? and project = ? group by kind",
};

typedef struct Plans {
    Arena   *arena;
    sqlite3 *handle;
    char     folder[64];
    int      faults;
} Plans;

static int plans_open(void **state)
{
    Plans *plans = memory_take(sizeof *plans);
    Db    *db;
    plans->arena = arena_open();
    snprintf(plans->folder, sizeof plans->folder, "/tmp/toll_plans_test_XXXXXX");
    assert_non_null(mkdtemp(plans->folder));
    Str place = str_print(plans->arena, "%s/books.sqlite", plans->folder);
    assert_null(books_open(plans->arena, place, 1, &db));
    db_close(db);
    assert_int_equal(sqlite3_open(str_terminated(plans->arena, place), &plans->handle), SQLITE_OK);
    *state = plans;
    return 0;
}

static int plans_close(void **state)
{
    Plans *plans = *state;
    sqlite3_close(plans->handle);
    unlink(str_terminated(plans->arena, str_print(plans->arena, "%s/books.sqlite", plans->folder)));
    rmdir(plans->folder);
    arena_close(plans->arena);
    memory_release(plans);
    return 0;
}

static bool is_allowed(const char *sql)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strstr(sql, allowed[i]) != NULL)
            return true;
    return false;
}

// ---- the schema

static int64_t number_of(const Plans *plans, const char *sql, Str first, Str second)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(plans->handle, sql, -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_text(statement, 1, first.at, (int)first.length, SQLITE_STATIC);
    if (second.at != NULL)
        sqlite3_bind_text(statement, 2, second.at, (int)second.length, SQLITE_STATIC);
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return number;
}

static bool is_table(const Plans *plans, Str name)
{
    return number_of(plans, "select count(*) from sqlite_schema where type = 'table' and name = ?",
                     name, STR_NONE) > 0;
}

static int64_t key_width(const Plans *plans, Str table)
{
    return number_of(plans,
                     "select count(*) from pragma_index_list(?) l, pragma_index_info(l.name) i"
                     " where l.origin = 'pk'",
                     table, STR_NONE);
}

static int64_t index_width(const Plans *plans, Str index)
{
    return number_of(plans, "select count(*) from pragma_index_info(?)", index, STR_NONE);
}

// An index of the table goes on with the column behind tenant and project.
static bool has_index(const Plans *plans, Str table, Str column)
{
    return number_of(plans,
                     "select count(*) from pragma_index_list(?) l, pragma_index_info(l.name) i"
                     " where i.seqno = 2 and i.name = ?",
                     table, column) > 0;
}

// ---- one plan

typedef struct Explained {
    const char *sql;
    Str         rows[32];
    size_t      count;
} Explained;

static Explained plan_of(const Plans *plans, const char *sql)
{
    sqlite3_stmt *statement;
    Explained         plan = { .sql = sql };
    char         *text = str_terminated(
        plans->arena, str_print(plans->arena, "explain query plan %.*s",
                                STR_ARG(driver_sql(plans->arena, sql, ""))));
    assert_int_equal(sqlite3_prepare_v2(plans->handle, text, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW && plan.count < 32)
        plan.rows[plan.count++] =
            str_copy(plans->arena, str_of((const char *)sqlite3_column_text(statement, 3)));
    sqlite3_finalize(statement);
    return plan;
}

static Str word_behind(Str row, const char *before)
{
    const char *at = strstr(row.at, before);
    if (at == NULL)
        return STR_NONE;
    at += strlen(before);
    return (Str){ at, strcspn(at, " ") };
}

// A subquery that is made on the way is walked, and is no table.
static bool is_made(const Plans *plans, const Explained *plan, Str name)
{
    char *first = str_terminated(plans->arena, str_print(plans->arena, "CO-ROUTINE %.*s",
                                                         STR_ARG(name)));
    char *second = str_terminated(plans->arena, str_print(plans->arena, "MATERIALIZE %.*s",
                                                          STR_ARG(name)));
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->rows[i].at, first) == 0 || strcmp(plan->rows[i].at, second) == 0)
            return true;
    return false;
}

static bool uses_column(const Explained *plan, Str column)
{
    char term[80];
    for (size_t i = 0; i < plan->count; i++) {
        snprintf(term, sizeof term, " %.*s=?", STR_ARG(column));
        const char *found = strstr(plan->rows[i].at, term);
        snprintf(term, sizeof term, "(%.*s=?", STR_ARG(column));
        if (found != NULL || strstr(plan->rows[i].at, term) != NULL)
            return true;
    }
    return false;
}

// A column that the statement gives a value, and an index has, and the plan does not use.
static bool misses_index(const Plans *plans, const Explained *plan, Str table, Str *column)
{
    const char *where = strstr(plan->sql, " where ");
    while (where != NULL && (where = strstr(where, " = ?")) != NULL) {
        const char *begin = where;
        while (begin[-1] != ' ' && begin[-1] != '.' && begin[-1] != '(')
            begin--;
        *column = (Str){ begin, (size_t)(where - begin) };
        if (*begin != '+' && !uses_column(plan, *column) &&
            has_index(plans, table, *column))
            return true;
        where++;
    }
    return false;
}

static void fault(Plans *plans, const Explained *plan, Str row, const char *why, Str what)
{
    plans->faults++;
    print_message("%s %.*s: %s\n    %.*s\n", why, STR_ARG(what), plan->sql, STR_ARG(row));
}

// The table that a name of the plan means: itself, or what it stands for in "from table name".
static Str table_of(Plans *plans, const Explained *plan, Str name)
{
    char words[80];
    if (is_table(plans, name))
        return name;
    snprintf(words, sizeof words, " %.*s ", STR_ARG(name));
    const char *end = strstr(plan->sql, words);
    if (end == NULL)
        return STR_NONE;
    const char *begin = end;
    while (begin > plan->sql && begin[-1] != ' ')
        begin--;
    Str table = { begin, (size_t)(end - begin) };
    return is_table(plans, table) ? table : STR_NONE;
}

static void search_check(Plans *plans, const Explained *plan, Str row)
{
    Str         name = word_behind(row, "SEARCH "), index = word_behind(row, " INDEX "), column;
    Str         table = table_of(plans, plan, name);
    const char *terms = strstr(row.at, " (");
    if (table.at == NULL || terms == NULL)
        return;
    bool only_project = strcmp(terms, " (tenant=? AND project=?)") == 0 ||
                        strcmp(terms, " (tenant=?)") == 0;
    int64_t width = index.at == NULL ? key_width(plans, table) : index_width(plans, index);
    if (only_project && width > 2)
        fault(plans, plan, row, "walks a project", table);
    else if (misses_index(plans, plan, table, &column))
        fault(plans, plan, row, "does not use the index of", column);
}

static void statement_check(Plans *plans, const char *sql)
{
    if (is_allowed(sql))
        return;
    Explained plan = plan_of(plans, sql);
    for (size_t i = 0; i < plan.count; i++) {
        Str scanned = word_behind(plan.rows[i], "SCAN ");
        if (scanned.at != NULL && scanned.at[0] != '(' && !is_made(plans, &plan, scanned))
            fault(plans, &plan, plan.rows[i], "walks", scanned);
        if (strncmp(plan.rows[i].at, "SEARCH ", 7) == 0)
            search_check(plans, &plan, plan.rows[i]);
    }
}

static void table_check(Plans *plans, const StatementTable *table)
{
    for (size_t i = 0; i < table->count; i++)
        statement_check(plans, table->rows[i].sql);
}

static void test_no_statement_walks_what_it_need_not(void **state)
{
    Plans *plans = *state;
    for (size_t i = 0; catalog_tables[i] != NULL; i++)
        table_check(plans, catalog_tables[i]);
    for (size_t i = 0; i < OTHERS; i++)
        table_check(plans, others[i]);
    assert_int_equal(plans->faults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_statement_walks_what_it_need_not, plans_open,
                                        plans_close),
    };
    return cmocka_run_group_tests_name("plans", tests, NULL, NULL);
}
