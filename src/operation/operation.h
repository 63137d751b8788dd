// Work that outlives the request that asked for it: a row of the books that says what is to be
// done, who does it now, how far it has come and how it ended. A worker (worker.h) takes what is
// queued or abandoned; whoever works holds a lease and a fence, so that one that was taken over
// can write nothing any more. Owns table operation.
//
//   queued -> running -> succeeded | failed
//   queued | running  -> canceled
#pragma once

#include "audit/audit.h"
#include "base/json.h"
#include "catalog/key.h"
#include "db/db.h"

typedef enum OperationStatus {
    OPERATION_QUEUED,
    OPERATION_RUNNING,
    OPERATION_SUCCEEDED,
    OPERATION_FAILED,
    OPERATION_CANCELED,
    OPERATION_STATUS_COUNT
} OperationStatus;

const char *operation_status_name(OperationStatus status);  // "queued"

typedef struct Operation {
    ProjectId       project;
    Str             id;       // op_ + 26 characters, ordered by time
    Str             kind;     // "simulation"
    Str             subject;  // id of what it makes; the kind's own table has the rest
    Str             result;   // where the result is read, from the beginning on
    OperationStatus status;
    int64_t         done, total;  // in units of the kind; total 0: not known yet
    Str             error_code, error_detail;  // of a failed one; else STR_NONE
    Instant         created_at;
    bool            has_started, has_ended;
    Instant         started_at, ended_at;
    int64_t         fence;  // rises with every taker
} Operation;

extern const StatementTable operation_table;  // for DbOptions.tables

// A queued one, in the transaction that stores what it is to do. Reads project, id, kind, subject,
// result and created_at.
Err *operation_add(DbTx *tx, const Operation *operation) MUST_CHECK;

// OPERATION_NOT_FOUND.
Err *operation_get(Db *db, Arena *arena, ProjectId project, Str id, Operation **found) MUST_CHECK;

// Newest first, behind `before` (STR_NONE: from the newest), up to `limit` of them.
typedef struct OperationPage {
    ProjectId project;
    Str       before;
    size_t    limit;
} OperationPage;
Err *operation_list(Db *db, Arena *arena, const OperationPage *page, Operation **operations,
                    size_t *count) MUST_CHECK;

// Canceled when it returns: whoever works on it can store nothing any more. Again is harmless.
// OPERATION_NOT_FOUND; OPERATION_ENDED when it has succeeded or failed.
typedef struct OperationCancel {
    const Principal *by;
    Str              id;
    Instant          now;
} OperationCancel;
Err *operation_cancel(Db *db, Arena *arena, const OperationCancel *cancel,
                      Operation **canceled) MUST_CHECK;

// {"id","kind","status","progress":{"done","total"},"result","error","createdAt","startedAt",
// "endedAt"}
void operation_to_json(const Operation *operation, JsonOut *out);

// ---- for whoever does the work

enum { OPERATION_LEASE_S = 30 };  // what is not renewed for so long is abandoned

// Who takes operations.
typedef struct OperationTaker {
    Str        holder;  // the server; STR_NONE: there is only one
    const Str *kinds;   // that it can do
    size_t     kind_count;
} OperationTaker;

// Takes the oldest of those kinds that is queued or abandoned: running, with a new fence and a
// lease. NULL in *taken when there is none.
Err *operation_take(Db *db, Arena *arena, const OperationTaker *taker,
                    Operation **taken) MUST_CHECK;

// Notes the progress and renews the lease, in the transaction that stores what was done. Refuses
// OPERATION_CANCELED when it was canceled or somebody else has it now: nothing may be stored.
Err *operation_advance(DbTx *tx, const Operation *taken, int64_t done, int64_t total) MUST_CHECK;

// The end: NULL, it has succeeded; else it failed with that refusal. When it was canceled or taken
// over meanwhile nothing changes.
Err *operation_end(Db *db, Arena *arena, const Operation *taken, const Err *failure) MUST_CHECK;

// Gives up the leases of a holder that is known to be gone; of everybody, when holder is STR_NONE.
// Before anything is taken.
Err *operation_abandon(Db *db, Arena *arena, Str holder) MUST_CHECK;
