// SPDX-License-Identifier: Apache-2.0
// Moving many subscriptions to another version of their plan. Each is checked before anything of it
// is written, so one that cannot be moved does not hold up the others of its transaction.
#include "base/assert.h"
#include "catalog/catalog_inside.h"
#include "catalog/terms.h"

const char *const migration_outcome_names[] = { "moved", "already", "refused", "other", NULL };

typedef struct Group {
    const CatalogChange *change;
    const Migration     *migration;
    Migrating           *each;
    size_t               count;
} Group;

// ---- one

static MigrationOutcome outcome_of(Arena *arena, const Migration *migration,
                                   const SubscriptionHistory *history, Instant at)
{
    SubscriptionTerms *list;
    size_t             count = subscription_terms(arena, history, &list);
    if (count == 0 || at.us < list[0].start.us ||
        (list[count - 1].ends && at.us >= list[count - 1].end.us))
        return MIGRATION_OTHER;
    const SubscriptionTerms *terms = terms_at(list, count, at);
    if (!str_equal(terms->plan, migration->plan))
        return MIGRATION_OTHER;
    if (terms->plan_version == migration->to)
        return MIGRATION_ALREADY;
    return terms->plan_version == migration->from ? MIGRATION_MOVED : MIGRATION_OTHER;
}

static Err *one_move(DbTx *tx, const Group *group, const SubscriptionHistory *history,
                     Migrating *one)
{
    const Migration    *migration = group->migration;
    SubscriptionChange *entry = arena_new(db_arena(tx), SubscriptionChange);
    *entry = (SubscriptionChange){ .kind = CHANGE_MIGRATE,
                                   .effective_at = one->at,
                                   .plan = migration->plan,
                                   .plan_version = migration->to,
                                   .from_version = migration->from };
    Err *err = catalog__log_check(tx, group->change, history, entry);
    if (err != NULL && err->code == ERR_STORE_FAILED)
        return err;
    one->refusal = err;
    one->change = err == NULL ? entry : NULL;
    one->outcome = err == NULL ? MIGRATION_MOVED : MIGRATION_REFUSED;
    if (err != NULL || migration->is_dry)
        return NULL;
    return catalog__log_append(tx, group->change, history, entry);
}

static Err *group_work(DbTx *tx, void *context)
{
    const Group *group = context;
    ProjectId    project = group->change->by->project.id;
    for (size_t i = 0; i < group->count; i++) {
        Migrating          *one = &group->each[i];
        SubscriptionHistory history;
        TRY(catalog__history_get(tx, project, one->subscription, &history));
        one->refusal = NULL;
        one->change = NULL;
        one->outcome = outcome_of(db_arena(tx), group->migration, &history, one->at);
        if (one->outcome == MIGRATION_MOVED)
            TRY(one_move(tx, group, &history, one));
    }
    return NULL;
}

// ---- what all have in common

static Err *version_check(DbTx *tx, const Group *group, int64_t number, Str pointer, Str *currency)
{
    PlanRef      ref = { group->change->by->project.id, group->migration->plan, number };
    PlanVersion *version;
    TRY(catalog__plan_version_find(tx, &ref, &version));
    if (version == NULL || !version->published)
        return refuse(db_arena(tx), ERR_PLAN_VERSION_NOT_FOUND, pointer,
                      "plan %.*s has no version %lld", STR_ARG(ref.plan), (long long)number);
    *currency = version->currency;
    return NULL;
}

static Err *versions_work(DbTx *tx, void *context)
{
    const Group     *group = context;
    const Migration *migration = group->migration;
    PlanRef          ref = { .project = group->change->by->project.id, .plan = migration->plan };
    bool             exists;
    Str              from, to;
    TRY(catalog__plan_exists(tx, &ref, &exists));
    if (!exists)
        return refuse(db_arena(tx), ERR_PLAN_NOT_FOUND, STR_NONE, "there is no plan %.*s",
                      STR_ARG(ref.plan));
    TRY(version_check(tx, group, migration->from, STR("/from"), &from));
    TRY(version_check(tx, group, migration->to, STR("/to"), &to));
    if (migration->from == migration->to)
        return refuse(db_arena(tx), ERR_FIELD_INVALID, STR("/to"),
                      "to must be another version than from");
    if (!str_equal(from, to))
        return refuse(db_arena(tx), ERR_CURRENCY_MISMATCH, STR("/to"),
                      "version %lld is in %.*s and version %lld in %.*s",
                      (long long)migration->from, STR_ARG(from), (long long)migration->to,
                      STR_ARG(to));
    return NULL;
}

Err *catalog_subscriptions_migrate(const CatalogChange *change, const Migration *migration,
                                   Migrating *each, size_t count)
{
    Group group = { .change = change, .migration = migration };
    Db   *db = change->catalog->db;
    TRY(db_read(db, change->arena, versions_work, &group));
    for (size_t done = 0; done < count; done += group.count) {
        group.each = &each[done];
        group.count = count - done < MIGRATION_GROUP ? count - done : MIGRATION_GROUP;
        if (migration->is_dry)
            TRY(db_read(db, change->arena, group_work, &group));
        else
            TRY(db_write(db, change->arena, (DbWrite){ .work = group_work, .context = &group }));
    }
    return NULL;
}
