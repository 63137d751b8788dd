// SPDX-License-Identifier: Apache-2.0
#include "flow/ledger/ledger.h"

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

// Into their place; a leg of an account that has one is added to it.
static Err *leg_insert(Arena *arena, LedgerLeg *legs, size_t *count, const LedgerLeg *leg)
{
    size_t place = *count;
    while (place > 0 && leg_compare(leg, &legs[place - 1]) < 0)
        place--;
    if (place > 0 && leg_compare(leg, &legs[place - 1]) == 0) {
        if (__builtin_add_overflow(legs[place - 1].amount, leg->amount, &legs[place - 1].amount))
            return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "an entry of the ledger is beyond 63 bits of minor units");
        return NULL;
    }
    for (size_t i = (*count)++; i > place; i--)
        legs[i] = legs[i - 1];
    legs[place] = *leg;
    return NULL;
}

// As they are stored: put together, in order, none of 0.
static Err *legs_of(Arena *arena, const LedgerPost *post, LedgerTransaction *transaction)
{
    Int128 sum = 0;
    assert_that(post->count <= LEDGER_LEGS_MAX);
    transaction->legs = arena_array(arena, LedgerLeg, post->count);
    transaction->count = 0;
    for (size_t i = 0; i < post->count; i++) {
        const LedgerLeg *leg = &post->legs[i];
        assert_that(posting_allows(post->rule, leg->kind));
        assert_that(leg->owner.length > 0 && leg->owner.length <= LEDGER_OWNER_BYTES);
        sum += leg->amount;
        TRY(leg_insert(arena, transaction->legs, &transaction->count, leg));
    }
    assert_that(sum == 0);
    size_t kept = 0;
    for (size_t i = 0; i < transaction->count; i++)
        if (transaction->legs[i].amount != 0)
            transaction->legs[kept++] = transaction->legs[i];
    transaction->count = kept;
    return NULL;
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

static Err *month_check(DbTx *tx, const LedgerPost *post)
{
    DbRow row;
    Str   month = month_of(db_arena(tx), post->effective_at);
    TRY(db_find(tx, &ledger_sql[LEDGER_MONTH_GET],
                DB_VALUES(db_text(post->project.tenant), db_text(post->project.id),
                          db_text(month)),
                &row));
    if (row.columns == NULL)
        return NULL;
    return refuse(db_arena(tx), ERR_LEDGER_MONTH_CLOSED, STR_NONE,
                  "the accounting month %.*s is closed", STR_ARG(month));
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

static Err *balance_move(DbTx *tx, const LedgerPost *post, const LedgerLeg *leg)
{
    DbValue  tenant = db_text(post->project.tenant), project = db_text(post->project.id);
    DbValue  kind = db_text(str_of(ledger_kind_name(leg->kind))), owner = db_text(leg->owner);
    DbValue  currency = db_text(currency_code(&post->currency)), amount = db_whole(leg->amount);
    DbValues more = DB_VALUES(amount, tenant, project, kind, owner, currency);
    uint64_t changed;
    bool     added;
    TRY(db_run(tx, &ledger_sql[LEDGER_BALANCE_MORE], more, &changed));
    if (changed == 1)
        return NULL;
    TRY(db_insert(tx, &ledger_sql[LEDGER_BALANCE_ADD],
                  DB_VALUES(tenant, project, kind, owner, currency, amount), &added));
    return added ? NULL : db_run(tx, &ledger_sql[LEDGER_BALANCE_MORE], more, NULL);
}

static Err *entries_add(DbTx *tx, const LedgerPost *post, const LedgerTransaction *transaction)
{
    for (size_t i = 0; i < transaction->count; i++) {
        const LedgerLeg *leg = &transaction->legs[i];
        TRY(db_run(tx, &ledger_sql[LEDGER_ENTRY_ADD],
                   DB_VALUES(db_text(post->project.tenant), db_text(post->project.id),
                             db_text(str_of(ledger_kind_name(leg->kind))), db_text(leg->owner),
                             db_text(currency_code(&post->currency)), db_text(transaction->id),
                             db_whole(leg->amount)),
                   NULL));
        if (ledger_kind_whose(leg->kind) == LEDGER_ACCOUNT)
            TRY(balance_move(tx, post, leg));
    }
    counter_add(METRIC_LEDGER_ENTRIES, (int64_t)transaction->count);
    return NULL;
}

// The source was posted before: harmless when it is the same.
static Err *repeated(DbTx *tx, const LedgerPost *post, const unsigned char *content)
{
    DbRow row;
    TRY(db_find(tx, &ledger_sql[LEDGER_TRANSACTION_CONTENT],
                DB_VALUES(db_text(post->project.tenant), db_text(post->project.id),
                          db_text(post->source)),
                &row));
    assert_that(row.columns != NULL);
    if (str_equal(row_blob(&row, 0), (Str){ (const char *)content, LEDGER_CONTENT_BYTES }))
        return NULL;
    return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                  "%.*s was posted before with other content", STR_ARG(post->source));
}

Err *ledger_post(DbTx *tx, const LedgerPost *post, bool *posted)
{
    Arena            *arena = db_arena(tx);
    unsigned char     content[LEDGER_CONTENT_BYTES];
    LedgerTransaction made = { .id = random_id(arena, "txn_"),
                               .source = post->source,
                               .account = post->account.at == NULL ? STR("") : post->account,
                               .memo = post->memo,
                               .rule = post->rule,
                               .currency = post->currency,
                               .at = post->at,
                               .effective_at = post->effective_at };
    assert_that(post->source.length > 0 && post->source.length <= LEDGER_SOURCE_BYTES);
    TRY(legs_of(arena, post, &made));
    *posted = false;
    if (made.count == 0)
        return NULL;
    TRY(month_check(tx, post));
    Digest digest = ledger_content(arena, &made);
    digest_write(&digest, content);
    TRY(db_insert(tx, &ledger_sql[LEDGER_TRANSACTION_ADD],
                  DB_VALUES(db_text(post->project.tenant), db_text(post->project.id),
                            db_text(made.id), db_text(made.source),
                            db_text(str_of(posting_name(made.rule))),
                            db_text(currency_code(&made.currency)), db_whole(made.at.us),
                            db_whole(made.effective_at.us), db_text(made.account),
                            db_text(made.memo), db_blob(content, sizeof content)),
                  posted));
    return *posted ? entries_add(tx, post, &made) : repeated(tx, post, content);
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
    DbRow    days, tail;
    DbValues values = DB_VALUES(db_text(project.tenant), db_text(project.id),
                                db_text(str_of(ledger_kind_name(name->kind))),
                                db_text(name->owner), db_text(currency_code(&name->currency)));
    if (ledger_kind_whose(name->kind) == LEDGER_ACCOUNT) {
        TRY(db_find(tx, &ledger_sql[LEDGER_BALANCE_GET], values, &days));
        *minor = days.columns == NULL ? 0 : row_whole(&days, 0);
        return NULL;
    }
    TRY(db_find(tx, &ledger_sql[LEDGER_DAYS_SUM], values, &days));
    TRY(db_find(tx, &ledger_sql[LEDGER_UNSEALED_SUM], values, &tail));
    if (__builtin_add_overflow(row_whole(&days, 0), row_whole(&tail, 0), minor))
        return ledger_too_large(tx);
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
