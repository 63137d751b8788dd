// SPDX-License-Identifier: Apache-2.0
// Every statement of grants and their entries. Each begins with tenant and project. SQLite plans
// without statistics and would take the primary key, all grants of a project, for whole rows: so
// grants are found in an index alone first, and `+id` keeps it from the key's order.
#include "base/assert.h"
#include "base/json.h"
#include "base/random.h"
#include "flow/ledger/credit_inside.h"

#define PROJECT "tenant = ? and project = ?"
#define COLUMNS                                                                      \
    "id, account, currency, kind, timing, amount, price, drawn, priority,"            \
    " effective_at, expires_at, applies_to, state, origin, paid_by, description,"     \
    " created_at"

#define FOUND(what)                                                              \
    "select " COLUMNS " from (select tenant t, project p, id i from credit_grant"   \
    " where " PROJECT what ") found"                                               \
    " join credit_grant on tenant = t and project = p and id = i"

enum {
    GRANT_GET, GRANT_ADD, GRANT_MOVE, GRANT_DRAWN, GRANTS_ACTIVE, GRANTS_ALL, GRANTS_OF,
    GRANTS_EXPIRING,
    ENTRY_ADD, ENTRIES_OF_SOURCE, ENTRIES_ANSWERING, ENTRIES_PAGE, WALLETS, WALLET_GRANTS,
    WALLET_SUMS, STATEMENTS
};

static const Statement sql[STATEMENTS] = {
    [GRANT_GET] = { "select " COLUMNS " from credit_grant where " PROJECT " and id = ?" },
    [GRANT_ADD] = { "insert into credit_grant (tenant, project, " COLUMNS ") values (?, ?, ?, ?, ?,"
                    " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [GRANT_MOVE] = { "update credit_grant set drawn = ?, state = ?, expires_at = ? where " PROJECT
                     " and id = ? and drawn = ?" },
    // The same, where no index holds what changes.
    [GRANT_DRAWN] = { "update credit_grant set drawn = ? where " PROJECT
                      " and id = ? and drawn = ?" },
    [GRANTS_ACTIVE] = { FOUND(" and account = ? and currency = ? and state = 'active'")
                        " order by +id" },
    [GRANTS_ALL] = { "select " COLUMNS " from credit_grant where " PROJECT
                     " and id > ? order by id limit ?" },
    [GRANTS_OF] = { FOUND(" and account = ? and +id > ? and (state = 'active' or ? = 0)"
                          " order by +id limit ?") " order by id" },
    [GRANTS_EXPIRING] = { "select " COLUMNS " from credit_grant where " PROJECT
                          " and state = 'active' and expires_at <= ? and +id > ?"
                          " order by +id limit ?" },
    [ENTRY_ADD] = { "insert into credit_entry (tenant, project, account, currency, id,"
                    " credit_grant, kind, source, amount, cost, at)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [ENTRIES_OF_SOURCE] = { "select credit_grant, amount from credit_entry where " PROJECT
                            " and source = ? order by credit_grant" },
    [ENTRIES_ANSWERING] = { "select credit_grant, sum(amount) from credit_entry where " PROJECT
                            " and source >= ? and source < ? group by credit_grant"
                            " order by credit_grant" },
    [ENTRIES_PAGE] = { "select id, credit_grant, kind, source, amount, cost, at from credit_entry"
                       " where " PROJECT " and account = ? and currency = ? and id < ?"
                       " order by id desc limit ?" },
    [WALLETS] = { "select distinct account, currency from credit_grant where " PROJECT
                  " and (account, currency) > (?, ?) order by account, currency limit ?" },
    [WALLET_GRANTS] = { FOUND(" and account = ? and currency = ?") " order by +id" },
    [WALLET_SUMS] = { "select credit_grant, sum(amount), sum(cost) from credit_entry where " PROJECT
                      " and account = ? and currency = ? group by credit_grant"
                      " order by credit_grant" },
};

const StatementTable credit_table = { "credits", sql, STATEMENTS };

static const char *const kinds[GRANT_KIND_COUNT] = { "paid", "promotional" };
static const char *const timings[CREDIT_TIMING_COUNT] = { "beforeTax", "afterTax" };
static const char *const states[GRANT_STATE_COUNT] = { "active", "used", "expired", "revoked" };
static const char *const payers[PAID_BY_COUNT] = { "nobody", "external", "customerBalance",
                                                   "adjustment" };
const char *const credit_entry_kinds[ENTRY_KIND_COUNT] = { "grant",   "draw",   "charge",
                                                           "adjustment", "restore", "expiry",
                                                           "revoke" };

const char *grant_kind_name(GrantKind kind)
{
    return kinds[kind];
}

const char *credit_timing_name(CreditTiming timing)
{
    return timings[timing];
}

const char *grant_state_name(GrantState state)
{
    return states[state];
}

const char *grant_paid_by_name(GrantPaidBy paid_by)
{
    return payers[paid_by];
}

// ---- rows

Str applies_to_text(Arena *arena, const AppliesTo *to)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    if (to->charges.count == 0 && to->meters.count == 0)
        return STR_NONE;
    json_object(&out);
    json_name(&out, STR("charges"));
    json_array(&out);
    for (size_t i = 0; i < to->charges.count; i++)
        json_string(&out, to->charges.at[i]);
    json_array_end(&out);
    json_name(&out, STR("meters"));
    json_array(&out);
    for (size_t i = 0; i < to->meters.count; i++)
        json_string(&out, to->meters.at[i]);
    json_array_end(&out);
    json_object_end(&out);
    return text_str(&text);
}

static Texts texts_read(Arena *arena, const Json *list)
{
    Str   *at = arena_array(arena, Str, list == NULL ? 0 : list->count);
    size_t count = 0;
    for (const Json *row = list == NULL ? NULL : list->first; row != NULL; row = row->next)
        at[count++] = row->text;
    return (Texts){ at, count };
}

Err *applies_to_read(Arena *arena, Str text, AppliesTo *to)
{
    Json *json;
    if (text.at == NULL)
        return NULL;
    TRY(json_parse_stored(arena, text, &json));
    to->charges = texts_read(arena, json_find(json, STR("charges")));
    to->meters = texts_read(arena, json_find(json, STR("meters")));
    return NULL;
}

// The place of a name in its table. STORE_FAILED: it has none.
static Err *name_read(Arena *arena, Str name, const char *const *names, int count, int *place)
{
    for (*place = 0; *place < count; (*place)++)
        if (str_equal(name, str_of(names[*place])))
            return NULL;
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a grant's row says %.*s, which means nothing",
                  STR_ARG(name));
}

static Err *row_read(Arena *arena, const DbRow *row, StoredGrant *grant)
{
    int kind, timing, state, paid_by;
    TRY(name_read(arena, row_text(row, 3), kinds, GRANT_KIND_COUNT, &kind));
    TRY(name_read(arena, row_text(row, 4), timings, CREDIT_TIMING_COUNT, &timing));
    TRY(name_read(arena, row_text(row, 12), states, GRANT_STATE_COUNT, &state));
    TRY(name_read(arena, row_text(row, 14), payers, PAID_BY_COUNT, &paid_by));
    *grant = (StoredGrant){ .grant = { .id = row_text(row, 0),
                                       .account = row_text(row, 1),
                                       .kind = (GrantKind)kind,
                                       .timing = (CreditTiming)timing,
                                       .amount = row_whole(row, 5),
                                       .price = row_whole(row, 6),
                                       .drawn = row_whole(row, 7),
                                       .priority = row_whole(row, 8),
                                       .effective_at = { row_whole(row, 9) },
                                       .expires_at = { row_whole(row, 10) } },
                            .state = (GrantState)state,
                            .paid_by = (GrantPaidBy)paid_by,
                            .origin = row_text(row, 13),
                            .description = row_text(row, 15),
                            .created_at = { row_whole(row, 16) } };
    if (!currency_find(row_text(row, 2), &grant->grant.currency))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a grant is in no currency");
    return applies_to_read(arena, row_text(row, 11), &grant->grant.applies_to);
}

static Err *rows_read(Arena *arena, const DbRows *rows, StoredGrant **grants, size_t *count)
{
    *grants = arena_array(arena, StoredGrant, rows->count);
    *count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        TRY(row_read(arena, &rows->at[i], &(*grants)[i]));
    return NULL;
}

static Err *grants_read(Arena *arena, const DbRows *rows, CreditGrants *grants)
{
    StoredGrant *stored;
    size_t       count;
    TRY(rows_read(arena, rows, &stored, &count));
    *grants = (CreditGrants){ arena_array(arena, CreditGrant, count), count };
    for (size_t i = 0; i < count; i++)
        grants->at[i] = stored[i].grant;
    return NULL;
}

Err *credit_row_find(DbTx *tx, ProjectId project, Str id, StoredGrant **grant)
{
    DbRow row;
    TRY(db_find(tx, &sql[GRANT_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    *grant = NULL;
    if (row.columns == NULL)
        return NULL;
    StoredGrant *found = arena_new(db_arena(tx), StoredGrant);
    TRY(row_read(db_arena(tx), &row, found));
    *grant = found;
    return NULL;
}

Err *credit_row_add(DbTx *tx, ProjectId project, const StoredGrant *stored)
{
    const CreditGrant *grant = &stored->grant;
    return db_run(tx, &sql[GRANT_ADD],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(grant->id),
                            db_text(grant->account), db_text(currency_code(&grant->currency)),
                            db_text(str_of(kinds[grant->kind])),
                            db_text(str_of(timings[grant->timing])), db_whole(grant->amount),
                            db_whole(grant->price), db_whole(grant->amount),
                            db_whole(grant->priority), db_whole(grant->effective_at.us),
                            db_whole(grant->expires_at.us),
                            db_text(applies_to_text(db_arena(tx), &grant->applies_to)),
                            db_text(str_of(states[stored->state])), db_text(stored->origin),
                            db_text(str_of(payers[stored->paid_by])),
                            db_text(stored->description), db_whole(stored->created_at.us)),
                  NULL);
}

// ---- moves

static Err *entry_add(DbTx *tx, const CreditMove *move, int64_t cost)
{
    const CreditGrant *grant = move->before;
    // The caller's grant may be gone when the entry is sent.
    Str currency = str_copy(db_arena(tx), currency_code(&grant->currency));
    return db_later(tx, &sql[ENTRY_ADD],
                    DB_VALUES(db_text(move->project.tenant), db_text(move->project.id),
                              db_text(grant->account), db_text(currency),
                              db_text(random_id(db_arena(tx), "cre_")), db_text(grant->id),
                              db_text(str_of(credit_entry_kinds[move->kind])),
                              db_text(move->source), db_whole(move->amount), db_whole(cost),
                              db_whole(move->at.us)));
}

// The grant was read, and locked, in this transaction.
Err *credit_move(DbTx *tx, const CreditMove *move, int64_t *cost)
{
    const CreditGrant *grant = move->before;
    int64_t            drawn = grant->drawn - move->amount;
    assert_that(drawn >= 0 && drawn <= grant->amount);
    DbValue tenant = db_text(move->project.tenant), project = db_text(move->project.id);
    if (move->state == GRANT_ACTIVE && move->kind != ENTRY_RESTORE)
        TRY(db_later(tx, &sql[GRANT_DRAWN],
                     DB_VALUES(db_whole(drawn), tenant, project, db_text(grant->id),
                               db_whole(grant->drawn))));
    else
        TRY(db_later(tx, &sql[GRANT_MOVE],
                     DB_VALUES(db_whole(drawn), db_text(str_of(states[move->state])),
                               db_whole(move->expires_at.us), tenant, project,
                               db_text(grant->id), db_whole(grant->drawn))));
    *cost = grant_cost(grant, grant->drawn) - grant_cost(grant, drawn);
    return entry_add(tx, move, *cost);
}

// ---- lists

Err *credit_grants_active(DbTx *tx, const CreditWallet *wallet, CreditGrants *grants)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[GRANTS_ACTIVE],
                DB_VALUES(db_text(wallet->project.tenant), db_text(wallet->project.id),
                          db_text(wallet->account), db_text(currency_code(&wallet->currency))),
                &rows));
    TRY(grants_read(db_arena(tx), &rows, grants));
    grants_sort(*grants);
    return NULL;
}

static DbValue behind(Str after)
{
    return db_text(after.at == NULL ? STR("") : after);
}

Err *credit_expiring(DbTx *tx, const ExpiringGrants *wanted, CreditGrants *grants)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[GRANTS_EXPIRING],
                DB_VALUES(db_text(wanted->project.tenant), db_text(wanted->project.id),
                          db_whole(wanted->at.us), behind(wanted->after),
                          db_whole((int64_t)wanted->limit)),
                &rows));
    return grants_read(db_arena(tx), &rows, grants);
}

Err *credit_grants(DbTx *tx, const GrantPage *page, StoredGrant **grants, size_t *count)
{
    DbRows  rows;
    DbValue tenant = db_text(page->project.tenant), project = db_text(page->project.id);
    DbValue limit = db_whole((int64_t)page->limit);
    if (page->account.at == NULL)
        TRY(db_rows(tx, &sql[GRANTS_ALL], DB_VALUES(tenant, project, behind(page->after), limit),
                    &rows));
    else
        TRY(db_rows(tx, &sql[GRANTS_OF],
                    DB_VALUES(tenant, project, db_text(page->account), behind(page->after),
                              db_whole(page->only_active), limit),
                    &rows));
    return rows_read(db_arena(tx), &rows, grants, count);
}

Err *credit_drawn_of(DbTx *tx, const CreditWallet *wallet, Str source, CreditDrawn **drawn,
                     size_t *count)
{
    DbRows  rows, answers;
    Arena  *arena = db_arena(tx);
    DbValue tenant = db_text(wallet->project.tenant), project = db_text(wallet->project.id);
    Str     from = str_print(arena, "%.*s|", STR_ARG(source));
    Str     to = str_print(arena, "%.*s}", STR_ARG(source));  // the character behind |
    TRY(db_rows(tx, &sql[ENTRIES_OF_SOURCE], DB_VALUES(tenant, project, db_text(source)), &rows));
    TRY(db_rows(tx, &sql[ENTRIES_ANSWERING],
                DB_VALUES(tenant, project, db_text(from), db_text(to)), &answers));
    *drawn = arena_array(arena, CreditDrawn, rows.count);
    *count = rows.count;
    size_t next = 0;
    for (size_t i = 0; i < rows.count; i++) {
        CreditDrawn *one = &(*drawn)[i];
        *one = (CreditDrawn){ row_text(&rows.at[i], 0), -row_whole(&rows.at[i], 1), 0 };
        if (next < answers.count && str_equal(row_text(&answers.at[next], 0), one->grant))
            one->restored = row_whole(&answers.at[next++], 1);
    }
    return NULL;
}

Err *credit_entries(DbTx *tx, const CreditEntryPage *page, CreditEntry **entries, size_t *count)
{
    static const Str    last = STR_INIT("cre_~");  // behind every id
    const CreditWallet *wallet = &page->wallet;
    DbRows              rows;
    TRY(db_rows(tx, &sql[ENTRIES_PAGE],
                DB_VALUES(db_text(wallet->project.tenant), db_text(wallet->project.id),
                          db_text(wallet->account), db_text(currency_code(&wallet->currency)),
                          db_text(page->before.at == NULL ? last : page->before),
                          db_whole((int64_t)page->limit)),
                &rows));
    *entries = arena_array(db_arena(tx), CreditEntry, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        const DbRow *row = &rows.at[i];
        (*entries)[i] = (CreditEntry){ .id = row_text(row, 0),
                                       .grant = row_text(row, 1),
                                       .kind = row_text(row, 2),
                                       .source = row_text(row, 3),
                                       .amount = row_whole(row, 4),
                                       .cost = row_whole(row, 5),
                                       .at = { row_whole(row, 6) } };
    }
    return NULL;
}

// ---- proof

static void tell(CreditReport *report, Str drift)
{
    report->tell(report->context, drift);
}

// A grant's row against its entries.
static void grant_check(Arena *arena, const CreditGrant *grant, const DbRow *sums,
                        CreditReport *report)
{
    int64_t amount = sums == NULL ? 0 : row_whole(sums, 1);
    int64_t cost = sums == NULL ? 0 : row_whole(sums, 2);
    report->grants++;
    if (amount != grant_left(grant) ||
        cost != grant_cost(grant, grant->amount) - grant_cost(grant, grant->drawn))
        tell(report, str_print(arena, "grant %.*s has %lld left, its entries sum to %lld",
                               STR_ARG(grant->id), (long long)grant_left(grant),
                               (long long)amount));
}

static Err *wallet_check(DbTx *tx, const CreditWallet *wallet, CreditReport *report)
{
    DbRows      rows, sums;
    DbValues    values = DB_VALUES(db_text(wallet->project.tenant), db_text(wallet->project.id),
                                   db_text(wallet->account),
                                   db_text(currency_code(&wallet->currency)));
    CreditGrants grants;
    LedgerName   name = { LEDGER_WALLET, wallet->account, wallet->currency };
    int64_t      posted, worth = 0;
    size_t       next = 0;
    TRY(db_rows(tx, &sql[WALLET_GRANTS], values, &rows));
    TRY(db_rows(tx, &sql[WALLET_SUMS], values, &sums));
    TRY(grants_read(db_arena(tx), &rows, &grants));
    for (size_t i = 0; i < grants.count; i++) {
        const CreditGrant *grant = &grants.at[i];
        const DbRow       *sum = NULL;
        if (next < sums.count && str_equal(row_text(&sums.at[next], 0), grant->id))
            sum = &sums.at[next++];
        grant_check(db_arena(tx), grant, sum, report);
        worth += grant->price - grant_cost(grant, grant->drawn);
    }
    TRY(ledger_balance(tx, wallet->project, &name, &posted));
    if (next != sums.count || posted != -worth)
        tell(report, str_print(db_arena(tx),
                               "wallet %.*s in %s is worth %lld, its ledger says %lld",
                               STR_ARG(wallet->account), wallet->currency.code, (long long)worth,
                               (long long)-posted));
    return NULL;
}

Err *credit_verify(DbTx *tx, ProjectId project, CreditReport *report)
{
    enum { PAGE = 500 };
    DbRows rows;
    Str    account = STR(""), currency = STR("");
    do {
        TRY(db_rows(tx, &sql[WALLETS],
                    DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(account),
                              db_text(currency), db_whole(PAGE)),
                    &rows));
        for (size_t i = 0; i < rows.count; i++) {
            CreditWallet wallet = { .project = project, .account = row_text(&rows.at[i], 0) };
            account = wallet.account;
            currency = row_text(&rows.at[i], 1);
            if (!currency_find(currency, &wallet.currency))
                return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                              "a grant is in no currency");
            TRY(wallet_check(tx, &wallet, report));
        }
    } while (rows.count == PAGE);
    return NULL;
}
