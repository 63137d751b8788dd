// SPDX-License-Identifier: Apache-2.0
// What many accounts have, with every statement of it.
//
// SQLite plans without statistics: `+` keeps it from an index that does not begin with the names.
// To MariaDB it means nothing.
#include "flow/invoice/issue_batch.h"

#include "base/assert.h"
#include "base/map.h"
#include "db/names.h"
#include "flow/invoice/late_inside.h"

enum { DRAFTS, CHARGES, GRANTS, BALANCES, REVENUE, PROGRESS, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [DRAFTS] = { "select slot from invoice where tenant = ? and project = ? and slot in "
                 DB_NAMES },
    [CHARGES] = { "select distinct account from charge where tenant = ? and project = ?"
                  " and account in " DB_NAMES " and +collect = 'invoice' and +invoice is null" },
    [GRANTS] = { "select distinct account from credit_grant where tenant = ? and project = ?"
                 " and account in " DB_NAMES " and +state = 'active'" },
    [BALANCES] = { "select distinct owner from ledger_balance where tenant = ? and project = ?"
                   " and kind = 'customerBalance' and owner in " DB_NAMES " and +amount <> 0" },
    [REVENUE] = { "select distinct account from revenue_item where tenant = ? and project = ?"
                  " and account in " DB_NAMES " and invoice = ''" },
    [PROGRESS] = { "select subscription, issued_until from invoice_progress"
                   " where tenant = ? and project = ? and subscription in " DB_NAMES },
};

const StatementTable issue_batch_table = { "invoices of many accounts", sql, STATEMENTS };

// ---- before rating

typedef struct KnownRead {
    const IssueQuery *query;
    const AccountIds *ids;
    IssueKnown       *known;
} KnownRead;

static size_t subscriptions_count(const KnownRead *read)
{
    size_t count = 0;
    for (size_t i = 0; i < read->ids->count; i++)
        count += read->known[i].file->histories.count;
    return count;
}

// Every subscription, not billed yet.
static DbNames parts_make(Arena *arena, const KnownRead *read, IssueProgress *parts)
{
    Str    *names = arena_array(arena, Str, subscriptions_count(read));
    DbNames all = { read->ids->project.tenant, read->ids->project.id, names, 0 };
    for (size_t i = 0; i < read->ids->count; i++) {
        IssueKnown *known = &read->known[i];
        known->parts = parts + all.count;
        for (size_t k = 0; k < known->file->histories.count; k++) {
            names[all.count] = known->file->histories.at[k].first->id;
            parts[all.count] = (IssueProgress){ names[all.count], false, INSTANT_FIRST };
            all.count++;
        }
    }
    return all;
}

static void progress_take(const DbNames *names, const DbRows *rows, IssueProgress *parts)
{
    Map *places = map_open();
    for (size_t i = 0; i < names->count; i++)
        map_set(places, names->at[i], i);
    for (size_t i = 0; i < rows->count; i++) {
        uint64_t place;
        bool     is_there = map_find(places, row_text(&rows->at[i], 0), &place);
        assert_that(is_there);
        parts[place].is_stored = true;
        parts[place].until.us = row_whole(&rows->at[i], 1);
    }
    map_close(places);
}

// Behind the last invoice of each subscription: what the next one may correct lies there, but for
// late usage. One whose last is long before the others', so that it may have had many lines since,
// reads them when it needs them.
static Instant lines_from(const IssueProgress *parts, size_t count)
{
    enum { DAYS_MAX = 62 };
    Instant newest = INSTANT_FIRST, from = INSTANT_END;
    for (size_t i = 0; i < count; i++)
        if (parts[i].is_stored && parts[i].until.us > newest.us)
            newest = parts[i].until;
    Instant least = instant_within((Instant){ newest.us - DAYS_MAX * INSTANT_DAY_US });
    for (size_t i = 0; i < count; i++)
        if (parts[i].is_stored && parts[i].until.us >= least.us && parts[i].until.us < from.us)
            from = parts[i].until;
    return from;
}

static Err *lines_read(DbTx *tx, const DbNames *names, const IssueProgress *parts,
                       IssueKnownLines *lines)
{
    Instant from = lines_from(parts, names->count);
    if (from.us < INSTANT_END.us)
        TRY(issue_lines_of_all(tx, names, from, lines));
    for (size_t i = 0; i < names->count; i++)
        if (!parts[i].is_stored)
            lines[i] = (IssueKnownLines){ .from = INSTANT_FIRST };  // the books have none
    return NULL;
}

static Err *known_work(DbTx *tx, void *context)
{
    const KnownRead  *read = context;
    const AccountIds *ids = read->ids;
    Arena            *arena = db_arena(tx);
    IssueProgress    *parts = arena_array(arena, IssueProgress, subscriptions_count(read));
    DbNames           names = parts_make(arena, read, parts);
    DbNames           accounts = { ids->project.tenant, ids->project.id, ids->at, ids->count };
    DbRows            rows;
    bool             *grants;
    Late             *lates = arena_array(arena, Late, names.count);
    IssueKnownLines  *lines = arena_array(arena, IssueKnownLines, names.count);
    TRY(db_rows_of(tx, &sql[PROGRESS], names, &rows));
    progress_take(&names, &rows, parts);
    TRY(late_closed_of_all(tx, read->query, &names, lates));
    TRY(lines_read(tx, &names, parts, lines));
    for (size_t i = 0; i < ids->count; i++) {
        read->known[i].lates = lates + (read->known[i].parts - parts);
        read->known[i].lines = lines + (read->known[i].parts - parts);
    }
    TRY(db_names_found(tx, &sql[GRANTS], accounts, &grants));
    for (size_t i = 0; i < ids->count; i++)
        read->known[i].has_grants = grants[i];
    return NULL;
}

size_t issue_known_part(const IssueKnown *known, Str subscription)
{
    size_t i = 0;
    while (!str_equal(known->parts[i].subscription, subscription))
        i++;
    return i;
}

const IssueKnownLines *issue_known_lines(const IssueKnown *known, const IssueBilled *wanted)
{
    const IssueKnownLines *lines =
        &known->lines[issue_known_part(known, wanted->subscription)];
    return lines->from.us <= wanted->from.us ? lines : NULL;
}

void issue_known_rows(Arena *arena, const IssueBilled *wanted, IssueLineRow **rows, size_t *count)
{
    const IssueKnownLines *known = wanted->known;
    *rows = arena_array(arena, IssueLineRow, known->count);
    *count = 0;
    for (size_t i = 0; i < known->count; i++)
        if (known->at[i].service_start.us >= wanted->from.us &&
            known->at[i].boundary.us <= wanted->until.us)
            (*rows)[(*count)++] = known->at[i];
}

Err *issue_known_read(Arena *arena, const IssueQuery *query, const AccountIds *ids,
                      IssueKnown *known)
{
    AccountFile *files = arena_array(arena, AccountFile, ids->count);
    KnownRead    read = { query, ids, known };
    TRY(catalog_account_files(query->catalog, arena, ids, files));
    for (size_t i = 0; i < ids->count; i++)
        known[i] = (IssueKnown){ .file = &files[i] };
    return db_read(query->books, arena, known_work, &read);
}

// ---- in the transaction

Err *issue_batch_read(DbTx *tx, IssueBatch *batch, const IssueAccount *accounts, size_t count,
                      IssueFacts *facts)
{
    Arena  *arena = db_arena(tx);
    Str    *ids = arena_array(arena, Str, count), *drafts_of = arena_array(arena, Str, count);
    DbNames names = { batch->project.tenant, batch->project.id, ids, count };
    DbNames slots = { batch->project.tenant, batch->project.id, drafts_of, count };
    bool   *found[REVENUE + 1];
    for (size_t i = 0; i < count; i++) {
        ids[i] = accounts[i].account;
        drafts_of[i] = accounts[i].slot;
    }
    for (size_t of = DRAFTS; of <= REVENUE; of++)
        TRY(db_names_found(tx, &sql[of], of == DRAFTS ? slots : names, &found[of]));
    for (size_t i = 0; i < count; i++)
        facts[i] = (IssueFacts){ .batch = batch,
                                 .has_draft = found[DRAFTS][i],
                                 .has_charges = found[CHARGES][i],
                                 .has_grants = found[GRANTS][i],
                                 .has_balance = found[BALANCES][i],
                                 .has_revenue = found[REVENUE][i] };
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
        batch->post_room = batch->post_room == 0 ? 64 : 2 * batch->post_room;
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
