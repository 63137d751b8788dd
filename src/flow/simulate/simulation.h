// A simulation: what accounts would have been billed in a range of time under one plan, against
// another or against what they have. Nothing that is billed changes.
//
//   before   of each subscription: as it is, or under `against`
//   after    the same subscription under `plan`, all its life: its quantities over time, its pauses
//            and its end stay; its overrides and phases, which patch the plan it has, do not count
//
// Counted are the billing periods, of each side's own calendar, that begin in [from, to); each is
// billed whole, so ranges that follow each other add up. Against a plan, an account that has no
// subscription is priced as if it had one from `from` on; against "current" it is left out. Both
// show as warnings.
#pragma once

#include "catalog/catalog.h"
#include "flow/aggregate/usage.h"
#include "operation/operation.h"

enum {
    SIMULATION_ACCOUNTS_MAX = 10000,  // named one by one; "all" has no limit
    SIMULATION_DAYS_MAX = 1100,       // of the range
    SIMULATION_QUANTITIES_MAX = 50,
    SIMULATION_CHUNK_ACCOUNTS = 500,     // of a result's pieces, fewer when the range is long
    SIMULATION_CHUNK_DAYS = 50000,       // accounts times days of the range, so that pieces stay
    SIMULATION_CHUNK_LEAST = 20,         // of a few megabytes even for daily bills
    SIMULATION_DEPTH = 24,  // of the body: a plan inside nests deeper than an event
};

// One side.
typedef enum SideKind { SIDE_CURRENT, SIDE_DOCUMENT, SIDE_VERSION } SideKind;
typedef struct SimulationSide {
    SideKind    kind;
    const Json *document;  // SIDE_DOCUMENT
    Plan       *plan;      // of the document
    Str         plan_id;   // SIDE_VERSION; of a document its id, or STR_NONE
    int64_t     version;
} SimulationSide;

typedef struct SimulationRequest {
    SimulationSide after, before;
    Instant        from, to;
    bool           all_accounts;
    Str           *accounts;  // ascending, none twice
    size_t         account_count;
    const Json    *quantities;  // used where a subscription does not have that quantity; or NULL
    Str            replaces;    // only subscriptions on this plan are priced anew; or STR_NONE
} SimulationRequest;

// The body of POST /v1/simulations, every fault collected: UNKNOWN_MEMBER, FIELD_REQUIRED,
// FIELD_INVALID, INVALID_VALUE, INVALID_TIMESTAMP, PLAN_INVALID. All borrows from the body.
void simulation_request_read(const Json *body, SimulationRequest *request, Faults *faults);
// The same as JSON, as it is stored; reading it again gives the same request.
void simulation_request_write(const SimulationRequest *request, JsonOut *out);

typedef struct Simulation {
    ProjectId       project;
    Str             id;  // sim_ + 26 characters
    Str             operation;
    Str             request;         // JSON, canonical
    uint64_t        position;        // S: events with a later sequence do not count
    uint64_t        names;           // accounts that usage had named, of all projects
    Instant         rated_at;        // T: what the books knew, and what "now" is
    int64_t         chunk_accounts;  // fixed for its life
    Str             summary;         // JSON; STR_NONE until it has succeeded
} Simulation;

extern const StatementTable simulation_table;  // for DbOptions.tables

// Checks what the request names against the books (PLAN_NOT_FOUND, PLAN_VERSION_NOT_FOUND,
// ACCOUNT_NOT_FOUND, METER_NOT_FOUND, PLAN_INVALID for what is no dimension of its meter, all
// collected), pins it, and stores it with its operation.
typedef struct SimulationStart {
    Db              *db;
    Catalog         *catalog;
    Partition       *partition;
    const Principal *by;
    Instant          now;
} SimulationStart;
Err *simulation_start(Arena *arena, const SimulationStart *start, const SimulationRequest *request,
                      Operation *operation) MUST_CHECK;

// SIMULATION_NOT_FOUND.
Err *simulation_get(Db *db, Arena *arena, ProjectId project, Str id,
                    Simulation **found) MUST_CHECK;
// {"id","operation","request","sequence","ratedAt","status","result"}
void simulation_to_json(const Simulation *simulation, const Operation *operation, JsonOut *out);

// ---- pieces of the result

typedef struct SimulationChunk {
    int64_t number;    // 0, 1, …
    int64_t accounts;  // in it
    Str     content;   // chunk.h
} SimulationChunk;

// STR_NONE in content when there is no such chunk (yet).
Err *simulation_chunk_get(Db *db, Arena *arena, const Simulation *simulation, int64_t number,
                          SimulationChunk *chunk) MUST_CHECK;
// Numbers of those that are stored, ascending.
Err *simulation_chunk_numbers(Db *db, Arena *arena, const Simulation *simulation,
                              int64_t **numbers, size_t *count) MUST_CHECK;

// What a step of the work stores in one transaction, with the operation's progress.
typedef struct SimulationStep {
    const Simulation      *simulation;
    const Operation       *operation;
    const SimulationChunk *chunk;    // or NULL
    Str                    summary;  // or STR_NONE
    int64_t                done, total;
} SimulationStep;
// OPERATION_CANCELED: nothing was stored.
Err *simulation_step_store(Db *db, Arena *arena, const SimulationStep *step) MUST_CHECK;
