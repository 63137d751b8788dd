// SPDX-License-Identifier: Apache-2.0
// One row of a project, made when somebody says something; without it the defaults hold.
#include "catalog/settings.h"

#include "base/assert.h"

enum { SETTINGS_GET, SETTINGS_ADD, SETTINGS_SET, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [SETTINGS_GET] = { "select close_buffer_us, late_usage, recompute_horizon_us, billing"
                       " from project_settings where tenant = ? and project = ?" },
    [SETTINGS_ADD] = { "insert into project_settings (tenant, project, close_buffer_us,"
                       " late_usage, recompute_horizon_us, billing) values (?, ?, ?, ?, ?, ?)" },
    [SETTINGS_SET] = { "update project_settings set close_buffer_us = ?, late_usage = ?,"
                       " recompute_horizon_us = ?, billing = ? where tenant = ? and project = ?" },
};

const StatementTable catalog__settings_table = { "project settings", sql, STATEMENTS };

const char *const late_usage_names[] = { "nextInvoice", "creditNote", "reopen", NULL };
const char *const billing_mode_names[] = { "manual", "automatic", NULL };

const ProjectSettings project_settings_usual = {
    .close_buffer_us = 3600 * INSTANT_SECOND_US,
    .late_usage = LATE_NEXT_INVOICE,
    .recompute_horizon_us = 90 * INSTANT_DAY_US,
};

Err *late_usage_read(Arena *arena, Str name, LateUsage *rule)
{
    for (int i = 0; i < LATE_USAGE_COUNT; i++)
        if (str_equal(name, str_of(late_usage_names[i]))) {
            *rule = (LateUsage)i;
            return NULL;
        }
    return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                  "a project's settings say %.*s, which this Toll does not know", STR_ARG(name));
}

Err *project_settings_get(DbTx *tx, ProjectId project, ProjectSettings *settings)
{
    DbRow row;
    *settings = project_settings_usual;
    TRY(db_find(tx, &sql[SETTINGS_GET], DB_VALUES(db_text(project.tenant), db_text(project.id)),
                &row));
    if (row.columns == NULL)
        return NULL;
    settings->close_buffer_us = row_whole(&row, 0);
    settings->recompute_horizon_us = row_whole(&row, 2);
    if (str_equal(row_text(&row, 3), str_of(billing_mode_names[BILLING_AUTOMATIC])))
        settings->billing = BILLING_AUTOMATIC;
    return late_usage_read(db_arena(tx), row_text(&row, 1), &settings->late_usage);
}

Err *project_settings_put(DbTx *tx, ProjectId project, const ProjectSettings *settings)
{
    DbValue  buffer = db_whole(settings->close_buffer_us);
    DbValue  late = db_text(str_of(late_usage_names[settings->late_usage]));
    DbValue  horizon = db_whole(settings->recompute_horizon_us);
    DbValue  billing = db_text(str_of(billing_mode_names[settings->billing]));
    DbValue  tenant = db_text(project.tenant), id = db_text(project.id);
    bool     added;
    uint64_t changed;
    TRY(db_insert(tx, &sql[SETTINGS_ADD], DB_VALUES(tenant, id, buffer, late, horizon, billing),
                  &added));
    if (added)
        return NULL;
    return db_run(tx, &sql[SETTINGS_SET], DB_VALUES(buffer, late, horizon, billing, tenant, id),
                  &changed);
}

typedef struct SettingsRead {
    ProjectId       project;
    ProjectSettings settings;
} SettingsRead;

static Err *read_work(DbTx *tx, void *context)
{
    SettingsRead *read = context;
    return project_settings_get(tx, read->project, &read->settings);
}

Err *project_settings_read(Db *db, Arena *arena, ProjectId project, ProjectSettings *settings)
{
    SettingsRead read = { .project = project };
    TRY(db_read(db, arena, read_work, &read));
    *settings = read.settings;
    return NULL;
}
