// SPDX-License-Identifier: Apache-2.0
// Tenants, projects and keys. A key's row never holds its secret.
#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "catalog/catalog_inside.h"

enum {
    TENANT_ADD,
    PROJECT_ADD,
    PROJECTS_ALL,
    CLOCK_GET,
    CLOCK_SET,
    KEY_ADD,
    KEYS_ALL,
    STATEMENTS
};

static const Statement sql[STATEMENTS] = {
    [TENANT_ADD] = { "insert into tenant (id, name, created_at) values (?, ?, ?)" },
    [PROJECT_ADD] = { "insert into project (tenant, id, name, time_zone, unknown_accounts, "
                      "horizon_us,"
                      " version, created_at, mode) values (?, ?, ?, ?, ?, ?, 1, ?, ?)" },
    [PROJECTS_ALL] = { "select tenant, id, name, time_zone, unknown_accounts, horizon_us, version,"
                       " mode, clock_us from project order by tenant, id" },
    [CLOCK_GET] = { "select mode, clock_us from project where tenant = ? and id = ?" },
    [CLOCK_SET] = { "update project set clock_us = ? where tenant = ? and id = ?" },
    [KEY_ADD] = { "insert into api_key (tenant, project, id, name, hash, scopes, expires_at, "
                  "created_at)"
                  " values (?, ?, ?, ?, ?, ?, ?, ?)" },
    [KEYS_ALL] = { "select tenant, project, id, name, hash, scopes, expires_at, created_at from "
                   "api_key"
                   " order by tenant, project, id" },
};

const StatementTable catalog__project_table = { "projects and keys", sql, STATEMENTS };

static Project project_read(Arena *arena, const DbRow *row, bool *whole)
{
    Project project = {
        .id = { row_text(row, 0), row_text(row, 1) },
        .name = row_text(row, 2),
        .time_zone = row_text(row, 3),
        .horizon_us = row_whole(row, 5),
        .version = row_whole(row, 6),
    };
    (void)arena;
    *whole = unknown_accounts_find(row_text(row, 4), &project.unknown_accounts) &&
             (row_is_null(row, 7) || project_mode_find(row_text(row, 7), &project.mode));
    project.has_clock = !row_is_null(row, 8);
    if (project.has_clock)
        project.clock.us = row_whole(row, 8);
    return project;
}

static bool key_read(const DbRow *row, Key *key)
{
    Str hash = row_blob(row, 4);
    *key = (Key){
        .project = { row_text(row, 0), row_text(row, 1) },
        .id = row_text(row, 2),
        .name = row_text(row, 3),
        .expires = !row_is_null(row, 6),
        .created_at = { row_whole(row, 7) },
    };
    if (key->expires)
        key->expires_at.us = row_whole(row, 6);
    if (hash.length != sizeof key->hash.bytes)
        return false;
    for (size_t i = 0; i < hash.length; i++)
        key->hash.bytes[i] = (unsigned char)hash.at[i];
    return scopes_parse(row_text(row, 5), &key->scopes);
}

static Err *damaged(DbTx *tx, const char *what, Str id)
{
    return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE, "the row of %s %.*s cannot be read",
                  what, STR_ARG(id));
}

static Err *projects_read(DbTx *tx, Project **projects, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[PROJECTS_ALL], (DbValues){ 0 }, &rows));
    *projects = arena_array(db_arena(tx), Project, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        bool whole;
        (*projects)[i] = project_read(db_arena(tx), &rows.at[i], &whole);
        if (!whole)
            return damaged(tx, "project", row_text(&rows.at[i], 1));
    }
    return NULL;
}

Err *catalog__projects_load(DbTx *tx, Mirror *mirror)
{
    Project *projects;
    size_t   count;
    DbRows   rows;
    TRY(projects_read(tx, &projects, &count));
    for (size_t i = 0; i < count; i++)
        mirror_project_set(mirror, &projects[i]);
    TRY(db_rows(tx, &sql[KEYS_ALL], (DbValues){ 0 }, &rows));
    Key *keys = arena_array(db_arena(tx), Key, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        if (!key_read(&rows.at[i], &keys[i]))
            return damaged(tx, "key", row_text(&rows.at[i], 2));
        mirror_key_set(mirror, &keys[i]);
    }
    mirror_keys_keep(mirror, keys, rows.count);
    return NULL;
}

typedef struct ProjectList {
    Project *projects;
    size_t   count;
} ProjectList;

static Err *list_work(DbTx *tx, void *context)
{
    ProjectList *list = context;
    return projects_read(tx, &list->projects, &list->count);
}

Err *catalog_projects(Catalog *catalog, Arena *arena, Project **projects, size_t *count)
{
    ProjectList list = { 0 };
    TRY(db_read(catalog->db, arena, list_work, &list));
    for (size_t i = 0; i < list.count; i++)  // another server may have made it just now
        mirror_project_set(catalog->mirror, &list.projects[i]);
    *projects = list.projects;
    *count = list.count;
    return NULL;
}

// ---- making

typedef struct TenantMaking {
    Str id, name;
} TenantMaking;

static Err *tenant_work(DbTx *tx, void *context)
{
    const TenantMaking *making = context;
    return db_run(tx, &sql[TENANT_ADD],
                  DB_VALUES(db_text(making->id), db_text(making->name), db_whole(clock_now_us())),
                  NULL);
}

Err *catalog_tenant_make(Catalog *catalog, Arena *arena, Str name, Str *tenant)
{
    TenantMaking making = { random_id(arena, "ten_"), name };
    TRY(db_write(catalog->db, arena, (DbWrite){ .work = tenant_work, .context = &making }));
    *tenant = making.id;
    return NULL;
}

typedef struct ProjectMaking {
    Catalog *catalog;
    Project  project;
} ProjectMaking;

static Err *project_work(DbTx *tx, void *context)
{
    const Project *project = &((ProjectMaking *)context)->project;
    int64_t        now_us = clock_now_us();
    TRY(db_run(tx, &sql[PROJECT_ADD],
               DB_VALUES(db_text(project->id.tenant), db_text(project->id.id),
                         db_text(project->name), db_text(project->time_zone),
                         db_text(str_of(unknown_accounts_name(project->unknown_accounts))),
                         db_whole(project->horizon_us), db_whole(now_us),
                         db_text(str_of(project_mode_name(project->mode)))),
               NULL));
    return audit_add(tx, &(AuditEntry){ .tenant = project->id.tenant,
                                        .project = project->id.id,
                                        .at = { now_us },
                                        .who = STR("toll"),
                                        .action = STR("project.make"),
                                        .object = project->id.id });
}

static void project_made(void *context)
{
    ProjectMaking *making = context;
    making->project.version = 1;
    mirror_project_set(making->catalog->mirror, &making->project);
}

Err *catalog_project_make(Catalog *catalog, Arena *arena, const Project *project)
{
    ProjectMaking making = { catalog, *project };
    return db_write(catalog->db, arena, (DbWrite){ project_work, project_made, &making });
}

// ---- a test project's clock

typedef struct ClockSetting {
    const CatalogChange *change;
    Instant              to;
} ClockSetting;

static Err *clock_check(DbTx *tx, const DbRow *row, Instant to)
{
    if (row_is_null(row, 0) || !str_equal(row_text(row, 0), STR("test")))
        return refuse(db_arena(tx), ERR_PROJECT_IS_LIVE, STR_NONE,
                      "the project is live: its clock is the machine's");
    if (!row_is_null(row, 1) && to.us < row_whole(row, 1))
        return refuse(db_arena(tx), ERR_CLOCK_GOES_BACK, STR("/now"),
                      "the project's clock stands at %.*s already",
                      STR_ARG(instant_print(db_arena(tx), (Instant){ row_whole(row, 1) })));
    return NULL;
}

static Err *clock_work(DbTx *tx, void *context)
{
    const ClockSetting *setting = context;
    ProjectId           project = setting->change->by->project.id;
    DbValue             tenant = db_text(project.tenant), id = db_text(project.id);
    DbRow               row;
    TRY(db_find(tx, &sql[CLOCK_GET], DB_VALUES(tenant, id), &row));
    TRY(clock_check(tx, &row, setting->to));
    TRY(db_run(tx, &sql[CLOCK_SET], DB_VALUES(db_whole(setting->to.us), tenant, id), NULL));
    return catalog__audit(tx, setting->change, "testClock.set", project.id,
                          instant_print(db_arena(tx), setting->to));
}

static void clock_made(void *context)
{
    const ClockSetting *setting = context;
    mirror_clock_raise(setting->change->catalog->mirror, setting->change->by->project.id.id,
                       setting->to);
}

Err *catalog_clock_set(const CatalogChange *change, Instant to)
{
    ClockSetting setting = { change, to };
    return db_write(change->catalog->db, change->arena,
                    (DbWrite){ clock_work, clock_made, &setting });
}

typedef struct KeyMaking {
    Catalog *catalog;
    Key      key;
} KeyMaking;

static Err *key_work(DbTx *tx, void *context)
{
    const Key *key = &((KeyMaking *)context)->key;
    Str        scopes = scopes_print(db_arena(tx), key->scopes);
    TRY(db_run(tx, &sql[KEY_ADD],
               DB_VALUES(db_text(key->project.tenant), db_text(key->project.id), db_text(key->id),
                         db_text(key->name), db_blob(key->hash.bytes, sizeof key->hash.bytes),
                         db_text(scopes), key->expires ? db_whole(key->expires_at.us) : db_null(),
                         db_whole(key->created_at.us)),
               NULL));
    return audit_add(tx, &(AuditEntry){ .tenant = key->project.tenant,
                                        .project = key->project.id,
                                        .at = key->created_at,
                                        .who = STR("toll"),
                                        .action = STR("key.make"),
                                        .object = key->id,
                                        .detail = scopes });
}

static void key_made(void *context)
{
    KeyMaking *making = context;
    mirror_key_set(making->catalog->mirror, &making->key);
}

Err *catalog_key_make(Catalog *catalog, Arena *arena, const Key *wanted, KeyMode mode, Str *secret)
{
    Str       made = key_make(arena, mode);
    KeyMaking making = { catalog, *wanted };
    making.key.id = random_id(arena, "key_");
    making.key.hash = key_hash(made, &catalog->pepper);
    making.key.created_at.us = clock_now_us();
    TRY(db_write(catalog->db, arena, (DbWrite){ key_work, key_made, &making }));
    *secret = made;
    return NULL;
}
