// SPDX-License-Identifier: Apache-2.0
#include "flow/ledger/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/counter.h"
#include "base/random.h"
#include "flow/ledger/ledger_inside.h"

enum { MONTH_BYTES = 7 };  // "2026-11"

// ---- legs

static int leg_compare(const LedgerLeg *a, const LedgerLeg *b)
{
    int kind = str_compare(str_of(ledger_kind_name(a->kind)), str_of(ledger_kind_name(b->kind)));
    return kind != 0 ? kind : str_compare(a->owner, b->owner);
}

static int legs_sort(const void *a, const void *b)
{
    return leg_compare(a, b);
}

// Legs of one account, which are neighbours, become one; those of 0 go.
static Err *legs_join(Arena *arena, LedgerTransaction *transaction)
{
    size_t kept = 0;
    for (size_t i = 0; i < transaction->count; i++) {
        LedgerLeg *leg = &transaction->legs[i], *last = &transaction->legs[kept - (kept > 0)];
        if (kept == 0 || leg_compare(last, leg) != 0)
            transaction->legs[kept++] = *leg;
        else if (__builtin_add_overflow(last->amount, leg->amount, &last->amount))
            return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "an entry of the ledger is beyond 63 bits of minor units");
    }
    transaction->count = 0;
    for (size_t i = 0; i < kept; i++)
        if (transaction->legs[i].amount != 0)
            transaction->legs[transaction->count++] = transaction->legs[i];
    return NULL;
}

// As they are stored: put together, in order, none of 0.
static Err *legs_of(Arena *arena, const LedgerPost *post, LedgerTransaction *transaction)
{
    Int128 sum = 0;
    assert_that(post->count <= LEDGER_LEGS_MAX);
    transaction->legs = arena_copy(arena, post->legs, post->count * sizeof *post->legs);
    transaction->count = post->count;
    for (size_t i = 0; i < post->count; i++) {
        const LedgerLeg *leg = &post->legs[i];
        assert_that(posting_allows(post->rule, leg->kind));
        assert_that(leg->owner.length > 0 && leg->owner.length <= LEDGER_OWNER_BYTES);
        sum += leg->amount;
    }
    assert_that(sum == 0);
    qsort(transaction->legs, transaction->count, sizeof *transaction->legs, legs_sort);
    return legs_join(arena, transaction);
}

Digest ledger_content(Arena *arena, const LedgerTransaction *transaction)
{
    Text form = text_open(arena);
    text_add_counted(&form, transaction->source);
    text_add_counted(&form, str_of(posting_name(transaction->rule)));
    text_add_counted(&form, currency_code(&transaction->currency));
    text_add_signed(&form, transaction->at.us);
    text_add_signed(&form, transaction->effective_at.us);
    text_add_counted(&form, transaction->account);
    text_add_counted(&form, transaction->memo);
    for (size_t i = 0; i < transaction->count; i++) {
        text_add_counted(&form, str_of(ledger_kind_name(transaction->legs[i].kind)));
        text_add_counted(&form, transaction->legs[i].owner);
        text_add_signed(&form, transaction->legs[i].amount);
    }
    return digest_of(text_str(&form));
}

// ---- months

static Str month_of(Arena *arena, Instant at)
{
    Str text = instant_print(arena, at);
    return (Str){ text.at, MONTH_BYTES };
}

static Err *month_look(DbTx *tx, ProjectId project, Str month, bool *is_closed)
{
    DbRow row;
    TRY(db_find(tx, &ledger_sql[LEDGER_MONTH_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(month)), &row));
    *is_closed = row.columns != NULL;
    return NULL;
}

bool ledger_month_is(Str text)
{
    uint64_t year, month;
    return text.length == MONTH_BYTES && text.at[4] == '-' &&
           str_whole((Str){ text.at, 4 }, 9999, &year) && year >= 1 &&
           str_whole((Str){ text.at + 5, 2 }, 12, &month) && month >= 1;
}

Err *ledger_month_close(DbTx *tx, ProjectId project, Str month, bool closed,
                        bool *changed)
{
    DbValues values = DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(month));
    uint64_t removed;
    if (closed)
        return db_insert(tx, &ledger_sql[LEDGER_MONTH_ADD], values, changed);
    TRY(db_run(tx, &ledger_sql[LEDGER_MONTH_REMOVE], values, &removed));
    *changed = removed > 0;
    return NULL;
}

// ---- posting

// A post on its way into the books.
typedef struct Booking {
    const LedgerPost *post;
    LedgerTransaction made;
    unsigned char     content[LEDGER_CONTENT_BYTES];
    bool             *posted;
} Booking;

typedef struct Bookings {
    Booking *at;
    size_t   count;
} Bookings;

// A leg, and the booking that it is of.
typedef struct Entry {
    const Booking   *booking;
    const LedgerLeg *leg;
} Entry;

static Err *booking_make(Arena *arena, const LedgerPost *post, Booking *booking)
{
    assert_that(post->source.length > 0 && post->source.length <= LEDGER_SOURCE_BYTES);
    booking->post = post;
    booking->made = (LedgerTransaction){ .source = post->source,
                                         .account = post->account.at == NULL ? STR("")
                                                                             : post->account,
                                         .memo = post->memo,
                                         .rule = post->rule,
                                         .currency = post->currency,
                                         .at = post->at,
                                         .effective_at = post->effective_at };
    TRY(legs_of(arena, post, &booking->made));
    if (booking->made.count == 0)
        return NULL;
    booking->made.id = random_id(arena, "txn_");
    Digest digest = ledger_content(arena, &booking->made);
    digest_write(&digest, booking->content);
    return NULL;
}

static bool projects_equal(ProjectId a, ProjectId b)
{
    return str_equal(a.tenant, b.tenant) && str_equal(a.id, b.id);
}

// Whether any is closed. Each is looked up once as long as it is the same from post to post.
static Err *months_look(DbTx *tx, Bookings bookings, bool *is_closed)
{
    Str before = STR_NONE;
    *is_closed = false;
    for (size_t i = 0; i < bookings.count && !*is_closed; i++) {
        const LedgerPost *post = bookings.at[i].post;
        Str               month = month_of(db_arena(tx), post->effective_at);
        bool is_known = i > 0 && str_equal(month, before) &&
                        projects_equal(post->project, bookings.at[i - 1].post->project);
        if (!is_known)
            TRY(month_look(tx, post->project, month, is_closed));
        before = month;
    }
    return NULL;
}

static Err *transactions_add(DbTx *tx, Bookings bookings, bool *taken)
{
    enum { WIDTH = 11 };
    DbValue *values = arena_array(db_arena(tx), DbValue, WIDTH * bookings.count);
    for (size_t i = 0; i < bookings.count; i++) {
        const Booking           *booking = &bookings.at[i];
        const LedgerTransaction *made = &booking->made;
        const DbValue            row[WIDTH] = {
            db_text(booking->post->project.tenant),
            db_text(booking->post->project.id),
            db_text(made->id),
            db_text(made->source),
            db_text(str_of(posting_name(made->rule))),
            db_text(currency_code(&made->currency)),
            db_whole(made->at.us),
            db_whole(made->effective_at.us),
            db_text(made->account),
            db_text(made->memo),
            db_blob(booking->content, LEDGER_CONTENT_BYTES),
        };
        memcpy(values + i * WIDTH, row, sizeof row);
    }
    return db_run_many(tx, &ledger_sql[LEDGER_TRANSACTION_ADD],
                       (DbSets){ values, WIDTH, bookings.count }, taken);
}

static Err *entries_add(DbTx *tx, const Entry *entries, size_t count)
{
    enum { WIDTH = 8 };
    DbValue *values = arena_array(db_arena(tx), DbValue, WIDTH * count);
    for (size_t i = 0; i < count; i++) {
        const LedgerLeg         *leg = entries[i].leg;
        const LedgerTransaction *made = &entries[i].booking->made;
        const DbValue            row[WIDTH] = {
            db_text(entries[i].booking->post->project.tenant),
            db_text(entries[i].booking->post->project.id),
            db_text(str_of(ledger_kind_name(leg->kind))),
            db_text(leg->owner),
            db_text(currency_code(&made->currency)),
            db_text(made->id),
            db_whole(leg->amount),
            db_whole(made->effective_at.us),
        };
        memcpy(values + i * WIDTH, row, sizeof row);
    }
    counter_add(METRIC_LEDGER_ENTRIES, (int64_t)count);
    return db_run_many(tx, &ledger_sql[LEDGER_ENTRY_ADD], (DbSets){ values, WIDTH, count }, NULL);
}

static int entries_sort(const void *a, const void *b)
{
    const Entry *left = a, *right = b;
    int          order = leg_compare(left->leg, right->leg);
    return order != 0 ? order
                      : str_compare(currency_code(&left->booking->made.currency),
                                    currency_code(&right->booking->made.currency));
}

// In the order of their rows, so that two writers meet on the first and not crosswise.
static Err *balances_add(DbTx *tx, Entry *entries, size_t count)
{
    enum { WIDTH = 6 };
    DbValue *values = arena_array(db_arena(tx), DbValue, WIDTH * count);
    size_t   kept = 0;
    qsort(entries, count, sizeof *entries, entries_sort);
    for (size_t i = 0; i < count; i++) {
        const LedgerLeg  *leg = entries[i].leg;
        const LedgerPost *post = entries[i].booking->post;
        const DbValue     row[WIDTH] = {
            db_text(post->project.tenant),
            db_text(post->project.id),
            db_text(str_of(ledger_kind_name(leg->kind))),
            db_text(leg->owner),
            db_text(currency_code(&post->currency)),
            db_whole(leg->amount),
        };
        if (ledger_kind_whose(leg->kind) == LEDGER_ACCOUNT)
            memcpy(values + WIDTH * kept++, row, sizeof row);
    }
    return db_run_many(tx, &ledger_sql[LEDGER_BALANCE_ADD], (DbSets){ values, WIDTH, kept }, NULL);
}

// The source was posted before: harmless when it is the same, also when its month was closed since.
static Err *repeated(DbTx *tx, const Booking *booking)
{
    const LedgerPost *post = booking->post;
    DbRow             row;
    TRY(db_find(tx, &ledger_sql[LEDGER_TRANSACTION_CONTENT],
                DB_VALUES(db_text(post->project.tenant), db_text(post->project.id),
                          db_text(post->source)),
                &row));
    if (row.columns == NULL)  // so it is the month that did not take it
        return refuse(db_arena(tx), ERR_LEDGER_MONTH_CLOSED, STR_NONE,
                      "the accounting month %.*s is closed",
                      STR_ARG(month_of(db_arena(tx), post->effective_at)));
    if (str_equal(row_blob(&row, 0), (Str){ (const char *)booking->content, LEDGER_CONTENT_BYTES }))
        return NULL;
    return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                  "%.*s was posted before with other content", STR_ARG(post->source));
}

static Err *legs_add(DbTx *tx, Bookings bookings)
{
    size_t count = 0;
    for (size_t i = 0; i < bookings.count; i++)
        count += bookings.at[i].made.count;
    Entry *entries = arena_array(db_arena(tx), Entry, count);
    size_t at = 0;
    for (size_t i = 0; i < bookings.count; i++)
        for (size_t leg = 0; leg < bookings.at[i].made.count; leg++)
            entries[at++] = (Entry){ &bookings.at[i], &bookings.at[i].made.legs[leg] };
    TRY(entries_add(tx, entries, count));
    return balances_add(tx, entries, count);
}

// When one of many cannot be booked, each goes alone, to find out which.
static Err *bookings_post(DbTx *tx, Bookings bookings)
{
    bool is_closed, taken = false;
    TRY(months_look(tx, bookings, &is_closed));
    if (!is_closed)
        TRY(transactions_add(tx, bookings, &taken));
    bool is_refused = is_closed || taken;
    if (is_refused && bookings.count == 1)
        return repeated(tx, &bookings.at[0]);
    for (size_t i = 0; i < bookings.count; i++)
        if (is_refused)
            TRY(bookings_post(tx, (Bookings){ &bookings.at[i], 1 }));
        else
            *bookings.at[i].posted = true;
    return is_refused ? NULL : legs_add(tx, bookings);
}

Err *ledger_post_many(DbTx *tx, const LedgerPost *posts, size_t count, bool *posted)
{
    Bookings bookings = { arena_array(db_arena(tx), Booking, count), 0 };
    for (size_t i = 0; i < count; i++) {
        Booking *booking = &bookings.at[bookings.count];
        TRY(booking_make(db_arena(tx), &posts[i], booking));
        booking->posted = &posted[i];
        posted[i] = false;
        bookings.count += booking->made.count > 0;
    }
    return bookings.count == 0 ? NULL : bookings_post(tx, bookings);
}

Err *ledger_post(DbTx *tx, const LedgerPost *post, bool *posted)
{
    return ledger_post_many(tx, post, 1, posted);
}

Err *ledger_reverse(DbTx *tx, const LedgerReversal *reversal, bool *posted)
{
    LedgerTransaction *of;
    TRY(ledger_transaction_find(tx, reversal->project, reversal->of, &of));
    if (of == NULL)
        return refuse(db_arena(tx), ERR_LEDGER_NOT_FOUND, STR_NONE,
                      "there is no ledger transaction of %.*s", STR_ARG(reversal->of));
    for (size_t i = 0; i < of->count; i++)
        if (__builtin_sub_overflow(0, of->legs[i].amount, &of->legs[i].amount))
            return refuse(db_arena(tx), ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "an entry of the ledger is beyond 63 bits of minor units");
    LedgerPost post = { .project = reversal->project,
                        .rule = POSTING_REVERSAL,
                        .source = reversal->source,
                        .currency = of->currency,
                        .at = reversal->at,
                        .effective_at = reversal->effective_at,
                        .account = of->account,
                        .memo = reversal->memo,
                        .legs = of->legs,
                        .count = of->count };
    return ledger_post(tx, &post, posted);
}

// ---- balances

Err *ledger_balance(DbTx *tx, ProjectId project, const LedgerName *name, int64_t *minor)
{
    DbRow     row;
    LedgerCut all = ledger_cut(NULL);
    if (ledger_kind_whose(name->kind) == LEDGER_SHARED)
        return ledger_cut_sum(tx, project, name, &all, minor);
    TRY(db_find(tx, &ledger_sql[LEDGER_BALANCE_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id),
                          db_text(str_of(ledger_kind_name(name->kind))), db_text(name->owner),
                          db_text(currency_code(&name->currency))),
                &row));
    *minor = row.columns == NULL ? 0 : row_whole(&row, 0);
    return NULL;
}

Err *ledger_cut_sum(DbTx *tx, ProjectId project, const LedgerName *name, const LedgerCut *cut,
                    int64_t *minor)
{
    DbRow   days, tail;
    DbValue tenant = db_text(project.tenant), of = db_text(project.id);
    DbValue kind = db_text(str_of(ledger_kind_name(name->kind))), owner = db_text(name->owner);
    DbValue currency = db_text(currency_code(&name->currency));
    TRY(db_find(tx, &ledger_sql[LEDGER_DAYS_SUM],
                DB_VALUES(tenant, of, kind, owner, currency, cut->day), &days));
    TRY(db_find(tx, &ledger_sql[LEDGER_UNSEALED_SUM],
                DB_VALUES(tenant, of, kind, owner, currency, cut->begin), &tail));
    if (__builtin_add_overflow(row_whole(&days, 0), row_whole(&tail, 0), minor))
        return ledger_too_large(db_arena(tx));
    return NULL;
}

Err *ledger_chain_length(DbTx *tx, ProjectId project, int64_t *length)
{
    DbRow row;
    TRY(db_find(tx, &ledger_sql[LEDGER_CHAIN_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id)), &row));
    *length = row.columns == NULL ? 0 : row_whole(&row, 0);
    return NULL;
}
