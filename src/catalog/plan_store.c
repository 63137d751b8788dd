// SPDX-License-Identifier: Apache-2.0
// Plans: a row with the draft, and rows of published versions that are never changed. The plan's
// version counts every change, so that no entity tag comes twice.
#include "base/assert.h"
#include "catalog/body.h"
#include "catalog/catalog_inside.h"
#include "price/plan.h"

enum {
    PLAN_GET,
    PLAN_ADD,
    PLAN_SET,
    PLANS_AFTER,
    VERSION_GET,
    VERSION_NEWEST,
    VERSION_AT,
    VERSION_FROM,
    VERSION_ADD,
    VERSIONS_AFTER,
    METER_ADD,
    STATEMENTS
};

#define VERSION_COLUMNS "v.plan, v.number, v.document, v.currency, v.effective_from, v.published_at"
#define VERSION_OF \
    "select " VERSION_COLUMNS " from plan_version v" \
    " where v.tenant = ? and v.project = ? and v.plan = ?"

static const Statement sql[STATEMENTS] = {
    [PLAN_GET] = { "select id, draft, draft_currency, version from plan"
                   " where tenant = ? and project = ? and id = ?" },
    [PLAN_ADD] = { "insert into plan (tenant, project, id, draft, draft_currency, version, "
                   "created_at)"
                   " values (?, ?, ?, ?, ?, 1, ?)" },
    [PLAN_SET] = { "update plan set draft = ?, draft_currency = ?, version = version + 1"
                   " where tenant = ? and project = ? and id = ? and version = ?" },
    [PLANS_AFTER] = { "select id, draft, draft_currency, version from plan"
                      " where tenant = ? and project = ? and id > ? order by id limit ?" },
    [VERSION_GET] = { VERSION_OF " and v.number = ?" },
    [VERSION_NEWEST] = { VERSION_OF " order by v.number desc limit 1" },
    [VERSION_AT] = { VERSION_OF
                     " and v.effective_from <= ? order by v.effective_from desc limit 1" },
    [VERSION_FROM] = { VERSION_OF " and v.effective_from = ?" },
    [VERSION_ADD] = { "insert into plan_version (tenant, project, plan, number, document, currency,"
                      " effective_from, published_at) values (?, ?, ?, ?, ?, ?, ?, ?)" },
    [VERSIONS_AFTER] = { VERSION_OF " and v.number > ? order by v.number limit ?" },
    [METER_ADD] = { "insert into plan_meter (tenant, project, meter, plan, number)"
                    " values (?, ?, ?, ?, ?)" },
};

const StatementTable catalog__plan_table = { "plans", sql, STATEMENTS };

// ---- rows

typedef struct PlanRow {
    Str     id, draft, draft_currency;  // draft is STR_NONE when there is none
    int64_t version;
} PlanRow;

static PlanRow plan_row(const DbRow *row)
{
    return (PlanRow){ row_text(row, 0), row_text(row, 1), row_text(row, 2), row_whole(row, 3) };
}

// An id of STR_NONE: there is no such plan.
static Err *plan_find(DbTx *tx, ProjectId project, Str id, PlanRow *plan)
{
    DbRow row;
    TRY(db_find(tx, &sql[PLAN_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    *plan = row.columns == NULL ? (PlanRow){ 0 } : plan_row(&row);
    return NULL;
}

Err *catalog__plan_exists(DbTx *tx, const PlanRef *ref, bool *exists)
{
    PlanRow plan;
    TRY(plan_find(tx, ref->project, ref->plan, &plan));
    *exists = plan.id.at != NULL;
    return NULL;
}

static PlanVersion *version_read(Arena *arena, const DbRow *row)
{
    PlanVersion *version = arena_new(arena, PlanVersion);
    *version = (PlanVersion){
        .plan = row_text(row, 0),
        .number = row_whole(row, 1),
        .document = row_text(row, 2),
        .currency = row_text(row, 3),
        .published = true,
        .effective_from = { row_whole(row, 4) },
        .published_at = { row_whole(row, 5) },
    };
    return version;
}

static PlanVersion *draft_read(Arena *arena, const PlanRow *plan)
{
    PlanVersion *version = arena_new(arena, PlanVersion);
    *version = (PlanVersion){ .plan = plan->id,
                              .number = PLAN_DRAFT,
                              .document = plan->draft,
                              .currency = plan->draft_currency,
                              .version = plan->version };
    return version;
}

// One version by a statement that takes, after the plan, at most one whole number.
static Err *version_find(DbTx *tx, const Statement *statement, const PlanRef *ref, DbValue value,
                         PlanVersion **version)
{
    DbValue values[4] = { db_text(ref->project.tenant), db_text(ref->project.id),
                          db_text(ref->plan), value };
    DbRow   row;
    TRY(db_find(tx, statement, (DbValues){ values, value.kind == DB_NULL ? 3 : 4 }, &row));
    *version = row.columns == NULL ? NULL : version_read(db_arena(tx), &row);
    return NULL;
}

Err *catalog__plan_version_find(DbTx *tx, const PlanRef *ref, PlanVersion **version)
{
    PlanRow plan;
    if (ref->number != PLAN_DRAFT)
        return version_find(tx, &sql[VERSION_GET], ref, db_whole(ref->number), version);
    TRY(plan_find(tx, ref->project, ref->plan, &plan));
    *version = plan.draft.at == NULL ? NULL : draft_read(db_arena(tx), &plan);
    return NULL;
}

Err *catalog__plan_version_at(DbTx *tx, const PlanRef *plan, Instant at, PlanVersion **version)
{
    return version_find(tx, &sql[VERSION_AT], plan, db_whole(at.us), version);
}

// The draft, or the newest version; with the plan's version for its entity tag.
static Err *current_find(DbTx *tx, const PlanRef *ref, const PlanRow *plan, PlanVersion **version)
{
    if (plan->draft.at != NULL) {
        *version = draft_read(db_arena(tx), plan);
        return NULL;
    }
    TRY(version_find(tx, &sql[VERSION_NEWEST], ref, db_null(), version));
    assert_that(*version != NULL);  // a plan has a draft or was published
    (*version)->version = plan->version;
    return NULL;
}

static Err *not_found(Arena *arena, Str id)
{
    return refuse(arena, ERR_PLAN_NOT_FOUND, STR_NONE, "there is no plan %.*s", STR_ARG(id));
}

// ---- the draft

typedef struct PlanPut {
    const CatalogChange *change;
    Str                  id, document, currency;
    PlanVersion         *after;
} PlanPut;

static Err *put_work(DbTx *tx, void *context)
{
    PlanPut  *put = context;
    ProjectId project = put->change->by->project.id;
    PlanRow   before;
    uint64_t  changed;
    TRY(plan_find(tx, project, put->id, &before));
    TRY(catalog__expect(put->change, db_arena(tx), before.version));
    if (before.draft.at != NULL && str_equal(before.draft, put->document)) {
        put->after = draft_read(db_arena(tx), &before);
        return NULL;
    }
    if (before.id.at == NULL)
        TRY(db_run(tx, &sql[PLAN_ADD],
                   DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(put->id),
                             db_text(put->document), db_text(put->currency),
                             db_whole(put->change->now.us)),
                   &changed));
    else
        TRY(db_run(tx, &sql[PLAN_SET],
                   DB_VALUES(db_text(put->document), db_text(put->currency),
                             db_text(project.tenant), db_text(project.id), db_text(put->id),
                             db_whole(before.version)),
                   &changed));
    assert_that(changed == 1);
    TRY(plan_find(tx, project, put->id, &before));
    put->after = draft_read(db_arena(tx), &before);
    return catalog__audit(tx, put->change, "plan.put", put->id, put->document);
}

Err *catalog_plan_put(const CatalogChange *change, Str id, const Json *document,
                      PlanVersion **stored)
{
    Faults faults = { .arena = change->arena };
    if (!name_is_valid(id))
        faults_add(
            &faults, ERR_PARAMETER_INVALID, STR_NONE,
            "a plan's id has 1 to 128 letters, digits, dots, underscores, colons or hyphens");
    Plan *plan = plan_from_json(document, STR(""), id, &faults);
    if (faults.first != NULL)
        return faults.first;
    PlanPut put = { .change = change,
                    .id = id,
                    .document = plan_text(change->arena, document),
                    .currency = currency_code(&plan->currency) };
    TRY(db_write(change->catalog->db, change->arena,
                 (DbWrite){ .work = put_work, .context = &put }));
    *stored = put.after;
    return NULL;
}

// ---- publishing

typedef struct Publishing {
    const CatalogChange *change;
    PlanRef              ref;
    Instant              effective_from;
    PlanVersion         *after;
} Publishing;

Err *catalog__meters_note(DbTx *tx, const PlanRef *ref, const Plan *plan)
{
    for (size_t i = 0; i < plan->charge_count; i++)
        for (size_t k = 0; k < charge_meter_count(&plan->charges[i]); k++) {
            bool added;
            TRY(db_insert(tx, &sql[METER_ADD],
                          DB_VALUES(db_text(ref->project.tenant), db_text(ref->project.id),
                                    db_text(charge_meter(&plan->charges[i], k)),
                                    db_text(ref->plan), db_whole(ref->number)),
                          &added));
        }
    return NULL;
}

static Err *draft_drop(DbTx *tx, const PlanRef *ref, int64_t version)
{
    uint64_t changed;
    TRY(db_run(tx, &sql[PLAN_SET],
               DB_VALUES(db_null(), db_null(), db_text(ref->project.tenant),
                         db_text(ref->project.id), db_text(ref->plan), db_whole(version)),
               &changed));
    assert_that(changed == 1);
    return NULL;
}

static Err *version_add(DbTx *tx, const Publishing *publishing, const PlanRow *plan)
{
    PlanRef      ref = publishing->ref;
    PlanVersion *newest;
    CheckedPlans plans;
    TRY(catalog__plan_check(tx, &(PlanDraft){ ref, plan->draft, plan->draft_currency }, &plans));
    TRY(version_find(tx, &sql[VERSION_NEWEST], &ref, db_null(), &newest));
    ref.number = newest == NULL ? 1 : newest->number + 1;
    TRY(db_run(tx, &sql[VERSION_ADD],
               DB_VALUES(db_text(ref.project.tenant), db_text(ref.project.id), db_text(ref.plan),
                         db_whole(ref.number), db_text(plan->draft), db_text(plan->draft_currency),
                         db_whole(publishing->effective_from.us),
                         db_whole(publishing->change->now.us)),
               NULL));
    for (size_t i = 0; i < plans.count; i++)
        TRY(catalog__meters_note(tx, &ref, plans.at[i]));
    return draft_drop(tx, &ref, plan->version);
}

// A retry of a publication that has happened: no draft, or the same one written again.
static bool is_again(const PlanRow *plan, const PlanVersion *taken)
{
    return plan->draft.at == NULL || str_equal(plan->draft, taken->document);
}

static Err *publish_work(DbTx *tx, void *context)
{
    Publishing    *publishing = context;
    const PlanRef *ref = &publishing->ref;
    DbValue        from = db_whole(publishing->effective_from.us);
    Arena         *arena = db_arena(tx);
    PlanRow        plan;
    PlanVersion   *taken;
    TRY(plan_find(tx, ref->project, ref->plan, &plan));
    if (plan.id.at == NULL)
        return not_found(arena, ref->plan);
    TRY(version_find(tx, &sql[VERSION_FROM], ref, from, &taken));
    if (taken != NULL && is_again(&plan, taken)) {
        publishing->after = taken;
        return plan.draft.at == NULL ? NULL : draft_drop(tx, ref, plan.version);
    }
    if (plan.draft.at == NULL)
        return refuse(arena, ERR_PLAN_NO_DRAFT, STR_NONE, "plan %.*s has no draft",
                      STR_ARG(ref->plan));
    if (taken != NULL)
        return refuse(arena, ERR_EFFECTIVE_FROM_TAKEN, STR("/effectiveFrom"),
                      "version %lld of the plan is effective from that instant",
                      (long long)taken->number);
    TRY(catalog__expect(publishing->change, arena, plan.version));
    TRY(version_add(tx, publishing, &plan));
    TRY(version_find(tx, &sql[VERSION_FROM], ref, from, &publishing->after));
    return catalog__audit(tx, publishing->change, "plan.publish", ref->plan,
                          publishing->after->document);
}

Err *catalog_plan_publish(const CatalogChange *change, Str id, Instant effective_from,
                          PlanVersion **stored)
{
    Publishing publishing = { .change = change,
                              .effective_from = effective_from,
                              .ref = { .project = change->by->project.id, .plan = id } };
    TRY(db_write(change->catalog->db, change->arena,
                 (DbWrite){ .work = publish_work, .context = &publishing }));
    *stored = publishing.after;
    return NULL;
}

// ---- reading

typedef struct PlanGet {
    PlanRef      ref;
    PlanVersion *found;
} PlanGet;

static Err *get_work(DbTx *tx, void *context)
{
    PlanGet *get = context;
    PlanRow  plan;
    TRY(plan_find(tx, get->ref.project, get->ref.plan, &plan));
    if (plan.id.at == NULL)
        return not_found(db_arena(tx), get->ref.plan);
    return current_find(tx, &get->ref, &plan, &get->found);
}

Err *catalog_plan_get(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                      PlanVersion **version)
{
    PlanGet get = { .ref = { .project = project, .plan = id } };
    TRY(db_read(catalog->db, arena, get_work, &get));
    *version = get.found;
    return NULL;
}

static Err *version_work(DbTx *tx, void *context)
{
    PlanGet *get = context;
    bool     exists;
    TRY(catalog__plan_exists(tx, &get->ref, &exists));
    if (!exists)
        return not_found(db_arena(tx), get->ref.plan);
    return catalog__plan_version_find(tx, &get->ref, &get->found);
}

Err *catalog_plan_version_get(Catalog *catalog, Arena *arena, const PlanRef *ref,
                              PlanVersion **version)
{
    PlanGet get = { .ref = *ref };
    TRY(db_read(catalog->db, arena, version_work, &get));
    if (get.found == NULL)
        return refuse(arena, ERR_PLAN_VERSION_NOT_FOUND, STR_NONE, "plan %.*s has no version %lld",
                      STR_ARG(ref->plan), (long long)ref->number);
    *version = get.found;
    return NULL;
}

typedef struct PlanList {
    const CatalogPage *page;
    PlanVersion       *versions;
    size_t             count;
} PlanList;

static Err *plans_work(DbTx *tx, void *context)
{
    PlanList *list = context;
    DbRows    rows;
    TRY(db_rows(tx, &sql[PLANS_AFTER],
                DB_VALUES(db_text(list->page->project.tenant), db_text(list->page->project.id),
                          catalog__after(list->page->after), db_whole((int64_t)list->page->limit)),
                &rows));
    list->versions = arena_array(db_arena(tx), PlanVersion, rows.count);
    list->count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        PlanRow      plan = plan_row(&rows.at[i]);
        PlanRef      ref = { .project = list->page->project, .plan = plan.id };
        PlanVersion *version;
        TRY(current_find(tx, &ref, &plan, &version));
        list->versions[i] = *version;
    }
    return NULL;
}

Err *catalog_plans(Catalog *catalog, Arena *arena, const CatalogPage *page, PlanVersion **plans,
                   size_t *count)
{
    PlanList list = { .page = page };
    TRY(db_read(catalog->db, arena, plans_work, &list));
    *plans = list.versions;
    *count = list.count;
    return NULL;
}

static Err *versions_work(DbTx *tx, void *context)
{
    PlanList *list = context;
    PlanRow   plan;
    uint64_t  after = 0;
    DbRows    rows;
    TRY(plan_find(tx, list->page->project, list->page->plan, &plan));
    if (plan.id.at == NULL)
        return not_found(db_arena(tx), list->page->plan);
    if (list->page->after.at != NULL && !str_whole(list->page->after, INT64_MAX, &after))
        return refuse(db_arena(tx), ERR_CURSOR_INVALID, STR_NONE, "the cursor is not of this list");
    TRY(db_rows(tx, &sql[VERSIONS_AFTER],
                DB_VALUES(db_text(list->page->project.tenant), db_text(list->page->project.id),
                          db_text(list->page->plan), db_whole((int64_t)after),
                          db_whole((int64_t)list->page->limit)),
                &rows));
    list->versions = arena_array(db_arena(tx), PlanVersion, rows.count);
    list->count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        list->versions[i] = *version_read(db_arena(tx), &rows.at[i]);
    return NULL;
}

Err *catalog_plan_versions(Catalog *catalog, Arena *arena, const CatalogPage *page,
                           PlanVersion **versions, size_t *count)
{
    PlanList list = { .page = page };
    TRY(db_read(catalog->db, arena, versions_work, &list));
    *versions = list.versions;
    *count = list.count;
    return NULL;
}
