// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <sodium.h>

#include "base/assert.h"
#include "catalog/catalog_inside.h"
#include "catalog/due.h"
#include "catalog/settings.h"

const StatementTable *const catalog_tables[] = {
    &audit_table,
    &catalog__project_table,
    &catalog__meter_table,
    &catalog__account_table,
    &catalog__plan_table,
    &catalog__subscription_table,
    &catalog__log_table,
    &catalog__settings_table,
    &catalog__due_table,
    NULL,
};

Err *catalog__expect(const CatalogChange *change, Arena *arena, int64_t version)
{
    if (change->expected == EXPECT_ANY || change->expected == version)
        return NULL;
    if (version == 0)
        return refuse(arena, ERR_PRECONDITION_FAILED, STR_NONE, "there is no such object yet");
    if (change->expected == EXPECT_ABSENT)
        return refuse(arena, ERR_PRECONDITION_FAILED, STR_NONE, "the object is there already");
    return refuse(arena, ERR_PRECONDITION_FAILED, STR_NONE,
                  "the object is at version %lld now; read it again", (long long)version);
}

Err *catalog__audit(DbTx *tx, const CatalogChange *change, const char *action, Str object,
                    Str detail)
{
    const ProjectId *project = &change->by->project.id;
    return audit_add(tx,
                     &(AuditEntry){
                         .tenant = project->tenant,
                         .project = project->id,
                         .at = change->now,
                         .who = str_print(db_arena(tx), "key:%.*s", STR_ARG(change->by->key_id)),
                         .action = str_of(action),
                         .object = object,
                         .detail = detail,
                     });
}

static Err *mirror_fill(DbTx *tx, void *context)
{
    Catalog *catalog = context;
    TRY(catalog__projects_load(tx, catalog->mirror));
    TRY(catalog__meters_load(tx, catalog->mirror));
    return catalog__accounts_load(tx, catalog);
}

Err *catalog_open(Arena *arena, Db *db, const Pepper *pepper, Catalog **opened)
{
    assert_that(sodium_init() >= 0);
    Catalog *catalog = memory_take(sizeof *catalog);
    catalog->db = db;
    catalog->pepper = *pepper;
    catalog->mirror = mirror_open();
    catalog->plans = plan_cache_open();
    catalog->patched = plan_cache_open();
    Err *err = db_read(db, arena, mirror_fill, catalog);
    if (err != NULL) {
        catalog_close(catalog);
        return err;
    }
    *opened = catalog;
    return NULL;
}

static Err *refresh_work(DbTx *tx, void *context)
{
    const Catalog *catalog = context;
    return catalog__projects_load(tx, catalog->mirror);
}

Err *catalog_refresh(Catalog *catalog, Arena *arena)
{
    TRY(db_read(catalog->db, arena, refresh_work, catalog));
    return catalog->source.account == NULL ? NULL : catalog__accounts_made_take(catalog, arena);
}

void catalog_tell_accounts(Catalog *catalog)
{
    catalog->tells = true;
}

void catalog_close(Catalog *catalog)
{
    if (catalog == NULL)
        return;
    mirror_close(catalog->mirror);
    plan_cache_close(catalog->plans);
    plan_cache_close(catalog->patched);
    sodium_memzero(&catalog->pepper, sizeof catalog->pepper);
    memory_release(catalog);
}

static Err *unauthenticated(Arena *arena)
{
    return refuse(arena, ERR_UNAUTHENTICATED, STR_NONE,
                  "the request needs an Authorization header with a valid bearer key");
}

static bool key_find(Catalog *catalog, Str secret, Key *key)
{
    if (mirror_secret_find(catalog->mirror, secret, key))
        return true;
    if (!key_is_wellformed(secret))
        return false;
    KeyHash hash = key_hash(secret, &catalog->pepper);
    if (!mirror_key_find(catalog->mirror, &hash, key))
        return false;
    mirror_secret_note(catalog->mirror, secret, &hash);
    return true;
}

Err *catalog_authenticate(Catalog *catalog, Arena *arena, Str bearer, Instant now,
                          Principal *principal)
{
    Key       key;
    Principal found;
    if (!key_find(catalog, bearer, &key) || (key.expires && key.expires_at.us <= now.us))
        return unauthenticated(arena);
    assert_that(mirror_project_find(catalog->mirror, key.project.id, &found.project));
    found.key_id = key.id;
    found.scopes = key.scopes;
    *principal = found;
    return NULL;
}

Project catalog_project_get(Catalog *catalog, ProjectId project)
{
    Project found;
    bool    is_known = mirror_project_find(catalog->mirror, project.id, &found);
    assert_that(is_known && str_equal(found.id.tenant, project.tenant));
    return found;
}

bool catalog_event_known(Catalog *catalog, Str project, Str event)
{
    return mirror_event_known(catalog->mirror, project, event);
}

bool catalog_account_known(Catalog *catalog, Str project, Str account)
{
    return mirror_account_known(catalog->mirror, project, account);
}
