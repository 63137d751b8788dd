// SPDX-License-Identifier: Apache-2.0
#include "ledger_place.h"

#include "base/thread.h"

// What somebody with the database in hand could do.
enum {
    FORGE_AMOUNT, FORGE_MEMO, FORGE_REMOVE, FORGE_BALANCE, FORGE_DAY, FORGE_OTHER_DAY,
    FORGE_CUSTOMERS_DAY, FORGE_SUM, FORGERIES
};
static const Statement forgery_sql[FORGERIES] = {
    [FORGE_AMOUNT] = { "update ledger_entry set amount = amount + 1 where project = ?" },
    [FORGE_MEMO] = { "update ledger_transaction set memo = 'other' where project = ?" },
    [FORGE_REMOVE] = { "delete from ledger_transaction where project = ? and position = 2" },
    [FORGE_BALANCE] = { "update ledger_balance set amount = amount + 1 where project = ?" },
    [FORGE_DAY] = { "delete from ledger_day where project = ?" },
    [FORGE_OTHER_DAY] = { "update ledger_day set day = day + 1 where project = ?"
                          " and kind = 'tax'" },
    [FORGE_CUSTOMERS_DAY] = { "delete from ledger_day where project = ? and owner = ''" },
    [FORGE_SUM] = { "update ledger_entry set amount = 7 where project = ? and kind = 'revenue'" },
};
static const StatementTable        forgery_table = { "forgeries", forgery_sql, FORGERIES };
static const StatementTable *const tables[] = { &ledger_table, &forgery_table, NULL };

static int place_open(void **state)
{
    return place_open_with(state, tables);
}

// ---- work

static bool post_invoice(Place *place, const char *source, const char *account, int64_t amount)
{
    LedgerLeg  legs[3];
    bool       posted;
    LedgerPost post = invoice(place, source, account, legs, amount);
    assert_null(post_with(place, place->arena, &post, &posted));
    return posted;
}

static Err *balance_work(DbTx *tx, void *context)
{
    Reading *reading = context;
    return ledger_balance(tx, reading->place->project, &reading->name, &reading->minor);
}

static int64_t balance(Place *place, LedgerKind kind, const char *owner)
{
    Reading reading = { place, { kind, str_of(owner), place->usd }, 0, NULL, 0, { 0 }, NULL };
    assert_null(db_read(place->db, place->arena, balance_work, &reading));
    return reading.minor;
}

// ---- tests

static void test_a_post_moves_balances_once(void **state)
{
    Place *place = *state;
    assert_true(post_invoice(place, "invoice:1", "acct", 100));
    assert_false(post_invoice(place, "invoice:1", "acct", 100));
    assert_true(post_invoice(place, "invoice:2", "acct", 40));
    assert_int_equal(balance(place, LEDGER_RECEIVABLE, "acct"), 142);
    assert_int_equal(balance(place, LEDGER_REVENUE, "pro/api"), -140);
    assert_int_equal(balance(place, LEDGER_TAX, "vat"), -2);
    assert_int_equal(balance(place, LEDGER_RECEIVABLE, "nobody"), 0);
    assert_int_equal(trial(place), 3);
    assert_int_equal(seal(place), 2);
    assert_int_equal(seal(place), 0);
    assert_int_equal(balance(place, LEDGER_REVENUE, "pro/api"), -140);
    assert_true(post_invoice(place, "invoice:3", "acct", 7));
    assert_int_equal(balance(place, LEDGER_REVENUE, "pro/api"), -147);
    assert_int_equal(trial(place), 3);
    assert_int_equal(drifts(place, NULL), 0);
}

static void test_the_same_source_with_other_content_is_refused(void **state)
{
    Place     *place = *state;
    LedgerLeg  legs[3];
    bool       posted;
    assert_true(post_invoice(place, "invoice:1", "acct", 100));
    LedgerPost post = invoice(place, "invoice:1", "acct", legs, 101);
    Err       *err = post_with(place, place->arena, &post, &posted);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    assert_int_equal(balance(place, LEDGER_RECEIVABLE, "acct"), 101);
}

static void test_legs_of_one_account_are_put_together(void **state)
{
    Place           *place = *state;
    const LedgerLeg  legs[] = { { LEDGER_REVENUE, STR_INIT("b"), -5 },
                                { LEDGER_RECEIVABLE, STR_INIT("acct"), 12 },
                                { LEDGER_REVENUE, STR_INIT("a"), -3 },
                                { LEDGER_REVENUE, STR_INIT("b"), -4 },
                                { LEDGER_TAX, STR_INIT("vat"), 2 },
                                { LEDGER_TAX, STR_INIT("vat"), -2 } };
    LedgerPost       post = { .project = place->project,
                              .rule = POSTING_INVOICE,
                              .source = STR("one"),
                              .currency = place->usd,
                              .legs = legs,
                              .count = 6 };
    bool             posted;
    assert_null(post_with(place, place->arena, &post, &posted));
    assert_true(posted);
    assert_int_equal(balance(place, LEDGER_REVENUE, "b"), -9);
    assert_int_equal(trial(place), 3);
    post.source = STR("nothing");
    post.count = 0;
    assert_null(post_with(place, place->arena, &post, &posted));
    assert_false(posted);
    assert_int_equal(drifts(place, NULL), 0);
}

static void test_what_leaves_63_bits_is_refused(void **state)
{
    Place          *place = *state;
    const LedgerLeg twice[] = { { LEDGER_RECEIVABLE, STR_INIT("acct"), INT64_MAX },
                                { LEDGER_RECEIVABLE, STR_INIT("acct"), INT64_MAX },
                                { LEDGER_REVENUE, STR_INIT("a"), -INT64_MAX },
                                { LEDGER_REVENUE, STR_INIT("b"), -INT64_MAX } };
    const LedgerLeg once[] = { { LEDGER_RECEIVABLE, STR_INIT("acct"), INT64_MAX },
                               { LEDGER_REVENUE, STR_INIT("a"), -INT64_MAX } };
    LedgerPost      post = { .project = place->project,
                             .rule = POSTING_INVOICE,
                             .source = STR("twice"),
                             .currency = place->usd,
                             .legs = twice,
                             .count = 4 };
    bool            posted;
    Err            *err = post_with(place, place->arena, &post, &posted);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    post.legs = once;
    post.count = 2;
    assert_null(post_with(place, place->arena, &post, &posted));
    post.source = STR("again");
    assert_non_null(post_with(place, place->arena, &post, &posted));
    assert_int_equal(balance(place, LEDGER_RECEIVABLE, "acct"), INT64_MAX);
    assert_int_equal(drifts(place, NULL), 0);
}

static Err *reverse_work(DbTx *tx, void *context)
{
    Place *place = context;
    bool   posted;
    TRY(ledger_reverse(tx,
                       &(LedgerReversal){ .project = place->project,
                                          .of = STR("invoice:1"),
                                          .source = STR("invoice:1:reversed"),
                                          .effective_at = { 20001 * DAY },
                                          .memo = STR("a mistake") },
                       &posted));
    return ledger_reverse(tx,
                          &(LedgerReversal){ .project = place->project,
                                             .of = STR("invoice:none"),
                                             .source = STR("x") },
                          &posted);
}

static Err *reverse_once_work(DbTx *tx, void *context)
{
    Place *place = context;
    bool   posted;
    return ledger_reverse(tx,
                          &(LedgerReversal){ .project = place->project,
                                             .of = STR("invoice:1"),
                                             .source = STR("invoice:1:reversed"),
                                             .effective_at = { 20001 * DAY },
                                             .memo = STR("a mistake") },
                          &posted);
}

static void test_a_mistake_is_answered_by_its_opposite(void **state)
{
    Place *place = *state;
    assert_true(post_invoice(place, "invoice:1", "acct", 100));
    Err *err = db_write(place->db, place->arena,
                        (DbWrite){ .work = reverse_work, .context = place });
    assert_non_null(err);
    assert_int_equal(err->code, ERR_LEDGER_NOT_FOUND);
    assert_int_equal(balance(place, LEDGER_RECEIVABLE, "acct"), 101);  // all or nothing
    for (int i = 0; i < 2; i++)
        assert_null(db_write(place->db, place->arena,
                             (DbWrite){ .work = reverse_once_work, .context = place }));
    assert_int_equal(balance(place, LEDGER_RECEIVABLE, "acct"), 0);
    assert_int_equal(balance(place, LEDGER_TAX, "vat"), 0);
    assert_int_equal(seal(place), 2);
    assert_int_equal(drifts(place, NULL), 0);
}

static Err *close_work(DbTx *tx, void *context)
{
    bool changed;
    return ledger_month_close(tx, ((Place *)context)->project, STR("2024-10"), true, &changed);
}

static Err *open_work(DbTx *tx, void *context)
{
    bool changed;
    return ledger_month_close(tx, ((Place *)context)->project, STR("2024-10"), false, &changed);
}

static void test_a_closed_month_takes_no_entry(void **state)
{
    Place     *place = *state;
    LedgerLeg  legs[3];
    bool       posted;
    LedgerPost post = invoice(place, "late", "acct", legs, 5);  // day 20000 is 2024-10-04
    for (int i = 0; i < 2; i++)
        assert_null(db_write(place->db, place->arena,
                             (DbWrite){ .work = close_work, .context = place }));
    Err *err = post_with(place, place->arena, &post, &posted);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_LEDGER_MONTH_CLOSED);
    assert_null(
        db_write(place->db, place->arena, (DbWrite){ .work = open_work, .context = place }));
    assert_null(post_with(place, place->arena, &post, &posted));
    assert_true(posted);
}

static Err *statement_work(DbTx *tx, void *context)
{
    Reading             *reading = context;
    LedgerStatementQuery query = { reading->place->project, reading->name, STR_NONE, 2, NULL };
    TRY(ledger_statement(tx, &query, &reading->statement));
    TRY(ledger_transactions(tx,
                            &(LedgerPage){ .project = reading->place->project,
                                           .account = STR("acct"),
                                           .limit = 2 },
                            &reading->transactions, &reading->count));
    return NULL;
}

static Err *statement_rest_work(DbTx *tx, void *context)
{
    Reading             *reading = context;
    LedgerStatementQuery query = { reading->place->project, reading->name,
                                   reading->statement.at[1].transaction, 2, NULL };
    TRY(ledger_statement(tx, &query, &reading->statement));
    return ledger_transactions(tx,
                               &(LedgerPage){ .project = reading->place->project,
                                              .before = reading->transactions[1].id,
                                              .limit = 10 },
                               &reading->transactions, &reading->count);
}

static void test_a_statement_runs_from_opening_to_closing(void **state)
{
    Place  *place = *state;
    Reading reading = { place, { LEDGER_RECEIVABLE, STR("acct"), place->usd }, 0, NULL, 0, { 0 },
                        NULL };
    for (int i = 0; i < 3; i++) {
        char source[32];
        snprintf(source, sizeof source, "invoice:%d", i);
        assert_true(post_invoice(place, source, "acct", 9 + i));
        usleep(2000);  // ids are in the order of milliseconds
    }
    assert_true(post_invoice(place, "other", "other", 1));
    assert_null(db_read(place->db, place->arena, statement_work, &reading));
    assert_true(reading.statement.has_more);
    assert_int_equal(reading.statement.opening, 0);
    assert_int_equal(reading.statement.count, 2);
    assert_int_equal(reading.statement.at[1].balance, 21);
    assert_int_equal(reading.count, 2);
    assert_true(str_equal(reading.transactions[0].source, STR("invoice:2")));
    assert_null(db_read(place->db, place->arena, statement_rest_work, &reading));
    assert_false(reading.statement.has_more);
    assert_int_equal(reading.statement.opening, 21);
    assert_int_equal(reading.statement.closing, 33);
    assert_int_equal(reading.statement.at[0].amount, 12);
    assert_int_equal(reading.count, 1);
}

// ---- forgeries

static const Statement *forgery;

static Err *forge_work(DbTx *tx, void *context)
{
    return db_run(tx, forgery, DB_VALUES(db_text(((Place *)context)->project.id)), NULL);
}

static void test_what_was_tampered_with_is_found(void **state)
{
    static const struct {
        int         what;
        bool        sealed;
        const char *told;
    } cases[] = {
        { FORGE_AMOUNT, true, "was changed after it was sealed" },
        { FORGE_MEMO, true, "was changed after it was sealed" },
        { FORGE_REMOVE, true, "the ledger's chain has no transaction 2" },
        { FORGE_BALANCE, true, "receivable acct USD is kept as" },
        { FORGE_DAY, true, "no balance is kept of revenue" },
        { FORGE_OTHER_DAY, true, "no balance is kept of tax vat USD 20000" },
        { FORGE_OTHER_DAY, true, "tax vat USD 20001 is kept as -3" },
        { FORGE_CUSTOMERS_DAY, true, "no balance is kept of receivable  USD 20000" },
        { FORGE_SUM, false, "does not sum to zero" },
        { FORGE_SUM, false, "the trial balance in USD is not zero" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Place *place = *state;
        // Each in a project of its own.
        place->project.id = str_print(place->arena, "project%zu", i);
        for (int n = 0; n < 3; n++) {
            char source[32];
            snprintf(source, sizeof source, "invoice:%d", n);
            assert_true(post_invoice(place, source, "acct", 9 + n));
        }
        if (cases[i].sealed)
            assert_int_equal(seal(place), 3);
        assert_int_equal(drifts(place, NULL), 0);
        forgery = &forgery_sql[cases[i].what];
        assert_null(
            db_write(place->db, place->arena, (DbWrite){ .work = forge_work, .context = place }));
        assert_true(drifts(place, cases[i].told) > 0);
    }
}

// ---- many at once

enum { WRITERS = 6, POSTS = 60 };

typedef struct Writer {
    Thread thread;
    Place *place;
    int    number;
} Writer;

static void *writer_run(void *argument)
{
    Writer *writer = argument;
    Arena  *arena = arena_open();
    for (int i = 0; i < POSTS; i++) {
        LedgerLeg  legs[3];
        bool       posted;
        Str        source = str_print(arena, "w%d:%d", writer->number, i / 2);  // each twice
        LedgerPost post = invoice(writer->place, "", "hot", legs, 10);
        post.source = source;
        assert_that(post_with(writer->place, arena, &post, &posted) == NULL);
        assert_that(posted == (i % 2 == 0));
    }
    arena_close(arena);
    return NULL;
}

static void test_six_writers_on_one_account_lose_nothing(void **state)
{
    Place *place = *state;
    Writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (Writer){ .place = place, .number = i };
        thread_start(&writers[i].thread, "writer", writer_run, &writers[i]);
    }
    size_t sealed = 0;
    while (sealed < WRITERS * POSTS / 2)
        sealed += seal(place);
    for (int i = 0; i < WRITERS; i++)
        thread_join(&writers[i].thread);
    assert_int_equal(balance(place, LEDGER_RECEIVABLE, "hot"), 11 * WRITERS * POSTS / 2);
    assert_int_equal(balance(place, LEDGER_REVENUE, "pro/api"), -10 * WRITERS * POSTS / 2);
    trial(place);
    assert_int_equal(drifts(place, NULL), 0);
}

// ---- the table

static void test_every_rule_can_balance_and_is_printed(void **state)
{
    Place *place = *state;
    Text   text = text_open(place->arena);
    ledger_rules_print(&text);
    const char *printed = str_terminated(place->arena, text_str(&text));
    for (unsigned rule = 0; rule < POSTING_COUNT; rule++) {
        size_t      kinds = 0;
        PostingRule found;
        const char *name = posting_name((PostingRule)rule);
        for (unsigned kind = 0; kind < LEDGER_KIND_COUNT; kind++)
            kinds += posting_allows((PostingRule)rule, (LedgerKind)kind);
        assert_true(kinds >= 2);
        assert_true(posting_find(str_of(name), &found) && found == (PostingRule)rule);
        assert_non_null(strstr(printed, name));
    }
    for (unsigned kind = 0; kind < LEDGER_KIND_COUNT; kind++) {
        LedgerKind found;
        Str        name = str_of(ledger_kind_name((LedgerKind)kind));
        assert_true(ledger_kind_find(name, &found) && found == (LedgerKind)kind);
    }
    LedgerKind  kind;
    PostingRule rule;
    assert_false(ledger_kind_find(STR("petty"), &kind));
    assert_false(posting_find(STR("theft"), &rule));
    assert_false(posting_allows(POSTING_WRITE_OFF, LEDGER_CASH));
    assert_int_equal(ledger_kind_side(LEDGER_RECEIVABLE), LEDGER_DEBIT);
    assert_int_equal(ledger_kind_side(LEDGER_REVENUE), LEDGER_CREDIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_post_moves_balances_once),
        TEST(test_the_same_source_with_other_content_is_refused),
        TEST(test_legs_of_one_account_are_put_together),
        TEST(test_what_leaves_63_bits_is_refused),
        TEST(test_a_mistake_is_answered_by_its_opposite),
        TEST(test_a_closed_month_takes_no_entry),
        TEST(test_a_statement_runs_from_opening_to_closing),
        TEST(test_what_was_tampered_with_is_found),
        TEST(test_six_writers_on_one_account_lose_nothing),
        TEST(test_every_rule_can_balance_and_is_printed),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
