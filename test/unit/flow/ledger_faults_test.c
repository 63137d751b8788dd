// SPDX-License-Identifier: Apache-2.0
// The ledger on books that refuse: whichever statement fails, the refusal is handed on, nothing is
// left behind, and the same again succeeds. And on books that were damaged.
#include "flow/bad_books.h"

// Refuses each call in turn. Answers how many there were.
static int each_refused(Err *(*deed)(Arena *arena))
{
    for (int call = 1;; call++) {
        AUTO(Arena) arena = arena_open();
        calls_left = call;
        Err *err = deed(arena);
        bool was_refused = calls_left == 0;
        calls_left = 0;
        assert_whole();
        if (!was_refused) {
            assert_null(err);
            return call - 1;
        }
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_FAILED);
    }
}

static void test_whatever_is_refused_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_true(each_refused(post_many_do) >= 4);
        here->number += MANY;
        assert_true(each_refused(post_again_do) >= 8);
        here->number += 2;
        assert_true(each_refused(reverse_do) >= 6);
        assert_true(each_refused(month_do) >= 2);
        assert_true(each_refused(read_do) >= 20);
        assert_true(each_refused(verify_do) >= 5);
        assert_true(each_refused(seal_do) >= 7);
        assert_true(each_refused(read_do) >= 20);
        assert_true(each_refused(verify_do) >= 5);
    }
}

// ---- two sealers

static void other_seals(void)
{
    AUTO(Arena) arena = arena_open();
    before_write = NULL;
    assert_null(seal_do(arena));
}

static void test_a_chain_that_moved_is_left_alone(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        AUTO(Arena) arena = arena_open();
        assert_null(post_many_do(arena));
        here->number += MANY;
        before_write = other_seals;
        Err *err = seal_do(arena);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_STORE_BUSY);
        assert_whole();
    }
}

// ---- more than a page

static void test_a_proof_has_many_pages(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    customers = 4 * PAGE;
    for (int sealed = 0; sealed < 2; sealed++) {
        for (; here->number < (sealed + 1) * (PAGE + 2 * MANY); here->number += MANY)
            assert_null(post_many_do(arena));
        assert_whole();
        assert_null(seal_do(arena));
        assert_whole();
    }
}

static void test_a_proof_has_many_pages_of_days(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    for (; here->day < 20000 + PAGE / 2; here->day++, here->number += MANY)
        assert_null(post_many_do(arena));  // three accounts a day
    assert_null(seal_do(arena));
    assert_whole();
}

static void others_seal_at_the_second(void)
{
    static int reads;
    if (++reads < 2)
        return;
    AUTO(Arena) arena = arena_open();
    before_read = NULL;
    assert_null(seal_do(arena));
}

static void test_what_is_sealed_during_a_proof_is_proved(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    for (; here->number < PAGE + MANY; here->number += MANY)
        assert_null(post_many_do(arena));
    before_read = others_seal_at_the_second;
    assert_whole();
    assert_null(before_read);
}

// ---- damage

static int harm;

static Err *harm_work(DbTx *tx, void *context)
{
    (void)context;
    return db_run(tx, &harms[harm], DB_VALUES(db_text(here->project.id)), NULL);
}

static Err *one_deed(DbTx *tx, void *context)
{
    LedgerTransaction *one;
    (void)context;
    return ledger_transaction_find(tx, here->project, STR("invoice:0"), &one);
}

static Err *one_do(Arena *arena)
{
    return db_read(here->db, arena, one_deed, NULL);
}

static Err *statement_deed(DbTx *tx, void *context)
{
    LedgerStatement statement;
    LedgerName      tax = { LEDGER_TAX, STR("vat"), here->usd };
    (void)context;
    return ledger_statement(tx, &(LedgerStatementQuery){ here->project, tax, STR_NONE, 9, NULL },
                            &statement);
}

static Err *statement_do(Arena *arena)
{
    return db_read(here->db, arena, statement_deed, NULL);
}

static Err *trial_deed(DbTx *tx, void *context)
{
    LedgerSum *sums;
    size_t     count;
    (void)context;
    return ledger_trial_balance(tx, here->project, &sums, &count);
}

static Err *trial_do(Arena *arena)
{
    return db_read(here->db, arena, trial_deed, NULL);
}

static Err *accounts_deed(DbTx *tx, void *context)
{
    LedgerSum *sums;
    size_t     count;
    (void)context;
    return ledger_accounts(tx, &(LedgerAccountsPage){ .project = here->project, .limit = 100 },
                           &sums, &count);
}

static Err *accounts_do(Arena *arena)
{
    return db_read(here->db, arena, accounts_deed, NULL);
}

static Err *trial_until_deed(DbTx *tx, void *context)
{
    LedgerSum *sums;
    size_t     count;
    (void)context;
    return ledger_trial_balance_until(tx, here->project, INSTANT_END, &sums, &count);
}

static Err *trial_until_do(Arena *arena)
{
    return db_read(here->db, arena, trial_until_deed, NULL);
}

static Err *accounts_until_deed(DbTx *tx, void *context)
{
    LedgerSum *sums;
    size_t     count;
    (void)context;
    return ledger_accounts(
        tx, &(LedgerAccountsPage){ .project = here->project, .limit = 9, .until = &INSTANT_END },
        &sums, &count);
}

static Err *accounts_until_do(Arena *arena)
{
    return db_read(here->db, arena, accounts_until_deed, NULL);
}

static void test_damage_is_refused_or_told(void **state)
{
    static const struct {
        int   harm;
        bool  is_sealed;
        Err *(*deed)(Arena *arena);
        const char *words;  // of the refusal, or of a drift
    } cases[] = {
        { HARM_RULE, true, read_do, "has a rule theft" },
        { HARM_RULE, true, statement_do, "has a rule theft" },
        { HARM_RULE, true, verify_do, "cannot be read" },
        { HARM_CURRENCY, true, read_do, "a currency XXL" },
        { HARM_CURRENCY, false, verify_do, "a currency XXL" },
        { HARM_ENTRY_KIND, true, read_do, "of kind petty" },
        { HARM_ENTRY_KIND, false, seal_do, "of kind petty" },
        { HARM_ENTRY_KIND, false, verify_do, "of kind petty" },
        { HARM_ENTRY_KIND, false, trial_do, "of kind petty" },
        { HARM_ENTRY_CURRENCY, false, accounts_do, "a currency XXL" },
        { HARM_ENTRY_CURRENCY, false, trial_do, "a currency XXL" },
        { HARM_ENTRY_CURRENCY, false, trial_until_do, "a currency XXL" },
        { HARM_DAY, true, accounts_until_do, "a currency XXL" },
        { HARM_INSTANT, true, verify_do, "does not count when it does" },
        { HARM_INSTANT, false, verify_do, "does not count when it does" },
        { HARM_BALANCE_KIND, true, verify_do, "a balance is kept of petty, which has none" },
        { HARM_BALANCE_KIND, true, trial_do, "of kind petty" },
        { HARM_SHARED_BALANCE, true, verify_do, "a balance is kept of cash, which has none" },
        { HARM_BALANCE_GONE, true, verify_do, "no balance is kept of receivable" },
        { HARM_BALANCE_CURRENCY, true, accounts_do, "a currency XXL" },
        { HARM_RULE, true, one_do, "has a rule theft" },
        { HARM_ENTRY_KIND, true, verify_do, "cannot be read" },
        { HARM_DAY, true, verify_do, "no balance is kept of revenue" },
        { HARM_DAY, true, trial_do, "a currency XXL" },
        { HARM_LEGS, true, verify_do, "was changed after it was sealed" },
    };
    Place *place = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(Arena) arena = arena_open();
        place->project.id = str_print(place->arena, "project%zu", i);
        place->number = 0;
        assert_null(post_many_do(arena));
        if (cases[i].is_sealed)
            assert_null(seal_do(arena));
        assert_whole();
        harm = cases[i].harm;
        assert_null(written(arena, harm_work));
        told[0] = 0;
        Err *err = cases[i].deed(arena);
        if (err != NULL)
            snprintf(told, sizeof told, "%.*s", STR_ARG(err->detail));
        if (strstr(told, cases[i].words) == NULL)
            fail_msg("%zu: \"%s\" is not in: %s", i, cases[i].words, told);
    }
}

// Whatever the chain's last hash became, the next is not the one that was meant.
static void test_a_chain_whose_end_was_changed_is_found(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    assert_null(post_many_do(arena));
    assert_null(seal_do(arena));
    harm = HARM_HASH;
    assert_null(written(arena, harm_work));
    here->number += MANY;
    assert_null(post_many_do(arena));
    assert_null(seal_do(arena));
    assert_null(verify_do(arena));
    assert_non_null(strstr(told, "was changed after it was sealed"));
}

// ---- sums

static LedgerPost large(const char *source, LedgerLeg legs[2], const char *account, int64_t day)
{
    legs[0] = (LedgerLeg){ LEDGER_RECEIVABLE, str_of(account), INT64_MAX };
    legs[1] = (LedgerLeg){ LEDGER_REVENUE, STR("all"), -INT64_MAX };
    return (LedgerPost){ .project = here->project,
                         .rule = POSTING_INVOICE,
                         .source = str_of(source),
                         .currency = here->usd,
                         .at = { day * DAY },
                         .effective_at = { day * DAY },
                         .legs = legs,
                         .count = 2 };
}

typedef struct Large {
    const char *source, *account;
    int64_t     day;
} Large;

static Err *large_work(DbTx *tx, void *context)
{
    const Large *wanted = context;
    LedgerLeg    legs[2];
    LedgerPost   post = large(wanted->source, legs, wanted->account, wanted->day);
    bool         posted;
    return ledger_post(tx, &post, &posted);
}

static void large_post(Large wanted)
{
    AUTO(Arena) arena = arena_open();
    assert_null(
        db_write(here->db, arena, (DbWrite){ .work = large_work, .context = &wanted }));
}

static Err *shared_balance_deed(DbTx *tx, void *context)
{
    LedgerName name = { LEDGER_REVENUE, STR("all"), here->usd };
    (void)context;
    return ledger_balance(tx, here->project, &name, &(int64_t){ 0 });
}

static Err *all_statement_deed(DbTx *tx, void *context)
{
    LedgerStatement statement;
    LedgerName      name = { LEDGER_REVENUE, STR("all"), here->usd };
    (void)context;
    return ledger_statement(tx, &(LedgerStatementQuery){ here->project, name, STR_NONE, 9, NULL },
                            &statement);
}

static Err *all_span_deed(DbTx *tx, void *context)
{
    LedgerStatement statement;
    LedgerName      name = { LEDGER_REVENUE, STR("all"), here->usd };
    LedgerSpan      span = { { 20001 * DAY + 1 }, { 20002 * DAY } };
    (void)context;
    return ledger_statement(tx, &(LedgerStatementQuery){ here->project, name, STR_NONE, 9, &span },
                            &statement);
}

static void assert_too_large(DbWork work)
{
    AUTO(Arena) arena = arena_open();
    Err *err = db_read(here->db, arena, work, NULL);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

static void test_sums_beyond_63_bits_are_refused(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    large_post((Large){ "one", "a", 20000 });
    assert_null(seal_do(arena));
    large_post((Large){ "two", "b", 20000 });
    assert_too_large(shared_balance_deed);
    assert_too_large(all_statement_deed);
    assert_too_large(accounts_deed);
    large_post((Large){ "three", "c", 20000 });
    Err *err = seal_do(arena);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

// A whole day before the span, and a part of the one in which it begins.
static void test_what_a_span_opens_with_beyond_63_bits_is_refused(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    large_post((Large){ "one", "a", 20000 });
    assert_null(seal_do(arena));
    large_post((Large){ "two", "b", 20001 });
    assert_too_large(all_span_deed);
}

static Err *least_work(DbTx *tx, void *context)
{
    const LedgerLeg legs[] = { { LEDGER_RECEIVABLE, STR_INIT("a"), INT64_MAX },
                               { LEDGER_TAX, STR_INIT("vat"), 1 },
                               { LEDGER_REVENUE, STR_INIT("all"), INT64_MIN } };
    LedgerPost      post = { .project = here->project,
                             .rule = POSTING_INVOICE,
                             .source = STR("least"),
                             .currency = here->usd,
                             .legs = legs,
                             .count = 3 };
    bool            posted;
    (void)context;
    TRY(ledger_post(tx, &post, &posted));
    return ledger_reverse(tx,
                          &(LedgerReversal){ .project = here->project,
                                             .of = STR("least"),
                                             .source = STR("back") },
                          &posted);
}

static void test_the_least_amount_has_no_opposite(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    Err *err = written(arena, least_work);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

// A kind of balances adds up to more than any has: days and the tail of one shared account.
static Err *trial_large_deed(DbTx *tx, void *context)
{
    LedgerSum *sums;
    size_t     count;
    (void)context;
    return ledger_trial_balance(tx, here->project, &sums, &count);
}

static Err *swap_work(DbTx *tx, void *context)
{
    const Large    *wanted = context;
    const LedgerLeg legs[] = { { LEDGER_CASH, str_of(wanted->account), INT64_MAX },
                               { LEDGER_FEES, str_of("all"), -INT64_MAX } };
    LedgerPost      post = { .project = here->project,
                             .rule = POSTING_REVERSAL,
                             .source = str_of(wanted->source),
                             .currency = here->usd,
                             .legs = legs,
                             .count = 2 };
    bool            posted;
    return ledger_post(tx, &post, &posted);
}

static void test_a_trial_balance_beyond_63_bits_is_refused(void **state)
{
    AUTO(Arena) arena = arena_open();
    Large       one = { "one", "a", 0 }, two = { "two", "b", 0 };
    (void)state;
    assert_null(db_write(here->db, arena, (DbWrite){ .work = swap_work, .context = &one }));
    assert_null(seal_do(arena));
    assert_null(db_write(here->db, arena, (DbWrite){ .work = swap_work, .context = &two }));
    assert_too_large(trial_large_deed);
}

// ---- many, and months

static Err *close_deed(DbTx *tx, void *context)
{
    bool changed;
    TRY(ledger_month_close(tx, here->project, STR("2024-10"), true, &changed));
    assert_true(changed);
    TRY(ledger_month_close(tx, here->project, STR("2024-10"), true, &changed));
    assert_false(changed);
    Str   *months;
    size_t count;
    TRY(ledger_months_closed(tx, here->project, &months, &count));
    assert_int_equal(count, 1);
    assert_true(str_equal(months[0], STR("2024-10")));
    (void)context;
    return NULL;
}

static Err *again_deed(DbTx *tx, void *context)
{
    bool posted[MANY];
    TRY(posts(tx, 0, 20000, posted));
    for (int i = 0; i < MANY; i++)
        assert_false(posted[i]);
    (void)context;
    return NULL;
}

static Err *mixed_deed(DbTx *tx, void *context)
{
    bool posted[MANY];
    (void)context;
    return posts(tx, 2, 20000, posted);  // two were there, two are new
}

static Err *projects_deed(DbTx *tx, void *context)
{
    LedgerPost all[3];
    LedgerLeg  legs[3][3];
    bool       posted[3];
    for (int i = 0; i < 3; i++)
        all[i] = invoice_of(50 + i, legs[i], 20100 + 40 * (i == 2));  // of two months
    all[1].project.id = STR("other");
    all[2].project = (ProjectId){ STR("another"), STR("other") };
    (void)context;
    TRY(ledger_post_many(tx, all, 3, posted));
    assert_true(posted[0] && posted[1] && posted[2]);
    all[2].project = all[1].project = all[0].project;
    all[1].source = STR("of another tenant");
    all[1].project.tenant = STR("another");
    all[2].source = STR("nothing at all");
    all[2].count = 0;
    TRY(ledger_post_many(tx, all, 3, posted));
    assert_false(posted[0]);
    assert_true(posted[1]);
    assert_false(posted[2]);
    return NULL;
}

static void test_many_are_posted_once_also_behind_a_closed_month(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    assert_null(post_many_do(arena));
    assert_null(written(arena, again_deed));
    assert_null(written(arena, close_deed));
    assert_null(written(arena, again_deed));
    Err *err = written(arena, mixed_deed);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_LEDGER_MONTH_CLOSED);
    assert_null(written(arena, projects_deed));
    assert_whole();
}

static Err *yen_deed(DbTx *tx, void *context)
{
    LedgerPost all[2];
    LedgerLeg  legs[2][3];
    bool       posted[2];
    for (int i = 0; i < 2; i++)
        all[i] = invoice_of(1 + 40 * i, legs[i], 20000);  // of one customer
    (void)context;
    assert_true(currency_find(STR("JPY"), &all[1].currency));
    return ledger_post_many(tx, all, 2, posted);
}

static Err *pages_deed(DbTx *tx, void *context)
{
    LedgerName         after, *from = NULL;
    LedgerAccountsPage page = { .project = here->project, .limit = 1 };
    LedgerSum         *sums;
    size_t             count, all = 0;
    LedgerKind         tax = LEDGER_TAX;
    do {
        page.after = from;
        TRY(ledger_accounts(tx, &page, &sums, &count));
        all += count;
        if (count > 0) {
            after = (LedgerName){ sums[0].kind, sums[0].owner, sums[0].currency };
            from = &after;
        }
    } while (count > 0);
    assert_int_equal(all, 6);
    page = (LedgerAccountsPage){ .project = here->project, .limit = 9, .owner = STR("acct1") };
    TRY(ledger_accounts(tx, &page, &sums, &count));
    assert_int_equal(count, 2);
    after = (LedgerName){ LEDGER_RECEIVABLE, STR("acct0"), here->usd };
    page.after = &after;
    TRY(ledger_accounts(tx, &page, &sums, &count));
    assert_int_equal(count, 2);
    page = (LedgerAccountsPage){ .project = here->project, .limit = 9, .kind = &tax };
    TRY(ledger_accounts(tx, &page, &sums, &count));
    assert_int_equal(count, 2);
    (void)context;
    return NULL;
}

// Revenue of "all" is in the tail alone, of "pro/api" in both: a page of one ends between them.
static Err *first_deed(DbTx *tx, void *context)
{
    LedgerSum         *sums;
    size_t             count;
    LedgerKind         revenue = LEDGER_REVENUE;
    LedgerAccountsPage page = { .project = here->project, .limit = 1, .kind = &revenue };
    (void)context;
    TRY(ledger_accounts(tx, &page, &sums, &count));
    assert_int_equal(count, 1);
    assert_true(str_equal(sums[0].owner, STR("all")));
    assert_int_equal(sums[0].minor, -INT64_MAX);
    return NULL;
}

static void test_accounts_come_by_kind_owner_and_currency(void **state)
{
    AUTO(Arena) arena = arena_open();
    (void)state;
    assert_null(written(arena, yen_deed));
    assert_null(db_read(here->db, arena, pages_deed, NULL));
    assert_null(seal_do(arena));
    assert_null(db_read(here->db, arena, pages_deed, NULL));
    here->number = 1000;
    assert_null(post_many_do(arena));  // days and a tail of the same accounts
    assert_null(read_do(arena));
    large_post((Large){ "all", "a", 20000 });  // and of others
    assert_null(db_read(here->db, arena, first_deed, NULL));
    assert_whole();
}

static void test_what_is_a_month(void **state)
{
    static const char *const bad[] = { "2026-1",  "2026-13", "2026-00", "0000-01", "2026_11",
                                       "2o26-11", "2026-1x", "" };
    (void)state;
    assert_true(ledger_month_is(STR("2026-11")));
    assert_true(ledger_month_is(STR("0001-01")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ledger_month_is(str_of(bad[i])));
}

static void test_days_are_of_utc(void **state)
{
    (void)state;
    assert_int_equal(chain_day((Instant){ 0 }), 0);
    assert_int_equal(chain_day((Instant){ -1 }), -1);
    assert_int_equal(chain_day((Instant){ -DAY }), -1);
    assert_int_equal(chain_day((Instant){ DAY - 1 }), 0);
    Digest none = chain_hash_read(STR("short"));
    assert_true(digest_equal(&none, &(Digest){ 0 }));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

// Rows that are read in one range: their ids begin alike, and they are no more than a range takes.
static void test_how_many_are_of_one_range(void **state)
{
    (void)state;
    enum { COUNT = RANGE_MAX + 2 };
    AUTO(Arena) arena = arena_open();
    DbRows   rows = { arena_array(arena, DbRow, COUNT), COUNT };
    DbValue *ids = arena_array(arena, DbValue, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        rows.at[i] = (DbRow){ &ids[i], 1 };
        ids[i] = db_text(str_print(arena, "txn_01M7WWRXX%04zu", i));
    }
    assert_int_equal(range_cut(&rows, 0), RANGE_MAX);
    assert_int_equal(range_cut(&rows, RANGE_MAX), 2);
    ids[2] = db_text(STR("txn_02M7WWRXX0002"));
    assert_int_equal(range_cut(&rows, 0), 2);
    ids[1] = db_text(STR("txn"));
    assert_int_equal(range_cut(&rows, 0), 1);
    assert_int_equal(range_cut(&rows, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whatever_is_refused_leaves_nothing_behind),
        TEST(test_a_chain_that_moved_is_left_alone),
        TEST(test_a_proof_has_many_pages),
        TEST(test_a_proof_has_many_pages_of_days),
        TEST(test_what_is_sealed_during_a_proof_is_proved),
        TEST(test_damage_is_refused_or_told),
        TEST(test_a_chain_whose_end_was_changed_is_found),
        TEST(test_sums_beyond_63_bits_are_refused),
        TEST(test_a_trial_balance_beyond_63_bits_is_refused),
        TEST(test_what_a_span_opens_with_beyond_63_bits_is_refused),
        TEST(test_the_least_amount_has_no_opposite),
        TEST(test_many_are_posted_once_also_behind_a_closed_month),
        TEST(test_accounts_come_by_kind_owner_and_currency),
        TEST(test_what_is_a_month),
        TEST(test_days_are_of_utc),
        cmocka_unit_test(test_how_many_are_of_one_range),
    };
    return cmocka_run_group_tests_name("ledger on bad books", tests, NULL, NULL);
}
