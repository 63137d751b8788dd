// SPDX-License-Identifier: Apache-2.0
// From a request to a queued operation: what it names is checked against the books, and what it is
// pinned to is read: first the position of usage, then the accounts that usage has named, so that
// they hold everybody who has usage up to there.
#include "base/random.h"
#include "catalog/body.h"
#include "flow/simulate/simulation_store.h"

typedef struct Checking {
    Arena                 *arena;
    const SimulationStart *start;
    Faults                 faults;
} Checking;

static ProjectId project_of(const SimulationStart *start)
{
    return start->by->project.id;
}

// A refusal that says what the request names wrongly becomes a fault at its place; others end it.
static Err *take_fault(Checking *checking, Err *err, Str pointer)
{
    if (err == NULL || err->code == ERR_STORE_FAILED || err->code == ERR_STORE_BUSY)
        return err;
    faults_add(&checking->faults, err->code, pointer, "%.*s", STR_ARG(err->detail));
    return NULL;
}

// ---- plans and their meters

static bool is_dimension(const Meter *meter, Str key)
{
    for (size_t i = 0; i < meter->dimension_count; i++)
        if (str_equal(meter->dimensions[i], key))
            return true;
    return false;
}

static void dimensions_check(Checking *checking, const Charge *charge, const Meter *meter,
                             Str pointer)
{
    for (size_t i = 0; i < charge->filter.count; i++)
        if (!is_dimension(meter, charge->filter.terms[i].key))
            faults_add(&checking->faults, ERR_PLAN_INVALID,
                       pointer_of(checking->arena, pointer, STR("filter")),
                       "%.*s is not a dimension of meter %.*s",
                       STR_ARG(charge->filter.terms[i].key), STR_ARG(meter->id));
    for (size_t i = 0; i < charge->read_count; i++)
        if (!is_dimension(meter, charge->read_by[i]))
            faults_add(&checking->faults, ERR_PLAN_INVALID, pointer,
                       "%.*s is not a dimension of meter %.*s", STR_ARG(charge->read_by[i]),
                       STR_ARG(meter->id));
}

static Err *charge_check(Checking *checking, const Charge *charge, Str pointer)
{
    const SimulationStart *start = checking->start;
    for (size_t i = 0; i < charge_meter_count(charge); i++) {
        Meter *meter = NULL;
        Err   *err = catalog_meter_get(start->catalog, checking->arena, project_of(start),
                                       charge_meter(charge, i), &meter);
        TRY(take_fault(checking, err, pointer));
        if (meter != NULL)
            dimensions_check(checking, charge, meter, pointer);
    }
    return NULL;
}

static Err *document_check(Checking *checking, const Plan *plan, Str pointer)
{
    Str charges = pointer_of(checking->arena, pointer, STR("charges"));
    for (size_t i = 0; i < plan->charge_count; i++)
        TRY(charge_check(checking, &plan->charges[i], pointer_at(checking->arena, charges, i)));
    return NULL;
}

static Err *side_check(Checking *checking, const SimulationSide *side, Str base)
{
    const SimulationStart *start = checking->start;
    PlanVersion           *found;
    PlanRef                ref = { project_of(start), side->plan_id, side->version };
    if (side->kind == SIDE_CURRENT)
        return NULL;
    if (side->kind == SIDE_DOCUMENT)
        return document_check(checking, side->plan, pointer_of(checking->arena, base, STR("plan")));
    return take_fault(checking,
                      catalog_plan_version_get(start->catalog, checking->arena, &ref, &found),
                      pointer_of(checking->arena, base, STR("planVersion")));
}

// ---- accounts

static Err *accounts_check(Checking *checking, const SimulationRequest *request)
{
    const SimulationStart *start = checking->start;
    for (size_t i = 0; i < request->account_count; i++) {
        Account *account;
        TRY(take_fault(checking,
                       catalog_account_get(start->catalog, checking->arena, project_of(start),
                                           request->accounts[i], &account),
                       STR("/accounts")));
    }
    return NULL;
}

static Err *replaces_check(Checking *checking, const SimulationRequest *request)
{
    const SimulationStart *start = checking->start;
    PlanVersion           *found;
    if (request->replaces.at == NULL)
        return NULL;
    return take_fault(checking,
                      catalog_plan_get(start->catalog, checking->arena, project_of(start),
                                       request->replaces, &found),
                      STR("/replaces"));
}

static Err *request_check(Checking *checking, const SimulationRequest *request)
{
    TRY(side_check(checking, &request->after, STR("")));
    TRY(side_check(checking, &request->before, STR("/against")));
    TRY(accounts_check(checking, request));
    TRY(replaces_check(checking, request));
    return checking->faults.first;
}

// ---- storing

typedef struct Storing {
    const SimulationStart *start;
    const Simulation      *simulation;
    const Operation       *operation;
} Storing;

static Err *store_work(DbTx *tx, void *context)
{
    const Storing   *storing = context;
    const Principal *by = storing->start->by;
    AuditEntry       entry = {
              .tenant = by->project.id.tenant,
              .project = by->project.id.id,
              .at = storing->start->now,
              .who = str_print(db_arena(tx), "key:%.*s", STR_ARG(by->key_id)),
              .action = STR("simulation.start"),
              .object = storing->simulation->id,
              .detail = storing->simulation->request,
    };
    TRY(operation_add(tx, storing->operation));
    TRY(simulation__add(tx, storing->simulation));
    return audit_add(tx, &entry);
}

static Str request_text(Arena *arena, const SimulationRequest *request)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    simulation_request_write(request, &out);
    return text_str(&text);
}

// How many accounts usage has named, of all projects. They are numbered without gaps.
static uint64_t names_count(Partition *partition)
{
    uint64_t low = 0, high = 1;
    Str      project, account;
    while (partition_account(partition, high - 1, &project, &account)) {
        low = high;
        high *= 2;
    }
    while (low < high - 1) {  // low are there, and the one at high - 1 is not
        uint64_t middle = low + (high - low) / 2;
        if (partition_account(partition, middle - 1, &project, &account))
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int64_t chunk_accounts(const SimulationRequest *request)
{
    int64_t days = 1 + (request->to.us - request->from.us) / INSTANT_DAY_US;
    int64_t accounts = SIMULATION_CHUNK_DAYS / days;
    if (accounts > SIMULATION_CHUNK_ACCOUNTS)
        return SIMULATION_CHUNK_ACCOUNTS;
    return accounts < SIMULATION_CHUNK_LEAST ? SIMULATION_CHUNK_LEAST : accounts;
}

Err *simulation_start(Arena *arena, const SimulationStart *start, const SimulationRequest *request,
                      Operation *operation)
{
    Checking checking = { arena, start, { .arena = arena } };
    uint64_t caught_up;
    TRY(request_check(&checking, request));
    uint64_t position = partition_sequence(start->partition);
    TRY(catalog_accounts_catch_up(start->catalog, arena, &caught_up));
    Simulation simulation = {
        .project = project_of(start),
        .id = random_id(arena, "sim_"),
        .operation = random_id(arena, "op_"),
        .request = request_text(arena, request),
        .position = position,
        .names = names_count(start->partition),
        .rated_at = start->now,
        .chunk_accounts = chunk_accounts(request),
    };
    *operation = (Operation){
        .project = simulation.project,
        .id = simulation.operation,
        .kind = STR("simulation"),
        .subject = simulation.id,
        .result = str_print(arena, "/v1/simulations/%.*s", STR_ARG(simulation.id)),
        .status = OPERATION_QUEUED,
        .created_at = start->now,
    };
    Storing storing = { start, &simulation, operation };
    return db_write(start->db, arena, (DbWrite){ .work = store_work, .context = &storing });
}
