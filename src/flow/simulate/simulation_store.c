// SPDX-License-Identifier: Apache-2.0
// The rows of simulations and of the pieces of their results.
#include "flow/simulate/simulation_store.h"

enum {
    SIMULATION_ADD,
    SIMULATION_GET,
    SIMULATION_SUMMARY,
    CHUNK_ADD,
    CHUNK_GET,
    CHUNK_NUMBERS,
    STATEMENTS
};

static const Statement sql[STATEMENTS] = {
    [SIMULATION_ADD] = { "insert into simulation (tenant, project, id, operation, request,"
                         " position, names, rated_at, chunk_accounts, summary)"
                         " values (?, ?, ?, ?, ?, ?, ?, ?, ?, null)" },
    [SIMULATION_GET] = { "select id, operation, request, position, names, rated_at, chunk_accounts,"
                         " summary from simulation where tenant = ? and project = ? and id = ?" },
    [SIMULATION_SUMMARY] = { "update simulation set summary = ?"
                             " where tenant = ? and project = ? and id = ?" },
    [CHUNK_ADD] = { "insert into simulation_chunk"
                    " (tenant, project, simulation, number, accounts, content)"
                    " values (?, ?, ?, ?, ?, ?)" },
    [CHUNK_GET] = { "select accounts, content from simulation_chunk"
                    " where tenant = ? and project = ? and simulation = ? and number = ?" },
    [CHUNK_NUMBERS] = { "select number from simulation_chunk"
                        " where tenant = ? and project = ? and simulation = ? order by number" },
};

const StatementTable simulation_table = { "simulations", sql, STATEMENTS };

Err *simulation__add(DbTx *tx, const Simulation *simulation)
{
    return db_run(tx, &sql[SIMULATION_ADD],
                  DB_VALUES(db_text(simulation->project.tenant), db_text(simulation->project.id),
                            db_text(simulation->id), db_text(simulation->operation),
                            db_text(simulation->request), db_whole((int64_t)simulation->position),
                            db_whole((int64_t)simulation->names),
                            db_whole(simulation->rated_at.us),
                            db_whole(simulation->chunk_accounts)),
                  NULL);
}

typedef struct Getting {
    ProjectId   project;
    Str         id;
    Simulation *found;
} Getting;

static Err *get_work(DbTx *tx, void *context)
{
    Getting *getting = context;
    DbRow    row;
    TRY(db_find(tx, &sql[SIMULATION_GET],
                DB_VALUES(db_text(getting->project.tenant), db_text(getting->project.id),
                          db_text(getting->id)),
                &row));
    if (row.columns == NULL)
        return refuse(db_arena(tx), ERR_SIMULATION_NOT_FOUND, STR_NONE,
                      "there is no simulation %.*s", STR_ARG(getting->id));
    getting->found = arena_new(db_arena(tx), Simulation);
    *getting->found = (Simulation){
        .project = getting->project,
        .id = row_text(&row, 0),
        .operation = row_text(&row, 1),
        .request = row_text(&row, 2),
        .position = (uint64_t)row_whole(&row, 3),
        .names = (uint64_t)row_whole(&row, 4),
        .rated_at = { row_whole(&row, 5) },
        .chunk_accounts = row_whole(&row, 6),
        .summary = row_text(&row, 7),
    };
    return NULL;
}

Err *simulation_get(Db *db, Arena *arena, ProjectId project, Str id, Simulation **found)
{
    Getting getting = { project, id, NULL };
    TRY(db_read(db, arena, get_work, &getting));
    *found = getting.found;
    return NULL;
}

// ---- chunks

typedef struct ChunkGetting {
    const Simulation *simulation;
    SimulationChunk  *chunk;
} ChunkGetting;

static Err *chunk_work(DbTx *tx, void *context)
{
    const ChunkGetting *getting = context;
    const Simulation   *simulation = getting->simulation;
    SimulationChunk    *chunk = getting->chunk;
    DbRow               row;
    TRY(db_find(tx, &sql[CHUNK_GET],
                DB_VALUES(db_text(simulation->project.tenant), db_text(simulation->project.id),
                          db_text(simulation->id), db_whole(chunk->number)),
                &row));
    chunk->accounts = row.columns == NULL ? 0 : row_whole(&row, 0);
    chunk->content = row.columns == NULL ? STR_NONE : row_blob(&row, 1);
    return NULL;
}

Err *simulation_chunk_get(Db *db, Arena *arena, const Simulation *simulation, int64_t number,
                          SimulationChunk *chunk)
{
    ChunkGetting getting = { simulation, chunk };
    *chunk = (SimulationChunk){ .number = number };
    return db_read(db, arena, chunk_work, &getting);
}

typedef struct NumbersGetting {
    const Simulation *simulation;
    int64_t          *at;
    size_t            count;
} NumbersGetting;

static Err *numbers_work(DbTx *tx, void *context)
{
    NumbersGetting   *getting = context;
    const Simulation *simulation = getting->simulation;
    DbRows            rows;
    TRY(db_rows(tx, &sql[CHUNK_NUMBERS],
                DB_VALUES(db_text(simulation->project.tenant), db_text(simulation->project.id),
                          db_text(simulation->id)),
                &rows));
    getting->at = arena_array(db_arena(tx), int64_t, rows.count);
    getting->count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        getting->at[i] = row_whole(&rows.at[i], 0);
    return NULL;
}

Err *simulation_chunk_numbers(Db *db, Arena *arena, const Simulation *simulation,
                              int64_t **numbers, size_t *count)
{
    NumbersGetting getting = { simulation, NULL, 0 };
    TRY(db_read(db, arena, numbers_work, &getting));
    *numbers = getting.at;
    *count = getting.count;
    return NULL;
}

// ---- a step

static Err *step_work(DbTx *tx, void *context)
{
    const SimulationStep *step = context;
    const Simulation     *simulation = step->simulation;
    TRY(operation_advance(tx, step->operation, step->done, step->total));
    if (step->chunk != NULL)
        TRY(db_run(tx, &sql[CHUNK_ADD],
                   DB_VALUES(db_text(simulation->project.tenant), db_text(simulation->project.id),
                             db_text(simulation->id), db_whole(step->chunk->number),
                             db_whole(step->chunk->accounts),
                             db_blob(step->chunk->content.at, step->chunk->content.length)),
                   NULL));
    if (step->summary.at == NULL)
        return NULL;
    return db_run(tx, &sql[SIMULATION_SUMMARY],
                  DB_VALUES(db_text(step->summary), db_text(simulation->project.tenant),
                            db_text(simulation->project.id), db_text(simulation->id)),
                  NULL);
}

Err *simulation_step_store(Db *db, Arena *arena, const SimulationStep *step)
{
    SimulationStep copy = *step;
    return db_write(db, arena, (DbWrite){ .work = step_work, .context = &copy });
}
