// SPDX-License-Identifier: Apache-2.0
// Meters: one row each, the definition as canonical JSON. What a published plan prices keeps
// measuring what it measured: only unit and further dimensions may come.
#include "base/assert.h"
#include "catalog/catalog_inside.h"

enum {
    METER_GET,
    METER_ADD,
    METER_SET,
    METER_DROP,
    METERS_AFTER,
    METERS_ALL,
    METER_PRICED,
    STATEMENTS
};

static const Statement sql[STATEMENTS] = {
    [METER_GET] = { "select id, definition, version from meter"
                    " where tenant = ? and project = ? and id = ?" },
    [METER_ADD] = { "insert into meter (tenant, project, id, definition, version, created_at)"
                    " values (?, ?, ?, ?, 1, ?)" },
    [METER_SET] = { "update meter set definition = ?, version = version + 1"
                    " where tenant = ? and project = ? and id = ? and version = ?" },
    [METER_DROP] = { "delete from meter where tenant = ? and project = ? and id = ?" },
    [METERS_AFTER] = { "select id, definition, version from meter"
                       " where tenant = ? and project = ? and id > ? order by id limit ?" },
    [METERS_ALL] = { "select id, definition, version, tenant, project from meter"
                     " order by tenant, project, id" },
    [METER_PRICED] = { "select plan from plan_meter where tenant = ? and project = ? and meter = ?"
                       " limit 1" },
};

const StatementTable catalog__meter_table = { "meters", sql, STATEMENTS };

static Str definition_of(Arena *arena, const Meter *meter)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    meter_to_json(meter, &out);
    return text_str(&text);
}

static Err *meter_read(Arena *arena, const DbRow *row, Meter **meter)
{
    Json  *root;
    Faults faults = { .arena = arena };
    TRY(json_parse_copy(arena, row_text(row, 1), &root));
    Meter *read = meter_from_json(root, row_text(row, 0), &faults);
    if (faults.first != NULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "the row of meter %.*s cannot be read: %.*s", STR_ARG(row_text(row, 0)),
                      STR_ARG(faults.first->detail));
    read->version = row_whole(row, 2);
    *meter = read;
    return NULL;
}

Err *catalog__meter_find(DbTx *tx, ProjectId project, Str id, Meter **meter)
{
    DbRow row;
    TRY(db_find(tx, &sql[METER_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    *meter = NULL;
    return row.columns == NULL ? NULL : meter_read(db_arena(tx), &row, meter);
}

Err *catalog__meter_is_priced(DbTx *tx, ProjectId project, Str meter, bool *priced)
{
    DbRow row;
    TRY(db_find(tx, &sql[METER_PRICED],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(meter)), &row));
    *priced = row.columns != NULL;
    return NULL;
}

Err *catalog__meters_load(DbTx *tx, Mirror *mirror)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[METERS_ALL], (DbValues){ 0 }, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        Meter *meter;
        TRY(meter_read(db_arena(tx), &rows.at[i], &meter));
        mirror_event_add(mirror, row_text(&rows.at[i], 4), meter->event, 1);
    }
    return NULL;
}

// ---- put

typedef struct MeterPut {
    const CatalogChange *change;
    const Meter         *wanted;
    Meter               *before;  // NULL: it is new
    Meter               *after;
} MeterPut;

static bool dimensions_kept(const Meter *before, const Meter *after)
{
    for (size_t i = 0; i < before->dimension_count; i++) {
        bool kept = false;
        for (size_t k = 0; k < after->dimension_count && !kept; k++)
            kept = str_equal(before->dimensions[i], after->dimensions[k]);
        if (!kept)
            return false;
    }
    return true;
}

// Apart from unit and dimensions.
static bool measures_the_same(Arena *arena, const Meter *a, const Meter *b)
{
    Meter bare = *a, other = *b;
    bare.unit = other.unit = STR_NONE;
    bare.dimension_count = other.dimension_count = 0;
    return str_equal(definition_of(arena, &bare), definition_of(arena, &other));
}

static Err *replacement_check(DbTx *tx, const MeterPut *put)
{
    bool priced;
    TRY(catalog__meter_is_priced(tx, put->change->by->project.id, put->wanted->id, &priced));
    if (priced && !(measures_the_same(db_arena(tx), put->before, put->wanted) &&
                    dimensions_kept(put->before, put->wanted)))
        return refuse(
            db_arena(tx), ERR_METER_IMMUTABLE, STR_NONE,
            "a published plan prices meter %.*s: only its unit and added dimensions may change",
            STR_ARG(put->wanted->id));
    return NULL;
}

static Err *row_write(DbTx *tx, const MeterPut *put, Str definition)
{
    ProjectId project = put->change->by->project.id;
    uint64_t  changed = 1;
    if (put->before == NULL)
        TRY(db_run(tx, &sql[METER_ADD],
                   DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(put->wanted->id),
                             db_text(definition), db_whole(put->change->now.us)),
                   NULL));
    else
        TRY(db_run(tx, &sql[METER_SET],
                   DB_VALUES(db_text(definition), db_text(project.tenant), db_text(project.id),
                             db_text(put->wanted->id), db_whole(put->before->version)),
                   &changed));
    assert_that(changed == 1);
    return catalog__audit(tx, put->change, "meter.put", put->wanted->id, definition);
}

static Err *put_work(DbTx *tx, void *context)
{
    MeterPut *put = context;
    Arena    *arena = db_arena(tx);
    put->after = NULL;
    TRY(catalog__meter_find(tx, put->change->by->project.id, put->wanted->id, &put->before));
    TRY(catalog__expect(put->change, arena, put->before == NULL ? 0 : put->before->version));
    Str definition = definition_of(arena, put->wanted);
    if (put->before != NULL) {
        if (str_equal(definition, definition_of(arena, put->before))) {
            put->after = put->before;
            return NULL;
        }
        TRY(replacement_check(tx, put));
    }
    TRY(row_write(tx, put, definition));
    return catalog__meter_find(tx, put->change->by->project.id, put->wanted->id, &put->after);
}

static void put_done(void *context)
{
    MeterPut *put = context;
    Mirror   *mirror = put->change->catalog->mirror;
    Str       project = put->change->by->project.id.id;
    mirror_event_add(mirror, project, put->after->event, 1);
    if (put->before != NULL)
        mirror_event_add(mirror, project, put->before->event, -1);
}

Err *catalog_meter_put(const CatalogChange *change, const Meter *meter, Meter **stored)
{
    MeterPut put = { .change = change, .wanted = meter };
    TRY(db_write(change->catalog->db, change->arena, (DbWrite){ put_work, put_done, &put }));
    *stored = put.after;
    return NULL;
}

// ---- remove

typedef struct MeterRemoval {
    const CatalogChange *change;
    Str                  id;
    Meter               *before;
} MeterRemoval;

static Err *remove_work(DbTx *tx, void *context)
{
    MeterRemoval *removal = context;
    ProjectId     project = removal->change->by->project.id;
    bool          priced;
    TRY(catalog__meter_find(tx, project, removal->id, &removal->before));
    if (removal->before == NULL)
        return refuse(db_arena(tx), ERR_METER_NOT_FOUND, STR_NONE, "there is no meter %.*s",
                      STR_ARG(removal->id));
    TRY(catalog__meter_is_priced(tx, project, removal->id, &priced));
    if (priced)
        return refuse(db_arena(tx), ERR_METER_IN_USE, STR_NONE,
                      "a published plan prices meter %.*s", STR_ARG(removal->id));
    TRY(catalog__expect(removal->change, db_arena(tx), removal->before->version));
    TRY(db_run(tx, &sql[METER_DROP],
               DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(removal->id)),
               NULL));
    return catalog__audit(tx, removal->change, "meter.remove", removal->id, STR_NONE);
}

static void remove_done(void *context)
{
    MeterRemoval *removal = context;
    mirror_event_add(removal->change->catalog->mirror, removal->change->by->project.id.id,
                     removal->before->event, -1);
}

Err *catalog_meter_remove(const CatalogChange *change, Str id)
{
    MeterRemoval removal = { .change = change, .id = id };
    return db_write(change->catalog->db, change->arena,
                    (DbWrite){ remove_work, remove_done, &removal });
}

// ---- reading

typedef struct MeterGet {
    ProjectId project;
    Str       id;
    Meter    *found;
} MeterGet;

static Err *get_work(DbTx *tx, void *context)
{
    MeterGet *get = context;
    return catalog__meter_find(tx, get->project, get->id, &get->found);
}

Err *catalog_meter_get(Catalog *catalog, Arena *arena, ProjectId project, Str id, Meter **meter)
{
    MeterGet get = { .project = project, .id = id };
    TRY(db_read(catalog->db, arena, get_work, &get));
    if (get.found == NULL)
        return refuse(arena, ERR_METER_NOT_FOUND, STR_NONE, "there is no meter %.*s", STR_ARG(id));
    *meter = get.found;
    return NULL;
}

typedef struct MeterList {
    const CatalogPage *page;  // NULL: all of all projects
    ProjectMeter      *meters;
    size_t             count;
} MeterList;

static Err *list_work(DbTx *tx, void *context)
{
    MeterList *list = context;
    DbRows     rows;
    if (list->page == NULL)
        TRY(db_rows(tx, &sql[METERS_ALL], (DbValues){ 0 }, &rows));
    else
        TRY(db_rows(tx, &sql[METERS_AFTER],
                    DB_VALUES(db_text(list->page->project.tenant), db_text(list->page->project.id),
                              catalog__after(list->page->after),
                              db_whole((int64_t)list->page->limit)),
                    &rows));
    list->meters = arena_array(db_arena(tx), ProjectMeter, rows.count);
    list->count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        Meter *meter;
        TRY(meter_read(db_arena(tx), &rows.at[i], &meter));
        list->meters[i].meter = *meter;
        if (list->page == NULL)
            list->meters[i].project =
                (ProjectId){ row_text(&rows.at[i], 3), row_text(&rows.at[i], 4) };
    }
    return NULL;
}

Err *catalog_meters(Catalog *catalog, Arena *arena, const CatalogPage *page, Meter **meters,
                    size_t *count)
{
    MeterList list = { .page = page };
    TRY(db_read(catalog->db, arena, list_work, &list));
    *meters = arena_array(arena, Meter, list.count);
    *count = list.count;
    for (size_t i = 0; i < list.count; i++)
        (*meters)[i] = list.meters[i].meter;
    return NULL;
}

Err *catalog_meters_all(Catalog *catalog, Arena *arena, ProjectMeter **meters, size_t *count)
{
    MeterList list = { .page = NULL };
    TRY(db_read(catalog->db, arena, list_work, &list));
    *meters = list.meters;
    *count = list.count;
    return NULL;
}
