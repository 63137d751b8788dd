// The ledger's own files over books that refuse when they are told to, and what is done with them.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "books.h"
#include "db/db.h"

// Calls until one is refused; 0: none is.
static int calls_left;

static bool is_refused(void)
{
    return calls_left > 0 && --calls_left == 0;
}

static Err *refused(Arena *arena)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "refused by the test");
}

static Err *test_rows(DbTx *tx, const Statement *statement, DbValues values, DbRows *rows)
{
    return is_refused() ? refused(db_arena(tx)) : db_rows(tx, statement, values, rows);
}

static Err *test_find(DbTx *tx, const Statement *statement, DbValues values, DbRow *row)
{
    return is_refused() ? refused(db_arena(tx)) : db_find(tx, statement, values, row);
}

static Err *test_run(DbTx *tx, const Statement *statement, DbValues values, uint64_t *changed)
{
    return is_refused() ? refused(db_arena(tx)) : db_run(tx, statement, values, changed);
}

static Err *test_run_many(DbTx *tx, const Statement *statement, DbSets sets, bool *taken)
{
    return is_refused() ? refused(db_arena(tx)) : db_run_many(tx, statement, sets, taken);
}

static Err *test_insert(DbTx *tx, const Statement *statement, DbValues values, bool *added)
{
    return is_refused() ? refused(db_arena(tx)) : db_insert(tx, statement, values, added);
}

// What somebody else does just before.
static void (*before_write)(void);
static void (*before_read)(void);

static Err *test_read(Db *db, Arena *arena, DbWork work, void *context)
{
    if (before_read != NULL)
        before_read();
    return is_refused() ? refused(arena) : db_read(db, arena, work, context);
}

static Err *test_write(Db *db, Arena *arena, DbWrite write)
{
    if (before_write != NULL)
        before_write();
    return is_refused() ? refused(arena) : db_write(db, arena, write);
}

#define db_rows test_rows
#define db_find test_find
#define db_run test_run
#define db_run_many test_run_many
#define db_insert test_insert
#define db_read test_read
#define db_write test_write
#include "flow/ledger/ledger.c"
#include "flow/ledger/ledger_read.c"
#define shared_add accounts_shared_add
#include "flow/ledger/ledger_accounts.c"
#include "flow/ledger/ledger_seal.c"
#include "flow/ledger/ledger_verify.c"
#undef db_rows
#undef db_find
#undef db_run
#undef db_run_many
#undef db_insert
#undef db_read
#undef db_write

enum {
    HARM_RULE, HARM_CURRENCY, HARM_ENTRY_KIND, HARM_BALANCE_KIND, HARM_SHARED_BALANCE, HARM_HASH,
    HARM_LEGS, HARM_DAY, HARM_BALANCE_GONE, HARM_ENTRY_CURRENCY,
    HARM_BALANCE_CURRENCY, HARM_INSTANT, HARMS
};
static const Statement harms[HARMS] = {
    [HARM_RULE] = { "update ledger_transaction set rule = 'theft' where project = ?" },
    [HARM_CURRENCY] = { "update ledger_transaction set currency = 'XXL' where project = ?" },
    [HARM_ENTRY_KIND] = { "update ledger_entry set kind = 'petty' where project = ?"
                          " and kind = 'tax'" },
    [HARM_BALANCE_KIND] = { "update ledger_balance set kind = 'petty' where project = ?" },
    [HARM_SHARED_BALANCE] = { "update ledger_balance set kind = 'cash' where project = ?" },
    [HARM_HASH] = { "update ledger_chain set hash = x'00' where project = ?" },
    [HARM_LEGS] = { "delete from ledger_entry where project = ?" },
    [HARM_DAY] = { "update ledger_day set currency = 'XXL' where project = ?" },
    [HARM_BALANCE_GONE] = { "delete from ledger_balance where project = ?" },
    [HARM_BALANCE_CURRENCY] = { "update ledger_balance set currency = 'XXL' where project = ?" },
    [HARM_INSTANT] = { "update ledger_entry set effective_at = effective_at - 1 where project = ?"
                       " and kind = 'tax'" },
    [HARM_ENTRY_CURRENCY] = { "update ledger_entry set currency = 'XXL' where project = ?" },
};
static const StatementTable        harm_table = { "harm", harms, HARMS };
static const StatementTable *const tables[] = { &ledger_table, &harm_table, NULL };

typedef struct Place {
    Arena    *arena;
    char      folder[64];
    Str       books;
    Db       *db;
    ProjectId project;
    Currency  usd;
    int       number;  // of sources
    int64_t   day;     // on which they count, and the next
} Place;

static Place *here;
enum { CUSTOMERS = 40 };
static int customers = CUSTOMERS;

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_ledger_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    assert_null(db_open(
        place->arena,
        &(DbOptions){ .place = place->books, .migrations = db_migrations(), .tables = tables },
        &place->db));
    place->project = (ProjectId){ STR("tenant"), STR("project") };
    place->day = 20000;
    assert_true(currency_find(STR("USD"), &place->usd));
    *state = here = place;
    return 0;
}

static int place_close(void **state)
{
    Place *place = *state;
    char   path[128];
    calls_left = 0;
    before_write = before_read = NULL;
    customers = CUSTOMERS;
    db_close(place->db);
    snprintf(path, sizeof path, "%s/books.sqlite", place->folder);
    unlink(path);
    rmdir(place->folder);
    books_end(place->arena, place->books);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

// ---- deeds

#define DAY INT64_C(86400000000)

static LedgerPost invoice_of(int number, LedgerLeg legs[3], int64_t day)
{
    legs[0] = (LedgerLeg){ LEDGER_RECEIVABLE,
                           str_print(here->arena, "acct%d", number % customers), 10 + number };
    legs[1] = (LedgerLeg){ LEDGER_REVENUE, STR("pro/api"), -9 - number };
    legs[2] = (LedgerLeg){ LEDGER_TAX, STR("vat"), -1 };
    return (LedgerPost){ .project = here->project,
                         .rule = POSTING_INVOICE,
                         .source = str_print(here->arena, "invoice:%d", number),
                         .currency = here->usd,
                         .at = { day * DAY },
                         .effective_at = { day * DAY },
                         .legs = legs,
                         .count = 3 };
}

enum { MANY = 4 };

static Err *posts(DbTx *tx, int first, int64_t day, bool posted[MANY])
{
    LedgerPost all[MANY];
    LedgerLeg  legs[MANY][3];
    for (int i = 0; i < MANY; i++)
        all[i] = invoice_of(first + i, legs[i], day + (first + i) / 2 % 2);
    return ledger_post_many(tx, all, MANY, posted);
}

static Err *post_many_deed(DbTx *tx, void *context)
{
    bool posted[MANY];
    TRY(posts(tx, here->number, here->day, posted));
    for (int i = 0; i < MANY; i++)
        assert_true(posted[i]);
    (void)context;
    return NULL;
}

// Two of four were there: the others are booked.
static Err *post_again_deed(DbTx *tx, void *context)
{
    bool posted[MANY];
    TRY(posts(tx, here->number - 2, 20000, posted));
    (void)context;
    return NULL;
}

static Err *reverse_deed(DbTx *tx, void *context)
{
    bool           posted;
    LedgerReversal reversal = { .project = here->project,
                                .of = STR("invoice:0"),
                                .source = str_print(here->arena, "reversal:%d", here->number),
                                .effective_at = { 20001 * DAY } };
    (void)context;
    return ledger_reverse(tx, &reversal, &posted);
}

static Err *month_deed(DbTx *tx, void *context)
{
    bool changed;
    (void)context;
    TRY(ledger_month_close(tx, here->project, STR("2031-01"), true, &changed));
    return ledger_month_close(tx, here->project, STR("2031-01"), false, &changed);
}

static Err *read_until_deed(DbTx *tx)
{
    LedgerName         shared = { LEDGER_REVENUE, STR("pro/api"), here->usd };
    LedgerSpan         span = { { 20000 * DAY }, { 20001 * DAY + 1 } };
    LedgerStatement    statement;
    LedgerSum         *sums;
    size_t             count;
    LedgerAccountsPage page = { .project = here->project, .limit = 100, .until = &span.to };
    TRY(ledger_statement(tx, &(LedgerStatementQuery){ here->project, shared, STR_NONE, 3, &span },
                         &statement));
    TRY(ledger_accounts(tx, &page, &sums, &count));
    return ledger_trial_balance_until(tx, here->project, span.to, &sums, &count);
}

static Err *read_deed(DbTx *tx, void *context)
{
    LedgerName         customer = { LEDGER_RECEIVABLE, STR("acct1"), here->usd };
    LedgerName         shared = { LEDGER_REVENUE, STR("pro/api"), here->usd };
    LedgerTransaction *transactions;
    LedgerStatement    statement;
    LedgerSum         *sums;
    Str               *months;
    int64_t            minor;
    size_t             count;
    (void)context;
    TRY(ledger_balance(tx, here->project, &customer, &minor));
    TRY(ledger_balance(tx, here->project, &shared, &minor));
    TRY(ledger_chain_length(tx, here->project, &minor));
    TRY(ledger_months_closed(tx, here->project, &months, &count));
    TRY(ledger_transactions(tx, &(LedgerPage){ .project = here->project, .limit = 3 },
                            &transactions, &count));
    TRY(ledger_transactions(
        tx, &(LedgerPage){ .project = here->project, .account = STR("acct1"), .limit = 3 },
        &transactions, &count));
    TRY(ledger_transaction_find(tx, here->project, STR("invoice:0"), &transactions));
    TRY(ledger_statement(tx, &(LedgerStatementQuery){ here->project, shared, STR_NONE, 3, NULL },
                         &statement));
    TRY(ledger_accounts(tx, &(LedgerAccountsPage){ .project = here->project, .limit = 100 }, &sums,
                        &count));
    TRY(ledger_trial_balance(tx, here->project, &sums, &count));
    return read_until_deed(tx);
}

static Err *written(Arena *arena, DbWork work)
{
    return db_write(here->db, arena, (DbWrite){ .work = work });
}

static Err *post_many_do(Arena *arena)
{
    return written(arena, post_many_deed);
}

static Err *post_again_do(Arena *arena)
{
    return written(arena, post_again_deed);
}

static Err *reverse_do(Arena *arena)
{
    return written(arena, reverse_deed);
}

static Err *month_do(Arena *arena)
{
    return written(arena, month_deed);
}

static Err *read_do(Arena *arena)
{
    return db_read(here->db, arena, read_deed, NULL);
}

static Err *seal_do(Arena *arena)
{
    size_t sealed;
    return ledger_seal(here->db, arena, here->project, &sealed);
}

static char told[4000];

static void drift_take(void *context, Str drift)
{
    size_t length = strlen(told);
    (void)context;
    snprintf(told + length, sizeof told - length, "%.*s\n", STR_ARG(drift));
}

static Err *verify_do(Arena *arena)
{
    LedgerReport report = { .tell = drift_take };
    told[0] = 0;
    return ledger_verify(here->db, arena, here->project, &report);
}

static void assert_whole(void)
{
    AUTO(Arena) arena = arena_open();
    assert_null(verify_do(arena));
    assert_string_equal(told, "");
}
