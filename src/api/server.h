// What every handler is given: the parts of a running server, and who asks.
#pragma once

#include <stdatomic.h>

#include "catalog/catalog.h"
#include "edge/forward.h"
#include "flow/aggregate/usage.h"
#include "flow/ingest/batch.h"
#include "http/listener.h"
#include "operation/worker.h"

// What one request may hold: settings, with the defaults of the wire contract.
typedef struct ServerLimits {
    int64_t        future_us;
    size_t         events;
    size_t         void_events;  // of one void
    uint32_t       depth;
    PropertyLimits properties;
} ServerLimits;

typedef struct Server {
    Db          *books;
    Catalog     *catalog;
    Partition   *partition;  // NULL: another server on the same books has the usage
    Forwarder   *forwarder;  // to it; NULL: this one has
    Worker      *worker;     // of operations
    HashKey      identity;   // of uniqueIds
    ServerLimits limits;
    Str          openapi;    // printed once, at start
    atomic_bool  is_ready;   // false while starting and stopping
} Server;

static inline Server *server_of(const Request *request)
{
    return request->server;
}

// Who asks, on routes with a scope.
static inline const Principal *principal_of(const Request *request)
{
    return request->principal;
}

static inline ProjectId project_of(const Request *request)
{
    return principal_of(request)->project.id;
}

// What time it is for the project's business: a test project has a clock of its own. Real time
// (request->received) is for what the machine counts: idempotency keys, operations, logs.
static inline Instant now_of(const Request *request)
{
    const Principal *principal = principal_of(request);
    return principal == NULL ? request->received
                             : project_now(&principal->project, request->received);
}

// The listener's hook: `context` is the Server. Bearer keys, checked in memory.
Err *server_authorize(void *context, Request *request, const char *scope) MUST_CHECK;

// The listener's hook for requests that only the server with the usage can answer.
Err *server_forward(Request *request, Response *response) MUST_CHECK;

// A change asked for by this request, for the catalog's functions that write. `entity_version`
// comes from If-Match: "7" expects version 7, absent or * expects any; If-None-Match: * expects
// none.
Err *server_change(const Request *request, CatalogChange *change) MUST_CHECK;
