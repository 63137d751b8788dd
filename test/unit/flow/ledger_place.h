// Books with nothing in them but a project's ledger.
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

#include "base/assert.h"
#include "books.h"
#include "flow/ledger/ledger_seal.h"

typedef struct Place {
    Arena    *arena;
    char      folder[64];
    Str       books;
    Db       *db;
    ProjectId project;
    Currency  usd, jpy;
} Place;

static inline int place_open_with(void **state, const StatementTable *const *tables)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_ledger_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    Err *err = db_open(
        place->arena,
        &(DbOptions){ .place = place->books, .migrations = db_migrations(), .tables = tables },
        &place->db);
    if (err != NULL)
        fail_msg("%s", str_terminated(place->arena, err->detail));
    place->project = (ProjectId){ STR("tenant"), STR("project") };
    assert_true(currency_find(STR("USD"), &place->usd));
    assert_true(currency_find(STR("JPY"), &place->jpy));
    *state = place;
    return 0;
}

static inline int place_close(void **state)
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

// ---- work

typedef struct Posting {
    const LedgerPost *post;
    bool              posted;
} Posting;

static inline Err *post_work(DbTx *tx, void *context)
{
    Posting *posting = context;
    return ledger_post(tx, posting->post, &posting->posted);
}

static inline Err *post_with(Place *place, Arena *arena, const LedgerPost *post, bool *posted)
{
    Posting posting = { .post = post };
    Err    *err = db_write(place->db, arena, (DbWrite){ .work = post_work, .context = &posting });
    *posted = posting.posted;
    return err;
}

#define DAY INT64_C(86400000000)

// An invoice of so much to the account, all of it revenue, and tax of 1.
static inline LedgerPost invoice(Place *place, const char *source, const char *account,
                                 LedgerLeg legs[3], int64_t amount)
{
    legs[0] = (LedgerLeg){ LEDGER_RECEIVABLE, str_of(account), amount + 1 };
    legs[1] = (LedgerLeg){ LEDGER_REVENUE, STR("pro/api"), -amount };
    legs[2] = (LedgerLeg){ LEDGER_TAX, STR("vat"), -1 };
    return (LedgerPost){ .project = place->project,
                         .rule = POSTING_INVOICE,
                         .source = str_of(source),
                         .currency = place->usd,
                         .at = { 20000 * DAY },
                         .effective_at = { 20000 * DAY },
                         .account = str_of(account),
                         .legs = legs,
                         .count = 3 };
}

typedef struct Reading {
    Place             *place;
    LedgerName         name;
    int64_t            minor;
    LedgerSum         *sums;
    size_t             count;
    LedgerStatement    statement;
    LedgerTransaction *transactions;
} Reading;

static inline Err *trial_work(DbTx *tx, void *context)
{
    Reading *reading = context;
    return ledger_trial_balance(tx, reading->place->project, &reading->sums, &reading->count);
}

// Answers how many sums there are; each currency comes to zero.
static inline size_t trial(Place *place)
{
    Reading reading = { .place = place };
    assert_null(db_read(place->db, place->arena, trial_work, &reading));
    int64_t usd = 0, jpy = 0;
    for (size_t i = 0; i < reading.count; i++)
        *(currency_equal(reading.sums[i].currency, place->usd) ? &usd : &jpy) +=
            reading.sums[i].minor;
    assert_int_equal(usd, 0);
    assert_int_equal(jpy, 0);
    return reading.count;
}

static inline size_t seal(Place *place)
{
    size_t sealed;
    assert_null(ledger_seal(place->db, place->arena, place->project, &sealed));
    return sealed;
}

typedef struct Told {
    Arena *arena;
    Text   text;
} Told;

static inline void take_drift(void *context, Str what)
{
    Told *told = context;
    text_print(&told->text, "%.*s\n", STR_ARG(what));
}

static inline uint64_t drifts(Place *place, const char *wanted)
{
    Told         told = { place->arena, text_open(place->arena) };
    LedgerReport report = { .tell = take_drift, .context = &told };
    assert_null(ledger_verify(place->db, place->arena, place->project, &report));
    const char *text = str_terminated(place->arena, text_str(&told.text));
    if (wanted != NULL && strstr(text, wanted) == NULL)
        fail_msg("\"%s\" is not in: %s", wanted, text);
    return report.drifts;
}
