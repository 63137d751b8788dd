// SPDX-License-Identifier: Apache-2.0
// Subscriptions: made once under the caller's id. The row keeps the first terms, and of the log
// only what lists need: the end as it is known now and how many changes there are.
#include "base/assert.h"
#include "catalog/catalog_inside.h"
#include "catalog/due.h"
#include "catalog/phases.h"
#include "catalog/timeline_check.h"

enum {
    SUBSCRIPTION_GET,
    SUBSCRIPTION_ADD,
    SUBSCRIPTION_CHANGED,
    SUBSCRIPTIONS_AFTER,
    ACCOUNT_AFTER,
    PLAN_AFTER,
    SUBSCRIPTIONS_OF,
    OTHER_CURRENCY,
    STATEMENTS
};

#define COLUMNS \
    "id, account, plan, plan_version, starts_at, ends_at, quantities, version, created_at," \
    " first_ends_at, overrides, phases, usage_filter, changes"

// From the index alone: an engine that is asked for whole rows takes the primary key instead, and
// goes through all subscriptions of the project.
#define OF_ACCOUNT \
    "select tenant t, project p, id i from subscription" \
    " where tenant = ? and project = ? and account = ?"

static const Statement sql[STATEMENTS] = {
    [SUBSCRIPTION_GET] = { "select " COLUMNS " from subscription"
                           " where tenant = ? and project = ? and id = ?" },
    [SUBSCRIPTION_ADD] = { "insert into subscription (tenant, project, " COLUMNS ")"
                           " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [SUBSCRIPTION_CHANGED] = { "update subscription set ends_at = ?, changes = changes + 1,"
                               " version = version + 1"
                           " where tenant = ? and project = ? and id = ? and version = ?" },
    [SUBSCRIPTIONS_AFTER] = { "select " COLUMNS " from subscription"
                              " where tenant = ? and project = ? and id > ? order by id limit ?" },
    [ACCOUNT_AFTER] = { "select " COLUMNS " from (" OF_ACCOUNT " and id > ? order by id limit ?)"
                        " found join subscription on tenant = found.t and project = found.p"
                        " and id = found.i order by id" },
    [PLAN_AFTER] = { "select " COLUMNS " from subscription"
                     " where tenant = ? and project = ? and id > ? and (plan = ? or id in"
                     " (select subscription from subscription_change"
                     " where tenant = ? and project = ? and plan = ?)) order by id limit ?" },
    // In the order of the index that finds them: by columns of the rows MariaDB would put them all
    // into a table on its disk.
    [SUBSCRIPTIONS_OF] = { "select " COLUMNS " from (select tenant t, project p, id i, account a"
                           " from subscription where tenant = ? and project = ?"
                           " and account in " DB_NAMES ")"
                           " found join subscription on tenant = found.t and project = found.p"
                           " and id = found.i order by a, i" },
    [OTHER_CURRENCY] = { "select s.id from (" OF_ACCOUNT " order by id limit 100000) found"
                         " join subscription s on s.tenant = found.t and s.project = found.p"
                         " and s.id = found.i"
                         " join plan_version v on v.tenant = s.tenant and v.project = s.project"
                         " and v.plan = s.plan and v.number = s.plan_version"
                         " where v.currency <> ? limit 1" },
};

const StatementTable catalog__subscription_table = { "subscriptions", sql, STATEMENTS };

static Subscription *subscription_read(Arena *arena, const DbRow *row)
{
    Subscription *subscription = arena_new(arena, Subscription);
    *subscription = (Subscription){
        .id = row_text(row, 0),
        .account = row_text(row, 1),
        .plan = row_text(row, 2),
        .plan_version = row_whole(row, 3),
        .starts_at = { row_whole(row, 4) },
        .ends = !row_is_null(row, 5),
        .quantities = row_text(row, 6),
        .version = row_whole(row, 7),
        .created_at = { row_whole(row, 8) },
        .first_ends = !row_is_null(row, 9),
        .overrides = row_text(row, 10),
        .phases = row_text(row, 11),
        .usage_filter = row_text(row, 12),
        .changes = row_whole(row, 13),
    };
    if (subscription->ends)
        subscription->ends_at.us = row_whole(row, 5);
    if (subscription->first_ends)
        subscription->first_ends_at.us = row_whole(row, 9);
    return subscription;
}

Err *catalog__subscription_find(DbTx *tx, ProjectId project, Str id, Subscription **subscription)
{
    DbRow row;
    TRY(db_find(tx, &sql[SUBSCRIPTION_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    *subscription = row.columns == NULL ? NULL : subscription_read(db_arena(tx), &row);
    return NULL;
}

Err *catalog__account_has_other_currency(DbTx *tx, ProjectId project, const Account *account,
                                         bool *has)
{
    DbRow row = { 0 };
    if (account->currency.at != NULL)
        TRY(db_find(tx, &sql[OTHER_CURRENCY],
                    DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(account->id),
                              db_text(account->currency)),
                    &row));
    *has = row.columns != NULL;
    return NULL;
}

Err *catalog__subscription_changed(DbTx *tx, ProjectId project, const Subscription *changed)
{
    uint64_t rows;
    TRY(db_run(tx, &sql[SUBSCRIPTION_CHANGED],
               DB_VALUES(changed->ends ? db_whole(changed->ends_at.us) : db_null(),
                         db_text(project.tenant), db_text(project.id), db_text(changed->id),
                         db_whole(changed->version)),
               &rows));
    assert_that(rows == 1);
    return NULL;
}

Err *catalog__account_subscriptions(DbTx *tx, ProjectId project, Str account,
                                    SubscriptionRows *rows)
{
    DbRows found;
    TRY(db_rows(tx, &sql[ACCOUNT_AFTER],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(account),
                          db_text(STR("")), db_whole(SUBSCRIPTIONS_OF_ACCOUNT_MAX)),
                &found));
    *rows = (SubscriptionRows){ arena_array(db_arena(tx), Subscription, found.count), found.count };
    for (size_t i = 0; i < found.count; i++)
        rows->at[i] = *subscription_read(db_arena(tx), &found.at[i]);
    return NULL;
}

// ---- put

typedef struct SubscriptionPut {
    const CatalogChange *change;
    const Subscription  *wanted;
    SubscriptionHistory  after;
} SubscriptionPut;

static DbValue end_value(const Subscription *subscription)
{
    return subscription->ends ? db_whole(subscription->ends_at.us) : db_null();
}

// The version it is pinned to: the one it names, else the one in force when it starts.
static Err *version_choose(DbTx *tx, const SubscriptionPut *put, PlanVersion **version)
{
    const Subscription *wanted = put->wanted;
    PlanRef             ref = { put->change->by->project.id, wanted->plan, wanted->plan_version };
    bool                exists;
    TRY(catalog__plan_exists(tx, &ref, &exists));
    if (!exists)
        return refuse(db_arena(tx), ERR_PLAN_NOT_FOUND, STR("/plan"), "there is no plan %.*s",
                      STR_ARG(wanted->plan));
    if (ref.number != 0) {
        TRY(catalog__plan_version_find(tx, &ref, version));
        if (*version == NULL)
            return refuse(db_arena(tx), ERR_PLAN_VERSION_NOT_FOUND, STR("/planVersion"),
                          "plan %.*s has no version %lld", STR_ARG(wanted->plan),
                          (long long)ref.number);
        return NULL;
    }
    TRY(catalog__plan_version_at(tx, &ref, wanted->starts_at, version));
    if (*version == NULL)
        return refuse(db_arena(tx), ERR_PLAN_NOT_PUBLISHED, STR("/plan"),
                      "plan %.*s has no published version in force at startsAt",
                      STR_ARG(wanted->plan));
    return NULL;
}

// Before its row is there. What it names is checked as what a later change names is.
static TimelineCheck check_of(const SubscriptionPut *put, const SubscriptionHistory *history)
{
    return (TimelineCheck){ .change = put->change,
                            .history = history,
                            .from = history->first->starts_at,
                            .quantities = history->first->quantities };
}

static Err *account_get(DbTx *tx, ProjectId project, Str id, Account **account)
{
    TRY(catalog__account_find(tx, project, id, account));
    if (*account == NULL)
        return refuse(db_arena(tx), ERR_ACCOUNT_NOT_FOUND, STR("/account"),
                      "there is no account %.*s", STR_ARG(id));
    return NULL;
}

static Err *currency_check(DbTx *tx, const Account *account, const PlanVersion *version)
{
    if (account->currency.at == NULL || str_equal(account->currency, version->currency))
        return NULL;
    return refuse(db_arena(tx), ERR_CURRENCY_MISMATCH, STR("/plan"),
                  "the plan is in %.*s and the account in %.*s", STR_ARG(version->currency),
                  STR_ARG(account->currency));
}

static Err *subscription_add(DbTx *tx, const SubscriptionPut *put, const Subscription *made)
{
    ProjectId project = put->change->by->project.id;
    TRY(account_due_mark(tx, project, made->account));
    return db_run(tx, &sql[SUBSCRIPTION_ADD],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(made->id),
                            db_text(made->account), db_text(made->plan),
                            db_whole(made->plan_version), db_whole(made->starts_at.us),
                            end_value(made), db_text(made->quantities), db_whole(1),
                            db_whole(put->change->now.us), end_value(made),
                            db_text(made->overrides), db_text(made->phases),
                            db_text(made->usage_filter), db_whole(0)),
                  NULL);
}

// All that is checked of a new one; the version that it is pinned to.
static Err *subscription_check(DbTx *tx, const SubscriptionPut *put, Subscription *made)
{
    Account     *account;
    PlanVersion *version;
    *made = *put->wanted;
    TRY(account_get(tx, put->change->by->project.id, made->account, &account));
    TRY(version_choose(tx, put, &version));
    made->plan_version = version->number;
    made->first_ends = made->ends;
    made->first_ends_at = made->ends_at;
    made->created_at = put->change->now;
    TRY(currency_check(tx, account, version));
    SubscriptionHistory history = { .first = made };
    TimelineCheck       check = check_of(put, &history);
    return timeline_check(tx, &check);
}

static Err *subscription_make(DbTx *tx, const SubscriptionPut *put)
{
    Subscription        made;
    SubscriptionHistory history = { .first = &made };
    TRY(subscription_check(tx, put, &made));
    TimelineCheck check = check_of(put, &history);
    TRY(timeline_meters_note(tx, &check));
    return subscription_add(tx, put, &made);
}

static bool same_terms(const Subscription *before, const Subscription *wanted)
{
    return str_equal(before->account, wanted->account) && str_equal(before->plan, wanted->plan) &&
           (wanted->plan_version == 0 || wanted->plan_version == before->plan_version) &&
           before->starts_at.us == wanted->starts_at.us &&
           str_equal(before->quantities, wanted->quantities) &&
           str_equal(before->overrides, wanted->overrides) &&
           str_equal(before->phases, wanted->phases) &&
           str_equal(before->usage_filter, wanted->usage_filter);
}

// The end that was last asked for by PUT, whatever canceled it since.
static bool same_end(const SubscriptionHistory *history, const Subscription *wanted)
{
    bool    ends = history->first->first_ends;
    Instant end = history->first->first_ends_at;
    for (size_t i = 0; i < history->count; i++)
        if (history->changes[i].kind == CHANGE_END) {
            ends = history->changes[i].ends;
            end = history->changes[i].ends_at;
        }
    return ends == wanted->ends && (!ends || end.us == wanted->ends_at.us);
}

// From which instant on something is different. One end at least is there.
static Instant end_change_from(const SubscriptionHistory *history, const Subscription *wanted)
{
    Instant end;
    bool    ends = subscription_end(history, &end);
    if (!ends || (wanted->ends && wanted->ends_at.us < end.us))
        return wanted->ends_at;
    return end;
}

static Err *end_move(DbTx *tx, const SubscriptionPut *put, const SubscriptionHistory *before)
{
    const Subscription *wanted = put->wanted;
    SubscriptionChange  entry = { .kind = CHANGE_END,
                                  .ends = wanted->ends,
                                  .ends_at = wanted->ends_at,
                                  .effective_at = end_change_from(before, wanted) };
    if (subscription_cancellation(before) != NULL)
        return refuse(db_arena(tx), ERR_SUBSCRIPTION_CANCELED, STR("/endsAt"),
                      "subscription %.*s is canceled from %.*s on", STR_ARG(before->first->id),
                      STR_ARG(instant_print(db_arena(tx), before->first->ends_at)));
    return catalog__log_append(tx, put->change, before, &entry);
}

// One that is there already: the same again, or with another end.
static Err *subscription_again(DbTx *tx, const SubscriptionPut *put, const Subscription *before)
{
    SubscriptionHistory history;
    if (!same_terms(before, put->wanted))
        return refuse(db_arena(tx), ERR_SUBSCRIPTION_IMMUTABLE, STR_NONE,
                      "subscription %.*s exists with other terms: they change by POST "
                      "/v1/subscriptions/{id}/change; only endsAt may change here",
                      STR_ARG(put->wanted->id));
    TRY(catalog__expect(put->change, db_arena(tx), before->version));
    TRY(catalog__history_read(tx, put->change->by->project.id, before, &history));
    return same_end(&history, put->wanted) ? NULL : end_move(tx, put, &history);
}

static Str subscription_text(Arena *arena, const SubscriptionHistory *history, Instant now)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    subscription_to_json(history, now, &out);
    return text_str(&text);
}

static Err *put_work(DbTx *tx, void *context)
{
    SubscriptionPut *put = context;
    ProjectId        project = put->change->by->project.id;
    Subscription    *before, *after;
    TRY(catalog__subscription_find(tx, project, put->wanted->id, &before));
    if (before != NULL) {
        TRY(subscription_again(tx, put, before));
    } else {
        TRY(catalog__expect(put->change, db_arena(tx), 0));
        TRY(subscription_make(tx, put));
    }
    TRY(catalog__subscription_find(tx, project, put->wanted->id, &after));
    TRY(catalog__history_read(tx, project, after, &put->after));
    if (before != NULL)
        return NULL;  // an entry of the log notes itself
    return catalog__audit(tx, put->change, "subscription.put", put->wanted->id,
                          subscription_text(db_arena(tx), &put->after, put->change->now));
}

static Err *check_work(DbTx *tx, void *context)
{
    SubscriptionPut *put = context;
    Subscription    *before, *made = arena_new(db_arena(tx), Subscription);
    TRY(catalog__subscription_find(tx, put->change->by->project.id, put->wanted->id, &before));
    put->after = (SubscriptionHistory){ 0 };
    if (before != NULL)
        return NULL;
    TRY(subscription_check(tx, put, made));
    put->after.first = made;
    return NULL;
}

Err *catalog_subscription_check(const CatalogChange *change, const Subscription *subscription,
                                SubscriptionHistory *made)
{
    SubscriptionPut put = { .change = change, .wanted = subscription };
    uint64_t        names;
    TRY(catalog_accounts_catch_up(change->catalog, change->arena, &names));
    TRY(db_read(change->catalog->db, change->arena, check_work, &put));
    *made = put.after;
    return NULL;
}

Err *catalog_subscription_put(const CatalogChange *change, const Subscription *subscription,
                              SubscriptionHistory *stored)
{
    SubscriptionPut put = { .change = change, .wanted = subscription };
    uint64_t        names;
    TRY(catalog_accounts_catch_up(change->catalog, change->arena, &names));
    TRY(db_write(change->catalog->db, change->arena,
                 (DbWrite){ .work = put_work, .context = &put }));
    *stored = put.after;
    return NULL;
}

// ---- reading

typedef struct SubscriptionGet {
    ProjectId     project;
    Str           id;
    Subscription *found;
} SubscriptionGet;

static Err *get_work(DbTx *tx, void *context)
{
    SubscriptionGet *get = context;
    return catalog__subscription_find(tx, get->project, get->id, &get->found);
}

Err *catalog_subscription_get(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                              Subscription **subscription)
{
    SubscriptionGet get = { .project = project, .id = id };
    TRY(db_read(catalog->db, arena, get_work, &get));
    if (get.found == NULL)
        return refuse(arena, ERR_SUBSCRIPTION_NOT_FOUND, STR_NONE, "there is no subscription %.*s",
                      STR_ARG(id));
    *subscription = get.found;
    return NULL;
}

typedef struct SubscriptionList {
    const CatalogPage *page;
    Subscription      *subscriptions;
    size_t             count;
} SubscriptionList;

static Err *list_rows(DbTx *tx, const CatalogPage *page, DbRows *rows)
{
    DbValue tenant = db_text(page->project.tenant), project = db_text(page->project.id);
    DbValue after = catalog__after(page->after), limit = db_whole((int64_t)page->limit);
    DbValue plan = db_text(page->plan);
    if (page->account.at != NULL)
        return db_rows(tx, &sql[ACCOUNT_AFTER],
                       DB_VALUES(tenant, project, db_text(page->account), after, limit), rows);
    if (page->plan.at != NULL)
        return db_rows(tx, &sql[PLAN_AFTER],
                       DB_VALUES(tenant, project, after, plan, tenant, project, plan, limit),
                       rows);
    return db_rows(tx, &sql[SUBSCRIPTIONS_AFTER], DB_VALUES(tenant, project, after, limit), rows);
}

static Err *list_work(DbTx *tx, void *context)
{
    SubscriptionList *list = context;
    DbRows            rows;
    TRY(list_rows(tx, list->page, &rows));
    list->subscriptions = arena_array(db_arena(tx), Subscription, rows.count);
    list->count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        list->subscriptions[i] = *subscription_read(db_arena(tx), &rows.at[i]);
    return NULL;
}

Err *catalog_subscriptions(Catalog *catalog, Arena *arena, const CatalogPage *page,
                           Subscription **subscriptions, size_t *count)
{
    SubscriptionList list = { .page = page };
    TRY(db_read(catalog->db, arena, list_work, &list));
    *subscriptions = list.subscriptions;
    *count = list.count;
    return NULL;
}

typedef struct HistoryList {
    SubscriptionList     rows;
    SubscriptionHistory *histories;
} HistoryList;

static Err *histories_work(DbTx *tx, void *context)
{
    HistoryList *list = context;
    TRY(list_work(tx, &list->rows));
    list->histories = arena_array(db_arena(tx), SubscriptionHistory, list->rows.count);
    for (size_t i = 0; i < list->rows.count; i++)
        TRY(catalog__history_read(tx, list->rows.page->project, &list->rows.subscriptions[i],
                                  &list->histories[i]));
    return NULL;
}

Err *catalog__histories_of(DbTx *tx, DbNames accounts, SubscriptionHistory **histories,
                           size_t *count)
{
    DbRows    rows;
    ProjectId project = { accounts.tenant, accounts.project };
    TRY(db_rows_of(tx, &sql[SUBSCRIPTIONS_OF], accounts, &rows));
    *histories = arena_array(db_arena(tx), SubscriptionHistory, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(catalog__history_read(tx, project, subscription_read(db_arena(tx), &rows.at[i]),
                                  &(*histories)[i]));
    return NULL;
}

Err *catalog_histories(Catalog *catalog, Arena *arena, const CatalogPage *page,
                       SubscriptionHistory **histories, size_t *count)
{
    HistoryList list = { .rows = { .page = page } };
    TRY(db_read(catalog->db, arena, histories_work, &list));
    *histories = list.histories;
    *count = list.rows.count;
    return NULL;
}

Err *catalog_account_histories(Catalog *catalog, Arena *arena, ProjectId project, Str account,
                               AccountHistories *histories)
{
    CatalogPage all = { .project = project, .limit = INT32_MAX, .account = account };
    return catalog_histories(catalog, arena, &all, &histories->at, &histories->count);
}
