// The first answers to requests that carried an Idempotency-Key: kept in the transaction of what
// the request did, so that a repetition finds either both or neither. Owns table answered.
#pragma once

#include "base/hash.h"
#include "db/db.h"
#include "time/instant.h"

enum { ANSWERED_KEY_BYTES = 255, ANSWERED_DAYS = 30 };

typedef struct Answered {
    Str     tenant, project;
    Str     key;      // of the caller, 1..255 bytes
    Digest  request;  // of method, path and content
    Instant at;
    int64_t status;   // of the answer, and its body
    Str     body;
} Answered;

extern const StatementTable answered_table;

// *found is NULL when the key was not used, or longer than ANSWERED_DAYS before `now` ago.
Err *answered_find(DbTx *tx, const Answered *wanted, Answered **found) MUST_CHECK;

// Keeps an answer; one of the same key must be too old to be found. *added is false when another
// transaction was faster: its answer is the one.
Err *answered_add(DbTx *tx, const Answered *answer, bool *added) MUST_CHECK;

// Takes away up to `limit` that are too old at `now`.
Err *answered_sweep(DbTx *tx, Instant now, size_t limit, size_t *removed) MUST_CHECK;
