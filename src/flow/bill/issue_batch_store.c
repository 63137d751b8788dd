// SPDX-License-Identifier: Apache-2.0
// What many accounts have, with every statement of it. A list of names is asked for in lists of a fixed length, the last name repeated to fill them up:
// no statement is put together from text.
//
// SQLite plans without statistics: `+` keeps it from an index that does not begin with the names.
// To MariaDB it means nothing.
#include "flow/bill/issue_batch.h"

#include "base/assert.h"
#include "flow/bill/issue_inside.h"

enum { DRAFTS, CHARGES, GRANTS, BALANCES, REVENUE, STATEMENTS };

enum { NAMES = 32 };
#define NAMES_8 "?, ?, ?, ?, ?, ?, ?, ?"
#define NAMES_32 "(" NAMES_8 ", " NAMES_8 ", " NAMES_8 ", " NAMES_8 ")"

static const Statement sql[STATEMENTS] = {
    [DRAFTS] = { "select slot from invoice where tenant = ? and project = ? and slot in "
                 NAMES_32 },
    [CHARGES] = { "select distinct account from charge where tenant = ? and project = ?"
                  " and account in " NAMES_32 " and +collect = 'invoice' and +invoice is null" },
    [GRANTS] = { "select distinct account from credit_grant where tenant = ? and project = ?"
                 " and account in " NAMES_32 " and +state = 'active'" },
    [BALANCES] = { "select distinct owner from ledger_balance where tenant = ? and project = ?"
                   " and kind = 'customerBalance' and owner in " NAMES_32 " and +amount <> 0" },
    [REVENUE] = { "select distinct account from revenue_item where tenant = ? and project = ?"
                  " and account in " NAMES_32 " and invoice = ''" },
};

const StatementTable issue_batch_table = { "invoices of many accounts", sql, STATEMENTS };

// ---- names

// The values of one list: NAMES names from `first` on, `step` bytes apart.
typedef struct Names {
    ProjectId   project;
    const char *first;
    size_t      step, count;
} Names;

static Str name_of(const Names *names, size_t number)
{
    return *(const Str *)(const void *)(names->first + names->step * number);
}

static DbValues list_of(Arena *arena, const Names *names, size_t from)
{
    DbValue *values = arena_array(arena, DbValue, NAMES + 2);
    values[0] = db_text(names->project.tenant);
    values[1] = db_text(names->project.id);
    for (size_t i = 0; i < NAMES; i++) {
        size_t number = from + i < names->count ? from + i : names->count - 1;
        values[i + 2] = db_text(name_of(names, number));
    }
    return (DbValues){ values, NAMES + 2 };
}

// Sets is_there[i] for those names of the list that the rows have; the others are left.
static void rows_note(const DbRows *rows, const Names *names, size_t from, bool *is_there)
{
    for (size_t i = from; i < names->count && i < from + NAMES; i++)
        for (size_t k = 0; k < rows->count && !is_there[i]; k++)
            is_there[i] = str_equal(row_text(&rows->at[k], 0), name_of(names, i));
}

static Err *names_look(DbTx *tx, int statement, const Names *names, bool **is_there)
{
    DbRows rows;
    *is_there = arena_array(db_arena(tx), bool, names->count);
    for (size_t i = 0; i < names->count; i++)
        (*is_there)[i] = false;
    for (size_t from = 0; from < names->count; from += NAMES) {
        TRY(db_rows(tx, &sql[statement], list_of(db_arena(tx), names, from), &rows));
        rows_note(&rows, names, from, *is_there);
    }
    return NULL;
}

Err *issue_batch_read(DbTx *tx, IssueBatch *batch, const IssueAccount *accounts, size_t count,
                      IssueFacts *facts)
{
    Names names = { batch->project, (const char *)&accounts->account, sizeof *accounts, count };
    Names slots = { batch->project, (const char *)&accounts->slot, sizeof *accounts, count };
    bool *drafts, *charges, *grants, *balances, *revenue;
    TRY(names_look(tx, CHARGES, &names, &charges));
    TRY(names_look(tx, GRANTS, &names, &grants));
    TRY(names_look(tx, DRAFTS, &slots, &drafts));
    TRY(names_look(tx, BALANCES, &names, &balances));
    TRY(names_look(tx, REVENUE, &names, &revenue));
    for (size_t i = 0; i < count; i++)
        facts[i] = (IssueFacts){ batch,       drafts[i],   charges[i],
                                 grants[i],   balances[i], revenue[i] };
    batch->invoices = count;
    return NULL;
}

// ---- what is the same for all

Err *issue_seller(DbTx *tx, ProjectId project, IssueFacts *facts, Str *seller)
{
    IssueBatch *batch = facts == NULL ? NULL : facts->batch;
    if (batch != NULL && batch->has_seller) {
        *seller = batch->seller;
        return NULL;
    }
    TRY(legal_entity_get(tx, project, seller));
    if (batch != NULL) {
        batch->has_seller = true;
        batch->seller = *seller;
    }
    return NULL;
}

static void rate_keep(Arena *arena, IssueBatch *batch, const StoredTaxRate *rate)
{
    if (batch->rate_count == batch->rate_room) {
        batch->rate_room = batch->rate_room == 0 ? 4 : 2 * batch->rate_room;
        StoredTaxRate *more = arena_array(arena, StoredTaxRate, batch->rate_room);
        for (size_t i = 0; i < batch->rate_count; i++)
            more[i] = batch->rates[i];
        batch->rates = more;
    }
    batch->rates[batch->rate_count++] = *rate;
}

Err *issue_tax_rate(DbTx *tx, IssueFacts *facts, const IssueRateWanted *wanted,
                    const StoredTaxRate **rate)
{
    IssueBatch    *batch = facts == NULL ? NULL : facts->batch;
    StoredTaxRate *found;
    if (batch != NULL && batch->rates_at.us != wanted->at.us)
        batch->rate_count = 0;
    for (size_t i = 0; batch != NULL && i < batch->rate_count; i++)
        if (str_equal(batch->rates[i].id, wanted->id)) {
            *rate = &batch->rates[i];
            return NULL;
        }
    TRY(tax_rate_at(tx, wanted->project, wanted->id, wanted->at, &found));
    *rate = found;
    if (batch != NULL) {
        batch->rates_at = wanted->at;
        rate_keep(db_arena(tx), batch, found);
    }
    return NULL;
}

Err *issue_number_of(DbTx *tx, ProjectId project, IssueFacts *facts, Str series, int64_t *number)
{
    IssueBatch *batch = facts == NULL ? NULL : facts->batch;
    if (batch == NULL)
        return issue_numbers(tx, project, series, 1, number);
    if (batch->series.at == NULL) {
        batch->series = series;
        TRY(issue_numbers(tx, project, series, (int64_t)batch->invoices, &batch->next_number));
    }
    assert_that(str_equal(batch->series, series) && batch->invoices > 0);
    batch->invoices--;
    *number = batch->next_number++;
    return NULL;
}

// ---- posts

Err *issue_post_put(DbTx *tx, IssueFacts *facts, const LedgerPost *post)
{
    bool posted;
    if (facts == NULL)
        return ledger_post(tx, post, &posted);
    IssueBatch *batch = facts->batch;
    if (batch->post_count == batch->post_room) {
        batch->post_room = batch->post_room == 0 ? 2 * NAMES : 2 * batch->post_room;
        LedgerPost *more = arena_array(db_arena(tx), LedgerPost, batch->post_room);
        for (size_t i = 0; i < batch->post_count; i++)
            more[i] = batch->posts[i];
        batch->posts = more;
    }
    batch->posts[batch->post_count++] = *post;
    return NULL;
}

Err *issue_batch_post(DbTx *tx, IssueFacts *facts)
{
    if (facts == NULL || facts->batch->post_count == 0)
        return NULL;
    IssueBatch *batch = facts->batch;
    bool       *posted = arena_array(db_arena(tx), bool, batch->post_count);
    TRY(ledger_post_many(tx, batch->posts, batch->post_count, posted));
    batch->post_count = 0;
    return NULL;
}
