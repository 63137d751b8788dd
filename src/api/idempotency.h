// Idempotency-Key on POSTs that make money state: the effect and its answer are stored in one
// transaction, kept 30 days, and a repetition gets the first answer, with Idempotent-Replayed:
// true.
//
//   idempotency_key_required  400  the route needs one
//   idempotency_key_reused    422  the key came with another route, path or body before
//   idempotency_key_running   409  a request with that key is being worked on
// A refusal has no effect and is not kept: the same key may be sent again.
#pragma once

#include "api/server.h"

typedef enum KeyNeed { KEY_REQUIRED, KEY_OPTIONAL } KeyNeed;

// What a request does, in the transaction, and its answer's body as JSON. May run again from its
// beginning: what it keeps in `context` it writes anew. `body` is empty at each beginning.
typedef Err *(*MoneyWork)(DbTx *tx, void *context, Text *body);

typedef struct Idempotent {
    KeyNeed   need;
    // May be NULL. Before the transaction, and not when the answer is replayed: for what costs much
    // and needs no lock.
    Err     *(*prepare)(Request *request, void *context);
    MoneyWork work;
    void     *context;
    int       status;  // of the answer; 0: the route's own
} Idempotent;

// Runs the work in a write transaction of the books and fills the response; or replays.
Err *idempotent_write(Request *request, Response *response, const Idempotent *wanted) MUST_CHECK;

// For the list of what a route refuses.
#define IDEMPOTENCY_REFUSES                                                             \
    ERR_IDEMPOTENCY_KEY_REQUIRED, ERR_IDEMPOTENCY_KEY_INVALID, ERR_IDEMPOTENCY_KEY_RUNNING, \
        ERR_IDEMPOTENCY_KEY_REUSED
