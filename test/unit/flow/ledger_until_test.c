// SPDX-License-Identifier: Apache-2.0
// The ledger as of an instant: whatever was booked and sealed in whatever order, what counts before
// it is the sum of the entries that do.
#include "ledger_place.h"

// As transactions and entries were written before entries knew when they count.
enum { BEFORE_TRANSACTION, BEFORE_ENTRY, BEFORE_DAY, BEFORE_BALANCE, BEFORES };
static const Statement before_sql[BEFORES] = {
    [BEFORE_TRANSACTION] = { "insert into ledger_transaction (tenant, project, id, source, rule,"
                             " currency, at, effective_at, account, content, position)"
                             " values (?, ?, ?, ?, 'invoice', 'USD', 0, ?, '', x'00', ?)" },
    [BEFORE_ENTRY] = { "insert into ledger_entry (tenant, project, kind, owner, currency, id,"
                       " amount) values (?, ?, ?, 'ada', 'USD', ?, ?)" },
    [BEFORE_DAY] = { "insert into ledger_day (tenant, project, kind, owner, currency, day, amount)"
                     " values (?, ?, 'revenue', 'ada', 'USD', ?, ?)" },
    [BEFORE_BALANCE] = { "insert into ledger_balance (tenant, project, kind, owner, currency,"
                         " amount) values (?, ?, 'receivable', 'ada', 'USD', 26)" },
};
static const StatementTable        before_table = { "before", before_sql, BEFORES };
static const StatementTable *const tables[] = { &ledger_table, NULL };

static int place_open(void **state)
{
    return place_open_with(state, tables);
}

enum { DATED = 160, DAYS = 4, OWNERS = 5, PER_PAGE = 3 };

// An entry, as it was posted.
typedef struct Dated {
    LedgerName name;
    Instant    effective_at;
    int64_t    amount;
} Dated;

typedef struct Dates {
    Place     *place;
    Seeded     seeded;
    Dated      at[3 * DATED];
    size_t     count;
    Instant    until;
    LedgerSum *sums;
    size_t     sum_count;
} Dates;

// Days' first instants are many, and so are their last.
static Instant any_instant(Seeded *seeded)
{
    int64_t day = (20000 + (int64_t)seeded_below(seeded, DAYS)) * DAY;
    int64_t within[] = { 0, -1, 1, (int64_t)seeded_below(seeded, (uint64_t)DAY) };
    return (Instant){ day + within[seeded_below(seeded, 4)] };
}

static void dated_post(Dates *dates, size_t number)
{
    Place     *place = dates->place;
    LedgerLeg  legs[3];
    bool       posted;
    Str        account = str_print(place->arena, "acct%d",
                                   (int)seeded_below(&dates->seeded, OWNERS));
    int64_t    amount = 1 + (int64_t)seeded_below(&dates->seeded, 999);
    LedgerPost post = invoice(place, "", str_terminated(place->arena, account), legs, amount);
    post.source = str_print(place->arena, "invoice:%zu", number);
    post.effective_at = any_instant(&dates->seeded);
    post.currency = seeded_below(&dates->seeded, 3) == 0 ? place->jpy : place->usd;
    assert_null(post_with(place, place->arena, &post, &posted));
    assert_true(posted);
    for (int i = 0; i < 3; i++)
        dates->at[dates->count++] = (Dated){ { legs[i].kind, legs[i].owner, post.currency },
                                             post.effective_at, legs[i].amount };
}

// What counts in [from, to) of an account, or of all owners of a kind.
static int64_t dated_sum(const Dates *dates, const LedgerName *name, LedgerSpan span, size_t *count)
{
    int64_t sum = 0;
    *count = 0;
    for (size_t i = 0; i < dates->count; i++) {
        const Dated *one = &dates->at[i];
        bool is_of = one->name.kind == name->kind &&
                     currency_equal(one->name.currency, name->currency) &&
                     (name->owner.at == NULL || str_equal(one->name.owner, name->owner));
        if (is_of && one->effective_at.us >= span.from.us && one->effective_at.us < span.to.us) {
            sum += one->amount;
            ++*count;
        }
    }
    return sum;
}

static Err *trial_until_work(DbTx *tx, void *context)
{
    Dates *dates = context;
    return ledger_trial_balance_until(tx, dates->place->project, dates->until, &dates->sums,
                                      &dates->sum_count);
}

// All pages as one list.
static Err *accounts_until_work(DbTx *tx, void *context)
{
    Dates             *dates = context;
    LedgerName         after;
    LedgerAccountsPage page = { .project = dates->place->project,
                                .limit = PER_PAGE,
                                .until = &dates->until };
    LedgerSum         *sums;
    size_t             count;
    dates->sums = arena_array(db_arena(tx), LedgerSum, dates->count);
    dates->sum_count = 0;
    do {
        TRY(ledger_accounts(tx, &page, &sums, &count));
        for (size_t i = 0; i < count; i++)
            dates->sums[dates->sum_count++] = sums[i];
        if (count > 0)
            after = (LedgerName){ sums[count - 1].kind, sums[count - 1].owner,
                                  sums[count - 1].currency };
        page.after = &after;
    } while (count > 0);
    return NULL;
}

// Each sum is that of its entries, and no entry is left out.
static void assert_sums(Dates *dates, DbWork work)
{
    LedgerSpan before = { INSTANT_FIRST, dates->until };
    size_t     all = 0, wanted = 0, count;
    assert_null(db_read(dates->place->db, dates->place->arena, work, dates));
    for (size_t i = 0; i < dates->sum_count; i++) {
        const LedgerSum *sum = &dates->sums[i];
        LedgerName       name = { sum->kind, sum->owner, sum->currency };
        assert_int_equal(sum->minor, dated_sum(dates, &name, before, &count));
        assert_true(count > 0);
        all += count;
    }
    for (size_t i = 0; i < dates->count; i++)
        wanted += dates->at[i].effective_at.us < dates->until.us;
    assert_int_equal(all, wanted);
}

// Page after page from opening to closing, by effective_at.
static Err *span_work(DbTx *tx, void *context)
{
    Dates               *dates = context;
    Place               *place = dates->place;
    LedgerName           name = { LEDGER_RECEIVABLE, STR("acct1"), place->usd };
    LedgerSpan           span = { any_instant(&dates->seeded), any_instant(&dates->seeded) };
    const LedgerSpan     whole = span;
    LedgerStatementQuery query = { place->project, name, STR_NONE, PER_PAGE, &span };
    LedgerStatement      found = { .has_more = true };
    size_t               before, within, read = 0;
    Instant              last = span.from;
    int64_t opening = dated_sum(dates, &name, (LedgerSpan){ INSTANT_FIRST, span.from }, &before);
    int64_t closing = opening + dated_sum(dates, &name, span, &within);
    while (found.has_more) {
        TRY(ledger_statement(tx, &query, &found));
        assert_int_equal(found.opening, opening);
        for (size_t i = 0; i < found.count; i++) {
            const LedgerEntry *entry = &found.at[i];
            assert_true(entry->effective_at.us >= last.us);
            assert_true(entry->effective_at.us < whole.to.us);
            last = entry->effective_at;
            opening += entry->amount;
            assert_int_equal(entry->balance, opening);
            query.after = entry->transaction;
        }
        span.from = last;
        read += found.count;
        assert_int_equal(found.closing, opening);
    }
    assert_int_equal(read, within);
    assert_int_equal(opening, closing);
    return NULL;
}

// Sealed in part, whole, and not at all: when it counts has nothing to do with when it was booked.
static void test_balances_as_of_an_instant_are_what_counts_before_it(void **state)
{
    Place *place = *state;
    Dates *dates = arena_new(place->arena, Dates);
    dates->place = place;
    dates->seeded = seeded_of(14);
    for (size_t number = 0; number < DATED; number++) {
        dated_post(dates, number);
        if (number % 40 == 39)
            assert_int_equal(seal(place), number < 40 ? 40 : 40 - 8);
        if (number % 40 != 7 && number % 40 != 30)
            continue;
        for (int i = 0; i < 6; i++) {
            dates->until = any_instant(&dates->seeded);
            assert_sums(dates, trial_until_work);
            assert_sums(dates, accounts_until_work);
            assert_null(db_read(place->db, place->arena, span_work, dates));
        }
        if (number > 40 && number % 40 == 7)
            assert_int_equal(seal(place), 8);
    }
    dates->until = INSTANT_END;
    assert_sums(dates, trial_until_work);
    assert_int_equal(trial(place), dates->sum_count);
    assert_int_equal(drifts(place, NULL), 0);
}

// ---- books of before

static void open_with(Place *place, Str migrations, const StatementTable *const *wanted)
{
    assert_null(db_open(
        place->arena,
        &(DbOptions){ .place = place->books, .migrations = migrations, .tables = wanted },
        &place->db));
}

// Three that are sealed, one of them before 1970, and one that is not.
static Err *old_rows_work(DbTx *tx, void *context)
{
    static const int64_t AT[] = { -1, 20000 * DAY, 20001 * DAY, 20001 * DAY + 5 };
    static const int64_t DAYS_KEPT[] = { -1, 20000, 20001 };
    const Place         *place = context;
    DbValue tenant = db_text(place->project.tenant), project = db_text(place->project.id);
    for (int i = 0; i < 4; i++) {
        DbValue id = db_text(str_print(db_arena(tx), "txn_%d", i));
        TRY(db_run(tx, &before_sql[BEFORE_TRANSACTION],
                   DB_VALUES(tenant, project, id, id, db_whole(AT[i]),
                             i == 3 ? db_null() : db_whole(i + 1)),
                   NULL));
        TRY(db_run(tx, &before_sql[BEFORE_ENTRY],
                   DB_VALUES(tenant, project, db_text(STR("receivable")), id, db_whole(5 + i)),
                   NULL));
        TRY(db_run(tx, &before_sql[BEFORE_ENTRY],
                   DB_VALUES(tenant, project, db_text(STR("revenue")), id, db_whole(-5 - i)),
                   NULL));
        if (i < 3)
            TRY(db_run(tx, &before_sql[BEFORE_DAY],
                       DB_VALUES(tenant, project, db_whole(DAYS_KEPT[i]), db_whole(-5 - i)), NULL));
    }
    return db_run(tx, &before_sql[BEFORE_BALANCE], DB_VALUES(tenant, project), NULL);
}

static int64_t receivable_until(Dates *dates, int64_t at_us)
{
    dates->until.us = at_us;
    assert_null(db_read(dates->place->db, dates->place->arena, trial_until_work, dates));
    if (dates->sum_count == 0)
        return 0;
    assert_int_equal(dates->sum_count, 2);
    assert_int_equal(dates->sums[0].minor, -dates->sums[1].minor);
    return dates->sums[0].minor;
}

static void test_entries_of_older_books_count_when_their_transaction_does(void **state)
{
    static const StatementTable *const before[] = { &before_table, NULL };
    Place                             *place = *state;
    Str                                all = db_migrations();
    const char *new = strstr(str_terminated(place->arena, all), "-- migration 0014");
    Dates      *dates = arena_new(place->arena, Dates);
    dates->place = place;
    assert_non_null(new);
    db_close(place->db);
    books_end(place->arena, place->books);
    unlink(str_terminated(place->arena, place->books));
    place->books = books_make(place->arena, place->folder);
    open_with(place, (Str){ all.at, all.length - strlen(new) }, before);
    assert_null(db_write(place->db, place->arena,
                         (DbWrite){ .work = old_rows_work, .context = place }));
    db_close(place->db);
    open_with(place, all, tables);
    assert_int_equal(receivable_until(dates, -1), 0);
    assert_int_equal(receivable_until(dates, 0), 5);
    assert_int_equal(receivable_until(dates, 20000 * DAY), 5);
    assert_int_equal(receivable_until(dates, 20000 * DAY + 1), 11);
    assert_int_equal(receivable_until(dates, 20001 * DAY), 11);
    assert_int_equal(receivable_until(dates, 20001 * DAY + 1), 18);
    assert_int_equal(receivable_until(dates, 20001 * DAY + 6), 26);
    // Of three no content is stored; for the rest, what is kept fits.
    assert_int_equal(drifts(place, "was changed after it was sealed"), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_balances_as_of_an_instant_are_what_counts_before_it),
        TEST(test_entries_of_older_books_count_when_their_transaction_does),
    };
    return cmocka_run_group_tests_name("ledger as of an instant", tests, NULL, NULL);
}
