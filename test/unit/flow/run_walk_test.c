// SPDX-License-Identifier: Apache-2.0
// What a run does with what becomes of its accounts: over stand-ins for the catalog, the books and
// what makes invoices, which do as they are told. What is stored is told as a text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "flow/invoice/issue_currencies.h"
#include "flow/run/run_kinds.h"

#define ENDS ERR_COUNT  // nothing is due any more

// What becomes of an account in a currency (STR_NONE: in whichever is first).
typedef struct Fate {
    const char *account, *currency;
    int         invoices;  // so many, one after the other, and then
    ErrCode     code;      // why it fails; ENDS: it does not
} Fate;

typedef struct World {
    Arena         *arena;
    Text           told;
    BillingRun     run;
    const char    *accounts[4], *failed[4];  // of the project or due; that failed before
    size_t         many;                     // of the project besides
    const char    *currencies[4];            // of each account
    bool           no_currencies;            // they cannot be read
    Fate        fates[8];
    Instant        clock;
    Instant        now;         // that was asked with
    int            refuse_at;   // of the calls to the books; 0: none
    int            stop_after;  // calls that make invoices; 0: none
    atomic_bool    stopping;
} World;

static World *world;

static size_t count_of(const char *const *names)
{
    size_t count = 0;
    while (names[count] != NULL)
        count++;
    return count;
}

// ---- stand-ins

static Project test_project(Catalog *catalog, ProjectId id)
{
    (void)catalog;
    return (Project){ .id = id, .has_clock = true, .clock = world->clock };
}

static Err *test_accounts(Catalog *catalog, Arena *arena, const CatalogPage *page, Account **rows,
                          size_t *count)
{
    (void)catalog;
    size_t named = count_of(world->accounts);
    *count = page->after.at == NULL ? named + world->many : 0;
    *rows = arena_array(arena, Account, *count);
    for (size_t i = 0; i < *count; i++)
        (*rows)[i] = (Account){ .id = i < named ? str_of(world->accounts[i])
                                                : str_print(arena, "one of many %zu", i) };
    return NULL;
}

static Err *books_call(Arena *arena, DbWork work, void *context)
{
    if (world->refuse_at > 0 && --world->refuse_at == 0)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "refused by the test");
    return work((DbTx *)world, context);
}

static Err *test_read(Db *db, Arena *arena, DbWork work, void *context)
{
    (void)db;
    return books_call(arena, work, context);
}

static Err *test_write(Db *db, Arena *arena, DbWrite write)
{
    (void)db;
    return books_call(arena, write.work, write.context);
}

static Err *test_run_get(DbTx *tx, ProjectId project, Str id, BillingRun *run)
{
    (void)tx, (void)project, (void)id;
    *run = world->run;
    return NULL;
}

static Err *test_failed(DbTx *tx, const BillingRun *run, size_t limit, Str **accounts,
                        size_t *count)
{
    (void)tx, (void)run, (void)limit;
    *count = count_of(world->failed);
    *accounts = arena_array(world->arena, Str, *count);
    for (size_t i = 0; i < *count; i++)
        (*accounts)[i] = str_of(world->failed[i]);
    world->failed[0] = NULL;  // not at this attempt again
    return NULL;
}

static Err *test_due_list(DbTx *tx, const AccountDuePage *page, AccountDue **dues, size_t *count)
{
    (void)tx, (void)page;
    *count = count_of(world->accounts);
    *dues = arena_array(world->arena, AccountDue, *count);
    for (size_t i = 0; i < *count; i++)
        (*dues)[i] = (AccountDue){ .account = str_of(world->accounts[i]) };
    return NULL;
}

static Err *test_due_set(DbTx *tx, ProjectId project, const AccountDue *due)
{
    (void)tx, (void)project;
    if (world->refuse_at > 0 && --world->refuse_at == 0)
        return refuse(world->arena, ERR_STORE_FAILED, STR_NONE, "refused by the test");
    text_print(&world->told, "%.*s again%s; ", STR_ARG(due->account),
               due->tries > 0 ? " after it failed" : "");
    return NULL;
}

static void test_dues_next(const IssueQuery *query, const BillingRun *run, const RunDues *dues)
{
    (void)query, (void)run;
    for (size_t i = 0; i < dues->count; i++)
        dues->at[i].tries += dues->has_failed[i];
}

static Err *test_step(DbTx *tx, const RunWork *work, const RunStep *step)
{
    (void)tx, (void)work;
    text_print(&world->told, "walked %zu up to %.*s%s", step->count,
               STR_ARG(step->walked.at == NULL ? STR("nobody") : step->walked),
               step->is_walked ? ": all" : "; ");
    world->run.is_walked = step->is_walked;
    world->run.walked = step->walked;
    return NULL;
}

static Err *test_item_failed(DbTx *tx, const RunWork *work, Str account, const Err *why)
{
    (void)tx, (void)work;
    text_print(&world->told, "%.*s failed by %s (%.*s); ", STR_ARG(account), err_name(why->code),
               STR_ARG(why->detail));
    return NULL;
}

static Err *test_nothing_due(DbTx *tx, const RunWork *work, Str account)
{
    (void)tx, (void)work;
    text_print(&world->told, "%.*s has nothing due; ", STR_ARG(account));
    return NULL;
}

static Err *test_finalized(DbTx *tx, const RunWork *work, IssuedInvoice *const *invoices,
                           size_t count)
{
    (void)tx, (void)work;
    for (size_t i = 0; i < count; i++)
        text_print(&world->told, "%.*s has an invoice; ", STR_ARG(invoices[i]->account));
    return NULL;
}

static Err *test_currencies(Arena *arena, const IssueQuery *query, Str account,
                            Currency **currencies, size_t *count)
{
    (void)query, (void)account;
    *count = count_of(world->currencies);
    *currencies = arena_array(arena, Currency, *count);
    for (size_t i = 0; i < *count; i++)
        assert_true(currency_find(str_of(world->currencies[i]), &(*currencies)[i]));
    return !world->no_currencies
               ? NULL
               : refuse(arena, ERR_STORE_FAILED, STR_NONE, "refused by the test");
}

static Fate *fate_of(const IssueClosed *closed)
{
    static Fate none = { .code = ENDS };
    for (Fate *one = world->fates; one->account != NULL; one++)
        if (str_equal(str_of(one->account), closed->account) &&
            (one->currency == NULL) == (closed->currency.at == NULL) &&
            (one->currency == NULL || str_equal(str_of(one->currency), closed->currency)))
            return one;
    return &none;
}

static void test_close(Arena *arena, const IssueQuery *query, const IssueClose *close,
                       IssueClosed *closed, size_t count)
{
    world->now = query->now;
    for (size_t i = 0; i < count; i++) {
        Fate *fate = fate_of(&closed[i]);
        closed[i] = (IssueClosed){ .account = closed[i].account, .currency = closed[i].currency };
        if (fate->invoices > 0) {
            fate->invoices--;
            closed[i].invoice = arena_new(arena, IssuedInvoice);
            *closed[i].invoice = (IssuedInvoice){ .account = closed[i].account };
            assert_null(close->also((DbTx *)world, close->context, &closed[i].invoice, 1));
            closed[i].is_last = fate->invoices == 0 && fate->code == ENDS;
        } else if (fate->code != ENDS) {
            closed[i].why = refuse(arena, fate->code, STR_NONE, "%s", err_name(fate->code));
        }
    }
    if (world->stop_after > 0 && --world->stop_after == 0)
        atomic_store(&world->stopping, true);
}

#define catalog_project_get test_project
#define catalog_accounts test_accounts
#define db_read test_read
#define db_write test_write
#define run_get test_run_get
#define run_accounts_failed test_failed
#define account_due_list test_due_list
#define account_due_set test_due_set
#define run_dues_next test_dues_next
#define run_step test_step
#define run_item_failed test_item_failed
#define run_item_nothing_due test_nothing_due
#define run_items_finalized test_finalized
#define issue_currencies test_currencies
#define issue_close test_close
#include "flow/run/run_walk.c"

// ---- the world

static int world_begin(void **state)
{
    world = memory_take(sizeof *world);
    *world = (World){ .arena = arena_open(), .clock = { 100 } };
    world->told = text_open(world->arena);
    world->run = (BillingRun){ .kind = RUN_BILLING, .at = { 50 } };
    (void)state;
    return 0;
}

static int world_end(void **state)
{
    (void)state;
    arena_close(world->arena);
    memory_release(world);
    return 0;
}

// What it stores, and what it ends with.
static const char *run_told(void)
{
    RunParts      parts = { 0 };
    Operation     operation = { .id = STR("op_1") };
    OperationRun  run = { NULL, &operation, &world->stopping };
    OperationKind kind = run_kind(&parts);
    Err          *err = kind.run(kind.context, world->arena, &run);
    if (err != NULL)
        text_print(&world->told, "ends with %s", err_name(err->code));
    return str_terminated(world->arena, text_str(&world->told));
}

// ---- tests

static void test_nobody(void **state)
{
    (void)state;
    assert_string_equal(run_told(), "walked 0 up to nobody: all");
}

static void test_nobody_is_due(void **state)
{
    (void)state;
    world->run.slot = 1;
    assert_string_equal(run_told(), "walked 0 up to nobody: all");
}

static void test_each_has_what_becomes_of_it(void **state)
{
    (void)state;
    world->run.slot = 1;
    world->accounts[0] = "alice";
    world->accounts[1] = "bob";
    world->accounts[2] = "carol";
    world->fates[0] = (Fate){ "alice", NULL, 2, ENDS };
    world->fates[1] = (Fate){ "bob", NULL, 1, ERR_AMOUNT_TOO_LARGE };
    assert_string_equal(run_told(),
                        "alice has an invoice; bob has an invoice; alice has an invoice; "
                        "bob failed by amount_too_large (amount_too_large); "
                        "alice again; bob again after it failed; carol again; "
                        "walked 3 up to carol: all");
    assert_int_equal(world->now.us, 100);
}

static void test_a_run_knows_what_it_is_asked_for(void **state)
{
    (void)state;
    world->accounts[0] = "alice";
    world->run.at.us = 200;  // the clock is behind
    run_told();
    assert_int_equal(world->now.us, 200);
}

static void test_who_failed_comes_first(void **state)
{
    (void)state;
    world->failed[0] = "bob";
    world->failed[1] = "alice";
    world->accounts[0] = "carol";
    world->fates[0] = (Fate){ "alice", NULL, 1, ENDS };
    assert_string_equal(run_told(), "alice has an invoice; bob has nothing due; "
                                    "walked 1 up to carol: all");
}

static void two_currencies(void)
{
    world->accounts[0] = "alice";
    world->currencies[0] = "EUR";
    world->currencies[1] = "USD";
    world->fates[0] = (Fate){ "alice", NULL, 0, ERR_AMOUNT_TOO_LARGE };
    world->fates[1] = (Fate){ "alice", "EUR", 0, ERR_TAX_RATE_NOT_FOUND };
    world->fates[2] = (Fate){ "alice", "USD", 2, ENDS };
}

static void test_one_currency_stops_no_other(void **state)
{
    (void)state;
    two_currencies();
    assert_string_equal(run_told(),
                        "alice has an invoice; alice has an invoice; "
                        "alice failed by tax_rate_not_found (EUR: tax_rate_not_found); "
                        "walked 1 up to alice: all");
}

static void test_what_each_currency_says(void **state)
{
    (void)state;
    two_currencies();
    world->fates[2].code = ERR_STORE_BUSY;
    assert_string_equal(run_told(),
                        "alice has an invoice; alice has an invoice; "
                        "alice failed by tax_rate_not_found "
                        "(EUR: tax_rate_not_found; USD: store_busy); "
                        "walked 1 up to alice: all");
}

static void test_currencies_that_cannot_be_read(void **state)
{
    (void)state;
    two_currencies();
    world->no_currencies = true;  // the account fails as a whole, by what it failed with
    assert_string_equal(run_told(), "alice failed by amount_too_large (amount_too_large); "
                                    "walked 1 up to alice: all");
}

static void test_no_currency_fails_by_itself(void **state)
{
    (void)state;
    two_currencies();
    world->fates[1].code = ENDS;
    assert_string_equal(run_told(), "alice has an invoice; alice has an invoice; "
                                    "walked 1 up to alice: all");
}

// Nothing more may be stored, or nobody knows what was: the page is done again by whoever goes on.
static void test_what_ends_a_run(void **state)
{
    static const struct {
        ErrCode     code;
        const char *told;
    } ends[] = {
        { ERR_OPERATION_CANCELED, "ends with operation_canceled" },
        { ERR_NOT_READY, "ends with not_ready" },
        { ERR_OUTCOME_UNKNOWN, "ends with outcome_unknown" },
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int where = 0; where < 2; where++) {  // at once, or in a currency
            world_end(state);
            world_begin(state);
            two_currencies();
            world->fates[where].code = ends[i].code;
            assert_string_equal(run_told(), ends[i].told);
        }
}

static void test_a_server_that_stops(void **state)
{
    (void)state;
    two_currencies();
    atomic_store(&world->stopping, true);
    assert_string_equal(run_told(), "ends with not_ready");
}

// None of its accounts is begun, whatever the run does with them.
static void test_a_server_that_stops_with_many_accounts(void **state)
{
    static const RunKind kinds[] = { RUN_BILLING, RUN_ACCRUAL };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        world_end(state);
        world_begin(state);
        world->run.kind = kinds[i];
        world->many = 10 * RUN_TOGETHER;  // more than all threads take
        atomic_store(&world->stopping, true);
        assert_string_equal(run_told(), "ends with not_ready");
    }
}

static void test_the_first_failure_is_told(void **state)
{
    (void)state;
    Walk walk = { .arena = world->arena };
    Err  first = { .code = ERR_STORE_FAILED }, second = { .code = ERR_NOT_READY };
    lock_open(&walk.lock);
    failure_note(&walk, &first);
    failure_note(&walk, &second);
    lock_close(&walk.lock);
    assert_int_equal(walk.failure->code, ERR_STORE_FAILED);
}

static void test_a_server_that_stops_between_currencies(void **state)
{
    (void)state;
    two_currencies();
    world->stop_after = 2;  // the first round, and EUR
    assert_string_equal(run_told(), "ends with not_ready");
}

static void test_books_that_refuse(void **state)
{
    for (int call = 1;; call++) {
        world_end(state);
        world_begin(state);
        world->run.slot = 1;
        world->accounts[0] = "alice";
        world->fates[0] = (Fate){ "alice", NULL, 0, ERR_AMOUNT_TOO_LARGE };
        world->refuse_at = call;
        const char *told = run_told();
        if (strstr(told, "ends with") == NULL) {
            assert_true(call > 5);
            return;
        }
        assert_string_equal(strstr(told, "ends with"), "ends with store_failed");
        assert_int_equal(strstr(told, "alice failed") != NULL, call > 3);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody),
        TEST(test_nobody_is_due),
        TEST(test_each_has_what_becomes_of_it),
        TEST(test_a_run_knows_what_it_is_asked_for),
        TEST(test_who_failed_comes_first),
        TEST(test_one_currency_stops_no_other),
        TEST(test_what_each_currency_says),
        TEST(test_currencies_that_cannot_be_read),
        TEST(test_no_currency_fails_by_itself),
        TEST(test_what_ends_a_run),
        TEST(test_a_server_that_stops),
        TEST(test_a_server_that_stops_with_many_accounts),
        TEST(test_the_first_failure_is_told),
        TEST(test_a_server_that_stops_between_currencies),
        TEST(test_books_that_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
